/*
 * daemon/priv_vmm.c -- machines: starting, finding again, killing.
 *
 * RUN/vmm/UUID holds what outlives the daemon: "control", where the VMM
 * listens; "status", which it rewrites; "log"; and "pid", the process with its
 * start time, so that a reused number is not mistaken for it; "migration", where a
 * guest comes in.  The owner of
 * "status" is the machine's uid: scanning the folders tells which uids are
 * taken, so nothing can disagree with them.
 *
 * Order matters in priv_spawn_vmm(): we are connected to the control socket
 * before the process exists.  If we die at any later point, the connection
 * breaks, and a VMM that nobody has given a machine exits by itself.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/util.h"

enum { GREETING_MS = 10000, DEATH_MS = 10000 };

/* The machine's folder; -ENOENT without an error text when it has none. */
static int open_dir(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN])
{
	char text[37];
	int fd;

	priv_uuid_text(uuid, text);
	fd = openat(priv->vmm_dir, text,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Field 22 of /proc/PID/stat (proc(5)); the name before may hold anything. */
static unsigned long long start_time(pid_t pid)
{
	char path[64], text[1024], *p;
	unsigned long long start = 0;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
			 " %*d %*d %*d %*d %*d %*d %llu",
			 &start) != 1)
		return 0;
	return start;
}

int priv_process_record(int dir, pid_t pid)
{
	_cleanup_close_ int fd = openat(
		dir, "pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %llu\n", pid,
			 start_time(pid));

	return fd < 0 ? -errno : write_full(fd, text, n);
}

static int read_text(int dir, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* A pidfd of the machine's process; -ESRCH when it has ended. */
int priv_process_find(int dir, pid_t *ret_pid)
{
	_cleanup_close_ int pidfd = -1;
	unsigned long long start;
	char text[64];
	int pid;

	if (read_text(dir, "pid", text, sizeof(text)) < 0 ||
	    sscanf(text, "%d %llu", &pid, &start) != 2 || pid <= 1)
		return -ESRCH;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	/* Looked at after it was pinned: this is the one or it is gone. */
	if (pidfd < 0 || start_time(pid) != start)
		return -ESRCH;
	if (poll(&(struct pollfd){ pidfd, POLLIN, 0 }, 1, 0) > 0)
		return -ESRCH; /* a zombie */
	*ret_pid = pid;
	return steal_fd(&pidfd);
}

int priv_find_vmm(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN],
		  pid_t *ret_pid)
{
	_cleanup_close_ int dir = open_dir(priv, uuid);

	return dir < 0 ? -ESRCH : priv_process_find(dir, ret_pid);
}

static int connect_control(int dir)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = priv_unix_address(dir, "control", &addr);

	if (r < 0 || fd < 0)
		return r < 0 ? r : -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ECONNREFUSED || errno == ENOENT ? -ESRCH :
								  -errno;
	return steal_fd(&fd);
}

static int listen_control(int dir)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0);
	struct sockaddr_un addr;
	int r = priv_unix_address(dir, "control", &addr);

	if (r < 0 || fd < 0)
		return r < 0 ? r : -errno;
	fchmod(fd, 0600);
	if (unlinkat(dir, "control", 0) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 4) < 0)
		return -errno;
	return steal_fd(&fd);
}

static void empty_dir(int dir)
{
	static const char *const names[] = { "control", "status", "log",
					     "pid", "migration" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(dir, names[i], 0);
}

/* ---- a uid that no machine has ---- */

static bool uid_taken(struct priv *priv, const char *name, uid_t uid)
{
	char path[NAME_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/status", name);
	return fstatat(priv->vmm_dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_uid == uid;
}

static bool uid_free(struct priv *priv, DIR *d, uid_t uid)
{
	struct dirent *e;

	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && uid_taken(priv, e->d_name, uid))
			return false;
	return !priv_tpm_has_uid(priv, uid);
}

int priv_choose_uid(struct priv *priv, uid_t *ret_uid, struct error *err)
{
	int fd = openat(priv->vmm_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned int i;

	if (!d)
		return error_set(err, -errno, "cannot read '%s/vmm': %m",
				 priv->run_dir);
	for (i = 0; i < priv->vmm_uids; i++)
		if (uid_free(priv, d, priv->vmm_uid_base + i))
			break;
	closedir(d);
	if (i == priv->vmm_uids)
		return error_set(err, -EAGAIN, "all %u user ids for machines are in use",
				 priv->vmm_uids);
	*ret_uid = priv->vmm_uid_base + i;
	return 0;
}

/* ---- starting ---- */

struct machine_files {
	int dir, listen, status, log;
	int control; /* connected */
};

static void close_files(struct machine_files *f)
{
	fd_close(f->dir);
	fd_close(f->listen);
	fd_close(f->status);
	fd_close(f->log);
	fd_close(f->control);
}

static int make_file(int dir, const char *name, uid_t uid, int *ret_fd)
{
	*ret_fd = openat(dir, name,
			 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC |
				 (str_eq(name, "log") ? O_APPEND : 0),
			 0600);
	if (*ret_fd < 0)
		return -errno;
	return fchown(*ret_fd, uid, -1) < 0 ? -errno : 0;
}

/* The folder, empty; nobody may be using it. */
static int make_dir(struct priv *priv, const struct priv_vmm *a,
		    struct error *err)
{
	_cleanup_close_ int dir = -1, pidfd = -1;
	char text[37];
	pid_t pid;

	priv_uuid_text(a->uuid, text);
	if (mkdirat(priv->vmm_dir, text, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot create '%s/vmm/%s': %m",
				 priv->run_dir, text);
	dir = open_dir(priv, a->uuid);
	if (dir < 0)
		return error_set(err, dir, "cannot open '%s/vmm/%s': %m",
				 priv->run_dir, text);
	pidfd = priv_process_find(dir, &pid);
	if (pidfd >= 0)
		return error_set(err, -EBUSY,
				 "the machine of domain '%s' is still running as process %d",
				 a->name, pid);
	empty_dir(dir);
	return steal_fd(&dir);
}

static int make_files(struct priv *priv, const struct priv_vmm *a,
		      uid_t *ret_uid, struct machine_files *f,
		      struct error *err)
{
	uid_t uid = geteuid();
	int r;

	f->dir = make_dir(priv, a, err);
	if (f->dir < 0)
		return f->dir;
	r = priv->session ? 0 : priv_choose_uid(priv, &uid, err);
	if (r < 0)
		return r;
	r = make_file(f->dir, "status", uid, &f->status);
	if (r >= 0)
		r = make_file(f->dir, "log", uid, &f->log);
	if (r >= 0)
		r = f->listen = listen_control(f->dir);
	if (r >= 0)
		r = f->control = connect_control(f->dir);
	*ret_uid = uid;
	return r < 0 ? error_set(err, r, "cannot set up the machine of '%s': %m",
				 a->name) :
		       0;
}

/* The last line of what the VMM wrote before it ended. */
static void explain_death(int log, struct error *err, const char *name)
{
	char text[400];
	off_t size = lseek(log, 0, SEEK_END);
	off_t from = MAX(0, size - (off_t)sizeof(text) + 1);
	ssize_t n = pread(log, text, sizeof(text) - 1, from);
	char *line;

	text[MAX(0, n)] = '\0';
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	line = strrchr(text, '\n');
	error_set(err, -ECHILD, "the machine of '%s' ended at once: %s", name,
		  text[0] ? (line ? line + 1 : text) : "its log is empty");
}

/* Loaded and listening: its greeting stays in the socket, for main. */
static int await_greeting(const struct machine_files *f, int pidfd,
			  const char *name, struct error *err)
{
	struct pollfd p[2] = { { f->control, POLLIN, 0 },
			       { pidfd, POLLIN, 0 } };
	int n;

	do {
		n = poll(p, 2, GREETING_MS);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return error_set(err, -ETIMEDOUT,
				 "the machine of '%s' does not answer", name);
	if (p[1].revents || (p[0].revents & (POLLHUP | POLLERR))) {
		explain_death(f->log, err, name);
		return -ECHILD;
	}
	return 0;
}

static void kill_process(int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	poll(&(struct pollfd){ pidfd, POLLIN, 0 }, 1, DEATH_MS);
}

static int run(struct priv *priv, const struct priv_vmm *a,
	       struct machine_files *f, uid_t uid, int *ret_pidfd,
	       pid_t *ret_pid, struct error *err)
{
	char title[300], point[PATH_MAX], text[37];
	char *argv[] = { title, "--control-fd=3", "--status-fd=4",
			 "--log-fd=5", a->vnc ? "--vnc-module-fd=6" : NULL,
			 NULL };
	const int keep[] = { f->listen, f->status, f->log, priv->vnc_module };
	struct spawn s = { .exe = priv->vmm_exe,
			   .uid = uid,
			   .session = priv->session,
			   .argv = argv,
			   .keep = keep,
			   .n_keep = ARRAY_SIZE(keep) - !a->vnc,
			   .output = f->log };
	int r;

	if (a->vnc && priv->vnc_module < 0)
		return error_set(err, -ENOENT,
				 "the machine's module for VNC servers is not installed");
	snprintf(title, sizeof(title), "vireo-vmm:%s", a->name);
	priv_uuid_text(a->uuid, text);
	snprintf(point, sizeof(point), "%s/vmm/%s", priv->run_dir, text);
	r = priv_spawn(&s, ret_pidfd, ret_pid, err);
	if (r < 0)
		return r;
	r = priv_process_record(f->dir, *ret_pid);
	if (r < 0)
		error_set(err, r, "cannot write '%s/pid': %m", point);
	if (r >= 0)
		r = await_greeting(f, *ret_pidfd, a->name, err);
	if (r >= 0)
		r = priv_seal(&s, *ret_pidfd, point, err);
	if (r < 0) {
		kill_process(*ret_pidfd);
		*ret_pidfd = fd_close(*ret_pidfd);
	}
	return r;
}

static void remove_dir(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN],
		       int dir)
{
	char text[37];

	priv_uuid_text(uuid, text);
	empty_dir(dir);
	unlinkat(priv->vmm_dir, text, AT_REMOVEDIR);
}

int priv_spawn_vmm(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_(close_files) struct machine_files f = { -1, -1, -1, -1, -1 };
	int pidfd = -1, r;
	pid_t pid;
	uid_t uid;

	/* The uid is taken as soon as "status" exists. */
	pthread_mutex_lock(&priv->spawn_lock);
	r = make_files(priv, a, &uid, &f, err);
	pthread_mutex_unlock(&priv->spawn_lock);
	if (r >= 0)
		r = run(priv, a, &f, uid, &pidfd, &pid, err);
	if (r < 0) {
		if (f.dir >= 0)
			remove_dir(priv, a->uuid, f.dir);
		return r;
	}
	fds[0] = steal_fd(&f.control);
	fds[1] = pidfd;
	reply->pid = pid;
	return 0;
}

/* ---- the others ---- */

int priv_connect_vmm(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = open_dir(priv, a->uuid);
	_cleanup_close_ int control = -1, pidfd = -1;
	pid_t pid;

	pidfd = dir < 0 ? -ESRCH : priv_process_find(dir, &pid);
	control = pidfd < 0 ? -ESRCH : connect_control(dir);
	if (control < 0)
		return error_set(err, control, "its machine is gone");
	fds[0] = steal_fd(&control);
	fds[1] = steal_fd(&pidfd);
	reply->pid = pid;
	return 0;
}

int priv_vmm_status(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = open_dir(priv, a->uuid);
	int r = dir < 0 ? dir : read_text(dir, "status", reply->text, 64);

	if (r < 0)
		return error_set(err, r, "no status was left: %m");
	reply->text[strcspn(reply->text, "\n")] = '\0';
	return 0;
}

int priv_kill_vmm(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = open_dir(priv, a->uuid);
	_cleanup_close_ int pidfd = -1;
	pid_t pid;

	pidfd = dir < 0 ? -ESRCH : priv_process_find(dir, &pid);
	if (pidfd < 0)
		return 0; /* what was asked for is so */
	kill_process(pidfd);
	if (poll(&(struct pollfd){ pidfd, POLLIN, 0 }, 1, 0) <= 0)
		return error_set(err, -ETIMEDOUT,
				 "process %d does not die, perhaps it waits for a disk",
				 pid);
	return 0;
}

int priv_forget_vmm(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = open_dir(priv, a->uuid);
	_cleanup_close_ int pidfd = -1;
	pid_t pid;

	pidfd = dir < 0 ? -1 : priv_process_find(dir, &pid);
	if (pidfd >= 0)
		return error_set(err, -EBUSY, "process %d is still running",
				 pid);
	if (!priv->session)
		direct_remove(a->uuid, "");
	if (dir < 0)
		return 0;
	remove_dir(priv, a->uuid, dir);
	priv_forget_vsock(priv, a->uuid);
	priv_forget_limits(a->uuid);
	return 0;
}
