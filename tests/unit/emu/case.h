/*
 * tests/unit/emu/case.h -- one experiment: some code, the state it starts
 * from, and what became of it, natively or in an emulator.
 *
 * Code and data lie at fixed addresses below 4 GiB, the same for all.  The
 * code's page is filled with INT3, so that every way out of the tested bytes
 * ends the run.
 */
#ifndef TESTS_EMU_CASE_H
#define TESTS_EMU_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <Zydis/Zydis.h>

#define CASE_CODE  0x20000000ull /* one page; the case starts in its middle */
#define CASE_START (CASE_CODE + 0x800)
#define CASE_DATA  0x20010000ull /* read and write */
#define CASE_RO	   0x20012000ull /* one page, read only */

enum {
	CASE_DATA_SIZE = 8192,
	CASE_RO_SIZE = 4096,
	CASE_CODE_MAX = 64,
	CASE_PATCHES = 6,
	CASE_XSAVE = 832,
	CASE_END = -1, /* case_result.vector: reached INT3 */
};

struct case_cpu {
	uint64_t gpr[16]; /* vmm/x86.h's order */
	uint64_t rip, rflags, gs_base;
	_Alignas(64) uint8_t xsave[CASE_XSAVE]; /* all components present */
};

struct case_patch {
	uint16_t offset, len;
	uint8_t bytes[16];
};

struct test_case {
	char name[80];
	uint8_t code[CASE_CODE_MAX];
	unsigned int code_len;
	bool mode32;   /* 32-bit code (compatibility mode) */
	bool loops;    /* has a loop that ends: blocks may be linked */
	uint64_t fill; /* seeds the contents of memory */
	struct case_patch patch[CASE_PATCHES];
	unsigned int n_patches;
	struct case_cpu cpu;
};

struct case_result {
	int vector;
	uint32_t error;
	uint64_t cr2; /* its page, if vector is that of #PF */
	bool skipped; /* not an instruction of this executor's */
	struct case_cpu cpu;
};

/* A private copy of the memory that a case sees. */
struct case_mem {
	uint8_t *code, *data, *ro;
};

void case_fill(const struct test_case *c, struct case_mem *mem);
/* For the mode of the case. */
void case_decoder(bool mode32, ZydisDecoder *decoder);
/* Corrects what the decoder says about operands. */
void case_fix_operands(const ZydisDecodedInstruction *insn,
		       ZydisDecodedOperand *operands);
void case_print(const struct test_case *c, FILE *f);
/* False at the end; exits on a malformed file. */
bool case_read(struct test_case *c, FILE *f, const char *path);

/* What runs a case. */
struct executor {
	const char *name;
	void (*init)(struct case_mem *mem);
	void (*run)(const struct test_case *c, struct case_result *ret);
};

extern const struct executor exec_native, exec_vec, exec_emu, exec_jit;

/* gen.c: the same seed gives the same cases. */
enum gen_scope { GEN_ALL, GEN_VECTOR, GEN_INTEGER };
struct gen;
struct gen *gen_create(uint64_t seed, enum gen_scope scope, bool mode32);
void gen_destroy(struct gen *g);
void gen_case(struct gen *g, unsigned int n_insns, struct test_case *ret);
void gen_report(const struct gen *g, FILE *f);

static inline uint64_t rng_next(uint64_t *s)
{
	/* xorshift64* */
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dull;
}

#endif
