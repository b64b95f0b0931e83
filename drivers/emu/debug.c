/*
 * drivers/emu/debug.c -- debug registers (SDM vol. 3, "Debug Registers").
 *
 * While DR7 enables a breakpoint the run loop goes one instruction at a time
 * (emu_stepping()) and asks debug_fetch() before each.  Pages with a data
 * breakpoint have no tags in the TLB, so that accesses to them come by here.
 * What was hit waits in cpu->db_pending until the instruction is over.
 */
#include "drivers/emu/exec.h"

enum { RW_EXEC, RW_WRITE, RW_IO, RW_ANY };

static bool enabled(const struct emu_cpu *cpu, unsigned int n)
{
	return cpu->dr[7] >> (2 * n) & 3;
}

static unsigned int kind(const struct emu_cpu *cpu, unsigned int n)
{
	return cpu->dr[7] >> (16 + 4 * n) & 3;
}

/* LEN: 1, 2, 8, 4 bytes; the address is aligned to it. */
static uint64_t length(const struct emu_cpu *cpu, unsigned int n)
{
	static const uint8_t bytes[] = { 1, 2, 8, 4 };

	return bytes[cpu->dr[7] >> (18 + 4 * n) & 3];
}

static bool hit(const struct emu_cpu *cpu, unsigned int n, uint64_t addr,
		uint64_t size)
{
	uint64_t start = cpu->dr[n] & ~(length(cpu, n) - 1);

	return addr < start + length(cpu, n) && start < addr + size;
}

void debug_update(struct emu_cpu *cpu)
{
	bool was = cpu->watch;

	cpu->watch = false;
	for (unsigned int n = 0; n < 4; n++)
		if (enabled(cpu, n) && kind(cpu, n) & RW_WRITE)
			cpu->watch = true;
	if (was || cpu->watch)
		mmu_flush(cpu, true);
	emu_pend(cpu, PEND_STEP);
}

bool debug_page_watched(const struct emu_cpu *cpu, uint64_t lin)
{
	for (unsigned int n = 0; n < 4; n++)
		if (enabled(cpu, n) && kind(cpu, n) & RW_WRITE &&
		    hit(cpu, n, lin & EMU_PAGE_MASK, EMU_PAGE))
			return true;
	return false;
}

void debug_access(struct emu_cpu *cpu, uint64_t lin, size_t size,
		  enum emu_access access)
{
	for (unsigned int n = 0; n < 4; n++) {
		unsigned int k = kind(cpu, n);

		if (enabled(cpu, n) && hit(cpu, n, lin, size) &&
		    (k == RW_ANY || (k == RW_WRITE && access == ACCESS_WRITE)))
			cpu->db_pending |= BIT64(n);
	}
}

void debug_io(struct emu_cpu *cpu, uint16_t port, unsigned int size)
{
	for (unsigned int n = 0; n < 4; n++)
		if (enabled(cpu, n) && kind(cpu, n) == RW_IO &&
		    cpu->cr4 & CR4_DE && hit(cpu, n, port, size))
			cpu->db_pending |= BIT64(n);
}

/* An instruction breakpoint is a fault, before the instruction. */
void debug_fetch(struct emu_cpu *cpu)
{
	uint64_t lin = cpu->rip, bits = 0;

	if (cpu->mode != MODE_64)
		lin = (uint32_t)(lin + cpu->seg[X86_CS].base);
	for (unsigned int n = 0; n < 4; n++)
		if (enabled(cpu, n) && kind(cpu, n) == RW_EXEC &&
		    cpu->dr[n] == lin)
			bits |= BIT64(n);
	if (!bits)
		return;
	cpu->db_pending |= bits;
	emu_raise(cpu, EXC_DB);
}

/* MOV to or from a debug register while DR7.GD is set. */
void debug_general_detect(struct emu_cpu *cpu)
{
	if (!(cpu->dr[7] & DR7_GD))
		return;
	cpu->db_pending |= DR6_BD;
	emu_raise(cpu, EXC_DB);
}

/* #DB is delivered: what happened goes to DR6. */
void debug_deliver(struct emu_cpu *cpu)
{
	cpu->dr[6] = (cpu->dr[6] & ~15ull) | cpu->db_pending;
	cpu->dr[7] &= ~DR7_GD;
	cpu->db_pending = 0;
}
