/*
 * vmm/boot/pvh.c -- entering a kernel at its PVH entry point (Xen,
 * docs/misc/pvh.pandoc, "x86/HVM direct boot ABI", and
 * public/arch-x86/hvm/start_info.h): 32-bit protected mode, paging off, EBX
 * points to the start info.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/acpi.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

#define START_INFO_MAGIC 0x336ec578

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};

struct start_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

/* The types are those of E820 (ACPI 6.4, table 15.1). */
enum { MAP_RAM = 1, MAP_RESERVED = 2 };

struct start_map {
	uint64_t addr, size;
	uint32_t type, reserved;
};

enum { MAPS_MAX = 8 };

static void map_add(struct start_map *maps, unsigned int *n, uint64_t start,
		    uint64_t end, uint32_t type)
{
	if (start < end)
		maps[(*n)++] = (struct start_map){ .addr = start,
						   .size = end - start,
						   .type = type };
}

static unsigned int boot_memmap(const struct ram *ram, struct start_map *maps)
{
	const struct ram_region *r;
	unsigned int n_regions = ram_regions(ram, &r), n = 0;

	map_add(maps, &n, 0, BOOT_LOW_END, MAP_RAM);
	map_add(maps, &n, BOOT_LOW_END, 0xa0000, MAP_RESERVED);
	map_add(maps, &n, BOOT_ACPI_BASE, BOOT_KERNEL_MIN, MAP_RESERVED);
	map_add(maps, &n, BOOT_KERNEL_MIN, r[0].size, MAP_RAM);
	map_add(maps, &n, ECAM_BASE, ECAM_BASE + ECAM_SIZE, MAP_RESERVED);
	if (n_regions > 1)
		map_add(maps, &n, r[1].gpa, r[1].gpa + r[1].size, MAP_RAM);
	return n;
}

/* As high as the kernel allows, below 4 GiB, on a page boundary. */
static int boot_initrd(struct machine *m, uint64_t max, uint64_t min,
		       struct start_module *ret_mod, struct error *err)
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
	*ret_mod = (struct start_module){ .paddr = addr, .size = image.size };
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

static int boot_start_info(struct machine *m, const struct start_module *mod)
{
	struct start_map maps[MAPS_MAX];
	struct start_info si = {
		.magic = START_INFO_MAGIC,
		.version = 1,
		.nr_modules = mod->size ? 1 : 0,
		.modlist_paddr = BOOT_START_INFO + sizeof(si),
		.cmdline_paddr = BOOT_CMDLINE,
		.rsdp_paddr = BOOT_ACPI_BASE,
		.memmap_paddr = BOOT_MEMMAP,
		.memmap_entries = boot_memmap(m->ram, maps),
	};
	int r = ram_write(m->ram, BOOT_MEMMAP, maps,
			  si.memmap_entries * sizeof(maps[0]));

	if (r == 0)
		r = ram_write(m->ram, si.modlist_paddr, mod, sizeof(*mod));
	if (r == 0)
		r = ram_write(m->ram, BOOT_START_INFO, &si, sizeof(si));
	return r;
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
	if (!bzimage_probe(&image))
		return elf_load(&image, m->ram, ret_info, err);
	r = bzimage_unpack(&image, &bz, err);
	if (r < 0)
		return r;
	*ret_initrd_max = bz.initrd_max;
	r = elf_load(&bz.vmlinux, m->ram, ret_info, err);
	bzimage_finish(&bz);
	return r;
}

/* Flat 4 GiB segments, as the ABI says; TR as after a task switch. */
static void pvh_state(struct x86_state *s, uint32_t entry)
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
	s->gpr[X86_RBX] = BOOT_START_INFO;
	s->gpr[X86_RDX] = 0;
	s->rip = entry;
}

int boot_load(struct machine *m, struct x86_state *bsp, struct error *err)
{
	uint64_t initrd_max = 0x7fffffff; /* Linux' own limit */
	struct start_module mod = { 0 };
	struct elf_info info;
	int r;

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
		r = boot_reset_vector(m);
	if (r == 0)
		r = boot_start_info(m, &mod);
	if (r == 0)
		pvh_state(bsp, info.pvh_entry);
	return r;
}
