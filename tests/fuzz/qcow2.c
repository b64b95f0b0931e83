/*
 * tests/fuzz/qcow2.c -- images that somebody has damaged: opening, reading,
 * writing, checking and repairing them gives errors or data, in bounded
 * time, and after a repair that says so the image is sound.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "storage/format/bitmaps.h"
#include "storage/format/block.h"
#include "tests/fuzz/random.h"

enum { DISK = 1024 * 1024, PART = 64 * 1024, IMAGE_MAX = 8 * 1024 * 1024 };

static uint8_t buf[PART];

static int io(struct block *blk, enum block_op op, uint64_t at, uint64_t len)
{
	struct iovec iov = { buf, len };
	struct block_req req = { .op = op, .offset = at, .length = len,
				 .iov = &iov, .n_iov = 1, .unmap = true };

	return block_run(blk, &req);
}

/* A sound image with something in it, to be damaged. */
static uint8_t *make(unsigned int round, size_t *ret_len)
{
	struct block_create c = {
		.format = "qcow2",
		.size = DISK,
		.version = round & 1 ? 3 : 2,
		.cluster_bits = 9 + below(8),
		.refcount_order = 4,
	};
	struct block_options opt = { .discard = true };
	struct block_bitmap_add add = { "b", 9 + below(8), true, chance(30) };
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct block *blk;
	struct stat st;
	uint8_t *data;

	assert(fd >= 0 && !block_create(fd, &c, NULL));
	assert(!block_open("qcow2", dup(fd), &opt, &blk, NULL));
	if (c.version == 3)
		assert(!block_bitmap_add(blk, &add, NULL));
	memset(buf, 'v', sizeof(buf));
	for (unsigned int i = 0; i < 12; i++)
		assert(!io(blk, i % 5 ? BLOCK_WRITE : BLOCK_WRITE_ZEROES,
			   below(DISK - PART) & -512ull,
			   (1 + below(PART / 512)) * 512));
	if (chance(50))
		assert(!block_snapshot(blk, BLOCK_SNAPSHOT_CREATE, "s", NULL));
	memset(buf, 'c', BIT64(c.cluster_bits > 16 ? 16 : c.cluster_bits));
	assert(!block_write_compressed(blk, buf, 0));
	block_close(blk);
	assert(!fstat(fd, &st));
	data = xcalloc(1, st.st_size);
	assert(!lseek(fd, 0, SEEK_SET) && !read_full(fd, data, st.st_size));
	close(fd);
	*ret_len = st.st_size;
	return data;
}

/* Mostly where numbers are: the header and the first clusters. */
static void damage(uint8_t *data, size_t len)
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff, 2, 0x40 };

	for (uint64_t n = 1 + below(6); n--;) {
		size_t end = chance(50) ? MIN(len, 144u) :
			     chance(70) ? MIN(len, 4096u) : len;
		size_t at = below(end);

		if (at < 8)
			continue;
		data[at] = chance(60) ? bytes[below(ARRAY_SIZE(bytes))] : rnd();
	}
}

static int put(const uint8_t *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert(fd >= 0 && !write_full(fd, data, len));
	return fd;
}

static void use(struct block *blk, bool writes)
{
	struct block_extent e;
	uint64_t size = block_size(blk);

	for (unsigned int i = 0; i < 20 && size >= PART; i++) {
		uint64_t at = below(MIN(size, DISK) - PART + 1) & -512ull;
		int op = writes ? (int)below(5) : BLOCK_READ;

		io(blk, op, at, (1 + below(PART / 512)) * 512);
		block_extent(blk, at, 512, &e);
	}
	if (size > PART)
		io(blk, writes ? BLOCK_WRITE : BLOCK_READ,
		   (size - PART) & -512ull, 512);
}

static void use_snapshots(struct block *blk, bool writes)
{
	struct block_snapshot *list;
	struct error err = { 0 };
	unsigned int n;

	if (!block_snapshots(blk, &list, &n, &err))
		block_snapshots_free(list, n);
	if (writes && chance(50))
		block_snapshot(blk, (enum block_snapshot_op)below(3), "s",
			       &err);
}

static void use_bitmaps(struct block *blk, bool writes)
{
	struct block_bitmap_add add = { "new", 9, true, false };
	struct block_bitmap_info *list;
	struct error err = { 0 };
	unsigned int n;

	if (block_bitmaps(blk, &list, &n, &err) < 0)
		return;
	for (unsigned int i = 0; i < n; i++)
		assert(list[i].granularity >= 9 && *list[i].name);
	if (writes && chance(50)) {
		block_bitmap_add(blk, &add, &err);
		if (n)
			block_bitmap_remove(blk, list[0].name, &err);
	}
	free(list);
}

static void open_and_use(const uint8_t *data, size_t len, bool readonly)
{
	struct block_options opt = { .discard = true, .readonly = readonly,
				     .alone = true };
	int fd = put(data, len);
	struct error err = { 0 };
	struct block *blk;

	if (block_open("qcow2", fd, &opt, &blk, &err) < 0) {
		assert(*err.message);
		close(fd);
		return;
	}
	use(blk, !readonly);
	use_snapshots(blk, !readonly);
	use_bitmaps(blk, !readonly);
	block_close(blk);
}

static void repair(const uint8_t *data, size_t len)
{
	struct block_options opt = { .repair = true, .alone = true };
	struct block_verdict v, after;
	int fd = put(data, len);
	struct block *blk;

	if (block_open("qcow2", fd, &opt, &blk, NULL) < 0) {
		close(fd);
		return;
	}
	if (!block_verify(blk, BLOCK_FIX_ALL, &v, NULL) && !v.corruptions &&
	    !v.errors && !block_verify(blk, 0, &after, NULL) &&
	    !v.corruptions_fixed)
		assert(!after.corruptions);
	block_close(blk);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? atoi(argv[2]) : 100;

	random_arg(argc, argv, 1);
	for (unsigned int i = 0; i < rounds; i++) {
		size_t len;
		uint8_t *data = make(i, &len);

		damage(data, len);
		open_and_use(data, len, true);
		open_and_use(data, len, false);
		repair(data, len);
		free(data);
	}
	return 0;
}
