/*
 * drivers/emu/vec.c -- what a vector instruction needs, and running it.
 *
 * vec_prepare() looks at what the decoder knows about the operands and notes
 * which registers go in and out, what the memory operand is, and which checks
 * come first.  Most instructions then run in a thunk (vec_emit.c); those with
 * several memory operands (vec_mem.c) and those that move the state itself
 * (vec_xsave.c) are done in C.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "drivers/emu/cpu.h"
#include "drivers/emu/vec_int.h"

int vec_init(void)
{
	int r;

	vec_isa_init();
	r = vec_arena_init();
	return r < 0 ? r : vec_fault_init();
}

void vec_fpu_reset(struct emu_fpu *fpu)
{
	static const uint16_t fcw = 0x40; /* SDM vol. 3, table 9-1: RESET */
	const uint32_t mxcsr[2] = { MXCSR_DEFAULT, vec_mxcsr_mask() };
	static const uint8_t ftw = 0xff; /* all zero, not empty */
	uint64_t bv = vec_xcr0_mask();

	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->xsave + XA_FCW, &fcw, sizeof(fcw));
	fpu->xsave[XA_FTW] = ftw;
	memcpy(fpu->xsave + XA_MXCSR, mxcsr, sizeof(mxcsr));
	memcpy(fpu->xsave + XA_BV, &bv, sizeof(bv));
	fpu->xcr0 = 1;
}

bool vec_mxcsr_mm(const struct emu_fpu *fpu)
{
	return fpu->xsave[XA_MXCSR + 2] & 2; /* bit 17 */
}

bool vec_x87_pending(const struct emu_fpu *fpu)
{
	return fpu->xsave[XA_FSW] & 0x80;
}

/* Instructions of these sets that use no vector register: not ours. */
static bool is_ours(const ZydisDecodedInstruction *insn)
{
	/* FCOMI and its kin; NOP, SYSENTER, ... are of this set too. */
	if (insn->meta.isa_set == ZYDIS_ISA_SET_PPRO)
		return insn->meta.isa_ext == ZYDIS_ISA_EXT_X87;
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_CRC32:
	case ZYDIS_MNEMONIC_POPCNT:
	case ZYDIS_MNEMONIC_PAUSE:
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_SFENCE:
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_XSETBV:
		return false;
	default:
		return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ||
		       insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	}
}

static unsigned int mask_of(const ZydisDecodedOperand *o)
{
	return BIT(ZydisRegisterGetId(o->reg.value));
}

static void note_vector(const ZydisDecodedOperand *o, bool vex, bool ymm,
			struct vec_op *op)
{
	unsigned int mask = mask_of(o);

	/* A legacy instruction may write a part: the rest must be there. */
	if (!vex || o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) {
		op->xmm_in |= mask;
		if (ymm)
			op->ymm_in |= mask;
	}
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		op->xmm_out |= mask;
}

/* A general register that is no explicit operand. */
static void note_hidden_gpr(const ZydisDecodedOperand *o, struct vec_op *op)
{
	ZyanI8 id = ZydisRegisterGetId(o->reg.value);

	if (id == X86_RAX) {
		op->gpr = X86_RAX;
		op->traits |= VT_GPR;
	} else if (id == X86_RCX) {
		op->traits |= VT_RCX_OUT;
	} else if (id == X86_RDX) {
		op->traits |= VT_RDX_IN;
	}
}

static void note_register(const ZydisDecodedOperand *o, bool vex,
			  struct vec_op *op)
{
	switch (ZydisRegisterGetClass(o->reg.value)) {
	case ZYDIS_REGCLASS_XMM:
		note_vector(o, vex, false, op);
		break;
	case ZYDIS_REGCLASS_YMM:
		note_vector(o, vex, true, op);
		break;
	case ZYDIS_REGCLASS_MMX:
	case ZYDIS_REGCLASS_X87:
		op->traits |= VT_X87;
		break;
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		if (o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			op->traits |= VT_GPR;
		else
			note_hidden_gpr(o, op);
		break;
	default:
		break;
	}
}

static void note_memory(const ZydisDecodedOperand *o, struct vec_op *op)
{
	op->mem_size = o->size / 8;
	op->flags |= VEC_MEM;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		op->flags |= VEC_LOAD;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		op->flags |= VEC_STORE;
}

static void note_operands(const ZydisDecodedInstruction *insn,
			  const ZydisDecodedOperand *operands,
			  struct vec_op *op)
{
	bool vex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;

	if (vex)
		op->traits |= VT_VEX;
	for (int i = 0; i < insn->operand_count; i++) {
		const ZydisDecodedOperand *o = &operands[i];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
			note_register(o, vex, op);
		else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
			note_memory(o, op);
	}
}

/* Moves and shuffles of floating-point elements ignore MXCSR. */
static bool moves_only(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_DATAXFER:
	case ZYDIS_CATEGORY_LOGICAL_FP:
	case ZYDIS_CATEGORY_BROADCAST:
		return true;
	default:
		break;
	}
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_SHUFPS:
	case ZYDIS_MNEMONIC_SHUFPD:
	case ZYDIS_MNEMONIC_UNPCKLPS:
	case ZYDIS_MNEMONIC_UNPCKHPS:
	case ZYDIS_MNEMONIC_UNPCKLPD:
	case ZYDIS_MNEMONIC_UNPCKHPD:
	case ZYDIS_MNEMONIC_BLENDPS:
	case ZYDIS_MNEMONIC_BLENDPD:
	case ZYDIS_MNEMONIC_BLENDVPS:
	case ZYDIS_MNEMONIC_BLENDVPD:
	case ZYDIS_MNEMONIC_INSERTPS:
	case ZYDIS_MNEMONIC_EXTRACTPS:
		return true;
	default:
		return false;
	}
}

static bool is_float(const ZydisDecodedOperand *o)
{
	return o->element_type == ZYDIS_ELEMENT_TYPE_FLOAT16 ||
	       o->element_type == ZYDIS_ELEMENT_TYPE_FLOAT32 ||
	       o->element_type == ZYDIS_ELEMENT_TYPE_FLOAT64;
}

static void note_mxcsr(const ZydisDecodedInstruction *insn,
		       const ZydisDecodedOperand *operands, struct vec_op *op)
{
	if (moves_only(insn))
		return;
	for (int i = 0; i < insn->operand_count; i++)
		if (is_float(&operands[i]))
			op->traits |= VT_MXCSR;
	/* The decoder calls these integers. */
	if (insn->mnemonic == ZYDIS_MNEMONIC_ROUNDSS ||
	    insn->mnemonic == ZYDIS_MNEMONIC_ROUNDSD)
		op->traits |= VT_MXCSR;
}

static void note_flags(const ZydisDecodedInstruction *insn, struct vec_op *op)
{
	const ZydisAccessedFlags *f = insn->cpu_flags;

	if (!f)
		return;
	if (f->modified | f->set_0 | f->set_1 | f->undefined)
		op->traits |= VT_FLAGS_OUT;
	if (f->tested ||
	    (op->traits & VT_FLAGS_OUT && op->traits & VT_X87))
		op->traits |= VT_FLAGS_IN;
}

static bool is_mmx(const ZydisDecodedInstruction *insn,
		   const ZydisDecodedOperand *operands)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_EMMS)
		return true;
	for (int i = 0; i < insn->operand_count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(operands[i].reg.value) ==
			    ZYDIS_REGCLASS_MMX)
			return true;
	return false;
}

/*
 * SDM vol. 3, "System Programming for Instruction Set Extensions": an
 * instruction that uses both kinds of registers needs what SSE needs.
 */
static uint16_t checks_of(const ZydisDecodedInstruction *insn,
			  const ZydisDecodedOperand *operands,
			  const struct vec_op *op)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_FWAIT)
		return VEC_WAIT;
	if (insn->meta.isa_ext == ZYDIS_ISA_EXT_X87 ||
	    (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	     (insn->opcode & 0xf8) == 0xd8))
		return VEC_X87;
	if (op->traits & VT_VEX)
		return VEC_AVX;
	if (insn->mnemonic == ZYDIS_MNEMONIC_MOVNTI)
		return VEC_NOCHECK;
	if (is_mmx(insn, operands) && !op->xmm_in)
		return VEC_MMX;
	return VEC_SSE;
}

/* Legacy 16-byte operands that may lie anywhere. */
static bool any_alignment(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
		return true;
	default:
		return false;
	}
}

static uint16_t alignment_of(const ZydisDecodedInstruction *insn,
			     const struct vec_op *op)
{
	/* AMD's do not check; Intel's do. */
	if (insn->meta.isa_set == ZYDIS_ISA_SET_SHA && vec_host_amd())
		return 0;
	if (insn->meta.exception_class == ZYDIS_EXCEPTION_CLASS_AVX1)
		return op->mem_size;
	if (op->traits & VT_VEX || op->mem_size != 16 ||
	    any_alignment(insn->mnemonic))
		return 0;
	return 16;
}

/*
 * AMD APM vol. 1, "Misaligned Exception Mask": for operands of what computes,
 * not for moves that ask for alignment.
 */
static bool mm_lets_pass(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVNTPS:
	case ZYDIS_MNEMONIC_MOVNTPD:
	case ZYDIS_MNEMONIC_MOVNTDQ:
	case ZYDIS_MNEMONIC_MOVNTDQA:
		return false;
	default:
		return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	}
}

/* Control instructions of the form FNxxx do not wait. */
static bool waits(const ZydisDecodedInstruction *insn,
		  const struct vec_op *op)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_FNINIT:
	case ZYDIS_MNEMONIC_FNCLEX:
	case ZYDIS_MNEMONIC_FNSTCW:
	case ZYDIS_MNEMONIC_FNSTSW:
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
	case ZYDIS_MNEMONIC_FDISI8087_NOP:
	case ZYDIS_MNEMONIC_FENI8087_NOP:
	case ZYDIS_MNEMONIC_FSETPM287_NOP:
		return false;
	default:
		return op->traits & VT_X87;
	}
}

static bool is_x87(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_FWAIT ||
	       insn->mnemonic == ZYDIS_MNEMONIC_EMMS ||
	       (insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
		insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
		(insn->opcode & 0xf8) == 0xd8);
}

int vec_prepare(const ZydisDecodedInstruction *insn,
		const ZydisDecodedOperand *operands, const uint8_t *bytes,
		struct vec_op *ret_op)
{
	struct vec_op op = { .run = vec_run_thunk, .gpr = VEC_NO_REG };
	int r;

	if (!is_ours(insn) || !vec_isa_runs(insn->meta.isa_set))
		return -ENOTSUP;
	note_operands(insn, operands, &op);
	if (is_x87(insn))
		op.traits |= VT_X87;
	note_mxcsr(insn, operands, &op);
	note_flags(insn, &op);
	op.checks = checks_of(insn, operands, &op);
	if (waits(insn, &op))
		op.checks |= VEC_PENDING;
	op.fop = (insn->opcode & 7) << 8 | bytes[insn->raw.modrm.offset];
	op.align = op.flags & VEC_MEM ? alignment_of(insn, &op) : 0;
	op.align_mm = op.align && mm_lets_pass(insn);
	if (!vec_xsave_prepare(insn, operands, &op) &&
	    !vec_gather_prepare(insn, operands, &op)) {
		r = vec_canon(insn, operands, bytes, &op);
		if (r < 0)
			return r;
		vec_mem_prepare(insn, operands, &op);
		vec_arena_get(&op);
	}
	*ret_op = op;
	return 0;
}

void vec_get_pointers(const uint8_t *x, struct x87_pointers *p)
{
	memcpy(&p->fop, x + XA_FOP, sizeof(p->fop));
	memcpy(&p->fip, x + XA_FIP, sizeof(p->fip));
	memcpy(&p->fdp, x + XA_FDP, sizeof(p->fdp));
}

void vec_put_pointers(uint8_t *x, const struct x87_pointers *p)
{
	memcpy(x + XA_FOP, &p->fop, sizeof(p->fop));
	memcpy(x + XA_FIP, &p->fip, sizeof(p->fip));
	memcpy(x + XA_FDP, &p->fdp, sizeof(p->fdp));
}

/*
 * The host has noted its own addresses as those of the last x87 instruction
 * and operand: put in the guest's.  What it did not note is as it was; only,
 * FXRSTOR does not load pointers on AMD's processors unless an exception is
 * pending, so that the host's are no use.
 */
static void fix_x87_pointers(const struct vec_op *op, struct vec_ctx *ctx,
			     const uint8_t *thunk,
			     const struct x87_pointers *old)
{
	struct x87_pointers p;
	uint8_t *x = ctx->fpu->xsave;

	if (op->kind & VEC_LOADS_ENV)
		return;
	vec_get_pointers(x, &p);
	if (p.fip != (uintptr_t)thunk + op->insn_off) {
		vec_put_pointers(x, old);
		return;
	}
	p.fip = ctx->rip;
	p.fdp = p.fdp == (uintptr_t)ctx->mem ? ctx->offset : old->fdp;
	/* The opcode has ModRM in it, whose memory form is [rdi]. */
	if (op->flags & VEC_MEM && p.fop == ((op->fop & 0x738) | 7))
		p.fop = op->fop;
	vec_put_pointers(x, &p);
}

static enum vec_result result_of(uint32_t fault)
{
	switch (fault) {
	case EXC_XM:
		return VEC_XM;
	case EXC_MF:
		return VEC_MF;
	default:
		return VEC_UD;
	}
}

enum vec_result vec_run_thunk(const struct vec_op *op, struct vec_ctx *ctx)
{
	const uint8_t *thunk = op->thunk ? op->thunk : vec_arena_once(op);
	struct vec_io io = { .host_mxcsr = MXCSR_DEFAULT,
			     .rflags = (ctx->rflags & FLAGS_ARITH) | 2,
			     .x87 = op->traits & VT_X87 };

	struct x87_pointers pointers;

	if (!thunk)
		return VEC_UD;
	if (op->traits & VT_X87)
		vec_get_pointers(ctx->fpu->xsave, &pointers);
	if (op->traits & VT_GPR)
		io.rax = ctx->gpr[op->gpr];
	((vec_thunk_fn *)thunk)(ctx->mem, ctx->fpu->xsave, ctx->gpr[X86_RDX],
				ctx->gpr[X86_RCX], &io);
	if (unlikely(io.fault))
		return result_of(io.fault);
	if (op->traits & VT_GPR)
		ctx->gpr[op->gpr] = io.rax;
	if (op->traits & VT_RCX_OUT)
		ctx->gpr[X86_RCX] = io.rcx;
	if (op->traits & VT_FLAGS_OUT)
		ctx->rflags = (ctx->rflags & ~FLAGS_ARITH) |
			      (io.rflags & FLAGS_ARITH);
	if (op->traits & VT_X87)
		fix_x87_pointers(op, ctx, thunk, &pointers);
	return VEC_OK;
}

enum vec_result vec_run(const struct vec_op *op, struct vec_ctx *ctx)
{
	return op->run(op, ctx);
}
