/*
 * drivers/launch_nic.c -- <interface>: a network card and what it plugs into.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "model/network.h"
#include "vmm/spec.h"

static unsigned int queues(const struct dom_iface *d)
{
	return str_eq(d->model, "virtio") ? MAX(d->queues, 1u) : 1;
}

const char *launch_direct_dev(const struct dom_iface *d)
{
	return d->type == IFACE_DIRECT	? d->source :
	       d->type == IFACE_NETWORK ? d->net_dev :
					  NULL;
}

static int open_one(const uint8_t owner[UUID_LEN], const struct dom_iface *d,
		    struct host_tap *tap, struct error *err, int *ret_fd)
{
	const char *dev = launch_direct_dev(d);

	return !dev ? host_open_tap(tap, err, ret_fd) :
		      host_open_direct(owner, dev,
				       d->type == IFACE_DIRECT ?
					       d->source_mode :
					       d->net_mode,
				       tap, err, ret_fd);
}

/* The tap's first queue makes it, unless it is there. */
static int open_queue(const uint8_t owner[UUID_LEN], struct dom_iface *d,
		      bool first, int *ret_fd, struct error *err)
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
	r = open_one(owner, d, &tap, err, ret_fd);
	if (r < 0)
		return r;
	free(d->target_dev);
	d->target_dev = xstrdup(tap.ifname);
	return 0;
}

static int open_tap(const uint8_t owner[UUID_LEN], struct dom_iface *d,
		    struct spec_nic *s, struct error *err)
{
	int r = open_queue(owner, d, true, &s->fd, err);

	s->more = xcalloc(queues(d), sizeof(*s->more));
	while (r >= 0 && s->n_more < queues(d) - 1) {
		s->more[s->n_more].fd = -1;
		r = open_queue(owner, d, false, &s->more[s->n_more++].fd, err);
	}
	return r;
}

/* ---- how much passes in a second ---- */

static bool is_limited(const struct dom_iface *d)
{
	return d->bandwidth.in.present || d->bandwidth.out.present;
}

static bool is_isolated(const struct dom_iface *d)
{
	return str_eq(d->isolated, "yes");
}

static int set_port(const struct dom_iface *d, struct error *err)
{
	return host_set_port(d->target_dev, &d->vlan, is_isolated(d), err);
}

static bool same_port(const struct dom_iface *a, const struct dom_iface *b)
{
	return net_vlan_same(&a->vlan, &b->vlan) &&
	       is_isolated(a) == is_isolated(b);
}

static int limit_nic(const struct dom_iface *now, const struct dom_iface *d,
		     struct error *err)
{
	int r = 0;

	if (!d->target_dev)
		return 0;
	if (memcmp(&d->bandwidth, &now->bandwidth, sizeof(d->bandwidth)))
		r = host_set_rates(d->target_dev, &d->bandwidth, err);
	if (r == 0 && !same_port(d, now))
		r = set_port(d, err);
	return r;
}

int launch_limit_nics(struct domain *dom, const struct domain_def *want,
		      struct error *err)
{
	const struct domain_def *now = dom->live;
	int r = 0;

	for (unsigned int i = 0;
	     i < want->n_ifaces && i < now->n_ifaces && r == 0; i++)
		r = limit_nic(&now->ifaces[i], &want->ifaces[i], err);
	return r;
}

/* As a new tap's is not yet. */
static int set_new_tap(const struct dom_iface *d, struct error *err)
{
	int r = 0;

	if (is_limited(d) && launch_direct_dev(d))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<bandwidth> of an interface on a macvtap is not supported");
	if (d->vlan.n_tags || is_isolated(d))
		r = set_port(d, err);
	return r == 0 && is_limited(d) ?
		       host_set_rates(d->target_dev, &d->bandwidth, err) :
		       r;
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

int launch_build_nic(const uint8_t owner[UUID_LEN], struct dom_iface *d,
		     unsigned int i, struct spec_nic *s, struct error *err)
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
	if (d->type == IFACE_NETWORK && !d->net_bridge && !d->net_dev)
		return error_virt(err, VIR_ERR_NO_NETWORK,
				  "no network with matching name '%s'",
				  d->source ? d->source : "default");
	if (d->type == IFACE_VHOSTUSER) {
		s->vhost_user = true;
		return host_connect_unix(d->source, err, &s->fd);
	}
	r = open_tap(owner, d, s, err);
	if (r >= 0)
		r = set_new_tap(d, err);
	return r < 0 ? r : open_vhost(d, s, err);
}
