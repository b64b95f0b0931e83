/*
 * vmm/virtio/rng.c -- virtio entropy device (virtio 1.2, section 5.4).
 *
 * One queue of driver-supplied buffers, filled from getrandom(2) or from a
 * descriptor that was handed in, so much in a period of time as is allowed;
 * then buffers wait.  No configuration space, no feature bits: the file to
 * copy when starting a new virtio device.
 */
#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* #syscalls:vmm getrandom read */

/* 5.4.2: queue 0 is the request queue. */
enum { RNG_REQUESTQ, RNG_QUEUES };

struct rng {
	struct virtio_dev dev;
	int fd; /* -1: getrandom(2) */
	unsigned int max_bytes; /* in a period; 0: any number */
	uint64_t period;	/* nanoseconds */
	struct loop_timer *timer; /* the period's end, when it is waited for */
	uint64_t ends;
	unsigned int left; /* bytes, until then */
};

/* How many of len bytes may go out now. */
static size_t rng_allowed(struct rng *rng, size_t len)
{
	uint64_t now = now_ns();

	if (!rng->max_bytes)
		return len;
	if (now >= rng->ends) {
		rng->ends = now + rng->period;
		rng->left = rng->max_bytes;
	}
	return MIN(len, rng->left);
}

static ssize_t rng_fill(struct rng *rng, void *data, size_t len)
{
	ssize_t n = rng->fd >= 0 ? read(rng->fd, data, len) : -1;

	return n > 0 ? n : getrandom(data, len, 0);
}

/* False: the rest has to wait, or the device is broken. */
static bool rng_serve(struct rng *rng, struct virtqueue *vq,
		      const struct vq_buf *buf)
{
	/*
	 * 5.4.6.2: at least one byte; fewer than asked is allowed.
	 * Up to 256 bytes, getrandom(2) cannot be interrupted.
	 */
	uint8_t data[256];
	size_t len = rng_allowed(rng, MIN(buf->in_len, sizeof(data)));
	ssize_t n = len ? rng_fill(rng, data, len) : 0;

	if (!buf->in_len || n < 0) {
		virtio_needs_reset(&rng->dev, "unusable buffer");
		return false;
	}
	if (!n) {
		vq_unpop(vq, 1);
		timer_arm(rng->timer, rng->ends);
		return false;
	}
	if (rng->max_bytes)
		rng->left -= n;
	vq_push(vq, buf->head, vq_write(buf, 0, data, n));
	return true;
}

static void rng_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct rng *rng = container_of(dev, struct rng, dev);
	struct virtqueue *vq = virtio_queue(dev, queue);
	struct vq_buf buf;

	while (vq_pop(vq, &buf) && rng_serve(rng, vq, &buf))
		;
	vq_signal(vq);
}

/* On the loop: buffers that wait have their turn. */
static void rng_period_ended(void *arg)
{
	struct rng *rng = arg;

	vq_kick(virtio_queue(&rng->dev, RNG_REQUESTQ));
}

static void rng_destroy(struct virtio_dev *dev)
{
	struct rng *rng = container_of(dev, struct rng, dev);

	timer_destroy(rng->timer);
	virtio_finish(dev);
	free(rng);
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
	rng->max_bytes = spec->max_bytes;
	rng->period = (spec->period ? spec->period : 1000) * 1000000ull;
	timer_create_on(m->loop, rng_period_ended, rng, &rng->timer);
	r = virtio_init(&rng->dev, &virtio_rng, m, spec->id, RNG_QUEUES, 0, err);
	if (r >= 0)
		r = virtio_pci_plug(&rng->dev, &spec->pci, err);
	if (r < 0)
		rng_destroy(&rng->dev);
	return r;
}
