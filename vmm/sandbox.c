/*
 * vmm/sandbox.c -- giving everything up.
 *
 * Theory of operation.  Every resource comes as a descriptor before the guest
 * runs; afterwards the process can compute, use those descriptors, and exit.
 * The list of system calls is gathered from the comments beside the code that
 * makes them (syscalls.awk), so it cannot drift.  Opening, connecting,
 * executing, tracing and new executable memory are in no such comment, and
 * must never be.
 */
#include "config.h"

#include "vmm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/root.h"

/* What the C library needs wherever it is used. */
/* #syscalls:vmm exit exit_group restart_syscall rt_sigreturn brk futex */
/* #syscalls:vmm getpid gettid sched_getaffinity set_robust_list rseq */
/* #syscalls:vmm gettimeofday clock_gettime getrandom rt_sigprocmask */
/* #syscalls:vmm mmap mprotect munmap mremap madvise */
/* The terminal, back to what it was; isatty(). */
/* #ioctls:vmm TCGETS TCSETS TIOCGWINSZ */

enum { NOBODY = 65534 };

/* ---- before there are threads ---- */

/* An empty, read-only tmpfs becomes the root; the old one is let go. */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=555") < 0 ||
	    root_change("/proc") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID |
		  MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}

/* In a container that forbids it, the filter has to do alone. */
static int namespaces(struct error *err)
{
	int r;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
		    CLONE_NEWUTS) < 0)
		return errno == EPERM ? 0 :
					error_set(err, -errno,
						  "cannot make namespaces: "
						  "%m");
	r = empty_root();
	return r < 0 && r != -EPERM ?
		       error_set(err, r, "cannot make an empty root: %m") :
		       0;
}

static int drop_uid(struct error *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return error_set(err, -errno, "cannot give up root: %m");
	return 0;
}

static int drop_caps(struct error *err)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &header, none) < 0)
		return error_set(err, -errno,
				 "cannot give up capabilities: %m");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, -errno,
				 "cannot forbid new privileges: %m");
	return 0;
}

int sandbox_isolate(struct error *err)
{
	int r = 0;

	if (geteuid() == 0) {
		r = namespaces(err);
		for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
			prctl(PR_CAPBSET_DROP, cap);
		if (r == 0)
			r = drop_uid(err);
	}
	return r < 0 ? r : drop_caps(err);
}

/* ---- the filter ---- */

#define SYSCALL(name) name,
#define IOCTL(name)
static const char *const allowed_calls[] = {
#include "vmm/sandbox-calls.h"
};
#undef SYSCALL
#undef IOCTL

#define SYSCALL(name)
#define IOCTL(name) name,
static const unsigned long allowed_ioctls[] = {
#include "vmm/sandbox-calls.h"
};
#undef SYSCALL
#undef IOCTL

static int sandbox_log_fd = STDERR_FILENO; /* for a signal handler */

void sandbox_log_to(int log_fd)
{
	sandbox_log_fd = log_fd;
}

/*
 * SIGSYS is blocked in here, so that the second refused call ends the
 * process for good.
 */
static void on_refused(int sig, siginfo_t *si, void *context)
{
	char text[] = "vireo-vmm: refused system call 0000\n";
	unsigned int n = si->si_syscall;

	for (int i = 3; i >= 0; i--, n /= 10)
		text[sizeof(text) - 6 + i] = '0' + n % 10;
	if (write(sandbox_log_fd, text, sizeof(text) - 1) < 0)
		_exit(128 + SIGSYS);
	syscall(SYS_execve, NULL, NULL, NULL);
	_exit(128 + SIGSYS);
}

/* Some calls only with harmless arguments. */
static int allow_call(scmp_filter_ctx ctx, int nr)
{
	switch (nr) {
	case __NR_ioctl:
		return 0; /* by request, below */
	case __NR_mmap:
	case __NR_mprotect:
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A2_64(SCMP_CMP_MASKED_EQ,
						   PROT_EXEC, 0));
	case __NR_clone: /* threads, never processes */
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A0_64(SCMP_CMP_MASKED_EQ,
						   CLONE_THREAD | CLONE_VM,
						   CLONE_THREAD | CLONE_VM));
	case __NR_clone3: /* its flags cannot be seen: use clone() */
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	case __NR_prctl:
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A0_32(SCMP_CMP_EQ, PR_SET_NAME));
	default:
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	}
}

/* All of KVM's requests have one type, and need a KVM descriptor. */
static int allow_ioctls(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				 SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xff00,
					    KVMIO << 8));

	for (size_t i = 0; i < ARRAY_SIZE(allowed_ioctls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1_32(SCMP_CMP_EQ,
						allowed_ioctls[i]));
	return r;
}

static int allow_all(scmp_filter_ctx ctx)
{
	int r = allow_ioctls(ctx);

	for (size_t i = 0; i < ARRAY_SIZE(allowed_calls) && r == 0; i++) {
		int nr = seccomp_syscall_resolve_name(allowed_calls[i]);

		r = nr == __NR_SCMP_ERROR ? -EINVAL : allow_call(ctx, nr);
	}
	return r;
}

int sandbox_enter(bool log_only, struct error *err)
{
	struct sigaction sa = { .sa_sigaction = on_refused,
				.sa_flags = SA_SIGINFO };
	scmp_filter_ctx ctx;
	int r;

#ifdef WITH_SANITIZERS
	log_only = true; /* their run-time makes calls of its own */
#endif
	ctx = seccomp_init(log_only ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
	r = ctx ? 0 : -ENOMEM;
	if (r == 0 && sigaction(SIGSYS, &sa, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = allow_all(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? error_set(err, r,
				 "cannot load the system call filter: %m") :
		       0;
}
