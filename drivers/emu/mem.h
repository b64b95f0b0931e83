/*
 * drivers/emu/mem.h -- guest memory: the inline fast path of the software TLB
 * and what lies behind it (mmu.c).
 *
 * An access of natural alignment is one host access, so that vCPUs on
 * different threads see what processors would see.
 */
#ifndef EMU_MEM_H
#define EMU_MEM_H

#include "drivers/emu/cpu.h"

/* Types for host accesses to guest memory: any alignment, any alias. */
typedef uint8_t __attribute__((may_alias)) mem8;
typedef uint16_t __attribute__((may_alias, aligned(1))) mem16;
typedef uint32_t __attribute__((may_alias, aligned(1))) mem32;
typedef uint64_t __attribute__((may_alias, aligned(1))) mem64;

/* All of these raise #PF, #GP or #SS and do not return then. */
uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t lin, unsigned int size);
void emu_store_slow(struct emu_cpu *cpu, uint64_t lin, uint64_t value,
		    unsigned int size);
void *emu_rmw_slow(struct emu_cpu *cpu, uint64_t lin, unsigned int size);
uint64_t emu_ea_slow(struct emu_cpu *cpu, const struct emu_insn *i, uint64_t ea,
		     unsigned int size, enum emu_access access);

/* Any size, any view; a store is checked as a whole before it begins. */
void emu_read(struct emu_cpu *cpu, unsigned int view, uint64_t lin, void *buf,
	      size_t size);
void emu_write(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
	       const void *buf, size_t size);
void emu_probe(struct emu_cpu *cpu, unsigned int view, uint64_t lin,
	       size_t size, enum emu_access access);

/*
 * Host address of lin if it is RAM that this access may touch in place, and
 * how many bytes follow on the page (downwards for a negative step is the
 * caller's business); NULL: use the slow way.
 */
void *emu_host(struct emu_cpu *cpu, uint64_t lin, enum emu_access access);

/* Descriptor tables and the like: the supervisor's view whatever CPL is. */
static inline uint64_t emu_sys_load(struct emu_cpu *cpu, uint64_t lin,
				    unsigned int size)
{
	uint64_t v = 0;

	emu_read(cpu, MMU_KERNEL, lin, &v, size);
	return v;
}

static inline void emu_sys_store(struct emu_cpu *cpu, uint64_t lin, uint64_t v,
				 unsigned int size)
{
	emu_write(cpu, MMU_KERNEL, lin, &v, size);
}

static inline struct emu_tlb *emu_tlb_at(struct emu_cpu *cpu, uint64_t lin)
{
	return &cpu->tlb[(lin >> EMU_PAGE_SHIFT) & (EMU_TLB_SIZE - 1)];
}

static inline struct emu_tlb *emu_tlb_view_at(struct emu_cpu *cpu,
					      unsigned int view, uint64_t lin)
{
	return &cpu->tlbs[view * EMU_TLB_SIZE +
			  ((lin >> EMU_PAGE_SHIFT) & (EMU_TLB_SIZE - 1))];
}

/* All entries in use, some of them twice. */
static inline unsigned int emu_tlb_n_used(const struct emu_cpu *cpu)
{
	return cpu->tlb_used[0].n + cpu->tlb_used[1].n;
}

static inline struct emu_tlb *emu_tlb_used(struct emu_cpu *cpu, unsigned int n)
{
	const struct emu_tlb_used *u = cpu->tlb_used;

	if (n >= u[0].n)
		return &cpu->tlbs[u[1].at[n - u[0].n]];
	return &cpu->tlbs[u[0].at[n]];
}

/*
 * The tag of an entry that is not valid is no page that the entry is for:
 * translated code only looks whether address ^ tag is small, and 0xff...f is
 * close to all addresses of the last page.
 */
static inline uint64_t tlb_invalid(const struct emu_cpu *cpu,
				   const struct emu_tlb *e)
{
	return TLB_INVALID ^ (uint64_t)((e - cpu->tlbs) & 1) << EMU_PAGE_SHIFT;
}

static inline bool tlb_valid(uint64_t tag)
{
	return !(tag & ~EMU_PAGE_MASK);
}

static inline void tlb_no_writes(struct emu_cpu *cpu, struct emu_tlb *e)
{
	e->wtag = tlb_invalid(cpu, e);
}

/* The view that the current privilege gives. */
static inline unsigned int emu_view(const struct emu_cpu *cpu)
{
	unsigned int view = (cpu->tlb - cpu->tlbs) / EMU_TLB_SIZE;

	return view == MMU_ALIGN ? MMU_USER : view;
}

/* Of the translator's tables, that of the current view and mode. */
static inline unsigned int jit_table(const struct emu_cpu *cpu)
{
	return emu_view(cpu) + (cpu->mode == MODE_64 ? 0 : MMU_VIEWS);
}

static inline bool emu_tlb_hit(uint64_t tag, uint64_t lin, unsigned int size)
{
	return likely(tag == (lin & EMU_PAGE_MASK)) &&
	       likely((lin & ~EMU_PAGE_MASK) <= EMU_PAGE - size);
}

#define MEM_ACCESSORS(w)                                                   \
	static inline uint##w##_t emu_load##w(struct emu_cpu *cpu,         \
					      uint64_t lin)                \
	{                                                                  \
		struct emu_tlb *e = emu_tlb_at(cpu, lin);                  \
		if (emu_tlb_hit(e->rtag, lin, w / 8))                      \
			return *(volatile mem##w *)(lin + e->addend);      \
		return emu_load_slow(cpu, lin, w / 8);                     \
	}                                                                  \
	static inline void emu_store##w(struct emu_cpu *cpu, uint64_t lin, \
					uint##w##_t v)                     \
	{                                                                  \
		struct emu_tlb *e = emu_tlb_at(cpu, lin);                  \
		if (emu_tlb_hit(e->wtag, lin, w / 8))                      \
			*(volatile mem##w *)(lin + e->addend) = v;         \
		else                                                       \
			emu_store_slow(cpu, lin, v, w / 8);                \
	}
MEM_ACCESSORS(8)
MEM_ACCESSORS(16)
MEM_ACCESSORS(32)
MEM_ACCESSORS(64)
#undef MEM_ACCESSORS

/*
 * Host address for a read-modify-write, or NULL (not RAM, or crossing a
 * page): then load and store separately, both have been checked.
 */
static inline void *emu_rmw(struct emu_cpu *cpu, uint64_t lin,
			    unsigned int size)
{
	struct emu_tlb *e = emu_tlb_at(cpu, lin);

	if (emu_tlb_hit(e->wtag, lin, size))
		return (void *)(lin + e->addend);
	return emu_rmw_slow(cpu, lin, size);
}

static inline uint64_t emu_reg64(const struct emu_cpu *cpu, unsigned int off)
{
	return *(const uint64_t *)((const uint8_t *)cpu->gpr + off);
}

/* Linear address of the memory operand. */
static inline uint64_t emu_ea(struct emu_cpu *cpu, const struct emu_insn *i,
			      unsigned int size, enum emu_access access)
{
	uint64_t ea = emu_reg64(cpu, i->base) +
		      (emu_reg64(cpu, i->index) << i->scale) + (int64_t)i->disp;

	if (unlikely(i->ea_slow))
		return emu_ea_slow(cpu, i, ea, size, access);
	return ea;
}

/* The offset alone, in the address size: LEA, string instructions. */
uint64_t emu_ea_offset(struct emu_cpu *cpu, const struct emu_insn *i);

/* Checks offset..+size against a segment (legacy) and adds its base. */
uint64_t emu_linear(struct emu_cpu *cpu, unsigned int seg, uint64_t offset,
		    unsigned int size, enum emu_access access);

/*
 * jit_block.c: what translated code remembers of linear addresses goes: all,
 * what is not global, or one page.
 */
void jit_forget_jumps(struct emu_cpu *cpu, bool global);
void jit_forget_page(struct emu_cpu *cpu, uint64_t lin);
/* jit_return.c: the same for what it remembers of calls. */
void jit_forget_returns(struct emu_cpu *cpu);
void jit_returns_view(struct emu_cpu *cpu); /* after a change of it */
/* mmu.c: ends the life of all that was decoded or translated of the page. */
void mmu_code_changed(struct emu_cpu *cpu, struct emu_page *page);
/* run.c: ends what a write to code began, once it is there. */
void emu_code_written(struct emu_cpu *cpu);

/* jit_lockstep.c: the page will be written to. */
void jit_lockstep_page(struct emu_cpu *cpu, const struct emu_tlb *e);

void mmu_init(struct emu_cpu *cpu);
/* mmu.c: after changes of CR0, CR3, CR4, EFER, CPL or RFLAGS.AC. */
void mmu_flush(struct emu_cpu *cpu, bool global);
void mmu_flush_page(struct emu_cpu *cpu, uint64_t lin);
void mmu_view(struct emu_cpu *cpu);
void mmu_align_view(struct emu_cpu *cpu); /* once, at creation */
/* Loads PDPTEs (PAE); raises #GP(0) for reserved bits. */
void mmu_load_pdpte(struct emu_cpu *cpu, uint64_t cr3);

/* Finds the page to fetch from; raises #PF. */
struct emu_itlb *mmu_fetch(struct emu_cpu *cpu, uint64_t lin);
/* The same if that needs no look at page tables, else NULL. */
const struct emu_itlb *mmu_fetched(const struct emu_cpu *cpu, uint64_t lin);
/*
 * Before code of the page is read: from now on nobody writes to it unnoticed.
 * Returns the page's generation.  May wait for other vCPUs.
 */
uint32_t mmu_mark_code(struct emu_cpu *cpu, struct emu_page *page,
		       uint64_t phys, const uint8_t *host);
void mmu_drop_code_writes(struct emu_cpu *cpu);
void mmu_drop_writes(struct emu_cpu *cpu); /* all write tags */

/* The RAM at phys that this vCPU can see now, or NULL. */
/*
 * Before code at offset..+len is believed: true if its lines were not known
 * to hold code, so that a write may just have slipped by: read it again.
 */
bool mmu_mark_lines(struct emu_cpu *cpu, struct emu_page *page,
		    unsigned int offset, unsigned int len);
/* The same seen from the write, when it is done. */
void mmu_check_lines(struct emu_cpu *cpu);

struct emu_slot *mmu_slot(struct emu_cpu *cpu, uint64_t phys);

/* What is known of the page at phys, which the slot has. */
static inline struct emu_page *slot_page(const struct emu_slot *s,
					 uint64_t phys)
{
	return &s->pages[(phys - s->gpa) >> EMU_PAGE_SHIFT];
}

/* A page as user mode has it in long mode's tables, which stay as they are. */
struct mmu_page {
	uint64_t phys;	    /* of its 4 KiB */
	unsigned int level; /* 1; 2 or 3: of a large page */
	bool writable;	    /* and D is set */
	bool dirty;	    /* D is set: written to, here */
	bool executable;
};
/* False if it is not there, or A is not set somewhere. */
bool mmu_peek(struct emu_cpu *cpu, uint64_t lin, struct mmu_page *ret_page);
bool mmu_holds_code(struct emu_cpu *cpu, uint64_t phys);
/* The page is about to be written to where no write is seen. */
void mmu_make_data(struct emu_cpu *cpu, struct emu_page *page);

/* Physical accesses by the processor: page tables, devices. */
void emu_phys_io(struct emu_cpu *cpu, uint64_t phys, void *buf,
		 unsigned int size, bool is_write);

#endif
