/*
 * daemon/priv_open.c -- disks, kernels, log files: regular files and block
 * devices, nothing else.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/util.h"

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFBLK:
		return "a block device";
	case S_IFDIR:
		return "a folder";
	case S_IFCHR:
		return "a character device";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	default:
		return "something unknown";
	}
}

/* kind: the one S_IF* that is allowed. */
static int open_kind(const char *path, mode_t kind, int flags, int *ret_fd,
		     struct error *err)
{
	_cleanup_close_ int node = -1;
	struct stat st;
	int r = priv_resolve(path, &node, err);

	if (r < 0)
		return r;
	if (fstat(node, &st) < 0)
		return error_set(err, -errno, "cannot examine '%s': %m", path);
	if ((st.st_mode & S_IFMT) != kind)
		return error_set(err, -EINVAL, "'%s' is %s, not %s", path,
				 kind_of(st.st_mode), kind_of(kind));
	r = priv_reopen(node, flags);
	if (r < 0)
		return error_set(err, r, "cannot open '%s': %m", path);
	*ret_fd = r;
	return 0;
}

int priv_open_disk(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_path *a = arg;

	return open_kind(a->path, a->flags & PRIV_BLOCK ? S_IFBLK : S_IFREG,
			 a->flags & PRIV_READONLY ? O_RDONLY : O_RDWR, &fds[0],
			 err);
}

int priv_open_file(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_path *a = arg;

	return open_kind(a->path, S_IFREG, O_RDONLY, &fds[0], err);
}

/* The last component may be missing, but must not be a link. */
int priv_open_log(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_path *a = arg;
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		    O_APPEND | O_CLOEXEC;
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	struct stat st;
	int r = priv_resolve_parent(a->path, &dir, &name, err);

	if (r < 0)
		return r;
	fd = openat(dir, name, flags, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot open '%s': %m", a->path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "'%s' is not a regular file",
				 a->path);
	if (!(a->flags & PRIV_APPEND) && ftruncate(fd, 0) < 0)
		return error_set(err, -errno, "cannot empty '%s': %m",
				 a->path);
	fds[0] = steal_fd(&fd);
	return 0;
}

/* Documentation/admin-guide/devices.txt: misc device 232. */
#define KVM_DEVICE makedev(10, 232)

int priv_open_kvm(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	_cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return error_set(err, -errno, "cannot open /dev/kvm: %m");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != KVM_DEVICE)
		return error_set(err, -ENODEV,
				 "/dev/kvm is not the KVM device");
	fds[0] = steal_fd(&fd);
	return 0;
}

/* Its number is given when the module is loaded: misc devices are major 10. */
int priv_open_userfault(struct priv *priv, const void *arg,
			struct priv_reply *reply, int fds[PRIV_FDS_MAX],
			struct error *err)
{
	static const char path[] = "/dev/userfaultfd";
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return error_set(err, -errno, "cannot open %s: %m", path);
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) != 10)
		return error_set(err, -ENODEV, "%s is another device", path);
	fds[0] = steal_fd(&fd);
	return 0;
}

/* Without a name: the file goes when the machine does. */
int priv_open_memory(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	_cleanup_close_ int dir = -1;
	int r = priv_resolve(priv->memory_dir, &dir, err);

	if (r < 0)
		return r;
	fds[0] = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fds[0] < 0 ? error_set(err, -errno,
				      "cannot create a file for guest memory in '%s': %m",
				      priv->memory_dir) :
			    0;
}
