/*
 * drivers/kvm/hyperv.c -- Hyper-V's help for guests, which the kernel gives
 * (API 4.118, KVM_GET_SUPPORTED_HV_CPUID; 8.x, KVM_CAP_HYPERV_*).
 */
#include "vmm/hyperv.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "drivers/kvm/kvm.h"

/* What each is in the kernel's leaves 0x40000003 and 0x40000004. */
enum reg { EAX, EDX, HINTS };
static const struct {
	enum spec_hyperv feature;
	enum reg reg;
	uint32_t bit;
} kernel_bits[] = {
	{ SPEC_HV_RUNTIME, EAX, HV_EAX_RUNTIME },
	{ SPEC_HV_TIME, EAX, HV_EAX_REFERENCE_TSC },
	{ SPEC_HV_SYNIC, EAX, HV_EAX_SYNIC },
	{ SPEC_HV_STIMER, EAX, HV_EAX_STIMER },
	{ SPEC_HV_VAPIC, EAX, HV_EAX_APIC },
	{ SPEC_HV_VPINDEX, EAX, HV_EAX_VPINDEX },
	{ SPEC_HV_RESET, EAX, HV_EAX_RESET },
	{ SPEC_HV_FREQUENCIES, EAX, HV_EAX_FREQUENCIES },
	{ SPEC_HV_REENLIGHTENMENT, EAX, HV_EAX_REENLIGHTENMENT },
	{ SPEC_HV_STIMER_DIRECT, EDX, HV_EDX_STIMER_DIRECT },
	{ SPEC_HV_TLBFLUSH_EXTENDED, EDX, HV_EDX_EXTENDED_FLUSH },
	{ SPEC_HV_XMM_INPUT, EDX, HV_EDX_XMM_INPUT },
	{ SPEC_HV_TLBFLUSH, HINTS, HV_HINT_REMOTE_FLUSH },
	{ SPEC_HV_IPI, HINTS, HV_HINT_CLUSTER_IPI },
	{ SPEC_HV_EVMCS, HINTS, HV_HINT_EVMCS },
};

enum { LEAVES_MAX = 32 };

static unsigned int from_leaves(const struct kvm_cpuid2 *c)
{
	/* Hints to the guest, with nothing of the kernel's behind them. */
	unsigned int offered = BIT(SPEC_HV_RELAXED) | BIT(SPEC_HV_SPINLOCKS) |
			       BIT(SPEC_HV_AVIC);
	uint32_t value[3] = { 0 };

	for (uint32_t i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 0x40000003) {
			value[EAX] = e->eax;
			value[EDX] = e->edx;
		} else if (e->function == 0x40000004) {
			value[HINTS] = e->eax;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(kernel_bits); i++)
		if (value[kernel_bits[i].reg] & kernel_bits[i].bit)
			offered |= BIT(kernel_bits[i].feature);
	return offered;
}

unsigned int kvm_hyperv(struct vm *vm)
{
	_cleanup_free_ struct kvm_cpuid2 *c =
		xcalloc(1, sizeof(*c) + LEAVES_MAX * sizeof(c->entries[0]));

	c->nent = LEAVES_MAX;
	if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_HYPERV) <= 0 ||
	    ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_HV_CPUID, c) < 0)
		return 0;
	return from_leaves(c);
}

static int enable(struct vcpu *cpu, uint32_t cap, void *arg)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { (uintptr_t)arg } };

	return ioctl(cpu->fd, KVM_ENABLE_CAP, &ec) < 0 ? -errno : 0;
}

/* The synthetic interrupt controller and the enlightened VMCS are there for
 * those who enable them. */
int kvm_hyperv_enable(struct vcpu *cpu, const struct x86_cpuid *cpuid)
{
	struct x86_cpuid *c = (struct x86_cpuid *)cpuid;
	const struct x86_cpuid_leaf *l = x86_cpuid_find(c, 0x40000003, 0);
	const struct x86_cpuid_leaf *hints = x86_cpuid_find(c, 0x40000004, 0);
	uint16_t versions; /* the kernel's; leaf 4000000AH has told them */
	int r = 0;

	cpu->hyperv = l;
	cpu->synic = l && l->eax & HV_EAX_SYNIC;
	if (cpu->synic)
		r = enable(cpu, KVM_CAP_HYPERV_SYNIC2, NULL);
	if (r == 0 && l && hints && hints->eax & HV_HINT_EVMCS)
		r = enable(cpu, KVM_CAP_HYPERV_ENLIGHTENED_VMCS, &versions);
	return r;
}

/*
 * Beyond the kernel's own list; its order there is that of setting, too: the
 * pages before the sources, a timer's count before its settings.
 */
uint32_t kvm_hyperv_msr(const struct vcpu *cpu, unsigned int i)
{
	static const uint32_t pages[] = { 0x40000080, 0x40000082, 0x40000083 };

	if (!cpu->synic)
		return 0;
	if (i < ARRAY_SIZE(pages))
		return pages[i];
	i -= ARRAY_SIZE(pages);
	if (i < 16)
		return 0x40000090 + i;
	i -= 16;
	return i < 8 ? 0x400000b0 + (i ^ 1) : 0;
}

/* Hypercalls that the kernel leaves to us; changes of the pages' places. */
void kvm_exit_hyperv(struct kvm_run *run)
{
	enum { STATUS_INVALID_CODE = 2 };

	if (run->hyperv.type == KVM_EXIT_HYPERV_HCALL)
		run->hyperv.u.hcall.result = STATUS_INVALID_CODE;
}
