/*
 * drivers/emu/jit_sys.c -- system instructions that need not leave translated
 * code.
 *
 * A block for a supervisor's view runs at CPL 0, one for the user's at CPL 3
 * (jit_key()), so most checks are made when it is translated.  What depends on
 * control registers and MSRs is looked up when the instruction runs; whatever
 * is not the ordinary case goes to the interpreter before anything changed.
 */
#include "drivers/emu/jit_emit.h"

#include "drivers/emu/lapic.h"

enum { OR = 1, AND = 4, CMP = 7 }; /* of group 1 */

static int32_t seg_off(unsigned int seg, size_t field)
{
	return OFF(seg) + (int32_t)(sizeof(struct x86_segment) * seg + field);
}

static int32_t base_off(unsigned int seg)
{
	return seg_off(seg, offsetof(struct x86_segment, base));
}

/* Group 1 on a byte or a dword of the vCPU. */
static void byte_op(struct emitter *e, int op, int32_t off, uint8_t imm)
{
	asm_rm(&e->b, W0, 0x80, op, mem_gs(off));
	put8(&e->b, imm);
}

static void dword_op(struct emitter *e, int op, int32_t off, uint32_t imm)
{
	asm_rm(&e->b, W0, 0x81, op, mem_gs(off));
	put32(&e->b, imm);
}

static void set_byte(struct emitter *e, int32_t off, uint8_t v)
{
	asm_rm(&e->b, W0, 0xc6, 0, mem_gs(off));
	put8(&e->b, v);
}

enum { IF_CLEAR = 4, IF_SET = 5, IF_ABOVE = 7 };

/* To the interpreter if a bit of the dword is as cc says. */
static void helper_on(struct emitter *e, unsigned int n, int32_t off,
		      uint32_t bit, unsigned int cc)
{
	asm_rm(&e->b, W0, 0xf7, 0, mem_gs(off)); /* test */
	put32(&e->b, bit);
	emit_helper_if(e, n, asm_jcc(&e->b, cc));
}

/* The same for a byte at an address of the host's; uses RDX. */
static void helper_if_true(struct emitter *e, unsigned int n,
			   const volatile void *flag)
{
	asm_mov_imm(&e->b, H_RDX, (uintptr_t)flag);
	ASM(&e->b, 0x80, 0x3a, 0); /* cmp byte [rdx], 0 */
	emit_helper_if(e, n, asm_jcc(&e->b, 5));
	e->rdx = e->rcx = -1;
}

/* Interrupts are about to be enabled: does one wait? */
static void helper_if_irq(struct emitter *e, unsigned int n)
{
	helper_if_true(e, n, lapic_irr_any(e->cpu));
	helper_if_true(e, n, &e->cpu->vm->extint);
}

/* What mmu_view() does, and jit_returns_view(). */
static void emit_view(struct emitter *e, unsigned int view)
{
	struct jit_buf *b = &e->b;
	int32_t saved = OFF(jit.ret_saved);

	asm_store(b, W1, H_RSP, mem_gs(saved + 8 * (int32_t)e->view));
	asm_load(b, W1, H_RSP, mem_gs(saved + 8 * (int32_t)view));
	set_byte(e, OFF(jit.ret_table), view);
	asm_mov_imm(b, H_RDX, jit_returns_base(e->cpu, view));
	asm_store(b, W1, H_RDX, mem_gs(OFF(jit.ret_base)));
	asm_mov_imm(b, H_RDX, (uintptr_t)&e->cpu->tlbs[view * EMU_TLB_SIZE]);
	asm_store(b, W1, H_RDX, mem_gs(OFF(tlb)));
	e->rdx = e->rcx = -1;
	e->view = e->table = view; /* 64-bit code */
}

static void emit_swapgs(struct emitter *e)
{
	asm_load(&e->b, W1, H_RCX, mem_gs(base_off(X86_GS)));
	asm_load(&e->b, W1, H_RDX, mem_gs(OFF(msr.kernel_gs_base)));
	asm_store(&e->b, W1, H_RDX, mem_gs(base_off(X86_GS)));
	asm_store(&e->b, W1, H_RCX, mem_gs(OFF(msr.kernel_gs_base)));
	e->rdx = e->rcx = -1;
}

/* IF and DF are bits of the second byte. */
static void emit_clear(struct emitter *e, const struct scan_insn *i,
		       uint64_t flag)
{
	flags_aside(e, i);
	byte_op(e, AND, OFF(rflags) + 1, ~(flag >> 8));
}

static void emit_sti(struct emitter *e, unsigned int n)
{
	uint8_t *done;

	flags_aside(e, &e->s->insn[n]);
	asm_rm(&e->b, W0, 0xf6, 0, mem_gs(OFF(rflags) + 1)); /* test */
	put8(&e->b, FLAG_IF >> 8);
	done = asm_jcc(&e->b, 5);
	helper_if_irq(e, n);
	byte_op(e, OR, OFF(rflags) + 1, FLAG_IF >> 8);
	set_byte(e, OFF(shadow), 1);
	asm_fix(done, e->b.w);
}

/* STAC, CLAC: with SMAP, each leads into another view. */
static void emit_ac(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	bool on = i->d.z.mnemonic == ZYDIS_MNEMONIC_STAC;

	flags_aside(e, i);
	helper_on(e, n, OFF(cr4), CR4_SMAP, IF_CLEAR);
	if (i->kind != JK_SYS_END)
		return; /* nothing changes */
	if (on)
		dword_op(e, OR, OFF(rflags), FLAG_AC);
	else
		dword_op(e, AND, OFF(rflags), (uint32_t)~FLAG_AC);
	emit_view(e, on ? MMU_KERNEL_AC : MMU_KERNEL);
	emit_goto(e, (int32_t)e->start + i->next);
}

/*
 * RAX := the guest's TSC, leaving flags alone.  RDTSCP waits for what is before
 * it (SDM vol. 2B, RDTSCP): another vCPU's TSC must not be seen to be ahead.
 */
static void put_tsc(struct jit_buf *b, bool wait)
{
	if (wait)
		ASM(b, 0x0f, 0xae, 0xe8); /* lfence */
	ASM(b, 0x0f, 0x31); /* rdtsc */
	asm_rorx(b, W1, H_RDX, H_RDX, 32);
	asm_lea(b, W1, H_RAX, mem_at2(H_RAX, H_RDX, 0));
	asm_load(b, W1, H_RCX, mem_gs(OFF(tsc_offset)));
	asm_lea(b, W1, H_RAX, mem_at2(H_RAX, H_RCX, 0));
}

static void emit_rdtsc(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct jit_buf *b = &e->b;
	bool with_aux = i->d.z.mnemonic == ZYDIS_MNEMONIC_RDTSCP;

	if (e->view == MMU_USER) {
		flags_aside(e, i);
		helper_on(e, n, OFF(cr4), CR4_TSD, IF_SET);
	}
	if (wanted(e, i))
		host_flags(e);
	e->fl = wanted(e, i) ? JF_HOST : JF_DEAD;
	put_tsc(b, with_aux);
	asm_mov_rr(b, W0, G_RAX, H_RAX);
	asm_rorx(b, W1, G_RDX, H_RAX, 32);
	asm_mov_rr(b, W0, G_RDX, G_RDX);
	if (with_aux)
		asm_load(b, W0, G_RCX, mem_gs(OFF(msr.tsc_aux)));
	e->rdx = e->rcx = -1;
}

/* Its result is not wanted; it may fault for its operand. */
static void emit_verw(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];

	if (i->n_mem)
		emit_mem(e, n, &i->mem[0]);
	if (i->live & FLAG_ZF)
		emit_helper(e, n);
}

/* Register := flags as they are in AX. */
static void put_arith(struct jit_buf *b, int reg)
{
	uint8_t *clear;

	asm_rorx(b, W0, reg, H_RAX, 8);
	asm_ri(b, W0, AND, reg, FLAGS_ARITH & 0xff);
	ASM(b, 0x84, 0xc0); /* test al, al */
	clear = asm_short(b, 0x74);
	asm_ri(b, W0, OR, reg, FLAG_OF);
	asm_fix8(clear, b->w);
}

/* AX := flags of ECX, which is lost. */
static void put_ax(struct jit_buf *b)
{
	asm_mov_rr(b, W0, H_RAX, H_RCX);
	ASM(b, 0xc1, 0xe0, 8);	/* shl eax, 8 */
	ASM(b, 0xc1, 0xe9, 11); /* shr ecx, 11 */
	asm_ri(b, W0, AND, H_RCX, 1);
	asm_rr(b, W0, 0x0b, H_RAX, H_RCX); /* or */
}

static void emit_pushf(struct emitter *e, unsigned int n)
{
	const struct scan_mem *m = &e->s->insn[n].mem[0];
	struct host_mem h = emit_mem(e, n, m);
	int reg = scratch_beside(e, &h);

	ax_flags(e);
	put_arith(&e->b, reg);
	asm_rm(&e->b, W0, 0x0b, reg, mem_gs(OFF(rflags)));
	asm_ri(&e->b, W0, AND, reg, (int32_t) ~(FLAG_RF | FLAG_VM));
	asm_store_size(&e->b, m->size, reg, h);
	e->rcx = -1;
	add_sp(e, -(int32_t)m->size);
}

static void emit_to_reg(struct emitter *e, const struct scan_insn *i, int w,
			unsigned int op, int32_t off)
{
	int reg = jit_gpr_id(i->d.op[0].reg.value), host = jit_map[reg];

	asm_rm(&e->b, w, op, host == H_NONE ? H_RCX : host, mem_gs(off));
	if (host == H_NONE)
		store_spilled(e, H_RCX, reg);
}

static bool is_control(const struct scan_insn *s)
{
	return ZydisRegisterGetClass(s->d.op[1].reg.value) ==
	       ZYDIS_REGCLASS_CONTROL;
}

/* The vCPU's word for a control register, or 0. */
static int32_t control_off(ZydisRegister r)
{
	switch (r) {
	case ZYDIS_REGISTER_CR0:
		return OFF(cr0);
	case ZYDIS_REGISTER_CR2:
		return OFF(cr2);
	case ZYDIS_REGISTER_CR3:
		return OFF(cr3);
	case ZYDIS_REGISTER_CR4:
		return OFF(cr4);
	default:
		return 0;
	}
}

/* From a control or segment register. */
static void emit_mov(struct emitter *e, const struct scan_insn *i)
{
	ZydisRegister from = i->d.op[1].reg.value;

	if (is_control(i))
		emit_to_reg(e, i, e->w, 0x8b, control_off(from));
	else
		emit_to_reg(e, i, W0, 0x0fb7,
			    seg_off(seg_index(from),
				    offsetof(struct x86_segment, selector)));
}

static int32_t fsgs_off(const struct scan_insn *i)
{
	bool fs = i->d.z.mnemonic == ZYDIS_MNEMONIC_RDFSBASE ||
		  i->d.z.mnemonic == ZYDIS_MNEMONIC_WRFSBASE;

	return base_off(fs ? X86_FS : X86_GS);
}

static void emit_rdbase(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];

	flags_aside(e, i);
	helper_on(e, n, OFF(cr4), CR4_FSGSBASE, IF_CLEAR);
	emit_to_reg(e, i, W1, 0x8b, fsgs_off(i));
}

static void emit_wrbase(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];
	struct jit_buf *b = &e->b;
	int src;

	flags_aside(e, i);
	helper_on(e, n, OFF(cr4), CR4_FSGSBASE, IF_CLEAR);
	src = load_spilled(e, H_RCX, jit_gpr_id(i->d.op[0].reg.value));
	asm_mov_rr(b, W1, H_RDX, src);
	ASM(b, 0x48, 0xc1, 0xe2, 16); /* shl rdx, 16 */
	ASM(b, 0x48, 0xc1, 0xfa, 16); /* sar rdx, 16 */
	asm_rr(b, W1, 0x3b, H_RDX, src);
	emit_helper_if(e, n, asm_jcc(b, IF_SET)); /* not canonical */
	asm_store(b, W1, H_RDX, mem_gs(fsgs_off(i)));
	e->rdx = e->rcx = -1;
}

/*
 * BT and its kin on memory, by a bit number that may lead anywhere: RCX is
 * the address of the word.
 */
static void emit_bit_address(struct emitter *e, const struct scan_insn *i,
			     int bit, bool w64)
{
	struct jit_buf *b = &e->b;
	struct jit_mem m;

	asm_mov_rr(b, w64 ? W1 : W0, H_RDX, bit);
	if (!w64)
		ASM(b, 0x48, 0x63, 0xd2); /* movsxd rdx, edx */
	ASM(b, 0x48, 0xc1, 0xfa, w64 ? 6 : 5); /* sar rdx, ... */
	asm_store(b, W1, H_RDX, mem_gs(OFF(jit.tmp)));
	jit_scan_address(i, &i->d.op[0], &m);
	emit_address(e, &m);
	asm_load(b, W1, H_RDX, mem_gs(OFF(jit.tmp)));
	asm_lea(b, m.addr32 ? W0 : W1, H_RCX,
		(struct host_mem){ .base = H_RCX, .index = H_RDX,
				   .scale = w64 ? 3 : 2 });
}

static void emit_bit(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];
	bool w64 = i->d.z.operand_width == 64;
	bool write = i->d.z.mnemonic != ZYDIS_MNEMONIC_BT;
	int32_t tag = tlb_off(e, write ? offsetof(struct emu_tlb, wtag) :
					 offsetof(struct emu_tlb, rtag));
	int reg = jit_gpr_id(i->d.op[1].reg.value);
	struct jit_buf *b = &e->b;

	flags_aside(e, i);
	emit_bit_address(e, i, load_spilled(e, H_RDX, reg), w64);
	emit_helper_if(e, n, emit_tlb(e, w64 ? 8 : 4, tag, H_RCX));
	asm_rm(b, W1, 0x33, H_RCX, mem_gs_at(H_RDX, tag));
	asm_rm(b, W1, 0x03, H_RCX,
	       mem_gs_at(H_RDX,
			 tlb_off(e, offsetof(struct emu_tlb, addend))));
	asm_mov_rr(b, W0, H_RDX, load_spilled(e, H_RDX, reg));
	asm_ri(b, W0, AND, H_RDX, w64 ? 63 : 31);
	if (wanted(e, i))
		host_flags(e);
	if (i->d.z.attributes & ZYDIS_ATTRIB_HAS_LOCK)
		put8(b, 0xf0);
	asm_rm(b, w64 ? W1 : W0, 0x0f00 | i->d.z.opcode, H_RDX,
	       mem_at(H_RCX, 0));
	e->rdx = e->rcx = -1;
	e->fl = JF_HOST;
}

/* All of RAX, RBX, RCX and RDX are operands: RSI lends itself. */
static void emit_cmpxchg16b(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];
	struct jit_buf *b = &e->b;

	flags_aside(e, i);
	asm_lea(b, W1, H_RCX, emit_mem(e, n, &i->mem[0]));
	ASM(b, 0xf6, 0xc1, 15); /* test cl, 15 */
	emit_helper_if(e, n, asm_jcc(b, IF_SET));
	if (wanted(e, i))
		host_flags(e);
	asm_store(b, W1, H_RSI, mem_gs(OFF(jit.tmp)));
	asm_mov_rr(b, W1, H_RSI, H_RCX);
	asm_mov_rr(b, W1, H_RAX, G_RAX);
	asm_mov_rr(b, W1, H_RDX, G_RDX);
	asm_mov_rr(b, W1, H_RCX, G_RCX);
	if (i->d.z.attributes & ZYDIS_ATTRIB_HAS_LOCK)
		put8(b, 0xf0);
	ASM(b, 0x48, 0x0f, 0xc7, 0x0e); /* cmpxchg16b [rsi] */
	asm_load(b, W1, H_RSI, mem_gs(OFF(jit.tmp)));
	asm_mov_rr(b, W1, G_RAX, H_RAX);
	asm_mov_rr(b, W1, G_RDX, H_RDX);
	e->rdx = e->rcx = -1;
	e->fl = JF_HOST;
}

/* As SYSCALL and SYSRET load it; DX is the selector. */
static void put_flat(struct emitter *e, unsigned int seg, uint16_t attr)
{
	struct jit_buf *b = &e->b;

	asm_rm(b, W1, 0xc7, 0, mem_gs(base_off(seg)));
	put32(b, 0);
	asm_rm(b, W0, 0xc7, 0,
	       mem_gs(seg_off(seg, offsetof(struct x86_segment, limit))));
	put32(b, 0xffffffff);
	put8(b, 0x66);
	asm_store(b, W0, H_RDX,
		  mem_gs(seg_off(seg, offsetof(struct x86_segment, selector))));
	put8(b, 0x66);
	asm_rm(b, W0, 0xc7, 0,
	       mem_gs(seg_off(seg, offsetof(struct x86_segment, attr))));
	put8(b, attr & 0xff);
	put8(b, attr >> 8);
	set_byte(e, seg_off(seg, offsetof(struct x86_segment, unusable)), 0);
}

/* RFLAGS := ECX; what it has of arithmetic flags goes to AX. */
static void put_rflags(struct emitter *e)
{
	struct jit_buf *b = &e->b;

	asm_mov_rr(b, W0, H_RDX, H_RCX);
	asm_ri(b, W0, AND, H_RDX, 0x3f7700 & ~FLAG_RF);
	asm_ri(b, W0, OR, H_RDX, 2);
	asm_store(b, W1, H_RDX, mem_gs(OFF(rflags)));
	put_ax(b);
	e->rdx = e->rcx = -1;
	e->fl = JF_AX;
}

enum { ATTR_CS64 = 0xa09b, ATTR_SS = 0xc093, ATTR_DPL3 = 3 << 5 };

/* To CPL 0 or 3, in 64-bit mode, at the address in RCX. */
static void transfer(struct emitter *e, unsigned int cpl)
{
	set_byte(e, OFF(cpl), cpl);
	emit_view(e, cpl ? MMU_USER : MMU_KERNEL);
	emit_lookup(e);
}

/* EDX := what SYSCALL clears, inverted. */
static void put_syscall_mask(struct jit_buf *b, int reg)
{
	asm_load(b, W0, reg, mem_gs(OFF(msr.sfmask)));
	asm_ri(b, W0, OR, reg, FLAG_RF);
	ASM(b, 0xf7, 0xd0 | reg); /* not */
}

static void emit_syscall(struct emitter *e, unsigned int n)
{
	struct jit_buf *b = &e->b;
	int32_t next = (int32_t)e->start + e->s->insn[n].next;

	ax_flags(e);
	helper_on(e, n, OFF(efer), EFER_SCE, IF_CLEAR);
	put_syscall_mask(b, H_RDX);
	asm_rm(b, W0, 0x23, H_RDX, mem_gs(OFF(rflags))); /* and */
	ASM(b, 0xf7, 0xc2);
	put32(b, FLAG_AC | FLAG_TF); /* test edx, ... */
	emit_helper_if(e, n, asm_jcc(b, IF_SET));

	put_arith(b, H_RDX);
	asm_rm(b, W0, 0x0b, H_RDX, mem_gs(OFF(rflags)));
	asm_ri(b, W0, AND, H_RDX, (int32_t) ~FLAG_RF);
	asm_store(b, W1, H_RDX, mem_gs(OFF(gpr) + 8 * X86_R11));
	put_syscall_mask(b, H_RCX);
	asm_rr(b, W0, 0x23, H_RCX, H_RDX);
	asm_rm(b, W1, 0xff, 0, mem_gs(OFF(direct.n_entries))); /* inc */
	put_rflags(e);
	emit_rip(e, G_RCX, next);

	asm_load(b, W0, H_RDX, mem_gs(OFF(msr.star) + 4));
	asm_ri(b, W0, AND, H_RDX, 0xfffc);
	put_flat(e, X86_CS, ATTR_CS64);
	asm_ri(b, W0, 0, H_RDX, 8);
	put_flat(e, X86_SS, ATTR_SS);
	asm_load(b, W1, H_RCX, mem_gs(OFF(msr.lstar)));
	transfer(e, 0);
}

/* What SYSRET takes from R11 (SDM vol. 2B, "SYSRET"). */
enum { SYSRET_FLAGS = 0x3c7fd7 };

static void emit_sysret(struct emitter *e, unsigned int n)
{
	struct jit_buf *b = &e->b;
	uint8_t *masked;

	flags_aside(e, &e->s->insn[n]);
	helper_on(e, n, OFF(efer), EFER_SCE, IF_CLEAR);
	helper_on(e, n, OFF(direct.eager), 1, IF_SET);
	asm_load(b, W0, H_RCX, mem_gs(OFF(gpr) + 8 * X86_R11));
	asm_ri(b, W0, AND, H_RCX, SYSRET_FLAGS);
	ASM(b, 0xf7, 0xc1);
	put32(b, FLAG_AC | FLAG_TF); /* test ecx, ... */
	emit_helper_if(e, n, asm_jcc(b, IF_SET));
	ASM(b, 0xf6, 0xc5, FLAG_IF >> 8); /* test ch, ... */
	masked = asm_jcc(b, IF_CLEAR);
	helper_if_irq(e, n);
	asm_fix(masked, b->w);
	put_rflags(e);

	asm_rm(b, W0, 0x0fb7, H_RDX, mem_gs(OFF(msr.star) + 6));
	asm_ri(b, W0, AND, H_RDX, 0xfffc);
	asm_ri(b, W0, 0, H_RDX, 8 + 3);
	put_flat(e, X86_SS, ATTR_SS | ATTR_DPL3);
	asm_ri(b, W0, 0, H_RDX, 8);
	put_flat(e, X86_CS, ATTR_CS64 | ATTR_DPL3);
	asm_mov_rr(b, W1, H_RCX, G_RCX);
	transfer(e, 3);
}

/*
 * Short repetitions of STOS and MOVS within pages that the TLB knows.  A kick
 * goes through each round by a single step: hence the limit.
 */
enum { ROUNDS_MAX = 64 };

/* RDX := what leads from the elements at reg to the host's; AX is kept. */
static void emit_elements(struct emitter *e, unsigned int n, int reg,
			  size_t tag)
{
	struct jit_buf *b = &e->b;
	unsigned int shift = __builtin_ctz(e->s->insn[n].i.aux);

	asm_mov_rr(b, W1, H_RCX, reg);
	emit_helper_if(e, n, emit_tlb(e, 1, tlb_off(e, tag), H_RCX));
	asm_lea(b, W1, H_RCX,
		(struct host_mem){
			.base = H_RCX, .index = G_RCX, .scale = shift });
	asm_ri(b, W1, CMP, H_RCX, EMU_PAGE);
	emit_helper_if(e, n, asm_jcc(b, IF_ABOVE));
	asm_load(b, W1, H_RDX,
		 mem_gs_at(H_RDX,
			   tlb_off(e, offsetof(struct emu_tlb, addend))));
}

/* The element's size is in prefixes and the last bit. */
static void put_rep(struct jit_buf *b, uint8_t op, unsigned int size)
{
	if (size == 2)
		put8(b, 0x66);
	put8(b, 0xf3);
	if (size == 8)
		put8(b, 0x48);
	put8(b, op | (size != 1));
}

/* reg -= by, which is lost; flags stay. */
static void put_back(struct jit_buf *b, int reg, int by)
{
	ASM(b, 0x48, 0xf7, 0xd0 | by); /* not */
	asm_rm(b, W1, 0x8d, reg, mem_at2(reg, by, 1));
}

static bool repeated(const struct scan_insn *s)
{
	return s->i.flags & (INSN_REP | INSN_REPNE);
}

/* 32-bit code: its lower half counts, and is what it becomes. */
static void cut_register(struct emitter *e, int reg)
{
	if (e->w == W0)
		asm_mov_rr(&e->b, W0, reg, reg);
}

static void cut_string_registers(struct emitter *e, bool movs)
{
	cut_register(e, G_RCX);
	cut_register(e, H_RDI);
	if (movs)
		cut_register(e, H_RSI);
}

/* To the interpreter if strings go downwards. */
static void helper_if_down(struct emitter *e, unsigned int n)
{
	asm_rm(&e->b, W0, 0xf6, 0, mem_gs(OFF(rflags) + 1)); /* test */
	put8(&e->b, FLAG_DF >> 8);
	emit_helper_if(e, n, asm_jcc(&e->b, IF_SET));
}

/* The host's place of the element at reg, in terms of it and RDX. */
static struct host_mem emit_element(struct emitter *e, unsigned int n, int reg,
				    size_t tag)
{
	unsigned int size = e->s->insn[n].i.aux;

	cut_register(e, reg);
	asm_mov_rr(&e->b, W1, H_RCX, reg);
	emit_helper_if(e, n, emit_tlb(e, size, tlb_off(e, tag), H_RCX));
	asm_load(&e->b, W1, H_RDX,
		 mem_gs_at(H_RDX,
			   tlb_off(e, offsetof(struct emu_tlb, addend))));
	return mem_at2(reg, H_RDX, 0);
}

/* MOV, of the element's size: 0x88 stores, 0x8a loads. */
static void put_element(struct emitter *e, unsigned int size, uint8_t op,
			int reg, struct host_mem h)
{
	if (size == 2)
		put8(&e->b, 0x66);
	asm_rm(&e->b, size == 8 ? W1 : W0, op | (size > 1), reg, h);
}

/* MOVS, STOS or LODS without repetition. */
static void emit_string_once(struct emitter *e, unsigned int n, bool loads,
			     bool stores)
{
	const struct scan_insn *i = &e->s->insn[n];
	unsigned int size = i->i.aux;
	struct host_mem h;

	flags_aside(e, i);
	helper_if_down(e, n);
	if (loads) {
		h = emit_element(e, n, H_RSI, offsetof(struct emu_tlb, rtag));
		asm_store(&e->b, W1, H_RDX, mem_gs(OFF(jit.tmp)));
	}
	if (stores) {
		h = emit_element(e, n, H_RDI, offsetof(struct emu_tlb, wtag));
		if (loads) {
			asm_load(&e->b, W1, H_RCX, mem_gs(OFF(jit.tmp)));
			put_element(e, size, 0x8a, H_RCX,
				    mem_at2(H_RSI, H_RCX, 0));
		}
		put_element(e, size, 0x88, loads ? H_RCX : G_RAX, h);
		asm_lea(&e->b, e->w, H_RDI, mem_at(H_RDI, size));
	} else {
		put_element(e, size, 0x8a, G_RAX, h);
	}
	if (loads)
		asm_lea(&e->b, e->w, H_RSI, mem_at(H_RSI, size));
	e->rdx = e->rcx = -1;
}

static void emit_string(struct emitter *e, unsigned int n, bool movs)
{
	const struct scan_insn *i = &e->s->insn[n];
	struct jit_buf *b = &e->b;
	enum jit_flags_at fl;
	uint8_t *none;

	flags_aside(e, i);
	fl = e->fl;
	cut_string_registers(e, movs);
	helper_if_down(e, n);
	asm_ri(b, W1, CMP, G_RCX, ROUNDS_MAX);
	emit_helper_if(e, n, asm_jcc(b, IF_ABOVE));
	asm_rr(b, W1, 0x85, G_RCX, G_RCX); /* test */
	none = asm_jcc(b, IF_CLEAR);
	if (movs) {
		emit_elements(e, n, H_RSI, offsetof(struct emu_tlb, rtag));
		asm_store(b, W1, H_RDX, mem_gs(OFF(jit.tmp)));
	}
	emit_elements(e, n, H_RDI, offsetof(struct emu_tlb, wtag));
	asm_store(b, W1, H_RAX, mem_gs(OFF(jit.rax)));
	asm_mov_rr(b, W1, H_RCX, G_RCX);
	asm_lea(b, W1, H_RDI, mem_at2(H_RDI, H_RDX, 0));
	if (movs) {
		asm_load(b, W1, H_RAX, mem_gs(OFF(jit.tmp)));
		asm_lea(b, W1, H_RSI, mem_at2(H_RSI, H_RAX, 0));
		put_rep(b, 0xa4, i->i.aux);
		put_back(b, H_RSI, H_RAX);
	} else {
		asm_mov_rr(b, W1, H_RAX, G_RAX);
		put_rep(b, 0xaa, i->i.aux);
	}
	put_back(b, H_RDI, H_RDX);
	asm_mov_rr(b, W1, G_RCX, H_RCX);
	asm_load(b, W1, H_RAX, mem_gs(OFF(jit.rax)));
	cut_string_registers(e, movs);
	asm_fix(none, b->w);
	e->fl = fl;
	e->rdx = e->rcx = -1;
}

void emit_sys(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];

	switch (i->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_SWAPGS:
		emit_swapgs(e);
		break;
	case ZYDIS_MNEMONIC_CLI:
		emit_clear(e, i, FLAG_IF);
		break;
	case ZYDIS_MNEMONIC_CLD:
		emit_clear(e, i, FLAG_DF);
		break;
	case ZYDIS_MNEMONIC_STI:
		emit_sti(e, n);
		break;
	case ZYDIS_MNEMONIC_STAC:
	case ZYDIS_MNEMONIC_CLAC:
		emit_ac(e, n);
		break;
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
		emit_rdtsc(e, n);
		break;
	case ZYDIS_MNEMONIC_VERW:
		emit_verw(e, n);
		break;
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_PUSHFD:
		emit_pushf(e, n);
		break;
	case ZYDIS_MNEMONIC_MOV:
		emit_mov(e, i);
		break;
	case ZYDIS_MNEMONIC_RDFSBASE:
	case ZYDIS_MNEMONIC_RDGSBASE:
		emit_rdbase(e, n);
		break;
	case ZYDIS_MNEMONIC_WRFSBASE:
	case ZYDIS_MNEMONIC_WRGSBASE:
		emit_wrbase(e, n);
		break;
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		emit_cmpxchg16b(e, n);
		break;
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		emit_string_once(e, n, true, false);
		break;
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
		if (repeated(i))
			emit_string(e, n, false);
		else
			emit_string_once(e, n, false, true);
		break;
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
		if (repeated(i))
			emit_string(e, n, true);
		else
			emit_string_once(e, n, true, true);
		break;
	case ZYDIS_MNEMONIC_SYSCALL:
		emit_syscall(e, n);
		break;
	case ZYDIS_MNEMONIC_SYSRET:
		emit_sysret(e, n);
		break;
	default:
		emit_bit(e, n);
		break;
	}
}

/* ---- what is for us ---- */

static bool is_64bit(const struct scan_insn *s)
{
	return s->d.z.operand_width == 64;
}

/* Between views there is a step only where AC is not as it is already. */
static enum jit_kind ac_kind(struct emu_cpu *cpu, bool on,
			     enum jit_kind kind)
{
	bool is_on = (cpu->jit.key & JIT_KEY_VIEW) == MMU_KERNEL_AC;

	if (!emu_has(cpu, 7, 0, 1, 20))
		return kind;
	if (on == is_on)
		return is_on ? JK_NOP : JK_SYS;
	return JK_SYS_END;
}

static enum jit_kind mov_kind(const struct scan_insn *s, bool user,
			      enum jit_kind kind)
{
	if (!jit_is_gpr(&s->d.op[0]) ||
	    s->d.op[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return kind;
	switch (ZydisRegisterGetClass(s->d.op[1].reg.value)) {
	case ZYDIS_REGCLASS_CONTROL:
		return !user && control_off(s->d.op[1].reg.value) ? JK_SYS :
								    kind;
	case ZYDIS_REGCLASS_SEGMENT:
		return s->d.z.operand_width != 16 ? JK_SYS : kind;
	default:
		return kind;
	}
}

static enum jit_kind bit_kind(const struct scan_insn *s, enum jit_kind kind)
{
	return s->d.op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
			       jit_is_gpr(&s->d.op[1]) &&
			       s->d.z.operand_width != 16 ?
		       JK_SYS :
		       kind;
}

static enum jit_kind supervisor_kind(struct emu_cpu *cpu,
				     const struct scan_insn *s,
				     enum jit_kind kind)
{
	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_SWAPGS:
	case ZYDIS_MNEMONIC_CLI:
		return JK_SYS;
	case ZYDIS_MNEMONIC_STI:
		return cpu->lapic ? JK_SYS : kind;
	case ZYDIS_MNEMONIC_STAC:
		return ac_kind(cpu, true, kind);
	case ZYDIS_MNEMONIC_CLAC:
		return ac_kind(cpu, false, kind);
	case ZYDIS_MNEMONIC_SYSRET:
		return cpu->lapic && is_64bit(s) ? JK_SYS_END : kind;
	default:
		return kind;
	}
}

/* Are its operands' segments flat, and its addresses of the usual size? */
static bool flat_string(const struct scan_insn *s)
{
	const uint64_t fsgs = ZYDIS_ATTRIB_HAS_SEGMENT_FS |
			      ZYDIS_ATTRIB_HAS_SEGMENT_GS;

	if (s->d.z.attributes & fsgs)
		return false;
	if (!jit_is_legacy(s))
		return s->d.z.address_width == 64;
	return s->key & JIT_KEY_FLAT && s->d.z.address_width == 32 &&
	       !(s->d.z.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS);
}

bool jit_sys_string(const struct scan_insn *s)
{
	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD: /* or SSE2's, which is no string */
	case ZYDIS_MNEMONIC_MOVSQ:
		return s->d.z.meta.category == ZYDIS_CATEGORY_STRINGOP &&
		       !(s->i.flags & INSN_REPNE) && flat_string(s);
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		return !repeated(s) && flat_string(s);
	default:
		return false;
	}
}

/* Of 16-bit and 32-bit code, whose supervisor may be in real mode. */
static enum jit_kind legacy_kind(struct emu_cpu *cpu, const struct scan_insn *s,
				 bool user, enum jit_kind kind)
{
	struct jit_mem m;

	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return mov_kind(s, user, kind);
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		if (bit_kind(s, kind) == kind)
			return kind;
		jit_scan_address(s, &s->d.op[0], &m);
		return m.seg == JIT_FLAT && !m.addr16 ? JK_SYS : kind;
	case ZYDIS_MNEMONIC_CLD:
		return JK_SYS;
	case ZYDIS_MNEMONIC_CLI:
		return user ? kind : JK_SYS;
	case ZYDIS_MNEMONIC_STI:
		return !user && cpu->lapic ? JK_SYS : kind;
	case ZYDIS_MNEMONIC_PUSHFD:
		return s->d.z.operand_width == 32 ? JK_SYS : kind;
	case ZYDIS_MNEMONIC_RDTSC:
		return jit_of(cpu)->strict ? kind : JK_SYS;
	default:
		return kind;
	}
}

enum jit_kind jit_sys_kind(struct emu_cpu *cpu, const struct scan_insn *s,
			   enum jit_kind kind)
{
	bool user = (cpu->jit.key & JIT_KEY_VIEW) == MMU_USER, ok = false;

	if (jit_is_legacy(s))
		return legacy_kind(cpu, s, user, kind);

	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return mov_kind(s, user, kind);
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		return bit_kind(s, kind);
	case ZYDIS_MNEMONIC_SYSCALL:
		return user && cpu->lapic ? JK_SYS_END : kind;
	case ZYDIS_MNEMONIC_CLD:
	case ZYDIS_MNEMONIC_VERW:
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		ok = true;
		break;
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_RDFSBASE:
	case ZYDIS_MNEMONIC_RDGSBASE:
	case ZYDIS_MNEMONIC_WRFSBASE:
	case ZYDIS_MNEMONIC_WRGSBASE:
		ok = is_64bit(s);
		break;
	case ZYDIS_MNEMONIC_RDTSC: /* twice, it is not the same */
		ok = !jit_of(cpu)->strict;
		break;
	case ZYDIS_MNEMONIC_RDTSCP:
		ok = !jit_of(cpu)->strict && emu_has(cpu, 0x80000001, 0, 3, 27);
		break;
	default:
		return user ? kind : supervisor_kind(cpu, s, kind);
	}
	return ok ? JK_SYS : kind;
}

bool jit_sys_own_mem(const struct scan_insn *s)
{
	if (s->kind == JK_SYS && jit_sys_string(s))
		return true;
	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		return s->kind == JK_SYS;
	default:
		return false;
	}
}

void jit_sys_flags(struct scan_insn *s)
{
	switch (s->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
		s->reads = s->writes = s->kills = FLAGS_ARITH;
		break;
	case ZYDIS_MNEMONIC_SYSRET:
		s->writes = s->kills = FLAGS_ARITH;
		break;
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_PUSHFD:
		s->reads = FLAGS_ARITH;
		break;
	case ZYDIS_MNEMONIC_VERW:
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		s->writes = s->kills = FLAG_ZF;
		break;
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC: /* processors leave the others alone */
		s->writes = s->kills = FLAG_CF;
		break;
	default:
		break;
	}
}
