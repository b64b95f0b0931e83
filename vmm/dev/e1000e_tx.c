/*
 * vmm/dev/e1000e_tx.c -- what the 82574L sends (82574 datasheet, section 7.2):
 * legacy, context and data descriptors, checksums, segmentation.
 *
 * A frame is gathered from the driver's buffers; segmentation and the last
 * checksum are the tap's, which needs complete headers for that: the driver
 * leaves lengths in them to the controller.
 */
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>

#include "vmm/dev/e1000e_priv.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* #syscalls:vmm writev */

struct tx_desc {
	uint64_t addr;
	uint32_t lower, upper;
};

/* 7.2.5 to 7.2.7: commands, in bits 31 to 24 of lower. */
enum { CMD_EOP = 1 << 24, CMD_IC = 1 << 26, CMD_TSE = 1 << 26,
       CMD_RS = 1 << 27, CMD_DEXT = 1 << 29, CMD_VLE = 1 << 30 };
enum { TYPE_CONTEXT = 0, TYPE_DATA = 1 };
enum { TUCMD_TCP = 1, TUCMD_IP = 2 };
enum { POPTS_IXSM = 1, POPTS_TXSM = 2 };
enum { STATUS_DD = 1 };

enum { ETH_MIN = 14, VLAN_LEN = 4, VLAN_AT = 12 };

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint32_t add_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	return len ? sum + (p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The header's checksum, where the context says. */
static void sum_ip(struct e1000e *e)
{
	const struct e1000e_context *c = &e->context;
	unsigned int end = c->ip_end ? c->ip_end + 1u : e->tx_len;
	uint8_t *at = e->tx_frame + c->ip_offset;

	if (end > e->tx_len || c->ip_start >= end ||
	    c->ip_offset + 2u > e->tx_len)
		return;
	put16(at, 0);
	put16(at, ~fold(add_sum(0, e->tx_frame + c->ip_start,
				end - c->ip_start)));
}

/*
 * 7.2.6.1: the driver's headers are a prototype without lengths: in the IP
 * header, and in the sum of the pseudo header.
 */
static bool complete_headers(struct e1000e *e)
{
	const struct e1000e_context *c = &e->context;
	uint8_t *ip = e->tx_frame + c->ip_start;
	uint8_t *sum = e->tx_frame + c->tcp_offset;
	unsigned int len = e->tx_len;

	if (c->ip_start + 40u > len || c->tcp_start >= len ||
	    c->tcp_start < c->ip_start || c->tcp_offset + 2u > len ||
	    c->header_len > len || !c->mss || !c->tcp)
		return false;
	if (c->ip) {
		put16(ip + 2, len - c->ip_start);
		sum_ip(e);
	} else {
		put16(ip + 4, len - c->ip_start - 40);
	}
	put16(sum, fold(get16(sum) + (uint32_t)(len - c->tcp_start)));
	return true;
}

/* False: what the driver asks for makes no sense. */
static bool fill_header(struct e1000e *e, struct virtio_net_hdr_v1 *h)
{
	const struct e1000e_context *c = &e->context;

	if (e->tx_segment) {
		if (!complete_headers(e))
			return false;
		h->gso_type = c->ip ? VIRTIO_NET_HDR_GSO_TCPV4 :
				      VIRTIO_NET_HDR_GSO_TCPV6;
		h->gso_size = c->mss;
		h->hdr_len = c->header_len;
	} else if (e->tx_options & POPTS_IXSM) {
		sum_ip(e);
	}
	if (!(e->tx_options & POPTS_TXSM) && !e->tx_segment)
		return true;
	if (c->tcp_offset < c->tcp_start || c->tcp_offset + 2u > e->tx_len)
		return false;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = c->tcp_start;
	h->csum_offset = c->tcp_offset - c->tcp_start;
	return true;
}

/* 7.4.2: a tag from the descriptor goes into the frame. */
static void insert_tag(struct e1000e *e, struct virtio_net_hdr_v1 *h)
{
	uint8_t *at = e->tx_frame + VLAN_AT;

	if (!e->tx_tag || e->tx_len + VLAN_LEN > FRAME_MAX)
		return;
	memmove(at + VLAN_LEN, at, e->tx_len - VLAN_AT);
	put16(at, *e1000e_reg(e, REG_VET));
	put16(at + 2, e->tx_vlan);
	e->tx_len += VLAN_LEN;
	if (h->flags)
		h->csum_start += VLAN_LEN;
	if (h->hdr_len)
		h->hdr_len += VLAN_LEN;
}

static void send_frame(struct e1000e *e)
{
	struct virtio_net_hdr_v1 h = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { e->tx_frame, 0 } };
	bool good = !e->tx_too_long && e->tx_len >= ETH_MIN &&
		    fill_header(e, &h);

	if (good)
		insert_tag(e, &h);
	iov[1].iov_len = e->tx_len;
	if (!good || e->gone || e->link_down || writev(e->tap, iov, 2) < 0) {
		e->tx.drops++;
		return;
	}
	e->tx.packets++;
	e->tx.bytes += e->tx_len;
	++*e1000e_reg(e, REG_GPTC);
	++*e1000e_reg(e, REG_TPT);
}

static void set_context(struct e1000e *e, const struct tx_desc *d)
{
	unsigned int command = d->lower >> 24;

	e->context = (struct e1000e_context){
		.ip_start = d->addr,
		.ip_offset = d->addr >> 8,
		.ip_end = d->addr >> 16,
		.tcp_start = d->addr >> 32,
		.tcp_offset = d->addr >> 40,
		.tcp_end = d->addr >> 48,
		.header_len = d->upper >> 8,
		.mss = d->upper >> 16,
		.ip = command & TUCMD_IP ? 1 : 0,
		.tcp = command & TUCMD_TCP ? 1 : 0,
	};
}

/* 7.2.5: the one checksum of a legacy descriptor. */
static void legacy_sum(struct e1000e *e, const struct tx_desc *d)
{
	unsigned int from = d->upper >> 8 & 0xff, at = d->lower >> 16 & 0xff;

	if (!(d->lower & CMD_IC) || from >= e->tx_len || at + 2 > e->tx_len)
		return;
	put16(e->tx_frame + at,
	      ~fold(add_sum(0, e->tx_frame + from, e->tx_len - from)));
}

static void add_data(struct e1000e *e, const struct tx_desc *d,
		     uint32_t len)
{
	if (len > FRAME_MAX - e->tx_len ||
	    ram_read(e->m->ram, d->addr, e->tx_frame + e->tx_len, len) < 0) {
		e->tx_too_long = true;
		return;
	}
	e->tx_len += len;
}

static void end_frame(struct e1000e *e)
{
	send_frame(e);
	e->tx_len = 0;
	e->tx_options = 0;
	e->tx_segment = e->tx_tag = e->tx_too_long = false;
}

static void take_data(struct e1000e *e, const struct tx_desc *d)
{
	bool extended = d->lower & CMD_DEXT;

	if (!e->tx_len && extended) {
		e->tx_options = d->upper >> 8;
		e->tx_segment = d->lower & CMD_TSE;
	}
	add_data(e, d, d->lower & (extended ? 0xfffff : 0xffff));
	if (!(d->lower & CMD_EOP))
		return;
	if (d->lower & CMD_VLE) {
		e->tx_tag = true;
		e->tx_vlan = d->upper >> 16;
	}
	if (!extended)
		legacy_sum(e, d);
	end_frame(e);
}

static void take(struct e1000e *e, const struct tx_desc *d)
{
	if ((d->lower & CMD_DEXT) &&
	    (d->lower >> 20 & 15) == TYPE_CONTEXT)
		set_context(e, d);
	else
		take_data(e, d);
}

/* Where it is, written back if it asks for that (7.2.4). */
static bool one(struct e1000e *e, uint64_t gpa, bool *ret_told)
{
	struct tx_desc d;
	uint32_t status;

	if (ram_read(e->m->ram, gpa, &d, sizeof(d)) < 0)
		return false;
	take(e, &d);
	if (!(d.lower & CMD_RS))
		return true;
	*ret_told = true;
	status = d.upper | STATUS_DD;
	return ram_write(e->m->ram, gpa + offsetof(struct tx_desc, upper),
			 &status, sizeof(status)) == 0;
}

/* At most once around: the driver may write what it likes to the tail. */
void e1000e_transmit(struct e1000e *e)
{
	uint64_t base = (uint64_t)*e1000e_reg(e, REG_TDBAH) << 32 |
			(*e1000e_reg(e, REG_TDBAL) & ~15u);
	uint32_t n = *e1000e_reg(e, REG_TDLEN) / DESC_SIZE;
	uint32_t *head = e1000e_reg(e, REG_TDH);
	uint32_t tail = *e1000e_reg(e, REG_TDT);
	bool told = false;

	if (!(*e1000e_reg(e, REG_TCTL) & TCTL_EN) || *head >= n || tail >= n)
		return;
	for (uint32_t i = 0; i < n && *head != tail; i++) {
		if (!one(e, base + (uint64_t)*head * DESC_SIZE, &told))
			break;
		*head = (*head + 1) % n;
	}
	if (told)
		e1000e_raise(e, ICR_TXDW | ICR_TXQ0);
}
