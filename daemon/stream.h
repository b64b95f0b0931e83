/*
 * daemon/stream.h -- streams: bytes between a client and a descriptor.
 *
 * Theory of operation.  A stream is known by its call's procedure and serial.
 * Both sides send CONTINUE packets.  The server's empty one says end of file.
 * The client ends with OK (finish) or ERROR (abort) and gets an OK back; after
 * that, and after an error of ours, packets for the stream may still be on
 * their way and are dropped in silence.
 *
 * Towards the client, the descriptor is not read while the session's output
 * queue is long.  Towards the descriptor, what it does not take waits here,
 * and a client that sends much more than that gets an error, or has to wait
 * with all it does where it has the connection for this alone.
 */
#ifndef DAEMON_STREAM_H
#define DAEMON_STREAM_H

#include "rpc/frame.h"

struct session;
struct error;

/*
 * Takes over fd, which becomes non-blocking; also when it fails.  A terminal
 * has one stream at a time: force ends an earlier one, else it is an error.
 * patient: nothing of the client's is read while much waits for fd, instead of
 * the stream's ending.
 */
struct stream_options {
	bool force, patient;
	/* fd is a packet socket with a transfer behind it (transfer.h). */
	bool packets;
};
int stream_open(struct session *s, const wire_header *call, int fd,
		const struct stream_options *options, struct error *err);
/* A STREAM or STREAM_HOLE packet came in. */
void stream_input(struct session *s, const struct frame *f);
/* The session's output queue changed: read on, or stop reading. */
void stream_update(struct session *s);
void stream_close_all(struct session *s);

#endif
