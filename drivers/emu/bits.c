/*
 * drivers/emu/bits.c -- bit tests and scans, byte swaps, BMI1, BMI2, ADX,
 * CRC32.  As in alu.c the host's own instructions do the work; CPUID offers
 * the guest only what the host has (cpuid.c), and the decoder refuses the
 * rest, so no instruction here can be unknown to the host.
 */
#include "drivers/emu/alu.h"

#define GET_FLAGS "\n\tlahf\n\tseto %%al"
#define SET_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define WIDE(p)	  { NULL, p##16, p##32, p##64 }
#define FROM32(p) { NULL, NULL, p##32, p##64 }

/* dst = op(r/m); BSF and BSR of 0 leave dst as the host does. */
#define BIT_W(name, ins, sfx, w) \
	static inline uint##w##_t bit_##name##w(struct emu_cpu *cpu, \
						uint##w##_t d, uint##w##_t s) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS ins sfx " %2, %0" GET_FLAGS \
		    : "+r"(d), "+&a"(f) \
		    : "r"(s) \
		    : "cc"); \
		cpu->aflags = f; \
		return d; \
	} \
	static void name##_reg##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, bit_##name##w(cpu, REG##w(i->dst), \
						REG##w(i->src))); \
	} \
	static void name##_mem##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		SETREG##w(i->dst, bit_##name##w(cpu, REG##w(i->dst), v)); \
	}
#define BIT_WIDE(name) \
	BIT_W(name, #name, "w", 16) \
	BIT_W(name, #name, "l", 32) \
	BIT_W(name, #name, "q", 64)
#define BIT_FROM32(name) \
	BIT_W(name, #name, "l", 32) \
	BIT_W(name, #name, "q", 64)

/* A 32-bit BSF or BSR of 0 keeps all 64 bits of the destination. */
#define SCAN_W(name, sfx, w) \
	static void name##_do##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i, uint##w##_t s) \
	{ \
		uint32_t f = cpu->aflags; \
		uint64_t d = REG64(i->dst); \
		asm(SET_FLAGS #name sfx " %2, %" SCAN_REG##w "0" GET_FLAGS \
		    : "+r"(d), "+&a"(f) \
		    : "r"(s) \
		    : "cc"); \
		cpu->aflags = f; \
		REG64(i->dst) = d; \
	} \
	static void name##_reg##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		name##_do##w(cpu, i, REG##w(i->src)); \
	} \
	static void name##_mem##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		name##_do##w(cpu, i, \
			     emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
						     ACCESS_READ))); \
	}
#define SCAN_REG16 "w"
#define SCAN_REG32 "k"
#define SCAN_REG64 "q"
#define SCAN(name) \
	SCAN_W(name, "w", 16) \
	SCAN_W(name, "l", 32) \
	SCAN_W(name, "q", 64)

SCAN(bsf)
SCAN(bsr)
BIT_WIDE(tzcnt)
BIT_WIDE(lzcnt)
BIT_WIDE(popcnt)
BIT_FROM32(blsi)
BIT_FROM32(blsr)
BIT_FROM32(blsmsk)
BIT_FROM32(adcx)
BIT_FROM32(adox)

#define MOVBE_W(w, swap) \
	static void movbe_load##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, \
			  swap(emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
						       ACCESS_READ)))); \
	} \
	static void movbe_store##w(struct emu_cpu *cpu, \
				   const struct emu_insn *i) \
	{ \
		emu_store##w(cpu, emu_ea(cpu, i, w / 8, ACCESS_WRITE), \
			     swap(REG##w(i->src))); \
	}
MOVBE_W(16, __builtin_bswap16)
MOVBE_W(32, __builtin_bswap32)
MOVBE_W(64, __builtin_bswap64)
emu_fn *const movbe_store_fns[WIDTHS] = WIDE(movbe_store);

#define RORX_W(w) \
	static inline uint##w##_t ror_no_flags##w(uint##w##_t v, \
						  unsigned int n) \
	{ \
		n &= w - 1; \
		return v >> n | v << (-n & (w - 1)); \
	} \
	static void rorx_reg##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, ror_no_flags##w(REG##w(i->src), i->aux)); \
	} \
	static void rorx_mem##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		SETREG##w(i->dst, ror_no_flags##w(v, i->aux)); \
	}
RORX_W(32)
RORX_W(64)

#define BOTH_WIDE(name) { WIDE(name##_reg), WIDE(name##_mem) }
#define BOTH_32(name)	{ FROM32(name##_reg), FROM32(name##_mem) }
emu_fn *const bit_fns[BIT_OPS][FORMS_RM][WIDTHS] = {
	[BIT_BSF] = BOTH_WIDE(bsf), [BIT_BSR] = BOTH_WIDE(bsr),
	[BIT_TZCNT] = BOTH_WIDE(tzcnt), [BIT_LZCNT] = BOTH_WIDE(lzcnt),
	[BIT_POPCNT] = BOTH_WIDE(popcnt), [BIT_BLSI] = BOTH_32(blsi),
	[BIT_BLSR] = BOTH_32(blsr), [BIT_BLSMSK] = BOTH_32(blsmsk),
	[BIT_ADCX] = BOTH_32(adcx), [BIT_ADOX] = BOTH_32(adox),
	[BIT_MOVBE] = { [F_MEM] = WIDE(movbe_load) },
	[BIT_RORX] = BOTH_32(rorx),
};

/*
 * BMI with three operands.  AT&T order: "r/m or control, source, dst"; x is
 * the register operand in aux, s the one in src or memory.
 */
#define BMI_W(name, ins, sfx, w, order) \
	static inline uint##w##_t bmi_##name##w(struct emu_cpu *cpu, \
						uint##w##_t x, uint##w##_t s) \
	{ \
		uint32_t f = cpu->aflags; \
		uint##w##_t d; \
		asm(SET_FLAGS ins sfx order ", %0" GET_FLAGS \
		    : "=&r"(d), "+&a"(f) \
		    : "r"(x), "r"(s) \
		    : "cc"); \
		cpu->aflags = f; \
		return d; \
	} \
	static void name##_reg##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		SETREG##w(i->dst, bmi_##name##w(cpu, REG##w(i->aux), \
						REG##w(i->src))); \
	} \
	static void name##_mem##w(struct emu_cpu *cpu, \
				  const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		SETREG##w(i->dst, bmi_##name##w(cpu, REG##w(i->aux), v)); \
	}
/* r/m is the last source (ANDN, PDEP, PEXT) ... */
#define BMI_RM_LAST(name) \
	BMI_W(name, #name, "l", 32, " %3, %2") \
	BMI_W(name, #name, "q", 64, " %3, %2")
/* ... or the first, the register a count or control. */
#define BMI_RM_FIRST(name) \
	BMI_W(name, #name, "l", 32, " %2, %3") \
	BMI_W(name, #name, "q", 64, " %2, %3")
BMI_RM_LAST(andn)
BMI_RM_LAST(pdep)
BMI_RM_LAST(pext)
BMI_RM_FIRST(bextr)
BMI_RM_FIRST(bzhi)
BMI_RM_FIRST(shlx)
BMI_RM_FIRST(shrx)
BMI_RM_FIRST(sarx)

/* MULX: dst = high half, aux = low half of RDX * r/m; aux first, so that
 * one register as both gets the high half. */
#define MULX_W(w, wide) \
	static void mulx_do##w(struct emu_cpu *cpu, \
			       const struct emu_insn *i, uint##w##_t s) \
	{ \
		wide p = (wide)REG##w(8 * X86_RDX) * s; \
		SETREG##w(i->aux, (uint##w##_t)p); \
		SETREG##w(i->dst, (uint##w##_t)(p >> w)); \
	} \
	static void mulx_reg##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		mulx_do##w(cpu, i, REG##w(i->src)); \
	} \
	static void mulx_mem##w(struct emu_cpu *cpu, \
				const struct emu_insn *i) \
	{ \
		mulx_do##w(cpu, i, \
			   emu_load##w(cpu, emu_ea(cpu, i, w / 8, \
						   ACCESS_READ))); \
	}
MULX_W(32, uint64_t)
MULX_W(64, unsigned __int128)

emu_fn *const bmi_fns[BMI_OPS][FORMS_RM][WIDTHS] = {
	[BMI_ANDN] = BOTH_32(andn), [BMI_BEXTR] = BOTH_32(bextr),
	[BMI_BZHI] = BOTH_32(bzhi), [BMI_PDEP] = BOTH_32(pdep),
	[BMI_PEXT] = BOTH_32(pext), [BMI_SHLX] = BOTH_32(shlx),
	[BMI_SHRX] = BOTH_32(shrx), [BMI_SARX] = BOTH_32(sarx),
	[BMI_MULX] = BOTH_32(mulx),
};

/*
 * BT, BTS, BTR, BTC: a register offset reaches beyond the memory operand
 * (SDM vol. 2A, "Bit(BitBase, BitOffset)").  F_RR, F_RI: register base;
 * F_MR, F_MI and their locked forms: memory.
 */
#define BT_EA(w, n) \
	static inline uint64_t bt_ea##w(struct emu_cpu *cpu, \
					const struct emu_insn *i, \
					enum emu_access access) \
	{ \
		int64_t n_ = (int##w##_t)REG##w(i->src); \
		struct emu_insn m = *i; \
		uint64_t off = (n_ >> __builtin_ctz(w)) * (w / 8); \
		if (i->ea_slow) \
			return emu_linear(cpu, i->seg, \
					  bt_mask(i, emu_ea_offset(cpu, i) + \
							     off), \
					  w / 8, access); \
		return emu_ea(cpu, &m, w / 8, access) + off; \
	}

static inline uint64_t bt_mask(const struct emu_insn *i, uint64_t ea)
{
	if (i->ea_slow & EA_ADDR16)
		return (uint16_t)ea;
	return i->ea_slow & EA_ADDR32 ? (uint32_t)ea : ea;
}

#define BT_CORE(name, ins, sfx, w) \
	static inline uint##w##_t bt_##name##w(struct emu_cpu *cpu, \
					       uint##w##_t a, uint##w##_t n) \
	{ \
		uint32_t f = cpu->aflags; \
		asm(SET_FLAGS ins sfx " %2, %0" GET_FLAGS \
		    : "+r"(a), "+&a"(f) \
		    : "r"(n) \
		    : "cc"); \
		cpu->aflags = f; \
		return a; \
	} \
	static void name##_rr##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		BT_WB_##name(w, bt_##name##w(cpu, REG##w(i->dst), \
					     REG##w(i->src))); \
	} \
	static void name##_ri##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		BT_WB_##name(w, bt_##name##w(cpu, REG##w(i->dst), i->imm)); \
	}
#define BT_WB_bt(w, v)	((void)(v))
#define BT_WB_bts(w, v) SETREG##w(i->dst, v)
#define BT_WB_btr(w, v) SETREG##w(i->dst, v)
#define BT_WB_btc(w, v) SETREG##w(i->dst, v)

#define BT_READ(name, w) \
	static void name##_mr##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		bt_##name##w(cpu, \
			     emu_load##w(cpu, bt_ea##w(cpu, i, ACCESS_READ)), \
			     REG##w(i->src)); \
	} \
	static void name##_mi##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		uint##w##_t v = emu_load##w( \
			cpu, emu_ea(cpu, i, w / 8, ACCESS_READ)); \
		bt_##name##w(cpu, v, i->imm); \
	}

/* With compare and exchange: right whether locked or not. */
#define BT_UPDATE(name, w) \
	static void name##_at##w(struct emu_cpu *cpu, uint64_t ea, \
				 uint##w##_t n) \
	{ \
		mem##w *p = emu_rmw(cpu, ea, w / 8); \
		uint##w##_t old, new; \
		if (unlikely(!p)) { \
			pthread_mutex_lock(&cpu->vm->split_lock); \
			emu_store##w(cpu, ea, \
				     bt_##name##w(cpu, \
						  emu_load##w(cpu, ea), n)); \
			pthread_mutex_unlock(&cpu->vm->split_lock); \
			return; \
		} \
		old = *(volatile mem##w *)p; \
		do { \
			uint16_t saved = cpu->aflags; \
			new = bt_##name##w(cpu, old, n); \
			if (__atomic_compare_exchange_n( \
				    p, &old, new, false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_SEQ_CST)) \
				break; \
			cpu->aflags = saved; \
		} while (1); \
	} \
	static void name##_mr##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		name##_at##w(cpu, bt_ea##w(cpu, i, ACCESS_WRITE), \
			     REG##w(i->src)); \
	} \
	static void name##_mi##w(struct emu_cpu *cpu, \
				 const struct emu_insn *i) \
	{ \
		name##_at##w(cpu, emu_ea(cpu, i, w / 8, ACCESS_WRITE), \
			     i->imm); \
	}

BT_EA(16, n)
BT_EA(32, n)
BT_EA(64, n)
#define BT_ALL(name) \
	BT_CORE(name, #name, "w", 16) \
	BT_CORE(name, #name, "l", 32) \
	BT_CORE(name, #name, "q", 64)
BT_ALL(bt)
BT_READ(bt, 16)
BT_READ(bt, 32)
BT_READ(bt, 64)
BT_ALL(bts)
BT_UPDATE(bts, 16)
BT_UPDATE(bts, 32)
BT_UPDATE(bts, 64)
BT_ALL(btr)
BT_UPDATE(btr, 16)
BT_UPDATE(btr, 32)
BT_UPDATE(btr, 64)
BT_ALL(btc)
BT_UPDATE(btc, 16)
BT_UPDATE(btc, 32)
BT_UPDATE(btc, 64)

#define BT_ROWS(name) \
	{ \
		[F_RR] = WIDE(name##_rr), [F_RI] = WIDE(name##_ri), \
		[F_MR] = WIDE(name##_mr), [F_MI] = WIDE(name##_mi), \
		[F_LOCK_MR] = WIDE(name##_mr), \
		[F_LOCK_MI] = WIDE(name##_mi), \
	}
emu_fn *const bt_fns[BT_OPS][FORMS][WIDTHS] = {
	[BT_BT] = BT_ROWS(bt),
	[BT_BTS] = BT_ROWS(bts),
	[BT_BTR] = BT_ROWS(btr),
	[BT_BTC] = BT_ROWS(btc),
};

/* BSWAP of a 16-bit register is undefined; processors clear it. */
void op_bswap16(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG16(i->dst, 0);
}

void op_bswap32(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG32(i->dst, __builtin_bswap32(REG32(i->dst)));
}

void op_bswap64(struct emu_cpu *cpu, const struct emu_insn *i)
{
	SETREG64(i->dst, __builtin_bswap64(REG64(i->dst)));
}

/* CRC32: aux is the source's width (W8...); the result is 32 bits. */
static void crc32(struct emu_cpu *cpu, const struct emu_insn *i, uint64_t v)
{
	uint32_t crc = REG32(i->dst);

	switch (i->aux) {
	case W8:
		asm("crc32b %1, %0" : "+r"(crc) : "r"((uint8_t)v));
		break;
	case W16:
		asm("crc32w %1, %0" : "+r"(crc) : "r"((uint16_t)v));
		break;
	case W32:
		asm("crc32l %1, %0" : "+r"(crc) : "r"((uint32_t)v));
		break;
	default:
		asm("crc32l %1, %0" : "+r"(crc) : "r"((uint32_t)v));
		asm("crc32l %1, %0" : "+r"(crc) : "r"((uint32_t)(v >> 32)));
		break;
	}
	SETREG64(i->dst, crc);
}

void op_crc32_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	crc32(cpu, i, i->aux == W8 ? REG8(i->src) : REG64(i->src));
}

void op_crc32_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int size = 1u << i->aux;
	uint64_t ea = emu_ea(cpu, i, size, ACCESS_READ), v;

	switch (i->aux) {
	case W8:
		v = emu_load8(cpu, ea);
		break;
	case W16:
		v = emu_load16(cpu, ea);
		break;
	case W32:
		v = emu_load32(cpu, ea);
		break;
	default:
		v = emu_load64(cpu, ea);
		break;
	}
	crc32(cpu, i, v);
}
