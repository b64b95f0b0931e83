/*
 * vmm/virtio/rng.c -- virtio entropy device (virtio 1.2, section 5.4).
 *
 * One queue of driver-supplied buffers, filled from getrandom(2) or from a
 * descriptor that was handed in.  No configuration space, no feature bits:
 * the file to copy when starting a new virtio device.
 */
#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* #syscalls:vmm getrandom read */

/* 5.4.2: queue 0 is the request queue. */
enum { RNG_REQUESTQ, RNG_QUEUES };

struct rng {
	struct virtio_dev dev;
	int fd; /* -1: getrandom(2) */
};

static ssize_t rng_fill(struct rng *rng, void *data, size_t len)
{
	ssize_t n = rng->fd >= 0 ? read(rng->fd, data, len) : -1;

	return n > 0 ? n : getrandom(data, len, 0);
}

static void rng_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct rng *rng = container_of(dev, struct rng, dev);
	struct virtqueue *vq = virtio_queue(dev, queue);
	struct vq_buf buf;

	while (vq_pop(vq, &buf)) {
		uint8_t data[256];
		/*
		 * 5.4.6.2: at least one byte; fewer than asked is allowed.
		 * Up to 256 bytes, getrandom(2) cannot be interrupted.
		 */
		ssize_t n = rng_fill(rng, data,
				     MIN(buf.in_len, sizeof(data)));

		if (n < 1) {
			virtio_needs_reset(dev, "unusable buffer");
			return;
		}
		vq_push(vq, buf.head, vq_write(&buf, 0, data, n));
	}
	vq_signal(vq);
}

static void rng_destroy(struct virtio_dev *dev)
{
	virtio_finish(dev);
	free(container_of(dev, struct rng, dev));
}

static const struct virtio_type virtio_rng = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.class_code = 0xff0000, /* unclassified */
	.notify = rng_notify,
	.stateless = true,
	.destroy = rng_destroy,
};

int virtio_rng_add(struct machine *m, const struct spec_rng *spec,
		   struct error *err)
{
	struct rng *rng = xcalloc(1, sizeof(*rng));
	int r;

	rng->fd = spec->fd;
	r = virtio_init(&rng->dev, &virtio_rng, m, spec->id, RNG_QUEUES, 0, err);
	if (r >= 0)
		r = virtio_pci_plug(&rng->dev, &spec->pci, err);
	if (r < 0)
		rng_destroy(&rng->dev);
	return r;
}
