/*
 * cpu/cpuid.c -- CPUID's leaves and the names in them (SDM vol. 2A, "CPUID").
 */
#include "cpu/cpuid.h"

#include <cpuid.h>
#include <string.h>

#include "base/util.h"

struct x86_cpuid_leaf *x86_cpuid_find(struct x86_cpuid *cpuid,
				      uint32_t function, uint32_t index)
{
	for (unsigned int i = 0; i < cpuid->n; i++) {
		struct x86_cpuid_leaf *leaf = &cpuid->leaf[i];

		if (leaf->function == function &&
		    (!leaf->indexed || leaf->index == index))
			return leaf;
	}
	return NULL;
}

static void add_native(struct x86_cpuid *c, uint32_t function, uint32_t index,
		       bool indexed)
{
	struct x86_cpuid_leaf *l = &c->leaf[c->n];

	*l = (struct x86_cpuid_leaf){ function, index, indexed, 0, 0, 0, 0 };
	if (__get_cpuid_count(function, index, &l->eax, &l->ebx, &l->ecx,
			      &l->edx))
		c->n++;
}

void x86_cpuid_native(struct x86_cpuid *ret_cpuid)
{
	static const uint32_t plain[] = { 0,	      1,	  6,
					  0x80000000, 0x80000001, 0x80000007,
					  0x80000008, 0x8000000a };

	ret_cpuid->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		add_native(ret_cpuid, plain[i], 0, false);
	for (unsigned int i = 0; i < 2; i++) {
		add_native(ret_cpuid, 7, i, true);
		add_native(ret_cpuid, 0xd, i, true);
	}
}

struct x86_signature x86_signature_of(struct x86_cpuid *cpuid)
{
	const struct x86_cpuid_leaf *l = x86_cpuid_find(cpuid, 1, 0);
	struct x86_signature s = { 0 };

	if (!l)
		return s;
	s.family = l->eax >> 8 & 15;
	s.model = l->eax >> 4 & 15;
	if (s.family == 6 || s.family == 15)
		s.model |= l->eax >> 12 & 0xf0;
	if (s.family == 15)
		s.family += l->eax >> 20 & 0xff;
	s.stepping = l->eax & 15;
	return s;
}

uint32_t x86_signature_eax(const struct x86_signature *s)
{
	uint32_t family = MIN(s->family, 15u);

	return (s->family - family) << 20 | (s->model & 0xf0) << 12 |
	       family << 8 | (s->model & 15) << 4 | (s->stepping & 15);
}

void x86_cpuid_vendor(struct x86_cpuid *cpuid, char ret_vendor[13])
{
	const struct x86_cpuid_leaf *l = x86_cpuid_find(cpuid, 0, 0);

	memset(ret_vendor, 0, 13);
	if (!l)
		return;
	memcpy(ret_vendor, &l->ebx, 4);
	memcpy(ret_vendor + 4, &l->edx, 4);
	memcpy(ret_vendor + 8, &l->ecx, 4);
}

/* AMD APM vol. 3, appendix E: the first extended leaf has it too. */
void x86_cpuid_set_vendor(struct x86_cpuid *cpuid, const char vendor[13])
{
	for (unsigned int i = 0; i < cpuid->n; i++) {
		struct x86_cpuid_leaf *l = &cpuid->leaf[i];

		if (l->function != 0 && l->function != 0x80000000)
			continue;
		memcpy(&l->ebx, vendor, 4);
		memcpy(&l->edx, vendor + 4, 4);
		memcpy(&l->ecx, vendor + 8, 4);
	}
}

void x86_cpuid_set_brand(struct x86_cpuid *cpuid, const char *brand)
{
	char text[48] = "";

	memcpy(text, brand, strnlen(brand, sizeof(text) - 1));
	for (unsigned int i = 0; i < 3; i++) {
		struct x86_cpuid_leaf *l =
			x86_cpuid_find(cpuid, 0x80000002 + i, 0);

		if (!l)
			continue;
		memcpy(&l->eax, text + 16 * i, 4);
		memcpy(&l->ebx, text + 16 * i + 4, 4);
		memcpy(&l->ecx, text + 16 * i + 8, 4);
		memcpy(&l->edx, text + 16 * i + 12, 4);
	}
}
