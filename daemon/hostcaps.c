/*
 * daemon/hostcaps.c -- the host as capabilities describe it.
 *
 * The processor comes from CPUID, the rest from sysfs (Linux,
 * Documentation/ABI/stable/sysfs-devices-{node,system-cpu}).
 */
#include "daemon/hostcaps.h"

#include <dirent.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "cpu/models.h"
#include "model/capabilities.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

enum { NODES_MAX = 128, CPUS_MAX = 4096, PAGES_MAX = 4 };

/* ---- reading small files ---- */

static bool read_text(const char *path, char *text, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f || !fgets(text, size, f))
		return false;
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static unsigned int read_number(const char *dir, unsigned int n,
				const char *file)
{
	_cleanup_free_ char *path = xasprintf("%s%u/%s", dir, n, file);
	char text[32];
	int value = 0;

	if (read_text(path, text, sizeof(text)))
		sscanf(text, "%d", &value);
	return MAX(value, 0); /* sysfs says -1 where there is no such thing */
}

/* Calls fn for each number of a list such as "0-3,8". */
static void each_number(const char *list,
			void (*fn)(void *arg, unsigned int n), void *arg)
{
	unsigned int from, to;
	int used;

	while (sscanf(list, "%u%n", &from, &used) == 1) {
		list += used;
		to = from;
		if (sscanf(list, "-%u%n", &to, &used) == 1)
			list += used;
		for (; from <= to && from < CPUS_MAX; from++)
			fn(arg, from);
		if (*list++ != ',')
			return;
	}
}

/* ---- the processor ---- */

/*
 * A model and what the host has beyond it.  libvirt's form has no way to say
 * that something of the model is missing.
 */
static void read_cpu(struct caps_host *host)
{
	struct x86_cpuid cpuid;
	struct x86_signature signature;
	const struct cpu_model *model;
	struct cpu_set have, named;
	const char **names;
	unsigned int n = 0;
	char vendor[13];

	x86_cpuid_native(&cpuid);
	x86_cpuid_vendor(&cpuid, vendor);
	signature = x86_signature_of(&cpuid);
	cpu_set_read(&have, &cpuid);
	model = cpu_model_nearest(&have, vendor, &signature, true);
	named = cpu_model_features(model);
	have = cpu_set_minus(&have, &named);
	names = xcalloc(cpu_set_count(&have) + 1, sizeof(*names));
	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		if (cpu_set_test(&have, i))
			names[n++] = cpu_feature_name(i);
	}
	host->model = model->name;
	host->vendor = cpu_vendor_name(vendor);
	host->features = names;
}

/* ---- cells ---- */

struct cell {
	struct caps_cell *cell;
	struct caps_cpu *cpus;
};

static void add_cpu(void *arg, unsigned int n)
{
	_cleanup_free_ char *path =
		xasprintf(CPU_DIR "/cpu%u/topology/thread_siblings_list", n);
	struct cell *c = arg;
	struct caps_cpu *cpu;
	char siblings[256];

	c->cpus = xrealloc(c->cpus, c->cell->n_cpus + 1, sizeof(*c->cpus));
	cpu = &c->cpus[c->cell->n_cpus++];
	*cpu = (struct caps_cpu){
		.id = n,
		.socket = read_number(CPU_DIR "/cpu", n,
				      "topology/physical_package_id"),
		.die = read_number(CPU_DIR "/cpu", n, "topology/die_id"),
		.core = read_number(CPU_DIR "/cpu", n, "topology/core_id"),
	};
	if (read_text(path, siblings, sizeof(siblings)))
		cpu->siblings = xstrdup(siblings);
}

static uint64_t node_memory(unsigned int n)
{
	_cleanup_free_ char *path = xasprintf(NODE_DIR "/node%u/meminfo", n);
	unsigned long long kib;
	char line[128];

	if (read_text(path, line, sizeof(line)) &&
	    sscanf(line, "Node %*u MemTotal: %llu kB", &kib) == 1)
		return kib * KIB;
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static void add_pages(struct caps_cell *cell)
{
	struct caps_pages *pages = xcalloc(1, sizeof(*pages));

	pages->kib = sysconf(_SC_PAGESIZE) / KIB;
	pages->count = cell->memory / KIB / pages->kib;
	cell->pages = pages;
	cell->n_pages = 1;
}

static void fill_cell(struct caps_cell *cell, unsigned int n,
		      const char *cpulist)
{
	struct cell c = { .cell = cell };

	cell->id = n;
	cell->memory = node_memory(n);
	add_pages(cell);
	each_number(cpulist, add_cpu, &c);
	cell->cpus = c.cpus;
}

struct cells {
	struct caps_cell *cells;
	unsigned int n;
};

static void add_node(void *arg, unsigned int n)
{
	_cleanup_free_ char *path = xasprintf(NODE_DIR "/node%u/cpulist", n);
	struct cells *all = arg;
	char list[4096] = "";

	read_text(path, list, sizeof(list));
	all->cells = xrealloc(all->cells, all->n + 1, sizeof(*all->cells));
	all->cells[all->n] = (struct caps_cell){ 0 };
	fill_cell(&all->cells[all->n++], n, list);
}

static void read_cells(struct caps_host *host)
{
	struct cells all = { 0 };
	char list[4096] = "";

	if (read_text(NODE_DIR "/online", list, sizeof(list)))
		each_number(list, add_node, &all);
	if (!all.n && read_text(CPU_DIR "/online", list, sizeof(list))) {
		all.cells = xcalloc(1, sizeof(*all.cells));
		all.n = 1;
		fill_cell(&all.cells[0], 0, list);
	}
	host->cells = all.cells;
	host->n_cells = all.n;
}

/* Per node, as libvirt counts them; the first cell stands for all. */
static void count_topology(struct caps_host *host)
{
	const struct caps_cell *cell = host->cells;
	unsigned int socket = 0, core = 0, threads = 0;

	for (unsigned int i = 0; cell && i < cell->n_cpus; i++) {
		socket = MAX(socket, cell->cpus[i].socket -
					     cell->cpus[0].socket);
		core = MAX(core, cell->cpus[i].core);
		threads += cell->cpus[i].socket == cell->cpus[0].socket &&
			   cell->cpus[i].core == cell->cpus[0].core;
	}
	host->sockets = socket + 1;
	host->dies = 1;
	host->threads = MAX(threads, 1u);
	host->cores = cell ? MAX(cell->n_cpus / host->sockets / host->threads,
				 1u) :
			     1;
}

/* ---- identity ---- */

static void read_uuid(uint8_t uuid[UUID_LEN])
{
	char text[64];

	if (read_text("/sys/class/dmi/id/product_uuid", text, sizeof(text)) &&
	    uuid_parse(text, uuid) == 0)
		return;
	/* As libvirt's host_uuid_source = "machine-id". */
	if (read_text("/etc/machine-id", text, sizeof(text)))
		uuid_parse(text, uuid);
}

static struct caps_host the_host; /* the host is one for the process */

static void gather(void)
{
	static const unsigned int page_sizes[] = { 4, 2048 };

	the_host.arch = "x86_64";
	read_cpu(&the_host);
	the_host.page_sizes = page_sizes;
	the_host.n_page_sizes = ARRAY_SIZE(page_sizes);
	the_host.iommu = access("/sys/kernel/iommu_groups/0", F_OK) == 0;
	read_uuid(the_host.uuid);
	read_cells(&the_host);
	count_topology(&the_host);
}

const struct caps_host *hostcaps(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, gather);
	return &the_host;
}
