/*
 * base/buf.h -- a growing byte buffer, always NUL-terminated.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/util.h"

struct buf {
	char *data; /* NULL while nothing was added */
	size_t len; /* without the NUL */
	size_t size;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void *buf_grow(struct buf *b, size_t len); /* len new, uninitialised bytes */
char *buf_steal(struct buf *b);		   /* never NULL; caller frees */
void buf_free(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_free)

#endif
