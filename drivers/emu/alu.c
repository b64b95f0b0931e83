/*
 * drivers/emu/alu.c -- integer arithmetic (SDM vol. 1, "Programming With
 * General-Purpose Instructions").
 *
 * Guest and host are the same architecture: every operation is the host's own
 * instruction, followed by LAHF and SETO, so results and flags (the undefined
 * ones included) are the processor's.  Operations that read flags, or leave
 * some of them alone, load them first: adding 0x7f to AL sets OF if AL was 1,
 * SAHF does the rest.
 */
#include "drivers/emu/alu.h"

#define GET_FLAGS "\n\tlahf\n\tseto %%al"
#define SET_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define SET_CARRY "btl $8, %%eax\n\t"

/* Template of one operation of two operands at one width. */
#define ALU2_CORE(name, ins, sfx, w, before) \
	static inline uint##w##_t alu_##name##w(struct emu_cpu *cpu, \
						uint##w##_t a, uint##w##_t b) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(before ins sfx " %2, %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : "r"(b) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static inline void alu_lock_##name##w(struct emu_cpu *cpu, \
					      mem##w *p, uint##w##_t b) \
	{ \
		uint32_t f = cpu->aflags; \
		asm volatile(before "lock " ins sfx " %2, %0" GET_FLAGS \
			     : "+m"(*p), "+&a"(f) \
			     : "r"(b) \
			     : "cc", "memory"); \
		cpu->aflags = f; \
	}

/* What needs no flags in is spared the load of them. */
#define ALU2_CORE_OUT(name, ins, sfx, w) \
	static inline uint##w##_t alu_##name##w(struct emu_cpu *cpu, \
						uint##w##_t a, uint##w##_t b) \
	{ \
		uint32_t f; \
		asm(ins sfx " %2, %0" GET_FLAGS \
		    : "+r"(a), "=&a"(f) \
		    : "r"(b) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	}
#define ALU2_CORE_LOCK(name, ins, sfx, w) \
	static inline void alu_lock_##name##w(struct emu_cpu *cpu, \
					      mem##w *p, uint##w##_t b) \
	{ \
		uint32_t f; \
		asm volatile("lock " ins sfx " %2, %0" GET_FLAGS \
			     : "+m"(*p), "=&a"(f) \
			     : "r"(b) \
			     : "cc", "memory"); \
		cpu->aflags = f; \
	}

#define ALU2_READ(name, w) \
	static void name##_rr##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		ALU_WB(name, w)(cpu, i->dst, \
				alu_##name##w(cpu, REG##w(i->dst), \
					      REG##w(i->src))); \
	} \
	static void name##_ri##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		ALU_WB(name, w)(cpu, i->dst, \
				alu_##name##w(cpu, REG##w(i->dst), i->imm)); \
	} \
	static void name##_rm##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		ALU_WB(name, w)(cpu, i->dst, \
				alu_##name##w(cpu, REG##w(i->dst), v)); \
	}

/* Write-back of a register result: 32 bits clear the upper half. */
#define WB_FNS(w) \
	static inline void wb##w(struct emu_cpu *cpu, unsigned int off, \
				 uint##w##_t v) \
	{ \
		SETREG##w(off, v); \
	} \
	static inline void nowb##w(struct emu_cpu *cpu, unsigned int off, \
				   uint##w##_t v) \
	{ \
	}
WB_FNS(8)
WB_FNS(16)
WB_FNS(32)
WB_FNS(64)

#define ALU_WB(name, w) WB_##name(w)
#define WB_add(w)	wb##w
#define WB_or(w)	wb##w
#define WB_adc(w)	wb##w
#define WB_sbb(w)	wb##w
#define WB_and(w)	wb##w
#define WB_sub(w)	wb##w
#define WB_xor(w)	wb##w
#define WB_cmp(w)	nowb##w
#define WB_test(w)	nowb##w

/* Read, modify, write in memory: operand b is a register or immediate. */
#define ALU2_RMW(name, w, form, operand) \
	static void name##_m##form##w(struct emu_cpu *cpu, \
				      const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t b = operand; \
		if (likely(p)) \
			*(volatile mem##w *)p = \
				alu_##name##w(cpu, *(volatile mem##w *)p, b); \
		else \
			emu_store##w(cpu, ea, \
				     alu_##name##w(cpu, emu_load##w(cpu, ea), \
						   b)); \
	} \
	static void name##_lock_m##form##w(struct emu_cpu *cpu, \
					   const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t b = operand; \
		if (likely(p)) { \
			alu_lock_##name##w(cpu, p, b); \
			return; \
		} \
		pthread_mutex_lock(&cpu->vm->split_lock); \
		emu_store##w(cpu, ea, \
			     alu_##name##w(cpu, emu_load##w(cpu, ea), b)); \
		pthread_mutex_unlock(&cpu->vm->split_lock); \
	}

#define ALU2_CMPM(name, w, form, operand) \
	static void name##_m##form##w(struct emu_cpu *cpu, \
				      const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		alu_##name##w(cpu, v, operand); \
	}

#define ALU2_W(name, ins, sfx, w) \
	ALU2_CORE_OUT(name, ins, sfx, w) \
	ALU2_CORE_LOCK(name, ins, sfx, w) \
	ALU2_READ(name, w) \
	ALU2_RMW(name, w, r, REG##w(i->src)) \
	ALU2_RMW(name, w, i, (uint##w##_t)i->imm)
#define ALU2_CARRY_W(name, ins, sfx, w) \
	ALU2_CORE(name, ins, sfx, w, SET_CARRY) \
	ALU2_READ(name, w) \
	ALU2_RMW(name, w, r, REG##w(i->src)) \
	ALU2_RMW(name, w, i, (uint##w##_t)i->imm)
#define ALU2_CMP_W(name, ins, sfx, w) \
	ALU2_CORE_OUT(name, ins, sfx, w) \
	ALU2_READ(name, w) \
	ALU2_CMPM(name, w, r, REG##w(i->src)) \
	ALU2_CMPM(name, w, i, (uint##w##_t)i->imm)

#define ALL_W(T, name) \
	T(name, #name, "b", 8) \
	T(name, #name, "w", 16) \
	T(name, #name, "l", 32) \
	T(name, #name, "q", 64)

ALL_W(ALU2_W, add)
ALL_W(ALU2_W, or)
ALL_W(ALU2_CARRY_W, adc)
ALL_W(ALU2_CARRY_W, sbb)
ALL_W(ALU2_W, and)
ALL_W(ALU2_W, sub)
ALL_W(ALU2_W, xor)
ALL_W(ALU2_CMP_W, cmp)
ALL_W(ALU2_CMP_W, test)

#define ROW(p) { p##8, p##16, p##32, p##64 }
#define ALU2_ROWS(name) \
	{ \
		[F_RR] = ROW(name##_rr), [F_RI] = ROW(name##_ri), \
		[F_RM] = ROW(name##_rm), [F_MR] = ROW(name##_mr), \
		[F_MI] = ROW(name##_mi), \
		[F_LOCK_MR] = ROW(name##_lock_mr), \
		[F_LOCK_MI] = ROW(name##_lock_mi), \
	}
#define CMP_ROWS(name) \
	{ \
		[F_RR] = ROW(name##_rr), [F_RI] = ROW(name##_ri), \
		[F_RM] = ROW(name##_rm), [F_MR] = ROW(name##_mr), \
		[F_MI] = ROW(name##_mi), \
	}

emu_fn *const alu2_fns[ALU2_OPS][FORMS][WIDTHS] = {
	[ALU_ADD] = ALU2_ROWS(add), [ALU_OR] = ALU2_ROWS(or),
	[ALU_ADC] = ALU2_ROWS(adc), [ALU_SBB] = ALU2_ROWS(sbb),
	[ALU_AND] = ALU2_ROWS(and), [ALU_SUB] = ALU2_ROWS(sub),
	[ALU_XOR] = ALU2_ROWS(xor), [ALU_CMP] = CMP_ROWS(cmp),
	[ALU_TEST] = CMP_ROWS(test),
};

/* One operand.  INC and DEC keep CF, NOT keeps all. */
#define ALU1_W(name, ins, sfx, w) \
	static inline uint##w##_t alu_##name##w(struct emu_cpu *cpu, \
						uint##w##_t a) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS ins sfx " %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static void name##_r##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, alu_##name##w(cpu, REG##w(i->dst))); \
	} \
	static void name##_m##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		if (likely(p)) \
			*(volatile mem##w *)p = \
				alu_##name##w(cpu, *(volatile mem##w *)p); \
		else \
			emu_store##w(cpu, ea, \
				     alu_##name##w(cpu, \
						   emu_load##w(cpu, ea))); \
	} \
	static void name##_lock_m##w(struct emu_cpu *cpu, \
				     const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint32_t f = cpu->aflags; \
		if (likely(p)) { \
			asm volatile(SET_FLAGS "lock " ins sfx \
				     " %0" GET_FLAGS \
				     : "+m"(*p), "+&a"(f) \
				     : \
				     : "cc", "memory"); \
			cpu->aflags = f; \
			return; \
		} \
		pthread_mutex_lock(&cpu->vm->split_lock); \
		emu_store##w(cpu, ea, \
			     alu_##name##w(cpu, emu_load##w(cpu, ea))); \
		pthread_mutex_unlock(&cpu->vm->split_lock); \
	}

ALL_W(ALU1_W, inc)
ALL_W(ALU1_W, dec)
ALL_W(ALU1_W, neg)
ALL_W(ALU1_W, not)

#define ALU1_ROWS(name) \
	{ [F_R] = ROW(name##_r), [F_M] = ROW(name##_m), \
	  [F_LOCK_M] = ROW(name##_lock_m) }
emu_fn *const alu1_fns[ALU1_OPS][FORMS1][WIDTHS] = {
	[ALU_INC] = ALU1_ROWS(inc),
	[ALU_DEC] = ALU1_ROWS(dec),
	[ALU_NEG] = ALU1_ROWS(neg),
	[ALU_NOT] = ALU1_ROWS(not),
};

/* A memory operand replaced by fn(value): plain, checked first. */
#define UPDATE_MEM(w, expr) \
	do { \
		uint64_t ea_ = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p_ = emu_rmw(cpu, ea_, w / 8); \
		uint##w##_t v = p_ ? *(volatile mem##w *)p_ : \
				     emu_load##w(cpu, ea_); \
		v = (expr); \
		if (likely(p_)) \
			*(volatile mem##w *)p_ = v; \
		else \
			emu_store##w(cpu, ea_, v); \
	} while (0)

/* Shifts and rotates: a count of 0 leaves the flags alone. */
#define SHIFT_W(name, ins, sfx, w) \
	static inline uint##w##_t alu_##name##w(struct emu_cpu *cpu, \
						uint##w##_t a, uint8_t n) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS ins sfx " %%cl, %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : "c"(n) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static void name##_r_i##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, alu_##name##w(cpu, REG##w(i->dst), i->imm)); \
	} \
	static void name##_r_cl##w(struct emu_cpu *cpu, \
				   const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, alu_##name##w(cpu, REG##w(i->dst), \
						cpu->gpr[X86_RCX])); \
	} \
	static void name##_m_i##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		UPDATE_MEM(w, alu_##name##w(cpu, v, i->imm)); \
	} \
	static void name##_m_cl##w(struct emu_cpu *cpu, \
				   const struct emu_insn *i) \
	{ \
		UPDATE_MEM(w, alu_##name##w(cpu, v, cpu->gpr[X86_RCX])); \
	}

ALL_W(SHIFT_W, rol)
ALL_W(SHIFT_W, ror)
ALL_W(SHIFT_W, rcl)
ALL_W(SHIFT_W, rcr)
ALL_W(SHIFT_W, shl)
ALL_W(SHIFT_W, shr)
ALL_W(SHIFT_W, sar)

#define SHIFT_ROWS(name) \
	{ [F_R_I] = ROW(name##_r_i), [F_R_CL] = ROW(name##_r_cl), \
	  [F_M_I] = ROW(name##_m_i), [F_M_CL] = ROW(name##_m_cl) }
emu_fn *const shift_fns[SHIFT_OPS][SHIFT_FORMS][WIDTHS] = {
	[SH_ROL] = SHIFT_ROWS(rol), [SH_ROR] = SHIFT_ROWS(ror),
	[SH_RCL] = SHIFT_ROWS(rcl), [SH_RCR] = SHIFT_ROWS(rcr),
	[SH_SHL] = SHIFT_ROWS(shl), [SH_SHR] = SHIFT_ROWS(shr),
	[SH_SAR] = SHIFT_ROWS(sar),
};

#define SHIFTD_W(name, ins, sfx, w) \
	static inline uint##w##_t alu_##name##w(struct emu_cpu *cpu, \
						uint##w##_t a, \
						uint##w##_t b, uint8_t n) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS ins sfx " %%cl, %2, %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : "r"(b), "c"(n) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static void name##_r_i##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, alu_##name##w(cpu, REG##w(i->dst), \
						REG##w(i->src), i->imm)); \
	} \
	static void name##_r_cl##w(struct emu_cpu *cpu, \
				   const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, \
			  alu_##name##w(cpu, REG##w(i->dst), REG##w(i->src), \
					cpu->gpr[X86_RCX])); \
	} \
	static void name##_m_i##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		UPDATE_MEM(w, alu_##name##w(cpu, v, REG##w(i->src), i->imm)); \
	} \
	static void name##_m_cl##w(struct emu_cpu *cpu, \
				   const struct emu_insn *i) \
	{ \
		UPDATE_MEM(w, alu_##name##w(cpu, v, REG##w(i->src), \
					    cpu->gpr[X86_RCX])); \
	}

#define WIDE_W(T, name) \
	T(name, #name, "w", 16) \
	T(name, #name, "l", 32) \
	T(name, #name, "q", 64)
WIDE_W(SHIFTD_W, shld)
WIDE_W(SHIFTD_W, shrd)

#define WIDE(p) { NULL, p##16, p##32, p##64 }
#define SHIFTD_ROWS(name) \
	{ [F_R_I] = WIDE(name##_r_i), [F_R_CL] = WIDE(name##_r_cl), \
	  [F_M_I] = WIDE(name##_m_i), [F_M_CL] = WIDE(name##_m_cl) }
emu_fn *const shiftd_fns[2][SHIFT_FORMS][WIDTHS] = {
	SHIFTD_ROWS(shld),
	SHIFTD_ROWS(shrd),
};

/* MUL, IMUL: rDX:rAX = rAX * operand.  Loads flags for the undefined ones. */
#define MUL_W(name, ins, sfx, w) \
	static void do_##name##w(struct emu_cpu *cpu, uint##w##_t b) \
	{ \
		uint64_t f = cpu->aflags, a = cpu->gpr[X86_RAX]; \
		uint64_t d = cpu->gpr[X86_RDX]; \
		asm("xchg %%rax, %0\n\t" SET_FLAGS "xchg %%rax, %0\n\t" \
		    ins sfx " %3\n\txchg %%rax, %0" GET_FLAGS \
		    "\n\txchg %%rax, %0" \
		    : "+&r"(f), "+&a"(a), "+&d"(d) \
		    : "r"(b) \
		    : "cc"); \
		cpu->aflags = f; \
		SET_PRODUCT##w(a, d); \
	}
#define SET_PRODUCT8(a, d) SETREG16(0, a)
#define SET_PRODUCT16(a, d) \
	(SETREG16(8 * X86_RAX, a), SETREG16(8 * X86_RDX, d))
#define SET_PRODUCT32(a, d) \
	(SETREG32(8 * X86_RAX, a), SETREG32(8 * X86_RDX, d))
#define SET_PRODUCT64(a, d) \
	(SETREG64(8 * X86_RAX, a), SETREG64(8 * X86_RDX, d))

ALL_W(MUL_W, mul)
ALL_W(MUL_W, imul)

/*
 * DIV and IDIV: the quotient must fit, else #DE, which the host must not see.
 * The host divides in the same width, so that flags come out as its do.
 */
#define DIV_HOST(ins, w, sfx, lo, hi, b) \
	do { \
		uint64_t f_ = cpu->aflags, a_ = (lo), d_ = (hi); \
		asm("xchg %%rax, %0\n\t" SET_FLAGS "xchg %%rax, %0\n\t" \
		    ins sfx " %3\n\txchg %%rax, %0" GET_FLAGS \
		    "\n\txchg %%rax, %0" \
		    : "+&r"(f_), "+&a"(a_), "+&d"(d_) \
		    : "r"((uint##w##_t)(b)) \
		    : "cc"); \
		cpu->aflags = f_; \
		SET_PRODUCT##w(a_, d_); \
	} while (0)

static __int128 signed_dividend(uint64_t hi, uint64_t lo, unsigned int w)
{
	if (w == 64)
		return (__int128)((unsigned __int128)hi << 64 | lo);
	return (int64_t)((hi << w | lo) << (64 - 2 * w)) >> (64 - 2 * w);
}

/* Does hi:lo / b overflow w bits, signed? */
static bool idiv_overflows(uint64_t hi, uint64_t lo, int64_t b,
			   unsigned int w)
{
	__int128 n = signed_dividend(hi, lo, w);
	__int128 min = -((__int128)1 << (w - 1));
	__int128 q;

	if (!b)
		return true;
	if (b == -1)
		return n <= min || n > -min;
	q = n / b;
	return q < min || q > -min - 1;
}

#define DIV_W(sfx, w, lo, hi) \
	static void do_div##w(struct emu_cpu *cpu, uint##w##_t b) \
	{ \
		if ((hi) >= b) \
			emu_raise(cpu, EXC_DE); \
		DIV_HOST("div", w, sfx, DIV_LO##w, DIV_HI##w, b); \
	} \
	static void do_idiv##w(struct emu_cpu *cpu, uint##w##_t b) \
	{ \
		if (idiv_overflows(hi, lo, (int##w##_t)b, w)) \
			emu_raise(cpu, EXC_DE); \
		DIV_HOST("idiv", w, sfx, DIV_LO##w, DIV_HI##w, b); \
	}
#define DIV_LO8	 REG16(0)
#define DIV_HI8	 0
#define DIV_LO16 REG16(8 * X86_RAX)
#define DIV_HI16 REG16(8 * X86_RDX)
#define DIV_LO32 REG32(8 * X86_RAX)
#define DIV_HI32 REG32(8 * X86_RDX)
#define DIV_LO64 REG64(8 * X86_RAX)
#define DIV_HI64 REG64(8 * X86_RDX)
DIV_W("b", 8, REG8(0), REG8(1))
DIV_W("w", 16, DIV_LO16, DIV_HI16)
DIV_W("l", 32, DIV_LO32, DIV_HI32)
DIV_W("q", 64, DIV_LO64, DIV_HI64)

#define RM_FORMS_W(name, w) \
	static void name##_reg##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		do_##name##w(cpu, REG##w(i->src)); \
	} \
	static void name##_mem##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		do_##name##w(cpu, emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
							  ACCESS_READ))); \
	}
#define RM_FORMS(name) \
	RM_FORMS_W(name, 8) \
	RM_FORMS_W(name, 16) \
	RM_FORMS_W(name, 32) \
	RM_FORMS_W(name, 64)
RM_FORMS(mul)
RM_FORMS(imul)
RM_FORMS(div)
RM_FORMS(idiv)

#define RM_ROWS(name) \
	{ [F_REG] = ROW(name##_reg), [F_MEM] = ROW(name##_mem) }
emu_fn *const mul_fns[MUL_OPS][FORMS_RM][WIDTHS] = {
	[MUL_MUL] = RM_ROWS(mul),
	[MUL_IMUL] = RM_ROWS(imul),
	[MUL_DIV] = RM_ROWS(div),
	[MUL_IDIV] = RM_ROWS(idiv),
};

/* IMUL with two and three operands: dst = a * b. */
#define IMUL_W(name, ins, sfx, w) \
	static inline uint##w##_t imul_two##w(struct emu_cpu *cpu, \
					      uint##w##_t a, uint##w##_t b) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS "imul" sfx " %2, %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : "r"(b) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static void imul2_reg##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, imul_two##w(cpu, REG##w(i->dst), \
					      REG##w(i->src))); \
	} \
	static void imul2_mem##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		SETREG##w(i->dst, imul_two##w(cpu, REG##w(i->dst), v)); \
	} \
	static void imul3_reg##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, imul_two##w(cpu, REG##w(i->src), i->imm)); \
	} \
	static void imul3_mem##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		SETREG##w(i->dst, imul_two##w(cpu, v, i->imm)); \
	}
WIDE_W(IMUL_W, imul)

emu_fn *const imul2_fns[FORMS_RM][WIDTHS] = { WIDE(imul2_reg),
					      WIDE(imul2_mem) };
emu_fn *const imul3_fns[FORMS_RM][WIDTHS] = { WIDE(imul3_reg),
					      WIDE(imul3_mem) };

/* XCHG with memory is always locked. */
#define XCHG_W(name, ins, sfx, w) \
	static void xchg_rr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint##w##_t a = REG##w(i->dst), b = REG##w(i->src); \
		SETREG##w(i->dst, b); \
		SETREG##w(i->src, a); \
	} \
	static void xchg_mr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t v = REG##w(i->src); \
		if (likely(p)) { \
			asm volatile("xchg" sfx " %0, %1" \
				     : "+r"(v), "+m"(*p) \
				     : \
				     : "memory"); \
			SETREG##w(i->src, v); \
			return; \
		} \
		pthread_mutex_lock(&cpu->vm->split_lock); \
		v = emu_load##w(cpu, ea); \
		emu_store##w(cpu, ea, REG##w(i->src)); \
		pthread_mutex_unlock(&cpu->vm->split_lock); \
		SETREG##w(i->src, v); \
	}
ALL_W(XCHG_W, xchg)

#define XADD_W(name, ins, sfx, w) \
	static void xadd_rr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint##w##_t a = REG##w(i->dst); \
		uint##w##_t sum = alu_add##w(cpu, a, REG##w(i->src)); \
		SETREG##w(i->src, a); \
		SETREG##w(i->dst, sum); \
	} \
	static void xadd_mr##w(struct emu_cpu *cpu, const struct emu_insn *i) \
	{ \
		uint##w##_t old; \
		UPDATE_MEM(w, (old = v, \
			       alu_add##w(cpu, v, REG##w(i->src)))); \
		SETREG##w(i->src, old); \
	} \
	static void xadd_lock_mr##w(struct emu_cpu *cpu, \
				    const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t v = REG##w(i->src); \
		uint32_t f; \
		if (unlikely(!p)) { \
			pthread_mutex_lock(&cpu->vm->split_lock); \
			xadd_mr##w(cpu, i); \
			pthread_mutex_unlock(&cpu->vm->split_lock); \
			return; \
		} \
		asm volatile("lock xadd" sfx " %0, %1" GET_FLAGS \
			     : "+r"(v), "+m"(*p), "=&a"(f) \
			     : \
			     : "cc", "memory"); \
		cpu->aflags = f; \
		SETREG##w(i->src, v); \
	}
ALL_W(XADD_W, xadd)

/*
 * CMPXCHG: flags of CMP accumulator, destination.  Memory is written (with
 * its old value) when the comparison fails, too.
 */
#define CMPXCHG_W(name, ins, sfx, w) \
	static void cmpxchg_rr##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		uint##w##_t old = REG##w(i->dst); \
		alu_cmp##w(cpu, REG##w(0), old); \
		if (cpu->aflags & AF_ZF) \
			SETREG##w(i->dst, REG##w(i->src)); \
		else \
			SETREG##w(0, old); \
	} \
	static void cmpxchg_mr##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		uint##w##_t old; \
		UPDATE_MEM(w, (old = v, alu_cmp##w(cpu, REG##w(0), v), \
			       cpu->aflags & AF_ZF ? REG##w(i->src) : v)); \
		if (!(cpu->aflags & AF_ZF)) \
			SETREG##w(0, old); \
	} \
	static void cmpxchg_lock_mr##w(struct emu_cpu *cpu, \
				       const struct emu_insn *i) \
	{ \
		uint64_t ea = emu_ea(cpu, i, w / 8, ACCESS_WRITE); \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t a = REG##w(0); \
		if (unlikely(!p)) { \
			pthread_mutex_lock(&cpu->vm->split_lock); \
			cmpxchg_mr##w(cpu, i); \
			pthread_mutex_unlock(&cpu->vm->split_lock); \
			return; \
		} \
		asm volatile("lock cmpxchg" sfx " %2, %1" \
			     : "+a"(a), "+m"(*p) \
			     : "r"(REG##w(i->src)) \
			     : "cc", "memory"); \
		alu_cmp##w(cpu, REG##w(0), a); \
		if (!(cpu->aflags & AF_ZF)) \
			SETREG##w(0, a); \
	}
ALL_W(CMPXCHG_W, cmpxchg)

emu_fn *const xop_fns[X_OPS][FORMS][WIDTHS] = {
	[X_XCHG] = { [F_RR] = ROW(xchg_rr), [F_MR] = ROW(xchg_mr),
		     [F_LOCK_MR] = ROW(xchg_mr) },
	[X_XADD] = { [F_RR] = ROW(xadd_rr), [F_MR] = ROW(xadd_mr),
		     [F_LOCK_MR] = ROW(xadd_lock_mr) },
	[X_CMPXCHG] = { [F_RR] = ROW(cmpxchg_rr), [F_MR] = ROW(cmpxchg_mr),
			[F_LOCK_MR] = ROW(cmpxchg_lock_mr) },
};

void op_cmpxchg8b(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t ea = emu_ea(cpu, i, 8, ACCESS_WRITE);
	mem64 *p = emu_rmw(cpu, ea, 8);
	uint64_t old = (uint64_t)REG32(8 * X86_RDX) << 32 | REG32(0);
	uint64_t new = (uint64_t)REG32(8 * X86_RCX) << 32 |
		       REG32(8 * X86_RBX);
	uint64_t v = old;

	if (likely(p)) {
		asm volatile("lock cmpxchgq %2, %1"
			     : "+a"(v), "+m"(*p)
			     : "r"(new)
			     : "cc", "memory");
	} else {
		pthread_mutex_lock(&cpu->vm->split_lock);
		v = emu_load64(cpu, ea);
		emu_store64(cpu, ea, v == old ? new : v);
		pthread_mutex_unlock(&cpu->vm->split_lock);
	}
	cpu->aflags &= ~AF_ZF;
	if (v == old) {
		cpu->aflags |= AF_ZF;
		return;
	}
	SETREG32(8 * X86_RAX, v);
	SETREG32(8 * X86_RDX, v >> 32);
}

void op_cmpxchg16b(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t ea = emu_ea(cpu, i, 16, ACCESS_WRITE);
	uint64_t a = cpu->gpr[X86_RAX], d = cpu->gpr[X86_RDX];
	mem64 *p;
	bool equal;

	if (ea & 15)
		emu_gp0(cpu);
	p = emu_rmw(cpu, ea, 16);
	if (!p) /* not RAM: no device has 16-byte registers */
		emu_gp0(cpu);
	asm volatile("lock cmpxchg16b %1"
		     : "=@ccz"(equal), "+m"(*(unsigned __int128 *)p), "+a"(a),
		       "+d"(d)
		     : "b"(cpu->gpr[X86_RBX]), "c"(cpu->gpr[X86_RCX])
		     : "memory");
	cpu->aflags &= ~AF_ZF;
	if (equal) {
		cpu->aflags |= AF_ZF;
		return;
	}
	cpu->gpr[X86_RAX] = a;
	cpu->gpr[X86_RDX] = d;
}
