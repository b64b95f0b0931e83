/*
 * storage/format/bitmaps.h -- the dirty bitmaps of a disk, by their names:
 * the block layer marks what is written in all that are enabled, whoever
 * writes, and keeps persistent ones in images of a format that can.
 *
 * A write is marked when it is done: who clears a bit and then reads gets
 * the new data or finds the bit set again.  For a moment at which one bitmap
 * takes over from another no request may be out.
 *
 * Persistent ones are loaded when an image is opened for writing, and are in
 * the file by block_settle() or block_close(); the file says from the first
 * write on that they are out of date until then.  An image that was left in
 * that state has them still, as inconsistent ones, to be removed.
 *
 * Calls are for one thread at a time, and may be made while others submit
 * requests.  Names have 1 to BLOCK_BITMAP_NAME_MAX bytes.
 */
#ifndef STORAGE_FORMAT_BITMAPS_H
#define STORAGE_FORMAT_BITMAPS_H

#include <stdbool.h>
#include <stdint.h>

struct block;
struct dirty_bitmap;
struct error;

enum { BLOCK_BITMAP_NAME_MAX = 1023 };

struct block_bitmap_info {
	const char *name; /* the bitmap's: until it is removed */
	unsigned int granularity; /* log2 */
	bool enabled, persistent;
	bool inconsistent; /* it can be removed, no more */
	bool in_use; /* the file says so: not stored as it is */
	uint64_t dirty; /* bytes */
};

/* The list is the caller's: free() is enough. */
int block_bitmaps(struct block *blk, struct block_bitmap_info **ret,
		  unsigned int *ret_n, struct error *err);
/* For an image opened for reading, which has not loaded them: once. */
int block_bitmaps_load(struct block *blk, struct error *err);

struct block_bitmap_add {
	const char *name;
	unsigned int granularity; /* log2; 0: what suits the image */
	bool persistent, disabled;
};
int block_bitmap_add(struct block *blk, const struct block_bitmap_add *add,
		     struct error *err);
int block_bitmap_remove(struct block *blk, const char *name,
			struct error *err);
int block_bitmap_clear(struct block *blk, const char *name,
		       struct error *err);
int block_bitmap_enable(struct block *blk, const char *name, bool enabled,
			struct error *err);
/* What is dirty in one, of whatever disk of that size, is so in another. */
int block_bitmap_merge(struct block *blk, const char *name,
		       struct block *from, const char *from_name,
		       struct error *err);
int block_bitmap_merge_bits(struct block *blk, const char *name,
			    const struct dirty_bitmap *from,
			    struct error *err);
/* As it is now; the caller's. */
int block_bitmap_copy(struct block *blk, const char *name,
		      struct dirty_bitmap **ret, struct error *err);

#endif
