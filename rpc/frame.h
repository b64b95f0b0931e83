/*
 * rpc/frame.h -- cutting a byte stream into messages, and making messages.
 *
 * A message is a length word (which counts itself), a header of six words and
 * a body.  CALL_WITH_FDS and REPLY_WITH_FDS have a count of descriptors
 * between header and body; each descriptor then follows the message as
 * ancillary data of one byte of its own.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/protocol.h"

enum {
	FRAME_LEN_SIZE = 4,
	FRAME_HEADER_SIZE = 24,
	FRAME_MIN = FRAME_LEN_SIZE + FRAME_HEADER_SIZE,
	FRAME_MAX = FRAME_LEN_SIZE + 33554432,
	FRAME_FDS_MAX = 32,
	STREAM_CHUNK_MAX = 262120,
};

enum frame_type {
	FRAME_CALL,
	FRAME_REPLY,
	FRAME_MESSAGE,
	FRAME_STREAM,
	FRAME_CALL_WITH_FDS,
	FRAME_REPLY_WITH_FDS,
	FRAME_STREAM_HOLE,
};

enum frame_status { FRAME_OK, FRAME_ERROR, FRAME_CONTINUE };

/* One whole message that came in; owns its body and descriptors. */
struct frame {
	wire_header header;
	uint8_t *body;
	size_t len;
	unsigned int n_fds;
	int fds[FRAME_FDS_MAX];
};
void frame_free(struct frame *f);

/* What was received and not yet cut. */
struct frame_reader {
	uint8_t *data;
	size_t len, size;
	size_t max; /* of a message; 0: FRAME_MAX */
	unsigned int n_fds;
	int fds[FRAME_FDS_MAX];
};

/*
 * Receives once.  Returns the bytes read, 0 at end of file, -EAGAIN, -EPROTO
 * when the peer sends more descriptors than a message may carry, or -errno.
 */
int frame_reader_fill(struct frame_reader *r, int fd);
/* The same from memory, for tests: bytes as if they had been received. */
void frame_reader_feed(struct frame_reader *r, const void *data, size_t len);
/*
 * The next whole message: 1, 0 when there is none yet, -EPROTO when what was
 * received can never become one.
 */
int frame_reader_next(struct frame_reader *r, struct frame **ret_frame);
void frame_reader_finish(struct frame_reader *r);

/* A message on its way out; owns its descriptors. */
struct packet {
	struct packet *next;
	size_t len, sent;
	unsigned int n_fds, fds_sent;
	int fds[FRAME_FDS_MAX];
	uint8_t data[];
};

/*
 * A message with this header and body.  NULL when the body cannot be encoded:
 * a list or string beyond its limit, or more than a message holds.
 */
struct packet *packet_create(const wire_header *header, xdrproc_t proc,
			     const void *body);
struct packet *packet_create_raw(const wire_header *header, const void *body,
				 size_t len);
/* Adds descriptors to a REPLY_WITH_FDS; takes them over. */
struct packet *packet_create_fds(const wire_header *header, xdrproc_t proc,
				 const void *body, const int *fds,
				 unsigned int n_fds);
/* Sends what the socket takes: 1 when all is sent, 0 or -errno. */
int packet_send(struct packet *p, int fd);
void packet_free(struct packet *p);

/* Decodes a body; false (and nothing to free) when it is malformed. */
bool body_decode(const uint8_t *body, size_t len, xdrproc_t proc, void *ret);
void body_free(xdrproc_t proc, void *data);

#endif
