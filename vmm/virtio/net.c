/*
 * vmm/virtio/net.c -- virtio network device (virtio 1.2, section 5.1) on a
 * tap whose frames carry the same header as ours.
 *
 * One pair of queues and the control queue, all on the device's thread.
 * Transmission hands the driver's memory to the tap; reception copies from
 * one buffer, so that a frame for which the driver has no room can wait in it
 * while the tap is not listened to.  Left out: several pairs, VLAN filters,
 * announcements, hash reports.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "network/port/tap.h"
#include "vmm/boot/bootorder.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* #syscalls:vmm read writev */

/* 5.1.2 */
enum { NET_RXQ, NET_TXQ, NET_CTRLQ, NET_QUEUES };

enum {
	HEADER_LEN = sizeof(struct virtio_net_hdr_v1),
	MAC_LEN = 6,
	MACS_MAX = 64,	/* of each kind; with more, all are let in */
	BATCH = 64,	/* frames received before others get their turn */
};

static_assert((int)HEADER_LEN == (int)TAP_HEADER_LEN, "headers pass through");

struct net_counter {
	uint64_t packets, bytes, drops;
};

struct net_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool overflow_uni, overflow_multi;
	unsigned int n_macs;
	uint8_t mac[2 * MACS_MAX][MAC_LEN];
};

struct net {
	struct virtio_dev dev;
	int fd;
	uint32_t events; /* what the loop waits for on fd */
	bool gone;	 /* the tap was removed under us */
	bool link_down;
	struct net_filter filter;
	uint64_t offloads; /* feature bits of what the tap is to do */
	struct net_counter rx, tx;
	struct vq_buf buf, first;
	size_t frame_len; /* a frame waits, with its header; 0: none */
	uint8_t frame[TAP_HEADER_LEN + TAP_FRAME_MAX];
};

static struct net *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct net, dev);
}

static struct virtio_net_config *config(struct net *net)
{
	return (void *)net->dev.config;
}

/* On the loop's thread. */
static void listen_to_tap(struct net *net, bool yes)
{
	uint32_t events = yes ? EPOLLIN : 0;

	if (net->gone || events == net->events)
		return;
	net->events = events;
	loop_mod(net->dev.loop, net->fd, events);
}

/* Reception (5.1.6.4) */

static bool is_listed(const struct net_filter *f, const uint8_t *mac)
{
	for (unsigned int i = 0; i < f->n_macs; i++) {
		if (!memcmp(f->mac[i], mac, MAC_LEN))
			return true;
	}
	return false;
}

/* 5.1.6.5.1 and 5.1.6.5.2 */
static bool wants(struct net *net, const uint8_t *to)
{
	static const uint8_t everyone[MAC_LEN] = { 255, 255, 255,
						   255, 255, 255 };
	const struct net_filter *f = &net->filter;

	if (f->promisc)
		return true;
	if (!memcmp(to, everyone, MAC_LEN))
		return !f->nobcast;
	if (to[0] & 1)
		return !f->nomulti && (f->allmulti || f->overflow_multi ||
				       is_listed(f, to));
	return !f->nouni &&
	       (f->alluni || f->overflow_uni || is_listed(f, to) ||
		!memcmp(to, config(net)->mac, MAC_LEN));
}

enum delivery { DELIVERED, DROPPED, NO_ROOM };

/* Spreads the frame over as many chains as it takes, if that is allowed. */
static enum delivery deliver(struct net *net, struct virtqueue *vq)
{
	bool merge = virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
	size_t done = 0;
	uint16_t n = 0;

	while (done < net->frame_len) {
		struct vq_buf *buf = n ? &net->buf : &net->first;
		size_t part;

		if (n && !merge) {
			vq_unpop(vq, n);
			return DROPPED; /* 5.1.6.3.1: it should have fit */
		}
		if (!vq_pop(vq, buf)) {
			vq_unpop(vq, n);
			return NO_ROOM;
		}
		if (buf->in_len < (n ? 1 : HEADER_LEN)) {
			virtio_needs_reset(&net->dev, "receive buffer is "
						      "too small");
			return DROPPED;
		}
		part = vq_write(buf, 0, net->frame + done,
				net->frame_len - done);
		vq_fill(vq, buf->head, part, n++);
		done += part;
	}
	/* 5.1.6.4.1: 1 when not merged. */
	vq_write(&net->first, offsetof(struct virtio_net_hdr_v1, num_buffers),
		 &n, sizeof(n));
	vq_publish(vq, n);
	return DELIVERED;
}

/* False: the frame waits for buffers. */
static bool receive(struct net *net, struct virtqueue *vq)
{
	enum delivery d = DROPPED;

	if (!net->link_down && net->frame_len >= HEADER_LEN + MAC_LEN &&
	    wants(net, net->frame + HEADER_LEN))
		d = deliver(net, vq);
	if (d == NO_ROOM)
		return false;
	if (d == DELIVERED) {
		net->rx.packets++;
		net->rx.bytes += net->frame_len - HEADER_LEN;
	} else {
		net->rx.drops++;
	}
	net->frame_len = 0;
	return true;
}

static bool next_frame(struct net *net)
{
	ssize_t n = read(net->fd, net->frame, sizeof(net->frame));

	if (n <= 0)
		return false;
	net->frame_len = n;
	return true;
}

static void receive_batch(struct net *net)
{
	struct virtqueue *vq = virtio_queue(&net->dev, NET_RXQ);
	unsigned int n = 0;

	while (n++ < BATCH && (net->frame_len || next_frame(net))) {
		if (!receive(net, vq))
			break;
	}
	vq_signal(vq);
	listen_to_tap(net, !net->frame_len);
}

static void tap_ready(void *arg, uint32_t events)
{
	struct net *net = arg;

	pthread_mutex_lock(&net->dev.lock);
	if (events & (EPOLLERR | EPOLLHUP)) {
		loop_remove(net->dev.loop, net->fd);
		net->gone = true;
	} else if (virtio_running(&net->dev) &&
		   net->dev.queues[NET_RXQ].enabled) {
		receive_batch(net);
	} else {
		listen_to_tap(net, false); /* until the driver is back */
	}
	pthread_mutex_unlock(&net->dev.lock);
}

/* Transmission (5.1.6.2) */

static void transmit(struct net *net, const struct vq_buf *buf)
{
	ssize_t n = -1;

	if (!net->link_down && !net->gone)
		n = writev(net->fd, buf->iov, buf->n_out);
	if (n < 0) {
		net->tx.drops++;
		return;
	}
	net->tx.packets++;
	net->tx.bytes += buf->out_len - HEADER_LEN;
}

static void transmit_all(struct net *net)
{
	struct virtqueue *vq = virtio_queue(&net->dev, NET_TXQ);

	while (vq_pop(vq, &net->buf)) {
		if (net->buf.out_len < HEADER_LEN) {
			virtio_needs_reset(&net->dev, "frame without header");
			return;
		}
		transmit(net, &net->buf);
		vq_push(vq, net->buf.head, 0);
	}
	vq_signal(vq);
}

/* The control queue (5.1.6.5) */

static bool ctrl_rx(struct net *net, uint8_t cmd)
{
	struct net_filter *f = &net->filter;
	bool *const flag[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = &f->promisc,
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = &f->allmulti,
		[VIRTIO_NET_CTRL_RX_ALLUNI] = &f->alluni,
		[VIRTIO_NET_CTRL_RX_NOMULTI] = &f->nomulti,
		[VIRTIO_NET_CTRL_RX_NOUNI] = &f->nouni,
		[VIRTIO_NET_CTRL_RX_NOBCAST] = &f->nobcast,
	};
	uint8_t on;

	if (cmd >= ARRAY_SIZE(flag) || vq_read(&net->buf, 2, &on, 1) != 1)
		return false;
	*flag[cmd] = on != 0;
	return true;
}

/* One table: a count, then as many addresses. */
static bool read_macs(struct net *net, uint64_t *offset, struct net_filter *f,
		      bool *overflow)
{
	uint32_t n;

	if (vq_read(&net->buf, *offset, &n, sizeof(n)) != sizeof(n))
		return false;
	*offset += sizeof(n);
	if (n > (net->buf.out_len - *offset) / MAC_LEN)
		return false;
	*overflow = n > MACS_MAX;
	if (!*overflow) {
		vq_read(&net->buf, *offset, f->mac[f->n_macs], n * MAC_LEN);
		f->n_macs += n;
	}
	*offset += (uint64_t)n * MAC_LEN;
	return true;
}

/* 5.1.6.5.2: first the unicast table, then the multicast one. */
static bool ctrl_mac_table(struct net *net)
{
	struct net_filter f = net->filter;
	uint64_t offset = 2;

	f.n_macs = 0;
	if (!read_macs(net, &offset, &f, &f.overflow_uni) ||
	    !read_macs(net, &offset, &f, &f.overflow_multi))
		return false;
	net->filter = f;
	return true;
}

static bool ctrl_mac(struct net *net, uint8_t cmd)
{
	uint8_t mac[MAC_LEN];

	if (cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return ctrl_mac_table(net);
	if (cmd != VIRTIO_NET_CTRL_MAC_ADDR_SET ||
	    vq_read(&net->buf, 2, mac, MAC_LEN) != MAC_LEN)
		return false;
	memcpy(config(net)->mac, mac, MAC_LEN);
	return true;
}

static int set_offloads(struct net *net, uint64_t bits)
{
	struct tap_offloads o = {
		.csum = bits & BIT64(VIRTIO_NET_F_GUEST_CSUM),
		.tso4 = bits & BIT64(VIRTIO_NET_F_GUEST_TSO4),
		.tso6 = bits & BIT64(VIRTIO_NET_F_GUEST_TSO6),
		.ecn = bits & BIT64(VIRTIO_NET_F_GUEST_ECN),
	};

	net->offloads = bits;
	return net->gone ? 0 : tap_set_offloads(net->fd, &o);
}

/* 5.1.6.5.8: only what was negotiated. */
static bool ctrl_offloads(struct net *net, uint8_t cmd)
{
	uint64_t bits;

	if (cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has(&net->dev, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
	    vq_read(&net->buf, 2, &bits, sizeof(bits)) != sizeof(bits) ||
	    (bits & ~net->dev.driver_features))
		return false;
	return set_offloads(net, bits) == 0;
}

static bool ctrl(struct net *net, const struct virtio_net_ctrl_hdr *h)
{
	switch (h->class) {
	case VIRTIO_NET_CTRL_RX:
		return ctrl_rx(net, h->cmd);
	case VIRTIO_NET_CTRL_MAC:
		return ctrl_mac(net, h->cmd);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return ctrl_offloads(net, h->cmd);
	}
	return false;
}

static void control_all(struct net *net)
{
	struct virtqueue *vq = virtio_queue(&net->dev, NET_CTRLQ);
	struct virtio_net_ctrl_hdr h;

	while (vq_pop(vq, &net->buf)) {
		uint8_t ack = VIRTIO_NET_ERR;

		if (vq_read(&net->buf, 0, &h, sizeof(h)) != sizeof(h) ||
		    !net->buf.in_len) {
			virtio_needs_reset(&net->dev, "bad control command");
			return;
		}
		if (ctrl(net, &h))
			ack = VIRTIO_NET_OK;
		vq_push(vq, net->buf.head,
			vq_write(&net->buf, 0, &ack, sizeof(ack)));
	}
	vq_signal(vq);
}

static void net_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct net *net = from_dev(dev);

	switch (queue) {
	case NET_RXQ:
		receive_batch(net);
		break;
	case NET_TXQ:
		transmit_all(net);
		break;
	case NET_CTRLQ:
		control_all(net);
		break;
	}
}

/* Offloads that were negotiated are on (5.1.6.5.8). */
static void net_started(struct virtio_dev *dev)
{
	struct net *net = from_dev(dev);

	if (set_offloads(net, dev->driver_features) < 0)
		virtio_needs_reset(dev, "the tap refuses the offloads");
}

/* A driver that sets no filter gets everything. */
static void forget(struct net *net, const uint8_t *mac)
{
	net->filter = (struct net_filter){ .promisc = true };
	net->frame_len = 0;
	if (mac)
		memcpy(config(net)->mac, mac, MAC_LEN);
}

/* What the control queue set, its own MAC address included. */
static const struct state_field filter_fields[] = {
	STATE_BOOL(struct net_filter, promisc),
	STATE_BOOL(struct net_filter, allmulti),
	STATE_BOOL(struct net_filter, alluni),
	STATE_BOOL(struct net_filter, nomulti),
	STATE_BOOL(struct net_filter, nouni),
	STATE_BOOL(struct net_filter, nobcast),
	STATE_BOOL(struct net_filter, overflow_uni),
	STATE_BOOL(struct net_filter, overflow_multi),
	STATE_MAX(struct net_filter, n_macs, 2 * MACS_MAX),
	STATE_RAW(struct net_filter, mac),
	STATE_END,
};

static const struct state_field net_fields[] = {
	STATE_STRUCT(struct net, filter, filter_fields),
	{ .name = "mac",
	  .kind = STATE_BYTES,
	  .offset = offsetof(struct net, dev.config) +
		    offsetof(struct virtio_net_config, mac),
	  .size = MAC_LEN,
	  .count = 1 },
	STATE(struct net, offloads),
	STATE_END,
};

/* After the transport's, which turned on all that was negotiated. */
static void net_restored(void *obj)
{
	struct net *net = obj;

	if (virtio_live(&net->dev))
		set_offloads(net, net->offloads);
}

static const struct state_type net_state = {
	.name = "virtio-net",
	.version = 1,
	.fields = net_fields,
	.restored = net_restored,
};

static bool net_reset(struct virtio_dev *dev)
{
	forget(from_dev(dev), NULL);
	return true;
}

/* Outside */

static void net_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct net *net = arg;
	const char *id = net->dev.id;
	struct net_counter rx, tx;

	pthread_mutex_lock(&net->dev.lock);
	rx = net->rx;
	tx = net->tx;
	pthread_mutex_unlock(&net->dev.lock);
	emit(emit_arg, "nics", id, "rx_bytes", rx.bytes);
	emit(emit_arg, "nics", id, "rx_packets", rx.packets);
	emit(emit_arg, "nics", id, "rx_drop", rx.drops);
	emit(emit_arg, "nics", id, "tx_bytes", tx.bytes);
	emit(emit_arg, "nics", id, "tx_packets", tx.packets);
	emit(emit_arg, "nics", id, "tx_drop", tx.drops);
}

static int net_set_link(void *arg, const char *id, bool up)
{
	struct net *net = arg;

	if (!str_eq(id, net->dev.id))
		return -ENOENT;
	pthread_mutex_lock(&net->dev.lock);
	net->link_down = !up;
	config(net)->status = up ? VIRTIO_NET_S_LINK_UP : 0;
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
	struct net *net = from_dev(dev);

	virtio_stop(dev);
	if (net->fd >= 0 && !net->gone)
		loop_remove(dev->loop, net->fd);
	virtio_finish(dev);
	free(net);
}

static const struct virtio_type virtio_net = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.class_code = 0x020000, /* PCI D.3: Ethernet */
	.own_thread = true,
	.notify = net_notify,
	.started = net_started,
	.reset = net_reset,
	.state = &net_state,
	.destroy = net_destroy,
};

static const uint64_t net_features =
	BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_GUEST_CSUM) |
	BIT64(VIRTIO_NET_F_GUEST_TSO4) | BIT64(VIRTIO_NET_F_GUEST_TSO6) |
	BIT64(VIRTIO_NET_F_GUEST_ECN) | BIT64(VIRTIO_NET_F_HOST_TSO4) |
	BIT64(VIRTIO_NET_F_HOST_TSO6) | BIT64(VIRTIO_NET_F_HOST_ECN) |
	BIT64(VIRTIO_NET_F_MAC) | BIT64(VIRTIO_NET_F_MRG_RXBUF) |
	BIT64(VIRTIO_NET_F_STATUS) | BIT64(VIRTIO_NET_F_CTRL_VQ) |
	BIT64(VIRTIO_NET_F_CTRL_RX) | BIT64(VIRTIO_NET_F_CTRL_RX_EXTRA) |
	BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR) |
	BIT64(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

/* 5.1.4; what is not offered reads as zero. */
static void net_config(struct net *net, const struct spec_nic *spec)
{
	struct virtio_net_config *c = config(net);

	net->dev.config_size = offsetof(struct virtio_net_config, speed);
	net->link_down = spec->link_down;
	c->status = spec->link_down ? 0 : VIRTIO_NET_S_LINK_UP;
	c->max_virtqueue_pairs = 1;
	c->mtu = spec->mtu;
	if (spec->mtu)
		net->dev.features |= BIT64(VIRTIO_NET_F_MTU);
	forget(net, spec->mac);
}

static int attach(struct net *net, int fd, struct error *err)
{
	int r = tap_attach(fd, err);

	if (r < 0) {
		error_prefix(err, "network card '%s'", net->dev.id);
		return r;
	}
	r = loop_add(net->dev.loop, fd, 0, tap_ready, net);
	if (r < 0)
		return error_set(err, r, "network card '%s': %m",
				 net->dev.id);
	net->fd = fd;
	return 0;
}

int virtio_net_add(struct machine *m, const struct spec_nic *spec,
		   struct error *err)
{
	struct net *net = xcalloc(1, sizeof(*net));
	int r;

	net->fd = -1;
	r = virtio_init(&net->dev, &virtio_net, m, spec->id, NET_QUEUES,
			net_features, err);
	if (r >= 0)
		r = attach(net, spec->fd, err);
	if (r >= 0) {
		net->dev.rom_fd = spec->rom_fd;
		net_config(net, spec);
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
