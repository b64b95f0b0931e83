/*
 * vmm/virtio/net_frames.c -- frames between a network device's queues and its
 * tap, whose frames carry the same header as ours.
 *
 * Transmission hands the driver's memory to the tap; reception copies from
 * one buffer, so that a frame for which the driver has no room can wait in it
 * while the tap is not listened to.
 */
#include <arpa/inet.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/loop.h"
#include "vmm/virtio/net.h"

/* #syscalls:vmm read writev */

enum { BATCH = 64 /* frames received before others get their turn */ };

static struct virtqueue *rx_queue(struct net_pair *p)
{
	return virtio_queue(&p->net->dev, 2 * p->index);
}

static struct virtqueue *tx_queue(struct net_pair *p)
{
	return virtio_queue(&p->net->dev, 2 * p->index + 1);
}

/* ---- when there are frames ---- */

static void listen_to_tap(struct net_pair *p, bool yes)
{
	uint32_t events = yes ? EPOLLIN : 0;

	if (p->gone || p->muted || events == p->events)
		return;
	p->events = events;
	loop_mod(p->net->dev.loop, p->fd, events);
}

/* A queue that the interface does not use reports errors without end. */
void net_watch_tap(struct net_pair *p)
{
	bool mute = !p->used || p->vhost.running;

	if (p->gone || mute == p->muted)
		return;
	p->muted = mute;
	p->events = 0;
	if (mute)
		loop_mute(p->net->dev.loop, p->fd);
	else
		loop_unmute(p->net->dev.loop, p->fd, 0);
}

void net_tap_ready(void *arg, uint32_t events)
{
	struct net_pair *p = arg;
	struct net *net = p->net;

	pthread_mutex_lock(&net->dev.lock);
	if (p->muted) {
		/* since then */
	} else if (events & (EPOLLERR | EPOLLHUP)) {
		loop_remove(net->dev.loop, p->fd);
		p->gone = true;
	} else if (virtio_running(&net->dev) && rx_queue(p)->enabled) {
		net_receive(p);
	} else {
		listen_to_tap(p, false); /* until the driver is back */
	}
	pthread_mutex_unlock(&net->dev.lock);
}

/* ---- reception (5.1.6.4) ---- */

enum delivery { DELIVERED, DROPPED, NO_ROOM };

/* Spreads the frame over as many chains as it takes, if that is allowed. */
static enum delivery deliver(struct net_pair *p, struct virtqueue *vq)
{
	struct net *net = p->net;
	bool merge = virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
	size_t done = 0;
	uint16_t n = 0;

	while (done < p->frame_len) {
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
		if (buf->in_len < (n ? 1 : NET_HEADER_LEN)) {
			virtio_needs_reset(&net->dev, "receive buffer is "
						      "too small");
			return DROPPED;
		}
		part = vq_write(buf, 0, p->frame + done, p->frame_len - done);
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
static bool receive(struct net_pair *p, struct virtqueue *vq)
{
	struct net *net = p->net;
	enum delivery d = DROPPED;

	if (!net->link_down && p->frame_len >= NET_HEADER_LEN &&
	    net_wants(net, p->frame + NET_HEADER_LEN,
		      p->frame_len - NET_HEADER_LEN))
		d = deliver(p, vq);
	if (d == NO_ROOM)
		return false;
	if (d == DELIVERED) {
		net->rx.packets++;
		net->rx.bytes += p->frame_len - NET_HEADER_LEN;
	} else {
		net->rx.drops++;
	}
	p->frame_len = 0;
	return true;
}

static bool next_frame(struct net_pair *p)
{
	ssize_t n = read(p->fd, p->frame, sizeof(p->frame));

	if (n <= 0)
		return false;
	p->frame_len = n;
	return true;
}

void net_receive(struct net_pair *p)
{
	struct virtqueue *vq = rx_queue(p);
	unsigned int n = 0;

	if (!p->used)
		return;
	while (n++ < BATCH && (p->frame_len || next_frame(p))) {
		if (!receive(p, vq))
			break;
	}
	vq_signal(vq);
	listen_to_tap(p, !p->frame_len);
}

/* ---- transmission (5.1.6.2) ---- */

static void transmit(struct net_pair *p, const struct vq_buf *buf)
{
	struct net *net = p->net;
	ssize_t n = -1;

	if (!net->link_down && !p->gone)
		n = writev(p->fd, buf->iov, buf->n_out);
	if (n < 0) {
		net->tx.drops++;
		return;
	}
	net->tx.packets++;
	net->tx.bytes += buf->out_len - NET_HEADER_LEN;
}

void net_transmit(struct net_pair *p)
{
	struct virtqueue *vq = tx_queue(p);
	struct net *net = p->net;

	while (vq_pop(vq, &net->buf)) {
		if (net->buf.out_len < NET_HEADER_LEN) {
			virtio_needs_reset(&net->dev, "frame without header");
			return;
		}
		transmit(p, &net->buf);
		vq_push(vq, net->buf.head, 0);
	}
	vq_signal(vq);
}

/* ---- a guest that came from elsewhere ---- */

enum { FRAME_MIN = 60, ETHERTYPE_RARP = 0x8035, RARP_REQUEST = 3 };

/* RFC 903, in the form of RFC 826. */
struct rarp {
	uint8_t to[NET_MAC_LEN], from[NET_MAC_LEN];
	uint16_t type;
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t operation;
	uint8_t sender[NET_MAC_LEN], sender_ip[4];
	uint8_t target[NET_MAC_LEN], target_ip[4];
} __attribute__((packed));

/* Whatever it asks, switches learn where the address is. */
static void send_rarp(struct net *net)
{
	struct {
		uint8_t header[NET_HEADER_LEN];
		union {
			struct rarp rarp;
			uint8_t padded[FRAME_MIN];
		};
	} f = { .rarp = { .type = htons(ETHERTYPE_RARP),
			  .hardware = htons(ARPHRD_ETHER),
			  .protocol = htons(0x0800), /* IPv4 */
			  .hardware_len = NET_MAC_LEN,
			  .protocol_len = 4,
			  .operation = htons(RARP_REQUEST) } };
	ssize_t n;

	memset(f.rarp.to, 0xff, NET_MAC_LEN);
	memcpy(f.rarp.from, net_config(net)->mac, NET_MAC_LEN);
	memcpy(f.rarp.sender, net_config(net)->mac, NET_MAC_LEN);
	memcpy(f.rarp.target, net_config(net)->mac, NET_MAC_LEN);
	n = write(net->pair[0].fd, &f, sizeof(f));
	(void)n;
}

/* 5.1.6.5.4: the driver can tell more. */
void net_announce(struct net *net)
{
	if (net->link_down || net->pair[0].gone)
		return;
	send_rarp(net);
	if (!virtio_has(&net->dev, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return;
	net_config(net)->status |= VIRTIO_NET_S_ANNOUNCE;
	virtio_config_changed(&net->dev);
}
