/*
 * tests/unit/vmm/cpuid.c -- models, features and topology, on the CPUID of
 * the CPU that runs the test.
 */
#undef NDEBUG
#include <assert.h>
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "cpu/models.h"
#include "vmm/cpuid.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

static struct x86_cpuid host;

static void add(uint32_t function, uint32_t index, bool indexed)
{
	struct x86_cpuid_leaf *l = &host.leaf[host.n++];

	l->function = function;
	l->index = index;
	l->indexed = indexed;
	__cpuid_count(function, index, l->eax, l->ebx, l->ecx, l->edx);
}

static void read_host(void)
{
	add(0, 0, false);
	add(1, 0, false);
	add(4, 0, true);
	add(7, 0, true);
	add(0xd, 0, true);
	add(0xd, 1, true);
	add(0xd, 2, true);
	add(0x80000000, 0, false);
	add(0x80000001, 0, false);
	add(0x80000008, 0, false);
}

static int apply(struct x86_cpuid *c, const char *model, const char *feature,
		 bool enable)
{
	struct spec_cpu_feature f = { (char *)feature, enable };
	struct vmm_spec spec = { .cpu_model = (char *)model,
				 .n_cpu_features = feature ? 1 : 0,
				 .cpu_features = &f };
	struct error err = { 0 };
	int r;

	*c = host;
	r = cpuid_apply_spec(c, &spec, true, &err);
	assert((r < 0) == (err.message[0] != 0));
	if (r < 0 && feature)
		assert(strstr(err.message, feature));
	return r;
}

static bool has(struct x86_cpuid *c, const char *feature)
{
	struct cpu_set set;

	cpu_set_read(&set, c);
	return cpu_set_has(&set, feature);
}

static void test_models(void)
{
	struct x86_cpuid c;

	assert(apply(&c, "host", NULL, false) == 0);
	assert(apply(&c, "no such CPU", NULL, false) == -EINVAL);
	assert(apply(&c, "host", "no-such-bit", true) == -EINVAL);
	assert(apply(&c, "host", "no-such-bit", false) == -EINVAL);

	assert(has(&host, "sse4.2"));
	assert(apply(&c, "qemu64", NULL, false) == 0);
	assert(has(&c, "sse2") && !has(&c, "sse4.2"));
	assert(!has(&c, "avx"));
	/* No AVX: XCR0 cannot enable its registers. */
	assert(!(x86_cpuid_find(&c, 0xd, 0)->eax & 4));
	assert(apply(&c, "qemu64", "sse4.2", true) == 0);
	assert(has(&c, "sse4.2"));
	assert(apply(&c, "host", "sse4.2", false) == 0);
	assert(!has(&c, "sse4.2"));
	assert(apply(&c, "host", "ia64", true) == -ENOTSUP);
	for (size_t i = 0; cpu_model_at(i); i++)
		apply(&c, cpu_model_at(i)->name, NULL, false);
}

/* A model the host lacks something of says what; without it, it is fine. */
static void test_lacking(void)
{
	struct x86_cpuid c;
	struct cpu_set set;

	cpu_set_read(&set, &host);
	cpu_set_parse(&set, "-popcnt");
	cpu_set_write(&set, &host);
	assert(apply(&c, "Nehalem", NULL, false) == -ENOTSUP);
	assert(apply(&c, "Nehalem", "popcnt", false) == 0);
	assert(apply(&c, "Nehalem", "popcnt", true) == -ENOTSUP);
}

/* What guests of a guest take is given by name only. */
static void test_nested(void)
{
	const struct x86_cpuid was = host;
	struct cpu_set set;
	struct x86_cpuid c;

	add(0x8000000a, 0, false);
	cpu_set_read(&set, &host);
	cpu_set_parse(&set, "svm vmx npt nrip-save");
	cpu_set_write(&set, &host);
	x86_cpuid_find(&host, 0x8000000a, 0)->ebx = 16;
	assert(apply(&c, "host", NULL, false) == 0);
	assert(!has(&c, "svm") && !has(&c, "vmx") && !has(&c, "npt"));
	assert(!x86_cpuid_find(&c, 0x8000000a, 0)->ebx);
	assert(apply(&c, "max", NULL, false) == 0 && !has(&c, "svm"));
	assert(apply(&c, "host", "svm", true) == 0);
	assert(has(&c, "svm") && has(&c, "npt") && has(&c, "nrip-save"));
	assert(!has(&c, "vmx"));
	assert(apply(&c, "host", "vmx", true) == 0);
	assert(has(&c, "vmx") && !has(&c, "svm") && !has(&c, "npt"));
	host = was;
}

static void test_dedicated(void)
{
	struct vmm_spec spec = { .cpu_model = "host", .kvm_dedicated = true };
	struct x86_cpuid c = host;

	cpuid_add(&c, &(struct x86_cpuid_leaf){ .function = 0x40000001 });
	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	assert(x86_cpuid_find(&c, 0x40000001, 0)->edx == 1);
}

/* Whoever asks: who the CPU says it is. */
static void test_identity(void)
{
	struct vmm_spec spec = { .cpu_model = "Penryn" };
	struct x86_signature s;
	struct x86_cpuid c = host;
	char vendor[13], hosts[13];

	x86_cpuid_vendor(&host, hosts);
	assert(cpuid_apply_spec(&c, &spec, false, NULL) == 0);
	s = x86_signature_of(&c);
	assert(s.family == 6 && s.model == 23 && s.stepping == 3);
	x86_cpuid_vendor(&c, vendor);
	assert(strcmp(vendor, hosts) == 0);
	c = host;
	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	x86_cpuid_vendor(&c, vendor);
	assert(strcmp(vendor, "GenuineIntel") == 0);
	spec.cpu_vendor = "Vireo says X";
	c = host;
	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	x86_cpuid_vendor(&c, vendor);
	assert(strcmp(vendor, "Vireo says X") == 0);
	for (unsigned int i = 0; i < 0x200; i++) {
		s = (struct x86_signature){ i, i & 0xff, i & 15 };
		x86_cpuid_find(&c, 1, 0)->eax = x86_signature_eax(&s);
		if (i <= 15 + 0xff && (i >= 15 || i == 6))
			assert(x86_signature_of(&c).family == i &&
			       x86_signature_of(&c).model == (i & 0xff));
	}
}

static void test_caches(void)
{
	struct vmm_spec spec = { .cpu_cache = SPEC_CPU_EMULATE, .vcpus = 4,
				 .cores = 2, .threads = 2 };
	struct cpu_topology t;
	struct x86_cpuid c = host;
	struct x86_cpuid_leaf *l;

	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	assert(cpuid_topology(&spec, &t, NULL) == 0);
	cpuid_for_vcpu(&c, &t, 0);
	l = x86_cpuid_find(&c, 4, 2);
	/* Level 2, 512 KiB, shared by the core's threads. */
	assert((l->eax >> 5 & 7) == 2 && (l->eax >> 14 & 0xfff) == 1);
	assert(((l->ebx >> 22) + 1) * ((l->ebx & 0xfff) + 1) *
		       (l->ecx + 1) == 512 * 1024);
	assert((x86_cpuid_find(&c, 4, 3)->eax >> 14 & 0xfff) == 3);
	assert(!x86_cpuid_find(&c, 4, 4)->eax);
	spec.cpu_cache = SPEC_CPU_NO_CACHE;
	c = host;
	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	assert(!x86_cpuid_find(&c, 4, 0));
}

static void test_phys_bits(void)
{
	struct vmm_spec spec = { .cpu_phys_bits = 36 };
	struct x86_cpuid c = host;

	assert(cpuid_apply_spec(&c, &spec, true, NULL) == 0);
	assert(cpuid_phys_bits(&c) == 36);
	spec.cpu_phys_bits = 52;
	if (cpuid_phys_bits(&host) < 52)
		assert(cpuid_apply_spec(&c, &spec, true, NULL) == -ENOTSUP);
}

static void test_topology(void)
{
	struct vmm_spec spec = { .vcpus = 12, .sockets = 2, .cores = 3,
				 .threads = 2 };
	struct cpu_topology t;
	struct x86_cpuid c = host;
	struct x86_cpuid_leaf *l;

	assert(cpuid_topology(&spec, &t, NULL) == 0);
	assert(cpuid_apic_id(&t, 0) == 0 && cpuid_apic_id(&t, 1) == 1);
	assert(cpuid_apic_id(&t, 5) == 5);
	assert(cpuid_apic_id(&t, 6) == 8); /* the next package */
	cpuid_for_vcpu(&c, &t, 7);
	assert(x86_cpuid_find(&c, 1, 0)->ebx >> 24 == 9);
	if (x86_cpuid_find(&c, 0, 0)->eax >= 0xb) {
		l = x86_cpuid_find(&c, 0xb, 0);
		assert(l->eax == 1 && l->ebx == 2 && l->edx == 9);
		l = x86_cpuid_find(&c, 0xb, 1);
		assert(l->eax == 3 && l->ebx == 6);
	}
	spec = (struct vmm_spec){ .vcpus = 3 };
	assert(cpuid_topology(&spec, &t, NULL) == 0);
	assert(cpuid_apic_id(&t, 2) == 2);
	spec.vcpus = 0;
	assert(cpuid_topology(&spec, &t, NULL) == -EINVAL);
}

int main(void)
{
	read_host();
	test_topology();
	test_models();
	test_nested();
	test_dedicated();
	test_identity();
	test_caches();
	test_phys_bits();
	test_lacking();
	return 0;
}
