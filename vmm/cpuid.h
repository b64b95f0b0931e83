/*
 * vmm/cpuid.h -- the guest's CPUID: topology, models and single features.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpuid.h"
#include "vmm/spec.h"

struct error;

/* The APIC ID is package, die, core and thread, each in its own bits. */
struct cpu_topology {
	unsigned int dies, cores, threads; /* per package, die, core */
	unsigned int thread_bits, core_bits, die_bits;
	unsigned int vcpus;
};

int cpuid_topology(const struct vmm_spec *spec, struct cpu_topology *ret_t,
		   struct error *err);
unsigned int cpuid_apic_id(const struct cpu_topology *t, unsigned int n);
/* The bits below the package's. */
unsigned int cpuid_package_bits(const struct cpu_topology *t);

/*
 * Narrows what the engine can do to what the specification asks for.
 * any_vendor: a model may also say that it is another maker's CPU.
 */
int cpuid_apply_spec(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		     bool any_vendor, struct error *err);

/* Puts vCPU n's APIC ID and the topology into a copy of the leaves. */
void cpuid_for_vcpu(struct x86_cpuid *cpuid, const struct cpu_topology *t,
		    unsigned int n);

unsigned int cpuid_phys_bits(struct x86_cpuid *cpuid);
bool cpuid_is_amd(struct x86_cpuid *cpuid);

/* vmm/cpuid_cache.c: the host's caches, made-up ones, or none. */
void cpuid_caches(struct x86_cpuid *cpuid, enum spec_cpu_cache mode);

void cpuid_drop(struct x86_cpuid *cpuid, uint32_t function);
void cpuid_add(struct x86_cpuid *cpuid, const struct x86_cpuid_leaf *leaf);

#endif
