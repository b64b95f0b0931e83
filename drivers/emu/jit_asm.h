/*
 * drivers/emu/jit_asm.h -- an assembler for the few instructions that the
 * translator and the thunks (vec_emit.c) put around the guest's own (SDM vol.
 * 2, ch. 2 "Instruction Format").
 */
#ifndef EMU_JIT_ASM_H
#define EMU_JIT_ASM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum host_reg {
	H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI,
	H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
	H_NONE = -1,
};

/* Where code is put: w is written, and runs at w + to_exec. */
struct jit_buf {
	uint8_t *w, *end;
	intptr_t to_exec;
};

/* A memory operand.  gs: relative to the vCPU. */
struct host_mem {
	int8_t base, index; /* enum host_reg */
	uint8_t scale;	    /* shift */
	bool gs;
	int32_t disp;
};

static inline struct host_mem mem_at(int base, int32_t disp)
{
	return (struct host_mem){ .base = base, .index = H_NONE, .disp = disp };
}

static inline struct host_mem mem_at2(int base, int index, int32_t disp)
{
	return (struct host_mem){ .base = base, .index = index, .disp = disp };
}

static inline struct host_mem mem_gs(int32_t disp)
{
	return (struct host_mem){
		.base = H_NONE, .index = H_NONE, .gs = true, .disp = disp
	};
}

static inline struct host_mem mem_gs_at(int base, int32_t disp)
{
	return (struct host_mem){
		.base = base, .index = H_NONE, .gs = true, .disp = disp
	};
}

/* The caller has made sure of room for the worst case. */
static inline void put8(struct jit_buf *b, uint8_t v)
{
	*b->w++ = v;
}

static inline void put32(struct jit_buf *b, uint32_t v)
{
	memcpy(b->w, &v, 4);
	b->w += 4;
}

static inline void put64(struct jit_buf *b, uint64_t v)
{
	memcpy(b->w, &v, 8);
	b->w += 8;
}

/* ModRM and SIB of a memory operand (SDM vol. 2, 2.1.5). */
static inline void put_modrm_mem(struct jit_buf *b, int reg,
				 const struct host_mem *m)
{
	int base = m->base & 7;
	uint8_t r = (reg & 7) << 3;
	bool sib = m->index != H_NONE || base == 4 || m->base == H_NONE;
	uint8_t index = m->index == H_NONE ? 4 : m->index & 7;
	uint8_t mod;

	if (m->base == H_NONE) {
		put8(b, r | 4);
		put8(b, m->scale << 6 | index << 3 | 5);
		put32(b, m->disp);
		return;
	}
	mod = m->disp == 0 && base != 5		 ? 0
	      : m->disp == (int8_t)m->disp	 ? 0x40
						 : 0x80;
	put8(b, mod | r | (sib ? 4 : base));
	if (sib)
		put8(b, m->scale << 6 | index << 3 | base);
	if (mod == 0x40)
		put8(b, m->disp);
	else if (mod == 0x80)
		put32(b, m->disp);
}

static inline uint8_t rex_mem(int reg, const struct host_mem *m)
{
	uint8_t rex = reg >= 8 ? 4 : 0;

	if (m->base >= 8)
		rex |= 1;
	if (m->index >= 8)
		rex |= 2;
	return rex;
}

enum { W0 = 0, W1 = 8 }; /* REX.W: 32-bit or 64-bit operands */

/* op: one byte, or two with 0x0f in front as 0x0fXX. */
static inline void put_op(struct jit_buf *b, unsigned int op)
{
	if (op > 0xff)
		put8(b, op >> 8);
	put8(b, op);
}

/* op reg, rm with both registers. */
static inline void asm_rr(struct jit_buf *b, int w, unsigned int op, int reg,
			  int rm)
{
	uint8_t rex = w | (reg >= 8 ? 4 : 0) | (rm >= 8 ? 1 : 0);

	if (rex)
		put8(b, 0x40 | rex);
	put_op(b, op);
	put8(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* op reg, [m]. */
static inline void asm_rm(struct jit_buf *b, int w, unsigned int op, int reg,
			  struct host_mem m)
{
	uint8_t rex = w | rex_mem(reg, &m);

	if (m.gs)
		put8(b, 0x65);
	if (rex)
		put8(b, 0x40 | rex);
	put_op(b, op);
	put_modrm_mem(b, reg, &m);
}

/*
 * MOVUPS (op 0x10 loads, 0x11 stores), VEX-coded if that is wanted; the
 * operand has no register of the upper eight.
 */
static inline void asm_xmm(struct jit_buf *b, bool vex, uint8_t op, int n,
			   struct host_mem m)
{
	if (!vex) {
		asm_rm(b, W0, 0x0f00 | op, n, m);
		return;
	}
	if (m.gs)
		put8(b, 0x65);
	put8(b, 0xc5);
	put8(b, n < 8 ? 0xf8 : 0x78);
	put8(b, op);
	put_modrm_mem(b, n, &m);
}

/* The same of the upper half: VINSERTF128 (0x18), VEXTRACTF128 (0x19). */
static inline void asm_ymmh(struct jit_buf *b, uint8_t op, int n,
			    struct host_mem m)
{
	unsigned int vvvv = op == 0x18 ? n : 0;

	if (m.gs)
		put8(b, 0x65);
	put8(b, 0xc4);
	put8(b, n < 8 ? 0xe3 : 0x63);
	put8(b, (~vvvv & 15) << 3 | 5);
	put8(b, op);
	put_modrm_mem(b, n, &m);
	put8(b, 1);
}

static inline void asm_mov_rr(struct jit_buf *b, int w, int dst, int src)
{
	asm_rr(b, w, 0x8b, dst, src);
}

/* The rest of the register is cleared. */
static inline void asm_mov_zero(struct jit_buf *b, unsigned int size, int dst,
				int src)
{
	if (size == 2)
		asm_rr(b, W0, 0x0fb7, dst, src);
	else
		asm_mov_rr(b, size == 8 ? W1 : W0, dst, src);
}

static inline void asm_load(struct jit_buf *b, int w, int dst,
			    struct host_mem m)
{
	asm_rm(b, w, 0x8b, dst, m);
}

static inline void asm_store(struct jit_buf *b, int w, int src,
			     struct host_mem m)
{
	asm_rm(b, w, 0x89, src, m);
}

/* Of 2, 4 or 8 bytes; 2 leave the rest of the register alone. */
static inline void asm_load_size(struct jit_buf *b, unsigned int size, int dst,
				 struct host_mem m)
{
	if (size == 2)
		put8(b, 0x66);
	asm_load(b, size == 8 ? W1 : W0, dst, m);
}

static inline void asm_store_size(struct jit_buf *b, unsigned int size,
				  int src, struct host_mem m)
{
	if (size == 2)
		put8(b, 0x66);
	asm_store(b, size == 8 ? W1 : W0, src, m);
}

/* The same with the rest of the register cleared. */
static inline void asm_load_zero(struct jit_buf *b, unsigned int size, int dst,
				 struct host_mem m)
{
	if (size == 2)
		asm_rm(b, W0, 0x0fb7, dst, m);
	else
		asm_load(b, size == 8 ? W1 : W0, dst, m);
}

static inline void asm_lea(struct jit_buf *b, int w, int dst, struct host_mem m)
{
	if (m.base != H_NONE && m.index == H_NONE && !m.disp) {
		asm_mov_rr(b, w, dst, m.base);
		return;
	}
	asm_rm(b, w, 0x8d, dst, m);
}

/* Group 1 (ADD 0, OR 1, AND 4, SUB 5, XOR 6, CMP 7) with an immediate. */
static inline void asm_ri(struct jit_buf *b, int w, int op, int rm, int32_t imm)
{
	uint8_t rex = w | (rm >= 8 ? 1 : 0);

	if (rex)
		put8(b, 0x40 | rex);
	put8(b, imm == (int8_t)imm ? 0x83 : 0x81);
	put8(b, 0xc0 | op << 3 | (rm & 7));
	if (imm == (int8_t)imm)
		put8(b, imm);
	else
		put32(b, imm);
}

static inline void asm_mov_imm(struct jit_buf *b, int dst, uint64_t v)
{
	if (v == (uint32_t)v) {
		if (dst >= 8)
			put8(b, 0x41);
		put8(b, 0xb8 | (dst & 7));
		put32(b, v);
	} else if (v == (uint64_t)(int64_t)(int32_t)v) {
		put8(b, 0x48 | (dst >= 8));
		put8(b, 0xc7);
		put8(b, 0xc0 | (dst & 7));
		put32(b, v);
	} else {
		put8(b, 0x48 | (dst >= 8));
		put8(b, 0xb8 | (dst & 7));
		put64(b, v);
	}
}

/* RORX dst, src, n: leaves the flags alone. */
static inline void asm_rorx(struct jit_buf *b, int w, int dst, int src,
			    unsigned int n)
{
	put8(b, 0xc4);
	put8(b, (dst >= 8 ? 0 : 0x80) | 0x40 | (src >= 8 ? 0 : 0x20) | 3);
	put8(b, (w ? 0x80 : 0) | 0x7b);
	put8(b, 0xf0);
	put8(b, 0xc0 | (dst & 7) << 3 | (src & 7));
	put8(b, n);
}

static inline void put_rel32(struct jit_buf *b, const uint8_t *exec_target)
{
	put32(b, exec_target - (b->w + b->to_exec + 4));
}

static inline void asm_jmp(struct jit_buf *b, const uint8_t *exec_target)
{
	put8(b, 0xe9);
	put_rel32(b, exec_target);
}

static inline void asm_call(struct jit_buf *b, const uint8_t *exec_target)
{
	put8(b, 0xe8);
	put_rel32(b, exec_target);
}

/* Jcc rel32, to be set with asm_fix(); returns the place of the offset. */
static inline uint8_t *asm_jcc(struct jit_buf *b, unsigned int cc)
{
	put8(b, 0x0f);
	put8(b, 0x80 | cc);
	put32(b, 0);
	return b->w - 4;
}

static inline uint8_t *asm_jmp32(struct jit_buf *b)
{
	put8(b, 0xe9);
	put32(b, 0);
	return b->w - 4;
}

static inline uint8_t *asm_call32(struct jit_buf *b)
{
	put8(b, 0xe8);
	put32(b, 0);
	return b->w - 4;
}

/* The branch whose offset is at *at goes to to (both as written). */
static inline void asm_fix(uint8_t *at, const uint8_t *to)
{
	int32_t rel = to - (at + 4);

	memcpy(at, &rel, 4);
}

/* JRCXZ, or another short branch, to be set with asm_fix8(). */
static inline uint8_t *asm_short(struct jit_buf *b, uint8_t op)
{
	put8(b, op);
	put8(b, 0);
	return b->w - 1;
}

static inline void asm_fix8(uint8_t *at, const uint8_t *to)
{
	ptrdiff_t rel = to - (at + 1);

	assert(rel == (int8_t)rel);
	*at = rel;
}

static inline void asm_bytes(struct jit_buf *b, const void *bytes, size_t n)
{
	memcpy(b->w, bytes, n);
	b->w += n;
}

#define ASM(b, ...) \
	asm_bytes(b, (const uint8_t[]){ __VA_ARGS__ }, \
		  sizeof((const uint8_t[]){ __VA_ARGS__ }))

enum { OP_JRCXZ = 0xe3, OP_JMP8 = 0xeb, OP_CALL = 0xe8, OP_JMP = 0xe9 };

#endif
