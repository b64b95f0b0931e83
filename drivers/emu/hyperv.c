/*
 * drivers/emu/hyperv.c -- Hyper-V's help for guests: identity, hypercalls, the
 * reference clock, short cuts to the local APIC, reset.
 *
 * Left out: hypercalls but the one that tells of a long wait for a lock; what
 * would need them (remote TLB flushes, IPIs by hypercall) is not offered.
 */
#include "drivers/emu/hyperv.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "drivers/emu/lapic.h"
#include "vmm/hyperv.h"
#include "vmm/machine.h"

/* "Synthetic MSRs" */
enum {
	HV_GUEST_OS_ID = 0x40000000,
	HV_HYPERCALL = 0x40000001,
	HV_VP_INDEX = 0x40000002,
	HV_RESET = 0x40000003,
	HV_VP_RUNTIME = 0x40000010,
	HV_TIME_REF_COUNT = 0x40000020,
	HV_REFERENCE_TSC = 0x40000021,
	HV_TSC_FREQUENCY = 0x40000022,
	HV_APIC_FREQUENCY = 0x40000023,
	HV_EOI = 0x40000070,
	HV_ICR = 0x40000071,
	HV_TPR = 0x40000072,
	HV_VP_ASSIST = 0x40000073,
	HV_SYNIC_FIRST = 0x40000080,
	HV_SYNIC_LAST = 0x400000b7,
};
enum { PAGE_ENABLED = 1 };
enum { HC_NOTIFY_LONG_SPIN_WAIT = 8 };
enum { STATUS_SUCCESS = 0, STATUS_INVALID_CODE = 2 };

/* A timer of the local APIC counts nanoseconds. */
#define APIC_HZ 1000000000ull

unsigned int hyperv_offered(void)
{
	return BIT(SPEC_HV_RELAXED) | BIT(SPEC_HV_VAPIC) |
	       BIT(SPEC_HV_SPINLOCKS) | BIT(SPEC_HV_VPINDEX) |
	       BIT(SPEC_HV_RUNTIME) | BIT(SPEC_HV_SYNIC) |
	       BIT(SPEC_HV_STIMER) | BIT(SPEC_HV_STIMER_DIRECT) |
	       BIT(SPEC_HV_RESET) | BIT(SPEC_HV_FREQUENCIES) |
	       BIT(SPEC_HV_TIME) | BIT(SPEC_HV_AVIC);
}

static bool is_there(struct emu_cpu *cpu)
{
	const struct x86_cpuid_leaf *l =
		x86_cpuid_find(&cpu->cpuid, 0x40000001, 0);

	return l && l->eax == 0x31237648; /* "Hv#1" */
}

static bool may(struct emu_cpu *cpu, uint32_t privilege)
{
	const struct x86_cpuid_leaf *l =
		x86_cpuid_find(&cpu->cpuid, 0x40000003, 0);

	return l && l->eax & privilege;
}

int hyperv_cpu_create(struct emu_cpu *cpu)
{
	if (is_there(cpu))
		cpu->hv = xcalloc(1, sizeof(*cpu->hv));
	return 0;
}

void hyperv_cpu_destroy(struct emu_cpu *cpu)
{
	free(cpu->hv);
	cpu->hv = NULL;
}

/* ---- the reference clock ("Partition Reference Time") ---- */

uint64_t hyperv_time(struct emu_cpu *cpu)
{
	return kvmclock_now(cpu) / 100;
}

struct tsc_page {
	uint32_t sequence, reserved;
	uint64_t scale;
	int64_t offset;
};

/* Time = ((TSC * scale) >> 64) + offset. */
static void publish(struct emu_cpu *cpu)
{
	struct vm *vm = cpu->vm;
	uint64_t gpa = vm->hv.tsc_page & EMU_PAGE_MASK;
	struct tsc_page page = { 0 };
	unsigned __int128 at;

	if (!(vm->hv.tsc_page & PAGE_ENABLED))
		return;
	emu_phys_io(cpu, gpa, &page, sizeof(page), false);
	page.sequence += page.sequence == UINT32_MAX ? 2 : 1;
	page.scale = ((unsigned __int128)10000000 << 64) / emu_tsc_hz(vm);
	at = (unsigned __int128)vm->clock_tsc * page.scale >> 64;
	page.offset = (int64_t)(vm->clock_ns / 100 - (uint64_t)at);
	emu_phys_io(cpu, gpa + 4, &page.reserved, sizeof(page) - 4, true);
	atomic_thread_fence(memory_order_seq_cst);
	emu_phys_io(cpu, gpa, &page.sequence, 4, true);
}

void hyperv_resume(struct vm *vm)
{
	if (vm->cpus[0] && vm->cpus[0]->hv)
		publish(vm->cpus[0]);
}

/* ---- MSRs ---- */

/* VMCALL or VMMCALL, both the same here; and RET. */
static void write_hypercall(struct emu_cpu *cpu, uint64_t v)
{
	uint8_t code[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	if (!cpu->vm->hv.os_id)
		v &= ~(uint64_t)PAGE_ENABLED;
	cpu->vm->hv.hypercall = v;
	if (v & PAGE_ENABLED)
		emu_phys_io(cpu, v & EMU_PAGE_MASK, code, sizeof(code), true);
}

static uint64_t runtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 10000000ull + ts.tv_nsec / 100;
}

static uint64_t vp_index(const struct emu_cpu *cpu)
{
	for (unsigned int i = 0; i < cpu->vm->n_cpus; i++)
		if (cpu->vm->cpus[i] == cpu)
			return i;
	return 0;
}

/* What each needs; 0: what every guest of Hyper-V has. */
static int privilege_of(uint32_t index)
{
	switch (index) {
	case HV_GUEST_OS_ID:
	case HV_HYPERCALL:
		return HV_EAX_HYPERCALL;
	case HV_VP_INDEX:
		return HV_EAX_VPINDEX;
	case HV_RESET:
		return HV_EAX_RESET;
	case HV_VP_RUNTIME:
		return HV_EAX_RUNTIME;
	case HV_TIME_REF_COUNT:
		return HV_EAX_REFERENCE_COUNT;
	case HV_REFERENCE_TSC:
		return HV_EAX_REFERENCE_TSC;
	case HV_TSC_FREQUENCY:
	case HV_APIC_FREQUENCY:
		return HV_EAX_FREQUENCIES;
	case HV_EOI:
	case HV_ICR:
	case HV_TPR:
	case HV_VP_ASSIST:
		return HV_EAX_APIC;
	case HV_SYNIC_FIRST ... HV_SYNIC_LAST:
		return HV_EAX_SYNIC;
	default:
		return 0;
	}
}

/* -ENOENT: none of ours; -EINVAL: not for this guest. */
static int check_access(struct emu_cpu *cpu, uint32_t index)
{
	int privilege = cpu->hv ? privilege_of(index) : 0;

	if (!privilege)
		return -ENOENT;
	return may(cpu, privilege) ? 0 : -EINVAL;
}

int hyperv_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret)
{
	int r = check_access(cpu, index);

	if (r < 0)
		return r;
	switch (index) {
	case HV_GUEST_OS_ID:
		*ret = cpu->vm->hv.os_id;
		return 0;
	case HV_HYPERCALL:
		*ret = cpu->vm->hv.hypercall;
		return 0;
	case HV_VP_INDEX:
		*ret = vp_index(cpu);
		return 0;
	case HV_RESET:
		*ret = 0;
		return 0;
	case HV_VP_RUNTIME:
		*ret = runtime();
		return 0;
	case HV_TIME_REF_COUNT:
		*ret = hyperv_time(cpu);
		return 0;
	case HV_REFERENCE_TSC:
		*ret = cpu->vm->hv.tsc_page;
		return 0;
	case HV_TSC_FREQUENCY:
		*ret = emu_tsc_hz(cpu->vm);
		return 0;
	case HV_APIC_FREQUENCY:
		*ret = APIC_HZ;
		return 0;
	case HV_ICR:
		return lapic_hv_icr(cpu, ret);
	case HV_TPR:
		*ret = lapic_get_cr8(cpu) << 4;
		return 0;
	case HV_VP_ASSIST:
		*ret = cpu->hv->vp_assist;
		return 0;
	case HV_EOI: /* write-only */
		return -EINVAL;
	default:
		return synic_rdmsr(cpu, index, ret);
	}
}

static void write_os_id(struct emu_cpu *cpu, uint64_t v)
{
	cpu->vm->hv.os_id = v;
	if (!v) /* "hypercalls are disabled" */
		cpu->vm->hv.hypercall &= ~(uint64_t)PAGE_ENABLED;
}

static void write_reset(struct emu_cpu *cpu, uint64_t v)
{
	if (v & 1 && cpu->vm->m)
		machine_request_reset(cpu->vm->m);
}

/* The assist page is not used: its "no EOI required" stays 0. */
static void write_vp_assist(struct emu_cpu *cpu, uint64_t v)
{
	uint32_t none = 0;

	cpu->hv->vp_assist = v;
	if (v & PAGE_ENABLED)
		emu_phys_io(cpu, v & EMU_PAGE_MASK, &none, sizeof(none), true);
}

int hyperv_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v)
{
	int r = check_access(cpu, index);

	if (r < 0)
		return r;
	switch (index) {
	case HV_GUEST_OS_ID:
		write_os_id(cpu, v);
		return 0;
	case HV_HYPERCALL:
		write_hypercall(cpu, v);
		return 0;
	case HV_RESET:
		write_reset(cpu, v);
		return 0;
	case HV_REFERENCE_TSC:
		cpu->vm->hv.tsc_page = v;
		publish(cpu);
		return 0;
	case HV_EOI:
		lapic_hv_eoi(cpu);
		return 0;
	case HV_ICR:
		lapic_hv_send(cpu, v);
		return 0;
	case HV_TPR:
		lapic_set_cr8(cpu, v >> 4 & 15);
		return 0;
	case HV_VP_ASSIST:
		write_vp_assist(cpu, v);
		return 0;
	case HV_VP_INDEX:
	case HV_VP_RUNTIME:
	case HV_TIME_REF_COUNT:
	case HV_TSC_FREQUENCY:
	case HV_APIC_FREQUENCY:
		return -EINVAL; /* read-only */
	default:
		return synic_wrmsr(cpu, index, v);
	}
}

/* The identity before the page, the timers' counts before their settings. */
uint32_t hyperv_saved_msr(const struct emu_cpu *cpu, unsigned int i)
{
	static const uint32_t first[] = { HV_GUEST_OS_ID, HV_HYPERCALL,
					  HV_REFERENCE_TSC, HV_VP_ASSIST };
	static const uint32_t synic[] = { 0x40000080, 0x40000082, 0x40000083 };
	struct emu_cpu *c = (struct emu_cpu *)cpu;

	if (!cpu->hv)
		return 0;
	for (unsigned int k = 0; k < ARRAY_SIZE(first); k++)
		if (may(c, privilege_of(first[k])) && !i--)
			return first[k];
	if (!may(c, HV_EAX_SYNIC))
		return 0;
	if (i < ARRAY_SIZE(synic))
		return synic[i];
	i -= ARRAY_SIZE(synic);
	if (i < HV_SINTS)
		return 0x40000090 + i;
	i -= HV_SINTS;
	return i < 2 * HV_STIMERS ? 0x400000b0 + (i ^ 1) : 0;
}

/* ---- hypercalls ("Hypercall Interface") ---- */

bool hyperv_hypercall(struct emu_cpu *cpu)
{
	uint64_t status = STATUS_INVALID_CODE;
	uint32_t code;

	if (!cpu->hv || !cpu->vm->hv.os_id)
		return false;
	code = cpu->mode == MODE_64 ? cpu->gpr[X86_RCX] : cpu->gpr[X86_RAX];
	if ((code & 0xffff) == HC_NOTIFY_LONG_SPIN_WAIT) {
		sched_yield();
		status = STATUS_SUCCESS;
	}
	if (cpu->mode == MODE_64) {
		cpu->gpr[X86_RAX] = status;
	} else {
		cpu->gpr[X86_RAX] = status;
		cpu->gpr[X86_RDX] = 0;
	}
	return true;
}
