/*
 * vmm/virtio/vhost_user_dev.c -- a device all of whose queues another program
 * serves: what those of every kind have in common.
 *
 * When that program ends, the device is broken until the guest resets it, and
 * then still has nobody: it is not connected to again.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/virtio/vhost_user.h"

static struct vhost_user_dev *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct vhost_user_dev, dev);
}

static void hung_up(void *arg, uint32_t events)
{
	struct vhost_user_dev *d = arg;

	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	pthread_mutex_lock(&d->dev.lock);
	loop_remove(d->dev.loop, d->user.vhost.fd);
	d->watched = false;
	d->user.gone = true;
	virtio_needs_reset(&d->dev, "its vhost-user program is gone");
	pthread_mutex_unlock(&d->dev.lock);
}

void vhost_user_dev_started(struct virtio_dev *dev)
{
	vhost_start(&from_dev(dev)->user.vhost);
}

void vhost_user_dev_paused(struct virtio_dev *dev, bool yes)
{
	if (yes)
		vhost_stop(&from_dev(dev)->user.vhost);
	else
		vhost_start(&from_dev(dev)->user.vhost);
}

void vhost_user_dev_vectors(struct virtio_dev *dev)
{
	vhost_route(&from_dev(dev)->user.vhost);
}

bool vhost_user_dev_reset(struct virtio_dev *dev)
{
	vhost_stop(&from_dev(dev)->user.vhost);
	return true;
}

void vhost_user_dev_destroy(struct virtio_dev *dev)
{
	struct vhost_user_dev *d = from_dev(dev);

	virtio_stop(dev);
	vhost_stop(&d->user.vhost);
	if (d->watched)
		loop_remove(dev->loop, d->user.vhost.fd);
	vhost_finish(&d->user.vhost);
	virtio_finish(dev);
	free(d);
}

static int set_up(struct vhost_user_dev *d, const struct vhost_user_kind *kind,
		  int fd, unsigned int queue_size, struct error *err)
{
	int r = vhost_init(&d->user.vhost, &d->dev, &vhost_user_backend, fd, 0,
			   d->dev.external, err);

	if (r == 0)
		r = vhost_user_hello(&d->user, kind->needs, err);
	if (r < 0)
		return r;
	d->dev.features &= d->user.vhost.features;
	for (unsigned int i = 0; i < d->dev.n_queues; i++)
		d->dev.queues[i].size = d->dev.queues[i].size_max = queue_size;
	r = loop_add(d->dev.loop, fd, 0, hung_up, d);
	d->watched = r == 0;
	return r < 0 ? error_set(err, r, "device '%s': %m", d->dev.id) : 0;
}

int vhost_user_dev_create(struct machine *m,
			  const struct vhost_user_kind *kind, const char *id,
			  int fd, unsigned int queues, unsigned int queue_size,
			  struct vhost_user_dev **ret_dev, struct error *err)
{
	struct vhost_user_dev *d = xcalloc(1, sizeof(*d));
	int r;

	d->dev.external = queues;
	r = virtio_init(&d->dev, kind->type, m, id, queues, kind->features,
			err);
	if (r >= 0)
		r = set_up(d, kind, fd, queue_size, err);
	if (r < 0) {
		vhost_user_dev_destroy(&d->dev);
		return r;
	}
	*ret_dev = d;
	return 0;
}
