/*
 * tests/unit/virtio/rig.h -- a machine without vCPUs, and a tiny driver for
 * the devices on its PCI bus.
 */
#ifndef TESTS_UNIT_VIRTIO_RIG_H
#define TESTS_UNIT_VIRTIO_RIG_H

#undef NDEBUG
#include <assert.h>
#include <linux/virtio_ring.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

struct rig {
	struct machine m;
	struct vmm_spec spec;
	struct pci_dev *dev; /* the one that is driven */
	uint64_t regs;	     /* where its virtio structures are */
};

#define RIG_RAM (4 * MIB)
/* Where memory devices can be. */
#define RIG_HOT	     (4 * GIB)
#define RIG_HOT_SIZE GIB

void rig_init(struct rig *rig);
void rig_finish(struct rig *rig);

struct error;
/* An entropy device in the next free slot. */
int rig_add_rng(struct rig *rig, struct error *err);
void rig_find(struct rig *rig, unsigned int slot); /* dev := what is there */
void rig_probe(struct rig *rig, unsigned int slot); /* the same, BARs mapped */
void rig_settle(struct rig *rig); /* lets the main loop do what it has to */

/* Messages sent so far with this data word. */
unsigned int rig_msis(uint32_t data);
void rig_wait_msi(struct rig *rig, uint32_t data, unsigned int n);

uint64_t rig_in(struct rig *rig, uint64_t addr, unsigned int size);
void rig_out(struct rig *rig, uint64_t addr, uint64_t value,
	     unsigned int size);
uint32_t rig_cfg(struct rig *rig, unsigned int reg, unsigned int size);
void rig_cfg_out(struct rig *rig, unsigned int reg, uint32_t value,
		 unsigned int size);

/* A driver's split queue at gpa, which takes 16 KiB; vector: queue + 1. */
struct rig_vq {
	struct rig *rig;
	unsigned int index, size;
	uint64_t gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t seen; /* used entries looked at */
};

/* Reset, features, FEATURES_OK.  Then queues, then DRIVER_OK. */
void rig_negotiate(struct rig *rig, uint64_t features);
void rig_queue(struct rig *rig, struct rig_vq *vq, unsigned int index,
	       unsigned int size, uint64_t gpa);
void rig_driver_ok(struct rig *rig);
uint8_t rig_status(struct rig *rig);
void rig_reset(struct rig *rig); /* and waits until it is done */
uint64_t rig_offered(struct rig *rig);

void rig_desc(struct rig_vq *vq, unsigned int i, uint64_t gpa, uint32_t len,
	      uint16_t flags, uint16_t next);
void rig_offer(struct rig_vq *vq, uint16_t head); /* and rings the doorbell */
/* Waits for the next used entry. */
struct vring_used_elem rig_take(struct rig_vq *vq);
/*
 * A socket device's connections to even ports of the host are taken by
 * somebody who says "hello" and goes; there is nobody at the odd ones.
 */
void *rig_ptr(struct rig *rig, uint64_t gpa);

/* An empty disk image without a name. */
int rig_image(size_t size);

/* A tap in a network namespace of our own; -1: only root can make one, and not
 * everywhere. */
#define RIG_TAP "vfuzz"
int rig_tap(void);
/* The same with n queues, a descriptor each. */
int rig_taps(int *fds, unsigned int n);

#endif
