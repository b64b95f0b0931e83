/*
 * drivers/kvm/cpuid.c -- CPUID between the kernel's form and ours.  The
 * daemon links this file too, to know what guests can be given.
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/util.h"

/* SDM vol. 2A, "CPUID", leaf 01H, ECX. */
#define ECX1_X2APIC BIT(21)
#define ECX1_TSC_DEADLINE BIT(24)
#define ECX1_HYPERVISOR BIT(31)

static struct kvm_cpuid2 *alloc_cpuid(unsigned int n)
{
	struct kvm_cpuid2 *c =
		xcalloc(1, sizeof(*c) + n * sizeof(c->entries[0]));

	c->nent = n;
	return c;
}

/*
 * API 4.46 (KVM_GET_SUPPORTED_CPUID) leaves bits out that depend on where the
 * local APIC is; ours is in the kernel, which does both.
 */
static void add_apic_bits(int kvm_fd, struct x86_cpuid *cpuid)
{
	struct x86_cpuid_leaf *l = x86_cpuid_find(cpuid, 1, 0);

	if (!l)
		return;
	l->ecx |= ECX1_X2APIC | ECX1_HYPERVISOR;
	if (ioctl(kvm_fd, KVM_CHECK_EXTENSION,
		  KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		l->ecx |= ECX1_TSC_DEADLINE;
}

int kvm_cpuid(int kvm_fd, struct x86_cpuid *ret_cpuid)
{
	_cleanup_free_ struct kvm_cpuid2 *c = alloc_cpuid(X86_CPUID_MAX);

	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) < 0)
		return -errno;
	ret_cpuid->n = c->nent;
	for (uint32_t i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		ret_cpuid->leaf[i] = (struct x86_cpuid_leaf){
			.function = e->function,
			.index = e->index,
			.indexed = e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = e->eax,
			.ebx = e->ebx,
			.ecx = e->ecx,
			.edx = e->edx,
		};
	}
	add_apic_bits(kvm_fd, ret_cpuid);
	return 0;
}

int kvm_set_cpuid(struct vcpu *cpu, const struct x86_cpuid *cpuid)
{
	_cleanup_free_ struct kvm_cpuid2 *c = alloc_cpuid(cpuid->n);

	for (unsigned int i = 0; i < cpuid->n; i++) {
		const struct x86_cpuid_leaf *l = &cpuid->leaf[i];

		c->entries[i] = (struct kvm_cpuid_entry2){
			.function = l->function,
			.index = l->index,
			.flags = l->indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX :
					      0,
			.eax = l->eax,
			.ebx = l->ebx,
			.ecx = l->ecx,
			.edx = l->edx,
		};
	}
	return ioctl(cpu->fd, KVM_SET_CPUID2, c) < 0 ? -errno : 0;
}
