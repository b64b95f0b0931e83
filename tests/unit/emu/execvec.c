/*
 * tests/unit/emu/execvec.c -- runs a case of one vector instruction through
 * vec_prepare() and vec_run() alone.
 */
#include <setjmp.h>
#include <string.h>

#include "drivers/emu/cpu.h"
#include "tests/unit/emu/case.h"

static struct {
	struct case_mem mem;
	jmp_buf escape;
	uint8_t vector;
	uint32_t error;
} vec;

static _Noreturn void fault(uint8_t vector, uint32_t error)
{
	vec.vector = vector;
	vec.error = error;
	longjmp(vec.escape, 1);
}

/* The longest accessible run of bytes at this address, or NULL. */
static uint8_t *find(uint64_t addr, bool write, size_t *ret_len)
{
	const struct {
		uint64_t addr;
		size_t size;
		uint8_t *host;
		bool ro;
	} maps[] = {
		{ CASE_CODE, 4096, vec.mem.code, false },
		{ CASE_DATA, CASE_DATA_SIZE, vec.mem.data, false },
		{ CASE_RO, CASE_RO_SIZE, vec.mem.ro, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		if (addr < maps[i].addr || addr - maps[i].addr >= maps[i].size)
			continue;
		if (write && maps[i].ro)
			fault(EXC_PF, 7);
		*ret_len = maps[i].size - (addr - maps[i].addr);
		return maps[i].host + (addr - maps[i].addr);
	}
	return NULL;
}

static void check(uint64_t addr, size_t n, bool write)
{
	uint64_t last = addr + n - 1;
	size_t len;

	if ((int64_t)(addr << 16) >> 16 != (int64_t)addr ||
	    (int64_t)(last << 16) >> 16 != (int64_t)last)
		fault(EXC_GP, 0);
	for (size_t i = 0; i < n; i++)
		if (!find(addr + i, write, &len))
			fault(EXC_PF, write ? 6 : 4);
}

static void load(void *cpu, uint64_t addr, void *buf, size_t size)
{
	size_t len;

	check(addr, size, false);
	for (size_t i = 0; i < size; i++)
		((uint8_t *)buf)[i] = *find(addr + i, false, &len);
}

static void store(void *cpu, uint64_t addr, const void *buf, size_t size)
{
	size_t len;

	check(addr, size, true);
	for (size_t i = 0; i < size; i++)
		*find(addr + i, true, &len) = ((const uint8_t *)buf)[i];
}

static void probe(void *cpu, uint64_t addr, size_t size, bool write)
{
	check(addr, size, write);
}

static uint64_t reg(const struct case_cpu *cpu, ZydisRegister r, uint64_t next)
{
	uint64_t v;

	if (r == ZYDIS_REGISTER_NONE)
		return 0;
	if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
		return next;
	v = cpu->gpr[ZydisRegisterGetId(r)];
	return ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR32 ? (uint32_t)v :
								  v;
}

static void address(const ZydisDecodedInstruction *insn,
		    const ZydisDecodedOperand *o, const struct case_cpu *cpu,
		    struct vec_ctx *ctx)
{
	uint64_t ea = reg(cpu, o->mem.base, cpu->rip + insn->length);

	if (o->mem.type != ZYDIS_MEMOP_TYPE_VSIB)
		ea += reg(cpu, o->mem.index, 0) * o->mem.scale;
	if (o->mem.disp.has_displacement)
		ea += o->mem.disp.value;
	ctx->addr_mask = insn->address_width == 64 ? UINT64_MAX :
			 insn->address_width == 32 ? UINT32_MAX : UINT16_MAX;
	ctx->seg_base = o->mem.segment == ZYDIS_REGISTER_GS ? cpu->gs_base : 0;
	ctx->offset = ea & ctx->addr_mask;
	ctx->addr = ctx->offset + ctx->seg_base;
}

static int vector_of(enum vec_result r)
{
	switch (r) {
	case VEC_OK:
	case VEC_NO_STORE:
		return CASE_END;
	case VEC_XM:
		return EXC_XM;
	case VEC_MF:
		return EXC_MF;
	case VEC_GP:
		return EXC_GP;
	case VEC_NM:
		return EXC_NM;
	default:
		return EXC_UD;
	}
}

static int step(const ZydisDecodedInstruction *insn,
		const struct vec_op *op, struct vec_ctx *ctx)
{
	enum vec_result r;
	int vector;

	if (op->checks & VEC_CPL0)
		fault(EXC_GP, 0);
	if (op->checks & VEC_PENDING && vec_x87_pending(ctx->fpu))
		return EXC_MF;
	if (op->align && ctx->addr % op->align)
		fault(EXC_GP, 0);
	if (op->flags & VEC_LOAD)
		load(NULL, ctx->addr, ctx->mem, op->mem_size);
	if (op->flags & VEC_STORE)
		probe(NULL, ctx->addr, op->mem_size, true);
	r = vec_run(op, ctx);
	vector = vector_of(r);
	if (r == VEC_OK && op->flags & VEC_STORE)
		store(NULL, ctx->addr, ctx->mem, op->mem_size);
	return vector;
}

static bool decode(const struct test_case *c, ZydisDecodedInstruction *insn,
		   ZydisDecodedOperand *operands)
{
	ZydisDecoder decoder;

	case_decoder(c->mode32, &decoder);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, c->code, c->code_len,
					       insn, operands)))
		return false;
	case_fix_operands(insn, operands);
	return true;
}

static void vec_exec(const struct test_case *c, struct case_result *ret)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	static _Alignas(64) uint8_t bounce[64];
	static struct emu_fpu fpu;
	ZydisDecodedInstruction insn;
	struct case_cpu *cpu = &ret->cpu;
	struct vec_op op;
	struct vec_ctx ctx = {
		.gpr = cpu->gpr, .rflags = c->cpu.rflags, .fpu = &fpu,
		.mem = bounce, .rip = c->cpu.rip, .cr0_ne = true,
		.load = load, .store = store, .probe = probe,
	};

	memset(ret, 0, sizeof(*ret));
	*cpu = c->cpu;
	ret->vector = EXC_UD;
	if (!decode(c, &insn, operands) ||
	    vec_prepare(&insn, operands, c->code, &op) < 0) {
		ret->skipped = true;
		return;
	}
	case_fill(c, &vec.mem);
	memcpy(fpu.xsave, cpu->xsave, CASE_XSAVE);
	fpu.xcr0 = vec_xcr0_mask();
	for (int i = 0; i < insn.operand_count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			address(&insn, &operands[i], &c->cpu, &ctx);
	if (setjmp(vec.escape) == 0) {
		ret->vector = step(&insn, &op, &ctx);
	} else {
		ret->vector = vec.vector;
		ret->error = vec.error;
	}
	memcpy(cpu->xsave, fpu.xsave, CASE_XSAVE);
	cpu->rflags = ctx.rflags;
	if (ret->vector == CASE_END)
		cpu->rip += insn.length;
}

static void vec_exec_init(struct case_mem *mem)
{
	mem->code = xmalloc(4096);
	mem->data = xmalloc(CASE_DATA_SIZE);
	mem->ro = xmalloc(CASE_RO_SIZE);
	memset(mem->ro, 0x5a, CASE_RO_SIZE);
	vec.mem = *mem;
	assert(vec_init() == 0);
}

const struct executor exec_vec = {
	.name = "vec",
	.init = vec_exec_init,
	.run = vec_exec,
};
