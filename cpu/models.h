/*
 * cpu/models.h -- named CPU models, and how they fit to what a CPU can do.
 */
#ifndef CPU_MODELS_H
#define CPU_MODELS_H

#include <stdbool.h>
#include <stddef.h>

#include "cpu/cpuid.h"
#include "cpu/features.h"

struct cpu_model {
	const char *name;
	const char *base;   /* NULL: none */
	const char *vendor; /* as CPUID spells it; NULL: any */
	struct x86_signature signature;
	const char *brand;
	const char *adds; /* to its base; "-x" removes */
};

const struct cpu_model *cpu_model_find(const char *name); /* NULL: unknown */
const struct cpu_model *cpu_model_at(size_t i); /* NULL after the last */

/* All that the model names, its bases' included. */
struct cpu_set cpu_model_features(const struct cpu_model *model);

/* A CPU that is the model and nothing else: for where there is none. */
void cpu_model_cpuid(const struct cpu_model *model,
		     struct x86_cpuid *ret_cpuid);

/*
 * Those that a guest with a model may lack, because they are of no use in one
 * (SVM, MONITOR, ...): silently left out, given only when asked for by name.
 */
struct cpu_set cpu_features_spare(void);
/* The set without what a guest would run guests of its own with: SVM or VMX,
 * and SVM's parts, are given only when they are 'named'. */
struct cpu_set cpu_set_not_nested(const struct cpu_set *set,
				  const struct cpu_set *named);
/* Those that any guest gets where they are to be had: x2APIC, ... */
struct cpu_set cpu_features_always(void);

/* What of the model is not in 'have', spare ones apart. */
struct cpu_set cpu_model_lacks(const struct cpu_model *model,
			       const struct cpu_set *have);

/*
 * The model nearest to 'have': same vendor, best the same signature, then the
 * fewest differences.  Unless 'subset', it may name features that are not
 * there.  Some model always fits.
 */
const struct cpu_model *cpu_model_nearest(const struct cpu_set *have,
					  const char *vendor,
					  const struct x86_signature *signature,
					  bool subset);

/* "AuthenticAMD" for "AMD" and back; NULL when there is no such name. */
const char *cpu_vendor_id(const char *name);
const char *cpu_vendor_name(const char *id);

#endif
