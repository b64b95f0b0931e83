/*
 * drivers/emu/direct_scan.c -- instructions that must not run natively.
 *
 * Most of what a guest's processor does otherwise than the host's faults in a
 * stub.  What does not: CPUID and XGETBV, which tell what the host has; RDPID,
 * RDTSCP and LSL, by which Linux's programs ask for the number of the CPU they
 * are on.  In a copy of their page they are made to fault, by HLT.
 *
 * Their bytes may be a part of other instructions, a constant perhaps, which
 * must stay as it is.  Decoding from a few places before them finds the right
 * boundaries soon, mostly: from 32 bytes nearly always, from 128 in all libraries
 * that were tried.  Where three of four places do not agree, the page must not
 * be run.
 */
#include <string.h>

#include "drivers/emu/decode.h"
#include "drivers/emu/direct.h"

enum { NEAR = 32, BEFORE = 128, BEHIND = 2, SWEEPS = 16, HLT = 0xf4 };

/* Do they begin such an instruction, prefixes aside? */
static bool is_suspect(const uint8_t *p)
{
	if (p[0] != 0x0f)
		return false;
	switch (p[1]) {
	case 0xa2: /* CPUID */
		return true;
	case 0x01: /* XGETBV, RDTSCP */
		return p[2] == 0xd0 || p[2] == 0xf9;
	case 0x03: /* LSL, of a register */
		return p[2] >= 0xc0;
	case 0xc7: /* RDPID; RDSEED is one of them */
		return p[2] >= 0xf8;
	}
	return false;
}

static bool tells(ZydisMnemonic m)
{
	return m == ZYDIS_MNEMONIC_CPUID || m == ZYDIS_MNEMONIC_RDPID ||
	       m == ZYDIS_MNEMONIC_LSL || m == ZYDIS_MNEMONIC_XGETBV ||
	       m == ZYDIS_MNEMONIC_RDTSCP;
}

enum verdict { NO, YES, UNKNOWN };

/* Does decoding from there arrive at the suspect, or at its prefixes? */
static enum verdict arrives(const ZydisDecoder *d, const uint8_t *from,
			    const uint8_t *at)
{
	ZydisDecodedInstruction i;

	while (from < at) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			    d, NULL, from, 15, &i)))
			return UNKNOWN; /* that is no code */
		if (from + i.length > at)
			return tells(i.mnemonic) ? YES : NO;
		from += i.length;
	}
	return YES;
}

static enum verdict decode_from(const ZydisDecoder *d, const uint8_t *from,
				const uint8_t *at)
{
	unsigned int n[] = { 0, 0, 0 };

	for (unsigned int i = 0; i < SWEEPS; i++)
		n[arrives(d, from + i, at)]++;
	if (n[YES] > 3 * n[NO])
		return YES;
	return n[NO] > 3 * n[YES] ? NO : UNKNOWN;
}

static enum verdict is_instruction(const ZydisDecoder *d, const uint8_t *at)
{
	enum verdict v = UNKNOWN;

	for (unsigned int n = NEAR; v == UNKNOWN && n <= BEFORE; n *= 2)
		v = decode_from(d, at - n, at);
	return v;
}

int direct_disarm(struct emu_cpu *cpu, uint8_t *page, const uint8_t *before,
		  const uint8_t *behind, bool *ret_before)
{
	const struct block_cache *cache = cpu->cache;
	uint8_t bytes[BEFORE + EMU_PAGE + BEFORE] = { 0 };
	uint8_t *start = bytes + BEFORE, *p = start - BEHIND;
	uint8_t *end = start + EMU_PAGE;
	enum verdict v;
	int n = 0;

	if (before)
		memcpy(bytes, before + EMU_PAGE - BEFORE, BEFORE);
	memcpy(start, page, EMU_PAGE);
	if (behind)
		memcpy(end, behind, BEFORE);
	*ret_before = false;
	for (; (p = memchr(p, 0x0f, end - p)); p++) {
		if (!is_suspect(p))
			continue;
		v = is_instruction(&cache->decoder[MODE_64], p);
		if (v == UNKNOWN)
			return -1;
		if (v == NO)
			continue;
		if (p >= start) {
			page[p - start] = HLT;
			n++;
		} else if (p + 2 >= start) {
			*ret_before = true;
		}
	}
	return n;
}
