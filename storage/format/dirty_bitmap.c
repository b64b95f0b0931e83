/*
 * storage/format/dirty_bitmap.c -- bits in words, least significant first.
 */
#include "storage/format/dirty_bitmap.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"

struct dirty_bitmap {
	uint64_t size; /* bytes of the disk */
	uint64_t n;    /* bits */
	unsigned int granularity;
	uint64_t *words; /* no bit at n or behind is set */
};

static uint64_t bits_for(uint64_t size, unsigned int granularity)
{
	return (size >> granularity) + !!(size & (BIT64(granularity) - 1));
}

uint64_t dirty_bitmap_bytes(uint64_t size, unsigned int granularity)
{
	return (bits_for(size, granularity) + 7) / 8;
}

static uint64_t words_for(uint64_t n)
{
	return (n + 63) / 64;
}

struct dirty_bitmap *dirty_bitmap_create(uint64_t size,
					 unsigned int granularity)
{
	struct dirty_bitmap *b;

	if (granularity < DIRTY_GRANULARITY_MIN ||
	    granularity > DIRTY_GRANULARITY_MAX ||
	    dirty_bitmap_bytes(size, granularity) > DIRTY_BITMAP_MAX)
		return NULL;
	b = xcalloc(1, sizeof(*b));
	b->size = size;
	b->n = bits_for(size, granularity);
	b->granularity = granularity;
	b->words = xcalloc(words_for(b->n) + 1, sizeof(*b->words));
	return b;
}

void dirty_bitmap_destroy(struct dirty_bitmap *b)
{
	if (!b)
		return;
	free(b->words);
	free(b);
}

static uint64_t load(const struct dirty_bitmap *b, uint64_t word)
{
	return __atomic_load_n(&b->words[word], __ATOMIC_ACQUIRE);
}

struct dirty_bitmap *dirty_bitmap_copy(const struct dirty_bitmap *b)
{
	struct dirty_bitmap *copy = dirty_bitmap_create(b->size,
							b->granularity);

	for (uint64_t w = 0; w < words_for(b->n); w++) {
		uint64_t bits = load(b, w);

		if (bits)
			copy->words[w] = bits;
	}
	return copy;
}

uint64_t dirty_bitmap_size(const struct dirty_bitmap *b)
{
	return b->size;
}

unsigned int dirty_bitmap_granularity(const struct dirty_bitmap *b)
{
	return b->granularity;
}

/* ---- marking ---- */

/* Bits first to end of one word. */
static uint64_t mask(uint64_t first, uint64_t end)
{
	return UINT64_MAX << first % 64 & UINT64_MAX >> (-end % 64);
}

static void change(struct dirty_bitmap *b, uint64_t first, uint64_t end,
		   bool set)
{
	for (uint64_t next; first < end; first = next) {
		uint64_t w = first / 64, bits;

		next = MIN((w + 1) * 64, end);
		bits = mask(first, next);
		/* Written anew all the time, as a rule: then only read. */
		if ((load(b, w) & bits) == (set ? bits : 0))
			continue;
		if (set)
			__atomic_fetch_or(&b->words[w], bits,
					  __ATOMIC_ACQ_REL);
		else
			__atomic_fetch_and(&b->words[w], ~bits,
					   __ATOMIC_ACQ_REL);
	}
}

/* Where it ends, if that is on the disk. */
static uint64_t end_of(const struct dirty_bitmap *b, uint64_t offset,
		       uint64_t length)
{
	return length > b->size - offset ? b->size : offset + length;
}

void dirty_bitmap_mark(struct dirty_bitmap *b, uint64_t offset,
		       uint64_t length)
{
	if (offset >= b->size || !length)
		return;
	change(b, offset >> b->granularity,
	       bits_for(end_of(b, offset, length), b->granularity), true);
}

void dirty_bitmap_clear(struct dirty_bitmap *b, uint64_t offset,
			uint64_t length)
{
	uint64_t end;

	if (offset >= b->size)
		return;
	end = end_of(b, offset, length);
	change(b, bits_for(offset, b->granularity),
	       end == b->size ? b->n : end >> b->granularity, false);
}

/* ---- looking ---- */

/* The first bit from i on that is set, or not; n: there is none. */
static uint64_t find(const struct dirty_bitmap *b, uint64_t i, bool set)
{
	uint64_t skip = UINT64_MAX << i % 64;

	for (uint64_t w = i / 64; w < words_for(b->n); w++) {
		uint64_t bits = (set ? load(b, w) : ~load(b, w)) & skip;

		if (bits)
			return MIN(w * 64 + __builtin_ctzll(bits), b->n);
		skip = UINT64_MAX;
	}
	return b->n;
}

static uint64_t to_bytes(const struct dirty_bitmap *b, uint64_t bit)
{
	return bit == b->n ? b->size : bit << b->granularity;
}

bool dirty_bitmap_get(const struct dirty_bitmap *b, uint64_t offset,
		      uint64_t max, uint64_t *ret_length)
{
	uint64_t i = offset >> b->granularity;
	bool set = load(b, i / 64) >> i % 64 & 1;

	*ret_length = MIN(to_bytes(b, find(b, i, !set)) - offset, max);
	return set;
}

bool dirty_bitmap_next(const struct dirty_bitmap *b, uint64_t offset,
		       uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t i = offset >> b->granularity, start;

	if (offset >= b->size)
		return false;
	i = find(b, i, true);
	if (i == b->n)
		return false;
	start = MAX(i << b->granularity, offset);
	*ret_offset = start;
	*ret_length = to_bytes(b, find(b, i, false)) - start;
	return true;
}

uint64_t dirty_bitmap_count(const struct dirty_bitmap *b)
{
	uint64_t sum = 0, at = 0, len;

	for (; dirty_bitmap_next(b, at, &at, &len); at += len)
		sum += len;
	return sum;
}

/* ---- all of it ---- */

void dirty_bitmap_merge(struct dirty_bitmap *to,
			const struct dirty_bitmap *from)
{
	uint64_t at = 0, len;

	for (; dirty_bitmap_next(from, at, &at, &len); at += len)
		dirty_bitmap_mark(to, at, len);
}

int dirty_bitmap_resize(struct dirty_bitmap *b, uint64_t size)
{
	uint64_t n = bits_for(size, b->granularity), old = words_for(b->n);

	if ((n + 7) / 8 > DIRTY_BITMAP_MAX)
		return -EFBIG;
	if (n < b->n)
		change(b, n, b->n, false);
	b->words = xrealloc(b->words, words_for(n) + 1, sizeof(*b->words));
	if (words_for(n) > old)
		memset(b->words + old, 0,
		       (words_for(n) + 1 - old) * sizeof(*b->words));
	b->n = n;
	b->size = size;
	return 0;
}

void dirty_bitmap_export(const struct dirty_bitmap *b, uint64_t first,
			 void *to, size_t len)
{
	uint64_t end = words_for(b->n) * 8;
	uint8_t *p = to;

	memset(p, 0, len);
	for (size_t i = 0; i < len && first + i < end; i++)
		p[i] = load(b, (first + i) / 8) >> (first + i) % 8 * 8;
}

void dirty_bitmap_import(struct dirty_bitmap *b, uint64_t first,
			 const void *from, size_t len)
{
	uint64_t end = (b->n + 7) / 8;
	const uint8_t *p = from;

	for (size_t i = 0; i < len && first + i < end; i++)
		b->words[(first + i) / 8] |= (uint64_t)p[i]
					     << (first + i) % 8 * 8;
	if (b->n % 64)
		b->words[b->n / 64] &= UINT64_MAX >> (64 - b->n % 64);
}
