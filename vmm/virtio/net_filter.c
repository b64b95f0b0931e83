/*
 * vmm/virtio/net_filter.c -- which frames a driver wants (virtio 1.2, 5.1.6.5.1
 * to 5.1.6.5.3).
 */
#include <string.h>

#include "vmm/virtio/net.h"

enum {
	TYPE_AT = 2 * NET_MAC_LEN,
	TYPE_VLAN = 0x8100, /* IEEE 802.1Q, 9.6 */
	VLAN_MASK = NET_VLANS - 1,
};

/* A driver that sets no filter gets everything, but for others' VLANs. */
void net_filter_reset(struct net *net)
{
	net->filter = (struct net_filter){ .promisc = true };
}

static bool is_listed(const struct net_filter *f, const uint8_t *mac)
{
	for (unsigned int i = 0; i < f->n_macs; i++) {
		if (!memcmp(f->mac[i], mac, NET_MAC_LEN))
			return true;
	}
	return false;
}

/* 5.1.6.5.1 and 5.1.6.5.2 */
static bool wants_address(struct net *net, const uint8_t *to)
{
	static const uint8_t everyone[NET_MAC_LEN] = { 255, 255, 255,
						       255, 255, 255 };
	const struct net_filter *f = &net->filter;

	if (!memcmp(to, everyone, NET_MAC_LEN))
		return !f->nobcast;
	if (to[0] & 1)
		return !f->nomulti && (f->allmulti || f->overflow_multi ||
				       is_listed(f, to));
	return !f->nouni &&
	       (f->alluni || f->overflow_uni || is_listed(f, to) ||
		!memcmp(to, net_config(net)->mac, NET_MAC_LEN));
}

/* 5.1.6.5.3: what has no tag passes. */
static bool wants_vlan(struct net *net, const uint8_t *frame, size_t len)
{
	unsigned int id;

	if (!virtio_has(&net->dev, VIRTIO_NET_F_CTRL_VLAN) ||
	    len < TYPE_AT + 4 ||
	    (frame[TYPE_AT] << 8 | frame[TYPE_AT + 1]) != TYPE_VLAN)
		return true;
	id = (frame[TYPE_AT + 2] << 8 | frame[TYPE_AT + 3]) & VLAN_MASK;
	return net->filter.vlan[id / 8] & BIT(id % 8);
}

bool net_wants(struct net *net, const uint8_t *frame, size_t len)
{
	if (len < NET_MAC_LEN)
		return false;
	return net->filter.promisc || (wants_address(net, frame) &&
				       wants_vlan(net, frame, len));
}

/* ---- what the driver asks for; its words begin at byte 2 ---- */

bool net_filter_rx(struct net *net, uint8_t cmd)
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
	if (n > (net->buf.out_len - *offset) / NET_MAC_LEN)
		return false;
	*overflow = n > NET_MACS_MAX;
	if (!*overflow) {
		vq_read(&net->buf, *offset, f->mac[f->n_macs],
			n * NET_MAC_LEN);
		f->n_macs += n;
	}
	*offset += (uint64_t)n * NET_MAC_LEN;
	return true;
}

/* 5.1.6.5.2: first the unicast table, then the multicast one. */
bool net_filter_macs(struct net *net)
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

/* 5.1.6.5.3: one VLAN a time. */
bool net_filter_vlan(struct net *net, uint8_t cmd)
{
	uint16_t id;

	if (!virtio_has(&net->dev, VIRTIO_NET_F_CTRL_VLAN) ||
	    vq_read(&net->buf, 2, &id, sizeof(id)) != sizeof(id) ||
	    id >= NET_VLANS)
		return false;
	if (cmd == VIRTIO_NET_CTRL_VLAN_ADD)
		net->filter.vlan[id / 8] |= BIT(id % 8);
	else if (cmd == VIRTIO_NET_CTRL_VLAN_DEL)
		net->filter.vlan[id / 8] &= ~BIT(id % 8);
	else
		return false;
	return true;
}

/* ---- saving ---- */

const struct state_field net_filter_fields[] = {
	STATE_BOOL(struct net_filter, promisc),
	STATE_BOOL(struct net_filter, allmulti),
	STATE_BOOL(struct net_filter, alluni),
	STATE_BOOL(struct net_filter, nomulti),
	STATE_BOOL(struct net_filter, nouni),
	STATE_BOOL(struct net_filter, nobcast),
	STATE_BOOL(struct net_filter, overflow_uni),
	STATE_BOOL(struct net_filter, overflow_multi),
	STATE_MAX(struct net_filter, n_macs, 2 * NET_MACS_MAX),
	STATE_RAW(struct net_filter, mac),
	{ .name = "vlan",
	  .kind = STATE_BYTES,
	  .since = 2,
	  .offset = offsetof(struct net_filter, vlan),
	  .size = NET_VLANS / 8,
	  .count = 1 },
	STATE_END,
};
