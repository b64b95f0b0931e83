/*
 * vmm/dev/pci_bar.c -- where functions are in the address spaces: base address
 * registers, and the windows of the bridges above them.
 */
#include <errno.h>
#include <linux/pci_regs.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/dev/pci_priv.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

static uint8_t *bar_reg(struct pci_dev *dev, unsigned int bar)
{
	return dev->config + PCI_BASE_ADDRESS_0 + 4 * bar;
}

static uint64_t bar_address(struct pci_dev *dev, unsigned int bar)
{
	uint64_t addr = pci_get32(bar_reg(dev, bar));

	if (dev->bar[bar].is_io)
		return addr & ~3ull;
	addr &= ~0xfull;
	if (dev->bar[bar].is_64)
		addr |= (uint64_t)pci_get32(bar_reg(dev, bar + 1)) << 32;
	return addr;
}

static void bar_set_address(struct pci_dev *dev, unsigned int bar,
			    uint64_t addr)
{
	uint8_t *reg = bar_reg(dev, bar);

	pci_set32(reg, (pci_get32(reg) & 0xf) | (uint32_t)addr);
	if (dev->bar[bar].is_64)
		pci_set32(bar_reg(dev, bar + 1), addr >> 32);
}

/* ---- bridges (Bridge 3.2.5.6 and 3.2.5.8 to 3.2.5.11) ---- */

struct window {
	uint64_t first, last;
};

static bool inside(struct window w, uint64_t addr, uint64_t size)
{
	return w.first <= addr && addr + (size - 1) <= w.last &&
	       addr + (size - 1) >= addr;
}

static struct window io_window(const uint8_t *c)
{
	return (struct window){
		(c[PCI_IO_BASE] & 0xf0) << 8,
		(c[PCI_IO_LIMIT] & 0xf0) << 8 | 0xfff,
	};
}

static struct window memory_window(const uint8_t *c)
{
	return (struct window){
		(uint64_t)(pci_get16(c + PCI_MEMORY_BASE) & 0xfff0) << 16,
		(uint64_t)(pci_get16(c + PCI_MEMORY_LIMIT) & 0xfff0) << 16 |
			0xfffff,
	};
}

static struct window prefetchable_window(const uint8_t *c)
{
	uint64_t first = pci_get16(c + PCI_PREF_MEMORY_BASE) & 0xfff0;
	uint64_t last = pci_get16(c + PCI_PREF_MEMORY_LIMIT) & 0xfff0;

	return (struct window){
		(uint64_t)pci_get32(c + PCI_PREF_BASE_UPPER32) << 32 |
			first << 16,
		(uint64_t)pci_get32(c + PCI_PREF_LIMIT_UPPER32) << 32 |
			last << 16 | 0xfffff,
	};
}

static bool bridge_forwards(const struct pci_dev *bridge, bool io,
			    uint64_t addr, uint64_t size)
{
	const uint8_t *c = bridge->config;
	uint16_t command = pci_get16(c + PCI_COMMAND);

	if (io)
		return (command & PCI_COMMAND_IO) &&
		       inside(io_window(c), addr, size);
	return (command & PCI_COMMAND_MEMORY) &&
	       (inside(memory_window(c), addr, size) ||
		inside(prefetchable_window(c), addr, size));
}

static bool forwarded(const struct pci_dev *dev, bool io, uint64_t addr,
		      uint64_t size)
{
	const struct pci_branch *b;

	for (b = dev->branch; b && b->bridge; b = b->bridge->branch)
		if (b->dark || !bridge_forwards(b->bridge, io, addr, size))
			return false;
	return true;
}

bool pci_forwarded(const struct pci_dev *dev, uint64_t addr, uint64_t size)
{
	return forwarded(dev, false, addr, size);
}

/* ---- mapping ---- */

/*
 * A BAR that the guest put over RAM or past the end of the address space
 * decodes nothing until it is moved.
 */
static bool bar_decodes(struct pci_dev *dev, unsigned int bar)
{
	const struct pci_bar *b = &dev->bar[bar];
	uint16_t command = pci_get16(dev->config + PCI_COMMAND);
	uint64_t addr;

	if (!b->size)
		return false;
	addr = bar_address(dev, bar);
	if (b->is_io)
		return (command & PCI_COMMAND_IO) && addr &&
		       addr + b->size <= 0x10000 &&
		       forwarded(dev, true, addr, b->size);
	return (command & PCI_COMMAND_MEMORY) &&
	       addr >= dev->bus->m->mmio32_base && addr + b->size > addr &&
	       forwarded(dev, false, addr, b->size);
}

static struct bus *bar_space(struct pci_dev *dev, const struct pci_bar *b)
{
	return b->is_io ? dev->bus->m->ports : dev->bus->m->mmio;
}

static void bar_unmap(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bar[bar];

	if (!b->mapped)
		return;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, b->addr, false);
	bus_remove(bar_space(dev, b), b->addr);
	b->mapped = false;
}

/* One over another region waits until that is gone. */
static void bar_map(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bar[bar];
	uint64_t addr = bar_address(dev, bar);

	if (b->mapped || !bar_decodes(dev, bar))
		return;
	if (bus_add(bar_space(dev, b), addr, b->size, b->ops, b->arg) < 0)
		return;
	b->addr = addr;
	b->mapped = true;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, addr, true);
}

void pci_unmap_bars(struct pci_dev *dev)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		bar_unmap(dev, i);
}

static void unmap_stale(struct pci_dev *dev, void *arg)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		if (!bar_decodes(dev, i) ||
		    bar_address(dev, i) != dev->bar[i].addr)
			bar_unmap(dev, i);
	}
	pci_rom_update(dev, dev->bus->m);
}

static void map_all(struct pci_dev *dev, void *arg)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		bar_map(dev, i);
}

void pci_update_bars(struct pci_bus *bus)
{
	pci_for_each(bus, unmap_stale, NULL);
	pci_for_each(bus, map_all, NULL);
}

/* ---- making ---- */

static void set_bar(struct pci_dev *dev, unsigned int bar, struct pci_bar b,
		    uint32_t kind)
{
	uint8_t *mask = dev->wmask + PCI_BASE_ADDRESS_0 + 4 * bar;

	dev->bar[bar] = b;
	pci_set32(bar_reg(dev, bar), kind);
	pci_set32(mask, ~(uint32_t)(b.size - 1));
	if (b.is_64)
		pci_set32(mask + 4, ~(b.size - 1) >> 32);
}

/*
 * PCI 6.2.5.1: the bits below the size are hard-wired to zero, which is how
 * software finds the size.
 */
void pci_set_bar(struct pci_dev *dev, unsigned int bar, uint64_t size,
		 bool is_64, const struct bus_ops *ops, void *arg)
{
	assert(bar + is_64 < PCI_BARS && size >= 16 && !(size & (size - 1)));
	set_bar(dev, bar,
		(struct pci_bar){ .size = size, .is_64 = is_64, .ops = ops,
				  .arg = arg },
		is_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0);
}

void pci_set_io_bar(struct pci_dev *dev, unsigned int bar, unsigned int size,
		    const struct bus_ops *ops, void *arg)
{
	assert(bar < PCI_BARS && size >= 4 && size <= 256 &&
	       !(size & (size - 1)));
	set_bar(dev, bar,
		(struct pci_bar){ .size = size, .is_io = true, .ops = ops,
				  .arg = arg },
		PCI_BASE_ADDRESS_SPACE_IO);
	dev->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
}

/* What has home addresses: pages of their own, as an engine maps and traps
 * whole pages. */
static uint64_t next_home(struct pci_bus *bus, const struct pci_bar *b)
{
	uint64_t *next = b->is_io ? &bus->next_io : &bus->next_bar;
	uint64_t home = ALIGN_UP(*next, b->is_io ? b->size :
						   MAX(b->size, 4 * KIB));

	*next = home + b->size;
	return home;
}

/*
 * What is below a bridge is the guest's to place, with the bridge's windows;
 * and everything is where there is firmware.
 */
int pci_assign_bars(struct pci_bus *bus, struct pci_dev *dev,
		    struct error *err)
{
	uint64_t old_bar = bus->next_bar, old_io = bus->next_io;

	if ((bus->m->q35 && bus->m->spec->firmware_fd >= 0) ||
	    (dev->branch && dev->branch->bridge))
		return 0;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &dev->bar[i];

		if (!b->size)
			continue;
		b->home = next_home(bus, b);
		bar_set_address(dev, i, b->home);
	}
	if (bus->next_bar <= MMIO32_END && bus->next_io <= 0x10000)
		return 0;
	bus->next_bar = old_bar;
	bus->next_io = old_io;
	return error_set(err, -ENOSPC, "PCI memory window is full");
}
