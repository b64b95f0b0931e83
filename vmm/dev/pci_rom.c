/*
 * vmm/dev/pci_rom.c -- expansion ROMs (PCI 6.2.5.2 and 6.3): a program for
 * firmware, such as a network boot loader, behind a base address register of
 * its own.
 */
#include "vmm/dev/pci_rom.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/dev/pci_priv.h"
#include "vmm/machine.h"

enum { ROM_MIN = 2048, ROM_PAGE = 512 };
#define ROM_MAX (4 * MIB)

/* 6.3.1: the header, and where its data structure is. */
enum { ROM_CHECKSUM = 6, ROM_DATA = 0x18 };
/* 6.3.1.2 */
enum { DATA_VENDOR = 4, DATA_DEVICE = 6, DATA_LENGTH = 0x10,
       DATA_CODE = 0x14, DATA_INDICATOR = 0x15, DATA_SIZE = 0x18 };
enum { CODE_PC = 0, INDICATOR_LAST = 0x80 };

static uint64_t rom_read(void *arg, uint64_t offset, unsigned int size)
{
	const struct pci_dev *dev = arg;
	uint64_t value = 0;

	memcpy(&value, dev->rom_data + offset, size);
	return value;
}

static const struct bus_ops rom_ops = { .read = rom_read };

/* 6.2.5.2: bits 31-11 address, bit 0 enables. */
static bool decodes(const struct pci_dev *dev)
{
	return dev->rom.size &&
	       (dev->config[PCI_ROM_ADDRESS] & PCI_ROM_ADDRESS_ENABLE) &&
	       (pci_get16(dev->config + PCI_COMMAND) & PCI_COMMAND_MEMORY);
}

static void unmap(struct pci_dev *dev, struct machine *m)
{
	if (dev->rom.mapped)
		bus_remove(m->mmio, dev->rom.addr);
	dev->rom.mapped = false;
}

void pci_rom_update(struct pci_dev *dev, struct machine *m)
{
	uint64_t addr = pci_get32(dev->config + PCI_ROM_ADDRESS) &
			PCI_ROM_ADDRESS_MASK;
	bool want = decodes(dev) && addr >= m->mmio32_base &&
		    pci_forwarded(dev, addr, dev->rom.size);
	struct pci_bar *b = &dev->rom;

	if (!want || addr != b->addr)
		unmap(dev, m);
	if (!want || b->mapped)
		return;
	b->addr = addr;
	b->mapped = bus_add(m->mmio, addr, b->size, &rom_ops, dev) == 0;
}

void pci_rom_destroy(struct pci_dev *dev)
{
	if (dev->bus)
		unmap(dev, pci_bus_machine(dev->bus));
	free(dev->rom_data);
	dev->rom_data = NULL;
}

/* The PC's image sums up to zero. */
static void fix_checksum(uint8_t *image, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += image[i];
	image[ROM_CHECKSUM] -= sum;
}

/*
 * Firmware runs an image only if it is for the function's vendor and device.
 * One ROM serves both generations of virtio, whose numbers differ.
 */
static void set_ids(struct pci_dev *dev, size_t size)
{
	uint8_t *rom = dev->rom_data, *data;
	size_t at = 0, len, offset;

	while (at + ROM_PAGE <= size && pci_get16(rom + at) == 0xaa55) {
		offset = at + pci_get16(rom + at + ROM_DATA);
		if (offset + DATA_SIZE > size)
			return;
		data = rom + offset;
		len = pci_get16(data + DATA_LENGTH) * (size_t)ROM_PAGE;
		if (memcmp(data, "PCIR", 4) != 0 || !len || len > size - at)
			return;
		memcpy(data + DATA_VENDOR, dev->config + PCI_VENDOR_ID, 4);
		if (data[DATA_CODE] == CODE_PC)
			fix_checksum(rom + at, len);
		if (data[DATA_INDICATOR] & INDICATOR_LAST)
			return;
		at += len;
	}
}

void pci_set_rom(struct pci_dev *dev, uint8_t *rom, uint64_t size)
{
	free(dev->rom_data);
	dev->rom_data = rom;
	dev->rom = (struct pci_bar){ .size = size };
	pci_set32(dev->wmask + PCI_ROM_ADDRESS,
		  ~(uint32_t)(size - 1) | PCI_ROM_ADDRESS_ENABLE);
}

int pci_load_rom(struct pci_dev *dev, int fd, struct error *err)
{
	struct image image;
	uint64_t size = ROM_MIN;
	uint8_t *rom;
	int r = image_open(fd, &image, err);

	if (r < 0)
		return r;
	if (!image.size || image.size > ROM_MAX)
		return error_set(err, -EINVAL,
				 "an option ROM has up to 4 MiB");
	while (size < image.size)
		size *= 2;
	rom = xcalloc(1, size);
	r = image_read(&image, 0, rom, image.size);
	if (r < 0) {
		free(rom);
		return error_set(err, r, "cannot read an option ROM: %m");
	}
	pci_set_rom(dev, rom, size);
	set_ids(dev, image.size);
	return 0;
}
