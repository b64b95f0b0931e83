/*
 * vmm/virtio/vhost_user_fs.c -- virtio file system device (virtio 1.2, section
 * 5.11): a folder of the host's, served by virtiofsd.
 *
 * What files the guest has open only virtiofsd knows, so a machine with one
 * cannot be saved.  Left out: the notification queue, DAX.
 */
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/vhost_user.h"

/* 5.11.2: one for urgent requests, and the request queues. */
enum { FS_HIPRIOQ, FS_REQUESTQ, FS_QUEUES };

enum { QUEUE_SIZE = 128 };

static const struct virtio_type vhost_user_fs = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.class_code = 0x018000, /* PCI D.2: other mass storage */
	VHOST_USER_DEV_OPS,
};

static const struct vhost_user_kind kind = { .type = &vhost_user_fs };

int vhost_user_fs_add(struct machine *m, const struct spec_fs *spec,
		      struct error *err)
{
	struct virtio_fs_config config = {
		.num_request_queues = FS_QUEUES - FS_REQUESTQ,
	};
	struct vhost_user_dev *d;
	int r = vhost_user_dev_create(m, &kind, spec->id, spec->fd, FS_QUEUES,
				      spec->queue_size ? spec->queue_size :
							 QUEUE_SIZE,
				      &d, err);

	if (r < 0)
		return r;
	/* 5.11.4: padded with zeros, and without one when it is full. */
	memcpy(config.tag, spec->tag,
	       strnlen(spec->tag, sizeof(config.tag)));
	memcpy(d->dev.config, &config, sizeof(config));
	d->dev.config_size = sizeof(config);
	r = virtio_pci_plug(&d->dev, &spec->pci, err);
	if (r < 0)
		vhost_user_dev_destroy(&d->dev);
	return r;
}
