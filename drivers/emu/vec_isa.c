/*
 * drivers/emu/vec_isa.c -- which vector extensions this host has and the
 * thunks can run, and what of it CPUID may show.
 *
 * EVEX, XOP and 3DNow! encodings are not run: their feature bits go.
 */
#include <cpuid.h>
#include <string.h>

#include "base/util.h"
#include "drivers/emu/vec_int.h"

enum { EAX, EBX, ECX, EDX };
enum { HYGON_EBX = 0x6f677948 };

/* One line per instruction set: the CPUID bit that announces it. */
static const struct isa {
	uint16_t set;
	uint32_t function;
	uint8_t reg, bit;
	bool avx; /* also needs the host to have YMM state enabled */
	uint8_t index;
} isas[] = {
	{ ZYDIS_ISA_SET_X87, 1, EDX, 0, false },
	{ ZYDIS_ISA_SET_FCMOV, 1, EDX, 15, false },
	{ ZYDIS_ISA_SET_PPRO, 1, EDX, 15, false },
	{ ZYDIS_ISA_SET_PENTIUMMMX, 1, EDX, 23, false },
	{ ZYDIS_ISA_SET_SSE, 1, EDX, 25, false },
	{ ZYDIS_ISA_SET_SSEMXCSR, 1, EDX, 25, false },
	{ ZYDIS_ISA_SET_SSE2, 1, EDX, 26, false },
	{ ZYDIS_ISA_SET_SSE2MMX, 1, EDX, 26, false },
	{ ZYDIS_ISA_SET_SSE3, 1, ECX, 0, false },
	{ ZYDIS_ISA_SET_SSE3X87, 1, ECX, 0, false },
	{ ZYDIS_ISA_SET_SSSE3, 1, ECX, 9, false },
	{ ZYDIS_ISA_SET_SSSE3MMX, 1, ECX, 9, false },
	{ ZYDIS_ISA_SET_SSE4, 1, ECX, 19, false },
	{ ZYDIS_ISA_SET_SSE42, 1, ECX, 20, false },
	{ ZYDIS_ISA_SET_SSE4A, 0x80000001, ECX, 6, false },
	{ ZYDIS_ISA_SET_AES, 1, ECX, 25, false },
	{ ZYDIS_ISA_SET_PCLMULQDQ, 1, ECX, 1, false },
	{ ZYDIS_ISA_SET_SHA, 7, EBX, 29, false },
	{ ZYDIS_ISA_SET_GFNI, 7, ECX, 8, false },
	{ ZYDIS_ISA_SET_FXSAVE, 1, EDX, 24, false },
	{ ZYDIS_ISA_SET_FXSAVE64, 1, EDX, 24, false },
	{ ZYDIS_ISA_SET_XSAVE, 1, ECX, 26, false },
	{ ZYDIS_ISA_SET_XSAVEOPT, 0xd, EAX, 0, false, 1 },
	{ ZYDIS_ISA_SET_XSAVEC, 0xd, EAX, 1, false, 1 },
	{ ZYDIS_ISA_SET_XSAVES, 0xd, EAX, 3, false, 1 },
	{ ZYDIS_ISA_SET_AVX, 1, ECX, 28, true },
	{ ZYDIS_ISA_SET_AVXAES, 1, ECX, 25, true },
	{ ZYDIS_ISA_SET_AVX2, 7, EBX, 5, true },
	{ ZYDIS_ISA_SET_AVX2GATHER, 7, EBX, 5, true },
	{ ZYDIS_ISA_SET_FMA, 1, ECX, 12, true },
	{ ZYDIS_ISA_SET_F16C, 1, ECX, 29, true },
	{ ZYDIS_ISA_SET_VAES, 7, ECX, 9, true },
	{ ZYDIS_ISA_SET_VPCLMULQDQ, 7, ECX, 10, true },
	{ ZYDIS_ISA_SET_AVX_GFNI, 7, ECX, 8, true },
};

static bool host_bit(uint32_t function, uint32_t index, unsigned int reg,
		     unsigned int bit)
{
	uint32_t r[4];

	if (!__get_cpuid_count(function, index, &r[EAX], &r[EBX], &r[ECX],
			       &r[EDX]))
		return false;
	return r[reg] >> bit & 1;
}

static uint64_t host_xcr0(void)
{
	uint32_t lo, hi;

	if (!host_bit(1, 0, ECX, 27))
		return 3;
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* What CPUID said once: it is slow where it is virtualized. */
static bool runs[ZYDIS_ISA_SET_MAX_VALUE + 1], host_avx, host_amd;
static uint32_t mxcsr_mask;

/* SDM vol. 1, "Guidelines for Writing to the MXCSR Register". */
static uint32_t host_mxcsr_mask(void)
{
	_Alignas(16) uint8_t f[512] = { 0 };
	uint32_t mask;

	__asm__ volatile("fxsave %0" : "+m"(f));
	memcpy(&mask, f + XA_MXCSR_MASK, sizeof(mask));
	return mask ? mask : 0xffbf;
}

void vec_isa_init(void)
{
	uint32_t a, b, c, d;

	__cpuid(0, a, b, c, d);
	mxcsr_mask = host_mxcsr_mask();
	host_amd = b == signature_AMD_ebx || b == HYGON_EBX;
	host_avx = host_bit(1, 0, ECX, 28) && (host_xcr0() & 6) == 6;
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++)
		runs[isas[i].set] = host_bit(isas[i].function, isas[i].index,
					     isas[i].reg, isas[i].bit) &&
				    (!isas[i].avx || host_avx);
}

bool vec_host_avx(void)
{
	return host_avx;
}

bool vec_host_amd(void)
{
	return host_amd;
}

uint32_t vec_mxcsr_mask(void)
{
	return mxcsr_mask;
}

bool vec_isa_bit(ZydisISASet set, struct vec_isa_bit *ret_bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		if (isas[i].set != set)
			continue;
		*ret_bit = (struct vec_isa_bit){ isas[i].function,
						 isas[i].index, isas[i].reg,
						 isas[i].bit };
		return true;
	}
	return false;
}

bool vec_isa_runs(ZydisISASet set)
{
	return set <= ZYDIS_ISA_SET_MAX_VALUE && runs[set];
}

uint64_t vec_xcr0_mask(void)
{
	return vec_host_avx() ? 7 : 3;
}

uint32_t vec_xsave_size(uint64_t components, bool compacted)
{
	/* SDM vol. 1: the one extended component follows the header. */
	return components & 4 ? XA_END : XA_HEADER_END;
}

/* CPUID bits of what no thunk runs: AVX-512, AMX, XOP, 3DNow!, ... */
static const struct {
	uint32_t function, index, mask[4];
} hidden[] = {
	{ 7, 0,
	  { [EBX] = BIT(14) | BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) |
		    BIT(28) | BIT(30) | BIT(31),
	    [ECX] = BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14),
	    [EDX] = BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) |
		    BIT(25) } },
	{ 7, 1,
	  { [EAX] = BIT(0) | BIT(1) | BIT(2) | BIT(4) | BIT(5) | BIT(21) |
		    BIT(23),
	    [EDX] = BIT(4) | BIT(5) | BIT(10) | BIT(19) } },
	{ 0x80000001, 0,
	  { [ECX] = BIT(11) | BIT(15) | BIT(16) | BIT(21),
	    [EDX] = BIT(30) | BIT(31) } },
};

static void cpuid_xsave(uint32_t index, uint32_t regs[4])
{
	uint32_t host = regs[EAX];

	memset(regs, 0, 4 * sizeof(*regs));
	if (index == 0) {
		regs[EAX] = vec_xcr0_mask();
		regs[EBX] = regs[ECX] = vec_xsave_size(regs[EAX], false);
	} else if (index == 1) {
		regs[EAX] = host & 0xf;
		regs[EBX] = vec_xsave_size(vec_xcr0_mask(), true);
	} else if (index == 2 && vec_xcr0_mask() & 4) {
		regs[EAX] = XA_END - XA_YMMH;
		regs[EBX] = XA_YMMH;
	}
}

void vec_cpuid(uint32_t function, uint32_t index, uint32_t regs[4])
{
	if (function == 0xd)
		cpuid_xsave(index, regs);
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		if (hidden[i].function != function ||
		    (function == 7 && hidden[i].index != index))
			continue;
		for (int r = 0; r < 4; r++)
			regs[r] &= ~hidden[i].mask[r];
	}
	/* Without YMM state the host's AVX family is unusable. */
	if (function == 1 && !vec_host_avx())
		regs[ECX] &= ~(BIT(12) | BIT(28) | BIT(29));
	if (function == 7 && index == 0 && !vec_host_avx()) {
		regs[EBX] &= ~BIT(5);
		regs[ECX] &= ~(BIT(9) | BIT(10));
	}
}
