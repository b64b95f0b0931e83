/*
 * drivers/emu/fpu.c -- the interpreter's half of vector instructions: may it
 * run, where is its memory operand, what did it raise.
 */
#include "drivers/emu/jit.h"

/* Is the unit there and switched on?  (SDM vol. 3, "Control Registers".) */
static void check_unit(struct emu_cpu *cpu, unsigned int checks)
{
	bool ts = cpu->cr0 & CR0_TS, em = cpu->cr0 & CR0_EM;

	if (checks & VEC_SSE && (em || !(cpu->cr4 & CR4_OSFXSR)))
		emu_ud(cpu);
	if (checks & VEC_MMX && em)
		emu_ud(cpu);
	if (checks & (VEC_AVX | VEC_AVX512 | VEC_XSAVE) &&
	    !(cpu->cr4 & CR4_OSXSAVE))
		emu_ud(cpu);
	if (checks & VEC_AVX &&
	    ((cpu->fpu.xcr0 & 6) != 6 || !emu_protected(cpu)))
		emu_ud(cpu);
	if (checks & VEC_AVX512 && (cpu->fpu.xcr0 & 0xe6) != 0xe6)
		emu_ud(cpu);
	if (checks & VEC_CPL0 && cpu->cpl)
		emu_gp0(cpu);
	if (checks & VEC_WAIT) {
		if (ts && cpu->cr0 & CR0_MP)
			emu_raise(cpu, EXC_NM);
		return;
	}
	if (ts || (em && checks & (VEC_X87 | VEC_FXSAVE)))
		emu_raise(cpu, EXC_NM);
}

static void vec_load(void *arg, uint64_t addr, void *buf, size_t size)
{
	struct emu_cpu *cpu = arg;

	emu_read(cpu, emu_view(cpu), addr, buf, size);
}

static void vec_store(void *arg, uint64_t addr, const void *buf, size_t size)
{
	struct emu_cpu *cpu = arg;

	emu_write(cpu, emu_view(cpu), addr, buf, size);
}

static void vec_probe(void *arg, uint64_t addr, size_t size, bool write)
{
	struct emu_cpu *cpu = arg;

	emu_probe(cpu, emu_view(cpu), addr, size,
		  write ? ACCESS_WRITE : ACCESS_READ);
}

static void raise_result(struct emu_cpu *cpu, enum vec_result r)
{
	switch (r) {
	case VEC_OK:
	case VEC_NO_STORE:
		break;
	case VEC_XM:
		emu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
	case VEC_MF:
		emu_raise(cpu, EXC_MF);
	case VEC_UD:
		emu_ud(cpu);
	case VEC_GP:
		emu_gp0(cpu);
	case VEC_NM:
		emu_raise(cpu, EXC_NM);
	}
}

static void set_address(struct emu_cpu *cpu, const struct emu_insn *i,
			struct vec_ctx *ctx)
{
	const struct vec_op *op = &i->vec->op;
	unsigned int size = op->mem_size ? op->mem_size : 1;

	ctx->offset = emu_ea_offset(cpu, i);
	if (op->flags & VEC_CALLBACK && i->aux && cpu->mode != MODE_64)
		emu_linear(cpu, i->seg, ctx->offset, size, ACCESS_WRITE);
	if (op->flags & VEC_CALLBACK)
		ctx->addr = cpu->mode == MODE_64 && i->seg < X86_FS
				    ? ctx->offset
				    : ctx->offset + cpu->seg[i->seg].base;
	else
		ctx->addr = emu_ea(cpu, i, size,
				   op->flags & VEC_STORE ? ACCESS_WRITE
							 : ACCESS_READ);
	ctx->seg_base = ctx->addr - ctx->offset;
	ctx->addr_mask = i->flags & INSN_ADDR16	  ? 0xffff
			 : i->flags & INSN_ADDR32 ? 0xffffffff
						  : ~0ull;
	if (op->align && ctx->addr & (op->align - 1) &&
	    !(op->align_mm && vec_mxcsr_mm(&cpu->fpu)))
		emu_gp0(cpu);
}

/* Naturally aligned operands of up to 8 bytes are single accesses. */
static void load_operand(struct emu_cpu *cpu, uint64_t addr, uint8_t *mem,
			 unsigned int size)
{
	struct emu_tlb *e = emu_tlb_at(cpu, addr);

	if (size == 8)
		*(mem64 *)mem = emu_load64(cpu, addr);
	else if (size == 4)
		*(mem32 *)mem = emu_load32(cpu, addr);
	else if (emu_tlb_hit(e->rtag, addr, size))
		memcpy(mem, (void *)(addr + e->addend), size);
	else
		emu_read(cpu, emu_view(cpu), addr, mem, size);
}

static void store_operand(struct emu_cpu *cpu, uint64_t addr,
			  const uint8_t *mem, unsigned int size)
{
	struct emu_tlb *e = emu_tlb_at(cpu, addr);

	if (size == 8)
		emu_store64(cpu, addr, *(mem64 *)mem);
	else if (size == 4)
		emu_store32(cpu, addr, *(mem32 *)mem);
	else if (emu_tlb_hit(e->wtag, addr, size))
		memcpy((void *)(addr + e->addend), mem, size);
	else
		emu_write(cpu, emu_view(cpu), addr, mem, size);
}

void op_vec(struct emu_cpu *cpu, const struct emu_insn *i)
{
	const struct vec_op *op = &i->vec->op;
	_Alignas(64) uint8_t mem[64];
	struct vec_ctx ctx = {
		.gpr = cpu->gpr,
		.rflags = emu_get_rflags(cpu),
		.fpu = &cpu->fpu,
		.mem = mem,
		.rip = cpu->rip - i->len,
		.cr0_ne = cpu->cr0 & CR0_NE,
		.fast_fx = cpu->efer & EFER_FFXSR && !cpu->cpl &&
			   cpu->mode == MODE_64,
		.cpu = cpu,
		.load = vec_load,
		.store = vec_store,
		.probe = vec_probe,
	};
	enum vec_result r;

	if (unlikely(cpu->jit.x87_loaded))
		jit_sync_x87(cpu);
	if (!(op->checks & VEC_NOCHECK))
		check_unit(cpu, op->checks);
	if (op->checks & VEC_PENDING && vec_x87_pending(&cpu->fpu))
		emu_raise(cpu, EXC_MF);
	if (op->flags & (VEC_MEM | VEC_LOAD | VEC_STORE | VEC_CALLBACK))
		set_address(cpu, i, &ctx);
	if (op->flags & VEC_STORE)
		emu_probe(cpu, emu_view(cpu), ctx.addr, op->mem_size,
			  ACCESS_WRITE);
	if (op->flags & VEC_LOAD)
		load_operand(cpu, ctx.addr, mem, op->mem_size);
	r = vec_run(op, &ctx);
	raise_result(cpu, r);
	emu_set_arith(cpu, ctx.rflags);
	if (op->flags & VEC_STORE && r != VEC_NO_STORE)
		store_operand(cpu, ctx.addr, mem, op->mem_size);
}
