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
#include "vmm/cpu_models.h"
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
	r = cpuid_apply_spec(c, &spec, &err);
	assert((r < 0) == (err.message[0] != 0));
	if (r < 0 && feature)
		assert(strstr(err.message, feature));
	return r;
}

static void test_models(void)
{
	struct x86_cpuid c;

	assert(apply(&c, "host", NULL, false) == 0);
	assert(apply(&c, "no such CPU", NULL, false) == -EINVAL);
	assert(apply(&c, "host", "no-such-bit", true) == -EINVAL);
	assert(apply(&c, "host", "no-such-bit", false) == -EINVAL);

	assert(cpu_feature_get(&host, "sse4.2"));
	assert(apply(&c, "qemu64", NULL, false) == 0);
	assert(cpu_feature_get(&c, "sse2") && !cpu_feature_get(&c, "sse4.2"));
	assert(!cpu_feature_get(&c, "avx"));
	/* No AVX: XCR0 cannot enable its registers. */
	assert(!(x86_cpuid_find(&c, 0xd, 0)->eax & 4));
	assert(apply(&c, "qemu64", "sse4.2", true) == 0);
	assert(cpu_feature_get(&c, "sse4.2"));
	assert(apply(&c, "host", "sse4.2", false) == 0);
	assert(!cpu_feature_get(&c, "sse4.2"));
	assert(apply(&c, "host", "ia64", true) == -ENOTSUP);

	/* A model the host lacks something of says what. */
	cpu_feature_clear(&host, "popcnt");
	assert(apply(&c, "Nehalem", NULL, false) == -ENOTSUP);
	for (size_t i = 0; cpu_model_name(i); i++)
		apply(&c, cpu_model_name(i), NULL, false);
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
	return 0;
}
