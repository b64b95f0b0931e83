/*
 * cpu/features.h -- CPUID's feature bits by name, and sets of them.
 *
 * A feature is a number below 32 * CPU_WORDS; not every number has a name.
 */
#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct x86_cpuid;

enum { CPU_WORDS = 22 };

struct cpu_set {
	uint32_t word[CPU_WORDS];
};

int cpu_feature_find(const char *name);		    /* -1: unknown */
const char *cpu_feature_name(unsigned int feature); /* NULL: unused */
/* Nobody chooses it: the machine's topology or the guest does. */
bool cpu_feature_settled(unsigned int feature);

/* A hypervisor's and no processor's: any guest has it where there is one, and
 * nobody is told unless he asked. */
bool cpu_feature_paravirtual(unsigned int feature);

/* What of the named features the leaves have, but for settled ones. */
void cpu_set_read(struct cpu_set *ret_set, struct x86_cpuid *cpuid);
/* Puts it into leaves that are there; bits without a name stay. */
void cpu_set_write(const struct cpu_set *set, struct x86_cpuid *cpuid);
/* What this table does not know goes: for CPUs that are to be alike. */
void cpu_set_clear_unnamed(struct x86_cpuid *cpuid);

/* "sse avx -hle": adds and removes; false when a name is unknown. */
bool cpu_set_parse(struct cpu_set *set, const char *list);
bool cpu_set_has(const struct cpu_set *set, const char *name);
void cpu_set_or(struct cpu_set *set, const struct cpu_set *other);
void cpu_set_and(struct cpu_set *set, const struct cpu_set *other);
struct cpu_set cpu_set_minus(const struct cpu_set *set,
			     const struct cpu_set *other);
unsigned int cpu_set_count(const struct cpu_set *set);
/* "sse, avx": appends, in the table's order. */
void cpu_set_print(const struct cpu_set *set, struct buf *buf);

static inline bool cpu_set_test(const struct cpu_set *set, unsigned int feature)
{
	return set->word[feature / 32] >> feature % 32 & 1;
}

static inline void cpu_set_put(struct cpu_set *set, unsigned int feature,
			       bool on)
{
	uint32_t bit = 1u << feature % 32;

	set->word[feature / 32] =
		(set->word[feature / 32] & ~bit) | (on ? bit : 0);
}

#endif
