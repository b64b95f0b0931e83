/*
 * drivers/emu/jit_scan.c -- from bytes to instructions, classified.
 */
#include "drivers/emu/jit_emit.h"

#include <errno.h>

#include "drivers/emu/system.h"
#include "drivers/emu/vec_int.h"

#define M(name) case ZYDIS_MNEMONIC_##name

static ZydisRegisterClass class_of(const ZydisDecodedOperand *o)
{
	if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return ZYDIS_REGCLASS_INVALID;
	return ZydisRegisterGetClass(o->reg.value);
}

static bool is_high_byte(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       o->reg.value >= ZYDIS_REGISTER_AH &&
	       o->reg.value <= ZYDIS_REGISTER_BH;
}

static bool is_spilled(const ZydisDecodedOperand *o)
{
	return jit_is_gpr(o) && (is_high_byte(o) ||
			     jit_map[jit_gpr_id(o->reg.value)] == H_NONE);
}

/* The visible operands are where jit_rewrite() can replace them. */
static bool operands_fit(const struct scan_insn *s)
{
	const ZydisDecodedInstruction *z = &s->d.z;
	unsigned int own = 0, mems = 0, high = 0, low = 0;

	for (unsigned int n = 0; n < z->operand_count_visible; n++) {
		const ZydisDecodedOperand *o = &s->d.op[n];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			mems++;
			if (o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM)
				return false;
		}
		if (!jit_is_gpr(o))
			continue;
		if (o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_REG &&
		    o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM &&
		    o->encoding != ZYDIS_OPERAND_ENCODING_NDSNDD &&
		    o->encoding != ZYDIS_OPERAND_ENCODING_OPCODE)
			return false;
		own += is_spilled(o);
		if (!(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		/* Both halves of one register cannot be put back. */
		if (is_high_byte(o))
			high |= BIT(jit_gpr_id(o->reg.value));
		else
			low |= BIT(jit_gpr_id(o->reg.value));
	}
	return !(high & low) && own <= (mems ? 1 : 2);
}

static enum jit_kind plain_or_helper(const struct scan_insn *s)
{
	return operands_fit(s) ? JK_PLAIN : JK_HELPER;
}

static bool is_reg(const struct scan_insn *s, unsigned int n)
{
	return s->d.op[n].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_mem(const struct scan_insn *s, unsigned int n)
{
	return s->d.op[n].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool implied_acc(const struct scan_insn *s, unsigned int n)
{
	const ZydisDecodedOperand *o = &s->d.op[n];

	return jit_is_gpr(o) && jit_gpr_id(o->reg.value) == X86_RAX &&
	       !is_high_byte(o) &&
	       o->encoding == ZYDIS_OPERAND_ENCODING_NONE;
}

/* ALU operations, with their forms for the accumulator. */
static enum jit_kind alu_kind(const struct scan_insn *s)
{
	if (!(s->d.z.attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return implied_acc(s, 0) ? JK_ACC : JK_HELPER;
	if (s->d.z.opcode == 0x82) /* as 0x80, but not in 64-bit code */
		return JK_HELPER;
	return plain_or_helper(s);
}

static enum jit_kind xchg_kind(const struct scan_insn *s)
{
	const ZydisDecodedOperand *a = &s->d.op[0], *b = &s->d.op[1];

	if (s->d.z.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
		if (jit_is_gpr(a) && jit_is_gpr(b) &&
		    jit_gpr_id(a->reg.value) == jit_gpr_id(b->reg.value))
			return JK_HELPER;
		return plain_or_helper(s);
	}
	return implied_acc(s, 0) || implied_acc(s, 1) ? JK_ACC : JK_HELPER;
}

static enum jit_kind xadd_kind(const struct scan_insn *s)
{
	if (is_reg(s, 0) && jit_gpr_id(s->d.op[0].reg.value) ==
				    jit_gpr_id(s->d.op[1].reg.value))
		return JK_HELPER;
	return plain_or_helper(s);
}

static enum jit_kind mov_kind(const struct scan_insn *s)
{
	for (unsigned int n = 0; n < 2; n++)
		if (is_reg(s, n) && !jit_is_gpr(&s->d.op[n]))
			return s->kind;
	if (jit_is_legacy(s) && (s->d.z.opcode & 0xfc) == 0xa0 &&
	    !(s->d.z.attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return JK_MOFFS;
	return plain_or_helper(s);
}

static enum jit_kind bt_kind(const struct scan_insn *s)
{
	if (is_mem(s, 0) && is_reg(s, 1))
		return JK_HELPER;
	return plain_or_helper(s);
}

static bool by_cl(const struct scan_insn *s)
{
	unsigned int last = s->d.z.operand_count_visible - 1;

	return is_reg(s, last) && s->d.op[last].reg.value == ZYDIS_REGISTER_CL;
}

/* Without the count, which goes into RCX. */
static enum jit_kind shift_kind(const struct scan_insn *s)
{
	unsigned int spilled = 0;

	if (!by_cl(s))
		return plain_or_helper(s);
	for (unsigned int n = 0; n + 1u < s->d.z.operand_count_visible; n++) {
		spilled += is_spilled(&s->d.op[n]);
		if (is_high_byte(&s->d.op[n]))
			return JK_HELPER;
	}
	if (is_mem(s, 0))
		return spilled ? JK_HELPER : JK_SHIFT_CL;
	return spilled <= 1 ? JK_SHIFT_CL : JK_HELPER;
}

static enum jit_kind muldiv_kind(const struct scan_insn *s)
{
	if (s->d.z.operand_count_visible > 1)
		return plain_or_helper(s); /* IMUL */
	return is_high_byte(&s->d.op[0]) ? JK_HELPER : JK_MULDIV;
}

/* RDX is an operand without a name, so that RCX is all there is. */
static enum jit_kind mulx_kind(const struct scan_insn *s)
{
	unsigned int own = 0;

	for (unsigned int n = 0; n < 3; n++)
		own += is_spilled(&s->d.op[n]);
	return own <= 1 ? JK_MULX : JK_HELPER;
}

static enum jit_kind cmpxchg_kind(const struct scan_insn *s)
{
	for (unsigned int n = 0; n < 2; n++)
		if (is_high_byte(&s->d.op[n]) ||
		    (is_reg(s, n) &&
		     jit_gpr_id(s->d.op[n].reg.value) == X86_RAX))
			return JK_HELPER;
	if (is_mem(s, 0))
		return JK_CMPXCHG;
	return is_spilled(&s->d.op[0]) || is_spilled(&s->d.op[1])
		       ? JK_HELPER
		       : JK_CMPXCHG;
}

/* Has an item on the stack a width that we know how to push? */
static bool stack_width(const struct scan_insn *s)
{
	unsigned int w = s->d.z.operand_width;

	return jit_is_legacy(s) ? w == 16 || w == 32 : w == 64;
}

static bool whole_gpr(const struct scan_insn *s)
{
	return jit_is_gpr(&s->d.op[0]) &&
	       s->d.op[0].size == s->d.z.operand_width;
}

static enum jit_kind push_kind(const struct scan_insn *s)
{
	if (!stack_width(s) || (is_reg(s, 0) && !whole_gpr(s)))
		return s->kind;
	return JK_PUSH;
}

static enum jit_kind pop_kind(const struct scan_insn *s)
{
	if (!stack_width(s) || !whole_gpr(s))
		return s->kind;
	/* POP SP adds to ESP, and then replaces half of it. */
	if (s->d.op[0].reg.value == ZYDIS_REGISTER_SP)
		return s->kind;
	return JK_POP;
}

static enum jit_kind leave_kind(const struct scan_insn *s)
{
	unsigned int w = s->key & JIT_KEY_SP16 ? 16
			 : jit_is_legacy(s)    ? 32
					       : 64;

	return s->d.z.operand_width == w && w > 16 ? JK_LEAVE_FRAME : JK_HELPER;
}

/* In 32-bit code, 16 bits of EIP are too rare; 16-bit code may have 32. */
static bool branch_width(const struct scan_insn *s)
{
	unsigned int w = s->d.z.operand_width;

	if (!jit_is_legacy(s))
		return w == 64;
	return w == 32 || (w == 16 && s->key & JIT_KEY_16);
}

static enum jit_kind branch_kind(const struct scan_insn *s, bool call)
{
	if (s->d.z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
	    !branch_width(s))
		return JK_LEAVE;
	if (s->d.op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return call ? JK_CALL : JK_JMP;
	return call ? JK_CALL_IND : JK_JMP_IND;
}

static enum jit_kind ret_kind(const struct scan_insn *s)
{
	if (s->d.z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
	    !branch_width(s))
		return JK_LEAVE;
	return JK_RET;
}

/* 16 bits are put into a register that is the host's: emit_lea(). */
static enum jit_kind lea_kind(const struct scan_insn *s)
{
	if (s->d.z.operand_width != 16)
		return JK_LEA;
	return jit_is_legacy(s) ? JK_LEA : JK_HELPER;
}

/*
 * VEX prefixes in 32-bit code: bits that are ignored there, and would not be
 * in 64-bit code (SDM vol. 2, "VEX Prefix").
 */
static bool vex_differs(const struct scan_insn *s)
{
	const ZydisDecodedInstruction *z = &s->d.z;

	if (!jit_is_legacy(s) || z->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX)
		return false;
	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F3A && z->opcode >= 0x4a &&
	    z->opcode <= 0x4c)
		return true; /* a register in an immediate */
	if (!z->raw.vex.W)
		return false;
	for (unsigned int n = 0; n < z->operand_count_visible; n++)
		if (jit_is_gpr(&s->d.op[n]))
			return true;
	return z->mnemonic == ZYDIS_MNEMONIC_VMOVD ||
	       z->mnemonic == ZYDIS_MNEMONIC_VCVTSI2SD ||
	       z->mnemonic == ZYDIS_MNEMONIC_VCVTSI2SS ||
	       z->mnemonic == ZYDIS_MNEMONIC_VPINSRD ||
	       z->mnemonic == ZYDIS_MNEMONIC_VPEXTRD;
}

/* What the interpreter does in C, although the host would do it right. */
static bool native_as_it_is(const struct scan_insn *s)
{
	switch (s->d.z.mnemonic) {
	M(FST): M(FSTP): M(FIST): M(FISTP): M(FISTTP): M(FBSTP): M(FNSTCW):
	M(LDMXCSR): M(STMXCSR): M(VLDMXCSR): M(VSTMXCSR): M(VZEROUPPER):
	M(VZEROALL):
		return true;
	default:
		return false;
	}
}

/* Instructions on the host's vector and x87 units. */
static enum jit_kind vec_kind(struct emu_cpu *cpu, struct scan_insn *s)
{
	const struct vec_op *op = &s->i.vec->op;

	if (!(cpu->jit.key & JIT_KEY_FPU) || s->key & JIT_KEY_16 ||
	    (!native_as_it_is(s) &&
	     (op->run != vec_run_thunk || op->kind ||
	      op->flags & VEC_CALLBACK)))
		return JK_HELPER;
	s->x87 = op->traits & VT_X87;
	s->vec = !s->x87 || op->xmm_in || op->xmm_out ||
		 op->traits & VT_MXCSR;
	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_VZEROUPPER:
	case ZYDIS_MNEMONIC_VZEROALL: /* 32-bit code has eight registers */
		return jit_is_legacy(s) ? JK_HELPER : plain_or_helper(s);
	case ZYDIS_MNEMONIC_FNSTSW:
		return is_mem(s, 0) ? JK_PLAIN : JK_FNSTSW;
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_VPCMPISTRI:
		return JK_PCMPISTRI;
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_VPCMPESTRI:
	case ZYDIS_MNEMONIC_VPCMPESTRM:
		return JK_HELPER;
	default:
		return plain_or_helper(s);
	}
}

#define CC_NAMES(pre)                                                    \
	ZYDIS_MNEMONIC_##pre##O, ZYDIS_MNEMONIC_##pre##NO,                 \
		ZYDIS_MNEMONIC_##pre##B, ZYDIS_MNEMONIC_##pre##NB,         \
		ZYDIS_MNEMONIC_##pre##Z, ZYDIS_MNEMONIC_##pre##NZ,         \
		ZYDIS_MNEMONIC_##pre##BE, ZYDIS_MNEMONIC_##pre##NBE,       \
		ZYDIS_MNEMONIC_##pre##S, ZYDIS_MNEMONIC_##pre##NS,         \
		ZYDIS_MNEMONIC_##pre##P, ZYDIS_MNEMONIC_##pre##NP,         \
		ZYDIS_MNEMONIC_##pre##L, ZYDIS_MNEMONIC_##pre##NL,         \
		ZYDIS_MNEMONIC_##pre##LE, ZYDIS_MNEMONIC_##pre##NLE

static int condition(ZydisMnemonic m, const uint16_t names[16])
{
	for (int cc = 0; cc < 16; cc++)
		if (names[cc] == m)
			return cc;
	return -1;
}

static bool is_jcc(struct scan_insn *s)
{
	static const uint16_t jcc[16] = { CC_NAMES(J) };
	int cc = condition(s->d.z.mnemonic, jcc);

	if (cc >= 0)
		s->cc = cc;
	return cc >= 0;
}

static bool is_cond_move(const struct scan_insn *s)
{
	static const uint16_t cmov[16] = { CC_NAMES(CMOV) };
	static const uint16_t set[16] = { CC_NAMES(SET) };

	return condition(s->d.z.mnemonic, cmov) >= 0 ||
	       condition(s->d.z.mnemonic, set) >= 0;
}


static enum jit_kind int_kind(struct scan_insn *s)
{
	switch (s->d.z.mnemonic) {
	M(MOV):
		return mov_kind(s);
	M(ADD): M(OR): M(ADC): M(SBB): M(AND): M(SUB): M(XOR): M(CMP): M(TEST):
		return alu_kind(s);
	M(MOVZX): M(MOVSX): M(MOVSXD): M(INC): M(DEC): M(NEG): M(NOT): M(BSF):
	M(BSR): M(TZCNT): M(LZCNT): M(POPCNT): M(BSWAP): M(MOVBE): M(ADCX):
	M(ADOX): M(ANDN): M(BEXTR): M(BZHI): M(BLSI): M(BLSR): M(BLSMSK):
	M(PDEP): M(PEXT): M(RORX): M(SARX): M(SHLX): M(SHRX): M(CRC32): M(CMC):
	M(CLC): M(STC): M(MOVNTI): M(LFENCE): M(MFENCE): M(SFENCE):
		return plain_or_helper(s);
	M(BT): M(BTS): M(BTR): M(BTC):
		return bt_kind(s);
	M(SHL): M(SHR): M(SAR): M(ROL): M(ROR): M(RCL): M(RCR): M(SHLD):
	M(SHRD):
		return shift_kind(s);
	M(XCHG):
		return xchg_kind(s);
	M(XADD):
		return xadd_kind(s);
	M(MUL): M(IMUL): M(DIV): M(IDIV):
		return muldiv_kind(s);
	M(CMPXCHG):
		return cmpxchg_kind(s);
	M(CBW): M(CWDE): M(CDQE): M(CWD): M(CDQ): M(CQO):
		return JK_CONVERT;
	M(MULX):
		return mulx_kind(s);
	M(LEA):
		return lea_kind(s);
	M(PUSH):
		return push_kind(s);
	M(POP):
		return pop_kind(s);
	M(LEAVE):
		return leave_kind(s);
	M(JMP):
		return branch_kind(s, false);
	M(CALL):
		return branch_kind(s, true);
	M(RET):
		return ret_kind(s);
	M(NOP): M(ENDBR64): M(ENDBR32): M(PREFETCH): M(PREFETCHNTA):
	M(PREFETCHT0): M(PREFETCHT1): M(PREFETCHT2): M(PREFETCHW):
		return JK_NOP;
	default:
		return s->kind;
	}
}

static bool repeats(const struct scan_insn *s)
{
	return s->d.z.meta.category == ZYDIS_CATEGORY_STRINGOP ||
	       s->d.z.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

/* In 16-bit code a prefix tells nothing but the operands' size. */
static bool odd_in_16(const struct scan_insn *s)
{
	const ZydisDecodedInstruction *z = &s->d.z;

	return s->key & JIT_KEY_16 &&
	       (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
		(z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT &&
		 z->opcode_map != ZYDIS_OPCODE_MAP_0F) ||
		z->mnemonic == ZYDIS_MNEMONIC_MOVNTI);
}

static enum jit_kind kind_of(struct emu_cpu *cpu, struct scan_insn *s,
			     enum decode_end end)
{
	enum jit_kind kind = end == DECODE_GO ? JK_HELPER : JK_LEAVE;

	if (s->i.fn == op_ud)
		return JK_LEAVE;
	if (vex_differs(s) || odd_in_16(s))
		return JK_HELPER;
	if (repeats(s))
		return jit_sys_string(s) ? JK_SYS : JK_HELPER;
	/* Otherwise, if int_kind() does not know better. */
	s->kind = jit_sys_kind(cpu, s, kind);
	if (s->kind != kind || end == DECODE_BREAK)
		return s->kind;
	if (s->i.fn == op_vec)
		return vec_kind(cpu, s);
	if (is_jcc(s))
		return branch_width(s) ? JK_JCC : JK_LEAVE;
	if (is_cond_move(s))
		return plain_or_helper(s);
	return int_kind(s);
}

/* A shift by zero leaves all flags alone, one by CL may. */
static bool may_shift_by_zero(const struct scan_insn *s)
{
	const ZydisDecodedInstruction *z = &s->d.z;
	const ZydisDecodedOperand *o;
	unsigned int mask = z->operand_width == 64 ? 63 : 31;

	switch (z->mnemonic) {
	M(SHL): M(SHR): M(SAR): M(ROL): M(ROR): M(RCL): M(RCR): M(SHLD):
	M(SHRD):
		break;
	default:
		return false;
	}
	o = &s->d.op[z->operand_count_visible - 1];
	if (o->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return true;
	/* RCL and RCR of 8 and 16 bits count modulo 9 and 17. */
	return !(o->imm.value.u & mask) || z->operand_width < 32;
}

static bool leaves_undefined(const struct scan_insn *s)
{
	switch (s->d.z.mnemonic) {
	M(BSF): M(BSR): M(BT): M(BTS): M(BTR): M(BTC):
		return true;
	default:
		return false;
	}
}

static void set_flags(struct scan_insn *s)
{
	const ZydisAccessedFlags *f = s->d.z.cpu_flags;

	if (s->kind == JK_HELPER || s->kind == JK_LEAVE) {
		s->reads = s->writes = s->kills = FLAGS_ARITH;
		return;
	}
	if (s->kind == JK_SYS || s->kind == JK_SYS_END) {
		jit_sys_flags(s);
		return;
	}
	if (!f || s->kind == JK_NOP)
		return;
	s->reads = f->tested & FLAGS_ARITH;
	s->writes = (f->modified | f->set_0 | f->set_1 | f->undefined) &
		    FLAGS_ARITH;
	s->kills = may_shift_by_zero(s) ? 0 : s->writes;
	/* Processors leave alone what is undefined after these. */
	if (leaves_undefined(s))
		s->kills &= ~f->undefined;
}

/* What the segment is to a block with this key. */
static uint8_t segment_in(uint8_t key, unsigned int seg)
{
	if (!(key & JIT_KEY_LEGACY))
		return seg >= X86_FS ? seg : JIT_FLAT;
	if (key & JIT_KEY_FLAT && seg != X86_CS && seg < X86_FS)
		return JIT_FLAT;
	return seg;
}

void jit_scan_address(const struct scan_insn *s, const ZydisDecodedOperand *o,
		      struct jit_mem *ret_mem)
{
	const ZydisDecodedInstruction *z = &s->d.z;
	bool no_base = z->attributes & ZYDIS_ATTRIB_HAS_SIB &&
		       z->raw.modrm.mod == 0 && z->raw.sib.base == 5;
	struct jit_mem m = { .base = -1, .seg = segment_in(s->key,
					    seg_index(o->mem.segment)) };

	m.disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0;
	m.addr32 = z->address_width == 32;
	m.addr16 = z->address_width == 16;
	m.limited = jit_is_legacy(s) && m.seg != JIT_FLAT;
	if (o->mem.base == ZYDIS_REGISTER_RIP) {
		m.rip = true;
		m.disp += s->next;
	} else if (!no_base) {
		m.base = jit_gpr_id(o->mem.base);
	}
	if (no_base)
		m.disp = z->raw.disp.value;
	m.index = jit_gpr_id(o->mem.index);
	m.scale = o->mem.scale ? __builtin_ctz(o->mem.scale) : 0;
	*ret_mem = m;
}

static void set_mem(struct scan_insn *s, const ZydisDecodedOperand *o)
{
	struct scan_mem *m = &s->mem[s->n_mem++];

	*m = (struct scan_mem){
		.size = o->size / 8,
		.read = o->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
		.write = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
		.group = -1,
	};
	jit_scan_address(s, o, &m->m);
}

/* An item at a place on the stack, or right below it. */
static void set_stack(struct scan_insn *s, int base, bool write)
{
	unsigned int size = s->d.z.operand_width / 8;
	bool legacy = jit_is_legacy(s), sp16 = s->key & JIT_KEY_SP16;
	uint8_t seg = segment_in(s->key, X86_SS);

	s->mem[s->n_mem++] = (struct scan_mem){
		.m = { .base = base,
		       .index = -1,
		       .seg = seg,
		       .addr32 = legacy && !sp16,
		       .addr16 = sp16,
		       .limited = legacy && seg != JIT_FLAT,
		       .disp = write ? -(int32_t)size : 0 },
		.size = size,
		.read = !write,
		.write = write,
		.group = -1,
	};
}

static void set_mems(struct scan_insn *s)
{
	if (s->kind == JK_HELPER || s->kind == JK_LEAVE || s->kind == JK_NOP ||
	    s->kind == JK_LEA || jit_sys_own_mem(s))
		return;
	for (unsigned int n = 0; n < s->d.z.operand_count_visible; n++)
		if (is_mem(s, n))
			set_mem(s, &s->d.op[n]);
	if (s->kind == JK_PUSH || s->kind == JK_CALL ||
	    s->kind == JK_CALL_IND || s->d.z.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
	    s->d.z.mnemonic == ZYDIS_MNEMONIC_PUSHFD)
		set_stack(s, X86_RSP, true);
	if (s->kind == JK_POP || s->kind == JK_RET)
		set_stack(s, X86_RSP, false);
	if (s->kind == JK_LEAVE_FRAME)
		set_stack(s, X86_RBP, false);
}

/* Addresses with a 32-bit wrap or EIP are not worth a fast way. */
static bool odd_address(const struct scan_insn *s)
{
	for (unsigned int n = 0; n < s->d.z.operand_count_visible; n++) {
		const ZydisDecodedOperand *o = &s->d.op[n];

		int64_t disp = o->mem.disp.value + s->next;

		if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (o->mem.base == ZYDIS_REGISTER_EIP || o->size > 512 ||
		    (o->size == 0 && s->kind != JK_LEA))
			return true;
		/* Room for a shared range. */
		if (o->mem.disp.has_displacement &&
		    (disp > INT32_MAX - 8192 || disp < INT32_MIN + 8192))
			return true;
	}
	return false;
}

/* Returns how many bytes there are. */
static unsigned int fetch(uint8_t *bytes, const uint8_t *page,
			  const uint8_t *next, unsigned int at)
{
	unsigned int room = MIN(EMU_PAGE - at, (unsigned int)INSN_BYTES_MAX);

	memset(bytes, 0, INSN_BYTES_MAX);
	memcpy(bytes, page + at, room);
	if (!next)
		return room;
	memcpy(bytes + room, next, INSN_BYTES_MAX - room);
	return INSN_BYTES_MAX;
}

static int scan_one(struct emu_cpu *cpu, struct scan_insn *s,
		    const uint8_t *page, const uint8_t *next, unsigned int at,
		    unsigned int start, enum decode_end *end)
{
	unsigned int room = fetch(s->bytes, page, next, at);
	int r;

	r = insn_decode_full(cpu, cpu->cache, s->bytes, room, &s->i, end,
			     &s->d);
	if (r < 0)
		return r;
	s->key = cpu->jit.key;
	s->n_mem = 0;
	s->vec = s->x87 = false;
	s->reads = s->writes = s->kills = 0;
	s->guest = at - start;
	s->next = s->guest + s->i.len;
	s->i.end = s->next;
	s->kind = kind_of(cpu, s, *end);
	if (s->kind != JK_LEAVE && odd_address(s))
		s->kind = *end == DECODE_GO || repeats(s) ? JK_HELPER :
							    JK_LEAVE;
	if (s->kind == JK_HELPER)
		s->vec = s->x87 = false;
	set_flags(s);
	set_mems(s);
	s->may_fault = s->n_mem || s->kind == JK_HELPER ||
		       s->kind == JK_SYS || s->kind == JK_SYS_END ||
		       s->kind == JK_LEAVE || s->kind == JK_MULDIV || s->vec ||
		       s->x87;
	return 0;
}

/* Flags wanted behind each instruction; at the end, all of them. */
static void set_live(struct jit_scan *s, bool strict)
{
	uint16_t live = FLAGS_ARITH;

	for (unsigned int n = s->n; n-- > 0;) {
		struct scan_insn *i = &s->insn[n];

		if (jit_ends_block(i->kind) || i->kind == JK_JCC)
			live = FLAGS_ARITH;
		i->live = live;
		live = (live & ~i->kills) | i->reads;
		if (strict && i->may_fault)
			live = FLAGS_ARITH;
	}
}

/*
 * Sharing of checks.  A register's value is a version of it plus a constant;
 * accesses whose versions agree differ by constants only.
 */
struct versions {
	uint32_t ver[16], next;
	int64_t delta[16];
	uint32_t barrier; /* segment bases may have changed */
};

static void bump(struct versions *v, int reg)
{
	v->ver[reg] = v->next++;
	v->delta[reg] = 0;
}

/* A register as wide as addresses are. */
static bool is_wide(const struct scan_insn *s, const ZydisDecodedOperand *o)
{
	return class_of(o) == (jit_is_legacy(s) ? ZYDIS_REGCLASS_GPR32
						: ZYDIS_REGCLASS_GPR64);
}

/* Does the instruction add a constant to such a register? */
static bool adds_const(const struct scan_insn *s, int *reg, int *from,
		       int64_t *add)
{
	const ZydisDecodedOperand *a = &s->d.op[0], *b = &s->d.op[1];

	if (s->kind == JK_HELPER || !is_wide(s, a))
		return false;
	*reg = *from = jit_gpr_id(a->reg.value);
	switch (s->d.z.mnemonic) {
	M(ADD):
		*add = b->imm.value.s;
		return b->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	M(SUB):
		*add = -b->imm.value.s;
		return b->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	M(INC):
		*add = 1;
		return true;
	M(DEC):
		*add = -1;
		return true;
	M(MOV):
		*add = 0;
		if (!is_wide(s, b))
			return false;
		*from = jit_gpr_id(b->reg.value);
		return true;
	M(LEA):
		if (b->mem.index != ZYDIS_REGISTER_NONE ||
		    s->d.z.address_width != (jit_is_legacy(s) ? 32 : 64) ||
		    ZydisRegisterGetClass(b->mem.base) != class_of(a))
			return false;
		*from = jit_gpr_id(b->mem.base);
		*add = b->mem.disp.has_displacement ? b->mem.disp.value : 0;
		return true;
	default:
		return false;
	}
}

static void advance(struct versions *v, const struct scan_insn *s)
{
	int64_t add, item = s->d.z.operand_width / 8;
	int reg, from;

	if (s->kind == JK_HELPER) {
		for (int r = 0; r < 16; r++)
			bump(v, r);
		v->barrier++;
		return;
	}
	if (adds_const(s, &reg, &from, &add)) {
		v->ver[reg] = v->ver[from];
		v->delta[reg] = v->delta[from] + add;
		return;
	}
	if (s->kind == JK_LEAVE_FRAME) {
		v->ver[X86_RSP] = v->ver[X86_RBP];
		v->delta[X86_RSP] = v->delta[X86_RBP] + item;
		bump(v, X86_RBP);
		return;
	}
	if (s->kind == JK_SYS)
		v->barrier++;
	if (repeats(s)) {
		bump(v, X86_RCX);
		bump(v, X86_RSI);
		bump(v, X86_RDI);
	}
	for (unsigned int n = 0; n < s->d.z.operand_count; n++) {
		const ZydisDecodedOperand *o = &s->d.op[n];

		if (jit_is_gpr(o) && o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    jit_gpr_id(o->reg.value) != X86_RSP)
			bump(v, jit_gpr_id(o->reg.value));
		if (jit_is_gpr(o) && o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    jit_gpr_id(o->reg.value) == X86_RSP && s->kind != JK_PUSH &&
		    s->kind != JK_POP)
			bump(v, X86_RSP);
	}
	if (s->kind == JK_PUSH)
		v->delta[X86_RSP] -= item;
	if ((s->kind == JK_POP &&
	     jit_gpr_id(s->d.op[0].reg.value) == X86_RSP) ||
	    s->key & JIT_KEY_SP16)
		bump(v, X86_RSP);
	else if (s->kind == JK_POP)
		v->delta[X86_RSP] += item;
}

enum { GROUP_SPAN = 256 };

/* The constant part of an address, against the versions. */
static int64_t origin(const struct versions *v, const struct jit_mem *m)
{
	int64_t o = m->disp;

	if (m->base >= 0)
		o += v->delta[m->base];
	if (m->index >= 0)
		o += v->delta[m->index] * (1 << m->scale);
	return o;
}

static void group_key(const struct versions *v, const struct jit_mem *m,
		      struct scan_group *g)
{
	*g = (struct scan_group){
		.base_none = m->base < 0,
		.index_none = m->index < 0,
		.base_ver = m->base < 0 ? 0 : v->ver[m->base],
		.index_ver = m->index < 0 ? 0 : v->ver[m->index],
		.scale = m->index < 0 ? 0 : m->scale,
		.seg = m->seg,
		.rip = m->rip,
		.simple = m->base >= 0 && jit_map[m->base] != H_NONE &&
			  m->index < 0 && m->seg == JIT_FLAT && !m->addr32,
		.origin = origin(v, m),
	};
}

static bool same_key(const struct scan_group *a, const struct scan_group *b)
{
	return a->base_none == b->base_none && a->index_none == b->index_none &&
	       a->base_ver == b->base_ver && a->index_ver == b->index_ver &&
	       a->scale == b->scale && a->seg == b->seg && a->rip == b->rip;
}

/* May the access join the group?  Widens it if so. */
static bool group_join(struct scan_group *g, const struct scan_group *key,
		       const struct scan_mem *m, bool conditional)
{
	int64_t lo = key->origin - g->origin, hi = lo + m->size;

	if (!same_key(g, key) || (m->write && !g->write && conditional))
		return false;
	lo = MIN(lo, (int64_t)g->lo);
	hi = MAX(hi, (int64_t)g->hi);
	if (hi - lo > GROUP_SPAN)
		return false;
	/* The registers named may be others than the first one's. */
	if (g->simple != key->simple)
		return false;
	g->lo = lo;
	g->hi = hi;
	g->write = g->write || m->write;
	return true;
}

/* What the members need when all is known: offsets from their own disp. */
static void set_ranges(struct jit_scan *s)
{
	for (unsigned int n = 0; n < s->n; n++)
		for (unsigned int k = 0; k < s->insn[n].n_mem; k++) {
			struct scan_mem *m = &s->insn[n].mem[k];
			const struct scan_group *g;

			m->m.lo = 0;
			m->m.hi = m->size;
			m->m.size = m->size;
			m->m.write = m->m.own_write = m->write;
			if (m->group < 0)
				continue;
			g = &s->group[m->group];
			if (m->first) {
				m->m.lo = g->lo;
				m->m.hi = g->hi;
				m->m.write = g->write;
			}
			if (g->users == 1)
				m->group = -1;
		}
}

/* Sums wrap where versions do. */
static bool may_share(const struct scan_insn *s, const struct jit_mem *m)
{
	return !m->addr16 && m->addr32 == jit_is_legacy(s);
}

static void set_groups(struct jit_scan *s, bool apart)
{
	struct versions v = { .next = 16 };
	unsigned int jcc[JIT_GROUPS_MAX], n_jcc = 0;
	uint32_t barrier[JIT_GROUPS_MAX];

	for (int r = 0; r < 16; r++)
		v.ver[r] = r;
	s->n_groups = 0;
	for (unsigned int n = 0; n < s->n; n++) {
		struct scan_insn *i = &s->insn[n];

		for (unsigned int k = 0; k < i->n_mem; k++) {
			struct scan_mem *m = &i->mem[k];
			struct scan_group key;
			unsigned int g;

			m->group = -1;
			m->first = true;
			m->off = 0;
			if (!may_share(i, &m->m) || apart)
				continue;
			group_key(&v, &m->m, &key);
			for (g = s->n_groups; g-- > 0;)
				if ((key.seg == JIT_FLAT ||
				     barrier[g] == v.barrier) &&
				    group_join(&s->group[g], &key, m,
					       n_jcc != jcc[g]))
					break;
			if (g != -1u) {
				s->group[g].last = n;
				s->group[g].users++;
				m->off = key.origin - s->group[g].origin;
				m->group = g;
				m->first = false;
				continue;
			}
			if (s->n_groups == JIT_GROUPS_MAX)
				continue;
			g = s->n_groups++;
			key.first = key.last = n;
			key.write = m->write;
			key.users = 1;
			key.lo = 0;
			key.hi = m->size;
			s->group[g] = key;
			m->group = g;
			jcc[g] = n_jcc;
			barrier[g] = v.barrier;
		}
		n_jcc += i->kind == JK_JCC;
		advance(&v, i);
	}
	set_ranges(s);
}

/*
 * When a check fails, the interpreter goes on to where no checked address is
 * needed any more that was not checked.
 */
static void set_until(struct jit_scan *s)
{
	for (unsigned int n = 0; n < s->n; n++) {
		unsigned int until = n;

		for (unsigned int g = 0; g < s->n_groups; g++)
			if (s->group[g].first >= n &&
			    s->group[g].first <= until &&
			    s->group[g].last > until) {
				until = s->group[g].last;
				g = -1u; /* again from the start */
			}
		s->insn[n].until = until;
	}
}

int jit_scan(struct emu_cpu *cpu, struct jit_scan *s, const uint8_t *page,
	     const uint8_t *next, uint64_t phys)
{
	unsigned int offset = phys & ~EMU_PAGE_MASK;
	unsigned int at = offset;
	enum decode_end end;

	s->n = 0;
	s->vec = s->x87 = s->crosses = false;
	while (s->n < JIT_INSNS_MAX && at < EMU_PAGE) {
		struct scan_insn *i = &s->insn[s->n];
		int r = scan_one(cpu, i, page, next, at, offset, &end);

		s->crosses = r == -EAGAIN;
		if (s->crosses)
			break;
		if (r < 0)
			return r;
		s->n++;
		s->vec = s->vec || i->vec;
		s->x87 = s->x87 || i->x87;
		at += i->i.len;
		if (next || jit_ends_block(i->kind) || (i->kind == JK_JCC &&
				jit_has(cpu, phys + (at - offset))))
			break;
	}
	s->len = at - offset;
	set_live(s, jit_of(cpu)->strict);
	set_groups(s, jit_is_apart(jit_of(cpu), phys));
	set_until(s);
	return 0;
}
