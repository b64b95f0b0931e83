/*
 * drivers/emu/vec.c -- vector instructions: none yet, each is #UD.
 */
#include <errno.h>

#include "drivers/emu/cpu.h"

int vec_init(void)
{
	return 0;
}

int vec_prepare(const ZydisDecodedInstruction *insn,
		const ZydisDecodedOperand *operands, const uint8_t *bytes,
		struct vec_op *ret_op)
{
	return -ENOTSUP;
}

enum vec_result vec_run(const struct vec_op *op, struct vec_ctx *ctx)
{
	return VEC_UD;
}

void vec_fpu_reset(struct emu_fpu *fpu)
{
	static const uint16_t fcw = 0x37f;
	static const uint32_t mxcsr = 0x1f80, mxcsr_mask = 0xffff;
	static const uint64_t bv = 7;

	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->xsave, &fcw, sizeof(fcw));
	memcpy(fpu->xsave + 24, &mxcsr, sizeof(mxcsr));
	memcpy(fpu->xsave + 28, &mxcsr_mask, sizeof(mxcsr_mask));
	memcpy(fpu->xsave + 512, &bv, sizeof(bv));
	fpu->xcr0 = 1;
}

uint64_t vec_xcr0_mask(void)
{
	return 3;
}

void vec_cpuid(uint32_t function, uint32_t index, uint32_t regs[4])
{
}
