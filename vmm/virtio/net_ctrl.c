/*
 * vmm/virtio/net_ctrl.c -- a network device's control queue (virtio 1.2,
 * 5.1.6.5).
 */
#include <string.h>

#include "vmm/virtio/net.h"

/* 5.1.2: behind all pairs that a driver may use. */
unsigned int net_ctrl_queue(const struct net *net)
{
	return virtio_has(&net->dev, VIRTIO_NET_F_MQ) ? 2 * net->n_pairs : 2;
}

static bool ctrl_mac(struct net *net, uint8_t cmd)
{
	uint8_t mac[NET_MAC_LEN];

	if (cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return net_filter_macs(net);
	if (cmd != VIRTIO_NET_CTRL_MAC_ADDR_SET ||
	    vq_read(&net->buf, 2, mac, NET_MAC_LEN) != NET_MAC_LEN)
		return false;
	memcpy(net_config(net)->mac, mac, NET_MAC_LEN);
	return true;
}

/* 5.1.6.5.4: it has told the others where it is now. */
static bool ctrl_announce(struct net *net, uint8_t cmd)
{
	if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return false;
	net_config(net)->status &= ~VIRTIO_NET_S_ANNOUNCE;
	return true;
}

/* 5.1.6.5.5 */
static bool ctrl_pairs(struct net *net, uint8_t cmd)
{
	uint16_t n;

	if (cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    !virtio_has(&net->dev, VIRTIO_NET_F_MQ) ||
	    vq_read(&net->buf, 2, &n, sizeof(n)) != sizeof(n) || !n ||
	    n > net->n_pairs)
		return false;
	return net_set_pairs(net, n) == 0;
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
	return net_set_offloads(net, bits) == 0;
}

static bool ctrl(struct net *net, const struct virtio_net_ctrl_hdr *h)
{
	switch (h->class) {
	case VIRTIO_NET_CTRL_RX:
		return net_filter_rx(net, h->cmd);
	case VIRTIO_NET_CTRL_MAC:
		return ctrl_mac(net, h->cmd);
	case VIRTIO_NET_CTRL_VLAN:
		return net_filter_vlan(net, h->cmd);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return ctrl_announce(net, h->cmd);
	case VIRTIO_NET_CTRL_MQ:
		return ctrl_pairs(net, h->cmd);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return ctrl_offloads(net, h->cmd);
	}
	return false;
}

void net_control(struct net *net)
{
	struct virtqueue *vq = virtio_queue(&net->dev, net_ctrl_queue(net));
	struct virtio_net_ctrl_hdr h;

	while (vq_pop(vq, &net->buf)) {
		uint16_t head = net->buf.head;
		uint8_t ack = VIRTIO_NET_ERR;

		if (vq_read(&net->buf, 0, &h, sizeof(h)) != sizeof(h) ||
		    !net->buf.in_len) {
			virtio_needs_reset(&net->dev, "bad control command");
			return;
		}
		if (ctrl(net, &h))
			ack = VIRTIO_NET_OK;
		vq_push(vq, head,
			vq_write(&net->buf, 0, &ack, sizeof(ack)));
	}
	vq_signal(vq);
}
