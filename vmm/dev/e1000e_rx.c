/*
 * vmm/dev/e1000e_rx.c -- what the 82574L receives (82574 datasheet, section
 * 7.1): address filters, legacy and extended descriptors, packet split.
 *
 * A frame for which there is no room waits, and the tap is not read.  With
 * packet split, headers are not told apart: all buffers of a descriptor are
 * filled one after the other (7.1.6, as for frames it does not know).
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "vmm/dev/e1000e_priv.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* #syscalls:vmm read */

enum { MAC_LEN = 6, VLAN_AT = 12, VLAN_LEN = 4, CRC_LEN = 4, MIN_LEN = 60,
       STANDARD_MAX = 1522, BATCH = 64, SPLIT_BUFFERS = 4,
       SPLIT_SIZE = 32 };

/* 7.1.4 and 7.1.5: status bits. */
enum { STATUS_DD = 1, STATUS_EOP = 2, STATUS_IXSM = 4, STATUS_VP = 8,
       STATUS_UDP = 0x10, STATUS_TCP = 0x20, STATUS_IP = 0x40 };

struct rx_frame {
	const uint8_t *data;
	size_t len;
	uint32_t status;
	uint16_t vlan;
};

/* A place for the next part of it. */
struct rx_buffers {
	unsigned int n;
	uint64_t addr[SPLIT_BUFFERS];
	uint32_t size[SPLIT_BUFFERS];
};

/* ---- which frames (7.1.1) ---- */

static bool exact(const struct e1000e *e, const uint8_t *to)
{
	for (unsigned int i = 0; i < 16; i++) {
		uint32_t lo = e->reg[(REG_RAL + 8 * i) / 4];
		uint32_t hi = e->reg[(REG_RAL + 8 * i) / 4 + 1];
		uint8_t mac[8];

		memcpy(mac, &lo, 4);
		memcpy(mac + 4, &hi, 4);
		if ((hi & BIT(31)) && !memcmp(mac, to, MAC_LEN))
			return true;
	}
	return false;
}

/* Twelve bits of the address; RCTL says which. */
static bool multicast(const struct e1000e *e, const uint8_t *to)
{
	static const unsigned int shift[] = { 4, 3, 2, 0 };
	unsigned int mo = e->reg[REG_RCTL / 4] >> 12 & 3;
	unsigned int hash = ((to[4] | to[5] << 8) >> shift[mo]) & 0xfff;

	return e->reg[REG_MTA / 4 + hash / 32] & BIT(hash % 32);
}

static bool wants_address(const struct e1000e *e, const uint8_t *to)
{
	static const uint8_t everyone[MAC_LEN] = { 255, 255, 255,
						   255, 255, 255 };
	uint32_t rctl = e->reg[REG_RCTL / 4];

	if (!memcmp(to, everyone, MAC_LEN))
		return rctl & (RCTL_BAM | RCTL_UPE);
	if (to[0] & 1)
		return (rctl & RCTL_MPE) || multicast(e, to) || exact(e, to);
	return (rctl & RCTL_UPE) || exact(e, to);
}

static bool tagged(const struct e1000e *e, const uint8_t *frame)
{
	return (uint32_t)(frame[VLAN_AT] << 8 | frame[VLAN_AT + 1]) ==
	       (e->reg[REG_VET / 4] & 0xffff);
}

static uint16_t tag_of(const uint8_t *frame)
{
	return frame[VLAN_AT + 2] << 8 | frame[VLAN_AT + 3];
}

/* 7.4.4 */
static bool wants_vlan(const struct e1000e *e, const uint8_t *frame)
{
	unsigned int id;

	if (!(e->reg[REG_RCTL / 4] & RCTL_VFE) || !tagged(e, frame))
		return true;
	id = tag_of(frame) & 0xfff;
	return e->reg[REG_VFTA / 4 + id / 32] & BIT(id % 32);
}

static bool wants(const struct e1000e *e, const uint8_t *frame, size_t len)
{
	if (len > STANDARD_MAX - CRC_LEN &&
	    !(e->reg[REG_RCTL / 4] & RCTL_LPE))
		return false;
	return wants_address(e, frame) && wants_vlan(e, frame);
}

/* ---- descriptors ---- */

static uint32_t buffer_size(const struct e1000e *e)
{
	uint32_t rctl = e->reg[REG_RCTL / 4];
	uint32_t size = 2048u >> (rctl >> 16 & 3);

	return rctl & RCTL_BSEX ? size * 16 : size;
}

static bool splits(const struct e1000e *e)
{
	return (e->reg[REG_RCTL / 4] >> 10 & 3) == 1 &&
	       (e->reg[REG_RFCTL / 4] & RFCTL_EXTEN);
}

/* Head and tail count 16 bytes, of which these descriptors have two. */
static unsigned int desc_units(const struct e1000e *e)
{
	return splits(e) ? SPLIT_SIZE / DESC_SIZE : 1;
}

/* 10.2.5.2: units of 128 bytes, then of 1 KiB. */
static int load(struct e1000e *e, uint64_t gpa, struct rx_buffers *b)
{
	uint32_t sizes = e->reg[REG_PSRCTL / 4];

	b->n = splits(e) ? SPLIT_BUFFERS : 1;
	b->size[0] = splits(e) ? (sizes & 0x7f) * 128 : buffer_size(e);
	for (unsigned int i = 1; i < b->n; i++)
		b->size[i] = (sizes >> 8 * i & 0x3f) * 1024;
	return ram_read(e->m->ram, gpa, b->addr, b->n * sizeof(b->addr[0]));
}

struct split_done { /* 7.1.6 */
	uint32_t mrq, rss, status;
	uint16_t length0, vlan, header_status, length[3];
	uint64_t reserved;
};

struct extended_done { /* 7.1.5 */
	uint32_t mrq, rss, status;
	uint16_t length, vlan;
};

struct legacy_done { /* 7.1.4 */
	uint64_t addr;
	uint16_t length, sum;
	uint8_t status, errors;
	uint16_t vlan;
};

static int store(struct e1000e *e, uint64_t gpa, const struct rx_frame *f,
		 const struct rx_buffers *b, uint32_t status,
		 const uint32_t *used)
{
	struct split_done split = { .status = status, .length0 = used[0],
				    .vlan = f->vlan };
	struct extended_done ext = { .status = status, .length = used[0],
				     .vlan = f->vlan };
	struct legacy_done old = { .addr = b->addr[0], .length = used[0],
				   .status = status, .vlan = f->vlan };

	for (unsigned int i = 1; i < b->n; i++)
		split.length[i - 1] = used[i];
	if (splits(e))
		return ram_write(e->m->ram, gpa, &split, sizeof(split));
	if (e->reg[REG_RFCTL / 4] & RFCTL_EXTEN)
		return ram_write(e->m->ram, gpa, &ext, sizeof(ext));
	return ram_write(e->m->ram, gpa, &old, sizeof(old));
}

/* One descriptor takes what it can of the frame from done on. */
static int fill(struct e1000e *e, uint64_t gpa, const struct rx_frame *f,
		size_t *done)
{
	uint32_t used[SPLIT_BUFFERS] = { 0 }, status = STATUS_DD;
	struct rx_buffers b;
	int r = load(e, gpa, &b);

	for (unsigned int i = 0; i < b.n && r == 0; i++) {
		used[i] = MIN(b.size[i], f->len - *done);
		if (used[i])
			r = ram_write(e->m->ram, b.addr[i], f->data + *done,
				      used[i]);
		*done += used[i];
	}
	if (*done == f->len)
		status |= STATUS_EOP | f->status;
	return r < 0 ? r : store(e, gpa, f, &b, status, used);
}

/* ---- frames ---- */

static size_t room_per_desc(const struct e1000e *e)
{
	uint32_t sizes = e->reg[REG_PSRCTL / 4];

	if (!splits(e))
		return buffer_size(e);
	return (sizes & 0x7f) * 128 +
	       1024 * ((sizes >> 8 & 0x3f) + (sizes >> 16 & 0x3f) +
		       (sizes >> 24 & 0x3f));
}

struct rx_ring {
	uint64_t base;
	uint32_t n, tail;
	uint32_t *head;
};

static bool ring(struct e1000e *e, struct rx_ring *r)
{
	*r = (struct rx_ring){
		.base = (uint64_t)*e1000e_reg(e, REG_RDBAH) << 32 |
			(*e1000e_reg(e, REG_RDBAL) & ~15u),
		.n = *e1000e_reg(e, REG_RDLEN) / DESC_SIZE,
		.tail = *e1000e_reg(e, REG_RDT),
		.head = e1000e_reg(e, REG_RDH),
	};
	return (*e1000e_reg(e, REG_RCTL) & RCTL_EN) && *r->head < r->n &&
	       r->tail < r->n;
}

/* All of it or nothing: false when there are too few descriptors. */
static bool deliver(struct e1000e *e, const struct rx_frame *f)
{
	size_t per_desc = room_per_desc(e), done = 0;
	struct rx_ring r;
	uint32_t free;

	if (!ring(e, &r) || !per_desc)
		return false;
	free = (r.tail + r.n - *r.head) % r.n / desc_units(e);
	if (free * per_desc < f->len)
		return false;
	while (done < f->len) {
		if (fill(e, r.base + (uint64_t)*r.head * DESC_SIZE, f,
			 &done) < 0)
			break; /* memory that is not there: it is lost */
		*r.head = (*r.head + desc_units(e)) % r.n;
	}
	return true;
}

/* 7.1.10: what the host has checked need not be again. */
static uint32_t sums(const struct virtio_net_hdr_v1 *h)
{
	return h->flags & VIRTIO_NET_HDR_F_DATA_VALID ?
		       STATUS_IP | STATUS_TCP | STATUS_UDP :
		       STATUS_IXSM;
}

/* The tap's frame as the driver wants it, in place. */
static void prepare(struct e1000e *e, struct rx_frame *f)
{
	struct virtio_net_hdr_v1 h;
	uint8_t *data = e->rx_frame + TAP_HEADER_LEN;
	size_t len = e->rx_len - TAP_HEADER_LEN;

	memcpy(&h, e->rx_frame, sizeof(h));
	*f = (struct rx_frame){ .status = sums(&h) };
	if ((e->reg[REG_CTRL / 4] & CTRL_VME) && tagged(e, data)) {
		f->vlan = tag_of(data);
		f->status |= STATUS_VP;
		memmove(data + VLAN_LEN, data, VLAN_AT);
		data += VLAN_LEN;
		len -= VLAN_LEN;
	}
	if (len < MIN_LEN) {
		memset(data + len, 0, MIN_LEN - len);
		len = MIN_LEN;
	}
	if (!(e->reg[REG_RCTL / 4] & RCTL_SECRC)) {
		memset(data + len, 0, CRC_LEN);
		len += CRC_LEN;
	}
	f->data = data;
	f->len = len;
}

/* False: it waits. */
static bool receive_one(struct e1000e *e, uint32_t *causes)
{
	const uint8_t *data = e->rx_frame + TAP_HEADER_LEN;
	uint8_t kept[TAP_HEADER_LEN + VLAN_AT + VLAN_LEN];
	struct rx_frame f;

	if (e->link_down || e->rx_len < sizeof(kept) ||
	    !wants(e, data, e->rx_len - TAP_HEADER_LEN)) {
		e->rx.drops++;
		e->rx_len = 0;
		return true;
	}
	/* Only its beginning is changed by preparing it. */
	memcpy(kept, e->rx_frame, sizeof(kept));
	prepare(e, &f);
	if (!deliver(e, &f)) {
		memcpy(e->rx_frame, kept, sizeof(kept));
		return false;
	}
	e->rx.packets++;
	e->rx.bytes += e->rx_len - TAP_HEADER_LEN;
	++*e1000e_reg(e, REG_GPRC);
	++*e1000e_reg(e, REG_TPR);
	e->rx_len = 0;
	*causes |= ICR_RXT0 | ICR_RXQ0;
	return true;
}

static bool next_frame(struct e1000e *e)
{
	ssize_t n;

	if (e->rx_len)
		return true;
	n = e->gone ? -1 :
		      read(e->tap, e->rx_frame, TAP_HEADER_LEN + FRAME_MAX);
	e->rx_len = n > 0 ? n : 0;
	return n > 0;
}

bool e1000e_receive(struct e1000e *e)
{
	uint32_t causes = 0;
	bool room = true;

	for (unsigned int i = 0; i < BATCH && room && next_frame(e); i++)
		room = receive_one(e, &causes);
	if (causes)
		e1000e_raise(e, causes);
	return room;
}
