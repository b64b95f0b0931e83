/*
 * base/cpuset.c -- sets of numbers as XML and the kernel write them.
 */
#include "base/cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/util.h"

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static int read_number(const char **p, unsigned int *ret)
{
	unsigned long n;
	char *end;

	*p = skip_blanks(*p);
	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	errno = 0;
	n = strtoul(*p, &end, 10);
	if (errno || n >= CPUSET_MAX)
		return -ERANGE;
	*p = skip_blanks(end);
	*ret = n;
	return 0;
}

static void put(struct cpuset *set, unsigned int n, bool on)
{
	if (on)
		set->word[n / 64] |= BIT64(n % 64);
	else
		set->word[n / 64] &= ~BIT64(n % 64);
}

/* One of "3", "3-5" and "^3". */
static int read_range(const char **p, struct cpuset *set)
{
	unsigned int first, last;
	bool without;
	int r;

	*p = skip_blanks(*p);
	without = **p == '^';
	*p += without;
	r = read_number(p, &first);
	last = first;
	if (r == 0 && **p == '-' && !without) {
		++*p;
		r = read_number(p, &last);
	}
	if (r < 0 || last < first)
		return r < 0 ? r : -EINVAL;
	for (unsigned int n = first; n <= last; n++)
		put(set, n, !without);
	return 0;
}

int cpuset_parse(const char *text, struct cpuset *ret_set)
{
	const char *p = text;
	int r;

	memset(ret_set, 0, sizeof(*ret_set));
	for (;;) {
		r = read_range(&p, ret_set);
		if (r == 0 && !*p)
			return cpuset_last(ret_set) < 0 ? -EINVAL : 0;
		if (r < 0)
			return r;
		if (*p++ != ',')
			return -EINVAL;
	}
}

bool cpuset_has(const struct cpuset *set, unsigned int n)
{
	return n < CPUSET_MAX && set->word[n / 64] >> n % 64 & 1;
}

void cpuset_add(struct cpuset *set, unsigned int n)
{
	if (n < CPUSET_MAX)
		put(set, n, true);
}

unsigned int cpuset_count(const struct cpuset *set)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set->word); i++)
		n += __builtin_popcountll(set->word[i]);
	return n;
}

int cpuset_last(const struct cpuset *set)
{
	int n = CPUSET_MAX - 1;

	while (n >= 0 && !cpuset_has(set, n))
		n--;
	return n;
}

char *cpuset_format(const struct cpuset *set)
{
	struct buf out = { 0 };

	for (unsigned int i = 0; i < CPUSET_MAX; i++) {
		unsigned int first = i;

		if (!cpuset_has(set, i))
			continue;
		while (cpuset_has(set, i + 1))
			i++;
		buf_printf(&out, "%s%u", out.len ? "," : "", first);
		if (i > first)
			buf_printf(&out, "-%u", i);
	}
	return buf_steal(&out);
}
