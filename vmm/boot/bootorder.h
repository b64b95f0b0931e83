/*
 * vmm/boot/bootorder.h -- in which order firmware tries the devices.
 */
#ifndef VMM_BOOT_BOOTORDER_H
#define VMM_BOOT_BOOTORDER_H

#include "base/util.h"

struct machine;
struct pci_dev;

/*
 * A device from which firmware may boot, once it is plugged: by index, from 1
 * up; 0 does nothing.  what: OpenFirmware's name for it below the function,
 * "scsi" or "ethernet", and what is below that, "/disk@%x,0".
 */
void bootorder_add(struct machine *m, unsigned int index,
		   const struct pci_dev *dev, const char *what,
		   const char *below, ...) PRINTF(5, 6);

/* The paths, a line each, in their order; the caller frees. */
char *bootorder_text(const struct machine *m);
void bootorder_free(struct machine *m);

#endif
