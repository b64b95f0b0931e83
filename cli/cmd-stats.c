/*
 * cli/cmd-stats.c -- figures of domains and of their disks and interfaces.
 */
#include <string.h>
#include <time.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/xml.h"

/* ---- disks ---- */

static int run_domblkerror(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	static const char *const names[] = { "no error", "unspecified error",
					     "no space" };
	int n = virDomainGetDiskErrors(dom, NULL, 0, 0);
	_cleanup_free_ virDomainDiskErrorPtr errors = NULL;
	struct record *r;

	(void)args;
	if (n < 0)
		return say_failed(ctl, NULL);
	errors = xcalloc((size_t)n + 1, sizeof(*errors));
	n = n ? virDomainGetDiskErrors(dom, errors, (unsigned int)n, 0) : 0;
	if (n < 0)
		return say_failed(ctl, NULL);
	if (!n && ctl->output == OUTPUT_TABLE) {
		printf("No errors found\n");
		return EXIT_OK;
	}
	r = record_new();
	for (int i = 0; i < n; i++) {
		record_add(r, errors[i].disk, errors[i].disk, false, "%s",
			   (size_t)errors[i].error < ARRAY_SIZE(names)
				   ? names[errors[i].error]
				   : "unknown error");
		free(errors[i].disk);
	}
	record_print_as(r, ctl, "", 0, ": ");
	return EXIT_OK;
}

static char *size_text(unsigned long long v, bool human, bool known)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double d = (double)v;
	size_t i = 0;

	if (!known)
		return xstrdup("-");
	if (!human)
		return xasprintf("%llu", v);
	for (; d >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		d /= 1024;
	return xasprintf("%.3f %s", d, units[i]);
}

static const struct column size_columns[] = {
	{ "Target", "target", false },
	{ "Capacity", "capacity", true },
	{ "Allocation", "allocation", true },
	{ "Physical", "physical", true },
};

static void size_row(struct table *t, const char *target,
		     const virDomainBlockInfo *info, bool human)
{
	bool known = info->capacity || info->allocation || info->physical;
	_cleanup_free_ char *cap = size_text(info->capacity, human, known);
	_cleanup_free_ char *alloc = size_text(info->allocation, human, known);
	_cleanup_free_ char *phy = size_text(info->physical, human, known);
	const char *cells[] = { target, cap, alloc, phy };

	table_row(t, cells);
}

static int all_sizes(struct ctl *ctl, virDomainPtr dom, bool human)
{
	_cleanup_xml_ struct xml x = { NULL };
	xmlXPathObjectPtr disks;
	int status = EXIT_OK;
	struct table *t;

	if (xml_open_domain(ctl, &x, dom, 0) < 0)
		return EXIT_FAILED;
	disks = xml_find(&x, NULL, "./devices/disk");
	t = table_new(size_columns, ARRAY_SIZE(size_columns));
	for (int i = 0; i < xml_count(disks) && !status; i++) {
		xmlNodePtr disk = disks->nodesetval->nodeTab[i];
		_cleanup_free_ char *target =
			xml_string(&x, disk, "./target/@dev");
		_cleanup_free_ char *there =
			xml_string(&x, disk, "boolean(./source)");
		virDomainBlockInfo info = { 0 };

		if (str_eq(there, "true") &&
		    virDomainGetBlockInfo(dom, target, &info, 0) < 0)
			status = say_failed(ctl, NULL);
		size_row(t, target, &info, human);
	}
	xmlXPathFreeObject(disks);
	if (status)
		table_free(t);
	else
		table_print(t, ctl);
	return status;
}

static int run_domblkinfo(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	bool human = args_has(args, "human"), known;
	virDomainBlockInfo info;
	struct record *r;

	if (args_exclusive(args, "all", "device") < 0)
		return EXIT_FAILED;
	if (args_has(args, "all"))
		return all_sizes(ctl, dom, human);
	if (!args_has(args, "device")) {
		say_error("command 'domblkinfo' requires <device> option");
		return EXIT_FAILED;
	}
	if (virDomainGetBlockInfo(dom, args_get(args, "device"), &info, 0) < 0)
		return say_failed(ctl, NULL);
	known = info.capacity || info.allocation || info.physical;
	r = record_new();
	for (int i = 0; i < 3; i++) {
		static const char *const labels[] = {
			"Capacity:", "Allocation:", "Physical:"
		};
		_cleanup_free_ char *text = size_text(i == 0   ? info.capacity
						      : i == 1 ? info.allocation
							       : info.physical,
						      human, known);

		record_add(r, labels[i], size_columns[i + 1].key, !human, "%s",
			   text);
	}
	record_print(r, ctl);
	return EXIT_OK;
}

static char *disk_source(struct xml *x, xmlNodePtr disk)
{
	_cleanup_free_ char *type = xml_string(x, disk, "./@type");

	if (str_eq(type, "nvme"))
		return xml_string(
			x, disk,
			"concat('nvme://', "
			"substring-after(./source/address/@domain, '0x'), ':',"
			"substring-after(./source/address/@bus, '0x'), ':',"
			"substring-after(./source/address/@slot, '0x'), '.',"
			"substring-after(./source/address/@function, '0x'),"
			"'/', ./source/@namespace)");
	return xml_string(x, disk,
			  "./source/@file|./source/@dev|./source/@dir"
			  "|./source/@name|./source/@volume|./source/@path");
}

static const struct column disk_columns[] = {
	{ "Type", "type", false },
	{ "Device", "device", false },
	{ "Target", "target", false },
	{ "Source", "source", false },
};

static int run_domblklist(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	bool details = args_has(args, "details") || ctl->output != OUTPUT_TABLE;
	unsigned int skip = details ? 0 : 2;
	_cleanup_xml_ struct xml x = { NULL };
	xmlXPathObjectPtr disks;
	struct table *t;

	if (xml_open_domain(ctl, &x, dom,
			    args_has(args, "inactive") ? VIR_DOMAIN_XML_INACTIVE
						       : 0) < 0)
		return EXIT_FAILED;
	disks = xml_find(&x, NULL, "./devices/disk");
	t = table_new(disk_columns + skip, ARRAY_SIZE(disk_columns) - skip);
	for (int i = 0; i < xml_count(disks); i++) {
		xmlNodePtr disk = disks->nodesetval->nodeTab[i];
		_cleanup_free_ char *type = xml_string(&x, disk, "./@type");
		_cleanup_free_ char *dev = xml_string(&x, disk, "./@device");
		_cleanup_free_ char *target =
			xml_string(&x, disk, "./target/@dev");
		_cleanup_free_ char *source = disk_source(&x, disk);
		const char *cells[] = { type, dev, target, source };

		table_row(t, cells + skip);
	}
	xmlXPathFreeObject(disks);
	table_print(t, ctl);
	return EXIT_OK;
}

static const struct {
	const char *field, *key, *human;
} disk_figures[] = {
	{ VIR_DOMAIN_BLOCK_STATS_READ_REQ, "rd_req",
	  "number of read operations:" },
	{ VIR_DOMAIN_BLOCK_STATS_READ_BYTES, "rd_bytes",
	  "number of bytes read:" },
	{ VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, "wr_req",
	  "number of write operations:" },
	{ VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, "wr_bytes",
	  "number of bytes written:" },
	{ VIR_DOMAIN_BLOCK_STATS_ERRS, "errs", "error count:" },
	{ VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ,
	  "number of flush operations:" },
	{ VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES,
	  VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES,
	  "total duration of reads (ns):" },
	{ VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES,
	  VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES,
	  "total duration of writes (ns):" },
	{ VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES,
	  VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES,
	  "total duration of flushes (ns):" },
};

/* Those with a known name first and in this order, then the others. */
static void add_disk_figures(struct record *r, struct params *p, bool human)
{
	for (size_t k = 0; k < ARRAY_SIZE(disk_figures); k++) {
		virTypedParameterPtr v =
			virTypedParamsGet(p->v, p->n, disk_figures[k].field);
		_cleanup_free_ char *text = v ? param_text(v) : NULL;

		if (!v)
			continue;
		record_add(r,
			   human ? disk_figures[k].human : disk_figures[k].key,
			   disk_figures[k].key, true, "%s", text);
		v->field[0] = '\0';
	}
	for (int i = 0; i < p->n; i++) {
		_cleanup_free_ char *text = param_text(&p->v[i]);

		if (p->v[i].field[0])
			record_add(r, p->v[i].field, p->v[i].field, true, "%s",
				   text);
	}
}

/* What a hypervisor without the newer call knows. */
static int old_disk_figures(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom, const char *device)
{
	bool human = args_has(args, "human");
	_cleanup_free_ char *before = xasprintf("%s ", human ? "" : device);
	virErrorPtr e = virGetLastError();
	virDomainBlockStatsStruct s;
	struct record *r;

	if (!e || e->code != VIR_ERR_NO_SUPPORT)
		return say_failed(ctl, NULL);
	if (virDomainBlockStats(dom, device, &s, sizeof(s)) < 0)
		return say_failed(ctl, "Failed to get block stats %s %s",
				  args_get(args, "domain"), device);
	r = record_new();
	for (int i = 0; i < 5; i++) {
		const long long v[] = { s.rd_req, s.rd_bytes, s.wr_req,
					s.wr_bytes, s.errs };

		if (v[i] >= 0)
			record_add(r,
				   human ? disk_figures[i].human
					 : disk_figures[i].key,
				   disk_figures[i].key, true, "%lld", v[i]);
	}
	if (human && ctl->output == OUTPUT_TABLE)
		printf("Device: %s\n", device);
	record_print_as(r, ctl, before, human ? 31 : 0, " ");
	return EXIT_OK;
}

static int run_domblkstat(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	const char *device = args_get(args, "device");
	bool human = args_has(args, "human");
	_cleanup_params_ struct params p = { NULL };
	_cleanup_free_ char *before = NULL;
	struct record *r;
	int n = 0;

	device = device ? device : "";
	if (virDomainBlockStatsFlags(dom, device, NULL, &n, 0) < 0)
		return old_disk_figures(ctl, args, dom, device);
	p.v = xcalloc((size_t)n + 1, sizeof(*p.v));
	if (virDomainBlockStatsFlags(dom, device, p.v, &n, 0) < 0)
		return say_failed(ctl,
				  "Failed to get block stats for domain '%s' "
				  "device '%s'",
				  args_get(args, "domain"), device);
	p.n = n;
	r = record_new();
	add_disk_figures(r, &p, human);
	if (human && ctl->output == OUTPUT_TABLE)
		printf("Device: %s\n", device);
	before = xasprintf("%s ", human ? "" : device);
	record_print_as(r, ctl, before, human ? 31 : 0, " ");
	return EXIT_OK;
}

/* ---- interfaces ---- */

static const struct column nic_columns[] = {
	{ "Interface", "interface", false },
	{ "Type", "type", false },
	{ "Source", "source", false },
	{ "Model", "model", false },
	{ "MAC", "mac", false },
};

static int run_domiflist(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	static const char *const parts[] = {
		"./target/@dev", "./@type",
		"./source/@bridge|./source/@dev|./source/@network"
		"|./source/@name|./source/@path",
		"./model/@type", "./mac/@address"
	};
	_cleanup_xml_ struct xml x = { NULL };
	xmlXPathObjectPtr nics;
	struct table *t;

	if (xml_open_domain(ctl, &x, dom,
			    args_has(args, "inactive") ? VIR_DOMAIN_XML_INACTIVE
						       : 0) < 0)
		return EXIT_FAILED;
	nics = xml_find(&x, NULL, "./devices/interface");
	t = table_new(nic_columns, ARRAY_SIZE(nic_columns));
	for (int i = 0; i < xml_count(nics); i++) {
		char *cells[ARRAY_SIZE(parts)];

		for (size_t k = 0; k < ARRAY_SIZE(parts); k++)
			cells[k] = xml_string(&x, nics->nodesetval->nodeTab[i],
					      parts[k]);
		table_row(t, (const char *const *)cells);
		for (size_t k = 0; k < ARRAY_SIZE(parts); k++)
			free(cells[k]);
	}
	xmlXPathFreeObject(nics);
	table_print(t, ctl);
	return EXIT_OK;
}

static int run_domif_getlink(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	const char *name = args_get(args, "interface");
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *state = NULL;
	xmlNodePtr nic;

	if (xml_open_domain(ctl, &x, dom,
			    args_has(args, "config") ? VIR_DOMAIN_XML_INACTIVE
						     : 0) < 0)
		return EXIT_FAILED;
	nic = xml_find_nic(&x, name);
	if (!nic)
		return EXIT_FAILED;
	state = xml_string(&x, nic, "./link/@state");
	if (ctl->output == OUTPUT_TABLE)
		printf("%s %s", name, state ? state : "up");
	else
		say_value(ctl, "state", state ? state : "up");
	return EXIT_OK;
}

static int run_domifstat(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	const char *device = args_get(args, "interface");
	_cleanup_free_ char *before = xasprintf("%s ", device);
	virDomainInterfaceStatsStruct s;
	struct record *r;

	if (virDomainInterfaceStats(dom, device, &s, sizeof(s)) < 0)
		return say_failed(ctl, "Failed to get interface stats %s %s",
				  args_get(args, "domain"), device);
	r = record_new();
#define FIGURE(name)     \
	if (s.name >= 0) \
	record_add(r, #name, #name, true, "%lld", s.name)
	FIGURE(rx_bytes);
	FIGURE(rx_packets);
	FIGURE(rx_errs);
	FIGURE(rx_drop);
	FIGURE(tx_bytes);
	FIGURE(tx_packets);
	FIGURE(tx_errs);
	FIGURE(tx_drop);
#undef FIGURE
	record_print_as(r, ctl, before, 0, " ");
	return EXIT_OK;
}

static const struct column address_columns[] = {
	{ "Name", "name", false },
	{ "MAC address", "mac", false },
	{ "Protocol", "protocol", false },
	{ "Address", "address", false },
};

/* virsh's table here has columns of its own widths. */
static void print_address(struct table *t, virDomainInterfacePtr nic,
			  unsigned int k, bool full)
{
	bool none = !nic->naddrs, name = full || !k;
	_cleanup_free_ char *address =
		none ? NULL
		     : xasprintf("%s/%u", nic->addrs[k].addr,
				 nic->addrs[k].prefix);
	const char *protocol = none ? NULL
			       : nic->addrs[k].type == VIR_IP_ADDR_TYPE_IPV4
				       ? "ipv4"
				       : "ipv6";
	const char *cells[] = { nic->name, nic->hwaddr, protocol, address };
	const char *mac = nic->hwaddr ? nic->hwaddr : none ? "N/A" : "";

	if (t)
		table_row(t, cells);
	else
		printf(" %-10s %-17s    %-12s %s\n", name ? nic->name : "-",
		       name ? mac : "-", none ? "N/A" : protocol,
		       none ? "N/A" : address);
}

static int run_domifaddr(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	static const char *const sources[] = { "lease", "agent", "arp" };
	const char *from = args_get(args, "source");
	const char *only = args_get(args, "interface");
	virDomainInterfacePtr *nics = NULL;
	struct table *t = NULL;
	unsigned int source = 0;
	int n;

	while (from && source < ARRAY_SIZE(sources) &&
	       !str_eq(sources[source], from))
		source++;
	if (source == ARRAY_SIZE(sources)) {
		say_error("Unknown data source '%s'", from);
		return EXIT_FAILED;
	}
	n = virDomainInterfaceAddresses(dom, &nics, source, 0);
	if (n < 0)
		return say_failed(ctl,
				  "Failed to query for interfaces addresses");
	if (ctl->output != OUTPUT_TABLE)
		t = table_new(address_columns, ARRAY_SIZE(address_columns));
	say(ctl,
	    " %-10s %-20s %-8s     %s\n"
	    "--------------------------------------------------------------"
	    "-----------------\n",
	    "Name", "MAC address", "Protocol", "Address");
	for (int i = 0; i < n; i++) {
		for (unsigned int k = 0; k < MAX(nics[i]->naddrs, 1u); k++)
			if (!only || str_eq(only, nics[i]->name))
				print_address(t, nics[i], k,
					      args_has(args, "full"));
		virDomainInterfaceFree(nics[i]);
	}
	free(nics);
	if (t)
		table_print(t, ctl);
	return EXIT_OK;
}

/* ---- the domain ---- */

static int run_domcontrol(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	static const char *const states[] = { "ok", "background job",
					      "occupied", "error" };
	static const char *const details[] = { "none", "unknown reason",
					       "monitor failure",
					       "internal (locking) error" };
	virDomainControlInfo info;
	const char *state;

	(void)args;
	if (virDomainGetControlInfo(dom, &info, 0) < 0)
		return say_failed(ctl, NULL);
	state = info.state < ARRAY_SIZE(states) ? states[info.state]
						: "unknown";
	if (ctl->output != OUTPUT_TABLE)
		say_value(ctl, "state", state);
	else if (info.state == VIR_DOMAIN_CONTROL_ERROR && info.details)
		printf("%s: %s\n", state,
		       info.details < ARRAY_SIZE(details)
			       ? details[info.details]
			       : "unknown reason");
	else if (info.state == VIR_DOMAIN_CONTROL_OK ||
		 info.state == VIR_DOMAIN_CONTROL_ERROR)
		printf("%s\n", state);
	else
		printf("%s (%0.3fs)\n", state, info.stateTime / 1000.0);
	return EXIT_OK;
}

static const char *const memory_figures[] = {
	[VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "swap_in",
	[VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "swap_out",
	[VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "major_fault",
	[VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "minor_fault",
	[VIR_DOMAIN_MEMORY_STAT_UNUSED] = "unused",
	[VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "available",
	[VIR_DOMAIN_MEMORY_STAT_USABLE] = "usable",
	[VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] = "actual",
	[VIR_DOMAIN_MEMORY_STAT_RSS] = "rss",
	[VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "last_update",
	[VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "disk_caches",
	[VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] = "hugetlb_pgalloc",
	[VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] = "hugetlb_pgfail",
};

static int set_period(struct ctl *ctl, const struct args *args,
		      virDomainPtr dom, int period)
{
	unsigned int flags;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	if (!flags && !args_has(args, "current") && virDomainIsActive(dom) == 1)
		flags = VIR_DOMAIN_AFFECT_LIVE;
	if (period < 0) {
		say_error("Invalid collection period value '%d'", period);
		return EXIT_FAILED;
	}
	if (virDomainSetMemoryStatsPeriod(dom, period, flags) < 0)
		return say_failed(ctl, "Unable to change balloon collection "
				       "period.");
	return EXIT_OK;
}

static int run_dommemstat(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	virDomainMemoryStatStruct s[VIR_DOMAIN_MEMORY_STAT_NR];
	int period, given = args_int(args, "period", &period), n;
	struct record *r;

	if (given)
		return given < 0 ? EXIT_FAILED
				 : set_period(ctl, args, dom, period);
	n = virDomainMemoryStats(dom, s, VIR_DOMAIN_MEMORY_STAT_NR, 0);
	if (n < 0)
		return say_failed(
			ctl, "Failed to get memory statistics for domain %s",
			args_get(args, "domain"));
	r = record_new();
	for (int i = 0; i < n; i++)
		if ((size_t)s[i].tag < ARRAY_SIZE(memory_figures))
			record_add(r, memory_figures[s[i].tag],
				   memory_figures[s[i].tag], true, "%llu",
				   s[i].val);
	record_print_as(r, ctl, "", 0, " ");
	return EXIT_OK;
}

static int run_domtime(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	bool sync = args_has(args, "sync");
	unsigned long long given = 0;
	long long seconds = time(NULL);
	int r = args_ull(args, "time", &given);
	unsigned int ns = 0;
	char text[32];
	struct tm tm;
	time_t t;

	if (r < 0 || args_exclusive(args, "time", "now") < 0 ||
	    args_exclusive(args, "time", "sync") < 0 ||
	    args_exclusive(args, "now", "sync") < 0)
		return EXIT_FAILED;
	if (r > 0 || sync || args_has(args, "now")) {
		seconds = r > 0 ? (long long)given : sync ? 0 : seconds;
		if (virDomainSetTime(dom, seconds, 0,
				     sync ? VIR_DOMAIN_TIME_SYNC : 0) < 0)
			return say_failed(ctl, NULL);
		return EXIT_OK;
	}
	if (virDomainGetTime(dom, &seconds, &ns, 0) < 0)
		return say_failed(ctl, NULL);
	t = seconds;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	if (!args_has(args, "pretty"))
		snprintf(text, sizeof(text), "%lld", seconds);
	if (ctl->output == OUTPUT_TABLE)
		printf("Time: %s", text);
	else
		say_value(ctl, "time", text);
	return EXIT_OK;
}

/* ---- domstats ---- */

static const struct flag_option stats_groups[] = {
	{ "state", VIR_DOMAIN_STATS_STATE },
	{ "cpu-total", VIR_DOMAIN_STATS_CPU_TOTAL },
	{ "balloon", VIR_DOMAIN_STATS_BALLOON },
	{ "vcpu", VIR_DOMAIN_STATS_VCPU },
	{ "interface", VIR_DOMAIN_STATS_INTERFACE },
	{ "block", VIR_DOMAIN_STATS_BLOCK },
	{ "perf", VIR_DOMAIN_STATS_PERF },
	{ "iothread", VIR_DOMAIN_STATS_IOTHREAD },
	{ "memory", VIR_DOMAIN_STATS_MEMORY },
	{ "dirtyrate", VIR_DOMAIN_STATS_DIRTYRATE },
	{ "vm", VIR_DOMAIN_STATS_VM },
	{ NULL },
};

static const struct flag_option stats_flags[] = {
	{ "list-active", VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE },
	{ "list-inactive", VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE },
	{ "list-persistent", VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT },
	{ "list-transient", VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT },
	{ "list-running", VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING },
	{ "list-paused", VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED },
	{ "list-shutoff", VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF },
	{ "list-other", VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER },
	{ "enforce", VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS },
	{ "backing", VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING },
	{ "nowait", VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT },
	{ NULL },
};

static void print_stats(virDomainStatsRecordPtr *records)
{
	for (; *records; records++) {
		printf("Domain: '%s'\n", virDomainGetName((*records)->dom));
		for (int i = 0; i < (*records)->nparams; i++) {
			_cleanup_free_ char *text =
				param_text(&(*records)->params[i]);

			printf("  %s=%s\n", (*records)->params[i].field, text);
		}
		if (records[1])
			putchar('\n');
	}
}

static void print_stats_tree(struct ctl *ctl, virDomainStatsRecordPtr *records)
{
	struct json_object *all = json_object_new_object(), *o;

	for (; *records; records++) {
		o = json_object_new_object();
		for (int i = 0; i < (*records)->nparams; i++)
			json_object_object_add(
				o, (*records)->params[i].field,
				param_json(&(*records)->params[i]));
		json_object_object_add(all, virDomainGetName((*records)->dom),
				       o);
	}
	print_tree(ctl, all);
}

static int run_domstats(struct ctl *ctl, const struct args *args)
{
	unsigned int groups = args_flags(args, stats_groups);
	unsigned int flags = args_flags(args, stats_flags);
	virDomainPtr doms[REST_MAX + 1] = { NULL };
	virDomainStatsRecordPtr *records = NULL;
	int n = 0, status = EXIT_OK;

	for (; n < args->n_rest && !status; n++) {
		doms[n] = ctl_domain_named(ctl, args->rest[n]);
		if (!doms[n])
			status = EXIT_FAILED;
	}
	if (!status && (n ? virDomainListGetStats(doms, groups, &records, flags)
			  : virConnectGetAllDomainStats(ctl->conn, groups,
							&records, flags)) < 0)
		status = say_failed(ctl, NULL);
	if (!status && ctl->output == OUTPUT_TABLE)
		print_stats(records);
	else if (!status)
		print_stats_tree(ctl, records);
	if (records)
		virDomainStatsRecordListFree(records);
	for (int i = 0; i < n && doms[i]; i++)
		virDomainFree(doms[i]);
	return status;
}

const struct command family_stats[] = {
	{ .name = "domblkerror",
	  .group = "monitor",
	  .summary = "show errors of block devices",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_domblkerror },
	{ .name = "domblkinfo",
	  .group = "monitor",
	  .summary = "sizes of a block device",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("device"),
		       FLAG("human"), FLAG("all")),
	  .on_domain = run_domblkinfo },
	{ .name = "domblklist",
	  .group = "monitor",
	  .summary = "list the block devices of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("inactive"),
		       FLAG("details")),
	  .on_domain = run_domblklist },
	{ .name = "domblkstat",
	  .group = "monitor",
	  .summary = "figures of a block device",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("device"),
		       FLAG("human")),
	  .on_domain = run_domblkstat },
	{ .name = "domcontrol",
	  .group = "monitor",
	  .summary = "state of the control interface to a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_domcontrol },
	{ .name = "domif-getlink",
	  .group = "monitor",
	  .summary = "link state of an interface",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("interface"),
		       FLAG("config")),
	  .on_domain = run_domif_getlink },
	{ .name = "domifaddr",
	  .group = "monitor",
	  .summary = "addresses of the interfaces of a running domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("interface"),
		       FLAG("full"),
		       STRING("source", "who is asked: lease, agent or arp")),
	  .on_domain = run_domifaddr },
	{ .name = "domiflist",
	  .group = "monitor",
	  .summary = "list the interfaces of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("inactive")),
	  .on_domain = run_domiflist },
	{ .name = "domifstat",
	  .group = "monitor",
	  .summary = "figures of an interface",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("interface")),
	  .on_domain = run_domifstat },
	{ .name = "dommemstat",
	  .group = "monitor",
	  .summary = "figures of the memory of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active), NAMED_NUMBER("period"),
		       OPTS_AFFECT),
	  .on_domain = run_dommemstat },
	{ .name = "domstats",
	  .group = "monitor",
	  .summary = "figures of one or more domains",
	  .details = "All groups of figures and all domains, unless options "
		     "say otherwise.",
	  .opts = OPTS(FLAG("state"), FLAG("cpu-total"), FLAG("balloon"),
		       FLAG("vcpu"), FLAG("interface"), FLAG("block"),
		       FLAG("perf"), FLAG("iothread"), FLAG("memory"),
		       FLAG("dirtyrate"), FLAG("vm"), FLAG("list-active"),
		       FLAG("list-inactive"), FLAG("list-persistent"),
		       FLAG("list-transient"), FLAG("list-running"),
		       FLAG("list-paused"), FLAG("list-shutoff"),
		       FLAG("list-other"), FLAG("raw"), FLAG("enforce"),
		       FLAG("backing"), FLAG("nowait"),
		       { .name = "domain", .help = "", .kind = OPT_REST }),
	  .run = run_domstats },
	{ .name = "domtime",
	  .group = "monitor",
	  .summary = "read or set the time of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active), FLAG("now"), FLAG("pretty"),
		       FLAG("sync"), NUMBER("time")),
	  .on_domain = run_domtime },
	{ NULL },
};
