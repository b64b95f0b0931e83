/*
 * daemon/priv_hook.c -- runs the administrator's scripts.
 *
 * Of a kind there is DIR/KIND, and then what DIR/KIND.d has, by name.  Main
 * names a kind of a fixed list and gives words and input; it cannot name a
 * file.  Only a folder and scripts that belong to us, and that nobody else can
 * write to, are taken.
 *
 * A script is a child of a child, which reads its input from main, waits for
 * it, tells main how it ended, and ends it when main does not listen any more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_MODULE "hook"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/priv.h"

enum { HOOK_INPUT_MAX = 64 << 20, HOOK_SCRIPTS_MAX = 256 };

static const char *const kinds[] = { "daemon", "qemu", "network" };

static bool kind_is_known(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i], kind))
			return true;
	return false;
}

/* ---- finding them ---- */

static bool is_ours(const char *path, mode_t type)
{
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_mode & S_IFMT) != type)
		return false;
	if ((st.st_uid == 0 || st.st_uid == geteuid()) &&
	    !(st.st_mode & 022))
		return true;
	log_warn("'%s' is left out: others may write to it", path);
	return false;
}

static bool is_script(const char *path)
{
	return is_ours(path, S_IFREG) && access(path, X_OK) == 0;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The n-th of a folder's, or NULL. */
static char *nth_of_folder(const char *dir, unsigned int n)
{
	struct dirent **list = NULL;
	char *found = NULL;
	int count = is_ours(dir, S_IFDIR) ?
			    scandir(dir, &list, not_hidden, alphasort) :
			    0;

	for (int i = 0; i < count; i++) {
		char *path = found ? NULL :
				     xasprintf("%s/%s", dir, list[i]->d_name);

		if (path && is_script(path) && n-- == 0)
			found = steal_ptr(&path);
		free(path);
		free(list[i]);
	}
	free(list);
	return found;
}

static char *find_script(const char *dir, const char *kind, unsigned int n)
{
	_cleanup_free_ char *one = xasprintf("%s/%s", dir, kind);
	_cleanup_free_ char *folder = xasprintf("%s/%s.d", dir, kind);

	if (!is_ours(dir, S_IFDIR))
		return NULL;
	if (is_script(one) && n-- == 0)
		return steal_ptr(&one);
	return nth_of_folder(folder, n);
}

/* ---- in the children: system calls only ---- */

struct script {
	const char *path;
	char *argv[6];
	int null, input, errors, main;
};

static void __attribute__((noreturn)) run_script(const struct script *s)
{
	static char *const env[] = {
		"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int n = 1; n < NSIG; n++)
		sigaction(n, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (dup2(s->input, 0) < 0 || dup2(s->null, 1) < 0 ||
	    dup2(s->errors, 2) < 0 || chdir("/") < 0 ||
	    syscall(SYS_close_range, 3, ~0u, 0) < 0)
		_exit(126);
	execve(s->path, s->argv, env);
	_exit(127);
}

static int take_input(int from, int to)
{
	char part[4096];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(from, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		sum += n > 0 ? n : 0;
		if (n < 0 || sum > HOOK_INPUT_MAX || write(to, part, n) != n)
			return -1;
	}
	return lseek(to, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* Until it has ended; or main is gone, and then so is it. */
static void wait_for(pid_t pid, int main, int *ret_status)
{
	struct pollfd p[] = {
		{ (int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 },
		{ main, 0, 0 },
	};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[1].revents && !p[0].revents)
		kill(0, SIGKILL); /* our group: both of us */
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
}

static void __attribute__((noreturn)) watch_script(const struct script *s)
{
	struct priv_hook_end end = { .status = 127 << 8 };
	pid_t pid = -1;

	setpgid(0, 0);
	if (take_input(s->main, s->input) == 0)
		pid = _Fork();
	if (pid == 0)
		run_script(s);
	if (pid > 0)
		wait_for(pid, s->main, &end.status);
	if (pread(s->errors, end.said, sizeof(end.said) - 1, 0) < 0 ||
	    write(s->main, &end, sizeof(end)) != sizeof(end))
		_exit(1);
	_exit(0);
}

/* ---- in priv ---- */

static int start(struct script *s, int *ret_fd, struct error *err)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int input = memfd_create("vireo-hook", MFD_CLOEXEC);
	_cleanup_close_ int errors = memfd_create("vireo-hook", MFD_CLOEXEC);
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (null < 0 || input < 0 || errors < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot run '%s': %m", s->path);
	s->null = null;
	s->input = input;
	s->errors = errors;
	s->main = pair[1];
	pid = _Fork();
	if (pid == 0) {
		close(pair[0]); /* or main could not be seen to be gone */
		watch_script(s);
	}
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return error_set(err, -errno, "cannot run '%s': %m", s->path);
	}
	*ret_fd = pair[0];
	return 0;
}

static bool is_text(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

int priv_run_hook(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	struct priv_hook a = *(const struct priv_hook *)arg;
	_cleanup_free_ char *path = NULL;
	struct script s = { .argv = { NULL, a.object, a.op, a.sub_op, a.extra,
				      NULL } };

	if (!is_text(a.kind, sizeof(a.kind)) ||
	    !is_text(a.object, sizeof(a.object)) ||
	    !is_text(a.op, sizeof(a.op)) ||
	    !is_text(a.sub_op, sizeof(a.sub_op)) ||
	    !is_text(a.extra, sizeof(a.extra)) || !kind_is_known(a.kind) ||
	    a.index > HOOK_SCRIPTS_MAX)
		return error_set(err, -EINVAL, "no such script");
	if (priv->hook_dir)
		path = find_script(priv->hook_dir, a.kind, a.index);
	if (!path)
		return error_set(err, -ENOENT, "there is no script '%s'",
				 a.kind);
	s.path = s.argv[0] = path;
	return start(&s, &fds[0], err);
}
