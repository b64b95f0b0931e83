/*
 * vmm/bus.h -- who answers at a port or at a physical address.
 *
 * One struct bus per address space (I/O ports, memory).  A region's handler is
 * called with the offset into the region.  Access sizes are 1, 2, 4 or 8; an
 * address nobody claims reads as all ones and ignores writes.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct error;

struct bus_ops {
	uint64_t (*read)(void *dev, uint64_t offset, unsigned int size);
	void (*write)(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size);
};

struct bus *bus_create(void);
void bus_destroy(struct bus *bus);

/*
 * Regions must not overlap (-EEXIST).  Adding and removing may happen on any
 * thread while vCPUs run (a BAR moves): readers take a read lock.
 */
int bus_add(struct bus *bus, uint64_t base, uint64_t size,
	    const struct bus_ops *ops, void *dev);
void bus_remove(struct bus *bus, uint64_t base);

/*
 * One guest access, on the vCPU's thread.  data holds size bytes, little
 * endian, and is filled on a read.  Wider accesses than 8 are split by the
 * caller.
 */
void bus_io(struct bus *bus, uint64_t addr, void *data, unsigned int size,
	    bool is_write);

#endif
