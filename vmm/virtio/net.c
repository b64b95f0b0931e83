/*
 * vmm/virtio/net.c -- virtio network device (virtio 1.2, section 5.1) on a
 * tap: what it offers, and its life.  net.h says where the rest is.
 *
 * The driver's buffers are filled and emptied by the device's thread, or, if
 * the machine came with descriptors of /dev/vhost-net, by the host's kernel.
 * Left out: hash reports and receive-side scaling, the tap's own spreading
 * of flows does that.
 */
#include "vmm/virtio/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/bootorder.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"

/* Virtio 1.3, 5.1.3; unknown to older headers. */
enum { F_GUEST_USO4 = 54, F_GUEST_USO6 = 55, F_HOST_USO = 56 };

static const uint64_t net_features =
	BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_GUEST_CSUM) |
	BIT64(VIRTIO_NET_F_GUEST_TSO4) | BIT64(VIRTIO_NET_F_GUEST_TSO6) |
	BIT64(VIRTIO_NET_F_GUEST_ECN) | BIT64(VIRTIO_NET_F_GUEST_UFO) |
	BIT64(VIRTIO_NET_F_HOST_TSO4) | BIT64(VIRTIO_NET_F_HOST_TSO6) |
	BIT64(VIRTIO_NET_F_HOST_ECN) | BIT64(VIRTIO_NET_F_HOST_UFO) |
	BIT64(VIRTIO_NET_F_MAC) | BIT64(VIRTIO_NET_F_MRG_RXBUF) |
	BIT64(VIRTIO_NET_F_STATUS) | BIT64(VIRTIO_NET_F_CTRL_VQ) |
	BIT64(VIRTIO_NET_F_CTRL_RX) | BIT64(VIRTIO_NET_F_CTRL_RX_EXTRA) |
	BIT64(VIRTIO_NET_F_CTRL_VLAN) | BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) |
	BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR) |
	BIT64(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

static const uint64_t uso_features =
	BIT64(F_GUEST_USO4) | BIT64(F_GUEST_USO6) | BIT64(F_HOST_USO);

/* ---- what the driver chose ---- */

int net_set_offloads(struct net *net, uint64_t bits)
{
	const uint64_t uso = BIT64(F_GUEST_USO4) | BIT64(F_GUEST_USO6);
	struct tap_offloads o = {
		.csum = bits & BIT64(VIRTIO_NET_F_GUEST_CSUM),
		.tso4 = bits & BIT64(VIRTIO_NET_F_GUEST_TSO4),
		.tso6 = bits & BIT64(VIRTIO_NET_F_GUEST_TSO6),
		.ecn = bits & BIT64(VIRTIO_NET_F_GUEST_ECN),
		.ufo = bits & BIT64(VIRTIO_NET_F_GUEST_UFO),
		.uso = (bits & uso) == uso,
	};

	net->offloads = bits;
	return net->pair[0].gone ? 0 : tap_set_offloads(net->pair[0].fd, &o);
}

static int use_pair(struct net_pair *p, bool yes)
{
	int r = 0;

	if (p->used == yes)
		return 0;
	if (!p->gone)
		r = tap_use_queue(p->fd, yes);
	if (r < 0)
		return r;
	p->used = yes;
	p->frame_len = 0;
	net_watch_tap(p);
	if (yes) /* there may be buffers for it */
		vq_kick(virtio_queue(&p->net->dev, 2 * p->index));
	return 0;
}

/* What the host sends goes to the first n; the tap chooses among them. */
int net_set_pairs(struct net *net, unsigned int n)
{
	int r = 0;

	for (unsigned int i = 0; i < net->n_pairs && r == 0; i++)
		r = use_pair(&net->pair[i], i < n);
	if (r == 0)
		net->pairs = n;
	return r;
}

/* ---- virtio's hooks ---- */

static void net_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct net *net = net_from_dev(dev);
	struct net_pair *p = &net->pair[queue / 2];

	if (queue == net_ctrl_queue(net))
		net_control(net);
	else if (queue > net_ctrl_queue(net))
		return; /* there is none (5.1.2) */
	else if (p->vhost.running)
		vq_kick(virtio_queue(dev, queue)); /* it was not for us */
	else if (queue % 2)
		net_transmit(p);
	else
		net_receive(p);
}

/* Offloads that were negotiated are on (5.1.6.5.8), one pair (5.1.5). */
static void net_started(struct virtio_dev *dev)
{
	struct net *net = net_from_dev(dev);

	if (net_set_offloads(net, dev->driver_features) < 0)
		virtio_needs_reset(dev, "the tap refuses the offloads");
	else
		net_vhost_start(net);
}

static void net_paused(struct virtio_dev *dev, bool yes)
{
	struct net *net = net_from_dev(dev);

	if (yes) {
		net_vhost_stop(net);
		return;
	}
	net_vhost_start(net);
	if (net->arrived && virtio_live(dev))
		net_announce(net);
	net->arrived = false;
}

static void net_vectors(struct virtio_dev *dev)
{
	struct net *net = net_from_dev(dev);

	for (unsigned int i = 0; net->vhost && i < net->n_pairs; i++)
		vhost_route(&net->pair[i].vhost);
}

/* As many frames wait for the next driver as the tap holds. */
static bool net_reset(struct virtio_dev *dev)
{
	struct net *net = net_from_dev(dev);

	net_vhost_stop(net);
	net_filter_reset(net);
	net_set_pairs(net, 1);
	net->pair[0].frame_len = 0;
	memcpy(net_config(net)->mac, net->mac, NET_MAC_LEN);
	net_config(net)->status &= ~VIRTIO_NET_S_ANNOUNCE;
	return true;
}

/* ---- saving ---- */

/* What the control queue set, the device's own MAC address included. */
static const struct state_field net_fields[] = {
	STATE_STRUCT(struct net, filter, net_filter_fields),
	{ .name = "mac",
	  .kind = STATE_BYTES,
	  .offset = offsetof(struct net, dev.config) +
		    offsetof(struct virtio_net_config, mac),
	  .size = NET_MAC_LEN,
	  .count = 1 },
	STATE(struct net, offloads),
	STATE_SINCE(2, struct net, pairs),
	STATE_END,
};

/* Saved before, pairs are as the machine was built: one. */
static int net_loaded(void *obj, unsigned int version, struct error *err)
{
	struct net *net = obj;

	if (!net->pairs || net->pairs > net->n_pairs)
		return error_set(err, -EINVAL,
				 "the saved state of device '%s' has %u pairs of queues in use",
				 net->dev.id, net->pairs);
	return 0;
}

/* After the transport's, which turned on all that was negotiated. */
static void net_restored(void *obj)
{
	struct net *net = obj;

	net_set_pairs(net, net->pairs);
	if (virtio_live(&net->dev))
		net_set_offloads(net, net->offloads);
	net->arrived = true;
}

static const struct state_type net_state = {
	.name = "virtio-net",
	.version = 2,
	.fields = net_fields,
	.loaded = net_loaded,
	.restored = net_restored,
};

/* ---- outside ---- */

static void net_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct net *net = arg;
	const char *id = net->dev.id;
	struct net_counter rx, tx;

	pthread_mutex_lock(&net->dev.lock);
	rx = net->rx;
	tx = net->tx;
	pthread_mutex_unlock(&net->dev.lock);
	/* What the kernel moves is not counted here. */
	emit(emit_arg, "nics", id, "vhost", net->vhost);
	emit(emit_arg, "nics", id, "rx_bytes", rx.bytes);
	emit(emit_arg, "nics", id, "rx_packets", rx.packets);
	emit(emit_arg, "nics", id, "rx_drop", rx.drops);
	emit(emit_arg, "nics", id, "tx_bytes", tx.bytes);
	emit(emit_arg, "nics", id, "tx_packets", tx.packets);
	emit(emit_arg, "nics", id, "tx_drop", tx.drops);
}

/* The kernel knows nothing of links that are down: then we serve it. */
static int net_set_link(void *arg, const char *id, bool up)
{
	struct net *net = arg;
	uint16_t other = net_config(net)->status & ~VIRTIO_NET_S_LINK_UP;

	if (!str_eq(id, net->dev.id))
		return -ENOENT;
	pthread_mutex_lock(&net->dev.lock);
	net->link_down = !up;
	net_config(net)->status = other | (up ? VIRTIO_NET_S_LINK_UP : 0);
	if (up)
		net_vhost_start(net);
	else
		net_vhost_stop(net);
	virtio_config_changed(&net->dev);
	pthread_mutex_unlock(&net->dev.lock);
	return 0;
}

static const struct machine_dev_ops net_machine_ops = {
	.name = "virtio-net",
	.stateless = true, /* its PCI function saves it */
	.stats = net_stats,
	.set_link = net_set_link,
};

static void net_destroy(struct virtio_dev *dev)
{
	struct net *net = net_from_dev(dev);

	virtio_stop(dev);
	net_vhost_finish(net);
	for (unsigned int i = 0; i < net->n_pairs; i++)
		if (net->pair[i].fd >= 0 && !net->pair[i].gone)
			loop_remove(dev->loop, net->pair[i].fd);
	virtio_finish(dev);
	free(net->pair);
	free(net);
}

static const struct virtio_type virtio_net = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.class_code = 0x020000, /* PCI D.3: Ethernet */
	.own_thread = true,
	.notify = net_notify,
	.started = net_started,
	.paused = net_paused,
	.vectors = net_vectors,
	.reset = net_reset,
	.state = &net_state,
	.destroy = net_destroy,
};

/* ---- making one ---- */

/* 5.1.4; what is not offered reads as zero. */
static void set_config(struct net *net, const struct spec_nic *spec)
{
	struct virtio_net_config *c = net_config(net);

	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->link_down = spec->link_down;
	memcpy(net->mac, spec->mac, NET_MAC_LEN);
	memcpy(c->mac, spec->mac, NET_MAC_LEN);
	c->status = spec->link_down ? 0 : VIRTIO_NET_S_LINK_UP;
	c->max_virtqueue_pairs = net->n_pairs;
	c->mtu = spec->mtu;
	if (spec->mtu)
		net->dev.features |= BIT64(VIRTIO_NET_F_MTU);
	if (net->n_pairs > 1)
		net->dev.features |= BIT64(VIRTIO_NET_F_MQ);
	net_filter_reset(net);
}

static int attach_pair(struct net_pair *p, int fd, struct error *err)
{
	struct net *net = p->net;
	int r = tap_attach(fd, err);

	if (r < 0) {
		error_prefix(err, "network card '%s'", net->dev.id);
		return r;
	}
	r = loop_add(net->dev.loop, fd, 0, net_tap_ready, p);
	if (r == 0) {
		p->fd = fd;
		p->used = true;
		if (p->index)
			r = use_pair(p, false);
	}
	return r < 0 ? error_set(err, r, "network card '%s': %m",
				 net->dev.id) :
		       0;
}

/* All of the tap's queues, of which the first is in use. */
static int attach(struct net *net, const struct spec_nic *spec,
		  struct error *err)
{
	int r = attach_pair(&net->pair[0], spec->fd, err);

	for (unsigned int i = 1; i < net->n_pairs && r == 0; i++)
		r = attach_pair(&net->pair[i], spec->more[i - 1].fd, err);
	if (r == 0 && tap_has_uso(net->pair[0].fd))
		net->dev.features |= uso_features;
	return r;
}

static struct net *create(const struct spec_nic *spec)
{
	struct net *net = xcalloc(1, sizeof(*net));

	net->n_pairs = 1 + spec->n_more;
	net->pairs = 1;
	net->pair = xcalloc(net->n_pairs, sizeof(*net->pair));
	for (unsigned int i = 0; i < net->n_pairs; i++) {
		net->pair[i].net = net;
		net->pair[i].index = i;
		net->pair[i].fd = -1;
	}
	return net;
}

int virtio_net_add(struct machine *m, const struct spec_nic *spec,
		   struct error *err)
{
	struct net *net = create(spec);
	int r = virtio_init(&net->dev, &virtio_net, m, spec->id,
			    2 * net->n_pairs + 1, net_features, err);

	if (r >= 0)
		r = attach(net, spec, err);
	if (r >= 0)
		r = net_vhost_init(net, spec, err);
	if (r >= 0) {
		net->dev.rom_fd = spec->rom_fd;
		set_config(net, spec);
		r = virtio_pci_plug(&net->dev, &spec->pci, err);
	}
	if (r < 0) {
		net_destroy(&net->dev);
		return r;
	}
	bootorder_add(m, spec->boot_index, &net->dev.pci, "ethernet",
		      "/ethernet-phy@0");
	machine_add_device(m, &net_machine_ops, net);
	return 0;
}
