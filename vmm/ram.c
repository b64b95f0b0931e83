/*
 * vmm/ram.c -- guest memory.
 *
 * Anonymous and private, because that is what the host's kernel makes huge
 * pages of without being configured to (docs/decisions/0011).
 */
#include "vmm/ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

#define RAM_REGIONS_MAX 2

struct ram {
	uint64_t size;
	unsigned int n;
	struct ram_region region[RAM_REGIONS_MAX];
};

enum { HUGE_PAGE = 2 << 20 };

/* size bytes that begin where a huge page may. */
static void *map_aligned(uint64_t size)
{
	uint8_t *p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + size, HUGE_PAGE - before);
	return p + before;
}

/* MAP_NORESERVE: a guest costs what it touches. */
static int ram_map(struct ram *ram, uint64_t gpa, uint64_t size,
		   struct error *err)
{
	void *p = map_aligned(size);

	if (!p)
		return error_set(err, -ENOMEM,
				 "cannot map %llu MiB of guest memory: %m",
				 (unsigned long long)(size / MIB));
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_HUGEPAGE);
	ram->region[ram->n++] =
		(struct ram_region){ .gpa = gpa, .size = size, .host = p };
	return 0;
}

int ram_create(uint64_t bytes, struct ram **ret_ram, struct error *err)
{
	uint64_t low = MIN(bytes, RAM_LOW_MAX);
	struct ram *ram;
	int r;

	if (!bytes || bytes % 4096 || bytes > INT64_MAX / 2)
		return error_set(err, -EINVAL,
				 "guest memory of %llu bytes is not a "
				 "positive multiple of 4 KiB",
				 (unsigned long long)bytes);
	ram = xcalloc(1, sizeof(*ram));
	ram->size = bytes;
	r = ram_map(ram, 0, low, err);
	if (r == 0 && bytes > low)
		r = ram_map(ram, RAM_HIGH_BASE, bytes - low, err);
	if (r < 0) {
		ram_destroy(ram);
		return r;
	}
	*ret_ram = ram;
	return 0;
}

void ram_destroy(struct ram *ram)
{
	if (!ram)
		return;
	for (unsigned int i = 0; i < ram->n; i++)
		munmap(ram->region[i].host, ram->region[i].size);
	free(ram);
}

uint64_t ram_size(const struct ram *ram)
{
	return ram->size;
}

unsigned int ram_regions(const struct ram *ram,
			 const struct ram_region **ret_regions)
{
	*ret_regions = ram->region;
	return ram->n;
}

void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < ram->n; i++) {
		const struct ram_region *r = &ram->region[i];
		uint64_t offset = gpa - r->gpa;

		if (gpa >= r->gpa && offset < r->size &&
		    len <= r->size - offset)
			return r->host + offset;
	}
	return NULL;
}

int ram_read(const struct ram *ram, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = ram_ptr(ram, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int ram_write(struct ram *ram, uint64_t gpa, const void *buf, uint64_t len)
{
	void *p = ram_ptr(ram, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}
