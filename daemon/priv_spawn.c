/*
 * daemon/priv_spawn.c -- starts vireo-vmm, or a helper, where it can reach
 * nothing.
 *
 * The child gets new mount, network, IPC, UTS and PID namespaces, a uid of its
 * own, no capability in any set, no_new_privs, a session of its own and
 * exactly the descriptors it was meant to have.  It must still find its
 * dynamic loader, so its file system goes a moment later: priv_seal() enters
 * its mount namespace and pivots it into an empty read-only root, which moves
 * the roots of all processes there (pivot_root(2), "NOTES").  That happens
 * before the first byte from outside reaches the child.
 *
 * Without root (session mode) a user namespace in which only our own uid
 * exists gives the same; where the host has none, the rest still holds.
 *
 * Between clone and exec only system calls are made: priv has threads, and one
 * of them may hold a lock of the C library's.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/root.h"
#include "base/util.h"

#define SANDBOX_FLAGS \
	(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWPID)

/* What a child that could not go on says; stage is static text. */
struct failure {
	int errnum;
	char stage[40];
};

static void __attribute__((noreturn)) give_up(int report, const char *stage)
{
	struct failure f = { .errnum = errno };

	strncpy(f.stage, stage, sizeof(f.stage) - 1);
	if (write(report, &f, sizeof(f)) < 0)
		_exit(2);
	_exit(1);
}

static pid_t clone_process(uint64_t flags, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

static void default_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void limit(int what, rlim_t value)
{
	struct rlimit old, rl = { value, value };

	if (setrlimit(what, &rl) == 0 || getrlimit(what, &old) < 0)
		return;
	/* Not privileged enough for more than we have: take what we may. */
	rl.rlim_cur = rl.rlim_max = MIN(value, old.rlim_max);
	setrlimit(what, &rl);
}

/* The daemon may be protected from the OOM killer; a guest is not. */
static void plain_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) < 0)
		errno = 0; /* it was lower and stays so */
	fd_close(fd);
}

/* Descriptors 0 to 2 and the kept ones from 3; returns the program's. */
static int arrange_fds(const struct spawn *s, int *report)
{
	int high[16], exe, null, out;

	*report = fcntl(*report, F_DUPFD_CLOEXEC, 64);
	exe = fcntl(s->exe, F_DUPFD_CLOEXEC, 64);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	null = fcntl(null, F_DUPFD_CLOEXEC, 64);
	out = s->output < 0 ? null : fcntl(s->output, F_DUPFD_CLOEXEC, 64);
	if (*report < 0 || exe < 0 || null < 0 || out < 0)
		return -1;
	for (unsigned int i = 0; i < s->n_keep; i++)
		high[i] = fcntl(s->keep[i], F_DUPFD_CLOEXEC, 64);
	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return -1;
	for (unsigned int i = 0; i < s->n_keep; i++)
		if (dup2(high[i], 3 + i) < 0)
			return -1;
	exe = dup3(exe, 3 + s->n_keep, O_CLOEXEC);
	*report = dup3(*report, 4 + s->n_keep, O_CLOEXEC);
	if (exe < 0 || *report < 0 ||
	    syscall(SYS_close_range, 5 + s->n_keep, ~0u, 0) < 0)
		return -1;
	return exe;
}

static int drop_privileges(const struct spawn *s)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
						 0 };
	struct __user_cap_data_struct caps[2] = {
		{ s->caps, s->caps, s->caps },
	};

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap >= 32 || !(s->caps & BIT(cap)))
			prctl(PR_CAPBSET_DROP, cap);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_KEEPCAPS, s->caps != 0, 0, 0, 0);
	if (!s->session && (syscall(SYS_setgroups, 0, NULL) < 0 ||
			    syscall(SYS_setresgid, s->uid, s->uid, s->uid) < 0 ||
			    syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0))
		return -1;
	if (syscall(SYS_capset, &head, caps) < 0)
		return -1;
	for (int cap = 0; cap < 32; cap++)
		if (s->caps & BIT(cap) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * By its name, as descriptors of the parent's are of another namespace; and
 * then the one that was meant: others may rename.
 */
static int mount_folder(const struct spawn *s)
{
	struct stat st;

	if (chdir(s->mount_path) || stat(".", &st))
		return -1;
	if (st.st_dev != s->state.st_dev || st.st_ino != s->state.st_ino) {
		errno = ESTALE;
		return -1;
	}
	return mount(".", s->mount_at, NULL, MS_BIND, NULL) ||
	       mount(NULL, s->mount_at, NULL,
		     MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     NULL);
}

static void __attribute__((noreturn))
child(const struct spawn *s, int go, int report)
{
	static char *const env[] = { "LANG=C", NULL };
	char byte;
	int exe;

	/* Until the parent has said who we are in our user namespace. */
	if (read(go, &byte, 1) != 1)
		_exit(1);
	if (setsid() < 0)
		give_up(report, "start a session");
	default_signals();
	plain_oom_score();
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 4096);
	limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	umask(077);
	if (s->namespaces && (sethostname("vireo-vmm", 9) < 0 ||
			   mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		give_up(report, "set up namespaces");
	if (s->mount_at && mount_folder(s))
		give_up(report, "mount its folder");
	if (chdir("/") < 0)
		give_up(report, "go to /");
	exe = arrange_fds(s, &report);
	if (exe < 0)
		give_up(report, "arrange descriptors");
	if (s->state_path && priv_enter_root(s->state_path, &s->state))
		give_up(report, "set up a root");
	if (drop_privileges(s) < 0)
		give_up(report, "drop privileges");
	syscall(SYS_execveat, exe, "", s->argv, env, AT_EMPTY_PATH);
	give_up(report, "execute the program");
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write_full(fd, text, strlen(text));
}

/* user_namespaces(7): only our own uid and gid exist in there. */
static int map_ids(pid_t pid)
{
	char uids[40], gids[40];
	int r = write_proc(pid, "setgroups", "deny");

	snprintf(uids, sizeof(uids), "%u %u 1\n", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1\n", getegid(), getegid());
	if (r >= 0)
		r = write_proc(pid, "uid_map", uids);
	return r < 0 ? r : write_proc(pid, "gid_map", gids);
}

/* 0 at end of file: the child executed its program. */
static int read_failure(const struct spawn *s, int report, struct error *err)
{
	const char *name = s->name ? s->name : "vireo-vmm";
	struct failure f;
	int r = read_full(report, &f, sizeof(f));

	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return error_set(err, r, "cannot start %s: %m", name);
	return error_set(err, -f.errnum, "%s: cannot %.39s: %m", name,
			 f.stage);
}

struct pipes {
	int go[2], report[2];
};

static void close_pipes(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		p->go[i] = fd_close(p->go[i]);
		p->report[i] = fd_close(p->report[i]);
	}
}

static bool no_namespaces(int errnum)
{
	return errnum == EPERM || errnum == EACCES || errnum == ENOSPC ||
	       errnum == EUSERS || errnum == EINVAL;
}

int priv_spawn(struct spawn *s, int *ret_pidfd, pid_t *ret_pid,
	       struct error *err)
{
	_cleanup_(close_pipes) struct pipes p = { { -1, -1 }, { -1, -1 } };
	_cleanup_close_ int pidfd = -1;
	pid_t pid;
	int r;

	assert(s->n_keep <= 16);
	if (s->exe < 0)
		return error_set(err, -ENOENT, "vireo-vmm was not found when vireod started");
	s->namespaces = true;
	if (pipe2(p.go, O_CLOEXEC) < 0 || pipe2(p.report, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot create a pipe: %m");
	pid = clone_process((s->host_net ? SANDBOX_FLAGS & ~CLONE_NEWNET :
					   SANDBOX_FLAGS) |
				    (s->session ? CLONE_NEWUSER : 0),
			    &pidfd);
	if (pid < 0 && s->session && no_namespaces(errno) && !s->state_path) {
		s->namespaces = false;
		pid = clone_process(0, &pidfd);
	}
	if (pid < 0)
		return error_set(err, -errno, "cannot create a process: %m");
	if (pid == 0) {
		close(p.go[1]);
		child(s, p.go[0], p.report[1]);
	}
	p.report[1] = fd_close(p.report[1]);
	r = s->session && s->namespaces ? map_ids(pid) : 0;
	if (r < 0)
		return error_set(err, r, "cannot map user ids: %m");
	if (s->record_in > 0) {
		r = priv_process_record(s->record_in, pid);
		if (r < 0)
			return error_set(err, r, "cannot record a process: %m");
	}
	if (write(p.go[1], "", 1) < 0)
		return error_set(err, -errno, "cannot start vireo-vmm: %m");
	r = read_failure(s, p.report[0], err);
	if (r < 0)
		return r;
	*ret_pidfd = steal_fd(&pidfd);
	*ret_pid = pid;
	return 0;
}

static void __attribute__((noreturn))
seal_child(const struct spawn *s, int pidfd, const char *mount_point,
	   int report)
{
	int flags = CLONE_NEWNS | (s->session ? CLONE_NEWUSER : 0);

	if (setns(pidfd, flags) < 0)
		give_up(report, "enter the sandbox");
	if (mount("vireo", mount_point, "tmpfs",
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=0555") < 0)
		give_up(report, "mount an empty root");
	if (root_change(mount_point) < 0)
		give_up(report, "change to an empty root");
	_exit(0);
}

int priv_seal(const struct spawn *s, int pidfd, const char *mount_point,
	      struct error *err)
{
	_cleanup_(close_pipes) struct pipes p = { { -1, -1 }, { -1, -1 } };
	_cleanup_close_ int helper = -1;
	pid_t pid;

	if (!s->namespaces)
		return 0;
	if (pipe2(p.report, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot create a pipe: %m");
	pid = clone_process(0, &helper);
	if (pid < 0)
		return error_set(err, -errno, "cannot create a process: %m");
	if (pid == 0)
		seal_child(s, pidfd, mount_point, p.report[1]);
	p.report[1] = fd_close(p.report[1]);
	return read_failure(s, p.report[0], err);
}
