/*
 * storage/img/resize.c -- vireo-img resize.
 */
#include <getopt.h>

#include "storage/img/img.h"

struct args {
	const char *format;
	struct block_create c; /* its preallocation */
	bool quiet, shrink;
};

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "shrink", no_argument, NULL, 's' },
		{ "preallocation", required_argument, NULL, 'p' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "qf:", longs, NULL)) >= 0) {
		_cleanup_free_ char *text = NULL;

		switch (o) {
		case 'q':
			a->quiet = true;
			break;
		case 'f':
			a->format = optarg;
			break;
		case 's':
			a->shrink = true;
			break;
		case 'p':
			text = xasprintf("preallocation=%s", optarg);
			if (img_options(text, &a->c))
				return 1;
			break;
		default:
			return 1;
		}
	}
	return argc - optind == 2 ? 0 : img_fail("Expecting image file name and size");
}

static int new_size(const char *text, uint64_t old, uint64_t *ret)
{
	bool more = *text == '+', less = *text == '-';

	if (img_size(text + (more || less), ret) < 0)
		return img_fail("Invalid size '%s'", text);
	if (less && *ret >= old)
		return img_fail("New image size must be positive");
	*ret = more ? old + *ret : less ? old - *ret : *ret;
	return *ret ? 0 : img_fail("New image size must be positive");
}

static int resize(struct block *blk, const struct args *a, const char *text)
{
	uint64_t old = block_size(blk), size;
	struct error err = { 0 };

	if (new_size(text, old, &size))
		return 1;
	if (size < old && !a->shrink)
		return img_fail("Use the --shrink option to perform a shrink operation.");
	if (size < old && a->c.preallocation)
		return img_fail("Preallocation can only be used for growing images");
	if (block_resize(blk, ALIGN_UP(size, (uint64_t)BLOCK_SECTOR), &err) < 0 ||
	    (size > old && block_preallocate(blk, old, a->c.preallocation,
					     &err) < 0))
		return img_fail("%s", err.message);
	return 0;
}

int img_resize(int argc, char **argv)
{
	struct args a = { 0 };
	struct img_open how = { .writable = true };
	struct block *blk;
	const char *size;
	int r;

	/* A size like -1G is no option. */
	if (argc < 3)
		return img_fail("Expecting image file name and size");
	size = argv[argc - 1];
	argv[argc - 1] = (char *)"0";
	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	blk = img_open(argv[optind], &how);
	if (!blk)
		return 1;
	r = resize(blk, &a, size);
	block_close(blk);
	if (!r && !a.quiet)
		puts("Image resized.");
	return r;
}
