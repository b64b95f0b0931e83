/*
 * drivers/emu/cpu.h -- the vCPU as the interpreter (and later the translator)
 * sees it, and the way every instruction reaches guest memory.
 *
 * Theory of operation.  Guest code is decoded once, a block at a time, into
 * struct emu_insn with a direct pointer to the function that executes it
 * (decode.c).  Blocks are cached by physical address and mode, per vCPU; each
 * carries the generation of its physical page, which a write to the page
 * advances (mmu.c), so a stale block is noticed when it is entered next.
 *
 * Linear addresses go through a software TLB, one per privilege view of the
 * address space.  Pages that hold decoded code have no write tag in it.
 *
 * Exceptions leave the executing function by longjmp to the run loop
 * (emu_raise()).  Every function therefore does all its checks and memory
 * accesses before it changes registers; cpu->rip is that of the next
 * instruction while one executes and is put back on the way out.
 *
 * Arithmetic flags are kept as LAHF and SETO deliver them: the host's own
 * instructions compute them (alu.c).
 */
#ifndef EMU_CPU_H
#define EMU_CPU_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"
#include "drivers/emu/vec.h"
#include "vmm/engine.h"
#include "vmm/x86.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct emu_cpu;
struct emu_insn;
struct hv_cpu;
struct lapic;

typedef void emu_fn(struct emu_cpu *cpu, const struct emu_insn *i);

/*
 * The guest's x87/SSE/AVX state: an XSAVE area in the standard format with
 * XSTATE_BV = XCR0's bits always set, so that XRSTOR loads all of it.
 */
struct emu_fpu {
	_Alignas(64) uint8_t xsave[X86_XSAVE_SIZE];
	uint64_t xcr0;
};

enum { EMU_PAGE_SHIFT = 12 };
#define EMU_PAGE      4096ull
#define EMU_PAGE_MASK (~(EMU_PAGE - 1))

/* Exceptions (SDM vol. 3, "Exception and Interrupt Vectors"). */
enum {
	EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4,
	EXC_BR = 5, EXC_UD = 6, EXC_NM = 7, EXC_DF = 8, EXC_TS = 10,
	EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14, EXC_MF = 16,
	EXC_AC = 17, EXC_XM = 19, EXC_CP = 21,
};

/* RFLAGS. */
#define FLAG_CF	  BIT64(0)
#define FLAG_PF	  BIT64(2)
#define FLAG_AF	  BIT64(4)
#define FLAG_ZF	  BIT64(6)
#define FLAG_SF	  BIT64(7)
#define FLAG_TF	  BIT64(8)
#define FLAG_IF	  BIT64(9)
#define FLAG_DF	  BIT64(10)
#define FLAG_OF	  BIT64(11)
#define FLAG_IOPL (3ull << 12)
#define FLAG_NT	  BIT64(14)
#define FLAG_RF	  BIT64(16)
#define FLAG_VM	  BIT64(17)
#define FLAG_AC	  BIT64(18)
#define FLAG_VIF  BIT64(19)
#define FLAG_VIP  BIT64(20)
#define FLAG_ID	  BIT64(21)
#define FLAGS_ARITH \
	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* struct emu_cpu.aflags: AX after LAHF; SETO AL. */
#define AF_OF 0x0001u
#define AF_CF 0x0100u
#define AF_PF 0x0400u
#define AF_AF 0x1000u
#define AF_ZF 0x4000u
#define AF_SF 0x8000u

#define DR6_BD BIT64(13)
#define DR6_BS BIT64(14)
#define DR7_GD BIT64(13)

#define CR0_PE	    BIT64(0)
#define CR0_MP	    BIT64(1)
#define CR0_EM	    BIT64(2)
#define CR0_TS	    BIT64(3)
#define CR0_ET	    BIT64(4)
#define CR0_NE	    BIT64(5)
#define CR0_WP	    BIT64(16)
#define CR0_AM	    BIT64(18)
#define CR0_NW	    BIT64(29)
#define CR0_CD	    BIT64(30)
#define CR0_PG	    BIT64(31)
#define CR4_VME	    BIT64(0)
#define CR4_PVI	    BIT64(1)
#define CR4_TSD	    BIT64(2)
#define CR4_DE	    BIT64(3)
#define CR4_PSE	    BIT64(4)
#define CR4_PAE	    BIT64(5)
#define CR4_MCE	    BIT64(6)
#define CR4_PGE	    BIT64(7)
#define CR4_PCE	    BIT64(8)
#define CR4_OSFXSR  BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP    BIT64(11)
#define CR4_FSGSBASE BIT64(16)
#define CR4_PCIDE   BIT64(17)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP    BIT64(20)
#define CR4_SMAP    BIT64(21)
#define EFER_SCE    BIT64(0)
#define EFER_LME    BIT64(8)
#define EFER_LMA    BIT64(10)
#define EFER_NXE    BIT64(11)
#define EFER_FFXSR  BIT64(14)

/* Code size: how instructions decode. */
enum emu_mode { MODE_16, MODE_32, MODE_64 };

/* Views of the address space; SMAP makes two of the supervisor's. */
enum { MMU_USER, MMU_KERNEL, MMU_KERNEL_AC, MMU_VIEWS };
/*
 * The user's view under alignment checks: its entries stay invalid, so that
 * every access takes the slow path, which then uses MMU_USER.
 */
enum { MMU_ALIGN = MMU_VIEWS };

enum emu_access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

enum { EMU_TLB_BITS = 13, EMU_TLB_SIZE = 1 << EMU_TLB_BITS };

/* tag: linear page, or tlb_invalid().  host address = linear + addend. */
struct emu_tlb {
	uint64_t rtag, wtag;
	uintptr_t addend;
	uint64_t phys; /* page | TLB_GLOBAL | TLB_LARGE */
};
#define TLB_INVALID (~0ull)
/* TLB_USED: the entry is in tlb_used[0]; twice that: in tlb_used[1]. */
enum { TLB_GLOBAL = 1, TLB_LARGE = 2, TLB_USED = 4 };

struct emu_itlb {
	uint64_t tag; /* linear page | user */
	uint64_t phys;
	uint8_t *host; /* NULL: not RAM */
	struct emu_page *page;
	uint32_t flushes; /* cpu->itlb_flushes when it was filled */
	bool global, large;
};
enum { EMU_ITLB_SIZE = 256 };

/*
 * Where a jump from one page to another leads, without a look at the TLB:
 * good as long as no translation was dropped since (cpu->epoch).
 */
struct emu_jump {
	uint64_t rip;
	struct emu_block *block;
	uint64_t epoch;
	uint8_t cpl;
};
enum { EMU_JUMP_SIZE = 1024 };

/*
 * Does the page hold code that some vCPU has decoded?  Then no write tag
 * leads to it.  While it is marked, other vCPUs drop theirs.
 */
enum { PAGE_DATA, PAGE_MARKED, PAGE_CODE };

/*
 * What is known about one physical page of RAM; shared by all vCPUs.  A write
 * to a line without code in it leaves the others' code alone.
 */
struct emu_page {
	_Atomic uint32_t gen; /* advanced when its code was overwritten */
	_Atomic uint8_t code; /* PAGE_* */
	uint16_t stores;      /* that went beside the code */
	uint32_t hash;	      /* of the contents then */
	_Atomic uint64_t lines; /* 64-byte lines that were decoded */
};

struct emu_slot {
	uint64_t gpa, size;
	uint8_t *host; /* NULL: slot unused */
	bool readonly;
	bool smm; /* seen only in system management mode */
	struct emu_page *pages;
	_Atomic uint64_t *dirty; /* NULL: not logged */
	const uint64_t *blocks;	 /* those that are there; NULL: all */
	unsigned int block_shift;
};
enum { EMU_SLOTS = 64 };

/*
 * One decoded instruction.  Registers are byte offsets into struct emu_cpu's
 * gpr[] (so AH is RAX's + 1); SLOT_ZERO and SLOT_RIP stand for "none" and RIP
 * in addresses.
 */
struct emu_insn {
	emu_fn *fn;
	union {
		int64_t imm; /* sign-extended; also 64-bit displacement */
		struct emu_vec_insn *vec;
	};
	int32_t disp;
	uint16_t end; /* offset behind this instruction in its block */
	uint8_t dst, src;
	uint8_t base, index, scale;
	uint8_t seg;	 /* X86_DS, ... of the memory operand */
	uint8_t ea_slow; /* EA_*: not plain 64-bit flat */
	uint8_t len;
	uint8_t flags; /* INSN_* */
	uint8_t aux;   /* third register, condition, ... */
};

enum { EA_SEGBASE = 1, EA_ADDR32 = 2, EA_ADDR16 = 4, EA_LEGACY = 8,
       EA_BIG = 16 /* displacement is in imm */ };
enum { INSN_LOCK = 1, INSN_REP = 2, INSN_REPNE = 4, INSN_OP16 = 8,
       INSN_MODE64 = 16, INSN_ADDR16 = 32, INSN_ADDR32 = 64,
       INSN_OP64 = 128 };

struct emu_vec_insn {
	struct vec_op op;
	int64_t imm;
};

struct emu_block {
	struct emu_block *hash_next;
	struct emu_block *next[2]; /* fall through, taken: same page only */
	uint64_t phys;
	struct emu_page *page;
	uint32_t gen;
	uint16_t len; /* bytes of code */
	uint16_t n;
	uint8_t mode;
	bool chains; /* its successors may be remembered */
	/* The page on which its (only) instruction continues, or NULL. */
	struct emu_page *page2;
	uint64_t phys2;
	uint32_t gen2;
	struct emu_insn insn[];
};

/* cpu->pending */
enum {
	PEND_KICK = 1,
	PEND_IRQ = 2, /* look at the local APIC and ExtINT */
	PEND_NMI = 4,
	PEND_INIT = 8,
	PEND_SIPI = 16,
	PEND_FLUSH = 32, /* drop write tags: a page became code */
	PEND_SMC = 64,	 /* this vCPU wrote to code */
	PEND_STEP = 128,
	PEND_FLUSH_ALL = 256,
	PEND_SMI = 1024,
	PEND_CODE = 512, /* code that was translated has changed */
	PEND_SYNC = 2048, /* somebody waits for an answer (sync.c) */
	PEND_HYPERV = 16384, /* a message is to be delivered */
	PEND_LINES = 8192, /* look again at line_page's lines */
	PEND_WRITES = 4096, /* drop all write tags: writes are logged anew */
};

struct emu_msrs {
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, tsc_aux, misc_enable, mtrr_def;
	uint64_t mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	uint64_t kvmclock, wallclock, tsc_adjust, mcg_status;
	uint64_t debugctl, pv_eoi;
};

/*
 * What translated code reaches (jit.h).  The jump table is indexed with a
 * hash of RIP.
 */
enum { JIT_JUMP_BITS = 14, JIT_SLOTS = 24,
       JIT_JUMPS = 32768, JIT_FILTER = 32768 };
struct emu_jumps { /* one for each view, twice: JIT_TABLES */
	struct jit_to {
		uint64_t tag; /* RIP */
		const void *code;
	} to[1 << JIT_JUMP_BITS];
};

/* By view; those of 16-bit and 32-bit code are behind those of 64-bit code. */
enum { JIT_TABLES = 2 * MMU_VIEWS };

struct emu_jit {
	void *priv; /* struct jit; NULL: the interpreter alone */
	struct jit_lock *lock; /* NULL, but for emu:lockstep */
	struct emu_cpu *self;
	uint64_t page; /* linear address of the page being executed */
	uint64_t slot[JIT_SLOTS];
	uint64_t tmp, rax; /* saved on the way out */
	uint64_t host_sp;  /* in C code */
	uint64_t ret_sp;   /* in translated code: jit_return.c */
	uint64_t ret_base;
	uint64_t ret_saved[JIT_TABLES]; /* ret_sp of the others */
	uint8_t ret_table;
	uint8_t *ret_memory;
	/*
	 * Branches from page to page are linked as long as these stay the
	 * same: the second if both pages are global (jit_block.c).
	 */
	uint32_t space[2];
	uint32_t stale; /* of those that are not, look at one of so many */
	uint64_t rdx, rcx; /* to have on the way in */
	int64_t sp;	   /* RSP is less by that there, struct jit_insn */
	uint64_t resume;
	uint32_t host_mxcsr;
	uint16_t host_flags; /* LAHF, SETO on the way out */
	uint8_t key;
	uint8_t vec_loaded;  /* the guest's vector registers are the host's */
	uint8_t x87_loaded;
	uint8_t want_x87;    /* to be loaded on the way in */
	_Atomic uint8_t inside; /* translated code may be running */
	int tid;
	uint64_t fault_pc;   /* 0: a kick */
	uint64_t kick_pc;
	uint64_t changes; /* of vm->changes: seen */
	uint64_t xcr0;	  /* vec_xcr0_mask() */
	uint8_t fpu;	  /* JIT_KEY_FPU as in the jump table */
	/*
	 * 16-bit and 32-bit code: the highest offsets of segments that may be
	 * read and written to, -1 if none may; and what the jump tables of
	 * such code are for (jit_legacy.c).
	 */
	int64_t limit[X86_SEGS][2];
	struct emu_jit_legacy {
		uint64_t cs_base;
		uint32_t cs_limit;
		uint8_t key;
	} legacy;
	struct emu_jumps_used {
		unsigned int n;
		uint64_t pages[JIT_FILTER / 64]; /* hashes of their pages */
		uint32_t at[JIT_JUMPS]; /* view << JIT_JUMP_BITS | index */
		uint32_t flushes;
	} jumps_used[2]; /* of others, of global pages */
	uint64_t n_blocks, n_slow, n_helper, n_link, n_lookup, n_fault,
		n_kick, n_drop, n_flush;
};

/* User code that runs as it is: direct.h. */
struct emu_direct {
	struct direct *priv; /* NULL: it never does */
	_Atomic int inside;  /* the thread that does now, or 0 */
	uint8_t want;	     /* at the next look of the run loop */
	uint8_t eager;	     /* whenever the kernel returns to user mode */
	uint64_t n_entries;  /* from user mode into the kernel */
	uint64_t n_visits, n_maps, n_pages, n_ns;
};

/* The vCPU as others wait for it: sync.c. */
struct emu_sync {
	_Atomic bool busy; /* may touch memory: must be asked */
	_Atomic uint32_t asked, done;
	_Atomic uint32_t waiters, word; /* word: their futex */
};

enum { EMU_SMC_PAGES = 8 };

struct emu_cpu {
	/* Hot; within reach of an 8-bit displacement.  ORDER GPR. */
	uint64_t gpr[16];
	uint64_t zero; /* SLOT_ZERO: always 0 */
	uint64_t rip;  /* SLOT_RIP */
	uint16_t aflags;
	uint8_t cpl;
	uint8_t mode; /* enum emu_mode */
	_Atomic uint32_t pending; /* PEND_*; also the futex of a halted vCPU */
	uint64_t rflags; /* all but FLAGS_ARITH, which are in aflags */
	const struct emu_insn *cur;
	const struct emu_insn *block_end;
	struct emu_tlb *tlb; /* tlbs[mmu_view] */
	struct x86_segment seg[X86_SEGS];
	uint64_t sp_mask; /* from SS.B: 16, 32 or 64 bits */

	struct x86_segment ldt, tr;
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t pdpte[4]; /* PAE: loaded with CR3 */
	uint64_t dr[8];
	struct emu_msrs msr;
	uint64_t tsc_offset; /* guest TSC = host TSC + offset */

	/*
	 * Interrupts are held off for one instruction.  May stay set longer
	 * when nothing was pending: it is looked at only then.
	 */
	bool shadow;
	bool ss_shadow; /* ... and debug traps too: after MOV SS, POP SS */
	bool nmi_blocked;
	uint8_t nmi_latched; /* at most two: one being taken, one behind it */
	_Atomic uint8_t nmis_arrived;
	bool halted;
	_Atomic bool unhalted; /* by another vCPU: HLT is over */
	bool smm, smi_latched;
	bool init_latched; /* in SMM: INIT comes after RSM */
	bool smm_in_nmi;   /* NMIs were blocked when the SMI came */
	uint32_t smbase;
	bool step_db;	  /* RFLAGS.TF: #DB after this instruction */
	bool watch;	  /* a data breakpoint is enabled */
	uint64_t db_pending; /* DR6 bits of a debug trap to come */
	uint8_t run_state; /* enum x86_run_state */
	int sipi_vector;
	_Atomic bool sleeping;
	bool stop; /* leave the run loop: result is in it */
	enum run_result result;

	/* The exception being raised, and what was being delivered. */
	jmp_buf *escape;
	uint8_t exc_vector;
	bool exc_has_error;
	bool exc_soft; /* INT n, INT3, INTO: RIP is behind it */
	uint32_t exc_error;
	int delivering; /* vector being delivered, or -1 */

	unsigned int id;
	struct vm *vm;
	struct lapic *lapic;
	struct hv_cpu *hv; /* hyperv.h */
	struct x86_cpuid cpuid;
	void *cache; /* decode.c's */
	struct emu_test *test;

	unsigned int n_pauses;
	struct emu_page *smc[EMU_SMC_PAGES]; /* with PEND_SMC: written to */
	unsigned int n_smc;
	struct emu_page *line_page; /* with PEND_LINES */
	uint64_t line_mask;
	struct emu_sync sync;
	bool large_pages;	   /* the TLB may hold parts of some */

	/*
	 * Entries of tlbs[] that are in use, so that a flush is short; those
	 * that were global when they got there apart from others.
	 */
	struct emu_tlb_used {
		unsigned int n;
		uint16_t at[MMU_VIEWS * EMU_TLB_SIZE];
	} tlb_used[2];
	uint32_t itlb_flushes; /* of what is not global */

	uint64_t n_insns, n_blocks, n_tlb_miss, n_tlb_flush, n_decoded,
		n_exits;

	struct emu_jit jit;
	struct emu_direct direct;

	uint64_t epoch; /* advanced when the instruction TLB loses anything */
	struct emu_jump jumps[EMU_JUMP_SIZE];
	struct emu_itlb itlb[EMU_ITLB_SIZE];
	struct emu_tlb tlbs[(MMU_VIEWS + 1) * EMU_TLB_SIZE]; /* by view */
	struct emu_fpu fpu;
	struct emu_jumps jumps_to[JIT_TABLES];
};

#define SLOT_ZERO 128
#define SLOT_RIP  136
static_assert(offsetof(struct emu_cpu, zero) == SLOT_ZERO, "ORDER GPR");
static_assert(offsetof(struct emu_cpu, rip) == SLOT_RIP, "ORDER GPR");

struct emu_test;

/*
 * A bare run for tests, without a machine: code at state->rip executes with
 * linear addresses mapped straight onto the given memory (so a test may use
 * the host's own addresses and run the same bytes natively).  Stops after
 * max_insns, at HLT, or at the first exception or interrupt instruction,
 * which is reported and not delivered; state is then that before the
 * faulting instruction.
 */
struct emu_test_mem {
	uint64_t addr; /* page aligned, as is size */
	size_t size;
	void *host;
	bool readonly;
};

struct emu_test {
	const struct emu_test_mem *mem;
	unsigned int n_mem;
	struct x86_state *state; /* in and out */
	unsigned int max_insns;
	bool links; /* translated blocks go on to others: nothing stops them */
	/* out */
	bool fault;
	uint8_t vector;
	uint32_t error;
	unsigned int n_insns;
};

/* A 64-bit ring 3 state, everything vectorial enabled: to be filled in. */
void emu_test_state64(struct x86_state *ret_state);
/* 0 or -errno.  Creates what it needs; slow but without limits. */
int emu_test_run(struct emu_test *test);
/* The same, keeping the CPU between runs: for millions of short ones. */
struct emu_cpu *emu_test_cpu_create(const struct emu_test_mem *mem,
				    unsigned int n_mem, bool translates);
void emu_test_cpu_destroy(struct emu_cpu *cpu);
int emu_test_cpu_run(struct emu_cpu *cpu, struct emu_test *test);

#endif
