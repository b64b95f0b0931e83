/*
 * daemon/priv_chr.c -- what guests' serial ports and channels connect to:
 * pseudo-terminals and Unix sockets.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>

#include "base/error.h"
#include "base/util.h"

/*
 * Raw from the start: a line discipline that echoes would send the guest's
 * own output back to it as input.
 */
static int make_raw(const char *slave)
{
	_cleanup_close_ int fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t) < 0)
		return -errno;
	cfmakeraw(&t);
	return tcsetattr(fd, TCSANOW, &t) < 0 ? -errno : 0;
}

int priv_open_pty(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	_cleanup_close_ int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC |
					      O_NONBLOCK);
	int r;

	if (fd < 0)
		return error_set(err, -errno,
				 "cannot create a pseudo-terminal: %m");
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, reply->text, 64) != 0)
		return error_set(err, -errno,
				 "cannot set up a pseudo-terminal: %m");
	r = make_raw(reply->text);
	if (r < 0)
		return error_set(err, r, "cannot set up '%s': %m",
				 reply->text);
	fds[0] = steal_fd(&fd);
	return 0;
}

/* Only a pseudo-terminal: majors 136 to 143 (devices.txt). */
int priv_open_tty(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int node = -1;
	struct stat st;
	int r;

	if (!str_startswith(a->path, "/dev/pts/"))
		return error_set(err, -EINVAL,
				 "'%s' is not a pseudo-terminal", a->path);
	r = priv_resolve(a->path, &node, err);
	if (r < 0)
		return r;
	if (fstat(node, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) < 136 || major(st.st_rdev) > 143)
		return error_set(err, -EINVAL,
				 "'%s' is not a pseudo-terminal", a->path);
	r = priv_reopen(node, O_RDWR | O_NONBLOCK);
	if (r < 0)
		return error_set(err, r, "cannot open '%s': %m", a->path);
	fds[0] = r;
	return 0;
}

static int remove_old_socket(int dir, const char *name, const char *path,
			     struct error *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       0 :
			       error_set(err, -errno,
					 "cannot examine '%s': %m", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST,
				 "'%s' exists and is not a socket", path);
	if (unlinkat(dir, name, 0) < 0)
		return error_set(err, -errno,
				 "cannot replace the socket '%s': %m", path);
	return 0;
}

int priv_listen_unix(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int dir = -1, fd = -1;
	struct sockaddr_un addr;
	const char *name;
	int r = priv_resolve_parent(a->path, &dir, &name, err);

	if (r < 0)
		return r;
	r = remove_old_socket(dir, name, a->path, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	/* Nobody else gets in before the mode is right. */
	fchmod(fd, 0600);
	r = priv_unix_address(dir, name, &addr);
	if (r < 0)
		return error_set(err, r, "'%s': %m", a->path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 16) < 0)
		return error_set(err, -errno, "cannot listen on '%s': %m",
				 a->path);
	fds[0] = steal_fd(&fd);
	return 0;
}

int priv_connect_unix(struct priv *priv, const void *arg,
		      struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		      struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int node = -1, fd = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int r = priv_resolve(a->path, &node, err);

	if (r < 0)
		return r;
	if (fstat(node, &st) < 0 || !S_ISSOCK(st.st_mode))
		return error_set(err, -ENOTSOCK, "'%s' is not a socket",
				 a->path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d",
		 node);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return error_set(err, -errno, "cannot connect to '%s': %m",
				 a->path);
	fds[0] = steal_fd(&fd);
	return 0;
}
