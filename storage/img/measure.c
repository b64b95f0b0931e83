/*
 * storage/img/measure.c -- vireo-img measure: how much space a new image
 * would take.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <string.h>

#include "storage/img/img.h"

struct args {
	const char *format, *path;
	struct block_create c;
	bool sized, json, share;
};

static int option(int o, struct args *a)
{
	switch (o) {
	case 'f':
		a->format = optarg;
		return 0;
	case 'O':
		a->c.format = optarg;
		return 0;
	case 'o':
		return img_options(optarg, &a->c);
	case 'j':
		return !img_output(optarg, &a->json);
	case 's':
		a->sized = true;
		return img_size(optarg, &a->c.size) < 0 ?
			       img_fail("Invalid image size specified") :
			       0;
	case 'U':
		a->share = true;
		return 0;
	}
	return 1;
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'j' },
		{ "size", required_argument, NULL, 's' },
		{ "force-share", no_argument, NULL, 'U' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "f:O:o:U", longs, NULL)) >= 0)
		if (option(o, a))
			return 1;
	if (argc - optind > 1)
		return img_fail("At most one filename argument is allowed.");
	if (a->sized == (optind < argc))
		return img_fail("Either --size N or one filename must be specified.");
	a->path = argv[optind];
	return 0;
}

static void print(const struct args *a, const struct block_measure *m)
{
	struct json_object *o;

	if (!a->json) {
		printf("required size: %llu\nfully allocated size: %llu\n",
		       (unsigned long long)m->required,
		       (unsigned long long)m->full);
		if (m->bitmaps)
			printf("bitmaps size: %llu\n",
			       (unsigned long long)m->bitmap_bytes);
		return;
	}
	o = json_object_new_object();
	if (m->bitmaps)
		json_object_object_add(o, "bitmaps",
				       json_object_new_uint64(
					       m->bitmap_bytes));
	json_object_object_add(o, "required",
			       json_object_new_uint64(m->required));
	json_object_object_add(o, "fully-allocated",
			       json_object_new_uint64(m->full));
	img_print_json(o);
}

int img_measure(int argc, char **argv)
{
	struct args a = { .c.format = "raw" };
	struct img_open how = { 0 };
	struct block *from = NULL;
	struct block_measure m;
	struct error err = { 0 };
	int r;

	img_defaults(&a.c);
	if (parse(argc, argv, &a))
		return 1;
	how.format = a.format;
	how.share = a.share;
	if (a.path) {
		from = img_open(a.path, &how);
		if (!from)
			return 1;
		a.c.size = block_size(from);
	}
	r = block_measure(&a.c, from, &m, &err);
	block_close(from);
	if (r < 0)
		return img_fail("%s", err.message);
	print(&a, &m);
	return 0;
}
