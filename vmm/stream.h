/*
 * vmm/stream.h -- both directions of a connected socket, with everything that
 * ends waiting: the peer's silence does not, cancelling does.
 */
#ifndef VMM_STREAM_H
#define VMM_STREAM_H

#include <stddef.h>

struct progress;
struct error;

/* 0, -ECANCELED, -ECONNRESET at the end of the stream, or another -errno. */
int stream_write(int fd, const void *data, size_t len, struct progress *p,
		 struct error *err);
int stream_read(int fd, void *data, size_t len, struct progress *p,
		struct error *err);

#endif
