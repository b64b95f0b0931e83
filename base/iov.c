/*
 * base/iov.c -- data in pieces.
 */
#include "base/iov.h"

#include <string.h>

#include "base/util.h"

uint64_t iov_length(const struct iovec *iov, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static size_t iov_copy(const struct iovec *iov, unsigned int n,
		       uint64_t offset, void *to, const void *from,
		       size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		uint8_t *base = iov[i].iov_base;
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, len - done);
		if (to)
			memcpy((uint8_t *)to + done, base + offset, part);
		else
			memcpy(base + offset, (const uint8_t *)from + done,
			       part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, unsigned int n, uint64_t offset,
		void *to, size_t len)
{
	return iov_copy(iov, n, offset, to, NULL, len);
}

size_t iov_write(const struct iovec *iov, unsigned int n, uint64_t offset,
		 const void *from, size_t len)
{
	return iov_copy(iov, n, offset, NULL, from, len);
}

unsigned int iov_slice(const struct iovec *from, unsigned int n,
		       uint64_t skip, uint64_t len, struct iovec *to)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < n && len; i++) {
		uint64_t part;

		if (skip >= from[i].iov_len) {
			skip -= from[i].iov_len;
			continue;
		}
		part = MIN(from[i].iov_len - skip, len);
		to[used].iov_base = (uint8_t *)from[i].iov_base + skip;
		to[used++].iov_len = part;
		len -= part;
		skip = 0;
	}
	return used;
}

void iov_zero(const struct iovec *iov, unsigned int n, uint64_t offset,
	      uint64_t len)
{
	for (unsigned int i = 0; i < n && len; i++) {
		uint64_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, len);
		memset((uint8_t *)iov[i].iov_base + offset, 0, part);
		len -= part;
		offset = 0;
	}
}
