/*
 * cli/cmd-vcpu.c -- vCPUs and I/O threads of domains, and where they run.
 */
#include <string.h>

#include "base/cpuset.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/xml.h"

/* Host CPUs, as pinning counts them; -1: said why. */
static int host_cpus(struct ctl *ctl)
{
	int n = virNodeGetCPUMap(ctl->conn, NULL, NULL, 0);
	virNodeInfo info;

	if (n > 0)
		return n;
	if (virNodeGetInfo(ctl->conn, &info) == 0)
		return (int)VIR_NODEINFO_MAXCPUS(info);
	say_failed(ctl, NULL);
	return -1;
}

/* A cpumap as a list of CPUs. */
static char *map_text(const unsigned char *map, int n)
{
	struct cpuset set = { 0 };

	for (int i = 0; i < MIN(n, CPUSET_MAX); i++)
		if (VIR_CPU_USED(map, i))
			cpuset_add(&set, (unsigned int)i);
	return cpuset_format(&set);
}

/* A list of CPUs, "r" for all, as a cpumap; NULL: said why. */
static unsigned char *read_map(struct ctl *ctl, const char *list, int *ret_len)
{
	int n = host_cpus(ctl), last;
	unsigned char *map;
	struct cpuset set;

	if (n < 0)
		return NULL;
	if (!str_eq(list, "r") && cpuset_parse(list, &set) < 0) {
		say_error("Invalid cpulist '%s'", list);
		return NULL;
	}
	last = str_eq(list, "r") ? n - 1 : cpuset_last(&set);
	if (last < 0) {
		say_error("Invalid cpulist '%s'", list);
		return NULL;
	}
	*ret_len = VIR_CPU_MAPLEN(MAX(n, last + 1));
	map = xcalloc((size_t)*ret_len, 1);
	for (int i = 0; i < *ret_len * 8; i++)
		if (str_eq(list, "r")
			    ? i < n
			    : i < CPUSET_MAX && cpuset_has(&set, (unsigned)i))
			VIR_USE_CPU(map, i);
	return map;
}

/* ---- how many ---- */

static int run_setvcpus(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	unsigned int flags, count;

	if (args_affect(args, &flags) < 0 ||
	    args_exclusive(args, "guest", "config") < 0 ||
	    args_uint(args, "count", &count) < 0)
		return EXIT_FAILED;
	if (!count) {
		say_error("Can't set 0 processors for a VM");
		return EXIT_FAILED;
	}
	if (args_has(args, "guest"))
		flags |= VIR_DOMAIN_VCPU_GUEST;
	if (args_has(args, "maximum"))
		flags |= VIR_DOMAIN_VCPU_MAXIMUM;
	if (args_has(args, "hotpluggable"))
		flags |= VIR_DOMAIN_VCPU_HOTPLUGGABLE;
	/* Without flags the older call does, for older hypervisors. */
	if ((flags || args_has(args, "current")
		     ? virDomainSetVcpusFlags(dom, count, flags)
		     : virDomainSetVcpus(dom, count)) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

static const struct {
	const char *what, *where, *key;
	unsigned int flags;
} counts[] = {
	{ "maximum", "config", "maximum_config",
	  VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_VCPU_MAXIMUM },
	{ "maximum", "live", "maximum_live",
	  VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_VCPU_MAXIMUM },
	{ "current", "config", "current_config", VIR_DOMAIN_AFFECT_CONFIG },
	{ "current", "live", "current_live", VIR_DOMAIN_AFFECT_LIVE },
};

static int all_counts(struct ctl *ctl, virDomainPtr dom)
{
	struct record *r = record_new();

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		bool live = counts[i].flags & VIR_DOMAIN_AFFECT_LIVE;
		_cleanup_free_ char *label = xasprintf(
			"%-12s %-12s", counts[i].what, counts[i].where);
		int n;

		if (live ? virDomainIsActive(dom) != 1
			 : virDomainIsPersistent(dom) != 1)
			continue;
		n = virDomainGetVcpusFlags(dom, counts[i].flags);
		if (n < 0) {
			record_free(r);
			return say_failed(ctl, NULL);
		}
		record_add(r, label, counts[i].key, true,
			   ctl->output == OUTPUT_TABLE ? "%3d" : "%d", n);
	}
	record_print_as(r, ctl, "", 0, " ");
	return EXIT_OK;
}

static int run_vcpucount(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	bool active = args_has(args, "active");
	unsigned int flags;
	char text[16];
	int n;

	if (args_affect(args, &flags) < 0 ||
	    args_exclusive(args, "live", "config") < 0 ||
	    args_exclusive(args, "maximum", "active") < 0 ||
	    args_exclusive(args, "guest", "config") < 0)
		return EXIT_FAILED;
	if (!flags && !active && !args_has(args, "maximum") &&
	    !args_has(args, "current") && !args_has(args, "guest"))
		return all_counts(ctl, dom);
	if (args_has(args, "guest"))
		flags |= VIR_DOMAIN_VCPU_GUEST;
	if (args_has(args, "maximum"))
		flags |= VIR_DOMAIN_VCPU_MAXIMUM;
	n = virDomainGetVcpusFlags(dom, flags);
	if (n < 0)
		return say_failed(ctl, NULL);
	snprintf(text, sizeof(text), "%d", n);
	say_value(ctl, "vcpus", text);
	return EXIT_OK;
}

/* ---- what they do ---- */

enum { VCPUS_MAX = 4096 };

static const char *const vcpu_states[] = { "offline", "running", "blocked" };

static char *affinity(const unsigned char *map, int n, bool pretty)
{
	_cleanup_free_ char *list = pretty ? map_text(map, n) : NULL;
	char *text;

	if (pretty)
		return xasprintf("%s (out of %d)", list, n);
	text = xcalloc((size_t)n + 1, 1);
	for (int i = 0; i < n; i++)
		text[i] = VIR_CPU_USED(map, i) ? 'y' : '-';
	return text;
}

static void print_vcpu(struct ctl *ctl, const virVcpuInfo *v, int number,
		       const unsigned char *map, int cpus, bool pretty)
{
	_cleanup_free_ char *text = affinity(map, cpus, pretty);
	struct record *r = record_new();

	record_add(r, "VCPU:", "vcpu", true, "%d", number);
	if (v) {
		record_add(r, "CPU:", "cpu", true, "%d", v->cpu);
		record_add(r, "State:", "state", false, "%s",
			   (size_t)v->state < ARRAY_SIZE(vcpu_states)
				   ? vcpu_states[v->state]
				   : "no state");
		if (v->cpuTime)
			record_add(r, "CPU time:", "cpu_time", false, "%.1fs",
				   v->cpuTime / 1e9);
	} else {
		record_add(r, "CPU:", "cpu", false, "N/A");
		record_add(r, "State:", "state", false, "N/A");
		record_add(r, "CPU time", "cpu_time", false, "N/A");
	}
	record_add(r, "CPU Affinity:", "affinity", false, "%s", text);
	record_print(r, ctl);
}

/* A domain that does not run has only its definition's pinning. */
static int inactive_info(struct ctl *ctl, virDomainPtr dom, int cpus,
			 bool pretty)
{
	int n = virDomainGetVcpusFlags(dom, VIR_DOMAIN_AFFECT_CONFIG |
						    VIR_DOMAIN_VCPU_MAXIMUM);
	_cleanup_free_ unsigned char *maps = NULL;
	int len = VIR_CPU_MAPLEN(cpus);

	if (n < 0)
		return say_failed(ctl, NULL);
	maps = xcalloc((size_t)n + 1, (size_t)len);
	n = virDomainGetVcpuPinInfo(dom, n, maps, len,
				    VIR_DOMAIN_AFFECT_CONFIG);
	if (n < 0)
		return say_failed(ctl, NULL);
	for (int i = 0; i < n; i++) {
		if (i)
			say(ctl, "\n");
		print_vcpu(ctl, NULL, i, VIR_GET_CPUMAP(maps, len, i), cpus,
			   pretty);
	}
	return EXIT_OK;
}

static int run_vcpuinfo(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	int cpus = host_cpus(ctl), len = VIR_CPU_MAPLEN(cpus), n;
	bool pretty = args_has(args, "pretty");
	_cleanup_free_ unsigned char *maps = NULL;
	_cleanup_free_ virVcpuInfoPtr info = NULL;
	virDomainInfo d;

	if (cpus < 0)
		return EXIT_FAILED;
	if (virDomainGetInfo(dom, &d) < 0)
		return say_failed(ctl, NULL);
	if (virDomainIsActive(dom) != 1)
		return inactive_info(ctl, dom, cpus, pretty);
	info = xcalloc((size_t)d.nrVirtCpu + 1, sizeof(*info));
	maps = xcalloc((size_t)d.nrVirtCpu + 1, (size_t)len);
	n = virDomainGetVcpus(dom, info, d.nrVirtCpu, maps, len);
	if (n < 0)
		return say_failed(ctl, NULL);
	for (int i = 0; i < n; i++) {
		if (i)
			say(ctl, "\n");
		print_vcpu(ctl, &info[i], (int)info[i].number,
			   VIR_GET_CPUMAP(maps, len, i), cpus, pretty);
	}
	return EXIT_OK;
}

/* ---- where they run ---- */

static const struct column pin_columns[] = {
	{ "VCPU", "vcpu", true },
	{ "CPU Affinity", "affinity", false },
};

static int show_pins(struct ctl *ctl, virDomainPtr dom, unsigned int flags,
		     int only, bool one)
{
	int cpus = host_cpus(ctl), len = VIR_CPU_MAPLEN(cpus), n;
	_cleanup_free_ unsigned char *maps = NULL;
	virDomainInfo d;
	struct table *t;

	if (cpus < 0 || virDomainGetInfo(dom, &d) < 0)
		return say_failed(ctl, NULL);
	n = virDomainGetVcpusFlags(dom, flags | VIR_DOMAIN_VCPU_MAXIMUM);
	if (n < 0)
		n = d.nrVirtCpu;
	maps = xcalloc((size_t)n + 1, (size_t)len);
	n = virDomainGetVcpuPinInfo(dom, n, maps, len, flags);
	if (n < 0)
		return say_failed(ctl, NULL);
	if (one && only >= n) {
		say_error("vcpu %d is out of range of %s cpu count %d", only,
			  virDomainIsActive(dom) == 1 &&
					  !(flags & VIR_DOMAIN_AFFECT_CONFIG)
				  ? "live"
				  : "persistent",
			  n);
		return EXIT_FAILED;
	}
	t = table_new(pin_columns, ARRAY_SIZE(pin_columns));
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *text =
			map_text(VIR_GET_CPUMAP(maps, len, i), cpus);
		char number[16];

		snprintf(number, sizeof(number), "%d", i);
		if (!one || i == only)
			table_row(t, (const char *[]){ number, text });
	}
	table_print(t, ctl);
	return EXIT_OK;
}

static int run_vcpupin(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	const char *list = args_get(args, "cpulist");
	_cleanup_free_ unsigned char *map = NULL;
	unsigned int flags, vcpu = 0;
	int given, len, r;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	given = args_uint(args, "vcpu", &vcpu);
	if (given < 0)
		return EXIT_FAILED;
	if (!list)
		return show_pins(ctl, dom, flags, (int)vcpu, given);
	if (!given) {
		say_error("vcpupin: Missing vCPU number in pin mode.");
		return EXIT_FAILED;
	}
	map = read_map(ctl, list, &len);
	if (!map)
		return EXIT_FAILED;
	r = flags || args_has(args, "current")
		    ? virDomainPinVcpuFlags(dom, vcpu, map, len, flags)
		    : virDomainPinVcpu(dom, vcpu, map, len);
	return r < 0 ? say_failed(ctl, NULL) : EXIT_OK;
}

static int run_emulatorpin(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	const char *list = args_get(args, "cpulist");
	_cleanup_free_ unsigned char *map = NULL;
	_cleanup_free_ char *text = NULL;
	int cpus = host_cpus(ctl), len = VIR_CPU_MAPLEN(cpus);
	unsigned int flags;

	if (cpus < 0 || args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	if (list) {
		map = read_map(ctl, list, &len);
		if (!map)
			return EXIT_FAILED;
		return virDomainPinEmulator(dom, map, len, flags) < 0
			       ? say_failed(ctl, NULL)
			       : EXIT_OK;
	}
	map = xcalloc((size_t)len, 1);
	if (virDomainGetEmulatorPinInfo(dom, map, len, flags) < 0)
		return say_failed(ctl, NULL);
	text = map_text(map, cpus);
	if (ctl->output != OUTPUT_TABLE) {
		say_value(ctl, "affinity", text);
		return EXIT_OK;
	}
	say(ctl, "emulator: CPU Affinity\n"
		 "----------------------------------\n       *: ");
	printf("%s\n", text);
	return EXIT_OK;
}

/* ---- plugging single ones ---- */

/* --enable or --disable: 1, 0, or -1: neither, said so. */
static int switch_of(const struct args *args)
{
	if (args_exclusive(args, "enable", "disable") < 0)
		return -1;
	if (args_has(args, "enable") || args_has(args, "disable"))
		return args_has(args, "enable");
	say_error("one of --enable, --disable is required");
	return -1;
}

static int run_setvcpu(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	unsigned int flags;
	int on;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	on = switch_of(args);
	if (on < 0)
		return EXIT_FAILED;
	if (virDomainSetVcpu(dom, args_get(args, "vcpulist"), on, flags) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

static int run_guestvcpus(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	const char *list = args_get(args, "cpulist");
	bool on = args_has(args, "enable"), off = args_has(args, "disable");
	_cleanup_params_ struct params p = { NULL };
	unsigned int n = 0;

	if (args_exclusive(args, "enable", "disable") < 0)
		return EXIT_FAILED;
	if ((on || off) != (list != NULL)) {
		say_error(list ? "One of options --enable or --disable is "
				 "required by option --cpulist"
			       : "Option --cpulist is required by option "
				 "--enable or --disable");
		return EXIT_FAILED;
	}
	if (list)
		return virDomainSetGuestVcpus(dom, list, on, 0) < 0
			       ? say_failed(ctl, NULL)
			       : EXIT_OK;
	if (virDomainGetGuestVcpus(dom, &p.v, &n, 0) < 0)
		return say_failed(ctl, NULL);
	p.n = (int)n;
	params_print(ctl, &p, "", 15, ": ");
	return EXIT_OK;
}

/* ---- CPU time ---- */

static void print_cpu_field(const virTypedParameter *p)
{
	_cleanup_free_ char *text = param_text(p);

	if (p->type == VIR_TYPED_PARAM_ULLONG)
		printf("\t%-12s %9llu.%09llu seconds\n", p->field,
		       p->value.ul / 1000000000, p->value.ul % 1000000000);
	else
		printf("\t%-12s %s\n", p->field, text);
}

/* Fields of what the call gave: n CPUs of width fields each. */
static void print_cpus(struct ctl *ctl, const char *what, int first, int n,
		       virTypedParameterPtr v, int width)
{
	struct json_object *all = json_object_new_object();

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *name =
			first < 0 ? xstrdup(what)
				  : xasprintf("%s%d", what, first + i);
		struct json_object *o = json_object_new_object();

		if (ctl->output == OUTPUT_TABLE && v[i * width].type)
			printf("%s:\n", name);
		for (int k = i * width; k < (i + 1) * width; k++) {
			if (!v[k].type)
				continue;
			if (ctl->output == OUTPUT_TABLE)
				print_cpu_field(&v[k]);
			else
				json_object_object_add(o, v[k].field,
						       param_json(&v[k]));
		}
		json_object_object_add(all, name, o);
	}
	if (ctl->output == OUTPUT_TABLE)
		json_object_put(all);
	else
		print_tree(ctl, all);
}

static int show_per_cpu(struct ctl *ctl, virDomainPtr dom, int first, int count)
{
	int max = virDomainGetCPUStats(dom, NULL, 0, 0, 0, 0), width, got;
	_cleanup_params_ struct params p = { NULL };

	if (max < 0)
		return -1;
	if (first >= max) {
		say_error("Start CPU %d is out of range (min: 0, max: %d)",
			  first, max - 1);
		return -1;
	}
	if (count > max - first)
		say(ctl, "Only %d CPUs available to show\n", max);
	count = count < 0 || count > max - first ? max - first : count;
	width = virDomainGetCPUStats(dom, NULL, 0, 0, 1, 0);
	if (width <= 0) {
		if (!width)
			say(ctl, "No per-CPU stats available");
		return width;
	}
	while (count > 0) {
		int n = MIN(count, 128);

		p.n = n * width;
		p.v = xcalloc((size_t)p.n, sizeof(*p.v));
		got = virDomainGetCPUStats(dom, p.v, (unsigned int)width, first,
					   (unsigned int)n, 0);
		if (got < 0)
			return -1;
		print_cpus(ctl, "CPU", first, n, p.v, width);
		params_free(&p);
		first += n;
		count -= n;
	}
	return 0;
}

static int show_total(struct ctl *ctl, virDomainPtr dom)
{
	_cleanup_params_ struct params p = { NULL };
	int width = virDomainGetCPUStats(dom, NULL, 0, -1, 1, 0);

	if (width <= 0) {
		if (!width)
			say(ctl, "No total stats available");
		return width;
	}
	p.n = width;
	p.v = xcalloc((size_t)width, sizeof(*p.v));
	if (virDomainGetCPUStats(dom, p.v, (unsigned int)width, -1, 1, 0) < 0)
		return -1;
	print_cpus(ctl, "Total", -1, 1, p.v, width);
	return 0;
}

static int run_cpu_stats(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	int start = 0, count = -1;
	int has_start = args_int(args, "start", &start);
	int has_count = args_int(args, "count", &count);
	bool total = args_has(args, "total");
	bool both = !has_start && !has_count && !total;

	if (has_start < 0 || has_count < 0 || start < 0 ||
	    (has_count && count < 0)) {
		if (has_start > 0 && start < 0)
			say_error("Invalid value for start CPU");
		else if (has_count > 0 && count < 0)
			say_error("Invalid value for number of CPUs to show");
		return EXIT_FAILED;
	}
	if (((both || has_start || has_count) && count &&
	     show_per_cpu(ctl, dom, start, count) < 0) ||
	    ((both || total) && show_total(ctl, dom) < 0))
		return say_failed(ctl,
				  "Failed to retrieve CPU statistics for "
				  "domain '%s'",
				  args_get(args, "domain"));
	return EXIT_OK;
}

/* ---- I/O threads ---- */

static const struct column iothread_columns[] = {
	{ "IOThread ID", "id", true },
	{ "CPU Affinity", "affinity", false },
};

static int run_iothreadinfo(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom)
{
	virDomainIOThreadInfoPtr *info = NULL;
	int cpus = host_cpus(ctl), n;
	struct table *t;
	unsigned int flags;

	if (cpus < 0 || args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	n = virDomainGetIOThreadInfo(dom, &info, flags);
	if (n < 0)
		return say_failed(ctl, "Unable to get domain IOThreads "
				       "information");
	if (!n && ctl->output == OUTPUT_TABLE) {
		say(ctl, "No IOThreads found for the domain");
		return EXIT_OK;
	}
	t = table_new(iothread_columns, ARRAY_SIZE(iothread_columns));
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *text = map_text(info[i]->cpumap, cpus);
		char id[16];

		snprintf(id, sizeof(id), "%u", info[i]->iothread_id);
		table_row(t, (const char *[]){ id, text });
		virDomainIOThreadInfoFree(info[i]);
	}
	free(info);
	table_print(t, ctl);
	return EXIT_OK;
}

/* The option's thread, or -1: said why. */
static int thread_id(const struct args *args, const char *option, int least)
{
	int id = 0;

	if (args_int(args, option, &id) < 0)
		return -1;
	if (id >= least)
		return id;
	say_error("Invalid IOThread id value: '%d'", id);
	return -1;
}

static int run_iothreadpin(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	_cleanup_free_ unsigned char *map = NULL;
	unsigned int flags, id;
	int len;

	if (args_affect(args, &flags) < 0 ||
	    args_uint(args, "iothread", &id) < 0)
		return EXIT_FAILED;
	map = read_map(ctl, args_get(args, "cpulist"), &len);
	if (!map)
		return EXIT_FAILED;
	return virDomainPinIOThread(dom, id, map, len, flags) < 0
		       ? say_failed(ctl, NULL)
		       : EXIT_OK;
}

static int change_iothreads(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom,
			    int (*change)(virDomainPtr dom, unsigned int id,
					  unsigned int flags))
{
	unsigned int flags;
	int id;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	id = thread_id(args, "id", 1);
	if (id < 0)
		return EXIT_FAILED;
	return change(dom, (unsigned int)id, flags) < 0
		       ? say_failed(ctl, NULL)
		       : EXIT_OK;
}

static int run_iothreadadd(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	return change_iothreads(ctl, args, dom, virDomainAddIOThread);
}

static int run_iothreaddel(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	return change_iothreads(ctl, args, dom, virDomainDelIOThread);
}

static int run_iothreadset(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	static const struct param_option settings[] = {
		{ "poll-max-ns", VIR_DOMAIN_IOTHREAD_POLL_MAX_NS,
		  VIR_TYPED_PARAM_ULLONG, false, 0 },
		{ "poll-grow", VIR_DOMAIN_IOTHREAD_POLL_GROW,
		  VIR_TYPED_PARAM_UINT, false, 0 },
		{ "poll-shrink", VIR_DOMAIN_IOTHREAD_POLL_SHRINK,
		  VIR_TYPED_PARAM_UINT, false, 0 },
		{ "thread-pool-min", VIR_DOMAIN_IOTHREAD_THREAD_POOL_MIN,
		  VIR_TYPED_PARAM_INT, false, 0 },
		{ "thread-pool-max", VIR_DOMAIN_IOTHREAD_THREAD_POOL_MAX,
		  VIR_TYPED_PARAM_INT, false, 0 },
		{ NULL },
	};
	_cleanup_params_ struct params p = { NULL };
	unsigned int flags;
	int id;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	id = thread_id(args, "id", 1);
	if (id < 0 || args_params(args, settings, &p) < 0)
		return EXIT_FAILED;
	if (!p.n) {
		say_error("Not enough arguments passed, nothing to set");
		return EXIT_FAILED;
	}
	return virDomainSetIOThreadParams(dom, (unsigned int)id, p.v, p.n,
					  flags) < 0
		       ? say_failed(ctl, NULL)
		       : EXIT_OK;
}

const struct command family_vcpu[] = {
	{ .name = "cpu-stats",
	  .group = "domain",
	  .summary = "CPU time of a domain, by host CPU",
	  .opts = OPTS(OPT_DOMAIN(complete_active), FLAG("total"),
		       NUMBER("start", "first CPU"),
		       NUMBER("count", "of how many CPUs")),
	  .on_domain = run_cpu_stats },
	{ .name = "emulatorpin",
	  .group = "domain",
	  .summary = "read or set the host CPUs of the other threads",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("cpulist"),
		       OPTS_AFFECT),
	  .on_domain = run_emulatorpin },
	{ .name = "guestvcpus",
	  .group = "domain",
	  .summary = "read or set which vCPUs the guest uses, by its agent",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("cpulist"),
		       FLAG("enable"), FLAG("disable")),
	  .on_domain = run_guestvcpus },
	{ .name = "iothreadadd",
	  .group = "domain",
	  .summary = "add an I/O thread",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA_NUMBER("id", "number of the I/O thread"),
		       OPTS_AFFECT),
	  .on_domain = run_iothreadadd },
	{ .name = "iothreaddel",
	  .group = "domain",
	  .summary = "remove an I/O thread",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA_NUMBER("id", "number of the I/O thread"),
		       OPTS_AFFECT),
	  .on_domain = run_iothreaddel },
	{ .name = "iothreadinfo",
	  .group = "domain",
	  .summary = "list the I/O threads of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), OPTS_AFFECT),
	  .on_domain = run_iothreadinfo },
	{ .name = "iothreadpin",
	  .group = "domain",
	  .summary = "set the host CPUs of an I/O thread",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA_NUMBER("iothread"),
		       DATA("cpulist"), OPTS_AFFECT),
	  .on_domain = run_iothreadpin },
	{ .name = "iothreadset",
	  .group = "domain",
	  .summary = "set how an I/O thread polls",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA_NUMBER("id", "number of the I/O thread"),
		       NUMBER("poll-max-ns"), NUMBER("poll-grow"),
		       NUMBER("poll-shrink"), NUMBER("thread-pool-min"),
		       NUMBER("thread-pool-max"), OPTS_AFFECT),
	  .on_domain = run_iothreadset },
	{ .name = "setvcpu",
	  .group = "domain",
	  .summary = "plug or unplug one vCPU",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("vcpulist"),
		       FLAG("enable"), FLAG("disable"), OPTS_AFFECT),
	  .on_domain = run_setvcpu },
	{ .name = "setvcpus",
	  .group = "domain",
	  .summary = "set the number of vCPUs",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA_NUMBER("count", "how many"), FLAG("maximum"),
		       OPTS_AFFECT,
		       FLAG("guest", "let the agent in the guest do it"),
		       FLAG("hotpluggable")),
	  .on_domain = run_setvcpus },
	{ .name = "vcpucount",
	  .group = "domain",
	  .summary = "how many vCPUs a domain has",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("maximum"),
		       FLAG("active", "those in use"), OPTS_AFFECT,
		       FLAG("guest", "as the agent in the guest says")),
	  .on_domain = run_vcpucount },
	{ .name = "vcpuinfo",
	  .group = "domain",
	  .summary = "what each vCPU does and where",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("pretty")),
	  .on_domain = run_vcpuinfo },
	{ .name = "vcpupin",
	  .group = "domain",
	  .summary = "read or set the host CPUs of a vCPU",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), NUMBER("vcpu"),
		       STRING("cpulist"), OPTS_AFFECT),
	  .on_domain = run_vcpupin },
	{ NULL },
};
