/*
 * storage/img/convert.c -- vireo-img convert: what is not zero goes into a
 * new image.
 *
 * Several threads take a part each of what is left, so that one reads or
 * compresses while another writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/img/img.h"

enum { PART = 2 * 1024 * 1024, THREADS_MAX = 16, THREADS = 8 };

struct args {
	const char *format, *from, *to, *snapshot;
	struct block_create c;
	uint64_t sparse; /* zeroes of this length are left out */
	unsigned int threads; /* 0: as many as there are processors */
	bool compress, exists, progress, quiet, share;
	bool bitmaps, skip_broken;
};

static int unsupported(int o)
{
	return img_fail("convert: -%c is not supported", o);
}

static int threads(const char *text, struct args *a)
{
	uint64_t n;

	if (img_size(text, &n) < 0 || !n || n > THREADS_MAX)
		return img_fail("Invalid number of coroutines. Allowed number of coroutines is between 1 and %d",
				THREADS_MAX);
	a->threads = n;
	return 0;
}

/* "snapshot.name=X" and "snapshot.id=X", or either of them. */
static const char *snapshot(const char *text)
{
	if (str_startswith(text, "snapshot."))
		return strchr(text, '=') ? strchr(text, '=') + 1 : text;
	return text;
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "bitmaps", no_argument, NULL, 256 },
		{ "skip-broken-bitmaps", no_argument, NULL, 257 },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv,
				"cnpqUf:O:o:S:t:T:m:Wr:B:F:l:C", longs,
				NULL)) >= 0) {
		switch (o) {
		case 256:
			a->bitmaps = true;
			break;
		case 257:
			a->skip_broken = true;
			break;
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
		case 'B':
			a->c.backing = optarg;
			break;
		case 'F':
			a->c.backing_format = optarg;
			break;
		case 'l':
			a->snapshot = snapshot(optarg);
			break;
		case 'm':
			if (threads(optarg, a))
				return 1;
			break;
		case 't':
		case 'T':
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
	uint64_t cluster; /* compressed: what is written at a time */
	bool blank; /* the new image reads as zeroes */

	pthread_mutex_t lock; /* the rest */
	uint64_t next, done, failed_at;
	uint64_t known; /* up to there all is of one kind */
	enum { COPY, ZERO, SKIP } kind;
	int result;
};

/* Pieces of zeroes are left out, or made. */
static int write_sparse(struct copy *c, uint8_t *buf, uint64_t at,
			uint64_t len)
{
	uint64_t unit = c->a->sparse ? c->a->sparse : len, n;
	int r = 0;

	for (uint64_t i = 0; i < len && r >= 0; i += n) {
		bool zero = img_is_zero(buf + i, MIN(unit, len - i));

		for (n = MIN(unit, len - i); i + n < len; n += unit)
			if (img_is_zero(buf + i + n,
					MIN(unit, len - i - n)) != zero)
				break;
		n = MIN(n, len - i);
		if (zero && c->blank && c->a->sparse)
			continue;
		r = img_io(c->to, zero ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
			   zero ? NULL : buf + i, n, at + i);
	}
	return r;
}

static int write_compressed(struct copy *c, uint8_t *buf, uint64_t at,
			    uint64_t len)
{
	int r = 0;

	memset(buf + len, 0, -len & (c->cluster - 1));
	for (uint64_t i = 0; i < len && r >= 0; i += c->cluster) {
		if (!img_is_zero(buf + i, c->cluster))
			r = block_write_compressed(c->to, buf + i, at + i);
		else if (!c->blank)
			r = img_io(c->to, BLOCK_WRITE_ZEROES, NULL,
				   MIN(c->cluster, len - i), at + i);
	}
	return r;
}

static int copy_data(struct copy *c, uint8_t *buf, uint64_t at, uint64_t len)
{
	int r = img_io(c->from, BLOCK_READ, buf, len, at);

	if (r < 0)
		return r;
	return c->a->compress ? write_compressed(c, buf, at, len) :
				write_sparse(c, buf, at, len);
}

/* Locked.  Looking for where data ends may take long: once is enough. */
static int look(struct copy *c)
{
	struct block_extent e;
	int r;

	if (c->next < c->known)
		return 0;
	r = block_extent(c->from, c->next, block_size(c->from) - c->next, &e);
	if (r < 0)
		return r;
	c->known = c->next + e.length;
	c->kind = e.zero ? ZERO : COPY;
	/* What the new image is based on has all but the first layer's. */
	if (e.depth && c->a->c.backing)
		c->kind = SKIP;
	return 0;
}

/*
 * Locked.  Zeroes in one go, however many; else as much as fits the buffer,
 * and whole clusters if they are to be compressed.
 */
static int take_part(struct copy *c, uint64_t *ret_at, uint64_t *ret_len,
		     int *ret_kind)
{
	uint64_t size = block_size(c->from);
	uint64_t part = MIN(size - c->next, PART - c->next % PART);
	uint64_t same;
	int r = look(c);

	if (r < 0)
		return r;
	same = c->known - c->next;
	if (c->a->compress && c->known < size)
		same = ALIGN_DOWN(c->known, (uint64_t)PART) > c->next ?
			       ALIGN_DOWN(c->known, (uint64_t)PART) - c->next :
			       0;
	*ret_kind = same ? (int)c->kind : COPY;
	if (*ret_kind != COPY)
		part = same;
	else if (!c->a->compress)
		part = MIN(part, same);
	*ret_at = c->next;
	*ret_len = part;
	c->next += part;
	return 0;
}

static int copy_part(struct copy *c, uint8_t *buf, uint64_t at, uint64_t len,
		     int kind)
{
	if (kind == COPY)
		return copy_data(c, buf, at, len);
	return c->blank || kind == SKIP ? 0 :
			  img_io(c->to, BLOCK_WRITE_ZEROES, NULL, len, at);
}

static void end_part(struct copy *c, uint64_t at, uint64_t len, int r)
{
	uint64_t size = block_size(c->from);

	c->done += len;
	if (r < 0 && !c->result) {
		c->result = r;
		c->failed_at = at;
	}
	if (r >= 0 && c->a->progress)
		img_progress(c->done, size, c->done == size);
}

static void *copy_parts(void *arg)
{
	struct copy *c = arg;
	_cleanup_free_ uint8_t *buf = xmalloc(PART);

	pthread_mutex_lock(&c->lock);
	while (!c->result && c->next < block_size(c->from)) {
		uint64_t at = c->next, len = 0;
		int kind = COPY;
		int r = take_part(c, &at, &len, &kind);

		pthread_mutex_unlock(&c->lock);
		if (r >= 0)
			r = copy_part(c, buf, at, len, kind);
		pthread_mutex_lock(&c->lock);
		end_part(c, at, len, r);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* This thread is one of them; others are welcome, not necessary. */
static void run_threads(struct copy *c)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int want = c->a->threads ? c->a->threads :
			    cpus > 1	  ? MIN(cpus, (long)THREADS) :
					    1;
	pthread_t thread[THREADS_MAX];
	unsigned int n = 0;

	while (n + 1 < want &&
	       !pthread_create(&thread[n], NULL, copy_parts, c))
		n++;
	copy_parts(c);
	while (n)
		pthread_join(thread[--n], NULL);
}

static int copy_all(struct copy *c)
{
	int r;

	run_threads(c);
	if (c->result < 0)
		return img_fail("error while copying at byte %llu: %s",
				(unsigned long long)c->failed_at,
				strerror(-c->result));
	r = img_io(c->to, BLOCK_FLUSH, NULL, 0, 0);
	return r < 0 ? img_fail("cannot flush '%s': %s", c->a->to,
				strerror(-r)) : 0;
}

static int make_target(struct args *a, uint64_t size)
{
	if (a->exists)
		return 0;
	a->c.size = size;
	return img_make(a->to, &a->c);
}

static bool is_blank(const struct args *a)
{
	struct stat st;

	/* What was never written to a LUKS container reads as noise. */
	return !a->exists && !a->c.backing && !str_eq(a->c.format, "luks") &&
	       (!str_eq(a->c.format, "raw") ||
		(stat(a->to, &st) == 0 && S_ISREG(st.st_mode)));
}

static int convert(struct args *a, struct block *from)
{
	struct img_open how = { .format = a->c.format, .writable = true,
				.plain = true, .key = a->c.key,
				.key_len = a->c.key_len };
	struct copy c = { .a = a, .from = from,
			  .lock = PTHREAD_MUTEX_INITIALIZER };
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
	if (block_size(c.to) < block_size(from))
		r = img_fail("the target is smaller than the source");
	else if (a->compress && !c.cluster)
		r = img_fail("Compression not supported for this file format");
	else
		r = copy_all(&c);
	if (r == 0 && a->bitmaps)
		r = img_copy_bitmaps(from, c.to, a->skip_broken);
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
	if (a.skip_broken && !a.bitmaps)
		return img_fail("Use of --skip-broken-bitmaps requires --bitmaps");
	if (a.c.backing && !a.c.backing_format)
		return img_fail("backing file specified without backing format");
	if (a.c.backing && a.exists)
		return img_fail("convert: -n and -B are not supported together");
	how.format = a.format;
	how.share = a.share;
	how.snapshot = a.snapshot;
	from = img_open(a.from, &how);
	if (!from)
		return 1;
	r = convert(&a, from);
	block_close(from);
	return r;
}
