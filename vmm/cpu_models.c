/*
 * vmm/cpu_models.c -- named CPU models: each is an earlier one and what it
 * added (Intel SDM vol. 1, "Intel 64 and IA-32 Processor" history; AMD's
 * Software Optimization Guides for families 17h and 19h).
 *
 * A model fixes feature bits only.  Vendor, family and brand stay the host's,
 * because guests choose work-arounds and SYSENTER or SYSCALL by them.  Left
 * out of all: what depends on firmware or microcode (speculation controls,
 * TSX, MPX, SGX), which single features can add.
 */
#include "vmm/cpu_models.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

struct cpu_model {
	const char *name;
	const char *base; /* NULL: none */
	const char *adds; /* separated by spaces */
};

static const struct cpu_model models[] = {
	{ "qemu64", NULL,
	  "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 "
	  "clflush mmx fxsr sse sse2 pni cx16 syscall nx lm lahf_lm" },
	{ "kvm64", "qemu64", "" },
	{ "Conroe", "qemu64", "ssse3" },
	{ "core2duo", "Conroe", "" },
	{ "Penryn", "Conroe", "sse4.1" },
	{ "Nehalem", "Penryn", "sse4.2 popcnt" },
	{ "Westmere", "Nehalem", "aes pclmuldq" },
	{ "SandyBridge", "Westmere", "avx xsave rdtscp" },
	{ "IvyBridge", "SandyBridge", "f16c rdrand fsgsbase smep erms" },
	{ "Haswell-noTSX", "IvyBridge",
	  "fma movbe bmi1 bmi2 avx2 pcid invpcid abm" },
	{ "Broadwell-noTSX", "Haswell-noTSX",
	  "rdseed adx smap 3dnowprefetch" },
	{ "Skylake-Client-noTSX", "Broadwell-noTSX",
	  "clflushopt xsaveopt xsavec xgetbv1" },
	{ "Skylake-Server-noTSX", "Skylake-Client-noTSX",
	  "avx512f avx512dq avx512cd avx512bw avx512vl clwb pdpe1gb" },
	{ "Cascadelake-Server-noTSX", "Skylake-Server-noTSX", "avx512vnni" },
	{ "Icelake-Server-noTSX", "Cascadelake-Server-noTSX",
	  "avx512vbmi avx512vbmi2 avx512bitalg avx512-vpopcntdq gfni vaes "
	  "vpclmulqdq umip rdpid" },
	{ "EPYC", "qemu64",
	  "ssse3 fma sse4.1 sse4.2 movbe popcnt aes pclmuldq xsave avx f16c "
	  "rdrand fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt "
	  "sha-ni xsaveopt xgetbv1 mmxext fxsr_opt pdpe1gb rdtscp "
	  "cr8legacy abm sse4a misalignsse 3dnowprefetch" },
	{ "EPYC-Rome", "EPYC", "xsavec clwb umip rdpid" },
	{ "EPYC-Milan", "EPYC-Rome",
	  "pcid invpcid erms fsrm vaes vpclmulqdq pku" },
};

/* A machine needs these, or offers them on every model. */
static const char always[] =
	"x2apic tsc-deadline hypervisor arat osxsave ospke ht cmp_legacy";

const char *cpu_model_name(size_t i)
{
	return i < ARRAY_SIZE(models) ? models[i].name : NULL;
}

static const struct cpu_model *model_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(models); i++) {
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	}
	return NULL;
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len) {
		if ((p == list || p[-1] == ' ') &&
		    (p[len] == ' ' || !p[len]))
			return true;
	}
	return false;
}

static bool model_keeps(const char *name, void *arg)
{
	const struct cpu_model *m = arg;

	if (list_has(always, name))
		return true;
	for (; m; m = model_find(m->base)) {
		if (list_has(m->adds, name))
			return true;
	}
	return false;
}

/* Appends what the host lacks of one level. */
static void model_missing(struct x86_cpuid *cpuid, const struct cpu_model *m,
			  struct buf *ret)
{
	_cleanup_free_ char *copy = xstrdup(m->adds);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " "))) {
		if (*word && !cpu_feature_get(cpuid, word))
			buf_printf(ret, "%s%s", ret->len ? ", " : "", word);
	}
}

int cpu_model_apply(struct x86_cpuid *cpuid, const char *model,
		    struct error *err)
{
	const struct cpu_model *m = model_find(model);
	_cleanup_buf_ struct buf missing = { 0 };

	if (!m)
		return error_set(err, -EINVAL, "unknown CPU model '%s'",
				 model);
	for (const struct cpu_model *l = m; l; l = model_find(l->base))
		model_missing(cpuid, l, &missing);
	if (missing.len)
		return error_set(err, -ENOTSUP,
				 "CPU model '%s' needs what this host and "
				 "engine lack: %s", model, missing.data);
	cpu_features_keep(cpuid, model_keeps, (void *)m);
	return 0;
}
