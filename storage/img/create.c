/*
 * storage/img/create.c -- vireo-img create.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>

#include "storage/img/img.h"

struct args {
	struct block_create c;
	bool quiet, unsafe;
	const char *path;
};

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "qf:b:F:uo:")) >= 0) {
		switch (o) {
		case 'q':
			a->quiet = true;
			break;
		case 'f':
			a->c.format = optarg;
			break;
		case 'b':
			a->c.backing = optarg;
			break;
		case 'F':
			a->c.backing_format = optarg;
			break;
		case 'u':
			a->unsafe = true;
			break;
		case 'o':
			if (img_options(optarg, &a->c))
				return 1;
			break;
		default:
			return 1;
		}
	}
	if (optind == argc || argc - optind > 2)
		return img_fail("Expecting image file name");
	a->path = argv[optind++];
	if (optind < argc && img_size(argv[optind], &a->c.size) < 0)
		return img_fail("Invalid image size specified: '%s'",
				argv[optind]);
	return 0;
}

/* The size is that of what it is based on, if none was given. */
static int look_at_backing(struct args *a)
{
	_cleanup_free_ char *path = block_backing_path(a->path, a->c.backing);
	struct img_open how = { .format = a->c.backing_format,
				.plain = true };
	struct block *blk;

	if (!a->c.backing_format)
		return img_fail("backing file specified without backing format");
	if (a->unsafe)
		return 0;
	blk = img_open(path, &how);
	if (!blk)
		return 1;
	if (!a->c.size)
		a->c.size = block_size(blk);
	block_close(blk);
	return 0;
}

int img_make(const char *path, const struct block_create *c)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC,
				      0644);
	struct error err = { 0 };

	if (fd < 0)
		return img_fail("%s: cannot create it: %m", path);
	if (block_create(fd, c, &err) < 0)
		return img_fail("%s: %s", path, err.message);
	return 0;
}

int img_create(int argc, char **argv)
{
	struct args a = { .c.format = "raw" };

	img_defaults(&a.c);
	if (parse(argc, argv, &a) || (a.c.backing && look_at_backing(&a)))
		return 1;
	if (!a.c.size)
		return img_fail("Image creation needs a size parameter");
	if (img_make(a.path, &a.c))
		return 1;
	if (!a.quiet)
		printf("Formatting '%s', fmt=%s size=%llu\n", a.path,
		       a.c.format, (unsigned long long)a.c.size);
	return 0;
}
