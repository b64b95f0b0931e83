/*
 * vmm/dev/pvpanic.c -- the pvpanic device (QEMU, docs/specs/pvpanic.txt):
 * one byte port; reading tells the supported events, writing reports one.
 */
#include "vmm/dev/pvpanic.h"

#include <stddef.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"

enum { PVPANIC_PANICKED = 1, PVPANIC_CRASHLOADED = 2 };

static uint64_t pvpanic_read(void *dev, uint64_t offset, unsigned int size)
{
	return PVPANIC_PANICKED | PVPANIC_CRASHLOADED;
}

/* A loaded crash kernel deals with the crash itself: not the end. */
static void pvpanic_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
	struct machine *m = dev;

	if (!(value & PVPANIC_PANICKED))
		return;
	machine_tell_panicked(m);
	machine_request_stop(m, STOP_CRASH, "the guest panicked");
}

static const struct bus_ops pvpanic_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

void pvpanic_create(struct machine *m)
{
	bus_add(m->ports, PVPANIC_PORT, 1, &pvpanic_ops, m);
}
