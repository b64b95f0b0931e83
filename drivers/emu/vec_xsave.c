/*
 * drivers/emu/vec_xsave.c -- instructions that move the vector state itself:
 * FXSAVE, FXRSTOR, the XSAVE family, LDMXCSR, STMXCSR, VZEROALL, VZEROUPPER.
 * SDM vol. 1, "Managing State Using the XSAVE Feature Set".
 *
 * Components are x87, SSE and AVX.  The guest's state is complete in its XSAVE
 * area, so whether a component is in its initial configuration (XINUSE) is
 * found by looking.  Supervisor components (IA32_XSS) do not exist.
 */
#include <string.h>

#include "base/util.h"
#include "drivers/emu/cpu.h"
#include "drivers/emu/vec_int.h"

enum kind {
	K_FXSAVE,
	K_FXRSTOR,
	K_XSAVE,
	K_XSAVEOPT,
	K_XSAVEC,
	K_XSAVES,
	K_XRSTOR,
	K_XRSTORS,
	K_LDMXCSR,
	K_STMXCSR,
	K_VZEROALL,
	K_VZEROUPPER,
	K_W = 64,      /* REX.W: pointers of 64 bits */
	K_MODE64 = 128, /* 16 registers */
};

enum { C_X87 = 1, C_SSE = 2, C_AVX = 4 };
#define XCOMP_COMPACT BIT64(63)

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static unsigned int vector_bytes(const struct vec_op *op)
{
	return op->kind & K_MODE64 ? 256 : 128;
}

/* Without REX.W the pointers are 32 bits and a selector, which this host
 * does not keep. */
static void narrow_pointers(const struct vec_op *op, uint8_t *x)
{
	if (op->kind & K_W)
		return;
	put32(x + XA_FIP + 4, 0);
	put32(x + XA_FDP + 4, 0);
}

static void init_x87(uint8_t *x)
{
	memset(x, 0, XA_MXCSR);
	memset(x + XA_ST, 0, XA_XMM - XA_ST);
	put32(x + XA_FCW, FCW_DEFAULT);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Components that are not in their initial configuration. */
static uint64_t in_use(const uint8_t *x)
{
	uint64_t bv = 0;

	if (get64(x) != FCW_DEFAULT || !all_zero(x + 8, XA_MXCSR - 8) ||
	    !all_zero(x + XA_ST, XA_XMM - XA_ST))
		bv |= C_X87;
	if (!all_zero(x + XA_XMM, XA_LEGACY_END - XA_XMM))
		bv |= C_SSE;
	if (!all_zero(x + XA_YMMH, XA_END - XA_YMMH))
		bv |= C_AVX;
	return bv;
}

/* Registers that the host would not hold as they were written: reserved bits
 * of FCW, the summary bit of FSW, padding.  It knows best. */
static void normalize_x87(uint8_t *x)
{
	static const uint32_t mxcsr = MXCSR_DEFAULT;
	_Alignas(16) uint8_t f[512];

	memcpy(f, x, XA_XMM);
	memset(f + XA_XMM, 0, sizeof(f) - XA_XMM);
	put32(f + XA_MXCSR, mxcsr);
	__asm__ volatile("fxrstor64 %0\n\tfxsave64 %0\n\tfninit\n\tldmxcsr %1"
			 : "+m"(f)
			 : "m"(mxcsr)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15");
	memcpy(x, f, XA_MXCSR);
	memcpy(x + XA_ST, f + XA_ST, XA_XMM - XA_ST);
}

static void load_x87(const struct vec_op *op, uint8_t *x, uint8_t *from)
{
	narrow_pointers(op, from);
	normalize_x87(from);
	memcpy(x, from, XA_MXCSR);
	memcpy(x + XA_ST, from + XA_ST, XA_XMM - XA_ST);
}

/* AMD APM vol. 2, "Fast FXSAVE/FXRSTOR": the XMM registers stay out of it. */
static enum vec_result fxsave(const struct vec_op *op, struct vec_ctx *ctx)
{
	unsigned int n = XA_XMM + (ctx->fast_fx ? 0 : vector_bytes(op));
	uint8_t f[XA_LEGACY_END];

	ctx->probe(ctx->cpu, ctx->addr, n, true);
	memcpy(f, ctx->fpu->xsave, sizeof(f));
	narrow_pointers(op, f);
	put32(f + XA_MXCSR_MASK, vec_mxcsr_mask());
	ctx->store(ctx->cpu, ctx->addr, f, n);
	return VEC_OK;
}

static enum vec_result fxrstor(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint8_t *x = ctx->fpu->xsave, f[512];
	uint32_t mxcsr;

	ctx->load(ctx->cpu, ctx->addr, f, sizeof(f));
	mxcsr = get32(f + XA_MXCSR);
	if (mxcsr & ~vec_mxcsr_mask())
		return VEC_GP;
	put32(x + XA_MXCSR, mxcsr);
	if (!ctx->fast_fx)
		memcpy(x + XA_XMM, f + XA_XMM, vector_bytes(op));
	load_x87(op, x, f);
	return VEC_OK;
}

/* One piece of the area: there is a handful. */
struct piece {
	uint32_t offset, len;
	const void *from;
};

struct pieces {
	struct piece p[8];
	unsigned int n;
};

static void piece_add(struct pieces *p, uint32_t offset, const void *from,
		      uint32_t len)
{
	p->p[p->n++] = (struct piece){ offset, len, from };
}

static void pieces_store(const struct pieces *p, struct vec_ctx *ctx)
{
	for (unsigned int i = 0; i < p->n; i++)
		ctx->probe(ctx->cpu, ctx->addr + p->p[i].offset, p->p[i].len,
			   true);
	for (unsigned int i = 0; i < p->n; i++)
		ctx->store(ctx->cpu, ctx->addr + p->p[i].offset, p->p[i].from,
			   p->p[i].len);
}

static uint64_t requested(const struct vec_ctx *ctx)
{
	uint64_t mask = ctx->gpr[X86_RDX] << 32 | (uint32_t)ctx->gpr[X86_RAX];

	return mask & ctx->fpu->xcr0 & vec_xcr0_mask();
}

/* By rising address: the first that faults is reported. */
static void save_components(const struct vec_op *op, uint8_t *x, uint64_t save,
			    bool mxcsr, const void *header, unsigned int n,
			    struct pieces *p)
{
	if (save & C_X87) {
		piece_add(p, 0, x, XA_MXCSR);
		piece_add(p, XA_ST, x + XA_ST, XA_XMM - XA_ST);
	}
	if (mxcsr)
		piece_add(p, XA_MXCSR, x + XA_MXCSR, 8);
	if (save & C_SSE)
		piece_add(p, XA_XMM, x + XA_XMM, vector_bytes(op));
	piece_add(p, XA_BV, header, n);
	if (save & C_AVX)
		piece_add(p, XA_YMMH, x + XA_YMMH, vector_bytes(op));
}

/* XSAVE and XSAVEOPT: the standard format. */
static enum vec_result xsave(const struct vec_op *op, struct vec_ctx *ctx)
{
	bool opt = (op->kind & 63) == K_XSAVEOPT;
	uint64_t rfbm = requested(ctx), used, bv;
	struct pieces p = { .n = 0 };
	uint8_t x[XA_END];

	memcpy(x, ctx->fpu->xsave, sizeof(x));
	used = in_use(x);
	narrow_pointers(op, x);
	put32(x + XA_MXCSR_MASK, vec_mxcsr_mask());
	ctx->probe(ctx->cpu, ctx->addr + XA_BV, sizeof(bv), true);
	ctx->load(ctx->cpu, ctx->addr + XA_BV, &bv, sizeof(bv));
	bv = (bv & ~rfbm) | (used & rfbm);
	save_components(op, x, opt ? rfbm & used : rfbm,
			rfbm & (C_SSE | C_AVX), &bv, sizeof(bv), &p);
	pieces_store(&p, ctx);
	return VEC_OK;
}

/* XSAVEC and XSAVES: the compacted format. */
static enum vec_result xsavec(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint64_t rfbm = requested(ctx), header[2];
	struct pieces p = { .n = 0 };
	uint8_t x[XA_END];

	memcpy(x, ctx->fpu->xsave, sizeof(x));
	header[0] = in_use(x) & rfbm;
	if (rfbm & C_SSE && get32(x + XA_MXCSR) != MXCSR_DEFAULT)
		header[0] |= C_SSE;
	header[1] = rfbm | XCOMP_COMPACT;
	narrow_pointers(op, x);
	put32(x + XA_MXCSR_MASK, vec_mxcsr_mask());
	save_components(op, x, header[0], header[0] & C_SSE, header,
			sizeof(header), &p);
	pieces_store(&p, ctx);
	return VEC_OK;
}

/* "XRSTOR" and "XRSTORS", Protected Mode Exceptions. */
static bool header_valid(const struct vec_op *op, const struct vec_ctx *ctx,
			 const uint8_t header[64])
{
	uint64_t bv = get64(header), comp = get64(header + 8);
	uint64_t xcr0 = ctx->fpu->xcr0;

	if (comp & XCOMP_COMPACT)
		return !(comp & ~XCOMP_COMPACT & ~xcr0) &&
		       !(bv & ~(comp & ~XCOMP_COMPACT)) &&
		       all_zero(header + 16, 48);
	if ((op->kind & 63) == K_XRSTORS)
		return false;
	return !(bv & ~xcr0) && all_zero(header + 8, 16);
}

static void restore_component(const struct vec_op *op, uint8_t *x,
			      const uint8_t *area, uint32_t offset, bool present)
{
	if (present)
		memcpy(x + offset, area + offset, vector_bytes(op));
	else
		memset(x + offset, 0, vector_bytes(op));
}

static enum vec_result xrstor(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint64_t rfbm = requested(ctx), bv;
	uint8_t area[XA_END], *x = ctx->fpu->xsave;
	uint32_t mxcsr;
	bool compact;

	memset(area, 0, sizeof(area));
	ctx->load(ctx->cpu, ctx->addr, area, XA_HEADER_END);
	if (!header_valid(op, ctx, area + XA_BV))
		return VEC_GP;
	bv = get64(area + XA_BV);
	compact = get64(area + XA_XCOMP) & XCOMP_COMPACT;
	if (rfbm & bv & C_AVX)
		ctx->load(ctx->cpu, ctx->addr + XA_YMMH, area + XA_YMMH,
			  vector_bytes(op));
	/* In the compacted format MXCSR is a part of the SSE component. */
	mxcsr = compact && !(bv & C_SSE) ? MXCSR_DEFAULT :
					   get32(area + XA_MXCSR);
	if (rfbm & (compact ? C_SSE : C_SSE | C_AVX)) {
		if (mxcsr & ~vec_mxcsr_mask())
			return VEC_GP;
		put32(x + XA_MXCSR, mxcsr);
	}
	if (rfbm & C_X87) {
		if (!(bv & C_X87))
			init_x87(area);
		load_x87(op, x, area);
	}
	if (rfbm & C_SSE)
		restore_component(op, x, area, XA_XMM, bv & C_SSE);
	if (rfbm & C_AVX)
		restore_component(op, x, area, XA_YMMH, bv & C_AVX);
	return VEC_OK;
}

static enum vec_result ldmxcsr(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint32_t mxcsr = get32(ctx->mem);

	if (mxcsr & ~vec_mxcsr_mask())
		return VEC_GP;
	put32(ctx->fpu->xsave + XA_MXCSR, mxcsr);
	return VEC_OK;
}

static enum vec_result stmxcsr(const struct vec_op *op, struct vec_ctx *ctx)
{
	memcpy(ctx->mem, ctx->fpu->xsave + XA_MXCSR, 4);
	return VEC_OK;
}

static enum vec_result vzero(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint8_t *x = ctx->fpu->xsave;

	if ((op->kind & 63) == K_VZEROALL)
		memset(x + XA_XMM, 0, vector_bytes(op));
	memset(x + XA_YMMH, 0, vector_bytes(op));
	return VEC_OK;
}

/* One line per instruction. */
static const struct state_insn {
	uint16_t mnemonic;
	uint8_t kind;
	uint8_t align, flags;
	uint16_t checks;
	bool wide;
	vec_fn *run;
} insns[] = {
	{ ZYDIS_MNEMONIC_FXSAVE, K_FXSAVE, 16, VEC_CALLBACK, VEC_FXSAVE, false,
	  fxsave },
	{ ZYDIS_MNEMONIC_FXSAVE64, K_FXSAVE, 16, VEC_CALLBACK, VEC_FXSAVE, true,
	  fxsave },
	{ ZYDIS_MNEMONIC_FXRSTOR, K_FXRSTOR, 16, VEC_CALLBACK, VEC_FXSAVE,
	  false, fxrstor },
	{ ZYDIS_MNEMONIC_FXRSTOR64, K_FXRSTOR, 16, VEC_CALLBACK, VEC_FXSAVE,
	  true, fxrstor },
	{ ZYDIS_MNEMONIC_XSAVE, K_XSAVE, 64, VEC_CALLBACK, VEC_XSAVE, false,
	  xsave },
	{ ZYDIS_MNEMONIC_XSAVE64, K_XSAVE, 64, VEC_CALLBACK, VEC_XSAVE, true,
	  xsave },
	{ ZYDIS_MNEMONIC_XSAVEOPT, K_XSAVEOPT, 64, VEC_CALLBACK, VEC_XSAVE,
	  false, xsave },
	{ ZYDIS_MNEMONIC_XSAVEOPT64, K_XSAVEOPT, 64, VEC_CALLBACK, VEC_XSAVE,
	  true, xsave },
	{ ZYDIS_MNEMONIC_XSAVEC, K_XSAVEC, 64, VEC_CALLBACK, VEC_XSAVE, false,
	  xsavec },
	{ ZYDIS_MNEMONIC_XSAVEC64, K_XSAVEC, 64, VEC_CALLBACK, VEC_XSAVE, true,
	  xsavec },
	{ ZYDIS_MNEMONIC_XSAVES, K_XSAVES, 64, VEC_CALLBACK,
	  VEC_XSAVE | VEC_CPL0, false, xsavec },
	{ ZYDIS_MNEMONIC_XSAVES64, K_XSAVES, 64, VEC_CALLBACK,
	  VEC_XSAVE | VEC_CPL0, true, xsavec },
	{ ZYDIS_MNEMONIC_XRSTOR, K_XRSTOR, 64, VEC_CALLBACK, VEC_XSAVE, false,
	  xrstor },
	{ ZYDIS_MNEMONIC_XRSTOR64, K_XRSTOR, 64, VEC_CALLBACK, VEC_XSAVE, true,
	  xrstor },
	{ ZYDIS_MNEMONIC_XRSTORS, K_XRSTORS, 64, VEC_CALLBACK,
	  VEC_XSAVE | VEC_CPL0, false, xrstor },
	{ ZYDIS_MNEMONIC_XRSTORS64, K_XRSTORS, 64, VEC_CALLBACK,
	  VEC_XSAVE | VEC_CPL0, true, xrstor },
	{ ZYDIS_MNEMONIC_LDMXCSR, K_LDMXCSR, 0, VEC_LOAD, VEC_SSE, false,
	  ldmxcsr },
	{ ZYDIS_MNEMONIC_STMXCSR, K_STMXCSR, 0, VEC_STORE, VEC_SSE, false,
	  stmxcsr },
	{ ZYDIS_MNEMONIC_VLDMXCSR, K_LDMXCSR, 0, VEC_LOAD, VEC_AVX, false,
	  ldmxcsr },
	{ ZYDIS_MNEMONIC_VSTMXCSR, K_STMXCSR, 0, VEC_STORE, VEC_AVX, false,
	  stmxcsr },
	{ ZYDIS_MNEMONIC_VZEROALL, K_VZEROALL, 0, 0, VEC_AVX, false, vzero },
	{ ZYDIS_MNEMONIC_VZEROUPPER, K_VZEROUPPER, 0, 0, VEC_AVX, false,
	  vzero },
};

static const struct state_insn *lookup(ZydisMnemonic mnemonic)
{
	for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
		if (insns[i].mnemonic == mnemonic)
			return &insns[i];
	return NULL;
}

bool vec_xsave_prepare(const ZydisDecodedInstruction *insn,
		       const ZydisDecodedOperand *operands, struct vec_op *op)
{
	const struct state_insn *s = lookup(insn->mnemonic);

	if (!s)
		return false;
	op->run = s->run;
	op->kind = s->kind;
	if (s->wide)
		op->kind |= K_W;
	if (insn->machine_mode == ZYDIS_MACHINE_MODE_LONG_64)
		op->kind |= K_MODE64;
	op->align = s->align;
	op->align_mm = false;
	op->checks = s->checks;
	op->flags = (op->flags & VEC_MEM) | s->flags;
	if (s->flags & VEC_CALLBACK)
		op->mem_size = 0;
	return true;
}
