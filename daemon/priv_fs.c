/*
 * daemon/priv_fs.c -- starts virtiofsd, which serves a folder of the host's to
 * one guest.
 *
 * It needs root: a guest's files have owners.  It shuts itself into the folder
 * before it serves anything, and ends when the machine's end of the connection
 * is closed, so nothing has to be remembered of it.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/util.h"

#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

/* The folder by its real name, as nobody's link can change it. */
static int real_name(const char *path, char *ret_name, size_t size,
		     struct error *err)
{
	_cleanup_close_ int node = -1;
	char link[64];
	struct stat st;
	ssize_t n;
	int r = priv_resolve(path, &node, err);

	if (r < 0)
		return r;
	if (fstat(node, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "'%s' is not a folder", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", node);
	n = readlink(link, ret_name, size - 1);
	if (n < 0)
		return error_set(err, -errno, "cannot examine '%s': %m", path);
	ret_name[n] = '\0';
	/* Its option parser would see two options. */
	if (strpbrk(ret_name, ",\\"))
		return error_set(err, -EINVAL,
				 "'%s': a shared folder's name cannot have a comma or a backslash",
				 path);
	return 0;
}

/*
 * Both ends of a connection that is waiting to be accepted: only we reach the
 * socket, and only while it is made.
 */
static int listen_and_connect(struct priv *priv, int *ret_listen,
			      int *ret_client)
{
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	char name[32];
	int r;

	if (s < 0 || c < 0)
		return -errno;
	snprintf(name, sizeof(name), ".fs-%d", gettid());
	r = priv_unix_address(priv->vmm_dir, name, &addr);
	if (r < 0)
		return r;
	fchmod(s, 0600);
	unlinkat(priv->vmm_dir, name, 0);
	if (bind(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(s, 1) < 0 ||
	    connect(c, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	unlinkat(priv->vmm_dir, name, 0);
	if (r < 0)
		return r;
	*ret_listen = steal_fd(&s);
	*ret_client = steal_fd(&c);
	return 0;
}

/* Signals as they are by default; a session of its own. */
static int spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setsigmask(attr, &none);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSID);
}

static int start(char *const *argv, int listen_fd)
{
	static char *const env[] = { "LANG=C", "PATH=/usr/sbin:/usr/bin", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	spawn_attributes(&attr);
	/* What it has to say goes where the daemon's own words go. */
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, listen_fd, 3);
	r = posix_spawn(&pid, argv[0], &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -r;
}

static void options(char *text, size_t size, const char *source,
		    uint32_t flags)
{
	snprintf(text, size, "source=%s%s%s%s%s%s", source,
		 flags & PRIV_FS_XATTR ? ",xattr" : "",
		 flags & PRIV_FS_FLOCK ? ",flock" : "",
		 flags & PRIV_FS_POSIX_LOCK ? ",posix_lock" : "",
		 flags & PRIV_FS_CHROOT ? ",sandbox=chroot" : "",
		 flags & PRIV_FS_CACHE_NONE   ? ",cache=none" :
		 flags & PRIV_FS_CACHE_ALWAYS ? ",cache=always" :
						"");
}

int priv_start_fs(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int listen_fd = -1, client = -1;
	char source[PATH_MAX], text[PATH_MAX + 128];
	char *argv[] = { VIRTIOFSD, "--fd=3", "-o", text, NULL };
	int r;

	if (priv->session)
		return error_set(err, -EPERM,
				 "a shared folder needs a daemon that runs as root");
	r = real_name(a->path, source, sizeof(source), err);
	if (r < 0)
		return r;
	options(text, sizeof(text), source, a->flags);
	r = listen_and_connect(priv, &listen_fd, &client);
	if (r < 0)
		return error_set(err, r, "cannot create a socket: %m");
	r = start(argv, listen_fd);
	if (r < 0)
		return error_set(err, r, "cannot start '%s': %m", VIRTIOFSD);
	fds[0] = steal_fd(&client);
	return 0;
}
