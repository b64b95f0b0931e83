/*
 * cli/cmd-interface.c -- network interfaces of domains, described by options.
 */
#include <string.h>

#include "cli/device.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/xml.h"

/* ---- rates: "average,peak,burst,floor" ---- */

struct rate {
	unsigned long long v[4];
	bool there[4];
};

static const char *const rate_names[] = { "average", "peak", "burst", "floor" };

static int read_rate(const struct args *args, const char *option,
		     struct rate *ret)
{
	const char *p = args_get(args, option);
	char *end;

	*ret = (struct rate){ 0 };
	for (size_t i = 0; p && *p; i++) {
		if (i == ARRAY_SIZE(rate_names)) {
			say_error("Rate string '%s' has too many fields",
				  args_get(args, option));
			return -1;
		}
		if (*p != ',') {
			ret->v[i] = strtoull(p, &end, 10);
			ret->there[i] = true;
			if (end == p || (*end && *end != ',')) {
				say_error("field '%s' is malformed",
					  rate_names[i]);
				return -1;
			}
			p = end;
		}
		p += *p == ',';
	}
	return 0;
}

static int check_rates(const struct args *args, const struct rate *in,
		       const struct rate *out)
{
	if (args_has(args, "inbound") && !in->v[0] && !in->there[3]) {
		say_error("either inbound average or floor is mandatory");
		return -1;
	}
	if (args_has(args, "outbound") && !out->v[0]) {
		say_error("outbound average is mandatory");
		return -1;
	}
	if (out->there[3]) {
		say_error("outbound floor is unsupported yet");
		return -1;
	}
	return 0;
}

static void add_rate(struct buf *b, const char *name, const struct rate *r)
{
	static const int order[] = { 0, 1, 3, 2 }; /* as virsh writes them */

	if (!r->there[0] && !r->there[3])
		return;
	buf_printf(b, "    <%s", name);
	for (size_t k = 0; k < ARRAY_SIZE(order); k++)
		if (r->there[order[k]] && (r->v[order[k]] || !order[k]))
			buf_printf(b, " %s='%llu'", rate_names[order[k]],
				   r->v[order[k]]);
	buf_puts(b, "/>\n");
}

/* ---- attach-interface ---- */

static const struct {
	const char *type, *attribute;
} sources[] = {
	{ "network", "network" }, { "bridge", "bridge" }, { "direct", "dev" },
	{ "hostdev", NULL },	  { "user", NULL },	  { "ethernet", NULL },
};

static int add_hostdev(struct buf *b, const char *source)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(source, "%x:%x:%x.%x", &domain, &bus, &slot, &function) !=
	    4) {
		say_error("cannot parse pci address '%s' for network interface",
			  source);
		return -1;
	}
	buf_printf(b,
		   "  <source>\n    <address type='pci' domain='0x%04x' "
		   "bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
		   "  </source>\n",
		   domain, bus, slot, function);
	return 0;
}

static int add_source(struct buf *b, const struct args *args, size_t kind)
{
	const char *source = args_get(args, "source");

	if (str_eq(sources[kind].type, "hostdev"))
		return add_hostdev(b, source);
	if (!sources[kind].attribute)
		return 0;
	buf_puts(b, "  <source");
	xml_attr(b, sources[kind].attribute, source);
	if (str_eq(sources[kind].type, "direct")) {
		xml_attr(b, "mode", args_get(args, "source-mode"));
	}
	buf_puts(b, "/>\n");
	return 0;
}

static void add_one(struct buf *b, const char *element, const char *attribute,
		    const char *value)
{
	if (!value)
		return;
	buf_printf(b, "  <%s", element);
	xml_attr(b, attribute, value);
	buf_puts(b, "/>\n");
}

static int nic_xml(struct buf *b, const struct args *args, size_t kind)
{
	struct rate in, out;

	if (read_rate(args, "inbound", &in) < 0 ||
	    read_rate(args, "outbound", &out) < 0 ||
	    check_rates(args, &in, &out) < 0)
		return -1;
	buf_puts(b, "<interface");
	xml_attr(b, "type", sources[kind].type);
	if (args_has(args, "managed"))
		buf_puts(b, " managed='yes'");
	buf_puts(b, ">\n");
	if (add_source(b, args, kind) < 0)
		return -1;
	add_one(b, "target", "dev", args_get(args, "target"));
	add_one(b, "mac", "address", args_get(args, "mac"));
	add_one(b, "script", "path", args_get(args, "script"));
	add_one(b, "model", "type", args_get(args, "model"));
	add_one(b, "alias", "name", args_get(args, "alias"));
	if (args_has(args, "inbound") || args_has(args, "outbound")) {
		buf_puts(b, "  <bandwidth>\n");
		add_rate(b, "inbound", &in);
		add_rate(b, "outbound", &out);
		buf_puts(b, "  </bandwidth>\n");
	}
	buf_puts(b, "</interface>\n");
	return 0;
}

static int run_attach_interface(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	const char *type = args_get(args, "type");
	_cleanup_buf_ struct buf b = { 0 };
	size_t kind = 0;

	while (kind < ARRAY_SIZE(sources) && !str_eq(sources[kind].type, type))
		kind++;
	if (kind == ARRAY_SIZE(sources)) {
		say_error("No support for %s in command 'attach-interface'",
			  type);
		return EXIT_FAILED;
	}
	if (nic_xml(&b, args, kind) < 0)
		return EXIT_FAILED;
	if (args_has(args, "print-xml")) {
		fputs(b.data, stdout);
		return EXIT_OK;
	}
	if (device_attach(args, dom, b.data) < 0)
		return say_failed(ctl, "Failed to attach interface");
	say(ctl, "Interface attached successfully\n");
	return EXIT_OK;
}

/* ---- detach-interface ---- */

static char *mac_of(struct xml *x, xmlNodePtr nic)
{
	return xml_string(x, nic, "./mac/@address");
}

/* The only one of a type, or the one with a MAC; NULL: said why. */
static xmlNodePtr find_nic(struct xml *x, const char *type, const char *mac)
{
	_cleanup_free_ char *expr =
		xasprintf("./devices/interface[@type = '%s']", type);
	xmlXPathObjectPtr found =
		strchr(type, '\'') ? NULL : xml_find(x, NULL, expr);
	int n = xml_count(found), matches = 0;
	xmlNodePtr nic = NULL;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *have =
			mac_of(x, found->nodesetval->nodeTab[i]);

		if (mac ? have && strcasecmp(mac, have) == 0 : n == 1) {
			nic = found->nodesetval->nodeTab[i];
			matches++;
		}
	}
	xmlXPathFreeObject(found);
	if (!n)
		say_error("No interface found whose type is %s", type);
	else if (!mac && n > 1)
		say_error("Domain has %d interfaces. Please specify which one "
			  "to detach using --mac",
			  n);
	else if (!matches)
		say_error("No interface with MAC address %s was found", mac);
	else if (matches > 1)
		say_error("Domain has multiple interfaces matching MAC address "
			  "%s. You must use detach-device and specify the "
			  "device pci address to remove it.",
			  mac);
	return matches == 1 ? nic : NULL;
}

static int run_detach_interface(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *xml = NULL;
	xmlNodePtr nic;

	if (xml_open_domain(ctl, &x, dom, device_xml_flags(args, dom)) < 0)
		return EXIT_FAILED;
	nic = find_nic(&x, args_get(args, "type"), args_get(args, "mac"));
	xml = nic ? xml_text(&x, nic) : NULL;
	if (!xml) {
		say_error("Failed to detach interface");
		return EXIT_FAILED;
	}
	if (args_has(args, "print-xml")) {
		fputs(xml, stdout);
		return EXIT_OK;
	}
	if (device_detach(args, dom, xml) < 0)
		return say_failed(ctl, "Failed to detach interface");
	say(ctl, "Interface detached successfully\n");
	return EXIT_OK;
}

/* ---- domif-setlink ---- */

static void set_link(struct xml *x, xmlNodePtr nic, const char *state)
{
	xmlXPathObjectPtr found = xml_find(x, nic, "./link");
	xmlNodePtr link = xml_count(found) ? found->nodesetval->nodeTab[0]
					   : xmlNewChild(nic, NULL,
							 BAD_CAST "link", NULL);

	xmlSetProp(link, BAD_CAST "state", BAD_CAST state);
	xmlXPathFreeObject(found);
}

static int run_domif_setlink(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	const char *state = args_get(args, "state");
	const char *name = args_get(args, "interface");
	bool config = args_has(args, "config");
	unsigned int flags =
		config ? VIR_DOMAIN_AFFECT_CONFIG : VIR_DOMAIN_AFFECT_LIVE;
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *xml = NULL;
	xmlNodePtr nic;

	if (!str_eq(state, "up") && !str_eq(state, "down")) {
		say_error("invalid link state '%s'", state);
		return EXIT_FAILED;
	}
	if (virDomainIsActive(dom) == 0)
		flags = VIR_DOMAIN_AFFECT_CONFIG;
	if (xml_open_domain(ctl, &x, dom,
			    config ? VIR_DOMAIN_XML_INACTIVE : 0) < 0)
		return EXIT_FAILED;
	nic = xml_find_nic_quietly(&x, name);
	if (!nic) {
		say_error("interface '%s' not found", name);
		return EXIT_FAILED;
	}
	set_link(&x, nic, state);
	xml = xml_text(&x, nic);
	if (args_has(args, "print-xml")) {
		fputs(xml, stdout);
		return EXIT_OK;
	}
	if (virDomainUpdateDeviceFlags(dom, xml, flags) < 0)
		return say_failed(ctl, "Failed to update interface link state");
	say(ctl, "Device updated successfully\n");
	return EXIT_OK;
}

/* ---- domiftune ---- */

struct tune {
	virDomainPtr dom;
	const char *device;
};

static int get_params(void *of, virTypedParameterPtr v, int *n,
		      unsigned int flags)
{
	struct tune *t = of;

	return virDomainGetInterfaceParameters(t->dom, t->device, v, n, flags);
}

static int add_params(struct params *p, const char *direction,
		      const struct rate *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(rate_names); i++) {
		_cleanup_free_ char *field =
			xasprintf("%s.%s", direction, rate_names[i]);

		if (i == 0 && !r->there[i] && !r->there[3])
			continue;
		if (i && !r->there[i])
			continue;
		if (virTypedParamsAddUInt(&p->v, &p->n, &p->max, field,
					  (unsigned int)r->v[i]) < 0)
			return -1;
	}
	return 0;
}

static int run_domiftune(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	struct tune t = { dom, args_get(args, "interface") };
	_cleanup_params_ struct params p = { NULL };
	struct rate in, out;
	unsigned int flags;
	int status;

	if (args_affect(args, &flags) < 0 ||
	    read_rate(args, "inbound", &in) < 0 ||
	    read_rate(args, "outbound", &out) < 0)
		return EXIT_FAILED;
	if (args_has(args, "inbound") || args_has(args, "outbound")) {
		if (add_params(&p, "inbound", &in) < 0 ||
		    add_params(&p, "outbound", &out) < 0 ||
		    virDomainSetInterfaceParameters(dom, t.device, p.v, p.n,
						    flags) < 0)
			return say_failed(ctl, "Unable to set interface "
					       "parameters");
		return EXIT_OK;
	}
	status = params_get(ctl, &p, get_params, &t, flags,
			    "Unable to get number of interface parameters");
	if (!status)
		params_print(ctl, &p, "", 15, ": ");
	return status;
}

const struct command family_interface[] = {
	{ .name = "attach-interface",
	  .group = "domain",
	  .summary = "attach a network interface",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains),
		  DATA("type",
		       "network, bridge, direct, hostdev, user or ethernet"),
		  DATA("source", "network, bridge or device it plugs into"),
		  STRING("target"), STRING("mac"), STRING("script"),
		  STRING("model"), STRING("alias"), STRING("inbound"),
		  STRING("outbound"), FLAG("persistent"), OPTS_AFFECT,
		  FLAG("print-xml"), FLAG("managed"), STRING("source-mode")),
	  .on_domain = run_attach_interface },
	{ .name = "detach-interface",
	  .group = "domain",
	  .summary = "detach a network interface",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA("type", "type of the interface"), STRING("mac"),
		       FLAG("persistent"), OPTS_AFFECT, FLAG("print-xml")),
	  .on_domain = run_detach_interface },
	{ .name = "domif-setlink",
	  .group = "domain",
	  .summary = "set the link state of an interface",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains),
		  DATA("interface",
		       "interface of the domain, by target or MAC address"),
		  DATA("state", "up or down"), FLAG("config"),
		  FLAG("print-xml")),
	  .on_domain = run_domif_setlink },
	{ .name = "domiftune",
	  .group = "domain",
	  .summary = "read or set the limits of an interface",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains),
		  DATA("interface",
		       "interface of the domain, by target or MAC address"),
		  STRING("inbound"), STRING("outbound"), OPTS_AFFECT),
	  .on_domain = run_domiftune },
	{ NULL },
};
