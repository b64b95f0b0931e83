/*
 * vmm/virtio/net_vhost.c -- a network device whose frames the host's kernel
 * moves between queues and tap (linux/vhost.h), a /dev/vhost-net for each
 * pair.
 *
 * The control queue stays ours, and so does everything while the link is down
 * or if the kernel does not take a pair.  Filters are not the kernel's: it
 * hands over what the tap has, which a driver has to expect (5.1.6.5.1).
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vmm/spec.h"
#include "vmm/virtio/net.h"

/* #ioctls:vmm VHOST_NET_SET_BACKEND */

static int set_backend(struct vhost *v, unsigned int index, int fd)
{
	struct vhost_vring_file f = { .index = index, .fd = fd };

	return ioctl(v->fd, VHOST_NET_SET_BACKEND, &f) < 0 ? -errno : 0;
}

static int run(struct vhost *v, bool on)
{
	struct net_pair *p = container_of(v, struct net_pair, vhost);
	int r = 0;

	for (unsigned int i = 0; i < v->n && r == 0; i++)
		if (!on || virtio_queue(v->dev, v->first + i)->enabled)
			r = set_backend(v, i, on ? p->fd : -1);
	return r;
}

static const struct vhost_backend backend = {
	.name = "vhost-net",
	VHOST_KERNEL_OPS,
	.run = run,
};

/* What a kernel must have if the driver is to be offered it. */
static const uint64_t kernel_features =
	BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT64(VIRTIO_RING_F_EVENT_IDX) | BIT64(VIRTIO_NET_F_MRG_RXBUF);

static int add_pair(struct net_pair *p, int fd, struct error *err)
{
	struct net *net = p->net;
	int r = vhost_init(&p->vhost, &net->dev, &backend, fd, 2 * p->index, 2,
			   err);

	if (r == 0)
		r = vhost_kernel_own(&p->vhost, err);
	if (r == 0)
		net->dev.features &= p->vhost.features | ~kernel_features;
	p->vhost.spare = true;
	return r;
}

int net_vhost_init(struct net *net, const struct spec_nic *spec,
		   struct error *err)
{
	int r = 0;

	if (!spec->n_vhosts)
		return 0;
	if (spec->n_vhosts != net->n_pairs)
		return error_set(err, -EINVAL,
				 "network card '%s': %u queues and %u descriptors of vhost-net",
				 net->dev.id, net->n_pairs, spec->n_vhosts);
	for (unsigned int i = 0; i < net->n_pairs && r == 0; i++)
		r = add_pair(&net->pair[i], spec->vhosts[i].fd, err);
	net->vhost = r == 0;
	return r;
}

/* Without several pairs, the third queue is for control (5.1.2). */
static unsigned int pairs_there(const struct net *net)
{
	if (!net->vhost)
		return 0;
	return virtio_has(&net->dev, VIRTIO_NET_F_MQ) ? net->n_pairs : 1;
}

void net_vhost_start(struct net *net)
{
	for (unsigned int i = 0; i < pairs_there(net) && !net->link_down; i++) {
		struct net_pair *p = &net->pair[i];

		if (p->gone || !virtio_queue(&net->dev, 2 * i)->enabled)
			continue;
		vhost_start(&p->vhost);
		if (p->vhost.running)
			p->frame_len = 0;
		net_watch_tap(p);
	}
}

void net_vhost_stop(struct net *net)
{
	for (unsigned int i = 0; net->vhost && i < net->n_pairs; i++) {
		vhost_stop(&net->pair[i].vhost);
		net_watch_tap(&net->pair[i]);
	}
}

void net_vhost_finish(struct net *net)
{
	for (unsigned int i = 0; i < net->n_pairs; i++) {
		vhost_stop(&net->pair[i].vhost);
		vhost_finish(&net->pair[i].vhost);
	}
}
