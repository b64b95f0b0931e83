/*
 * storage/format/dirty_bitmap.h -- which parts of a disk have been written
 * since somebody began to watch it: a bit for each piece (granule) of
 * 2^granularity bytes.
 *
 * Nothing but memory: how a disk keeps some and marks them is in bitmaps.h.
 * Marking and clearing may be done by several threads at once and while
 * others look; not while it is resized or destroyed.  Memory is taken for
 * parts that have been marked, more or less.
 */
#ifndef STORAGE_FORMAT_DIRTY_BITMAP_H
#define STORAGE_FORMAT_DIRTY_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIRTY_GRANULARITY_MIN = 9, DIRTY_GRANULARITY_MAX = 31 };

/* In bytes of memory. */
#define DIRTY_BITMAP_MAX (64ull << 20)

struct dirty_bitmap;

/* Of a disk of that many bytes, all clean; NULL: it would be too large. */
struct dirty_bitmap *dirty_bitmap_create(uint64_t size,
					 unsigned int granularity);
void dirty_bitmap_destroy(struct dirty_bitmap *b);
struct dirty_bitmap *dirty_bitmap_copy(const struct dirty_bitmap *b);

uint64_t dirty_bitmap_size(const struct dirty_bitmap *b); /* the disk's */
unsigned int dirty_bitmap_granularity(const struct dirty_bitmap *b);

/* Every granule that is touched; what lies outside is left out. */
void dirty_bitmap_mark(struct dirty_bitmap *b, uint64_t offset,
		       uint64_t length);
/* Every granule that is covered, up to the disk's end. */
void dirty_bitmap_clear(struct dirty_bitmap *b, uint64_t offset,
			uint64_t length);

/*
 * Is it dirty there?  And how many bytes from offset on, at most max, are the
 * same?  Offset is inside the disk, max not 0.
 */
bool dirty_bitmap_get(const struct dirty_bitmap *b, uint64_t offset,
		      uint64_t max, uint64_t *ret_length);
/* From offset on, the next that is dirty, all of it in a row; false: none. */
bool dirty_bitmap_next(const struct dirty_bitmap *b, uint64_t offset,
		       uint64_t *ret_offset, uint64_t *ret_length);
uint64_t dirty_bitmap_count(const struct dirty_bitmap *b); /* bytes */

/* All that is dirty in from, whatever its granularity, is dirty in to. */
void dirty_bitmap_merge(struct dirty_bitmap *to,
			const struct dirty_bitmap *from);
/* What is new is clean: 0 or -EFBIG. */
int dirty_bitmap_resize(struct dirty_bitmap *b, uint64_t size);

/*
 * As files keep it: bit i of all is bit i % 8 of byte i / 8.  Bytes past the
 * end read as zeroes and are not taken.
 */
uint64_t dirty_bitmap_bytes(uint64_t size, unsigned int granularity);
void dirty_bitmap_export(const struct dirty_bitmap *b, uint64_t first,
			 void *to, size_t len);
void dirty_bitmap_import(struct dirty_bitmap *b, uint64_t first,
			 const void *from, size_t len);

#endif
