/*
 * daemon/handlers_guestinfo.c -- what the guest's agent tells of the guest:
 * its name, users, system, file systems, disks and addresses.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/agent.h"
#include "daemon/agent_json.h"
#include "daemon/guestinfo.h"

static int ask(struct call *call, const wire_dom *dom, const char *command,
	       struct json_object **ret, struct error *err)
{
	return agent_call(call->reg, wire_uuid_of(dom), command, NULL, ret,
			  err);
}

static void add_string(struct params *p, struct json_object *json,
		       const char *key, const char *field)
{
	const char *s = json_string(json, key);

	if (s)
		params_string(p, s, "%s", field);
}

/* As above, with "PREFIX.N.KEY" as the field's name. */
static void add_nth(struct params *p, struct json_object *json,
		    const char *key, const char *prefix, size_t i,
		    const char *name)
{
	_cleanup_free_ char *field = xasprintf("%s.%zu.%s", prefix, i, name);

	add_string(p, json, key, field);
}

/* ---- the host's name ---- */

int handle_domain_get_hostname(struct call *call, const wire_dom_flags *args,
			       wire_str *reply, struct error *err)
{
	const unsigned int lease = VIR_DOMAIN_GET_HOSTNAME_LEASE;
	const unsigned int agent = VIR_DOMAIN_GET_HOSTNAME_AGENT;
	struct json_object *ret = NULL;
	const char *name;
	int r = call_flags(call, args->flags, lease | agent, err);

	if (r >= 0 && !(args->flags & agent) && (args->flags & lease))
		r = error_virt(err, VIR_ERR_NO_HOSTNAME, "%s",
			       "no network of ours gives leases to this domain");
	if (r >= 0)
		r = ask(call, &args->dom, "guest-get-host-name", &ret, err);
	if (r < 0)
		return r;
	name = json_string(ret, "host-name");
	if (name)
		*reply = xstrdup(name);
	else
		r = error_virt(err, VIR_ERR_NO_HOSTNAME, "%s",
			       "the guest agent gives no name");
	json_object_put(ret);
	return r;
}

/* ---- disks ---- */

static unsigned int number(struct json_object *json, const char *key)
{
	int64_t v = -1;

	return json_integer(json, key, &v) && v >= 0 && v < INT32_MAX ?
		       (unsigned int)v :
		       UINT32_MAX;
}

static bool at_pci(const struct dom_address *a, struct json_object *pci)
{
	return str_eq(a->type, "pci") && a->domain == number(pci, "domain") &&
	       a->bus == number(pci, "bus") &&
	       a->slot == number(pci, "slot") &&
	       a->function == number(pci, "function");
}

static bool on_controller(const struct domain_def *def,
			  const struct dom_disk *disk, struct json_object *pci)
{
	const struct dom_address *a = &disk->info.address;
	const char *bus = disk->target_bus;

	for (unsigned int i = 0; i < def->n_controllers; i++) {
		const struct dom_controller *c = &def->controllers[i];

		if (str_eq(c->type, bus) && c->index == (int)a->controller)
			return at_pci(&c->info.address, pci);
	}
	return false;
}

const char *guestinfo_disk(const struct domain_def *def,
			   struct json_object *address)
{
	struct json_object *pci =
		json_member(address, "pci-controller", json_type_object);

	for (unsigned int i = 0; def && pci && i < def->n_disks; i++) {
		const struct dom_disk *d = &def->disks[i];
		const struct dom_address *a = &d->info.address;

		if (at_pci(a, pci))
			return d->target_dev;
		if (str_eq(a->type, "drive") && on_controller(def, d, pci) &&
		    a->bus == number(address, "bus") &&
		    a->target == number(address, "target") &&
		    a->unit == number(address, "unit"))
			return d->target_dev;
	}
	return NULL;
}

static struct domain_def *live_def(struct call *call, const wire_dom *dom)
{
	struct error ignored = { 0 };

	return domain_get_def(call->reg, wire_uuid_of(dom), true, &ignored);
}

/* ---- file systems ---- */

static void fill_fs(const struct domain_def *def, struct json_object *fs,
		    wire_fsinfo *ret)
{
	const char *name = json_string(fs, "name");
	const char *where = json_string(fs, "mountpoint");
	const char *type = json_string(fs, "type");
	size_t n;
	struct json_object *disks = json_list(fs, "disk", &n);

	ret->name = xstrdup(name ? name : "");
	ret->mountpoint = xstrdup(where ? where : "");
	ret->fstype = xstrdup(type ? type : "");
	ret->disks.disks_val = xcalloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		const char *target = guestinfo_disk(
			def, json_object_array_get_idx(disks, i));

		if (target)
			ret->disks.disks_val[ret->disks.disks_len++] =
				xstrdup(target);
	}
}

int handle_domain_get_fsinfo(struct call *call, const wire_dom_flags *args,
			     wire_fsinfos *reply, struct error *err)
{
	struct json_object *ret = NULL;
	struct domain_def *def;
	size_t n;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = ask(call, &args->dom, "guest-get-fsinfo", &ret, err);
	if (r < 0)
		return r;
	def = live_def(call, &args->dom);
	json_list(ret, NULL, &n);
	reply->info.info_val = xcalloc(n + 1, sizeof(wire_fsinfo));
	reply->info.info_len = reply->ret = n;
	for (size_t i = 0; i < n; i++)
		fill_fs(def, json_object_array_get_idx(ret, i),
			&reply->info.info_val[i]);
	domain_def_free(def);
	json_object_put(ret);
	return 0;
}

/* ---- everything: one function for each kind ---- */

static void add_users(struct params *p, const struct domain_def *def,
		      struct json_object *ret)
{
	size_t n;

	json_list(ret, NULL, &n);
	params_uint(p, n, "user.count");
	for (size_t i = 0; i < n; i++) {
		struct json_object *u = json_object_array_get_idx(ret, i);
		struct json_object *time = NULL;

		add_nth(p, u, "user", "user", i, "name");
		add_nth(p, u, "domain", "user", i, "domain");
		if (json_object_is_type(u, json_type_object) &&
		    json_object_object_get_ex(u, "login-time", &time) &&
		    json_object_get_double(time) >= 0 &&
		    json_object_get_double(time) < 1e12)
			params_ullong(p, json_object_get_double(time) * 1000,
				      "user.%zu.login-time", i);
	}
}

static void add_os(struct params *p, const struct domain_def *def,
		   struct json_object *ret)
{
	static const char *const keys[] = {
		"id", "name", "pretty-name", "version", "version-id",
		"machine", "variant", "variant-id", "kernel-release",
		"kernel-version",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_free_ char *field = xasprintf("os.%s", keys[i]);

		add_string(p, ret, keys[i], field);
	}
}

static void add_timezone(struct params *p, const struct domain_def *def,
			 struct json_object *ret)
{
	int64_t offset;

	add_string(p, ret, "zone", "timezone.name");
	if (json_integer(ret, "offset", &offset))
		params_int(p, offset, "timezone.offset");
}

static void add_hostname(struct params *p, const struct domain_def *def,
			 struct json_object *ret)
{
	add_string(p, ret, "host-name", "hostname");
}

static void add_fs_disks(struct params *p, const struct domain_def *def,
			 struct json_object *fs, size_t i)
{
	_cleanup_free_ char *prefix = xasprintf("fs.%zu.disk", i);
	struct json_object *disks;
	size_t n;

	disks = json_list(fs, "disk", &n);
	params_uint(p, n, "%s.count", prefix);
	for (size_t j = 0; j < n; j++) {
		struct json_object *d = json_object_array_get_idx(disks, j);
		const char *target = guestinfo_disk(def, d);

		if (target)
			params_string(p, target, "%s.%zu.alias", prefix, j);
		add_nth(p, d, "serial", prefix, j, "serial");
		add_nth(p, d, "dev", prefix, j, "device");
	}
}

static void add_filesystems(struct params *p, const struct domain_def *def,
			    struct json_object *ret)
{
	size_t n;

	json_list(ret, NULL, &n);
	params_uint(p, n, "fs.count");
	for (size_t i = 0; i < n; i++) {
		struct json_object *fs = json_object_array_get_idx(ret, i);
		int64_t bytes;

		add_nth(p, fs, "name", "fs", i, "name");
		add_nth(p, fs, "mountpoint", "fs", i, "mountpoint");
		add_nth(p, fs, "type", "fs", i, "fstype");
		if (json_integer(fs, "total-bytes", &bytes))
			params_ullong(p, bytes, "fs.%zu.total-bytes", i);
		if (json_integer(fs, "used-bytes", &bytes))
			params_ullong(p, bytes, "fs.%zu.used-bytes", i);
		add_fs_disks(p, def, fs, i);
	}
}

static void add_dependencies(struct params *p, struct json_object *disk,
			     size_t i)
{
	struct json_object *list;
	size_t n;

	list = json_list(disk, "dependencies", &n);
	if (n)
		params_uint(p, n, "disk.%zu.dependency.count", i);
	for (size_t j = 0; j < n; j++) {
		struct json_object *v = json_object_array_get_idx(list, j);

		if (json_object_is_type(v, json_type_string))
			params_string(p, json_object_get_string(v),
				      "disk.%zu.dependency.%zu.name", i, j);
	}
}

static void add_disk(struct params *p, const struct domain_def *def,
		     struct json_object *disk, size_t i)
{
	struct json_object *address =
		json_member(disk, "address", json_type_object);
	struct json_object *partition =
		json_member(disk, "partition", json_type_boolean);
	const char *target = guestinfo_disk(def, address);

	add_nth(p, disk, "name", "disk", i, "name");
	params_bool(p, json_object_get_boolean(partition), "disk.%zu.partition",
		    i);
	add_dependencies(p, disk, i);
	add_nth(p, address, "serial", "disk", i, "serial");
	if (target)
		params_string(p, target, "disk.%zu.alias", i);
	add_nth(p, disk, "alias", "disk", i, "guest_alias");
	add_nth(p, address, "bus-type", "disk", i, "guest_bus");
}

static void add_disks(struct params *p, const struct domain_def *def,
		      struct json_object *ret)
{
	size_t n;

	json_list(ret, NULL, &n);
	params_uint(p, n, "disk.count");
	for (size_t i = 0; i < n; i++)
		add_disk(p, def, json_object_array_get_idx(ret, i), i);
}

static void add_addresses(struct params *p, struct json_object *iface,
			  size_t i)
{
	_cleanup_free_ char *prefix = xasprintf("if.%zu.addr", i);
	struct json_object *list;
	size_t n;

	list = json_list(iface, "ip-addresses", &n);
	params_uint(p, n, "%s.count", prefix);
	for (size_t j = 0; j < n; j++) {
		struct json_object *a = json_object_array_get_idx(list, j);
		int64_t bits;

		add_nth(p, a, "ip-address-type", prefix, j, "type");
		add_nth(p, a, "ip-address", prefix, j, "addr");
		if (json_integer(a, "prefix", &bits))
			params_uint(p, bits, "%s.%zu.prefix", prefix, j);
	}
}

static void add_interfaces(struct params *p, const struct domain_def *def,
			   struct json_object *ret)
{
	size_t n;

	json_list(ret, NULL, &n);
	params_uint(p, n, "if.count");
	for (size_t i = 0; i < n; i++) {
		struct json_object *iface = json_object_array_get_idx(ret, i);

		add_nth(p, iface, "name", "if", i, "name");
		add_nth(p, iface, "hardware-address", "if", i, "hwaddr");
		add_addresses(p, iface, i);
	}
}

static const struct kind {
	unsigned int type;
	const char *command;
	void (*add)(struct params *p, const struct domain_def *def,
		    struct json_object *ret);
} kinds[] = {
	{ VIR_DOMAIN_GUEST_INFO_USERS, "guest-get-users", add_users },
	{ VIR_DOMAIN_GUEST_INFO_OS, "guest-get-osinfo", add_os },
	{ VIR_DOMAIN_GUEST_INFO_TIMEZONE, "guest-get-timezone", add_timezone },
	{ VIR_DOMAIN_GUEST_INFO_HOSTNAME, "guest-get-host-name", add_hostname },
	{ VIR_DOMAIN_GUEST_INFO_FILESYSTEM, "guest-get-fsinfo",
	  add_filesystems },
	{ VIR_DOMAIN_GUEST_INFO_DISKS, "guest-get-disks", add_disks },
	{ VIR_DOMAIN_GUEST_INFO_INTERFACES, "guest-network-get-interfaces",
	  add_interfaces },
};

/* What an agent cannot tell is left out unless it was asked for by name. */
static int add_kind(struct call *call, const wire_guest_info_args *args,
		    const struct kind *kind, const struct domain_def *def,
		    struct params *p, struct error *err)
{
	struct json_object *ret = NULL;
	int r;

	if (args->types && !(args->types & kind->type))
		return 0;
	r = ask(call, &args->dom, kind->command, &ret, err);
	if (r == -EOPNOTSUPP && !args->types)
		return 0;
	if (r < 0)
		return r;
	kind->add(p, def, ret);
	json_object_put(ret);
	return 0;
}

static int check_types(unsigned int types, struct error *err)
{
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known |= kinds[i].type;
	if (types & ~known)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "unsupported guest information types '0x%x'",
				  types & ~known);
	return 0;
}

int handle_domain_get_guest_info(struct call *call,
				 const wire_guest_info_args *args,
				 wire_guest_info *reply, struct error *err)
{
	struct params p = { 0 };
	struct domain_def *def;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = check_types(args->types, err);
	if (r < 0)
		return r;
	def = live_def(call, &args->dom);
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r >= 0; i++)
		r = add_kind(call, args, &kinds[i], def, &p, err);
	domain_def_free(def);
	if (r < 0) {
		params_free(&p);
		return r;
	}
	reply->params.params_val = p.val;
	reply->params.params_len = p.len;
	return 0;
}

/* ---- addresses ---- */

static void fill_address(struct json_object *a, wire_dom_iface *ret)
{
	const char *type = json_string(a, "ip-address-type");
	const char *addr = json_string(a, "ip-address");
	wire_ip_addr *to = &ret->addrs.addrs_val[ret->addrs.addrs_len];
	int64_t bits = 0;

	if (!addr || (!str_eq(type, "ipv4") && !str_eq(type, "ipv6")))
		return;
	json_integer(a, "prefix", &bits);
	to->type = str_eq(type, "ipv4") ? VIR_IP_ADDR_TYPE_IPV4 :
					  VIR_IP_ADDR_TYPE_IPV6;
	to->addr = xstrdup(addr);
	to->prefix = bits;
	ret->addrs.addrs_len++;
}

static void fill_iface(struct json_object *iface, wire_dom_iface *ret)
{
	const char *name = json_string(iface, "name");
	const char *mac = json_string(iface, "hardware-address");
	size_t n;
	struct json_object *list = json_list(iface, "ip-addresses", &n);

	ret->name = xstrdup(name ? name : "");
	if (mac) {
		ret->mac = xmalloc(sizeof(*ret->mac));
		*ret->mac = xstrdup(mac);
	}
	ret->addrs.addrs_val = xcalloc(n + 1, sizeof(wire_ip_addr));
	for (size_t i = 0; i < n; i++)
		fill_address(json_object_array_get_idx(list, i), ret);
}

int guestinfo_interfaces(struct call *call, const wire_dom *dom,
			 wire_iface_addrs *reply, struct error *err)
{
	struct json_object *ret = NULL;
	size_t n;
	int r = ask(call, dom, "guest-network-get-interfaces", &ret, err);

	if (r < 0)
		return r;
	json_list(ret, NULL, &n);
	reply->ifaces.ifaces_val = xcalloc(n + 1, sizeof(wire_dom_iface));
	reply->ifaces.ifaces_len = n;
	for (size_t i = 0; i < n; i++)
		fill_iface(json_object_array_get_idx(ret, i),
			   &reply->ifaces.ifaces_val[i]);
	json_object_put(ret);
	return 0;
}
