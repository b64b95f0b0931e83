/*
 * storage/img/check.c -- vireo-img check: 0 sound, 1 not checked, 2 corrupt,
 * 3 leaks only, 63 a format without a check.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <unistd.h>

#include "storage/img/img.h"

enum { SOUND, UNKNOWN, CORRUPT, LEAKS, UNSUPPORTED = 63 };

struct args {
	const char *format, *path;
	unsigned int fix;
	bool quiet, json, share;
};

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'O' },
		{ "repair", required_argument, NULL, 'r' },
		{ "force-share", no_argument, NULL, 'U' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "qf:r:T:U", longs, NULL)) >= 0) {
		switch (o) {
		case 'q':
			a->quiet = true;
			break;
		case 'f':
			a->format = optarg;
			break;
		case 'r':
			a->fix = str_eq(optarg, "leaks") ? BLOCK_FIX_LEAKS :
				 str_eq(optarg, "all")	 ? BLOCK_FIX_ALL :
							   0;
			if (!a->fix)
				return img_fail("-r expects 'leaks' or 'all'");
			break;
		case 'O':
			if (!img_output(optarg, &a->json))
				return 1;
			break;
		case 'T':
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

static void number(struct json_object *o, const char *name, uint64_t n,
		   bool always)
{
	if (n || always)
		json_object_object_add(o, name, json_object_new_uint64(n));
}

static void print_json(const struct args *a, const char *format,
		       const struct block_verdict *v)
{
	struct json_object *o = json_object_new_object();

	number(o, "image-end-offset", v->end, true);
	number(o, "total-clusters", v->total, true);
	number(o, "check-errors", v->errors, true);
	number(o, "allocated-clusters", v->allocated, false);
	number(o, "fragmented-clusters", v->fragmented, false);
	number(o, "compressed-clusters", v->compressed, false);
	number(o, "corruptions", v->corruptions, false);
	number(o, "leaks", v->leaks, false);
	number(o, "corruptions-fixed", v->corruptions_fixed, false);
	number(o, "leaks-fixed", v->leaks_fixed, false);
	json_object_object_add(o, "filename", json_object_new_string(a->path));
	json_object_object_add(o, "format", json_object_new_string(format));
	img_print_json(o);
}

#define LLU(n) ((unsigned long long)(n))

static void print_human(const struct block_verdict *v)
{
	if (v->leaks_fixed || v->corruptions_fixed)
		printf("The following inconsistencies were found and repaired:\n\n    %llu leaked clusters\n    %llu corruptions\n\nDouble checking the fixed image now...\n",
		       LLU(v->leaks_fixed), LLU(v->corruptions_fixed));
	if (!v->errors && !v->corruptions && !v->leaks)
		puts("No errors were found on the image.");
	if (v->corruptions)
		printf("\n%llu errors were found on the image.\nData may be corrupted, or further writes to the image may corrupt it.\n",
		       LLU(v->corruptions));
	if (v->leaks)
		printf("\n%llu leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n",
		       LLU(v->leaks));
	if (v->allocated)
		printf("%llu/%llu = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters\n",
		       LLU(v->allocated), LLU(v->total),
		       v->allocated * 100.0 / v->total,
		       v->fragmented * 100.0 / v->allocated,
		       v->compressed * 100.0 / v->allocated);
	if (v->end)
		printf("Image end offset: %llu\n", LLU(v->end));
}

/* After a repair it is looked at once more; the figures are those of then. */
static int verify(struct block *blk, unsigned int fix, struct block_verdict *v,
		  struct error *err)
{
	struct block_verdict fixed;
	int r = block_verify(blk, fix, v, err);

	if (r < 0 || (!v->leaks_fixed && !v->corruptions_fixed))
		return r;
	fixed = *v;
	r = block_verify(blk, 0, v, err);
	v->leaks_fixed = fixed.leaks_fixed;
	v->corruptions_fixed = fixed.corruptions_fixed;
	return r;
}

static int exit_code(const struct block_verdict *v)
{
	if (v->corruptions)
		return CORRUPT;
	if (v->leaks)
		return LEAKS;
	return v->errors ? UNKNOWN : SOUND;
}

int img_check(int argc, char **argv)
{
	struct args a = { 0 };
	struct img_open how = { .alone = true, .repair = true };
	struct block_verdict v;
	struct error err = { 0 };
	const char *format;
	struct block *blk;
	int r;

	if (parse(argc, argv, &a))
		return UNKNOWN;
	format = img_format(a.path, a.format);
	if (!str_eq(format, "qcow2")) {
		img_fail("This image format does not support checks");
		return UNSUPPORTED;
	}
	how.format = format;
	how.writable = a.fix;
	how.share = a.share;
	blk = img_open(a.path, &how);
	if (!blk)
		return UNKNOWN;
	r = verify(blk, a.fix, &v, &err);
	block_close(blk);
	if (r < 0)
		return img_fail("Check failed: %s", err.message);
	if (a.json)
		print_json(&a, format, &v);
	else if (!a.quiet)
		print_human(&v);
	return exit_code(&v);
}
