/*
 * storage/format/image.c -- making, examining and filling images, of
 * whatever format.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/format.h"

/* #syscalls:vmm fstat lseek */

static int allocate(int fd, uint64_t offset, uint64_t end,
		    enum block_preallocation how, struct error *err)
{
	int r = how == PREALLOCATE_METADATA ? ftruncate(fd, end) :
					      fallocate(fd, 0, offset,
							end - offset);

	if (r < 0)
		return error_set(err, -errno, "cannot allocate its space: %m");
	return 0;
}

/* Through the format: it knows what of the file is data. */
static int write_zeroes(struct block *blk, uint64_t offset, struct error *err)
{
	_cleanup_free_ uint8_t *zeroes = xcalloc(1, MIB);
	struct iovec iov = { .iov_base = zeroes };
	struct block_req req = {
		.op = BLOCK_WRITE,
		.iov = &iov,
		.n_iov = 1,
	};
	int r = 0;

	for (; offset < blk->size && r >= 0; offset += req.length) {
		req.offset = offset;
		req.length = iov.iov_len = MIN(MIB, blk->size - offset);
		r = block_run(blk, &req);
	}
	return r < 0 ? error_set(err, r, "cannot fill it: %m") : 0;
}

int block_preallocate(struct block *blk, uint64_t offset,
		      enum block_preallocation how, struct error *err)
{
	uint64_t end = blk->size, from = offset;
	struct block_info info;
	struct stat st;
	int r = 0;

	if (how == PREALLOCATE_OFF || blk->is_device)
		return 0;
	block_info(blk, &info);
	if (info.encrypted && how != PREALLOCATE_FULL)
		return error_set(err, -ENOTSUP,
				 "an encrypted image can be preallocated in full, or not");
	if (blk->format->preallocate && !info.encrypted) {
		if (fstat(blk->fd, &st) < 0)
			return error_set(err, -errno, "cannot stat it: %m");
		from = st.st_size;
		r = blk->format->preallocate(blk, offset, &end);
	} else if (how == PREALLOCATE_METADATA) {
		return error_set(err, -ENOTSUP,
				 "format '%s' has no metadata to preallocate",
				 blk->format->name);
	}
	if (r < 0)
		return error_set(err, r, "cannot preallocate it: %m");
	if (end > from && !info.encrypted)
		r = allocate(blk->fd, from, end, how, err);
	if (r >= 0 && how == PREALLOCATE_FULL)
		r = write_zeroes(blk, offset, err);
	return r;
}

static int fill(int fd, const struct block_create *c, struct error *err)
{
	struct block_options options = { .alone = true, .unlocked = true,
					 .key = c->key,
					 .key_len = c->key_len };
	struct block *blk;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return error_set(err, -errno, "no descriptor: %m");
	r = block_open(c->format, copy, &options, &blk, err);
	if (r < 0) {
		fd_close(copy);
		return r;
	}
	r = block_preallocate(blk, 0, c->preallocation, err);
	block_close(blk);
	return r;
}

static int create_on(struct block *raw, const struct block_format *format,
		     const struct block_create *c, struct error *err)
{
	if (!format->create && format != &block_raw)
		return error_set(err, -ENOTSUP,
				 "images of format '%s' are only read",
				 format->name);
	if (!raw->is_device && ftruncate(raw->fd, 0) < 0)
		return error_set(err, -errno, "cannot empty it: %m");
	if (format->create)
		return format->create(raw, c, err);
	if (c->backing)
		return error_set(err, -EINVAL,
				 "format '%s' cannot be based on another image",
				 format->name);
	if (raw->is_device)
		return c->size <= raw->size ?
			       0 :
			       error_set(err, -ENOSPC, "the device is too small");
	return block_resize(raw, c->size, err);
}

int block_create(int fd, const struct block_create *c, struct error *err)
{
	const struct block_format *format = block_find_format(c->format);
	struct block_options options = { 0 };
	struct block *raw;
	int copy, r;

	if (!format)
		return error_set(err, -EINVAL, "unknown disk format '%s'",
				 c->format);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return error_set(err, -errno, "no descriptor: %m");
	r = block_open("raw", copy, &options, &raw, err);
	if (r < 0) {
		fd_close(copy);
		return r;
	}
	r = create_on(raw, format, c, err);
	block_close(raw);
	if (r >= 0 && c->preallocation != PREALLOCATE_OFF)
		r = fill(fd, c, err);
	return r;
}

int block_verify(struct block *blk, unsigned int fix,
		 struct block_verdict *ret, struct error *err)
{
	if (!blk->format->verify)
		return error_set(err, -ENOTSUP,
				 "format '%s' has nothing to check",
				 blk->format->name);
	memset(ret, 0, sizeof(*ret));
	return blk->format->verify(blk, fix, ret, err);
}

int block_empty(struct block *blk)
{
	int r;

	if (blk->options.readonly)
		return -EROFS;
	r = blk->format->empty ? blk->format->empty(blk) : -ENOTSUP;
	block_mark_dirty(blk, 0, blk->size);
	return r;
}

int block_snapshots(struct block *blk, struct block_snapshot **ret,
		    unsigned int *ret_n, struct error *err)
{
	int r = 0;

	*ret = NULL;
	*ret_n = 0;
	if (blk->format->snapshot_list)
		r = blk->format->snapshot_list(blk, ret, ret_n);
	return r < 0 ? error_set(err, r, "its snapshot table is invalid") : 0;
}

void block_snapshots_free(struct block_snapshot *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free((char *)list[i].id);
		free((char *)list[i].name);
	}
	free(list);
}

int block_snapshot(struct block *blk, enum block_snapshot_op op,
		   const char *what, struct error *err)
{
	if (!blk->format->snapshot)
		return error_set(err, -ENOTSUP,
				 "format '%s' has no internal snapshots",
				 blk->format->name);
	if (blk->options.readonly)
		return error_set(err, -EROFS, "it is read-only");
	return blk->format->snapshot(blk, op, what, err);
}

int block_write_compressed(struct block *blk, const void *cluster,
			   uint64_t offset)
{
	struct block_info info;
	int r;

	if (blk->options.readonly)
		return -EROFS;
	if (!blk->format->write_compressed)
		return -ENOTSUP;
	if (offset >= blk->size)
		return -EINVAL;
	r = blk->format->write_compressed(blk, cluster, offset);
	block_info(blk, &info);
	block_mark_dirty(blk, offset, info.cluster_size);
	return r;
}

int block_space(const struct block *blk, struct block_space *ret)
{
	struct stat st;

	if (fstat(blk->fd, &st) < 0)
		return -errno;
	ret->allocation = (uint64_t)st.st_blocks * 512;
	ret->physical = st.st_size;
	if (blk->is_device)
		ret->allocation = ret->physical = lseek(blk->fd, 0, SEEK_END);
	return 0;
}

void block_info(const struct block *blk, struct block_info *ret)
{
	*ret = (struct block_info){ .format = blk->format->name };
	if (blk->format->info)
		blk->format->info(blk, ret);
}
