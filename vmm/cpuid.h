/*
 * vmm/cpuid.h -- the guest's CPUID: topology, models and single features.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct vmm_spec;
struct x86_cpuid;

/* The APIC ID is package, core and thread, each in its own bits. */
struct cpu_topology {
	unsigned int cores, threads; /* per package, per core */
	unsigned int thread_bits, core_bits;
	unsigned int vcpus;
};

int cpuid_topology(const struct vmm_spec *spec, struct cpu_topology *ret_t,
		   struct error *err);
unsigned int cpuid_apic_id(const struct cpu_topology *t, unsigned int n);

/* Narrows what the engine can do to what the specification asks for. */
int cpuid_apply_spec(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		     struct error *err);

/* Puts vCPU n's APIC ID and the topology into a copy of the leaves. */
void cpuid_for_vcpu(struct x86_cpuid *cpuid, const struct cpu_topology *t,
		    unsigned int n);

unsigned int cpuid_phys_bits(struct x86_cpuid *cpuid);

#endif
