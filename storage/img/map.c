/*
 * storage/img/map.c -- vireo-img map: what is where.
 */
#include <getopt.h>
#include <inttypes.h>

#include "storage/img/img.h"

struct args {
	const char *format, *path;
	uint64_t start, length;
	bool json, share;
};

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "start-offset", required_argument, NULL, 's' },
		{ "max-length", required_argument, NULL, 'l' },
		{ "output", required_argument, NULL, 'O' },
		{ "force-share", no_argument, NULL, 'U' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "f:s:l:U", longs, NULL)) >= 0) {
		switch (o) {
		case 'f':
			a->format = optarg;
			break;
		case 's':
		case 'l':
			if (img_size(optarg, o == 's' ? &a->start :
							&a->length) < 0)
				return img_fail("Invalid size '%s'", optarg);
			break;
		case 'O':
			if (!img_output(optarg, &a->json))
				return 1;
			break;
		case 'U':
			a->share = true;
			break;
		default:
			return 1;
		}
	}
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	a->path = argv[optind];
	return 0;
}

struct piece {
	uint64_t start;
	struct block_extent e;
};

static bool continues(const struct piece *p, const struct piece *next)
{
	const struct block_extent *a = &p->e, *b = &next->e;

	return a->present == b->present && a->zero == b->zero &&
	       a->depth == b->depth && a->has_host == b->has_host &&
	       a->compressed == b->compressed &&
	       (!a->has_host || a->host + a->length == b->host);
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static int print_json(const struct args *a, const struct piece *p, bool first)
{
	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
	       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s, \"compressed\": %s",
	       first ? "[" : ",\n", p->start, p->e.length, p->e.depth,
	       truth(p->e.present), truth(p->e.zero),
	       truth(p->e.present && !p->e.zero), truth(p->e.compressed));
	if (p->e.has_host)
		printf(", \"offset\": %" PRIu64, p->e.host);
	putchar('}');
	return 0;
}

static int print_human(const struct args *a, const struct piece *p)
{
	_cleanup_free_ char *file = NULL;

	if (!p->e.present || p->e.zero)
		return 0;
	if (!p->e.has_host)
		return img_fail("File contains external, encrypted or compressed clusters.");
	file = img_layer(a->path, img_format(a->path, a->format), p->e.depth);
	printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", p->start,
	       p->e.length, p->e.host, file ? file : "?");
	return 0;
}

static int print(const struct args *a, const struct piece *p, bool first)
{
	return a->json ? print_json(a, p, first) : print_human(a, p);
}

static int map(struct block *blk, const struct args *a)
{
	uint64_t size = block_size(blk), at = a->start;
	struct piece now = { .start = at }, next;
	bool first = true;
	int r = 0;

	if (a->length && at < size)
		size = at + MIN(size - at, a->length);
	for (; at < size && r == 0; at += next.e.length) {
		next.start = at;
		if (block_extent(blk, at, size - at, &next.e) < 0)
			return img_fail("Failed to read image metadata");
		if (at != a->start && continues(&now, &next)) {
			now.e.length += next.e.length;
			continue;
		}
		if (at != a->start) {
			r = print(a, &now, first);
			first = false;
		}
		now = next;
	}
	if (r == 0 && a->start < size)
		r = print(a, &now, first);
	return r;
}

int img_map(int argc, char **argv)
{
	struct args a = { 0 };
	struct img_open how = { 0 };
	struct block *blk;
	int r;

	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	how.share = a.share;
	blk = img_open(a.path, &how);
	if (!blk)
		return 1;
	if (!a.json)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to",
		       "File");
	r = map(blk, &a);
	if (a.json)
		puts(a.start < block_size(blk) ? "]" : "[]");
	block_close(blk);
	return r;
}
