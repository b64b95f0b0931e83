/*
 * storage/format/bitmaps_format.h -- inside the block layer: a disk's dirty
 * bitmaps as formats and the generic part see them.
 */
#ifndef STORAGE_FORMAT_BITMAPS_FORMAT_H
#define STORAGE_FORMAT_BITMAPS_FORMAT_H

#include <pthread.h>

#include "storage/format/bitmaps.h"
#include "storage/format/dirty_bitmap.h"

struct block_bitmap {
	char *name;
	struct dirty_bitmap *bits; /* NULL: it is inconsistent */
	unsigned int granularity;
	bool enabled, persistent;
	struct block_bitmap *next;

	/* The format's: what the file has. */
	bool in_use, changed; /* changed: bits or flags, other than by I/O */
	uint64_t entry; /* in the directory; 0: not there */
	uint64_t table;
	uint32_t n_table;
};

struct block_bitmaps {
	pthread_rwlock_t lock; /* the list; who marks reads */
	struct block_bitmap *list; /* in the order they were made */
	bool changed; /* persistent ones are more or less than in the file */
	bool loaded;
};

struct block_bitmaps *block_bitmaps_create(void);
void block_bitmaps_destroy(struct block_bitmaps *b);
/* Takes it over; nobody else looks. */
void block_bitmaps_append(struct block_bitmaps *b, struct block_bitmap *one);
void block_bitmap_free(struct block_bitmap *b);

/* A write there is done, or has failed. */
void block_mark_dirty(struct block *blk, uint64_t offset, uint64_t length);
/* 0, or an error that says which is in the way. */
int block_bitmaps_can_resize(struct block *blk, uint64_t size,
			     struct error *err);
void block_bitmaps_resize(struct block *blk, uint64_t size);

#endif
