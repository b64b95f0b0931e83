/*
 * storage/format/raw.c -- a file or block device whose bytes are the disk's.
 *
 * A file that ends inside a sector reads as if zeroes followed.
 *
 * Direct I/O wants aligned offsets and buffers (open(2), O_DIRECT).  What is
 * not aligned goes through a bounce buffer, and an unaligned write reads the
 * blocks at its edges first; such writes exclude each other, or two of them
 * in one block would undo each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "storage/format/format.h"

/* #syscalls:vmm preadv pwritev pwritev2 pread64 pwrite64 fdatasync */
/* #syscalls:vmm fallocate fstat newfstatat statx lseek ftruncate */
/* #ioctls:vmm BLKDISCARD BLKGETSIZE64 BLKSSZGET BLKPBSZGET */

enum { BOUNCE_MAX = 1024 * 1024, IOV_MAX_CALL = 1024, ZEROES = 256 * 1024 };

struct raw {
	pthread_mutex_t edges; /* held over an unaligned write */
};

/* Opening */

static int device_open(struct block *blk, struct error *err)
{
	unsigned int physical = 0;
	uint64_t size;
	int sector;

	if (ioctl(blk->fd, BLKGETSIZE64, &size) < 0 ||
	    ioctl(blk->fd, BLKSSZGET, &sector) < 0)
		return error_set(err, -errno,
				 "cannot get the size of a disk: %m");
	if (ioctl(blk->fd, BLKPBSZGET, &physical) < 0 || !physical)
		physical = sector;
	blk->is_device = true;
	blk->size = ALIGN_DOWN(size, BLOCK_SECTOR);
	blk->best_align = MAX(physical, (unsigned int)sector);
	if (blk->options.direct)
		blk->io_align = blk->mem_align = sector;
	return 0;
}

static void file_alignment(struct block *blk)
{
	blk->io_align = blk->mem_align = 4096;
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(blk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    (sx.stx_mask & STATX_DIOALIGN) && sx.stx_dio_offset_align) {
		blk->io_align = sx.stx_dio_offset_align;
		blk->mem_align = sx.stx_dio_mem_align;
	}
#endif
}

static int raw_open(struct block *blk, struct error *err)
{
	struct raw *raw;
	struct stat st;
	int r = 0;

	if (fstat(blk->fd, &st) < 0)
		return error_set(err, -errno, "cannot stat disk image: %m");
	if (S_ISBLK(st.st_mode))
		r = device_open(blk, err);
	else if (S_ISREG(st.st_mode))
		blk->size = ALIGN_UP((uint64_t)st.st_size, BLOCK_SECTOR);
	else
		return error_set(err, -EINVAL,
				 "disk image is neither file nor device");
	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode) && blk->options.direct)
		file_alignment(blk);
	blk->best_align = MAX(blk->best_align, blk->io_align);

	raw = xcalloc(1, sizeof(*raw));
	pthread_mutex_init(&raw->edges, NULL);
	blk->priv = raw;
	return 0;
}

/* The host has changed a device's size; only a file's is changed here. */
static int raw_resize(struct block *blk, uint64_t size, struct error *err)
{
	uint64_t now;

	if (!blk->is_device) {
		if (ftruncate(blk->fd, (off_t)size) < 0)
			return error_set(err, -errno,
					 "cannot change its size: %m");
		blk->size = ALIGN_UP(size, BLOCK_SECTOR);
		return 0;
	}
	if (ioctl(blk->fd, BLKGETSIZE64, &now) < 0)
		return error_set(err, -errno, "cannot get its size: %m");
	if (now != size)
		return error_set(err, -EINVAL,
				 "the device has %llu bytes, not %llu",
				 (unsigned long long)now,
				 (unsigned long long)size);
	blk->size = ALIGN_DOWN(size, BLOCK_SECTOR);
	return 0;
}

static void raw_close(struct block *blk)
{
	struct raw *raw = blk->priv;

	pthread_mutex_destroy(&raw->edges);
	free(raw);
}

/* Contiguous transfers; the descriptor's alignment is the caller's matter. */

static int read_at(struct block *blk, uint8_t *buf, uint64_t len,
		   uint64_t offset)
{
	while (len) {
		ssize_t n = pread(blk->fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			memset(buf, 0, len);
			return 0;
		}
		buf += n;
		len -= n;
		offset += n;
	}
	return 0;
}

static int write_at(struct block *blk, const uint8_t *buf, uint64_t len,
		    uint64_t offset)
{
	int flags = blk->options.sync_writes ? RWF_DSYNC : 0;

	while (len) {
		struct iovec iov = { (void *)buf, len };
		ssize_t n = pwritev2(blk->fd, &iov, 1, offset, flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= n;
		offset += n;
	}
	return 0;
}

static int transfer(struct block *blk, const struct block_req *req)
{
	uint64_t offset = req->offset;
	int r = 0;

	for (unsigned int i = 0; i < req->n_iov && r >= 0; i++) {
		const struct iovec *v = &req->iov[i];

		if (req->op == BLOCK_READ)
			r = read_at(blk, v->iov_base, v->iov_len, offset);
		else
			r = write_at(blk, v->iov_base, v->iov_len, offset);
		offset += v->iov_len;
	}
	return r;
}

/* Bouncing */

static bool raw_aligned(const struct block *blk, const struct block_req *req)
{
	uint64_t bits = req->offset | req->length;

	if (bits & (blk->io_align - 1))
		return false;
	for (unsigned int i = 0; i < req->n_iov; i++) {
		if ((req->iov[i].iov_len & (blk->io_align - 1)) ||
		    ((uintptr_t)req->iov[i].iov_base & (blk->mem_align - 1)))
			return false;
	}
	return true;
}

static void gather(const struct block_req *req, uint64_t skip, uint8_t *buf,
		   uint64_t len, bool to_iov)
{
	for (unsigned int i = 0; i < req->n_iov && len; i++) {
		uint8_t *base = req->iov[i].iov_base;
		uint64_t n;

		if (skip >= req->iov[i].iov_len) {
			skip -= req->iov[i].iov_len;
			continue;
		}
		n = MIN(req->iov[i].iov_len - skip, len);
		if (to_iov)
			memcpy(base + skip, buf, n);
		else
			memcpy(buf, base + skip, n);
		buf += n;
		len -= n;
		skip = 0;
	}
}

/* [offset, offset + len) of the disk; the window is what is transferred. */
static int bounce_part(struct block *blk, const struct block_req *req,
		       uint8_t *buf, uint64_t offset, uint64_t len)
{
	uint64_t start = ALIGN_DOWN(offset, (uint64_t)blk->io_align);
	uint64_t window = ALIGN_UP(offset + len, (uint64_t)blk->io_align) -
			  start;
	bool whole = offset == start && len == window;
	int r = 0;

	if (req->op == BLOCK_READ || !whole)
		r = read_at(blk, buf, window, start);
	if (r < 0)
		return r;
	gather(req, offset - req->offset, buf + (offset - start), len,
	       req->op == BLOCK_READ);
	if (req->op == BLOCK_WRITE)
		r = write_at(blk, buf, window, start);
	return r;
}

static int bounce(struct block *blk, const struct block_req *req)
{
	struct raw *raw = blk->priv;
	uint64_t align = MAX(blk->io_align, blk->mem_align);
	uint64_t offset = req->offset, left = req->length;
	void *buf;
	int r = 0;

	if (posix_memalign(&buf, MAX(align, sizeof(void *)),
			   BOUNCE_MAX + 2 * align))
		return -ENOMEM;
	if (req->op == BLOCK_WRITE)
		pthread_mutex_lock(&raw->edges);
	while (left && r >= 0) {
		uint64_t n = MIN(left, BOUNCE_MAX - offset % BOUNCE_MAX);

		r = bounce_part(blk, req, buf, offset, n);
		offset += n;
		left -= n;
	}
	if (req->op == BLOCK_WRITE)
		pthread_mutex_unlock(&raw->edges);
	free(buf);
	return r;
}

/* Zeroes and holes */

static int sync_if_asked(struct block *blk, int r)
{
	if (r >= 0 && blk->options.sync_writes && fdatasync(blk->fd) < 0)
		return -errno;
	return r;
}

static int punch(struct block *blk, const struct block_req *req, int mode)
{
	if (fallocate(blk->fd, mode | FALLOC_FL_KEEP_SIZE, req->offset,
		      req->length) < 0)
		return -errno;
	return 0;
}

static int discard(struct block *blk, const struct block_req *req)
{
	uint64_t range[2] = { req->offset, req->length };
	int r;

	if (!blk->options.discard)
		return 0;
	if (blk->is_device)
		r = ioctl(blk->fd, BLKDISCARD, range) < 0 ? -errno : 0;
	else
		r = punch(blk, req, FALLOC_FL_PUNCH_HOLE);
	/* A hint that the storage cannot take is not an error. */
	return r == -EOPNOTSUPP || r == -EINVAL ? 0 : r;
}

static int write_zero_buffer(struct block *blk, const struct block_req *req)
{
	_cleanup_free_ uint8_t *zeroes = xcalloc(1, ZEROES);
	struct iovec iov = { .iov_base = zeroes };
	struct block_req part = {
		.op = BLOCK_WRITE,
		.offset = req->offset,
		.iov = &iov,
		.n_iov = 1,
	};
	uint64_t end = req->offset + req->length;
	int r = 0;

	for (; part.offset < end && r >= 0; part.offset += part.length) {
		part.length = iov.iov_len = MIN(ZEROES, end - part.offset);
		r = blk->format->run(blk, &part);
	}
	return r;
}

static int write_zeroes(struct block *blk, const struct block_req *req)
{
	int r = -EOPNOTSUPP;

	if (req->unmap && blk->options.discard)
		r = punch(blk, req, FALLOC_FL_PUNCH_HOLE);
	if (r < 0)
		r = punch(blk, req, FALLOC_FL_ZERO_RANGE);
	if (r < 0)
		r = write_zero_buffer(blk, req);
	return r;
}

static int raw_run(struct block *blk, const struct block_req *req)
{
	switch (req->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		if (raw_aligned(blk, req))
			return transfer(blk, req);
		return bounce(blk, req);
	case BLOCK_FLUSH:
		return fdatasync(blk->fd) < 0 ? -errno : 0;
	case BLOCK_DISCARD:
		return sync_if_asked(blk, discard(blk, req));
	case BLOCK_WRITE_ZEROES:
		return sync_if_asked(blk, write_zeroes(blk, req));
	case BLOCK_CALL: /* block_run()'s */
		break;
	}
	return -EINVAL;
}

static enum block_direct raw_direct(struct block *blk, struct block_req *req)
{
	req->host = req->offset;
	if (req->op == BLOCK_FLUSH)
		return DIRECT_YES;
	return (req->op == BLOCK_READ || req->op == BLOCK_WRITE) &&
			       req->n_iov <= IOV_MAX_CALL &&
			       raw_aligned(blk, req) ?
		       DIRECT_YES :
		       DIRECT_NO;
}

/* Where nobody knows of holes all is data. */
static int raw_extent(struct block *blk, uint64_t offset, uint64_t length,
		      struct block_extent *ret)
{
	off_t data = lseek(blk->fd, offset, SEEK_DATA), hole;

	*ret = (struct block_extent){
		.length = length,
		.present = true,
		.has_host = true,
		.host = offset,
	};
	if (data < 0) {
		ret->zero = errno == ENXIO;
		return 0;
	}
	ret->zero = (uint64_t)data > offset;
	if (ret->zero) {
		ret->length = MIN(length, (uint64_t)data - offset);
		return 0;
	}
	hole = lseek(blk->fd, offset, SEEK_HOLE);
	if (hole > data)
		ret->length = MIN(length, (uint64_t)hole - offset);
	return 0;
}

const struct block_format block_raw = {
	.name = "raw",
	.open = raw_open,
	.close = raw_close,
	.resize = raw_resize,
	.run = raw_run,
	.direct = raw_direct,
	.extent = raw_extent,
};
