/*
 * tests/unit/virtio/pci.c -- configuration space, BARs, MSI-X and the virtio
 * transport, as a driver sees them.
 */
#include "tests/unit/virtio/rig.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

static void identity(struct rig *rig)
{
	assert(rig_cfg(rig, PCI_VENDOR_ID, 4) == 0x10441af4);
	assert(rig_cfg(rig, PCI_VENDOR_ID + 1, 1) == 0x1a);
	assert(rig_in(rig, ECAM_BASE, 4) == 0x29c08086);
	assert(rig_in(rig, ECAM_BASE + (2 << 15), 4) == 0xffffffff);
	assert(rig_in(rig, ECAM_BASE + 0x100000, 4) == 0xffffffff);
	assert(rig_in(rig, ECAM_BASE + (1 << 15) + 0x100, 4) == 0);
	rig_cfg_out(rig, PCI_VENDOR_ID, 0, 4);
	assert(rig_cfg(rig, PCI_VENDOR_ID, 2) == 0x1af4);
}

static uint32_t cf8(struct rig *rig, uint32_t addr, unsigned int offset,
		    unsigned int size)
{
	uint32_t value = 0;

	bus_io(rig->m.ports, 0xcf8, &addr, 4, true);
	bus_io(rig->m.ports, 0xcfc + offset, &value, size, false);
	return value;
}

static void mechanism_one(struct rig *rig)
{
	assert(cf8(rig, 0x80000800, 0, 4) == 0x10441af4);
	assert(cf8(rig, 0x80000800, 2, 2) == 0x1044);
	assert(cf8(rig, 0x80000800, 3, 1) == 0x10);
	assert(cf8(rig, 0x00000800, 0, 4) == 0xffffffff);
	assert(cf8(rig, 0x80010800, 0, 4) == 0xffffffff);
}

static void capability_list(struct rig *rig)
{
	unsigned int at = rig_cfg(rig, PCI_CAPABILITY_LIST, 1), seen = 0;

	assert(rig_cfg(rig, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	for (unsigned int n = 0; at; n++) {
		assert(n < 48 && at % 4 == 0);
		if (rig_cfg(rig, at, 1) == PCI_CAP_ID_VNDR)
			seen |= BIT(rig_cfg(rig, at + 3, 1));
		at = rig_cfg(rig, at + 1, 1);
	}
	/* No device configuration: the entropy device has none. */
	assert(seen == (BIT(VIRTIO_PCI_CAP_COMMON_CFG) |
			BIT(VIRTIO_PCI_CAP_ISR_CFG) |
			BIT(VIRTIO_PCI_CAP_NOTIFY_CFG) |
			BIT(VIRTIO_PCI_CAP_PCI_CFG)));
}

static void bar_sizing_and_moving(struct rig *rig)
{
	uint32_t lo = rig_cfg(rig, PCI_BASE_ADDRESS_2, 4);
	uint64_t moved = 0x1000000000ull;

	assert((lo & 0xf) == PCI_BASE_ADDRESS_MEM_TYPE_64);
	rig_cfg_out(rig, PCI_COMMAND, 0, 2);
	assert(rig_in(rig, rig->regs, 4) == 0xffffffff);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, 0xffffffff, 4);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_3, 0xffffffff, 4);
	assert(rig_cfg(rig, PCI_BASE_ADDRESS_2, 4) == 0xffffc004);
	assert(rig_cfg(rig, PCI_BASE_ADDRESS_3, 4) == 0xffffffff);

	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, moved, 4);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_3, moved >> 32, 4);
	rig_cfg_out(rig, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert(rig_in(rig, moved + VIRTIO_PCI_COMMON_NUMQ, 2) == 1);
	assert(rig_in(rig, rig->regs, 4) == 0xffffffff);

	/* Over RAM it decodes nothing. */
	rig_cfg_out(rig, PCI_BASE_ADDRESS_3, 0, 4);
	assert(rig_in(rig, 0, 4) == 0xffffffff);

	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, lo, 4);
	assert(rig_in(rig, rig->regs + VIRTIO_PCI_COMMON_NUMQ, 2) == 1);
}

static void swapped_bars(struct rig *rig)
{
	uint32_t a = rig_cfg(rig, PCI_BASE_ADDRESS_0, 4);
	uint32_t b = rig_cfg(rig, PCI_BASE_ADDRESS_2, 4);

	/* For a moment both claim the same range. */
	rig_cfg_out(rig, PCI_BASE_ADDRESS_0, b & ~0xf, 4);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, b + 0x10000, 4);
	assert(rig_in(rig, (b & ~0xfu) + 12, 4) == 1); /* masked vector 0 */
	rig_cfg_out(rig, PCI_BASE_ADDRESS_0, a, 4);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, b, 4);
}

static void msix(struct rig *rig)
{
	uint64_t table = rig_cfg(rig, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	uint64_t pba = table + (rig_cfg(rig, 0x48, 4) & ~7u);
	struct virtio_dev *dev = container_of(rig->dev, struct virtio_dev, pci);
	unsigned int before = rig_msis(1);

	assert((rig_cfg(rig, 0x42, 2) & 0x7ff) == 1); /* two vectors */
	dev->queues[0].vector = 1;
	virtio_interrupt(dev, &dev->queues[0]);
	assert(rig_msis(1) == before + 1);

	rig_out(rig, table + 16 + 12, 1, 4); /* mask */
	virtio_interrupt(dev, &dev->queues[0]);
	assert(rig_msis(1) == before + 1);
	assert(rig_in(rig, pba, 4) == 2);
	rig_out(rig, pba, 0, 4); /* read-only */
	rig_out(rig, table + 16 + 12, 0, 4);
	assert(rig_msis(1) == before + 2);
	assert(rig_in(rig, pba, 8) == 0);

	rig_cfg_out(rig, 0x42, 0xc000, 2); /* the whole function */
	virtio_interrupt(dev, &dev->queues[0]);
	assert(rig_msis(1) == before + 2);
	rig_cfg_out(rig, 0x42, 0x8000, 2);
	assert(rig_msis(1) == before + 3);
	dev->queues[0].vector = VIRTIO_NO_VECTOR;
}

static void features_and_status(struct rig *rig)
{
	uint64_t r = rig->regs;

	/* Without version 1, or with an unknown bit: no FEATURES_OK. */
	rig_reset(rig);
	rig_out(rig, r + VIRTIO_PCI_COMMON_STATUS, 11, 1);
	assert(rig_status(rig) == 3);
	rig_negotiate(rig, BIT64(50));
	assert(rig_status(rig) == 3);
	rig_driver_ok(rig); /* not without FEATURES_OK */
	assert(rig_status(rig) == 3);

	rig_negotiate(rig, 0);
	assert(rig_status(rig) == 11);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	rig_out(rig, r + VIRTIO_PCI_COMMON_GF, 0xffffffff, 4);
	assert(rig_in(rig, r + VIRTIO_PCI_COMMON_GF, 4) == 0);
	rig_driver_ok(rig);
	assert(rig_status(rig) == 15);
	rig_out(rig, r + VIRTIO_PCI_COMMON_STATUS, 1, 1); /* bits stay */
	assert(rig_status(rig) == 15);

	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_SELECT, 7, 2);
	assert(rig_in(rig, r + VIRTIO_PCI_COMMON_Q_SIZE, 2) == 0);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	assert(rig_in(rig, r + VIRTIO_PCI_COMMON_Q_SIZE, 2) == VQ_SIZE_MAX);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_SIZE, 100, 2);
	assert(rig_in(rig, r + VIRTIO_PCI_COMMON_Q_SIZE, 2) == VQ_SIZE_MAX);
	rig_out(rig, r + VIRTIO_PCI_COMMON_Q_MSIX, 99, 2);
	assert(rig_in(rig, r + VIRTIO_PCI_COMMON_Q_MSIX, 2) == 0xffff);
}

/* virtio 4.1.4.9: the status register through configuration space. */
static void config_window(struct rig *rig)
{
	struct virtio_dev *dev = container_of(rig->dev, struct virtio_dev, pci);
	unsigned int cap = dev->cfg_cap;

	rig_reset(rig);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_BAR, 2, 1);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_OFFSET,
		    VIRTIO_PCI_COMMON_STATUS, 4);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_LENGTH, 1, 4);
	rig_cfg_out(rig, cap + 16, 1, 1);
	assert(rig_status(rig) == 1);
	assert(rig_cfg(rig, cap + 16, 1) == 1);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_OFFSET, 0xfffffffc, 4);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_LENGTH, 4, 4);
	rig_cfg_out(rig, cap + 16, 0, 4);
	rig_cfg(rig, cap + 16, 4);
	rig_cfg_out(rig, cap + VIRTIO_PCI_CAP_BAR, 77, 1);
	rig_cfg(rig, cap + 16, 4);
}

static void machine_reset(struct rig *rig)
{
	rig_negotiate(rig, 0);
	rig_cfg_out(rig, PCI_BASE_ADDRESS_2, 0xd0000000, 4);
	pci_bus_reset(rig->m.pci);
	assert(rig_cfg(rig, PCI_COMMAND, 2) == 0);
	rig_probe(rig, 1);
	assert(rig->regs != 0xd0000000 && rig_status(rig) == 0);
}

static void slots(struct rig *rig)
{
	struct error err = { 0 };

	assert(!rig_add_rng(rig, &err));
	assert(rig_in(rig, ECAM_BASE + (2 << 15), 4) == 0x10441af4);
	assert(!(rig_in(rig, ECAM_BASE + (2 << 15) + 14, 1) & 0x80));
	for (unsigned int i = 3; i < 32; i++)
		assert(!rig_add_rng(rig, &err));
	assert(rig_add_rng(rig, &err) < 0);
	assert(err.message[0]);
}

int main(void)
{
	struct rig rig;

	rig_init(&rig);
	assert(!rig_add_rng(&rig, NULL));
	rig_probe(&rig, 1);
	identity(&rig);
	mechanism_one(&rig);
	capability_list(&rig);
	bar_sizing_and_moving(&rig);
	msix(&rig);
	features_and_status(&rig);
	config_window(&rig);
	machine_reset(&rig);
	pci_bus_reset(rig.m.pci);
	rig_cfg_out(&rig, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	swapped_bars(&rig);
	slots(&rig);
	rig_finish(&rig);
	return 0;
}
