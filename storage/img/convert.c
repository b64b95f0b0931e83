/*
 * storage/img/convert.c -- vireo-img convert: what is not zero goes into a
 * new image.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/img/img.h"

enum { PART = 2 * 1024 * 1024 };

struct args {
	const char *format, *from, *to;
	struct block_create c;
	uint64_t sparse; /* zeroes of this length are left out */
	bool compress, exists, progress, quiet, share;
};

static int unsupported(int o)
{
	return img_fail("convert: -%c is not supported", o);
}

static int parse(int argc, char **argv, struct args *a)
{
	int o;

	while ((o = getopt(argc, argv, "cnpqUf:O:o:S:t:T:m:Wr:B:F:l:C")) >= 0) {
		switch (o) {
		case 'c':
			a->compress = true;
			break;
		case 'n':
			a->exists = true;
			break;
		case 'p':
			a->progress = true;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 'U':
			a->share = true;
			break;
		case 'f':
			a->format = optarg;
			break;
		case 'O':
			a->c.format = optarg;
			break;
		case 'o':
			if (img_options(optarg, &a->c))
				return 1;
			break;
		case 'S':
			if (img_size(optarg, &a->sparse) < 0)
				return img_fail("Invalid buffer size for sparse output specified");
			break;
		case 't':
		case 'T':
		case 'm':
		case 'W':
			break; /* how fast, no more */
		case '?':
			return 1;
		default:
			return unsupported(o);
		}
	}
	if (argc - optind != 2)
		return img_fail("Must specify image file name");
	a->from = argv[optind];
	a->to = argv[optind + 1];
	return 0;
}

struct copy {
	const struct args *a;
	struct block *from, *to;
	uint8_t *buf;
	uint64_t cluster; /* compressed: what is written at a time */
	bool blank; /* the new image reads as zeroes */
};

/* Pieces of zeroes are left out, or made. */
static int write_sparse(struct copy *c, uint64_t at, uint64_t len)
{
	uint64_t unit = c->a->sparse ? c->a->sparse : len, n;
	int r = 0;

	for (uint64_t i = 0; i < len && r >= 0; i += n) {
		bool zero = img_is_zero(c->buf + i, MIN(unit, len - i));

		for (n = MIN(unit, len - i); i + n < len; n += unit)
			if (img_is_zero(c->buf + i + n,
					MIN(unit, len - i - n)) != zero)
				break;
		n = MIN(n, len - i);
		if (zero && c->blank && c->a->sparse)
			continue;
		r = img_io(c->to, zero ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
			   zero ? NULL : c->buf + i, n, at + i);
	}
	return r;
}

static int write_compressed(struct copy *c, uint64_t at, uint64_t len)
{
	int r = 0;

	memset(c->buf + len, 0, -len & (c->cluster - 1));
	for (uint64_t i = 0; i < len && r >= 0; i += c->cluster)
		if (!img_is_zero(c->buf + i, c->cluster))
			r = block_write_compressed(c->to, c->buf + i, at + i);
	return r;
}

static int copy_part(struct copy *c, uint64_t at, uint64_t *len)
{
	struct block_extent e = { 0 };
	int r = block_extent(c->from, at, *len, &e);

	if (r < 0)
		return r;
	if (!c->a->compress)
		*len = e.length;
	if (e.zero && e.length >= *len)
		return c->blank ? 0 :
				  img_io(c->to, BLOCK_WRITE_ZEROES, NULL, *len,
					 at);
	*len = MIN(*len, PART - at % PART);
	r = img_io(c->from, BLOCK_READ, c->buf, *len, at);
	if (r < 0)
		return r;
	return c->a->compress ? write_compressed(c, at, *len) :
				write_sparse(c, at, *len);
}

static int copy_all(struct copy *c)
{
	uint64_t size = block_size(c->from), len;
	int r = 0;

	for (uint64_t at = 0; at < size && r >= 0; at += len) {
		len = size - at;
		if (c->a->compress)
			len = MIN(len, (uint64_t)PART);
		r = copy_part(c, at, &len);
		if (r < 0)
			return img_fail("error while copying at byte %llu: %s",
					(unsigned long long)at, strerror(-r));
		if (c->a->progress)
			img_progress(at + len, size, at + len == size);
	}
	r = img_io(c->to, BLOCK_FLUSH, NULL, 0, 0);
	return r < 0 ? img_fail("cannot flush '%s': %s", c->a->to,
				strerror(-r)) : 0;
}

static int make_target(struct args *a, uint64_t size)
{
	_cleanup_close_ int fd = -1;
	struct error err = { 0 };

	if (a->exists)
		return 0;
	a->c.size = size;
	fd = open(a->to, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return img_fail("%s: cannot create it: %m", a->to);
	if (block_create(fd, &a->c, &err) < 0)
		return img_fail("%s: %s", a->to, err.message);
	return 0;
}

static bool is_blank(const struct args *a)
{
	struct stat st;

	return !a->exists && (!str_eq(a->c.format, "raw") ||
			      (stat(a->to, &st) == 0 && S_ISREG(st.st_mode)));
}

static int convert(struct args *a, struct block *from)
{
	struct img_open how = { .format = a->c.format, .writable = true };
	struct copy c = { .a = a, .from = from };
	struct block_info info;
	int r;

	if (make_target(a, block_size(from)))
		return 1;
	c.to = img_open(a->to, &how);
	if (!c.to)
		return 1;
	block_info(c.to, &info);
	c.cluster = info.cluster_size;
	c.blank = is_blank(a);
	c.buf = xmalloc(PART);
	if (block_size(c.to) < block_size(from))
		r = img_fail("the target is smaller than the source");
	else if (a->compress && !c.cluster)
		r = img_fail("Compression not supported for this file format");
	else
		r = copy_all(&c);
	free(c.buf);
	block_close(c.to);
	return r;
}

int img_convert(int argc, char **argv)
{
	struct args a = { .c.format = "raw", .sparse = 4096 };
	struct img_open how = { 0 };
	struct block *from;
	int r;

	img_defaults(&a.c);
	if (parse(argc, argv, &a))
		return 1;
	if (a.c.backing)
		return img_fail("convert: backing_file is not supported");
	how.format = a.format;
	how.share = a.share;
	from = img_open(a.from, &how);
	if (!from)
		return 1;
	r = convert(&a, from);
	block_close(from);
	return r;
}
