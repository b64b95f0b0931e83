/*
 * storage/img/bench.c -- vireo-img bench: requests of one size, so many at a
 * time, each a step after the one before; the time they take together.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "storage/img/img.h"

enum { DEPTH_MAX = 4096, ALIGN = 4096 };

struct args {
	struct img_open how;
	uint64_t count, depth, size, step, offset, flush_interval;
	uint64_t pattern;
	bool write, quiet;
};

struct slot {
	struct block_req req;
	struct iovec iov;
	struct bench *bench;
};

struct bench {
	const struct args *args;
	struct block *blk;
	struct block_queue *q;
	struct slot *slots;
	uint64_t begun, done, at;
	uint64_t since_flush;
	int result;
};

static bool has_number(const char *text, uint64_t max, uint64_t *ret)
{
	return img_size(text, ret) == 0 && *ret <= max;
}

static int bad(const char *what)
{
	return img_fail("Invalid %s specified", what);
}

static bool cache_mode(const char *mode, struct img_open *how)
{
	static const struct {
		const char *name;
		bool direct, sync, unsafe;
	} modes[] = {
		{ "writeback", false, false, false },
		{ "writethrough", false, true, false },
		{ "none", true, false, false },
		{ "off", true, false, false },
		{ "directsync", true, true, false },
		{ "unsafe", false, false, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
		if (str_eq(modes[i].name, mode)) {
			how->direct = modes[i].direct;
			how->sync_writes = modes[i].sync;
			how->no_flush = modes[i].unsafe;
			return true;
		}
	return false;
}

static int option(int o, struct args *a)
{
	switch (o) {
	case 'c':
		return has_number(optarg, INT32_MAX, &a->count) ?
			       0 :
			       bad("request count");
	case 'd':
		return has_number(optarg, DEPTH_MAX, &a->depth) && a->depth ?
			       0 :
			       bad("queue depth");
	case 'o':
		return has_number(optarg, INT64_MAX, &a->offset) ?
			       0 :
			       bad("offset");
	case 's':
		return has_number(optarg, INT32_MAX, &a->size) && a->size ?
			       0 :
			       bad("buffer size");
	case 'S':
		return has_number(optarg, INT64_MAX, &a->step) ?
			       0 :
			       bad("step size");
	case 'F':
		return has_number(optarg, INT32_MAX, &a->flush_interval) ?
			       0 :
			       bad("flush interval");
	case 'P':
		return has_number(optarg, 255, &a->pattern) ?
			       0 :
			       bad("pattern byte");
	case 't':
		return cache_mode(optarg, &a->how) ? 0 : bad("cache mode");
	case 'f':
		a->how.format = optarg;
		return 0;
	case 'w':
		a->write = true;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case 'U':
		a->how.share = true;
		return 0;
	case 'n': /* how requests reach the kernel is ours to choose */
	case 'i':
	case 'N':
		return 0;
	}
	return 1;
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "flush-interval", required_argument, NULL, 'F' },
		{ "pattern", required_argument, NULL, 'P' },
		{ "no-drain", no_argument, NULL, 'N' },
		{ "force-share", no_argument, NULL, 'U' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:d:f:i:no:qs:S:t:wU", longs,
				NULL)) >= 0)
		if (option(o, a))
			return 1;
	if (argc - optind != 1)
		return img_fail("Expecting one image file name");
	if (!a->write && a->flush_interval)
		return img_fail("--flush-interval is only available in write tests");
	a->how.writable = a->write;
	return 0;
}

/* ---- requests ---- */

static void submit(struct bench *b, struct slot *s)
{
	int r = block_submit(b->q, &s->req);

	if (r < 0)
		s->req.done(&s->req, r);
}

static void next(struct bench *b, struct slot *s)
{
	const struct args *a = b->args;
	uint64_t size = block_size(b->blk);

	if (b->begun == a->count || b->result < 0)
		return;
	b->begun++;
	s->req.op = a->write ? BLOCK_WRITE : BLOCK_READ;
	s->req.length = s->iov.iov_len = a->size;
	s->req.offset = b->at;
	b->at = (b->at + a->step) % size;
	if (b->at + a->size > size)
		b->at = 0;
	submit(b, s);
}

static void flush(struct bench *b, struct slot *s)
{
	b->since_flush = 0;
	s->req.op = BLOCK_FLUSH;
	s->req.length = 0;
	submit(b, s);
}

static void done(struct block_req *req, int result)
{
	struct slot *s = container_of(req, struct slot, req);
	struct bench *b = s->bench;

	if (result < 0)
		b->result = result;
	if (req->op != BLOCK_FLUSH) {
		b->done++;
		b->since_flush++;
	}
	if (b->args->flush_interval &&
	    b->since_flush == b->args->flush_interval)
		flush(b, s);
	else
		next(b, s);
}

static int prepare(struct bench *b, void **ret_data)
{
	const struct args *a = b->args;

	if (a->offset + a->size > block_size(b->blk))
		return img_fail("the image is too small for that");
	if (posix_memalign(ret_data, ALIGN, a->depth * a->size))
		return img_fail("out of memory");
	memset(*ret_data, (int)a->pattern, a->depth * a->size);
	b->slots = xcalloc(a->depth, sizeof(*b->slots));
	for (uint64_t i = 0; i < a->depth; i++) {
		struct slot *s = &b->slots[i];

		s->bench = b;
		s->iov.iov_base = (char *)*ret_data + i * a->size;
		s->req.iov = &s->iov;
		s->req.n_iov = 1;
		s->req.done = done;
	}
	return 0;
}

static int run(struct bench *b)
{
	struct pollfd pfd[2] = {
		{ .fd = block_queue_fd(b->q), .events = POLLIN },
		{ .fd = block_queue_ring(b->q), .events = POLLIN },
	};

	b->at = b->args->offset;
	for (uint64_t i = 0; i < b->args->depth; i++)
		next(b, &b->slots[i]);
	while (b->done < b->begun) {
		uint64_t before = b->done;

		block_kick(b->q);
		block_reap(b->q);
		if (b->done != before)
			continue;
		if (poll(pfd, ARRAY_SIZE(pfd), -1) < 0 && errno != EINTR)
			return -errno;
		block_poll(b->q);
	}
	return b->result;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int measure(struct bench *b)
{
	const struct args *a = b->args;
	double start;
	int r;

	if (!a->quiet)
		printf("Sending %llu %s requests, %llu bytes each, %llu in parallel (starting at offset %llu, step size %llu)\n",
		       (unsigned long long)a->count,
		       a->write ? "write" : "read",
		       (unsigned long long)a->size,
		       (unsigned long long)a->depth,
		       (unsigned long long)a->offset,
		       (unsigned long long)a->step);
	start = now();
	r = run(b);
	if (r < 0)
		return img_fail("Failed request: %s", strerror(-r));
	printf("Run completed in %.3f seconds.\n", now() - start);
	return 0;
}

int img_bench(int argc, char **argv)
{
	struct args a = { .count = 75000, .depth = 64, .size = 4096 };
	struct bench b = { .args = &a };
	struct error err = { 0 };
	void *data = NULL;
	int r;

	if (parse(argc, argv, &a))
		return 1;
	if (!a.step)
		a.step = a.size;
	b.blk = img_open(argv[optind], &a.how);
	if (!b.blk)
		return 1;
	r = prepare(&b, &data);
	if (!r && block_queue_create(b.blk, a.depth, &b.q, &err) < 0)
		r = img_fail("%s", err.message);
	if (!r)
		r = measure(&b);
	block_queue_destroy(b.q);
	block_close(b.blk);
	free(b.slots);
	free(data);
	return r;
}
