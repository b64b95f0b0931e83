/*
 * drivers/emu/decode.h -- from bytes to struct emu_insn, and the cache of
 * decoded blocks.
 */
#ifndef EMU_DECODE_H
#define EMU_DECODE_H

#include "drivers/emu/exec.h"

enum { BLOCK_INSNS_MAX = 64, INSN_BYTES_MAX = 15 };

struct block_cache {
	struct emu_block **hash;
	uint8_t *arena;
	size_t used;
	unsigned int flushes; /* pointers into the arena are void after one */
	uint64_t next_trim, trim_gap; /* ns: block_cache_trim() */
	ZydisDecoder decoder[3];		/* by enum emu_mode */
	struct emu_insn insns[BLOCK_INSNS_MAX]; /* the block being built */
};

enum decode_end {
	DECODE_GO,    /* the block may go on */
	DECODE_JUMP,  /* ends it, by an ordinary branch */
	DECODE_BREAK, /* ends it, and state beyond RIP may have changed */
};

/*
 * Decodes one instruction of at most len bytes into *i (all but end).
 * Returns 0, -EAGAIN when it goes on behind the bytes, or -ENOMEM when the
 * arena is full.  What is no instruction becomes one that raises #UD.
 */
int insn_decode(struct emu_cpu *cpu, struct block_cache *cache,
		const uint8_t *bytes, size_t len, struct emu_insn *i,
		enum decode_end *ret_end);

/* What the decoder knows about an instruction. */
struct decoded {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* The same; *ret_d is not valid for what is no instruction (op_ud). */
int insn_decode_full(struct emu_cpu *cpu, struct block_cache *cache,
		     const uint8_t *bytes, size_t len, struct emu_insn *i,
		     enum decode_end *ret_end, struct decoded *ret_d);

/* X86_ES ...; DS if r is no segment register. */
unsigned int seg_index(ZydisRegister r);

/* Room that lives as long as the blocks; NULL: full. */
void *cache_alloc(struct block_cache *cache, size_t size);

/* fpu.c */
emu_fn op_vec;

#endif
