/*
 * drivers/emu/jit_return.c -- where calls come back to.
 *
 * Translated code has the host's stack pointer to itself, since the guest's
 * is another register.  A guest's CALL pushes its return address there, and
 * is a host's CALL; the guest's RET compares the address that it found in the
 * guest's memory with the one at the top, and if they agree it is a host's
 * RET.  So the host's predictor sees what the guest does.  An entry:
 *
 *	RSP + 8		the guest's return address (linear)
 *	RSP		the host's: code of the calling block
 *
 * An entry is believed as long as it can be seen, so it must lead to code for
 * its address.  The stack is emptied whenever the jump table loses something;
 * each view of the address space has its own, and 64-bit code has other ones than
 * 32-bit code; a block that is dropped sends
 * those who return to it to look for another (jit_block.c).
 *
 * There is a page at its lower end that cannot be written to: the handler of
 * the fault empties the stack.  What is above its upper end never leads
 * anywhere but to a look-up.
 */
#include <errno.h>
#include <sys/mman.h>

#include "drivers/emu/jit.h"
#include "drivers/emu/mem.h"

enum {
	RET_SIZE = 64 << 10,
	RET_GUARD = 4096,
	RET_ABOVE = 16, /* entries that a search may look at */
	RET_PART = RET_GUARD + RET_SIZE,
};

struct entry {
	uint64_t host, guest;
};

/* Not canonical: should a guest return there, it is looked up. */
#define RET_NOWHERE 0x8000000000000000ull

/* #syscalls:vmm-init mmap mprotect */
int jit_returns_create(struct emu_cpu *cpu)
{
	size_t size = RET_PART * JIT_TABLES;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	cpu->jit.ret_memory = p;
	for (unsigned int v = 0; v < JIT_TABLES; v++)
		if (mprotect(p + v * RET_PART, RET_GUARD, PROT_NONE) < 0)
			return -errno;
	return 0;
}

void jit_returns_destroy(struct emu_cpu *cpu)
{
	if (cpu->jit.ret_memory)
		munmap(cpu->jit.ret_memory, RET_PART * JIT_TABLES);
	cpu->jit.ret_memory = NULL;
}

/* The stack of a table when it is empty. */
static struct entry *bottom(const struct emu_cpu *cpu, unsigned int table)
{
	uint8_t *end = cpu->jit.ret_memory + (table + 1) * RET_PART;

	return (struct entry *)end - RET_ABOVE;
}

void jit_returns_start(struct emu_cpu *cpu)
{
	for (unsigned int v = 0; v < JIT_TABLES; v++)
		for (unsigned int n = 0; n < RET_ABOVE; n++)
			bottom(cpu, v)[n] = (struct entry){
				(uintptr_t)jit_of(cpu)->stray, RET_NOWHERE
			};
	jit_forget_returns(cpu);
}

void jit_forget_returns(struct emu_cpu *cpu)
{
	if (!cpu->jit.ret_memory)
		return;
	for (unsigned int v = 0; v < JIT_TABLES; v++)
		cpu->jit.ret_saved[v] = (uintptr_t)bottom(cpu, v);
	cpu->jit.ret_sp = cpu->jit.ret_base =
		(uintptr_t)bottom(cpu, cpu->jit.ret_table);
}

uint64_t jit_returns_base(const struct emu_cpu *cpu, unsigned int table)
{
	return (uintptr_t)bottom(cpu, table);
}

void jit_returns_view(struct emu_cpu *cpu)
{
	unsigned int table = jit_table(cpu);

	if (likely(table == cpu->jit.ret_table) || !cpu->jit.ret_memory)
		return;
	cpu->jit.ret_saved[cpu->jit.ret_table] = cpu->jit.ret_sp;
	cpu->jit.ret_table = table;
	cpu->jit.ret_sp = cpu->jit.ret_saved[table];
	cpu->jit.ret_base = (uintptr_t)bottom(cpu, table);
}

bool jit_returns_overflow(const struct emu_cpu *cpu, uint64_t addr,
			  uint64_t *rsp)
{
	uint64_t guard = (uintptr_t)cpu->jit.ret_memory +
			 cpu->jit.ret_table * RET_PART;

	if (addr - guard >= RET_GUARD || *rsp != guard + RET_GUARD)
		return false;
	*rsp = cpu->jit.ret_base;
	return true;
}
