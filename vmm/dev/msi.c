/*
 * vmm/dev/msi.c -- one message-signalled interrupt of a device (PCI Local Bus
 * 3.0, section 6.8.1): 64-bit address, no masking.
 */
#include "vmm/dev/msi.h"

#include <linux/pci_regs.h>

#include "base/util.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/state.h"

enum { CAP_LEN = 14 }; /* 6.8.1, the 64-bit layout */

void msi_init(struct msi *msi, struct pci_dev *dev)
{
	uint8_t *mask;

	*msi = (struct msi){ .dev = dev };
	pthread_mutex_init(&msi->lock, NULL);
	msi->cap = pci_add_cap(dev, PCI_CAP_ID_MSI, CAP_LEN);
	pci_set16(dev->config + msi->cap + PCI_MSI_FLAGS,
		  PCI_MSI_FLAGS_64BIT);
	mask = dev->wmask + msi->cap;
	pci_set16(mask + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	pci_set32(mask + PCI_MSI_ADDRESS_LO, ~3u);
	pci_set32(mask + PCI_MSI_ADDRESS_HI, ~0u);
	pci_set16(mask + PCI_MSI_DATA_64, 0xffff);
}

void msi_finish(struct msi *msi)
{
	pthread_mutex_destroy(&msi->lock);
}

void msi_config_written(struct msi *msi, unsigned int reg, unsigned int size)
{
	const uint8_t *cap = msi->dev->config + msi->cap;

	if (reg >= msi->cap + CAP_LEN || reg + size <= msi->cap)
		return;
	pthread_mutex_lock(&msi->lock);
	msi->enabled = pci_get16(cap + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE;
	msi->addr = pci_get32(cap + PCI_MSI_ADDRESS_LO) |
		    (uint64_t)pci_get32(cap + PCI_MSI_ADDRESS_HI) << 32;
	msi->data = pci_get16(cap + PCI_MSI_DATA_64);
	pthread_mutex_unlock(&msi->lock);
}

bool msi_send(struct msi *msi)
{
	bool enabled;

	pthread_mutex_lock(&msi->lock);
	enabled = msi->enabled;
	if (enabled)
		machine_msi(pci_bus_machine(msi->dev->bus), msi->addr,
			    msi->data);
	pthread_mutex_unlock(&msi->lock);
	return enabled;
}

static const struct state_field msi_fields[] = {
	STATE_BOOL(struct msi, enabled),
	STATE(struct msi, addr),
	STATE(struct msi, data),
	STATE_END,
};

static const struct state_type msi_state = {
	.name = "msi",
	.version = 1,
	.fields = msi_fields,
};

void msi_add_state(struct msi *msi, const char *id, struct state_set *set)
{
	state_add(set, &msi_state, id, msi);
}
