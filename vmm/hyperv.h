/*
 * vmm/hyperv.h -- what a guest is told of Hyper-V's help (Microsoft, Hypervisor
 * Top Level Functional Specification, "Feature and Interface Discovery").
 */
#ifndef VMM_HYPERV_H
#define VMM_HYPERV_H

#include "cpu/cpuid.h"
#include "vmm/spec.h"

struct error;

/* Leaf 0x40000003: what the partition may use. */
enum {
	HV_EAX_RUNTIME = 1 << 0,
	HV_EAX_REFERENCE_COUNT = 1 << 1,
	HV_EAX_SYNIC = 1 << 2,
	HV_EAX_STIMER = 1 << 3,
	HV_EAX_APIC = 1 << 4,
	HV_EAX_HYPERCALL = 1 << 5,
	HV_EAX_VPINDEX = 1 << 6,
	HV_EAX_RESET = 1 << 7,
	HV_EAX_REFERENCE_TSC = 1 << 9,
	HV_EAX_FREQUENCIES = 1 << 11,
	HV_EAX_REENLIGHTENMENT = 1 << 13,
	HV_EDX_XMM_INPUT = 1 << 4,
	HV_EDX_FREQUENCIES = 1 << 8,
	HV_EDX_EXTENDED_FLUSH = 1 << 14,
	HV_EDX_STIMER_DIRECT = 1 << 19,
	HV_EBX_POST_MESSAGES = 1 << 4,
	HV_EBX_SIGNAL_EVENTS = 1 << 5,
};
/* Leaf 0x40000004: what it had better use. */
enum {
	HV_HINT_REMOTE_FLUSH = 1 << 2,
	HV_HINT_APIC = 1 << 3,
	HV_HINT_RESET = 1 << 4,
	HV_HINT_RELAXED = 1 << 5,
	HV_HINT_NO_AUTO_EOI = 1 << 9,
	HV_HINT_CLUSTER_IPI = 1 << 10,
	HV_HINT_EX_MASKS = 1 << 11,
	HV_HINT_EVMCS = 1 << 14,
};

/*
 * offered: bits (enum spec_hyperv) that the engine honours.  What is asked for
 * and not offered, or needs what is not asked for, is an error.
 */
int hyperv_check(const struct vmm_spec *spec, unsigned int offered,
		 const char *engine, struct error *err);

/* Puts the leaves there; KVM's own move away, or go where it is hidden. */
void hyperv_cpuid(struct x86_cpuid *cpuid, const struct vmm_spec *spec);

#endif
