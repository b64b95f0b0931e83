/*
 * vmm/virtio/vhost_user_blk.c -- virtio block device (virtio 1.2, section
 * 5.2) that another program serves, such as qemu-storage-daemon.  Its
 * configuration space is that program's too.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "base/error.h"
#include "vmm/boot/bootorder.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/vhost_user.h"

/* The configuration up to what version 1.1 had: older programs refuse more. */
enum { QUEUE_SIZE = 256, CONFIG_SIZE = 60 };

static_assert((int)offsetof(struct virtio_blk_config, write_zeroes_may_unmap) <
		      (int)CONFIG_SIZE,
	      "all that is offered");

static const struct virtio_type vhost_user_blk = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.class_code = 0x018000, /* PCI D.2: other mass storage */
	.stateless = true,
	VHOST_USER_DEV_OPS,
};

/* 5.2.3 */
static const struct vhost_user_kind kind = {
	.type = &vhost_user_blk,
	.features = BIT64(VIRTIO_BLK_F_SIZE_MAX) |
		    BIT64(VIRTIO_BLK_F_SEG_MAX) |
		    BIT64(VIRTIO_BLK_F_GEOMETRY) | BIT64(VIRTIO_BLK_F_RO) |
		    BIT64(VIRTIO_BLK_F_BLK_SIZE) | BIT64(VIRTIO_BLK_F_FLUSH) |
		    BIT64(VIRTIO_BLK_F_TOPOLOGY) | BIT64(VIRTIO_BLK_F_MQ) |
		    BIT64(VIRTIO_BLK_F_DISCARD) |
		    BIT64(VIRTIO_BLK_F_WRITE_ZEROES),
	.needs = BIT64(VHOST_USER_PROTOCOL_F_CONFIG),
};

static int get_config(struct vhost_user_dev *d, unsigned int queues,
		      struct error *err)
{
	struct virtio_blk_config *config = (void *)d->dev.config;
	int r;

	if (queues > d->user.queues)
		return error_set(err, -EINVAL,
				 "device '%s': the vhost-user program has %llu queues, not %u",
				 d->dev.id, (unsigned long long)d->user.queues,
				 queues);
	r = vhost_user_config(&d->user, config, CONFIG_SIZE);
	if (r < 0)
		return error_set(err, r,
				 "device '%s': no configuration from the vhost-user program: %m",
				 d->dev.id);
	config->num_queues = queues;
	d->dev.config_size = CONFIG_SIZE;
	return 0;
}

int vhost_user_blk_add(struct machine *m, const struct spec_disk *spec,
		       unsigned int queues, struct error *err)
{
	struct vhost_user_dev *d;
	int r;

	if (!spec->queues) /* not said: what every program has */
		queues = 1;
	r = vhost_user_dev_create(m, &kind, spec->id, spec->fd, queues,
				  QUEUE_SIZE, &d, err);
	if (r < 0)
		return r;
	r = get_config(d, queues, err);
	if (r == 0)
		r = virtio_pci_plug(&d->dev, &spec->pci, err);
	if (r < 0) {
		vhost_user_dev_destroy(&d->dev);
		return r;
	}
	bootorder_add(m, spec->boot_index, &d->dev.pci, "scsi", "/disk@0,0");
	return 0;
}
