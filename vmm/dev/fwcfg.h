/*
 * vmm/dev/fwcfg.h -- the firmware configuration device, from which SeaBIOS
 * and OVMF learn what the machine is.
 */
#ifndef VMM_DEV_FWCFG_H
#define VMM_DEV_FWCFG_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/boot.h"

struct fwcfg;
struct machine;

enum { FWCFG_PORT = 0x510, FWCFG_PORTS = 12 };

/* Well-known items (QEMU, docs/specs/fw_cfg.rst; edk2, QemuFwCfgLib.h). */
enum {
	FWCFG_UUID = 0x02,
	FWCFG_RAM_SIZE = 0x03,
	FWCFG_NOGRAPHIC = 0x04,
	FWCFG_CPUS = 0x05,
	FWCFG_KERNEL_SIZE = 0x08,
	FWCFG_INITRD_SIZE = 0x0b,
	FWCFG_BOOT_MENU = 0x0e,
	FWCFG_MAX_CPUS = 0x0f,
	FWCFG_KERNEL_DATA = 0x11,
	FWCFG_INITRD_DATA = 0x12,
	FWCFG_CMDLINE_SIZE = 0x14,
	FWCFG_CMDLINE_DATA = 0x15,
	FWCFG_SETUP_SIZE = 0x17,
	FWCFG_SETUP_DATA = 0x18,
};

/* A device of the machine, which owns it. */
struct fwcfg *fwcfg_create(struct machine *m);

/* Before the guest runs.  Data are copied; an image's stay the caller's. */
void fwcfg_add(struct fwcfg *fw, uint16_t key, const void *data, size_t len);
void fwcfg_add_int(struct fwcfg *fw, uint16_t key, uint64_t value,
		   unsigned int bytes);
void fwcfg_add_image(struct fwcfg *fw, uint16_t key,
		     const struct image *image);
void fwcfg_add_file(struct fwcfg *fw, const char *name, const void *data,
		    size_t len);

/*
 * A file whose contents are made when it is selected: fn fills the len bytes
 * at data, on the vCPU's thread.
 */
typedef void fwcfg_fill_fn(void *arg, uint8_t *data, size_t len);
void fwcfg_add_made(struct fwcfg *fw, const char *name, size_t len,
		    fwcfg_fill_fn *fn, void *arg);

/* A file of len bytes that the guest writes; fn hears of each write. */
void fwcfg_add_writable(struct fwcfg *fw, const char *name, const void *data,
			size_t len, fwcfg_fill_fn *fn, void *arg);

#endif
