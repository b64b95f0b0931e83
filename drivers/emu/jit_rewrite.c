/*
 * drivers/emu/jit_rewrite.c -- the guest's own instruction, re-encoded.
 *
 * Prefixes that choose a segment or the address size go, REX and VEX are made
 * anew for the new registers; opcode and immediates stay as they are (SDM
 * vol. 2, ch. 2).  What comes out is 64-bit code, whatever the guest's mode:
 * the operand size's prefix means another size in 16-bit code, INC and DEC have
 * opcodes there that are REX prefixes, and bits of VEX prefixes are ignored.
 */
#include "drivers/emu/jit_rewrite.h"

static bool has_modrm(const ZydisDecodedInstruction *z)
{
	return z->attributes & ZYDIS_ATTRIB_HAS_MODRM;
}

static bool is_64bit(const ZydisDecodedInstruction *z)
{
	return z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
}

static bool is_16bit(const ZydisDecodedInstruction *z)
{
	return z->machine_mode == ZYDIS_MACHINE_MODE_LEGACY_16;
}

static bool is_mem(const ZydisDecodedInstruction *z, const struct rewrite *rw)
{
	return has_modrm(z) && (z->raw.modrm.mod != 3 || rw->in_place);
}

static unsigned int modrm_end(const ZydisDecodedInstruction *z)
{
	return z->raw.modrm.offset + 1 +
	       !!(z->attributes & ZYDIS_ATTRIB_HAS_SIB) + z->raw.disp.size / 8;
}

static void put_modrm(struct jit_buf *b, const ZydisDecodedInstruction *z,
		      const struct rewrite *rw)
{
	int reg = rw->reg == H_NONE ? z->raw.modrm.reg : rw->reg;
	int rm = rw->rm == H_NONE ? z->raw.modrm.rm : rw->rm;

	if (is_mem(z, rw))
		put_modrm_mem(b, reg, &rw->mem);
	else
		put8(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* REX.R, X and B, or their VEX counterparts. */
static uint8_t rxb(bool r, bool b, const ZydisDecodedInstruction *z,
		   const struct rewrite *rw)
{
	uint8_t v = (rw->reg == H_NONE ? r : rw->reg >= 8) << 2;

	if (is_mem(z, rw))
		return v | (rw->mem.base >= 8 ? 1 : 0) |
		       (rw->mem.index >= 8 ? 2 : 0);
	if (rw->opcode != H_NONE)
		return v | (rw->opcode >= 8);
	return v | (rw->rm == H_NONE ? b : rw->rm >= 8);
}

static void put_tail(struct jit_buf *b, const ZydisDecodedInstruction *z,
		     const uint8_t *bytes, unsigned int from)
{
	asm_bytes(b, bytes + from, z->length - from);
}

/* Prefixes that mean something still; returns where they end. */
static unsigned int put_prefixes(struct jit_buf *b,
				 const ZydisDecodedInstruction *z,
				 const uint8_t *bytes)
{
	uint8_t rep = 0;
	bool size = false, lock = false;
	unsigned int n = 0;

	for (; n < z->length; n++) {
		uint8_t c = bytes[n];

		if (c == 0x66)
			size = true;
		else if (c == 0xf0)
			lock = true;
		else if (c == 0xf2 || c == 0xf3)
			rep = c;
		else if (c != 0x67 && c != 0x2e && c != 0x36 && c != 0x3e &&
			 c != 0x26 && c != 0x64 && c != 0x65 &&
			 (!is_64bit(z) || (c & 0xf0) != 0x40))
			break;
	}
	if (is_16bit(z)) /* no vector instructions */
		size = z->operand_width == 16;
	if (lock)
		put8(b, 0xf0);
	if (size)
		put8(b, 0x66);
	if (rep)
		put8(b, rep);
	return n;
}

/* INC and DEC of one byte, as those with a ModRM byte. */
static bool short_incdec(struct jit_buf *b, const ZydisDecodedInstruction *z,
			 const struct rewrite *rw)
{
	if (z->operand_width == 16)
		put8(b, 0x66);
	if (rw->opcode >= 8)
		put8(b, 0x41);
	put8(b, 0xff);
	put8(b, 0xc0 | (z->opcode & 8) | (rw->opcode & 7));
	return true;
}

static bool rewrite_legacy(struct jit_buf *b, const ZydisDecodedInstruction *z,
			   const uint8_t *bytes, const struct rewrite *rw)
{
	bool has_rex = z->attributes & ZYDIS_ATTRIB_HAS_REX;
	unsigned int n, end;
	uint8_t rex;

	if (!is_64bit(z) && (z->opcode & 0xf0) == 0x40 &&
	    z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		return short_incdec(b, z, rw);
	if (is_mem(z, rw) && rw->mem.gs)
		put8(b, 0x65);
	n = put_prefixes(b, z, bytes);
	rex = (has_rex && z->raw.rex.W) << 3 |
	      rxb(has_rex && z->raw.rex.R, has_rex && z->raw.rex.B, z, rw);
	if (rex || rw->byte_regs)
		put8(b, 0x40 | rex);
	end = has_modrm(z) ? z->raw.modrm.offset : n + 1;
	if (!has_modrm(z))
		while (bytes[end - 1] == 0x0f)
			end++;
	while (n < end - 1)
		put8(b, bytes[n++]);
	put8(b, rw->opcode == H_NONE ? bytes[n]
				     : (bytes[n] & 0xf8) | (rw->opcode & 7));
	if (!has_modrm(z)) {
		put_tail(b, z, bytes, n + 1);
		return true;
	}
	put_modrm(b, z, rw);
	put_tail(b, z, bytes, modrm_end(z));
	return true;
}

/* VEX in its three-byte form; R, X, B and vvvv are inverted in it. */
static bool rewrite_vex(struct jit_buf *b, const ZydisDecodedInstruction *z,
			const uint8_t *bytes, const struct rewrite *rw)
{
	const uint8_t *v = bytes + z->raw.vex.offset;
	bool two = v[0] == 0xc5;
	uint8_t map = two ? 1 : v[1] & 0x1f;
	uint8_t last = two ? v[1] & 0x7f : v[2];
	bool r = is_64bit(z) && !(v[1] & 0x80);
	bool base = is_64bit(z) && !two && !(v[1] & 0x20);

	if (!is_64bit(z))
		last |= 0x40; /* no register above 7 */
	if (rw->vvvv != H_NONE)
		last = (last & 0x87) | (~rw->vvvv & 15) << 3;
	if (is_mem(z, rw) && rw->mem.gs)
		put8(b, 0x65);
	put8(b, 0xc4);
	put8(b, (~rxb(r, base, z, rw) & 7) << 5 | map);
	put8(b, last);
	put8(b, z->opcode);
	if (!has_modrm(z))
		return true;
	put_modrm(b, z, rw);
	put_tail(b, z, bytes, modrm_end(z));
	return true;
}

bool jit_rewrite(struct jit_buf *b, const ZydisDecodedInstruction *z,
		 const uint8_t *bytes, const struct rewrite *rw)
{
	switch (z->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
		return rewrite_legacy(b, z, bytes, rw);
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		return rewrite_vex(b, z, bytes, rw);
	default:
		return false;
	}
}
