/*
 * storage/img/rebase.c -- vireo-img rebase: an image is told what it is based
 * on; where that differs from what it was, the image gets what showed before.
 */
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include "storage/img/img.h"

enum { PART = 1024 * 1024, UNIT = 64 * 1024 };

struct args {
	const char *format, *path, *backing, *backing_format;
	bool progress, quiet, unsafe, share;
};

static int option(int o, struct args *a)
{
	switch (o) {
	case 'b':
		a->backing = optarg;
		return 0;
	case 'F':
		a->backing_format = optarg;
		return 0;
	case 'f':
		a->format = optarg;
		return 0;
	case 'p':
		a->progress = true;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case 'u':
		a->unsafe = true;
		return 0;
	case 'U':
		a->share = true;
		return 0;
	case 't':
	case 'T':
		return 0; /* how fast, no more */
	}
	return 1;
}

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "b:F:f:pqt:T:uU")) >= 0)
		if (option(o, a))
			return 1;
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	if (!a->backing)
		return img_fail("Use -b to say what it shall be based on");
	if (a->share && !a->unsafe)
		return img_fail("-U is for -u only");
	a->path = argv[optind];
	if (*a->backing && !a->backing_format)
		return img_fail("backing file specified without backing format");
	return 0;
}

struct rebase {
	struct block *image, *next; /* next: NULL, it is based on nothing */
	uint8_t *old_data, *new_data;
};

/* What would show in the image's place; past its end: zeroes. */
static int read_next(struct rebase *x, uint64_t at, uint64_t len)
{
	uint64_t size = x->next ? block_size(x->next) : 0;
	uint64_t have = at < size ? MIN(len, size - at) : 0;

	memset(x->new_data + have, 0, len - have);
	return have ? img_io(x->next, BLOCK_READ, x->new_data, have, at) : 0;
}

/* Zeroes are data too: nothing else keeps what is behind from showing. */
static int keep(struct rebase *x, uint64_t at, uint64_t len)
{
	uint64_t n;
	int r = 0;

	for (uint64_t i = 0; i < len && r >= 0; i += n) {
		n = MIN(len - i, UNIT - (at + i) % UNIT);
		if (memcmp(x->old_data + i, x->new_data + i, n))
			r = img_io(x->image, BLOCK_WRITE, x->old_data + i, n,
				   at + i);
	}
	return r;
}

/* Both read as zeroes: *len is how far. */
static int both_zero(struct rebase *x, uint64_t at, uint64_t *len, bool *ret)
{
	uint64_t size = x->next ? block_size(x->next) : 0;
	struct block_extent e = { .length = *len, .zero = true };
	int r = 0;

	if (at < size)
		r = block_extent(x->next, at, MIN(*len, size - at), &e);
	*len = MIN(*len, e.length);
	*ret = e.zero;
	return r;
}

static int one_part(struct rebase *x, uint64_t at, uint64_t *len)
{
	struct block_extent e;
	bool zero = false;
	int r = block_extent(x->image, at, *len, &e);

	if (r < 0)
		return r;
	*len = e.length;
	if (e.depth == 0 && e.present)
		return 0;
	if (e.zero)
		r = both_zero(x, at, len, &zero);
	if (r < 0 || zero)
		return r;
	*len = MIN(*len, (uint64_t)PART);
	r = img_io(x->image, BLOCK_READ, x->old_data, *len, at);
	if (r >= 0)
		r = read_next(x, at, *len);
	return r < 0 ? r : keep(x, at, *len);
}

static int compare(struct rebase *x, const struct args *a)
{
	uint64_t size = block_size(x->image), len;
	int r = 0;

	for (uint64_t at = 0; at < size; at += len) {
		len = size - at;
		r = one_part(x, at, &len);
		if (r < 0)
			return img_fail("error while rebasing at byte %llu: %s",
					(unsigned long long)at, strerror(-r));
		if (a->progress)
			img_progress(at + len, size, at + len == size);
	}
	r = img_io(x->image, BLOCK_FLUSH, NULL, 0, 0);
	return r < 0 ? img_fail("cannot flush it: %s", strerror(-r)) : 0;
}

static int open_next(const struct args *a, struct block **ret)
{
	_cleanup_free_ char *path = block_backing_path(a->path, a->backing);
	struct img_open how = { .format = a->backing_format,
				.plain = true };

	if (*a->backing)
		*ret = img_open(path, &how);
	return !*a->backing || *ret ? 0 : 1;
}

static int copy(const struct args *a)
{
	_cleanup_free_ uint8_t *one = xmalloc(PART), *two = xmalloc(PART);
	struct img_open how = { .format = a->format, .writable = true };
	struct rebase x = { .old_data = one, .new_data = two };
	int r;

	x.image = img_open(a->path, &how);
	if (!x.image)
		return 1;
	r = open_next(a, &x.next);
	if (!r)
		r = compare(&x, a);
	block_close(x.next);
	block_close(x.image);
	return r;
}

static int name(const struct args *a)
{
	_cleanup_close_ int fd = open(a->path, O_RDWR | O_CLOEXEC);
	bool any = *a->backing;
	struct error err = { 0 };

	if (fd < 0)
		return img_fail("cannot open '%s': %m", a->path);
	if ((!a->share && block_lock(fd, false, &err) < 0) ||
	    block_set_backing(fd, any ? a->backing : NULL,
			      any ? a->backing_format : NULL, &err) < 0)
		return img_fail("%s: %s", a->path, err.message);
	return 0;
}

int img_rebase(int argc, char **argv)
{
	struct args a = { 0 };
	int r = parse(argc, argv, &a);

	if (!r && !a.unsafe)
		r = copy(&a);
	if (!r)
		r = name(&a);
	if (!r && !a.quiet)
		puts("Image rebased.");
	return r;
}
