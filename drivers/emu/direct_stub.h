/*
 * drivers/emu/direct_stub.h -- what a stub process and the engine share.
 *
 * A stub has nothing mapped but the guest's user pages and, where programs
 * have nothing, its own few: code; a page of requests that it can only read;
 * and its state with the stack of its signal handler.
 *
 * Two threads.  The runner executes the guest's code; whatever that cannot do
 * by itself is a signal, whose handler leaves the registers in struct
 * stub_state and parks: a system call that waits for the engine's answer
 * (SECCOMP_RET_USER_NOTIF), so that the kernel vouches for its standing still.
 * Guest code may jump into the handler or write into the state: it can say
 * nothing there that it could not say by having other registers.  The mapper
 * parks likewise; woken, it maps and unmaps as the requests say, and answers
 * the runner in the engine's place.  It keeps nothing in memory that the runner
 * can write.
 */
#ifndef EMU_DIRECT_STUB_H
#define EMU_DIRECT_STUB_H

/* Addresses in a stub; its parts are whole pages. */
#define STUB_BASE     0x680000000000
#define STUB_CODE     STUB_BASE
#define STUB_CODE_LEN 0x1000
#define STUB_OPS      (STUB_BASE + 0x10000)
#define STUB_OPS_LEN  0x4000
#define STUB_STATE    (STUB_BASE + 0x20000)
#define STUB_STATE_LEN 0x8000 /* the rest is the handler's stack */
#define STUB_LEN      0x40000
/* In the memory that is shared with it, behind ops and state. */
#define STUB_COPIES	(STUB_OPS_LEN + STUB_STATE_LEN)
#define STUB_COPIES_MAX 64
#define STUB_SHARED_LEN (STUB_COPIES + STUB_COPIES_MAX * 0x1000)
#define STUB_PML4_BITS 39
/* What lies between its address and this the guest has for itself. */
#define STUB_LOW  0x10000 /* below: vm.mmap_min_addr */
#define STUB_HIGH 0x7ffffffff000

/* Descriptors: a socket to begin with; guest memory, and what is shared. */
#define STUB_SOCKET 3
#define STUB_RAM    4

/* The number of getuid(): any that is not needed. */
#define STUB_PARK   102
/* What the mapper says: some failed; the runner was not to be answered. */
#define SAID_FAILED  1
#define SAID_UNHEARD 2
#define STUB_ANSWER 0xc0182101 /* SECCOMP_IOCTL_NOTIF_SEND */

/* struct stub_ops */
#define OPS_DONE   8
#define OPS_FAILED 32
#define OPS_OP	   56
#define OP_ADDR	  0
#define OP_LEN	  8
#define OP_OFFSET 16
#define OP_PROT	  24
#define OP_FLAGS  28
#define OP_FD	  32
#define OP_SIZE	  40
#define OP_UNMAP  -1 /* instead of PROT_* */

/* struct stub_state */
#define ST_GREGS    0
#define ST_FS	    184
#define ST_GS	    192
#define ST_SIG	    200
#define ST_CODE	    204
#define ST_ADDR	    208
#define ST_KEEP	    216
#define ST_LISTENER 220
#define ST_SCRATCH  224
#define ST_FPROG    232
#define ST_MSG	    248
#define ST_MSG_FD   328 /* two */
#define ST_XSAVE    384
#define ST_XSAVE_LEN 832

#ifndef __ASSEMBLER__
#include <assert.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/ucontext.h>

struct stub_op {
	uint64_t addr, len, offset;
	int32_t prot;
	uint32_t flags; /* MAP_* */
	int64_t fd;
};

struct stub_ops {
	uint64_t n;
	struct seccomp_notif_resp done, failed; /* what the runner is told */
	struct stub_op op[];
};
#define STUB_OPS_MAX \
	((STUB_OPS_LEN - sizeof(struct stub_ops)) / sizeof(struct stub_op))

struct stub_state {
	uint64_t gregs[NGREG]; /* REG_*: <sys/ucontext.h> */
	uint64_t fs, gs;       /* bases */
	uint32_t sig, code;
	uint64_t addr;
	uint32_t keep; /* go on with the registers as they were */
	int32_t listener;
	uint64_t scratch;
	struct sock_fprog mapper_filter;
	struct msghdr msg; /* sends the listener */
	uint64_t unused;
	_Alignas(8) uint8_t control[CMSG_SPACE(2 * sizeof(int))];
	_Alignas(64) uint8_t xsave[ST_XSAVE_LEN]; /* standard format */
};

#define OFFSET(at, type, field) \
	static_assert(offsetof(type, field) == (at), "direct_stub.S")
OFFSET(OPS_DONE, struct stub_ops, done);
OFFSET(OPS_FAILED, struct stub_ops, failed);
OFFSET(OPS_OP, struct stub_ops, op);
OFFSET(OP_OFFSET, struct stub_op, offset);
OFFSET(OP_PROT, struct stub_op, prot);
OFFSET(OP_FLAGS, struct stub_op, flags);
OFFSET(OP_FD, struct stub_op, fd);
OFFSET(ST_FS, struct stub_state, fs);
OFFSET(ST_SIG, struct stub_state, sig);
OFFSET(ST_ADDR, struct stub_state, addr);
OFFSET(ST_KEEP, struct stub_state, keep);
OFFSET(ST_LISTENER, struct stub_state, listener);
OFFSET(ST_SCRATCH, struct stub_state, scratch);
OFFSET(ST_FPROG, struct stub_state, mapper_filter);
OFFSET(ST_MSG, struct stub_state, msg);
OFFSET(ST_XSAVE, struct stub_state, xsave);
static_assert(sizeof(struct stub_op) == OP_SIZE, "direct_stub.S");
static_assert(SECCOMP_IOCTL_NOTIF_SEND == STUB_ANSWER, "direct_stub.S");
static_assert(offsetof(struct stub_state, control) + CMSG_LEN(0) == ST_MSG_FD,
	      "direct_stub.S");
#undef OFFSET

/* direct_stub.S: the code, and entries in it. */
extern const uint8_t stub_code[], stub_code_end[];
extern const uint8_t stub_handler[], stub_restorer[], stub_mapper[],
	stub_first[];
#endif

#endif
