/*
 * vmm/dev/nvme.h -- an NVM Express controller with one namespace.
 */
#ifndef VMM_DEV_NVME_H
#define VMM_DEV_NVME_H

struct machine;
struct spec_controller;
struct spec_disk;
struct error;

/* With the disk that is on it (n is 0 or 1), onto m->pci. */
int nvme_add(struct machine *m, const struct spec_controller *spec,
	     const struct spec_disk *const *disks, unsigned int n,
	     struct error *err);

#endif
