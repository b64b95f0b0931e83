/*
 * vmm/virtio/vsock.c -- virtio socket device (virtio 1.2, section 5.10) that
 * ends in Unix sockets of the host; vsock_conn.c has the connections.
 *
 * For hosts without vhost-vsock.  Streams only.  The host's end of a
 * connection that the guest asks for is made by whoever runs the machine
 * (machine_tell_vsock()), because the VMM can connect to nothing.
 */
#include "vmm/virtio/vsock.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"

#ifndef VIRTIO_VSOCK_F_STREAM /* 5.10.3; headers before Linux 6.13 */
#define VIRTIO_VSOCK_F_STREAM 0
#endif

/* #syscalls:vmm readv */

struct vsock {
	struct virtio_dev dev;
	struct vsock_hub *hub;
	uint64_t cid;
	bool up;	 /* the thread runs */
	bool tell_reset; /* an event waits for a buffer */
	struct vq_buf tx, rx;
	struct iovec iov[VQ_SIZE_MAX];
};

/* The answer to a connection of the guest's, on its way to the loop. */
struct vsock_answer {
	struct vsock *v;
	uint32_t port;
	int fd;
};

static struct vsock *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct vsock, dev);
}

/* ---- shared with vhost_vsock.c ---- */

void vsock_set_cid(struct virtio_dev *dev, uint64_t cid)
{
	struct virtio_vsock_config *config = (void *)dev->config;

	config->guest_cid = cid;
	dev->config_size = sizeof(*config);
}

bool vsock_tell_reset(struct virtio_dev *dev)
{
	static const struct virtio_vsock_event event = {
		.id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
	};
	struct virtqueue *vq = virtio_queue(dev, VSOCK_EVENTQ);
	struct vq_buf *buf = xmalloc(sizeof(*buf));
	bool got = vq_pop(vq, buf);

	if (got) {
		vq_push(vq, buf->head,
			vq_write(buf, 0, &event, sizeof(event)));
		vq_signal(vq);
	}
	free(buf);
	return got;
}

/* ---- to the guest (5.10.6.1) ---- */

static bool vsock_pop_rx(struct vsock *v)
{
	if (!virtio_running(&v->dev) ||
	    !vq_pop(virtio_queue(&v->dev, VSOCK_RXQ), &v->rx))
		return false;
	if (v->rx.in_len > VSOCK_HDR_LEN)
		return true;
	virtio_needs_reset(&v->dev, "receive buffer is too small");
	return false;
}

static void vsock_push_rx(struct vsock *v, struct virtio_vsock_hdr hdr,
			  uint32_t len)
{
	struct virtqueue *vq = virtio_queue(&v->dev, VSOCK_RXQ);

	hdr.dst_cid = v->cid;
	hdr.len = len;
	vq_write(&v->rx, 0, &hdr, sizeof(hdr));
	vq_push(vq, v->rx.head, sizeof(hdr) + len);
	vq_signal(vq);
}

static bool vsock_send(void *arg, const struct virtio_vsock_hdr *hdr)
{
	struct vsock *v = arg;

	if (!vsock_pop_rx(v))
		return false;
	vsock_push_rx(v, *hdr, 0);
	return true;
}

static ssize_t vsock_send_from(void *arg, struct virtio_vsock_hdr *hdr,
			       int fd, uint32_t max)
{
	struct vsock *v = arg;
	unsigned int n;
	ssize_t len;

	if (!vsock_pop_rx(v))
		return -ENOBUFS;
	n = iov_slice(v->rx.iov + v->rx.n_out, v->rx.n_in, VSOCK_HDR_LEN, max,
		      v->iov);
	len = readv(fd, v->iov, n);
	if (len > 0)
		vsock_push_rx(v, *hdr, len);
	else
		vq_unpop(virtio_queue(&v->dev, VSOCK_RXQ), 1);
	return len < 0 ? -errno : len;
}

/* ---- from the guest ---- */

static void vsock_packet(struct vsock *v)
{
	struct virtio_vsock_hdr hdr;

	if (vq_read(&v->tx, 0, &hdr, sizeof(hdr)) != sizeof(hdr) ||
	    hdr.len > v->tx.out_len - sizeof(hdr)) {
		virtio_needs_reset(&v->dev, "packet is not all there");
		return;
	}
	/* 5.10.6.4.1: nobody else is there to have sent it. */
	if (hdr.src_cid == v->cid)
		vsock_hub_packet(v->hub, &hdr, &v->tx);
}

static void vsock_transmit(struct vsock *v)
{
	struct virtqueue *vq = virtio_queue(&v->dev, VSOCK_TXQ);

	while (vq_pop(vq, &v->tx)) {
		vsock_packet(v);
		vq_push(vq, v->tx.head, 0);
	}
	vq_signal(vq);
}

static void vsock_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct vsock *v = from_dev(dev);

	if (queue == VSOCK_TXQ)
		vsock_transmit(v);
	else if (queue == VSOCK_RXQ)
		vsock_hub_ready(v->hub);
	else if (v->tell_reset)
		v->tell_reset = !vsock_tell_reset(dev);
}

/* ---- what the connections need ---- */

static void vsock_connect(void *arg, uint32_t port)
{
	struct vsock *v = arg;

	machine_tell_vsock(v->dev.m, port);
}

static bool vsock_running(void *arg)
{
	struct vsock *v = arg;

	return virtio_running(&v->dev) &&
	       virtio_queue(&v->dev, VSOCK_RXQ)->enabled;
}

static void vsock_lock(void *arg)
{
	struct vsock *v = arg;

	pthread_mutex_lock(&v->dev.lock);
}

static void vsock_unlock(void *arg)
{
	struct vsock *v = arg;

	pthread_mutex_unlock(&v->dev.lock);
}

static const struct vsock_hub_ops hub_ops = {
	.send = vsock_send,
	.send_from = vsock_send_from,
	.connect = vsock_connect,
	.running = vsock_running,
	.lock = vsock_lock,
	.unlock = vsock_unlock,
};

static void vsock_answered(void *arg)
{
	struct vsock_answer *a = arg;

	vsock_lock(a->v);
	vsock_hub_connected(a->v->hub, a->port, a->fd);
	vsock_unlock(a->v);
	free(a);
}

/* The main thread. */
static int vsock_connected(void *arg, uint32_t port, int fd)
{
	struct vsock *v = arg;
	struct vsock_answer *a = xmalloc(sizeof(*a));

	*a = (struct vsock_answer){ .v = v, .port = port, .fd = fd };
	loop_defer(v->dev.loop, vsock_answered, a);
	return 0;
}

/* ---- the device ---- */

static void vsock_started(struct virtio_dev *dev)
{
	from_dev(dev)->up = true;
}

static void vsock_drop(void *arg)
{
	struct vsock *v = arg;

	vsock_lock(v);
	vsock_hub_drop_all(v->hub);
	virtio_reset_done(&v->dev);
	vsock_unlock(v);
}

/* Descriptors leave the loop on its own thread only. */
static bool vsock_reset(struct virtio_dev *dev)
{
	struct vsock *v = from_dev(dev);

	v->tell_reset = false;
	if (!v->up)
		return true;
	loop_defer(dev->loop, vsock_drop, v);
	return false;
}

static void vsock_destroy(struct virtio_dev *dev)
{
	struct vsock *v = from_dev(dev);

	virtio_stop(dev);
	vsock_hub_destroy(v->hub);
	virtio_finish(dev);
	free(v);
}

static const struct state_field vsock_fields[] = {
	STATE_BOOL(struct vsock, tell_reset),
	STATE_END,
};

/* 5.10.6.7: connections are not saved; a live driver is told. */
static void vsock_restored(void *obj)
{
	struct vsock *v = obj;

	v->tell_reset = virtio_live(&v->dev);
}

static const struct state_type vsock_state = {
	.name = "virtio-vsock",
	.version = 1,
	.fields = vsock_fields,
	.restored = vsock_restored,
};

static const struct virtio_type virtio_vsock = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.class_code = 0xff0000, /* unclassified */
	.own_thread = true,
	.notify = vsock_notify,
	.started = vsock_started,
	.reset = vsock_reset,
	.state = &vsock_state,
	.destroy = vsock_destroy,
};

static const struct machine_dev_ops vsock_machine_ops = {
	.name = "virtio-vsock",
	.stateless = true, /* its PCI function saves it */
	.vsock_connected = vsock_connected,
};

int virtio_vsock_add(struct machine *m, const struct spec_vsock *spec,
		     struct error *err)
{
	struct vsock *v = xcalloc(1, sizeof(*v));
	int r;

	v->cid = spec->cid;
	r = virtio_init(&v->dev, &virtio_vsock, m, spec->id, VSOCK_QUEUES,
			BIT64(VIRTIO_VSOCK_F_STREAM), err);
	if (r >= 0) {
		r = vsock_hub_create(v->dev.loop, spec->listen_fd, &hub_ops,
				     v, &v->hub);
		if (r < 0)
			error_set(err, r, "device '%s': %m", spec->id);
	}
	if (r >= 0) {
		vsock_set_cid(&v->dev, v->cid);
		r = virtio_pci_plug(&v->dev, &spec->pci, err);
	}
	if (r < 0) {
		vsock_destroy(&v->dev);
		return r;
	}
	machine_add_device(m, &vsock_machine_ops, v);
	return 0;
}
