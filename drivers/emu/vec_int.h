/*
 * drivers/emu/vec_int.h -- what the files of the vector unit share.
 */
#ifndef EMU_VEC_INT_H
#define EMU_VEC_INT_H

#include <signal.h>

#include "drivers/emu/vec.h"

enum vec_trait {
	VT_X87 = 1,	  /* x87 or MMX state is read or written */
	VT_MXCSR = 2,	  /* SSE arithmetic: depends on MXCSR, sets its flags */
	VT_FLAGS_IN = 4,  /* reads RFLAGS, or leaves some of them alone */
	VT_FLAGS_OUT = 8, /* writes RFLAGS */
	VT_GPR = 16,	  /* RAX goes in and out */
	VT_RCX_OUT = 32,  /* PCMPISTRI, PCMPESTRI: the result */
	VT_RDX_IN = 64,	  /* PCMPESTRx: the second length */
	VT_VEX = 128,
};

/* What a thunk is called with besides registers. */
struct vec_io {
	uint64_t rax, rcx;
	uint64_t x87; /* the thunk has loaded the FXSAVE image */
	uint64_t rflags;
	uint32_t host_mxcsr;
	uint32_t fault; /* vector, set by the signal handler */
};

enum { /* offsets in the XSAVE area; SDM vol. 1, "Layout of the XSAVE Area" */
	XA_FCW = 0,
	XA_FSW = 2,
	XA_FTW = 4,
	XA_FOP = 6,
	XA_FIP = 8,
	XA_FDP = 16,
	XA_MXCSR = 24,
	XA_MXCSR_MASK = 28,
	XA_ST = 32,
	XA_XMM = 160,
	XA_LEGACY_END = 416, /* of what FXSAVE writes */
	XA_BV = 512,
	XA_XCOMP = 520,
	XA_HEADER_END = 576,
	XA_YMMH = 576,
	XA_END = 832,
};

enum { MXCSR_DEFAULT = 0x1f80, FCW_DEFAULT = 0x37f };
enum { VEC_NO_REG = 0xff };

typedef void vec_thunk_fn(void *mem, void *xsave, uint64_t rdx, uint64_t rcx,
			  struct vec_io *io);

/* vec_isa.c */
void vec_isa_init(void);
bool vec_isa_runs(ZydisISASet set);
bool vec_host_avx(void);
bool vec_host_amd(void);
uint32_t vec_mxcsr_mask(void); /* the bits that MXCSR has */

/* vec_canon.c: op->insn, or -ENOTSUP. */
int vec_canon(const ZydisDecodedInstruction *insn,
	      const ZydisDecodedOperand *operands, const uint8_t *bytes,
	      struct vec_op *op);

/* vec_emit.c: the thunks' memory. */
int vec_arena_init(void);
void vec_arena_get(struct vec_op *op);	       /* sets op->thunk */
const uint8_t *vec_arena_once(const struct vec_op *op); /* this thread's slot */
bool vec_arena_has(uintptr_t rip);
uintptr_t vec_arena_exit(bool x87); /* where a faulting thunk continues */

/* vec_fault.c */
int vec_fault_init(void);
void vec_on_fault(int sig, siginfo_t *info, void *context);

/* vec.c */
vec_fn vec_run_thunk;

/* Where and on what the last x87 instruction was; in the XSAVE area. */
struct x87_pointers {
	uint16_t fop;
	uint64_t fip, fdp;
};
void vec_get_pointers(const uint8_t *xsave, struct x87_pointers *p);
void vec_put_pointers(uint8_t *xsave, const struct x87_pointers *p);

/* vec_mem.c */
enum { /* op->kind */
	VEC_MASK_MMX = 1,   /* a masked move under an MMX register */
	VEC_LOADS_ENV = 2, /* sets the pointers to the last x87 instruction */
};
/* True for a gather, which needs no thunk. */
bool vec_gather_prepare(const ZydisDecodedInstruction *insn,
			const ZydisDecodedOperand *operands,
			struct vec_op *op);
/* Changes how the thunk is run where its operand is not a plain one. */
void vec_mem_prepare(const ZydisDecodedInstruction *insn,
		     const ZydisDecodedOperand *operands, struct vec_op *op);

/* vec_xsave.c: true when it is one of its instructions, done in C. */
bool vec_xsave_prepare(const ZydisDecodedInstruction *insn,
		       const ZydisDecodedOperand *operands, struct vec_op *op);

#endif
