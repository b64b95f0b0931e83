/*
 * vmm/virtio/vhost_user_net.c -- virtio network device (virtio 1.2, section
 * 5.1) whose frames another program moves: a switch in user space, or a user
 * mode network.
 *
 * One pair of queues and no control queue, so the driver takes all frames.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/bootorder.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/vhost_user.h"

enum { NET_QUEUES = 2, QUEUE_SIZE = 256 };

static const struct virtio_type vhost_user_net = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.class_code = 0x020000, /* PCI D.3: Ethernet */
	.stateless = true,
	VHOST_USER_DEV_OPS,
};

/* 5.1.3; offered as far as the program has them. */
static const struct vhost_user_kind kind = {
	.type = &vhost_user_net,
	.features = BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_GUEST_CSUM) |
		    BIT64(VIRTIO_NET_F_GUEST_TSO4) |
		    BIT64(VIRTIO_NET_F_GUEST_TSO6) |
		    BIT64(VIRTIO_NET_F_GUEST_ECN) |
		    BIT64(VIRTIO_NET_F_GUEST_UFO) |
		    BIT64(VIRTIO_NET_F_HOST_TSO4) |
		    BIT64(VIRTIO_NET_F_HOST_TSO6) |
		    BIT64(VIRTIO_NET_F_HOST_ECN) |
		    BIT64(VIRTIO_NET_F_HOST_UFO) |
		    BIT64(VIRTIO_NET_F_MRG_RXBUF),
};

/* These are the frontend's. */
static uint64_t own_features(const struct spec_nic *spec)
{
	return BIT64(VIRTIO_NET_F_MAC) | BIT64(VIRTIO_NET_F_STATUS) |
	       (spec->mtu ? BIT64(VIRTIO_NET_F_MTU) : 0);
}

static int set_link(void *arg, const char *id, bool up)
{
	struct vhost_user_dev *d = arg;
	struct virtio_net_config *config = (void *)d->dev.config;

	if (!str_eq(id, d->dev.id))
		return -ENOENT;
	pthread_mutex_lock(&d->dev.lock);
	config->status = up ? VIRTIO_NET_S_LINK_UP : 0;
	virtio_config_changed(&d->dev);
	pthread_mutex_unlock(&d->dev.lock);
	return 0;
}

static const struct machine_dev_ops machine_ops = {
	.name = "vhost-user-net",
	.stateless = true, /* its PCI function saves it */
	.set_link = set_link,
};

int vhost_user_net_add(struct machine *m, const struct spec_nic *spec,
		       struct error *err)
{
	struct virtio_net_config *config;
	struct vhost_user_dev *d;
	int r = vhost_user_dev_create(m, &kind, spec->id, spec->fd, NET_QUEUES,
				      QUEUE_SIZE, &d, err);

	if (r < 0)
		return r;
	config = (void *)d->dev.config;
	memcpy(config->mac, spec->mac, sizeof(config->mac));
	config->status = spec->link_down ? 0 : VIRTIO_NET_S_LINK_UP;
	config->max_virtqueue_pairs = 1;
	config->mtu = spec->mtu;
	d->dev.config_size = offsetof(struct virtio_net_config, speed);
	d->dev.features |= own_features(spec);
	d->dev.rom_fd = spec->rom_fd;
	r = virtio_pci_plug(&d->dev, &spec->pci, err);
	if (r < 0) {
		vhost_user_dev_destroy(&d->dev);
		return r;
	}
	bootorder_add(m, spec->boot_index, &d->dev.pci, "ethernet",
		      "/ethernet-phy@0");
	machine_add_device(m, &machine_ops, d);
	return 0;
}
