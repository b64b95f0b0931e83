/*
 * base/base64.h -- bytes as text (RFC 4648, section 4).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

char *base64_encode(const void *data, size_t len); /* the caller frees */
/* Blanks and line ends do not count.  NULL: it is none; the caller frees, and
 * there is a zero byte behind the data. */
void *base64_decode(const char *text, size_t *ret_len);

#endif
