/*
 * drivers/emu/mmu.c -- paging and the software TLB (SDM vol. 3, "Paging").
 *
 * The TLB is direct mapped, one table per view of the address space (user,
 * supervisor, supervisor with SMAP off).  PCIDs are not kept apart: a load of
 * CR3 drops what is not global.
 *
 * A page whose code was decoded has no write tag anywhere.  The first write
 * to it takes the slow path; when it is done it advances the page's generation
 * (which ends the life of its blocks), makes it an ordinary page again, and
 * waits until other vCPUs have dropped what they translated.  Another vCPU
 * may hold a write tag for a page that becomes code: the code is read when it
 * has dropped that (sync.c).  DMA is not seen here: mmu_fetch() compares a hash of
 * the page when an instruction TLB entry is filled, for a page whose contents
 * were replaced by a device is mapped anew before it is executed.
 */
#include "drivers/emu/exec.h"
#include "drivers/emu/lapic.h"
#include "vmm/bus.h"
#include "vmm/machine.h"

#define PTE_P	  BIT64(0)
#define PTE_W	  BIT64(1)
#define PTE_U	  BIT64(2)
#define PTE_A	  BIT64(5)
#define PTE_D	  BIT64(6)
#define PTE_PS	  BIT64(7)
#define PTE_G	  BIT64(8)
#define PTE_NX	  BIT64(63)
#define PTE_ADDR  0x000ffffffffff000ull
#define PHYS_BITS 40

#define PF_P	BIT(0)
#define PF_W	BIT(1)
#define PF_U	BIT(2)
#define PF_RSVD BIT(3)
#define PF_I	BIT(4)

struct walk {
	uint64_t phys; /* of the 4 KiB page */
	bool writable; /* for the view, and D is set */
	bool global, large;
};

/* Of memory that comes block by block. */
static bool has_block(const struct emu_slot *s, uint64_t at)
{
	uint64_t n = at >> s->block_shift;

	return s->blocks[n / 64] & BIT64(n % 64);
}

struct emu_slot *mmu_slot(struct emu_cpu *cpu, uint64_t phys)
{
	struct vm *vm = cpu->vm;

	for (unsigned int i = 0; i < vm->n_slots; i++) {
		struct emu_slot *s = &vm->slots[i];

		if (s->host && phys - s->gpa < s->size &&
		    (likely(!s->smm) || cpu->smm) &&
		    (likely(!s->blocks) || has_block(s, phys - s->gpa)))
			return s;
	}
	return NULL;
}

static void mark_dirty(struct emu_slot *s, uint64_t phys)
{
	uint64_t n = (phys - s->gpa) >> EMU_PAGE_SHIFT;

	atomic_fetch_or(&s->dirty[n / 64], BIT64(n % 64));
}

void emu_phys_io(struct emu_cpu *cpu, uint64_t phys, void *buf,
		 unsigned int size, bool is_write)
{
	struct emu_slot *s = mmu_slot(cpu, phys);

	if (s && s->size - (phys - s->gpa) >= size) {
		uint8_t *p = s->host + (phys - s->gpa);

		if (!is_write)
			memcpy(buf, p, size);
		else if (!s->readonly)
			memcpy(p, buf, size);
		if (is_write && s->dirty)
			mark_dirty(s, phys);
		return;
	}
	cpu->n_exits++;
	if (cpu->lapic && lapic_mmio(cpu, phys, buf, size, is_write))
		return;
	emu_quiet(cpu); /* a device may take its time */
	if (cpu->vm->m)
		bus_io(cpu->vm->m->mmio, phys, buf, size, is_write);
	else if (!is_write)
		memset(buf, 0xff, size);
	emu_busy(cpu);
}

static _Noreturn void page_fault(struct emu_cpu *cpu, unsigned int view,
				 uint64_t lin, enum emu_access access,
				 uint32_t error)
{
	if (access == ACCESS_WRITE)
		error |= PF_W;
	if (view == MMU_USER)
		error |= PF_U;
	if (access == ACCESS_EXEC &&
	    ((cpu->efer & EFER_NXE && cpu->cr4 & CR4_PAE) ||
	     cpu->cr4 & CR4_SMEP))
		error |= PF_I;
	cpu->cr2 = lin;
	emu_raise_err(cpu, EXC_PF, error);
}

/* One page-table entry, as memory that other vCPUs change at the same time. */
struct pte {
	uint64_t value;
	_Atomic uint64_t *p64; /* or p32; NULL: not RAM */
	_Atomic uint32_t *p32;
	struct emu_slot *logged; /* writes to phys are, or NULL */
	uint64_t phys;
};

static void pte_read(struct emu_cpu *cpu, uint64_t phys, unsigned int size,
		     struct pte *pte)
{
	struct emu_slot *s = mmu_slot(cpu, phys);

	pte->p64 = NULL;
	pte->p32 = NULL;
	pte->logged = s && s->dirty ? s : NULL;
	pte->phys = phys;
	if (!s) {
		pte->value = 0;
		emu_phys_io(cpu, phys, &pte->value, size, false);
	} else if (size == 8) {
		pte->p64 = (void *)(s->host + (phys - s->gpa));
		pte->value =
			atomic_load_explicit(pte->p64, memory_order_relaxed);
	} else {
		pte->p32 = (void *)(s->host + (phys - s->gpa));
		pte->value =
			atomic_load_explicit(pte->p32, memory_order_relaxed);
	}
}

/* Sets A or D; false: the entry changed meanwhile, walk again. */
static bool pte_set(struct pte *pte, uint64_t bits)
{
	uint64_t old = pte->value;
	uint32_t old32 = pte->value;

	if ((old & bits) == bits)
		return true;
	pte->value |= bits;
	if (pte->logged)
		mark_dirty(pte->logged, pte->phys);
	if (pte->p64)
		return atomic_compare_exchange_strong(pte->p64, &old,
						      old | bits);
	if (pte->p32)
		return atomic_compare_exchange_strong(pte->p32, &old32,
						      old32 | bits);
	return true;
}

struct paging {
	unsigned int top;   /* level of the root table: 4, 2 */
	unsigned int entry; /* bytes */
	unsigned int bits;  /* index bits a level */
	uint64_t table;	    /* physical address of the root */
};

static void paging_mode(struct emu_cpu *cpu, uint64_t lin, struct paging *pg)
{
	if (emu_long(cpu)) {
		*pg = (struct paging){ 4, 8, 9, cpu->cr3 & PTE_ADDR };
	} else if (cpu->cr4 & CR4_PAE) {
		*pg = (struct paging){ 2, 8, 9,
				       cpu->pdpte[(lin >> 30) & 3] & PTE_ADDR };
	} else {
		*pg = (struct paging){ 2, 4, 10, cpu->cr3 & 0xfffff000 };
	}
}

/* Reserved bits of a present entry. */
static bool pte_reserved(struct emu_cpu *cpu, const struct paging *pg,
			 unsigned int level, uint64_t v)
{
	if (pg->entry == 4)
		return false;
	if (v & (PTE_ADDR & ~(BIT64(PHYS_BITS) - 1)))
		return true;
	if (v & PTE_NX && !(cpu->efer & EFER_NXE))
		return true;
	if (pg->top == 2 && v & 0x7ff0000000000000ull)
		return true;
	if (!(v & PTE_PS))
		return false;
	if (level == 4)
		return true;
	if (level == 3)
		return v & 0x3fffe000;
	return level == 2 && v & 0x1fe000;
}

static bool pte_is_large(struct emu_cpu *cpu, const struct paging *pg,
			 unsigned int level, uint64_t v)
{
	if (level == 1 || !(v & PTE_PS))
		return false;
	return pg->entry == 8 || cpu->cr4 & CR4_PSE;
}

/* Physical page of lin under a leaf at this level. */
static uint64_t leaf_phys(const struct paging *pg, unsigned int level,
			  uint64_t v, uint64_t lin)
{
	uint64_t size = BIT64(12 + pg->bits * (level - 1));
	uint64_t base = v & PTE_ADDR;

	if (pg->entry == 4 && level == 2) /* PSE-36 */
		base = (v & 0xffc00000) | ((v & 0x1fe000) << 19);
	return (base & ~(size - 1)) | (lin & (size - 1) & EMU_PAGE_MASK);
}

/* What the view may not do with the page: an error code to raise, or 0. */
static bool denied(struct emu_cpu *cpu, unsigned int view,
		   enum emu_access access, bool rw, bool us, bool nx)
{
	if (access == ACCESS_EXEC && nx)
		return true;
	if (view == MMU_USER)
		return !us || (access == ACCESS_WRITE && !rw);
	if (us && access == ACCESS_EXEC)
		return cpu->cr4 & CR4_SMEP;
	if (us && view == MMU_KERNEL && cpu->cr4 & CR4_SMAP)
		return true;
	return access == ACCESS_WRITE && !rw && cpu->cr0 & CR0_WP;
}

static bool walk_try(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
		     enum emu_access access, struct walk *w)
{
	struct pte pte[5];
	struct paging pg;
	bool rw = true, us = true, nx = false;
	unsigned int level;
	uint64_t v;

	paging_mode(cpu, lin, &pg);
	if (pg.top == 2 && pg.entry == 8 &&
	    !(cpu->pdpte[(lin >> 30) & 3] & PTE_P))
		page_fault(cpu, view, lin, access, 0);
	for (level = pg.top;; level--) {
		unsigned int index = (lin >> (12 + pg.bits * (level - 1))) &
				     ((1u << pg.bits) - 1);

		pte_read(cpu, pg.table + (uint64_t)index * pg.entry, pg.entry,
			 &pte[level]);
		v = pte[level].value;
		if (!(v & PTE_P))
			page_fault(cpu, view, lin, access, 0);
		if (pte_reserved(cpu, &pg, level, v))
			page_fault(cpu, view, lin, access, PF_P | PF_RSVD);
		rw = rw && v & PTE_W;
		us = us && v & PTE_U;
		nx = nx || (pg.entry == 8 && v & PTE_NX);
		if (level == 1 || pte_is_large(cpu, &pg, level, v))
			break;
		pg.table = v & PTE_ADDR;
		if (pg.entry == 4)
			pg.table &= 0xfffff000;
	}
	if (denied(cpu, view, access, rw, us, nx))
		page_fault(cpu, view, lin, access, PF_P);

	for (unsigned int l = pg.top; l > level; l--)
		if (!pte_set(&pte[l], PTE_A))
			return false;
	if (!pte_set(&pte[level],
		     access == ACCESS_WRITE ? PTE_A | PTE_D : PTE_A))
		return false;

	w->phys = leaf_phys(&pg, level, v, lin);
	w->writable = pte[level].value & PTE_D &&
		      !denied(cpu, view, ACCESS_WRITE, rw, us, nx);
	w->global = v & PTE_G && cpu->cr4 & CR4_PGE;
	w->large = level > 1;
	return true;
}

/* One entry of a page table; 0 where there is no RAM. */
static uint64_t peek_entry(struct emu_cpu *cpu, uint64_t phys)
{
	struct emu_slot *s = mmu_slot(cpu, phys);

	return s ? *(volatile uint64_t *)(s->host + (phys - s->gpa)) : 0;
}

bool mmu_peek(struct emu_cpu *cpu, uint64_t lin, struct mmu_page *ret_page)
{
	struct paging pg;
	bool rw = true, us = true, nx = false, a = true;
	unsigned int level;
	uint64_t v;

	paging_mode(cpu, lin, &pg);
	for (level = pg.top;; level--) {
		unsigned int index = lin >> (3 + 9 * level) & 511;

		v = peek_entry(cpu, pg.table + 8 * index);
		if (!(v & PTE_P) || pte_reserved(cpu, &pg, level, v))
			return false;
		rw = rw && v & PTE_W;
		us = us && v & PTE_U;
		nx = nx || v & PTE_NX;
		a = a && v & PTE_A;
		if (level == 1 || pte_is_large(cpu, &pg, level, v))
			break;
		pg.table = v & PTE_ADDR;
	}
	*ret_page = (struct mmu_page){
		.phys = leaf_phys(&pg, level, v, lin) & ~cpu->vm->a20_off,
		.level = level,
		.writable = rw && v & PTE_D,
		.dirty = v & PTE_D,
		.executable = !nx,
	};
	return us && a;
}

/* Canonical addresses (SDM vol. 1, "Canonical Addressing"). */
static void check_canonical(struct emu_cpu *cpu, uint64_t lin)
{
	bool stack = cpu->cur && cpu->cur->seg == X86_SS;

	if ((uint64_t)((int64_t)(lin << 16) >> 16) != lin)
		emu_raise_err(cpu, stack ? EXC_SS : EXC_GP, 0);
}

/* A test has no page tables: its memory is what is mapped. */
static void walk_test(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
		      enum emu_access access, struct walk *w)
{
	struct emu_slot *s = mmu_slot(cpu, lin);

	if (emu_long(cpu))
		check_canonical(cpu, lin);
	if (!s)
		page_fault(cpu, view, lin, access, 0);
	if (access == ACCESS_WRITE && s->readonly)
		page_fault(cpu, view, lin, access, PF_P);
	*w = (struct walk){ .phys = lin & EMU_PAGE_MASK,
			    .writable = !s->readonly };
}

static void walk(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
		 enum emu_access access, struct walk *w)
{
	if (cpu->test) {
		walk_test(cpu, view, lin, access, w);
		return;
	}
	if (!(cpu->cr0 & CR0_PG)) {
		*w = (struct walk){ .phys = lin & EMU_PAGE_MASK,
				    .writable = true };
	} else {
		if (emu_long(cpu))
			check_canonical(cpu, lin);
		while (!walk_try(cpu, view, lin, access, w))
			continue;
	}
	w->phys &= ~cpu->vm->a20_off;
}

static uint32_t page_hash(const uint8_t *host)
{
	const uint64_t *p = (const uint64_t *)host;
	uint64_t a = 1, b = 2, c = 3, d = 4;
	const uint64_t k = 0x9e3779b97f4a7c15ull;

	for (unsigned int i = 0; i < EMU_PAGE / 8; i += 4) {
		a = (a ^ p[i]) * k;
		b = (b ^ p[i + 1]) * k;
		c = (c ^ p[i + 2]) * k;
		d = (d ^ p[i + 3]) * k;
	}
	a ^= b >> 7 ^ c << 9 ^ d >> 17;
	return (a * k) >> 32;
}

/*
 * A write is about to happen to a page that holds code.  The rest follows
 * when it has: emu_code_written().
 */
static void smc_write(struct emu_cpu *cpu, struct emu_page *page)
{
	if (cpu->n_smc == EMU_SMC_PAGES)
		emu_code_written(cpu);
	cpu->smc[cpu->n_smc++] = page;
	emu_pend(cpu, PEND_SMC);
	if (cpu->cur) /* end the block: it may be what is overwritten */
		cpu->block_end = cpu->cur + 1;
}

void mmu_make_data(struct emu_cpu *cpu, struct emu_page *page)
{
	smc_write(cpu, page);
	emu_code_written(cpu);
}

static uint64_t line_mask(unsigned int offset, unsigned int len)
{
	unsigned int first = offset / 64, last = (offset + len - 1) / 64;

	if (last > 63)
		last = 63;
	return (~0ull << first) & (~0ull >> (63 - last));
}

bool mmu_mark_lines(struct emu_cpu *cpu, struct emu_page *page,
		    unsigned int offset, unsigned int len)
{
	uint64_t mask = line_mask(offset, len);

	if ((atomic_load(&page->lines) & mask) == mask)
		return false;
	atomic_fetch_or(&page->lines, mask);
	return atomic_load(&cpu->vm->n_cpus) > 1;
}

enum { STORES_BESIDE = 500 };

/*
 * A store beside the code of its page goes through without a write tag.
 * Other vCPUs may decode that line meanwhile: then they have marked it before
 * they read it, and it is seen when the store is done.
 */
static bool store_beside(struct emu_cpu *cpu, struct emu_page *page,
			 uint64_t lin, unsigned int span)
{
	uint64_t mask;

	if (span > 64 || page->stores >= STORES_BESIDE)
		return false;
	mask = line_mask(lin & ~EMU_PAGE_MASK, span);
	if (atomic_load(&page->lines) & mask)
		return false;
	page->stores++;
	if (atomic_load(&cpu->vm->n_cpus) > 1) {
		if (cpu->line_page && cpu->line_page != page)
			mmu_check_lines(cpu);
		cpu->line_mask |= mask;
		cpu->line_page = page;
		emu_pend(cpu, PEND_LINES);
	}
	return true;
}

void mmu_check_lines(struct emu_cpu *cpu)
{
	struct emu_page *page = cpu->line_page;

	cpu->line_page = NULL;
	if (page && atomic_load(&page->lines) & cpu->line_mask)
		smc_write(cpu, page);
	cpu->line_mask = 0;
}

/* Are accesses through the user's view checked for alignment? */
static bool aligning(const struct emu_cpu *cpu)
{
	return cpu->tlb == &cpu->tlbs[MMU_ALIGN * EMU_TLB_SIZE];
}

/* #AC, which a #PF precedes, and data breakpoints. */
static void check_access(struct emu_cpu *cpu, uint64_t lin, unsigned int size,
			 enum emu_access access)
{
	if (unlikely(aligning(cpu)) && lin & (size - 1)) {
		emu_probe(cpu, MMU_USER, lin, size, access);
		emu_raise_err(cpu, EXC_AC, 0);
	}
	if (unlikely(cpu->watch))
		debug_access(cpu, lin, size, access);
}

/* Where a flush will find the entry. */
static void list_used(struct emu_cpu *cpu, struct emu_tlb *e, bool global)
{
	struct emu_tlb_used *u = &cpu->tlb_used[global];

	if (e->phys & TLB_USED << global)
		return;
	e->phys |= TLB_USED << global;
	u->at[u->n++] = e - cpu->tlbs;
}

/* Fills the entry for RAM; NULL with the physical address if it is not. */
static struct emu_tlb *tlb_fill(struct emu_cpu *cpu, unsigned int view,
				uint64_t lin, enum emu_access access,
				unsigned int span, uint64_t *ret_phys)
{
	struct emu_tlb *e = emu_tlb_view_at(cpu, view, lin);
	struct emu_slot *s;
	struct emu_page *page;
	struct walk w;
	bool rw;

	cpu->n_tlb_miss++;
	walk(cpu, view, lin, access, &w);
	*ret_phys = w.phys | (lin & ~EMU_PAGE_MASK);
	s = mmu_slot(cpu, w.phys);
	if (!s || (s->readonly && access == ACCESS_WRITE))
		return NULL;
	page = slot_page(s, w.phys);
	list_used(cpu, e, w.global);
	rw = access == ACCESS_WRITE;
	if (rw && s->dirty)
		mark_dirty(s, w.phys);
	if (!rw && w.writable && !s->dirty && !s->readonly)
		rw = !atomic_load(&page->code);
	if (rw && atomic_load(&page->code)) {
		if (store_beside(cpu, page, lin, span))
			rw = false;
		else
			smc_write(cpu, page);
	}
	e->rtag = lin & EMU_PAGE_MASK;
	e->wtag = rw ? e->rtag : tlb_invalid(cpu, e);
	e->addend = (uintptr_t)s->host + (w.phys - s->gpa) - e->rtag;
	e->phys = w.phys | (e->phys & (TLB_USED | TLB_USED << 1)) |
		  (w.global ? TLB_GLOBAL : 0) | (w.large ? TLB_LARGE : 0);
	if (w.large)
		cpu->large_pages = true;
	if (unlikely(cpu->watch) && debug_page_watched(cpu, lin)) {
		e->rtag = tlb_invalid(cpu, e);
		e->wtag = tlb_invalid(cpu, e);
	}
	if (unlikely(cpu->jit.lock) && rw)
		jit_lockstep_page(cpu, e);
	return e;
}

static struct emu_tlb *tlb_lookup(struct emu_cpu *cpu, unsigned int view,
				  uint64_t lin, enum emu_access access,
				  unsigned int span, uint64_t *ret_phys)
{
	struct emu_tlb *e = emu_tlb_view_at(cpu, view, lin);
	uint64_t tag = access == ACCESS_WRITE ? e->wtag : e->rtag;

	if (tag == (lin & EMU_PAGE_MASK))
		return e;
	return tlb_fill(cpu, view, lin, access, span, ret_phys);
}

/* A probe is followed by a store of as many bytes. */
#define STORE_SPAN(size) MIN((size), EMU_PAGE)

void emu_probe(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
	       size_t size, enum emu_access access)
{
	uint64_t phys, last = lin + size - 1;

	tlb_lookup(cpu, view, lin, access, STORE_SPAN(size), &phys);
	while ((lin & EMU_PAGE_MASK) != (last & EMU_PAGE_MASK)) {
		lin = (lin & EMU_PAGE_MASK) + EMU_PAGE;
		tlb_lookup(cpu, view, lin, access, STORE_SPAN(size), &phys);
	}
}

void *emu_host(struct emu_cpu *cpu, uint64_t lin, enum emu_access access)
{
	uint64_t phys;
	struct emu_tlb *e;

	/* The caller may go on to the end of the page. */
	e = tlb_lookup(cpu, emu_view(cpu), lin, access, EMU_PAGE, &phys);
	if (!e || aligning(cpu) ||
	    (unlikely(cpu->watch) && debug_page_watched(cpu, lin)))
		return NULL;
	return (void *)(lin + e->addend);
}

/* Within one page. */
static void access_page(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
			uint8_t *buf, size_t size, enum emu_access access)
{
	uint64_t phys;
	struct emu_tlb *e = tlb_lookup(cpu, view, lin, access, size, &phys);
	void *host = e ? (void *)(lin + e->addend) : NULL;
	unsigned int n;

	if (host && access == ACCESS_WRITE) {
		memcpy(host, buf, size);
		return;
	}
	if (host) {
		memcpy(buf, host, size);
		return;
	}
	for (; size; size -= n, buf += n, phys += n) {
		n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
		emu_phys_io(cpu, phys, buf, n, access == ACCESS_WRITE);
	}
}

static void access_any(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
		       uint8_t *buf, size_t size, enum emu_access access)
{
	size_t room = EMU_PAGE - (lin & ~EMU_PAGE_MASK);

	if (unlikely(cpu->watch))
		debug_access(cpu, lin, size, access);
	if (size > room)
		emu_probe(cpu, view, lin, size, access);
	while (size > room) {
		access_page(cpu, view, lin, buf, room, access);
		lin += room;
		buf += room;
		size -= room;
		room = EMU_PAGE;
	}
	access_page(cpu, view, lin, buf, size, access);
}

void emu_read(struct emu_cpu *cpu, unsigned int view, uint64_t lin, void *buf,
	      size_t size)
{
	access_any(cpu, view, lin, buf, size, ACCESS_READ);
}

void emu_write(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
	       const void *buf, size_t size)
{
	access_any(cpu, view, lin, (uint8_t *)buf, size, ACCESS_WRITE);
}

/* In one page: the entry is filled, and the access is one host access. */
uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t lin, unsigned int size)
{
	uint64_t v = 0, phys;
	struct emu_tlb *e;

	check_access(cpu, lin, size, ACCESS_READ);
	if ((lin & ~EMU_PAGE_MASK) > EMU_PAGE - size) {
		emu_read(cpu, emu_view(cpu), lin, &v, size);
		return v;
	}
	e = tlb_fill(cpu, emu_view(cpu), lin, ACCESS_READ, size, &phys);
	if (!e) {
		emu_phys_io(cpu, phys, &v, size, false);
		return v;
	}
	switch (size) {
	case 1:
		return *(volatile mem8 *)(lin + e->addend);
	case 2:
		return *(volatile mem16 *)(lin + e->addend);
	case 4:
		return *(volatile mem32 *)(lin + e->addend);
	default:
		return *(volatile mem64 *)(lin + e->addend);
	}
}

void emu_store_slow(struct emu_cpu *cpu, uint64_t lin, uint64_t v,
		    unsigned int size)
{
	struct emu_tlb *e;
	uint64_t phys;

	check_access(cpu, lin, size, ACCESS_WRITE);
	if ((lin & ~EMU_PAGE_MASK) > EMU_PAGE - size) {
		emu_write(cpu, emu_view(cpu), lin, &v, size);
		return;
	}
	e = tlb_fill(cpu, emu_view(cpu), lin, ACCESS_WRITE, size, &phys);
	if (!e) {
		emu_phys_io(cpu, phys, &v, size, true);
		return;
	}
	switch (size) {
	case 1:
		*(volatile mem8 *)(lin + e->addend) = v;
		break;
	case 2:
		*(volatile mem16 *)(lin + e->addend) = v;
		break;
	case 4:
		*(volatile mem32 *)(lin + e->addend) = v;
		break;
	default:
		*(volatile mem64 *)(lin + e->addend) = v;
		break;
	}
}

void *emu_rmw_slow(struct emu_cpu *cpu, uint64_t lin, unsigned int size)
{
	struct emu_tlb *e;
	uint64_t phys;

	check_access(cpu, lin, size, ACCESS_WRITE);
	if ((lin & ~EMU_PAGE_MASK) > EMU_PAGE - size) {
		emu_probe(cpu, emu_view(cpu), lin, size, ACCESS_WRITE);
		return NULL;
	}
	e = tlb_lookup(cpu, emu_view(cpu), lin, ACCESS_WRITE, size, &phys);
	return e ? (void *)(lin + e->addend) : NULL;
}

static void flush_entry(struct emu_cpu *cpu, struct emu_tlb *e)
{
	e->rtag = tlb_invalid(cpu, e);
	e->wtag = tlb_invalid(cpu, e);
}

/* Before the first use. */
void mmu_init(struct emu_cpu *cpu)
{
	/* A tag of zero is that of no page but the first, which is here. */
	for (unsigned int i = 0; i < MMU_VIEWS; i++) {
		struct emu_tlb *e = &cpu->tlbs[i * EMU_TLB_SIZE];

		e->rtag = e->wtag = tlb_invalid(cpu, e);
	}
}

static void flush_used(struct emu_cpu *cpu, bool global)
{
	struct emu_tlb_used *u = &cpu->tlb_used[global];
	uint64_t listed = TLB_USED << global;

	for (unsigned int n = 0; n < u->n; n++) {
		struct emu_tlb *e = &cpu->tlbs[u->at[n]];

		e->phys &= ~listed;
		/* It may have become one of the other kind. */
		if (!(e->phys & TLB_GLOBAL) == !global)
			flush_entry(cpu, e);
	}
	u->n = 0;
}

void mmu_flush(struct emu_cpu *cpu, bool global)
{
	cpu->n_tlb_flush++;
	flush_used(cpu, false);
	jit_forget_jumps(cpu, global);
	cpu->itlb_flushes++;
	if (global) {
		flush_used(cpu, true);
		for (unsigned int i = 0; i < EMU_ITLB_SIZE; i++)
			cpu->itlb[i].tag = TLB_INVALID;
		cpu->large_pages = false;
		direct_flush(cpu);
	}
	cpu->epoch++;
}

/*
 * A large page may have left several entries: then all of it that is not
 * known to be elsewhere has to go.
 */
static void flush_large(struct emu_cpu *cpu, uint64_t lin)
{
	for (unsigned int i = 0; i < emu_tlb_n_used(cpu); i++) {
		struct emu_tlb *e = emu_tlb_used(cpu, i);

		if (e->phys & TLB_LARGE && !((e->rtag ^ lin) >> 30))
			flush_entry(cpu, e);
	}
	for (unsigned int i = 0; i < EMU_ITLB_SIZE; i++)
		if (cpu->itlb[i].large && !((cpu->itlb[i].tag ^ lin) >> 30))
			cpu->itlb[i].tag = TLB_INVALID;
}

void mmu_flush_page(struct emu_cpu *cpu, uint64_t lin)
{
	unsigned int i = (lin >> EMU_PAGE_SHIFT) & (EMU_TLB_SIZE - 1);
	unsigned int j = (lin >> EMU_PAGE_SHIFT) & (EMU_ITLB_SIZE - 1);

	for (unsigned int view = 0; view < MMU_VIEWS; view++)
		if (cpu->tlbs[view * EMU_TLB_SIZE + i].rtag ==
		    (lin & EMU_PAGE_MASK))
			flush_entry(cpu, &cpu->tlbs[view * EMU_TLB_SIZE + i]);
	if ((cpu->itlb[j].tag & EMU_PAGE_MASK) == (lin & EMU_PAGE_MASK))
		cpu->itlb[j].tag = TLB_INVALID;
	if (cpu->large_pages)
		flush_large(cpu, lin);
	jit_forget_page(cpu, lin);
	direct_flush_page(cpu, lin);
	cpu->epoch++;
}

void mmu_align_view(struct emu_cpu *cpu)
{
	for (unsigned int i = 0; i < EMU_TLB_SIZE; i++) {
		struct emu_tlb *e = &cpu->tlbs[MMU_ALIGN * EMU_TLB_SIZE + i];

		e->rtag = tlb_invalid(cpu, e);
		e->wtag = tlb_invalid(cpu, e);
	}
}

void mmu_view(struct emu_cpu *cpu)
{
	unsigned int view = MMU_KERNEL;

	if (cpu->cpl == 3)
		view = cpu->rflags & FLAG_AC && cpu->cr0 & CR0_AM ? MMU_ALIGN
								   : MMU_USER;
	else if (cpu->rflags & FLAG_AC && cpu->cr4 & CR4_SMAP)
		view = MMU_KERNEL_AC;
	cpu->tlb = &cpu->tlbs[view * EMU_TLB_SIZE];
	jit_returns_view(cpu);
}

void mmu_load_pdpte(struct emu_cpu *cpu, uint64_t cr3)
{
	uint64_t pdpte[4];

	for (unsigned int i = 0; i < 4; i++) {
		struct pte pte;

		pte_read(cpu, (cr3 & 0xffffffe0) + 8 * i, 8, &pte);
		pdpte[i] = pte.value;
		if (pdpte[i] & PTE_P &&
		    pdpte[i] & (0x1e6 | ~(BIT64(PHYS_BITS) - 1)))
			emu_gp0(cpu);
	}
	memcpy(cpu->pdpte, pdpte, sizeof(pdpte));
}

void mmu_code_changed(struct emu_cpu *cpu, struct emu_page *page)
{
	struct emu_changes *c = &cpu->vm->changes;

	atomic_fetch_add(&page->gen, 1);
	pthread_mutex_lock(&c->lock);
	c->page[c->n++ % EMU_CHANGES] = page;
	pthread_mutex_unlock(&c->lock);
}

/* Has a device replaced the page since it was decoded? */
static void check_hash(struct emu_cpu *cpu, struct emu_page *page,
		       const uint8_t *host)
{
	uint32_t hash;

	if (!atomic_load(&page->code))
		return;
	hash = page_hash(host);
	if (hash == page->hash)
		return;
	page->hash = hash;
	mmu_code_changed(cpu, page);
	if (cpu->jit.priv) {
		emu_pend(cpu, PEND_CODE);
		emu_tell_others(cpu, PEND_CODE);
	}
}

static void itlb_fill(struct emu_cpu *cpu, struct emu_itlb *e, uint64_t lin)
{
	struct emu_slot *s;
	struct walk w;

	walk(cpu, cpu->cpl == 3 ? MMU_USER : MMU_KERNEL_AC, lin, ACCESS_EXEC,
	     &w);
	s = mmu_slot(cpu, w.phys);
	e->phys = w.phys;
	e->global = w.global;
	e->flushes = cpu->itlb_flushes;
	e->host = NULL;
	e->page = NULL;
	e->large = w.large;
	if (w.large)
		cpu->large_pages = true;
	if (s) {
		e->host = s->host + (w.phys - s->gpa);
		e->page = slot_page(s, w.phys);
		check_hash(cpu, e->page, e->host);
	}
	e->tag = (lin & EMU_PAGE_MASK) | (cpu->cpl == 3);
}

static unsigned int itlb_index(uint64_t lin)
{
	return (lin >> EMU_PAGE_SHIFT) & (EMU_ITLB_SIZE - 1);
}

const struct emu_itlb *mmu_fetched(const struct emu_cpu *cpu, uint64_t lin)
{
	const struct emu_itlb *e = &cpu->itlb[itlb_index(lin)];

	if (unlikely(e->tag != ((lin & EMU_PAGE_MASK) | (cpu->cpl == 3))) ||
	    (unlikely(e->flushes != cpu->itlb_flushes) && !e->global))
		return NULL;
	return e;
}

struct emu_itlb *mmu_fetch(struct emu_cpu *cpu, uint64_t lin)
{
	struct emu_itlb *e = &cpu->itlb[itlb_index(lin)];

	if (unlikely(!mmu_fetched(cpu, lin))) {
		e->tag = TLB_INVALID;
		itlb_fill(cpu, e, lin);
	}
	return e;
}

static void drop_writes_to(struct emu_cpu *cpu, uint64_t phys)
{
	for (unsigned int i = 0; i < emu_tlb_n_used(cpu); i++) {
		struct emu_tlb *e = emu_tlb_used(cpu, i);

		if ((e->phys & EMU_PAGE_MASK) == phys)
			e->wtag = tlb_invalid(cpu, e);
	}
	direct_drop_page(cpu, phys);
}

/* The page gets its first block; a write may come in between. */
static void become_code(struct emu_cpu *cpu, struct emu_page *page,
			uint64_t phys, const uint8_t *host)
{
	uint8_t marked;

	do {
		atomic_store(&page->code, PAGE_MARKED);
		drop_writes_to(cpu, phys);
		emu_sync_others(cpu, PEND_FLUSH);
		page->hash = page_hash(host);
		page->stores = 0;
		marked = PAGE_MARKED;
	} while (!atomic_compare_exchange_strong(&page->code, &marked,
						 PAGE_CODE) &&
		 marked != PAGE_CODE);
}

uint32_t mmu_mark_code(struct emu_cpu *cpu, struct emu_page *page,
		       uint64_t phys, const uint8_t *host)
{
	uint32_t gen;

	do {
		if (atomic_load(&page->code) != PAGE_CODE)
			become_code(cpu, page, phys, host);
		gen = atomic_load(&page->gen);
	} while (atomic_load(&page->code) != PAGE_CODE);
	return gen;
}

bool mmu_holds_code(struct emu_cpu *cpu, uint64_t phys)
{
	struct emu_slot *s = mmu_slot(cpu, phys);

	return s && atomic_load(&slot_page(s, phys)->code) != PAGE_DATA;
}

void mmu_drop_code_writes(struct emu_cpu *cpu)
{
	for (unsigned int i = 0; i < emu_tlb_n_used(cpu); i++) {
		struct emu_tlb *e = emu_tlb_used(cpu, i);

		if (tlb_valid(e->wtag) &&
		    mmu_holds_code(cpu, e->phys & EMU_PAGE_MASK))
			e->wtag = tlb_invalid(cpu, e);
	}
	direct_drop_code(cpu);
}

void mmu_drop_writes(struct emu_cpu *cpu)
{
	for (unsigned int i = 0; i < emu_tlb_n_used(cpu); i++)
		tlb_no_writes(cpu, emu_tlb_used(cpu, i));
	direct_forget(cpu);
}

uint64_t emu_linear(struct emu_cpu *cpu, unsigned int seg, uint64_t offset,
		    unsigned int size, enum emu_access access)
{
	const struct x86_segment *s = &cpu->seg[seg];
	uint8_t vector = seg == X86_SS ? EXC_SS : EXC_GP;

	if (cpu->mode == MODE_64)
		return seg >= X86_FS ? s->base + offset : offset;
	if (s->unusable)
		emu_raise_err(cpu, vector, 0);
	if (emu_protected(cpu)) {
		bool code = s->attr & 8;

		if (access == ACCESS_WRITE && (code || !(s->attr & 2)))
			emu_raise_err(cpu, vector, 0);
		if (access == ACCESS_READ && code && !(s->attr & 2))
			emu_raise_err(cpu, vector, 0);
	}
	if (!seg_holds(s, offset, size))
		emu_raise_err(cpu, vector, 0);
	return (uint32_t)(s->base + offset);
}

static uint64_t ea_mask(const struct emu_insn *i, uint64_t ea)
{
	if (i->ea_slow & EA_ADDR16)
		return (uint16_t)ea;
	if (i->ea_slow & EA_ADDR32)
		return (uint32_t)ea;
	return ea;
}

uint64_t emu_ea_slow(struct emu_cpu *cpu, const struct emu_insn *i, uint64_t ea,
		     unsigned int size, enum emu_access access)
{
	if (i->ea_slow & EA_BIG)
		ea += i->imm;
	ea = ea_mask(i, ea);
	if (i->ea_slow & EA_LEGACY)
		return emu_linear(cpu, i->seg, ea, size, access);
	if (i->ea_slow & EA_SEGBASE)
		ea += cpu->seg[i->seg].base;
	return ea;
}

uint64_t emu_ea_offset(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t ea = emu_reg64(cpu, i->base) +
		      (emu_reg64(cpu, i->index) << i->scale) + (int64_t)i->disp;

	if (i->ea_slow & EA_BIG)
		ea += i->imm;
	return ea_mask(i, ea);
}
