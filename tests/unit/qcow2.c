/*
 * tests/unit/qcow2.c -- our qcow2 against qemu-img: random requests, several
 * at once, on images that it made, over others, with snapshots; afterwards
 * it finds nothing wrong in them and reads what we wrote.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "tests/fuzz/random.h"

enum { DISK = 6 * 1024 * 1024 + 512, ROUNDS = 200, DEPTH = 6,
       PART = 200 * 1024, EXIT_SKIP = 77 };

static uint8_t shadow[DISK], check[DISK];

static int run(const char *fmt, ...) PRINTF(1, 2);

static int run(const char *fmt, ...)
{
	_cleanup_free_ char *command = NULL;
	va_list ap;
	int status;

	va_start(ap, fmt);
	assert(vasprintf(&command, fmt, ap) > 0);
	va_end(ap);
	status = system(command);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fprintf(stderr, "%s: %d\n", command, status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_file(const char *path, uint8_t *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(to, 0, DISK);
	assert(fd >= 0 && pread(fd, to, DISK, 0) >= 0);
	close(fd);
}

static void differs(const uint8_t *a, const char *what)
{
	for (unsigned int i = 0; i < DISK; i++) {
		if (a[i] == shadow[i])
			continue;
		fprintf(stderr, "%s: at %u: %02x, not %02x\n", what, i, a[i],
			shadow[i]);
		abort();
	}
}

/* Text, noise and holes. */
static void make_base(void)
{
	int fd = open("base.raw", O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(shadow, 0, DISK);
	for (unsigned int at = 0; at < DISK; at += 32768) {
		unsigned int n = MIN(32768, DISK - at);

		for (unsigned int i = 0; i < n && below(3); i++)
			shadow[at + i] = at & 65536 ? 'a' + i % 7 : rnd();
	}
	assert(fd >= 0 && write_full(fd, shadow, DISK) == 0);
	close(fd);
}

/* ---- requests ---- */

struct slot {
	struct block_req req;
	struct iovec iov[3];
	uint8_t *buf;
	bool busy;
};

static struct slot slots[DEPTH];

static void done(struct block_req *req, int result)
{
	struct slot *s = req->arg;

	if (result)
		fprintf(stderr, "op %d at %llu: %d\n", req->op,
			(unsigned long long)req->offset, result);
	assert(result == 0);
	if (req->op == BLOCK_READ)
		assert(!memcmp(s->buf, shadow + req->offset, req->length));
	s->busy = false;
}

static bool overlaps(uint64_t at, uint64_t len)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		if (slots[i].busy && at < slots[i].req.offset +
					  slots[i].req.length &&
		    slots[i].req.offset < at + len)
			return true;
	return false;
}

static void choose(struct slot *s)
{
	static const enum block_op ops[] = {
		BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE_ZEROES,
		BLOCK_DISCARD, BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH,
	};
	struct block_req *r = &s->req;
	uint64_t third;

	*r = (struct block_req){ .op = ops[below(8)], .done = done, .arg = s };
	do {
		r->offset = below(DISK / 512) * 512;
		r->length = (1 + below(PART / 512)) * 512;
		if (chance(50))
			r->length = MIN(r->length, 4096u);
		r->length = MIN(r->length, DISK - r->offset);
	} while (overlaps(r->offset, r->length));
	r->unmap = chance(50);
	third = r->length / 3;
	s->iov[0] = (struct iovec){ s->buf, third };
	s->iov[1] = (struct iovec){ s->buf + third, third };
	s->iov[2] = (struct iovec){ s->buf + 2 * third, r->length - 2 * third };
	r->iov = s->iov;
	r->n_iov = 3;
}

/* A discard reads as zeroes or as before: asked when it is done. */
static void start(struct block_queue *q, struct slot *s)
{
	struct block_req *r = &s->req;

	choose(s);
	s->busy = true;
	if (r->op == BLOCK_WRITE) {
		for (uint64_t i = 0; i < r->length; i++)
			s->buf[i] = rnd();
		memcpy(shadow + r->offset, s->buf, r->length);
	}
	if (r->op == BLOCK_WRITE_ZEROES)
		memset(shadow + r->offset, 0, r->length);
	assert(!block_submit(q, r));
}

static void wait_some(struct block_queue *q)
{
	struct pollfd pfd[2] = {
		{ .fd = block_queue_fd(q), .events = POLLIN },
		{ .fd = block_queue_ring(q), .events = POLLIN },
	};

	block_kick(q);
	poll(pfd, 2, -1);
	block_poll(q);
}

static bool any_busy(void)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		if (slots[i].busy)
			return true;
	return false;
}

static void settle(struct block_queue *q, struct block *blk)
{
	struct iovec iov = { check, DISK };
	struct block_req all = { .op = BLOCK_READ, .length = DISK,
				 .iov = &iov, .n_iov = 1 };

	while (any_busy())
		wait_some(q);
	assert(block_run(blk, &all) == 0);
}

/* What a discard left is taken over; anything else must be as expected. */
static void after_discard(struct block_queue *q, struct block *blk,
			  uint64_t at, uint64_t len)
{
	settle(q, blk);
	for (uint64_t i = at; i < at + len; i++) {
		assert(!check[i] || check[i] == shadow[i]);
		shadow[i] = check[i];
	}
}

static void requests(struct block *blk)
{
	struct block_queue *q;

	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct slot *s = &slots[i % DEPTH];

		while (s->busy)
			wait_some(q);
		start(q, s);
		if (s->req.op == BLOCK_DISCARD)
			after_discard(q, blk, s->req.offset, s->req.length);
	}
	settle(q, blk);
	differs(check, "read back");
	block_queue_destroy(q);
}

/* ---- images ---- */

struct kind {
	const char *name, *options; /* qemu-img create's -o */
	const char *backing;	    /* its format, or NULL */
	bool direct, sync;
};

static int layer(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

static struct block *open_image(const struct kind *k)
{
	struct block_layer layers[2] = {
		{ "qcow2", layer("top", O_RDWR) },
	};
	struct block_options opt = { .discard = true, .direct = k->direct,
				     .sync_writes = k->sync };
	struct error err = { 0 };
	struct block *blk = NULL;

	if (k->backing)
		layers[1] = (struct block_layer){ k->backing,
						  layer("base", O_RDONLY) };
	if (block_open_chain(layers, k->backing ? 2 : 1, &opt, &blk, &err) < 0)
		fprintf(stderr, "%s: %s\n", k->name, err.message);
	assert(blk);
	assert(block_size(blk) == DISK);
	return blk;
}

static void create(const struct kind *k)
{
	make_base();
	if (!k->backing) {
		memset(shadow, 0, DISK);
		assert(!run("qemu-img create -q -f qcow2 -o %s top %u",
			    k->options, DISK));
		return;
	}
	assert(!run("qemu-img convert -O %s %s base.raw base", k->backing,
		    str_eq(k->backing, "qcow2") ? "-c" : ""));
	assert(!run("qemu-img create -q -f qcow2 -o %s -b base -F %s top %u",
		    k->options, k->backing, DISK));
}

static void judge(void)
{
	assert(!run("qemu-img check -q top"));
	assert(!run("qemu-img convert -f qcow2 -O raw top out.raw"));
	read_file("out.raw", check);
	differs(check, "qemu-img reads");
}

static void try(const struct kind *k)
{
	create(k);
	for (unsigned int session = 0; session < 3; session++) {
		struct block *blk = open_image(k);

		requests(blk);
		block_close(blk);
		judge();
		if (session == 0)
			assert(!run("qemu-img snapshot -c one top"));
	}
	assert(!run("qemu-img snapshot -d one top"));
	assert(!run("qemu-img check -q top"));
	printf("%s\n", k->name);
}

static const struct kind kinds[] = {
	{ "plain", "cluster_size=64k" },
	{ "version 2", "compat=0.10,cluster_size=4k" },
	{ "small", "cluster_size=512" },
	{ "large", "cluster_size=2M" },
	{ "small, wide counts", "cluster_size=512,refcount_bits=64" },
	{ "over compressed", "cluster_size=32k,refcount_bits=8", "qcow2" },
	{ "over raw", "cluster_size=64k,refcount_bits=32", "raw" },
	{ "version 2 over raw", "compat=0.10", "raw" },
	{ "preallocated", "preallocation=metadata" },
	{ "narrow counts", "cluster_size=1k,refcount_bits=2" },
	{ "written through", "cluster_size=16k", .sync = true },
	{ "direct", "cluster_size=8k", "raw", .direct = true },
};

static bool allows_direct(void)
{
	int fd = open("probe", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	char dir[] = "qcow2-test-XXXXXX";

	if (system("qemu-img --version >/dev/null 2>&1"))
		return EXIT_SKIP;
	random_arg(argc, argv, 1);
	assert(mkdtemp(dir) && !chdir(dir));
	for (unsigned int i = 0; i < DEPTH; i++)
		slots[i].buf = xmalloc(PART);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!kinds[i].direct || allows_direct())
			try(&kinds[i]);
	for (unsigned int i = 0; i < DEPTH; i++)
		free(slots[i].buf);
	assert(!chdir(".."));
	return run("rm -r %s", dir);
}
