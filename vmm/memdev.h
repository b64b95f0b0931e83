/*
 * vmm/memdev.h -- a memory device's memory: in guest RAM, from the host's nodes
 * asked for, and in the engine's map.
 */
#ifndef VMM_MEMDEV_H
#define VMM_MEMDEV_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct machine;
struct memdev;
struct spec_memory;

/* Reserves the addresses, if the description says that memory may come. */
int memdev_reserve(struct machine *m, struct error *err);

/*
 * Main thread; vCPUs are stopped meanwhile.  spec stays the caller's and must
 * outlive it.  block: 0, or it comes block by block.
 */
int memdev_create(struct machine *m, const struct spec_memory *spec,
		  uint64_t block, struct memdev **ret_dev, struct error *err);
void memdev_destroy(struct memdev *d);

const struct spec_memory *memdev_spec(const struct memdev *d);

/* Those blocks come or go; vCPUs are stopped. */
int memdev_set(struct memdev *d, uint64_t first, uint64_t n, bool there,
	       struct error *err);
bool memdev_all(const struct memdev *d, uint64_t first, uint64_t n,
		bool there);

#endif
