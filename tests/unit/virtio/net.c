/*
 * tests/unit/virtio/net.c -- a network device on a tap with two queues: what
 * its control queue does, and what becomes of it when it is saved.
 */
#include "tests/unit/virtio/rig.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { RING = 0x10000, RING_STEP = 0x4000, CTRL = 0x80000, ACK = 0x81000,
       DATA = 0x90000, BUFFER = 0x1000, FRAME = 60, HEADER = 12, RX_SIZE = 8,
       STATUS_AT = 0x2000 + offsetof(struct virtio_net_config, status) };

static const uint8_t mine[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t other[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t everyone[6] = { 255, 255, 255, 255, 255, 255 };

static const uint64_t wanted =
	BIT64(VIRTIO_NET_F_CTRL_VQ) | BIT64(VIRTIO_NET_F_CTRL_RX) |
	BIT64(VIRTIO_NET_F_CTRL_VLAN) | BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR) |
	BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT64(VIRTIO_NET_F_STATUS) |
	BIT64(VIRTIO_NET_F_GUEST_CSUM) |
	BIT64(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

struct card {
	struct rig rig;
	int fds[2], host; /* the tap's queues; a socket on the interface */
	struct rig_vq rx[2], tx[2], ctrl;
};

/* ---- the host's side ---- */

static int packet_socket(void)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(0x0003), /* all */
		.sll_ifindex = (int)if_nametoindex(RIG_TAP),
	};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0003));

	assert(s >= 0 && !bind(s, (struct sockaddr *)&to, sizeof(to)));
	return s;
}

/* A frame of type 0x88b5 (IEEE 802, local experiments); vlan -1: no tag. */
static void send_frame(struct card *c, const uint8_t *to, int vlan,
		       uint8_t mark)
{
	uint8_t f[FRAME] = { 0 };
	unsigned int at = 12;

	memcpy(f, to, 6);
	memcpy(f + 6, other, 6);
	if (vlan >= 0) {
		f[at++] = 0x81;
		f[at++] = 0x00;
		f[at++] = vlan >> 8;
		f[at++] = vlan;
	}
	f[at++] = 0x88;
	f[at++] = 0xb5;
	memset(f + at, mark, FRAME - at);
	assert(send(c->host, f, FRAME, 0) == FRAME);
}

/* What the guest sent of that type; the kernel's own frames are skipped. */
static void expect_on_tap(struct card *c, uint16_t type, uint8_t *ret_frame)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);

	do {
		assert(recvfrom(c->host, ret_frame, FRAME, MSG_TRUNC,
				(struct sockaddr *)&from, &len) > 14);
	} while (from.sll_pkttype == PACKET_OUTGOING ||
		 (ret_frame[12] << 8 | ret_frame[13]) != type);
}

/* ---- the driver's side ---- */

static void offer_rx(struct rig_vq *vq, unsigned int i)
{
	uint64_t gpa = DATA + (vq->index * RX_SIZE + i) * BUFFER;

	rig_desc(vq, i, gpa, BUFFER, VRING_DESC_F_WRITE, 0);
	rig_offer(vq, i);
}

/* The next frame of ours; what else is on the wire is passed over. */
static uint8_t receive(struct rig_vq *vq)
{
	for (;;) {
		struct vring_used_elem e = rig_take(vq);
		uint8_t *f = rig_ptr(vq->rig, DATA + (vq->index * RX_SIZE +
						      e.id) * BUFFER);
		uint8_t mark = f[HEADER + FRAME - 1];
		bool ours = e.len == HEADER + FRAME &&
			    !memcmp(f + HEADER + 6, other, 6);

		offer_rx(vq, e.id);
		if (ours)
			return mark;
	}
}

static uint8_t command(struct card *c, uint8_t class, uint8_t cmd,
		       const void *words, size_t len)
{
	uint8_t *out = rig_ptr(&c->rig, CTRL);
	uint8_t *ack = rig_ptr(&c->rig, ACK);

	out[0] = class;
	out[1] = cmd;
	memcpy(out + 2, words, len);
	*ack = 0xee;
	rig_desc(&c->ctrl, 0, CTRL, 2 + len, VRING_DESC_F_NEXT, 1);
	rig_desc(&c->ctrl, 1, ACK, 1, VRING_DESC_F_WRITE, 0);
	rig_offer(&c->ctrl, 0);
	rig_take(&c->ctrl);
	return *ack;
}

static uint8_t set_pairs(struct card *c, uint16_t n)
{
	return command(c, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
		       &n, sizeof(n));
}

static uint8_t set_vlan(struct card *c, uint8_t cmd, uint16_t id)
{
	return command(c, VIRTIO_NET_CTRL_VLAN, cmd, &id, sizeof(id));
}

static uint8_t set_promisc(struct card *c, uint8_t on)
{
	return command(c, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on,
		       1);
}

/* The driver takes both pairs, or knows of one only. */
static void drive(struct card *c, bool multi)
{
	struct rig *rig = &c->rig;

	rig_negotiate(rig, wanted | (multi ? BIT64(VIRTIO_NET_F_MQ) : 0));
	for (unsigned int i = 0; i < 1u + multi; i++) {
		rig_queue(rig, &c->rx[i], 2 * i, RX_SIZE,
			  RING + 2 * i * RING_STEP);
		rig_queue(rig, &c->tx[i], 2 * i + 1, RX_SIZE,
			  RING + (2 * i + 1) * RING_STEP);
	}
	rig_queue(rig, &c->ctrl, multi ? 4 : 2, 8, RING + 4 * RING_STEP);
	rig_driver_ok(rig);
	for (unsigned int i = 0; i < (1u + multi) * RX_SIZE; i++)
		offer_rx(&c->rx[i / RX_SIZE], i % RX_SIZE);
}

static void begin(struct card *c)
{
	struct spec_fd more = { c->fds[1] };
	struct spec_nic spec = { .id = "net0", .fd = c->fds[0], .n_more = 1,
				 .more = &more, .rom_fd = -1 };

	memcpy(spec.mac, mine, sizeof(mine));
	c->host = packet_socket();
	rig_init(&c->rig);
	assert(!virtio_net_add(&c->rig.m, &spec, NULL));
	rig_probe(&c->rig, 1);
}

static void end(struct card *c)
{
	rig_finish(&c->rig);
	close(c->host);
}

/* ---- the tests ---- */

static void filters(struct card *c)
{
	drive(c, true);
	assert(set_promisc(c, 0) == VIRTIO_NET_OK);
	send_frame(c, other, -1, 1);
	send_frame(c, mine, 5, 2);
	send_frame(c, mine, -1, 3);
	assert(receive(&c->rx[0]) == 3);

	assert(set_vlan(c, VIRTIO_NET_CTRL_VLAN_ADD, 5) == VIRTIO_NET_OK);
	assert(set_vlan(c, VIRTIO_NET_CTRL_VLAN_ADD, 4096) == VIRTIO_NET_ERR);
	send_frame(c, mine, 6, 4);
	send_frame(c, everyone, 5, 5);
	assert(receive(&c->rx[0]) == 5);
	assert(set_vlan(c, VIRTIO_NET_CTRL_VLAN_DEL, 5) == VIRTIO_NET_OK);
	send_frame(c, mine, 5, 6);
	send_frame(c, mine, -1, 7);
	assert(receive(&c->rx[0]) == 7);

	assert(command(c, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET,
		       other, 6) == VIRTIO_NET_OK);
	send_frame(c, mine, -1, 8);
	send_frame(c, other, -1, 9);
	assert(receive(&c->rx[0]) == 9);
	assert(set_promisc(c, 1) == VIRTIO_NET_OK);
	send_frame(c, mine, 7, 10);
	assert(receive(&c->rx[0]) == 10);
}

static void offloads(struct card *c)
{
	uint64_t none = 0, csum = BIT64(VIRTIO_NET_F_GUEST_CSUM),
		 tso = BIT64(VIRTIO_NET_F_GUEST_TSO4);

	drive(c, true);
	assert(command(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &none, 8) ==
	       VIRTIO_NET_OK);
	assert(command(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &csum, 8) ==
	       VIRTIO_NET_OK);
	assert(command(c, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &tso, 8) ==
	       VIRTIO_NET_ERR);
	assert(command(c, 77, 0, &none, 8) == VIRTIO_NET_ERR);
}

static void transmit(struct card *c, unsigned int pair)
{
	uint8_t *f = rig_ptr(&c->rig, DATA + 64 * BUFFER), got[FRAME];

	memset(f, 0, HEADER + FRAME);
	memcpy(f + HEADER, other, 6);
	memcpy(f + HEADER + 6, mine, 6);
	f[HEADER + 12] = 0x88;
	f[HEADER + 13] = 0xb5;
	f[HEADER + 14] = 0x40 + pair;
	rig_desc(&c->tx[pair], 0, DATA + 64 * BUFFER, HEADER + FRAME, 0, 0);
	rig_offer(&c->tx[pair], 0);
	rig_take(&c->tx[pair]);
	expect_on_tap(c, 0x88b5, got);
	assert(got[14] == 0x40 + pair);
}

/* A frame comes through one of the queues that are in use. */
static void pairs(struct card *c)
{
	drive(c, true);
	assert(rig_in(&c->rig, c->rig.regs + 0x2000 +
			      offsetof(struct virtio_net_config,
				       max_virtqueue_pairs), 2) == 2);
	transmit(c, 0);
	assert(set_pairs(c, 0) == VIRTIO_NET_ERR);
	assert(set_pairs(c, 3) == VIRTIO_NET_ERR);
	assert(set_pairs(c, 2) == VIRTIO_NET_OK);
	transmit(c, 0);
	transmit(c, 1);
	assert(set_pairs(c, 2) == VIRTIO_NET_OK);
	assert(set_pairs(c, 1) == VIRTIO_NET_OK);
	send_frame(c, mine, -1, 11);
	assert(receive(&c->rx[0]) == 11);
	assert(set_pairs(c, 2) == VIRTIO_NET_OK);

	/* The next driver begins with one. */
	drive(c, true);
	send_frame(c, mine, -1, 12);
	assert(receive(&c->rx[0]) == 12);
}

/* 5.1.2: without several pairs the third queue is for control. */
static void single(struct card *c)
{
	drive(c, false);
	assert(set_pairs(c, 1) == VIRTIO_NET_ERR);
	assert(set_promisc(c, 0) == VIRTIO_NET_OK);
	transmit(c, 0);
	send_frame(c, mine, -1, 13);
	assert(receive(&c->rx[0]) == 13);
}

static bool asks_to_announce(struct card *c)
{
	return rig_in(&c->rig, c->rig.regs + STATUS_AT, 2) &
	       VIRTIO_NET_S_ANNOUNCE;
}

/* Saved with two pairs in use, and read back into another machine. */
static void restored(struct card *c)
{
	struct rig_vq seen[5] = { c->rx[0], c->tx[0], c->rx[1], c->tx[1],
				  c->ctrl };
	_cleanup_buf_ struct buf b = { 0 };
	struct state_set set = { 0 };
	uint8_t *ram = malloc(RIG_RAM), got[FRAME];
	struct error err = { 0 };
	uint64_t regs;

	drive(c, true);
	assert(set_pairs(c, 2) == VIRTIO_NET_OK && set_promisc(c, 0) == 0);
	assert(set_vlan(c, VIRTIO_NET_CTRL_VLAN_ADD, 5) == VIRTIO_NET_OK);
	pci_bus_pause(c->rig.m.pci, true);
	pci_bus_states(c->rig.m.pci, &set);
	state_write(&set, &b);
	state_finish(&set);
	memcpy(ram, rig_ptr(&c->rig, 0), RIG_RAM);
	memcpy(seen, (struct rig_vq[5]){ c->rx[0], c->tx[0], c->rx[1],
					 c->tx[1], c->ctrl }, sizeof(seen));
	regs = c->rig.regs;
	end(c);

	begin(c);
	assert(c->rig.regs == regs);
	memcpy(rig_ptr(&c->rig, 0), ram, RIG_RAM);
	free(ram);
	pci_bus_pause(c->rig.m.pci, true);
	pci_bus_states(c->rig.m.pci, &set);
	assert(state_read(&set, b.data, b.len, &err) == 0);
	state_finish(&set);
	assert(!asks_to_announce(c));
	pci_bus_pause(c->rig.m.pci, false);
	expect_on_tap(c, 0x8035, got); /* RARP */
	assert(!memcmp(got + 6, mine, 6) && asks_to_announce(c));

	for (unsigned int i = 0; i < 5; i++) {
		struct rig_vq *vq = i == 4    ? &c->ctrl :
				    i % 2 ? &c->tx[i / 2] :
						&c->rx[i / 2];

		*vq = seen[i];
		vq->desc = rig_ptr(&c->rig, vq->gpa);
		vq->avail = rig_ptr(&c->rig, vq->gpa + 0x1000);
		vq->used = rig_ptr(&c->rig, vq->gpa + 0x2000);
	}
	assert(command(c, VIRTIO_NET_CTRL_ANNOUNCE,
		       VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0) == VIRTIO_NET_OK);
	assert(!asks_to_announce(c));
	transmit(c, 1);
	assert(set_pairs(c, 1) == VIRTIO_NET_OK);
	send_frame(c, mine, 6, 14);
	send_frame(c, mine, 5, 15);
	assert(receive(&c->rx[0]) == 15);
}

int main(void)
{
	struct card c = { 0 };

	if (rig_taps(c.fds, 2) < 0) {
		puts("skipped: cannot make a tap");
		return 77;
	}
	begin(&c);
	filters(&c);
	offloads(&c);
	pairs(&c);
	single(&c);
	restored(&c);
	end(&c);
	return 0;
}
