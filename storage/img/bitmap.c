/*
 * storage/img/bitmap.c -- vireo-img bitmap: an image's dirty bitmaps are
 * made, dropped and changed, one step after the other.
 */
#include <getopt.h>
#include <string.h>

#include "storage/format/bitmaps.h"
#include "storage/img/img.h"

enum { STEPS_MAX = 64, ADD = 256, REMOVE, CLEAR, ENABLE, DISABLE, MERGE };

struct step {
	int what;
	const char *from; /* merge */
};

struct args {
	const char *format, *path, *name, *source, *source_format;
	struct step step[STEPS_MAX];
	unsigned int n;
	unsigned int granularity; /* log2; 0: not given */
};

static bool has(const struct args *a, int what)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (a->step[i].what == what)
			return true;
	return false;
}

static int add_step(struct args *a, int what, const char *from)
{
	if (a->n == STEPS_MAX)
		return img_fail("too many steps");
	a->step[a->n++] = (struct step){ what, from };
	return 0;
}

static int granularity(const char *text, struct args *a)
{
	uint64_t n;

	if (img_size(text, &n) < 0 || n < 512 || n > 2 * GIB ||
	    (n & (n - 1)))
		return img_fail("Invalid granularity specified: it must be a power of two from 512 to 2G");
	a->granularity = __builtin_ctzll(n);
	return 0;
}

static int option(int o, struct args *a)
{
	switch (o) {
	case 'b':
		a->source = optarg;
		return 0;
	case 'F':
		a->source_format = optarg;
		return 0;
	case 'f':
		a->format = optarg;
		return 0;
	case 'g':
		return granularity(optarg, a);
	case '?':
		return 1;
	}
	return add_step(a, o, optarg);
}

static int check(const struct args *a)
{
	if (!a->n)
		return img_fail("Need at least one of --add, --remove, --clear, --enable, --disable, or --merge");
	if (a->granularity && !has(a, ADD))
		return img_fail("granularity only supported with --add");
	if (a->source_format && !a->source)
		return img_fail("-F only supported with -b");
	if (a->source && !has(a, MERGE))
		return img_fail("Merge bitmap source file only supported with --merge");
	return 0;
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "add", no_argument, NULL, ADD },
		{ "remove", no_argument, NULL, REMOVE },
		{ "clear", no_argument, NULL, CLEAR },
		{ "enable", no_argument, NULL, ENABLE },
		{ "disable", no_argument, NULL, DISABLE },
		{ "merge", required_argument, NULL, MERGE },
		{ "source-file", required_argument, NULL, 'b' },
		{ "source-format", required_argument, NULL, 'F' },
		{ "granularity", required_argument, NULL, 'g' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "b:F:f:g:", longs, NULL)) >= 0)
		if (option(o, a))
			return 1;
	if (argc - optind != 2)
		return img_fail("Expecting filename and bitmap name");
	a->path = argv[optind];
	a->name = argv[optind + 1];
	return check(a);
}

static int run_step(const struct args *a, const struct step *s,
		    struct block *blk, struct block *source,
		    struct error *err)
{
	struct block_bitmap_add add = { .name = a->name, .persistent = true,
					.granularity = a->granularity };

	switch (s->what) {
	case ADD:
		/* With --disable the file never says that it was enabled. */
		add.disabled = has(a, DISABLE);
		return block_bitmap_add(blk, &add, err);
	case REMOVE:
		return block_bitmap_remove(blk, a->name, err);
	case CLEAR:
		return block_bitmap_clear(blk, a->name, err);
	case ENABLE:
	case DISABLE:
		return block_bitmap_enable(blk, a->name, s->what == ENABLE,
					   err);
	}
	return block_bitmap_merge(blk, a->name, source ? source : blk,
				  s->from, err);
}

static int run(const struct args *a, struct block *blk, struct block *source)
{
	static const char *const names[] = { "add", "remove", "clear",
					     "enable", "disable", "merge" };
	struct error err = { 0 };
	int r;

	for (unsigned int i = 0; i < a->n; i++)
		if (run_step(a, &a->step[i], blk, source, &err) < 0)
			return img_fail("Operation %s on bitmap %s failed: %s",
					names[a->step[i].what - ADD], a->name,
					err.message);
	r = block_settle(blk);
	return r < 0 ? img_fail("cannot write '%s': %s", a->path,
				strerror(-r)) :
		       0;
}

/* ---- from one image into another ---- */

static int copy_bitmap(struct block *from, struct block *to,
		       const struct block_bitmap_info *b)
{
	struct block_bitmap_add add = {
		.name = b->name,
		.granularity = b->granularity,
		.persistent = true,
		.disabled = !b->enabled,
	};
	struct error err = { 0 };

	if (block_bitmap_add(to, &add, &err) < 0 ||
	    block_bitmap_merge(to, b->name, from, b->name, &err) < 0)
		return img_fail("Failed to populate bitmap %s: %s", b->name,
				err.message);
	return 0;
}

static int copy_bitmaps(struct block *from, struct block *to,
			const struct block_bitmap_info *list, unsigned int n,
			bool skip_broken)
{
	int r = 0;

	for (unsigned int i = 0; i < n && r == 0; i++) {
		if (!list[i].inconsistent)
			r = copy_bitmap(from, to, &list[i]);
		else if (skip_broken)
			fprintf(stderr,
				"vireo-img: warning: Skipping inconsistent bitmap '%s'\n",
				list[i].name);
		else
			r = img_fail("Cannot copy inconsistent bitmap '%s'",
				     list[i].name);
	}
	return r;
}

int img_copy_bitmaps(struct block *from, struct block *to, bool skip_broken)
{
	struct block_bitmap_info *list;
	struct error err = { 0 };
	unsigned int n;
	int r;

	if (block_bitmaps(from, &list, &n, &err) < 0)
		return img_fail("%s", err.message);
	r = copy_bitmaps(from, to, list, n, skip_broken);
	free(list);
	if (r == 0 && block_settle(to) < 0)
		r = img_fail("cannot write its bitmaps");
	return r;
}

int img_bitmap(int argc, char **argv)
{
	struct args a = { 0 };
	struct img_open how = { .writable = true, .alone = true };
	struct img_open other = { .alone = true };
	struct block *blk, *source = NULL;
	int r = 1;

	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	other.format = a.source_format;
	blk = img_open(a.path, &how);
	if (!blk)
		return 1;
	if (a.source)
		source = img_open(a.source, &other);
	if (source || !a.source)
		r = run(&a, blk, source);
	block_close(source);
	block_close(blk);
	return r;
}
