/*
 * storage/format/measure.c -- how much space an image would take that does
 * not exist yet.
 */
#include <errno.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/format.h"

/* Whole clusters of the new image that are not zeroes in the old one. */
static int count_data(struct block *from, uint64_t cluster, uint64_t *ret)
{
	struct block_extent e;
	uint64_t end = 0; /* of what is counted */
	int r = 0;

	for (uint64_t at = 0; at < from->size; at += e.length) {
		uint64_t first;

		r = block_extent(from, at, from->size - at, &e);
		if (r < 0)
			break;
		if (e.zero)
			continue;
		first = MAX(ALIGN_DOWN(at, cluster), end);
		end = MAX(ALIGN_UP(at + e.length, cluster), end);
		*ret += end - first;
	}
	return r;
}

static int measure(const struct block_format *format,
		   const struct block_create *c, struct block *from,
		   struct block_measure *ret, struct error *err)
{
	uint64_t cluster = BIT64(c->cluster_bits);
	uint64_t all = ALIGN_UP(c->size, cluster), data = 0;
	int r = format->measure(c, &ret->full, err);

	if (r < 0)
		return r;
	if (c->preallocation >= PREALLOCATE_FALLOC)
		data = all;
	else if (from && count_data(from, cluster, &data) < 0)
		return error_set(err, -EIO, "cannot see what is in it");
	ret->required = ret->full - all + data;
	return 0;
}

int block_measure(const struct block_create *c, struct block *from,
		  struct block_measure *ret, struct error *err)
{
	const struct block_format *format = block_find_format(c->format);
	struct block_info info = { 0 };

	if (!format)
		return error_set(err, -EINVAL, "unknown disk format '%s'",
				 c->format);
	if (c->encrypt || format == &block_luks)
		return error_set(err, -ENOTSUP,
				 "encrypted images are not measured");
	if (!format->measure && format != &block_raw)
		return error_set(err, -ENOTSUP,
				 "images of format '%s' are only read",
				 format->name);
	*ret = (struct block_measure){ .required = c->size, .full = c->size };
	if (!format->measure)
		return 0;
	if (from)
		block_info(from, &info);
	ret->bitmaps = info.version > 2 && c->version > 2;
	if (ret->bitmaps && block_bitmaps_load(from, err) < 0)
		return err->errnum;
	if (ret->bitmaps)
		ret->bitmap_bytes = format->measure_bitmaps(c, from);
	return measure(format, c, from, ret, err);
}
