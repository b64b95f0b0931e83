/*
 * daemon/filtered.c -- domains' network cards that have a network filter.
 *
 * A filter is in force before its tap exists, so that nothing passes without
 * it; the tap gets its name here for that.  Names have an "f" that the
 * kernel's own ("vnet0") lack: no other tap takes one in between.
 */
#include "daemon/filtered.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <strings.h>

#include "daemon/networks.h"
#include "model/nwfilter.h"
#include "model/xml.h"

enum { NAMES = 10000 };

/* <filterref> is what the model leaves uninterpreted. */
static bool find_ref(const struct dom_iface *i, struct nwfilter_ref *ret_ref)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	xmlNode *ref;

	if (!i->info.extra || xml_parse(i->info.extra, NULL, &doc, NULL) < 0)
		return false;
	ref = xml_child(xmlDocGetRootElement(doc), "filterref");
	return ref && nwfilter_ref_parse(ref, ret_ref, NULL) == 0;
}

static bool meant(const struct dom_iface *i, const char *alias)
{
	return !alias || str_eq(alias, i->info.alias);
}

static bool has_tap(const struct dom_iface *i)
{
	return (i->type == IFACE_NETWORK && !i->net_dev) ||
	       i->type == IFACE_BRIDGE || i->type == IFACE_ETHERNET;
}

static char *binding_xml(const struct dom_obj *obj, const struct dom_iface *i,
			 const struct nwfilter_ref *ref)
{
	struct nwfilter_binding b = {
		.port = i->target_dev,
		.owner_name = (char *)obj->d.name,
		.ref = *ref,
	};

	memcpy(b.owner, obj->d.uuid, UUID_LEN);
	memcpy(b.mac, i->mac, sizeof(b.mac));
	return nwfilter_binding_format(&b);
}

/* As libvirt, we give names that begin with "vnet" ourselves. */
static void name_tap(struct nwfilters *all, struct dom_iface *i)
{
	char name[16];

	if (i->target_dev && !str_startswith(i->target_dev, "vnet"))
		return;
	for (unsigned int n = 0; n < NAMES; n++) {
		snprintf(name, sizeof(name), "vnetf%u", n);
		if (nwfilter_port_free(all, name))
			break;
	}
	free(i->target_dev);
	i->target_dev = xstrdup(name);
}

static int filter(struct dom_obj *obj, struct dom_iface *i,
		  const struct nwfilter_ref *ref, struct error *err)
{
	struct nwfilters *all = registry_nwfilters(obj->reg);
	_cleanup_free_ char *xml = NULL;

	if (!all || !has_tap(i))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "filterref is not supported for network interfaces of this type");
	name_tap(all, i);
	xml = binding_xml(obj, i, ref);
	return nwfilter_bind(all, xml, false, NULL, err);
}

int filtered_in(struct dom_obj *obj, struct domain_def *def, const char *alias,
		struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < def->n_ifaces && r >= 0; i++) {
		struct nwfilter_ref ref;

		if (!meant(&def->ifaces[i], alias) ||
		    !find_ref(&def->ifaces[i], &ref))
			continue;
		r = filter(obj, &def->ifaces[i], &ref, err);
		nwfilter_ref_finish(&ref);
	}
	return r;
}

/* Ours only: a port of that name may be another's by now. */
static void unfilter(struct dom_obj *obj, const struct dom_iface *i)
{
	struct nwfilters *all = registry_nwfilters(obj->reg);
	_cleanup_free_ char *xml = NULL;
	struct nwfilter_binding *b;

	if (!i->target_dev ||
	    nwfilter_port_xml(all, i->target_dev, &xml, NULL) < 0 ||
	    nwfilter_binding_parse(xml, false, &b, NULL) < 0)
		return;
	if (!memcmp(b->owner, obj->d.uuid, UUID_LEN))
		nwfilter_unbind(all, i->target_dev, NULL);
	nwfilter_binding_free(b);
}

void filtered_out(struct dom_obj *obj, const struct domain_def *def,
		  const char *alias)
{
	for (unsigned int i = 0; alias && def && i < def->n_ifaces; i++)
		if (meant(&def->ifaces[i], alias))
			unfilter(obj, &def->ifaces[i]);
	if (!alias)
		nwfilter_unbind_owner(registry_nwfilters(obj->reg),
				      obj->d.uuid);
}

static void learn_in(struct networks *nets, const uint8_t uuid[UUID_LEN],
		     const char *mac, struct nwfilter_vars *vars)
{
	struct net_lease_entry *entries;
	unsigned int n, all;

	if (network_leases(nets, uuid, NULL, &entries, &all, NULL) < 0)
		return;
	for (n = 0; n < all; n++)
		if (entries[n].mac && !strcasecmp(entries[n].mac, mac))
			nwfilter_vars_add(vars,
					  entries[n].v6 ? "IPV6" : "IP",
					  entries[n].ip);
	leases_free(entries, all);
}

void filtered_learn(void *arg, const uint8_t mac[6],
		    struct nwfilter_vars *vars)
{
	_cleanup_free_ struct network_ref *refs = NULL;
	int n = networks_list(arg, 0, &refs);
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	for (int i = 0; i < n; i++)
		learn_in(arg, refs[i].uuid, text, vars);
}
