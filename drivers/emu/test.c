/*
 * drivers/emu/test.c -- code run without a machine: linear addresses are the
 * given memory's, exceptions are reported instead of delivered.
 */
#include <errno.h>

#include "drivers/emu/jit.h"

void emu_test_state64(struct x86_state *s)
{
	x86_state_reset(s, true, 0);
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE |
		 CR4_FSGSBASE;
	s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	s->xcr0 = vec_xcr0_mask();
	s->rflags = 2 | FLAG_IF;
	for (unsigned int i = 0; i < X86_SEGS; i++)
		s->seg[i] = (struct x86_segment){ .selector = 0x2b,
						  .limit = 0xffffffff,
						  .attr = 0xc0f3 };
	s->seg[X86_CS].selector = 0x33;
	s->seg[X86_CS].attr = 0xa0fb;
}

struct emu_cpu *emu_test_cpu_create(const struct emu_test_mem *mem,
				    unsigned int n_mem, bool translates)
{
	struct emu_cpu *cpu;
	struct vm *vm;

	if (n_mem > EMU_SLOTS || vec_init() < 0)
		return NULL;
	vm = xcalloc(1, sizeof(*vm));
	pthread_mutex_init(&vm->split_lock, NULL);
	pthread_mutex_init(&vm->changes.lock, NULL);
	for (unsigned int i = 0; i < n_mem; i++)
		vm->slots[i] = (struct emu_slot){
			.gpa = mem[i].addr,
			.size = mem[i].size,
			.host = mem[i].host,
			.readonly = mem[i].readonly,
			.pages = xcalloc(mem[i].size >> EMU_PAGE_SHIFT,
					 sizeof(struct emu_page)),
		};
	vm->n_slots = n_mem;
	vm->translates = translates;
	cpu = emu_cpu_create(vm, 0);
	if (!cpu)
		abort();
	if (translates) {
		jit_of(cpu)->hot = 0;
		jit_of(cpu)->strict = true;
	}
	vm->cpus[0] = cpu;
	vm->n_cpus = 1;
	emu_cpuid_host(&cpu->cpuid);
	return cpu;
}

void emu_test_cpu_destroy(struct emu_cpu *cpu)
{
	struct vm *vm;

	if (!cpu)
		return;
	vm = cpu->vm;
	emu_cpu_destroy(cpu);
	for (unsigned int i = 0; i < vm->n_slots; i++)
		free(vm->slots[i].pages);
	pthread_mutex_destroy(&vm->split_lock);
	pthread_mutex_destroy(&vm->changes.lock);
	free(vm);
}

static void note_fault(struct emu_cpu *cpu, struct emu_test *test)
{
	if (cpu->cur)
		cpu->rip -= cpu->cur->len;
	cpu->cur = NULL;
	test->fault = true;
	test->vector = cpu->exc_vector;
	test->error = cpu->exc_error;
}

static void note_writes(struct emu_cpu *cpu)
{
	if (atomic_exchange(&cpu->pending, 0) & PEND_SMC)
		emu_code_written(cpu);
	jit_drop_stale(cpu);
}

/* One instruction; false: it raised something, and RIP is back on it. */
static bool test_step(struct emu_cpu *cpu, struct emu_test *test)
{
	jmp_buf escape;
	struct emu_block *b;

	cpu->escape = &escape;
	cpu->cur = NULL;
	if (_setjmp(escape)) {
		note_fault(cpu, test);
		return false;
	}
	b = block_find(cpu);
	if (!b)
		return false;
	cpu->cur = &b->insn[0];
	cpu->block_end = b->insn + 1;
	cpu->rip += b->insn[0].len;
	b->insn[0].fn(cpu, &b->insn[0]);
	cpu->cur = NULL;
	note_writes(cpu);
	return !cpu->halted;
}

/* The same for a translated block, or an instruction that is in none. */
static bool test_block(struct emu_cpu *cpu, struct emu_test *test)
{
	jmp_buf escape;

	cpu->escape = &escape;
	cpu->cur = NULL;
	if (_setjmp(escape)) {
		jit_escaped(cpu);
		note_fault(cpu, test);
		return false;
	}
	mmu_fetch(cpu, cpu->rip); /* may find that the code has changed */
	note_writes(cpu);
	if (!jit_run(cpu))
		return test_step(cpu, test);
	note_writes(cpu);
	return !cpu->halted;
}

/*
 * The test may have changed memory behind our back: the instruction TLB is
 * dropped, so that changed code is noticed (mmu.c), the rest stays.
 */
int emu_test_cpu_run(struct emu_cpu *cpu, struct emu_test *test)
{
	if (!test->state)
		return -EINVAL;
	cpu->test = test;
	test->fault = false;
	test->vector = 0;
	test->error = 0;
	test->n_insns = 0;
	emu_cpu_set(cpu, test->state);
	cpu->pending = 0;
	if (cpu->jit.priv)
		jit_attach(cpu);
	while (test->n_insns < test->max_insns &&
	       (cpu->jit.priv ? test_block(cpu, test) : test_step(cpu, test)))
		test->n_insns++;
	if (cpu->jit.x87_loaded)
		jit_sync_x87(cpu);
	emu_cpu_get(cpu, test->state);
	cpu->test = NULL;
	cpu->escape = NULL;
	return 0;
}

int emu_test_run(struct emu_test *test)
{
	struct emu_cpu *cpu = emu_test_cpu_create(test->mem, test->n_mem, false);
	int r;

	if (!cpu)
		return -ENOMEM;
	r = emu_test_cpu_run(cpu, test);
	emu_test_cpu_destroy(cpu);
	return r;
}
