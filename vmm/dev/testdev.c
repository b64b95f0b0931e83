/*
 * vmm/dev/testdev.c -- the test device, with the registers of QEMU's
 * pc-testdev: what kvm-unit-tests uses to see its own I/O, and to raise
 * interrupt lines.
 *
 *	port 0xe0, 0xe8	four bytes that read as they were written
 *	port 0xe4	"the host moved this page": nothing to do here
 *	port 0x2000+n	the level of interrupt line n
 *	0xff000000	64 KiB that read as they were written
 */
#include "vmm/dev/testdev.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

#define MEMORY_BASE 0xff000000ull
enum { PORT_BYTES = 0xe0, PORT_FLUSH = 0xe4, PORT_BYTES2 = 0xe8,
       PORT_IRQ = 0x2000, MEMORY_SIZE = 0x10000 };

struct testdev {
	struct machine *m;
	uint8_t bytes[4];
	uint8_t memory[MEMORY_SIZE];
};

static uint64_t load(const uint8_t *area, size_t area_size, uint64_t offset,
		     unsigned int size)
{
	uint64_t v = 0;

	if (offset + size <= area_size)
		memcpy(&v, area + offset, size);
	return v;
}

static void store(uint8_t *area, size_t area_size, uint64_t offset,
		  uint64_t value, unsigned int size)
{
	if (offset + size <= area_size)
		memcpy(area + offset, &value, size);
}

static uint64_t bytes_read(void *dev, uint64_t offset, unsigned int size)
{
	struct testdev *t = dev;

	return load(t->bytes, sizeof(t->bytes), offset, size);
}

static void bytes_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct testdev *t = dev;

	store(t->bytes, sizeof(t->bytes), offset, value, size);
}

static uint64_t memory_read(void *dev, uint64_t offset, unsigned int size)
{
	struct testdev *t = dev;

	return load(t->memory, sizeof(t->memory), offset, size);
}

static void memory_write(void *dev, uint64_t offset, uint64_t value,
			 unsigned int size)
{
	struct testdev *t = dev;

	store(t->memory, sizeof(t->memory), offset, value, size);
}

static uint64_t no_read(void *dev, uint64_t offset, unsigned int size)
{
	return ~0ull;
}

static void flush_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
}

static void irq_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct testdev *t = dev;

	machine_irq(t->m, offset, value & 0xff);
}

static const struct bus_ops bytes_ops = { bytes_read, bytes_write };
static const struct bus_ops memory_ops = { memory_read, memory_write };
static const struct bus_ops flush_ops = { no_read, flush_write };
static const struct bus_ops irq_ops = { no_read, irq_write };

static const struct state_field testdev_fields[] = {
	STATE_RAW(struct testdev, bytes),
	STATE_RAW(struct testdev, memory),
	STATE_END,
};

static const struct state_type testdev_state = {
	.name = "testdev",
	.version = 1,
	.fields = testdev_fields,
};

static const struct machine_dev_ops testdev_ops = {
	.name = "testdev",
	.destroy = free,
	.state = &testdev_state,
};

void testdev_create(struct machine *m)
{
	struct testdev *t = xcalloc(1, sizeof(*t));

	t->m = m;
	bus_add(m->ports, PORT_BYTES, 4, &bytes_ops, t);
	bus_add(m->ports, PORT_FLUSH, 4, &flush_ops, t);
	bus_add(m->ports, PORT_BYTES2, 4, &bytes_ops, t);
	bus_add(m->ports, PORT_IRQ, IOAPIC_PINS, &irq_ops, t);
	bus_add(m->mmio, MEMORY_BASE, MEMORY_SIZE, &memory_ops, t);
	machine_add_device(m, &testdev_ops, t);
}
