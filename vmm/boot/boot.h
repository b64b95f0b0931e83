/*
 * vmm/boot/boot.h -- getting a kernel into guest memory.
 *
 * Everything in an image is untrusted: every offset and length is checked
 * against the image and against guest memory before use.
 */
#ifndef VMM_BOOT_BOOT_H
#define VMM_BOOT_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct machine;
struct ram;
struct x86_state;

/* Where the loader puts its own data: all below the kernel's 1 MiB. */
#define BOOT_START_INFO 0x6000
#define BOOT_MEMMAP	0x7000
#define BOOT_CMDLINE	0x20000
#define BOOT_CMDLINE_MAX 0x10000 /* and a little more */
#define BOOT_LOW_END	0x9fc00	 /* conventional memory ends */
#define BOOT_ACPI_BASE	0xe0000	 /* tables; RSDP first */
#define BOOT_ACPI_MAX	0x10000
#define BOOT_SMBIOS_BASE 0xf0000
#define BOOT_SMBIOS_END 0xffff0
#define BOOT_RESET_VECTOR 0xffff0 /* real mode f000:fff0 */
#define BOOT_KERNEL_MIN 0x100000 /* nothing of a kernel may be below */

/* Bytes of an image: a descriptor, or memory when mem is set. */
struct image {
	int fd;
	const uint8_t *mem;
	uint64_t size;
};

int image_open(int fd, struct image *ret_image, struct error *err);
int image_read(const struct image *image, uint64_t offset, void *buf,
	       uint64_t len); /* all of it, or -ENODATA or -errno */

/* A firmware image or its variables: whole pages, a file or block device. */
int firmware_open(int fd, uint64_t max, struct image *ret_image,
		  struct error *err);

/* What an ELF kernel left in memory. */
struct elf_info {
	uint32_t pvh_entry; /* 0: none */
	uint32_t entry;
	bool multiboot; /* multiboot_probe() */
	uint64_t end; /* first address after the last segment */
};
int elf_load(const struct image *image, struct ram *ram,
	     struct elf_info *ret_info, struct error *err);

/* A bzImage's payload, unpacked into anonymous memory. */
struct bzimage {
	uint64_t initrd_max; /* highest address for the initrd's last byte */
	struct image vmlinux;
};
int bzimage_probe(const struct image *image); /* 1: is one, 0: is not */
int bzimage_unpack(const struct image *image, struct bzimage *ret_bz,
		   struct error *err);
void bzimage_finish(struct bzimage *bz);

/*
 * Unpacks what the magic number says into out_len bytes, exactly; -EINVAL
 * when the data is not that, -ENOTSUP for an unknown format.
 */
int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);

/* Guest memory as E820 types it (ACPI 6.4, table 15.1). */
enum { BOOT_MAP_RAM = 1, BOOT_MAP_RESERVED = 2, BOOT_MAPS_MAX = 8 };
struct boot_map {
	uint64_t addr, size;
	uint32_t type;
};
unsigned int boot_memmap(const struct ram *ram,
			 struct boot_map maps[BOOT_MAPS_MAX]);

struct boot_module { /* size 0: no initrd */
	uint64_t addr, size;
};

/* 32-bit protected mode, flat 4 GiB segments, TR as after a task switch. */
void boot_flat32(struct x86_state *s, uint32_t entry);

/* The boot protocols: what they leave in memory, and the entry state. */
int pvh_setup(struct machine *m, const struct elf_info *info,
	      const struct boot_module *mod, struct x86_state *bsp);
bool multiboot_probe(const struct image *image);
int multiboot_setup(struct machine *m, const struct elf_info *info,
		    const struct boot_module *mod, struct x86_state *bsp);

/* Loads kernel, initrd and tables; fills the boot processor's state. */
int boot_load(struct machine *m, struct x86_state *bsp, struct error *err);

/* The same of a guest that wakes from suspend to RAM: memory stays. */
int boot_wake(struct machine *m, struct x86_state *bsp, struct error *err);

#endif
