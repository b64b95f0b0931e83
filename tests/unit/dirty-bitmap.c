/*
 * tests/unit/dirty-bitmap.c -- dirty bitmaps beside an array of one byte for
 * each granule, under random changes; and a disk that marks its writes.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "storage/format/bitmaps.h"
#include "storage/format/block.h"
#include "storage/format/dirty_bitmap.h"
#include "tests/fuzz/random.h"

enum { GRANULE = 512, MAX = 5000, OPS = 2000 };

static uint8_t model[MAX];
static uint64_t size, n; /* bytes, granules */

static void set_size(uint64_t bytes)
{
	uint64_t old = n;

	size = bytes;
	n = (bytes + GRANULE - 1) / GRANULE;
	if (n > old)
		memset(model + old, 0, n - old);
}

static void compare(const struct dirty_bitmap *b)
{
	uint64_t at = 0, start, len, sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		bool d = dirty_bitmap_get(b, i * GRANULE, UINT64_MAX, &len);

		assert(d == model[i]);
		assert(i * GRANULE + len <= size);
		sum += d ? MIN((uint64_t)GRANULE, size - i * GRANULE) : 0;
	}
	assert(dirty_bitmap_count(b) == sum);
	for (; dirty_bitmap_next(b, at, &start, &len); at = start + len) {
		assert(len && start >= at && start + len <= size);
		for (uint64_t i = at / GRANULE; i < start / GRANULE; i++)
			assert(!model[i]);
		for (uint64_t i = start / GRANULE;
		     i < (start + len + GRANULE - 1) / GRANULE; i++)
			assert(model[i]);
	}
}

static void mark(struct dirty_bitmap *b, uint64_t at, uint64_t len)
{
	dirty_bitmap_mark(b, at, len);
	if (at >= size || !len)
		return;
	for (uint64_t i = at / GRANULE; i < n && i * GRANULE < at + len; i++)
		model[i] = 1;
}

static void clear(struct dirty_bitmap *b, uint64_t at, uint64_t len)
{
	dirty_bitmap_clear(b, at, len);
	for (uint64_t i = 0; i < n; i++)
		if (i * GRANULE >= at &&
		    MIN((i + 1) * GRANULE, size) <= at + len)
			model[i] = 0;
}

/* Through the bytes that files keep. */
static struct dirty_bitmap *reload(struct dirty_bitmap *b)
{
	struct dirty_bitmap *next = dirty_bitmap_create(size, 9);
	uint64_t len = dirty_bitmap_bytes(size, 9), part;
	uint8_t data[64];

	for (uint64_t at = 0; at < len + 64; at += part) {
		part = 1 + below(sizeof(data));
		dirty_bitmap_export(b, at, data, part);
		dirty_bitmap_import(next, at, data, part);
	}
	dirty_bitmap_destroy(b);
	return next;
}

static struct dirty_bitmap *merged(struct dirty_bitmap *b)
{
	struct dirty_bitmap *coarse = dirty_bitmap_create(size, 12);
	struct dirty_bitmap *fine = dirty_bitmap_create(size, 9);

	dirty_bitmap_merge(coarse, b);
	dirty_bitmap_merge(fine, coarse);
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t k = i & -8ull; k < MIN((i | 7) + 1, n); k++)
			if (model[k] == 1 && !model[i])
				model[i] = 2;
	dirty_bitmap_destroy(coarse);
	dirty_bitmap_destroy(b);
	return fine;
}

static void flatten(void)
{
	for (uint64_t i = 0; i < n; i++)
		model[i] = !!model[i];
}

static void random_changes(void)
{
	struct dirty_bitmap *b;

	n = 0;
	set_size(below(MAX * GRANULE));
	b = dirty_bitmap_create(size, 9);
	for (unsigned int i = 0; i < OPS; i++) {
		uint64_t at = below(size + GRANULE);
		uint64_t len = chance(50) ? below(4 * GRANULE) : below(size + 2);

		switch (below(40)) {
		case 0:
			b = reload(b);
			break;
		case 1:
			b = merged(b);
			flatten();
			break;
		case 2:
			set_size(below(MAX * GRANULE));
			assert(!dirty_bitmap_resize(b, size));
			break;
		default:
			chance(50) ? mark(b, at, len) : clear(b, at, len);
		}
		if (chance(10))
			compare(b);
	}
	compare(b);
	dirty_bitmap_destroy(b);
}

static void limits(void)
{
	struct dirty_bitmap *b;

	assert(!dirty_bitmap_create(1 << 20, 8));
	assert(!dirty_bitmap_create(1 << 20, 32));
	assert(!dirty_bitmap_create(1ull << 50, 9));
	b = dirty_bitmap_create(1ull << 40, 12);
	assert(b && dirty_bitmap_resize(b, 1ull << 60) == -EFBIG);
	dirty_bitmap_mark(b, (1ull << 40) - 1, UINT64_MAX);
	assert(dirty_bitmap_count(b) == 4096);
	dirty_bitmap_mark(b, 1ull << 40, 1);
	dirty_bitmap_mark(b, 5, UINT64_MAX - 3);
	assert(dirty_bitmap_count(b) == 1ull << 40);
	dirty_bitmap_destroy(b);
}

/* ---- a disk's ---- */

static uint64_t dirty(struct block *blk, const char *name)
{
	struct block_bitmap_info *list;
	unsigned int count;
	uint64_t sum = UINT64_MAX;

	assert(!block_bitmaps(blk, &list, &count, NULL));
	for (unsigned int i = 0; i < count; i++)
		if (str_eq(list[i].name, name))
			sum = list[i].dirty;
	free(list);
	return sum;
}

static void done(struct block_req *req, int result)
{
	assert(!result);
	*(bool *)req->arg = true;
}

/* Through a queue, as a guest's. */
static void submit(struct block *blk, enum block_op op, uint64_t at,
		   uint64_t len)
{
	static uint8_t data[65536];
	struct iovec iov = { data, len };
	bool is_done = false;
	struct block_req req = { .op = op, .offset = at, .length = len,
				 .iov = &iov, .n_iov = 1, .done = done,
				 .arg = &is_done };
	struct block_queue *q;

	assert(!block_queue_create(blk, 1, &q, NULL));
	assert(!block_submit(q, &req));
	block_queue_destroy(q);
	assert(is_done);
}

static void a_disk(const char *format)
{
	struct block_create c = { .format = format, .size = 1 << 20,
				  .version = 3, .cluster_bits = 16,
				  .refcount_order = 4 };
	struct block_options opt = { .discard = true };
	struct block_bitmap_add one = { "one", 12, false, false };
	struct block_bitmap_add two = { "two", 0, false, true };
	struct error err = { 0 };
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct block *blk;

	assert(fd >= 0 && !block_create(fd, &c, NULL));
	assert(!block_open(format, fd, &opt, &blk, NULL));
	assert(!block_bitmap_add(blk, &one, NULL));
	assert(!block_bitmap_add(blk, &two, NULL));
	assert(block_bitmap_add(blk, &two, &err) == -EEXIST);
	submit(blk, BLOCK_READ, 0, 65536);
	assert(dirty(blk, "one") == 0);
	submit(blk, BLOCK_WRITE, 0, 4096); /* a new place */
	submit(blk, BLOCK_WRITE, 0, 512);  /* the same again */
	assert(dirty(blk, "one") == 4096 && dirty(blk, "two") == 0);
	submit(blk, BLOCK_WRITE, 8192 + 3584, 1024);
	assert(dirty(blk, "one") == 3 * 4096);
	assert(!block_bitmap_enable(blk, "two", true, NULL));
	submit(blk, BLOCK_WRITE_ZEROES, 65536, 65536);
	submit(blk, BLOCK_DISCARD, 131072, 65536);
	assert(dirty(blk, "one") == 131072 + 3 * 4096);
	assert(dirty(blk, "two") == 131072);
	assert(!block_bitmap_merge(blk, "two", blk, "one", NULL));
	assert(dirty(blk, "two") == 196608);
	assert(!block_bitmap_clear(blk, "one", NULL));
	assert(dirty(blk, "one") == 0);
	assert(!block_resize(blk, 1 << 17, NULL));
	assert(dirty(blk, "two") == 131072);
	assert(!block_resize(blk, 1 << 21, NULL));
	assert(dirty(blk, "two") == 131072);
	assert(!block_bitmap_remove(blk, "two", NULL));
	assert(block_bitmap_remove(blk, "two", &err) == -ENOENT);
	assert(dirty(blk, "two") == UINT64_MAX);
	block_close(blk);
}

int main(int argc, char **argv)
{
	random_arg(argc, argv, 1);
	limits();
	for (unsigned int i = 0; i < 20; i++)
		random_changes();
	a_disk("raw");
	a_disk("qcow2");
	return 0;
}
