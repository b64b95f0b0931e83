/*
 * rpc/errors.h -- an error as clients receive it.
 */
#ifndef RPC_ERRORS_H
#define RPC_ERRORS_H

#include "base/error.h"
#include "rpc/frame.h"

/* The text with libvirt's prefix for the code; caller frees. */
char *rpc_error_text(const struct error *err);

/* What a packet that reports one says, as error_virt() would set it. */
int rpc_error_read(const struct frame *f, struct error *err);

/*
 * A packet that answers (REPLY, or STREAM for a stream) with the error.
 * domain (virErrorDomain) stands in where the error names none.
 */
struct packet *rpc_error_packet(const wire_header *to, const struct error *err,
				int domain);

#endif
