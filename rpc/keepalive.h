/*
 * rpc/keepalive.h -- finding out that a client is gone.
 *
 * libvirt's keepalive program: PING and PONG messages without a body.  A peer
 * that shows no life for "count" intervals of silence, each ended by a PING,
 * is dead.  No I/O and no clock here: the caller has both.
 */
#ifndef RPC_KEEPALIVE_H
#define RPC_KEEPALIVE_H

#include <stdbool.h>

#include "rpc/frame.h"

enum { KEEPALIVE_PING = 1, KEEPALIVE_PONG = 2 };
enum { KEEPALIVE_INTERVAL = 5 /* seconds */, KEEPALIVE_COUNT = 5 };

struct keepalive {
	bool heard; /* since the last tick */
	unsigned int unanswered;
};

/* The peer sent something. */
void keepalive_heard(struct keepalive *k);

/* An interval has passed: do nothing, send a PING, or give the peer up. */
enum keepalive_action { KEEPALIVE_IDLE, KEEPALIVE_SEND, KEEPALIVE_DEAD };
enum keepalive_action keepalive_tick(struct keepalive *k);

bool keepalive_is(const wire_header *h);
struct packet *keepalive_packet(int proc);

#endif
