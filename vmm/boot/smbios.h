/*
 * vmm/boot/smbios.h -- SMBIOS structures, for firmware and without.
 */
#ifndef VMM_BOOT_SMBIOS_H
#define VMM_BOOT_SMBIOS_H

struct error;
struct fwcfg;
struct machine;

/* Puts them where a kernel that no firmware started looks (5.2). */
int smbios_write(struct machine *m, struct error *err);

/* Adds the files from which firmware makes its SMBIOS tables. */
void smbios_offer(struct machine *m, struct fwcfg *fw);

#endif
