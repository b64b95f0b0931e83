/*
 * rpc/procs.h -- the table of procedures, made from rpc/procedures.
 */
#ifndef RPC_PROCS_H
#define RPC_PROCS_H

#include <stddef.h>

#include "rpc/protocol.h"
#include "rpc/procs-numbers.h"

/* The programs that a client may name. */
#define RPC_PROGRAM	  0x20008086u
#define RPC_VERSION	  1u
#define QEMU_PROGRAM	  0x20008087u
#define ADMIN_PROGRAM	  0x06900690u
#define KEEPALIVE_PROGRAM 0x6b656570u
#define KEEPALIVE_VERSION 1u

enum {
	PROC_RO = 1 << 0,     /* allowed on a read-only connection */
	PROC_LOOP = 1 << 1,   /* runs on the event loop */
	PROC_STREAM = 1 << 2, /* a stream follows the reply */
	PROC_URGENT = 1 << 3, /* passes calls that wait or hang */
	PROC_EVENT = 1 << 4,  /* server to client only */
};

struct procedure {
	const char *name;   /* "DOMAIN_SUSPEND"; NULL: no such number */
	const char *api;    /* "virDomainSuspend" */
	const char *access; /* "domain:suspend" */
	unsigned int flags;
	xdrproc_t args;
	size_t args_size;
	xdrproc_t reply;
	size_t reply_size;
};

extern const struct procedure procedures[PROC_COUNT];

/* NULL: no such procedure. */
const struct procedure *procedure_find(unsigned int program, int number);

#endif
