/*
 * vmm/dev/pvpanic.h -- the guest tells that it panicked.
 */
#ifndef VMM_DEV_PVPANIC_H
#define VMM_DEV_PVPANIC_H

struct machine;
struct error;

enum { PVPANIC_PORT = 0x505 };

void pvpanic_create(struct machine *m); /* at the port */

/* The same register in memory, as a PCI device where the spec says. */
int pvpanic_pci_add(struct machine *m, struct error *err);

#endif
