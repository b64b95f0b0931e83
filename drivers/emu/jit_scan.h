/*
 * drivers/emu/jit_scan.h -- a stretch of guest code, understood: what each
 * instruction is to the translator, which flags are wanted behind it, and
 * which memory accesses share a check.
 */
#ifndef EMU_JIT_SCAN_H
#define EMU_JIT_SCAN_H

#include "drivers/emu/jit.h"

enum jit_kind {
	JK_PLAIN,  /* itself, with other operands */
	JK_NOP,
	JK_HELPER, /* a call into the interpreter */
	JK_LEAVE,  /* the same, and out */
	JK_JCC, JK_JMP, JK_CALL, JK_RET,
	JK_JMP_IND, JK_CALL_IND,
	JK_PUSH, JK_POP, JK_LEAVE_FRAME, JK_LEA,
	JK_MULDIV,   /* RAX and RDX are hidden operands */
	JK_SHIFT_CL,
	JK_CMPXCHG,
	JK_CONVERT,  /* CBW, CWD and their kin */
	JK_ACC,	     /* short forms that imply the accumulator */
	JK_MOFFS,    /* MOV between it and an address without ModRM */
	JK_MULX,
	JK_FNSTSW,
	JK_PCMPISTRI,
	JK_SYS,	    /* system instructions: jit_sys.c */
	JK_SYS_END, /* the same, which go elsewhere */
};

struct scan_mem {
	struct jit_mem m;
	uint16_t size;
	bool read, write;
	int8_t group; /* shares a check with others, or -1 */
	bool first;   /* ... and is the one that checks */
	int32_t off;  /* against the first one's address */
};

struct scan_insn {
	struct decoded d;
	struct emu_insn i;
	uint8_t bytes[INSN_BYTES_MAX + 1];
	enum jit_kind kind;
	uint8_t key; /* of the block */
	uint16_t guest, next;	       /* offsets in the block */
	uint16_t reads, kills, writes; /* flags: RFLAGS' bits */
	uint16_t live;		       /* flags wanted behind it */
	bool may_fault;
	bool vec, x87;
	uint8_t n_mem;
	struct scan_mem mem[2];
	uint8_t cc;
	uint8_t until; /* see struct jit_insn */
};

struct scan_group {
	uint8_t first, last; /* instructions */
	bool write, simple;
	int32_t lo, hi; /* against disp of the first, with its registers */
	unsigned int users;
	/* While it is open: the key. */
	uint32_t base_ver, index_ver;
	uint8_t scale, seg;
	bool rip, base_none, index_none;
	int64_t origin; /* constant part of the first access */
};

struct jit_scan {
	unsigned int n, n_groups;
	uint16_t len;
	bool vec, x87;
	bool crosses; /* the next instruction goes on in the next page */
	struct scan_insn insn[JIT_INSNS_MAX];
	struct scan_group group[JIT_GROUPS_MAX];
};

static inline bool jit_is_legacy(const struct scan_insn *s)
{
	return s->key & JIT_KEY_LEGACY;
}

static inline bool jit_is_gpr(const ZydisDecodedOperand *o)
{
	ZydisRegisterClass c;

	if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	c = ZydisRegisterGetClass(o->reg.value);
	return c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 ||
	       c == ZYDIS_REGCLASS_GPR32 || c == ZYDIS_REGCLASS_GPR64;
}

/* The guest's number of a general register of any width; -1: none. */
static inline int jit_gpr_id(ZydisRegister r)
{
	if (r == ZYDIS_REGISTER_NONE)
		return -1;
	return ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(
		ZYDIS_MACHINE_MODE_LONG_64, r));
}

/* Does nothing of the block follow such an instruction? */
static inline bool jit_ends_block(enum jit_kind kind)
{
	switch (kind) {
	case JK_LEAVE:
	case JK_SYS_END:
	case JK_JMP:
	case JK_CALL:
	case JK_RET:
	case JK_JMP_IND:
	case JK_CALL_IND:
		return true;
	default:
		return false;
	}
}

/* The address that a memory operand names; nothing is said of the access. */
void jit_scan_address(const struct scan_insn *s, const ZydisDecodedOperand *o,
		      struct jit_mem *ret_mem);

/*
 * Reads code at phys, which lies in the page; with next, the page behind it,
 * only the instruction that is in both. 0 instructions: the first one crosses
 * into the next page, or is not for us.  -ENOMEM: the arena is full.
 */
int jit_scan(struct emu_cpu *cpu, struct jit_scan *s, const uint8_t *page,
	     const uint8_t *next, uint64_t phys);

#endif
