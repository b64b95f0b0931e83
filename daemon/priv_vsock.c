/*
 * daemon/priv_vsock.c -- the host's end of guests' AF_VSOCK: the kernel's
 * vhost-vsock, or, where there is none, Unix sockets in a folder of the
 * domain's (RUN/vsock/UUID).
 *
 * There, "socket" is where programs connect to the guest, and "socket_PORT" is
 * what somebody listens on for connections of the guest's.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/util.h"

enum { CID_FIRST = 3, CID_TRIES = 4096 };

static void dir_name(const uint8_t uuid[PRIV_UUID_LEN], char ret[48])
{
	memcpy(ret, "vsock/", 6);
	priv_uuid_text(uuid, ret + 6);
}

static int open_folder(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN],
		       bool make)
{
	_cleanup_close_ int run = open(priv->run_dir, O_RDONLY | O_DIRECTORY |
						      O_CLOEXEC);
	char name[48];
	int fd;

	dir_name(uuid, name);
	if (run < 0)
		return -errno;
	if (make && ((mkdirat(run, "vsock", 0700) < 0 && errno != EEXIST) ||
		     (mkdirat(run, name, 0700) < 0 && errno != EEXIST)))
		return -errno;
	fd = openat(run, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- vhost-vsock ---- */

static int set_cid(int fd, uint64_t cid)
{
	return ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid) < 0 ? -errno : 0;
}

static int choose_cid(int fd, uint32_t wanted, uint32_t *ret_cid)
{
	uint32_t cid = wanted ? wanted : CID_FIRST;
	int r = set_cid(fd, cid);

	while (r == -EADDRINUSE && !wanted && cid < CID_FIRST + CID_TRIES)
		r = set_cid(fd, ++cid);
	*ret_cid = cid;
	return r;
}

/* ---- Unix sockets ---- */

static int listen_in(int dir)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	int r = priv_unix_address(dir, "socket", &addr);

	if (r < 0 || fd < 0)
		return r < 0 ? r : -errno;
	fchmod(fd, 0600);
	if (unlinkat(dir, "socket", 0) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 64) < 0)
		return -errno;
	return steal_fd(&fd);
}

int priv_open_vsock(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_vsock *a = arg;
	_cleanup_close_ int dir = -1;
	uint32_t cid = a->number ? a->number : CID_FIRST;
	_cleanup_close_ int vhost = open("/dev/vhost-vsock",
					 O_RDWR | O_CLOEXEC);
	int r;

	if (vhost >= 0) {
		r = choose_cid(vhost, a->number, &cid);
		if (r < 0)
			return error_set(err, r,
					 "cannot give the guest the vsock address %u: %m",
					 cid);
		strcpy(reply->text, "vhost");
		reply->pid = (int32_t)cid;
		fds[0] = steal_fd(&vhost);
		return 0;
	}
	dir = open_folder(priv, a->uuid, true);
	r = dir < 0 ? dir : listen_in(dir);
	if (r < 0)
		return error_set(err, r, "cannot make the vsock socket: %m");
	reply->pid = (int32_t)cid;
	fds[0] = r;
	return 0;
}

int priv_connect_vsock(struct priv *priv, const void *arg,
		       struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		       struct error *err)
{
	const struct priv_vsock *a = arg;
	_cleanup_close_ int dir = open_folder(priv, a->uuid, false);
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "socket_%u", a->number);
	r = dir < 0 ? dir : priv_unix_address(dir, name, &addr);
	if (r >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	if (r < 0)
		return error_set(err, r, "vsock port %u: %m", a->number);
	fds[0] = steal_fd(&fd);
	return 0;
}

/* What others listen on in there is theirs, and keeps the folder. */
void priv_forget_vsock(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN])
{
	_cleanup_close_ int run = open(priv->run_dir, O_RDONLY | O_DIRECTORY |
						      O_CLOEXEC);
	_cleanup_close_ int dir = open_folder(priv, uuid, false);
	char name[48];

	if (dir < 0)
		return;
	dir_name(uuid, name);
	unlinkat(dir, "socket", 0);
	unlinkat(run, name, AT_REMOVEDIR);
}
