/*
 * daemon/networks_ports.c -- who is plugged into a network.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "daemon/networks_priv.h"

void net_ports_free(struct network *n)
{
	while (n->n_ports)
		net_port_free(n->ports[--n->n_ports]);
	free(steal_ptr(&n->ports));
}

void net_ports_add(struct network *n, struct net_port *port)
{
	n->ports = xrealloc(n->ports, n->n_ports + 1, sizeof(*n->ports));
	n->ports[n->n_ports++] = port;
}

unsigned int net_ports_on(const struct network *n, const char *dev)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n->n_ports; i++)
		count += str_eq(n->ports[i]->dev, dev);
	return count;
}

static int find(const struct network *n, const uint8_t uuid[UUID_LEN],
		unsigned int *ret_at, struct error *err)
{
	char text[UUID_STR_LEN];

	for (unsigned int i = 0; i < n->n_ports; i++)
		if (!memcmp(n->ports[i]->uuid, uuid, UUID_LEN)) {
			*ret_at = i;
			return 0;
		}
	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_NETWORK_PORT,
			  "Network port with UUID %s does not exist", text);
}

static void set(char **member, const char *text)
{
	free(*member);
	*member = xstrdup(text);
}

/* What the network says of VLANs and rates, where the port says nothing. */
static void inherit(struct net_port *port, const struct network_def *def)
{
	const struct net_portgroup *g = network_portgroup(def, port->group);
	const struct net_vlan *vlan = g && g->vlan.n_tags ? &g->vlan :
							     &def->vlan;

	if (!port->vlan.n_tags && vlan->n_tags)
		net_vlan_set(&port->vlan, vlan);
	if (g && !port->bandwidth.in.present && !port->bandwidth.out.present)
		port->bandwidth = g->bandwidth;
	if (!port->isolated)
		set(&port->isolated, def->isolated);
}

/* The device with the fewest ports; passthrough: with none. */
static int choose_dev(const struct network *n, struct net_port *port,
		      struct error *err)
{
	const struct net_forward *f = &n->live->forward;
	unsigned int best = UINT32_MAX;

	for (unsigned int i = 0; i < f->n_devs; i++) {
		unsigned int used = net_ports_on(n, f->devs[i].dev);

		if (used >= best || (n->live->mode == NET_PASSTHROUGH && used))
			continue;
		best = used;
		set(&port->dev, f->devs[i].dev);
	}
	return port->dev ? 0 : error_virt(err, VIR_ERR_INTERNAL_ERROR,
					  "network '%s' requires exclusive access to interfaces, but none are available",
					  n->live->name);
}

static int plug(const struct network *n, struct net_port *port,
		struct error *err)
{
	static const char *const modes[] = {
		[NET_BRIDGE] = "bridge", [NET_PRIVATE] = "private",
		[NET_VEPA] = "vepa", [NET_PASSTHROUGH] = "passthrough",
	};
	const struct network_def *def = n->live;

	if (def->mode == NET_HOSTDEV)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "network '%s': pools of host devices cannot be used yet; give the function in <interface type='hostdev'>",
				  def->name);
	if (network_has_bridge(def) || def->bridge) {
		set(&port->plug, network_has_bridge(def) ? "network" :
							   "bridge");
		set(&port->bridge, def->bridge);
		return 0;
	}
	set(&port->plug, "direct");
	set(&port->mode, modes[def->mode]);
	return choose_dev(n, port, err);
}

static int record(struct network *n, const struct net_port *port, bool keep,
		  struct error *err)
{
	_cleanup_free_ char *xml = keep ? net_port_format(port) : NULL;
	struct network_port_row row = { .xml = xml };

	memcpy(row.uuid, port->uuid, UUID_LEN);
	memcpy(row.network, net_def(n)->uuid, UUID_LEN);
	return n->nets->store->put_port(n->nets->store->arg, &row, err);
}

static int add(struct network *n, struct net_port *port, struct error *err)
{
	unsigned int at;
	int r = net_check_active(n, true, err);

	if (r == 0 && find(n, port->uuid, &at, NULL) == 0)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "a port with this UUID already exists in network '%s'",
			       n->live->name);
	if (r == 0 && port->group && !network_portgroup(n->live, port->group))
		r = error_virt(err, VIR_ERR_XML_ERROR,
			       "network '%s' has no portgroup '%s'",
			       n->live->name, port->group);
	if (r == 0)
		r = plug(n, port, err);
	if (r < 0)
		return r;
	inherit(port, n->live);
	return record(n, port, true, err);
}

int network_port_create(struct networks *nets, const uint8_t uuid[UUID_LEN],
			const char *xml, struct net_port **ret_port,
			struct error *err)
{
	struct net_port *port;
	struct network *n;
	int r = net_port_parse(xml, &port, err);

	if (r < 0)
		return r;
	if (!nets) {
		net_port_free(port);
		return net_find(NULL, uuid, &n, err);
	}
	pthread_mutex_lock(&nets->lock);
	r = net_find(nets, uuid, &n, err);
	if (r == 0)
		r = add(n, port, err);
	if (r < 0) {
		net_port_free(port);
	} else {
		net_ports_add(n, port);
		if (ret_port)
			*ret_port = net_port_copy(port);
	}
	pthread_mutex_unlock(&nets->lock);
	return r;
}

int network_ports(struct networks *nets, const uint8_t uuid[UUID_LEN],
		  uint8_t (**ret_uuids)[UUID_LEN], struct error *err)
{
	struct network *n;
	int r;

	if (!nets)
		return net_find(NULL, uuid, &n, err);
	pthread_mutex_lock(&nets->lock);
	r = net_find(nets, uuid, &n, err);
	if (r == 0) {
		*ret_uuids = xcalloc(n->n_ports + 1, UUID_LEN);
		for (unsigned int i = 0; i < n->n_ports; i++)
			memcpy((*ret_uuids)[i], n->ports[i]->uuid, UUID_LEN);
		r = n->n_ports;
	}
	pthread_mutex_unlock(&nets->lock);
	return r;
}

int network_port_get(struct networks *nets, const uint8_t uuid[UUID_LEN],
		     const uint8_t port[UUID_LEN], struct net_port **ret_port,
		     struct error *err)
{
	struct network *n;
	unsigned int at;
	int r;

	if (!nets)
		return net_find(NULL, uuid, &n, err);
	pthread_mutex_lock(&nets->lock);
	r = net_find(nets, uuid, &n, err);
	if (r == 0)
		r = find(n, port, &at, err);
	if (r == 0)
		*ret_port = net_port_copy(n->ports[at]);
	pthread_mutex_unlock(&nets->lock);
	return r;
}

static int drop(struct network *n, unsigned int at, struct error *err)
{
	int r = record(n, n->ports[at], false, err);

	if (r < 0)
		return r;
	net_port_free(n->ports[at]);
	n->ports[at] = n->ports[--n->n_ports];
	return 0;
}

int network_port_delete(struct networks *nets, const uint8_t uuid[UUID_LEN],
			const uint8_t port[UUID_LEN], struct error *err)
{
	struct network *n;
	unsigned int at;
	int r;

	if (!nets)
		return net_find(NULL, uuid, &n, err);
	pthread_mutex_lock(&nets->lock);
	r = net_find(nets, uuid, &n, err);
	if (r == 0)
		r = find(n, port, &at, err);
	if (r == 0)
		r = drop(n, at, err);
	pthread_mutex_unlock(&nets->lock);
	return r;
}

void network_ports_forget(struct networks *nets, const uint8_t owner[UUID_LEN])
{
	if (!nets)
		return;
	pthread_mutex_lock(&nets->lock);
	for (struct network *n = nets->first; n; n = n->next)
		for (unsigned int i = n->n_ports; i-- > 0;)
			if (n->ports[i]->has_owner &&
			    !memcmp(n->ports[i]->owner_uuid, owner, UUID_LEN))
				drop(n, i, NULL);
	pthread_mutex_unlock(&nets->lock);
}

void networks_remove_direct(struct networks *nets,
			    const uint8_t owner[UUID_LEN], const char *name)
{
	if (nets)
		nets->host->remove_direct(owner, name);
}
