/*
 * vmm/virtio/virtio_state.c -- pausing virtio devices, and their state.
 *
 * A paused device takes no buffers and has given back all that were under way
 * (type->busy()), so what is saved is the transport's registers and where each
 * queue stands; a type adds what it remembers beyond that.  Rings and buffers
 * are in guest memory.
 */
#include <errno.h>

#include "base/error.h"
#include "vmm/dev/msix.h"
#include "vmm/state.h"
#include "vmm/virtio/iothread.h"
#include "vmm/virtio/virtio.h"

static void kick_all(struct virtio_dev *dev)
{
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		if (dev->queues[i].enabled)
			vq_kick(&dev->queues[i]);
	}
}

void virtio_pause(struct virtio_dev *dev, bool paused)
{
	pthread_mutex_lock(&dev->lock);
	dev->paused = paused;
	if (dev->type->paused)
		dev->type->paused(dev, paused);
	while (paused && (dev->resetting ||
			  (dev->type->busy && dev->type->busy(dev))))
		pthread_cond_wait(&dev->idle, &dev->lock);
	if (!paused)
		kick_all(dev);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_idle(struct virtio_dev *dev)
{
	pthread_cond_broadcast(&dev->idle);
}

static const struct state_field queue_fields[] = {
	STATE(struct virtqueue, size),
	STATE(struct virtqueue, vector),
	STATE_BOOL(struct virtqueue, enabled),
	STATE(struct virtqueue, desc_gpa),
	STATE(struct virtqueue, avail_gpa),
	STATE(struct virtqueue, used_gpa),
	STATE(struct virtqueue, last_avail),
	STATE(struct virtqueue, used_idx),
	STATE(struct virtqueue, signalled),
	STATE_BOOL(struct virtqueue, signalled_valid),
	STATE_END,
};

static const struct state_field virtio_fields[] = {
	STATE(struct virtio_dev, driver_features),
	STATE(struct virtio_dev, status),
	STATE(struct virtio_dev, config_generation),
	STATE(struct virtio_dev, config_vector),
	STATE_STRUCTS_UP_TO(struct virtio_dev, queues, n_queues,
			    VIRTIO_QUEUES_MAX, queue_fields),
	STATE(struct virtio_dev, feature_select),
	STATE(struct virtio_dev, driver_feature_select),
	STATE(struct virtio_dev, queue_select),
	STATE(struct virtio_dev, isr),
	STATE_END,
};

static int queue_loaded(struct virtqueue *vq)
{
	bool enabled = vq->enabled;
	uint16_t n = vq->size;

	vq->enabled = false;
	if (!n || n > vq->size_max || (n & (n - 1)))
		return -EINVAL;
	if (enabled)
		vq_enable(vq);
	return vq->enabled == enabled ? 0 : -EINVAL;
}

static int virtio_loaded(void *obj, unsigned int version, struct error *err)
{
	struct virtio_dev *dev = obj;
	int r = 0;

	if (dev->n_queues < dev->n_made && !dev->type->fewer_queues)
		return error_set(err, -EINVAL,
				 "device '%s' has %u queues here, and %u where "
				 "the guest was saved",
				 dev->id, dev->n_made, dev->n_queues);
	if (dev->driver_features & ~dev->features)
		return error_set(err, -EINVAL,
				 "the saved guest uses features of device '%s' "
				 "that it does not have here (%llx)",
				 dev->id,
				 (unsigned long long)(dev->driver_features &
						      ~dev->features));
	pthread_mutex_lock(&dev->lock);
	for (unsigned int i = 0; i < dev->n_queues && r == 0; i++)
		r = queue_loaded(&dev->queues[i]);
	pthread_mutex_unlock(&dev->lock);
	if (r < 0)
		return error_set(err, r,
				 "the saved state of device '%s' has a queue "
				 "that cannot be",
				 dev->id);
	if (dev->thread && virtio_live(dev))
		r = iothread_start(dev->thread);
	return r < 0 ? error_set(err, r, "cannot start the thread of device "
				 "'%s': %m", dev->id) :
		       0;
}

static void virtio_restored(void *obj)
{
	struct virtio_dev *dev = obj;

	pthread_mutex_lock(&dev->lock);
	if (virtio_live(dev) && dev->type->started)
		dev->type->started(dev);
	pthread_mutex_unlock(&dev->lock);
}

static const struct state_type virtio_state = {
	.name = "virtio",
	.version = 1,
	.fields = virtio_fields,
	.loaded = virtio_loaded,
	.restored = virtio_restored,
};

void virtio_add_states(struct virtio_dev *dev, const char *id,
		       struct state_set *set)
{
	msix_add_state(dev->msix, id, set);
	state_add(set, &virtio_state, id, dev);
	if (dev->type->state)
		state_add(set, dev->type->state, id, dev);
	else if (!dev->type->stateless)
		state_lacks(set, dev->id);
}
