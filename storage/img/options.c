/*
 * storage/img/options.c -- what commands share: sizes, -o, output.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "storage/img/img.h"

int img_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("vireo-img: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

int img_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "bkmgtpe";
	unsigned int shift = 0;
	const char *s;
	char *end;
	long double n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtold(text, &end);
	if (*end) {
		s = strchr(suffixes, *end | 0x20);
		if (!s || !*s || end[1])
			return -EINVAL;
		shift = (s - suffixes) * 10;
	}
	n *= BIT64(shift);
	if (!(n >= 0) || n >= 9223372036854775808.0L)
		return -EINVAL;
	*ret = n;
	return 0;
}

char *img_human(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
					     "PiB", "EiB" };
	double n = bytes;
	unsigned int i = 0;

	/* Three significant digits: 1000 of one is 0.977 of the next. */
	while (n >= 999.5 && i + 1 < ARRAY_SIZE(units)) {
		n /= 1024;
		i++;
	}
	return xasprintf("%.3g %s", n, units[i]);
}

bool img_output(const char *text, bool *ret_json)
{
	*ret_json = str_eq(text, "json");
	if (*ret_json || str_eq(text, "human"))
		return true;
	img_fail("--output must be used with human or json as argument.");
	return false;
}

void img_print_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void img_progress(uint64_t done, uint64_t all, bool end)
{
	printf("    (%.2f/100%%)%c", all ? done * 100.0 / all : 100.0,
	       end ? '\n' : '\r');
	fflush(stdout);
}

int img_io(struct block *blk, enum block_op op, void *buf, uint64_t length,
	   uint64_t offset)
{
	struct iovec iov = { buf, length };
	struct block_req req = {
		.op = op,
		.offset = offset,
		.length = length,
		.iov = &iov,
		.n_iov = buf ? 1 : 0,
		.unmap = true,
	};

	return block_run(blk, &req);
}

bool img_is_zero(const void *data, uint64_t len)
{
	const uint8_t *p = data;

	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* ---- -o ---- */

void img_defaults(struct block_create *c)
{
	c->version = 3;
	c->cluster_bits = 16;
	c->refcount_order = 4;
}

static int power(const char *value, uint64_t max, unsigned int *ret)
{
	uint64_t n;

	if (img_size(value, &n) < 0 || !n || (n & (n - 1)) || n > max)
		return -EINVAL;
	*ret = __builtin_ctzll(n);
	return 0;
}

static int word(const char *const *words, unsigned int n, const char *value)
{
	for (unsigned int i = 0; i < n; i++)
		if (str_eq(words[i], value))
			return i;
	return -EINVAL;
}

static int boolean(const char *value)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false",
					     "true" };
	int i = word(words, ARRAY_SIZE(words), value ? value : "on");

	return i < 0 ? i : i & 1;
}

static int preallocation(const char *value, struct block_create *c)
{
	static const char *const words[] = { "off", "metadata", "falloc",
					     "full" };
	int i = word(words, ARRAY_SIZE(words), value);

	if (i >= 0)
		c->preallocation = i;
	return i;
}

static int compat(const char *value, struct block_create *c)
{
	static const char *const words[] = { "0.10", "v2", "1.1", "v3" };
	int i = word(words, ARRAY_SIZE(words), value);

	if (i >= 0)
		c->version = i < 2 ? 2 : 3;
	return i;
}

/* What a container is made with; of ciphers one in two modes. */
static int luks(const char *name, const char *value, struct block_create *c)
{
	uint64_t n;

	if (str_eq(name, "key-secret"))
		return c->key = img_secret(value, &c->key_len),
		       c->key ? 0 : -ENOKEY;
	if (str_eq(name, "iter-time")) {
		if (img_size(value, &n) < 0 || !n || n > 3600000)
			return -EINVAL;
		return c->luks.iter_ms = n, 0;
	}
	if (str_eq(name, "cipher-alg")) {
		c->luks.aes_bits = str_eq(value, "aes-128") ? 128 : 256;
		return str_eq(value, "aes-128") || str_eq(value, "aes-256") ?
			       0 :
			       -EINVAL;
	}
	if (str_eq(name, "cipher-mode")) {
		c->luks.cbc = str_eq(value, "cbc");
		return c->luks.cbc || str_eq(value, "xts") ? 0 : -EINVAL;
	}
	if (str_eq(name, "ivgen-alg"))
		return str_eq(value, c->luks.cbc ? "essiv" : "plain64") ?
			       0 :
			       -EINVAL;
	if (str_eq(name, "hash-alg") || str_eq(name, "ivgen-hash-alg"))
		return str_eq(value, "sha256") ? 0 : -EINVAL;
	return -EINVAL;
}

static int encryption(const char *name, const char *value,
		      struct block_create *c)
{
	if (!str_eq(name, "format"))
		return luks(name, value, c);
	c->encrypt = str_eq(value, "luks");
	return c->encrypt ? 0 : -EINVAL;
}

static int option(const char *name, const char *value, struct block_create *c)
{
	int r = -EINVAL;

	if (str_eq(name, "size"))
		return img_size(value, &c->size);
	if (str_eq(name, "cluster_size"))
		return power(value, 2 * MIB, &c->cluster_bits);
	if (str_eq(name, "refcount_bits"))
		return power(value, 64, &c->refcount_order);
	if (str_eq(name, "compat"))
		return compat(value, c);
	if (str_eq(name, "preallocation"))
		return preallocation(value, c);
	if (str_eq(name, "backing_file"))
		return c->backing = value, 0;
	if (str_eq(name, "backing_fmt"))
		return c->backing_format = value, 0;
	if (str_eq(name, "compression_type")) {
		c->zstd = str_eq(value, "zstd");
		return c->zstd || str_eq(value, "zlib") ? 0 : -EINVAL;
	}
	if (str_eq(name, "lazy_refcounts")) {
		r = boolean(value);
		c->lazy = r > 0;
	}
	if (str_startswith(name, "encrypt."))
		return encryption(name + strlen("encrypt."), value, c);
	if (str_eq(name, "extended_l2"))
		return boolean(value) == 0 ? 0 : -EINVAL;
	return r >= 0 ? r : luks(name, value, c);
}

/* The text must outlive c.  ",," is not read as a comma. */
int img_options(char *text, struct block_create *c)
{
	char *save = NULL;

	for (char *o = strtok_r(text, ",", &save); o;
	     o = strtok_r(NULL, ",", &save)) {
		char *value = strchr(o, '=');

		if (value)
			*value++ = '\0';
		if (option(o, value ? value : "on", c) < 0)
			return img_fail("Invalid parameter '%s'%s%s", o,
					value ? ": " : "", value ? value : "");
	}
	return 0;
}
