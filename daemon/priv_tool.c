/*
 * daemon/priv_tool.c -- the commands that storage pools need run.
 *
 * Which there are, and what their arguments may look like, is fixed in
 * storage/pool/tools.h; what does not fit is not run.  Each is a child of a
 * child: our first thread collects all children of ours, and would take the
 * exit status that is wanted here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/priv.h"
#include "storage/pool/host.h"

enum { ARGS_MAX = 8, PATIENCE_MS = 10 * 60 * 1000, OUTPUT_MAX = 64 << 20 };

static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin",
				       "/bin" };

static char *find_program(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char *path = xasprintf("%s/%s", folders[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static char *find_tool(enum pool_tool tool, struct error *err)
{
	_cleanup_free_ char *name = tool_program(tool);
	char *path = find_program(name);

	if (!path)
		error_set(err, -ENOENT, "'%s' is not installed", name);
	return path;
}

/* ---- in the children: system calls only ---- */

struct job {
	const char *path;
	char *const *argv;
	int null, output, errors;
	int status; /* a pipe */
};

static void __attribute__((noreturn)) run_program(const struct job *job)
{
	static char *const env[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct rlimit limit = { OUTPUT_MAX, OUTPUT_MAX };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int n = 1; n < NSIG; n++)
		sigaction(n, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* What it writes to us; devices and other folders have no limit. */
	setrlimit(RLIMIT_FSIZE, &limit);
	umask(022);
	if (dup2(job->null, 0) < 0 || dup2(job->output, 1) < 0 ||
	    dup2(job->errors, 2) < 0 || chdir("/") < 0 ||
	    syscall(SYS_close_range, 3, ~0u, 0) < 0)
		_exit(126);
	execve(job->path, job->argv, env);
	_exit(127);
}

static void __attribute__((noreturn)) watch_program(const struct job *job)
{
	pid_t pid;
	int status = -1;

	setpgid(0, 0);
	pid = _Fork();
	if (pid == 0)
		run_program(job);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (write(job->status, &status, sizeof(status)) < 0)
		_exit(1);
	_exit(0);
}

/* ---- in priv ---- */

static int wait_for(pid_t pid, int pipe, int *ret_status)
{
	struct pollfd p = { pipe, POLLIN, 0 };
	int r;

	do {
		r = poll(&p, 1, PATIENCE_MS);
	} while (r < 0 && errno == EINTR);
	if (r == 0) {
		kill(-pid, SIGKILL);
		return -ETIMEDOUT;
	}
	return read_full(pipe, ret_status, sizeof(*ret_status)) < 0 ? -EIO : 0;
}

static int run(struct job *job, int *ret_status)
{
	int status[2];
	pid_t pid;
	int r;

	if (pipe2(status, O_CLOEXEC) < 0)
		return -errno;
	job->status = status[1];
	pid = _Fork();
	if (pid == 0)
		watch_program(job);
	r = pid < 0 ? -errno : 0;
	close(status[1]);
	if (r == 0)
		r = wait_for(pid, status[0], ret_status);
	close(status[0]);
	return r;
}

/* The first line of what it complained of. */
static void complaint(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	while (*text == '\n' || *text == ' ')
		memmove(text, text + 1, strlen(text));
	text[strcspn(text, "\n")] = '\0';
}

static int judge(const char *name, int status, int errors, struct error *err)
{
	char text[400];

	if (status == 0)
		return 0;
	complaint(errors, text, sizeof(text));
	if (status > 0 && WIFSIGNALED(status))
		return error_set(err, -EIO, "%s was ended by signal %d", name,
				 WTERMSIG(status));
	return error_set(err, -EIO, "%s failed: %s", name,
			 *text ? text : "it does not say why");
}

/* Strings one after the other, an empty one at the end. */
static int unpack(const char *packed, size_t size,
		  const char *args[ARGS_MAX + 1])
{
	const char *end = packed + size;
	unsigned int n = 0;

	while (packed < end && *packed) {
		const char *zero = memchr(packed, '\0', end - packed);

		if (!zero || n == ARGS_MAX)
			return -EINVAL;
		args[n++] = packed;
		packed = zero + 1;
	}
	return packed < end ? 0 : -EINVAL;
}

static int run_found(const char *path, char *const *argv, int *ret_output,
		     struct error *err)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int output = memfd_create("vireo-tool", MFD_CLOEXEC);
	_cleanup_close_ int errors = memfd_create("vireo-tool", MFD_CLOEXEC);
	struct job job = { path, argv, null, output, errors, -1 };
	int status = 0, r;

	if (null < 0 || output < 0 || errors < 0)
		return error_set(err, -errno, "cannot run '%s': %m", path);
	r = run(&job, &status);
	if (r < 0)
		return error_set(err, r, "cannot run '%s': %m", path);
	r = judge(argv[0], status, errors, err);
	if (r == 0)
		*ret_output = steal_fd(&output);
	return r;
}

/* ---- what the arguments lead to ---- */

static bool is_real_name(int fd, const char *path)
{
	char link[64], real[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	real[n > 0 ? n : 0] = '\0';
	return str_eq(real, path);
}

/* A device by root's links only, a mount point by none. */
static int check_path(const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = priv_resolve(path, &fd, err);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot examine '%s': %m", path);
	if (str_startswith(path, "/dev/"))
		return S_ISBLK(st.st_mode) ? 0 :
			error_set(err, -ENOTBLK, "'%s' is no block device",
				  path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "'%s' is no folder", path);
	return is_real_name(fd, path) ? 0 :
		error_set(err, -ELOOP,
			  "'%s' has symbolic links: nothing is mounted there",
			  path);
}

/* What is mounted may have stopped answering: it is not looked at then. */
static int check_paths(enum pool_tool tool, char *const *argv,
		       struct error *err)
{
	int r = 0;

	for (; *argv && r == 0 && tool != TOOL_UNMOUNT; argv++)
		if ((*argv)[0] == '/' && (*argv)[1] != '/')
			r = check_path(*argv, err);
	return r;
}

int priv_run_tool(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_tool *a = arg;
	const char *args[ARGS_MAX + 1] = { NULL };
	_cleanup_free_ char *path = NULL;
	char **argv;
	int r;

	if (a->tool >= POOL_TOOLS || unpack(a->args, sizeof(a->args), args) < 0)
		return error_set(err, -EINVAL, "no such command");
	path = find_tool(a->tool, err);
	if (!path || a->only_look)
		return path ? 0 : -ENOENT;
	argv = tool_argv(a->tool, args, err);
	if (!argv)
		return -EINVAL;
	r = check_paths(a->tool, argv, err);
	if (r == 0)
		r = run_found(path, argv, &fds[0], err);
	tool_argv_free(argv);
	return r;
}
