/*
 * storage/img/dd.c -- vireo-img dd: a part of a disk becomes a new image.
 */
#include <getopt.h>
#include <string.h>

#include "storage/img/img.h"

enum { PART = 1024 * 1024 };

struct args {
	const char *format, *from, *to;
	struct block_create c;
	uint64_t bs, count, skip;
	bool counted, share;
};

static int number(const char *name, const char *value, uint64_t *ret)
{
	return img_size(value, ret) < 0 ?
		       img_fail("invalid number: '%s' for %s", value, name) :
		       0;
}

/* dd's own, name=value. */
static int operand(char *text, struct args *a)
{
	char *value = strchr(text, '=');

	if (!value)
		return img_fail("unrecognized operand %s", text);
	*value++ = '\0';
	if (str_eq(text, "if"))
		return a->from = value, 0;
	if (str_eq(text, "of"))
		return a->to = value, 0;
	if (str_eq(text, "bs"))
		return number(text, value, &a->bs);
	if (str_eq(text, "skip"))
		return number(text, value, &a->skip);
	if (str_eq(text, "count")) {
		a->counted = true;
		return number(text, value, &a->count);
	}
	return img_fail("unrecognized operand %s", text);
}

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "f:O:U")) >= 0) {
		switch (o) {
		case 'f':
			a->format = optarg;
			break;
		case 'O':
			a->c.format = optarg;
			break;
		case 'U':
			a->share = true;
			break;
		default:
			return 1;
		}
	}
	for (; optind < argc; optind++)
		if (operand(argv[optind], a))
			return 1;
	if (!a->from || !a->to)
		return img_fail("Must specify both input and output file names");
	return a->bs && a->bs <= INT32_MAX ?
		       0 :
		       img_fail("invalid number for bs");
}

/* Which bytes: an end past the disk's is the disk's. */
static void range(const struct args *a, uint64_t size, uint64_t *ret_from,
		  uint64_t *ret_len)
{
	uint64_t blocks = a->counted ? a->count : UINT64_MAX, end = size;

	*ret_from = a->skip > size / a->bs ? size : a->skip * a->bs;
	if (blocks <= (size - *ret_from) / a->bs)
		end = *ret_from + blocks * a->bs;
	*ret_len = end - *ret_from;
}

/* The new image reads as zeroes. */
static int copy(struct block *from, struct block *to, uint64_t start,
		uint64_t len)
{
	_cleanup_free_ void *buf = xmalloc(PART);
	uint64_t n;
	int r = 0;

	for (uint64_t at = 0; at < len && r >= 0; at += n) {
		n = MIN(len - at, (uint64_t)PART);
		r = img_io(from, BLOCK_READ, buf, n, start + at);
		if (r >= 0 && !img_is_zero(buf, n))
			r = img_io(to, BLOCK_WRITE, buf, n, at);
	}
	return r < 0 ? r : img_io(to, BLOCK_FLUSH, NULL, 0, 0);
}

static int run(struct args *a, struct block *from)
{
	struct img_open how = { .format = a->c.format, .writable = true,
				.plain = true, .key = a->c.key,
				.key_len = a->c.key_len };
	uint64_t start, len;
	struct block *to;
	int r;

	range(a, block_size(from), &start, &len);
	a->c.size = ALIGN_UP(len, (uint64_t)BLOCK_SECTOR);
	if (img_make(a->to, &a->c))
		return 1;
	to = img_open(a->to, &how);
	if (!to)
		return 1;
	r = copy(from, to, start, len);
	block_close(to);
	return r < 0 ? img_fail("error while copying: %s", strerror(-r)) : 0;
}

int img_dd(int argc, char **argv)
{
	struct args a = { .c.format = "raw", .bs = BLOCK_SECTOR };
	struct img_open how = { 0 };
	struct block *from;
	int r;

	img_defaults(&a.c);
	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	how.share = a.share;
	from = img_open(a.from, &how);
	if (!from)
		return 1;
	r = run(&a, from);
	block_close(from);
	return r;
}
