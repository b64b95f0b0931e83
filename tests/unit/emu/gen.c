/*
 * tests/unit/emu/gen.c -- random cases.
 *
 * Bytes are drawn with the shape of an instruction (prefixes, map, opcode,
 * ModRM, ...) and kept when the decoder accepts them and the instruction may
 * run in a user process: nothing that enters the kernel, changes segments, or
 * differs from run to run.  Mnemonics that came up often are thrown away more
 * often.  Then registers, displacements and memory are changed so that
 * operands lie in the case's window, branches lead into its code page, and
 * divisions have a quotient, mostly.
 */
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "base/util.h"
#include "tests/unit/emu/case.h"

struct gen {
	uint64_t rng;
	enum gen_scope scope;
	bool mode32;
	bool sequence; /* of instructions: what one leaves, others use */
	ZydisDecoder decoder;
	uint32_t count[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	uint32_t total, distinct;
};

/* The instruction at hand. */
struct draft {
	struct gen *g;
	struct test_case *c;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t *code;
	uint64_t rip;
};

static uint64_t rnd(struct gen *g)
{
	return rng_next(&g->rng);
}

static unsigned int below(struct gen *g, unsigned int n)
{
	return (rnd(g) >> 32) % n;
}

static bool chance(struct gen *g, unsigned int one_in)
{
	return below(g, one_in) == 0;
}

struct gen *gen_create(uint64_t seed, enum gen_scope scope, bool mode32)
{
	struct gen *g = xcalloc(1, sizeof(*g));

	g->rng = (seed + 1) * 0x9e3779b97f4a7c15ull;
	g->scope = scope;
	g->mode32 = mode32;
	case_decoder(mode32, &g->decoder);
	return g;
}

void gen_destroy(struct gen *g)
{
	free(g);
}

void gen_report(const struct gen *g, FILE *f)
{
	fprintf(f, "%u instructions of %u mnemonics\n", g->total, g->distinct);
}

/* Values of registers. */

static uint64_t gpr_value(struct gen *g)
{
	static const uint64_t edges[] = {
		0, 1, ~0ull, 0x80, 0x7f, 0xff, 0x8000, 0x7fff, 0x80000000,
		0x7fffffff, 0xffffffff, 1ull << 63, ~0ull >> 1, 0x100000000,
	};

	switch (below(g, 4)) {
	case 0:
		return edges[below(g, ARRAY_SIZE(edges))];
	case 1:
		return rnd(g) >> below(g, 64);
	default:
		return rnd(g);
	}
}

static uint32_t float_value(struct gen *g)
{
	static const uint32_t edges[] = {
		0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
		0x7fc00000, 0x7f800001, 0xffc00001, 1, 0x007fffff, 0x00800000,
		0x7f7fffff, 0x4f000000, 0xcf000000, 0x5f000000, 0x40490fdb,
	};

	return chance(g, 2) ? edges[below(g, ARRAY_SIZE(edges))] : rnd(g);
}

static uint64_t double_value(struct gen *g)
{
	static const uint64_t edges[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0x7ff0000000000000,
		0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 1,
		0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
		0x41e0000000000000, 0x43e0000000000000, 0xc3e0000000000000,
		0x36a0000000000000, 0x47efffffe0000000, 0x4330000000000001,
	};

	return chance(g, 2) ? edges[below(g, ARRAY_SIZE(edges))] : rnd(g);
}

static void vector_value(struct gen *g, uint8_t *p)
{
	uint64_t v[2];

	for (int i = 0; i < 2; i++)
		switch (below(g, 4)) {
		case 0:
			v[i] = (uint64_t)float_value(g) << 32 | float_value(g);
			break;
		case 1:
			v[i] = double_value(g);
			break;
		case 2:
			v[i] = gpr_value(g);
			break;
		default:
			v[i] = rnd(g);
			break;
		}
	memcpy(p, v, 16);
}

static void st_value(struct gen *g, uint8_t *p)
{
	static const uint16_t exponents[] = {
		0, 0x7fff, 0x3fff, 0x4000, 0xbfff, 0x8000, 0xffff, 1, 0x7ffe,
		0x401e, 0x403e, 0x3ffe, 0x3fbf,
	};
	uint64_t m = rnd(g) | 1ull << 63;
	uint16_t e = chance(g, 2) ? exponents[below(g, ARRAY_SIZE(exponents))] :
				    0x3fff - 32 + below(g, 64);

	if (chance(g, 4))
		m = 1ull << 63;
	else if (chance(g, 8))
		m = gpr_value(g);
	if (chance(g, 8))
		e = rnd(g);
	memcpy(p, &m, 8);
	memcpy(p + 8, &e, 2);
}

/* As the host would hold it: reserved bits, the summary bit of FSW. */
static void normalize(uint8_t *x)
{
	static const uint32_t mxcsr = 0x1f80;
	_Alignas(16) uint8_t f[512];

	memset(f, 0, sizeof(f));
	memcpy(f, x, 160);
	memcpy(f + 24, &mxcsr, 4);
	__asm__ volatile("fxrstor64 %0\n\tfxsave64 %0\n\tfninit\n\tldmxcsr %1"
			 : "+m"(f)
			 : "m"(mxcsr)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15");
	memcpy(x, f, 24);
	memcpy(x + 32, f + 32, 128);
}

/* SDM vol. 1: what MXCSR has on this host; AMD's have MM (bit 17). */
static uint32_t mxcsr_mask(void)
{
	_Alignas(16) uint8_t f[512] = { 0 };
	uint32_t mask;

	__asm__ volatile("fxsave %0" : "+m"(f));
	memcpy(&mask, f + 28, 4);
	return mask;
}

static void fpu_value(struct gen *g, uint8_t *x)
{
	uint32_t mxcsr = 0x1f80, mask = mxcsr_mask();
	uint64_t pointers[2] = { rnd(g) >> 17, rnd(g) >> 17 };
	uint16_t fcw = 0x37f, fsw = rnd(g) & 0x7f00, fop = rnd(g) & 0x7ff;

	memset(x, 0, CASE_XSAVE);
	if (chance(g, 3))
		mxcsr = rnd(g) & 0xffc0;
	if (chance(g, 2))
		mxcsr |= 0x1f80;
	if (chance(g, 4))
		mxcsr |= BIT(17) & mask;
	mxcsr |= rnd(g) & 0x3f & ~(~(mxcsr >> 7) & 0x3f);
	if (chance(g, 3))
		fcw = (rnd(g) & 0xf00) | 0x7f;
	if (chance(g, 8))
		fcw &= 0xffc0 | rnd(g);
	if (chance(g, 4))
		fsw |= rnd(g) & 0x7f;
	memcpy(x, &fcw, 2);
	memcpy(x + 2, &fsw, 2);
	x[4] = chance(g, 2) ? 0xff : rnd(g);
	memcpy(x + 6, &fop, 2);
	memcpy(x + 8, pointers, 16);
	memcpy(x + 24, &mxcsr, 4);
	memcpy(x + 28, &mask, 4);
	for (int i = 0; i < 8; i++)
		st_value(g, x + 32 + 16 * i);
	normalize(x);
	for (int i = 0; i < 16; i++) {
		vector_value(g, x + 160 + 16 * i);
		vector_value(g, x + 576 + 16 * i);
	}
}

/* Components in their initial configuration. */
static void fpu_init_some(struct gen *g, uint8_t *x)
{
	if (chance(g, 2)) {
		memset(x, 0, 24);
		memset(x + 32, 0, 128);
		x[0] = 0x7f;
		x[1] = 3;
	}
	if (chance(g, 2))
		memset(x + 160, 0, 256);
	if (chance(g, 2))
		memset(x + 576, 0, CASE_XSAVE - 576);
}

/* Choosing an instruction. */

static unsigned int draw_legacy(struct gen *g, uint8_t *p)
{
	static const uint8_t segs[] = { 0x65, 0x2e, 0x36, 0x3e };
	unsigned int n = 0;

	if (chance(g, 24))
		p[n++] = 0x67;
	if (chance(g, 16))
		p[n++] = segs[below(g, ARRAY_SIZE(segs))];
	if (chance(g, 16))
		p[n++] = 0xf0;
	if (chance(g, 4))
		p[n++] = 0x66;
	if (chance(g, 4))
		p[n++] = 0xf2 | below(g, 2);
	if (chance(g, 2))
		p[n++] = 0x40 | below(g, 16);
	switch (below(g, 8)) {
	case 0:
		p[n++] = 0x0f;
		p[n++] = 0x38;
		break;
	case 1:
		p[n++] = 0x0f;
		p[n++] = 0x3a;
		break;
	case 2:
	case 3:
	case 4:
		p[n++] = 0x0f;
		break;
	default:
		break;
	}
	return n;
}

static unsigned int draw_vex(struct gen *g, uint8_t *p)
{
	unsigned int n = 0;

	if (chance(g, 16))
		p[n++] = chance(g, 2) ? 0x67 : 0x65;
	if (chance(g, 3)) {
		p[n++] = 0xc5;
		p[n++] = rnd(g);
		return n;
	}
	p[n++] = 0xc4;
	p[n++] = (rnd(g) & 0xe0) | (1 + below(g, 3));
	p[n++] = rnd(g);
	return n;
}

static void draw(struct gen *g, uint8_t p[ZYDIS_MAX_INSTRUCTION_LENGTH])
{
	bool vex = below(g, 5) < (g->scope == GEN_VECTOR ? 3 : 2);
	unsigned int n = vex ? draw_vex(g, p) : draw_legacy(g, p);

	if (!vex && g->scope == GEN_VECTOR && n < 2 && chance(g, 2))
		p[n++] = 0xd8 | below(g, 8);
	while (n < ZYDIS_MAX_INSTRUCTION_LENGTH)
		p[n++] = rnd(g);
}

static bool is_vector(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.isa_ext) {
	case ZYDIS_ISA_EXT_X87:
	case ZYDIS_ISA_EXT_MMX:
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
	case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSSE3:
	case ZYDIS_ISA_EXT_SSE4:
	case ZYDIS_ISA_EXT_SSE4A:
	case ZYDIS_ISA_EXT_AES:
	case ZYDIS_ISA_EXT_PCLMULQDQ:
	case ZYDIS_ISA_EXT_SHA:
	case ZYDIS_ISA_EXT_AVX:
	case ZYDIS_ISA_EXT_AVX2:
	case ZYDIS_ISA_EXT_AVX2GATHER:
	case ZYDIS_ISA_EXT_AVXAES:
	case ZYDIS_ISA_EXT_FMA:
	case ZYDIS_ISA_EXT_F16C:
	case ZYDIS_ISA_EXT_VAES:
	case ZYDIS_ISA_EXT_VPCLMULQDQ:
	case ZYDIS_ISA_EXT_GFNI:
	case ZYDIS_ISA_EXT_XSAVE:
	case ZYDIS_ISA_EXT_XSAVEC:
	case ZYDIS_ISA_EXT_XSAVEOPT:
	case ZYDIS_ISA_EXT_XSAVES:
		return true;
	default:
		return insn->mnemonic == ZYDIS_MNEMONIC_FXSAVE ||
		       insn->mnemonic == ZYDIS_MNEMONIC_FXRSTOR ||
		       insn->mnemonic == ZYDIS_MNEMONIC_FXSAVE64 ||
		       insn->mnemonic == ZYDIS_MNEMONIC_FXRSTOR64;
	}
}

static bool has_repeat(const ZydisDecodedInstruction *insn)
{
	for (unsigned int i = 0; i < insn->raw.prefix_count; i++)
		if ((insn->raw.prefixes[i].value & 0xfe) == 0xf2)
			return true;
	return false;
}

/* What a user process cannot run, or not twice with the same result. */
static bool denied(const ZydisDecodedInstruction *insn)
{
	if (insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return true;
	/* AMD's processors cut the target to 16 bits, Intel's do not. */
	if (insn->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE &&
	    insn->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE &&
	    !(insn->attributes & ZYDIS_ATTRIB_HAS_REX && insn->raw.rex.W))
		return true;
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SEGOP:
	case ZYDIS_CATEGORY_VTX:
	case ZYDIS_CATEGORY_SGX:
	case ZYDIS_CATEGORY_CET:
	case ZYDIS_CATEGORY_MPX:
	case ZYDIS_CATEGORY_UINTR:
	case ZYDIS_CATEGORY_WAITPKG:
	case ZYDIS_CATEGORY_PADLOCK:
	case ZYDIS_CATEGORY_RDRAND:
	case ZYDIS_CATEGORY_RDSEED:
	case ZYDIS_CATEGORY_RDPID:
	case ZYDIS_CATEGORY_RDPRU:
	case ZYDIS_CATEGORY_RDWRFSGS:
	case ZYDIS_CATEGORY_PT:
	case ZYDIS_CATEGORY_HRESET:
	case ZYDIS_CATEGORY_PKU:
	case ZYDIS_CATEGORY_SMAP:
		return true;
	default:
		break;
	}
	switch (insn->mnemonic) {
	/* With F2 or F3, AMD's processors take one for the other. */
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
		return has_repeat(insn);
	/* F3 REX.B 90 exchanges there. */
	case ZYDIS_MNEMONIC_PAUSE:
		return insn->attributes & ZYDIS_ATTRIB_HAS_REX &&
		       insn->raw.rex.B;
	/* PREFETCH of a register is #UD there. */
	case ZYDIS_MNEMONIC_NOP:
		return insn->opcode == 0x0d && insn->raw.modrm.mod == 3;
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_RDPMC:
	case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_XSETBV:
	case ZYDIS_MNEMONIC_XBEGIN:
	case ZYDIS_MNEMONIC_XEND:
	case ZYDIS_MNEMONIC_XABORT:
	case ZYDIS_MNEMONIC_XTEST:
	case ZYDIS_MNEMONIC_MONITOR:
	case ZYDIS_MNEMONIC_MWAIT:
	case ZYDIS_MNEMONIC_MONITORX:
	case ZYDIS_MNEMONIC_MWAITX:
	case ZYDIS_MNEMONIC_LAR:
	case ZYDIS_MNEMONIC_LSL:
	case ZYDIS_MNEMONIC_VERR:
	case ZYDIS_MNEMONIC_VERW:
	case ZYDIS_MNEMONIC_SGDT:
	case ZYDIS_MNEMONIC_SIDT:
	case ZYDIS_MNEMONIC_SLDT:
	case ZYDIS_MNEMONIC_SMSW:
	case ZYDIS_MNEMONIC_STR:
	case ZYDIS_MNEMONIC_MCOMMIT:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		return true;
	default:
		return false;
	}
}

static bool reaches_out(const struct draft *d)
{
	for (int i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &d->op[i];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (o->mem.segment == ZYDIS_REGISTER_FS ||
		     (o->mem.segment == ZYDIS_REGISTER_GS && d->g->mode32)))
			return true;
		/* Without a base the addresses would be the kernel's. */
		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    o->mem.type == ZYDIS_MEMOP_TYPE_VSIB &&
		    o->mem.base == ZYDIS_REGISTER_NONE)
			return true;
		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(o->reg.value) ==
			    ZYDIS_REGCLASS_SEGMENT &&
		    o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			return true;
	}
	return false;
}

/* Keeps the mnemonics' numbers alike. */
static bool too_common(struct gen *g, ZydisMnemonic m)
{
	uint32_t average = g->distinct ? g->total / g->distinct : 0;

	if (g->count[m] > average + 1 && below(g, 8) != 0)
		return true;
	if (g->count[m]++ == 0)
		g->distinct++;
	g->total++;
	return false;
}

/*
 * Needs the registers or the memory that the generator chose, or does what
 * differs in a way that the comparison expects (selectors of the last x87
 * instruction, masked stores that fault, which components are in use).
 */
static bool needs_care(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
	case ZYDIS_MNEMONIC_MASKMOVQ:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVE64:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XSAVEOPT64:
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEC64:
		return true;
	default:
		break;
	}
	return insn->mnemonic == ZYDIS_MNEMONIC_POPF ||
	       insn->mnemonic == ZYDIS_MNEMONIC_POPFD ||
	       insn->mnemonic == ZYDIS_MNEMONIC_POPFQ ||
	       insn->meta.category == ZYDIS_CATEGORY_STRINGOP ||
	       (insn->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE &&
		!insn->raw.imm[0].is_relative);
}

static bool accept(struct draft *d, const uint8_t *p)
{
	struct gen *g = d->g;

	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&g->decoder, p,
					       ZYDIS_MAX_INSTRUCTION_LENGTH,
					       &d->insn, d->op)))
		return false;
	case_fix_operands(&d->insn, d->op);
	if (denied(&d->insn) || reaches_out(d))
		return false;
	if (g->sequence && needs_care(&d->insn))
		return false;
	if (g->scope != GEN_ALL &&
	    is_vector(&d->insn) != (g->scope == GEN_VECTOR))
		return false;
	return !too_common(g, d->insn.mnemonic);
}

/* Making it meaningful. */

static void patch(struct test_case *c, uint64_t addr, const void *bytes,
		  unsigned int len)
{
	struct case_patch *p = &c->patch[c->n_patches];

	if (c->n_patches == CASE_PATCHES || addr < CASE_DATA ||
	    addr + 16 > CASE_DATA + CASE_DATA_SIZE)
		return;
	p->offset = addr - CASE_DATA;
	p->len = len;
	memcpy(p->bytes, bytes, len);
	c->n_patches++;
}

static uint64_t pick_target(struct gen *g, unsigned int size)
{
	switch (below(g, 32)) {
	case 0: /* the last bytes of the window, or beyond */
		return CASE_RO + CASE_RO_SIZE - below(g, 2 * size + 1);
	case 1:
		return CASE_RO + below(g, CASE_RO_SIZE);
	case 2:
		return CASE_DATA - below(g, size + 1);
	case 3: /* from one page to the next */
		return CASE_DATA + 4096 - below(g, size + 1);
	case 4:
	case 5:
	case 6:
		return CASE_DATA + 1024 + below(g, 4096);
	default:
		return CASE_DATA + 1024 + 64 * below(g, 80);
	}
}

/* A place in the code page, outside the code, in reach of 8 bits. */
static uint64_t code_target(struct draft *d, bool near)
{
	if (near || chance(d->g, 2))
		return d->rip + d->insn.length + 70 + below(d->g, 50);
	return CASE_CODE + 64 + below(d->g, 1024);
}

static uint64_t *gpr_of(struct draft *d, ZydisRegister r)
{
	return &d->c->cpu.gpr[ZydisRegisterGetId(r)];
}

static uint64_t gpr_read(struct draft *d, ZydisRegister r)
{
	uint64_t v = *gpr_of(d, r);

	switch (ZydisRegisterGetClass(r)) {
	case ZYDIS_REGCLASS_GPR8:
		return (uint8_t)v;
	case ZYDIS_REGCLASS_GPR32:
		return (uint32_t)v;
	default:
		return v;
	}
}

static void set_disp(struct draft *d, int64_t value)
{
	memcpy(d->code + d->insn.raw.disp.offset, &value,
	       d->insn.raw.disp.size / 8);
}

/* Registers of a VSIB operand: small indices. */
static void place_vsib(struct draft *d, const ZydisDecodedOperandMem *m)
{
	uint8_t *x = d->c->cpu.xsave;
	unsigned int n = ZydisRegisterGetId(m->index);

	for (int i = 0; i < 8; i++) {
		int32_t v = (int)below(d->g, 400) - 200;
		unsigned int at = i < 4 ? 160 + 16 * n + 4 * i :
					  576 + 16 * n + 4 * (i - 4);

		if (d->insn.opcode & 1 && i & 1)
			v = 0; /* upper half of a 64-bit index */
		memcpy(x + at, &v, 4);
	}
	if (m->base != ZYDIS_REGISTER_NONE)
		*gpr_of(d, m->base) = CASE_DATA + 4096 - m->disp.value;
}

static void place(struct draft *d, const ZydisDecodedOperandMem *m,
		  uint64_t ea)
{
	int64_t disp = m->disp.has_displacement ? m->disp.value : 0;

	if (m->segment == ZYDIS_REGISTER_GS)
		ea -= d->c->cpu.gs_base;
	if (m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP)
		set_disp(d, ea - (d->rip + d->insn.length));
	else if (m->base == ZYDIS_REGISTER_NONE &&
		 m->index == ZYDIS_REGISTER_NONE)
		set_disp(d, ea);
	else if (m->base == ZYDIS_REGISTER_NONE)
		*gpr_of(d, m->index) = (ea - disp) / m->scale;
	else if (m->index == ZYDIS_REGISTER_NONE)
		*gpr_of(d, m->base) = ea - disp;
	else if (m->index == m->base)
		*gpr_of(d, m->base) = (ea - disp) / (m->scale + 1);
	else
		*gpr_of(d, m->base) =
			ea - disp - gpr_read(d, m->index) * m->scale;
}

/* POPF must find what is put there: not NT, TF or AC. */
static bool is_popf(const struct draft *d)
{
	return d->insn.mnemonic == ZYDIS_MNEMONIC_POPF ||
	       d->insn.mnemonic == ZYDIS_MNEMONIC_POPFD ||
	       d->insn.mnemonic == ZYDIS_MNEMONIC_POPFQ;
}

static unsigned int needed_alignment(const ZydisDecodedOperand *o)
{
	return o->size >= 4096 ? 64 : 1;
}

/* Contents that make an instruction do something. */
static void fill_operand(struct draft *d, const ZydisDecodedOperand *o,
			 uint64_t ea)
{
	struct gen *g = d->g;
	uint64_t header[2] = { below(g, 8), 0 }, zero[2] = { 0, 0 };
	uint64_t v = code_target(d, false), *gpr = d->c->cpu.gpr;
	uint32_t mxcsr = chance(g, 8) ? rnd(g) :
					 rnd(g) & mxcsr_mask();

	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_CALL:
		patch(d->c, ea, &v, 8);
		break;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
	case ZYDIS_MNEMONIC_POPFQ:
		v = (rnd(g) & 0xcd5) | 2;
		patch(d->c, ea, &v, 8);
		break;
	case ZYDIS_MNEMONIC_CMPXCHG:
		if (chance(g, 2))
			patch(d->c, ea, &gpr[0], 8);
		break;
	case ZYDIS_MNEMONIC_CMPXCHG8B:
		v = gpr[2] << 32 | (uint32_t)gpr[0];
		if (chance(g, 2))
			patch(d->c, ea, &v, 8);
		break;
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		if (chance(g, 2)) {
			patch(d->c, ea, &gpr[0], 8);
			patch(d->c, ea + 8, &gpr[2], 8);
		}
		break;
	case ZYDIS_MNEMONIC_LDMXCSR:
	case ZYDIS_MNEMONIC_VLDMXCSR:
		patch(d->c, ea, &mxcsr, 4);
		break;
	case ZYDIS_MNEMONIC_XRSTOR:
	case ZYDIS_MNEMONIC_XRSTOR64:
		if (chance(g, 2))
			header[1] = 1ull << 63 | below(g, 8) | header[0];
		if (chance(g, 8))
			header[below(g, 2)] ^= 1ull << below(g, 64);
		patch(d->c, ea + 512, header, 16);
		for (int i = 1; i < 4; i++)
			patch(d->c, ea + 512 + 16 * i, zero, 16);
		patch(d->c, ea + 24, &mxcsr, 4);
		break;
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
		patch(d->c, ea + 24, &mxcsr, 4);
		break;
	default:
		break;
	}
}

static void place_operand(struct draft *d, const ZydisDecodedOperand *o)
{
	uint64_t ea;

	if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return;
	if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
		place_vsib(d, &o->mem);
		return;
	}
	ea = pick_target(d->g, MIN(o->size / 8, 64));
	ea = ALIGN_DOWN(ea, needed_alignment(o));
	if (is_popf(d))
		ea = CASE_DATA + 1024 + below(d->g, 4096);
	place(d, &o->mem, ea);
	fill_operand(d, o, ea);
}

static void place_branch(struct draft *d)
{
	for (int i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &d->op[i];
		unsigned int size = d->insn.raw.imm[0].size / 8;
		int64_t rel;

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && i == 0 &&
		    o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			*gpr_of(d, o->reg.value) = code_target(d, false);
		if (o->type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
		    !o->imm.is_relative)
			continue;
		rel = code_target(d, size == 1) - d->rip - d->insn.length;
		memcpy(d->code + d->insn.raw.imm[0].offset, &rel, size);
	}
}

static void set_registers(struct draft *d)
{
	uint64_t *gpr = d->c->cpu.gpr;
	struct gen *g = d->g;

	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		if (d->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
			*gpr_of(d, d->op[1].reg.value) =
				(int)below(g, 4096) - 2048;
		break;
	case ZYDIS_MNEMONIC_DIV:
	case ZYDIS_MNEMONIC_IDIV:
		if (!chance(g, 4)) {
			gpr[2] = chance(g, 2) ? 0 : rnd(g) >> below(g, 64);
			gpr[0] >>= below(g, 32);
		}
		break;
	case ZYDIS_MNEMONIC_ENTER:
		gpr[5] = CASE_DATA + 4096;
		break;
	case ZYDIS_MNEMONIC_CLZERO:
		gpr[0] = pick_target(g, 64);
		break;
	default:
		break;
	}
	if (d->insn.meta.category == ZYDIS_CATEGORY_STRINGOP)
		gpr[1] = below(g, 24);
}

static void adjust(struct draft *d)
{
	set_registers(d);
	if (d->insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
		place_branch(d);
	for (int i = d->insn.operand_count - 1; i >= 0; i--)
		place_operand(d, &d->op[i]);
}

static void add_insn(struct gen *g, struct test_case *c)
{
	uint8_t p[ZYDIS_MAX_INSTRUCTION_LENGTH];
	struct draft d = {
		.g = g,
		.c = c,
		.code = c->code + c->code_len,
		.rip = CASE_START + c->code_len,
	};

	do
		draw(g, p);
	while (!accept(&d, p));
	memcpy(d.code, p, d.insn.length);
	adjust(&d);
	c->code_len += d.insn.length;
	snprintf(c->name, sizeof(c->name), "%s",
		 ZydisMnemonicGetString(d.insn.mnemonic));
}

void gen_case(struct gen *g, unsigned int n_insns, struct test_case *c)
{
	static const uint64_t status = 0x8d5, df = 0x400;

	memset(c, 0, sizeof(*c));
	g->sequence = n_insns > 1;
	c->mode32 = g->mode32;
	c->fill = rnd(g);
	for (int i = 0; i < 16; i++)
		c->cpu.gpr[i] = gpr_value(g);
	c->cpu.rip = CASE_START;
	c->cpu.rflags = 0x202 | (rnd(g) & status);
	if (chance(g, 8))
		c->cpu.rflags |= df;
	c->cpu.gs_base = CASE_DATA + below(g, 4096);
	fpu_value(g, c->cpu.xsave);
	if (chance(g, 8))
		fpu_init_some(g, c->cpu.xsave);
	for (unsigned int i = 0; i < n_insns && c->code_len < 48; i++)
		add_insn(g, c);
	for (int i = 0; g->mode32 && i < 16; i++)
		c->cpu.gpr[i] = (uint32_t)c->cpu.gpr[i];
}
