/*
 * vmm/virtio/vhost_user.h -- virtqueues that another program serves, and
 * devices that are nothing else.
 *
 * "vhost-user" with a heading is the protocol's description of that name, in
 * QEMU's documentation (docs/interop/vhost-user).
 */
#ifndef VMM_VIRTIO_VHOST_USER_H
#define VMM_VIRTIO_VHOST_USER_H

#include "vmm/virtio/vhost.h"

struct spec_place;

/* "Protocol features" */
enum {
	VHOST_USER_PROTOCOL_F_MQ = 0,
	VHOST_USER_PROTOCOL_F_LOG_SHMFD = 1,
	VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_USER_PROTOCOL_F_CONFIG = 9,
};

struct vhost_user {
	struct vhost vhost;
	uint64_t protocol; /* features negotiated */
	uint64_t queues;   /* as many as the other side has */
	bool gone;	   /* nothing can be asked any more */
};

/* A device whose queues are all served there. */
struct vhost_user_dev {
	struct virtio_dev dev;
	struct vhost_user user;
	bool watched; /* the socket, for its end */
};

/* What devices of one kind have in common. */
struct vhost_user_kind {
	const struct virtio_type *type;
	uint64_t features; /* of this kind's that may be offered */
	uint64_t needs;	   /* protocol features without which it cannot be */
};

/*
 * A device on the socket fd, which stays the caller's; before the sandbox.
 * It is to be plugged or, with what failed in err, destroyed already.
 */
int vhost_user_dev_create(struct machine *m,
			  const struct vhost_user_kind *kind, const char *id,
			  int fd, unsigned int queues, unsigned int queue_size,
			  struct vhost_user_dev **ret_dev, struct error *err);

/* The hooks of a type: all but .name, .id, .class_code and .state. */
void vhost_user_dev_started(struct virtio_dev *dev);
void vhost_user_dev_paused(struct virtio_dev *dev, bool yes);
void vhost_user_dev_vectors(struct virtio_dev *dev);
bool vhost_user_dev_reset(struct virtio_dev *dev);
void vhost_user_dev_destroy(struct virtio_dev *dev);
#define VHOST_USER_DEV_OPS \
	.started = vhost_user_dev_started, .paused = vhost_user_dev_paused, \
	.vectors = vhost_user_dev_vectors, .reset = vhost_user_dev_reset, \
	.destroy = vhost_user_dev_destroy

/* The protocol: features and owner, once. */
int vhost_user_hello(struct vhost_user *u, uint64_t needs, struct error *err);
/* len bytes of the device's configuration space ("GET_CONFIG"). */
int vhost_user_config(struct vhost_user *u, void *config, size_t len);
extern const struct vhost_backend vhost_user_backend;

#endif
