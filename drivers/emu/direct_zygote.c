/*
 * drivers/emu/direct_zygote.c -- stubs, and the process that makes them.
 *
 * The engine's process may make no processes once its sandbox is closed, so it
 * leaves one behind before: the zygote, which has the guest's memory open and
 * waits at a socket.  Each request from there makes a child that becomes a stub;
 * what comes back is its pid, with the memory that is shared with it and a
 * socket, from which the listeners of its threads come.  The zygote ends when
 * its socket does, a stub when nobody listens.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/rseq.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "drivers/emu/direct.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/sandbox.h"

enum { LOOK_MS = 1000, DEAF_NS = 1000000000 };

#define IN_STUB(symbol) (STUB_CODE + ((symbol) - stub_code))

/* ---- descriptors through sockets ---- */

union fd_control {
	struct cmsghdr header;
	uint8_t room[CMSG_SPACE(2 * sizeof(int))];
};

static int send_fds(int socket, int value, const int *fds, unsigned int n)
{
	union fd_control c = { 0 };
	struct iovec iov = { &value, sizeof(value) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &c,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	c.header.cmsg_level = SOL_SOCKET;
	c.header.cmsg_type = SCM_RIGHTS;
	c.header.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&c.header), fds, n * sizeof(int));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* #syscalls:vmm sendmsg recvmsg read write close mmap munmap poll ioctl */
static int receive_fds(int socket, void *value, size_t size, int *fds,
		       unsigned int n)
{
	union fd_control c;
	struct iovec iov = { value, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &c,
			      .msg_controllen = sizeof(c) };
	const struct cmsghdr *h;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) < (ssize_t)size)
		return -EPIPE;
	h = CMSG_FIRSTHDR(&msg);
	if (!h || h->cmsg_type != SCM_RIGHTS ||
	    h->cmsg_len != CMSG_LEN(n * sizeof(int)))
		return -EPIPE;
	memcpy(fds, CMSG_DATA(h), n * sizeof(int));
	return 0;
}

/* ---- becoming a stub ---- */

static bool map_at(uint64_t addr, size_t len, int prot, int fd, off_t offset)
{
	return mmap((void *)addr, len, prot,
		    MAP_FIXED_NOREPLACE |
			    (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
		    fd, offset) == (void *)addr;
}

static bool map_parts(int shared)
{
	if (!map_at(STUB_CODE, STUB_CODE_LEN, PROT_READ | PROT_WRITE, -1, 0) ||
	    !map_at(STUB_OPS, STUB_OPS_LEN, PROT_READ, shared, 0) ||
	    !map_at(STUB_STATE, STUB_STATE_LEN, PROT_READ | PROT_WRITE, shared,
		    STUB_OPS_LEN))
		return false;
	memcpy((void *)STUB_CODE, stub_code, stub_code_end - stub_code);
	return mprotect((void *)STUB_CODE, STUB_CODE_LEN,
			PROT_READ | PROT_EXEC) == 0;
}

/* As the kernel has it: no C library between it and the handler. */
struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static bool catch_signals(void)
{
	static const uint8_t signals[] = { SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
					   SIGTRAP, SIGSYS, SIGUSR1 };
	const struct kernel_sigaction sa = {
		.handler = IN_STUB(stub_handler),
		.flags = SA_SIGINFO | SA_ONSTACK | 0x04000000, /* SA_RESTORER */
		.restorer = IN_STUB(stub_restorer),
		.mask = ~0ull,
	};
	const stack_t stack = {
		.ss_sp = (void *)(STUB_STATE + sizeof(struct stub_state)),
		.ss_size = STUB_STATE_LEN - sizeof(struct stub_state),
	};

	if (sigaltstack(&stack, NULL) < 0)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		if (syscall(SYS_rt_sigaction, signals[i], &sa, NULL, 8) < 0)
			return false;
	return true;
}

/*
 * The kernel must not write to memory that will be the guest's: not for
 * restartable sequences, not at the end of a thread.
 */
static bool detach_from_libc(void)
{
	void *rseq = (uint8_t *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size &&
	    syscall(SYS_rseq, rseq, MAX(__rseq_size, 32u),
		    RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0)
		return false;
	syscall(SYS_set_tid_address, NULL);
	return true;
}

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 offsetof(struct seccomp_data, field) + 4)
#define ANSWER(what)  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##what)
#define EQUAL(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define BELOW(k, t, f) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (f), (t))

static_assert((uint32_t)STUB_CODE == 0, "the runner's filter");

/* Everything but the handler's own two calls is the guest's. */
static struct sock_filter runner_calls[] = {
	LOAD(arch),
	EQUAL(AUDIT_ARCH_X86_64, 0, 7),
	LOAD_HIGH(instruction_pointer),
	EQUAL(STUB_CODE >> 32, 0, 5),
	LOAD(instruction_pointer),
	BELOW(STUB_CODE_LEN, 0, 3),
	LOAD(nr),
	EQUAL(STUB_PARK, 2, 0),
	EQUAL(__NR_rt_sigreturn, 2, 0),
	ANSWER(TRAP),
	ANSWER(USER_NOTIF),
	ANSWER(ALLOW),
};

static struct sock_filter mapper_calls[] = {
	LOAD(arch),
	EQUAL(AUDIT_ARCH_X86_64, 0, 8),
	LOAD(nr),
	EQUAL(STUB_PARK, 7, 0),
	EQUAL(__NR_mmap, 7, 0),
	EQUAL(__NR_munmap, 6, 0),
	EQUAL(__NR_ioctl, 5, 0),
	EQUAL(__NR_sendmsg, 4, 0),
	EQUAL(__NR_close, 3, 0),
	EQUAL(__NR_exit_group, 2, 0),
	ANSWER(KILL_PROCESS),
	ANSWER(USER_NOTIF),
	ANSWER(ALLOW),
};

/*
 * What the mapper sends first, and its filter: in the stub's memory, for it
 * has no other.
 */
static void prepare_mapper(struct stub_state *s)
{
	struct sock_filter *filter = (void *)(s + 1);
	struct iovec *iov = (void *)((uint8_t *)filter + sizeof(mapper_calls));
	struct cmsghdr *h = (void *)s->control;

	memcpy(filter, mapper_calls, sizeof(mapper_calls));
	s->mapper_filter =
		(struct sock_fprog){ ARRAY_SIZE(mapper_calls), filter };
	*iov = (struct iovec){ &s->scratch, 1 };
	s->msg = (struct msghdr){ .msg_iov = iov,
				  .msg_iovlen = 1,
				  .msg_control = s->control,
				  .msg_controllen = sizeof(s->control) };
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(2 * sizeof(int));
	s->listener = -1;
}

/* Shares all but the stack, which it does not use. */
static bool start_mapper(void)
{
	register uint64_t stack __asm__("rsi") =
		STUB_STATE + sizeof(struct stub_state);
	register uint64_t entry __asm__("r12") = IN_STUB(stub_mapper);
	int64_t r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "jmp *%[entry]\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone),
			   "D"(CLONE_VM | CLONE_FS | CLONE_FILES |
			       CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM),
			   "r"(stack), "d"(0), [entry] "r"(entry)
			 : "rcx", "r10", "r11", "memory");
	return r > 0;
}

static _Noreturn void become_stub(int shared, bool tsc)
{
	struct stub_state *s = (void *)STUB_STATE;
	struct sock_fprog filter = { ARRAY_SIZE(runner_calls), runner_calls };
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	if (!map_parts(shared) || !catch_signals() ||
	    (!tsc && prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !detach_from_libc())
		_exit(1);
	prepare_mapper(s);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (!start_mapper())
		_exit(1);
	sigprocmask(SIG_SETMASK, &none, NULL);
	s->listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER |
				      SECCOMP_FILTER_FLAG_SPEC_ALLOW,
			      &filter);
	if (s->listener < 0)
		_exit(1);
	__asm__ volatile("jmp *%0" : : "r"(IN_STUB(stub_first)));
	__builtin_unreachable();
}

/* ---- the zygote ---- */

/* What the engine asks for: a stub for this vCPU, on its thread's CPUs. */
struct stub_request {
	uint32_t vcpu;
	uint32_t tsc; /* it may read it */
	cpu_set_t cpus;
};

/* As a stub has them, but that the socket is another. */
static void take_fds(int socket, const int *ram, unsigned int n)
{
	int own[EMU_SLOTS + 1];

	/* Out of the way of where they go. */
	own[0] = fcntl(socket, F_DUPFD, 64);
	for (unsigned int i = 0; i < n; i++)
		own[i + 1] = fcntl(ram[i], F_DUPFD, 64);
	for (unsigned int i = 0; i <= n; i++)
		dup2(own[i], STUB_SOCKET + i);
	close_range(STUB_SOCKET + 1 + n, ~0u, 0);
}

/* #syscalls:vmm-init fork socketpair close_range dup2 seccomp */
/* A name like that of the vCPU's thread: who pins one finds the other. */
static void look_like_vcpu(const struct stub_request *rq)
{
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", rq->vcpu);
	prctl(PR_SET_NAME, name);
	sched_setaffinity(0, sizeof(rq->cpus), &rq->cpus);
}

static void make_stub(const struct stub_request *rq, unsigned int n_ram)
{
	int shared = memfd_create("stub", 0), pair[2], fds[2];
	int pid;

	if (shared < 0 || ftruncate(shared, STUB_SHARED_LEN) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		look_like_vcpu(rq);
		dup2(pair[1], STUB_SOCKET);
		dup2(shared, STUB_RAM + n_ram);
		close_range(STUB_RAM + n_ram + 1, ~0u, 0);
		become_stub(STUB_RAM + n_ram, rq->tsc);
	}
	fds[0] = shared;
	fds[1] = pair[0];
	if (send_fds(STUB_SOCKET, pid, fds, 2) < 0)
		_exit(1);
	close(shared);
	close(pair[0]);
	close(pair[1]);
}

/* Their CPU time counts as ours when they are waited for. */
static void on_child(int sig)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static _Noreturn void zygote(unsigned int n_ram)
{
	const struct sigaction reap = { .sa_handler = on_child,
					.sa_flags = SA_RESTART };
	struct stub_request rq;
	sigset_t none;

	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "zygote");
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigaction(SIGCHLD, &reap, NULL);
	signal(SIGINT, SIG_IGN);  /* the terminal's are the engine's */
	signal(SIGQUIT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (read(STUB_SOCKET, &rq, sizeof(rq)) == sizeof(rq))
		make_stub(&rq, n_ram);
	_exit(0);
}

/* ---- the engine's side ---- */

int direct_zygote_create(struct vm *vm)
{
	const struct ram_region *region;
	unsigned int n = ram_regions(vm->m->ram, &region);
	int pair[2], ram[EMU_SLOTS];

	for (unsigned int i = 0; i < n; i++)
		ram[i] = region[i].fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	switch (fork()) {
	case -1:
		close(pair[0]);
		close(pair[1]);
		return -errno;
	case 0:
		take_fds(pair[1], ram, n);
		zygote(n);
	}
	close(pair[1]);
	vm->zygote = pair[0];
	vm->zygote_fds = n;
	pthread_mutex_init(&vm->zygote_lock, NULL);
	return 0;
}

void direct_zygote_destroy(struct vm *vm)
{
	if (vm->zygote < 0)
		return;
	close(vm->zygote);
	vm->zygote = -1;
	pthread_mutex_destroy(&vm->zygote_lock);
}

static int note_parked(struct stub_thread *t, const struct seccomp_notif *n)
{
	t->parked = n->id;
	t->said = n->data.args[0];
	return 0;
}

/* Has it run for so long since this was first asked? */
static bool is_deaf(const struct stub *s, uint64_t *since)
{
	uint64_t now = direct_cpu_time(s->clock);

	if (!*since)
		*since = now;
	return now - *since >= DEAF_NS;
}

/*
 * Waits until it parks.  A runner must do so when something is pending for its
 * vCPU: one that goes on has found a way not to be told.  -EPIPE: it is gone.
 */
static int await_parked(const struct stub *s, struct stub_thread *t,
			const _Atomic uint32_t *pending)
{
	struct seccomp_notif n;
	struct pollfd p = { .fd = t->listener, .events = POLLIN };
	uint64_t since = 0;

	for (;;) {
		int r = poll(&p, 1, pending ? LOOK_MS : -1);

		if (r == 0 && !*pending)
			since = 0;
		else if (r == 0 && is_deaf(s, &since))
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		memset(&n, 0, sizeof(n));
		if (!(p.revents & POLLIN))
			return -EPIPE;
		if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0)
			return note_parked(t, &n);
		if (errno != EINTR && errno != ENOENT)
			return -errno;
	}
}

/* #syscalls:vmm tgkill */
/* #ioctls:vmm SECCOMP_IOCTL_NOTIF_RECV SECCOMP_IOCTL_NOTIF_SEND */
/* #ioctls:vmm SECCOMP_IOCTL_NOTIF_SET_FLAGS */
/*
 * Who stops a thread that has parked (a freezer of cgroups, SIGSTOP, a debugger)
 * ends its system call: it is made again, and only then can be answered.
 */
static int answer(const struct stub *s, struct stub_thread *t)
{
	for (;;) {
		struct seccomp_notif_resp r = { .id = t->parked };

		t->parked = 0;
		if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0)
			return 0;
		if (errno != ENOENT || await_parked(s, t, NULL) < 0)
			return -ESRCH;
	}
}

/* The mapper answers the runner; with an error that parks at once again. */
static int run_mapped(struct stub *s, unsigned int n,
		      const _Atomic uint32_t *pending)
{
	struct stub_ops *ops = stub_ops(s);
	uint64_t id = s->runner.parked;
	int r;

	ops->n = n;
	ops->done = (struct seccomp_notif_resp){ .id = id };
	ops->failed = (struct seccomp_notif_resp){ .id = id, .error = -EAGAIN };
	r = answer(s, &s->mapper);
	if (r < 0)
		return r;
	s->runner.parked = 0;
	r = await_parked(s, &s->runner, pending);
	if (r == 0)
		r = await_parked(s, &s->mapper, NULL);
	if (r < 0 || !s->mapper.said)
		return r;
	return s->mapper.said & SAID_FAILED ? -ENOMEM : -EINTR;
}

int stub_run(struct stub *s, unsigned int n, const _Atomic uint32_t *pending)
{
	int r;

	if (n) {
		r = run_mapped(s, n, pending);
	} else {
		r = answer(s, &s->runner);
		if (r == 0)
			r = await_parked(s, &s->runner, pending);
	}
	s->deaf = r == -ETIMEDOUT;
	return r;
}

/*
 * Who is woken stays on the waker's CPU, which is about to be free: to wake an
 * idle one takes longer than most visits.  Linux 6.6 and later.
 */
static void stay_on_cpu(const struct stub_thread *t)
{
	ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
	      SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

static int meet(struct stub *s, int socket)
{
	int listeners[2];
	uint8_t c;
	int r = receive_fds(socket, &c, 1, listeners, 2);

	if (r < 0)
		return r;
	s->runner.listener = listeners[0];
	s->mapper.listener = listeners[1];
	stay_on_cpu(&s->runner);
	stay_on_cpu(&s->mapper);
	r = await_parked(s, &s->runner, NULL);
	return r < 0 ? r : await_parked(s, &s->mapper, NULL);
}

/* #syscalls:vmm sched_getaffinity */
static int order(struct vm *vm, struct stub_request rq, int *ret_pid, int fds[2])
{
	int r = -EPIPE;

	sched_getaffinity(0, sizeof(rq.cpus), &rq.cpus);
	pthread_mutex_lock(&vm->zygote_lock);
	if (write(vm->zygote, &rq, sizeof(rq)) == sizeof(rq))
		r = receive_fds(vm->zygote, ret_pid, sizeof(*ret_pid), fds, 2);
	pthread_mutex_unlock(&vm->zygote_lock);
	return r < 0 || *ret_pid > 0 ? r : -EAGAIN;
}

int stub_create(struct vm *vm, unsigned int vcpu, bool tsc, struct stub *s)
{
	const struct stub_request rq = { .vcpu = vcpu, .tsc = tsc };
	int fds[2], r;

	*s = (struct stub){ .runner.listener = -1, .mapper.listener = -1 };
	r = order(vm, rq, &s->pid, fds);
	if (r < 0)
		return r;
	s->clock = (clockid_t)(~(unsigned int)s->pid << 3 | 2);
	s->shared = mmap(NULL, STUB_SHARED_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fds[0], 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		r = -ENOMEM;
	}
	if (r == 0)
		r = meet(s, fds[1]);
	close(fds[0]);
	close(fds[1]);
	if (r < 0)
		stub_destroy(s);
	return r;
}

/*
 * It must be dead before nobody listens any more, which would let the runner
 * go on; the mapper would end the process then.
 */
void stub_destroy(struct stub *s)
{
	if (s->runner.parked || s->mapper.parked || s->deaf)
		syscall(SYS_tgkill, s->pid, s->pid, SIGKILL);
	if (s->runner.listener >= 0)
		close(s->runner.listener);
	if (s->mapper.listener >= 0)
		close(s->mapper.listener);
	if (s->shared)
		munmap(s->shared, STUB_SHARED_LEN);
	*s = (struct stub){ .runner.listener = -1, .mapper.listener = -1 };
}
