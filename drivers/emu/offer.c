/*
 * drivers/emu/offer.c -- CPUID: what the host has and this engine runs.
 *
 * Vendor, family and caches are the host's, so that a guest chooses the code
 * that is good for it.  Features are let through by name: one that is not
 * listed here is not offered.  The vector unit has its own say (vec_cpuid()).
 * The daemon links this file too, to know what guests can be given.
 */
#include <cpuid.h>

#include "base/util.h"
#include "drivers/emu/offer.h"
#include "drivers/emu/vec_int.h"

/* Leaf 1. */
#define L1_ECX \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | \
	 BIT(12) /* FMA */ | BIT(13) /* CX16 */ | BIT(17) /* PCID */ | \
	 BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ | \
	 BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(26) /* XSAVE */ | \
	 BIT(28) /* AVX */ | BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
/* ... and what the engine has whatever the host is. */
#define L1_ECX_OWN (BIT(21) /* x2APIC */ | BIT(24) /* TSC deadline */ | \
		    BIT(31) /* hypervisor */)
#define L1_EDX \
	(BIT(0) /* FPU */ | BIT(2) /* DE */ | BIT(3) /* PSE */ | \
	 BIT(4) /* TSC */ | BIT(5) /* MSR */ | BIT(6) /* PAE */ | \
	 BIT(7) /* MCE */ | BIT(8) /* CX8 */ | BIT(9) /* APIC */ | \
	 BIT(11) /* SEP */ | BIT(12) /* MTRR */ | BIT(13) /* PGE */ | \
	 BIT(14) /* MCA */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ | \
	 BIT(17) /* PSE-36 */ | BIT(19) /* CLFSH */ | BIT(23) /* MMX */ | \
	 BIT(24) /* FXSR */ | BIT(25) /* SSE */ | BIT(26) /* SSE2 */)
/* Leaf 7, subleaf 0. */
#define L7_EBX \
	(BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | \
	 BIT(7) /* SMEP */ | BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ | \
	 BIT(10) /* INVPCID */ | BIT(18) /* RDSEED */ | BIT(19) /* ADX */ | \
	 BIT(20) /* SMAP */ | BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ | \
	 BIT(29) /* SHA */)
#define L7_EBX_OWN BIT(1) /* TSC_ADJUST */
#define L7_ECX \
	(BIT(8) /* GFNI */ | BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ | \
	 BIT(22) /* RDPID */)
#define L7_ECX_OWN BIT(2) /* UMIP */
#define L7_EDX	   BIT(4) /* FSRM */
/* Leaf 0x80000001. */
#define LE1_ECX \
	(BIT(0) /* LAHF */ | BIT(1) /* CMP legacy */ | BIT(4) /* CR8 */ | \
	 BIT(5) /* ABM */ | BIT(6) /* SSE4A */ | BIT(7) /* misaligned SSE */ | \
	 BIT(8) /* PREFETCHW */ | BIT(9) /* OSVW */ | \
	 BIT(22) /* topology extensions */)
#define LE1_EDX \
	((L1_EDX & 0x0183f3ff & ~BIT(11)) | BIT(11) /* SYSCALL */ | \
	 BIT(20) /* NX */ | BIT(22) /* MMX+ */ | BIT(25) /* FFXSR */ | \
	 BIT(26) /* 1 GiB pages */ | BIT(27) /* RDTSCP */ | BIT(29) /* LM */)

/* Leaf 0x80000008.  FXRSTOR is as the host's, error pointers too. */
#define LE8_EBX (BIT(0) /* CLZERO */ | BIT(2) /* XSAVEERPTR */)

enum { EMU_PHYS_BITS = 40, KVM_BASE = 0x40000000 };

static void add(struct x86_cpuid *c, uint32_t function, uint32_t index,
		bool indexed, const uint32_t r[4])
{
	if (c->n < X86_CPUID_MAX)
		c->leaf[c->n++] = (struct x86_cpuid_leaf){
			function, index, indexed, r[0], r[1], r[2], r[3]
		};
}

/* Masks of one leaf: EAX..EDX; host bits let through, then own ones. */
static void mask_leaf(uint32_t function, uint32_t index, uint32_t r[4])
{
	switch (function) {
	case 1:
		r[2] = (r[2] & L1_ECX) | L1_ECX_OWN;
		r[3] &= L1_EDX;
		break;
	case 6:
		r[0] = BIT(2); /* ARAT: our timer never stops */
		r[1] = r[2] = r[3] = 0;
		break;
	case 7:
		r[0] = 0;
		r[1] = (r[1] & L7_EBX) | L7_EBX_OWN;
		r[2] = (r[2] & L7_ECX) | L7_ECX_OWN;
		r[3] &= L7_EDX;
		break;
	case 5:	   /* no MONITOR */
	case 0xa:  /* no performance counters */
	case 0x80000007:
		r[0] = r[1] = r[2] = 0;
		r[3] = function == 0x80000007 ? r[3] & BIT(8) : 0;
		break;
	case 0x80000001:
		r[2] &= LE1_ECX;
		r[3] &= LE1_EDX;
		break;
	case 0x80000008:
		r[0] = EMU_PHYS_BITS | 48 << 8;
		r[1] &= LE8_EBX;
		r[2] = 0;
		r[3] = 0;
		break;
	}
	vec_cpuid(function, index, r);
}

static bool has_index(uint32_t function)
{
	return function == 4 || function == 7 || function == 0xb ||
	       function == 0xd || function == 0x8000001d;
}

static void add_host(struct x86_cpuid *c, uint32_t function, uint32_t index)
{
	uint32_t r[4];

	__cpuid_count(function, index, r[0], r[1], r[2], r[3]);
	mask_leaf(function, index, r);
	add(c, function, index, has_index(function), r);
}

/* The host's leaf 0xb says how many threads it has: the machine fills in. */
static void add_indexed(struct x86_cpuid *c, uint32_t function)
{
	unsigned int n = function == 0xd ? 64 : function == 7 ? 1 : 4;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int before = c->n;

		add_host(c, function, i);
		if (function == 0xd && i > 1 && !c->leaf[before].eax)
			c->n = before;
		if ((function == 4 || function == 0x8000001d) &&
		    !(c->leaf[before].eax & 31))
			break;
	}
}

static void add_range(struct x86_cpuid *c, uint32_t first, uint32_t last,
		      uint32_t skip_from)
{
	for (uint32_t f = first; f <= last; f++) {
		if (f > skip_from)
			break;
		if (has_index(f))
			add_indexed(c, f);
		else
			add_host(c, f, 0);
	}
}

/* KVM's leaves: the guest finds its clock by them. */
static void add_kvm(struct x86_cpuid *c)
{
	static const uint32_t id[4] = { KVM_BASE + 1, 0x4b4d564b, 0x564b4d56,
					0x4d };
	/* CLOCKSOURCE2, NOP_IO_DELAY, PV_EOI, PV_UNHALT, PV_SEND_IPI,
	 * CLOCKSOURCE_STABLE_BIT */
	static const uint32_t features[4] = { BIT(1) | BIT(3) | BIT(6) |
					      BIT(7) | BIT(11) | BIT(24) };

	add(c, KVM_BASE, 0, false, id);
	add(c, KVM_BASE + 1, 0, false, features);
}

void emu_cpuid_host(struct x86_cpuid *ret_cpuid)
{
	uint32_t max = MIN(__get_cpuid_max(0, NULL), 0xd);
	uint32_t max_ext = __get_cpuid_max(0x80000000, NULL);

	ret_cpuid->n = 0;
	add_range(ret_cpuid, 0, max, 0xd);
	ret_cpuid->leaf[0].eax = max;
	add_kvm(ret_cpuid);
	max_ext = MIN(max_ext, 0x8000001e);
	add_range(ret_cpuid, 0x80000000, max_ext, 0x8000001e);
	x86_cpuid_find(ret_cpuid, 0x80000000, 0)->eax = max_ext;
}
