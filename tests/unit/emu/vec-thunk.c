/*
 * tests/unit/emu/vec-thunk.c -- a few instructions through vec_prepare() and
 * vec_run(): registers, memory operand, flags, #XM, #MF and #UD.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "drivers/emu/cpu.h"

static struct emu_fpu fpu;
static uint64_t gpr[16];
static _Alignas(64) uint8_t mem[64];
static struct vec_ctx ctx = { .gpr = gpr, .fpu = &fpu, .mem = mem };

static int prepare(const char *code, size_t len, struct vec_op *op)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	assert(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, len, &insn,
						   operands)));
	return vec_prepare(&insn, operands, (const uint8_t *)code, op);
}

#define RUN(code) run(code, sizeof(code) - 1)

static enum vec_result run(const char *code, size_t len)
{
	struct vec_op op;

	assert(prepare(code, len, &op) == 0);
	return vec_run(&op, &ctx);
}

static void set_double(unsigned int n, double v)
{
	memcpy(fpu.xsave + 160 + 16 * n, &v, sizeof(v));
}

static double get_double(unsigned int n)
{
	double v;

	memcpy(&v, fpu.xsave + 160 + 16 * n, sizeof(v));
	return v;
}

static void test_arithmetic(void)
{
	double half = 0.5;

	set_double(9, 3);
	memcpy(mem, &half, sizeof(half));
	/* addsd xmm9, [r13+rbx*4+0x10] */
	assert(RUN("\xf2\x45\x0f\x58\x4c\x9d\x10") == VEC_OK);
	assert(get_double(9) == 3.5);
	/* cvttsd2si r12, xmm9 */
	assert(RUN("\xf2\x4d\x0f\x2c\xe1") == VEC_OK);
	assert(gpr[12] == 3);
	/* comisd xmm9, xmm0 */
	ctx.rflags = 0x8d7;
	set_double(0, 3.5);
	assert(RUN("\x66\x44\x0f\x2f\xc8") == VEC_OK);
	assert(ctx.rflags == 0x42);
}

static void test_exceptions(void)
{
	static const uint32_t divide_unmasked = 0x1d80;
	uint32_t mxcsr;

	set_double(1, 1);
	set_double(2, 0);
	memcpy(fpu.xsave + 24, &divide_unmasked, 4);
	/* divsd xmm1, xmm2 */
	assert(RUN("\xf2\x0f\x5e\xca") == VEC_XM);
	assert(get_double(1) == 1);
	memcpy(&mxcsr, fpu.xsave + 24, 4);
	assert(mxcsr == (divide_unmasked | 4));
	/* fninit; fldcw [rdi]: all unmasked; fld1; fldz; fdivp; fwait */
	assert(RUN("\xdb\xe3") == VEC_OK);
	mem[0] = 0x40;
	mem[1] = 3;
	assert(RUN("\xd9\x2f") == VEC_OK);
	assert(RUN("\xd9\xe8") == VEC_OK);
	assert(RUN("\xd9\xee") == VEC_OK);
	assert(RUN("\xde\xf9") == VEC_OK);
	assert(RUN("\x9b") == VEC_MF);
	assert(RUN("\xdb\xe3") == VEC_OK);
}

static void test_refused(void)
{
	struct vec_op op;

	/* vfmaddpd (FMA4), popcnt eax, eax; vaddps zmm0, zmm0, zmm0 */
	assert(prepare("\xc4\xe3\xf9\x69\xc0\x00", 6, &op) == -ENOTSUP);
	assert(prepare("\xf3\x0f\xb8\xc0", 4, &op) == -ENOTSUP);
	assert(prepare("\x62\xf1\x7c\x48\x58\xc0", 6, &op) == -ENOTSUP);
}

int main(void)
{
	assert(vec_init() == 0);
	vec_fpu_reset(&fpu);
	test_arithmetic();
	test_exceptions();
	test_refused();
	return 0;
}
