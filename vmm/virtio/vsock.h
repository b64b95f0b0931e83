/*
 * vmm/virtio/vsock.h -- what both socket devices share: the one that the
 * host's kernel serves (vhost_vsock.c), and the one that ends in Unix sockets
 * (vsock.c, with its connections in vsock_conn.c).
 *
 * Sections are virtio 1.2's 5.10.
 */
#ifndef VMM_VIRTIO_VSOCK_H
#define VMM_VIRTIO_VSOCK_H

#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>

#include "vmm/virtio/virtio.h"

struct spec_vsock;

/* 5.10.2 */
enum { VSOCK_RXQ, VSOCK_TXQ, VSOCK_EVENTQ, VSOCK_QUEUES };

enum {
	VSOCK_HOST_CID = 2,
	VSOCK_HDR_LEN = sizeof(struct virtio_vsock_hdr),
};

/*
 * 5.10.6.7: after a restore the guest must learn that its connections are
 * gone.  False: there is no buffer for the event yet.
 */
bool vsock_tell_reset(struct virtio_dev *dev);

/* 5.10.4 */
void vsock_set_cid(struct virtio_dev *dev, uint64_t cid);

/* ---- vsock_conn.c: connections between a guest and Unix sockets ---- */

struct vsock_hub;
struct loop;

/* The device, for its connections.  Everything on the loop's thread, with
 * the device's lock held. */
struct vsock_hub_ops {
	/* False: there is no buffer, and vsock_hub_ready() will come. */
	bool (*send)(void *arg, const struct virtio_vsock_hdr *hdr);
	/* The same with what can be read from fd as its content: bytes, 0 at
	 * the end, -EAGAIN, -ENOBUFS without a buffer. */
	ssize_t (*send_from)(void *arg, struct virtio_vsock_hdr *hdr, int fd,
			     uint32_t max);
	/* The guest wants this port of the host's: vsock_hub_connected(). */
	void (*connect)(void *arg, uint32_t port);
	/* May packets be sent?  Else nothing is taken from the sockets. */
	bool (*running)(void *arg);
	void (*lock)(void *arg);
	void (*unlock)(void *arg);
};

/* listen_fd: where the host's programs connect; stays the caller's. */
int vsock_hub_create(struct loop *loop, int listen_fd,
		     const struct vsock_hub_ops *ops, void *arg,
		     struct vsock_hub **ret_hub);
void vsock_hub_destroy(struct vsock_hub *hub); /* the loop runs no more */

/* A packet of the guest's: its header, and its content in pieces. */
void vsock_hub_packet(struct vsock_hub *hub,
		      const struct virtio_vsock_hdr *hdr,
		      const struct vq_buf *buf);
/* There are buffers, or the device runs again. */
void vsock_hub_ready(struct vsock_hub *hub);
/* What connect() asked for; fd < 0: it is refused.  Takes fd over. */
void vsock_hub_connected(struct vsock_hub *hub, uint32_t port, int fd);
/* The guest has forgotten everything. */
void vsock_hub_drop_all(struct vsock_hub *hub);

#endif
