/*
 * vmm/dev/pvpanic.c -- the pvpanic device (QEMU, docs/specs/pvpanic.txt):
 * one byte port; reading tells the supported events, writing reports one.  On
 * PCI the byte is the first of BAR 0.
 */
#include "vmm/dev/pvpanic.h"

#include <stddef.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
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

static uint64_t pci_regs_read(void *dev, uint64_t offset, unsigned int size)
{
	return offset ? 0 : pvpanic_read(dev, offset, size);
}

static void pci_regs_write(void *dev, uint64_t offset, uint64_t value,
			   unsigned int size)
{
	if (!offset)
		pvpanic_write(dev, offset, value, size);
}

static const struct bus_ops pci_regs_ops = {
	.read = pci_regs_read,
	.write = pci_regs_write,
};

static void pvpanic_destroy(struct pci_dev *pci)
{
	free(pci);
}

static const struct pci_ops pvpanic_pci_ops = {
	.stateless = true,
	.destroy = pvpanic_destroy,
};

int pvpanic_pci_add(struct machine *m, struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x1b36,
		.device = 0x0011,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x088000, /* PCI D.9: other system peripheral */
		.revision = 1,
	};
	struct pci_dev *pci = xcalloc(1, sizeof(*pci));
	int r;

	pci_dev_init(pci, &pvpanic_pci_ops, &id);
	pci_set_bar(pci, 0, 16, false, &pci_regs_ops, m);
	r = pci_plug(m->pci, pci, &m->spec->pvpanic_at, err);
	if (r < 0)
		free(pci);
	return r;
}
