/*
 * tests/unit/rpc/client.h -- a client that speaks the protocol by hand, and a
 * server on a thread for it to speak to.
 */
#ifndef TESTS_UNIT_RPC_CLIENT_H
#define TESTS_UNIT_RPC_CLIENT_H

#include "daemon/server.h"
#include "rpc/frame.h"
#include "rpc/procs.h"

struct harness;

struct harness *harness_start(void);
void harness_stop(struct harness *h); /* all clients' connections end */

struct client {
	int fd;
	unsigned int serial; /* of the last call */
	struct frame_reader in;
};

void client_connect(struct client *c, struct harness *h,
		    enum server_socket kind);
/* connects, and opens vireo:///test */
void client_open(struct client *c, struct harness *h, enum server_socket kind);
void client_close(struct client *c);

void client_send(struct client *c, unsigned int prog, int proc, int type,
		 int status, unsigned int serial, const void *body, size_t len);
/* A call; its serial. */
unsigned int client_call(struct client *c, int proc, xdrproc_t args,
			 const void *body);
/* The next message; NULL when the server hung up. */
struct frame *client_receive(struct client *c);
/* Expects the reply to this call, with this status. */
struct frame *client_reply(struct client *c, unsigned int serial, int status);
/* Expects an error with this code. */
void client_error(struct client *c, unsigned int serial, int code);
/* Waits for the server's end. */
void client_expect_hangup(struct client *c);

#endif
