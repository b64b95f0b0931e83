/*
 * model/network.c -- networks and their ports: read, written, copied, freed.
 */
#include "model/network.h"

#include <string.h>

#include "model/schemas.h"
#include "model/tables_network.h"
#include "model/xml.h"

static int read_def(const char *xml, unsigned int flags,
		    struct network_def *def, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(xml, "network", &doc, err);

	if (r == 0 && (flags & NETWORK_VALIDATE))
		r = schema_validate("network", doc, err);
	if (r == 0)
		r = bind_parse(&type_network, xmlDocGetRootElement(doc),
			       flags & NETWORK_LIVE, def, err);
	return r < 0 ? r : network_def_complete(def, err);
}

int network_def_parse(const char *xml, unsigned int flags,
		      struct network_def **ret_def, struct error *err)
{
	struct network_def *def = xcalloc(1, sizeof(*def));
	int r = read_def(xml, flags, def, err);

	if (r < 0)
		network_def_free(def);
	else
		*ret_def = def;
	return r;
}

char *network_def_format(const struct network_def *def, unsigned int flags)
{
	xmlNode *root = xml_new("network");

	bind_format(&type_network, def, flags & NETWORK_LIVE, root);
	return xml_finish(root);
}

struct network_def *network_def_copy(const struct network_def *def)
{
	struct network_def *copy = xmalloc(sizeof(*copy));

	bind_copy(&type_network, def, copy);
	return copy;
}

void network_def_free(struct network_def *def)
{
	if (!def)
		return;
	bind_finish(&type_network, def);
	free(def);
}

const struct net_portgroup *network_portgroup(const struct network_def *def,
					      const char *name)
{
	for (unsigned int i = 0; i < def->n_portgroups; i++) {
		const struct net_portgroup *g = &def->portgroups[i];

		if (name ? str_eq(g->name, name) :
			   str_eq(g->is_default, "yes"))
			return g;
	}
	return NULL;
}

/* ---- ports ---- */

int net_port_parse(const char *xml, struct net_port **ret_port,
		   struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct net_port *port;
	int r = xml_parse(xml, "networkport", &doc, err);

	if (r < 0)
		return r;
	port = xcalloc(1, sizeof(*port));
	r = bind_parse(&type_net_port, xmlDocGetRootElement(doc), true, port,
		       err);
	if (r < 0) {
		net_port_free(port);
		return r;
	}
	if (!port->uuid_given)
		uuid_generate_v4(port->uuid);
	port->uuid_given = true;
	*ret_port = port;
	return 0;
}

char *net_port_format(const struct net_port *port)
{
	xmlNode *root = xml_new("networkport");

	bind_format(&type_net_port, port, true, root);
	return xml_finish(root);
}

struct net_port *net_port_copy(const struct net_port *port)
{
	struct net_port *copy = xmalloc(sizeof(*copy));

	bind_copy(&type_net_port, port, copy);
	return copy;
}

void net_port_free(struct net_port *port)
{
	if (!port)
		return;
	bind_finish(&type_net_port, port);
	free(port);
}
