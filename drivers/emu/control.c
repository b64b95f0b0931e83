/*
 * drivers/emu/control.c -- jumps, calls, returns, system calls (SDM vol. 2).
 */
#include "drivers/emu/control.h"
#include "drivers/emu/far.h"

static unsigned int op_size(const struct emu_insn *i)
{
	if (i->flags & INSN_OP64)
		return 8;
	return i->flags & INSN_OP16 ? 2 : 4;
}

static uint64_t size_mask(uint64_t v, unsigned int size)
{
	return size == 8 ? v : size == 4 ? (uint32_t)v : (uint16_t)v;
}

/* #GP belongs to the transfer, not to its target. */
static void check_target(struct emu_cpu *cpu, uint64_t rip)
{
	if (cpu->mode == MODE_64) {
		if (unlikely((uint64_t)((int64_t)(rip << 16) >> 16) != rip))
			emu_gp0(cpu);
	} else if (rip > cpu->seg[X86_CS].limit) {
		emu_gp0(cpu);
	}
}

/* Near transfer, any mode. */
static void jump(struct emu_cpu *cpu, uint64_t rip, unsigned int size)
{
	rip = size_mask(rip, size);
	check_target(cpu, rip);
	cpu->rip = rip;
}

void op_jmp64(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->rip += i->imm;
}

void op_jmp(struct emu_cpu *cpu, const struct emu_insn *i)
{
	jump(cpu, cpu->rip + i->imm, op_size(i));
}

#define JCC(n) \
	static void jcc64_##n(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		if (emu_cond(cpu, n)) \
			cpu->rip += i->imm; \
	}
JCC(0) JCC(1) JCC(2) JCC(3) JCC(4) JCC(5) JCC(6) JCC(7)
JCC(8) JCC(9) JCC(10) JCC(11) JCC(12) JCC(13) JCC(14) JCC(15)

emu_fn *const jcc64_fns[16] = {
	jcc64_0,  jcc64_1,  jcc64_2,  jcc64_3, jcc64_4,	 jcc64_5,
	jcc64_6,  jcc64_7,  jcc64_8,  jcc64_9, jcc64_10, jcc64_11,
	jcc64_12, jcc64_13, jcc64_14, jcc64_15,
};

void op_jcc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (emu_cond(cpu, i->aux))
		jump(cpu, cpu->rip + i->imm, op_size(i));
}

void op_call64(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t sp = cpu->gpr[X86_RSP] - 8;

	emu_store64(cpu, sp, cpu->rip);
	cpu->gpr[X86_RSP] = sp;
	cpu->rip += i->imm;
}

void op_call(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t from = cpu->rip, sp = cpu->gpr[X86_RSP];

	emu_push(cpu, from, op_size(i));
	/* A limit violation must leave the stack pointer alone. */
	if (cpu->mode != MODE_64 &&
	    size_mask(from + i->imm, op_size(i)) > cpu->seg[X86_CS].limit) {
		cpu->gpr[X86_RSP] = sp;
		emu_gp0(cpu);
	}
	cpu->rip = size_mask(from + i->imm, op_size(i));
}

void op_ret64(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t sp = cpu->gpr[X86_RSP], rip = emu_load64(cpu, sp);

	check_target(cpu, rip);
	cpu->rip = rip;
	cpu->gpr[X86_RSP] = sp + 8 + (uint16_t)i->imm;
}

void op_ret(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = op_size(i);
	uint64_t rip = emu_peek(cpu, 0, size);

	jump(cpu, rip, size);
	emu_set_sp(cpu, cpu->gpr[X86_RSP] + size + (uint16_t)i->imm);
}

static uint64_t target_mem(struct emu_cpu *cpu, const struct emu_insn *i)
{
	switch (op_size(i)) {
	case 8:
		return emu_load64(cpu, emu_ea(cpu, i, 8, ACCESS_READ));
	case 4:
		return emu_load32(cpu, emu_ea(cpu, i, 4, ACCESS_READ));
	default:
		return emu_load16(cpu, emu_ea(cpu, i, 2, ACCESS_READ));
	}
}

void op_jmp_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	jump(cpu, REG64(i->src), op_size(i));
}

void op_jmp_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	jump(cpu, target_mem(cpu, i), op_size(i));
}

static void call(struct emu_cpu *cpu, const struct emu_insn *i, uint64_t rip)
{
	unsigned int size = op_size(i);

	rip = size_mask(rip, size);
	check_target(cpu, rip);
	emu_push(cpu, cpu->rip, size);
	cpu->rip = rip;
}

void op_call_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	call(cpu, i, REG64(i->src));
}

void op_call_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	call(cpu, i, target_mem(cpu, i));
}

/* rCX in the address size. */
static uint64_t count(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t c = cpu->gpr[X86_RCX];

	if (i->flags & INSN_ADDR16)
		return (uint16_t)c;
	return i->flags & INSN_ADDR32 ? (uint32_t)c : c;
}

/* LOOP, LOOPE, LOOPNE: aux 0, 1, 2. */
void op_loop(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t old = cpu->rip, c = cpu->gpr[X86_RCX] - 1;
	bool zf = cpu->aflags & AF_ZF, taken;

	if (i->flags & INSN_ADDR16)
		c = (uint16_t)c | (cpu->gpr[X86_RCX] & ~0xffffull);
	else if (i->flags & INSN_ADDR32)
		c = (uint32_t)c;
	taken = i->flags & INSN_ADDR16 ? (uint16_t)c : c;
	if (i->aux)
		taken = taken && zf == (i->aux == 1);
	if (taken)
		jump(cpu, old + i->imm, op_size(i));
	cpu->gpr[X86_RCX] = c;
}

void op_jrcxz(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!count(cpu, i))
		jump(cpu, cpu->rip + i->imm, op_size(i));
}

static void check_offset(struct emu_cpu *cpu, const struct x86_segment *cs,
			 uint64_t rip)
{
	if (emu_long(cpu) && cs->attr & BIT(13)) {
		if ((uint64_t)((int64_t)(rip << 16) >> 16) != rip)
			emu_gp0(cpu);
	} else if (rip > cs->limit) {
		emu_gp0(cpu);
	}
}

/* Far JMP and CALL. */
static void far_transfer(struct emu_cpu *cpu, const struct emu_insn *i,
			 uint16_t selector, uint64_t rip, bool is_call)
{
	unsigned int size = op_size(i);
	struct x86_segment cs;
	uint64_t desc = 0;

	if (emu_protected(cpu)) {
		desc = seg_check_code(cpu, selector, cpu->cpl, false, &cs);
		if (!(cs.attr & 0x10)) {
			far_system(cpu, selector, desc, is_call);
			return;
		}
		if ((cs.attr & 0x18) != 0x18)
			emu_raise_err(cpu, EXC_GP, selector & 0xfffc);
		check_offset(cpu, &cs, rip);
	}
	if (is_call) {
		uint64_t sp = cpu->gpr[X86_RSP], low = sp - 2 * size;
		uint64_t words[2] = { cpu->rip, cpu->seg[X86_CS].selector };
		uint8_t buf[16];

		memcpy(buf, &words[0], size);
		memcpy(buf + size, &words[1], size);
		emu_write(cpu, emu_view(cpu),
			  emu_stack_lin(cpu, low, 2 * size, ACCESS_WRITE), buf,
			  2 * size);
		emu_set_sp(cpu, low);
	}
	if (emu_protected(cpu)) {
		seg_mark_accessed(cpu, selector, desc);
		seg_set_cs(cpu, &cs, cpu->cpl);
	} else {
		seg_load_real(cpu, X86_CS, selector);
	}
	cpu->rip = rip;
}

void op_jmp_far(struct emu_cpu *cpu, const struct emu_insn *i)
{
	far_transfer(cpu, i, i->imm, (uint32_t)i->disp, false);
}

void op_call_far(struct emu_cpu *cpu, const struct emu_insn *i)
{
	far_transfer(cpu, i, i->imm, (uint32_t)i->disp, true);
}

static void far_mem(struct emu_cpu *cpu, const struct emu_insn *i,
		    bool is_call)
{
	unsigned int size = op_size(i);
	uint64_t ea = emu_ea(cpu, i, size + 2, ACCESS_READ);
	uint64_t rip = target_mem(cpu, i);

	far_transfer(cpu, i, emu_load16(cpu, ea + size), rip, is_call);
}

void op_jmp_far_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	far_mem(cpu, i, false);
}

void op_call_far_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	far_mem(cpu, i, true);
}

/* SS for a return to privilege level cpl. */
static void return_ss(struct emu_cpu *cpu, uint16_t selector,
		      unsigned int cpl, bool to64, struct x86_segment *ss)
{
	uint32_t error = selector & 0xfffc;
	uint64_t desc;

	if (!error && to64 && cpl != 3 && (selector & 3) == cpl) {
		*ss = (struct x86_segment){ .selector = selector,
					    .unusable = true,
					    .attr = cpl << 5 };
		return;
	}
	if (!error)
		emu_gp0(cpu);
	desc = seg_descriptor(cpu, selector, EXC_GP);
	seg_from_descriptor(ss, selector, desc);
	if ((selector & 3) != cpl || (ss->attr & 0x1a) != 0x12 ||
	    ((ss->attr >> 5) & 3) != cpl)
		emu_raise_err(cpu, EXC_GP, error);
	if (!(ss->attr & BIT(7)))
		emu_raise_err(cpu, EXC_SS, error);
	seg_mark_accessed(cpu, selector, desc);
	ss->attr |= 1;
}

/* What RETF and IRET take from the stack; ss and sp only if outer. */
struct frame {
	uint64_t rip, flags, sp;
	uint16_t cs, ss;
};

/* The common end of RETF and IRET in protected mode. */
static void far_return(struct emu_cpu *cpu, const struct frame *f,
		       unsigned int size, bool pops_stack, uint64_t new_sp)
{
	unsigned int cpl = f->cs & 3;
	struct x86_segment cs, ss = { 0 };
	uint64_t desc;
	bool outer = cpl > cpu->cpl;

	if (cpl < cpu->cpl)
		emu_raise_err(cpu, EXC_GP, f->cs & 0xfffc);
	desc = seg_check_code(cpu, f->cs, cpl, true, &cs);
	if ((cs.attr & 0x18) != 0x18)
		emu_raise_err(cpu, EXC_GP, f->cs & 0xfffc);
	check_offset(cpu, &cs, f->rip);
	if (pops_stack || outer)
		return_ss(cpu, f->ss, cpl,
			  emu_long(cpu) && cs.attr & BIT(13), &ss);
	seg_mark_accessed(cpu, f->cs, desc);

	if (pops_stack || outer)
		cpu->seg[X86_SS] = ss;
	seg_set_cs(cpu, &cs, cpl);
	if (outer)
		seg_null_on_return(cpu);
	if (pops_stack || outer) {
		if (size == 8)
			cpu->gpr[X86_RSP] = f->sp;
		else
			emu_set_sp(cpu, f->sp);
	} else {
		emu_set_sp(cpu, new_sp);
	}
	cpu->rip = f->rip;
}

void op_retf(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = op_size(i), extra = (uint16_t)i->imm;
	struct frame f = { 0 };

	f.rip = emu_peek(cpu, 0, size);
	f.cs = emu_peek(cpu, size, size);
	if (!emu_protected(cpu)) {
		emu_set_sp(cpu, cpu->gpr[X86_RSP] + 2 * size + extra);
		seg_load_real(cpu, X86_CS, f.cs);
		cpu->rip = f.rip;
		return;
	}
	if ((f.cs & 3) > cpu->cpl) {
		f.sp = emu_peek(cpu, 2 * size + extra, size) + extra;
		f.ss = emu_peek(cpu, 3 * size + extra, size);
	}
	far_return(cpu, &f, size, false,
		   cpu->gpr[X86_RSP] + 2 * size + extra);
}

/* Flags that IRET loads (SDM vol. 2A, "IRET"). */
static uint64_t iret_mask(unsigned int cpl, uint64_t flags, unsigned int size)
{
	uint64_t m = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF |
		     FLAG_AC | FLAG_ID;

	if (cpl <= ((flags >> 12) & 3))
		m |= FLAG_IF;
	if (cpl == 0)
		m |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
	return size == 2 ? m & 0xffff : m;
}

static void iret_real(struct emu_cpu *cpu, unsigned int size)
{
	uint64_t rip = emu_peek(cpu, 0, size);
	uint16_t cs = emu_peek(cpu, size, size);
	uint64_t flags = emu_peek(cpu, 2 * size, size);
	uint64_t mask = iret_mask(0, 0, size);

	if (cpu->rflags & FLAG_VM) { /* IOPL 3, or the monitor does it */
		if (cpu->cpl > (cpu->rflags >> 12 & 3))
			emu_gp0(cpu);
		mask &= ~(FLAG_IOPL | FLAG_VIF | FLAG_VIP);
	}
	emu_set_sp(cpu, cpu->gpr[X86_RSP] + 3 * size);
	seg_load_real(cpu, X86_CS, cs);
	cpu->rip = rip;
	emu_set_rflags(cpu, (emu_get_rflags(cpu) & ~mask) | (flags & mask));
}

/* To virtual-8086 mode; only from level 0 and with a 32-bit frame. */
static void iret_v86(struct emu_cpu *cpu, const struct frame *f)
{
	static const uint8_t segs[] = { X86_SS, X86_ES, X86_DS, X86_FS,
					X86_GS };
	uint16_t selector[ARRAY_SIZE(segs)];
	uint64_t sp = emu_peek(cpu, 12, 4);

	for (unsigned int n = 0; n < ARRAY_SIZE(segs); n++)
		selector[n] = emu_peek(cpu, 16 + 4 * n, 4);
	emu_set_rflags(cpu, f->flags);
	cpu->cpl = 3;
	for (unsigned int n = 0; n < ARRAY_SIZE(segs); n++)
		seg_load_real(cpu, segs[n], selector[n]);
	seg_load_real(cpu, X86_CS, f->cs);
	cpu->gpr[X86_RSP] = sp;
	cpu->rip = (uint16_t)f->rip;
}

void op_iret(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = op_size(i), old_cpl = cpu->cpl;
	bool pops_stack = cpu->mode == MODE_64;
	uint64_t old = emu_get_rflags(cpu), mask;
	struct frame f = { 0 };

	if (cpu->nmi_blocked) {
		cpu->nmi_blocked = false;
		emu_pend(cpu, PEND_IRQ);
	}
	if (!emu_protected(cpu)) {
		iret_real(cpu, size);
		return;
	}
	if (old & FLAG_NT && !emu_long(cpu)) {
		task_switch(cpu, emu_sys_load(cpu, cpu->tr.base, 2), TASK_IRET,
			    0, old);
		return;
	}
	if (old & FLAG_NT)
		emu_gp0(cpu);
	f.rip = emu_peek(cpu, 0, size);
	f.cs = emu_peek(cpu, size, size);
	f.flags = emu_peek(cpu, 2 * size, size);
	if (f.flags & FLAG_VM && !cpu->cpl && !emu_long(cpu)) {
		iret_v86(cpu, &f);
		return;
	}
	if (pops_stack || (f.cs & 3) > cpu->cpl) {
		f.sp = emu_peek(cpu, 3 * size, size);
		f.ss = emu_peek(cpu, 4 * size, size);
	}
	far_return(cpu, &f, size, pops_stack,
		   cpu->gpr[X86_RSP] + 3 * size);
	mask = iret_mask(old_cpl, old, size);
	emu_set_rflags(cpu, (old & ~mask) | (f.flags & mask));
	if (cpu->cpl == 3 && old_cpl == 0)
		direct_consider(cpu);
}

/* Flat segments as SYSCALL and SYSENTER load them. */
static void flat_cs(struct x86_segment *cs, uint16_t selector,
		    unsigned int cpl, bool is64)
{
	*cs = (struct x86_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.attr = (is64 ? 0xa09b : 0xc09b) | cpl << 5,
	};
}

static void flat_ss(struct emu_cpu *cpu, uint16_t selector, unsigned int cpl)
{
	cpu->seg[X86_SS] = (struct x86_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.attr = 0xc093 | cpl << 5,
	};
}

void op_syscall(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t selector = cpu->msr.star >> 32 & 0xfffc;
	struct x86_segment cs;
	uint64_t target;

	if (!(cpu->efer & EFER_SCE) || !emu_pe(cpu))
		emu_ud(cpu);
	flat_ss(cpu, selector + 8, 0);
	if (emu_long(cpu)) {
		cpu->gpr[X86_RCX] = cpu->rip;
		cpu->gpr[X86_R11] = emu_get_rflags(cpu) & ~FLAG_RF;
		target = cpu->mode == MODE_64 ? cpu->msr.lstar :
						cpu->msr.cstar;
		flat_cs(&cs, selector, 0, true);
		emu_set_rflags(cpu, emu_get_rflags(cpu) &
					    ~(cpu->msr.sfmask | FLAG_RF));
	} else {
		cpu->gpr[X86_RCX] = (uint32_t)cpu->rip;
		target = (uint32_t)cpu->msr.star;
		flat_cs(&cs, selector, 0, false);
		emu_set_rflags(cpu, emu_get_rflags(cpu) &
					    ~(FLAG_IF | FLAG_VM | FLAG_RF));
	}
	cpu->step_db = cpu->rflags & FLAG_TF; /* what SFMASK left of it */
	cpu->direct.n_entries++;
	cpu->rip = target;
	seg_set_cs(cpu, &cs, 0);
}

void op_sysret(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t selector = cpu->msr.star >> 48 & 0xfffc;
	bool to64 = i->flags & INSN_OP64;
	struct x86_segment cs;

	if (!(cpu->efer & EFER_SCE) || !emu_protected(cpu))
		emu_ud(cpu);
	if (cpu->cpl)
		emu_gp0(cpu);
	cpu->rip = to64 ? cpu->gpr[X86_RCX] : (uint32_t)cpu->gpr[X86_RCX];
	flat_ss(cpu, (selector + 8) | 3, 3);
	flat_cs(&cs, (to64 ? selector + 16 : selector) | 3, 3, to64);
	seg_set_cs(cpu, &cs, 3);
	if (emu_long(cpu))
		emu_set_rflags(cpu, (cpu->gpr[X86_R11] & 0x3c7fd7) | 2);
	else
		emu_set_rflags(cpu, emu_get_rflags(cpu) | FLAG_IF);
	cpu->step_db = false;
	if (cpu->rflags & FLAG_TF) /* as if SYSCALL had just ended */
		cpu->db_pending |= DR6_BS;
	direct_consider(cpu);
}

void op_sysenter(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t selector = cpu->msr.sysenter_cs & 0xfffc;
	struct x86_segment cs;

	if (!emu_pe(cpu) || !selector)
		emu_gp0(cpu);
	flat_ss(cpu, selector + 8, 0);
	flat_cs(&cs, selector, 0, emu_long(cpu));
	cpu->gpr[X86_RSP] = cpu->msr.sysenter_esp;
	cpu->rip = cpu->msr.sysenter_eip;
	if (!emu_long(cpu)) {
		cpu->gpr[X86_RSP] = (uint32_t)cpu->gpr[X86_RSP];
		cpu->rip = (uint32_t)cpu->rip;
	}
	seg_set_cs(cpu, &cs, 0);
	emu_set_rflags(cpu, emu_get_rflags(cpu) &
				    ~(FLAG_IF | FLAG_VM | FLAG_RF));
}

void op_sysexit(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t selector = cpu->msr.sysenter_cs & 0xfffc;
	bool to64 = i->flags & INSN_OP64;
	struct x86_segment cs;

	if (!emu_protected(cpu) || !selector || cpu->cpl)
		emu_gp0(cpu);
	cpu->gpr[X86_RSP] = to64 ? cpu->gpr[X86_RCX] :
				   (uint32_t)cpu->gpr[X86_RCX];
	cpu->rip = to64 ? cpu->gpr[X86_RDX] : (uint32_t)cpu->gpr[X86_RDX];
	flat_ss(cpu, (selector + (to64 ? 40 : 24)) | 3, 3);
	flat_cs(&cs, (selector + (to64 ? 32 : 16)) | 3, 3, to64);
	seg_set_cs(cpu, &cs, 3);
}

static void soft_interrupt(struct emu_cpu *cpu, uint8_t vector)
{
	if (cpu->test)
		emu_raise(cpu, vector);
	emu_deliver(cpu, vector, INT_SOFT, false, 0);
}

void op_int(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (cpu->rflags & FLAG_VM && (cpu->rflags & FLAG_IOPL) != FLAG_IOPL)
		emu_gp0(cpu);
	soft_interrupt(cpu, i->imm);
}

void op_int3(struct emu_cpu *cpu, const struct emu_insn *i)
{
	soft_interrupt(cpu, EXC_BP);
}

void op_into(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (cpu->aflags & AF_OF)
		soft_interrupt(cpu, EXC_OF);
}

void op_int1(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (cpu->test)
		emu_raise(cpu, EXC_DB);
	debug_deliver(cpu);
	emu_deliver(cpu, EXC_DB, INT_EXCEPTION, false, 0);
}
