/*
 * vmm/cpu_features.c -- CPUID's feature bits by name (SDM vol. 2A, "CPUID";
 * AMD APM vol. 3, appendix E).  The names are those that libvirt's users
 * write; where a bit has no name, nobody can ask for it.
 */
#include "vmm/cpu_models.h"

#include <string.h>

#include "base/util.h"
#include "vmm/x86.h"

enum reg { R_EAX, R_EBX, R_ECX, R_EDX };

static const struct feature_word {
	uint32_t function, index;
	enum reg reg;
	const char *name[32];
} words[] = {
	{ 0x1, 0, R_ECX, {
		"pni", "pclmuldq", "dtes64", "monitor", "ds_cpl", "vmx",
		"smx", "est", "tm2", "ssse3", "cid", [12] = "fma", "cx16",
		"xtpr", "pdcm", [17] = "pcid", "dca", "sse4.1", "sse4.2",
		"x2apic", "movbe", "popcnt", "tsc-deadline", "aes", "xsave",
		"osxsave", "avx", "f16c", "rdrand", "hypervisor",
	} },
	{ 0x1, 0, R_EDX, {
		"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8",
		"apic", [11] = "sep", "mtrr", "pge", "mca", "cmov", "pat",
		"pse36", "pn", "clflush", [21] = "ds", "acpi", "mmx", "fxsr",
		"sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
	} },
	{ 0x6, 0, R_EAX, {
		[2] = "arat",
	} },
	{ 0x7, 0, R_EBX, {
		"fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2",
		[7] = "smep", "bmi2", "erms", "invpcid", "rtm", "cmt",
		[14] = "mpx", [16] = "avx512f", "avx512dq", "rdseed", "adx",
		"smap", "avx512ifma", "pcommit", "clflushopt", "clwb",
		"intel-pt", "avx512pf", "avx512er", "avx512cd", "sha-ni",
		"avx512bw", "avx512vl",
	} },
	{ 0x7, 0, R_ECX, {
		[1] = "avx512vbmi", "umip", "pku", "ospke", "waitpkg",
		"avx512vbmi2", [8] = "gfni", "vaes", "vpclmulqdq",
		"avx512vnni", "avx512bitalg", [14] = "avx512-vpopcntdq",
		[16] = "la57", [22] = "rdpid", [24] = "bus-lock-detect",
		"cldemote", [27] = "movdiri", "movdir64b", [30] = "sgxlc",
		"pks",
	} },
	{ 0x7, 0, R_EDX, {
		[2] = "avx512-4vnniw", "avx512-4fmaps", "fsrm",
		[8] = "avx512-vp2intersect", [10] = "md-clear",
		[14] = "serialize", [16] = "tsx-ldtrk", [18] = "pconfig",
		"arch-lbr", [22] = "amx-bf16", "avx512-fp16", "amx-tile",
		"amx-int8", "spec-ctrl", "stibp", [29] = "arch-capabilities",
		"core-capability", "ssbd",
	} },
	{ 0x7, 1, R_EAX, {
		[4] = "avx-vnni", "avx512-bf16",
	} },
	{ 0xd, 1, R_EAX, {
		"xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd",
	} },
	{ 0x80000001, 0, R_ECX, {
		"lahf_lm", "cmp_legacy", "svm", "extapic", "cr8legacy", "abm",
		"sse4a", "misalignsse", "3dnowprefetch", "osvw", "ibs", "xop",
		"skinit", "wdt", [15] = "lwp", "fma4", "tce", "cvt16",
		"nodeid_msr", [21] = "tbm", "topoext", "perfctr_core",
		"perfctr_nb",
	} },
	{ 0x80000001, 0, R_EDX, {
		[11] = "syscall", [20] = "nx", [22] = "mmxext",
		[25] = "fxsr_opt", "pdpe1gb", "rdtscp", [29] = "lm",
		"3dnowext", "3dnow",
	} },
	{ 0x80000007, 0, R_EDX, {
		[8] = "invtsc",
	} },
	{ 0x80000008, 0, R_EBX, {
		"clzero", [2] = "xsaveerptr", [9] = "wbnoinvd", [12] = "ibpb",
		[14] = "ibrs", "amd-stibp", [24] = "amd-ssbd", "virt-ssbd",
		"amd-no-ssb",
	} },
	{ 0x8000000a, 0, R_EDX, {
		"npt", "lbrv", "svm-lock", "nrip-save", "tsc-scale",
		"vmcb-clean", "flushbyasid", "decodeassists",
		[10] = "pause-filter", [12] = "pfthreshold", "avic",
		[15] = "v-vmsave-vmload", "vgif", [28] = "svme-addr-chk",
	} },
};

static const struct feature_word *word_find(const char *name,
					    unsigned int *ret_bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			if (words[i].name[bit] &&
			    strcmp(words[i].name[bit], name) == 0) {
				*ret_bit = bit;
				return &words[i];
			}
		}
	}
	return NULL;
}

/* NULL when the CPU has no such leaf. */
static uint32_t *word_value(struct x86_cpuid *cpuid,
			    const struct feature_word *w)
{
	struct x86_cpuid_leaf *leaf =
		x86_cpuid_find(cpuid, w->function, w->index);

	if (!leaf)
		return NULL;
	switch (w->reg) {
	case R_EAX:
		return &leaf->eax;
	case R_EBX:
		return &leaf->ebx;
	case R_ECX:
		return &leaf->ecx;
	default:
		return &leaf->edx;
	}
}

bool cpu_feature_known(const char *name)
{
	unsigned int bit;

	return word_find(name, &bit) != NULL;
}

bool cpu_feature_get(struct x86_cpuid *cpuid, const char *name)
{
	unsigned int bit;
	const struct feature_word *w = word_find(name, &bit);
	const uint32_t *value = w ? word_value(cpuid, w) : NULL;

	return value && (*value & BIT(bit));
}

void cpu_feature_clear(struct x86_cpuid *cpuid, const char *name)
{
	unsigned int bit;
	const struct feature_word *w = word_find(name, &bit);
	uint32_t *value = w ? word_value(cpuid, w) : NULL;

	if (value)
		*value &= ~BIT(bit);
}

bool cpu_feature_copy(struct x86_cpuid *cpuid, const struct x86_cpuid *host,
		      const char *name)
{
	unsigned int bit;
	const struct feature_word *w = word_find(name, &bit);
	uint32_t *value = w ? word_value(cpuid, w) : NULL;

	if (!value || !cpu_feature_get((struct x86_cpuid *)host, name))
		return false;
	*value |= BIT(bit);
	return true;
}

void cpu_features_keep(struct x86_cpuid *cpuid,
		       bool (*keep)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		uint32_t *value = word_value(cpuid, &words[i]);

		for (unsigned int bit = 0; bit < 32 && value; bit++) {
			if ((*value & BIT(bit)) && words[i].name[bit] &&
			    !keep(words[i].name[bit], arg))
				*value &= ~BIT(bit);
		}
	}
}
