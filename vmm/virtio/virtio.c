/*
 * vmm/virtio/virtio.c -- what all virtio devices share: status, features,
 * reset (virtio 1.2, sections 2.1, 2.2 and 2.4), and the way from a doorbell
 * to the device's thread.
 *
 * A reset may have to wait for requests in flight.  The transport does not
 * wait: the status reads as it was until the reset is complete, which is what
 * drivers poll for (2.4.2, 4.1.4.3.2).
 */
#define LOG_MODULE "virtio"
#include "vmm/virtio/virtio.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/virtio/iothread.h"

/* What every device offers (section 6). */
static const uint64_t common_features =
	BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT64(VIRTIO_RING_F_EVENT_IDX);

/* A guest must not fill the log. */
enum { COMPLAINTS_MAX = 10 };

bool virtio_live(const struct virtio_dev *dev)
{
	return (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !dev->resetting &&
	       !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

bool virtio_running(const struct virtio_dev *dev)
{
	return !dev->paused && virtio_live(dev);
}

/* The doorbell rang: on the device's loop. */
static void kicked(void *arg, uint32_t events)
{
	struct virtqueue *vq = arg;
	struct virtio_dev *dev = vq->dev;
	uint64_t count;
	ssize_t n = read(vq->kick_fd, &count, sizeof(count));

	if (n < 0)
		return;
	pthread_mutex_lock(&dev->lock);
	if (virtio_running(dev) && vq->enabled)
		dev->type->notify(dev, vq->index);
	pthread_mutex_unlock(&dev->lock);
}

static int add_queue(struct virtio_dev *dev, unsigned int i)
{
	struct virtqueue *vq = &dev->queues[i];
	int r = vq_init(vq, dev, i);

	if (r < 0) {
		vq->dev = NULL;
		return r;
	}
	return i < dev->external ? 0 :
				   loop_add(dev->loop, vq->kick_fd, EPOLLIN,
					    kicked, vq);
}

int virtio_init(struct virtio_dev *dev, const struct virtio_type *type,
		struct machine *m, const char *id, unsigned int n_queues,
		uint64_t features, struct error *err)
{
	int r = 0;

	dev->type = type;
	dev->m = m;
	dev->id = xstrdup(id);
	dev->features = common_features | features;
	dev->config_vector = VIRTIO_NO_VECTOR;
	dev->rom_fd = -1;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->reset_done, NULL);
	pthread_cond_init(&dev->idle, NULL);
	dev->loop = m->loop;
	if (type->own_thread) {
		r = iothread_create(id, &dev->thread, err);
		if (r < 0)
			return r;
		dev->loop = iothread_loop(dev->thread);
	}

	dev->queues = xcalloc(n_queues, sizeof(*dev->queues));
	for (; dev->n_made < n_queues && r >= 0; dev->n_made++)
		r = add_queue(dev, dev->n_made);
	dev->n_queues = dev->n_made;
	if (r < 0)
		return error_set(err, r, "cannot set up device '%s': %m", id);
	return 0;
}

struct call {
	loop_fn *fn;
	void *arg;
	struct virtio_dev *dev;
	bool done;
};

static void run_call(void *arg)
{
	struct call *c = arg;

	c->fn(c->arg);
	pthread_mutex_lock(&c->dev->lock);
	c->done = true;
	pthread_cond_broadcast(&c->dev->idle);
	pthread_mutex_unlock(&c->dev->lock);
}

int virtio_call(struct virtio_dev *dev, void (*fn)(void *arg), void *arg)
{
	struct call c = { .fn = fn, .arg = arg, .dev = dev };
	int r;

	pthread_mutex_lock(&dev->lock);
	r = iothread_start(dev->thread);
	if (r == 0)
		loop_defer(dev->loop, run_call, &c);
	while (r == 0 && !c.done)
		pthread_cond_wait(&dev->idle, &dev->lock);
	pthread_mutex_unlock(&dev->lock);
	return r;
}

void virtio_stop(struct virtio_dev *dev)
{
	iothread_stop(dev->thread);
}

/* With the thread gone nobody is left to take the lock. */
void virtio_finish(struct virtio_dev *dev)
{
	virtio_stop(dev);
	for (unsigned int i = 0; i < dev->n_made; i++) {
		if (dev->queues[i].dev && i >= dev->external)
			loop_remove(dev->loop, dev->queues[i].kick_fd);
		vq_finish(&dev->queues[i]);
	}
	iothread_destroy(dev->thread);
	free(dev->queues);
	free(dev->id);
	pthread_cond_destroy(&dev->reset_done);
	pthread_cond_destroy(&dev->idle);
	pthread_mutex_destroy(&dev->lock);
}

/* 2.5: a driver reads the generation before and after. */
void virtio_config_changed(struct virtio_dev *dev)
{
	dev->config_generation++;
	if (virtio_live(dev))
		virtio_interrupt(dev, NULL);
}

void virtio_needs_reset(struct virtio_dev *dev, const char *why)
{
	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	if (dev->complaints++ < COMPLAINTS_MAX)
		log_warn("%s: guest driver error: %s", dev->id, why);
	/* 2.1.2: a notification if DRIVER_OK is set. */
	virtio_config_changed(dev);
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
}

void virtio_reset_done(struct virtio_dev *dev)
{
	dev->status = 0;
	dev->driver_features = 0;
	dev->feature_select = dev->driver_feature_select = 0;
	dev->queue_select = 0;
	dev->config_vector = VIRTIO_NO_VECTOR;
	dev->isr = 0;
	dev->resetting = false;
	pthread_cond_broadcast(&dev->reset_done);
	virtio_idle(dev);
}

static void begin_reset(struct virtio_dev *dev)
{
	if (dev->resetting)
		return;
	dev->resetting = true;
	for (unsigned int i = 0; i < dev->n_queues; i++)
		vq_disable(&dev->queues[i]);
	if (!dev->type->reset || dev->type->reset(dev))
		virtio_reset_done(dev);
}

/* 2.2.2 and 6.1: no bit that was not offered, and never without version 1. */
static bool features_acceptable(const struct virtio_dev *dev)
{
	return !(dev->driver_features & ~dev->features) &&
	       virtio_has(dev, VIRTIO_F_VERSION_1);
}

static void start(struct virtio_dev *dev)
{
	int r = dev->thread ? iothread_start(dev->thread) : 0;

	if (r < 0) {
		log_error("%s: cannot start a thread", dev->id);
		virtio_needs_reset(dev, "no thread");
		return;
	}
	if (dev->type->started)
		dev->type->started(dev);
	/* Buffers that were there first need no doorbell. */
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		if (dev->queues[i].enabled)
			vq_kick(&dev->queues[i]);
	}
}

/* 2.1.1: bits are only ever added, in the order of 3.1.1. */
static void add_status(struct virtio_dev *dev, uint8_t bits)
{
	uint8_t old = dev->status;

	bits &= VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK |
		VIRTIO_CONFIG_S_FAILED;
	if (!(old & VIRTIO_CONFIG_S_FEATURES_OK) && !features_acceptable(dev))
		bits &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((old | bits) & VIRTIO_CONFIG_S_FEATURES_OK))
		bits &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status |= bits;
	if (bits & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		start(dev);
}

void virtio_set_status(struct virtio_dev *dev, uint8_t status)
{
	pthread_mutex_lock(&dev->lock);
	if (!status)
		begin_reset(dev);
	else if (!dev->resetting)
		add_status(dev, status);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_reset_wait(struct virtio_dev *dev)
{
	pthread_mutex_lock(&dev->lock);
	begin_reset(dev);
	while (dev->resetting)
		pthread_cond_wait(&dev->reset_done, &dev->lock);
	pthread_mutex_unlock(&dev->lock);
}
