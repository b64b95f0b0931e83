/*
 * vmm/usb/xhci_plug.c -- USB devices that come to and go from a controller,
 * and what the outside asks of those that are there; the main thread.
 *
 * A device is pulled like a cable: the driver sees the port's status change
 * and ends what it had under way (xHCI 4.19, 4.3).
 */
#include <errno.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/machine.h"
#include "vmm/usb/xhci_priv.h"

void xhci_destroy_dev(struct usb_dev *dev)
{
	char *id;

	if (!dev)
		return;
	id = dev->id;
	dev->ops->destroy(dev);
	free(id);
}

static struct usb_dev *find(struct xhci *x, const char *id)
{
	for (unsigned int i = 1; i <= PORTS_2; i++)
		if (x->devs[i] && str_eq(x->devs[i]->id, id))
			return x->devs[i];
	return NULL;
}

static int xhci_plug(void *arg, const struct vmm_spec *one, struct error *err)
{
	struct xhci *x = arg;

	if (one->n_disks && one->disks[0].bus == SPEC_USB)
		return usb_storage_create(x->m, x, &one->disks[0], err);
	if (one->n_inputs && one->inputs[0].bus == INPUT_BUS_USB)
		return usb_hid_create(x->m, x, &one->inputs[0], err);
	return -ENOENT;
}

static int xhci_unplug(void *arg, const char *id)
{
	struct xhci *x = arg;
	struct usb_dev *dev = find(x, id);

	if (!dev)
		return -ENOENT;
	pthread_mutex_lock(&x->lock);
	x->devs[dev->port] = NULL;
	xhci_port_changed(x, dev->port);
	if (dev->ops->settle)
		dev->ops->settle(dev);
	pthread_mutex_unlock(&x->lock);
	xhci_destroy_dev(dev);
	return 0;
}

static void xhci_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct xhci *x = arg;

	for (unsigned int i = 1; i <= PORTS_2; i++)
		if (x->devs[i] && x->devs[i]->ops->stats)
			x->devs[i]->ops->stats(x->devs[i], emit, emit_arg);
}

static void xhci_drives(void *arg, machine_drive_fn *fn, void *fn_arg)
{
	struct xhci *x = arg;

	for (unsigned int i = 1; i <= PORTS_2; i++)
		if (x->devs[i] && x->devs[i]->ops->drive)
			fn(fn_arg, x->devs[i]->ops->drive(x->devs[i]));
}

static int xhci_insert(void *arg, const char *id, const char *format, int fd,
		       bool force, struct error *err)
{
	struct usb_dev *dev = find(arg, id);

	return dev && dev->ops->insert ?
		       dev->ops->insert(dev, format, fd, force, err) :
		       -ENOENT;
}

const struct machine_dev_ops xhci_machine_ops = {
	.name = "xhci",
	.stateless = true, /* its PCI function saves it */
	.plug = xhci_plug,
	.unplug = xhci_unplug,
	.stats = xhci_stats,
	.insert = xhci_insert,
	.drives = xhci_drives,
};
