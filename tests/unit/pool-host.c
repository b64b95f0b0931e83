/*
 * tests/unit/pool-host.c -- the files and folders of this process.
 */
#include "tests/unit/pool-host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int real_list(const char *path, struct pool_dir **ret_dir,
		     struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *copy = xstrdup(path);
	char *slash = strrchr(copy, '/');
	int r;

	if (fd >= 0) {
		r = pool_listing(fd, NULL, ret_dir);
	} else {
		*slash = '\0';
		fd = open(copy, O_RDONLY | O_DIRECTORY);
		r = fd < 0 ? -errno : pool_listing(fd, slash + 1, ret_dir);
	}
	return r < 0 ? error_set(err, r, "cannot list '%s': %m", path) : 0;
}

static int real_make_dir(const char *path, const struct pool_access *access,
			 struct error *err)
{
	return mkdir(path, access->mode) < 0 ?
		       error_set(err, -errno, "cannot make '%s': %m", path) :
		       0;
}

static int real_remove_dir(const char *path, struct error *err)
{
	return rmdir(path) < 0 ?
		       error_set(err, -errno, "cannot remove '%s': %m", path) :
		       0;
}

static int real_create(const char *path, const struct pool_access *access,
		       struct error *err, int *ret_fd)
{
	*ret_fd = open(path, O_RDWR | O_CREAT | O_EXCL, access->mode);
	return *ret_fd < 0 ?
		       error_set(err, -errno, "cannot create '%s': %m", path) :
		       0;
}

static int real_remove(const char *path, struct error *err)
{
	return unlink(path) < 0 ?
		       error_set(err, -errno, "cannot remove '%s': %m", path) :
		       0;
}

static int real_open(const char *path, bool readonly, bool block,
		     struct error *err, int *ret_fd)
{
	*ret_fd = open(path, readonly ? O_RDONLY : O_RDWR);
	return *ret_fd < 0 ?
		       error_set(err, -errno, "cannot open '%s': %m", path) :
		       0;
}

static int run_none(enum pool_tool tool, const char *const *args,
		    char **ret_output, struct error *err)
{
	return error_set(err, -ENOENT, "this test runs no commands");
}

static bool has_none(enum pool_tool tool)
{
	return false;
}

const struct pool_host plain_host = {
	.list = real_list,
	.make_dir = real_make_dir,
	.remove_dir = real_remove_dir,
	.create = real_create,
	.remove = real_remove,
	.open = real_open,
	.run = run_none,
	.has = has_none,
};
