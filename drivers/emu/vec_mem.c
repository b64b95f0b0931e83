/*
 * drivers/emu/vec_mem.c -- instructions with more than one memory access:
 * gathers, masked moves, and x87 state larger than the bounce buffer.
 *
 * A gather is done in C, element by element, because it must be restartable:
 * what was loaded stays loaded and its mask element is clear when a later
 * element faults (SDM vol. 2, "VPGATHERDD").  The others run in a thunk, on
 * a buffer that holds the elements which the mask selects.
 */
#include <string.h>

#include "base/util.h"
#include "drivers/emu/cpu.h"
#include "drivers/emu/vec_int.h"

enum { VEC_BYTES = 32 };

/* A register as one piece, and back. */
static void get_ymm(const struct emu_fpu *fpu, unsigned int n, uint8_t *v)
{
	memcpy(v, fpu->xsave + XA_XMM + 16 * n, 16);
	memcpy(v + 16, fpu->xsave + XA_YMMH + 16 * n, 16);
}

static void put_ymm(struct emu_fpu *fpu, unsigned int n, const uint8_t *v)
{
	memcpy(fpu->xsave + XA_XMM + 16 * n, v, 16);
	memcpy(fpu->xsave + XA_YMMH + 16 * n, v + 16, 16);
}

static bool selected(const struct vec_op *op, const uint8_t *mask,
		     unsigned int i)
{
	return mask[(i + 1) * op->elem - 1] & 0x80;
}

static uint64_t gather_addr(const struct vec_op *op, const struct vec_ctx *ctx,
			    const uint8_t *index, unsigned int i)
{
	uint64_t ea = op->disp, x;
	int32_t x32;

	if (op->index_size == 4) {
		memcpy(&x32, index + 4 * i, sizeof(x32));
		x = (int64_t)x32;
	} else {
		memcpy(&x, index + 8 * i, sizeof(x));
	}
	if (op->base != VEC_NO_REG)
		ea += ctx->gpr[op->base];
	return ctx->seg_base + ((ea + x * op->scale) & ctx->addr_mask);
}

static enum vec_result run_gather(const struct vec_op *op, struct vec_ctx *ctx)
{
	uint8_t index[VEC_BYTES], dst[VEC_BYTES], mask[VEC_BYTES];
	unsigned int used = op->elem * op->count;

	get_ymm(ctx->fpu, op->index, index);
	get_ymm(ctx->fpu, op->dst, dst);
	get_ymm(ctx->fpu, op->mask, mask);
	for (unsigned int i = 0; i < op->count; i++) {
		if (selected(op, mask, i))
			ctx->load(ctx->cpu, gather_addr(op, ctx, index, i),
				  dst + i * op->elem, op->elem);
		memset(mask + i * op->elem, 0, op->elem);
		/* Now: the next load may not return. */
		put_ymm(ctx->fpu, op->dst, dst);
		put_ymm(ctx->fpu, op->mask, mask);
	}
	memset(dst + used, 0, sizeof(dst) - used);
	memset(mask, 0, sizeof(mask));
	put_ymm(ctx->fpu, op->dst, dst);
	put_ymm(ctx->fpu, op->mask, mask);
	return VEC_OK;
}

static bool is_gather(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_VGATHERDPD:
	case ZYDIS_MNEMONIC_VGATHERDPS:
	case ZYDIS_MNEMONIC_VGATHERQPD:
	case ZYDIS_MNEMONIC_VGATHERQPS:
	case ZYDIS_MNEMONIC_VPGATHERDD:
	case ZYDIS_MNEMONIC_VPGATHERDQ:
	case ZYDIS_MNEMONIC_VPGATHERQD:
	case ZYDIS_MNEMONIC_VPGATHERQQ:
		return true;
	default:
		return false;
	}
}

/* The opcode tells sizes: bit 0 a 64-bit index, VEX.W 64-bit elements. */
static void gather_shape(const ZydisDecodedInstruction *insn,
			 struct vec_op *op)
{
	unsigned int bytes = insn->raw.vex.L ? 32 : 16;

	op->index_size = insn->opcode & 1 ? 8 : 4;
	op->elem = insn->raw.vex.W ? 8 : 4;
	op->count = bytes / MAX(op->index_size, op->elem);
}

bool vec_gather_prepare(const ZydisDecodedInstruction *insn,
			const ZydisDecodedOperand *operands, struct vec_op *op)
{
	const ZydisDecodedOperandMem *m = &operands[1].mem;

	if (!is_gather(insn->mnemonic) ||
	    operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY)
		return false;
	gather_shape(insn, op);
	op->run = run_gather;
	op->dst = ZydisRegisterGetId(operands[0].reg.value);
	op->mask = ZydisRegisterGetId(operands[2].reg.value);
	op->index = ZydisRegisterGetId(m->index);
	op->base = m->base == ZYDIS_REGISTER_NONE ?
			   VEC_NO_REG :
			   ZydisRegisterGetId(m->base);
	op->scale = m->scale;
	op->disp = m->disp.has_displacement ? m->disp.value : 0;
	op->flags = VEC_MEM | VEC_CALLBACK;
	op->mem_size = 0;
	return true;
}

static void get_mask(const struct vec_op *op, const struct vec_ctx *ctx,
		     uint8_t *mask)
{
	const uint8_t *x = ctx->fpu->xsave;

	if (op->kind & VEC_MASK_MMX) {
		/* FXSAVE stores ST(0) first; MM0 is the register below it. */
		unsigned int st = (op->mask - (x[XA_FSW + 1] >> 3)) & 7;

		memcpy(mask, x + XA_ST + 16 * st, 8);
		return;
	}
	get_ymm(ctx->fpu, op->mask, mask);
}

typedef void element_fn(struct vec_ctx *ctx, unsigned int offset,
			unsigned int size);

static void element_load(struct vec_ctx *ctx, unsigned int offset,
			 unsigned int size)
{
	ctx->load(ctx->cpu, ctx->addr + offset, (char *)ctx->mem + offset,
		  size);
}

static void element_store(struct vec_ctx *ctx, unsigned int offset,
			  unsigned int size)
{
	ctx->store(ctx->cpu, ctx->addr + offset, (char *)ctx->mem + offset,
		   size);
}

static void element_probe(struct vec_ctx *ctx, unsigned int offset,
			  unsigned int size)
{
	ctx->probe(ctx->cpu, ctx->addr + offset, size, true);
}

static void each_element(const struct vec_op *op, struct vec_ctx *ctx,
			 const uint8_t *mask, element_fn *fn)
{
	for (unsigned int i = 0; i < op->count; i++)
		if (selected(op, mask, i))
			fn(ctx, i * op->elem, op->elem);
}

static enum vec_result run_masked_load(const struct vec_op *op,
				       struct vec_ctx *ctx)
{
	uint8_t mask[VEC_BYTES];

	get_mask(op, ctx, mask);
	memset(ctx->mem, 0, VEC_BYTES);
	each_element(op, ctx, mask, element_load);
	return vec_run_thunk(op, ctx);
}

static enum vec_result run_masked_store(const struct vec_op *op,
					struct vec_ctx *ctx)
{
	enum vec_result r;
	uint8_t mask[VEC_BYTES];

	get_mask(op, ctx, mask);
	each_element(op, ctx, mask, element_probe);
	r = vec_run_thunk(op, ctx);
	if (r == VEC_OK)
		each_element(op, ctx, mask, element_store);
	return r;
}

/*
 * FST, FIST, FBSTP, ...: an unmasked exception other than precision leaves
 * memory alone (SDM vol. 1, "x87 FPU Floating-Point Exception Conditions").
 */
static enum vec_result run_x87_store(const struct vec_op *op,
				     struct vec_ctx *ctx)
{
	const uint8_t *x = ctx->fpu->xsave;
	enum vec_result r = vec_run_thunk(op, ctx);

	if (r == VEC_OK && x[XA_FSW] & ~x[XA_FCW] & 0x1f)
		return VEC_NO_STORE;
	return r;
}

/*
 * Puts the guest's pointers into an environment that the host has stored
 * (SDM vol. 1, "Protected Mode x87 FPU State Image Format in Memory").  Their
 * selectors are not kept.
 */
static void patch_env(uint8_t *env, bool wide, const struct x87_pointers *p)
{
	uint32_t fip = p->fip, fdp = p->fdp;

	if (!wide) {
		memcpy(env + 6, &fip, 2);
		memcpy(env + 10, &fdp, 2);
		return;
	}
	memcpy(env + 12, &fip, 4);
	memcpy(env + 18, &p->fop, 2);
	memcpy(env + 20, &fdp, 4);
}

static enum vec_result run_fnstenv(const struct vec_op *op,
				   struct vec_ctx *ctx)
{
	enum vec_result r = vec_run_thunk(op, ctx);
	struct x87_pointers p;

	vec_get_pointers(ctx->fpu->xsave, &p);
	patch_env(ctx->mem, op->mem_size == 28, &p);
	return r;
}

/* FNSAVE: 94 or 108 bytes. */
static enum vec_result run_big_store(const struct vec_op *op,
				     struct vec_ctx *ctx)
{
	_Alignas(64) uint8_t buf[128];
	struct x87_pointers p;
	void *mem = ctx->mem;
	enum vec_result r;

	vec_get_pointers(ctx->fpu->xsave, &p);
	ctx->probe(ctx->cpu, ctx->addr, op->count, true);
	ctx->mem = buf;
	r = vec_run_thunk(op, ctx);
	ctx->mem = mem;
	patch_env(buf, op->count == 108, &p);
	if (r == VEC_OK)
		ctx->store(ctx->cpu, ctx->addr, buf, op->count);
	return r;
}

/* FRSTOR. */
static enum vec_result run_big_load(const struct vec_op *op,
				    struct vec_ctx *ctx)
{
	_Alignas(64) uint8_t buf[128];
	void *mem = ctx->mem;
	enum vec_result r;

	ctx->load(ctx->cpu, ctx->addr, buf, op->count);
	ctx->mem = buf;
	r = vec_run_thunk(op, ctx);
	ctx->mem = mem;
	return r;
}

static void prepare_masked(const ZydisDecodedOperand *mask, unsigned int elem,
			   vec_fn *run, struct vec_op *op)
{
	op->run = run;
	op->elem = elem;
	op->count = op->mem_size / elem;
	op->mask = ZydisRegisterGetId(mask->reg.value);
	if (ZydisRegisterGetClass(mask->reg.value) == ZYDIS_REGCLASS_MMX)
		op->kind = VEC_MASK_MMX;
	op->flags = VEC_MEM | VEC_CALLBACK;
	op->align = 0;
}

static void prepare_vmaskmov(const ZydisDecodedOperand *operands,
			     unsigned int elem, struct vec_op *op)
{
	bool load = operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;

	prepare_masked(&operands[1], elem,
		       load ? run_masked_load : run_masked_store, op);
}

static void prepare_big(vec_fn *run, struct vec_op *op)
{
	op->run = run;
	op->count = op->mem_size;
	op->flags = VEC_MEM | VEC_CALLBACK;
}

void vec_mem_prepare(const ZydisDecodedInstruction *insn,
		     const ZydisDecodedOperand *operands, struct vec_op *op)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
		prepare_vmaskmov(operands, 4, op);
		break;
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		prepare_vmaskmov(operands, 8, op);
		break;
	case ZYDIS_MNEMONIC_MASKMOVQ:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
		prepare_masked(&operands[1], 1, run_masked_store, op);
		break;
	case ZYDIS_MNEMONIC_FST:
	case ZYDIS_MNEMONIC_FSTP:
	case ZYDIS_MNEMONIC_FIST:
	case ZYDIS_MNEMONIC_FISTP:
	case ZYDIS_MNEMONIC_FISTTP:
	case ZYDIS_MNEMONIC_FBSTP:
		if (op->flags & VEC_STORE)
			op->run = run_x87_store;
		break;
	case ZYDIS_MNEMONIC_FNINIT:
	case ZYDIS_MNEMONIC_FLDENV:
		op->kind = VEC_LOADS_ENV;
		break;
	case ZYDIS_MNEMONIC_FNSTENV:
		op->run = run_fnstenv;
		break;
	case ZYDIS_MNEMONIC_FNSAVE:
		op->kind = VEC_LOADS_ENV;
		prepare_big(run_big_store, op);
		break;
	case ZYDIS_MNEMONIC_FRSTOR:
		op->kind = VEC_LOADS_ENV;
		prepare_big(run_big_load, op);
		break;
	default:
		break;
	}
}
