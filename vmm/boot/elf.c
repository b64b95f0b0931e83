/*
 * vmm/boot/elf.c -- loading an ELF kernel (System V ABI, "Object Files" and
 * "Program Loading"), 32 and 64 bit, and finding its PVH entry point (Xen,
 * public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
 */
#include "vmm/boot/boot.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/ram.h"

enum { PHDRS_MAX = 128, NOTES_MAX = 64 * 1024, NOTE_PHYS32_ENTRY = 18 };

/* A program header of either class. */
struct segment {
	uint32_t type;
	uint64_t offset, paddr, filesz, memsz, align;
};

struct elf {
	bool is64;
	unsigned int phnum;
	uint64_t phoff, entry;
};

static int elf_header(const struct image *image, struct elf *ret_elf)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} h;

	if (image_read(image, 0, &h, sizeof(h)) < 0 ||
	    memcmp(h.ident, ELFMAG, SELFMAG) != 0 ||
	    h.ident[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	if (h.ident[EI_CLASS] == ELFCLASS64 && h.e64.e_machine == EM_X86_64 &&
	    h.e64.e_phentsize == sizeof(Elf64_Phdr))
		*ret_elf = (struct elf){ true, h.e64.e_phnum, h.e64.e_phoff,
					 h.e64.e_entry };
	else if (h.ident[EI_CLASS] == ELFCLASS32 &&
		 h.e32.e_machine == EM_386 &&
		 h.e32.e_phentsize == sizeof(Elf32_Phdr))
		*ret_elf = (struct elf){ false, h.e32.e_phnum, h.e32.e_phoff,
					 h.e32.e_entry };
	else
		return -EINVAL;
	return ret_elf->phnum && ret_elf->phnum <= PHDRS_MAX ? 0 : -EINVAL;
}

static int elf_segment(const struct image *image, const struct elf *elf,
		       unsigned int i, struct segment *ret_seg)
{
	Elf64_Phdr p64;
	Elf32_Phdr p32;
	uint64_t off;

	if (ckd_add(&off, elf->phoff,
		    i * (elf->is64 ? sizeof(p64) : sizeof(p32))))
		return -EINVAL;
	if (!elf->is64) {
		if (image_read(image, off, &p32, sizeof(p32)) < 0)
			return -EINVAL;
		*ret_seg = (struct segment){ p32.p_type,   p32.p_offset,
					     p32.p_paddr,  p32.p_filesz,
					     p32.p_memsz,  p32.p_align };
		return 0;
	}
	if (image_read(image, off, &p64, sizeof(p64)) < 0)
		return -EINVAL;
	*ret_seg = (struct segment){ p64.p_type,  p64.p_offset, p64.p_paddr,
				     p64.p_filesz, p64.p_memsz,	 p64.p_align };
	return 0;
}

static int elf_load_segment(const struct image *image, struct ram *ram,
			    const struct segment *s, struct elf_info *info)
{
	uint8_t *host = ram_ptr(ram, s->paddr, s->memsz);
	int r;

	if (!s->memsz)
		return 0;
	if (!host || s->paddr < BOOT_KERNEL_MIN || s->filesz > s->memsz)
		return -ERANGE;
	r = image_read(image, s->offset, host, s->filesz);
	if (r < 0)
		return r;
	memset(host + s->filesz, 0, s->memsz - s->filesz);
	info->end = MAX(info->end, s->paddr + s->memsz);
	return 0;
}

/* One note: header, name and descriptor, each padded to the alignment. */
static size_t note_size(const Elf32_Nhdr *n, size_t align)
{
	return sizeof(*n) + ALIGN_UP((size_t)n->n_namesz, align) +
	       ALIGN_UP((size_t)n->n_descsz, align);
}

static void elf_notes(const uint8_t *p, size_t len, size_t align,
		      struct elf_info *info)
{
	Elf32_Nhdr n;

	while (len >= sizeof(n)) {
		const uint8_t *desc;
		size_t size;

		memcpy(&n, p, sizeof(n));
		size = note_size(&n, align);
		if (size > len)
			return;
		desc = p + sizeof(n) + ALIGN_UP((size_t)n.n_namesz, align);
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    memcmp(p + sizeof(n), "Xen", 4) == 0 && n.n_descsz >= 4)
			memcpy(&info->pvh_entry, desc, 4);
		p += size;
		len -= size;
	}
}

static int elf_note_segment(const struct image *image,
			    const struct segment *s, struct elf_info *info)
{
	size_t len = MIN(s->filesz, NOTES_MAX);
	_cleanup_free_ uint8_t *notes = xmalloc(len + 1);

	if (image_read(image, s->offset, notes, len) < 0)
		return -EINVAL;
	elf_notes(notes, len, s->align == 8 ? 8 : 4, info);
	return 0;
}

int elf_load(const struct image *image, struct ram *ram,
	     struct elf_info *ret_info, struct error *err)
{
	struct elf_info info = { 0 };
	struct segment s;
	struct elf elf;

	if (elf_header(image, &elf) < 0)
		return error_set(err, -EINVAL,
				 "the kernel is neither a bzImage nor an "
				 "x86 ELF executable");
	for (unsigned int i = 0; i < elf.phnum; i++) {
		int r = elf_segment(image, &elf, i, &s);

		if (r == 0 && s.type == PT_LOAD)
			r = elf_load_segment(image, ram, &s, &info);
		else if (r == 0 && s.type == PT_NOTE)
			r = elf_note_segment(image, &s, &info);
		if (r == -ERANGE)
			return error_set(err, r,
					 "the kernel does not fit into the "
					 "guest's memory");
		if (r < 0)
			return error_set(err, r,
					 "the kernel's ELF file is damaged");
	}
	info.entry = elf.entry;
	*ret_info = info;
	return 0;
}
