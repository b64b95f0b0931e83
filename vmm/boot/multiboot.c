/*
 * vmm/boot/multiboot.c -- entering a kernel as the Multiboot Specification
 * 0.6.96 says: 32-bit protected mode, paging off, EAX is a magic number, EBX
 * points to the information structure.  ELF kernels only (header flag 16,
 * addresses in the header, is not for them).
 */
#include "vmm/boot/boot.h"

#include <string.h>

#include "base/util.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

/* 3.1: the header is in the first 8 KiB, four-byte aligned. */
#define HEADER_MAGIC 0x1badb002u
enum { HEADER_AREA = 8192, HEADER_MUST_KNOW = 0xfffc /* bits 2 to 15 */ };

#define LOADER_MAGIC 0x2badb002u

/* 3.3, flags of the information structure. */
enum { INFO_MEMORY = BIT(0), INFO_CMDLINE = BIT(2), INFO_MODS = BIT(3),
       INFO_MMAP = BIT(6) };

struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
	uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	uint32_t reserved[16];
};

struct mb_module {
	uint32_t start, end, string, reserved;
};

struct mb_map {
	uint32_t size; /* of what follows */
	uint64_t addr, length;
	uint32_t type;
} __attribute__((packed));

bool multiboot_probe(const struct image *image)
{
	uint32_t head[HEADER_AREA / 4];
	size_t n = MIN(image->size, sizeof(head)) / 4;

	if (image_read(image, 0, head, n * 4) < 0)
		return false;
	for (size_t i = 0; i + 2 < n; i++)
		if (head[i] == HEADER_MAGIC && !(head[i + 1] & HEADER_MUST_KNOW))
			return head[i] + head[i + 1] + head[i + 2] == 0;
	return false;
}

static int write_maps(struct machine *m, struct mb_info *info)
{
	struct boot_map maps[BOOT_MAPS_MAX];
	struct mb_map out[BOOT_MAPS_MAX];
	unsigned int n = boot_memmap(m->ram, maps);

	for (unsigned int i = 0; i < n; i++)
		out[i] = (struct mb_map){ sizeof(out[i]) - sizeof(out[i].size),
					  maps[i].addr, maps[i].size,
					  maps[i].type };
	info->mmap_addr = BOOT_MEMMAP;
	info->mmap_length = n * sizeof(out[0]);
	return ram_write(m->ram, BOOT_MEMMAP, out, info->mmap_length);
}

/* 3.3, "cmdline": by custom the first word is the kernel's name. */
static int write_cmdline(struct machine *m)
{
	static const char name[] = "kernel ";
	const char *text = m->spec->cmdline ? m->spec->cmdline : "";
	int r = ram_write(m->ram, BOOT_CMDLINE, name, sizeof(name) - 1);

	if (r == 0)
		r = ram_write(m->ram, BOOT_CMDLINE + sizeof(name) - 1, text,
			      strlen(text) + 1);
	return r;
}

int multiboot_setup(struct machine *m, const struct elf_info *info,
		    const struct boot_module *mod, struct x86_state *bsp)
{
	const struct ram_region *region;
	struct mb_info mbi = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP,
		.mem_lower = BOOT_LOW_END / KIB,
		.cmdline = BOOT_CMDLINE,
		.mods_count = mod->size ? 1 : 0,
		.mods_addr = BOOT_START_INFO + sizeof(mbi),
	};
	/* Its string is the empty one in its own reserved field. */
	struct mb_module module = {
		mod->addr, mod->addr + mod->size,
		mbi.mods_addr + offsetof(struct mb_module, reserved), 0
	};
	int r = write_maps(m, &mbi);

	ram_regions(m->ram, &region);
	mbi.mem_upper = (region[0].size - BOOT_KERNEL_MIN) / KIB;
	if (r == 0)
		r = write_cmdline(m);
	if (r == 0)
		r = ram_write(m->ram, mbi.mods_addr, &module, sizeof(module));
	if (r == 0)
		r = ram_write(m->ram, BOOT_START_INFO, &mbi, sizeof(mbi));
	boot_flat32(bsp, info->entry);
	bsp->gpr[X86_RAX] = LOADER_MAGIC;
	bsp->gpr[X86_RBX] = BOOT_START_INFO;
	return r;
}
