/*
 * vmm/ram.h -- guest memory, and the one gate through which devices
 * reach it.
 */
#ifndef VMM_RAM_H
#define VMM_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ram;
struct error;

/* Low memory ends here; the rest continues at 4 GiB. */
#define RAM_LOW_MAX 0xc0000000ull
#define RAM_HIGH_BASE 0x100000000ull

struct ram_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
};

/* bytes: total, a multiple of 4 KiB.  Sparse: costs nothing until touched. */
int ram_create(uint64_t bytes, struct ram **ret_ram, struct error *err);
void ram_destroy(struct ram *ram);

uint64_t ram_size(const struct ram *ram);
unsigned int ram_regions(const struct ram *ram,
			 const struct ram_region **ret_regions);

/*
 * Host address of len bytes at gpa, or NULL when any of them is not RAM.
 * The result never crosses a region.
 */
void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len);

/* 0 or -EFAULT; nothing is copied when the range is bad. */
int ram_read(const struct ram *ram, uint64_t gpa, void *buf, uint64_t len);
int ram_write(struct ram *ram, uint64_t gpa, const void *buf, uint64_t len);

#endif
