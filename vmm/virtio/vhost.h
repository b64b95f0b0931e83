/*
 * vmm/virtio/vhost.h -- virtqueues that are served outside of this process:
 * by the host's kernel (vhost_kernel.c) or by another program over a socket
 * (vhost_user.c).
 *
 * A device that has one embeds struct vhost, says how many of its first
 * queues are served there (dev->external, before virtio_init()), and calls
 * vhost_start() and vhost_stop() from its hooks.  One that can serve the
 * queues itself has them all on its loop, and says so (spare): then they
 * change hands with each start and stop.  With the device's lock held where
 * not said otherwise.
 */
#ifndef VMM_VIRTIO_VHOST_H
#define VMM_VIRTIO_VHOST_H

#include <linux/vhost.h>

#include "vmm/virtio/virtio.h"

enum { VHOST_QUEUES_MAX = 64, VHOST_REGIONS_MAX = 40 };

struct vhost;
struct error;

/* A piece of guest memory: where it is here, and in which file. */
struct vhost_region {
	uint64_t gpa, size;
	uint8_t *host;
	int fd; /* -1: not shared */
	uint64_t offset;
};

/* All return 0 or -errno.  index: of the queue among the external ones. */
struct vhost_backend {
	const char *name;
	unsigned int max_regions; /* of memory; 0: as many as there may be */
	int (*set_features)(struct vhost *v, uint64_t features);
	int (*set_memory)(struct vhost *v, const struct vhost_region *regions,
			  unsigned int n);
	/* Where pages written are noted, a bit each (page: 4 KiB). */
	int (*set_log)(struct vhost *v, void *log, int fd, uint64_t size);
	int (*set_num)(struct vhost *v, unsigned int index, unsigned int num);
	int (*set_base)(struct vhost *v, unsigned int index,
			unsigned int base);
	int (*get_base)(struct vhost *v, unsigned int index,
			unsigned int *ret_base); /* and stops the queue */
	int (*set_addr)(struct vhost *v, struct vhost_vring_addr *addr);
	int (*set_kick)(struct vhost *v, unsigned int index, int fd);
	int (*set_call)(struct vhost *v, unsigned int index, int fd);
	/* Everything is set: go; or stop. */
	int (*run)(struct vhost *v, bool on);
};

/* An interrupt that the engine raises without us. */
struct vhost_route {
	bool on;
	uint64_t addr;
	uint32_t data;
};

struct vhost {
	struct virtio_dev *dev;
	const struct vhost_backend *backend;
	unsigned int first; /* of the device's queues */
	bool spare; /* the device serves them itself if it must */
	int fd;		   /* the backend's: /dev/vhost-*, a socket */
	uint64_t features; /* the backend's, as it said */
	bool shared;	   /* memory goes as files */
	bool running;
	bool logs;
	uint64_t log_size;
	uint64_t *log;
	int log_fd;
	unsigned int complaints; /* in the log: a guest may try for ever */
	unsigned int n;
	int call_fd[VHOST_QUEUES_MAX]; /* -1: none yet */
	struct vhost_route route[VHOST_QUEUES_MAX];
};

/* After virtio_init(), for n of the device's queues.  Before the sandbox. */
int vhost_init(struct vhost *v, struct virtio_dev *dev,
	       const struct vhost_backend *backend, int fd,
	       unsigned int first, unsigned int n, struct error *err);
/* After virtio_stop(), before virtio_finish(). */
void vhost_finish(struct vhost *v);

/*
 * started: hands the live queues over, unless the machine is paused.  stop:
 * takes them back, where they stand.  What goes wrong breaks the device.
 */
void vhost_start(struct vhost *v);
void vhost_stop(struct vhost *v);
/* From the type's vectors(): interrupts take the shortest way there is. */
void vhost_route(struct vhost *v);

/* vhost_kernel.c: /dev/vhost-net and /dev/vhost-vsock. */
int vhost_kernel_own(struct vhost *v, struct error *err);
int vhost_kernel_features(struct vhost *v, uint64_t features);
int vhost_kernel_memory(struct vhost *v, const struct vhost_region *regions,
			unsigned int n);
int vhost_kernel_log(struct vhost *v, void *log, int fd, uint64_t size);
int vhost_kernel_num(struct vhost *v, unsigned int index, unsigned int num);
int vhost_kernel_base(struct vhost *v, unsigned int index, unsigned int base);
int vhost_kernel_get_base(struct vhost *v, unsigned int index,
			  unsigned int *ret_base);
int vhost_kernel_addr(struct vhost *v, struct vhost_vring_addr *addr);
int vhost_kernel_kick(struct vhost *v, unsigned int index, int fd);
int vhost_kernel_call(struct vhost *v, unsigned int index, int fd);

/* All of a kernel backend's table but its run(). */
#define VHOST_KERNEL_OPS \
	.set_features = vhost_kernel_features, \
	.set_memory = vhost_kernel_memory, .set_log = vhost_kernel_log, \
	.set_num = vhost_kernel_num, .set_base = vhost_kernel_base, \
	.get_base = vhost_kernel_get_base, .set_addr = vhost_kernel_addr, \
	.set_kick = vhost_kernel_kick, .set_call = vhost_kernel_call

#endif
