/*
 * drivers/emu/vec.h -- x87, MMX, SSE, AVX, ... and XSAVE-type instructions on
 * the host's own units, through generated thunks.
 *
 * Division of labour.  The decoder calls vec_prepare() once per instruction.
 * At run time the interpreter checks what vec_op.checks asks for (CR0.TS, EM,
 * CR4.OSFXSR, ... -> #NM, #UD), computes the operand's address, loads the
 * operand into the bounce buffer when VEC_LOAD is set, calls vec_run(), and
 * stores the buffer back when VEC_STORE is set (the store was probed before,
 * so nothing faults after vec_run() has changed state).
 *
 * Operands that are not one range of fixed size (gathers, VMASKMOV,
 * MASKMOVDQU, XSAVE and XRSTOR, ...) have VEC_CALLBACK: vec_run() reaches
 * memory through ctx->load and ctx->store.  These may leave by longjmp when
 * the access faults: host state must be clean when they are called, and guest
 * state unchanged or restartable.
 */
#ifndef EMU_VEC_H
#define EMU_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

struct emu_fpu;

enum { /* vec_op.flags */
	VEC_LOAD = 1,	   /* the memory operand is read */
	VEC_STORE = 2,	   /* ... written */
	VEC_CALLBACK = 4,  /* memory through ctx->load, ctx->store */
	VEC_MEM = 8,	   /* there is a memory operand (ctx->addr is valid) */
};

enum { /* vec_op.checks: what the interpreter tests before vec_run() */
	VEC_X87 = 1,  /* #NM if CR0.EM or CR0.TS */
	VEC_WAIT = 2, /* FWAIT: #NM if CR0.MP and CR0.TS */
	VEC_MMX = 4,  /* #UD if CR0.EM; #NM if CR0.TS */
	VEC_SSE = 8,  /* #UD if CR0.EM or !CR4.OSFXSR; #NM if CR0.TS */
	VEC_AVX = 16, /* #UD if !CR4.OSXSAVE or XCR0[2:1] != 3; #NM if TS */
	VEC_AVX512 = 32,
	VEC_XSAVE = 64,	  /* #UD if !CR4.OSXSAVE; #NM if TS */
	VEC_FXSAVE = 128, /* FXSAVE, FXRSTOR: #NM if CR0.EM or TS */
	VEC_NOCHECK = 256,
	VEC_CPL0 = 512,	  /* XSAVES, XRSTORS: #GP(0) outside ring 0 */
	VEC_PENDING = 1024, /* #MF if vec_x87_pending(), before memory */
};

enum vec_result {
	VEC_OK,
	VEC_XM, /* unmasked SIMD exception: #XM (MXCSR is already set) */
	VEC_MF, /* pending unmasked x87 exception: #MF */
	VEC_UD,
	VEC_GP,	 /* #GP(0): reserved MXCSR or XSAVE header bits, ... */
	VEC_NM,
	VEC_NO_STORE, /* done, but VEC_STORE's operand is not written */
};

struct vec_op;
struct vec_ctx;
typedef enum vec_result vec_fn(const struct vec_op *op, struct vec_ctx *ctx);

struct vec_op {
	vec_fn *run;
	const uint8_t *thunk; /* NULL: emitted anew for each run */
	uint16_t mem_size; /* bytes in the bounce buffer, at most 64 */
	uint16_t align;	   /* #GP(0) unless the address is a multiple; 0: no */
	bool align_mm;	   /* ...and MXCSR.MM lets it pass */
	uint16_t checks;
	uint8_t flags;
	/* From here on vec's own. */
	uint8_t traits;	   /* enum vec_trait */
	uint8_t gpr;	   /* guest register that the thunk's RAX stands for */
	uint8_t insn_len;
	uint8_t insn_off;  /* of the instruction in the thunk */
	uint8_t kind;	   /* for run: which of its instructions */
	uint16_t fop;	   /* the guest's x87 opcode */
	uint8_t insn[16];  /* re-encoded: the memory operand is [rdi] */
	uint16_t xmm_in, xmm_out, ymm_in; /* registers to load and store */
	/* Gathers and masked moves. */
	uint8_t dst, mask, index, base, scale, elem, index_size, count;
	int32_t disp;
};

struct vec_ctx {
	uint64_t *gpr;	 /* guest's 16, index X86_RAX... (vmm/x86.h) */
	uint64_t rflags; /* in and out (COMISD, PTEST, FCOMI, FCMOV, ...) */
	struct emu_fpu *fpu;
	void *mem;	   /* bounce buffer, aligned to 64 */
	uint64_t addr;	   /* linear address of the memory operand */
	uint64_t offset;   /* the same without the segment's base (FDP) */
	uint64_t rip;	   /* of this instruction (FIP) */
	uint64_t seg_base; /* for operands with several addresses (VSIB) */
	uint64_t addr_mask;
	bool cr0_ne;
	bool fast_fx; /* EFER.FFXSR is in effect */
	/* Memory behind VEC_CALLBACK; cpu is the interpreter's. */
	void *cpu;
	void (*load)(void *cpu, uint64_t addr, void *buf, size_t size);
	void (*store)(void *cpu, uint64_t addr, const void *buf, size_t size);
	/* Raises what a store there would raise; for all-or-nothing. */
	void (*probe)(void *cpu, uint64_t addr, size_t size, bool write);
};

/*
 * Once per process, before the sandbox: maps the thunks' memory and catches
 * SIGFPE and SIGILL, which say what a thunk raised.  A thread that calls
 * vec_run() must not block these signals.
 */
int vec_init(void);

/* The CPUID bit that announces an instruction set; false: not one of ours. */
struct vec_isa_bit {
	uint32_t function, index;
	uint8_t reg, bit;
};
bool vec_isa_bit(ZydisISASet set, struct vec_isa_bit *ret_bit);

/*
 * Is this an instruction of ours?  Takes what Zydis decoded and the bytes.
 * 0, or -ENOTSUP (the interpreter then raises #UD).  Instructions of the
 * same bytes share a thunk.  Any vCPU thread.
 */
int vec_prepare(const ZydisDecodedInstruction *insn,
		const ZydisDecodedOperand *operands, const uint8_t *bytes,
		struct vec_op *ret_op);

enum vec_result vec_run(const struct vec_op *op, struct vec_ctx *ctx);

/* FSW.ES: an unmasked x87 exception waits to be reported. */
bool vec_x87_pending(const struct emu_fpu *fpu);
bool vec_mxcsr_mm(const struct emu_fpu *fpu); /* misaligned operands pass */

/* The state a vCPU has after RESET (INIT leaves it alone). */
void vec_fpu_reset(struct emu_fpu *fpu);

/* XCR0 bits that this host has and we run. */
uint64_t vec_xcr0_mask(void);

/* Bytes of an XSAVE area with these components (for CPUID leaf 0xd). */
uint32_t vec_xsave_size(uint64_t components, bool compacted);

/*
 * Takes the feature bits of vector extensions that we cannot run out of one
 * CPUID leaf of the host, and fills leaf 0xd.  There, EBX of subleaves 0 and
 * 1 is for all components; what the guest enabled gives vec_xsave_size().
 */
void vec_cpuid(uint32_t function, uint32_t index, uint32_t regs[4]);

#endif
