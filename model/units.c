/*
 * model/units.c -- sizes with a unit, as in <memory unit='MiB'>.
 */
#include "model/units.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

static uint64_t power(uint64_t base, unsigned int n)
{
	return n ? base * power(base, n - 1) : 1;
}

/* b, bytes; K, KiB: 1024; KB: 1000; and so on to E; in any case. */
uint64_t unit_bytes(const char *unit)
{
	static const char prefixes[] = "kmgtpe";
	const char *p;

	if (!unit || !*unit)
		return KIB;
	if (!strcasecmp(unit, "b") || !strcasecmp(unit, "byte") ||
	    !strcasecmp(unit, "bytes"))
		return 1;
	p = strchr(prefixes, *unit | 0x20);
	if (!p)
		return 0;
	if (!unit[1] || !strcasecmp(unit + 1, "ib"))
		return power(1024, p - prefixes + 1);
	return strcasecmp(unit + 1, "b") ? 0 : power(1000, p - prefixes + 1);
}

int size_parse(const char *number, const char *unit, uint64_t *ret_bytes)
{
	uint64_t scale = unit_bytes(unit), n, bytes;
	int r = parse_u64(number, 10, UINT64_MAX, &n);

	if (r < 0)
		return r;
	if (!scale)
		return -EINVAL;
	if (ckd_mul(&bytes, n, scale) || bytes > INT64_MAX)
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}
