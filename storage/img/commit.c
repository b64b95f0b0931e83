/*
 * storage/img/commit.c -- vireo-img commit: what an image has goes into one
 * that it is based on.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/img/img.h"

enum { PART = 1024 * 1024 };

struct args {
	const char *format, *path, *base;
	bool progress, quiet, keep;
};

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "b:df:pqr:t:")) >= 0) {
		switch (o) {
		case 'b':
			a->base = optarg;
			a->keep = true; /* what is between would show */
			break;
		case 'd':
			a->keep = true;
			break;
		case 'f':
			a->format = optarg;
			break;
		case 'p':
			a->progress = true;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 'r':
		case 't':
			break; /* how fast, no more */
		default:
			return 1;
		}
	}
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	a->path = argv[optind];
	return 0;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

struct base {
	char *path, *format;
	unsigned int depth; /* how many images are over it */
};

/* The next one, or the one that was named; as it stands there or by path. */
static int find_base(const struct args *a, struct base *ret)
{
	char *path = xstrdup(a->path);
	char *format = xstrdup(img_format(a->path, a->format));
	struct error err = { 0 };
	unsigned int depth = 0;

	while (depth < BLOCK_LAYERS_MAX) {
		char *next_format = NULL;
		char *next = img_backing(path, format, &next_format, &err);

		free(path);
		free(format);
		path = next;
		format = next_format;
		depth++;
		if (!path || !format || !a->base || same_file(path, a->base))
			break;
	}
	if (path && format && depth < BLOCK_LAYERS_MAX) {
		*ret = (struct base){ path, format, depth };
		return 0;
	}
	free(path);
	free(format);
	if (err.message[0])
		return img_fail("%s", err.message);
	return a->base ? img_fail("Did not find '%s' in the backing chain of '%s'",
				  a->base, a->path) :
			 img_fail("Image does not have a backing file");
}

static int copy_part(struct block *top, struct block *base, uint64_t at,
		     const struct block_extent *e, void *buf)
{
	int r;

	if (e->zero)
		return img_io(base, BLOCK_WRITE_ZEROES, NULL, e->length, at);
	r = img_io(top, BLOCK_READ, buf, e->length, at);
	return r < 0 ? r : img_io(base, BLOCK_WRITE, buf, e->length, at);
}

/* Of what reads as zeroes there may be any length. */
static int copy(struct block *top, struct block *base, unsigned int depth,
		bool progress)
{
	_cleanup_free_ void *buf = xmalloc(PART);
	uint64_t size = block_size(top);
	struct block_extent e;
	int r = 0;

	for (uint64_t at = 0; at < size && r >= 0; at += e.length) {
		r = block_extent(top, at, size - at, &e);
		if (r < 0)
			break;
		if (!e.zero)
			e.length = MIN(e.length, (uint64_t)PART);
		if (e.depth < depth)
			r = copy_part(top, base, at, &e, buf);
		if (r >= 0 && progress)
			img_progress(at + e.length, size,
				     at + e.length == size);
	}
	return r < 0 ? r : img_io(base, BLOCK_FLUSH, NULL, 0, 0);
}

static int commit(struct block *top, struct block *base, const struct base *b,
		  const struct args *a)
{
	struct error err = { 0 };
	int r;

	if (block_size(base) < block_size(top) &&
	    block_resize(base, block_size(top), &err) < 0)
		return img_fail("%s: %s", b->path, err.message);
	r = copy(top, base, b->depth, a->progress);
	if (r < 0)
		return img_fail("Could not commit it: %s", strerror(-r));
	r = a->keep ? 0 : block_empty(top);
	return r < 0 ? img_fail("Could not empty '%s': %s", a->path,
				strerror(-r)) :
		       0;
}

/*
 * Both are ours alone before the chain is opened, which has the base once
 * more and takes no locks.
 */
static int run(const struct args *a, const struct base *b)
{
	struct img_open how_base = { .format = b->format, .writable = true };
	struct img_open how = { .format = a->format, .writable = true,
				.share = true };
	_cleanup_close_ int fd = open(a->path, O_RDWR | O_CLOEXEC);
	struct block *top = NULL, *base = NULL;
	struct error err = { 0 };
	int r = 1;

	if (fd < 0)
		return img_fail("cannot open '%s': %m", a->path);
	if (block_lock(fd, false, &err) < 0)
		return img_fail("%s: %s", a->path, err.message);
	base = img_open(b->path, &how_base);
	if (base)
		top = img_open(a->path, &how);
	if (top)
		r = commit(top, base, b, a);
	block_close(top);
	block_close(base);
	return r;
}

int img_commit(int argc, char **argv)
{
	struct args a = { 0 };
	struct base b = { 0 };
	int r = parse(argc, argv, &a);

	if (!r)
		r = find_base(&a, &b);
	if (!r)
		r = run(&a, &b);
	free(b.path);
	free(b.format);
	if (!r && !a.quiet)
		puts("Image committed.");
	return r;
}
