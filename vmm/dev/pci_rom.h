/*
 * vmm/dev/pci_rom.h -- what pci.c asks of a function's expansion ROM.
 */
#ifndef VMM_DEV_PCI_ROM_H
#define VMM_DEV_PCI_ROM_H

struct machine;
struct pci_dev;

/* Address, enable bit or memory decoding may have changed; bus locked. */
void pci_rom_update(struct pci_dev *dev, struct machine *m);
void pci_rom_destroy(struct pci_dev *dev);

#endif
