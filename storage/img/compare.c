/*
 * storage/img/compare.c -- vireo-img compare: 0 they are the same, 1 they
 * are not, 2 and more it cannot be said.
 */
#include <getopt.h>
#include <string.h>

#include "storage/img/img.h"

enum { SAME, DIFFERENT, FAILED, PART = 2 * 1024 * 1024 };

struct args {
	const char *format[2];
	bool progress, quiet, strict, share;
};

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "f:F:T:pqsU")) >= 0) {
		switch (o) {
		case 'f':
			a->format[0] = optarg;
			break;
		case 'F':
			a->format[1] = optarg;
			break;
		case 'T':
			break;
		case 'p':
			a->progress = true;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 's':
			a->strict = true;
			break;
		case 'U':
			a->share = true;
			break;
		default:
			return FAILED;
		}
	}
	if (argc - optind == 2)
		return 0;
	img_fail("Expecting two image file names");
	return FAILED;
}

/* What is beyond the end is zero. */
static int extent(struct block *blk, uint64_t offset, uint64_t len,
		  struct block_extent *ret)
{
	uint64_t size = block_size(blk);

	if (offset < size)
		return block_extent(blk, offset, MIN(len, size - offset), ret);
	*ret = (struct block_extent){ .length = len, .zero = true };
	return 0;
}

static int read_part(struct block *blk, const struct block_extent *e,
		     uint8_t *buf, uint64_t len, uint64_t offset)
{
	if (e->zero) {
		memset(buf, 0, len);
		return 0;
	}
	return img_io(blk, BLOCK_READ, buf, len, offset);
}

static int compare_part(struct block *blk[2], uint8_t *buf[2], uint64_t at,
			uint64_t *len, uint64_t *ret_where)
{
	struct block_extent e[2];

	for (int i = 0; i < 2; i++)
		if (extent(blk[i], at, *len, &e[i]) < 0)
			return FAILED;
	*len = MIN(e[0].length, e[1].length);
	if (e[0].zero && e[1].zero)
		return SAME;
	*len = MIN(*len, (uint64_t)PART);
	for (int i = 0; i < 2; i++)
		if (read_part(blk[i], &e[i], buf[i], *len, at) < 0)
			return FAILED;
	if (!memcmp(buf[0], buf[1], *len))
		return SAME;
	for (*ret_where = 0; buf[0][*ret_where] == buf[1][*ret_where];)
		++*ret_where;
	return DIFFERENT;
}

static int compare(struct block *blk[2], const struct args *a)
{
	_cleanup_free_ uint8_t *one = xmalloc(PART), *two = xmalloc(PART);
	uint64_t size = MAX(block_size(blk[0]), block_size(blk[1])), len, where;
	uint8_t *buf[2] = { one, two };
	int r = SAME;

	for (uint64_t at = 0; at < size && r == SAME; at += len) {
		len = size - at;
		r = compare_part(blk, buf, at, &len, &where);
		if (r == DIFFERENT && !a->quiet)
			printf("Content mismatch at offset %llu!\n",
			       (unsigned long long)((at + where) &
						    -(uint64_t)BLOCK_SECTOR));
		if (r == FAILED)
			img_fail("Error while reading at offset %llu",
				 (unsigned long long)at);
		if (a->progress)
			img_progress(at + len, size, at + len == size);
	}
	if (r == SAME && !a->quiet)
		puts("Images are identical.");
	return r;
}

static int compare_sizes(struct block *blk[2], const struct args *a)
{
	if (block_size(blk[0]) == block_size(blk[1]))
		return compare(blk, a);
	if (a->strict) {
		if (!a->quiet)
			puts("Strict mode: Image size mismatch!");
		return DIFFERENT;
	}
	if (!a->quiet)
		puts("Warning: Image size mismatch!");
	return compare(blk, a);
}

int img_compare(int argc, char **argv)
{
	struct args a = { 0 };
	struct block *blk[2] = { NULL, NULL };
	int r = parse(argc, argv, &a);

	if (r)
		return r;
	for (int i = 0; i < 2; i++) {
		struct img_open how = { .format = a.format[i],
					.share = a.share };

		blk[i] = img_open(argv[optind + i], &how);
	}
	r = blk[0] && blk[1] ? compare_sizes(blk, &a) : FAILED;
	block_close(blk[0]);
	block_close(blk[1]);
	return r;
}
