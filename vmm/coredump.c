/*
 * vmm/coredump.c -- a guest as an ELF core file (System V gABI, "Object Files"
 * and "Program Loading"; the x86-64 psABI's registers).
 *
 * One PT_LOAD for each piece of memory: its physical address is p_paddr.  Two
 * notes for each vCPU: NT_PRSTATUS, which gdb knows, and the one named "QEMU"
 * with segments and control registers, by which crash finds where a kernel put
 * itself.  Pages of zeros are holes in the file.
 */
#include "vmm/coredump.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/progress.h"
#include "vmm/ram.h"
#include "vmm/x86.h"

/* #syscalls:vmm pwrite64 ftruncate */

enum { CHUNK = 1 << 20, PAGE = 4096, MSR_KERNEL_GS_BASE = 0xc0000102u };

/* ---- notes ---- */

struct qemu_segment {
	uint32_t selector, limit, flags, pad;
	uint64_t base;
};

/* Version 1. */
struct qemu_cpu {
	uint32_t version, size;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8_15[8];
	uint64_t rip, rflags;
	struct qemu_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
	uint64_t cr[5];
	uint64_t kernel_gs_base;
};

static void add_note(struct buf *b, const char *name, uint32_t type,
		     const void *desc, size_t len)
{
	static const char zeros[4];
	size_t name_len = strlen(name) + 1;
	Elf64_Nhdr h = { name_len, len, type };

	buf_add(b, &h, sizeof(h));
	buf_add(b, name, name_len);
	buf_add(b, zeros, -name_len & 3);
	buf_add(b, desc, len);
	buf_add(b, zeros, -len & 3);
}

static void add_prstatus(struct buf *b, const struct x86_state *s,
			 unsigned int cpu)
{
	struct user_regs_struct r = {
		.r15 = s->gpr[X86_R15], .r14 = s->gpr[X86_R14],
		.r13 = s->gpr[X86_R13], .r12 = s->gpr[X86_R12],
		.rbp = s->gpr[X86_RBP], .rbx = s->gpr[X86_RBX],
		.r11 = s->gpr[X86_R11], .r10 = s->gpr[X86_R10],
		.r9 = s->gpr[X86_R9],	.r8 = s->gpr[X86_R8],
		.rax = s->gpr[X86_RAX], .rcx = s->gpr[X86_RCX],
		.rdx = s->gpr[X86_RDX], .rsi = s->gpr[X86_RSI],
		.rdi = s->gpr[X86_RDI], .orig_rax = s->gpr[X86_RAX],
		.rip = s->rip,		.eflags = s->rflags,
		.rsp = s->gpr[X86_RSP], .cs = s->seg[X86_CS].selector,
		.ss = s->seg[X86_SS].selector, .ds = s->seg[X86_DS].selector,
		.es = s->seg[X86_ES].selector, .fs = s->seg[X86_FS].selector,
		.gs = s->seg[X86_GS].selector,
		.fs_base = s->seg[X86_FS].base,
		.gs_base = s->seg[X86_GS].base,
	};
	struct elf_prstatus note = { .pr_pid = cpu + 1 };

	memcpy(&note.pr_reg, &r, sizeof(note.pr_reg));
	add_note(b, "CORE", NT_PRSTATUS, &note, sizeof(note));
}

/* Its flags are a descriptor's second word: attributes from bit 8 on. */
static struct qemu_segment segment(const struct x86_segment *s)
{
	return (struct qemu_segment){
		.selector = s->selector,
		.limit = s->limit,
		.flags = (uint32_t)s->attr << 8,
		.base = s->base,
	};
}

static struct qemu_segment table(const struct x86_table *t)
{
	return (struct qemu_segment){ .limit = t->limit, .base = t->base };
}

static uint64_t msr(const struct x86_state *s, uint32_t index)
{
	for (uint32_t i = 0; i < s->n_msrs; i++)
		if (s->msrs[i].index == index)
			return s->msrs[i].value;
	return 0;
}

static void add_qemu(struct buf *b, const struct x86_state *s)
{
	struct qemu_cpu note = {
		.version = 1,
		.size = sizeof(note),
		.rax = s->gpr[X86_RAX], .rbx = s->gpr[X86_RBX],
		.rcx = s->gpr[X86_RCX], .rdx = s->gpr[X86_RDX],
		.rsi = s->gpr[X86_RSI], .rdi = s->gpr[X86_RDI],
		.rsp = s->gpr[X86_RSP], .rbp = s->gpr[X86_RBP],
		.rip = s->rip,
		.rflags = s->rflags,
		.cs = segment(&s->seg[X86_CS]), .ds = segment(&s->seg[X86_DS]),
		.es = segment(&s->seg[X86_ES]), .fs = segment(&s->seg[X86_FS]),
		.gs = segment(&s->seg[X86_GS]), .ss = segment(&s->seg[X86_SS]),
		.ldt = segment(&s->ldt), .tr = segment(&s->tr),
		.gdt = table(&s->gdt), .idt = table(&s->idt),
		.cr = { s->cr0, 0, s->cr2, s->cr3, s->cr4 },
		.kernel_gs_base = msr(s, MSR_KERNEL_GS_BASE),
	};

	memcpy(note.r8_15, &s->gpr[X86_R8], sizeof(note.r8_15));
	add_note(b, "QEMU", 0, &note, sizeof(note));
}

/* ---- the file ---- */

enum { REGIONS_MAX = 4096 }; /* ELF's own limit is 65534 */

struct dump {
	int fd;
	struct progress *p;
	struct error *err;
	unsigned int n;
	struct ram_region region[REGIONS_MAX];
};

static int put(struct dump *d, uint64_t at, const void *data, size_t len)
{
	while (len) {
		ssize_t n = pwrite(d->fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(d->err, n ? -errno : -EIO,
					 "cannot write the core dump: %m");
		at += n;
		data = (const char *)data + n;
		len -= n;
		atomic_fetch_add(&d->p->written, (uint64_t)n);
	}
	return 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static int put_chunk(struct dump *d, uint64_t at, const uint8_t *host,
		     size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		bool zero = is_zero(host + i, PAGE);
		int r;

		for (n = PAGE; i + n < len; n += PAGE)
			if (is_zero(host + i + n, PAGE) != zero)
				break;
		atomic_fetch_add(zero ? &d->p->zero : &d->p->normal, n / PAGE);
		r = zero ? 0 : put(d, at + i, host + i, n);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(&d->p->done, len);
	return 0;
}

static int put_region(struct dump *d, uint64_t at,
		      const struct ram_region *region)
{
	int r = 0;

	for (uint64_t i = 0; i < region->size && r == 0; i += CHUNK) {
		if (atomic_load(&d->p->cancel))
			return error_set(d->err, -ECANCELED,
					 "dumping was cancelled");
		r = put_chunk(d, at + i, region->host + i,
			      MIN(region->size - i, (uint64_t)CHUNK));
	}
	return r;
}

static void add_headers(const struct dump *d, size_t notes, struct buf *b)
{
	size_t start = sizeof(Elf64_Ehdr) + (d->n + 1) * sizeof(Elf64_Phdr);
	uint64_t at = ALIGN_UP(start + notes, (uint64_t)PAGE);
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = d->n + 1,
	};
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = start,
			    .p_filesz = notes, .p_memsz = notes };

	buf_add(b, &e, sizeof(e));
	buf_add(b, &note, sizeof(note));
	for (unsigned int i = 0; i < d->n; i++) {
		Elf64_Phdr load = {
			.p_type = PT_LOAD,
			.p_offset = at,
			.p_paddr = d->region[i].gpa,
			.p_filesz = d->region[i].size,
			.p_memsz = d->region[i].size,
		};

		buf_add(b, &load, sizeof(load));
		at += d->region[i].size;
	}
}

static int write_all(struct dump *d, const struct buf *notes)
{
	_cleanup_buf_ struct buf head = { 0 };
	uint64_t at;
	int r;

	add_headers(d, notes->len, &head);
	buf_add(&head, notes->data, notes->len);
	at = ALIGN_UP((uint64_t)head.len, (uint64_t)PAGE);
	r = put(d, 0, head.data, head.len);
	for (unsigned int i = 0; i < d->n && r == 0; i++) {
		r = put_region(d, at, &d->region[i]);
		at += d->region[i].size;
	}
	if (r == 0 && ftruncate(d->fd, (off_t)at) < 0)
		r = error_set(d->err, -errno,
			      "cannot write the core dump: %m");
	return r;
}

int coredump_write(struct machine *m, const struct x86_state *cpus,
		   unsigned int n_cpus, int fd, struct progress *p,
		   struct error *err)
{
	_cleanup_free_ struct dump *d = xcalloc(1, sizeof(*d));
	_cleanup_buf_ struct buf notes = { 0 };
	int r;

	d->fd = fd;
	d->p = p;
	d->err = err;
	d->n = ram_list(m->ram, false, d->region, REGIONS_MAX);
	atomic_store(&p->started, now_ns());
	for (unsigned int i = 0; i < d->n; i++)
		atomic_fetch_add(&p->total, d->region[i].size);
	for (unsigned int i = 0; i < n_cpus; i++)
		add_prstatus(&notes, &cpus[i], i);
	for (unsigned int i = 0; i < n_cpus; i++)
		add_qemu(&notes, &cpus[i]);
	r = write_all(d, &notes);
	atomic_store(&p->finished, now_ns());
	return r;
}
