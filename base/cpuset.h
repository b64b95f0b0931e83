/*
 * base/cpuset.h -- sets of numbers as XML and the kernel write them,
 * "0-3,^2,8": CPUs, NUMA nodes, vCPUs.
 */
#ifndef BASE_CPUSET_H
#define BASE_CPUSET_H

#include <stdbool.h>
#include <stdint.h>

enum { CPUSET_MAX = 4096 };

struct cpuset {
	uint64_t word[CPUSET_MAX / 64];
};

int cpuset_parse(const char *text, struct cpuset *ret_set);
char *cpuset_format(const struct cpuset *set); /* the caller frees it */

bool cpuset_has(const struct cpuset *set, unsigned int n);
void cpuset_add(struct cpuset *set, unsigned int n);
unsigned int cpuset_count(const struct cpuset *set);
int cpuset_last(const struct cpuset *set); /* -1: empty */

#endif
