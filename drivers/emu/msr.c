/*
 * drivers/emu/msr.c -- model-specific registers (SDM vol. 4; AMD APM vol. 2,
 * appendix A).  An unknown one is #GP(0), as on a processor.
 */
#include <errno.h>

#include "drivers/emu/exec.h"
#include "drivers/emu/hyperv.h"
#include "drivers/emu/lapic.h"

enum {
	MSR_TSC = 0x10,
	MSR_APICBASE = 0x1b,
	MSR_FEATURE_CONTROL = 0x3a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_UCODE_REV = 0x8b,
	MSR_MTRRCAP = 0xfe,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_MTRR_BASE0 = 0x200,
	MSR_MTRR_FIX64K = 0x250,
	MSR_MTRR_FIX16K_0 = 0x258,
	MSR_MTRR_FIX16K_1 = 0x259,
	MSR_MTRR_FIX4K_0 = 0x268,
	MSR_MTRR_FIX4K_7 = 0x26f,
	MSR_PAT = 0x277,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_XSS = 0xda0,
	MSR_X2APIC = 0x800,
	MSR_X2APIC_END = 0x8ff,
	MSR_EFER = 0xc0000080,
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_SFMASK,
	MSR_FS_BASE = 0xc0000100,
	MSR_GS_BASE,
	MSR_KERNEL_GS_BASE,
	MSR_TSC_AUX,
	MSR_K7_PERF = 0xc0010000, /* counters that no CPUID bit announces */
	MSR_K7_PERF_END = 0xc0010007,
	MSR_OSVW_LENGTH = 0xc0010140,
	MSR_OSVW_STATUS,
	MSR_SYSCFG = 0xc0010010,
	MSR_HWCR = 0xc0010015,
	MSR_PATCH_LEVEL = 0x8b,
	MSR_NB_CFG = 0xc001001f,
	MSR_INT_PENDING = 0xc0010055,
	MSR_F15H_PERF = 0xc0010200,
	MSR_F15H_PERF_END = 0xc001020b,
	MSR_LS_CFG = 0xc0011020,
	MSR_BU_CFG2 = 0xc001102a,
	MSR_DE_CFG = 0xc0011029,
	MSR_KVM_WALL = 0x4b564d00,
	MSR_KVM_TIME = 0x4b564d01,
	MSR_KVM_PV_EOI = 0x4b564d04,
	MSR_HYPERV = 0x40000000,
	MSR_HYPERV_END = 0x400000ff,
	MTRR_VARIABLE = 8,
};

/* Those that are just a value; NULL: not one of them. */
static uint64_t *msr_plain(struct emu_cpu *cpu, uint32_t index)
{
	struct emu_msrs *m = &cpu->msr;

	switch (index) {
	case MSR_SYSENTER_CS:
		return &m->sysenter_cs;
	case MSR_STAR:
		return &m->star;
	case MSR_SFMASK:
		return &m->sfmask;
	case MSR_MISC_ENABLE:
		return &m->misc_enable;
	case MSR_MTRR_DEF_TYPE:
		return &m->mtrr_def;
	case MSR_MCG_STATUS:
		return &m->mcg_status;
	case MSR_DEBUGCTL:
		return &m->debugctl;
	case MSR_MTRR_FIX64K:
		return &m->mtrr_fixed[0];
	case MSR_MTRR_FIX16K_0 ... MSR_MTRR_FIX16K_1:
		return &m->mtrr_fixed[1 + index - MSR_MTRR_FIX16K_0];
	case MSR_MTRR_FIX4K_0 ... MSR_MTRR_FIX4K_7:
		return &m->mtrr_fixed[3 + index - MSR_MTRR_FIX4K_0];
	case MSR_MTRR_BASE0 ... MSR_MTRR_BASE0 + 2 * MTRR_VARIABLE - 1:
		index -= MSR_MTRR_BASE0;
		return index & 1 ? &m->mtrr_mask[index / 2]
				 : &m->mtrr_base[index / 2];
	default:
		return NULL;
	}
}

/* Addresses: must be canonical. */
static uint64_t *msr_address(struct emu_cpu *cpu, uint32_t index)
{
	switch (index) {
	case MSR_SYSENTER_ESP:
		return &cpu->msr.sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &cpu->msr.sysenter_eip;
	case MSR_LSTAR:
		return &cpu->msr.lstar;
	case MSR_CSTAR:
		return &cpu->msr.cstar;
	case MSR_FS_BASE:
		return &cpu->seg[X86_FS].base;
	case MSR_GS_BASE:
		return &cpu->seg[X86_GS].base;
	case MSR_KERNEL_GS_BASE:
		return &cpu->msr.kernel_gs_base;
	default:
		return NULL;
	}
}

/* AMD's chip configuration: reads as 0, writes are dropped. */
static bool msr_ignored(uint32_t index)
{
	switch (index) {
	case MSR_FEATURE_CONTROL:
	case MSR_PATCH_LEVEL:
	case MSR_MCG_CAP:
	case MSR_SYSCFG:
	case MSR_HWCR:
	case MSR_NB_CFG:
	case MSR_OSVW_LENGTH: /* no erratum is listed */
	case MSR_OSVW_STATUS:
	case MSR_INT_PENDING:
	case MSR_LS_CFG:
	case MSR_BU_CFG2:
	case MSR_DE_CFG:
	case MSR_K7_PERF ... MSR_K7_PERF_END:
	case MSR_F15H_PERF ... MSR_F15H_PERF_END:
		return true;
	default:
		return false;
	}
}

static bool has_pv_eoi(struct emu_cpu *cpu)
{
	return emu_has(cpu, 0x40000001, 0, 0, 6) ||
	       emu_has(cpu, 0x40000101, 0, 0, 6);
}

int sys_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret)
{
	uint64_t *p = msr_plain(cpu, index);

	if (!p)
		p = msr_address(cpu, index);
	if (p) {
		*ret = *p;
		return 0;
	}
	switch (index) {
	case MSR_TSC:
		*ret = emu_guest_tsc(cpu);
		return 0;
	case MSR_TSC_ADJUST:
		*ret = cpu->msr.tsc_adjust;
		return 0;
	case MSR_EFER:
		*ret = cpu->efer;
		return 0;
	case MSR_PAT:
		*ret = cpu->msr.pat;
		return 0;
	case MSR_TSC_AUX:
		*ret = cpu->msr.tsc_aux;
		return 0;
	case MSR_MTRRCAP:
		*ret = MTRR_VARIABLE | BIT(8) | BIT(10);
		return 0;
	case MSR_APICBASE:
	case MSR_TSC_DEADLINE:
	case MSR_X2APIC ... MSR_X2APIC_END:
		return lapic_rdmsr(cpu, index, ret);
	case MSR_XSS:
		*ret = 0;
		return emu_has(cpu, 0xd, 1, 0, 3) ? 0 : -EINVAL;
	case MSR_KVM_TIME:
		*ret = cpu->msr.kvmclock;
		return 0;
	case MSR_KVM_WALL:
		*ret = cpu->msr.wallclock;
		return 0;
	case MSR_HWCR: /* TscFreqSel: the TSC's rate is that of P0 */
		*ret = BIT64(24);
		return 0;
	case MSR_KVM_PV_EOI:
		*ret = cpu->msr.pv_eoi;
		return has_pv_eoi(cpu) ? 0 : -EINVAL;
	case MSR_HYPERV ... MSR_HYPERV_END:
		return hyperv_rdmsr(cpu, index, ret);
	default:
		*ret = 0;
		return msr_ignored(index) ? 0 : -EINVAL;
	}
}

static int write_efer(struct emu_cpu *cpu, uint64_t v)
{
	uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	if (emu_has(cpu, 0x80000001, 0, 3, 25))
		known |= EFER_FFXSR;
	if (v & ~known)
		return -EINVAL;
	if ((v ^ cpu->efer) & EFER_LME && cpu->cr0 & CR0_PG)
		return -EINVAL;
	v = (v & ~EFER_LMA) | (cpu->efer & EFER_LMA);
	if ((v ^ cpu->efer) & EFER_NXE)
		mmu_flush(cpu, true);
	cpu->efer = v;
	return 0;
}

/* Memory types are UC, WC, WT, WP, WB and UC- (SDM vol. 3, "PAT"). */
static int write_pat(struct emu_cpu *cpu, uint64_t v)
{
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int type = v >> (8 * i) & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return -EINVAL;
	}
	cpu->msr.pat = v;
	return 0;
}

int sys_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v)
{
	uint64_t *p = msr_plain(cpu, index);

	if (p) {
		*p = v;
		return 0;
	}
	p = msr_address(cpu, index);
	if (p && !emu_canonical(v))
		return -EINVAL;
	if (p) {
		*p = v;
		return 0;
	}
	switch (index) {
	case MSR_TSC:
		cpu->msr.tsc_adjust += v - emu_guest_tsc(cpu);
		cpu->tsc_offset = v - emu_host_tsc();
		return 0;
	case MSR_TSC_ADJUST:
		cpu->tsc_offset += v - cpu->msr.tsc_adjust;
		cpu->msr.tsc_adjust = v;
		return 0;
	case MSR_EFER:
		return write_efer(cpu, v);
	case MSR_PAT:
		return write_pat(cpu, v);
	case MSR_TSC_AUX:
		cpu->msr.tsc_aux = (uint32_t)v;
		return 0;
	case MSR_UCODE_REV:
		return 0;
	case MSR_APICBASE:
	case MSR_TSC_DEADLINE:
	case MSR_X2APIC ... MSR_X2APIC_END:
		return lapic_wrmsr(cpu, index, v);
	case MSR_XSS: /* no supervisor state components */
		return emu_has(cpu, 0xd, 1, 0, 3) && !v ? 0 : -EINVAL;
	case MSR_KVM_TIME:
		kvmclock_set(cpu, v);
		return 0;
	case MSR_KVM_WALL:
		kvmclock_wall(cpu, v);
		return 0;
	case MSR_KVM_PV_EOI: /* never used: the flag in memory stays 0 */
		cpu->msr.pv_eoi = v;
		return has_pv_eoi(cpu) ? 0 : -EINVAL;
	case MSR_HYPERV ... MSR_HYPERV_END:
		return hyperv_wrmsr(cpu, index, v);
	default:
		return msr_ignored(index) ? 0 : -EINVAL;
	}
}
