/*
 * vmm/hyperv.c -- what a guest is told of Hyper-V's help.
 */
#include "vmm/hyperv.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/cpuid.h"

enum { BASE = 0x40000000, MAX_LEAF = 0x40000005, EVMCS_LEAF = 0x4000000a,
       KVM_MOVED = 0x40000100 };
/* TLFS, "Nested Virtualization": the lowest and the highest there is. */
enum { EVMCS_VERSIONS = 1 << 8 | 1 };
#define INTERFACE 0x31237648 /* "Hv#1" */

/* What needs what; QEMU and libvirt have the same rules. */
static const struct {
	enum spec_hyperv feature, needs;
} needs[] = {
	{ SPEC_HV_SYNIC, SPEC_HV_VPINDEX },
	{ SPEC_HV_STIMER, SPEC_HV_SYNIC },
	{ SPEC_HV_STIMER, SPEC_HV_TIME },
	{ SPEC_HV_STIMER_DIRECT, SPEC_HV_STIMER },
	{ SPEC_HV_TLBFLUSH, SPEC_HV_VPINDEX },
	{ SPEC_HV_TLBFLUSH_EXTENDED, SPEC_HV_TLBFLUSH },
	{ SPEC_HV_IPI, SPEC_HV_VPINDEX },
	{ SPEC_HV_EVMCS, SPEC_HV_VAPIC },
};

static bool wants(const struct vmm_spec *spec, enum spec_hyperv feature)
{
	return spec->hyperv & BIT(feature);
}

static const char *name_of(enum spec_hyperv feature)
{
	/* Its switch is a timer's. */
	return feature == SPEC_HV_TIME ? "hypervclock" :
					 vmm_spec_hyperv_name(feature);
}

int hyperv_check(const struct vmm_spec *spec, unsigned int offered,
		 const char *engine, struct error *err)
{
	for (unsigned int i = 0; i < SPEC_HV_FEATURES; i++)
		if (wants(spec, i) && !(offered & BIT(i)))
			return error_set(err, -ENOTSUP,
					 "Hyper-V's '%s' is not available with the %s engine on this host",
					 name_of(i), engine);
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (wants(spec, needs[i].feature) &&
		    !wants(spec, needs[i].needs))
			return error_set(err, -EINVAL,
					 "Hyper-V's '%s' needs '%s'",
					 name_of(needs[i].feature),
					 name_of(needs[i].needs));
	return 0;
}

/* Bits of a register, for features that are wanted. */
struct pair {
	enum spec_hyperv feature;
	uint32_t bits;
};

static uint32_t collect(const struct vmm_spec *spec, const struct pair *pairs,
			size_t n)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++)
		if (wants(spec, pairs[i].feature))
			bits |= pairs[i].bits;
	return bits;
}
#define COLLECT(spec, pairs) collect(spec, pairs, ARRAY_SIZE(pairs))

static const struct pair privileges[] = {
	{ SPEC_HV_RUNTIME, HV_EAX_RUNTIME },
	{ SPEC_HV_TIME, HV_EAX_REFERENCE_COUNT | HV_EAX_REFERENCE_TSC },
	{ SPEC_HV_SYNIC, HV_EAX_SYNIC },
	{ SPEC_HV_STIMER, HV_EAX_STIMER },
	{ SPEC_HV_VAPIC, HV_EAX_APIC },
	{ SPEC_HV_VPINDEX, HV_EAX_VPINDEX },
	{ SPEC_HV_RESET, HV_EAX_RESET },
	{ SPEC_HV_FREQUENCIES, HV_EAX_FREQUENCIES },
	{ SPEC_HV_REENLIGHTENMENT, HV_EAX_REENLIGHTENMENT },
};
static const struct pair more_privileges[] = {
	{ SPEC_HV_SYNIC, HV_EBX_POST_MESSAGES | HV_EBX_SIGNAL_EVENTS },
};
static const struct pair facilities[] = {
	{ SPEC_HV_FREQUENCIES, HV_EDX_FREQUENCIES },
	{ SPEC_HV_STIMER_DIRECT, HV_EDX_STIMER_DIRECT },
	{ SPEC_HV_TLBFLUSH_EXTENDED, HV_EDX_EXTENDED_FLUSH },
	{ SPEC_HV_XMM_INPUT, HV_EDX_XMM_INPUT },
};
static const struct pair hints[] = {
	{ SPEC_HV_TLBFLUSH, HV_HINT_REMOTE_FLUSH | HV_HINT_EX_MASKS },
	{ SPEC_HV_VAPIC, HV_HINT_APIC },
	{ SPEC_HV_RELAXED, HV_HINT_RELAXED },
	{ SPEC_HV_IPI, HV_HINT_CLUSTER_IPI | HV_HINT_EX_MASKS },
	{ SPEC_HV_EVMCS, HV_HINT_EVMCS },
	/* Message interrupts are ended by the guest: with posted interrupts
	 * of the host's processor, and with the emulator. */
	{ SPEC_HV_AVIC, HV_HINT_NO_AUTO_EOI },
	{ SPEC_HV_SYNIC, HV_HINT_NO_AUTO_EOI },
};

static void move_kvm(struct x86_cpuid *cpuid, bool hidden)
{
	if (hidden) {
		cpuid_drop(cpuid, BASE);
		cpuid_drop(cpuid, BASE + 1);
		return;
	}
	for (unsigned int i = 0; i < cpuid->n; i++) {
		struct x86_cpuid_leaf *leaf = &cpuid->leaf[i];

		if (leaf->function != BASE && leaf->function != BASE + 1)
			continue;
		if (leaf->function == BASE)
			leaf->eax = KVM_MOVED + 1;
		leaf->function += KVM_MOVED - BASE;
	}
}

static void add_identity(struct x86_cpuid *cpuid, const struct vmm_spec *spec)
{
	struct x86_cpuid_leaf leaf = {
		.function = BASE,
		.eax = wants(spec, SPEC_HV_EVMCS) ? EVMCS_LEAF : MAX_LEAF,
	};
	char vendor[12] = "Microsoft Hv";

	if (spec->hyperv_vendor) {
		memset(vendor, 0, sizeof(vendor));
		memcpy(vendor, spec->hyperv_vendor,
		       MIN(strlen(spec->hyperv_vendor), sizeof(vendor)));
	}
	memcpy(&leaf.ebx, vendor, 4);
	memcpy(&leaf.ecx, vendor + 4, 4);
	memcpy(&leaf.edx, vendor + 8, 4);
	cpuid_add(cpuid, &leaf);
	cpuid_add(cpuid, &(struct x86_cpuid_leaf){ .function = BASE + 1,
						   .eax = INTERFACE });
	/* Build and version: those of the first that had all of this. */
	cpuid_add(cpuid, &(struct x86_cpuid_leaf){ .function = BASE + 2,
						   .eax = 14393,
						   .ebx = 10 << 16 });
}

void hyperv_cpuid(struct x86_cpuid *cpuid, const struct vmm_spec *spec)
{
	struct x86_cpuid_leaf leaf = { .function = BASE + 3 };
	bool any = spec->hyperv || spec->hyperv_vendor;

	if (any || spec->kvm_hidden)
		move_kvm(cpuid, spec->kvm_hidden);
	if (!any)
		return;
	add_identity(cpuid, spec);
	leaf.eax = COLLECT(spec, privileges) | HV_EAX_HYPERCALL;
	leaf.ebx = COLLECT(spec, more_privileges);
	leaf.edx = COLLECT(spec, facilities);
	cpuid_add(cpuid, &leaf);
	leaf = (struct x86_cpuid_leaf){ .function = BASE + 4 };
	leaf.eax = COLLECT(spec, hints);
	leaf.ebx = wants(spec, SPEC_HV_SPINLOCKS) && spec->hyperv_retries ?
			   spec->hyperv_retries :
			   UINT32_MAX;
	cpuid_add(cpuid, &leaf);
	cpuid_add(cpuid, &(struct x86_cpuid_leaf){ .function = BASE + 5,
						   .eax = UINT32_MAX,
						   .ebx = UINT32_MAX });
	for (uint32_t f = BASE + 6;
	     wants(spec, SPEC_HV_EVMCS) && f <= EVMCS_LEAF; f++)
		cpuid_add(cpuid, &(struct x86_cpuid_leaf){
					 .function = f,
					 .eax = f == EVMCS_LEAF ? EVMCS_VERSIONS : 0 });
}
