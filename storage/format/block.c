/*
 * storage/format/block.c -- the part of the block layer that is the same for
 * all formats: opening, locking, range checks.
 */
#include "storage/format/block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/format.h"

/* #syscalls:vmm fcntl close fadvise64 */

static const struct block_format *const formats[] = {
	&block_raw,
	&block_qcow2,
	&block_luks,
	&block_vdi,
	&block_vhdx,
	&block_vmdk,
	&block_vpc,
};

const struct block_format *block_find_format(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		if (str_eq(formats[i]->name, name))
			return formats[i];
	}
	return NULL;
}

/*
 * One writer or many readers; writers that share count as readers.  The lock belongs to the open file description
 * (fcntl(2), F_OFD_SETLK), so it is the same for everyone who was handed this
 * descriptor and ends with the last copy.  Where a file system has no locks
 * there is nothing to ask.
 */
int block_lock(int fd, bool readonly, struct error *err)
{
	struct flock lock = {
		.l_type = readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return error_set(err, -EBUSY,
				 "disk image is in use by another process");
	if (errno == EBADF)
		return error_set(err, -EACCES,
				 "disk image is not open for %s",
				 readonly ? "reading" : "writing");
	return 0;
}

void block_unlock(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &lock);
}

static int set_direct(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return error_set(err, -errno,
				 "disk image allows no direct I/O: %m");
	return 0;
}

static int open_format(struct block *blk, struct error *err)
{
	blk->io_align = blk->mem_align = 1;
	blk->best_align = BLOCK_SECTOR;
	return blk->format->open(blk, err);
}

int block_open_file(struct block *blk, struct block *file, struct error *err)
{
	*file = (struct block){
		.format = &block_raw,
		.options = blk->options,
		.fd = blk->fd,
		.io_align = 1,
		.mem_align = 1,
		.best_align = BLOCK_SECTOR,
	};
	return block_raw.open(file, err);
}

bool block_key_optional(const struct block *blk)
{
	const struct block_options *o = &blk->options;

	return o->repair || (o->readonly && o->alone);
}

static void keep_key(struct block *blk)
{
	void *copy;

	if (!blk->options.key)
		return;
	copy = xmalloc(blk->options.key_len + 1);
	memcpy(copy, blk->options.key, blk->options.key_len);
	blk->options.key = copy;
}

static void free_block(struct block *blk)
{
	secret_free((void *)blk->options.key, blk->options.key_len);
	block_bitmaps_destroy(blk->bitmaps);
	free(blk);
}

static int open_over(const char *format, int fd,
		     const struct block_options *options,
		     struct block *backing, struct block **ret_blk,
		     struct error *err)
{
	struct block *blk;
	int r;

	if (!block_find_format(format))
		return error_set(err, -EINVAL, "unknown disk format '%s'",
				 format ? format : "");
	blk = xcalloc(1, sizeof(*blk));
	blk->format = block_find_format(format);
	blk->options = *options;
	blk->fd = fd;
	blk->backing = backing;
	blk->bitmaps = block_bitmaps_create();
	keep_key(blk);

	r = options->unlocked || options->inactive ?
		    0 :
		    block_lock(fd, options->readonly || options->shared, err);
	if (r < 0)
		goto fail;
	r = options->direct ? set_direct(fd, err) : 0;
	if (r >= 0)
		r = open_format(blk, err);
	if (r < 0)
		goto fail_lock;
	*ret_blk = blk;
	return 0;

fail_lock:
	block_unlock(fd);
fail:
	free_block(blk);
	return r;
}

int block_open(const char *format, int fd, const struct block_options *options,
	       struct block **ret_blk, struct error *err)
{
	return open_over(format, fd, options, NULL, ret_blk, err);
}

/* The descriptors stay their owner's. */
static void abandon(struct block *blk)
{
	for (struct block *b = blk; b; b = b->backing)
		b->fd = -1;
	block_close(blk);
}

int block_open_chain(const struct block_layer *layers, unsigned int n,
		     const struct block_options *options,
		     struct block **ret_blk, struct error *err)
{
	struct block_options lower = *options;
	struct block *blk = NULL;
	int r = 0;

	if (!n || n > BLOCK_LAYERS_MAX)
		return error_set(err, -EINVAL, "a disk cannot have %u layers",
				 n);
	lower.discard = false;
	lower.snapshot = NULL;
	while (n-- && r >= 0) {
		struct block_options o = n ? lower : *options;

		if (n)
			o.readonly = !layers[n].writable;
		o.key = layers[n].key;
		o.key_len = layers[n].key_len;
		r = open_over(layers[n].format, layers[n].fd, &o, blk, &blk,
			      err);
	}
	if (r < 0)
		abandon(blk);
	else
		*ret_blk = blk;
	return r;
}

int block_resize(struct block *blk, uint64_t size, struct error *err)
{
	int r;

	if (blk->options.readonly)
		return error_set(err, -EROFS, "it is read-only");
	if (!blk->format->resize || size > INT64_MAX)
		return error_set(err, -ENOTSUP,
				 "a disk of format '%s' cannot have that size",
				 blk->format->name);
	r = block_bitmaps_can_resize(blk, size, err);
	if (r >= 0)
		r = blk->format->resize(blk, size, err);
	if (r >= 0)
		block_bitmaps_resize(blk, blk->size);
	return r;
}

/* Pages that the kernel has kept since may be old ones. */
static int activate_layer(struct block *blk, struct error *err)
{
	struct block old = *blk;
	int r;

	posix_fadvise(blk->fd, 0, 0, POSIX_FADV_DONTNEED);
	blk->options.inactive = false;
	r = open_format(blk, err);
	if (r < 0)
		*blk = old;
	else if (old.format->close)
		old.format->close(&old);
	return r;
}

int block_activate(struct block *blk, struct error *err)
{
	int r = 0;

	for (; blk && r >= 0; blk = blk->backing)
		if (blk->options.inactive)
			r = activate_layer(blk, err);
	return r;
}

int block_settle(struct block *blk)
{
	const struct block_req flush = { .op = BLOCK_FLUSH };
	int r = 0;

	if (blk->options.readonly || blk->options.inactive)
		return 0;
	if (blk->format->settle)
		r = blk->format->settle(blk);
	return r < 0 ? r : block_run(blk, &flush);
}

struct block *block_below(struct block *blk, unsigned int depth)
{
	while (blk && depth--)
		blk = blk->backing;
	return blk;
}

void block_close(struct block *blk)
{
	if (!blk)
		return;
	if (blk->format->close)
		blk->format->close(blk);
	block_unlock(blk->fd);
	fd_close(blk->fd);
	block_close(blk->backing);
	free_block(blk);
}

uint64_t block_size(const struct block *blk)
{
	return blk->size;
}

bool block_readonly(const struct block *blk)
{
	return blk->options.readonly;
}

bool block_discards(const struct block *blk)
{
	return blk->options.discard && !blk->options.readonly;
}

unsigned int block_align(const struct block *blk)
{
	return blk->best_align;
}

static bool iov_matches(const struct block_req *req)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < req->n_iov; i++)
		sum += req->iov[i].iov_len;
	return sum == req->length;
}

int block_check(const struct block *blk, const struct block_req *req)
{
	bool moves = req->op == BLOCK_READ || req->op == BLOCK_WRITE;

	if (req->op == BLOCK_FLUSH || req->op == BLOCK_CALL)
		return 0;
	if (req->op != BLOCK_READ && blk->options.readonly)
		return -EROFS;
	if (req->offset > blk->size || req->length > blk->size - req->offset)
		return -EINVAL;
	return moves && !iov_matches(req) ? -EINVAL : 0;
}

static bool block_req_writes(const struct block_req *req)
{
	return req->op == BLOCK_WRITE || req->op == BLOCK_DISCARD ||
	       req->op == BLOCK_WRITE_ZEROES;
}

int block_run(struct block *blk, const struct block_req *req)
{
	int r = block_check(blk, req);

	if (r < 0)
		return r;
	if (req->op == BLOCK_CALL)
		return req->call(req->arg, blk->fd);
	if (req->op == BLOCK_FLUSH &&
	    (blk->options.no_flush || blk->options.readonly))
		return 0;
	if (req->op != BLOCK_FLUSH && !req->length)
		return 0;
	r = blk->format->run(blk, req);
	if (block_req_writes(req))
		block_mark_dirty(blk, req->offset, req->length);
	return r;
}

int block_extent(struct block *blk, uint64_t offset, uint64_t length,
		 struct block_extent *ret)
{
	unsigned int depth = 0;
	int r;

	if (offset >= blk->size || length > blk->size - offset)
		return -EINVAL;
	for (;; blk = blk->backing, depth++) {
		r = blk->format->extent(blk, offset, length, ret);
		if (r < 0 || ret->present || ret->zero)
			break;
		length = ret->length;
		if (!blk->backing || offset >= blk->backing->size) {
			ret->zero = true;
			break;
		}
		length = MIN(length, blk->backing->size - offset);
	}
	ret->depth = depth;
	return r;
}
