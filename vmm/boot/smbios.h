/*
 * vmm/boot/smbios.h -- SMBIOS structures for firmware.
 */
#ifndef VMM_BOOT_SMBIOS_H
#define VMM_BOOT_SMBIOS_H

struct fwcfg;
struct machine;

/* Adds the files from which firmware makes its SMBIOS tables. */
void smbios_offer(struct machine *m, struct fwcfg *fw);

#endif
