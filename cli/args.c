/*
 * cli/args.c -- the values of a command's options, checked.
 */
#include "cli/args.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "cli/output.h"

static int find(const struct args *args, const char *name)
{
	for (int i = 0; args->cmd->opts && args->cmd->opts[i].name; i++)
		if (str_eq(args->cmd->opts[i].name, name))
			return i;
	return -1;
}

const char *args_get(const struct args *args, const char *name)
{
	int i = find(args, name);

	return i < 0 ? NULL : args->value[i];
}

bool args_has(const struct args *args, const char *name)
{
	return args_get(args, name) != NULL;
}

static int malformed(const struct args *args, const char *name)
{
	say_error("Numeric value '%s' for <%s> option is malformed or out of "
		  "range",
		  args_get(args, name), name);
	return -1;
}

static int read_number(const struct args *args, const char *name, long long min,
		       unsigned long long max, long long *ret)
{
	const char *text = args_get(args, name);
	char *end;

	if (!text)
		return 0;
	errno = 0;
	if (*text == '-') {
		*ret = strtoll(text, &end, 10);
		if (errno || *end || end == text + 1 || *ret < min)
			return malformed(args, name);
		return 1;
	}
	*ret = (long long)strtoull(text, &end, 10);
	if (errno || *end || end == text || (unsigned long long)*ret > max)
		return malformed(args, name);
	return 1;
}

int args_int(const struct args *args, const char *name, int *ret)
{
	long long v;
	int r = read_number(args, name, INT_MIN, INT_MAX, &v);

	if (r > 0)
		*ret = (int)v;
	return r;
}

int args_uint(const struct args *args, const char *name, unsigned int *ret)
{
	long long v;
	int r = read_number(args, name, 0, UINT_MAX, &v);

	if (r > 0)
		*ret = (unsigned int)v;
	return r;
}

int args_ull(const struct args *args, const char *name, unsigned long long *ret)
{
	long long v;
	int r = read_number(args, name, 0, ULLONG_MAX, &v);

	if (r > 0)
		*ret = (unsigned long long)v;
	return r;
}

int args_number(const struct args *args, const char *name, unsigned long max,
		unsigned long *ret)
{
	long long v;
	int r = read_number(args, name, 0, max, &v);

	if (r > 0)
		*ret = (unsigned long)v;
	return r;
}

static unsigned long long power(unsigned long long base, int n)
{
	return n ? base * power(base, n - 1) : 1;
}

/* "k", "KiB" and "KB" and so on; 0: none of them. */
static unsigned long long suffix_bytes(const char *s)
{
	static const char letters[] = "kmgtpe";
	const char *at = *s ? strchr(letters, *s | 0x20) : NULL;
	int n = at ? (int)(at - letters) + 1 : 0;

	if (str_eq(s, "b") || str_eq(s, "byte") || str_eq(s, "bytes"))
		return 1;
	if (!at)
		return 0;
	if (!s[1] || strcasecmp(s + 1, "iB") == 0)
		return power(1024, n);
	return strcasecmp(s + 1, "B") == 0 ? power(1000, n) : 0;
}

int size_parse(const char *text, unsigned long long unit,
	       unsigned long long *ret)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text == '-' || end == text || errno)
		return -1;
	if (*end)
		unit = suffix_bytes(end);
	return unit && !ckd_mul(ret, v, unit) ? 0 : -1;
}

int args_size(const struct args *args, const char *name,
	      unsigned long long unit, unsigned long long *ret)
{
	const char *text = args_get(args, name);

	if (!text)
		return 0;
	if (size_parse(text, unit, ret) == 0)
		return 1;
	say_error("Scaled numeric value '%s' for <%s> option is malformed or "
		  "out of range",
		  text, name);
	return -1;
}

unsigned int args_flags(const struct args *args,
			const struct flag_option *table)
{
	unsigned int flags = 0;

	for (; table->name; table++)
		if (args_has(args, table->name))
			flags |= table->bit;
	return flags;
}

int args_exclusive(const struct args *args, const char *a, const char *b)
{
	if (!args_has(args, a) || !args_has(args, b))
		return 0;
	say_error("Options --%s and --%s are mutually exclusive", a, b);
	return -1;
}

int args_requires(const struct args *args, const char *option,
		  const char *needed)
{
	if (!args_has(args, option) || args_has(args, needed))
		return 0;
	say_error("Option --%s is required by option --%s", needed, option);
	return -1;
}

int args_affect(const struct args *args, unsigned int *ret_flags)
{
	static const struct flag_option bits[] = {
		{ "config", VIR_DOMAIN_AFFECT_CONFIG },
		{ "live", VIR_DOMAIN_AFFECT_LIVE },
		{ NULL },
	};

	if (args_exclusive(args, "current", "live") < 0 ||
	    args_exclusive(args, "current", "config") < 0)
		return -1;
	*ret_flags = args_flags(args, bits);
	return 0;
}

char *comma_next(char **rest)
{
	char *word = *rest, *to = word, *from = word;

	if (!word)
		return NULL;
	for (; *from && (*from != ',' || from[1] == ','); from++) {
		from += *from == ',';
		*to++ = *from;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return word;
}

char *args_file(const struct args *args, const char *name)
{
	return read_xml_file(args_get(args, name));
}

enum { XML_FILE_MAX = 10 << 20 };

char *read_xml_file(const char *path)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	char chunk[8192];
	FILE *in = stdin;
	size_t n;

	if (path && !str_eq(path, "-")) {
		in = f = fopen(path, "re");
		if (!f) {
			say_error("Failed to open file '%s': %s", path,
				  strerror(errno));
			return NULL;
		}
	}
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0 &&
	       b.len <= XML_FILE_MAX)
		buf_add(&b, chunk, n);
	if (ferror(in) || b.len > XML_FILE_MAX) {
		say_error("Failed to read '%s': %s", path ? path : "-",
			  ferror(in) ? strerror(errno) : "it is too large");
		return NULL;
	}
	return buf_steal(&b);
}
