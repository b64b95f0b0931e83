/*
 * storage/format/merge.c -- an image goes into the one that it is based on,
 * and an image is told what it is based on.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "storage/format/format.h"
#include "storage/format/qcow2_header.h"

/* #syscalls:vmm fdatasync */

enum { STEP = 1 << 20 };

static int run(struct block *blk, enum block_op op, void *data,
	       uint64_t offset, uint64_t length)
{
	struct iovec iov = { data, length };
	struct block_req req = {
		.op = op,
		.offset = offset,
		.length = length,
		.iov = data ? &iov : NULL,
		.n_iov = data ? 1 : 0,
	};

	return block_run(blk, &req);
}

int block_copy(struct block *from, struct block *to, uint64_t offset,
	       uint64_t length, bool zero, void *buffer)
{
	int r;

	if (zero)
		return run(to, BLOCK_WRITE_ZEROES, NULL, offset, length);
	r = run(from, BLOCK_READ, buffer, offset, length);
	return r < 0 ? r : run(to, BLOCK_WRITE, buffer, offset, length);
}

static int merge(struct block *top, struct block *base, void *buffer)
{
	struct block_extent e;
	int r = 0;

	for (uint64_t at = 0; at < top->size && r >= 0; at += e.length) {
		r = block_extent(top, at, MIN(STEP, top->size - at), &e);
		if (r >= 0 && !e.length)
			return -EIO;
		if (r >= 0 && e.depth == 0)
			r = block_copy(top, base, at, e.length, e.zero,
				       buffer);
	}
	return r < 0 ? r : run(base, BLOCK_FLUSH, NULL, 0, 0);
}

int block_merge(struct block *top, struct block *base, struct error *err)
{
	_cleanup_free_ void *buffer = NULL;
	int r = 0;

	if (posix_memalign(&buffer, 4096, STEP))
		return error_set(err, -ENOMEM, "out of memory");
	if (base->size < top->size)
		r = block_resize(base, top->size, err);
	if (r < 0)
		return r;
	r = merge(top, base, buffer);
	return r < 0 ? error_set(err, r, "cannot merge the images: %s",
				 strerror(-r)) :
		       0;
}

/* ---- what an image is based on ---- */

static int read_all(int fd, uint8_t *data, size_t len, struct error *err)
{
	ssize_t n = pread(fd, data, len, 0);

	return n == (ssize_t)len ?
		       0 :
		       error_set(err, n < 0 ? -errno : -EIO,
				 "cannot read its header");
}

static int rewrite(int fd, struct qcow2_header *h, uint8_t *data, size_t size,
		   const char *name, const char *format, struct error *err)
{
	struct qcow2_header next = *h;
	int r;

	next.backing = (char *)name;
	next.backing_format = (char *)(name ? format : NULL);
	memset(data, 0, size);
	r = qcow2_header_format(&next, data, size);
	if (r < 0)
		return error_set(err, r,
				 "the name does not fit into its header");
	if (pwrite(fd, data, size, 0) != (ssize_t)size || fdatasync(fd) < 0)
		return error_set(err, -EIO, "cannot write its header");
	return 0;
}

/* A sector at least, and the first cluster at most, which others follow. */
int block_set_backing(int fd, const char *name, const char *format,
		      struct error *err)
{
	uint8_t first[QCOW2_HEADER_MIN];
	_cleanup_free_ uint8_t *data = NULL;
	struct qcow2_header h;
	size_t size;
	int r = read_all(fd, first, sizeof(first), err);

	if (r < 0)
		return r;
	size = qcow2_header_cluster(first, sizeof(first));
	if (!size)
		return error_set(err, -ENOTSUP,
				 "only a qcow2 image can be based on another one");
	data = xcalloc(1, size);
	r = read_all(fd, data, size, err);
	if (r >= 0)
		r = qcow2_header_parse(data, size, &h, err);
	if (r < 0)
		return r;
	r = rewrite(fd, &h, data, size, name, format, err);
	qcow2_header_free(&h);
	return r;
}
