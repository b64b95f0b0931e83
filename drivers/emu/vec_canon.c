/*
 * drivers/emu/vec_canon.c -- the instruction that a thunk holds: the guest's
 * own bytes with its memory operand replaced by [rdi] and its general
 * register by RAX.
 *
 * Prefixes that choose a segment or the address size go, as do REX or VEX bits
 * that extended the old address.  What comes out is decoded as 64-bit code,
 * whatever the guest's mode: bits that 32-bit code ignores are cleared (SDM
 * vol. 2, "VEX Prefix").
 */
#include <errno.h>
#include <string.h>

#include "drivers/emu/vec_int.h"

struct canon {
	const ZydisDecodedInstruction *insn;
	const uint8_t *bytes;
	struct vec_op *op;
	uint8_t mem_size;  /* of x87 environments */
	bool gpr_reg, gpr_rm; /* ModRM field names a general register */
	bool mode64, mem;
};

static void put(struct canon *c, uint8_t byte)
{
	c->op->insn[c->op->insn_len++] = byte;
}

static bool is_gpr(const ZydisDecodedOperand *o)
{
	ZydisRegisterClass class;

	if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	class = ZydisRegisterGetClass(o->reg.value);
	return class == ZYDIS_REGCLASS_GPR8 || class == ZYDIS_REGCLASS_GPR16 ||
	       class == ZYDIS_REGCLASS_GPR32 || class == ZYDIS_REGCLASS_GPR64;
}

static void find_gpr(struct canon *c, const ZydisDecodedOperand *operands)
{
	for (int i = 0; i < c->insn->operand_count_visible; i++) {
		const ZydisDecodedOperand *o = &operands[i];

		if (!is_gpr(o))
			continue;
		if (o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG)
			c->gpr_reg = true;
		if (o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
			c->gpr_rm = true;
		c->op->gpr = ZydisRegisterGetId(o->reg.value);
	}
}

static uint8_t modrm(const struct canon *c)
{
	uint8_t reg = c->gpr_reg ? 0 : c->insn->raw.modrm.reg;

	if (c->mem)
		return reg << 3 | 7; /* [rdi] */
	return 0xc0 | reg << 3 | (c->gpr_rm ? 0 : c->insn->raw.modrm.rm);
}

static unsigned int modrm_end(const ZydisDecodedInstruction *insn)
{
	return insn->raw.modrm.offset + 1 +
	       !!(insn->attributes & ZYDIS_ATTRIB_HAS_SIB) +
	       insn->raw.disp.size / 8;
}

/* ModRM and what follows the address: immediates. */
static int put_tail(struct canon *c)
{
	unsigned int end = modrm_end(c->insn);

	if (end > c->insn->length)
		return -ENOTSUP;
	put(c, modrm(c));
	while (end < c->insn->length)
		put(c, c->bytes[end++]);
	return 0;
}

static int canon_x87(struct canon *c)
{
	/* Environments of 16-bit form have the prefix, others never. */
	if (c->mem_size == 14 || c->mem_size == 94)
		put(c, 0x66);
	put(c, c->insn->opcode);
	return put_tail(c);
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0xf2 || byte == 0xf3;
}

static bool is_dropped(uint8_t byte)
{
	return byte == 0x67 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
	       byte == 0x26 || byte == 0x64 || byte == 0x65;
}

/* REX of the new form, or 0. */
static uint8_t rex(const struct canon *c)
{
	uint8_t r = 0;

	if (!(c->insn->attributes & ZYDIS_ATTRIB_HAS_REX))
		return 0;
	r |= c->insn->raw.rex.W << 3;
	if (!c->gpr_reg)
		r |= c->insn->raw.rex.R << 2;
	if (!c->mem && !c->gpr_rm)
		r |= c->insn->raw.rex.B;
	return r ? 0x40 | r : 0;
}

static int canon_legacy(struct canon *c)
{
	unsigned int i = 0, n = c->insn->length;
	uint8_t r = rex(c), seen = 0;

	/* A repeated prefix is dropped: the last of F2 and F3 counts. */
	for (; i < n; i++) {
		uint8_t b = c->bytes[i];

		if (b == 0x66)
			seen |= 1;
		else if (is_prefix(b))
			seen = (seen & 1) | (b == 0xf2 ? 2 : 4);
		else if (!is_dropped(b) && !(c->mode64 && (b & 0xf0) == 0x40))
			break;
	}
	if (seen & 1)
		put(c, 0x66);
	if (seen & 6)
		put(c, seen & 2 ? 0xf2 : 0xf3);
	if (r)
		put(c, r);
	if (!(c->insn->attributes & ZYDIS_ATTRIB_HAS_MODRM)) {
		while (i < n)
			put(c, c->bytes[i++]);
		return 0;
	}
	while (i < c->insn->raw.modrm.offset)
		put(c, c->bytes[i++]);
	return put_tail(c);
}

/* Does VEX.W choose the size of a general register or its like? */
static bool w_is_size(const struct canon *c)
{
	switch (c->insn->mnemonic) {
	case ZYDIS_MNEMONIC_VMOVD:
	case ZYDIS_MNEMONIC_VCVTSI2SD:
	case ZYDIS_MNEMONIC_VCVTSI2SS:
		return true;
	default:
		return c->gpr_reg || c->gpr_rm;
	}
}

/* VPINSRQ and VPEXTRQ do not exist in 32-bit code. */
static bool needs_mode64(const struct canon *c)
{
	return (c->insn->mnemonic == ZYDIS_MNEMONIC_VPINSRD ||
		c->insn->mnemonic == ZYDIS_MNEMONIC_VPEXTRD) &&
	       c->insn->raw.vex.W;
}

static int canon_vex(struct canon *c)
{
	const uint8_t *v = c->bytes + c->insn->raw.vex.offset;
	bool two = v[0] == 0xc5;
	uint8_t b1 = two ? (v[1] & 0x80) | 0x61 : v[1];
	uint8_t b2 = two ? v[1] & 0x7f : v[2];
	int r;

	if (!c->mode64 && needs_mode64(c))
		return -ENOTSUP;
	b1 |= 0x40; /* no index */
	if (c->mem || c->gpr_rm || !c->mode64)
		b1 |= 0x20;
	if (c->gpr_reg || !c->mode64)
		b1 |= 0x80;
	if (!c->mode64) {
		b2 |= 0x40;
		if (w_is_size(c))
			b2 &= 0x7f;
	}
	put(c, 0xc4);
	put(c, b1);
	put(c, b2);
	put(c, c->insn->opcode);
	if (!(c->insn->attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return 0;
	r = put_tail(c);
	/* A register in an immediate: eight of them in 32-bit code. */
	if (r == 0 && !c->mode64 && modrm_end(c->insn) < c->insn->length &&
	    c->insn->opcode >= 0x4a && c->insn->opcode <= 0x4c)
		c->op->insn[c->op->insn_len - 1] &= 0x7f;
	return r;
}

int vec_canon(const ZydisDecodedInstruction *insn,
	      const ZydisDecodedOperand *operands, const uint8_t *bytes,
	      struct vec_op *op)
{
	struct canon c = {
		.insn = insn,
		.bytes = bytes,
		.op = op,
		.mem_size = op->mem_size,
		.mode64 = insn->machine_mode == ZYDIS_MACHINE_MODE_LONG_64,
		.mem = insn->attributes & ZYDIS_ATTRIB_HAS_MODRM &&
		       insn->raw.modrm.mod != 3,
	};

	op->insn_len = 0;
	find_gpr(&c, operands);
	if (insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
		return canon_vex(&c);
	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return -ENOTSUP;
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	    (insn->opcode & 0xf8) == 0xd8)
		return canon_x87(&c);
	return canon_legacy(&c);
}
