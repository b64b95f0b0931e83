/*
 * vmm/virtio/virtio.h -- what a virtio device is made of.
 *
 * "virtio" with a section number is the OASIS Virtual I/O Device
 * specification, version 1.2.
 *
 * A device embeds struct virtio_dev as its first member and describes itself
 * with one const struct virtio_type.  The transport (pci.c) works on the
 * vCPUs' threads; queues are processed on the device's loop: the main loop,
 * or that of a thread of its own.
 *
 * Locks: dev->lock guards everything here and every callback of the type runs
 * with it held; nothing that blocks is done under it.
 */
#ifndef VMM_VIRTIO_VIRTIO_H
#define VMM_VIRTIO_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sys/uio.h>

#include "base/util.h"
#include "vmm/dev/pci.h"

struct iothread;
struct loop;
struct machine;
struct msix;
struct state_set;
struct state_type;
struct error;
struct virtio_dev;

enum {
	VQ_SIZE_MAX = 256, /* entries of a queue, and so segments of a chain */
	VIRTIO_QUEUES_MAX = 512,
	VIRTIO_CONFIG_MAX = 256,
	VIRTIO_NO_VECTOR = 0xffff,
};

struct virtio_type {
	const char *name;
	unsigned int id;     /* section 5, device types */
	uint32_t class_code; /* PCI's, 24 bits */
	bool own_thread;     /* queues run on a thread of the device */

	/* The driver made buffers available (DRIVER_OK is set). */
	void (*notify)(struct virtio_dev *dev, unsigned int queue);

	/* DRIVER_OK was just set.  vCPU's thread.  May be NULL. */
	void (*started)(struct virtio_dev *dev);

	/*
	 * The driver wrote to configuration space; the device changes
	 * dev->config where the driver may.  vCPU's thread.  NULL: read-only.
	 */
	void (*config_write)(struct virtio_dev *dev, unsigned int offset,
			     uint32_t value, unsigned int size);

	/*
	 * Queues are off already.  False: requests are still in flight, and
	 * virtio_reset_done() will be called (only with own_thread).  NULL:
	 * nothing to do.
	 */
	bool (*reset)(struct virtio_dev *dev);

	/* Where interrupts go may have changed.  NULL: nothing to do. */
	void (*vectors)(struct virtio_dev *dev);

	/* The machine is paused, or goes on.  NULL: nothing to do. */
	void (*paused)(struct virtio_dev *dev, bool yes);

	/*
	 * A paused machine: are requests still in flight?  Then the device
	 * calls virtio_idle() when the last is done.  NULL: never.
	 */
	bool (*busy)(struct virtio_dev *dev);

	/* What it remembers beyond its queues, for saving (vmm/state.h); the
	 * object is the struct virtio_dev.  stateless: nothing.  Without one
	 * of the two the machine cannot be saved. */
	const struct state_type *state;
	bool stateless;

	/* A guest that was saved with fewer queues keeps as many; the state's
	 * loaded() sees to the rest. */
	bool fewer_queues;

	/* More of a PCI function than the transport's; all may be NULL.  The
	 * BARs are made where the transport has none. */
	void (*pci_bars)(struct virtio_dev *dev);
	void (*pci_bar_mapped)(struct virtio_dev *dev, unsigned int bar);
	void (*pci_reset)(struct virtio_dev *dev);
	void (*pci_states)(struct virtio_dev *dev, const char *id,
			   struct state_set *set);

	/* Threads are gone; free the device. */
	void (*destroy)(struct virtio_dev *dev);
};

/* One split virtqueue (2.7). */
struct virtqueue {
	struct virtio_dev *dev;
	unsigned int index;
	int kick_fd; /* the doorbell */
	int call_fd; /* an external one's interrupts (vhost.c) */

	uint16_t size, size_max;
	uint16_t vector;
	bool enabled;
	uint64_t desc_gpa, avail_gpa, used_gpa;

	/* While enabled: */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail;	 /* next entry to take */
	uint16_t used_idx;	 /* next entry to fill */
	uint16_t signalled;	 /* used_idx at the last notification */
	bool signalled_valid;
	bool deaf; /* the doorbell is not armed */
};

/* A chain: n_out segments the device reads, then n_in it writes. */
struct vq_buf {
	uint16_t head;
	unsigned int n_out, n_in;
	uint64_t out_len, in_len;
	struct iovec iov[VQ_SIZE_MAX];
};

struct virtio_dev {
	const struct virtio_type *type;
	struct machine *m;
	char *id; /* the alias: "virtio-disk0" */
	struct iothread *thread; /* NULL: on the main loop */
	struct loop *loop;

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t reset_done;
	pthread_cond_t idle; /* no longer busy or resetting; a call is done */
	bool paused;
	uint64_t features;	  /* offered */
	uint64_t driver_features; /* accepted */
	uint8_t status;
	bool resetting;
	unsigned int complaints; /* about the driver, in the log */
	unsigned int config_size;
	_Alignas(8) uint8_t config[VIRTIO_CONFIG_MAX]; /* a device's struct */
	uint8_t config_generation;
	uint16_t config_vector;
	unsigned int n_queues; /* for the guest */
	unsigned int n_made;   /* as many, or more: type->fewer_queues */
	unsigned int external; /* the first are served elsewhere (vhost.h) */
	struct virtqueue *queues;

	/* The transport's (pci.c). */
	struct pci_dev pci;
	unsigned int msix_bar, regs_bar; /* set before it is plugged, or not */
	int rom_fd; /* its option ROM, until it is plugged; -1: none */
	struct msix *msix;
	uint32_t feature_select, driver_feature_select;
	uint16_t queue_select;
	unsigned int cfg_cap;
	uint8_t isr;
};

/* Devices */

/* n_queues of size queue_size; features: on top of the transport's own. */
int virtio_init(struct virtio_dev *dev, const struct virtio_type *type,
		struct machine *m, const char *id, unsigned int n_queues,
		uint64_t features, struct error *err);
void virtio_stop(struct virtio_dev *dev);   /* ends its thread */
/* Main thread, sandboxed: runs fn on the device's own thread and waits for
 * it.  0, or -errno if there is none. */
int virtio_call(struct virtio_dev *dev, void (*fn)(void *arg), void *arg);
void virtio_finish(struct virtio_dev *dev); /* also if half built */

/* Puts the device on m->pci, which then owns it. */
int virtio_pci_plug(struct virtio_dev *dev, const struct spec_place *place,
		    struct error *err);
bool virtio_pci_is(const struct pci_dev *pci);

static inline struct virtqueue *virtio_queue(struct virtio_dev *dev,
					     unsigned int queue)
{
	return &dev->queues[queue];
}

static inline bool virtio_has(const struct virtio_dev *dev, unsigned int bit)
{
	return dev->driver_features & BIT64(bit);
}

/* DRIVER_OK is set and the device is not broken. */
bool virtio_live(const struct virtio_dev *dev);
/* The same, and the machine is not paused: buffers may be taken.  When it
 * goes on, every queue is notified. */
bool virtio_running(const struct virtio_dev *dev);

/* dev->config changed: new generation, and tell a live driver (2.5). */
void virtio_config_changed(struct virtio_dev *dev);

/* The driver broke the rules: nothing moves until it resets (2.1.2). */
void virtio_needs_reset(struct virtio_dev *dev, const char *why);

void virtio_reset_done(struct virtio_dev *dev);

/* Transport's side; these take the lock themselves. */
void virtio_set_status(struct virtio_dev *dev, uint8_t status);
void virtio_reset_wait(struct virtio_dev *dev);

/* virtio_state.c: pausing and saving. */
void virtio_pause(struct virtio_dev *dev, bool paused);
void virtio_idle(struct virtio_dev *dev); /* locked */
void virtio_add_states(struct virtio_dev *dev, const char *id,
		       struct state_set *set);

/* pci.c: the driver is to look at vq (used), or at the config (NULL). */
void virtio_interrupt(struct virtio_dev *dev, struct virtqueue *vq);

/* Queues */

int vq_init(struct virtqueue *vq, struct virtio_dev *dev, unsigned int index);
void vq_finish(struct virtqueue *vq);
void vq_enable(struct virtqueue *vq);
void vq_disable(struct virtqueue *vq); /* back to what it is after reset */
void vq_kick(struct virtqueue *vq);    /* any thread */

/* Takes the next chain; false when there is none or the queue is broken. */
bool vq_pop(struct virtqueue *vq, struct vq_buf *ret_buf);
void vq_unpop(struct virtqueue *vq, unsigned int n); /* puts n heads back */
bool vq_empty(struct virtqueue *vq);

/* Gives a chain back with len bytes written; nothing if reset meanwhile. */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len);
/* The same in two steps, for several chains that belong together. */
void vq_fill(struct virtqueue *vq, uint16_t head, uint32_t len,
	     unsigned int ahead);
void vq_publish(struct virtqueue *vq, unsigned int n);
void vq_signal(struct virtqueue *vq); /* as far as the driver wants it */

/* Copies from the readable or to the writable part; bytes copied. */
size_t vq_read(const struct vq_buf *buf, uint64_t offset, void *to,
	       size_t len);
size_t vq_write(const struct vq_buf *buf, uint64_t offset, const void *from,
		size_t len);

#endif
