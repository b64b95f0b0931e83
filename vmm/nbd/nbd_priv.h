/*
 * vmm/nbd/nbd_priv.h -- one client, between the files here.
 */
#ifndef VMM_NBD_NBD_PRIV_H
#define VMM_NBD_NBD_PRIV_H

#include <stddef.h>
#include <sys/uio.h>

#include "vmm/nbd/nbd.h"

enum {
	NBD_NAME_MAX = 4096,
	NBD_REQUEST_MAX = 32 << 20, /* of a read, as we say */
	NBD_CHUNK = 1 << 20,
};

struct nbd_client {
	int fd;
	const struct nbd_exports *exports;
	const struct nbd_export *export; /* NULL: not chosen yet */
	bool structured, no_zeroes;
	const struct nbd_export *meta; /* whose contexts were chosen */
	bool contexts[NBD_CONTEXTS_MAX];
	uint8_t *buffer; /* NBD_CHUNK bytes */
};

/* ---- talk.c ---- */
int nbd_receive(struct nbd_client *c, void *buf, size_t len);
int nbd_skip(struct nbd_client *c, uint64_t len);
/* Both, in one go; n may be 0. */
int nbd_send(struct nbd_client *c, const void *head, size_t n,
	     const void *data, size_t len);

/* ---- handshake.c: 0: an export was chosen; -errno: it goes. ---- */
int nbd_handshake(struct nbd_client *c);

/* ---- requests.c: until it goes ---- */
void nbd_serve(struct nbd_client *c);

#endif
