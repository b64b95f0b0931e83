/*
 * drivers/launch_nic.c -- <interface>: a network card and what it plugs into.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

static unsigned int queues(const struct dom_iface *d)
{
	return str_eq(d->model, "virtio") ? MAX(d->queues, 1u) : 1;
}

/* The tap's first queue makes it, unless it is there. */
static int open_queue(struct dom_iface *d, bool first, int *ret_fd,
		      struct error *err)
{
	struct host_tap tap = {
		.bridge = d->type == IFACE_BRIDGE  ? d->source :
			  d->type == IFACE_NETWORK ? d->net_bridge :
						     NULL,
		.mtu = d->mtu,
		.existing = !first || d->target_managed == TRI_OFF,
		.multi = queues(d) > 1,
	};
	int r;

	if (d->target_dev)
		snprintf(tap.ifname, sizeof(tap.ifname), "%s", d->target_dev);
	memcpy(tap.mac, d->mac, sizeof(tap.mac));
	r = host_open_tap(&tap, err, ret_fd);
	if (r < 0)
		return r;
	free(d->target_dev);
	d->target_dev = xstrdup(tap.ifname);
	return 0;
}

static int open_tap(struct dom_iface *d, struct spec_nic *s, struct error *err)
{
	int r = open_queue(d, true, &s->fd, err);

	s->more = xcalloc(queues(d), sizeof(*s->more));
	while (r >= 0 && s->n_more < queues(d) - 1) {
		s->more[s->n_more].fd = -1;
		r = open_queue(d, false, &s->more[s->n_more++].fd, err);
	}
	return r;
}

/* ---- how much passes in a second ---- */

static bool is_limited(const struct dom_iface *d)
{
	return d->bandwidth.in.present || d->bandwidth.out.present;
}

int launch_limit_nics(struct domain *dom, const struct domain_def *want,
		      struct error *err)
{
	const struct domain_def *now = dom->live;
	int r = 0;

	for (unsigned int i = 0; i < want->n_ifaces && r == 0; i++) {
		const struct dom_iface *d = &want->ifaces[i];

		if (i >= now->n_ifaces || !d->target_dev ||
		    !memcmp(&d->bandwidth, &now->ifaces[i].bandwidth,
			    sizeof(d->bandwidth)))
			continue;
		r = host_set_rates(d->target_dev, &d->bandwidth, err);
	}
	return r;
}

/* ---- what serves its queues ---- */

/* By the kernel if it can, unless told not to; who insists gets its error. */
static int open_vhost(const struct dom_iface *d, struct spec_nic *s,
		      struct error *err)
{
	bool insists = str_eq(d->driver_name, "vhost");
	int r = 0;

	if (str_eq(d->driver_name, "qemu") || s->model != NIC_VIRTIO)
		return 0;
	s->vhosts = xcalloc(queues(d), sizeof(*s->vhosts));
	while (r >= 0 && s->n_vhosts < queues(d)) {
		s->vhosts[s->n_vhosts].fd = -1;
		r = host_open_vhost_net(insists ? err : NULL,
					&s->vhosts[s->n_vhosts].fd);
		s->n_vhosts += r >= 0;
	}
	if (r >= 0 || insists)
		return r;
	while (s->n_vhosts)
		fd_close(s->vhosts[--s->n_vhosts].fd);
	return 0;
}

int launch_build_nic(struct dom_iface *d, unsigned int i, struct spec_nic *s,
		     struct error *err)
{
	int r;

	s->fd = s->rom_fd = -1;
	s->model = str_eq(d->model, "e1000e") ? NIC_E1000E : NIC_VIRTIO;
	s->boot_index = d->info.boot_order;
	launch_set_id(&s->id, &d->info, "net", i);
	memcpy(s->mac, d->mac, sizeof(s->mac));
	s->link_down = str_eq(d->link_state, "down");
	s->mtu = d->mtu;
	launch_set_place(&s->pci, &d->info);
	/* Plugged in before we are asked, if there is such a network. */
	if (d->type == IFACE_NETWORK && !d->net_bridge)
		return error_virt(err, VIR_ERR_NO_NETWORK,
				  "no network with matching name '%s'",
				  d->source ? d->source : "default");
	if (d->type == IFACE_VHOSTUSER) {
		s->vhost_user = true;
		return host_connect_unix(d->source, err, &s->fd);
	}
	r = open_tap(d, s, err);
	if (r >= 0 && is_limited(d))
		r = host_set_rates(d->target_dev, &d->bandwidth, err);
	return r < 0 ? r : open_vhost(d, s, err);
}
