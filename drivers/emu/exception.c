/*
 * drivers/emu/exception.c -- exceptions and interrupts (SDM vol. 3,
 * "Interrupt and Exception Handling").
 *
 * emu_raise() leaves the instruction; the run loop calls emu_exception(),
 * which delivers.  A fault during delivery comes back the same way and finds
 * in cpu->delivering what was being delivered: that decides about the double
 * fault and the shutdown.  Everything is pushed before state changes.
 */
#include "drivers/emu/far.h"

/* cpu->delivering for an interrupt: benign, as no vector is. */
enum { DELIVER_NONE = -1, DELIVER_BENIGN = 256 };

_Noreturn void emu_raise(struct emu_cpu *cpu, uint8_t vector)
{
	cpu->exc_vector = vector;
	cpu->exc_has_error = false;
	cpu->exc_error = 0;
	longjmp(*cpu->escape, 1);
}

_Noreturn void emu_raise_err(struct emu_cpu *cpu, uint8_t vector,
			     uint32_t error)
{
	cpu->exc_vector = vector;
	cpu->exc_has_error = true;
	cpu->exc_error = error;
	longjmp(*cpu->escape, 1);
}

_Noreturn void emu_gp0(struct emu_cpu *cpu)
{
	emu_raise_err(cpu, EXC_GP, 0);
}

_Noreturn void emu_ud(struct emu_cpu *cpu)
{
	emu_raise(cpu, EXC_UD);
}

_Noreturn void emu_shutdown(struct emu_cpu *cpu)
{
	cpu->delivering = EXC_DF;
	emu_raise(cpu, EXC_DF);
}

static bool contributory(int vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP) ||
	       vector == EXC_CP;
}

/* SDM vol. 3, table "Conditions for Generating a Double Fault". */
static bool makes_double_fault(int first, int second)
{
	if (first == EXC_PF)
		return second == EXC_PF || contributory(second);
	return contributory(first) && contributory(second);
}

void emu_exception(struct emu_cpu *cpu)
{
	uint8_t vector = cpu->exc_vector;
	bool has_error = cpu->exc_has_error;
	uint32_t error = cpu->exc_error;
	int first = cpu->delivering;

	if (first == EXC_DF) {
		cpu->stop = true;
		cpu->result = RUN_RESET;
		cpu->delivering = DELIVER_NONE;
		return;
	}
	if (makes_double_fault(first, vector)) {
		vector = EXC_DF;
		has_error = true;
		error = 0;
	}
	if (vector == EXC_DB)
		debug_deliver(cpu);
	emu_deliver(cpu, vector, INT_EXCEPTION, has_error, error);
}

/* What a gate says. */
struct gate {
	uint16_t selector;
	uint64_t offset;
	unsigned int type, dpl, ist;
	bool present;
};

enum {
	GATE_TASK = 5,
	GATE_INT16 = 6,
	GATE_TRAP16 = 7,
	GATE_INT32 = 14,
	GATE_TRAP32 = 15
};

static void gate_read(struct emu_cpu *cpu, uint8_t vector, uint32_t error,
		      struct gate *g)
{
	unsigned int size = emu_long(cpu) ? 16 : 8;
	uint64_t lin = cpu->idt.base + vector * size, lo;

	if (vector * size + size - 1 > cpu->idt.limit)
		emu_raise_err(cpu, EXC_GP, error);
	lo = emu_sys_load(cpu, lin, 8);
	g->selector = lo >> 16;
	g->offset = (lo & 0xffff) | ((lo >> 32) & 0xffff0000);
	g->type = (lo >> 40) & 0x1f;
	g->dpl = (lo >> 45) & 3;
	g->present = lo >> 47 & 1;
	g->ist = 0;
	if (size == 16) {
		g->offset |= emu_sys_load(cpu, lin + 8, 4) << 32;
		g->ist = (lo >> 32) & 7;
	}
	if (g->type == GATE_INT16 || g->type == GATE_TRAP16)
		g->offset &= 0xffff;
}

static void gate_check(struct emu_cpu *cpu, const struct gate *g,
		       enum emu_int_kind kind, uint32_t error)
{
	bool ok = g->type == GATE_INT32 || g->type == GATE_TRAP32;

	if (!emu_long(cpu))
		ok = ok || g->type == GATE_INT16 || g->type == GATE_TRAP16 ||
		     g->type == GATE_TASK;
	if (!ok || (kind == INT_SOFT && g->dpl < cpu->cpl))
		emu_raise_err(cpu, EXC_GP, error);
	if (!g->present)
		emu_raise_err(cpu, EXC_NP, error);
}

/* The handler's code segment, and the privilege level it runs at. */
static unsigned int target_cs(struct emu_cpu *cpu, const struct gate *g,
			      uint32_t ext, struct x86_segment *cs)
{
	uint32_t error = (g->selector & 0xfffc) | ext;
	unsigned int dpl;
	uint64_t desc;

	if (!(g->selector & 0xfffc))
		emu_raise_err(cpu, EXC_GP, ext);
	desc = seg_descriptor(cpu, g->selector, EXC_GP);
	seg_from_descriptor(cs, g->selector, desc);
	dpl = (cs->attr >> 5) & 3;
	if ((cs->attr & 0x18) != 0x18 || dpl > cpu->cpl)
		emu_raise_err(cpu, EXC_GP, error);
	if (emu_long(cpu) && (!(cs->attr & BIT(13)) || cs->attr & BIT(14)))
		emu_raise_err(cpu, EXC_GP, error);
	if (!(cs->attr & BIT(7)))
		emu_raise_err(cpu, EXC_NP, error);
	if (cs->attr & 4) /* conforming */
		return cpu->cpl;
	return dpl;
}

/* RFLAGS in the frame: RF is set for faults (SDM vol. 3, "RFLAGS.RF"). */
static uint64_t frame_flags(struct emu_cpu *cpu, enum emu_int_kind kind,
			    uint8_t vector)
{
	uint64_t f = emu_get_rflags(cpu);

	if (kind == INT_EXCEPTION && vector != EXC_DB && vector != EXC_BP &&
	    vector != EXC_OF && vector != EXC_DF)
		f |= FLAG_RF;
	return f;
}

static void enter_handler(struct emu_cpu *cpu, const struct gate *g,
			  const struct x86_segment *cs, unsigned int cpl)
{
	uint64_t f = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;

	if (g->type == GATE_INT32 || g->type == GATE_INT16)
		f |= FLAG_IF;
	cpu->rflags &= ~f;
	cpu->rip = g->offset;
	seg_set_cs(cpu, cs, cpl);
}

static void deliver64(struct emu_cpu *cpu, const struct gate *g,
		      enum emu_int_kind kind, uint8_t vector, bool has_error,
		      uint32_t error)
{
	uint32_t ext = kind != INT_SOFT;
	struct x86_segment cs, ss = cpu->seg[X86_SS];
	unsigned int cpl = target_cs(cpu, g, ext, &cs);
	uint64_t sp = cpu->gpr[X86_RSP];
	uint64_t words[6] = { cpu->seg[X86_SS].selector,
			      sp,
			      frame_flags(cpu, kind, vector),
			      cpu->seg[X86_CS].selector,
			      cpu->rip,
			      error };

	if ((uint64_t)((int64_t)(g->offset << 16) >> 16) != g->offset)
		emu_raise_err(cpu, EXC_GP, ext);
	if (g->ist)
		sp = tss_stack64(cpu, 0x24 + 8 * (g->ist - 1), ext);
	else if (cpl < cpu->cpl)
		sp = tss_stack64(cpu, 4 + 8 * cpl, ext);
	sp &= ~15ull;
	far_push(cpu, cpl == 3 ? MMU_USER : MMU_KERNEL, &ss, &sp, words,
		   has_error ? 6 : 5, 8);
	if (cpl < cpu->cpl) {
		ss = (struct x86_segment){ .selector = cpl,
					   .unusable = true,
					   .attr = cpl << 5 };
		cpu->seg[X86_SS] = ss;
	}
	cpu->gpr[X86_RSP] = sp;
	cs.selector = (cs.selector & ~3) | cpl;
	enter_handler(cpu, g, &cs, cpl);
}

/* The handler of virtual-8086 code finds its data segments on the stack. */
static unsigned int push_v86_segments(struct emu_cpu *cpu, uint64_t *words)
{
	static const uint8_t order[] = { X86_GS, X86_FS, X86_DS, X86_ES };
	unsigned int n = 0;

	for (; n < ARRAY_SIZE(order); n++)
		words[n] = cpu->seg[order[n]].selector;
	return n;
}

static void null_data_segments(struct emu_cpu *cpu)
{
	static const uint8_t segs[] = { X86_GS, X86_FS, X86_DS, X86_ES };

	for (unsigned int n = 0; n < ARRAY_SIZE(segs); n++)
		cpu->seg[segs[n]] = (struct x86_segment){ .unusable = true };
}

static void deliver32(struct emu_cpu *cpu, const struct gate *g,
		      enum emu_int_kind kind, uint8_t vector, bool has_error,
		      uint32_t error)
{
	uint32_t ext = kind != INT_SOFT;
	unsigned int size = g->type & 8 ? 4 : 2;
	struct x86_segment cs, ss = cpu->seg[X86_SS];
	unsigned int cpl = target_cs(cpu, g, ext, &cs), n = 0;
	uint64_t sp = cpu->gpr[X86_RSP], words[10];
	bool v86 = cpu->rflags & FLAG_VM;

	if (v86 && cpl)
		emu_raise_err(cpu, EXC_GP, (g->selector & 0xfffc) | ext);
	if (v86)
		n = push_v86_segments(cpu, words);
	if (cpl < cpu->cpl) {
		words[n++] = ss.selector;
		words[n++] = sp;
		tss_stack32(cpu, cpl, ext, &ss, &sp);
	}
	if (g->offset > cs.limit)
		emu_raise_err(cpu, EXC_GP, ext);
	words[n++] = frame_flags(cpu, kind, vector);
	words[n++] = cpu->seg[X86_CS].selector;
	words[n++] = cpu->rip;
	if (has_error)
		words[n++] = error;
	far_push(cpu, cpl == 3 ? MMU_USER : MMU_KERNEL, &ss, &sp, words, n,
		 size);
	cpu->seg[X86_SS] = ss;
	cpu->gpr[X86_RSP] = sp;
	if (v86)
		null_data_segments(cpu);
	cs.selector = (cs.selector & ~3) | cpl;
	enter_handler(cpu, g, &cs, cpl);
}

/* A task gate: the error code goes to the new task's stack. */
static void deliver_task(struct emu_cpu *cpu, const struct gate *g,
			 enum emu_int_kind kind, uint8_t vector,
			 bool has_error, uint32_t error)
{
	task_switch(cpu, g->selector, TASK_INT, kind != INT_SOFT,
		    frame_flags(cpu, kind, vector));
	if (has_error)
		emu_push(cpu, error, cpu->tr.attr & 8 ? 4 : 2);
}

/* Real-address mode: the table holds far pointers. */
static void deliver_real(struct emu_cpu *cpu, uint8_t vector)
{
	uint64_t sp = cpu->gpr[X86_RSP], entry;
	uint64_t words[3] = { emu_get_rflags(cpu), cpu->seg[X86_CS].selector,
			      cpu->rip };

	if (vector * 4 + 3 > cpu->idt.limit)
		emu_raise(cpu, EXC_GP);
	entry = emu_sys_load(cpu, cpu->idt.base + vector * 4, 4);
	far_push(cpu, MMU_KERNEL, &cpu->seg[X86_SS], &sp, words, 3, 2);
	cpu->gpr[X86_RSP] = sp;
	cpu->rflags &= ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
	cpu->rip = entry & 0xffff;
	seg_load_real(cpu, X86_CS, entry >> 16);
}

void emu_deliver(struct emu_cpu *cpu, uint8_t vector, enum emu_int_kind kind,
		 bool has_error, uint32_t error)
{
	uint32_t gate_error = (vector << 3 | 2) | (kind != INT_SOFT);
	struct gate g;

	cpu->delivering = kind == INT_EXCEPTION ? vector : DELIVER_BENIGN;
	cpu->halted = false;
	cpu->step_db = false;
	cpu->direct.n_entries += cpu->cpl == 3;
	if (!emu_pe(cpu)) {
		deliver_real(cpu, vector);
		cpu->delivering = DELIVER_NONE;
		return;
	}
	gate_read(cpu, vector, gate_error, &g);
	gate_check(cpu, &g, kind, gate_error);
	if (emu_long(cpu))
		deliver64(cpu, &g, kind, vector, has_error, error);
	else if (g.type == GATE_TASK)
		deliver_task(cpu, &g, kind, vector, has_error, error);
	else
		deliver32(cpu, &g, kind, vector, has_error, error);
	cpu->delivering = DELIVER_NONE;
}
