/*
 * vmm/cpuid_cache.c -- what CPUID tells of caches (SDM vol. 2A, "CPUID",
 * leaves 02H and 04H; AMD APM vol. 3, appendix E.4, Fn8000_0005, _0006 and
 * _001D).
 *
 * Both makers' leaves are filled, so that they agree whoever asks.  The
 * topology fills in later who shares what (cpuid.c).
 */
#include "vmm/cpuid.h"

#include <string.h>

#include "base/util.h"

enum { LINE = 64 };

/* Types of leaf 4: 1 data, 2 instructions, 3 both. */
static const struct cache {
	uint8_t type, level, ways;
	unsigned int kib;
} caches[] = {
	{ 1, 1, 8, 32 },
	{ 2, 1, 8, 32 },
	{ 3, 2, 8, 512 },
	{ 3, 3, 16, 16384 },
};

static void put(struct x86_cpuid *cpuid, uint32_t function, const uint32_t r[4])
{
	struct x86_cpuid_leaf leaf = { function, 0,    false, r[0],
				       r[1],	 r[2], r[3] };

	cpuid_drop(cpuid, function);
	cpuid_add(cpuid, &leaf);
}

static void put_caches(struct x86_cpuid *cpuid, uint32_t function)
{
	struct x86_cpuid_leaf leaf = { .function = function, .indexed = true };

	cpuid_drop(cpuid, function);
	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		const struct cache *c = &caches[i];

		leaf.index = i;
		/* Self-initializing. */
		leaf.eax = c->type | c->level << 5 | BIT(8);
		leaf.ebx = (LINE - 1) | (uint32_t)(c->ways - 1) << 22;
		leaf.ecx = c->kib * KIB / LINE / c->ways - 1;
		cpuid_add(cpuid, &leaf);
	}
	leaf = (struct x86_cpuid_leaf){
		function, ARRAY_SIZE(caches), true, 0, 0, 0, 0
	};
	cpuid_add(cpuid, &leaf);
}

/* AMD's older leaves know four fields each, and 8 ways by another number. */
static void put_amd(struct x86_cpuid *cpuid)
{
	const uint32_t l1[4] = { 0, 0,
				 caches[0].kib << 24 | 8 << 16 | 1 << 8 | LINE,
				 caches[1].kib << 24 | 8 << 16 | 1 << 8 |
					 LINE };
	const uint32_t l23[4] = { 0, 0,
				  caches[2].kib << 16 | 6 << 12 | 1 << 8 | LINE,
				  caches[3].kib / 512 << 18 | 8 << 12 | 1 << 8 |
					  LINE };

	put(cpuid, 0x80000005, l1);
	put(cpuid, 0x80000006, l23);
}

/* Descriptor FFH: leaf 4 has it. */
static void emulate(struct x86_cpuid *cpuid)
{
	static const uint32_t see_leaf_4[4] = { 0xff01, 0, 0, 0 };

	put(cpuid, 2, see_leaf_4);
	put_caches(cpuid, 4);
	put_caches(cpuid, 0x8000001d);
	put_amd(cpuid);
}

static void disable(struct x86_cpuid *cpuid)
{
	static const uint32_t functions[] = { 2, 4, 0x80000005, 0x80000006,
					      0x8000001d };

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		cpuid_drop(cpuid, functions[i]);
}

void cpuid_caches(struct x86_cpuid *cpuid, enum spec_cpu_cache mode)
{
	if (mode == SPEC_CPU_EMULATE)
		emulate(cpuid);
	else if (mode == SPEC_CPU_NO_CACHE)
		disable(cpuid);
}
