/*
 * cpu/models.c -- named CPU models: each is an earlier one and what changed
 * (Intel SDM vol. 1, chapter "Intel 64 and IA-32 Architectures"; AMD's
 * Software Optimization Guides; the x86-64 psABI for x86-64-v*).  Names,
 * signatures and what belongs to each are those that libvirt and QEMU gave
 * them, so that a definition means the same here; tests compare.
 *
 * Left out of all: what IA32_ARCH_CAPABILITIES says, which no engine offers.
 */
#include "cpu/models.h"

#include <pthread.h>
#include <string.h>

#include "base/util.h"

#define INTEL "GenuineIntel"
#define AMD   "AuthenticAMD"
#define HYGON "HygonGenuine"

static const struct cpu_model models[] = {
	{ "486", NULL, INTEL, { 4, 8, 0 }, "", "fpu vme pse" },

	/* Before 64 bits. */
	{ "pentium", "486", INTEL, { 5, 4, 3 }, "",
	  "de tsc msr mce cx8 mmx apic" },
	{ "pentium2", "pentium", INTEL, { 6, 5, 2 }, "",
	  "pae sep mtrr pge mca cmov pat pse36 fxsr" },
	{ "pentium3", "pentium2", INTEL, { 6, 7, 3 }, "", "sse" },
	{ "pentiumpro", "pentium2", INTEL, { 6, 1, 9 }, "",
	  "-vme -pse36 sse sse2" },
	{ "coreduo", "pentium3", INTEL, { 6, 14, 8 },
	  "Genuine Intel(R) CPU           T2600  @ 2.16GHz",
	  "-pse36 clflush sse2 pni monitor nx acpi ss" },
	{ "n270", "coreduo", INTEL, { 6, 28, 2 },
	  "Intel(R) Atom(TM) CPU N270   @ 1.60GHz", "ssse3 movbe lahf_lm" },
	{ "core2duo", "coreduo", INTEL, { 6, 15, 11 },
	  "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
	  "pse36 ssse3 cx16 syscall lm lahf_lm" },

	/* Of no maker. */
	{ "qemu32", "pentiumpro", NULL, { 6, 6, 3 },
	  "QEMU Virtual CPU version 2.5+", "-mtrr -mca pni" },
	{ "kvm32", "qemu32", NULL, { 15, 6, 1 },
	  "Common 32-bit KVM processor", "mtrr mca clflush pse36" },
	{ "qemu64", "kvm64", NULL, { 15, 107, 1 },
	  "QEMU Virtual CPU version 2.5+", "lahf_lm svm" },
	{ "kvm64", NULL, NULL, { 15, 6, 1 }, "Common KVM processor",
	  "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 "
	  "clflush mmx fxsr sse sse2 pni cx16 syscall nx lm" },
	{ "x86-64-v1", "kvm64", NULL, { 15, 6, 1 },
	  "x86-64 processor, level 1", "-pni -cx16" },
	{ "x86-64-v2", "x86-64-v1", NULL, { 15, 6, 1 },
	  "x86-64 processor, level 2",
	  "cx16 lahf_lm popcnt pni sse4.1 sse4.2 ssse3" },
	{ "x86-64-v2-AES", "x86-64-v2", NULL, { 15, 6, 1 },
	  "x86-64 processor, level 2 with AES", "aes pclmuldq" },
	{ "x86-64-v3", "x86-64-v2-AES", NULL, { 15, 6, 1 },
	  "x86-64 processor, level 3",
	  "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave" },
	{ "x86-64-v4", "x86-64-v3", NULL, { 15, 6, 1 },
	  "x86-64 processor, level 4",
	  "avx512f avx512bw avx512cd avx512dq avx512vl" },

	/* Intel's. */
	{ "Conroe", "kvm64", INTEL, { 6, 15, 3 },
	  "Intel Celeron_4x0 (Conroe/Merom Class Core 2)",
	  "-cx16 ssse3 lahf_lm" },
	{ "Penryn", "Conroe", INTEL, { 6, 23, 3 },
	  "Intel Core 2 Duo P9xxx (Penryn Class Core 2)", "cx16 sse4.1" },
	{ "Nehalem", "Penryn", INTEL, { 6, 26, 3 },
	  "Intel Core i7 9xx (Nehalem Class Core i7)", "sse4.2 popcnt" },
	{ "Nehalem-IBRS", "Nehalem", INTEL, { 6, 26, 3 },
	  "Intel Core i7 9xx (Nehalem Core i7, IBRS update)", "spec-ctrl" },
	{ "Westmere", "Nehalem", INTEL, { 6, 44, 1 },
	  "Westmere E56xx/L56xx/X56xx (Nehalem-C)", "aes pclmuldq arat" },
	{ "Westmere-IBRS", "Westmere", INTEL, { 6, 44, 1 },
	  "Westmere E56xx/L56xx/X56xx (IBRS update)", "spec-ctrl" },
	{ "SandyBridge", "Westmere", INTEL, { 6, 42, 1 },
	  "Intel Xeon E312xx (Sandy Bridge)",
	  "avx xsave xsaveopt rdtscp x2apic tsc-deadline" },
	{ "SandyBridge-IBRS", "SandyBridge", INTEL, { 6, 42, 1 },
	  "Intel Xeon E312xx (Sandy Bridge, IBRS update)", "spec-ctrl" },
	{ "IvyBridge", "SandyBridge", INTEL, { 6, 58, 9 },
	  "Intel Xeon E3-12xx v2 (Ivy Bridge)",
	  "vme f16c rdrand fsgsbase smep erms" },
	{ "IvyBridge-IBRS", "IvyBridge", INTEL, { 6, 58, 9 },
	  "Intel Xeon E3-12xx v2 (Ivy Bridge, IBRS)", "spec-ctrl" },
	{ "Haswell-noTSX", "IvyBridge", INTEL, { 6, 60, 1 },
	  "Intel Core Processor (Haswell, no TSX)",
	  "fma movbe bmi1 bmi2 avx2 pcid invpcid abm" },
	{ "Haswell-noTSX-IBRS", "Haswell-noTSX", INTEL, { 6, 60, 1 },
	  "Intel Core Processor (Haswell, no TSX, IBRS)", "spec-ctrl" },
	{ "Haswell", "Haswell-noTSX", INTEL, { 6, 60, 4 },
	  "Intel Core Processor (Haswell)", "hle rtm" },
	{ "Haswell-IBRS", "Haswell", INTEL, { 6, 60, 4 },
	  "Intel Core Processor (Haswell, IBRS)", "spec-ctrl" },
	{ "Broadwell-noTSX", "Haswell-noTSX", INTEL, { 6, 61, 2 },
	  "Intel Core Processor (Broadwell, no TSX)",
	  "rdseed adx smap 3dnowprefetch" },
	{ "Broadwell-noTSX-IBRS", "Broadwell-noTSX", INTEL, { 6, 61, 2 },
	  "Intel Core Processor (Broadwell, no TSX, IBRS)", "spec-ctrl" },
	{ "Broadwell", "Broadwell-noTSX", INTEL, { 6, 61, 2 },
	  "Intel Core Processor (Broadwell)", "hle rtm" },
	{ "Broadwell-IBRS", "Broadwell", INTEL, { 6, 61, 2 },
	  "Intel Core Processor (Broadwell, IBRS)", "spec-ctrl" },
	{ "Skylake-Client", "Broadwell", INTEL, { 6, 94, 3 },
	  "Intel Core Processor (Skylake)", "xsavec xgetbv1" },
	{ "Skylake-Client-IBRS", "Skylake-Client", INTEL, { 6, 94, 3 },
	  "Intel Core Processor (Skylake, IBRS)", "spec-ctrl" },
	{ "Skylake-Client-noTSX-IBRS", "Skylake-Client-IBRS", INTEL,
	  { 6, 94, 3 }, "Intel Core Processor (Skylake, IBRS, no TSX)",
	  "-hle -rtm" },
	{ "Skylake-Server", "Skylake-Client", INTEL, { 6, 85, 4 },
	  "Intel Xeon Processor (Skylake)",
	  "clflushopt clwb pdpe1gb pku avx512f avx512dq avx512cd avx512bw "
	  "avx512vl" },
	{ "Skylake-Server-IBRS", "Skylake-Server", INTEL, { 6, 85, 4 },
	  "Intel Xeon Processor (Skylake, IBRS)", "-clflushopt spec-ctrl" },
	{ "Skylake-Server-noTSX-IBRS", "Skylake-Server-IBRS", INTEL,
	  { 6, 85, 4 }, "Intel Xeon Processor (Skylake, IBRS, no TSX)",
	  "-hle -rtm" },
	{ "Cascadelake-Server", "Skylake-Server", INTEL, { 6, 85, 6 },
	  "Intel Xeon Processor (Cascadelake)", "avx512vnni spec-ctrl ssbd" },
	{ "Cascadelake-Server-noTSX", "Cascadelake-Server", INTEL,
	  { 6, 85, 6 }, "Intel Xeon Processor (Cascadelake)", "-hle -rtm" },
	{ "Icelake-Server", "Cascadelake-Server", INTEL, { 6, 134, 0 },
	  "Intel Xeon Processor (Icelake)",
	  "-clflushopt clflushopt avx512vbmi avx512vbmi2 avx512bitalg "
	  "avx512-vpopcntdq gfni vaes vpclmulqdq umip la57 wbnoinvd" },
	{ "Icelake-Server-noTSX", "Icelake-Server", INTEL, { 6, 134, 0 },
	  "Intel Xeon Processor (Icelake)", "-hle -rtm" },
	{ "Icelake-Client", "Skylake-Client", INTEL, { 6, 126, 0 },
	  "Intel Core Processor (Icelake)",
	  "pku avx512vbmi avx512vbmi2 avx512bitalg avx512-vpopcntdq "
	  "avx512vnni gfni vaes vpclmulqdq umip wbnoinvd spec-ctrl ssbd" },
	{ "Icelake-Client-noTSX", "Icelake-Client", INTEL, { 6, 126, 0 },
	  "Intel Core Processor (Icelake)", "-hle -rtm" },
	{ "Cooperlake", "Cascadelake-Server", INTEL, { 6, 85, 10 },
	  "Intel Xeon Processor (Cooperlake)",
	  "stibp arch-capabilities avx512-bf16" },
	{ "Snowridge", "Westmere", INTEL, { 6, 134, 1 },
	  "Intel Atom Processor (SnowRidge)",
	  "vme movbe xsave rdrand x2apic tsc-deadline 3dnowprefetch pdpe1gb "
	  "rdtscp fsgsbase smep erms rdseed smap clflushopt clwb sha-ni umip "
	  "gfni cldemote movdiri movdir64b arch-capabilities "
	  "core-capability spec-ctrl ssbd xsaveopt xsavec xgetbv1" },
	{ "SapphireRapids", "Icelake-Server", INTEL, { 6, 143, 4 },
	  "Intel Xeon Processor (SapphireRapids)",
	  "avx512ifma sha-ni bus-lock-detect rdpid fsrm serialize tsx-ldtrk "
	  "amx-bf16 avx512-fp16 amx-tile amx-int8 arch-capabilities avx-vnni "
	  "avx512-bf16 fzrm fsrs fsrc xsaves xfd" },

	/* AMD's. */
	{ "athlon", "pentium3", AMD, { 6, 2, 3 },
	  "QEMU Virtual CPU version 2.5+",
	  "mmxext 3dnow 3dnowext sse2" },
	{ "Opteron_G1", "kvm64", AMD, { 15, 6, 1 },
	  "AMD Opteron 240 (Gen 1 Class Opteron)", "-cx16" },
	{ "Opteron_G2", "Opteron_G1", AMD, { 15, 6, 1 },
	  "AMD Opteron 22xx (Gen 2 Class Opteron)", "cx16 svm lahf_lm" },
	{ "Opteron_G3", "Opteron_G2", AMD, { 16, 2, 3 },
	  "AMD Opteron 23xx (Gen 3 Class Opteron)",
	  "monitor popcnt abm sse4a misalignsse rdtscp" },
	{ "phenom", "Opteron_G3", AMD, { 16, 2, 3 },
	  "AMD Phenom(tm) 9550 Quad-Core Processor",
	  "vme mmxext fxsr_opt pdpe1gb 3dnowext 3dnow npt "
	  "-misalignsse" },
	{ "Opteron_G4", "Opteron_G3", AMD, { 21, 1, 2 },
	  "AMD Opteron 62xx class CPU",
	  "-monitor pclmuldq ssse3 sse4.1 sse4.2 aes xsave avx pdpe1gb "
	  "3dnowprefetch xop fma4 npt nrip-save" },
	{ "Opteron_G5", "Opteron_G4", AMD, { 21, 2, 0 },
	  "AMD Opteron 63xx class CPU", "fma f16c tbm" },
	{ "EPYC", "Opteron_G3", AMD, { 23, 1, 2 }, "AMD EPYC Processor",
	  "vme pclmuldq ssse3 fma sse4.1 sse4.2 movbe aes xsave avx f16c "
	  "rdrand fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt "
	  "sha-ni xsaveopt xsavec xgetbv1 arat mmxext fxsr_opt pdpe1gb "
	  "cr8legacy 3dnowprefetch osvw topoext npt nrip-save" },
	{ "EPYC-IBPB", "EPYC", AMD, { 23, 1, 2 },
	  "AMD EPYC Processor (with IBPB)", "ibpb" },
	{ "EPYC-Rome", "EPYC-IBPB", AMD, { 23, 49, 0 },
	  "AMD EPYC-Rome Processor",
	  "clwb umip rdpid clzero xsaveerptr wbnoinvd amd-stibp "
	  "perfctr_core xsaves" },
	{ "EPYC-Milan", "EPYC-Rome", AMD, { 25, 1, 1 },
	  "AMD EPYC-Milan Processor",
	  "-monitor pcid invpcid erms fsrm pku ibrs amd-ssbd "
	  "svme-addr-chk" },
	{ "EPYC-Genoa", "EPYC-Milan", AMD, { 25, 17, 0 },
	  "AMD EPYC-Genoa Processor",
	  "x2apic avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl "
	  "avx512vbmi avx512vbmi2 gfni vaes vpclmulqdq avx512vnni "
	  "avx512bitalg avx512-vpopcntdq la57 avx512-bf16 stibp-always-on "
	  "amd-psfd no-nested-data-bp lfence-always-serializing "
	  "null-sel-clr-base auto-ibrs vnmi" },
	{ "Dhyana", "EPYC-IBPB", HYGON, { 24, 0, 1 },
	  "Hygon Dhyana Processor", "-sha-ni -aes -pclmuldq" },
};

static const char always[] = "x2apic tsc-deadline hypervisor arat "
			     "tsc_adjust kvmclock_old kvm_nopiodelay kvm_mmu "
			     "kvmclock kvm_asyncpf kvm_steal_time kvm_pv_eoi "
			     "kvm_pv_unhalt kvm_pv_tlb_flush "
			     "kvm_asyncpf_vmexit kvm_pv_ipi kvm_poll_control "
			     "kvm_pv_sched_yield kvm_asyncpf_int "
			     "kvm_msi_ext_dest_id kvmclock_stable_bit";
/* What a guest needs to run guests of its own: AMD's, and Intel's. */
static const char nested_amd[] = "svm npt lbrv svm-lock nrip-save tsc-scale "
				 "vmcb-clean flushbyasid decodeassists "
				 "pause-filter pfthreshold avic "
				 "v-vmsave-vmload vgif vnmi svme-addr-chk";
static const char nested_intel[] = "vmx";
static const char spare[] = "vmx svm npt nrip-save svme-addr-chk vnmi monitor "
			    "vme osvw acpi ds ss tm pbe perfctr_core intel-pt "
			    "wbnoinvd core-capability";

const struct cpu_model *cpu_model_at(size_t i)
{
	return i < ARRAY_SIZE(models) ? &models[i] : NULL;
}

const struct cpu_model *cpu_model_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		if (str_eq(models[i].name, name))
			return &models[i];
	}
	return NULL;
}

static void add_level(struct cpu_set *set, const struct cpu_model *model)
{
	if (model->base)
		add_level(set, cpu_model_find(model->base));
	cpu_set_parse(set, model->adds);
}

struct cpu_set cpu_model_features(const struct cpu_model *model)
{
	struct cpu_set set = { 0 };

	add_level(&set, model);
	return set;
}

void cpu_model_cpuid(const struct cpu_model *model,
		     struct x86_cpuid *ret_cpuid)
{
	static const struct x86_cpuid_leaf leaves[] = {
		{ 0, 0, false, 0xd, 0, 0, 0 },
		{ .function = 1 },
		{ .function = 6 },
		{ .function = 7, .indexed = true },
		{ .function = 7, .indexed = true, .index = 1 },
		{ .function = 0xd, .indexed = true, .index = 1 },
		{ 0x80000000, 0, false, 0x8000000a, 0, 0, 0 },
		{ .function = 0x80000001 },
		{ .function = 0x80000007 },
		{ .function = 0x80000008, .eax = 40 | 48 << 8 },
		{ .function = 0x8000000a },
	};
	struct cpu_set set = cpu_model_features(model);
	struct cpu_set more = cpu_features_always();

	*ret_cpuid = (struct x86_cpuid){ .n = ARRAY_SIZE(leaves) };
	memcpy(ret_cpuid->leaf, leaves, sizeof(leaves));
	cpu_set_or(&set, &more);
	cpu_set_write(&set, ret_cpuid);
	ret_cpuid->leaf[1].eax = x86_signature_eax(&model->signature);
	x86_cpuid_set_vendor(ret_cpuid, model->vendor ? model->vendor : INTEL);
}

struct cpu_set cpu_features_spare(void)
{
	struct cpu_set set = { 0 };

	cpu_set_parse(&set, spare);
	return set;
}

struct cpu_set cpu_set_not_nested(const struct cpu_set *set,
				  const struct cpu_set *named)
{
	struct cpu_set gone = { 0 };

	if (!cpu_set_has(named, "svm"))
		cpu_set_parse(&gone, nested_amd);
	if (!cpu_set_has(named, "vmx"))
		cpu_set_parse(&gone, nested_intel);
	gone = cpu_set_minus(&gone, named);
	return cpu_set_minus(set, &gone);
}

struct cpu_set cpu_features_always(void)
{
	struct cpu_set set = { 0 };

	cpu_set_parse(&set, always);
	return set;
}

/* For who looks at all models: they are read once. */
static struct cpu_set all_features[ARRAY_SIZE(models)];

static void read_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		all_features[i] = cpu_model_features(&models[i]);
}

static const struct cpu_set *features_of(const struct cpu_model *model)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_all);
	return &all_features[model - models];
}

struct cpu_set cpu_model_lacks(const struct cpu_model *model,
			       const struct cpu_set *have)
{
	struct cpu_set lacks = *features_of(model);
	struct cpu_set ignored = cpu_features_spare();

	lacks = cpu_set_minus(&lacks, have);
	return cpu_set_minus(&lacks, &ignored);
}

/* How far the model is from 'have'; UINT_MAX: it is none of them. */
static unsigned int distance(const struct cpu_model *m,
			     const struct cpu_set *have, const char *vendor,
			     bool subset)
{
	struct cpu_set lacks = cpu_model_lacks(m, have);
	struct cpu_set more = cpu_set_minus(have, features_of(m));

	if (m->vendor && !str_eq(m->vendor, vendor))
		return UINT32_MAX;
	if (subset && cpu_set_count(&lacks))
		return UINT32_MAX;
	return cpu_set_count(&lacks) + cpu_set_count(&more);
}

static bool same_signature(const struct cpu_model *m,
			   const struct x86_signature *s)
{
	return s && m->signature.family == s->family &&
	       m->signature.model == s->model;
}

const struct cpu_model *cpu_model_nearest(const struct cpu_set *have,
					  const char *vendor,
					  const struct x86_signature *signature,
					  bool subset)
{
	const struct cpu_model *best = &models[0];
	unsigned int best_distance = UINT32_MAX;
	bool best_same = false;

	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		const struct cpu_model *m = &models[i];
		unsigned int d = distance(m, have, vendor, subset);
		bool same = m->vendor && same_signature(m, signature);

		if (d == UINT32_MAX || (best_same && !same) ||
		    (d >= best_distance && same == best_same))
			continue;
		best = m;
		best_distance = d;
		best_same = same;
	}
	return best;
}

static const struct {
	const char *name, *id;
} vendors[] = {
	{ "Intel", INTEL },
	{ "AMD", AMD },
	{ "Hygon", HYGON },
};

const char *cpu_vendor_id(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		if (str_eq(vendors[i].name, name))
			return vendors[i].id;
	}
	return NULL;
}

const char *cpu_vendor_name(const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		if (str_eq(vendors[i].id, id))
			return vendors[i].name;
	}
	return NULL;
}
