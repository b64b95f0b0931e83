/*
 * drivers/emu/jit_access.c -- host code for accesses to the guest's memory.
 *
 * An access looks like this, TLB index and tag being those of the view
 * that the block is for:
 *
 *	lea	rcx, [address]
 *	rorx	rdx, rcx, 7
 *	and	edx, index mask
 *	xor	rcx, gs:[rdx + tag]	; offset in the page, or more
 *	cmp	rcx, 4096 - size
 *	ja	slow
 *	mov	rdx, gs:[rdx + addend]
 *	the instruction, with [base + rdx + displacement]
 *
 * One of a group that shares the check needs the last two lines only.
 * Nothing of the guest's state changes before the instruction itself, so it
 * can be begun again whatever happens before.
 */
#include "drivers/emu/jit_emit.h"

static_assert(sizeof(struct emu_tlb) == 32, "index is shifted by 5");
enum { TLB_SHIFT = EMU_PAGE_SHIFT - 5 };

/* Constant part of an address, given what the base has in its register. */
static int32_t disp_of(const struct emitter *e, const struct jit_mem *m)
{
	return m->disp + (m->base == X86_RSP ? e->sp : 0);
}

void emit_offset(struct emitter *e, int dst, const struct jit_mem *m,
		 int32_t add)
{
	struct host_mem h = { .base = H_NONE, .index = H_NONE,
			      .scale = m->scale,
			      .disp = disp_of(e, m) + add };

	if (m->rip) {
		h.disp += e->start;
		asm_load(&e->b, W1, dst, mem_gs(OFF(jit.page)));
		h.base = dst;
	}
	if (m->base >= 0)
		h.base = load_spilled(e, H_RCX, m->base);
	if (m->index >= 0)
		h.index = load_spilled(e, h.base == H_RCX ? H_RDX : H_RCX,
				       m->index);
	if (h.base == H_NONE && h.index == H_NONE)
		asm_mov_imm(&e->b, dst, m->addr32 ? (uint32_t)h.disp :
						    (uint64_t)(int64_t)h.disp);
	else
		asm_lea(&e->b, m->addr32 ? W0 : W1, dst, h);
	if (m->addr16)
		asm_mov_zero(&e->b, 2, dst, dst);
	if (dst == H_RCX)
		e->rcx = -1;
}

static int32_t base_off(const struct jit_mem *m)
{
	return OFF(seg) + (int32_t)sizeof(struct x86_segment) * m->seg +
	       (int32_t)offsetof(struct x86_segment, base);
}

void emit_address(struct emitter *e, const struct jit_mem *m)
{
	int32_t base = base_off(m);

	if (m->seg == JIT_FLAT) {
		emit_offset(e, H_RCX, m, m->lo);
		return;
	}
	if (m->base < 0 && m->index < 0 && !m->rip && !m->addr32) {
		e->rcx = -1;
		asm_load(&e->b, W1, H_RCX, mem_gs(base));
		asm_lea(&e->b, W1, H_RCX, mem_at(H_RCX, m->disp + m->lo));
		return;
	}
	emit_offset(e, H_RCX, m, m->lo);
	asm_load(&e->b, W1, H_RDX, mem_gs(base));
	asm_lea(&e->b, W1, H_RCX, mem_at2(H_RCX, H_RDX, 0));
}

/*
 * The same where the segment has a limit: the branch returned is taken if the
 * range is not within it.
 */
static uint8_t *emit_limited(struct emitter *e, const struct jit_mem *m)
{
	int32_t limit = OFF(jit.limit) + 16 * m->seg + 8 * m->write;
	uint8_t *beyond;

	emit_offset(e, H_RCX, m, m->lo);
	asm_load(&e->b, W1, H_RDX, mem_gs(limit));
	asm_rr(&e->b, W1, 0x2b, H_RDX, H_RCX); /* sub */
	asm_ri(&e->b, W1, 7, H_RDX, m->hi - m->lo - 1);
	beyond = asm_jcc(&e->b, 12); /* less */
	asm_rm(&e->b, W0, 0x03, H_RCX, mem_gs(base_off(m))); /* add */
	return beyond;
}

int32_t tlb_off(const struct emitter *e, size_t field)
{
	return OFF(tlbs) +
	       (int32_t)(e->view * EMU_TLB_SIZE * sizeof(struct emu_tlb) +
			 field);
}

uint8_t *emit_tlb(struct emitter *e, unsigned int size, int32_t tag, int reg)
{
	asm_rorx(&e->b, W1, H_RDX, H_RCX, TLB_SHIFT);
	asm_ri(&e->b, W0, 4, H_RDX, (EMU_TLB_SIZE - 1) << 5);
	if (reg != H_RCX)
		asm_mov_rr(&e->b, W1, reg, H_RCX);
	asm_rm(&e->b, W1, 0x33, reg, mem_gs_at(H_RDX, tag));
	asm_ri(&e->b, W1, 7, reg, EMU_PAGE - size);
	e->rdx = -1;
	return asm_jcc(&e->b, 7);
}

/*
 * Leaves the entry's offset in RDX, the offset in the page in RCX or, to keep
 * the address there, in RAX.
 */
static void emit_check(struct emitter *e, unsigned int n, unsigned int mem,
		       const struct jit_mem *m, int32_t tag, bool keep)
{
	if (m->limited)
		add_stub(e, emit_limited(e, m), n, mem, STUB_SLOW);
	else
		emit_address(e, m);
	add_stub(e, emit_tlb(e, m->hi - m->lo, tag, keep ? H_RAX : H_RCX), n,
		 mem, STUB_SLOW);
}

static bool is_simple(const struct jit_mem *m)
{
	return m->base >= 0 && !spilled(m->base) && m->index < 0 &&
	       m->seg == JIT_FLAT && !m->addr32 && !m->addr16;
}

static void to_slot(struct emitter *e, int group)
{
	asm_store(&e->b, W1, H_RDX, mem_gs(OFF(jit.slot) + 8 * group));
	e->rdx = group;
}

/* The operand of one that was checked by another of its group. */
static struct host_mem member_operand(struct emitter *e,
				      const struct scan_mem *m)
{
	const struct scan_group *g = &e->s->group[m->group];

	if (e->rdx != m->group)
		asm_load(&e->b, W1, H_RDX,
			 mem_gs(OFF(jit.slot) + 8 * m->group));
	e->rdx = m->group;
	if (g->simple)
		return mem_at2(jit_map[m->m.base], H_RDX, disp_of(e, &m->m));
	return mem_at(H_RDX, m->off - g->lo);
}

static unsigned int keep_mem(struct emitter *e, const struct jit_mem *m)
{
	e->blk->mems[e->blk->n_mems] = *m;
	return e->blk->n_mems++;
}

struct host_mem emit_mem(struct emitter *e, unsigned int n,
				const struct scan_mem *m)
{
	int32_t addend = tlb_off(e, offsetof(struct emu_tlb, addend));
	int32_t tag = tlb_off(e, m->m.write ? offsetof(struct emu_tlb, wtag) :
					      offsetof(struct emu_tlb, rtag));
	bool keep;

	if (m->group >= 0 && !m->first)
		return member_operand(e, m);
	/* AX is free unless it has the flags. */
	keep = !is_simple(&m->m) && e->fl == JF_DEAD;
	emit_check(e, n, keep_mem(e, &m->m), &m->m, tag, keep);
	if (is_simple(&m->m)) {
		asm_load(&e->b, W1, H_RDX, mem_gs_at(H_RDX, addend));
		if (m->group >= 0)
			to_slot(e, m->group);
		return mem_at2(jit_map[m->m.base], H_RDX, disp_of(e, &m->m));
	}
	if (!keep)
		asm_rm(&e->b, W1, 0x33, H_RCX, mem_gs_at(H_RDX, tag));
	asm_load(&e->b, W1, H_RDX, mem_gs_at(H_RDX, addend));
	if (m->group < 0)
		return mem_at2(H_RCX, H_RDX, -m->m.lo);
	asm_lea(&e->b, W1, H_RDX, mem_at2(H_RCX, H_RDX, 0));
	to_slot(e, m->group);
	return mem_at(H_RDX, -m->m.lo);
}
