/*
 * vmm/dev/pci_priv.h -- the inside of the PCI tree: pci.c (configuration
 * space), pci_tree.c (who is where), pci_bar.c (addresses), pci_intx.c (wires).
 *
 * "Bridge": PCI-to-PCI Bridge Architecture Specification 1.2.
 */
#ifndef VMM_DEV_PCI_PRIV_H
#define VMM_DEV_PCI_PRIV_H

#include <pthread.h>

#include "vmm/dev/pci.h"

/* One bus of the tree: bus 0, or what is below a bridge. */
struct pci_branch {
	struct pci_bus *bus;
	struct pci_dev *bridge; /* NULL: bus 0 */
	unsigned int index;	/* what a spec_place names it by */
	bool port; /* below a PCI Express port: slot 0 only (PCIe 7.3.1) */
	bool dark; /* nothing below the bridge answers: link down */
	struct pci_dev *devs[PCI_SLOTS * PCI_FUNCTIONS];
	struct pci_branch *next; /* in the order of making: parents first */
};

struct pci_bus {
	struct machine *m;
	pthread_mutex_t lock;
	struct pci_branch root;
	struct pci_dev host;
	uint64_t next_bar; /* first free address of the window */
	uint64_t next_io;  /* ... and port */
	uint64_t ecam;	   /* where it is; 0: nowhere */
	uint32_t address;  /* the register at port 0xcf8 */
	uint8_t reset_control;
	pci_intx_fn *intx; /* where the wires go; NULL: nowhere */
	void *intx_arg;
	pthread_mutex_t intx_lock; /* inside devices' locks */
};

/* The branch that has this bus number, as bridges are programmed; NULL. */
struct pci_branch *pci_branch_numbered(struct pci_bus *bus,
				       unsigned int number);
/* At a free address, for good. */
void pci_put(struct pci_branch *branch, struct pci_dev *dev,
	     unsigned int slot, unsigned int function);

void pci_tree_destroy(struct pci_bus *bus);

/* pci_bar.c; the bus locked, or vCPUs stopped. */
int pci_assign_bars(struct pci_bus *bus, struct pci_dev *dev,
		    struct error *err);
/* Commands, BARs or bridges' windows have changed: all of the tree, as one
 * that left a range may be what another waited for. */
void pci_update_bars(struct pci_bus *bus);
void pci_unmap_bars(struct pci_dev *dev);
/* Whether every bridge above hands this memory range down. */
bool pci_forwarded(const struct pci_dev *dev, uint64_t addr, uint64_t size);

/* pci_intx.c: a wire, a command register or the tree has changed. */
void pci_update_intx(struct pci_dev *dev);

#endif
