/*
 * base/buf.c -- a growing byte buffer.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

void *buf_grow(struct buf *b, size_t len)
{
	size_t need = b->len + len + 1;
	char *start;

	assert(need > len);
	if (need > b->size) {
		b->size = MAX(need, b->size * 2);
		b->data = xrealloc(b->data, b->size, 1);
	}
	start = b->data + b->len;
	b->len += len;
	b->data[b->len] = '\0';
	return start;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len)
		memcpy(buf_grow(b, len), data, len);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	buf_add(b, s, n);
	free(s);
}

char *buf_steal(struct buf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return s;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}
