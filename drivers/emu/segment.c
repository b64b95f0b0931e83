/*
 * drivers/emu/segment.c -- segment registers and descriptors (SDM vol. 3,
 * "Protected-Mode Memory Management" and "Protection").
 */
#include "drivers/emu/exec.h"
#include "drivers/emu/segment.h"

enum {
	ATTR_A = 1,
	ATTR_RW = 2,
	ATTR_CONFORM = 4,
	ATTR_CODE = 8,
	ATTR_S = 16,
	ATTR_P = BIT(7),
	ATTR_L = BIT(13),
	ATTR_DB = BIT(14),
	ATTR_G = BIT(15)
};

static unsigned int attr_dpl(const struct x86_segment *s)
{
	return (s->attr >> 5) & 3;
}

uint64_t seg_descriptor(struct emu_cpu *cpu, uint16_t selector, uint8_t vector)
{
	uint64_t base = selector & 4 ? cpu->ldt.base : cpu->gdt.base;
	uint32_t limit = selector & 4 ? cpu->ldt.limit : cpu->gdt.limit;

	if ((selector & 4 && cpu->ldt.unusable) || (selector | 7u) > limit)
		emu_raise_err(cpu, vector, selector & 0xfffc);
	return emu_sys_load(cpu, base + (selector & ~7u), 8);
}

void seg_from_descriptor(struct x86_segment *s, uint16_t selector,
			 uint64_t desc)
{
	s->selector = selector;
	s->base = ((desc >> 16) & 0xffffff) | ((desc >> 32) & 0xff000000);
	s->limit = (desc & 0xffff) | ((desc >> 32) & 0xf0000);
	s->attr = (desc >> 40) & 0xf0ff;
	s->unusable = false;
	if (s->attr & ATTR_G)
		s->limit = s->limit << 12 | 0xfff;
}

/* Sets the descriptor's accessed bit in memory. */
void seg_mark_accessed(struct emu_cpu *cpu, uint16_t selector, uint64_t desc)
{
	uint64_t base = selector & 4 ? cpu->ldt.base : cpu->gdt.base;

	if (desc & BIT64(40) || !(desc & BIT64(44)))
		return;
	emu_sys_store(cpu, base + (selector & ~7u) + 5,
		      ((desc >> 40) & 0xff) | ATTR_A, 1);
}

void seg_update(struct emu_cpu *cpu)
{
	const struct x86_segment *cs = &cpu->seg[X86_CS];

	if (emu_long(cpu) && cs->attr & ATTR_L)
		cpu->mode = MODE_64;
	else
		cpu->mode = cs->attr & ATTR_DB ? MODE_32 : MODE_16;
	if (cpu->mode == MODE_64)
		cpu->sp_mask = ~0ull;
	else
		cpu->sp_mask =
			cpu->seg[X86_SS].attr & ATTR_DB ? 0xffffffff : 0xffff;
	mmu_view(cpu);
}

void seg_set_cs(struct emu_cpu *cpu, const struct x86_segment *cs,
		unsigned int cpl)
{
	cpu->seg[X86_CS] = *cs;
	cpu->cpl = cpl;
	seg_update(cpu);
}

void seg_load_real(struct emu_cpu *cpu, unsigned int seg, uint16_t selector)
{
	struct x86_segment *s = &cpu->seg[seg];

	s->selector = selector;
	s->base = (uint64_t)selector << 4;
	s->unusable = false;
	if (cpu->rflags & FLAG_VM) {
		s->limit = 0xffff;
		s->attr = 0xf3;
		seg_update(cpu);
	} else if (seg == X86_CS) { /* others keep limit and size: "unreal" mode */
		s->attr = 0x9b | (s->attr & ATTR_DB);
		seg_update(cpu);
	}
}

static void load_null(struct emu_cpu *cpu, unsigned int seg, uint16_t selector)
{
	struct x86_segment *s = &cpu->seg[seg];

	if (seg == X86_SS && (cpu->mode != MODE_64 || cpu->cpl == 3 ||
			      (selector & 3) != cpu->cpl))
		emu_gp0(cpu);
	/* AMD keeps the base; both allow it (SDM: base is cleared). */
	s->selector = selector;
	s->unusable = true;
	s->base = 0;
	s->limit = 0;
	s->attr = seg == X86_SS ? cpu->cpl << 5 : 0;
	if (seg == X86_SS)
		seg_update(cpu);
}

/* MOV Sreg, POP Sreg, LDS, ... in any mode; not CS. */
void seg_load(struct emu_cpu *cpu, unsigned int seg, uint16_t selector)
{
	unsigned int rpl = selector & 3, dpl;
	uint32_t error = selector & 0xfffc;
	struct x86_segment s;
	uint64_t desc;

	if (!emu_protected(cpu)) {
		seg_load_real(cpu, seg, selector);
		return;
	}
	if (!error) {
		load_null(cpu, seg, selector);
		return;
	}
	desc = seg_descriptor(cpu, selector, EXC_GP);
	seg_from_descriptor(&s, selector, desc);
	dpl = attr_dpl(&s);
	if (!(s.attr & ATTR_S))
		emu_raise_err(cpu, EXC_GP, error);
	if (seg == X86_SS) {
		if ((s.attr & (ATTR_CODE | ATTR_RW)) != ATTR_RW ||
		    rpl != cpu->cpl || dpl != cpu->cpl)
			emu_raise_err(cpu, EXC_GP, error);
	} else {
		if ((s.attr & (ATTR_CODE | ATTR_RW)) == ATTR_CODE)
			emu_raise_err(cpu, EXC_GP, error);
		if ((s.attr & (ATTR_CODE | ATTR_CONFORM)) !=
			    (ATTR_CODE | ATTR_CONFORM) &&
		    (rpl > dpl || cpu->cpl > dpl))
			emu_raise_err(cpu, EXC_GP, error);
	}
	if (!(s.attr & ATTR_P))
		emu_raise_err(cpu, seg == X86_SS ? EXC_SS : EXC_NP, error);
	seg_mark_accessed(cpu, selector, desc);
	s.attr |= ATTR_A;
	cpu->seg[seg] = s;
	if (seg == X86_SS)
		seg_update(cpu);
}

/* Far JMP, CALL (cpl: current) and RET, IRET (cpl: the selector's RPL). */
uint64_t seg_check_code(struct emu_cpu *cpu, uint16_t selector, uint8_t cpl,
			bool is_return, struct x86_segment *ret_cs)
{
	uint32_t error = selector & 0xfffc;
	unsigned int dpl;
	uint64_t desc;

	if (!error)
		emu_gp0(cpu);
	desc = seg_descriptor(cpu, selector, EXC_GP);
	seg_from_descriptor(ret_cs, selector, desc);
	dpl = attr_dpl(ret_cs);
	if ((ret_cs->attr & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE))
		return desc; /* a gate or TSS: the caller's business */
	if (ret_cs->attr & ATTR_CONFORM) {
		if (dpl > cpl)
			emu_raise_err(cpu, EXC_GP, error);
	} else if (dpl != cpl || (!is_return && (selector & 3) > cpl)) {
		emu_raise_err(cpu, EXC_GP, error);
	}
	if (emu_long(cpu) && ret_cs->attr & ATTR_L && ret_cs->attr & ATTR_DB)
		emu_raise_err(cpu, EXC_GP, error);
	if (!(ret_cs->attr & ATTR_P))
		emu_raise_err(cpu, EXC_NP, error);
	ret_cs->selector = (selector & ~3) | cpl;
	return desc;
}

/*
 * Return to an outer level: data segments it may not use become null.  In
 * long mode their bases stay, which 64-bit code goes on using.
 */
void seg_null_on_return(struct emu_cpu *cpu)
{
	static const uint8_t segs[] = { X86_ES, X86_DS, X86_FS, X86_GS };

	for (unsigned int n = 0; n < ARRAY_SIZE(segs); n++) {
		struct x86_segment *s = &cpu->seg[segs[n]];

		if (s->unusable || attr_dpl(s) >= cpu->cpl ||
		    (s->attr & (ATTR_CODE | ATTR_CONFORM)) ==
			    (ATTR_CODE | ATTR_CONFORM))
			continue;
		s->selector = 0;
		s->unusable = true;
		if (!emu_long(cpu))
			s->base = 0;
		s->attr = 0;
	}
}

/* MOV to and from, PUSH and POP of segment registers; seg is in aux. */
void op_mov_seg_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	seg_load(cpu, i->aux, REG16(i->src));
	if (i->aux == X86_SS)
		cpu->shadow = cpu->ss_shadow = true;
}

void op_mov_seg_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	seg_load(cpu, i->aux, emu_load16(cpu, emu_ea(cpu, i, 2, ACCESS_READ)));
	if (i->aux == X86_SS)
		cpu->shadow = cpu->ss_shadow = true;
}

void op_mov_r_seg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t v = cpu->seg[i->aux].selector;

	if (i->flags & INSN_OP16)
		SETREG16(i->dst, v);
	else
		SETREG64(i->dst, v);
}

void op_mov_m_seg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_store16(cpu, emu_ea(cpu, i, 2, ACCESS_WRITE),
		    cpu->seg[i->aux].selector);
}

void op_push_seg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_push(cpu, cpu->seg[i->aux].selector, emu_stack_size(i));
}

void op_pop_seg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = emu_stack_size(i);

	seg_load(cpu, i->aux, emu_peek(cpu, 0, size));
	emu_set_sp(cpu, cpu->gpr[X86_RSP] + size);
	if (i->aux == X86_SS)
		cpu->shadow = cpu->ss_shadow = true;
}

/* LDS, LES, LFS, LGS, LSS: far pointer in memory. */
void op_load_far(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = i->flags & INSN_OP16   ? 2
			    : i->flags & INSN_OP64 ? 8
						   : 4;
	uint64_t ea = emu_ea(cpu, i, size + 2, ACCESS_READ), v = 0;
	uint16_t selector;

	emu_read(cpu, emu_view(cpu), ea, &v, size);
	selector = emu_load16(cpu, ea + size);
	seg_load(cpu, i->aux, selector);
	if (size == 2)
		SETREG16(i->dst, v);
	else
		SETREG64(i->dst, v);
}

/* LLDT and LTR: in long mode the descriptor has 16 bytes. */
static void load_system(struct emu_cpu *cpu, uint16_t selector,
			struct x86_segment *s, unsigned int type_mask,
			unsigned int type)
{
	uint32_t error = selector & 0xfffc;
	uint64_t desc;

	if (selector & 4)
		emu_raise_err(cpu, EXC_GP, error);
	desc = seg_descriptor(cpu, selector, EXC_GP);
	seg_from_descriptor(s, selector, desc);
	if ((s->attr & ATTR_S) || (s->attr & type_mask) != type)
		emu_raise_err(cpu, EXC_GP, error);
	if (!(s->attr & ATTR_P))
		emu_raise_err(cpu, EXC_NP, error);
	if (!emu_long(cpu))
		return;
	if ((selector | 15u) > cpu->gdt.limit)
		emu_raise_err(cpu, EXC_GP, error);
	s->base |= emu_sys_load(cpu, cpu->gdt.base + (selector & ~7u) + 8, 4)
		   << 32;
}

static void require_cpl0(struct emu_cpu *cpu)
{
	if (!emu_protected(cpu))
		emu_ud(cpu);
	if (cpu->cpl)
		emu_gp0(cpu);
}

static uint16_t selector_operand(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (i->aux == F_OPERAND_MEM)
		return emu_load16(cpu, emu_ea(cpu, i, 2, ACCESS_READ));
	return REG16(i->src);
}

void op_lldt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s = { .unusable = true };
	uint16_t selector;

	require_cpl0(cpu);
	selector = selector_operand(cpu, i);
	if (selector & 0xfffc)
		load_system(cpu, selector, &s, 15, 2);
	s.selector = selector;
	cpu->ldt = s;
}

void op_ltr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s;
	uint16_t selector;

	require_cpl0(cpu);
	selector = selector_operand(cpu, i);
	if (!(selector & 0xfffc))
		emu_gp0(cpu);
	load_system(cpu, selector, &s, emu_long(cpu) ? 15 : 7,
		    emu_long(cpu) ? 9 : 1);
	s.attr |= 2; /* busy */
	emu_sys_store(cpu, cpu->gdt.base + (selector & ~7u) + 5, s.attr & 0xff,
		      1);
	cpu->tr = s;
}

/* SLDT, STR, SMSW: a 16-bit store, or a register of the operand size. */
static void store_word(struct emu_cpu *cpu, const struct emu_insn *i,
		       uint64_t v, bool whole)
{
	if (i->aux == F_OPERAND_MEM)
		emu_store16(cpu, emu_ea(cpu, i, 2, ACCESS_WRITE), v);
	else if (i->flags & INSN_OP16)
		SETREG16(i->dst, v);
	else if (i->flags & INSN_OP64)
		SETREG64(i->dst, whole ? v : (uint16_t)v);
	else
		SETREG32(i->dst, whole ? v : (uint16_t)v);
}

static void check_umip(struct emu_cpu *cpu)
{
	if (cpu->cr4 & CR4_UMIP && cpu->cpl)
		emu_gp0(cpu);
}

void op_sldt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!emu_protected(cpu))
		emu_ud(cpu);
	check_umip(cpu);
	store_word(cpu, i, cpu->ldt.selector, false);
}

void op_str(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!emu_protected(cpu))
		emu_ud(cpu);
	check_umip(cpu);
	store_word(cpu, i, cpu->tr.selector, false);
}

void op_smsw(struct emu_cpu *cpu, const struct emu_insn *i)
{
	check_umip(cpu);
	store_word(cpu, i, cpu->cr0, true);
}

/*
 * LAR, LSL, VERR, VERW look at a descriptor and answer in ZF; they never
 * fault for what they find there.
 */
static bool look_at(struct emu_cpu *cpu, uint16_t selector, uint64_t *desc)
{
	uint64_t base = selector & 4 ? cpu->ldt.base : cpu->gdt.base;
	uint32_t limit = selector & 4 ? cpu->ldt.limit : cpu->gdt.limit;

	if (!(selector & 0xfffc) || (selector & 4 && cpu->ldt.unusable) ||
	    (selector | 7u) > limit)
		return false;
	*desc = emu_sys_load(cpu, base + (selector & ~7u), 8);
	return true;
}

static bool visible(struct emu_cpu *cpu, const struct x86_segment *s)
{
	if ((s->attr & (ATTR_S | ATTR_CODE | ATTR_CONFORM)) ==
	    (ATTR_S | ATTR_CODE | ATTR_CONFORM))
		return true;
	return cpu->cpl <= attr_dpl(s) && (s->selector & 3) <= attr_dpl(s);
}

/* System descriptor types for LAR (and, without gates, LSL). */
static bool type_ok(struct emu_cpu *cpu, const struct x86_segment *s,
		    bool gates)
{
	unsigned int type = s->attr & 15;
	unsigned int mask = emu_long(cpu) ? 0x0a04 : 0x0a0e;

	if (s->attr & ATTR_S)
		return true;
	if (gates)
		mask |= emu_long(cpu) ? 0x1000 : 0x1030;
	return mask >> type & 1;
}

static void set_zf(struct emu_cpu *cpu, bool zf)
{
	cpu->aflags = (cpu->aflags & ~AF_ZF) | (zf ? AF_ZF : 0);
}

static void store_sized(struct emu_cpu *cpu, const struct emu_insn *i,
			uint32_t v)
{
	if (i->flags & INSN_OP16)
		SETREG16(i->dst, v);
	else
		SETREG64(i->dst, v);
}

static bool inspect(struct emu_cpu *cpu, const struct emu_insn *i,
		    struct x86_segment *s, uint64_t *desc)
{
	uint16_t selector;

	if (!emu_protected(cpu))
		emu_ud(cpu);
	selector = selector_operand(cpu, i);
	if (!look_at(cpu, selector, desc))
		return false;
	seg_from_descriptor(s, selector, *desc);
	return visible(cpu, s);
}

void op_lar(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s;
	uint64_t desc;
	bool ok = inspect(cpu, i, &s, &desc) && type_ok(cpu, &s, true);

	if (ok)
		store_sized(cpu, i, (desc >> 32) & 0x00ffff00);
	set_zf(cpu, ok);
}

void op_lsl(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s;
	uint64_t desc;
	bool ok = inspect(cpu, i, &s, &desc) && type_ok(cpu, &s, false);

	if (ok)
		store_sized(cpu, i, s.limit);
	set_zf(cpu, ok);
}

void op_verr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s;
	uint64_t desc;
	bool ok = inspect(cpu, i, &s, &desc) && s.attr & ATTR_S &&
		  (s.attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE;

	set_zf(cpu, ok);
}

void op_verw(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment s;
	uint64_t desc;
	bool ok = inspect(cpu, i, &s, &desc) && s.attr & ATTR_S &&
		  (s.attr & (ATTR_CODE | ATTR_RW)) == ATTR_RW;

	set_zf(cpu, ok);
}
