/*
 * drivers/emu/jit_lockstep.c -- emu:lockstep: every block is run translated
 * and interpreted, and the first difference ends the run.
 *
 * A block is run translated first, alone: it stops at its exits, and before
 * an instruction that translated code does not do itself (interpret() in
 * jit_run.c asks).  Everything is then put back, and the interpreter runs as
 * many instructions; registers, flags and the memory that either has written
 * must be the same.  What the interpreter made of it is kept.  So a device is
 * accessed once, by the interpreter, after the comparison.
 *
 * Memory is put back a page at a time: while blocks are compared, no page may
 * be written to before lockstep_page() has copied it, for the TLB's write tags
 * are dropped at each block's beginning.  A device that writes to such a page
 * meanwhile looks like a difference; therefore a difference must show three
 * times.  One vCPU.
 */
#include <errno.h>
#include <inttypes.h>

#include "drivers/emu/control.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/vec_int.h"

/* Up to the YMM registers' end. */
enum { XSAVE_COMPARED = 832 };
enum { PAGES_MAX = 4 * JIT_INSNS_MAX, TAGS_MAX = 512, TRIES = 3 };

struct saved {
	uint64_t gpr[16], rip, cr2;
	uint16_t aflags;
	uint8_t xsave[XSAVE_COMPARED];
	/* What system instructions change. */
	uint64_t rflags, kernel_gs_base;
	uint8_t cpl;
	struct emu_tlb *tlb;
	struct x86_segment seg[X86_SEGS];
};

struct page {
	uint64_t phys;
	uint64_t *host;
	uint64_t before[EMU_PAGE / 8], after[EMU_PAGE / 8];
};

struct jit_lock {
	bool translating; /* translated code is running */
	bool copying;	  /* pages are copied before they are written to */
	bool kicked;
	unsigned int stop; /* it stopped before this one, or JIT_RAN_OUT */
	unsigned int done; /* instructions that the interpreter ran */
	const struct jit_block *block;
	struct saved before, after;
	unsigned int n_tags; /* above TAGS_MAX: too many */
	uint16_t tags[TAGS_MAX]; /* of cpu->tlbs[]: with write tags */
	unsigned int n_pages;
	struct page pages[PAGES_MAX];
};

int jit_lockstep_create(struct emu_cpu *cpu)
{
	cpu->jit.lock = calloc(1, sizeof(*cpu->jit.lock));
	return cpu->jit.lock ? 0 : -ENOMEM;
}

void jit_lockstep_destroy(struct emu_cpu *cpu)
{
	free(cpu->jit.lock);
	cpu->jit.lock = NULL;
}

bool jit_lockstep_stop(struct emu_cpu *cpu, unsigned int n, bool kicked)
{
	struct jit_lock *l = cpu->jit.lock;

	if (!l->translating)
		return false;
	l->stop = n;
	l->kicked = kicked;
	return true;
}

bool jit_lockstep_translating(const struct emu_cpu *cpu)
{
	return cpu->jit.lock && cpu->jit.lock->translating;
}

/* ---- what is put back ---- */

void jit_lockstep_page(struct emu_cpu *cpu, const struct emu_tlb *e)
{
	struct jit_lock *l = cpu->jit.lock;
	struct page *p;

	if (l->n_tags < TAGS_MAX)
		l->tags[l->n_tags] = e - cpu->tlbs;
	l->n_tags++;
	if (!l->copying)
		return;
	for (unsigned int n = 0; n < l->n_pages; n++)
		if (l->pages[n].phys == (e->phys & EMU_PAGE_MASK))
			return;
	assert(l->n_pages < PAGES_MAX);
	p = &l->pages[l->n_pages++];
	p->phys = e->phys & EMU_PAGE_MASK;
	p->host = (uint64_t *)(e->rtag + e->addend);
	memcpy(p->before, p->host, EMU_PAGE);
	memcpy(p->after, p->host, EMU_PAGE);
}

static void drop_write_tags(struct emu_cpu *cpu)
{
	struct jit_lock *l = cpu->jit.lock;

	if (l->n_tags > TAGS_MAX)
		for (unsigned int n = 0; n < emu_tlb_n_used(cpu); n++)
			tlb_no_writes(cpu, emu_tlb_used(cpu, n));
	else
		for (unsigned int n = 0; n < l->n_tags; n++)
			tlb_no_writes(cpu, &cpu->tlbs[l->tags[n]]);
	l->n_tags = 0;
}

static void save(const struct emu_cpu *cpu, struct saved *s)
{
	memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
	memcpy(s->xsave, cpu->fpu.xsave, sizeof(s->xsave));
	s->rip = cpu->rip;
	s->cr2 = cpu->cr2;
	s->aflags = cpu->aflags;
	s->rflags = cpu->rflags;
	s->kernel_gs_base = cpu->msr.kernel_gs_base;
	s->cpl = cpu->cpl;
	s->tlb = cpu->tlb;
	memcpy(s->seg, cpu->seg, sizeof(s->seg));
}

static void put_back(struct emu_cpu *cpu, const struct jit_lock *l)
{
	memcpy(cpu->gpr, l->before.gpr, sizeof(l->before.gpr));
	memcpy(cpu->fpu.xsave, l->before.xsave, sizeof(l->before.xsave));
	cpu->rip = l->before.rip;
	cpu->cr2 = l->before.cr2;
	cpu->aflags = l->before.aflags;
	cpu->rflags = l->before.rflags;
	cpu->msr.kernel_gs_base = l->before.kernel_gs_base;
	cpu->cpl = l->before.cpl;
	memcpy(cpu->seg, l->before.seg, sizeof(cpu->seg));
	mmu_view(cpu);
	for (unsigned int n = 0; n < l->n_pages; n++) {
		const struct page *p = &l->pages[n];

		for (unsigned int k = 0; k < EMU_PAGE / 8; k++)
			if (p->host[k] != p->before[k])
				p->host[k] = p->before[k];
	}
}

/* ---- both runs ---- */

/* The instruction that raised an exception, which will be raised again. */
static void stopped_by_fault(struct emu_cpu *cpu)
{
	struct jit_lock *l = cpu->jit.lock;
	const struct jit_insn *i = container_of(cpu->cur, struct jit_insn, insn);

	jit_escaped(cpu);
	l->stop = i - l->block->insn;
	l->kicked = false;
	cpu->rip = l->before.rip + i->guest;
	cpu->cur = NULL;
}

static void run_translated(struct emu_cpu *cpu, const void *code)
{
	struct jit_lock *l = cpu->jit.lock;
	jmp_buf *escape = cpu->escape, here;

	l->stop = 0; /* unless code gets further */
	l->kicked = true;
	l->translating = true;
	cpu->escape = &here;
	if (_setjmp(here))
		stopped_by_fault(cpu);
	else
		jit_enter(cpu, code);
	l->translating = false;
	cpu->escape = escape;
	if (cpu->jit.x87_loaded)
		jit_sync_x87(cpu);
	save(cpu, &l->after);
	for (unsigned int n = 0; n < l->n_pages; n++)
		memcpy(l->pages[n].after, l->pages[n].host, EMU_PAGE);
}

static void step(struct emu_cpu *cpu, const struct jit_insn *i)
{
	cpu->cur = &i->insn;
	cpu->block_end = cpu->cur + 1;
	cpu->rip = cpu->jit.lock->before.rip + i->insn.end;
	i->insn.fn(cpu, &i->insn);
	cpu->cur = NULL;
}

/* A branch to what follows it anyway: translated code has stopped there. */
static bool jumped_to_next(const struct emu_cpu *cpu, const struct emu_insn *i)
{
	return cpu->jit.lock->stop == JIT_RAN_OUT && !i->imm &&
	       (i->fn == op_jcc || i->fn == jcc64_fns[i->aux & 15]) &&
	       emu_cond(cpu, i->aux);
}

/* As many instructions; false: one of them raised something. */
static bool run_interpreted(struct emu_cpu *cpu)
{
	struct jit_lock *l = cpu->jit.lock;
	jmp_buf *escape = cpu->escape, here;
	volatile bool good = false;

	l->done = 0;
	cpu->escape = &here;
	if (!_setjmp(here)) {
		while (l->done < l->block->n && l->done < l->stop) {
			const struct jit_insn *i = &l->block->insn[l->done++];

			step(cpu, i);
			if (cpu->rip != l->before.rip + i->insn.end ||
			    jumped_to_next(cpu, &i->insn))
				break;
		}
		good = true;
	}
	cpu->cur = NULL;
	cpu->escape = escape;
	return good;
}

/* ---- comparing ---- */

static const uint8_t *guest_code(struct emu_cpu *cpu, const struct jit_block *b)
{
	uint64_t rip = cpu->jit.lock->before.rip;

	return mmu_fetch(cpu, jit_linear(cpu, rip))->host +
	       (b->phys & ~EMU_PAGE_MASK);
}

/* The n-th instruction of the block. */
static bool decode_at(struct emu_cpu *cpu, unsigned int n,
		      ZydisDecodedInstruction *z, ZydisDecodedOperand *op)
{
	const struct jit_block *b = cpu->jit.lock->block;
	unsigned int at = b->insn[n].guest;
	const struct block_cache *cache = cpu->cache;

	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(
		&cache->decoder[jit_key_mode(b->key)],
		guest_code(cpu, b) + at, b->len - at, z, op));
}

/* Flags that are undefined behind what was run, in RFLAGS' places. */
static uint64_t undefined_flags(struct emu_cpu *cpu)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	uint64_t mask = 0;

	for (unsigned int n = 0; n < cpu->jit.lock->done; n++)
		if (decode_at(cpu, n, &z, op) && z.cpu_flags)
			mask |= z.cpu_flags->undefined;
	return mask;
}

static uint64_t arith(uint16_t aflags)
{
	return ((aflags >> 8) & 0xd5) | (uint64_t)(aflags & 1) << 11;
}

static bool flags_differ(struct emu_cpu *cpu)
{
	uint64_t x = arith(cpu->aflags) ^ arith(cpu->jit.lock->after.aflags);

	return x && x & ~undefined_flags(cpu);
}

/* Neither the x87 pointers, which may be lost, nor MXCSR_MASK. */
static int first_xsave(struct emu_cpu *cpu)
{
	for (unsigned int n = 0; n < XSAVE_COMPARED; n++)
		if (cpu->fpu.xsave[n] != cpu->jit.lock->after.xsave[n] &&
		    (n < 6 || (n >= 24 && n < 28) || n >= XA_ST))
			return n;
	return -1;
}

struct difference {
	char what[64];
	int reg; /* general register, or -1 */
	uint64_t translated, interpreted;
};

static bool memory_differs(const struct jit_lock *l, struct difference *d)
{
	for (unsigned int n = 0; n < l->n_pages; n++)
		for (unsigned int k = 0; k < EMU_PAGE / 8; k++) {
			const struct page *p = &l->pages[n];

			if (p->host[k] == p->after[k])
				continue;
			snprintf(d->what, sizeof(d->what),
				 "memory at physical %#" PRIx64,
				 p->phys + 8 * k);
			d->translated = p->after[k];
			d->interpreted = p->host[k];
			return true;
		}
	return false;
}

static bool set(struct difference *d, const char *what, uint64_t translated,
		uint64_t interpreted)
{
	snprintf(d->what, sizeof(d->what), "%s", what);
	d->translated = translated;
	d->interpreted = interpreted;
	return true;
}

static bool segment_differs(const struct x86_segment *a,
			    const struct x86_segment *b)
{
	return a->base != b->base || a->limit != b->limit ||
	       a->selector != b->selector || a->attr != b->attr ||
	       a->unusable != b->unusable;
}

static bool system_differs(struct emu_cpu *cpu, struct difference *d)
{
	const struct saved *s = &cpu->jit.lock->after;

	if (s->rflags != cpu->rflags)
		return set(d, "rflags", s->rflags, cpu->rflags);
	if (s->cpl != cpu->cpl)
		return set(d, "cpl", s->cpl, cpu->cpl);
	if (s->tlb != cpu->tlb)
		return set(d, "view", s->tlb - cpu->tlbs, emu_view(cpu));
	if (s->kernel_gs_base != cpu->msr.kernel_gs_base)
		return set(d, "kernel_gs_base", s->kernel_gs_base,
			   cpu->msr.kernel_gs_base);
	for (unsigned int n = 0; n < X86_SEGS; n++)
		if (segment_differs(&s->seg[n], &cpu->seg[n]))
			return set(d, "segment", n, cpu->seg[n].selector);
	return false;
}

static bool differs(struct emu_cpu *cpu, struct difference *d)
{
	const struct jit_lock *l = cpu->jit.lock;
	const struct saved *s = &l->after;
	int n;

	d->reg = -1;
	if (s->rip != cpu->rip)
		return set(d, "rip", s->rip, cpu->rip);
	for (n = 0; n < 16; n++)
		if (s->gpr[n] != cpu->gpr[n]) {
			d->reg = n;
			return set(d, "", s->gpr[n], cpu->gpr[n]);
		}
	if (flags_differ(cpu))
		return set(d, "flags", arith(s->aflags), arith(cpu->aflags));
	if (system_differs(cpu, d))
		return true;
	n = first_xsave(cpu);
	if (n >= 0) {
		set(d, "", s->xsave[n], cpu->fpu.xsave[n]);
		snprintf(d->what, sizeof(d->what), "byte %d of the XSAVE area",
			 n);
		return true;
	}
	return memory_differs(l, d);
}

/* ---- telling ---- */

static bool writes(const ZydisDecodedInstruction *z,
		   const ZydisDecodedOperand *op, ZydisRegister reg)
{
	for (unsigned int k = 0; k < z->operand_count; k++)
		if (op[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    op[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(
			    ZYDIS_MACHINE_MODE_LONG_64, op[k].reg.value) == reg)
			return true;
	return false;
}

/* The last one that writes the register; for others, the last one. */
static unsigned int culprit(struct emu_cpu *cpu, const struct difference *d)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	unsigned int n = cpu->jit.lock->done;

	if (d->reg >= 0)
		for (; n > 0; n--)
			if (decode_at(cpu, n - 1, &z, op) &&
			    writes(&z, op, ZYDIS_REGISTER_RAX + d->reg))
				return n - 1;
	n = cpu->jit.lock->done;
	return n ? n - 1 : 0;
}

static void tell(struct emu_cpu *cpu, struct difference *d)
{
	const struct jit_lock *l = cpu->jit.lock;
	unsigned int n = culprit(cpu, d);

	if (d->reg >= 0)
		snprintf(d->what, sizeof(d->what), "%s",
			 ZydisRegisterGetString(ZYDIS_REGISTER_RAX + d->reg));
	fprintf(stderr,
		"lockstep: %s differs: translated %#" PRIx64
		", interpreted %#" PRIx64 "\nblock %#" PRIx64
		", %u of %u instructions run, instruction %u at %#" PRIx64
		"\nregisters before:",
		d->what, d->translated, d->interpreted, l->before.rip, l->done,
		l->block->n, n, l->before.rip + l->block->insn[n].guest);
	for (unsigned int k = 0; k < 16; k++)
		fprintf(stderr, " %s=%#" PRIx64,
			ZydisRegisterGetString(ZYDIS_REGISTER_RAX + k),
			l->before.gpr[k]);
	fprintf(stderr, " flags=%#" PRIx64 "\n", arith(l->before.aflags));
	jit_dump_block(stderr, jit_of(cpu), l->block, l->before.rip,
		       guest_code(cpu, l->block));
}

static bool compare(struct emu_cpu *cpu, const void *code,
		    struct difference *d)
{
	struct jit_lock *l = cpu->jit.lock;

	l->n_pages = 0;
	drop_write_tags(cpu);
	l->copying = true;
	run_translated(cpu, code);
	put_back(cpu, l);
	if (run_interpreted(cpu)) {
		l->copying = false;
		return !differs(cpu, d);
	}
	l->copying = false;
	d->reg = -1;
	set(d, "exception", 0, cpu->exc_vector);
	return false;
}

bool jit_lockstep(struct emu_cpu *cpu, const void *code)
{
	struct jit_lock *l = cpu->jit.lock;
	bool vec = cpu->jit.vec_loaded;
	struct difference d;

	l->block = jit_block_of_code(jit_of(cpu), code);
	save(cpu, &l->before);
	for (unsigned int n = 0; !compare(cpu, code, &d); n++) {
		if (n + 1 == TRIES) {
			tell(cpu, &d);
			cpu->result = RUN_FAILED;
			cpu->stop = true;
			errno = EILSEQ;
			return true;
		}
		put_back(cpu, l);
		cpu->jit.vec_loaded = vec;
	}
	if (l->stop != JIT_RAN_OUT && !l->kicked)
		step(cpu, &l->block->insn[l->stop]);
	return true;
}
