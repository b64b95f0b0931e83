/*
 * vmm/virtio/vhost_vsock.c -- virtio socket device (virtio 1.2, section 5.10)
 * that the host's kernel serves, so that its programs use AF_VSOCK too.
 *
 * /dev/vhost-vsock comes with the guest's address set.  The event queue is
 * ours: the kernel knows nothing of restored machines.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/vhost.h"
#include "vmm/virtio/vsock.h"

/* #ioctls:vmm VHOST_VSOCK_SET_RUNNING */

struct vhost_vsock {
	struct virtio_dev dev;
	struct vhost vhost;
	bool tell_reset; /* an event waits for a buffer */
};

static struct vhost_vsock *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct vhost_vsock, dev);
}

static int run(struct vhost *v, bool on)
{
	int value = on;

	return ioctl(v->fd, VHOST_VSOCK_SET_RUNNING, &value) < 0 ? -errno : 0;
}

static const struct vhost_backend backend = {
	.name = "vhost-vsock",
	VHOST_KERNEL_OPS,
	.run = run,
};

static void notify(struct virtio_dev *dev, unsigned int queue)
{
	struct vhost_vsock *v = from_dev(dev);

	if (queue == VSOCK_EVENTQ && v->tell_reset)
		v->tell_reset = !vsock_tell_reset(dev);
}

static void started(struct virtio_dev *dev)
{
	vhost_start(&from_dev(dev)->vhost);
}

static void paused(struct virtio_dev *dev, bool yes)
{
	if (yes)
		vhost_stop(&from_dev(dev)->vhost);
	else
		vhost_start(&from_dev(dev)->vhost);
}

static void vectors(struct virtio_dev *dev)
{
	vhost_route(&from_dev(dev)->vhost);
}

static bool reset(struct virtio_dev *dev)
{
	vhost_stop(&from_dev(dev)->vhost);
	from_dev(dev)->tell_reset = false;
	return true;
}

static void destroy(struct virtio_dev *dev)
{
	struct vhost_vsock *v = from_dev(dev);

	virtio_stop(dev);
	vhost_stop(&v->vhost);
	vhost_finish(&v->vhost);
	virtio_finish(dev);
	free(v);
}

static const struct state_field fields[] = {
	STATE_BOOL(struct vhost_vsock, tell_reset),
	STATE_END,
};

/* 5.10.6.7: connections are not saved; a live driver is told. */
static void restored(void *obj)
{
	struct vhost_vsock *v = obj;

	v->tell_reset = virtio_live(&v->dev);
}

/* The same device to a guest, whoever serves it. */
static const struct state_type state = {
	.name = "virtio-vsock",
	.version = 1,
	.fields = fields,
	.restored = restored,
};

static const struct virtio_type vhost_vsock = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.class_code = 0xff0000, /* unclassified */
	.notify = notify,
	.started = started,
	.paused = paused,
	.vectors = vectors,
	.reset = reset,
	.state = &state,
	.destroy = destroy,
};

int vhost_vsock_add(struct machine *m, const struct spec_vsock *spec,
		    struct error *err)
{
	struct vhost_vsock *v = xcalloc(1, sizeof(*v));
	int r;

	v->dev.external = VSOCK_EVENTQ;
	r = virtio_init(&v->dev, &vhost_vsock, m, spec->id, VSOCK_QUEUES, 0,
			err);
	if (r >= 0)
		r = vhost_init(&v->vhost, &v->dev, &backend, spec->vhost_fd,
			       0, VSOCK_EVENTQ, err);
	if (r >= 0)
		r = vhost_kernel_own(&v->vhost, err);
	if (r >= 0) {
		v->dev.features &= v->vhost.features;
		vsock_set_cid(&v->dev, spec->cid);
		r = virtio_pci_plug(&v->dev, &spec->pci, err);
	}
	if (r < 0)
		destroy(&v->dev);
	return r;
}
