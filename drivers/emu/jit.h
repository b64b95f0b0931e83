/*
 * drivers/emu/jit.h -- the translator: x86-64 code made from x86-64 code.
 *
 * Theory of operation.  A guest instruction runs as itself: jit_rewrite.c
 * re-encodes it with host registers in place of the guest's and with a host
 * address in place of its memory operand.  Around it the translator puts what
 * the guest's processor would do: the software TLB's check of the address,
 * and saving of arithmetic flags that this check would destroy while they are
 * still wanted.  What is rare is one call into the interpreter.
 *
 * Registers.  Host RAX, RCX and RDX are the translator's, for they are what
 * instructions use without naming them; RSP is the stack of return addresses
 * (jit_return.c), and in C code the host's.  The other
 * twelve hold guest registers (jit_map), four guest registers live in the
 * vCPU, which GS points into.  Guest XMM and YMM registers are the host's from
 * the first block that uses them to the next call of C code, x87 registers
 * until somebody wants them in memory.  Of the four, RCX may hold one that was
 * used last; behind pushes and pops RSP's register lags (struct jit_insn).
 *
 * Flags are the host's, or in AX, as LAHF and SETO AL left them.  From one page
 * to another, and behind a return, they are in AX; a block has ways in for
 * either (struct jit_block).
 *
 * Blocks.  One translates code of one page, in one mode, for one view of the
 * address space; it goes on behind a conditional branch, so it has one
 * entry and several exits.  Code addresses in it are relative to the page
 * (cpu->jit.page), so that all mappings of a page share it.  Direct exits are
 * linked; those to other pages as long as a number is what it was then
 * (cpu->jit.space), which changes with every flush that may concern code.
 * Indirect ones, and those whose link is stale, look up a table by linear
 * address (cpu->jumps_to), which a TLB flush empties.
 *
 * What is said here of addresses of code is so in 64-bit mode; in others, read
 * offsets in CS (jit_legacy.c).
 *
 * The view tells the privilege level, 0 or 3.  SYSCALL, SYSRET, STAC and CLAC
 * lead from one view to another without leaving translated code (jit_sys.c).
 *
 * Whoever leaves translated code does so at an instruction's boundary: the
 * table of a block's instructions says where its host code begins, and where
 * the flags are then.  So nothing is written down while code runs, and
 * signals, faults and the TLB's slow path find the guest's state (jit_run.c,
 * jit_signal.c).
 */
#ifndef EMU_JIT_H
#define EMU_JIT_H

#include <stdio.h>

#include "drivers/emu/decode.h"
#include "drivers/emu/jit_asm.h"

enum {
	JIT_INSNS_MAX = 64,
	JIT_GROUPS_MAX = 24,	  /* slots that hold a checked address */
	JIT_CODE_SIZE = 32 << 20,
	JIT_HOT_SIZE = 20 << 20, /* of it; the rest is for what is rare */
	JIT_CROSSINGS = 64,
	JIT_CROSSING_PAYS = 50000, /* cycles between two of a block's */
	JIT_BLOCK_ROOM = 24 << 10, /* a block's code is never longer */
};

/* Where the arithmetic flags are. */
enum jit_flags_at { JF_HOST, JF_AX, JF_DEAD, JF_BOTH };

/*
 * What GS is added to for a field of the vCPU.  It points to the TLB of the
 * user's view, whose entries need short displacements or none.
 */
#define JIT_GS(field)                                    \
	((int32_t)(offsetof(struct emu_cpu, field) - \
		   offsetof(struct emu_cpu, tlbs)))
static_assert(MMU_USER == 0, "JIT_GS()");

/* Host register of a guest register, or H_NONE: in cpu->gpr[]. */
extern const int8_t jit_map[16];

/* No segment: its base is 0, and nothing is beyond its limit. */
enum { JIT_FLAT = X86_SEGS };

/* A checked range: key is the address without its constant part. */
struct jit_mem {
	int8_t base, index; /* guest registers, or -1 */
	uint8_t scale, seg; /* shift; X86_FS, ..., or JIT_FLAT */
	bool rip, addr32, addr16;
	bool limited;	/* the segment's limit counts, and 32 bits of sums */
	bool write;	/* what the check is for; a group may want more ... */
	bool own_write; /* ... than this access */
	uint16_t size;	/* of this access */
	int32_t disp;	/* of this access */
	int32_t lo, hi; /* range checked, relative to this access */
};

/* What is kept of a translated instruction. */
struct jit_insn {
	uint16_t guest;	      /* offset in the block */
	uint16_t host;	      /* offset of its code behind block->code */
	uint8_t flags_entry;  /* enum jit_flags_at at its beginning */
	uint8_t flags_inside; /* ... when it reaches memory */
	uint8_t flags_body;   /* ... when the host may fault */
	uint8_t rdx;	      /* slot that RDX has at its beginning, or 0xff */
	uint8_t rcx;	      /* guest register that RCX has, or 0xff */
	uint8_t until;	      /* if its check fails: interpret up to this */
	int16_t sp;	      /* the guest's RSP less the host's register */
	struct emu_insn insn;
};

struct jit_block;

/* A branch out of a block, linked or not. */
struct jit_exit {
	struct jit_block *from;
	struct jit_block *to; /* NULL: goes to its stub */
	struct jit_exit *to_next, **to_prev; /* of its incoming */
	uint8_t *jump; /* the rel32, as written */
	uint8_t *stub; /* as executed */
	uint8_t *check; /* to another page: what is compared; else NULL */
	uint8_t *page, *own_page; /* 64-bit constants behind that; or NULL */
	int32_t target; /* offset in the page, may lie outside */
	uint8_t flags;	/* enum jit_flags_at */
	bool returns;	/* what a call comes back to */
	bool ip16;	/* the target is cut to 16 bits */
};

struct jit_block {
	struct jit_block *hash_next, *page_next;
	struct emu_page *page;
	uint64_t phys;
	uint32_t gen;
	/* An instruction that goes on in the next page: that one, or NULL. */
	struct emu_page *page2;
	uint64_t phys2;
	uint32_t gen2;
	struct jit_block *twin; /* this only stands for it in page2's list */
	uint64_t rip; /* when it was translated */
	uint8_t key;
	bool dead;
	bool vec, x87; /* units that are loaded from its beginning to its end */
	uint8_t crossings;
	uint64_t crossed; /* TSC at the first of them */
	uint16_t len; /* guest bytes */
	uint16_t n, n_exits, n_mems;
	/*
	 * Ways in, in this order in memory: from another page, RCX being RIP;
	 * from the same page; the same with its units loaded.  Flags are in
	 * AX.  Then the same two with flags in the host's.
	 */
	const uint8_t *entry, *code, *body;
	const uint8_t *host_code, *host_body;
	uint8_t flags; /* where its first instruction wants them */
	const uint8_t *code_end;
	struct jit_exit *incoming; /* linked here, by to_next */
	struct jit_insn *insn;
	struct jit_exit *exits;
	struct jit_mem *mems;
};

/* What the code, besides the page, depends on: cpu->jit.key. */
enum {
	JIT_KEY_VIEW = 3, /* MMU_* */
	JIT_KEY_FPU = 4,  /* vector and x87 instructions raise nothing */
	JIT_KEY_OFF = 8,  /* this state is the interpreter's */
	/* jit_legacy.c; 64-bit code has none of these. */
	JIT_KEY_16 = 16, JIT_KEY_32 = 32, /* its default operand size */
	JIT_KEY_FLAT = 64,  /* DS, ES and SS are JIT_FLAT; so is CS, as code */
	JIT_KEY_SP16 = 128, /* SP is the stack pointer */
	JIT_KEY_LEGACY = 0xf0,
};

static inline enum emu_mode jit_key_mode(uint8_t key)
{
	return key & JIT_KEY_16 ? MODE_16 : key & JIT_KEY_32 ? MODE_32
							     : MODE_64;
}

enum {
	JIT_HASH_BITS = 16,
	JIT_PAGES = 1 << 14,   /* hash of pages; half of it is used */
	JIT_LIST_MAX = 1 << 18,
	JIT_HEAT_BITS = 16,
	JIT_HOT = 8,
};

struct jit_page {
	struct emu_page *page;
	struct jit_block *blocks; /* by page_next */
	/* Where it was seen; good while the jump table was not emptied. */
	uint64_t linear;
	uint32_t flushes;
	bool global;
	bool twice; /* at two addresses at one time */
};

struct jit_range {
	const uint8_t *start, *end;
};

enum { JIT_WAYS_IN = 8 };

struct jit {
	struct jit_buf buf, cold;
	uint8_t *write;	     /* JIT_CODE_SIZE bytes, twice mapped */
	const uint8_t *exec;
	uint8_t *blocks_start; /* behind the trampolines, as written */
	struct jit_block **hash;
	struct jit_block **list; /* all of them, by address of their code */
	size_t n_list;
	struct jit_block *known[1024]; /* by address */
	size_t n_pages;
	struct jit_page *pages;	 /* hash of those with blocks */
	uint64_t apart[1024];	 /* addresses whose accesses share nothing */
	uint8_t *heat;		 /* how often code was asked for, by address */
	unsigned int hot; /* how often code is interpreted first */
	bool full;   /* flush before the next translation */
	bool strict; /* flags are exact at faults, wanted or not */
	/* Trampolines. */
	void (*enter)(const void *code);
	const uint8_t *slow, *helper, *helper_ax, *link, *link_ax, *lookup,
		*leave, *fault, *load_vec, *load_x87, *bail, *stray;
	const uint8_t *mismatch[JIT_TABLES]; /* of a return */
	struct jit_range go_on[JIT_WAYS_IN]; /* on the way in */
	unsigned int n_go_on;
	struct jit_scan *scan;
};

/* jit_mem.c: the code's memory, once per vCPU, before the sandbox. */
int jit_create(struct emu_cpu *cpu);
void jit_destroy(struct emu_cpu *cpu);
void jit_flush(struct emu_cpu *cpu); /* everything; not from inside code */
/* After that: the pages of what was translated go back to the host. */
void jit_release(struct emu_cpu *cpu);
static inline struct jit *jit_of(struct emu_cpu *cpu)
{
	return cpu->jit.priv;
}

/* jit_tramp.c */
void jit_make_trampolines(struct emu_cpu *cpu);
/*
 * RCX is RIP, flags are in AX: the jump table's entry is left at GS:RDX plus
 * the offset returned (of its code); the branch returned goes where there is
 * none.  The last is by place in memory, as written.
 */
int32_t jit_put_lookup(struct jit_buf *b, unsigned int table,
		       uint8_t **ret_miss);
uint32_t jit_jump_index(uint64_t rip);

/* jit_return.c: the stack of return addresses, for the host's predictor. */
int jit_returns_create(struct emu_cpu *cpu);
void jit_returns_destroy(struct emu_cpu *cpu);
void jit_returns_start(struct emu_cpu *cpu); /* trampolines are there */
uint64_t jit_returns_base(const struct emu_cpu *cpu, unsigned int table);
/* A fault at this address: the stack's end?  Then RSP is set. */
bool jit_returns_overflow(const struct emu_cpu *cpu, uint64_t addr,
			  uint64_t *rsp);

/* jit_emit.c: NULL when there is no room or nothing to translate. */
struct jit_block *jit_translate(struct emu_cpu *cpu, uint64_t rip,
				const struct emu_itlb *t);

/* jit_dump.c: for --jit-dump and --perf-map, what was translated to what. */
void jit_tell_trampolines(struct emu_cpu *cpu);
void jit_tell_block(struct emu_cpu *cpu, const struct jit_block *b,
		    const uint8_t *page);
/* At rip, with the guest's bytes: instructions and their host code. */
void jit_dump_block(FILE *f, const struct jit *jit, const struct jit_block *b,
		    uint64_t rip, const uint8_t *guest);
uint64_t jit_code_used(const struct jit *jit); /* bytes */

/* jit_block.c: finding, linking and dropping blocks. */
struct jit_block *jit_find(struct emu_cpu *cpu, uint64_t rip);
/* The same for what the jump table has, perhaps; NULL: look. */
struct jit_block *jit_known(struct emu_cpu *cpu, uint64_t rip);
struct jit_block *jit_block_of_code(struct jit *jit, const uint8_t *pc);
/* The last instruction of the block whose code does not begin behind pc. */
unsigned int jit_insn_at(const struct jit_block *b, const uint8_t *pc);
/* To a block that jit_find() has just found. */
void jit_link(struct emu_cpu *cpu, struct jit_exit *exit,
	      struct jit_block *to);
void jit_drop_stale(struct emu_cpu *cpu);
uint8_t jit_key(const struct emu_cpu *cpu);
/* Is it still that, after what cannot load segment registers? */
bool jit_key_is(const struct emu_cpu *cpu, uint8_t key);
/* Is there code for this address, as the vCPU is now? */
bool jit_has(struct emu_cpu *cpu, uint64_t phys);
/* Drops the block, which is made anew without sharing of checks. */
void jit_translate_apart(struct emu_cpu *cpu, struct jit_block *b);
bool jit_is_apart(const struct jit *j, uint64_t phys);
void jit_jumps_start(struct emu_cpu *cpu); /* the table is empty */
/* Enters the block into the jump table. */
void jit_remember_jump(struct emu_cpu *cpu, uint64_t rip,
		       const struct jit_block *b, const struct emu_itlb *t);

/* The linear address of code at RIP. */
static inline uint64_t jit_linear(const struct emu_cpu *cpu, uint64_t rip)
{
	if (likely(cpu->mode == MODE_64))
		return rip;
	return (uint32_t)(cpu->seg[X86_CS].base + rip);
}

/* jit_legacy.c: 16-bit and 32-bit code.  The key without view and units. */
uint8_t jit_legacy_key(const struct emu_cpu *cpu);
/* Before code for cpu->jit.key is looked for: segments may have changed. */
void jit_legacy_enter(struct emu_cpu *cpu);
/* Does CS hold the whole page that RIP is in? */
bool jit_legacy_holds(const struct emu_cpu *cpu, uint64_t rip);
/* Is the range at this offset within the segment? */
bool jit_legacy_passes(const struct emu_cpu *cpu, const struct jit_mem *m,
		       uint64_t offset);

/* jit_run.c: called by translated code; NULL: leave it. */
struct jit_meta { /* behind the call in the code */
	struct jit_block *block;
	uint16_t n, mem; /* instruction (of mems: the range), or exit */
} __attribute__((packed));
const void *jit_call_slow(struct emu_cpu *cpu, const struct jit_meta *meta);
const void *jit_call_helper(struct emu_cpu *cpu, const struct jit_meta *meta);
const void *jit_call_link(struct emu_cpu *cpu, const struct jit_meta *meta);
const void *jit_call_lookup(struct emu_cpu *cpu);
void jit_call_fault(struct emu_cpu *cpu);

/* Runs translated code at RIP, if there is any; false: there is not. */
bool jit_run(struct emu_cpu *cpu);
/* At the beginning of a run, on its thread; and after a longjmp. */
void jit_attach(struct emu_cpu *cpu);
void jit_escaped(struct emu_cpu *cpu);
/* With cpu->jit.x87_loaded: x87 registers to cpu->fpu.  On its thread. */
void jit_sync_x87(struct emu_cpu *cpu);

/* Runs code that was found for RIP. */
void jit_enter(struct emu_cpu *cpu, const void *code);

/* jit_lockstep.c: NULL cpu->jit.lock means that nobody compares. */
int jit_lockstep_create(struct emu_cpu *cpu);
void jit_lockstep_destroy(struct emu_cpu *cpu);
/* Instead of jit_enter(); a difference sets cpu->stop. */
bool jit_lockstep(struct emu_cpu *cpu, const void *code);
bool jit_lockstep_translating(const struct emu_cpu *cpu);
#define JIT_RAN_OUT (~0u)
/* Shall translated code stop before its n-th instruction, or at an exit? */
bool jit_lockstep_stop(struct emu_cpu *cpu, unsigned int n, bool kicked);

/* jit_signal.c */
int jit_signal_init(void);
void jit_signal_attach(struct emu_cpu *cpu);
void jit_signal_detach(void);
void jit_kick(struct emu_cpu *cpu); /* any thread: out of the code */

#endif
