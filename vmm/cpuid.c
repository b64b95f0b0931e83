/*
 * vmm/cpuid.c -- the guest's CPUID (SDM vol. 2A, "CPUID"; AMD APM vol. 3,
 * appendix E).
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "cpu/models.h"
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
	unsigned int dies = spec->dies ? spec->dies : 1;
	unsigned int cores = spec->cores ? spec->cores : 1;
	unsigned int threads = spec->threads ? spec->threads : 1;

	if (!spec->vcpus || spec->vcpus > VCPUS_MAX)
		return error_set(err, -EINVAL,
				 "%u vCPUs: the machine has 1 to %d",
				 spec->vcpus, VCPUS_MAX);
	if (dies > VCPUS_MAX || cores > VCPUS_MAX || threads > VCPUS_MAX)
		return error_set(err, -EINVAL,
				 "a topology of %u dies, %u cores and %u "
				 "threads is beyond the machine", dies, cores,
				 threads);
	*ret_t = (struct cpu_topology){
		.dies = dies,
		.cores = cores,
		.threads = threads,
		.die_bits = bits_for(dies),
		.thread_bits = bits_for(threads),
		.core_bits = bits_for(cores),
		.vcpus = MAX(spec->vcpus, spec->max_vcpus),
	};
	return 0;
}

unsigned int cpuid_apic_id(const struct cpu_topology *t, unsigned int n)
{
	unsigned int thread = n % t->threads;
	unsigned int core = n / t->threads % t->cores;
	unsigned int die = n / t->threads / t->cores % t->dies;
	unsigned int package = n / t->threads / t->cores / t->dies;

	return package << cpuid_package_bits(t) |
	       die << (t->core_bits + t->thread_bits) |
	       core << t->thread_bits | thread;
}

unsigned int cpuid_package_bits(const struct cpu_topology *t)
{
	return t->die_bits + t->core_bits + t->thread_bits;
}

unsigned int cpuid_phys_bits(struct x86_cpuid *cpuid)
{
	const struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x80000008,
							   0);
	unsigned int bits = leaf ? leaf->eax & 0xff : 0;

	return bits >= 32 ? bits : 36;
}

bool cpuid_is_amd(struct x86_cpuid *cpuid)
{
	const struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0, 0);

	return leaf && (leaf->ebx == 0x68747541 ||  /* "Auth" */
			leaf->ebx == 0x6f677948);   /* "Hygo" */
}

static void cpuid_leaf1(struct x86_cpuid *cpuid, const struct cpu_topology *t,
			unsigned int apic_id)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 1, 0);
	unsigned int logical = 1u << cpuid_package_bits(t);

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
			leaf->eax |= MIN((1u << (t->core_bits + t->die_bits)) -
					 1, 63u) << 26;
	}
}

void cpuid_drop(struct x86_cpuid *cpuid, uint32_t function)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cpuid->n; i++) {
		if (cpuid->leaf[i].function != function)
			cpuid->leaf[n++] = cpuid->leaf[i];
	}
	cpuid->n = n;
}

void cpuid_add(struct x86_cpuid *cpuid,
	       const struct x86_cpuid_leaf *leaf)
{
	if (cpuid->n < X86_CPUID_MAX)
		cpuid->leaf[cpuid->n++] = *leaf;
}

/*
 * "Extended Topology Enumeration": threads, cores, and in leaf 1FH dies; the
 * next one ends it.  Leaf 0BH has no dies: its second level is the package.
 */
static void cpuid_leaf_b(struct x86_cpuid *cpuid, uint32_t function,
			 const struct cpu_topology *t, unsigned int apic_id)
{
	enum { SMT = 1, CORE = 2, DIE = 5 };
	unsigned int package = cpuid_package_bits(t);
	bool dies = function == 0x1f && t->dies > 1;
	const struct {
		unsigned int type, bits, logical;
	} level[] = {
		{ SMT, t->thread_bits, t->threads },
		{ CORE, dies ? t->thread_bits + t->core_bits : package,
		  t->threads * t->cores * (dies ? 1 : t->dies) },
		{ DIE, package, t->threads * t->cores * t->dies },
	};
	unsigned int n = dies ? 3 : 2;
	struct x86_cpuid_leaf leaf = { .function = function, .indexed = true,
				       .edx = apic_id };

	cpuid_drop(cpuid, function);
	for (unsigned int i = 0; i < n; i++) {
		leaf.index = i;
		leaf.eax = level[i].bits;
		leaf.ebx = level[i].logical;
		leaf.ecx = level[i].type << 8 | i;
		cpuid_add(cpuid, &leaf);
	}
	leaf.index = n;
	leaf.eax = leaf.ebx = 0;
	leaf.ecx = n;
	cpuid_add(cpuid, &leaf);
}

/* AMD: the ID's size and the count of threads, and the unit leaf. */
static void cpuid_amd(struct x86_cpuid *cpuid, const struct cpu_topology *t,
		      unsigned int apic_id)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x80000008, 0);
	unsigned int logical = t->dies * t->cores * t->threads;

	if (leaf)
		leaf->ecx = (leaf->ecx & ~0xf0ffu) | MIN(logical - 1, 255) |
			    cpuid_package_bits(t) << 12;
	leaf = x86_cpuid_find(cpuid, 0x8000001e, 0);
	if (leaf) {
		leaf->eax = apic_id;
		leaf->ebx = (apic_id >> t->thread_bits & 0xff) |
			    (t->threads - 1) << 8;
		/* Nodes of the package, and which is this one. */
		leaf->ecx = MIN(t->dies - 1, 7u) << 8 |
			    apic_id >> (t->thread_bits + t->core_bits);
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
	if (max && max->eax >= 0xb && t->dies > 1)
		max->eax = MAX(max->eax, 0x1fu); /* the only one with dies */
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
	struct cpu_set have;
	uint32_t gone = 0;

	cpu_set_read(&have, cpuid);
	for (size_t i = 0; i < ARRAY_SIZE(xsave_users); i++) {
		if (!cpu_set_has(&have, xsave_users[i].feature))
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
static int want_feature(struct cpu_set *want, const struct cpu_set *have,
			const struct spec_cpu_feature *f, struct error *err)
{
	int feature = cpu_feature_find(f->name);

	if (feature < 0)
		return error_set(err, -EINVAL, "unknown CPU feature '%s'",
				 f->name);
	if (cpu_feature_settled(feature))
		return 0;
	if (f->enable && !cpu_set_test(have, feature))
		return error_set(err, -ENOTSUP,
				 "CPU feature '%s' is not available on this "
				 "host and engine", f->name);
	cpu_set_put(want, feature, f->enable);
	return 0;
}

static int want_features(struct cpu_set *want, const struct cpu_set *have,
			 const struct vmm_spec *spec, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_cpu_features && r == 0; i++)
		r = want_feature(want, have, &spec->cpu_features[i], err);
	return r;
}

/* Still without the specification's own features. */
static struct cpu_set model_features(const struct cpu_model *model,
				     const struct cpu_set *have)
{
	struct cpu_set want = cpu_model_features(model);
	struct cpu_set spare = cpu_features_spare();
	struct cpu_set always = cpu_features_always();

	want = cpu_set_minus(&want, &spare);
	cpu_set_and(&always, have);
	cpu_set_or(&want, &always);
	return want;
}

static int check_model(const struct cpu_model *model,
		       const struct cpu_set *want, const struct cpu_set *have,
		       struct error *err)
{
	struct cpu_set lacks = cpu_set_minus(want, have);
	_cleanup_buf_ struct buf names = { 0 };

	if (!cpu_set_count(&lacks))
		return 0;
	cpu_set_print(&lacks, &names);
	return error_set(err, -ENOTSUP,
			 "CPU model '%s' needs what this host and engine "
			 "lack: %s", model->name, names.data);
}

/*
 * Who the CPU says it is.  Where the host's instructions run the guest, its
 * maker stays the host's: SYSCALL and SYSENTER differ.
 */
static void identify(struct x86_cpuid *cpuid, const struct cpu_model *model,
		     bool any_vendor)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 1, 0);
	struct x86_cpuid_leaf *extended =
		x86_cpuid_find(cpuid, 0x80000001, 0);

	if (leaf)
		leaf->eax = x86_signature_eax(&model->signature);
	if (leaf && extended)
		extended->eax = leaf->eax;
	if (model->brand[0])
		x86_cpuid_set_brand(cpuid, model->brand);
	if (model->vendor && any_vendor)
		x86_cpuid_set_vendor(cpuid, model->vendor);
}

/* AMD APM vol. 3, appendix E: AMD's repeat half of leaf 1's EDX. */
static void repeat_features(struct x86_cpuid *cpuid)
{
	const uint32_t repeated = 0x0183f3ff;
	const struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 1, 0);
	struct x86_cpuid_leaf *extended =
		x86_cpuid_find(cpuid, 0x80000001, 0);

	if (!leaf || !extended)
		return;
	extended->edx &= ~repeated;
	if (cpuid_is_amd(cpuid))
		extended->edx |= leaf->edx & repeated;
}

/* AMD APM vol. 3, appendix E: leaf 8000000AH is SVM's. */
static void drop_svm_leaf(struct x86_cpuid *cpuid)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x8000000a, 0);
	struct cpu_set have;

	cpu_set_read(&have, cpuid);
	if (leaf && !cpu_set_has(&have, "svm"))
		leaf->eax = leaf->ebx = leaf->ecx = leaf->edx = 0;
}

/* A CPU of another maker has none of AMD's own leaves. */
static void limit_leaves(struct x86_cpuid *cpuid)
{
	struct x86_cpuid_leaf *extended =
		x86_cpuid_find(cpuid, 0x80000000, 0);

	if (extended && !cpuid_is_amd(cpuid))
		extended->eax = MIN(extended->eax, 0x80000008u);
}

static int apply_model(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		       bool any_vendor, struct error *err)
{
	const struct cpu_model *model = cpu_model_find(spec->cpu_model);
	struct cpu_set have, want;
	int r;

	if (!model)
		return error_set(err, -EINVAL, "unknown CPU model '%s'",
				 spec->cpu_model);
	cpu_set_read(&have, cpuid);
	want = model_features(model, &have);
	r = want_features(&want, &have, spec, err);
	if (r == 0)
		r = check_model(model, &want, &have, err);
	if (r < 0)
		return r;
	cpu_set_clear_unnamed(cpuid);
	cpu_set_write(&want, cpuid);
	identify(cpuid, model, any_vendor);
	return 0;
}

/* Those that the specification switches on. */
static struct cpu_set named_features(const struct vmm_spec *spec)
{
	struct cpu_set named = { 0 };

	for (unsigned int i = 0; i < spec->n_cpu_features; i++)
		if (spec->cpu_features[i].enable)
			cpu_set_parse(&named, spec->cpu_features[i].name);
	return named;
}

static int apply_host(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		      struct error *err)
{
	struct cpu_set have, want, named = named_features(spec);
	int r;

	cpu_set_read(&have, cpuid);
	want = cpu_set_not_nested(&have, &named);
	r = want_features(&want, &have, spec, err);
	if (r == 0)
		cpu_set_write(&want, cpuid);
	return r;
}

static int set_vendor(struct x86_cpuid *cpuid, const char *vendor,
		      struct error *err)
{
	if (strlen(vendor) != 12)
		return error_set(err, -EINVAL,
				 "CPU vendor '%s' is not of 12 letters",
				 vendor);
	x86_cpuid_set_vendor(cpuid, vendor);
	return 0;
}

/* SDM vol. 2A, "CPUID", leaf 80000008H. */
static int set_phys_bits(struct x86_cpuid *cpuid, unsigned int bits,
			 struct error *err)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x80000008, 0);
	unsigned int max = cpuid_phys_bits(cpuid);

	if (!leaf || bits < 32 || bits > max)
		return error_set(err, -ENOTSUP,
				 "%u physical address bits: the engine has 32 "
				 "to %u", bits, max);
	leaf->eax = (leaf->eax & ~0xffu) | bits;
	return 0;
}

static bool is_model(const char *name)
{
	return name && !str_eq(name, "host") && !str_eq(name, "max");
}

/* Linux, Documentation/virt/kvm/x86/cpuid.rst: KVM_HINTS_REALTIME. */
static void hint_dedicated(struct x86_cpuid *cpuid)
{
	struct x86_cpuid_leaf *leaf = x86_cpuid_find(cpuid, 0x40000001, 0);

	if (leaf)
		leaf->edx |= BIT(0);
}

int cpuid_apply_spec(struct x86_cpuid *cpuid, const struct vmm_spec *spec,
		     bool any_vendor, struct error *err)
{
	bool amd = cpuid_is_amd(cpuid);
	int r = is_model(spec->cpu_model) ?
			apply_model(cpuid, spec, any_vendor, err) :
			apply_host(cpuid, spec, err);

	if (r == 0 && spec->cpu_vendor)
		r = set_vendor(cpuid, spec->cpu_vendor, err);
	if (r == 0 && spec->cpu_phys_bits)
		r = set_phys_bits(cpuid, spec->cpu_phys_bits, err);
	if (r < 0)
		return r;
	repeat_features(cpuid);
	if (spec->kvm_dedicated)
		hint_dedicated(cpuid);
	drop_svm_leaf(cpuid);
	limit_leaves(cpuid);
	cpuid_narrow_xsave(cpuid);
	cpuid_caches(cpuid, cpuid_is_amd(cpuid) == amd ? spec->cpu_cache :
							 SPEC_CPU_EMULATE);
	return 0;
}
