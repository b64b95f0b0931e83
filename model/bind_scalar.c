/*
 * model/bind_scalar.c -- members that are one attribute or one text.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "model/bind.h"
#include "model/domain.h"

static int get_str(const struct field *f, const char *text, void *member)
{
	if (f->words && words_value(f->words, text) < 0)
		return -EINVAL;
	free(*(char **)member);
	*(char **)member = xstrdup(text);
	return 0;
}

static char *put_str(const struct field *f, const void *member)
{
	return xstrdup(*(char *const *)member);
}

/* Blanks around a number do not count; then whatever strtoull() takes. */
static int get_number(const struct field *f, const char *text, int base,
		      uint64_t max, uint64_t *ret)
{
	_cleanup_free_ char *copy = NULL;
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	copy = xstrndup(text, len);
	return parse_u64(copy, base, f->max ? f->max : max, ret);
}

static int get_uint(const struct field *f, const char *text, void *member)
{
	uint64_t v;
	int r = get_number(f, text, 10, UINT32_MAX, &v);

	if (r == 0)
		*(unsigned int *)member = v;
	return r;
}

static int get_hex(const struct field *f, const char *text, void *member)
{
	uint64_t v;
	int r = get_number(f, text, 0, UINT32_MAX, &v);

	if (r == 0)
		*(unsigned int *)member = v;
	return r;
}

static int get_int(const struct field *f, const char *text, void *member)
{
	uint64_t v;
	int r = get_number(f, text, 10, INT32_MAX, &v);

	if (r == 0)
		*(int *)member = v;
	return r;
}

static char *put_number(const struct field *f, const void *member)
{
	return xasprintf("%u", *(const unsigned int *)member);
}

static char *put_uint(const struct field *f, const void *member)
{
	return *(const unsigned int *)member ? put_number(f, member) : NULL;
}

static char *put_int(const struct field *f, const void *member)
{
	return *(const int *)member < 0 ? NULL : put_number(f, member);
}

/* Signed, as limits are of which -1 is none. */
static int get_long(const struct field *f, const char *text, void *member)
{
	uint64_t v;
	bool negative;
	int r;

	text += strspn(text, " \t\r\n");
	negative = *text == '-';
	r = get_number(f, text + negative, 10, INT64_MAX, &v);
	if (r == 0)
		*(int64_t *)member = negative ? -(int64_t)v : (int64_t)v;
	return r;
}

static char *put_long(const struct field *f, const void *member)
{
	int64_t v = *(const int64_t *)member;

	return v ? xasprintf("%lld", (long long)v) : NULL;
}

static char *put_hex4(const struct field *f, const void *member)
{
	return xasprintf("0x%04x", *(const unsigned int *)member);
}

static char *put_hex2(const struct field *f, const void *member)
{
	return xasprintf("0x%02x", *(const unsigned int *)member);
}

static char *put_hex1(const struct field *f, const void *member)
{
	return xasprintf("0x%x", *(const unsigned int *)member);
}

static int get_enum(const struct field *f, const char *text, void *member)
{
	int value = words_value(f->words, text);

	if (value < 0)
		return -EINVAL;
	*(int *)member = value;
	return 0;
}

static char *put_enum(const struct field *f, const void *member)
{
	return xstrdup(words_name(f->words, *(const int *)member));
}

/* Six hexadecimal bytes; a group address cannot be a guest's. */
static int get_mac(const struct field *f, const char *text, void *member)
{
	unsigned int b[6];
	uint8_t *mac = member;
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2],
		   &b[3], &b[4], &b[5], &end) != 6 || text[end])
		return -EINVAL;
	if (strspn(text, "0123456789abcdefABCDEF:") != (size_t)end ||
	    (b[0] & 1))
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		mac[i] = b[i];
	return 0;
}

static char *put_mac(const struct field *f, const void *member)
{
	const uint8_t *m = member;

	return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			 m[3], m[4], m[5]);
}

static int get_uuid(const struct field *f, const char *text, void *member)
{
	return uuid_parse(text, member);
}

static char *put_uuid(const struct field *f, const void *member)
{
	char text[UUID_STR_LEN];

	uuid_format(member, text);
	return xstrdup(text);
}

const struct bind_scalar *bind_scalar(enum field_kind kind)
{
	static const struct bind_scalar scalars[] = {
		[FIELD_STR] = { get_str, put_str },
		[FIELD_UINT] = { get_uint, put_uint },
		[FIELD_NUMBER] = { get_uint, put_number },
		[FIELD_INT] = { get_int, put_int },
		[FIELD_LONG] = { get_long, put_long },
		[FIELD_HEX1] = { get_hex, put_hex1 },
		[FIELD_HEX2] = { get_hex, put_hex2 },
		[FIELD_HEX4] = { get_hex, put_hex4 },
		[FIELD_ENUM] = { get_enum, put_enum },
		[FIELD_MAC] = { get_mac, put_mac },
		[FIELD_UUID] = { get_uuid, put_uuid },
	};

	if (kind >= ARRAY_SIZE(scalars) || !scalars[kind].get)
		return NULL;
	return &scalars[kind];
}
