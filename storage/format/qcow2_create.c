/*
 * storage/format/qcow2_create.c -- an empty image: header, refcount table,
 * refcount blocks for all that is there, L1 table.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/* Clusters, in this order after the header's. */
struct layout {
	uint64_t reftable, blocks, l1, crypt;
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
	return a / b + !!(a % b);
}

/* Blocks count themselves, and the table that names them. */
static struct layout plan(const struct qcow2_header *h)
{
	uint64_t cluster = BIT64(h->cluster_bits);
	uint64_t per_block = cluster * 8 >> h->refcount_order;
	struct layout l = {
		.reftable = 1,
		.blocks = 1,
		.l1 = MAX(ceil_div(h->l1_size * 8ull, cluster), 1u),
		.crypt = ceil_div(h->crypt_length, cluster),
	};
	uint64_t before;

	do {
		before = l.blocks + l.reftable;
		l.blocks = ceil_div(1 + before + l.l1 + l.crypt, per_block);
		l.reftable = ceil_div(l.blocks * 8, cluster);
	} while (l.blocks + l.reftable != before);
	return l;
}

static int fill_header(const struct block_create *c, struct qcow2_header *h,
		       struct error *err)
{
	uint64_t entries;

	*h = (struct qcow2_header){
		.version = c->version,
		.cluster_bits = c->cluster_bits,
		.size = ALIGN_UP(c->size, (uint64_t)BLOCK_SECTOR),
		.refcount_order = c->refcount_order,
		.compression = c->zstd ? QCOW2_ZSTD : QCOW2_ZLIB,
		.incompatible = c->zstd ? QCOW2_COMPRESSION : 0,
		.compatible = c->lazy ? QCOW2_LAZY_REFCOUNTS : 0,
		.length = c->version == 2 ? QCOW2_V2_LENGTH :
					    QCOW2_V3_LENGTH + 8,
		.backing = (char *)c->backing,
		.backing_format = (char *)c->backing_format,
	};
	if (c->cluster_bits < QCOW2_CLUSTER_BITS_MIN ||
	    c->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
		return error_set(err, -EINVAL,
				 "cluster size must be a power of two between 512 and 2M");
	if (c->version != 2 && c->version != 3)
		return error_set(err, -EINVAL, "there is no version %u",
				 c->version);
	if (c->refcount_order > 6 ||
	    (c->version == 2 && (c->refcount_order != 4 || c->zstd || c->lazy)))
		return error_set(err, -EINVAL,
				 "these options need compatibility level 1.1");
	entries = qcow2_l1_entries(h, h->size);
	if (c->size > INT64_MAX / 2 || entries > QCOW2_L1_BYTES_MAX / 8)
		return error_set(err, -EFBIG,
				 "the image is too large for its cluster size");
	h->l1_size = entries;
	return 0;
}

static int write_at(struct block *file, void *data, size_t len,
		    uint64_t offset)
{
	struct iovec iov = { data, len };
	struct block_req req = {
		.op = BLOCK_WRITE,
		.offset = offset,
		.length = len,
		.iov = &iov,
		.n_iov = 1,
	};

	return file->format->run(file, &req);
}

static int write_header(struct block *file, const struct qcow2_header *h,
			struct error *err)
{
	size_t size = BIT64(h->cluster_bits);
	_cleanup_free_ uint8_t *data = xcalloc(1, size);
	int r = qcow2_header_format(h, data, size);

	if (r < 0)
		return error_set(err, r,
				 "the backing file's name does not fit into a cluster");
	r = write_at(file, data, size, 0);
	return r < 0 ? error_set(err, r, "cannot write its header: %m") : 0;
}

static int write_counts(struct block *file, const struct qcow2_header *h,
			const struct layout *l)
{
	size_t size = BIT64(h->cluster_bits);
	_cleanup_free_ uint8_t *table = xcalloc(l->reftable, size);
	_cleanup_free_ uint8_t *counts = xcalloc(l->blocks, size);
	int r;

	for (uint64_t i = 0; i < l->blocks; i++)
		put_be64(table + i * 8,
			 (1 + l->reftable + i) << h->cluster_bits);
	for (uint64_t i = 0; i < 1 + l->reftable + l->blocks +
				     l->l1 + l->crypt; i++)
		qcow2_count_set(counts, h->refcount_order, i, 1);
	r = write_at(file, table, l->reftable * size, size);
	if (r >= 0)
		r = write_at(file, counts, l->blocks * size,
			     (1 + l->reftable) * size);
	return r;
}

/* The header is last: without it there is no image. */
static int write_image(struct block *file, struct qcow2_header *h,
		       uint8_t *crypt, struct error *err)
{
	struct layout l = plan(h);
	size_t size = BIT64(h->cluster_bits);
	_cleanup_free_ uint8_t *l1 = xcalloc(l.l1, size);
	int r;

	h->reftable_offset = size;
	h->reftable_clusters = l.reftable;
	h->l1_offset = (1 + l.reftable + l.blocks) * size;
	r = write_counts(file, h, &l);
	if (r >= 0)
		r = write_at(file, l1, l.l1 * size, h->l1_offset);
	if (r >= 0 && crypt) {
		h->crypt_offset = h->l1_offset + l.l1 * size;
		r = write_at(file, crypt, h->crypt_length, h->crypt_offset);
	}
	if (r < 0)
		return error_set(err, r, "cannot write its tables: %m");
	return write_header(file, h, err);
}

int qcow2_create(struct block *file, const struct block_create *c,
		 struct error *err)
{
	struct qcow2_header h;
	_cleanup_free_ uint8_t *crypt = NULL;
	int r = fill_header(c, &h, err);

	if (r >= 0)
		r = qcow2_crypt_make(c, &h, &crypt, err);
	return r < 0 ? r : write_image(file, &h, crypt, err);
}
