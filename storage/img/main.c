/*
 * storage/img/main.c -- vireo-img: which command.
 */
#include <string.h>

#include "config.h"
#include "storage/img/img.h"

static const struct {
	const char *name;
	img_command *run;
	const char *usage;
} commands[] = {
	{ "bench", img_bench,
	  "[-c COUNT] [-d DEPTH] [-f FORMAT] [--flush-interval N] [-o OFFSET] [--pattern N] [-q] [-s SIZE] [-S STEP] [-t CACHE] [-w] [-U] IMAGE" },
	{ "bitmap", img_bitmap,
	  "(--add [-g SIZE] | --remove | --clear | --enable | --disable | --merge BITMAP)... [-b IMAGE [-F FORMAT]] [-f FORMAT] IMAGE BITMAP" },
	{ "check", img_check,
	  "[-q] [-f FORMAT] [--output human|json] [-r leaks|all] [-U] IMAGE" },
	{ "commit", img_commit,
	  "[-b BASE] [-d] [-f FORMAT] [-p] [-q] IMAGE" },
	{ "compare", img_compare,
	  "[-f FORMAT] [-F FORMAT] [-p] [-q] [-s] [-U] IMAGE IMAGE" },
	{ "convert", img_convert,
	  "[-c] [-m THREADS] [-n] [-p] [-q] [-f FORMAT] [-O FORMAT] [-B IMAGE -F FORMAT] [-o OPTIONS] [-l SNAPSHOT] [-S SIZE] [--bitmaps [--skip-broken-bitmaps]] [-U] IMAGE IMAGE" },
	{ "create", img_create,
	  "[-q] [-f FORMAT] [-b IMAGE -F FORMAT] [-u] [-o OPTIONS] IMAGE [SIZE]" },
	{ "dd", img_dd,
	  "[-f FORMAT] [-O FORMAT] [-U] [bs=SIZE] [count=N] [skip=N] if=IMAGE of=IMAGE" },
	{ "info", img_info,
	  "[-f FORMAT] [--output human|json] [--backing-chain] [-U] IMAGE" },
	{ "map", img_map,
	  "[-f FORMAT] [--start-offset N] [--max-length N] [--output human|json] [-U] IMAGE" },
	{ "measure", img_measure,
	  "[-O FORMAT] [-o OPTIONS] [--output human|json] --size SIZE | [-f FORMAT] [-U] IMAGE" },
	{ "rebase", img_rebase,
	  "[-f FORMAT] [-p] [-q] [-u] [-U] -b IMAGE [-F FORMAT] IMAGE" },
	{ "resize", img_resize,
	  "[-f FORMAT] [--preallocation MODE] [-q] [--shrink] IMAGE [+|-]SIZE" },
	{ "snapshot", img_snapshot,
	  "[-f FORMAT] [-q] [-U] [-l | -a SNAPSHOT | -c SNAPSHOT | -d SNAPSHOT] IMAGE" },
};

static int usage(FILE *to)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "%s vireo-img %s %s\n", i ? "      " : "usage:",
			commands[i].name, commands[i].usage);
	return to == stdout ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr);
	if (str_eq(argv[1], "-h") || str_eq(argv[1], "--help"))
		return usage(stdout);
	if (str_eq(argv[1], "-V") || str_eq(argv[1], "--version")) {
		printf("vireo-img %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (img_take_objects(&argc, argv))
		return 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "vireo-img: there is no command '%s'\n", argv[1]);
	return usage(stderr);
}
