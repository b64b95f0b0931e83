/*
 * tests/unit/emu/execemu.c -- runs a case in the emulation engine's
 * interpreter, on its bare test CPU: no machine, memory mapped as it is.
 */
#include <string.h>

#include "drivers/emu/cpu.h"
#include "tests/unit/emu/case.h"

enum { MAX_INSNS = 200, SELECTOR_CS = 0x33, SELECTOR_SS = 0x2b,
       SELECTOR_CS32 = 0x23, ATTR_CS32 = 0xc0fb };

static struct {
	struct case_mem mem;
	struct emu_test_mem map[3];
	struct emu_cpu *cpu;
	struct x86_state reset;
} emu;

static void any_init(struct case_mem *mem, bool translates)
{
	mem->code = aligned_alloc(4096, 4096);
	mem->data = aligned_alloc(4096, CASE_DATA_SIZE);
	mem->ro = aligned_alloc(4096, CASE_RO_SIZE);
	assert(mem->code && mem->data && mem->ro);
	memset(mem->ro, 0x5a, CASE_RO_SIZE);
	emu.mem = *mem;
	emu.map[0] = (struct emu_test_mem){ CASE_CODE, 4096, mem->code, false };
	emu.map[1] = (struct emu_test_mem){ CASE_DATA, CASE_DATA_SIZE,
					    mem->data, false };
	emu.map[2] = (struct emu_test_mem){ CASE_RO, CASE_RO_SIZE, mem->ro,
					    true };
	assert(vec_init() == 0);
	emu.cpu = emu_test_cpu_create(emu.map, ARRAY_SIZE(emu.map),
				      translates);
	assert(emu.cpu);
	emu_test_state64(&emu.reset);
	emu.reset.seg[X86_CS].selector = SELECTOR_CS;
	emu.reset.seg[X86_SS].selector = SELECTOR_SS;
	emu.reset.tr.limit = 0; /* no I/O permission bitmap */
	emu.reset.seg[X86_FS].selector = emu.reset.seg[X86_GS].selector = 0;
}

static void emu_init(struct case_mem *mem)
{
	any_init(mem, false);
}

static void jit_init(struct case_mem *mem)
{
	any_init(mem, true);
}

static void state_set(struct x86_state *s, const struct test_case *c)
{
	const struct case_cpu *cpu = &c->cpu;
	uint64_t bv = vec_xcr0_mask();

	*s = emu.reset;
	memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
	s->rip = cpu->rip;
	s->rflags = cpu->rflags;
	s->seg[X86_GS].base = cpu->gs_base;
	if (c->mode32) {
		s->seg[X86_CS].selector = SELECTOR_CS32;
		s->seg[X86_CS].attr = ATTR_CS32;
	}
	memcpy(s->xsave, cpu->xsave, CASE_XSAVE);
	memset(s->xsave + 512, 0, 64);
	memcpy(s->xsave + 512, &bv, sizeof(bv));
	s->xcr0 = bv;
}

static void state_get(const struct x86_state *s, struct case_cpu *cpu)
{
	memcpy(cpu->gpr, s->gpr, sizeof(s->gpr));
	cpu->rip = s->rip;
	cpu->rflags = s->rflags;
	memcpy(cpu->xsave, s->xsave, CASE_XSAVE);
	memset(cpu->xsave + 416, 0, 576 - 416);
}

static void emu_run_case(const struct test_case *c, struct case_result *ret)
{
	static struct x86_state state;
	struct emu_test test = { .mem = emu.map,
				 .n_mem = ARRAY_SIZE(emu.map),
				 .state = &state,
				 .max_insns = MAX_INSNS,
				 .links = c->loops };

	memset(ret, 0, sizeof(*ret));
	case_fill(c, &emu.mem);
	state_set(&state, c);
	assert(emu_test_cpu_run(emu.cpu, &test) == 0);
	state_get(&state, &ret->cpu);
	ret->vector = test.fault ? test.vector : -2;
	ret->error = test.error;
	ret->cr2 = state.cr2 >> 12;
	if (test.fault && test.vector == EXC_BP)
		ret->vector = CASE_END;
}

const struct executor exec_emu = {
	.name = "emu",
	.init = emu_init,
	.run = emu_run_case,
};

/* The same through the translator, a block at a time. */
const struct executor exec_jit = {
	.name = "jit",
	.init = jit_init,
	.run = emu_run_case,
};
