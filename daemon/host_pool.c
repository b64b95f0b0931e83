/*
 * daemon/host_pool.c -- main's side of what storage pools ask of the host.
 *
 * What comes back is read from descriptors and checked: its lengths are not
 * trusted more than a file's would be.
 */
#include "daemon/host_pool.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "daemon/host.h"
#include "daemon/priv.h"
#include "drivers/driver.h"
#include "storage/pool/host.h"

enum { ANSWER_MAX = 1 << 29 };

/* All of it and a zero byte. */
static int slurp(int fd, char **ret_data, size_t *ret_len, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size > ANSWER_MAX)
		return error_set(err, -EMSGSIZE, "an answer is too long");
	data = xmalloc(st.st_size + 1);
	if (pread(fd, data, st.st_size, 0) != st.st_size)
		return error_set(err, -EIO, "an answer is cut short");
	data[st.st_size] = '\0';
	*ret_len = st.st_size;
	*ret_data = steal_ptr(&data);
	return 0;
}

/* op on a path; ret_fd: NULL for one that gives no descriptor. */
static int call_volume(enum priv_op op, const char *path,
		       const struct pool_access *access, int *ret_fd,
		       struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	int fds[PRIV_FDS_MAX] = { -1, -1 };
	struct priv_reply reply;
	int r;

	rq->op = op;
	rq->volume.mode = access->mode;
	rq->volume.mode_given = access->mode_given;
	rq->volume.uid = access->uid;
	rq->volume.gid = access->gid;
	if (strlen(path) >= sizeof(rq->volume.path)) {
		r = error_set(err, -ENAMETOOLONG, "a path is too long");
	} else {
		strcpy(rq->volume.path, path);
		r = host_call(rq, sizeof(rq->volume), &reply,
			      ret_fd ? fds : NULL, err);
	}
	free(rq);
	if (r == 0 && ret_fd)
		*ret_fd = fds[0];
	return r;
}

static int call_path(enum priv_op op, const char *path, int *ret_fd,
		     struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	int fds[PRIV_FDS_MAX] = { -1, -1 };
	struct priv_reply reply;
	int r;

	rq->op = op;
	if (strlen(path) >= sizeof(rq->path.path)) {
		r = error_set(err, -ENAMETOOLONG, "a path is too long");
	} else {
		strcpy(rq->path.path, path);
		r = host_call(rq, sizeof(rq->path), &reply,
			      ret_fd ? fds : NULL, err);
	}
	free(rq);
	if (r == 0 && ret_fd)
		*ret_fd = fds[0];
	return r;
}

/* ---- folders ---- */

static bool listing_is_whole(const struct pool_dir *dir, size_t len)
{
	if (len < sizeof(*dir) || dir->n > POOL_DIR_MAX ||
	    len != pool_listing_size(dir))
		return false;
	for (uint32_t i = 0; i < dir->n; i++)
		if (!memchr(dir->entries[i].name, '\0',
			    sizeof(dir->entries[i].name)))
			return false;
	return true;
}

static int list(const char *path, struct pool_dir **ret_dir,
		struct error *err)
{
	_cleanup_close_ int fd = -1;
	char *data = NULL;
	size_t len;
	int r = call_path(PRIV_LIST_DIR, path, &fd, err);

	if (r == 0)
		r = slurp(fd, &data, &len, err);
	if (r == 0 && !listing_is_whole((struct pool_dir *)data, len)) {
		free(data);
		return error_set(err, -EPROTO, "the list of '%s' is damaged",
				 path);
	}
	if (r == 0)
		*ret_dir = (struct pool_dir *)data;
	return r;
}

static int make_dir(const char *path, const struct pool_access *access,
		    struct error *err)
{
	return call_volume(PRIV_MAKE_DIR, path, access, NULL, err);
}

static int remove_dir(const char *path, struct error *err)
{
	return call_path(PRIV_REMOVE_DIR, path, NULL, err);
}

/* ---- files ---- */

static int create(const char *path, const struct pool_access *access,
		  struct error *err, int *ret_fd)
{
	return call_volume(PRIV_CREATE_VOLUME, path, access, ret_fd, err);
}

static int remove_file(const char *path, struct error *err)
{
	return host_file_remove(path, err);
}

/* ---- commands ---- */

static int pack(const char *const *args, struct priv_tool *tool)
{
	size_t at = 0;

	for (; *args; args++) {
		size_t len = strlen(*args) + 1;

		/* An empty one would be the end. */
		if (len == 1 || at + len >= sizeof(tool->args))
			return -EINVAL;
		memcpy(tool->args + at, *args, len);
		at += len;
	}
	return 0;
}

static int call_tool(struct priv_request *rq, int *ret_fd, struct error *err)
{
	int fds[PRIV_FDS_MAX] = { -1, -1 };
	struct priv_reply reply;
	int r = host_call(rq, sizeof(rq->tool), &reply, fds, err);

	if (r == 0)
		*ret_fd = fds[0];
	return r;
}

static int run(enum pool_tool tool, const char *const *args,
	       char **ret_output, struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	_cleanup_close_ int fd = -1;
	size_t len;
	int r;

	rq->op = PRIV_RUN_TOOL;
	rq->tool.tool = tool;
	r = pack(args, &rq->tool);
	if (r < 0)
		error_set(err, r, "an argument of a command is empty or too "
				  "long");
	else
		r = call_tool(rq, &fd, err);
	free(rq);
	return r < 0 ? r : slurp(fd, ret_output, &len, err);
}

static bool has(enum pool_tool tool)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	_cleanup_close_ int fd = -1;
	int r;

	rq->op = PRIV_RUN_TOOL;
	rq->tool.tool = tool;
	rq->tool.only_look = true;
	r = call_tool(rq, &fd, NULL);
	free(rq);
	return r == 0;
}

const struct pool_host host_pools = {
	.list = list,
	.make_dir = make_dir,
	.remove_dir = remove_dir,
	.create = create,
	.remove = remove_file,
	.open = host_open_disk,
	.run = run,
	.has = has,
};
