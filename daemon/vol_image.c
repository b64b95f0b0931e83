/*
 * daemon/vol_image.c -- volumes that are images: qcow2 made, resized, and
 * copied from and to raw, by the block layer.
 *
 * It works on descriptors, here where nobody has rights; what an image stands
 * on is not opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/pools_priv.h"
#include "storage/format/block.h"
#include "storage/pool/image.h"

enum { PIECE = 2 * MIB, GRAIN = 64 * 1024 };
enum { CLUSTER_BITS = 16, REFCOUNT_ORDER = 4 };

/* The descriptor stays the caller's. */
static int open_image(int fd, const char *format, bool readonly,
		      struct block **ret_blk, struct error *err)
{
	struct block_options options = { .readonly = readonly, .alone = true };
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return error_set(err, -errno, "no descriptor: %m");
	r = block_open(format, copy, &options, ret_blk, err);
	if (r < 0)
		fd_close(copy);
	return r;
}

/* ---- making ---- */

static int cluster_bits(const struct vol_def *vol, unsigned int *ret,
			struct error *err)
{
	uint64_t size = vol->target.cluster_size;
	unsigned int bits = 9;

	*ret = CLUSTER_BITS;
	if (!size)
		return 0;
	while (bits < 21 && 1ull << bits < size)
		bits++;
	*ret = bits;
	return 1ull << bits == size ?
		       0 :
		       error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "a cluster size is a power of two between "
				  "512 bytes and 2 MiB");
}

static enum block_preallocation preallocation(const struct vol_def *vol)
{
	if (!vol->prealloc_metadata)
		return PREALLOCATE_OFF;
	return vol->allocation < vol->capacity ? PREALLOCATE_METADATA :
						 PREALLOCATE_FALLOC;
}

static int create_qcow2(int fd, const struct vol_def *vol, struct error *err)
{
	struct block_create c = {
		.format = "qcow2",
		.size = vol->capacity,
		.version = str_eq(vol->target.compat, "0.10") ? 2 : 3,
		.refcount_order = REFCOUNT_ORDER,
		.lazy = vol->target.lazy_refcounts,
		.backing = vol->has_backing ? vol->backing.path : NULL,
		.preallocation = preallocation(vol),
	};
	int r = cluster_bits(vol, &c.cluster_bits, err);

	if (r < 0)
		return r;
	if (vol->target.extended_l2)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "images with extended L2 entries are not "
				  "made");
	if (c.backing)
		c.backing_format = vol->backing.format ? vol->backing.format :
							 "raw";
	return block_create(fd, &c, err);
}

static int resize_qcow2(int fd, uint64_t capacity, struct error *err)
{
	struct block *blk;
	int r = open_image(fd, "qcow2", false, &blk, err);

	if (r < 0)
		return r;
	r = block_resize(blk, capacity, err);
	block_close(blk);
	return r;
}

/* ---- copying ---- */

static int check_alone(int fd, const char *format, struct error *err)
{
	char *name = NULL, *name_format = NULL;
	int r = block_backing(fd, format, &name, &name_format, err);

	if (r == 0 && name)
		r = error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			       "a volume with a backing store is copied to "
			       "one of its own format only");
	free(name);
	free(name_format);
	return r < 0 ? r : 0;
}

static int move(struct block *blk, enum block_op op, void *data,
		uint64_t offset, uint64_t len)
{
	struct iovec iov = { data, len };
	struct block_req req = { .op = op, .offset = offset, .length = len,
				 .iov = &iov, .n_iov = 1 };

	return block_run(blk, &req);
}

/* Those of a new image need not be written. */
static bool is_zero(const uint8_t *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

static int write_data(struct block *to, uint8_t *data, uint64_t at,
		      uint64_t len)
{
	uint64_t part;
	int r = 0;

	for (uint64_t i = 0; i < len && r >= 0; i += part) {
		part = MIN(len - i, GRAIN);
		if (is_zero(data + i, part))
			continue;
		while (i + part < len &&
		       !is_zero(data + i + part, MIN(len - i - part, GRAIN)))
			part += MIN(len - i - part, GRAIN);
		r = move(to, BLOCK_WRITE, data + i, at + i, part);
	}
	return r;
}

/* To the next piece's end, or that of what is not there. */
static int copy_piece(struct block *from, struct block *to, uint8_t *data,
		      uint64_t *at)
{
	uint64_t left = block_size(from) - *at;
	struct block_extent e;
	int r = block_extent(from, *at, left, &e);

	if (r < 0)
		return r;
	if (e.length && (e.zero || !e.present)) {
		*at += MIN(e.length, left);
		return 0;
	}
	left = MIN(e.length ? MIN(left, e.length) : left, PIECE);
	r = move(from, BLOCK_READ, data, *at, left);
	if (r >= 0)
		r = write_data(to, data, *at, left);
	*at += left;
	return r;
}

static int copy_all(struct block *from, struct block *to, struct error *err)
{
	_cleanup_free_ uint8_t *data = xmalloc(PIECE);
	struct block_req flush = { .op = BLOCK_FLUSH };
	uint64_t at = 0;
	int r = 0;

	if (block_size(to) < block_size(from))
		return error_set(err, -ENOSPC,
				 "the copy is smaller than the original");
	while (r >= 0 && at < block_size(from))
		r = copy_piece(from, to, data, &at);
	if (r >= 0)
		r = block_run(to, &flush);
	return r < 0 ? error_set(err, r, "cannot copy the volume: %m") : 0;
}

static int copy(int from_fd, const char *from_format, int to_fd,
		const char *to_format, struct error *err)
{
	struct block *from = NULL, *to = NULL;
	int r = check_alone(from_fd, from_format, err);

	if (r == 0)
		r = open_image(from_fd, from_format, true, &from, err);
	if (r == 0)
		r = open_image(to_fd, to_format, false, &to, err);
	if (r == 0)
		r = copy_all(from, to, err);
	if (to)
		block_close(to);
	if (from)
		block_close(from);
	return r;
}

static int copy_to_qcow2(int from, const char *from_format, int to,
			 struct error *err)
{
	return copy(from, from_format, to, "qcow2", err);
}

static int copy_to_raw(int from, const char *from_format, int to,
		       struct error *err)
{
	return copy(from, from_format, to, "raw", err);
}

/* ---- what pools are told ---- */

void vol_image_register(void)
{
	static const struct image_writer qcow2 = {
		.format = "qcow2",
		.create = create_qcow2,
		.resize = resize_qcow2,
		.copy = copy_to_qcow2,
		.capacity = block_capacity,
	};
	static const struct image_writer raw = {
		.format = "raw",
		.copy = copy_to_raw,
		.capacity = block_capacity,
	};

	image_add_writer(&qcow2);
	image_add_writer(&raw);
}
