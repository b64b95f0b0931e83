/*
 * vmm/dev/debugexit.c -- the test device at port 0xf4, as QEMU's
 * isa-debug-exit (hw/misc/debugexit.c there): writing v ends the VMM with
 * exit status (v << 1) | 1.
 */
#include "vmm/dev/debugexit.h"

#include "vmm/bus.h"
#include "vmm/machine.h"

static uint64_t debugexit_read(void *dev, uint64_t offset, unsigned int size)
{
	return 0;
}

static void debugexit_write(void *dev, uint64_t offset, uint64_t value,
			    unsigned int size)
{
	machine_debug_exit(dev, value);
}

static const struct bus_ops debugexit_ops = {
	.read = debugexit_read,
	.write = debugexit_write,
};

void debugexit_create(struct machine *m)
{
	bus_add(m->ports, DEBUGEXIT_PORT, 4, &debugexit_ops, m);
}
