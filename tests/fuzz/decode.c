/*
 * tests/fuzz/decode.c -- any bytes through the decoder and vec_prepare().
 *
 * What is accepted must fit its buffers, and its re-encoded form must be the
 * same instruction with a memory operand at [rdi].  With a file as argument,
 * that is decoded; without, a fixed sequence of random bytes is.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "drivers/emu/cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	ZydisMachineMode mode;
	ZydisStackWidth width;
} modes[] = {
	{ ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	{ ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
	{ ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
};

static bool decode(unsigned int mode, const uint8_t *code, size_t size,
		   ZydisDecodedInstruction *insn, ZydisDecodedOperand *operands)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, modes[mode].mode, modes[mode].width);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, size, insn,
						   operands));
}


static void check_operand(const ZydisDecodedOperand *o, const struct vec_op *op)
{
	if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return;
	assert(o->mem.base == ZYDIS_REGISTER_RDI);
	assert(o->mem.index == ZYDIS_REGISTER_NONE);
	assert(!o->mem.disp.has_displacement || o->mem.disp.value == 0);
	if (!(op->flags & VEC_CALLBACK))
		assert(o->size / 8 == op->mem_size);
}

static void check(const ZydisDecodedInstruction *insn, const struct vec_op *op)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction again;

	assert(op->run);
	assert(op->flags & VEC_CALLBACK || op->mem_size <= 64);
	if (op->insn_len == 0)
		return; /* done in C */
	assert(op->insn_len <= sizeof(op->insn));
	assert(decode(0, op->insn, op->insn_len, &again, operands));
	assert(again.length == op->insn_len);
	assert(again.mnemonic == insn->mnemonic);
	for (int i = 0; i < again.operand_count; i++)
		check_operand(&operands[i], op);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	static bool ready; /* a fuzzer offers no other place */
	struct vec_op op;

	assert(ready || vec_init() == 0);
	ready = true;
	for (unsigned int m = 0; m < ARRAY_SIZE(modes); m++)
		if (decode(m, data, size, &insn, operands) &&
		    vec_prepare(&insn, operands, data, &op) == 0)
			check(&insn, &op);
	return 0;
}

#ifndef FUZZER /* a fuzzer has its own main() */
static void run_file(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "rb");
	uint8_t buf[64];

	assert(f);
	LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof(buf), f));
}

static uint64_t next(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dull;
}

/* Starts of bytes that lead to vector instructions. */
static void start(uint64_t r, uint8_t *buf)
{
	static const uint8_t starts[][4] = {
		{ 1, 0x0f }, { 2, 0x66, 0x0f }, { 2, 0xf2, 0x0f },
		{ 2, 0xf3, 0x0f }, { 1, 0xc4 }, { 1, 0xc5 }, { 1, 0xd8 },
		{ 0 },
	};
	const uint8_t *s = starts[r % ARRAY_SIZE(starts)];

	memcpy(buf, s + 1, s[0]);
	if (s[0] == 1 && s[1] == 0xd8)
		buf[0] |= r >> 8 & 7;

}

int main(int argc, char **argv)
{
	uint64_t s = 1;
	uint8_t buf[16];

	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	for (int i = 0; argc == 1 && i < 100000; i++) {
		uint64_t r[2] = { next(&s), next(&s) };

		memcpy(buf, r, sizeof(buf));
		start(next(&s) >> 32, buf);
		LLVMFuzzerTestOneInput(buf, sizeof(buf));
	}
	return 0;
}
#endif
