/*
 * vmm/cpu_models.h -- feature bits by name, and named CPU models.
 */
#ifndef VMM_CPU_MODELS_H
#define VMM_CPU_MODELS_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct x86_cpuid;

bool cpu_feature_known(const char *name);
bool cpu_feature_get(struct x86_cpuid *cpuid, const char *name);
void cpu_feature_clear(struct x86_cpuid *cpuid, const char *name);
/* Sets what the host has; false when it does not. */
bool cpu_feature_copy(struct x86_cpuid *cpuid, const struct x86_cpuid *host,
		      const char *name);
/* Clears the named bits for which keep() says no; others stay. */
void cpu_features_keep(struct x86_cpuid *cpuid,
		       bool (*keep)(const char *name, void *arg), void *arg);

/*
 * Narrows the leaves to the model's features.  A feature that the host
 * lacks is an error that names it.
 */
int cpu_model_apply(struct x86_cpuid *cpuid, const char *model,
		    struct error *err);

/* Names of all models, for capabilities; NULL after the last. */
const char *cpu_model_name(size_t i);

#endif
