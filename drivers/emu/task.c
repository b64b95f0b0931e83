/*
 * drivers/emu/task.c -- hardware task switches (SDM vol. 3, "Task
 * Management").
 *
 * Everything that can fault in the old task comes first.  From the moment the
 * task register is loaded, faults belong to the new task, whose registers are
 * loaded then and whose segments are checked one after the other.
 */
#include "drivers/emu/far.h"

enum { TSS_BUSY = 2, TSS_32 = 8 };
enum { DEBUG_LOCAL = 0x55 }; /* L0 to L3 of DR7 */
#define DR6_BT BIT64(15)

/* What both kinds of TSS hold beyond the inner stacks. */
struct tss {
	bool is32, trap;
	uint32_t cr3, eip, eflags, gpr[8];
	uint16_t seg[X86_SEGS], ldt;
};

/* Offsets in the 32-bit and in the 16-bit format. */
enum { LINK = 0, CR3_32 = 0x1c, EIP_32 = 0x20, SEGS_32 = 0x48, LDT_32 = 0x60,
       TRAP_32 = 0x64, SIZE_32 = 0x68,
       IP_16 = 0x0e, SEGS_16 = 0x22, LDT_16 = 0x2a, SIZE_16 = 0x2c,
       SEGS_IN_16 = 4 };

static uint32_t tss_size(const struct x86_segment *tr)
{
	return tr->attr & TSS_32 ? SIZE_32 : SIZE_16;
}

static void tss_find(struct emu_cpu *cpu, uint16_t selector,
		     enum task_reason reason, uint32_t ext,
		     struct x86_segment *tr)
{
	uint8_t vector = reason == TASK_IRET ? EXC_TS : EXC_GP;
	uint32_t error = (selector & 0xfffc) | ext;
	unsigned int busy = reason == TASK_IRET ? TSS_BUSY : 0;

	if (!(selector & 0xfffc) || selector & 4 ||
	    (selector | 7u) > cpu->gdt.limit)
		emu_raise_err(cpu, vector, error);
	seg_from_descriptor(tr, selector, seg_descriptor(cpu, selector, vector));
	if ((tr->attr & 0x17) != (1 | busy))
		emu_raise_err(cpu, vector, error);
	if (!(tr->attr & BIT(7)))
		emu_raise_err(cpu, EXC_NP, error);
	if (tr->limit < tss_size(tr) - 1)
		emu_raise_err(cpu, EXC_TS, error);
}

static void tss_read(struct emu_cpu *cpu, const struct x86_segment *tr,
		     struct tss *t)
{
	uint8_t b[SIZE_32];

	memset(t, 0, sizeof(*t));
	t->is32 = tr->attr & TSS_32;
	emu_read(cpu, MMU_KERNEL, tr->base, b, tss_size(tr));
	if (t->is32) {
		memcpy(&t->cr3, b + CR3_32, 4);
		memcpy(&t->eip, b + EIP_32, 4);
		memcpy(&t->eflags, b + EIP_32 + 4, 4);
		memcpy(t->gpr, b + EIP_32 + 8, sizeof(t->gpr));
		for (unsigned int n = 0; n < X86_SEGS; n++)
			memcpy(&t->seg[n], b + SEGS_32 + 4 * n, 2);
		memcpy(&t->ldt, b + LDT_32, 2);
		t->trap = b[TRAP_32] & 1;
		return;
	}
	memcpy(&t->eip, b + IP_16, 2);
	memcpy(&t->eflags, b + IP_16 + 2, 2);
	for (unsigned int n = 0; n < 8; n++)
		memcpy(&t->gpr[n], b + IP_16 + 4 + 2 * n, 2);
	memcpy(t->seg, b + SEGS_16, 2 * SEGS_IN_16);
	memcpy(&t->ldt, b + LDT_16, 2);
}

/* Into the current TSS, which was found writable. */
static void tss_save(struct emu_cpu *cpu, uint64_t flags)
{
	bool is32 = cpu->tr.attr & TSS_32;
	unsigned int size = is32 ? 4 : 2, n_segs = is32 ? X86_SEGS : SEGS_IN_16;
	uint64_t at = cpu->tr.base + (is32 ? EIP_32 : IP_16);
	uint8_t b[10 * 4];

	memcpy(b, &cpu->rip, size);
	memcpy(b + size, &flags, size);
	for (unsigned int n = 0; n < 8; n++)
		memcpy(b + (2 + n) * size, &cpu->gpr[n], size);
	emu_write(cpu, MMU_KERNEL, at, b, 10 * size);
	at = cpu->tr.base + (is32 ? SEGS_32 : SEGS_16);
	for (unsigned int n = 0; n < n_segs; n++)
		emu_sys_store(cpu, at + n * size, cpu->seg[n].selector, 2);
}

static void set_busy(struct emu_cpu *cpu, uint16_t selector, bool busy)
{
	uint64_t lin = cpu->gdt.base + (selector & ~7u) + 5;
	uint8_t type = emu_sys_load(cpu, lin, 1);

	emu_sys_store(cpu, lin, busy ? type | TSS_BUSY : type & ~TSS_BUSY, 1);
}

/* The new task's segments; until loaded they are unusable. */
static void load_ldt(struct emu_cpu *cpu, uint16_t selector)
{
	uint32_t error = selector & 0xfffc;
	struct x86_segment s;

	if (!error)
		return;
	if (selector & 4)
		emu_raise_err(cpu, EXC_TS, error);
	seg_from_descriptor(&s, selector, seg_descriptor(cpu, selector, EXC_TS));
	if ((s.attr & 0x1f) != 2 || !(s.attr & BIT(7)))
		emu_raise_err(cpu, EXC_TS, error);
	cpu->ldt = s;
}

/* Is the segment one that this register may hold at CPL? */
static bool fits(const struct x86_segment *s, unsigned int seg,
		 unsigned int cpl)
{
	unsigned int type = s->attr & 0x1f, dpl = s->attr >> 5 & 3;
	unsigned int rpl = s->selector & 3;

	if (seg == X86_CS)
		return (type & 0x18) == 0x18 &&
		       (type & 4 ? dpl <= rpl : dpl == rpl);
	if (seg == X86_SS)
		return (type & 0x1a) == 0x12 && dpl == cpl && rpl == cpl;
	if (!(type & 0x10) || (type & 0xa) == 8)
		return false;
	return (type & 0xc) == 0xc || (dpl >= cpl && dpl >= rpl);
}

static void load_segment(struct emu_cpu *cpu, unsigned int seg,
			 uint16_t selector)
{
	uint32_t error = selector & 0xfffc;
	struct x86_segment s;
	uint64_t desc;

	if (!error && seg != X86_CS && seg != X86_SS)
		return;
	if (!error)
		emu_raise_err(cpu, EXC_TS, 0);
	desc = seg_descriptor(cpu, selector, EXC_TS);
	seg_from_descriptor(&s, selector, desc);
	if (!fits(&s, seg, cpu->cpl))
		emu_raise_err(cpu, EXC_TS, error);
	if (!(s.attr & BIT(7)))
		emu_raise_err(cpu, seg == X86_SS ? EXC_SS : EXC_NP, error);
	seg_mark_accessed(cpu, selector, desc);
	s.attr |= 1;
	cpu->seg[seg] = s;
	seg_update(cpu);
}

static void load_segments(struct emu_cpu *cpu, const struct tss *t)
{
	static const uint8_t order[] = { X86_CS, X86_SS, X86_ES,
					 X86_DS, X86_FS, X86_GS };

	if (t->eflags & FLAG_VM) {
		load_ldt(cpu, t->ldt);
		for (unsigned int n = 0; n < X86_SEGS; n++)
			seg_load_real(cpu, n, t->seg[n]);
		return;
	}
	for (unsigned int n = 0; n < X86_SEGS; n++)
		cpu->seg[n] = (struct x86_segment){ .selector = t->seg[n],
						    .unusable = true };
	load_ldt(cpu, t->ldt);
	for (unsigned int n = 0; n < ARRAY_SIZE(order); n++)
		load_segment(cpu, order[n], t->seg[order[n]]);
}

static void enter(struct emu_cpu *cpu, const struct tss *t)
{
	cpu->cur = NULL; /* RIP is not this instruction's any more */
	cpu->cr0 |= CR0_TS;
	cpu->dr[7] &= ~(uint64_t)DEBUG_LOCAL;
	debug_update(cpu);
	if (t->is32 && cpu->cr0 & CR0_PG)
		sys_load_cr3(cpu, t->cr3);
	for (unsigned int n = 0; n < 8; n++)
		cpu->gpr[n] = t->gpr[n];
	cpu->rip = t->eip;
	cpu->step_db = false;
	cpu->cpl = t->eflags & FLAG_VM ? 3 : t->seg[X86_CS] & 3;
	emu_set_rflags(cpu, t->eflags);
	cpu->ldt = (struct x86_segment){ .selector = t->ldt, .unusable = true };
	load_segments(cpu, t);
	if (t->trap) {
		cpu->db_pending |= DR6_BT;
		emu_pend(cpu, PEND_STEP);
	}
}

void task_switch(struct emu_cpu *cpu, uint16_t selector,
		 enum task_reason reason, uint32_t ext, uint64_t flags)
{
	bool nests = reason == TASK_CALL || reason == TASK_INT;
	uint16_t old = cpu->tr.selector;
	struct x86_segment tr;
	struct tss t;

	tss_find(cpu, selector, reason, ext, &tr);
	tss_read(cpu, &tr, &t);
	emu_probe(cpu, MMU_KERNEL, cpu->tr.base, tss_size(&cpu->tr),
		  ACCESS_WRITE);
	if (nests)
		emu_sys_store(cpu, tr.base + LINK, old, 2);
	if (!nests)
		set_busy(cpu, old, false);
	if (reason == TASK_IRET)
		flags &= ~FLAG_NT;
	tss_save(cpu, flags);
	if (nests)
		t.eflags |= FLAG_NT;
	if (reason != TASK_IRET)
		set_busy(cpu, selector, true);
	tr.attr |= TSS_BUSY;
	cpu->tr = tr;
	enter(cpu, &t);
}
