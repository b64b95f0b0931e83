/*
 * drivers/emu/mov.c -- moves, stack, conversions, flag and decimal
 * instructions.
 */
#include "drivers/emu/alu.h"

#define ALL_W(T) T(8) T(16) T(32) T(64)
#define WIDE_W(T) T(16) T(32) T(64)
#define ROW(p)	 { p##8, p##16, p##32, p##64 }
#define WIDE(p)	 { NULL, p##16, p##32, p##64 }

#define MOV_W(w) \
	static void mov_rr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, REG##w(i->src)); \
	} \
	static void mov_ri##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, i->imm); \
	} \
	static void mov_rm##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, \
			  emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
						  ACCESS_READ))); \
	} \
	static void mov_mr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		emu_store##w(cpu, emu_ea(cpu, i, w / 8, ACCESS_WRITE), \
			     REG##w(i->src)); \
	} \
	static void mov_mi##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		emu_store##w(cpu, emu_ea(cpu, i, w / 8, ACCESS_WRITE), \
			     i->imm); \
	}
ALL_W(MOV_W)

emu_fn *const mov_fns[FORMS][WIDTHS] = {
	[F_RR] = ROW(mov_rr), [F_RI] = ROW(mov_ri), [F_RM] = ROW(mov_rm),
	[F_MR] = ROW(mov_mr), [F_MI] = ROW(mov_mi),
};

/* MOVZX and MOVSX (MOVSXD): to d bits from s bits. */
#define EXT(name, type, d, s) \
	static void name##_reg_##d##_##s(struct emu_cpu *cpu, \
					 const struct emu_insn *i) \
	{ \
		SETREG##d(i->dst, (type##s##_t)REG##s(i->src)); \
	} \
	static void name##_mem_##d##_##s(struct emu_cpu *cpu, \
					 const struct emu_insn *i) \
	{ \
		SETREG##d(i->dst, \
			  (type##s##_t)emu_load##s( \
				  cpu, emu_ea(cpu, i, s / 8, ACCESS_READ))); \
	}
#define EXTS(name, type) \
	EXT(name, type, 16, 8) EXT(name, type, 32, 8) EXT(name, type, 64, 8) \
	EXT(name, type, 16, 16) EXT(name, type, 32, 16) \
	EXT(name, type, 64, 16) EXT(name, type, 16, 32) \
	EXT(name, type, 32, 32) EXT(name, type, 64, 32)
EXTS(movzx, uint)
EXTS(movsx, int)
#define EXT_ROWS(p) \
	{ \
		[W16] = { p##_16_8, p##_16_16, p##_16_32 }, \
		[W32] = { p##_32_8, p##_32_16, p##_32_32 }, \
		[W64] = { p##_64_8, p##_64_16, p##_64_32 }, \
	}
emu_fn *const movzx_fns[FORMS_RM][WIDTHS][WIDTHS] = {
	EXT_ROWS(movzx_reg), EXT_ROWS(movzx_mem)
};
emu_fn *const movsx_fns[FORMS_RM][WIDTHS][WIDTHS] = {
	EXT_ROWS(movsx_reg), EXT_ROWS(movsx_mem)
};

#define MISC_W(w) \
	static void lea##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, emu_ea_offset(cpu, i)); \
	} \
	static void cmov_reg##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_cond(cpu, i->aux) ? REG##w(i->src) : \
							REG##w(i->dst); \
		SETREG##w(i->dst, v); \
	} \
	static void cmov_mem##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		if (!emu_cond(cpu, i->aux)) \
			v = REG##w(i->dst); \
		SETREG##w(i->dst, v); \
	} \
	static void push_r##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		emu_push(cpu, REG##w(i->src), w / 8); \
	} \
	static void push_i##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		emu_push(cpu, (uint##w##_t)i->imm, w / 8); \
	} \
	static void push_m##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		emu_push(cpu, \
			 emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
						 ACCESS_READ)), \
			 w / 8); \
	} \
	static void pop_reg##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_peek(cpu, 0, w / 8); \
		emu_set_sp(cpu, cpu->gpr[X86_RSP] + w / 8); \
		SETREG##w(i->dst, v); \
	} \
	/* The address is computed with RSP already incremented. */ \
	static void pop_mem##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint64_t sp = cpu->gpr[X86_RSP], ea; \
		uint##w##_t v = emu_peek(cpu, 0, w / 8); \
		emu_set_sp(cpu, sp + w / 8); \
		ea = emu_ea_offset(cpu, i); \
		cpu->gpr[X86_RSP] = sp; \
		emu_store##w(cpu, \
			     emu_linear(cpu, i->seg, ea, w / 8, \
					ACCESS_WRITE), \
			     v); \
		emu_set_sp(cpu, sp + w / 8); \
	}
WIDE_W(MISC_W)

emu_fn *const lea_fns[WIDTHS] = WIDE(lea);
emu_fn *const cmov_fns[FORMS_RM][WIDTHS] = { WIDE(cmov_reg), WIDE(cmov_mem) };
emu_fn *const push_fns[3][WIDTHS] = { WIDE(push_r), WIDE(push_i),
				      WIDE(push_m) };
emu_fn *const pop_fns[FORMS_RM][WIDTHS] = { WIDE(pop_reg), WIDE(pop_mem) };

void emu_push(struct emu_cpu *cpu, uint64_t v, unsigned int size)
{
	uint64_t sp = cpu->gpr[X86_RSP] - size;
	uint64_t lin = emu_stack_lin(cpu, sp, size, ACCESS_WRITE);

	if (likely(size == 8))
		emu_store64(cpu, lin, v);
	else if (size == 4)
		emu_store32(cpu, lin, v);
	else
		emu_store16(cpu, lin, v);
	emu_set_sp(cpu, sp);
}

uint64_t emu_peek(struct emu_cpu *cpu, unsigned int offset, unsigned int size)
{
	uint64_t lin = emu_stack_lin(cpu, cpu->gpr[X86_RSP] + offset, size,
				     ACCESS_READ);

	if (likely(size == 8))
		return emu_load64(cpu, lin);
	if (size == 4)
		return emu_load32(cpu, lin);
	return emu_load16(cpu, lin);
}

void op_setcc_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG8(i->dst, emu_cond(cpu, i->aux));
}

void op_setcc_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_store8(cpu, emu_ea(cpu, i, 1, ACCESS_WRITE),
		   emu_cond(cpu, i->aux));
}

void op_movnti32(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_store32(cpu, emu_ea(cpu, i, 4, ACCESS_WRITE), REG32(i->src));
}

void op_movnti64(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_store64(cpu, emu_ea(cpu, i, 8, ACCESS_WRITE), REG64(i->src));
}

void op_nop(struct emu_cpu *cpu, const struct emu_insn *i)
{
}

void op_cbw(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG16(0, (int8_t)REG8(0));
}

void op_cwde(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG32(0, (int16_t)REG16(0));
}

void op_cdqe(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG64(0, (int32_t)REG32(0));
}

void op_cwd(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG16(8 * X86_RDX, (int16_t)REG16(0) >> 15);
}

void op_cdq(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG32(8 * X86_RDX, (int32_t)REG32(0) >> 31);
}

void op_cqo(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG64(8 * X86_RDX, (int64_t)REG64(0) >> 63);
}

void op_lahf(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG8(1, emu_get_rflags(cpu));
}

void op_sahf(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->aflags = (cpu->aflags & AF_OF) |
		      (REG8(1) & 0xd5) << 8;
}

void op_clc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->aflags &= ~AF_CF;
}

void op_stc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->aflags |= AF_CF;
}

void op_cmc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->aflags ^= AF_CF;
}

void op_cld(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->rflags &= ~FLAG_DF;
}

void op_std(struct emu_cpu *cpu, const struct emu_insn *i)
{
	cpu->rflags |= FLAG_DF;
}

/* XLAT: the index is AL; base in i->base, segment as for a data access. */
void op_xlat(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct emu_insn m = *i;

	m.base = 8 * X86_RBX;
	m.index = SLOT_ZERO;
	m.scale = 0;
	m.disp = REG8(0);
	SETREG8(0, emu_load8(cpu, emu_ea(cpu, &m, 1, ACCESS_READ)));
}

/* PUSHA, POPA (not in 64-bit mode): all of the range is checked first. */
void op_pusha(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = i->flags & INSN_OP16 ? 2 : 4;
	uint64_t sp = cpu->gpr[X86_RSP];
	uint8_t buf[32];

	for (unsigned int r = 0; r < 8; r++)
		memcpy(buf + (7 - r) * size, &cpu->gpr[r], size);
	emu_write(cpu, emu_view(cpu),
		  emu_stack_lin(cpu, sp - 8 * size, 8 * size, ACCESS_WRITE),
		  buf, 8 * size);
	emu_set_sp(cpu, sp - 8 * size);
}

void op_popa(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = i->flags & INSN_OP16 ? 2 : 4;
	uint64_t sp = cpu->gpr[X86_RSP];
	uint8_t buf[32];

	emu_read(cpu, emu_view(cpu),
		 emu_stack_lin(cpu, sp, 8 * size, ACCESS_READ), buf, 8 * size);
	for (unsigned int r = 0; r < 8; r++) {
		if (r == X86_RSP)
			continue;
		memcpy(&cpu->gpr[r], buf + (7 - r) * size, size);
		if (size == 4)
			cpu->gpr[r] = (uint32_t)cpu->gpr[r];
	}
	emu_set_sp(cpu, sp + 8 * size);
}

/* PUSHF and POPF in virtual-8086 mode want IOPL 3. */
static void check_v86(struct emu_cpu *cpu)
{
	if (cpu->rflags & FLAG_VM && (cpu->rflags & FLAG_IOPL) != FLAG_IOPL)
		emu_gp0(cpu);
}

void op_pushf(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t f = emu_get_rflags(cpu) & ~(FLAG_VM | FLAG_RF);

	check_v86(cpu);
	emu_push(cpu, f, emu_stack_size(i));
}

/* POPF (SDM vol. 2B): which flags change depends on CPL and IOPL. */
void op_popf(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = emu_stack_size(i);
	uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC |
			FLAG_ID;
	uint64_t f;

	check_v86(cpu);
	f = emu_peek(cpu, 0, size);
	if (cpu->cpl == 0 || !emu_pe(cpu))
		mask |= FLAG_IOPL;
	if (cpu->cpl <= ((cpu->rflags >> 12) & 3) || !emu_pe(cpu))
		mask |= FLAG_IF;
	if (size == 2)
		mask &= 0xffff;
	emu_set_sp(cpu, cpu->gpr[X86_RSP] + size);
	f = (emu_get_rflags(cpu) & ~(mask | FLAG_RF)) | (f & mask);
	emu_set_rflags(cpu, f);
}

/* ENTER (SDM vol. 2A); imm: size of the frame, aux: nesting level. */
void op_enter(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = emu_stack_size(i), level = i->aux & 31;
	uint64_t sp = cpu->gpr[X86_RSP], bp = cpu->gpr[X86_RBP], frame, v;

	sp -= size;
	v = bp;
	emu_write(cpu, emu_view(cpu),
		  emu_stack_lin(cpu, sp, size, ACCESS_WRITE), &v, size);
	frame = sp;
	for (unsigned int l = 1; l <= level; l++) {
		v = frame;
		if (l < level) {
			bp -= size;
			v = 0;
			emu_read(cpu, emu_view(cpu),
				 emu_stack_lin(cpu, bp, size, ACCESS_READ), &v,
				 size);
		}
		sp -= size;
		emu_write(cpu, emu_view(cpu),
			  emu_stack_lin(cpu, sp, size, ACCESS_WRITE), &v,
			  size);
	}
	sp -= (uint16_t)i->imm;
	emu_probe(cpu, emu_view(cpu),
		  emu_stack_lin(cpu, sp, 1, ACCESS_WRITE), 1, ACCESS_WRITE);
	emu_set_sp(cpu, sp);
	if (size == 2)
		SETREG16(8 * X86_RBP, frame);
	else if (size == 4)
		SETREG32(8 * X86_RBP, frame);
	else
		cpu->gpr[X86_RBP] = frame;
}

void op_leave(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = emu_stack_size(i);
	uint64_t bp = cpu->gpr[X86_RBP], lin, v;

	lin = emu_stack_lin(cpu, bp, size, ACCESS_READ);
	if (likely(size == 8)) {
		v = emu_load64(cpu, lin);
		cpu->gpr[X86_RSP] = bp + 8;
		cpu->gpr[X86_RBP] = v;
		return;
	}
	v = size == 4 ? emu_load32(cpu, lin) : emu_load16(cpu, lin);
	emu_set_sp(cpu, bp + size);
	if (size == 2)
		SETREG16(8 * X86_RBP, v);
	else
		SETREG32(8 * X86_RBP, v);
}

/*
 * Decimal adjustments (SDM vol. 2, each instruction's Operation section):
 * the host has none of these in 64-bit mode.  Flags that are undefined there
 * are set as for the result.
 */
static void flags_of_al(struct emu_cpu *cpu, bool cf, bool af)
{
	uint8_t al = REG8(0);
	unsigned int f = cf ? AF_CF : 0;

	if (af)
		f |= AF_AF;
	if (!al)
		f |= AF_ZF;
	if (al & 0x80)
		f |= AF_SF;
	if (!__builtin_parity(al))
		f |= AF_PF;
	cpu->aflags = f;
}

void op_aaa(struct emu_cpu *cpu, const struct emu_insn *i)
{
	bool adjust = (REG8(0) & 15) > 9 || cpu->aflags & AF_AF;

	if (adjust)
		REG16(0) += 0x106;
	REG8(0) &= 15;
	flags_of_al(cpu, adjust, adjust);
}

void op_aas(struct emu_cpu *cpu, const struct emu_insn *i)
{
	bool adjust = (REG8(0) & 15) > 9 || cpu->aflags & AF_AF;

	if (adjust) {
		REG16(0) -= 6;
		REG8(1) -= 1;
	}
	REG8(0) &= 15;
	flags_of_al(cpu, adjust, adjust);
}

static void decimal(struct emu_cpu *cpu, int sign)
{
	uint8_t al = REG8(0);
	bool cf = cpu->aflags & AF_CF, af = cpu->aflags & AF_AF;
	bool old_cf = cf;

	cf = false;
	if ((al & 15) > 9 || af) {
		int sum = REG8(0) + sign * 6;

		cf = old_cf || sum < 0 || sum > 255;
		REG8(0) = sum;
		af = true;
	}
	if (al > 0x99 || old_cf) {
		REG8(0) += sign * 0x60;
		cf = true;
	} else if (sign > 0) {
		cf = false;
	}
	flags_of_al(cpu, cf, af);
}

void op_daa(struct emu_cpu *cpu, const struct emu_insn *i)
{
	decimal(cpu, 1);
}

void op_das(struct emu_cpu *cpu, const struct emu_insn *i)
{
	decimal(cpu, -1);
}

void op_aam(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint8_t al = REG8(0), base = i->imm;

	if (!base)
		emu_raise(cpu, EXC_DE);
	SETREG16(0, (al / base) << 8 | al % base);
	flags_of_al(cpu, false, false);
}

void op_aad(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG16(0, (uint8_t)(REG8(0) + REG8(1) * (uint8_t)i->imm));
	flags_of_al(cpu, false, false);
}

void op_salc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG8(0, cpu->aflags & AF_CF ? 0xff : 0);
}

/* BOUND: signed index against two bounds in memory. */
void op_bound(struct emu_cpu *cpu, const struct emu_insn *i)
{
	int64_t index, lo, hi;

	if (i->flags & INSN_OP16) {
		uint32_t v = emu_load32(cpu, emu_ea(cpu, i, 4, ACCESS_READ));

		index = (int16_t)REG16(i->dst);
		lo = (int16_t)v;
		hi = (int16_t)(v >> 16);
	} else {
		uint64_t v = emu_load64(cpu, emu_ea(cpu, i, 8, ACCESS_READ));

		index = (int32_t)REG32(i->dst);
		lo = (int32_t)v;
		hi = (int32_t)(v >> 32);
	}
	if (index < lo || index > hi)
		emu_raise(cpu, EXC_BR);
}

/* ARPL: destination in aux (a register) or memory (aux == SLOT_ZERO). */
void op_arpl(struct emu_cpu *cpu, const struct emu_insn *i)
{
	bool is_mem = i->aux == SLOT_ZERO;
	uint64_t ea = is_mem ? emu_ea(cpu, i, 2, ACCESS_WRITE) : 0;
	uint16_t v, rpl = REG16(i->src) & 3;

	if (!emu_protected(cpu))
		emu_ud(cpu);
	v = is_mem ? emu_load16(cpu, ea) : REG16(i->aux);
	if ((v & 3) >= rpl) {
		cpu->aflags &= ~AF_ZF;
		return;
	}
	v = (v & ~3) | rpl;
	if (is_mem)
		emu_store16(cpu, ea, v);
	else
		SETREG16(i->aux, v);
	cpu->aflags |= AF_ZF;
}
