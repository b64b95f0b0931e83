/*
 * vmm/boot/load.c -- what every kernel needs around it: its initrd, command
 * line, firmware tables and reset vector; then the boot protocol it speaks.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/smbios.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

static void map_add(struct boot_map *maps, unsigned int *n, uint64_t start,
		    uint64_t end, uint32_t type)
{
	if (start < end)
		maps[(*n)++] = (struct boot_map){ start, end - start, type };
}

unsigned int boot_memmap(const struct ram *ram,
			 struct boot_map maps[BOOT_MAPS_MAX])
{
	const struct ram_region *r;
	unsigned int n_regions = ram_regions(ram, &r), n = 0;

	map_add(maps, &n, 0, BOOT_LOW_END, BOOT_MAP_RAM);
	map_add(maps, &n, BOOT_LOW_END, 0xa0000, BOOT_MAP_RESERVED);
	map_add(maps, &n, BOOT_ACPI_BASE, BOOT_KERNEL_MIN, BOOT_MAP_RESERVED);
	map_add(maps, &n, BOOT_KERNEL_MIN, r[0].size, BOOT_MAP_RAM);
	map_add(maps, &n, ECAM_BASE, ECAM_BASE + ECAM_SIZE, BOOT_MAP_RESERVED);
	if (n_regions > 1)
		map_add(maps, &n, r[1].gpa, r[1].gpa + r[1].size, BOOT_MAP_RAM);
	return n;
}

/* As high as the kernel allows, below 4 GiB, on a page boundary. */
static int boot_initrd(struct machine *m, uint64_t max, uint64_t min,
		       struct boot_module *ret_mod, struct error *err)
{
	const struct ram_region *r;
	struct image image;
	uint64_t top, addr;
	int ret = image_open(m->spec->initrd_fd, &image, err);

	if (ret < 0)
		return ret;
	ram_regions(m->ram, &r);
	top = MIN(r[0].size, max + 1);
	addr = ALIGN_DOWN(top - MIN(top, image.size), 4096);
	if (image.size > top || addr < min)
		return error_set(err, -ENOSPC,
				 "kernel and initrd (%llu MiB) do not fit into "
				 "the guest's memory",
				 (unsigned long long)(image.size / MIB));
	ret = image_read(&image, 0, ram_ptr(m->ram, addr, image.size),
			 image.size);
	if (ret < 0)
		return error_set(err, ret, "cannot read the initrd: %m");
	*ret_mod = (struct boot_module){ addr, image.size };
	return 0;
}

static int boot_cmdline(struct machine *m, struct error *err)
{
	const char *text = m->spec->cmdline ? m->spec->cmdline : "";
	size_t len = strlen(text) + 1;

	if (len > BOOT_CMDLINE_MAX)
		return error_set(err, -E2BIG,
				 "the kernel command line is longer than "
				 "%d bytes", BOOT_CMDLINE_MAX - 1);
	return ram_write(m->ram, BOOT_CMDLINE, text, len);
}

/*
 * What firmware would have there.  Linux on hardware-reduced ACPI without EFI
 * reboots by going back to real mode and jumping to it.
 */
static int boot_reset_vector(struct machine *m)
{
	static const uint8_t code[] = {
		0xba, ACPI_PM_RESET & 0xff, ACPI_PM_RESET >> 8, /* mov dx */
		0xb0, ACPI_PM_RESET_VALUE,			/* mov al */
		0xee,						/* out dx, al */
		0xf4,						/* hlt */
		0xeb, 0xfd,					/* jmp hlt */
	};

	return ram_write(m->ram, BOOT_RESET_VECTOR, code, sizeof(code));
}

static int boot_elf(struct machine *m, struct elf_info *ret_info,
		    uint64_t *ret_initrd_max, struct error *err)
{
	struct bzimage bz;
	struct image image;
	int r = image_open(m->spec->kernel_fd, &image, err);

	if (r < 0)
		return r;
	if (!bzimage_probe(&image)) {
		r = elf_load(&image, m->ram, ret_info, err);
		ret_info->multiboot = multiboot_probe(&image);
		return r;
	}
	r = bzimage_unpack(&image, &bz, err);
	if (r < 0)
		return r;
	*ret_initrd_max = bz.initrd_max;
	r = elf_load(&bz.vmlinux, m->ram, ret_info, err);
	bzimage_finish(&bz);
	return r;
}

void boot_flat32(struct x86_state *s, uint32_t entry)
{
	for (unsigned int i = 0; i < X86_SEGS; i++)
		s->seg[i] = (struct x86_segment){ .limit = UINT32_MAX,
						  .selector = 0x10,
						  .attr = 0xc093 };
	s->seg[X86_CS].selector = 0x08;
	s->seg[X86_CS].attr = 0xc09b;
	s->tr = (struct x86_segment){ .limit = 0x67, .selector = 0x18,
				      .attr = 0x008b };
	s->gdt = s->idt = (struct x86_table){ 0 };
	s->cr0 = 0x11; /* PE, ET */
	s->gpr[X86_RDX] = 0;
	s->rip = entry;
}

static int boot_enter(struct machine *m, const struct elf_info *info,
		      const struct boot_module *mod, struct x86_state *bsp,
		      struct error *err)
{
	if (info->pvh_entry)
		return pvh_setup(m, info, mod, bsp);
	if (info->multiboot)
		return multiboot_setup(m, info, mod, bsp);
	return error_set(err, -ENOEXEC,
			 "the kernel has no PVH entry point (Linux: "
			 "CONFIG_PVH) and no multiboot header");
}

int boot_load(struct machine *m, struct x86_state *bsp, struct error *err)
{
	uint64_t initrd_max = 0x7fffffff; /* Linux' own limit */
	struct boot_module mod = { 0 };
	struct elf_info info = { 0 };
	int r;

	if (m->q35 && m->spec->firmware_fd >= 0)
		return 0; /* its reset vector is the processor's own */
	if (ram_size(m->ram) <= BOOT_KERNEL_MIN)
		return error_set(err, -EINVAL,
				 "the guest's memory is too small for a "
				 "kernel");
	r = boot_elf(m, &info, &initrd_max, err);
	if (r == 0 && m->spec->initrd_fd >= 0)
		r = boot_initrd(m, initrd_max, info.end, &mod, err);
	if (r == 0)
		r = boot_cmdline(m, err);
	if (r == 0)
		r = acpi_write(m, err);
	if (r == 0)
		r = smbios_write(m, err);
	if (r == 0)
		r = boot_reset_vector(m);
	if (r == 0)
		r = boot_enter(m, &info, &mod, bsp, err);
	return r;
}
