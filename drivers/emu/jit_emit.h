/*
 * drivers/emu/jit_emit.h -- what emits host code: shared by jit_translate.c,
 * jit_emit.c, jit_access.c, jit_branch.c and jit_sys.c.
 */
#ifndef EMU_JIT_EMIT_H
#define EMU_JIT_EMIT_H

#include "drivers/emu/jit_scan.h"

enum { G_RAX = H_R9, G_RCX = H_R10, G_RDX = H_R11, G_RSP = H_R15 };

#define OFF(field) JIT_GS(field)

/* What is done when a branch is taken; apart from the rest (emit_stubs()). */
enum stub_kind { STUB_SLOW, STUB_EXIT, STUB_HELPER, STUB_HELPER_AX };

struct stub {
	uint8_t *jump; /* rel32 to set */
	uint16_t n, mem;
	uint8_t kind;
	/* Of a branch to another page: */
	uint8_t table;
	bool legacy;
	uint8_t *back; /* if it is a call: what is done behind it ... */
	int32_t next;  /* ... for this place in the page */
};

enum { STUBS_MAX = 8 * JIT_INSNS_MAX };

struct emitter {
	struct emu_cpu *cpu;
	struct jit *jit;
	struct jit_scan *s;
	struct jit_buf b;
	struct jit_block *blk;
	unsigned int start; /* of the block in its page */
	unsigned int view, table;
	uint8_t key;
	int w; /* of addresses: W1 in 64-bit code */
	enum jit_flags_at fl;
	int rdx; /* slot in RDX, or -1 */
	int rcx; /* guest register in RCX, or -1 */
	int32_t sp; /* what pushes and pops have not added to RSP yet */
	unsigned int n_stubs;
	struct stub stubs[STUBS_MAX];
};

/* ---- jit_emit.c: instructions ---- */

/* The n-th instruction, whatever it is. */
void emit_one(struct emitter *e, unsigned int n);
/* Does the block check memory for it? */
bool checks_memory(const struct scan_insn *i);
/* Has the guest's register no place in the host's? */
bool spilled(int reg);
/* Flags wanted from before the instruction, by it or behind it. */
uint16_t wanted(const struct emitter *e, const struct scan_insn *i);
/* Before code that destroys the host's flags. */
void flags_aside(struct emitter *e, const struct scan_insn *i);
void host_flags(struct emitter *e);
void ax_flags(struct emitter *e);
void flags_from_ax(struct jit_buf *b);
/* Host register of a guest's, which is loaded into scratch if need be. */
int load_spilled(struct emitter *e, int scratch, int reg);
void store_spilled(struct emitter *e, int host, int reg);
/* The interpreter does the instruction: always, or where jump leads to. */
void emit_helper(struct emitter *e, unsigned int n);
void emit_helper_if(struct emitter *e, unsigned int n, uint8_t *jump);
/* reg := linear address at this offset of the page. */
void emit_rip(struct emitter *e, int reg, int32_t offset);
/* To tramp, with what n and mem say (struct jit_meta). */
void put_meta_jump(struct jit_buf *b, const uint8_t *tramp,
		   struct jit_block *blk, unsigned int n, unsigned int mem);
/* Where jump leads to: n and mem are what it is about (struct jit_meta). */
void add_stub(struct emitter *e, uint8_t *jump, unsigned int n,
	      unsigned int mem, enum stub_kind kind);
/* RSP := what pushes and pops have made of it. */
void flush_sp(struct emitter *e);
/* One of them has just added this. */
void add_sp(struct emitter *e, int32_t add);
bool uses(const struct host_mem *h, int reg);
/* A register that *h, which may change its form, is not made of. */
int scratch_beside(struct emitter *e, struct host_mem *h);

/* ---- jit_access.c: the guest's memory ---- */

/* dst := offset of the operand plus add, without the segment's base. */
void emit_offset(struct emitter *e, int dst, const struct jit_mem *m,
		 int32_t add);
/* RCX := linear address of the range to check, which has no limit. */
void emit_address(struct emitter *e, const struct jit_mem *m);
/*
 * Looks up RCX in the TLB: the branch returned is taken if size bytes there
 * must not be accessed; otherwise RDX is the entry's offset.  What reg has
 * then, RCX or RAX: emit_check().
 */
uint8_t *emit_tlb(struct emitter *e, unsigned int size, int32_t tag, int reg);
int32_t tlb_off(const struct emitter *e, size_t field);
/* Checks the access; returns the operand, made of RCX, RDX and the base. */
struct host_mem emit_mem(struct emitter *e, unsigned int n,
			 const struct scan_mem *m);

/* ---- jit_branch.c ---- */

/* An instruction that ends the block, or JCC. */
void emit_branch(struct emitter *e, unsigned int n);
/* To the code at RCX, which the table knows or jit_call_lookup() finds. */
void emit_lookup(struct emitter *e);
/* On to target, an offset in the page. */
void emit_goto(struct emitter *e, int32_t target);
/* jit.page := the page that RCX, at this offset of it, is in. */
void put_page(struct jit_buf *b, int32_t offset);
/* For the stub of a branch to another page. */
void emit_stale(struct emitter *e, const struct stub *s, int32_t target,
		bool ip16);

/* ---- jit_sys.c ---- */

/*
 * What system instructions are to the translator, JK_SYS or
 * JK_SYS_END; otherwise, kind.
 */
enum jit_kind jit_sys_kind(struct emu_cpu *cpu, const struct scan_insn *s,
			   enum jit_kind kind);
/* STOS, MOVS or LODS, repeated or not, that is JK_SYS? */
bool jit_sys_string(const struct scan_insn *s);
/* Sets reads, writes and kills. */
void jit_sys_flags(struct scan_insn *s);
/* Does the address of its operand depend on more than mem[] tells? */
bool jit_sys_own_mem(const struct scan_insn *s);
void emit_sys(struct emitter *e, unsigned int n);

#endif
