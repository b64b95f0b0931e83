/*
 * vmm/boot/pvh.c -- entering a kernel at its PVH entry point (Xen,
 * docs/misc/pvh.pandoc, "x86/HVM direct boot ABI", and
 * public/arch-x86/hvm/start_info.h): 32-bit protected mode, paging off, EBX
 * points to the start info.
 */
#include "vmm/boot/boot.h"

#include "vmm/machine.h"
#include "vmm/ram.h"
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

struct start_map {
	uint64_t addr, size;
	uint32_t type, reserved;
};

static unsigned int start_maps(const struct ram *ram,
			       struct start_map out[BOOT_MAPS_MAX])
{
	struct boot_map maps[BOOT_MAPS_MAX];
	unsigned int n = boot_memmap(ram, maps);

	for (unsigned int i = 0; i < n; i++)
		out[i] = (struct start_map){ .addr = maps[i].addr,
					     .size = maps[i].size,
					     .type = maps[i].type };
	return n;
}

int pvh_setup(struct machine *m, const struct elf_info *info,
	      const struct boot_module *mod, struct x86_state *bsp)
{
	struct start_map maps[BOOT_MAPS_MAX];
	struct start_module module = { .paddr = mod->addr, .size = mod->size };
	struct start_info si = {
		.magic = START_INFO_MAGIC,
		.version = 1,
		.nr_modules = mod->size ? 1 : 0,
		.modlist_paddr = BOOT_START_INFO + sizeof(si),
		.cmdline_paddr = BOOT_CMDLINE,
		.rsdp_paddr = BOOT_ACPI_BASE,
		.memmap_paddr = BOOT_MEMMAP,
		.memmap_entries = start_maps(m->ram, maps),
	};
	int r = ram_write(m->ram, BOOT_MEMMAP, maps,
			  si.memmap_entries * sizeof(maps[0]));

	if (r == 0)
		r = ram_write(m->ram, si.modlist_paddr, &module,
			      sizeof(module));
	if (r == 0)
		r = ram_write(m->ram, BOOT_START_INFO, &si, sizeof(si));
	boot_flat32(bsp, info->pvh_entry);
	bsp->gpr[X86_RBX] = BOOT_START_INFO;
	return r;
}
