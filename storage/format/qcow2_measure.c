/*
 * storage/format/qcow2_measure.c -- how large a qcow2 image is when all of
 * its disk is data, by the sizes of the tables that takes.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/qcow2_bitdir.h"

/* Bytes, in whole clusters. */
static uint64_t round_table(uint64_t entries, unsigned int size,
			    uint64_t cluster)
{
	return ALIGN_UP(entries * size, cluster);
}

/* Reference counts of so many clusters, and of their own. */
static uint64_t counts(uint64_t clusters, uint64_t cluster,
		       unsigned int order)
{
	uint64_t per_block = cluster * 8 >> order, per_table = cluster / 8;
	uint64_t blocks = 0, tables = 0, before;

	do {
		before = blocks + tables;
		blocks = (clusters + before + per_block - 1) / per_block;
		tables = (blocks + per_table - 1) / per_table;
	} while (blocks + tables != before);
	return (blocks + tables) * cluster;
}

int qcow2_measure(const struct block_create *c, uint64_t *ret,
		  struct error *err)
{
	uint64_t cluster = BIT64(c->cluster_bits);
	uint64_t data = ALIGN_UP(c->size, cluster), l2, l1, meta;

	if (c->size > INT64_MAX / 2 ||
	    c->cluster_bits < QCOW2_CLUSTER_BITS_MIN)
		return error_set(err, -EFBIG,
				 "no image can have that size or such clusters");
	l2 = round_table(data / cluster, 8, cluster);
	l1 = round_table(l2 / cluster, 8, cluster);
	if (l1 > QCOW2_L1_BYTES_MAX)
		return error_set(err, -EFBIG,
				 "the image is too large for its cluster size");
	meta = cluster + l2 + l1;
	*ret = data + meta +
	       counts((meta + data) / cluster, cluster, c->refcount_order);
	return 0;
}

/* Of one: its bits and its table; its entry is the directory's. */
static uint64_t measure_bitmap(const struct block_bitmap *b, uint64_t size,
			       uint64_t cluster)
{
	uint64_t bytes = dirty_bitmap_bytes(size, b->granularity);
	uint64_t n = (bytes + cluster - 1) / cluster;

	return n * cluster + ALIGN_UP(n * 8, cluster);
}

uint64_t qcow2_measure_bitmaps(const struct block_create *c,
			       struct block *from)
{
	uint64_t cluster = BIT64(c->cluster_bits), sum = 0, directory = 0;

	for (const struct block_bitmap *b = from->bitmaps->list; b;
	     b = b->next) {
		sum += measure_bitmap(b, from->size, cluster);
		directory += qcow2_bitdir_entry_size(strlen(b->name));
	}
	return sum + ALIGN_UP(directory, cluster);
}
