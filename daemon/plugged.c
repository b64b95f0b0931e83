/*
 * daemon/plugged.c -- domains' network cards in virtual networks: their ports.
 *
 * A port is in the networks' store before the card is made, with the domain as
 * its owner, and then its uuid is in the domain's live definition.  When the
 * domain ends all that it owns goes: also a port that a killed daemon had made
 * and not noted with the domain.
 */
#include "daemon/plugged.h"

#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "domain"
#include "base/log.h"
#include "daemon/networks.h"

static char *port_xml(const struct dom_obj *obj, const struct dom_iface *i)
{
	struct net_port port = {
		.owner_name = (char *)obj->d.name,
		.has_owner = true,
		.group = i->portgroup,
		.bandwidth = i->bandwidth,
		.vlan = i->vlan,
		.isolated = i->isolated,
		.has_mac = true,
	};

	uuid_generate_v4(port.uuid);
	port.uuid_given = true;
	memcpy(port.owner_uuid, obj->d.uuid, UUID_LEN);
	memcpy(port.mac, i->mac, sizeof(port.mac));
	return net_port_format(&port);
}

/* What a macvtap cannot have is refused, not left out. */
static int check_port(const struct net_port *port, const char *network,
		      struct error *err)
{
	const char *lacks = port->bridge		  ? NULL :
			    !port->dev			  ? "no device" :
			    port->vlan.n_tags		  ? "VLANs" :
			    str_eq(port->isolated, "yes") ? "isolated ports" :
							    NULL;

	return !lacks ? 0 : error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				       "network '%s' has %s, which a macvtap cannot have",
				       network, lacks);
}

static void set(char **member, const char *text)
{
	char *copy = xstrdup(text);

	free(*member);
	*member = copy;
}

static int plug(struct dom_obj *obj, struct dom_iface *i, struct error *err)
{
	struct networks *nets = registry_networks(obj->reg);
	_cleanup_free_ char *xml = port_xml(obj, i);
	struct net_port *port = NULL;
	struct network_ref ref;
	char uuid[UUID_STR_LEN];
	int r = network_by_name(nets, i->source, &ref, err);

	if (r >= 0)
		r = network_port_create(nets, ref.uuid, xml, &port, err);
	if (r < 0)
		return r;
	r = check_port(port, i->source, err);
	if (r < 0) {
		network_port_delete(nets, ref.uuid, port->uuid, NULL);
	} else {
		uuid_format(port->uuid, uuid);
		set(&i->portid, uuid);
		set(&i->net_bridge, port->bridge);
		set(&i->net_dev, port->bridge ? NULL : port->dev);
		set(&i->net_mode, port->bridge ? NULL : port->mode);
		/* Its portgroup's or its network's, perhaps. */
		i->bandwidth = port->bandwidth;
		net_vlan_set(&i->vlan, &port->vlan);
		set(&i->isolated, port->isolated);
	}
	net_port_free(port);
	return r;
}

static bool meant(const struct dom_iface *i, const char *alias)
{
	return i->type == IFACE_NETWORK &&
	       (!alias || str_eq(alias, i->info.alias));
}

/* With its process all of a domain's macvtaps go; this is for one card. */
static void remove_direct(struct dom_obj *obj, const struct dom_iface *i,
			  const char *alias)
{
	if (alias && str_eq(alias, i->info.alias) && i->target_dev &&
	    (i->type == IFACE_DIRECT || i->net_dev))
		networks_remove_direct(registry_networks(obj->reg),
				       obj->d.uuid, i->target_dev);
}

int plugged_in(struct dom_obj *obj, struct domain_def *def, const char *alias,
	       struct error *err)
{
	int r = 0;

	/* Where there are no networks at all, the driver says what it can. */
	if (!registry_networks(obj->reg))
		return 0;
	for (unsigned int i = 0; i < def->n_ifaces && r >= 0; i++)
		if (meant(&def->ifaces[i], alias) && !def->ifaces[i].portid)
			r = plug(obj, &def->ifaces[i], err);
	return r;
}

/* The network may have been stopped, or be another one of that name. */
static void unplug(struct dom_obj *obj, const struct dom_iface *i)
{
	struct networks *nets = registry_networks(obj->reg);
	struct network_ref ref;
	uint8_t port[UUID_LEN];

	if (network_by_name(nets, i->source, &ref, NULL) == 0 &&
	    uuid_parse(i->portid, port) == 0)
		network_port_delete(nets, ref.uuid, port, NULL);
}

void plugged_out(struct dom_obj *obj, const struct domain_def *def,
		 const char *alias)
{
	for (unsigned int i = 0; def && i < def->n_ifaces; i++)
		remove_direct(obj, &def->ifaces[i], alias);
	for (unsigned int i = 0; def && i < def->n_ifaces; i++)
		if (meant(&def->ifaces[i], alias) && def->ifaces[i].portid)
			unplug(obj, &def->ifaces[i]);
	if (!alias)
		network_ports_forget(registry_networks(obj->reg), obj->d.uuid);
}
