/*
 * vmm/nbd/nbd.h -- a server of the NBD protocol: images that clients read, for
 * backups.
 *
 * By the protocol's document (NetworkBlockDevice, doc/proto.md): the fixed
 * newstyle handshake, structured replies, metadata contexts.  Everything is
 * read-only; there is no TLS.
 */
#ifndef VMM_NBD_NBD_H
#define VMM_NBD_NBD_H

#include <stdbool.h>
#include <stdint.h>

struct error;

enum {
	NBD_CONTEXTS_MAX = 2,
	NBD_HOLE = 1, /* base:allocation */
	NBD_ZERO = 2,
	NBD_DIRTY = 1, /* qemu:dirty-bitmap:NAME */
};

struct nbd_extent {
	uint64_t length; /* more than 0 */
	uint32_t flags;
};

/* Calls come from several threads at a time, in range: 0 or -errno. */
struct nbd_export {
	const char *name;
	uint64_t size;
	unsigned int n_contexts;
	const char *contexts[NBD_CONTEXTS_MAX]; /* the first: base:allocation */
	int (*read)(void *arg, void *buf, uint64_t offset, uint32_t length);
	int (*extent)(void *arg, unsigned int context, uint64_t offset,
		      uint64_t length, struct nbd_extent *ret);
	void *arg;
};

struct nbd_exports {
	unsigned int n;
	const struct nbd_export *list;
};

/* One client, until it goes. */
void nbd_talk(int fd, const struct nbd_exports *exports);

/* ---- server.c: many ---- */

struct nbd_server;

/* fd: one that listens, taken over on success.  The exports are the caller's,
 * and stay until the server's end. */
int nbd_server_create(int fd, const struct nbd_exports *exports,
		      struct nbd_server **ret_server, struct error *err);
/* Clients are cut off. */
void nbd_server_destroy(struct nbd_server *s);

#endif
