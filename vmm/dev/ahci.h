/*
 * vmm/dev/ahci.h -- a Serial ATA controller: ICH9's, in AHCI mode only.
 */
#ifndef VMM_DEV_AHCI_H
#define VMM_DEV_AHCI_H

struct machine;
struct spec_controller;
struct spec_disk;
struct error;

enum { AHCI_PORTS_MAX = 6 };

/* With the n disks that are on it, units 0 to 5; onto m->pci. */
int ahci_add(struct machine *m, const struct spec_controller *spec,
	     const struct spec_disk *const *disks, unsigned int n,
	     struct error *err);

#endif
