/*
 * cpu/features.c -- CPUID's feature bits by name (SDM vol. 2A, "CPUID";
 * AMD APM vol. 3, appendix E).  The names are those that libvirt's users
 * write; where a bit has no name, nobody can ask for it.
 */
#include "cpu/features.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "cpu/cpuid.h"

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
		[4] = "avx-vnni", "avx512-bf16", [10] = "fzrm", "fsrs",
		"fsrc", [21] = "amx-fp16", [23] = "avx-ifma",
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
		[14] = "ibrs", "amd-stibp", [17] = "stibp-always-on",
		[24] = "amd-ssbd", "virt-ssbd", "amd-no-ssb",
		[28] = "amd-psfd",
	} },
	{ 0x80000021, 0, R_EAX, {
		"no-nested-data-bp", [2] = "lfence-always-serializing",
		[6] = "null-sel-clr-base", [8] = "auto-ibrs",
	} },
	{ 0xf, 1, R_EDX, {
		[1] = "mbm_total", "mbm_local",
	} },
	{ 0x12, 0, R_EAX, {
		"sgx1", "sgx2",
	} },
	{ 0x12, 0, R_EBX, {
		"sgx-exinfo",
	} },
	{ 0x12, 1, R_EAX, {
		[1] = "sgx-debug", "sgx-mode64", [4] = "sgx-provisionkey",
		"sgx-tokenkey", [7] = "sgx-kss",
	} },
	{ 0x14, 0, R_ECX, {
		[31] = "intel-pt-lip",
	} },
	/* No leaf but MSRs 0x10a and 0xcf; no engine offers them. */
	{ 0x10a, 0, R_EAX, {
		"rdctl-no", "ibrs-all", "rsba", "skip-l1dfl-vmentry",
		"ssb-no", "mds-no", "pschange-mc-no", "tsx-ctrl", "taa-no",
		[13] = "sbdr-ssdp-no", "fbsdp-no", "psdp-no",
	} },
	{ 0xcf, 0, R_EAX, {
		[5] = "split-lock-detect",
	} },
	/* Linux, Documentation/virt/kvm/x86/cpuid.rst */
	{ 0x40000001, 0, R_EAX, {
		"kvmclock_old", "kvm_nopiodelay", "kvm_mmu", "kvmclock",
		"kvm_asyncpf", "kvm_steal_time", "kvm_pv_eoi",
		"kvm_pv_unhalt", [9] = "kvm_pv_tlb_flush",
		"kvm_asyncpf_vmexit", "kvm_pv_ipi", "kvm_poll_control",
		"kvm_pv_sched_yield", "kvm_asyncpf_int",
		"kvm_msi_ext_dest_id", "kvm_hc_map_gpa_range",
		"kvm_migration_control", [24] = "kvmclock_stable_bit",
	} },
	{ 0x8000000a, 0, R_EDX, {
		"npt", "lbrv", "svm-lock", "nrip-save", "tsc-scale",
		"vmcb-clean", "flushbyasid", "decodeassists",
		[10] = "pause-filter", [12] = "pfthreshold", "avic",
		[15] = "v-vmsave-vmload", "vgif", [25] = "vnmi",
		[28] = "svme-addr-chk",
	} },
};

static_assert(ARRAY_SIZE(words) == CPU_WORDS, "struct cpu_set is short");

/*
 * Those that follow from the machine (topology) or from what the guest has
 * enabled: nobody chooses them.
 */
static const char *const settled[] = { "ht", "cmp_legacy", "osxsave",
				       "ospke" };

int cpu_feature_find(const char *name)
{
	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		const char *known = cpu_feature_name(i);

		/* Looked up by the hundred: most differ at once. */
		if (known && known[0] == name[0] && str_eq(known, name))
			return i;
	}
	return -1;
}

const char *cpu_feature_name(unsigned int feature)
{
	return words[feature / 32].name[feature % 32];
}

bool cpu_feature_settled(unsigned int feature)
{
	for (size_t i = 0; i < ARRAY_SIZE(settled); i++) {
		if (str_eq(cpu_feature_name(feature), settled[i]))
			return true;
	}
	return false;
}

bool cpu_feature_paravirtual(unsigned int feature)
{
	return words[feature / 32].function >> 28 == 4;
}

/* The bits that can be chosen. */
static uint32_t chosen_bits(unsigned int word)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < 32; i++) {
		if (words[word].name[i] && !cpu_feature_settled(32 * word + i))
			bits |= BIT(i);
	}
	return bits;
}

static uint32_t named_bits(unsigned int word)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < 32; i++)
		bits |= words[word].name[i] ? BIT(i) : 0;
	return bits;
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

void cpu_set_read(struct cpu_set *ret_set, struct x86_cpuid *cpuid)
{
	for (unsigned int i = 0; i < CPU_WORDS; i++) {
		const uint32_t *value = word_value(cpuid, &words[i]);

		ret_set->word[i] = value ? *value & chosen_bits(i) : 0;
	}
}

void cpu_set_write(const struct cpu_set *set, struct x86_cpuid *cpuid)
{
	for (unsigned int i = 0; i < CPU_WORDS; i++) {
		uint32_t *value = word_value(cpuid, &words[i]);

		if (value)
			*value = (*value & ~chosen_bits(i)) |
				 (set->word[i] & chosen_bits(i));
	}
}

/* Leaf 7's further registers and subleaves hold features only. */
static void clear_unnamed_leaf(struct x86_cpuid_leaf *l)
{
	if (l->function != 7 || l->index == 0)
		return;
	l->ebx = l->ecx = l->edx = 0;
	if (l->index > 1)
		l->eax = 0;
}

void cpu_set_clear_unnamed(struct x86_cpuid *cpuid)
{
	for (unsigned int i = 0; i < CPU_WORDS; i++) {
		uint32_t *value = word_value(cpuid, &words[i]);

		if (value)
			*value &= named_bits(i);
	}
	for (unsigned int i = 0; i < cpuid->n; i++)
		clear_unnamed_leaf(&cpuid->leaf[i]);
}

bool cpu_set_has(const struct cpu_set *set, const char *name)
{
	int feature = cpu_feature_find(name);

	return feature >= 0 && cpu_set_test(set, feature);
}

/* The end of a list: unknown names are the table's own mistakes. */
static bool set_word(struct cpu_set *set, const char *word)
{
	bool remove = word[0] == '-';
	int feature = cpu_feature_find(word + remove);

	if (feature >= 0)
		cpu_set_put(set, feature, !remove);
	return feature >= 0;
}

bool cpu_set_parse(struct cpu_set *set, const char *list)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *rest = copy, *word;
	bool known = true;

	while ((word = strsep(&rest, " "))) {
		if (*word && !set_word(set, word))
			known = false;
	}
	return known;
}

void cpu_set_or(struct cpu_set *set, const struct cpu_set *other)
{
	for (unsigned int i = 0; i < CPU_WORDS; i++)
		set->word[i] |= other->word[i];
}

void cpu_set_and(struct cpu_set *set, const struct cpu_set *other)
{
	for (unsigned int i = 0; i < CPU_WORDS; i++)
		set->word[i] &= other->word[i];
}

struct cpu_set cpu_set_minus(const struct cpu_set *set,
			     const struct cpu_set *other)
{
	struct cpu_set left;

	for (unsigned int i = 0; i < CPU_WORDS; i++)
		left.word[i] = set->word[i] & ~other->word[i];
	return left;
}

unsigned int cpu_set_count(const struct cpu_set *set)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < CPU_WORDS; i++)
		n += __builtin_popcount(set->word[i]);
	return n;
}

void cpu_set_print(const struct cpu_set *set, struct buf *buf)
{
	bool first = true;

	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		if (!cpu_set_test(set, i))
			continue;
		buf_printf(buf, "%s%s", first ? "" : ", ",
			   cpu_feature_name(i));
		first = false;
	}
}
