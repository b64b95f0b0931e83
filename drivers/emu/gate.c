/*
 * drivers/emu/gate.c -- call gates and the stacks of inner privilege levels
 * (SDM vol. 3, "Call Gates" and "Stack Switching"; vol. 2A, "CALL").
 */
#include "drivers/emu/far.h"

enum { TYPE_TSS16 = 1, TYPE_CALL16 = 4, TYPE_TASK = 5, TYPE_TSS32 = 9,
       TYPE_CALL32 = 12 };

struct call_gate {
	uint16_t selector;
	uint64_t offset;
	unsigned int params, size; /* words to copy; bytes of a word */
	bool is_call;
};

static bool canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

void far_push(struct emu_cpu *cpu, unsigned int view,
	      const struct x86_segment *ss, uint64_t *sp, const uint64_t *words,
	      unsigned int n, unsigned int size)
{
	uint64_t mask = emu_long(cpu)	     ? ~0ull
			: ss->attr & BIT(14) ? 0xffffffff
					     : 0xffff;
	uint64_t base = emu_long(cpu) ? 0 : ss->base;
	uint64_t top = (*sp - n * size) & mask;
	uint8_t buf[40 * 8];

	for (unsigned int w = 0; w < n; w++)
		memcpy(buf + (n - 1 - w) * size, &words[w], size);
	if (!emu_long(cpu) && !seg_holds(ss, top, n * size))
		emu_raise_err(cpu, EXC_SS, ss->selector & 0xfffc);
	emu_write(cpu, view, emu_long(cpu) ? top : (uint32_t)(base + top), buf,
		  n * size);
	*sp = (*sp & ~mask) | top;
}

uint64_t tss_stack64(struct emu_cpu *cpu, unsigned int offset, uint32_t ext)
{
	uint64_t sp;

	if (offset + 7 > cpu->tr.limit)
		emu_raise_err(cpu, EXC_TS, (cpu->tr.selector & 0xfffc) | ext);
	sp = emu_sys_load(cpu, cpu->tr.base + offset, 8);
	if (!canonical(sp))
		emu_raise_err(cpu, EXC_SS, ext);
	return sp;
}

void tss_stack32(struct emu_cpu *cpu, unsigned int cpl, uint32_t ext,
		 struct x86_segment *ss, uint64_t *sp)
{
	bool is16 = (cpu->tr.attr & 15) == 3 || (cpu->tr.attr & 15) == 1;
	unsigned int offset = is16 ? 2 + 4 * cpl : 4 + 8 * cpl;
	uint32_t error = (cpu->tr.selector & 0xfffc) | ext;
	uint16_t selector;
	uint64_t desc;

	if (offset + (is16 ? 3 : 5) > cpu->tr.limit)
		emu_raise_err(cpu, EXC_TS, error);
	*sp = emu_sys_load(cpu, cpu->tr.base + offset, is16 ? 2 : 4);
	selector = emu_sys_load(cpu, cpu->tr.base + offset + (is16 ? 2 : 4), 2);
	error = (selector & 0xfffc) | ext;
	if (!(selector & 0xfffc))
		emu_raise_err(cpu, EXC_TS, error);
	desc = seg_descriptor(cpu, selector, EXC_TS);
	seg_from_descriptor(ss, selector, desc);
	if ((selector & 3) != cpl || ((ss->attr >> 5) & 3) != cpl ||
	    (ss->attr & 0x1a) != 0x12)
		emu_raise_err(cpu, EXC_TS, error);
	if (!(ss->attr & BIT(7)))
		emu_raise_err(cpu, EXC_SS, error);
}

/* In long mode a gate has 16 bytes and leads to 64-bit code. */
static void gate_read(struct emu_cpu *cpu, uint16_t selector, uint64_t desc,
		      struct call_gate *g)
{
	uint64_t base = selector & 4 ? cpu->ldt.base : cpu->gdt.base;
	uint32_t limit = selector & 4 ? cpu->ldt.limit : cpu->gdt.limit;
	uint64_t high;

	g->selector = desc >> 16;
	g->params = desc >> 32 & 31;
	g->offset = (desc & 0xffff) | (desc >> 32 & 0xffff0000);
	g->size = (desc >> 40 & 15) == TYPE_CALL16 ? 2 : 4;
	if (g->size == 2)
		g->offset &= 0xffff;
	if (!emu_long(cpu))
		return;
	if ((selector | 7u) + 8 > limit)
		emu_raise_err(cpu, EXC_GP, selector & 0xfffc);
	high = emu_sys_load(cpu, base + (selector & ~7u) + 8, 8);
	if (high >> 40 & 0x1f)
		emu_raise_err(cpu, EXC_GP, selector & 0xfffc);
	g->offset |= high << 32;
	g->size = 8;
	g->params = 0;
}

/* The code segment behind the gate; returns its descriptor. */
static uint64_t gate_code(struct emu_cpu *cpu, const struct call_gate *g,
			  struct x86_segment *cs)
{
	uint32_t error = g->selector & 0xfffc;
	unsigned int dpl;
	uint64_t desc;
	bool ok;

	if (!error)
		emu_gp0(cpu);
	desc = seg_descriptor(cpu, g->selector, EXC_GP);
	seg_from_descriptor(cs, g->selector, desc);
	dpl = cs->attr >> 5 & 3;
	ok = (cs->attr & 0x18) == 0x18 && dpl <= cpu->cpl;
	if (!g->is_call && !(cs->attr & 4) && dpl != cpu->cpl)
		ok = false;
	if (emu_long(cpu) && (!(cs->attr & BIT(13)) || cs->attr & BIT(14)))
		ok = false;
	if (!ok)
		emu_raise_err(cpu, EXC_GP, error);
	if (!(cs->attr & BIT(7)))
		emu_raise_err(cpu, EXC_NP, error);
	if (emu_long(cpu) ? !canonical(g->offset) : g->offset > cs->limit)
		emu_gp0(cpu);
	return desc;
}

static void read_params(struct emu_cpu *cpu, const struct call_gate *g,
			uint64_t *words)
{
	for (unsigned int p = 0; p < g->params; p++) {
		words[g->params - 1 - p] = 0;
		emu_read(cpu, emu_view(cpu),
			 emu_stack_lin(cpu, cpu->gpr[X86_RSP] + p * g->size,
				       g->size, ACCESS_READ),
			 &words[g->params - 1 - p], g->size);
	}
}

/* CALL to an inner level: a new stack, which gets the old one's address. */
static void call_inner(struct emu_cpu *cpu, const struct call_gate *g,
		       unsigned int cpl)
{
	struct x86_segment ss = { .selector = cpl, .unusable = true,
				  .attr = cpl << 5 };
	uint64_t words[2 + 31 + 2] = { cpu->seg[X86_SS].selector,
				       cpu->gpr[X86_RSP] };
	unsigned int n = 2 + g->params;
	uint64_t sp;

	if (emu_long(cpu))
		sp = tss_stack64(cpu, 4 + 8 * cpl, 0);
	else
		tss_stack32(cpu, cpl, 0, &ss, &sp);
	read_params(cpu, g, words + 2);
	words[n++] = cpu->seg[X86_CS].selector;
	words[n++] = cpu->rip;
	far_push(cpu, MMU_KERNEL, &ss, &sp, words, n, g->size);
	cpu->seg[X86_SS] = ss;
	cpu->gpr[X86_RSP] = sp;
}

static void call_same(struct emu_cpu *cpu, const struct call_gate *g)
{
	uint64_t words[2] = { cpu->seg[X86_CS].selector, cpu->rip };

	far_push(cpu, emu_view(cpu), &cpu->seg[X86_SS], &cpu->gpr[X86_RSP],
		 words, 2, g->size);
}

static void call_gate(struct emu_cpu *cpu, uint16_t selector, uint64_t desc,
		      bool is_call)
{
	struct call_gate g = { .is_call = is_call };
	struct x86_segment cs;
	unsigned int cpl = cpu->cpl;
	uint64_t code;

	gate_read(cpu, selector, desc, &g);
	code = gate_code(cpu, &g, &cs);
	if (is_call && !(cs.attr & 4) && (cs.attr >> 5 & 3) < cpl)
		cpl = cs.attr >> 5 & 3;
	if (cpl < cpu->cpl)
		call_inner(cpu, &g, cpl);
	else if (is_call)
		call_same(cpu, &g);
	seg_mark_accessed(cpu, g.selector, code);
	cs.selector = (cs.selector & ~3) | cpl;
	seg_set_cs(cpu, &cs, cpl);
	cpu->rip = g.offset;
}

void far_system(struct emu_cpu *cpu, uint16_t selector, uint64_t desc,
		bool is_call)
{
	unsigned int type = desc >> 40 & 0x1f, dpl = desc >> 45 & 3;
	enum task_reason reason = is_call ? TASK_CALL : TASK_JMP;
	uint32_t error = selector & 0xfffc;
	bool tss = type == TYPE_TSS16 || type == TYPE_TSS32;
	bool call = type == TYPE_CALL16 || type == TYPE_CALL32;
	bool legacy = tss || type == TYPE_CALL16 || type == TYPE_TASK;

	if ((!tss && !call && type != TYPE_TASK) ||
	    (legacy && emu_long(cpu)) || dpl < cpu->cpl ||
	    dpl < (selector & 3u))
		emu_raise_err(cpu, EXC_GP, error);
	if (!(desc >> 47 & 1))
		emu_raise_err(cpu, EXC_NP, error);
	if (call)
		call_gate(cpu, selector, desc, is_call);
	else
		task_switch(cpu, tss ? selector : desc >> 16, reason, 0,
			    emu_get_rflags(cpu));
}
