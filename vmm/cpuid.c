/*
 * vmm/cpuid.c -- the guest's CPUID (SDM vol. 2A, "CPUID"; AMD APM vol. 3,
 * appendix E).
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/cpu_models.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

enum { VCPUS_MAX = 1024 };

static unsigned int bits_for(unsigned int n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

/* Not given: every vCPU is a package of its own, as libvirt has it. */
int cpuid_topology(const struct vmm_spec *spec, struct cpu_topology *ret_t,
		   struct error *err)
{
	unsigned int cores = spec->cores ? spec->cores : 1;
	unsigned int threads = spec->threads ? spec->threads : 1;

	if (!spec->vcpus || spec->vcpus > VCPUS_MAX)
		return error_set(err, -EINVAL,
				 "%u vCPUs: the machine has 1 to %d",
				 spec->vcpus, VCPUS_MAX);
	if (cores > VCPUS_MAX || threads > VCPUS_MAX)
		return error_set(err, -EINVAL,
				 "a topology of %u cores and %u threads is "
				 "beyond the machine", cores, threads);
	*ret_t = (struct cpu_topology){
		.cores = cores,
		.threads = threads,
		.thread_bits = bits_for(threads),
		.core_bits = bits_for(cores),
		.vcpus = spec->vcpus,
	};
	return 0;
}

unsigned int cpuid_apic_id(const struct cpu_topology *t, unsigned int n)
{
	unsigned int thread = n % t->threads;
	unsigned int core = n / t->threads % t->cores;
	unsigned int package = n / t->threads / t->cores;

	return package << (t->core_bits + t->thread_bits) |
	       core << t->thread_bits | thread;
}

unsigned int cpuid_phys_bits(struct x86_cpuid *cpuid)
{
	const struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x80000008,
							   0);
	unsigned int bits = leaf ? leaf->eax & 0xff : 0;

	return bits >= 32 ? bits : 36;
}

static bool cpuid_is_amd(struct x86_cpuid *cpuid)
{
	const struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0, 0);

	return leaf && (leaf->ebx == 0x68747541 ||  /* "Auth" */
			leaf->ebx == 0x6f677948);   /* "Hygo" */
}

static void cpuid_leaf1(struct x86_cpuid *cpuid, const struct cpu_topology *t,
			unsigned int apic_id)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 1, 0);
	unsigned int logical = 1u << (t->core_bits + t->thread_bits);

	if (!leaf)
		return;
	leaf->ebx = (leaf->ebx & 0xffff) | (apic_id & 0xff) << 24 |
		    MIN(logical, 255) << 16;
	if (logical > 1)
		leaf->edx |= BIT(28); /* HTT: the count is valid */
	else
		leaf->edx &= ~BIT(28);
}

/* Leaf 4: who shares each cache, and the cores of a package. */
static void cpuid_leaf4(struct x86_cpuid *cpuid, const struct cpu_topology *t)
{
	for (unsigned int i = 0; i < cpuid->n; i++) {
		struct x86_cpuid_leaf *leaf = &cpuid->leaf[i];
		unsigned int level = leaf->eax >> 5 & 7, sharing;

		if ((leaf->function != 4 && leaf->function != 0x8000001d) ||
		    !(leaf->eax & 0x1f))
			continue;
		sharing = 1u << (t->thread_bits + (level > 2 ? t->core_bits :
							       0));
		leaf->eax = (leaf->eax & 0x3fff) | (sharing - 1) << 14;
		if (leaf->function == 4)
			leaf->eax |= ((1u << t->core_bits) - 1) << 26;
	}
}

static void cpuid_drop(struct x86_cpuid *cpuid, uint32_t function)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cpuid->n; i++) {
		if (cpuid->leaf[i].function != function)
			cpuid->leaf[n++] = cpuid->leaf[i];
	}
	cpuid->n = n;
}

static void cpuid_add(struct x86_cpuid *cpuid,
		      const struct x86_cpuid_leaf *leaf)
{
	if (cpuid->n < X86_CPUID_MAX)
		cpuid->leaf[cpuid->n++] = *leaf;
}

/* "Extended Topology Enumeration": threads, cores, end. */
static void cpuid_leaf_b(struct x86_cpuid *cpuid, uint32_t function,
			 const struct cpu_topology *t, unsigned int apic_id)
{
	struct x86_cpuid_leaf leaf = { .function = function, .indexed = true,
				       .edx = apic_id };

	cpuid_drop(cpuid, function);
	leaf.eax = t->thread_bits;
	leaf.ebx = t->threads;
	leaf.ecx = 1 << 8;
	cpuid_add(cpuid, &leaf);
	leaf.index = 1;
	leaf.eax = t->thread_bits + t->core_bits;
	leaf.ebx = t->threads * t->cores;
	leaf.ecx = 2 << 8 | 1;
	cpuid_add(cpuid, &leaf);
	leaf.index = 2;
	leaf.eax = leaf.ebx = 0;
	leaf.ecx = 2;
	cpuid_add(cpuid, &leaf);
}

/* AMD: the ID's size and the count of threads, and the unit leaf. */
static void cpuid_amd(struct x86_cpuid *cpuid, const struct cpu_topology *t,
		      unsigned int apic_id)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x80000008, 0);
	unsigned int logical = t->cores * t->threads;

	if (leaf)
		leaf->ecx = (leaf->ecx & ~0xf0ffu) | MIN(logical - 1, 255) |
			    (t->core_bits + t->thread_bits) << 12;
	leaf = x86_cpuid_find(cpuid, 0x8000001e, 0);
	if (leaf) {
		leaf->eax = apic_id;
		leaf->ebx = (apic_id >> t->thread_bits & 0xff) |
			    (t->threads - 1) << 8;
		leaf->ecx = 0;
	}
	leaf = x86_cpuid_find(cpuid, 0x80000001, 0);
	if (leaf && logical > 1)
		leaf->ecx |= BIT(1); /* CmpLegacy */
	else if (leaf)
		leaf->ecx &= ~BIT(1);
}

void cpuid_for_vcpu(struct x86_cpuid *cpuid, const struct cpu_topology *t,
		    unsigned int n)
{
	struct x86_cpuid_leaf *max = x86_cpuid_find(cpuid, 0, 0);
	unsigned int apic_id = cpuid_apic_id(t, n);

	cpuid_leaf1(cpuid, t, apic_id);
	cpuid_leaf4(cpuid, t);
	if (max && max->eax >= 0xb)
		cpuid_leaf_b(cpuid, 0xb, t, apic_id);
	if (max && max->eax >= 0x1f)
		cpuid_leaf_b(cpuid, 0x1f, t, apic_id);
	if (cpuid_is_amd(cpuid))
		cpuid_amd(cpuid, t, apic_id);
}

/*
 * SDM vol. 1, "Enabling the XSAVE Feature Set": the components that XCR0 may
 * enable follow the features that use them.
 */
static const struct {
	const char *feature;
	uint32_t components;
} xsave_users[] = {
	{ "avx", BIT(2) },
	{ "mpx", BIT(3) | BIT(4) },
	{ "avx512f", BIT(5) | BIT(6) | BIT(7) },
	{ "pku", BIT(9) },
	{ "amx-tile", BIT(17) | BIT(18) },
};

static void cpuid_narrow_xsave(struct x86_cpuid *cpuid)
{
	uint32_t gone = 0;

	for (size_t i = 0; i < ARRAY_SIZE(xsave_users); i++) {
		if (!cpu_feature_get(cpuid, xsave_users[i].feature))
			gone |= xsave_users[i].components;
	}
	for (unsigned int i = 0; i < cpuid->n; i++) {
		struct x86_cpuid_leaf *leaf = &cpuid->leaf[i];

		if (leaf->function != 0xd)
			continue;
		if (leaf->index == 0)
			leaf->eax &= ~gone;
		else if (leaf->index > 1 && leaf->index < 32 &&
			 (gone & BIT(leaf->index)))
			leaf->eax = leaf->ebx = leaf->ecx = leaf->edx = 0;
	}
}

/* On: must be there already.  Off: never an error. */
static int cpuid_feature(struct x86_cpuid *cpuid,
			 const struct spec_cpu_feature *f,
			 const struct x86_cpuid *host, struct error *err)
{
	if (!cpu_feature_known(f->name))
		return error_set(err, -EINVAL, "unknown CPU feature '%s'",
				 f->name);
	if (!f->enable)
		cpu_feature_clear(cpuid, f->name);
	else if (!cpu_feature_copy(cpuid, host, f->name))
		return error_set(err, -ENOTSUP,
				 "CPU feature '%s' is not available on this "
				 "host and engine", f->name);
	return 0;
}

static int cpuid_features(struct x86_cpuid *cpuid,
			  const struct x86_cpuid *host,
			  const struct vmm_spec *spec, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_cpu_features && r == 0; i++)
		r = cpuid_feature(cpuid, &spec->cpu_features[i], host, err);
	return r;
}

int cpuid_apply_spec(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		     struct error *err)
{
	const char *model = spec->cpu_model ? spec->cpu_model : "host";
	struct x86_cpuid *host = xmalloc(sizeof(*host));
	int r = 0;

	*host = *cpuid;
	if (!str_eq(model, "host") && !str_eq(model, "max"))
		r = cpu_model_apply(cpuid, model, err);
	if (r == 0)
		r = cpuid_features(cpuid, host, spec, err);
	if (r == 0)
		cpuid_narrow_xsave(cpuid);
	free(host);
	return r;
}
