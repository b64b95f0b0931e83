/*
 * vmm/ram.c -- guest memory.
 *
 * One memfd, so that a vhost or vfio back end, or a snapshot, can be handed
 * the same pages.  It is sealed against shrinking: a mapped page that went
 * away would be a SIGBUS in the middle of a device.
 */
#include "vmm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

#define RAM_REGIONS_MAX 2

struct ram {
	int fd;
	uint64_t size;
	unsigned int n;
	struct ram_region region[RAM_REGIONS_MAX];
};

/* MAP_NORESERVE: a guest costs what it touches. */
static int ram_map(struct ram *ram, uint64_t gpa, uint64_t offset,
		   uint64_t size, struct error *err)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, ram->fd, offset);

	if (p == MAP_FAILED)
		return error_set(err, -errno, "cannot map guest memory: %m");
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_HUGEPAGE); /* where shmem allows it */
	ram->region[ram->n++] =
		(struct ram_region){ .gpa = gpa, .size = size, .host = p };
	return 0;
}

static int ram_open(struct ram *ram, struct error *err)
{
	ram->fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ram->fd < 0)
		return error_set(err, -errno, "cannot make guest memory: %m");
	if (ftruncate(ram->fd, ram->size) < 0)
		return error_set(err, -errno,
				 "cannot size guest memory to %llu MiB: %m",
				 (unsigned long long)(ram->size / MIB));
	if (fcntl(ram->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return error_set(err, -errno, "cannot seal guest memory: %m");
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
	r = ram_open(ram, err);
	if (r == 0)
		r = ram_map(ram, 0, 0, low, err);
	if (r == 0 && bytes > low)
		r = ram_map(ram, RAM_HIGH_BASE, low, bytes - low, err);
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
	fd_close(ram->fd);
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
