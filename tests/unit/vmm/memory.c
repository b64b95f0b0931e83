/*
 * tests/unit/vmm/memory.c -- guest memory that comes and goes: who reaches it,
 * who hears of it, and what is left.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/ram.h"

#define HOT (8 * GIB)

struct log {
	unsigned int added, removed, refuse; /* at this many */
	uint64_t bytes;
};

static int on_added(void *arg, const struct ram_region *r, struct error *err)
{
	struct log *l = arg;

	if (l->refuse && l->added + 1 == l->refuse)
		return error_set(err, -ENOSPC, "full");
	l->added++;
	l->bytes += r->size;
	return 0;
}

static void on_removed(void *arg, const struct ram_region *r)
{
	struct log *l = arg;

	l->removed++;
	l->bytes -= r->size;
}

static const struct ram_listener listener = { on_added, on_removed };

static struct ram *make(bool shared)
{
	const struct ram_options options = { .low_max = RAM_LOW_MAX,
					     .fd = -1, .shared = shared };
	struct ram *ram;

	assert(ram_create_with(16 * MIB, &options, &ram, NULL) == 0);
	assert(ram_reserve(ram, HOT, 4 * GIB, NULL) == 0);
	return ram;
}

static struct ram_piece *plug(struct ram *ram, uint64_t gpa, uint64_t size,
			      uint64_t block)
{
	const struct ram_piece_options o = { .gpa = gpa, .size = size,
					     .block = block, .fd = -1 };
	struct ram_piece *p;

	assert(ram_plug(ram, &o, &p, NULL) == 0);
	assert(ram_piece_settle(ram, p, NULL) == 0);
	return p;
}

static int try(struct ram *ram, uint64_t gpa, uint64_t size, uint64_t block)
{
	const struct ram_piece_options o = { .gpa = gpa, .size = size,
					     .block = block, .fd = -1 };
	struct ram_piece *p;

	return ram_plug(ram, &o, &p, NULL);
}

static uint64_t resident(const void *host, uint64_t len)
{
	unsigned char *vec = xcalloc(len / 4096, 1);
	uint64_t n = 0;

	assert(mincore((void *)host, len, vec) == 0);
	for (uint64_t i = 0; i < len / 4096; i++)
		n += vec[i] & 1;
	free(vec);
	return n;
}

static void test_whole(bool shared)
{
	struct ram *ram = make(shared);
	struct log log = { 0 };
	struct ram_piece *p;
	uint64_t value = 7;
	uint8_t *host;

	assert(ram_listen(ram, &listener, &log, NULL) == 0);
	assert(log.added == 1 && log.bytes == 16 * MIB);
	assert(!ram_ptr(ram, HOT, 1));
	p = plug(ram, HOT + GIB, 64 * MIB, 0);
	assert(log.added == 2 && log.bytes == 80 * MIB);
	assert(!ram_ptr(ram, HOT + GIB - 1, 1));
	assert(!ram_ptr(ram, HOT + GIB, 64 * MIB + 1));
	host = ram_ptr(ram, HOT + GIB, 64 * MIB);
	assert(host && ram_host(ram, HOT + GIB + 5) == host + 5);
	assert(ram_write(ram, HOT + GIB + 8, &value, 8) == 0);
	assert(host[8] == 7);
	/* Not over it, not outside, not crooked. */
	assert(try(ram, HOT + GIB + 62 * MIB, 4 * MIB, 0) == -EEXIST);
	assert(try(ram, HOT + 4 * GIB - 2 * MIB, 4 * MIB, 0) == -EINVAL);
	assert(try(ram, HOT - 2 * MIB, 2 * MIB, 0) == -EINVAL);
	assert(try(ram, HOT + MIB, 2 * MIB, 0) == -EINVAL);
	assert(try(ram, HOT, 4 * MIB, 3 * MIB) == -EINVAL);
	assert(try(ram, HOT, 4 * MIB, MIB) == -EINVAL);
	assert(try(ram, HOT, UINT64_MAX - MIB, 0) == -EINVAL);
	ram_unplug(ram, p);
	assert(log.removed == 1 && log.bytes == 16 * MIB);
	assert(!ram_ptr(ram, HOT + GIB, 1));
	assert(host[8] == 0);	/* its memory is gone, ... */
	host[8] = 1;		/* ... its address is not */
	p = plug(ram, HOT + GIB, 2 * MIB, 0);
	assert(ram_ptr(ram, HOT + GIB, 1) == host && host[8] == 0);
	ram_destroy(ram);
}

static void test_blocks(bool shared)
{
	struct ram *ram = make(shared);
	struct ram_region map[8];
	struct log log = { 0 };
	struct ram_piece *p = plug(ram, HOT, 64 * MIB, 2 * MIB);
	const struct ram_block *blocks;
	uint8_t *host;

	assert(ram_listen(ram, &listener, &log, NULL) == 0);
	assert(log.added == 1 && !ram_ptr(ram, HOT, 1));
	assert(ram_piece_set(ram, p, 4, 3, true, NULL) == 0);
	assert(log.added == 4 && log.bytes == 22 * MIB);
	assert(!ram_ptr(ram, HOT + 8 * MIB - 1, 1));
	assert(!ram_ptr(ram, HOT + 8 * MIB, 6 * MIB + 1));
	host = ram_ptr(ram, HOT + 8 * MIB, 6 * MIB);
	assert(host);
	memset(host, 0x55, 6 * MIB);
	assert(resident(host, 6 * MIB) == 1536);
	assert(ram_piece_set(ram, p, 5, 1, false, NULL) == 0);
	assert(log.removed == 1 && log.bytes == 20 * MIB);
	assert(!ram_ptr(ram, HOT + 10 * MIB, 1));
	assert(!ram_ptr(ram, HOT + 8 * MIB, 2 * MIB + 1));
	assert(resident(host, 6 * MIB) == 1024);
	assert(ram_blocks(ram, &blocks) == 2);
	assert(ram_block_has(&blocks[1], 8 * MIB));
	assert(!ram_block_has(&blocks[1], 10 * MIB));
	assert(ram_list(ram, false, map, 8) == 3);
	assert(map[1].gpa == HOT + 8 * MIB && map[1].size == 2 * MIB);
	assert(map[2].gpa == HOT + 12 * MIB && map[2].offset == 12 * MIB);
	assert(ram_list(ram, true, map, 8) == 2 && map[1].size == 64 * MIB);
	/* A listener that cannot: as before. */
	log.refuse = log.added + 3;
	assert(ram_piece_set(ram, p, 10, 5, true, NULL) == -ENOSPC);
	assert(ram_piece_all(p, 10, 5, false) && log.bytes == 20 * MIB);
	ram_unlisten(ram, &log);
	assert(ram_piece_set(ram, p, 10, 5, true, NULL) == 0);
	ram_unplug(ram, p);
	assert(ram_blocks(ram, &blocks) == 1);
	ram_destroy(ram);
}

static void test_pins(void)
{
	struct ram *ram = make(false);
	struct ram_piece *p = plug(ram, HOT, 4 * MIB, 0);
	uint8_t *host = ram_ptr(ram, HOT, 1);

	*host = 9;
	ram_pin(ram, true);
	ram_discard(ram, host, 4096);
	assert(*host == 9);
	ram_pin(ram, false);
	ram_discard(ram, host, 4096);
	assert(*host == 0);
	ram_unplug(ram, p);
	ram_freeze(ram, true);
	assert(ram_frozen(ram));
	ram_freeze(ram, false);
	assert(!ram_frozen(ram));
	ram_destroy(ram);
}

int main(void)
{
	test_whole(false);
	test_whole(true);
	test_blocks(false);
	test_blocks(true);
	test_pins();
	return 0;
}
