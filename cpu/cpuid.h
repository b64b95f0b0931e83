/*
 * cpu/cpuid.h -- what CPUID says, leaf by leaf.
 */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct x86_cpuid_leaf {
	uint32_t function, index;
	bool indexed; /* index (ECX) is significant */
	uint32_t eax, ebx, ecx, edx;
};

enum { X86_CPUID_MAX = 128 };

struct x86_cpuid {
	unsigned int n;
	struct x86_cpuid_leaf leaf[X86_CPUID_MAX];
};

/* NULL when there is no such leaf. */
struct x86_cpuid_leaf *x86_cpuid_find(struct x86_cpuid *cpuid,
				      uint32_t function, uint32_t index);

/* The CPU that runs this: its identity and the leaves with features. */
void x86_cpuid_native(struct x86_cpuid *ret_cpuid);

/* SDM vol. 2A, "CPUID", leaf 01H: family and model with their extensions. */
struct x86_signature {
	unsigned int family, model, stepping;
};
struct x86_signature x86_signature_of(struct x86_cpuid *cpuid);
uint32_t x86_signature_eax(const struct x86_signature *signature);

/* The twelve letters of leaf 0; "" when there is none. */
void x86_cpuid_vendor(struct x86_cpuid *cpuid, char ret_vendor[13]);
void x86_cpuid_set_vendor(struct x86_cpuid *cpuid, const char vendor[13]);
/* Leaves 0x80000002 to 4; at most 47 letters. */
void x86_cpuid_set_brand(struct x86_cpuid *cpuid, const char *brand);

#endif
