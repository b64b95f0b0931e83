/*
 * drivers/emu/cpuid.c -- the guest's CPUID instruction, and what the rest of
 * the engine asks of it.
 */
#include "drivers/emu/exec.h"
#include "drivers/emu/lapic.h"

static const struct x86_cpuid_leaf *find(struct emu_cpu *cpu, uint32_t leaf,
					 uint32_t subleaf)
{
	return x86_cpuid_find(&cpu->cpuid, leaf, subleaf);
}

bool emu_has(struct emu_cpu *cpu, uint32_t leaf, uint32_t sub,
	     unsigned int reg, unsigned int bit)
{
	const struct x86_cpuid_leaf *l = find(cpu, leaf, sub);

	return l && (&l->eax)[reg] >> bit & 1;
}

/* Beyond the last basic leaf: that leaf's data (SDM vol. 2A, "CPUID"). */
static bool beyond(struct emu_cpu *cpu, uint32_t leaf)
{
	const struct x86_cpuid_leaf *l = find(cpu, leaf & 0x80000000, 0);

	return (leaf & 0x40000000) == 0 && l && leaf > l->eax;
}

static uint32_t xsave_size(struct emu_cpu *cpu)
{
	uint32_t size = 576;

	for (unsigned int i = 2; i < 63; i++) {
		const struct x86_cpuid_leaf *l;

		if (!(cpu->fpu.xcr0 >> i & 1))
			continue;
		l = find(cpu, 0xd, i);
		if (l && l->eax + l->ebx > size)
			size = l->eax + l->ebx;
	}
	return size;
}

void emu_cpuid(struct emu_cpu *cpu, uint32_t leaf, uint32_t subleaf,
	       uint32_t regs[4])
{
	const struct x86_cpuid_leaf *l;

	memset(regs, 0, 4 * sizeof(*regs));
	if (beyond(cpu, leaf))
		return;
	l = find(cpu, leaf, subleaf);
	if (!l)
		return;
	memcpy(regs, &l->eax, 4 * sizeof(*regs));
	if ((leaf == 1 || leaf == 0x80000001) && !lapic_enabled(cpu))
		regs[3] &= ~BIT(9); /* its being switched off shows here */
	if (leaf == 1) {
		regs[2] &= ~BIT(27);
		if (cpu->cr4 & CR4_OSXSAVE)
			regs[2] |= BIT(27);
	} else if (leaf == 0xd && subleaf == 0) {
		regs[1] = xsave_size(cpu);
	}
}
