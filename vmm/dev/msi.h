/*
 * vmm/dev/msi.h -- one message-signalled interrupt of a device (PCI Local Bus
 * 3.0, section 6.8.1).
 */
#ifndef VMM_DEV_MSI_H
#define VMM_DEV_MSI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pci_dev;
struct state_set;

struct msi {
	struct pci_dev *dev;
	unsigned int cap;
	pthread_mutex_t lock; /* the rest: what the guest wrote last */
	bool enabled;
	uint64_t addr;
	uint16_t data;
};

/* Adds the capability; before pci_plug(). */
void msi_init(struct msi *msi, struct pci_dev *dev);
void msi_finish(struct msi *msi);

/* The owner's config_written() hook calls it. */
void msi_config_written(struct msi *msi, unsigned int reg, unsigned int size);

/* The owner's states() hook calls it. */
void msi_add_state(struct msi *msi, const char *id, struct state_set *set);

/* Any thread.  False: the guest has not enabled it. */
bool msi_send(struct msi *msi);

#endif
