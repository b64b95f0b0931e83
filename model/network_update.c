/*
 * model/network_update.c -- one element of a network added, changed or
 * removed: what virNetworkUpdate() asks for.
 *
 * Each section is one list of the definition.  An item is found again by what
 * makes it that item (its address, its name), not by all that it says.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "model/tables_network.h"
#include "model/xml.h"

/* A list as bind.h keeps it. */
struct list {
	void **items;
	unsigned int *n;
	const struct xml_type *type;
};

typedef bool same_fn(const void *a, const void *b);

static bool same_range(const void *a, const void *b)
{
	const struct net_range *x = a, *y = b;

	return str_eq(x->start, y->start) && str_eq(x->end, y->end);
}

/* What a given attribute says must fit; one must be given. */
static bool fits(const char *a, const char *b)
{
	return !a || !b || str_eq(a, b);
}

static bool same_dhcp_host(const void *a, const void *b)
{
	const struct net_dhcp_host *x = a, *y = b;

	return fits(x->mac, y->mac) && fits(x->name, y->name) &&
	       fits(x->ip, y->ip) && fits(x->id, y->id);
}

/* A new one is in the way of one that has any of these. */
static bool equal(const char *a, const char *b)
{
	return a && str_eq(a, b);
}

static bool clashing_dhcp_host(const void *a, const void *b)
{
	const struct net_dhcp_host *x = a, *y = b;

	return equal(x->mac, y->mac) || equal(x->name, y->name) ||
	       equal(x->ip, y->ip) || equal(x->id, y->id);
}

/* Changing one: whose mac, or name where it has none, it is. */
static bool replaces_dhcp_host(const void *a, const void *b)
{
	const struct net_dhcp_host *x = a, *y = b;

	return equal(x->mac, y->mac) || equal(x->name, y->name) ||
	       equal(x->id, y->id);
}

static bool same_dev(const void *a, const void *b)
{
	return str_eq(((const struct net_dev *)a)->dev,
		      ((const struct net_dev *)b)->dev);
}

static bool same_portgroup(const void *a, const void *b)
{
	return str_eq(((const struct net_portgroup *)a)->name,
		      ((const struct net_portgroup *)b)->name);
}

static bool has_name(const struct net_dns_host *h, const char *name)
{
	for (unsigned int i = 0; i < h->n_names; i++)
		if (str_eq(h->names[i].name, name))
			return true;
	return false;
}

static bool same_dns_host(const void *a, const void *b)
{
	const struct net_dns_host *x = a, *y = b;

	if (x->ip && str_eq(x->ip, y->ip))
		return true;
	for (unsigned int i = 0; i < x->n_names; i++)
		if (has_name(y, x->names[i].name))
			return true;
	return false;
}

static bool same_txt(const void *a, const void *b)
{
	return str_eq(((const struct net_txt *)a)->name,
		      ((const struct net_txt *)b)->name);
}

static bool same_srv(const void *a, const void *b)
{
	const struct net_srv *x = a, *y = b;

	return fits(x->domain, y->domain) && fits(x->service, y->service) &&
	       fits(x->protocol, y->protocol) && fits(x->target, y->target) &&
	       (!x->port || !y->port || x->port == y->port) &&
	       (!x->priority || !y->priority || x->priority == y->priority) &&
	       (!x->weight || !y->weight || x->weight == y->weight);
}

/* ---- sections ---- */

static const struct section {
	const char *element, *what;
	const struct xml_type *type;
	same_fn *same;
	same_fn *clashes;  /* with a new one; NULL: same */
	same_fn *replaces; /* NULL: it cannot be changed */
} sections[] = {
	[VIR_NETWORK_SECTION_IP_DHCP_RANGE] = { "range", "dhcp range",
		&type_net_range, same_range, NULL, NULL },
	[VIR_NETWORK_SECTION_IP_DHCP_HOST] = { "host", "dhcp host",
		&type_net_dhcp_host, same_dhcp_host, clashing_dhcp_host,
		replaces_dhcp_host },
	[VIR_NETWORK_SECTION_FORWARD_INTERFACE] = { "interface",
		"forward interface", &type_net_dev, same_dev, NULL, NULL },
	[VIR_NETWORK_SECTION_PORTGROUP] = { "portgroup", "portgroup",
		&type_net_portgroup, same_portgroup, NULL, same_portgroup },
	[VIR_NETWORK_SECTION_DNS_HOST] = { "host", "DNS HOST record",
		&type_net_dns_host, same_dns_host, NULL, NULL },
	[VIR_NETWORK_SECTION_DNS_TXT] = { "txt", "DNS TXT record",
		&type_net_txt, same_txt, NULL, NULL },
	[VIR_NETWORK_SECTION_DNS_SRV] = { "srv", "DNS SRV record",
		&type_net_srv, same_srv, NULL, NULL },
};

#define LIST_OF(s, m) (struct list){ (void **)&(s)->m, &(s)->n_##m, NULL }

static struct list list_of(struct network_def *def, unsigned int section,
			   struct net_ip *ip)
{
	struct list list = { 0 };

	switch (section) {
	case VIR_NETWORK_SECTION_IP_DHCP_RANGE:
		list = LIST_OF(ip, ranges);
		break;
	case VIR_NETWORK_SECTION_IP_DHCP_HOST:
		list = LIST_OF(ip, hosts);
		break;
	case VIR_NETWORK_SECTION_FORWARD_INTERFACE:
		list = LIST_OF(&def->forward, devs);
		break;
	case VIR_NETWORK_SECTION_PORTGROUP:
		list = LIST_OF(def, portgroups);
		break;
	case VIR_NETWORK_SECTION_DNS_HOST:
		list = LIST_OF(&def->dns, hosts);
		break;
	case VIR_NETWORK_SECTION_DNS_TXT:
		list = LIST_OF(&def->dns, txts);
		break;
	case VIR_NETWORK_SECTION_DNS_SRV:
		list = LIST_OF(&def->dns, srvs);
		break;
	}
	list.type = sections[section].type;
	return list;
}

static void *list_at(const struct list *list, unsigned int i)
{
	return bind_at(*list->items, i * list->type->size);
}

static int list_find(const struct list *list, const void *item, same_fn *same)
{
	for (unsigned int i = 0; i < *list->n; i++)
		if (same(item, list_at(list, i)))
			return i;
	return -1;
}

static void list_remove(struct list *list, unsigned int i)
{
	size_t size = list->type->size;

	bind_finish(list->type, list_at(list, i));
	(*list->n)--;
	memmove(list_at(list, i), list_at(list, i + 1),
		(*list->n - i) * size);
}

static void list_insert(struct list *list, unsigned int i, const void *item)
{
	size_t size = list->type->size;

	*list->items = xrealloc(*list->items, *list->n + 1, size);
	memmove(list_at(list, i + 1), list_at(list, i),
		(*list->n - i) * size);
	bind_copy(list->type, item, list_at(list, i));
	(*list->n)++;
}

/* ---- commands ---- */

static int update(struct list *list, const struct section *s,
		  unsigned int command, const void *item,
		  const struct network_def *def, struct error *err)
{
	same_fn *same = command == VIR_NETWORK_UPDATE_COMMAND_DELETE ? s->same :
			command == VIR_NETWORK_UPDATE_COMMAND_MODIFY ?
							s->replaces :
			s->clashes ? s->clashes : s->same;
	int at;

	if (!same)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "%s entries cannot be modified, only added or deleted",
				  s->what);
	at = list_find(list, item, same);
	if (command == VIR_NETWORK_UPDATE_COMMAND_ADD_LAST ||
	    command == VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST) {
		if (at >= 0)
			return error_virt(err, VIR_ERR_OPERATION_INVALID,
					  "there is already at least one %s with a matching entry in network %s",
					  s->what, def->name);
		list_insert(list, command ==
			    VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST ?
					  0 : *list->n, item);
		return 0;
	}
	if (at < 0)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "couldn't locate a matching %s entry in network %s",
				  s->what, def->name);
	list_remove(list, at);
	if (command == VIR_NETWORK_UPDATE_COMMAND_MODIFY)
		list_insert(list, at, item);
	return 0;
}

/* The <ip> that is meant: the index says, or what has DHCP, or the first. */
static struct net_ip *find_ip(struct network_def *def, int index)
{
	if (index >= 0)
		return (unsigned int)index < def->n_ips ? &def->ips[index] :
							  NULL;
	for (unsigned int i = 0; i < def->n_ips; i++)
		if (def->ips[i].has_dhcp)
			return &def->ips[i];
	return def->n_ips ? &def->ips[0] : NULL;
}

static int update_item(struct network_def *def, const struct section *s,
		       unsigned int command, unsigned int section, int index,
		       const void *item, struct error *err)
{
	bool dhcp = section == VIR_NETWORK_SECTION_IP_DHCP_HOST ||
		    section == VIR_NETWORK_SECTION_IP_DHCP_RANGE;
	struct net_ip *ip = dhcp ? find_ip(def, index) : NULL;
	struct list list;
	int r;

	if (dhcp && !ip)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "couldn't update dhcp entry - no <ip> element found at index %d in network '%s'",
				  index, def->name);
	list = list_of(def, section, ip);
	r = update(&list, s, command, item, def, err);
	if (r < 0)
		return r;
	if (dhcp)
		ip->has_dhcp = true;
	if (section >= VIR_NETWORK_SECTION_DNS_HOST)
		def->has_dns = true;
	return network_def_complete(def, err);
}

int network_def_update(struct network_def *def, unsigned int command,
		       unsigned int section, int index, const char *xml,
		       struct error *err)
{
	const struct section *s = section < ARRAY_SIZE(sections) ?
					  &sections[section] : NULL;
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct network_def *copy;
	void *item;
	int r;

	if (!s || !s->element)
		return error_virt(err, VIR_ERR_NO_SUPPORT,
				  "can't update section %u of network '%s'",
				  section, def->name);
	if (command < VIR_NETWORK_UPDATE_COMMAND_MODIFY ||
	    command > VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST)
		return error_virt(err, VIR_ERR_NO_SUPPORT,
				  "unrecognized network update command code %u",
				  command);
	r = xml_parse(xml, s->element, &doc, err);
	if (r < 0)
		return r;
	item = xcalloc(1, s->type->size);
	r = bind_parse(s->type, xmlDocGetRootElement(doc), true, item, err);
	copy = network_def_copy(def);
	if (r >= 0)
		r = update_item(copy, s, command, section, index, item, err);
	if (r >= 0) {
		struct network_def old = *def;

		*def = *copy;
		*copy = old;
	}
	network_def_free(copy);
	bind_finish(s->type, item);
	free(item);
	return r;
}
