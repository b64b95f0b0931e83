/*
 * cli/cmd-node.c -- figures and settings of the host: its CPUs, memory, pages.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/xml.h"

enum { CELLS_MAX = 1024, PAGES_MAX = 16 };

/* The capabilities' NUMA cells: how many, or -1, said why. */
static int read_cells(struct ctl *ctl, struct xml *x, int *ret_ids)
{
	_cleanup_free_ char *caps = virConnectGetCapabilities(ctl->conn);
	xmlXPathObjectPtr cells;
	int n;

	if (!caps)
		return -say_failed(ctl, "unable to get node capabilities");
	if (xml_open(x, caps) < 0)
		return -1;
	cells = xml_find(x, NULL, "/capabilities/host/topology/cells/cell");
	n = MIN(xml_count(cells), CELLS_MAX);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *id =
			xml_string(x, cells->nodesetval->nodeTab[i], "./@id");

		ret_ids[i] = id ? atoi(id) : 0;
	}
	xmlXPathFreeObject(cells);
	return n;
}

/* ---- memory ---- */

static int free_of_cells(struct ctl *ctl)
{
	_cleanup_xml_ struct xml x = { NULL };
	unsigned long long v, total = 0;
	struct record *r = record_new();
	int ids[CELLS_MAX], n = read_cells(ctl, &x, ids), i;

	for (i = 0; i < n; i++) {
		_cleanup_free_ char *label = xasprintf("%5d", ids[i]);
		_cleanup_free_ char *key = xasprintf("%d", ids[i]);

		if (virNodeGetCellsFreeMemory(ctl->conn, &v, ids[i], 1) != 1) {
			say_failed(ctl,
				   "failed to get free memory for NUMA "
				   "node number: %d",
				   ids[i]);
			n = -1;
			break;
		}
		total += v;
		record_add(r, label, key, false, "%10llu KiB", v / KIB);
	}
	if (n < 0) {
		record_free(r);
		return EXIT_FAILED;
	}
	record_print_as(r, ctl, "", 0, ": ");
	say(ctl, "--------------------\n%5s: %10llu KiB\n", "Total",
	    total / KIB);
	return EXIT_OK;
}

static int run_freecell(struct ctl *ctl, const struct args *args)
{
	unsigned long long memory;
	char label[16] = "Total";
	struct record *r;
	int cell, given;

	if (args_exclusive(args, "all", "cellno") < 0)
		return EXIT_FAILED;
	given = args_int(args, "cellno", &cell);
	if (given < 0)
		return EXIT_FAILED;
	if (args_has(args, "all"))
		return free_of_cells(ctl);
	if (given)
		snprintf(label, sizeof(label), "%d", cell);
	if (given ? virNodeGetCellsFreeMemory(ctl->conn, &memory, cell, 1) != 1
		  : !(memory = virNodeGetFreeMemory(ctl->conn)))
		return say_failed(ctl, NULL);
	r = record_new();
	record_add(r, label, label, false, "%llu KiB", memory / KIB);
	record_print_as(r, ctl, "", 0, ": ");
	return EXIT_OK;
}

static int by_size(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a;
	unsigned int y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static int page_sizes(struct xml *x, unsigned int *ret)
{
	xmlXPathObjectPtr pages =
		xml_find(x, NULL, "/capabilities/host/cpu/pages");
	int n = 0, all = MIN(xml_count(pages), PAGES_MAX);

	for (int i = 0; i < all; i++) {
		_cleanup_free_ char *size =
			xml_string(x, pages->nodesetval->nodeTab[i], "./@size");

		ret[i] = size ? (unsigned int)strtoul(size, NULL, 10) : 0;
	}
	xmlXPathFreeObject(pages);
	qsort(ret, (size_t)all, sizeof(*ret), by_size);
	for (int i = 0; i < all; i++)
		if (!n || ret[n - 1] != ret[i])
			ret[n++] = ret[i];
	return n;
}

static int print_pages(struct ctl *ctl, int cell, unsigned int *sizes, int n)
{
	unsigned long long counts[PAGES_MAX];
	struct record *r;

	if (virNodeGetFreePages(ctl->conn, (unsigned int)n, sizes, cell, 1,
				counts, 0) < 0)
		return say_failed(ctl, NULL);
	r = record_new();
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *label = xasprintf("%uKiB", sizes[i]);

		record_add(r, label, label, true, "%llu", counts[i]);
	}
	record_print_as(r, ctl, "", 0, ": ");
	return EXIT_OK;
}

static int pages_of_cells(struct ctl *ctl, unsigned int size)
{
	unsigned int sizes[PAGES_MAX] = { size };
	_cleanup_xml_ struct xml x = { NULL };
	int ids[CELLS_MAX], cells = read_cells(ctl, &x, ids);
	int n = size ? 1 : cells < 0 ? 0 : page_sizes(&x, sizes);
	int status = EXIT_OK;

	if (cells < 0)
		return EXIT_FAILED;
	if (!n) {
		say_error("could not get information about supported page "
			  "sizes");
		return EXIT_FAILED;
	}
	for (int i = 0; i < cells && !status; i++) {
		say(ctl, "Node %d:\n", ids[i]);
		status = print_pages(ctl, ids[i], sizes, n);
		if (!status)
			say(ctl, "\n");
	}
	return status;
}

static int run_freepages(struct ctl *ctl, const struct args *args)
{
	unsigned long long bytes = 0;
	unsigned int size;
	int cell;

	if (args_exclusive(args, "all", "cellno") < 0 ||
	    args_size(args, "pagesize", KIB, &bytes) < 0)
		return EXIT_FAILED;
	size = (unsigned int)((bytes + KIB - 1) / KIB);
	if (args_has(args, "all"))
		return pages_of_cells(ctl, size);
	switch (args_int(args, "cellno", &cell)) {
	case 0:
		say_error("missing cellno argument");
		return EXIT_FAILED;
	case -1:
		return EXIT_FAILED;
	}
	if (cell < -1 || !size) {
		say_error(size ? "cell number must be non-negative integer or "
				 "-1"
			       : "missing pagesize argument");
		return EXIT_FAILED;
	}
	return print_pages(ctl, cell, &size, 1);
}

static int run_allocpages(struct ctl *ctl, const struct args *args)
{
	unsigned long long bytes = 0, count;
	unsigned int size, flags = args_has(args, "add")
					   ? VIR_NODE_ALLOC_PAGES_ADD
					   : VIR_NODE_ALLOC_PAGES_SET;
	_cleanup_xml_ struct xml x = { NULL };
	int cell = -1, cells = 1, ids[CELLS_MAX];

	if (args_exclusive(args, "all", "cellno") < 0 ||
	    args_int(args, "cellno", &cell) < 0 ||
	    args_size(args, "pagesize", KIB, &bytes) < 0 ||
	    args_ull(args, "pagecount", &count) < 0)
		return EXIT_FAILED;
	size = (unsigned int)((bytes + KIB - 1) / KIB);
	if (args_has(args, "all")) {
		cells = read_cells(ctl, &x, ids);
		if (cells < 0)
			return EXIT_FAILED;
		cell = 0;
	}
	if (virNodeAllocPages(ctl->conn, 1, &size, &count, cell,
			      (unsigned int)cells, flags) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

static int run_nodememstats(struct ctl *ctl, const struct args *args)
{
	int cell = VIR_NODE_MEMORY_STATS_ALL_CELLS, n = 0;
	_cleanup_free_ virNodeMemoryStatsPtr v = NULL;
	struct record *r;

	if (args_int(args, "cell", &cell) < 0)
		return EXIT_FAILED;
	if (virNodeGetMemoryStats(ctl->conn, cell, NULL, &n, 0) < 0)
		return say_failed(ctl, "Unable to get number of memory stats");
	v = xcalloc((size_t)n + 1, sizeof(*v));
	if (virNodeGetMemoryStats(ctl->conn, cell, v, &n, 0) < 0)
		return say_failed(ctl, "Unable to get memory stats");
	r = record_new();
	for (int i = 0; i < n; i++)
		record_add(r, v[i].field, v[i].field, false, "%20llu KiB",
			   v[i].value);
	record_print_as(r, ctl, "", 7, ": ");
	return EXIT_OK;
}

static int get_memory_params(void *of, virTypedParameterPtr v, int *n,
			     unsigned int flags)
{
	return virNodeGetMemoryParameters(of, v, n, flags);
}

static int run_node_memory_tune(struct ctl *ctl, const struct args *args)
{
	static const struct param_option settings[] = {
		{ "shm-pages-to-scan", VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN,
		  VIR_TYPED_PARAM_UINT, false, 0 },
		{ "shm-sleep-millisecs", VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS,
		  VIR_TYPED_PARAM_UINT, false, 0 },
		{ "shm-merge-across-nodes",
		  VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES,
		  VIR_TYPED_PARAM_UINT, false, 0 },
		{ NULL },
	};
	_cleanup_params_ struct params p = { NULL };
	int status;

	if (args_params(args, settings, &p) < 0)
		return EXIT_FAILED;
	if (p.n)
		return virNodeSetMemoryParameters(ctl->conn, p.v, p.n, 0) < 0
			       ? say_failed(ctl, "Unable to change memory "
						 "parameters")
			       : EXIT_OK;
	status = params_get(ctl, &p, get_memory_params, ctl->conn, 0,
			    "Unable to get number of memory parameters");
	if (status || !p.n)
		return status;
	if (ctl->output == OUTPUT_TABLE)
		printf("Shared memory:\n");
	params_print(ctl, &p, "\t", 15, " ");
	return EXIT_OK;
}

/* ---- CPUs ---- */

static int run_nodecpumap(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ unsigned char *map = NULL;
	unsigned int online;
	struct cpuset set = { 0 };
	_cleanup_free_ char *text = NULL;
	int n = virNodeGetCPUMap(ctl->conn, &map, &online, 0);
	struct record *r;

	if (n < 0)
		return say_failed(ctl, "Unable to get cpu map");
	text = xcalloc((size_t)n + 1, 1);
	for (int i = 0; i < n; i++) {
		bool used = VIR_CPU_USED(map, i);

		text[i] = used ? 'y' : '-';
		if (used && i < CPUSET_MAX)
			cpuset_add(&set, (unsigned int)i);
	}
	if (args_has(args, "pretty")) {
		free(text);
		text = cpuset_format(&set);
	}
	r = record_new();
	record_add(r, "CPUs present:", "present", true, "%d", n);
	record_add(r, "CPUs online:", "online", true, "%u", online);
	record_add(r, "CPU map:", "map", false, "%s", text);
	record_print(r, ctl);
	return EXIT_OK;
}

enum { USER, SYSTEM, IDLE, IOWAIT, INTR, USAGE, FIGURES };

struct cpu_figures {
	unsigned long long v[FIGURES];
	bool there[FIGURES];
};

static int read_cpu(struct ctl *ctl, int cpu, struct cpu_figures *f)
{
	static const char *const names[] = {
		VIR_NODE_CPU_STATS_USER, VIR_NODE_CPU_STATS_KERNEL,
		VIR_NODE_CPU_STATS_IDLE, VIR_NODE_CPU_STATS_IOWAIT,
		VIR_NODE_CPU_STATS_INTR, VIR_NODE_CPU_STATS_UTILIZATION,
	};
	_cleanup_free_ virNodeCPUStatsPtr v = NULL;
	int n = 0;

	*f = (struct cpu_figures){ 0 };
	if (virNodeGetCPUStats(ctl->conn, cpu, NULL, &n, 0) < 0)
		return say_failed(ctl, "Unable to get number of cpu stats");
	v = xcalloc((size_t)n + 1, sizeof(*v));
	if (n && virNodeGetCPUStats(ctl->conn, cpu, v, &n, 0) < 0)
		return say_failed(ctl, "Unable to get node cpu stats");
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < FIGURES; k++) {
			if (!str_eq(v[i].field, names[k]))
				continue;
			f->v[k] = v[i].value;
			f->there[k] = true;
		}
	}
	return EXIT_OK;
}

static const char *const cpu_labels[] = { "user:", "system:", "idle:",
					  "iowait:", "intr:" };
static const char *const cpu_keys[] = { "user", "system", "idle", "iowait",
					"intr" };

/* The shares of one second; a hypervisor may give them itself. */
static int add_shares(struct ctl *ctl, struct record *r, int cpu,
		      struct cpu_figures *a)
{
	struct cpu_figures b;
	double total = 0;

	if (a->there[USAGE]) {
		record_add(r, "usage:", "usage", false, "%5llu%%", a->v[USAGE]);
		record_add(r, "idle:", "idle", false, "%5llu%%",
			   100 - a->v[USAGE]);
		return EXIT_OK;
	}
	sleep(1);
	if (read_cpu(ctl, cpu, &b))
		return EXIT_FAILED;
	for (int i = 0; i < USAGE; i++) {
		b.v[i] -= a->v[i];
		total += (double)b.v[i];
	}
	record_add(r, "usage:", "usage", false, "%5.1f%%",
		   (double)(b.v[USER] + b.v[SYSTEM]) / total * 100);
	for (int i = 0; i < USAGE; i++)
		if (b.there[i])
			record_add(r, cpu_labels[i], cpu_keys[i], false,
				   "%5.1f%%", (double)b.v[i] / total * 100);
	return EXIT_OK;
}

static int run_nodecpustats(struct ctl *ctl, const struct args *args)
{
	int cpu = VIR_NODE_CPU_STATS_ALL_CPUS, status = EXIT_OK;
	struct cpu_figures f;
	struct record *r;

	if (args_int(args, "cpu", &cpu) < 0 || read_cpu(ctl, cpu, &f))
		return EXIT_FAILED;
	r = record_new();
	if (args_has(args, "percent"))
		status = add_shares(ctl, r, cpu, &f);
	else
		for (int i = 0; i < USAGE; i++)
			if (f.there[i])
				record_add(r, cpu_labels[i], cpu_keys[i], true,
					   ctl->output == OUTPUT_TABLE
						   ? "%20llu"
						   : "%llu",
					   f.v[i]);
	if (status)
		record_free(r);
	else
		record_print(r, ctl);
	return status;
}

static int run_maxvcpus(struct ctl *ctl, const struct args *args)
{
	const char *type = args_get(args, "type");
	_cleanup_free_ char *caps = virConnectGetDomainCapabilities(
		ctl->conn, NULL, NULL, NULL, type, 0);
	_cleanup_free_ char *max = NULL;
	_cleanup_xml_ struct xml x = { NULL };
	int n;

	if (caps && xml_open(&x, caps) == 0)
		max = xml_string(&x, NULL, "./vcpu[1]/@max");
	if (!max) {
		n = virConnectGetMaxVcpus(ctl->conn, type);
		if (n < 0)
			return say_failed(ctl, NULL);
		max = xasprintf("%d", n);
	}
	say_value(ctl, "max_vcpus", max);
	return EXIT_OK;
}

/* ---- the rest ---- */

static int run_sysinfo(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *text = virConnectGetSysinfo(ctl->conn, 0);

	(void)args;
	if (!text)
		return say_failed(ctl, "failed to get sysinfo");
	if (ctl->output == OUTPUT_TABLE)
		fputs(text, stdout);
	else
		say_value(ctl, "sysinfo", text);
	return EXIT_OK;
}

static int run_nodesevinfo(struct ctl *ctl, const struct args *args)
{
	_cleanup_params_ struct params p = { NULL };

	(void)args;
	if (virNodeGetSEVInfo(ctl->conn, &p.v, &p.n, 0) < 0)
		return say_failed(ctl, "Unable to get host SEV information");
	params_print(ctl, &p, "", 18, ": ");
	return EXIT_OK;
}

static int run_nodesuspend(struct ctl *ctl, const struct args *args)
{
	static const char *const targets[] = { "mem", "disk", "hybrid" };
	const char *target = args_get(args, "target");
	unsigned int i = 0;
	unsigned long long seconds;

	if (args_ull(args, "duration", &seconds) < 0)
		return EXIT_FAILED;
	while (i < ARRAY_SIZE(targets) && !str_eq(targets[i], target))
		i++;
	if (i == ARRAY_SIZE(targets)) {
		say_error("Invalid target");
		return EXIT_FAILED;
	}
	if (virNodeSuspendForDuration(ctl->conn, i, seconds, 0) < 0)
		return say_failed(ctl, "The host was not suspended");
	return EXIT_OK;
}

const struct command family_node[] = {
	{ .name = "allocpages",
	  .group = "host",
	  .summary = "set how many huge pages the host keeps",
	  .opts = OPTS(DATA_NUMBER("pagesize"), DATA_NUMBER("pagecount"),
		       NUMBER("cellno"), FLAG("add"), FLAG("all")),
	  .run = run_allocpages },
	{ .name = "freecell",
	  .group = "host",
	  .summary = "free memory, in all or by NUMA cell",
	  .opts = OPTS(NUMBER("cellno"), FLAG("all", "of each NUMA cell")),
	  .run = run_freecell },
	{ .name = "freepages",
	  .group = "host",
	  .summary = "free pages by size and NUMA cell",
	  .opts = OPTS(NUMBER("cellno"), NUMBER("pagesize"),
		       FLAG("all", "of all sizes and cells")),
	  .run = run_freepages },
	{ .name = "maxvcpus",
	  .group = "host",
	  .summary = "most vCPUs that a domain can have",
	  .opts = OPTS(STRING("type")),
	  .run = run_maxvcpus },
	{ .name = "node-memory-tune",
	  .group = "host",
	  .summary = "read or set how memory is shared",
	  .opts = OPTS(NUMBER("shm-pages-to-scan"),
		       NUMBER("shm-sleep-millisecs"),
		       NUMBER("shm-merge-across-nodes")),
	  .run = run_node_memory_tune },
	{ .name = "nodecpumap",
	  .group = "host",
	  .summary = "which CPUs the host has",
	  .opts = OPTS(FLAG("pretty")),
	  .run = run_nodecpumap },
	{ .name = "nodecpustats",
	  .group = "host",
	  .summary = "CPU time of the host",
	  .opts = OPTS(NUMBER("cpu"), FLAG("percent")),
	  .run = run_nodecpustats },
	{ .name = "nodememstats",
	  .group = "host",
	  .summary = "memory of the host",
	  .opts = OPTS(NUMBER("cell")),
	  .run = run_nodememstats },
	{ .name = "nodesevinfo",
	  .group = "host",
	  .summary = "what the host knows of AMD SEV",
	  .run = run_nodesevinfo },
	{ .name = "nodesuspend",
	  .group = "host",
	  .summary = "suspend the host for a while",
	  .opts = OPTS(DATA("target", "mem, disk or hybrid"),
		       DATA_NUMBER("duration")),
	  .run = run_nodesuspend },
	{ .name = "sysinfo",
	  .group = "host",
	  .summary = "what the firmware says of the host, as XML",
	  .run = run_sysinfo },
	{ NULL },
};
