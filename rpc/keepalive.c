/*
 * rpc/keepalive.c -- finding out that a client is gone.
 */
#include "rpc/keepalive.h"
#include "rpc/procs.h"

void keepalive_heard(struct keepalive *k)
{
	k->heard = true;
	k->unanswered = 0;
}

enum keepalive_action keepalive_tick(struct keepalive *k)
{
	if (k->heard) {
		k->heard = false;
		return KEEPALIVE_IDLE;
	}
	if (k->unanswered == KEEPALIVE_COUNT)
		return KEEPALIVE_DEAD;
	k->unanswered++;
	return KEEPALIVE_SEND;
}

bool keepalive_is(const wire_header *h)
{
	return h->prog == KEEPALIVE_PROGRAM;
}

struct packet *keepalive_packet(int proc)
{
	wire_header h = {
		.prog = KEEPALIVE_PROGRAM,
		.vers = KEEPALIVE_VERSION,
		.proc = proc,
		.type = FRAME_MESSAGE,
	};

	return packet_create_raw(&h, NULL, 0);
}
