/*
 * daemon/priv_file.c -- files that take their name when they are complete.
 *
 * A saved guest is written beside the file whose name it shall have, and
 * renamed when it is safe: whoever had that name keeps it until then, and a
 * guest that runs from an older file of that name keeps that one for good.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/util.h"

/* Of a guest's file "x": ".x.vireo-saving". */
static int beside(const char *path, int *ret_dir, const char **ret_name,
		  char ret_new[NAME_MAX + 1], struct error *err)
{
	int r = priv_resolve_parent(path, ret_dir, ret_name, err);

	if (r < 0)
		return r;
	if (snprintf(ret_new, NAME_MAX + 1, ".%s.vireo-saving", *ret_name) >
	    NAME_MAX) {
		fd_close(*ret_dir);
		return error_set(err, -ENAMETOOLONG, "'%s' is too long a name",
				 path);
	}
	return 0;
}

/* What is there and no regular file must not be replaced by one. */
static int check_replaced(int dir, const char *name, const char *path,
			  struct error *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 :
					 error_set(err, -errno,
						   "cannot examine '%s': %m",
						   path);
	return S_ISREG(st.st_mode) ?
		       0 :
		       error_set(err, -EINVAL, "'%s' is not a regular file",
				 path);
}

int priv_file_begin(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int dir = -1;
	char new_name[NAME_MAX + 1];
	const char *name;
	int r = beside(a->path, &dir, &name, new_name, err);

	if (r == 0)
		r = check_replaced(dir, name, a->path, err);
	if (r < 0)
		return r;
	unlinkat(dir, new_name, 0); /* of one that was not completed */
	fds[0] = openat(dir, new_name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	return fds[0] < 0 ? error_set(err, -errno, "cannot create '%s': %m",
				      a->path) :
			    0;
}

static int sync_folder(int dir)
{
	_cleanup_close_ int fd = priv_reopen(dir, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
}

int priv_file_end(struct priv *priv, const void *arg, struct priv_reply *reply,
		  int fds[PRIV_FDS_MAX], struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int dir = -1;
	char new_name[NAME_MAX + 1];
	const char *name;
	int r = beside(a->path, &dir, &name, new_name, err);

	if (r < 0)
		return r;
	if (!(a->flags & PRIV_KEEP))
		r = unlinkat(dir, new_name, 0) < 0 ? -errno : 0;
	else if (renameat(dir, new_name, dir, name) < 0)
		r = -errno;
	else
		r = sync_folder(dir);
	return r < 0 ? error_set(err, r, "cannot complete '%s': %m", a->path) :
		       0;
}

/* A regular file that goes away with its guest. */
int priv_file_remove(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct priv_path *a = arg;
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = priv_resolve_parent(a->path, &dir, &name, err);

	if (r == 0)
		r = check_replaced(dir, name, a->path, err);
	if (r < 0)
		return r;
	return unlinkat(dir, name, 0) < 0 ?
		       error_set(err, -errno, "cannot remove '%s': %m",
				 a->path) :
		       0;
}
