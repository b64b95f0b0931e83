/*
 * daemon/priv_pool.c -- folders and files of storage pools: listed, made and
 * removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/priv.h"
#include "storage/pool/host.h"

/* ---- listing ---- */

/* A folder's, or that of a single thing in it. */
static int list(const char *path, struct pool_dir **ret_dir,
		struct error *err)
{
	_cleanup_close_ int node = -1, dir = -1;
	const char *only = NULL;
	struct stat st;
	int r = priv_resolve(path, &node, err);

	if (r < 0)
		return r;
	if (fstat(node, &st) < 0)
		return error_set(err, -errno, "cannot examine '%s': %m", path);
	if (!S_ISDIR(st.st_mode)) {
		fd_close(steal_fd(&node));
		r = priv_resolve_parent(path, &node, &only, err);
		if (r < 0)
			return r;
	}
	dir = priv_reopen(node, O_RDONLY | O_DIRECTORY);
	r = dir < 0 ? dir : pool_listing(dir, only, ret_dir);
	return r < 0 ? error_set(err, r, "cannot list '%s': %m", path) : 0;
}

static int put(const void *data, size_t len, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("vireo-list", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : write_full(fd, data, len);

	if (r < 0)
		return error_set(err, r, "cannot pass a list on: %m");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int priv_list_dir(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_free_ struct pool_dir *dir = NULL;
	int r = list(a->path, &dir, err);

	return r < 0 ? r : put(dir, pool_listing_size(dir), &fds[0], err);
}

/* ---- owners and modes ---- */

/* The owner first: a change of it takes bits of the mode away. */
static int give(int fd, const struct priv_volume *a, bool new,
		struct error *err)
{
	mode_t keep = 0;
	struct stat st;

	/* A folder for everyone's files stays one: a pool's mode has no such
	 * bits. */
	if (!new && fstat(fd, &st) == 0)
		keep = st.st_mode & 07000;
	if ((a->uid >= 0 || a->gid >= 0) && fchown(fd, a->uid, a->gid) < 0)
		return error_set(err, -errno,
				 "cannot change the owner of '%s': %m",
				 a->path);
	if ((new || a->mode_given) &&
	    fchmod(fd, keep | (a->mode & 07777)) < 0)
		return error_set(err, -errno,
				 "cannot change the mode of '%s': %m", a->path);
	return 0;
}

/* ---- folders ---- */

static bool is_there(const char *path)
{
	_cleanup_close_ int fd = -1;

	return priv_resolve(path, &fd, NULL) == 0;
}

static int make_one(const char *path, struct error *err)
{
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = priv_resolve_parent(path, &dir, &name, err);

	if (r < 0)
		return r;
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot make '%s': %m", path);
	return 0;
}

/* Each folder on the way that is missing. */
static int make_all(char *path, struct error *err)
{
	int r = 0;

	for (char *p = path + 1; r == 0; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		if (p[-1] != '/' && !is_there(path))
			r = make_one(path, err);
		*p = c;
		if (!c)
			break;
	}
	return r;
}

int priv_make_dir(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_volume *a = arg;
	_cleanup_free_ char *path = xstrdup(a->path);
	_cleanup_close_ int node = -1, fd = -1;
	bool new = !is_there(a->path);
	int r;

	if (*path != '/')
		return error_set(err, -EINVAL, "'%s' is not an absolute path",
				 path);
	r = make_all(path, err);
	if (r == 0)
		r = priv_resolve(a->path, &node, err);
	if (r < 0)
		return r;
	fd = priv_reopen(node, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return error_set(err, fd, "cannot open '%s': %m", a->path);
	return give(fd, a, new, err);
}

int priv_remove_dir(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = priv_resolve_parent(a->path, &dir, &name, err);

	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ?
		       error_set(err, -errno, "cannot remove '%s': %m",
				 a->path) :
		       0;
}

/* ---- files ---- */

int priv_create_volume(struct priv *priv, const void *arg,
		       struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		       struct error *err)
{
	const struct priv_volume *a = arg;
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	int r = priv_resolve_parent(a->path, &dir, &name, err);

	if (r < 0)
		return r;
	fd = openat(dir, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot create '%s': %m",
				 a->path);
	/* Nobody's programs. */
	if ((a->mode & ~0777u) != 0)
		r = error_set(err, -EINVAL, "%#o is no mode of a volume",
			      a->mode);
	if (r == 0)
		r = give(fd, a, true, err);
	if (r < 0) {
		unlinkat(dir, name, 0);
		return r;
	}
	fds[0] = steal_fd(&fd);
	return 0;
}
