/*
 * base/base64.c -- bytes as text (RFC 4648, section 4).
 */
#include "base/base64.h"

#include <string.h>

#include "base/util.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *s = data;
	size_t n = (len + 2) / 3 * 4;
	char *out = xcalloc(1, n + 1);

	memset(out, '=', n);
	for (size_t i = 0; i < (len * 8 + 5) / 6; i++) {
		size_t at = i * 6 / 8, shift = 10 - i * 6 % 8;
		unsigned int two = s[at] << 8 | (at + 1 < len ? s[at + 1] : 0);

		out[i] = digits[two >> shift & 63];
	}
	return out;
}

/* How many digits there are; -1: something else is among them. */
static ssize_t strip(const char *text, char *to)
{
	size_t n = 0, pads;

	for (; *text; text++)
		if (!strchr(" \t\r\n", *text))
			to[n++] = *text;
	to[n] = '\0';
	if (n % 4)
		return -1;
	n = strspn(to, digits);
	pads = strspn(to + n, "=");
	return to[n + pads] || pads > 2 ? -1 : (ssize_t)n;
}

void *base64_decode(const char *text, size_t *ret_len)
{
	_cleanup_free_ char *clean = xmalloc(strlen(text) + 1);
	ssize_t n = strip(text, clean);
	unsigned int bits = 0;
	unsigned char *out;
	size_t len = 0;

	if (n < 0)
		return NULL;
	out = xcalloc(1, n * 3 / 4 + 1);
	for (ssize_t i = 0; i < n; i++) {
		bits = bits << 6 | (unsigned int)(strchr(digits, clean[i]) -
						  digits);
		if (i % 4)
			out[len++] = (unsigned char)(bits >>
						     (6 - i % 4 * 2));
	}
	explicit_bzero(clean, n);
	*ret_len = len;
	return out;
}
