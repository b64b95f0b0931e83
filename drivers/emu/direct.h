/*
 * drivers/emu/direct.h -- user code of the guest runs as it is.
 *
 * Theory of operation.  The guest's user-mode code is 64-bit x86 code, like
 * the host's.  Where a program computes for long without its kernel, nothing
 * has to be translated: it runs natively in a process of its own, a stub
 * (direct_stub.h), whose mappings mirror the guest's page tables for user
 * mode.  System calls (seccomp), faults and whatever else the host does not do
 * as the guest's processor would are signals in the stub; then the registers
 * come back and the translator goes on, in most cases by raising the exception
 * or entering the guest's kernel.
 *
 * A mirror is to the guest's page tables what a TLB is: mappings are made when
 * they are missed (direct_map.c), and dropped where the architecture says that
 * a TLB drops its entries; when it drops them all, only those go that are not
 * what the page tables say.  There is one mirror for each address space, told
 * apart by CR3, of a vCPU's own.  Pages that hold translated code are not writable in
 * it, as they have no write tag in the software TLB.
 *
 * Each visit costs some microseconds of context switches and each page a
 * system call, so it must pay: direct_policy.c keeps accounts.
 *
 * A stub is trusted with nothing: it has no descriptors that its guest code
 * could use, no system calls but to park, and only memory of the guest's that
 * the guest's kernel shows to that program.  The engine believes nothing that
 * a stub says but that it stands still, which the kernel says.  When an
 * address space may have become another program's, the stub is ended.
 */
#ifndef EMU_DIRECT_H
#define EMU_DIRECT_H

#include <time.h>

#include "drivers/emu/direct_stub.h"
#include "drivers/emu/exec.h"

enum {
	DIRECT_MIRRORS = 4,	/* of a vCPU */
	DIRECT_PAGES = 1 << 15, /* that one has mapped at most */
	DIRECT_SWITCH = 20000,	/* ns: there and back, with what caches lose */
	DIRECT_MAPPER = 14000,	/* ns: that the mapper has to do something */
	DIRECT_OP = 6000,	/* ns: a request to it */
};

/* A thread of a stub as the kernel's notifications show it. */
struct stub_thread {
	int listener;
	uint64_t parked; /* the notification that is not answered, or 0 */
	uint64_t said;	 /* with it */
};

struct stub {
	clockid_t clock; /* of its CPU time */
	int pid; /* and the runner's thread; 0: there is none */
	struct stub_thread runner, mapper;
	void *shared; /* ops, state, copies of pages */
	bool deaf;    /* it does not park, and is to be killed */
};

static inline struct stub_ops *stub_ops(const struct stub *s)
{
	return s->shared;
}

static inline uint8_t *stub_copy(const struct stub *s, unsigned int n)
{
	return (uint8_t *)s->shared + STUB_COPIES + n * EMU_PAGE;
}

static inline struct stub_state *stub_state(const struct stub *s)
{
	return (void *)((uint8_t *)s->shared + STUB_OPS_LEN);
}

/* Something that is mapped: 4 KiB, or 2 MiB. */
enum {
	DP_WRITE = 1,
	DP_EXEC = 2,
	DP_BIG = 4,   /* 2 MiB */
	DP_PIECE = 8, /* of a large page of the guest's */
	DP_COPY = 16, /* what is executed is a copy, with HLTs */
	DP_USED = 32,
};
struct direct_page {
	uint64_t lin; /* | DP_*; 0: free, DP_USED alone: not any more */
	uint64_t phys;
	uint32_t copy, gen; /* which one, of what */
};

struct mirror {
	uint64_t cr3;	 /* without what is not of an address space */
	uint64_t used;	 /* when: the oldest makes room */
	uint64_t ran;	 /* the stub's CPU time that is accounted for ... */
	uint64_t guessed; /* but for this, which was taken for it */
	struct stub stub;
	bool stale;	 /* everything has to go before the next visit */
	bool doubted;	 /* what the guest's tables do not say any more, has */
	uint64_t missed; /* the page that the guest's kernel was left for, or 0 */
	enum emu_access missed_as;
	bool pieces;	 /* there are some */
	bool tsc;	 /* it may read the host's TSC */
	uint64_t copies; /* that are in use: a bit for each */
	unsigned int n_ops; /* to do at the next visit */
	unsigned int n_used;
	uint16_t *at;		   /* of pages[], that are not free */
	struct direct_page *pages; /* hash of twice DIRECT_PAGES */
};

struct direct {
	struct mirror mirror[DIRECT_MIRRORS];
	uint64_t clock; /* of struct mirror's used */
	bool broken;	/* a stub could not be made, or was lost */
	/* Hash of the physical pages that some mirror may write. */
	uint64_t writable[1024];
	struct direct_account *account;
	uint64_t outside; /* the TSC, when the thread came back */
	/* What runs now is watched since then; n_entries and CPU time then. */
	bool watching;
	uint64_t seen_when, seen_entries, seen_time;
};

/* direct_zygote.c: a process that makes stubs; before the sandbox. */
int direct_zygote_create(struct vm *vm);
void direct_zygote_destroy(struct vm *vm);
/* It still has all that it was made with mapped: unmap that first. */
int stub_create(struct vm *vm, unsigned int vcpu, bool tsc,
		struct stub *ret_stub);
void stub_destroy(struct stub *s);
/*
 * Does the first n of stub_ops() and lets it run until it parks again, which
 * it must if there is something pending.  It did not run: -ENOMEM, some could
 * not be done; -EINTR, once more; -ESRCH, it was gone.  Else -errno: it went, or
 * is of no use.
 */
int stub_run(struct stub *s, unsigned int n, const _Atomic uint32_t *pending);

/*
 * direct_map.c.  direct_mirror(): of the address space that is loaded, made if
 * there is none; NULL: it cannot be.
 */
struct mirror *direct_mirror(struct emu_cpu *cpu);
/* False: not RAM that user mode may access so; this raises no exception. */
bool direct_map(struct emu_cpu *cpu, struct mirror *m, uint64_t lin,
		enum emu_access access);
/* After a flush: drops what the guest's page tables do not say any more. */
void direct_verify(struct emu_cpu *cpu, struct mirror *m);
/* Does what is due, and runs it; as stub_run(). */
int direct_enter(struct mirror *m, const _Atomic uint32_t *pending);
/* A byte that is mapped, or -1. */
int direct_peek(struct emu_cpu *cpu, struct mirror *m, uint64_t lin);
void mirror_end(struct mirror *m);

/*
 * direct_scan.c: makes instructions fault that would do natively what the
 * guest's processor does not, and says how many; -1: it cannot be told whether
 * some are.  before, behind: the pages at either side, or NULL; ret_before: one
 * begins in the former, and ends here.
 */
int direct_disarm(struct emu_cpu *cpu, uint8_t *page, const uint8_t *before,
		  const uint8_t *behind, bool *ret_before);

/* direct_policy.c; ns. */
struct direct_account *direct_accounts_create(void);
void direct_earned(struct emu_cpu *cpu, uint64_t ran, uint64_t paid);
/* A series of visits has ended, to the guest's kernel; the last ran so long. */
void direct_left(struct emu_cpu *cpu, uint64_t ran);
/*
 * Another address space is loaded.  known: it has a mirror; flushed: it may be
 * another than when it was loaded before.
 */
void direct_policy_switch(struct emu_cpu *cpu, bool known, bool flushed);
/* What runs now has ended its stub. */
void direct_leave_alone(struct emu_cpu *cpu);
uint64_t direct_cpu_time(clockid_t clock);

/* direct.c: of a vCPU that is created, and destroyed. */
void direct_attach(struct emu_cpu *cpu);
void direct_detach(struct emu_cpu *cpu);
/* Runs user code, if it can be run here. */
bool direct_run(struct emu_cpu *cpu);
/* The vCPU is idle: memory goes back. */
void direct_trim(struct emu_cpu *cpu);

#endif
