/*
 * drivers/emu/jit_run.c -- entering translated code, and what it calls.
 *
 * Each of the jit_call_*() functions finds the guest's registers in struct
 * emu_cpu and answers where to go on, or NULL to return to the run loop.
 * They may also raise exceptions, which leaves translated code by longjmp().
 */
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/emu/alu.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/vec_int.h"

static __thread struct emu_cpu *attached;

/* #syscalls:vmm arch_prctl gettid */
void jit_attach(struct emu_cpu *cpu)
{
	cpu->jit.inside = false;
	if (attached == cpu && !cpu->test) /* a test may change GS */
		return;
	attached = cpu;
	cpu->jit.tid = syscall(SYS_gettid);
	syscall(SYS_arch_prctl, ARCH_SET_GS, cpu->tlbs);
	jit_signal_attach(cpu);
}

void jit_escaped(struct emu_cpu *cpu)
{
	cpu->jit.vec_loaded = false; /* the way out has saved them */
	cpu->jit.want_x87 = false;
	atomic_store(&cpu->jit.inside, false);
}

/* The linear address of a host address that some TLB entry leads to. */
static uint64_t guest_data(struct emu_cpu *cpu, uint64_t host)
{
	for (unsigned int n = 0; n < emu_tlb_n_used(cpu); n++) {
		const struct emu_tlb *e = emu_tlb_used(cpu, n);

		if (tlb_valid(e->rtag) &&
		    ((host - e->addend) & EMU_PAGE_MASK) == e->rtag)
			return host - e->addend;
	}
	for (unsigned int n = 0; n < cpu->vm->n_slots; n++)
		if (host - (uintptr_t)cpu->vm->slots[n].host <
		    cpu->vm->slots[n].size)
			return 0;
	return host;
}

/* The guest's place and opcode of what the host has noted in its FXSAVE. */
static void guest_pointers(struct emu_cpu *cpu, uint8_t *image)
{
	struct x87_pointers p;
	const struct jit_block *b;
	const struct jit_insn *i;

	vec_get_pointers(image, &p);
	p.fdp = guest_data(cpu, p.fdp);
	b = jit_block_of_code(jit_of(cpu), (void *)p.fip);
	if (b) { /* otherwise it was loaded by FXRSTOR */
		i = &b->insn[jit_insn_at(b, (void *)p.fip)];
		p.fip = b->rip + i->guest;
		if (i->insn.fn == op_vec)
			p.fop = i->insn.vec->op.fop;
		if (i->insn.ea_slow & (EA_SEGBASE | EA_LEGACY))
			p.fdp -= cpu->seg[i->insn.seg].base;
	}
	vec_put_pointers(image, &p);
}

/*
 * The host's x87 registers become the guest's again; its addresses of the
 * last instruction and operand are translated back, or lost.
 */
void jit_sync_x87(struct emu_cpu *cpu)
{
	_Alignas(16) uint8_t image[512];

	__asm__ volatile("fxsave64 %0\n\tfninit" : "=m"(image));
	guest_pointers(cpu, image);
	memcpy(cpu->fpu.xsave, image, XA_MXCSR);
	memcpy(cpu->fpu.xsave + XA_ST, image + XA_ST, XA_XMM - XA_ST);
	cpu->jit.x87_loaded = false;
}

static uint64_t block_rip(const struct emu_cpu *cpu, const struct jit_block *b)
{
	return cpu->jit.page + (b->phys & ~EMU_PAGE_MASK);
}

static bool may_stay(struct emu_cpu *cpu)
{
	return !atomic_load_explicit(&cpu->pending, memory_order_relaxed);
}

/* Are blocks run one by one, for a test or for lockstep? */
static bool one_block(const struct emu_cpu *cpu)
{
	return (cpu->test && !cpu->test->links) ||
	       jit_lockstep_translating(cpu);
}

/* Into another block, which loads vector registers if it uses them. */
static const void *enter_block(struct emu_cpu *cpu, const struct jit_block *b)
{
	cpu->jit.page = cpu->rip - (b->phys & ~EMU_PAGE_MASK);
	cpu->jit.vec_loaded = false;
	cpu->jit.sp = 0;
	return b->code;
}

/* The jump table's code is for one state of the units. */
static void check_fpu(struct emu_cpu *cpu)
{
	uint8_t fpu = cpu->jit.key & JIT_KEY_FPU;

	if (likely(fpu == cpu->jit.fpu))
		return;
	cpu->jit.fpu = fpu;
	jit_forget_jumps(cpu, true);
}

/* Cold code, and an instruction that crosses pages, is interpreted here. */
static const void *go_to_rip(struct emu_cpu *cpu)
{
	struct jit_block *b;

	while (may_stay(cpu)) {
		if (one_block(cpu) && cpu->jit.inside)
			return NULL;
		if (unlikely(cpu->direct.want) && cpu->cpl == 3)
			return NULL;
		cpu->jit.key = jit_key(cpu);
		if (cpu->jit.key & JIT_KEY_OFF)
			return NULL;
		check_fpu(cpu);
		if (unlikely(cpu->jit.key & JIT_KEY_LEGACY))
			jit_legacy_enter(cpu);
		b = jit_known(cpu, cpu->rip);
		if (!b)
			b = jit_find(cpu, cpu->rip);
		if (b)
			return may_stay(cpu) ? enter_block(cpu, b) : NULL;
		if (cpu->test || jit_of(cpu)->full || !emu_run_block(cpu))
			return NULL;
	}
	return NULL;
}

/* At the beginning of an instruction of a block that goes on. */
static const void *resume(struct emu_cpu *cpu, const struct jit_block *b,
			  unsigned int n)
{
	const struct jit_insn *i = &b->insn[n];

	if (i->rdx != 0xff)
		cpu->jit.rdx = cpu->jit.slot[i->rdx];
	if (i->rcx != 0xff)
		cpu->jit.rcx = cpu->gpr[i->rcx];
	cpu->jit.sp = i->sp;
	cpu->rip = block_rip(cpu, b) + i->guest; /* if it is not entered */
	cpu->jit.want_x87 = b->x87 && !cpu->jit.x87_loaded;
	if (unlikely(cpu->jit.lock))
		jit_lockstep_stop(cpu, n, true); /* the same */
	return b->code + i->host;
}

/* Interprets instructions n to last. */
static const void *interpret(struct emu_cpu *cpu, const struct jit_block *b,
			     unsigned int n, unsigned int last)
{
	uint64_t start = block_rip(cpu, b), next;

	if (unlikely(cpu->jit.lock) && jit_lockstep_stop(cpu, n, false)) {
		cpu->rip = start + b->insn[n].guest;
		return NULL;
	}
	for (; n <= last; n++) {
		const struct emu_insn *i = &b->insn[n].insn;

		next = start + i->end;
		cpu->cur = i;
		cpu->block_end = i + 1;
		cpu->rip = next;
		i->fn(cpu, i);
		cpu->cur = NULL;
		if (cpu->rip != next)
			return go_to_rip(cpu);
		if (!may_stay(cpu))
			return NULL;
	}
	if (n == b->n || !jit_key_is(cpu, b->key))
		return go_to_rip(cpu);
	return resume(cpu, b, n);
}

/* Out of the code at this instruction: RSP, as the guest has it. */
static void find_sp(struct emu_cpu *cpu, const struct jit_insn *i)
{
	cpu->gpr[X86_RSP] += i->sp;
	if (i->sp && cpu->mode != MODE_64)
		cpu->gpr[X86_RSP] = (uint32_t)cpu->gpr[X86_RSP];
}

const void *jit_call_helper(struct emu_cpu *cpu, const struct jit_meta *m)
{
	cpu->jit.n_helper++;
	find_sp(cpu, &m->block->insn[m->n]);
	return interpret(cpu, m->block, m->n, m->n);
}

/* The offset in the segment. */
static uint64_t range_offset(struct emu_cpu *cpu, const struct jit_block *b,
			     const struct jit_mem *m)
{
	uint64_t a = (int64_t)m->disp;

	if (m->rip)
		a += block_rip(cpu, b);
	if (m->base >= 0)
		a += cpu->gpr[m->base];
	if (m->index >= 0)
		a += cpu->gpr[m->index] << m->scale;
	return m->addr16 ? (uint16_t)a : m->addr32 ? (uint32_t)a : a;
}

static uint64_t range_address(struct emu_cpu *cpu, const struct jit_mem *m,
			      uint64_t offset)
{
	uint64_t a = offset;

	if (m->seg != JIT_FLAT)
		a += cpu->seg[m->seg].base;
	return m->limited ? (uint32_t)a : a;
}

/* Would the check pass now? */
static bool check_passes(struct emu_cpu *cpu, const struct jit_mem *m,
			 uint64_t lin)
{
	uint64_t lo = lin + m->lo;
	const struct emu_tlb *e = emu_tlb_at(cpu, lo);

	return emu_tlb_hit(m->write ? e->wtag : e->rtag, lo, m->hi - m->lo);
}

/* Does the instruction raise something before it looks at its page? */
static bool comes_first(struct emu_cpu *cpu, const struct emu_insn *i,
			uint64_t lin)
{
	uint16_t fsw = 0;

	if (i->fn == op_cmpxchg16b)
		return lin & 15;
	if (i->fn != op_vec)
		return false;
	if (cpu->jit.x87_loaded)
		__asm__ volatile("fnstsw %0" : "=m"(fsw));
	return fsw & 0x80 ||
	       (i->vec->op.align && lin & (i->vec->op.align - 1));
}

/*
 * A range that several accesses share crosses a page so often that it costs
 * more than it saves: translate the block again without such ranges.
 */
static void note_crossing(struct emu_cpu *cpu, struct jit_block *b,
			  const struct jit_mem *m, uint64_t lin)
{
	uint64_t now = __builtin_ia32_rdtsc();

	if (!(((lin + m->lo) ^ (lin + m->hi - 1)) & EMU_PAGE_MASK))
		return;
	if (b->crossings++ == 0)
		b->crossed = now;
	if (b->crossings < JIT_CROSSINGS)
		return;
	b->crossings = 0;
	if (now - b->crossed < JIT_CROSSINGS * (uint64_t)JIT_CROSSING_PAYS)
		jit_translate_apart(cpu, b);
}

const void *jit_call_slow(struct emu_cpu *cpu, const struct jit_meta *meta)
{
	struct jit_block *b = meta->block;
	const struct jit_insn *i = &b->insn[meta->n];
	const struct jit_mem *m = &b->mems[meta->mem];
	uint64_t lin, offset;

	cpu->jit.n_slow++;
	find_sp(cpu, i);
	if (i->flags_inside == JF_AX)
		cpu->aflags = cpu->jit.rax;
	offset = range_offset(cpu, b, m);
	lin = range_address(cpu, m, offset);
	if (comes_first(cpu, &i->insn, lin) ||
	    !jit_legacy_passes(cpu, m, offset))
		return interpret(cpu, b, meta->n, i->until);
	if ((lin & ~EMU_PAGE_MASK) + m->size <= EMU_PAGE) {
		cpu->cur = &i->insn;
		cpu->rip = block_rip(cpu, b) + i->insn.end;
		emu_probe(cpu, emu_view(cpu), lin, m->size,
			  m->own_write ? ACCESS_WRITE : ACCESS_READ);
		cpu->cur = NULL;
		if (may_stay(cpu) && check_passes(cpu, m, lin))
			return resume(cpu, b, meta->n);
		note_crossing(cpu, b, m, lin);
	}
	return interpret(cpu, b, meta->n, i->until);
}

/* How many stale links use the jump table until one of them is renewed. */
enum { STALE_PASSED = 16 };

const void *jit_call_link(struct emu_cpu *cpu, const struct jit_meta *meta)
{
	struct jit_exit *x = &meta->block->exits[meta->n];
	struct jit_block *to;

	cpu->jit.n_link++;
	cpu->jit.stale = STALE_PASSED;
	if (unlikely(cpu->jit.lock))
		jit_lockstep_stop(cpu, JIT_RAN_OUT, false);
	cpu->rip = cpu->jit.page + x->target;
	if (cpu->mode != MODE_64)
		cpu->rip = x->ip16 ? (uint16_t)cpu->rip : (uint32_t)cpu->rip;
	if (!may_stay(cpu) || one_block(cpu))
		return NULL;
	if (cpu->mode == MODE_64) /* SYSCALL and STAC have changed it */
		cpu->jit.key = jit_key(cpu);
	if (cpu->jit.key & JIT_KEY_OFF)
		return NULL;
	to = jit_find(cpu, cpu->rip);
	if (!to)
		return go_to_rip(cpu);
	if (!may_stay(cpu))
		return NULL;
	jit_link(cpu, x, to);
	return enter_block(cpu, to);
}

const void *jit_call_lookup(struct emu_cpu *cpu)
{
	cpu->jit.n_lookup++;
	if (unlikely(cpu->jit.lock))
		jit_lockstep_stop(cpu, JIT_RAN_OUT, false);
	return go_to_rip(cpu);
}

static void flags_from(struct emu_cpu *cpu, unsigned int where)
{
	cpu->aflags = where == JF_AX ? (uint16_t)cpu->jit.rax :
				       cpu->jit.host_flags;
}

/*
 * A signal came: because the guest's instruction at fault_pc does on the host
 * what it should do in the guest, raise an exception (the interpreter will
 * find out), or as a kick at an instruction's boundary.
 */
void jit_call_fault(struct emu_cpu *cpu)
{
	bool kick = !cpu->jit.fault_pc;
	const uint8_t *pc =
		(void *)(kick ? cpu->jit.kick_pc : cpu->jit.fault_pc);
	struct jit_block *b = jit_block_of_code(jit_of(cpu), pc);
	const struct jit_insn *i;

	i = &b->insn[jit_insn_at(b, pc)];
	find_sp(cpu, i);
	flags_from(cpu, kick ? i->flags_entry : i->flags_body);
	cpu->rip = block_rip(cpu, b) + i->guest;
	if (kick) {
		cpu->jit.n_kick++;
		if (cpu->jit.lock)
			jit_lockstep_stop(cpu, i - b->insn, true);
		return;
	}
	cpu->jit.n_fault++;
	interpret(cpu, b, i - b->insn, i - b->insn);
}

void jit_enter(struct emu_cpu *cpu, const void *code)
{
	cpu->jit.vec_loaded = false;
	atomic_store(&cpu->jit.inside, true);
	if (may_stay(cpu))
		jit_of(cpu)->enter(code);
	atomic_store(&cpu->jit.inside, false);
	cpu->jit.vec_loaded = false;
	cpu->jit.want_x87 = false;
}

bool jit_run(struct emu_cpu *cpu)
{
	struct jit *j = jit_of(cpu);
	const void *code;

	if (unlikely(j->full))
		block_cache_flush(cpu);
	code = go_to_rip(cpu);
	if (!code)
		return false;
	if (unlikely(cpu->jit.lock))
		return jit_lockstep(cpu, code);
	jit_enter(cpu, code);
	return true;
}
