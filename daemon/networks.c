/*
 * daemon/networks.c -- virtual networks: the calls.
 */
#include "daemon/networks_priv.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <strings.h>

#define LOG_MODULE "network"
#include "base/error.h"
#include "base/log.h"
#include "network/net/view.h"

enum { BRIDGES_MAX = 100000 };

/* ---- one of them ---- */

int net_find(struct networks *nets, const uint8_t uuid[UUID_LEN],
	     struct network **ret_net, struct error *err)
{
	char text[UUID_STR_LEN];

	for (struct network *n = nets ? nets->first : NULL; n; n = n->next)
		if (!memcmp(net_def(n)->uuid, uuid, UUID_LEN)) {
			*ret_net = n;
			return 0;
		}
	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_NETWORK,
			  "no network with matching uuid '%s'", text);
}

static struct network *find_name(struct networks *nets, const char *name)
{
	struct network *n = nets ? nets->first : NULL;

	while (n && !str_eq(net_def(n)->name, name))
		n = n->next;
	return n;
}

static void fill_ref(const struct network *n, struct network_ref *ret)
{
	memcpy(ret->uuid, net_def(n)->uuid, UUID_LEN);
	snprintf(ret->name, sizeof(ret->name), "%s", net_def(n)->name);
}

int net_check_active(const struct network *n, bool active, struct error *err)
{
	if ((n->live != NULL) == active)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  active ? "network '%s' is not active" :
				   "network is already active as '%s'",
			  active ? net_def(n)->name :
				   n->live->bridge ? n->live->bridge :
						     n->live->name);
}

int net_record(struct network *n, struct error *err)
{
	_cleanup_free_ char *xml =
		n->config ? network_def_format(n->config, 0) : NULL;
	_cleanup_free_ char *live =
		n->live ? network_def_format(n->live, NETWORK_LIVE) : NULL;
	struct network_row row = {
		.name = net_def(n)->name,
		.xml = xml,
		.live_xml = live,
		.autostart = n->autostart,
		.changing = n->changing,
	};

	memcpy(row.uuid, net_def(n)->uuid, UUID_LEN);
	return n->nets->store->put(n->nets->store->arg, &row, err);
}

void net_notify(struct network *n, int event)
{
	struct network_notice notice = { .event = event };

	fill_ref(n, &notice.network);
	if (n->nets->notify)
		n->nets->notify(n->nets->notify_arg, &notice);
}

static struct network *net_new(struct networks *nets)
{
	struct network *n = xcalloc(1, sizeof(*n));

	n->nets = nets;
	n->pidfd = -1;
	return n;
}

/* Once it has a definition: its place is by name. */
static void net_insert(struct network *n)
{
	struct network **p = &n->nets->first;

	while (*p && strcmp(net_def(*p)->name, net_def(n)->name) < 0)
		p = &(*p)->next;
	n->next = *p;
	*p = n;
}

static void net_free(struct network *n)
{
	net_unwatch(n);
	net_ports_free(n);
	network_def_free(n->config);
	network_def_free(n->live);
	free(n);
}

void net_forget(struct network *n)
{
	struct network **p = &n->nets->first;

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	net_free(n);
}

/* ---- all of them ---- */

struct networks *networks_create(const struct network_store *store,
				 const struct network_host *host)
{
	struct networks *nets = xcalloc(1, sizeof(*nets));

	nets->store = store;
	nets->host = host;
	nets->rules_fd = -1;
	pthread_mutex_init(&nets->lock, NULL);
	return nets;
}

void networks_destroy(struct networks *nets)
{
	struct network *n, *next;

	if (!nets)
		return;
	pthread_mutex_lock(&nets->lock);
	nets->closing = true; /* what ends now is not started again */
	pthread_mutex_unlock(&nets->lock);
	nets_unwatch_rules(nets);
	for (n = nets->first; n; n = next) {
		next = n->next;
		net_free(n);
	}
	pthread_mutex_destroy(&nets->lock);
	free(nets);
}

void networks_subscribe(struct networks *nets,
			void (*fn)(void *arg,
				   const struct network_notice *n),
			void *arg)
{
	pthread_mutex_lock(&nets->lock);
	nets->notify = fn;
	nets->notify_arg = arg;
	pthread_mutex_unlock(&nets->lock);
}

/* What was stored was checked when it was defined. */
static struct network_def *parse_stored(const char *xml, unsigned int flags)
{
	struct network_def *def = NULL;
	struct error err = { 0 };

	if (xml && network_def_parse(xml, flags, &def, &err) < 0)
		log_error("a stored network cannot be read: %s", err.message);
	return def;
}

static void on_row(void *arg, const struct network_row *row)
{
	struct network *n = net_new(arg);

	n->config = parse_stored(row->xml, 0);
	n->live = parse_stored(row->live_xml, NETWORK_LIVE);
	n->autostart = row->autostart;
	n->changing = row->changing;
	if (n->config || n->live)
		net_insert(n);
	else
		net_free(n);
}

static void on_port(void *arg, const struct network_port_row *row)
{
	struct net_port *port = NULL;
	struct network *n;

	if (net_find(arg, row->network, &n, NULL) == 0 &&
	    net_port_parse(row->xml, &port, NULL) == 0)
		net_ports_add(n, port);
}

static void recover_one(struct network *n, bool booted)
{
	_cleanup_free_ char *name = xstrdup(net_def(n)->name);
	struct error err = { 0 };

	if (net_recover(n, booted, &err) < 0)
		log_error("network '%s': %s", name, err.message);
}

int networks_recover(struct networks *nets, bool booted, struct error *err)
{
	struct network *n, *next;
	int r;

	nets_watch_rules(nets);
	pthread_mutex_lock(&nets->lock);
	r = nets->store->each(nets->store->arg, on_row, nets, err);
	if (r == 0)
		r = nets->store->each_port(nets->store->arg, on_port, nets,
					   err);
	for (n = nets->first; n && r == 0; n = next) {
		next = n->next;
		recover_one(n, booted);
	}
	pthread_mutex_unlock(&nets->lock);
	return r;
}

/* ---- finding ---- */

static bool wanted(const struct network *n, unsigned int flags)
{
	static const struct {
		unsigned int yes, no;
	} groups[] = {
		{ VIR_CONNECT_LIST_NETWORKS_ACTIVE,
		  VIR_CONNECT_LIST_NETWORKS_INACTIVE },
		{ VIR_CONNECT_LIST_NETWORKS_PERSISTENT,
		  VIR_CONNECT_LIST_NETWORKS_TRANSIENT },
		{ VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
		  VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART },
	};
	const bool is[] = { n->live, n->config, n->autostart };

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		unsigned int both = groups[i].yes | groups[i].no;

		if (flags & both &&
		    !(flags & (is[i] ? groups[i].yes : groups[i].no)))
			return false;
	}
	return true;
}

int networks_list(struct networks *nets, unsigned int flags,
		  struct network_ref **ret_refs)
{
	struct network_ref *refs = NULL;
	int count = 0;

	*ret_refs = NULL;
	if (!nets)
		return 0;
	pthread_mutex_lock(&nets->lock);
	for (struct network *n = nets->first; n; n = n->next) {
		if (!wanted(n, flags))
			continue;
		refs = xrealloc(refs, count + 1, sizeof(*refs));
		fill_ref(n, &refs[count++]);
	}
	pthread_mutex_unlock(&nets->lock);
	*ret_refs = refs;
	return count;
}

int network_by_name(struct networks *nets, const char *name,
		    struct network_ref *ret_ref, struct error *err)
{
	struct network *n = NULL;

	if (nets) {
		pthread_mutex_lock(&nets->lock);
		n = find_name(nets, name);
		if (n)
			fill_ref(n, ret_ref);
		pthread_mutex_unlock(&nets->lock);
	}
	return n ? 0 : error_virt(err, VIR_ERR_NO_NETWORK,
				  "no network with matching name '%s'", name);
}

/* Begins a call about one network; done() gives the lock back. */
static int begin(struct networks *nets, const uint8_t uuid[UUID_LEN],
		 struct network **ret_net, struct error *err)
{
	int r;

	if (!nets)
		return net_find(NULL, uuid, ret_net, err);
	pthread_mutex_lock(&nets->lock);
	r = net_find(nets, uuid, ret_net, err);
	if (r < 0)
		pthread_mutex_unlock(&nets->lock);
	return r;
}

static int done(struct networks *nets, int r)
{
	pthread_mutex_unlock(&nets->lock);
	return r;
}

int network_by_uuid(struct networks *nets, const uint8_t uuid[UUID_LEN],
		    struct network_ref *ret_ref, struct error *err)
{
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	fill_ref(n, ret_ref);
	return done(nets, 0);
}

int network_info(struct networks *nets, const uint8_t uuid[UUID_LEN],
		 struct network_info *ret_info, struct error *err)
{
	struct network *n;
	const char *bridge;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	bridge = net_def(n)->bridge;
	*ret_info = (struct network_info){ n->live, n->config, n->autostart,
					   "" };
	snprintf(ret_info->bridge, PLAN_NAME, "%s", bridge ? bridge : "");
	return done(nets, 0);
}

/* How many ports are plugged in, in all and through each device. */
static void count_ports(const struct network *n, struct network_def *view)
{
	view->connections = n->n_ports;
	for (unsigned int i = 0; i < view->forward.n_devs; i++)
		view->forward.devs[i].connections =
			net_ports_on(n, view->forward.devs[i].dev);
}

int network_xml(struct networks *nets, const uint8_t uuid[UUID_LEN],
		unsigned int flags, char **ret_xml, struct error *err)
{
	struct network_def *view;
	struct network *n;
	bool live;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	live = n->live && !(flags & VIR_NETWORK_XML_INACTIVE && n->config);
	view = network_def_copy(live ? n->live : n->config);
	if (live)
		count_ports(n, view);
	*ret_xml = network_def_format(view, live ? NETWORK_LIVE : 0);
	network_def_free(view);
	return done(nets, 0);
}

/* ---- definitions ---- */

static bool bridge_taken(struct networks *nets, const char *name,
			 const struct network_def *but)
{
	for (struct network *n = nets->first; n; n = n->next) {
		const struct network_def *defs[] = { n->config, n->live };

		for (int i = 0; i < 2; i++)
			if (defs[i] && network_has_bridge(defs[i]) &&
			    str_eq(defs[i]->bridge, name) &&
			    memcmp(defs[i]->uuid, but->uuid, UUID_LEN))
				return true;
	}
	return false;
}

/* "virbr%d" or none: the first that neither we nor the host have. */
static int choose_bridge(struct networks *nets, struct network_def *def,
			 struct error *err)
{
	_cleanup_free_ char *view = NULL;
	char name[PLAN_NAME];

	if (def->bridge && !strstr(def->bridge, "%d"))
		return bridge_taken(nets, def->bridge, def) ?
			       error_virt(err, VIR_ERR_INTERNAL_ERROR,
					  "bridge name '%s' already in use",
					  def->bridge) : 0;
	if (nets->host->view(&view, NULL) < 0)
		view = xstrdup("");
	for (unsigned int i = 0; i < BRIDGES_MAX; i++) {
		snprintf(name, sizeof(name), "virbr%u", i);
		if (bridge_taken(nets, name, def) || view_has_dev(view, name))
			continue;
		free(def->bridge);
		def->bridge = xstrdup(name);
		return 0;
	}
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "Bridge generation exceeded max id %d", BRIDGES_MAX);
}

/* A name and a UUID belong together. */
static int check_identity(struct networks *nets, struct network_def *def,
			  struct network **ret_net, struct error *err)
{
	struct network *n = find_name(nets, def->name), *same = NULL;
	char text[UUID_STR_LEN];

	net_find(nets, def->uuid, &same, NULL);
	*ret_net = same;
	if (n && n != same) {
		uuid_format(net_def(n)->uuid, text);
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "network '%s' already exists with uuid %s",
				  def->name, text);
	}
	if (same && !str_eq(net_def(same)->name, def->name)) {
		uuid_format(def->uuid, text);
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "network '%s' is already defined with uuid %s",
				  net_def(same)->name, text);
	}
	return 0;
}

/* A name that is known stands for its UUID when the document gives none. */
static int parse_new(struct networks *nets, const char *xml, bool validate,
		     struct network_def **ret_def, struct network **ret_net,
		     struct error *err)
{
	struct network_def *def;
	int r = network_def_parse(xml, validate ? NETWORK_VALIDATE : 0, &def,
				  err);

	if (r < 0)
		return r;
	r = check_identity(nets, def, ret_net, err);
	if (r == 0 && network_has_bridge(def))
		r = choose_bridge(nets, def, err);
	if (r < 0)
		network_def_free(def);
	else
		*ret_def = def;
	return r;
}

static int check_nets(struct networks *nets, struct error *err)
{
	return nets ? 0 : error_virt(err, VIR_ERR_NO_SUPPORT,
				     "this connection has no networks");
}

static int define_locked(struct networks *nets, const char *xml,
			 bool validate, struct network_ref *ret_ref,
			 struct error *err)
{
	struct network_def *def, *old;
	struct network *n;
	int r = parse_new(nets, xml, validate, &def, &n, err);
	bool made = r == 0 && !n;

	if (r < 0)
		return r;
	if (made)
		n = net_new(nets);
	old = n->config;
	n->config = def;
	if (made)
		net_insert(n);
	r = net_record(n, err);
	if (r < 0) {
		n->config = old;
		if (made) {
			n->config = def;
			net_forget(n);
		} else {
			network_def_free(def);
		}
		return r;
	}
	network_def_free(old);
	fill_ref(n, ret_ref);
	net_notify(n, VIR_NETWORK_EVENT_DEFINED);
	return 0;
}

int network_define(struct networks *nets, const char *xml, unsigned int flags,
		   struct network_ref *ret_ref, struct error *err)
{
	int r = check_nets(nets, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&nets->lock);
	r = define_locked(nets, xml, flags & VIR_NETWORK_DEFINE_VALIDATE,
			  ret_ref, err);
	return done(nets, r);
}

/* A transient one, or an inactive one by another definition. */
static int create_locked(struct networks *nets, const char *xml,
			 bool validate, struct network_ref *ret_ref,
			 struct error *err)
{
	struct network_def *def;
	struct network *n;
	int r = parse_new(nets, xml, validate, &def, &n, err);

	if (r < 0)
		return r;
	memcpy(ret_ref->uuid, def->uuid, UUID_LEN);
	snprintf(ret_ref->name, sizeof(ret_ref->name), "%s", def->name);
	if (n) {
		r = net_check_active(n, false, err);
	} else {
		n = net_new(nets);
		n->live = def; /* which gives it its place */
		net_insert(n);
		n->live = NULL;
	}
	if (r == 0)
		r = net_start(n, def, err);
	network_def_free(def);
	return r;
}

int network_create_xml(struct networks *nets, const char *xml,
		       unsigned int flags, struct network_ref *ret_ref,
		       struct error *err)
{
	int r = check_nets(nets, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&nets->lock);
	r = create_locked(nets, xml, flags & VIR_NETWORK_CREATE_VALIDATE,
			  ret_ref, err);
	return done(nets, r);
}

static int undefine(struct network *n, struct error *err)
{
	struct network_def *old = n->config;
	bool autostart = n->autostart;
	int r;

	if (!old)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "can't undefine transient network");
	n->autostart = false;
	if (n->live) {
		n->config = NULL;
		r = net_record(n, err);
	} else {
		struct network_row row = { .name = old->name };

		memcpy(row.uuid, old->uuid, UUID_LEN);
		r = n->nets->store->put(n->nets->store->arg, &row, err);
	}
	if (r < 0) {
		n->config = old;
		n->autostart = autostart;
		return r;
	}
	net_notify(n, VIR_NETWORK_EVENT_UNDEFINED);
	if (n->live) {
		network_def_free(old);
	} else {
		n->nets->host->forget(old->uuid);
		net_forget(n);
	}
	return 0;
}

int network_undefine(struct networks *nets, const uint8_t uuid[UUID_LEN],
		     struct error *err)
{
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	return r < 0 ? r : done(nets, undefine(n, err));
}

int network_set_autostart(struct networks *nets,
			  const uint8_t uuid[UUID_LEN], bool autostart,
			  struct error *err)
{
	struct network *n;
	bool old;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	if (!n->config)
		return done(nets, error_virt(err, VIR_ERR_OPERATION_INVALID,
					     "cannot set autostart for transient network"));
	old = n->autostart;
	n->autostart = autostart;
	r = net_record(n, err);
	if (r < 0)
		n->autostart = old;
	return done(nets, r);
}

int network_start(struct networks *nets, const uint8_t uuid[UUID_LEN],
		  struct error *err)
{
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	r = net_check_active(n, false, err);
	if (r == 0)
		r = net_start(n, n->config, err);
	return done(nets, r);
}

int network_stop(struct networks *nets, const uint8_t uuid[UUID_LEN],
		 struct error *err)
{
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	if (r < 0)
		return r;
	r = net_check_active(n, true, err);
	if (r == 0)
		r = net_stop(n, err);
	return done(nets, r);
}

/* ---- net-update ---- */

/* What dnsmasq only reads when it starts. */
static bool needs_restart(unsigned int section)
{
	return section != VIR_NETWORK_SECTION_IP_DHCP_HOST &&
	       section != VIR_NETWORK_SECTION_DNS_HOST;
}

static bool is_dnsmasqs(unsigned int section)
{
	return section != VIR_NETWORK_SECTION_PORTGROUP &&
	       section != VIR_NETWORK_SECTION_FORWARD_INTERFACE;
}

struct change {
	unsigned int command, section;
	int index;
	const char *xml;
};

/* A changed copy of one definition; NULL: that one is not meant. */
static int changed(const struct network_def *def, const struct change *c,
		   struct network_def **ret_def, struct error *err)
{
	struct network_def *copy = network_def_copy(def);
	int r = network_def_update(copy, c->command, c->section, c->index,
				   c->xml, err);

	if (r < 0)
		network_def_free(copy);
	else
		*ret_def = copy;
	return r;
}

static int apply(struct network *n, struct network_def *config,
		 struct network_def *live, const struct change *c,
		 struct error *err)
{
	struct network_def *old_config = n->config, *old_live = n->live;
	bool was_wanted = old_live && dnsmasq_wanted(old_live);
	int r;

	n->config = config ? config : old_config;
	n->live = live ? live : old_live;
	r = net_record(n, err);
	if (r == 0 && live && is_dnsmasqs(c->section))
		r = net_refresh(n, needs_restart(c->section) || !was_wanted,
				err);
	if (r < 0) {
		n->config = old_config;
		n->live = old_live;
		net_record(n, NULL);
		network_def_free(config);
		network_def_free(live);
		return r;
	}
	if (config)
		network_def_free(old_config);
	if (live)
		network_def_free(old_live);
	return 0;
}

static int update(struct network *n, const struct change *c,
		  unsigned int flags, struct error *err)
{
	bool live = flags & VIR_NETWORK_UPDATE_AFFECT_LIVE;
	bool config = flags & VIR_NETWORK_UPDATE_AFFECT_CONFIG;
	struct network_def *new_live = NULL, *new_config = NULL;
	int r = 0;

	if (!live && !config) {
		live = n->live;
		config = !live;
	}
	if (live)
		r = net_check_active(n, true, err);
	if (r == 0 && config && !n->config)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot change persistent config of a transient network");
	if (r == 0 && live)
		r = changed(n->live, c, &new_live, err);
	if (r == 0 && config)
		r = changed(n->config, c, &new_config, err);
	if (r < 0) {
		network_def_free(new_live);
		return r;
	}
	return apply(n, new_config, new_live, c, err);
}

int network_update(struct networks *nets, const uint8_t uuid[UUID_LEN],
		   unsigned int command, unsigned int section, int index,
		   const char *xml, unsigned int flags, struct error *err)
{
	struct change c = { command, section, index, xml };
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	return r < 0 ? r : done(nets, update(n, &c, flags, err));
}

/* ---- leases ---- */

static void set_prefixes(struct net_lease_entry *e, unsigned int n,
			 const struct network_def *def)
{
	struct net_addr net, a;

	for (unsigned int i = 0; i < n; i++)
		for (unsigned int j = 0; j < def->n_ips; j++)
			if (net_addr_of_ip(&def->ips[j], &net) == 0 &&
			    net_addr_parse(e[i].ip, &a) == 0 &&
			    net_addr_overlap(&a, &net))
				e[i].prefix = net.prefix;
}

/* Those of one guest, first. */
static unsigned int of_mac(struct net_lease_entry *e, unsigned int n,
			   const char *mac)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct net_lease_entry one = e[i];

		if (!one.mac || strcasecmp(one.mac, mac))
			continue;
		e[i] = e[kept];
		e[kept++] = one;
	}
	return kept;
}

int network_leases(struct networks *nets, const uint8_t uuid[UUID_LEN],
		   const char *mac, struct net_lease_entry **ret_entries,
		   unsigned int *ret_n, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct network *n;
	int r = begin(nets, uuid, &n, err);

	*ret_entries = NULL;
	*ret_n = 0;
	if (r < 0)
		return r;
	if (n->live && dnsmasq_wanted(n->live))
		r = nets->host->leases(uuid, &text, err);
	if (r >= 0 && text) {
		*ret_n = leases_parse(text, ret_entries);
		set_prefixes(*ret_entries, *ret_n, n->live);
	}
	done(nets, 0);
	if (r < 0)
		return r;
	return mac ? of_mac(*ret_entries, *ret_n, mac) : *ret_n;
}

int networks_view(struct networks *nets, char **ret_text, struct error *err)
{
	int r = check_nets(nets, err);

	return r < 0 ? r : nets->host->view(ret_text, err);
}
