/*
 * tests/unit/virtio/queue.c -- split virtqueues, well made and malicious,
 * through the entropy device.
 */
#include "tests/unit/virtio/rig.h"

#include <string.h>

enum {
	RING = 0x10000,
	DATA = 0x100000,
	W = VRING_DESC_F_WRITE,
	N = VRING_DESC_F_NEXT,
	I = VRING_DESC_F_INDIRECT,
	SIZE = 8,
};

static void start(struct rig *rig, struct rig_vq *vq, uint64_t features)
{
	rig_negotiate(rig, features);
	rig_queue(rig, vq, 0, SIZE, RING);
	rig_driver_ok(rig);
	assert(rig_status(rig) == 15);
	memset(rig_ptr(rig, DATA), 0, 0x10000);
}

static void expect_broken(struct rig *rig)
{
	while (!(rig_status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET))
		rig_settle(rig);
}

static bool any_set(const uint8_t *p, size_t n)
{
	while (n--) {
		if (*p++)
			return true;
	}
	return false;
}

static void plain(struct rig *rig)
{
	struct vring_used_elem e;
	unsigned int before;
	struct rig_vq vq;

	start(rig, &vq, 0);
	before = rig_msis(1);
	for (unsigned int i = 0; i < 3 * SIZE; i++) {
		rig_desc(&vq, i % SIZE, DATA, 64, W, 0);
		rig_offer(&vq, i % SIZE);
		e = rig_take(&vq);
		assert(e.id == i % SIZE && e.len == 64);
	}
	assert(any_set(rig_ptr(rig, DATA), 64));
	assert(!any_set(rig_ptr(rig, DATA + 64), 64));
	assert(rig_msis(1) == before + 3 * SIZE);

	vq.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	rig_offer(&vq, 0);
	rig_take(&vq);
	assert(rig_msis(1) == before + 3 * SIZE);
}

static void chain(struct rig *rig)
{
	struct rig_vq vq;

	start(rig, &vq, 0);
	rig_desc(&vq, 5, DATA, 16, W | N, 2);
	rig_desc(&vq, 2, DATA + 0x1000, 0, W | N, 7); /* empty: allowed */
	rig_desc(&vq, 7, DATA + 0x2000, 16, W, 0);
	rig_offer(&vq, 5);
	assert(rig_take(&vq).len == 32);
	assert(any_set(rig_ptr(rig, DATA), 16));
	assert(!any_set(rig_ptr(rig, DATA + 16), 0x2000 - 16));
	assert(any_set(rig_ptr(rig, DATA + 0x2000), 16));
}

static void indirect(struct rig *rig)
{
	struct vring_desc *table = rig_ptr(rig, DATA + 0x8000);
	struct rig_vq vq;

	start(rig, &vq, BIT64(VIRTIO_RING_F_INDIRECT_DESC));
	table[0] = (struct vring_desc){ DATA, 8, W | N, 1 };
	table[1] = (struct vring_desc){ DATA + 0x100, 8, W, 0 };
	rig_desc(&vq, 0, DATA + 0x8000, 32, I, 0);
	rig_offer(&vq, 0);
	assert(rig_take(&vq).len == 16);

	table[1].flags = I; /* nested */
	rig_offer(&vq, 0);
	expect_broken(rig);
}

/* 2.7.7.2 and 2.7.10.2: interrupts and doorbells by index. */
static void event_index(struct rig *rig)
{
	uint16_t *used_event, *avail_event;
	unsigned int before;
	struct rig_vq vq;

	start(rig, &vq, BIT64(VIRTIO_RING_F_EVENT_IDX));
	used_event = &vq.avail->ring[SIZE];
	avail_event = (uint16_t *)&vq.used->ring[SIZE];
	before = rig_msis(1);
	for (unsigned int i = 0; i < 6; i++) {
		*used_event = 3; /* when the fourth is used */
		rig_desc(&vq, 0, DATA, 8, W, 0);
		rig_offer(&vq, 0);
		rig_take(&vq);
		rig_settle(rig);
		assert(*avail_event == i + 1);
		/* The first one is always sent. */
		assert(rig_msis(1) == before + 1 + (i >= 3));
	}
}

static void loops(struct rig *rig)
{
	struct rig_vq vq;

	start(rig, &vq, 0);
	rig_desc(&vq, 0, DATA, 8, W | N, 1);
	rig_desc(&vq, 1, DATA, 8, W | N, 0);
	rig_offer(&vq, 0);
	expect_broken(rig);
	assert(vq.used->idx == 0);

	/* It is deaf until reset, then works again. */
	rig_desc(&vq, 2, DATA, 8, W, 0);
	rig_offer(&vq, 2);
	rig_settle(rig);
	assert(vq.used->idx == 0);
	start(rig, &vq, 0);
	rig_desc(&vq, 2, DATA, 8, W, 0);
	rig_offer(&vq, 2);
	assert(rig_take(&vq).len == 8);
}

struct bad {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static void bad_descriptors(struct rig *rig)
{
	static const struct bad bads[] = {
		{ RIG_RAM - 4, 8, W, 0 },	    /* past the end */
		{ 0xfffffffffffffff0ull, 32, W, 0 }, /* wraps */
		{ ECAM_BASE, 8, W, 0 },		    /* not RAM */
		{ DATA, 0xffffffff, W, 0 },
		{ DATA, 0, W, 0 },		    /* no room for a byte */
		{ DATA, 8, 0, 0 },		    /* nothing writable */
		{ DATA, 8, W | N, SIZE },	    /* leaves the table */
		{ DATA, 16, I, 0 },		    /* not negotiated */
	};
	struct rig_vq vq;

	for (unsigned int i = 0; i < ARRAY_SIZE(bads); i++) {
		start(rig, &vq, 0);
		rig_desc(&vq, 0, bads[i].addr, bads[i].len, bads[i].flags,
			 bads[i].next);
		rig_offer(&vq, 0);
		expect_broken(rig);
	}
}

static void bad_indirect(struct rig *rig)
{
	static const struct bad bads[] = {
		{ DATA, 17, I, 0 },
		{ DATA, 0, I, 0 },
		{ DATA, 16, I | N, 1 },
		{ RIG_RAM - 16, 32, I, 0 },
	};
	struct rig_vq vq;

	for (unsigned int i = 0; i < ARRAY_SIZE(bads); i++) {
		start(rig, &vq, BIT64(VIRTIO_RING_F_INDIRECT_DESC));
		rig_desc(&vq, 0, bads[i].addr, bads[i].len, bads[i].flags,
			 bads[i].next);
		rig_offer(&vq, 0);
		expect_broken(rig);
	}
}

static void bad_rings(struct rig *rig)
{
	struct rig_vq vq;

	start(rig, &vq, 0);
	rig_offer(&vq, SIZE + 3); /* no such head */
	expect_broken(rig);

	start(rig, &vq, 0);
	vq.avail->idx = SIZE + 1; /* more than fit */
	rig_out(rig, rig->regs + 0x3000, 0, 2);
	expect_broken(rig);

	start(rig, &vq, 0);
	rig_desc(&vq, 0, DATA, 8, W | N, 1); /* writable before readable */
	rig_desc(&vq, 1, DATA, 8, 0, 0);
	rig_offer(&vq, 0);
	expect_broken(rig);

	rig_negotiate(rig, 0);
	rig_queue(rig, &vq, 0, SIZE, RIG_RAM - 0x4000);
	assert(!(rig_status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET));
	rig_negotiate(rig, 0);
	rig_out(rig, rig->regs + 32, 0x1008, 4); /* desc: not 16-aligned */
	rig_out(rig, rig->regs + 28, 1, 2);
	assert(rig_status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET);
	rig_negotiate(rig, 0);
	rig_out(rig, rig->regs + 36, 0xffff, 4); /* far away */
	rig_out(rig, rig->regs + 28, 1, 2);
	assert(rig_status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

int main(void)
{
	struct rig rig;

	rig_init(&rig);
	assert(!rig_add_rng(&rig, NULL));
	rig_probe(&rig, 1);
	plain(&rig);
	chain(&rig);
	indirect(&rig);
	event_index(&rig);
	loops(&rig);
	bad_descriptors(&rig);
	bad_indirect(&rig);
	bad_rings(&rig);
	rig_finish(&rig);
	return 0;
}
