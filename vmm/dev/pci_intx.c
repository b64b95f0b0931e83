/*
 * vmm/dev/pci_intx.c -- interrupt wires, for drivers without MSI (PCI 6.2.3:
 * status bit 3; 6.2.2: command bit 10).
 *
 * Each bridge turns the four wires by the number of the slot they come from
 * (Bridge 9.1; PCIe 2.2.8.1), so what pulls a wire of a function on bus 0 is
 * all that is below it.
 */
#include <linux/pci_regs.h>

#include "base/util.h"
#include "vmm/dev/pci_priv.h"
#include "vmm/machine.h"

static unsigned int turned(unsigned int pins, unsigned int slot)
{
	unsigned int by = slot % 4;

	return (pins << by | pins >> (4 - by)) & 0xf;
}

static unsigned int own_pin(const struct pci_dev *dev)
{
	unsigned int pin = dev->config[PCI_INTERRUPT_PIN];
	bool off = pci_get16(dev->config + PCI_COMMAND) &
		   PCI_COMMAND_INTX_DISABLE;

	if (!pin || off || !__atomic_load_n(&dev->intx, __ATOMIC_SEQ_CST))
		return 0;
	return 1u << (pin - 1) % 4;
}

/* INTA# is bit 0. */
static unsigned int pins_of(const struct pci_dev *dev)
{
	const struct pci_branch *below = dev->below;
	unsigned int pins = own_pin(dev);

	if (!below || below->dark)
		return pins;
	for (size_t i = 0; i < ARRAY_SIZE(below->devs); i++)
		if (below->devs[i])
			pins |= turned(pins_of(below->devs[i]),
				       below->devs[i]->slot);
	return pins;
}

void pci_update_intx(struct pci_dev *dev)
{
	struct pci_bus *bus = dev->bus;
	unsigned int pins;

	if (!bus->intx)
		return;
	pthread_mutex_lock(&bus->intx_lock);
	while (dev->branch && dev->branch->bridge)
		dev = dev->branch->bridge;
	pins = pins_of(dev);
	for (unsigned int i = 0; i < 4; i++)
		bus->intx(bus->intx_arg, dev, i + 1, pins >> i & 1);
	pthread_mutex_unlock(&bus->intx_lock);
}

void pci_set_intx(struct pci_dev *dev, bool level)
{
	bool old = __atomic_exchange_n(&dev->intx, level, __ATOMIC_SEQ_CST);

	if (dev->bus && old != level)
		pci_update_intx(dev);
}

void pci_route_intx(struct pci_bus *bus, pci_intx_fn *fn, void *arg)
{
	bus->intx = fn;
	bus->intx_arg = arg;
}

/* ---- the small machine's: the wires rotate over eight pins ---- */

unsigned int pci_gsi(unsigned int slot, unsigned int pin)
{
	return GSI_PIRQ + ((slot + pin) & 7);
}

/* A pin of the I/O APIC is low as long as one of those on it says so. */
static void direct(void *arg, const struct pci_dev *dev, unsigned int pin,
		   bool level)
{
	struct pci_bus *bus = arg;
	unsigned int gsi = pci_gsi(dev->slot, pin - 1);

	for (size_t i = 0; !level && i < ARRAY_SIZE(bus->root.devs); i++) {
		const struct pci_dev *other = bus->root.devs[i];
		unsigned int pins = other ? pins_of(other) : 0;

		for (unsigned int p = 0; p < 4; p++)
			level |= (pins >> p & 1) &&
				 pci_gsi(other->slot, p) == gsi;
	}
	machine_irq(bus->m, gsi, level);
}

void pci_route_direct(struct pci_bus *bus)
{
	pci_route_intx(bus, direct, bus);
}
