/*
 * base/iov.h -- data in pieces: what a guest's scatter lists are made into.
 */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

uint64_t iov_length(const struct iovec *iov, unsigned int n);

/* From offset on; as many bytes as there are, at most len.  Bytes copied. */
size_t iov_read(const struct iovec *iov, unsigned int n, uint64_t offset,
		void *to, size_t len);
size_t iov_write(const struct iovec *iov, unsigned int n, uint64_t offset,
		 const void *from, size_t len);

void iov_zero(const struct iovec *iov, unsigned int n, uint64_t offset,
	      uint64_t len);

/*
 * The same bytes as a list: without the first skip, at most len.  to has
 * room for n.  Returns how many it needed.
 */
unsigned int iov_slice(const struct iovec *from, unsigned int n,
		       uint64_t skip, uint64_t len, struct iovec *to);

#endif
