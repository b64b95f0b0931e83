/*
 * drivers/emu/jit_rewrite.h -- a guest instruction with other registers and
 * another memory operand.
 */
#ifndef EMU_JIT_REWRITE_H
#define EMU_JIT_REWRITE_H

#include <Zydis/Zydis.h>

#include "drivers/emu/jit_asm.h"

/*
 * What replaces an instruction's general registers, by where they are
 * encoded; H_NONE keeps what is there (a vector register, an opcode
 * extension).  mem replaces the memory operand if there is one.
 */
struct rewrite {
	int8_t reg;    /* ModRM.reg */
	int8_t rm;     /* ModRM.rm, register form */
	int8_t vvvv;   /* VEX.vvvv */
	int8_t opcode; /* low bits of the opcode */
	bool byte_regs; /* 8-bit registers: RSI's low byte is SIL */
	bool in_place;	/* mem instead of the register in ModRM.rm */
	struct host_mem mem;
};

/* Emits at most 24 bytes; false: an encoding that cannot be rewritten. */
bool jit_rewrite(struct jit_buf *b, const ZydisDecodedInstruction *z,
		 const uint8_t *bytes, const struct rewrite *rw);

#endif
