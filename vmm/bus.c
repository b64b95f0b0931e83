/*
 * vmm/bus.c -- who answers at a port or at a physical address.
 *
 * A sorted array under a read-write lock.  The lock is dropped before the
 * handler runs, so that a handler may itself move a region (a BAR); a device
 * must therefore outlive its removal until the vCPUs have been paused once.
 */
#include "vmm/bus.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"

struct bus_region {
	uint64_t base;
	uint64_t last; /* inclusive: a region may end at 2^64 */
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	pthread_rwlock_t lock; /* region, n */
	unsigned int n;
	struct bus_region *region; /* by base */
};

struct bus *bus_create(void)
{
	struct bus *bus = xcalloc(1, sizeof(*bus));

	pthread_rwlock_init(&bus->lock, NULL);
	return bus;
}

void bus_destroy(struct bus *bus)
{
	if (!bus)
		return;
	pthread_rwlock_destroy(&bus->lock);
	free(bus->region);
	free(bus);
}

/* Index of the first region that ends at or after addr. */
static unsigned int bus_search(const struct bus *bus, uint64_t addr)
{
	unsigned int lo = 0, hi = bus->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (bus->region[mid].last < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int bus_insert(struct bus *bus, const struct bus_region *r)
{
	unsigned int i = bus_search(bus, r->base);

	if (i < bus->n && bus->region[i].base <= r->last)
		return -EEXIST;
	bus->region =
		xrealloc(bus->region, bus->n + 1, sizeof(*bus->region));
	memmove(&bus->region[i + 1], &bus->region[i],
		(bus->n - i) * sizeof(*bus->region));
	bus->region[i] = *r;
	bus->n++;
	return 0;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t size,
	    const struct bus_ops *ops, void *dev)
{
	struct bus_region r = { .base = base, .ops = ops, .dev = dev };
	int ret;

	if (!size || ckd_add(&r.last, base, size - 1))
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	ret = bus_insert(bus, &r);
	pthread_rwlock_unlock(&bus->lock);
	return ret;
}

void bus_remove(struct bus *bus, uint64_t base)
{
	unsigned int i;

	pthread_rwlock_wrlock(&bus->lock);
	i = bus_search(bus, base);
	if (i < bus->n && bus->region[i].base == base) {
		memmove(&bus->region[i], &bus->region[i + 1],
			(bus->n - i - 1) * sizeof(*bus->region));
		bus->n--;
	}
	pthread_rwlock_unlock(&bus->lock);
}

/* True when one region covers all of [addr, addr + size). */
static bool bus_find(struct bus *bus, uint64_t addr, unsigned int size,
		     struct bus_region *ret_region)
{
	bool found = false;
	unsigned int i;

	pthread_rwlock_rdlock(&bus->lock);
	i = bus_search(bus, addr);
	if (i < bus->n && bus->region[i].base <= addr &&
	    bus->region[i].last - addr >= size - 1) {
		*ret_region = bus->region[i];
		found = true;
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

static void bus_access(const struct bus_region *r, uint64_t addr, void *data,
		       unsigned int size, bool is_write)
{
	uint64_t value = 0;

	if (is_write) {
		memcpy(&value, data, size);
		if (r->ops->write)
			r->ops->write(r->dev, addr - r->base, value, size);
		return;
	}
	value = UINT64_MAX;
	if (r->ops->read)
		value = r->ops->read(r->dev, addr - r->base, size);
	memcpy(data, &value, size);
}

void bus_io(struct bus *bus, uint64_t addr, void *data, unsigned int size,
	    bool is_write)
{
	bool whole = size == 1 || size == 2 || size == 4 || size == 8;
	struct bus_region r;

	if (whole && bus_find(bus, addr, size, &r)) {
		bus_access(&r, addr, data, size, is_write);
		return;
	}
	if (size > 1) { /* crosses an edge, or an odd fragment: bytewise */
		for (unsigned int i = 0; i < size; i++)
			bus_io(bus, addr + i, (uint8_t *)data + i, 1, is_write);
		return;
	}
	if (!is_write)
		memset(data, 0xff, size);
}
