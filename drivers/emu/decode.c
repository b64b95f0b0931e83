/*
 * drivers/emu/decode.c -- one instruction: Zydis decodes, this file chooses
 * the function that executes it and packs its operands.
 */
#include "drivers/emu/decode.h"

#include <errno.h>

#include "drivers/emu/alu.h"
#include "drivers/emu/control.h"
#include "drivers/emu/segment.h"
#include "drivers/emu/string.h"
#include "drivers/emu/system.h"

struct dec {
	struct emu_cpu *cpu;
	struct block_cache *cache;
	const uint8_t *bytes;
	struct decoded *x;
	struct emu_insn *i;
	enum decode_end end;
	int error;
};

static bool is_reg(const struct dec *d, unsigned int n)
{
	return d->x->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_mem(const struct dec *d, unsigned int n)
{
	return d->x->op[n].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool is_imm(const struct dec *d, unsigned int n)
{
	return d->x->op[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static unsigned int width(unsigned int bits)
{
	return bits == 8 ? W8 : bits == 16 ? W16 : bits == 32 ? W32 : W64;
}

/* Byte offset into gpr[]; AH to BH are the second bytes. */
static uint8_t reg_offset(ZydisRegister r)
{
	if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
		return 8 * (r - ZYDIS_REGISTER_AL);
	if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
		return 8 * (r - ZYDIS_REGISTER_AH) + 1;
	if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
		return 8 * (r - ZYDIS_REGISTER_SPL + 4);
	if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_R15W)
		return 8 * (r - ZYDIS_REGISTER_AX);
	if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_R15D)
		return 8 * (r - ZYDIS_REGISTER_EAX);
	if (r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15)
		return 8 * (r - ZYDIS_REGISTER_RAX);
	if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP ||
	    r == ZYDIS_REGISTER_IP)
		return SLOT_RIP;
	return SLOT_ZERO;
}

unsigned int seg_index(ZydisRegister r)
{
	switch (r) {
	case ZYDIS_REGISTER_ES:
		return X86_ES;
	case ZYDIS_REGISTER_CS:
		return X86_CS;
	case ZYDIS_REGISTER_SS:
		return X86_SS;
	case ZYDIS_REGISTER_FS:
		return X86_FS;
	case ZYDIS_REGISTER_GS:
		return X86_GS;
	default:
		return X86_DS;
	}
}

/*
 * SIB base 5 with ModRM.mod 0: a displacement and no base.  With an address
 * size prefix and REX.B, Zydis 4.0 says R13D.
 */
static bool no_base(const struct dec *d)
{
	return d->x->z.attributes & ZYDIS_ATTRIB_HAS_SIB &&
	       d->x->z.raw.modrm.mod == 0 && d->x->z.raw.sib.base == 5;
}

/* After the segment. */
static void set_mem_mode(struct dec *d)
{
	struct emu_insn *i = d->i;

	if (d->cpu->mode == MODE_64) {
		if (i->seg >= X86_FS)
			i->ea_slow |= EA_SEGBASE;
		if (d->x->z.address_width == 32)
			i->ea_slow |= EA_ADDR32;
	} else {
		i->ea_slow |= EA_LEGACY | (d->x->z.address_width == 16 ?
						   EA_ADDR16 :
						   EA_ADDR32);
	}
}

static void set_mem(struct dec *d, unsigned int n)
{
	const ZydisDecodedOperandMem *m = &d->x->op[n].mem;
	struct emu_insn *i = d->i;
	int64_t disp = m->disp.has_displacement ? m->disp.value : 0;

	i->base = reg_offset(m->base);
	if (no_base(d) && d->x->op[n].visibility ==
				  ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
		i->base = SLOT_ZERO;
		disp = d->x->z.raw.disp.value;
	}
	i->index = reg_offset(m->index);
	i->scale = m->scale ? __builtin_ctz(m->scale) : 0;
	i->seg = seg_index(m->segment);
	if (disp == (int32_t)disp) {
		i->disp = disp;
	} else {
		i->imm = disp;
		i->ea_slow |= EA_BIG;
	}
	set_mem_mode(d);
}

static void set_imm(struct dec *d, unsigned int n)
{
	d->i->imm = d->x->op[n].imm.value.s;
}

static void bind(struct dec *d, emu_fn *fn)
{
	d->i->fn = fn ? fn : op_ud;
}

static void bind_end(struct dec *d, emu_fn *fn, enum decode_end end)
{
	bind(d, fn);
	d->end = end;
}

static bool locked(const struct dec *d)
{
	return d->x->z.attributes & ZYDIS_ATTRIB_HAS_LOCK;
}

/* Two operands, the first also the destination. */
static void bind2(struct dec *d, emu_fn *const fns[FORMS][WIDTHS])
{
	unsigned int w = width(d->x->op[0].size), form;

	if (is_reg(d, 0)) {
		d->i->dst = reg_offset(d->x->op[0].reg.value);
		form = is_reg(d, 1) ? F_RR : is_mem(d, 1) ? F_RM : F_RI;
	} else {
		set_mem(d, 0);
		form = is_reg(d, 1) ? F_MR : F_MI;
		if (locked(d))
			form = form == F_MR ? F_LOCK_MR : F_LOCK_MI;
	}
	if (is_reg(d, 1))
		d->i->src = reg_offset(d->x->op[1].reg.value);
	else if (is_mem(d, 1))
		set_mem(d, 1);
	else
		set_imm(d, 1);
	bind(d, fns[form][w]);
}

static void bind_alu2(struct dec *d, enum alu2 op)
{
	/* TEST is symmetric: memory first. */
	if (op == ALU_TEST && is_reg(d, 0) && is_mem(d, 1)) {
		ZydisDecodedOperand tmp = d->x->op[0];

		d->x->op[0] = d->x->op[1];
		d->x->op[1] = tmp;
	}
	bind2(d, alu2_fns[op]);
}

static void bind_alu1(struct dec *d, enum alu1 op)
{
	unsigned int w = width(d->x->op[0].size);

	if (is_reg(d, 0)) {
		d->i->dst = reg_offset(d->x->op[0].reg.value);
		bind(d, alu1_fns[op][F_R][w]);
	} else {
		set_mem(d, 0);
		bind(d, alu1_fns[op][locked(d) ? F_LOCK_M : F_M][w]);
	}
}

/* Destination 0 and, if it is memory, its address; returns memory or not. */
static bool set_dst(struct dec *d)
{
	if (is_mem(d, 0)) {
		set_mem(d, 0);
		return true;
	}
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	return false;
}

/* Source n, a register or memory. */
static bool set_src(struct dec *d, unsigned int n)
{
	if (is_mem(d, n)) {
		set_mem(d, n);
		return true;
	}
	d->i->src = reg_offset(d->x->op[n].reg.value);
	return false;
}

static void bind_shift(struct dec *d, enum shift op)
{
	bool mem = set_dst(d);
	bool imm = is_imm(d, 1);

	if (imm)
		set_imm(d, 1);
	bind(d, shift_fns[op][mem ? (imm ? F_M_I : F_M_CL) :
				    (imm ? F_R_I : F_R_CL)]
			 [width(d->x->op[0].size)]);
}

static void bind_shiftd(struct dec *d, unsigned int right)
{
	bool mem = set_dst(d);
	bool imm = is_imm(d, 2);

	d->i->src = reg_offset(d->x->op[1].reg.value);
	if (imm)
		set_imm(d, 2);
	bind(d, shiftd_fns[right][mem ? (imm ? F_M_I : F_M_CL) :
					(imm ? F_R_I : F_R_CL)]
			  [width(d->x->op[0].size)]);
}

static void bind_mul(struct dec *d, enum mul op)
{
	bool mem = set_src(d, 0);

	bind(d, mul_fns[op][mem ? F_MEM : F_REG][width(d->x->op[0].size)]);
}

static void bind_imul(struct dec *d)
{
	unsigned int w = width(d->x->op[0].size), n = d->x->z.operand_count_visible;
	bool mem;

	if (n == 1) {
		bind_mul(d, MUL_IMUL);
		return;
	}
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	mem = set_src(d, 1);
	if (n == 3)
		set_imm(d, 2);
	bind(d, n == 3 ? imul3_fns[mem][w] : imul2_fns[mem][w]);
}

static void bind_bit(struct dec *d, enum bitop op)
{
	bool mem;

	d->i->dst = reg_offset(d->x->op[0].reg.value);
	mem = set_src(d, 1);
	bind(d, bit_fns[op][mem][width(d->x->op[0].size)]);
}

/* Which operand is r/m: the last, or (a count or control last) the second. */
static void bind_bmi(struct dec *d, enum bmi op)
{
	bool rm_second = op == BMI_BEXTR || op == BMI_BZHI ||
			 op == BMI_SHLX || op == BMI_SHRX || op == BMI_SARX;
	unsigned int reg = rm_second ? 2 : 1, rm = rm_second ? 1 : 2;
	bool mem;

	d->i->dst = reg_offset(d->x->op[0].reg.value);
	d->i->aux = reg_offset(d->x->op[reg].reg.value);
	mem = set_src(d, rm);
	bind(d, bmi_fns[op][mem][width(d->x->op[0].size)]);
}

/* BLSI and its kin: destination is VEX.vvvv, the source r/m. */
static void bind_rorx(struct dec *d)
{
	bind_bit(d, BIT_RORX);
	d->i->aux = d->x->op[2].imm.value.u;
}

static void bind_bt(struct dec *d, enum bt op)
{
	bind2(d, bt_fns[op]);
	if (is_imm(d, 1))
		d->i->imm &= d->x->op[0].size - 1;
}

static void bind_xchg(struct dec *d)
{
	if (is_reg(d, 0) && is_mem(d, 1)) {
		ZydisDecodedOperand tmp = d->x->op[0];

		d->x->op[0] = d->x->op[1];
		d->x->op[1] = tmp;
	}
	bind2(d, xop_fns[X_XCHG]);
}

static void bind_ext(struct dec *d,
		     emu_fn *const fns[FORMS_RM][WIDTHS][WIDTHS])
{
	bool mem;

	d->i->dst = reg_offset(d->x->op[0].reg.value);
	mem = set_src(d, 1);
	bind(d, fns[mem][width(d->x->op[0].size)][width(d->x->op[1].size)]);
}

static void bind_cmov(struct dec *d, unsigned int cc)
{
	bool mem;

	d->i->dst = reg_offset(d->x->op[0].reg.value);
	d->i->aux = cc;
	mem = set_src(d, 1);
	bind(d, cmov_fns[mem][width(d->x->op[0].size)]);
}

static void bind_setcc(struct dec *d, unsigned int cc)
{
	bool mem = set_dst(d);

	d->i->aux = cc;
	bind(d, mem ? op_setcc_m : op_setcc_r);
}

static void bind_jcc(struct dec *d, unsigned int cc)
{
	set_imm(d, 0);
	d->i->aux = cc;
	bind_end(d, d->cpu->mode == MODE_64 ? jcc64_fns[cc] : op_jcc,
		 DECODE_JUMP);
}

/* JMP and CALL in all their forms. */
static void bind_branch(struct dec *d, bool call)
{
	bool m64 = d->cpu->mode == MODE_64;

	d->i->seg = X86_SS;
	if (d->x->op[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
		d->i->imm = d->x->op[0].ptr.segment;
		d->i->disp = d->x->op[0].ptr.offset;
		bind_end(d, call ? op_call_far : op_jmp_far, DECODE_BREAK);
	} else if (d->x->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
		set_mem(d, 0);
		bind_end(d, call ? op_call_far_m : op_jmp_far_m,
			 DECODE_BREAK);
	} else if (is_imm(d, 0)) {
		set_imm(d, 0);
		if (m64)
			bind_end(d, call ? op_call64 : op_jmp64, DECODE_JUMP);
		else
			bind_end(d, call ? op_call : op_jmp, DECODE_JUMP);
	} else if (set_src(d, 0)) {
		bind_end(d, call ? op_call_m : op_jmp_m, DECODE_JUMP);
	} else {
		bind_end(d, call ? op_call_r : op_jmp_r, DECODE_JUMP);
	}
}

static void bind_ret(struct dec *d)
{
	bool far = d->x->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

	d->i->seg = X86_SS;
	if (d->x->z.operand_count_visible)
		set_imm(d, 0);
	if (far)
		bind_end(d, op_retf, DECODE_BREAK);
	else
		bind_end(d, d->cpu->mode == MODE_64 ? op_ret64 : op_ret,
			 DECODE_JUMP);
}

static void bind_mov(struct dec *d)
{
	ZydisRegisterClass c0 = ZYDIS_REGCLASS_INVALID, c1 = c0;
	struct emu_insn *i = d->i;

	if (is_reg(d, 0))
		c0 = ZydisRegisterGetClass(d->x->op[0].reg.value);
	if (is_reg(d, 1))
		c1 = ZydisRegisterGetClass(d->x->op[1].reg.value);
	if (c0 == ZYDIS_REGCLASS_SEGMENT) {
		i->aux = seg_index(d->x->op[0].reg.value);
		bind_end(d, set_src(d, 1) ? op_mov_seg_m : op_mov_seg_r,
			 DECODE_BREAK);
		if (i->aux == X86_CS)
			bind(d, op_ud);
	} else if (c1 == ZYDIS_REGCLASS_SEGMENT) {
		i->aux = seg_index(d->x->op[1].reg.value);
		bind(d, set_dst(d) ? op_mov_m_seg : op_mov_r_seg);
	} else if (c0 == ZYDIS_REGCLASS_CONTROL ||
		   c0 == ZYDIS_REGCLASS_DEBUG) {
		i->aux = ZydisRegisterGetId(d->x->op[0].reg.value);
		set_src(d, 1);
		bind_end(d, c0 == ZYDIS_REGCLASS_CONTROL ? op_mov_cr_r :
							   op_mov_dr_r,
			 DECODE_BREAK);
	} else if (c1 == ZYDIS_REGCLASS_CONTROL ||
		   c1 == ZYDIS_REGCLASS_DEBUG) {
		i->aux = ZydisRegisterGetId(d->x->op[1].reg.value);
		set_dst(d);
		bind(d, c1 == ZYDIS_REGCLASS_CONTROL ? op_mov_r_cr :
						       op_mov_r_dr);
	} else {
		bind2(d, mov_fns);
	}
}

static void bind_push(struct dec *d)
{
	unsigned int w = width(d->x->z.operand_width);

	d->i->seg = X86_SS;
	if (is_imm(d, 0)) {
		set_imm(d, 0);
		bind(d, push_fns[1][w]);
	} else if (is_mem(d, 0)) {
		set_mem(d, 0);
		bind(d, push_fns[2][w]);
	} else if (ZydisRegisterGetClass(d->x->op[0].reg.value) ==
		   ZYDIS_REGCLASS_SEGMENT) {
		d->i->aux = seg_index(d->x->op[0].reg.value);
		bind(d, op_push_seg);
	} else {
		d->i->src = reg_offset(d->x->op[0].reg.value);
		bind(d, push_fns[0][w]);
	}
}

static void bind_pop(struct dec *d)
{
	unsigned int w = width(d->x->z.operand_width);

	d->i->seg = X86_SS;
	if (is_mem(d, 0)) {
		set_mem(d, 0);
		bind(d, pop_fns[F_MEM][w]);
	} else if (ZydisRegisterGetClass(d->x->op[0].reg.value) ==
		   ZYDIS_REGCLASS_SEGMENT) {
		d->i->aux = seg_index(d->x->op[0].reg.value);
		bind_end(d, op_pop_seg, DECODE_BREAK);
	} else {
		d->i->dst = reg_offset(d->x->op[0].reg.value);
		bind(d, pop_fns[F_REG][w]);
	}
}

/* String instructions: the source's segment may be overridden. */
static void bind_string(struct dec *d, emu_fn *fn, unsigned int size)
{
	d->i->aux = size;
	d->i->seg = X86_DS;
	for (unsigned int n = 0; n < d->x->z.operand_count; n++) {
		ZydisRegister base;

		if (!is_mem(d, n))
			continue;
		base = d->x->op[n].mem.base;
		if (base == ZYDIS_REGISTER_RSI || base == ZYDIS_REGISTER_ESI ||
		    base == ZYDIS_REGISTER_SI)
			d->i->seg = seg_index(d->x->op[n].mem.segment);
	}
	/* A repetition may come back to itself: it ends the block. */
	if (d->i->flags & (INSN_REP | INSN_REPNE))
		bind_end(d, fn, DECODE_JUMP);
	else
		bind(d, fn);
}

static void bind_io(struct dec *d, emu_fn *fn, unsigned int port,
		    unsigned int data)
{
	d->i->aux = d->x->op[data].size / 8;
	if (is_imm(d, port)) {
		d->i->src = SLOT_ZERO;
		set_imm(d, port);
	}
	bind_end(d, fn, DECODE_BREAK);
}

/* SLDT, STR, SMSW; LLDT, LTR, VERR, VERW; LAR, LSL. */
static void bind_sys_dst(struct dec *d, emu_fn *fn)
{
	d->i->aux = set_dst(d) ? F_OPERAND_MEM : F_OPERAND_REG;
	bind(d, fn);
}

static void bind_sys_src(struct dec *d, emu_fn *fn, unsigned int n)
{
	d->i->aux = set_src(d, n) ? F_OPERAND_MEM : F_OPERAND_REG;
	if (n)
		d->i->dst = reg_offset(d->x->op[0].reg.value);
	bind(d, fn);
}

static void bind_far_load(struct dec *d, unsigned int seg)
{
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	d->i->aux = seg;
	set_mem(d, 1);
	bind_end(d, op_load_far, DECODE_BREAK);
}

static void bind_mem(struct dec *d, emu_fn *fn, enum decode_end end)
{
	for (unsigned int n = 0; n < d->x->z.operand_count_visible; n++)
		if (is_mem(d, n))
			set_mem(d, n);
	bind_end(d, fn, end);
}

/* For what Zydis sees no memory operand of: the last one counts. */
static uint8_t segment_prefix(const struct dec *d)
{
	static const struct {
		uint8_t byte, seg;
		bool in64;
	} prefixes[] = {
		{ 0x26, X86_ES, false }, { 0x2e, X86_CS, false },
		{ 0x36, X86_SS, false }, { 0x3e, X86_DS, false },
		{ 0x64, X86_FS, true },	 { 0x65, X86_GS, true },
	};
	uint8_t seg = X86_DS;

	for (unsigned int n = 0; n < d->x->z.raw.prefix_count; n++)
		for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++)
			if (d->x->z.raw.prefixes[n].value == prefixes[k].byte &&
			    (prefixes[k].in64 || d->cpu->mode != MODE_64))
				seg = prefixes[k].seg;
	return seg;
}

/* CLZERO: the decoder calls rAX a register. */
static void bind_clzero(struct dec *d)
{
	d->i->seg = segment_prefix(d);
	d->i->base = reg_offset(ZYDIS_REGISTER_RAX);
	set_mem_mode(d);
	bind(d, op_clzero);
}

static void bind_loop(struct dec *d, emu_fn *fn, unsigned int kind)
{
	set_imm(d, 0);
	d->i->aux = kind;
	bind_end(d, fn, DECODE_JUMP);
}

static void bind_fsgs(struct dec *d, emu_fn *fn, unsigned int seg)
{
	d->i->dst = d->i->src = reg_offset(d->x->op[0].reg.value);
	d->i->aux = seg;
	bind(d, fn);
}

static void bind_crc32(struct dec *d)
{
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	d->i->aux = width(d->x->op[1].size);
	bind(d, set_src(d, 1) ? op_crc32_m : op_crc32_r);
}

static void bind_movbe(struct dec *d)
{
	if (is_mem(d, 0)) {
		set_mem(d, 0);
		d->i->src = reg_offset(d->x->op[1].reg.value);
		bind(d, movbe_store_fns[width(d->x->op[0].size)]);
	} else {
		bind_bit(d, BIT_MOVBE);
	}
}

static void bind_bswap(struct dec *d)
{
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	bind(d, d->x->op[0].size == 64 ? op_bswap64 :
		d->x->op[0].size == 32 ? op_bswap32 :
				      op_bswap16);
}

static void bind_lea(struct dec *d)
{
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	set_mem(d, 1);
	bind(d, lea_fns[width(d->x->op[0].size)]);
}

static void bind_arpl(struct dec *d)
{
	d->i->src = reg_offset(d->x->op[1].reg.value);
	if (is_mem(d, 0)) {
		d->i->aux = SLOT_ZERO;
		set_mem(d, 0);
	} else {
		d->i->aux = reg_offset(d->x->op[0].reg.value);
	}
	bind(d, op_arpl);
}

static void bind_enter(struct dec *d)
{
	d->i->seg = X86_SS;
	d->i->imm = d->x->op[0].imm.value.u;
	d->i->aux = d->x->op[1].imm.value.u;
	bind(d, op_enter);
}

static void bind_reg0(struct dec *d, emu_fn *fn)
{
	d->i->dst = reg_offset(d->x->op[0].reg.value);
	bind(d, fn);
}

static void bind_imm0(struct dec *d, emu_fn *fn, enum decode_end end)
{
	set_imm(d, 0);
	bind_end(d, fn, end);
}

static void bind_stack(struct dec *d, emu_fn *fn, enum decode_end end)
{
	d->i->seg = X86_SS;
	bind_end(d, fn, end);
}

static bool writes(const struct dec *d, unsigned int n)
{
	return d->x->op[n].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

/* Anything else is the vector unit's, or nobody's. */
static void bind_vec(struct dec *d)
{
	struct emu_vec_insn *vec;
	struct vec_op op;

	if (vec_prepare(&d->x->z, d->x->op, d->bytes, &op) < 0) {
		bind(d, op_ud);
		return;
	}
	vec = cache_alloc(d->cache, sizeof(*vec));
	if (!vec) {
		d->error = -ENOMEM;
		return;
	}
	*vec = (struct emu_vec_insn){ .op = op };
	if (op.flags & (VEC_MEM | VEC_LOAD | VEC_STORE | VEC_CALLBACK))
		for (unsigned int n = 0; n < d->x->z.operand_count; n++)
			if (is_mem(d, n)) {
				set_mem(d, n);
				d->i->aux = writes(d, n);
				break;
			}
	d->i->vec = vec;
	bind(d, op_vec);
}

/* Does CPUID offer the guest this set of integer instructions? */
static bool offered(const struct dec *d)
{
	static const struct {
		ZydisISASet set;
		uint32_t leaf;
		uint8_t reg, bit;
	} sets[] = {
		{ ZYDIS_ISA_SET_BMI1, 7, 1, 3 },
		{ ZYDIS_ISA_SET_BMI2, 7, 1, 8 },
		{ ZYDIS_ISA_SET_ADOX_ADCX, 7, 1, 19 },
		{ ZYDIS_ISA_SET_MOVBE, 1, 2, 22 },
		{ ZYDIS_ISA_SET_POPCNT, 1, 2, 23 },
		{ ZYDIS_ISA_SET_RDRAND, 1, 2, 30 },
		{ ZYDIS_ISA_SET_RDSEED, 7, 1, 18 },
		{ ZYDIS_ISA_SET_CMPXCHG16B, 1, 2, 13 },
		{ ZYDIS_ISA_SET_SMAP, 7, 1, 20 },
		{ ZYDIS_ISA_SET_RDTSCP, 0x80000001, 3, 27 },
		{ ZYDIS_ISA_SET_RDPID, 7, 2, 22 },
		{ ZYDIS_ISA_SET_INVPCID, 7, 1, 10 },
		{ ZYDIS_ISA_SET_CLFLUSHOPT, 7, 1, 23 },
		{ ZYDIS_ISA_SET_CLWB, 7, 1, 24 },
		{ ZYDIS_ISA_SET_CLZERO, 0x80000008, 1, 0 },
	};

	struct vec_isa_bit bit;

	/* Xeon Phi's own encodings, which the decoder knows too. */
	if (d->x->z.meta.isa_ext == ZYDIS_ISA_EXT_KNC ||
	    d->x->z.meta.isa_ext == ZYDIS_ISA_EXT_KNCE ||
	    d->x->z.meta.isa_ext == ZYDIS_ISA_EXT_KNCV)
		return false;
	for (unsigned int n = 0; n < ARRAY_SIZE(sets); n++)
		if (sets[n].set == d->x->z.meta.isa_set)
			return emu_has(d->cpu, sets[n].leaf, 0, sets[n].reg,
				       sets[n].bit);
	if (vec_isa_bit(d->x->z.meta.isa_set, &bit))
		return emu_has(d->cpu, bit.function, bit.index, bit.reg,
			       bit.bit);
	return true;
}

/*
 * SDM vol. 2, "TZCNT" and "LZCNT": a CPU that lacks these ignores their prefix
 * and runs BSF and BSR.
 */
static void as_older(struct dec *d)
{
	if (d->x->z.mnemonic == ZYDIS_MNEMONIC_TZCNT &&
	    !emu_has(d->cpu, 7, 0, 1, 3)) {
		d->x->z.mnemonic = ZYDIS_MNEMONIC_BSF;
		d->x->z.meta.isa_set = ZYDIS_ISA_SET_I386;
	} else if (d->x->z.mnemonic == ZYDIS_MNEMONIC_LZCNT &&
		   !emu_has(d->cpu, 0x80000001, 0, 2, 5)) {
		d->x->z.mnemonic = ZYDIS_MNEMONIC_BSR;
		d->x->z.meta.isa_set = ZYDIS_ISA_SET_I386;
	}
}

/* Conditions: ORDER cc, the encoding's. */
#define CC_CASES(PRE, fn) \
	case ZYDIS_MNEMONIC_##PRE##O: \
		fn(d, 0); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NO: \
		fn(d, 1); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##B: \
		fn(d, 2); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NB: \
		fn(d, 3); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##Z: \
		fn(d, 4); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NZ: \
		fn(d, 5); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##BE: \
		fn(d, 6); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NBE: \
		fn(d, 7); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##S: \
		fn(d, 8); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NS: \
		fn(d, 9); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##P: \
		fn(d, 10); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NP: \
		fn(d, 11); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##L: \
		fn(d, 12); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NL: \
		fn(d, 13); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##LE: \
		fn(d, 14); \
		break; \
	case ZYDIS_MNEMONIC_##PRE##NLE: \
		fn(d, 15); \
		break

#define STRING_CASES(N, fn) \
	case ZYDIS_MNEMONIC_##N##B: \
		bind_string(d, fn, 1); \
		break; \
	case ZYDIS_MNEMONIC_##N##W: \
		bind_string(d, fn, 2); \
		break

#define CASE(N, action) \
	case ZYDIS_MNEMONIC_##N: \
		action; \
		break

/* MOVSD and CMPSD are also SSE2's. */
static bool is_string(const struct dec *d)
{
	return d->x->z.meta.category == ZYDIS_CATEGORY_STRINGOP;
}

/* System and segment instructions; false: not one. */
static bool choose_system(struct dec *d)
{
	switch (d->x->z.mnemonic) {
	CASE(HLT, bind_end(d, op_hlt, DECODE_BREAK));
	CASE(CLI, bind(d, op_cli));
	CASE(STI, bind_end(d, op_sti, DECODE_BREAK));
	CASE(IN, bind_io(d, op_in, 1, 0));
	CASE(OUT, bind_io(d, op_out, 0, 1));
	CASE(CPUID, bind(d, op_cpuid));
	CASE(RDTSC, bind(d, op_rdtsc));
	CASE(RDTSCP, bind(d, op_rdtscp));
	CASE(RDPMC, bind(d, op_rdpmc));
	CASE(RDMSR, bind(d, op_rdmsr));
	CASE(WRMSR, bind_end(d, op_wrmsr, DECODE_BREAK));
	CASE(CLTS, bind(d, op_clts));
	CASE(LMSW, bind_end(d, set_src(d, 0) ? op_lmsw_m : op_lmsw_r,
			    DECODE_BREAK));
	CASE(LGDT, bind_mem(d, op_lgdt, DECODE_GO));
	CASE(LIDT, bind_mem(d, op_lidt, DECODE_GO));
	CASE(SGDT, bind_mem(d, op_sgdt, DECODE_GO));
	CASE(SIDT, bind_mem(d, op_sidt, DECODE_GO));
	CASE(INVLPG, bind_mem(d, op_invlpg, DECODE_BREAK));
	CASE(INVPCID, set_dst(d); bind_mem(d, op_invpcid, DECODE_BREAK));
	case ZYDIS_MNEMONIC_INVD:
	case ZYDIS_MNEMONIC_WBINVD:
		bind(d, op_invd);
		break;
	CASE(SWAPGS, bind(d, op_swapgs));
	CASE(XGETBV, bind(d, op_xgetbv));
	CASE(XSETBV, bind(d, op_xsetbv));
	CASE(RDFSBASE, bind_fsgs(d, op_rdfsbase, X86_FS));
	CASE(RDGSBASE, bind_fsgs(d, op_rdfsbase, X86_GS));
	CASE(WRFSBASE, bind_fsgs(d, op_wrfsbase, X86_FS));
	CASE(WRGSBASE, bind_fsgs(d, op_wrfsbase, X86_GS));
	CASE(CLAC, bind(d, op_clac));
	CASE(STAC, bind(d, op_stac));
	CASE(RDRAND, bind_reg0(d, op_rdrand));
	CASE(RDSEED, bind_reg0(d, op_rdseed));
	CASE(RDPID, bind_reg0(d, op_rdpid));
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
		bind_mem(d, op_clflush, DECODE_GO);
		break;
	CASE(CLZERO, bind_clzero(d));
	CASE(PAUSE, bind(d, op_pause));
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_SFENCE:
		bind(d, op_fence);
		break;
	case ZYDIS_MNEMONIC_VMCALL:
	case ZYDIS_MNEMONIC_VMMCALL:
		bind(d, op_vmcall);
		break;
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_MONITOR:
	case ZYDIS_MNEMONIC_MWAIT:
		bind_end(d, op_ud, DECODE_BREAK);
		break;
	CASE(RSM, bind_end(d, op_rsm, DECODE_BREAK));
	CASE(SLDT, bind_sys_dst(d, op_sldt));
	CASE(STR, bind_sys_dst(d, op_str));
	CASE(SMSW, bind_sys_dst(d, op_smsw));
	CASE(LLDT, bind_sys_src(d, op_lldt, 0));
	CASE(LTR, bind_sys_src(d, op_ltr, 0));
	CASE(VERR, bind_sys_src(d, op_verr, 0));
	CASE(VERW, bind_sys_src(d, op_verw, 0));
	CASE(LAR, bind_sys_src(d, op_lar, 1));
	CASE(LSL, bind_sys_src(d, op_lsl, 1));
	CASE(LDS, bind_far_load(d, X86_DS));
	CASE(LES, bind_far_load(d, X86_ES));
	CASE(LFS, bind_far_load(d, X86_FS));
	CASE(LGS, bind_far_load(d, X86_GS));
	CASE(LSS, bind_far_load(d, X86_SS));
	CASE(ARPL, bind_arpl(d));
	default:
		return false;
	}
	return true;
}

/* Transfers of control. */
static bool choose_control(struct dec *d)
{
	switch (d->x->z.mnemonic) {
	CC_CASES(J, bind_jcc);
	CASE(JMP, bind_branch(d, false));
	CASE(CALL, bind_branch(d, true));
	CASE(RET, bind_ret(d));
	CASE(LOOP, bind_loop(d, op_loop, 0));
	CASE(LOOPE, bind_loop(d, op_loop, 1));
	CASE(LOOPNE, bind_loop(d, op_loop, 2));
	case ZYDIS_MNEMONIC_JCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
	case ZYDIS_MNEMONIC_JRCXZ:
		bind_loop(d, op_jrcxz, 0);
		break;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		bind_stack(d, op_iret, DECODE_BREAK);
		break;
	CASE(SYSCALL, bind_end(d, op_syscall, DECODE_BREAK));
	CASE(SYSRET, bind_end(d, op_sysret, DECODE_BREAK));
	CASE(SYSENTER, bind_end(d, op_sysenter, DECODE_BREAK));
	CASE(SYSEXIT, bind_end(d, op_sysexit, DECODE_BREAK));
	CASE(INT, bind_imm0(d, op_int, DECODE_BREAK));
	CASE(INT1, bind_end(d, op_int1, DECODE_BREAK));
	CASE(INT3, bind_end(d, op_int3, DECODE_BREAK));
	CASE(INTO, bind_end(d, op_into, DECODE_BREAK));
	default:
		return false;
	}
	return true;
}

static bool choose_string(struct dec *d)
{
	if (!is_string(d))
		return false;
	switch (d->x->z.mnemonic) {
	STRING_CASES(MOVS, op_movs);
	CASE(MOVSD, bind_string(d, op_movs, 4));
	CASE(MOVSQ, bind_string(d, op_movs, 8));
	STRING_CASES(STOS, op_stos);
	CASE(STOSD, bind_string(d, op_stos, 4));
	CASE(STOSQ, bind_string(d, op_stos, 8));
	STRING_CASES(LODS, op_lods);
	CASE(LODSD, bind_string(d, op_lods, 4));
	CASE(LODSQ, bind_string(d, op_lods, 8));
	STRING_CASES(CMPS, op_cmps);
	CASE(CMPSD, bind_string(d, op_cmps, 4));
	CASE(CMPSQ, bind_string(d, op_cmps, 8));
	STRING_CASES(SCAS, op_scas);
	CASE(SCASD, bind_string(d, op_scas, 4));
	CASE(SCASQ, bind_string(d, op_scas, 8));
	default:
		return false;
	}
	return true;
}

static bool choose_io_string(struct dec *d)
{
	switch (d->x->z.mnemonic) {
	STRING_CASES(INS, op_ins);
	CASE(INSD, bind_string(d, op_ins, 4));
	STRING_CASES(OUTS, op_outs);
	CASE(OUTSD, bind_string(d, op_outs, 4));
	default:
		return false;
	}
	d->end = DECODE_BREAK;
	return true;
}

static bool choose_alu(struct dec *d)
{
	switch (d->x->z.mnemonic) {
	CASE(ADD, bind_alu2(d, ALU_ADD));
	CASE(OR, bind_alu2(d, ALU_OR));
	CASE(ADC, bind_alu2(d, ALU_ADC));
	CASE(SBB, bind_alu2(d, ALU_SBB));
	CASE(AND, bind_alu2(d, ALU_AND));
	CASE(SUB, bind_alu2(d, ALU_SUB));
	CASE(XOR, bind_alu2(d, ALU_XOR));
	CASE(CMP, bind_alu2(d, ALU_CMP));
	CASE(TEST, bind_alu2(d, ALU_TEST));
	CASE(INC, bind_alu1(d, ALU_INC));
	CASE(DEC, bind_alu1(d, ALU_DEC));
	CASE(NEG, bind_alu1(d, ALU_NEG));
	CASE(NOT, bind_alu1(d, ALU_NOT));
	CASE(ROL, bind_shift(d, SH_ROL));
	CASE(ROR, bind_shift(d, SH_ROR));
	CASE(RCL, bind_shift(d, SH_RCL));
	CASE(RCR, bind_shift(d, SH_RCR));
	CASE(SHL, bind_shift(d, SH_SHL));
	CASE(SALC, bind(d, op_salc));
	CASE(SHR, bind_shift(d, SH_SHR));
	CASE(SAR, bind_shift(d, SH_SAR));
	CASE(SHLD, bind_shiftd(d, 0));
	CASE(SHRD, bind_shiftd(d, 1));
	CASE(MUL, bind_mul(d, MUL_MUL));
	CASE(IMUL, bind_imul(d));
	CASE(DIV, bind_mul(d, MUL_DIV));
	CASE(IDIV, bind_mul(d, MUL_IDIV));
	CASE(XCHG, bind_xchg(d));
	CASE(XADD, bind2(d, xop_fns[X_XADD]));
	CASE(CMPXCHG, bind2(d, xop_fns[X_CMPXCHG]));
	CASE(CMPXCHG8B, bind_mem(d, op_cmpxchg8b, DECODE_GO));
	CASE(CMPXCHG16B, bind_mem(d, op_cmpxchg16b, DECODE_GO));
	CASE(BSF, bind_bit(d, BIT_BSF));
	CASE(BSR, bind_bit(d, BIT_BSR));
	CASE(TZCNT, bind_bit(d, BIT_TZCNT));
	CASE(LZCNT, bind_bit(d, BIT_LZCNT));
	CASE(POPCNT, bind_bit(d, BIT_POPCNT));
	CASE(BLSI, bind_bit(d, BIT_BLSI));
	CASE(BLSR, bind_bit(d, BIT_BLSR));
	CASE(BLSMSK, bind_bit(d, BIT_BLSMSK));
	CASE(ADCX, bind_bit(d, BIT_ADCX));
	CASE(ADOX, bind_bit(d, BIT_ADOX));
	CASE(RORX, bind_rorx(d));
	CASE(ANDN, bind_bmi(d, BMI_ANDN));
	CASE(BEXTR, bind_bmi(d, BMI_BEXTR));
	CASE(BZHI, bind_bmi(d, BMI_BZHI));
	CASE(PDEP, bind_bmi(d, BMI_PDEP));
	CASE(PEXT, bind_bmi(d, BMI_PEXT));
	CASE(SHLX, bind_bmi(d, BMI_SHLX));
	CASE(SHRX, bind_bmi(d, BMI_SHRX));
	CASE(SARX, bind_bmi(d, BMI_SARX));
	CASE(MULX, bind_bmi(d, BMI_MULX));
	CASE(MOVBE, bind_movbe(d));
	CASE(BSWAP, bind_bswap(d));
	CASE(CRC32, bind_crc32(d));
	CASE(BT, bind_bt(d, BT_BT));
	CASE(BTS, bind_bt(d, BT_BTS));
	CASE(BTR, bind_bt(d, BT_BTR));
	CASE(BTC, bind_bt(d, BT_BTC));
	default:
		return false;
	}
	return true;
}

static bool choose_mov(struct dec *d)
{
	switch (d->x->z.mnemonic) {
	CC_CASES(CMOV, bind_cmov);
	CC_CASES(SET, bind_setcc);
	CASE(MOV, bind_mov(d));
	CASE(MOVZX, bind_ext(d, movzx_fns));
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		bind_ext(d, movsx_fns);
		break;
	CASE(MOVNTI, set_mem(d, 0); set_src(d, 1);
	     bind(d, d->x->op[0].size == 64 ? op_movnti64 : op_movnti32));
	CASE(LEA, bind_lea(d));
	CASE(PUSH, bind_push(d));
	CASE(POP, bind_pop(d));
	case ZYDIS_MNEMONIC_PUSHA:
	case ZYDIS_MNEMONIC_PUSHAD:
		bind_stack(d, op_pusha, DECODE_GO);
		break;
	case ZYDIS_MNEMONIC_POPA:
	case ZYDIS_MNEMONIC_POPAD:
		bind_stack(d, op_popa, DECODE_GO);
		break;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
	case ZYDIS_MNEMONIC_PUSHFQ:
		bind_stack(d, op_pushf, DECODE_GO);
		break;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
	case ZYDIS_MNEMONIC_POPFQ:
		bind_stack(d, op_popf, DECODE_BREAK);
		break;
	CASE(ENTER, bind_enter(d));
	CASE(LEAVE, bind_stack(d, op_leave, DECODE_GO));
	CASE(CBW, bind(d, op_cbw));
	CASE(CWDE, bind(d, op_cwde));
	CASE(CDQE, bind(d, op_cdqe));
	CASE(CWD, bind(d, op_cwd));
	CASE(CDQ, bind(d, op_cdq));
	CASE(CQO, bind(d, op_cqo));
	CASE(LAHF, bind(d, op_lahf));
	CASE(SAHF, bind(d, op_sahf));
	CASE(CLC, bind(d, op_clc));
	CASE(STC, bind(d, op_stc));
	CASE(CMC, bind(d, op_cmc));
	CASE(CLD, bind(d, op_cld));
	CASE(STD, bind(d, op_std));
	CASE(AAA, bind(d, op_aaa));
	CASE(AAS, bind(d, op_aas));
	CASE(DAA, bind(d, op_daa));
	CASE(DAS, bind(d, op_das));
	CASE(AAM, bind_imm0(d, op_aam, DECODE_GO));
	CASE(AAD, bind_imm0(d, op_aad, DECODE_GO));
	case ZYDIS_MNEMONIC_XLAT:
		for (unsigned int n = 0; n < d->x->z.operand_count; n++)
			if (is_mem(d, n))
				set_mem(d, n);
		bind(d, op_xlat);
		break;
	CASE(BOUND, bind_reg0(d, op_bound); set_mem(d, 1));
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_PREFETCH:
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
	case ZYDIS_MNEMONIC_PREFETCHW:
	case ZYDIS_MNEMONIC_PREFETCHWT1:
		bind(d, op_nop);
		break;
	default:
		return false;
	}
	return true;
}

static void choose(struct dec *d)
{
	as_older(d);
	if (!offered(d)) {
		bind(d, op_ud);
		return;
	}
	if (!choose_mov(d) && !choose_alu(d) && !choose_control(d) &&
	    !choose_string(d) && !choose_io_string(d) && !choose_system(d))
		bind_vec(d);
}

static void set_flags(struct dec *d)
{
	ZydisInstructionAttributes a = d->x->z.attributes;
	unsigned int f = 0;

	if (locked(d))
		f |= INSN_LOCK;
	if (a & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
		f |= INSN_REP;
	if (a & ZYDIS_ATTRIB_HAS_REPNE)
		f |= INSN_REPNE;
	if (d->x->z.operand_width == 16)
		f |= INSN_OP16;
	if (d->x->z.operand_width == 64)
		f |= INSN_OP64;
	if (d->cpu->mode == MODE_64)
		f |= INSN_MODE64;
	if (d->x->z.address_width == 16)
		f |= INSN_ADDR16;
	if (d->x->z.address_width == 32)
		f |= INSN_ADDR32;
	d->i->flags = f;
}

static void undefined(struct emu_insn *i, enum decode_end *ret_end)
{
	i->len = 1;
	i->fn = op_ud;
	*ret_end = DECODE_BREAK;
}

int insn_decode_full(struct emu_cpu *cpu, struct block_cache *cache,
		     const uint8_t *bytes, size_t len, struct emu_insn *i,
		     enum decode_end *ret_end, struct decoded *ret_d)
{
	struct dec d = {
		.cpu = cpu, .cache = cache, .bytes = bytes, .i = i, .x = ret_d
	};
	ZyanStatus s;

	*i = (struct emu_insn){ .base = SLOT_ZERO,
				.index = SLOT_ZERO,
				.seg = X86_DS };
	s = ZydisDecoderDecodeFull(&cache->decoder[cpu->mode], bytes, len,
				   &ret_d->z, ret_d->op);
	if (s == ZYDIS_STATUS_NO_MORE_DATA && len < INSN_BYTES_MAX)
		return -EAGAIN;
	if (!ZYAN_SUCCESS(s)) {
		undefined(i, ret_end);
		return 0;
	}
	i->len = ret_d->z.length;
	set_flags(&d);
	choose(&d);
	*ret_end = i->fn == op_ud ? DECODE_BREAK : d.end;
	return d.error;
}

int insn_decode(struct emu_cpu *cpu, struct block_cache *cache,
		const uint8_t *bytes, size_t len, struct emu_insn *i,
		enum decode_end *ret_end)
{
	struct decoded d;

	return insn_decode_full(cpu, cache, bytes, len, i, ret_end, &d);
}
