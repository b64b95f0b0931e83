/*
 * daemon/hostcaps.c -- the host as capabilities describe it.
 *
 * The processor's features come from CPUID (SDM vol. 2A, "CPUID"; AMD APM
 * vol. 3, appendix E), the rest from sysfs (Linux,
 * Documentation/ABI/stable/sysfs-devices-{node,system-cpu}).
 */
#include "daemon/hostcaps.h"

#include <cpuid.h>
#include <dirent.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
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

/* ---- features ---- */

enum reg { EAX, EBX, ECX, EDX };

static const struct {
	uint32_t leaf, subleaf;
	enum reg reg;
	unsigned int bit;
	const char *name; /* as libvirt's CPU map spells it */
} feature_bits[] = {
	{ 1, 0, EDX, 0, "fpu" },	{ 1, 0, EDX, 4, "tsc" },
	{ 1, 0, EDX, 5, "msr" },	{ 1, 0, EDX, 6, "pae" },
	{ 1, 0, EDX, 8, "cx8" },	{ 1, 0, EDX, 9, "apic" },
	{ 1, 0, EDX, 11, "sep" },	{ 1, 0, EDX, 12, "mtrr" },
	{ 1, 0, EDX, 13, "pge" },	{ 1, 0, EDX, 15, "cmov" },
	{ 1, 0, EDX, 16, "pat" },	{ 1, 0, EDX, 19, "clflush" },
	{ 1, 0, EDX, 23, "mmx" },	{ 1, 0, EDX, 24, "fxsr" },
	{ 1, 0, EDX, 25, "sse" },	{ 1, 0, EDX, 26, "sse2" },
	{ 1, 0, EDX, 28, "ht" },	{ 1, 0, ECX, 0, "pni" },
	{ 1, 0, ECX, 1, "pclmuldq" },	{ 1, 0, ECX, 3, "monitor" },
	{ 1, 0, ECX, 5, "vmx" },	{ 1, 0, ECX, 9, "ssse3" },
	{ 1, 0, ECX, 12, "fma" },	{ 1, 0, ECX, 13, "cx16" },
	{ 1, 0, ECX, 17, "pcid" },	{ 1, 0, ECX, 19, "sse4.1" },
	{ 1, 0, ECX, 20, "sse4.2" },	{ 1, 0, ECX, 21, "x2apic" },
	{ 1, 0, ECX, 22, "movbe" },	{ 1, 0, ECX, 23, "popcnt" },
	{ 1, 0, ECX, 24, "tsc-deadline" }, { 1, 0, ECX, 25, "aes" },
	{ 1, 0, ECX, 26, "xsave" },	{ 1, 0, ECX, 28, "avx" },
	{ 1, 0, ECX, 29, "f16c" },	{ 1, 0, ECX, 30, "rdrand" },
	{ 1, 0, ECX, 31, "hypervisor" }, { 7, 0, EBX, 0, "fsgsbase" },
	{ 7, 0, EBX, 1, "tsc_adjust" }, { 7, 0, EBX, 3, "bmi1" },
	{ 7, 0, EBX, 5, "avx2" },	{ 7, 0, EBX, 7, "smep" },
	{ 7, 0, EBX, 8, "bmi2" },	{ 7, 0, EBX, 9, "erms" },
	{ 7, 0, EBX, 10, "invpcid" },	{ 7, 0, EBX, 16, "avx512f" },
	{ 7, 0, EBX, 17, "avx512dq" },	{ 7, 0, EBX, 18, "rdseed" },
	{ 7, 0, EBX, 19, "adx" },	{ 7, 0, EBX, 20, "smap" },
	{ 7, 0, EBX, 23, "clflushopt" }, { 7, 0, EBX, 24, "clwb" },
	{ 7, 0, EBX, 28, "avx512cd" },	{ 7, 0, EBX, 29, "sha-ni" },
	{ 7, 0, EBX, 30, "avx512bw" },	{ 7, 0, EBX, 31, "avx512vl" },
	{ 7, 0, ECX, 2, "umip" },	{ 7, 0, ECX, 3, "pku" },
	{ 7, 0, ECX, 8, "gfni" },	{ 7, 0, ECX, 9, "vaes" },
	{ 7, 0, ECX, 10, "vpclmulqdq" }, { 7, 0, ECX, 16, "la57" },
	{ 7, 0, ECX, 22, "rdpid" },	{ 7, 0, EDX, 26, "spec-ctrl" },
	{ 7, 0, EDX, 27, "stibp" },	{ 7, 0, EDX, 31, "ssbd" },
	{ 13, 1, EAX, 0, "xsaveopt" },	{ 13, 1, EAX, 1, "xsavec" },
	{ 13, 1, EAX, 2, "xgetbv1" },	{ 13, 1, EAX, 3, "xsaves" },
	{ 0x80000001, 0, ECX, 0, "lahf_lm" },
	{ 0x80000001, 0, ECX, 2, "svm" },
	{ 0x80000001, 0, ECX, 5, "abm" },
	{ 0x80000001, 0, ECX, 6, "sse4a" },
	{ 0x80000001, 0, ECX, 8, "3dnowprefetch" },
	{ 0x80000001, 0, EDX, 11, "syscall" },
	{ 0x80000001, 0, EDX, 20, "nx" },
	{ 0x80000001, 0, EDX, 26, "pdpe1gb" },
	{ 0x80000001, 0, EDX, 27, "rdtscp" },
	{ 0x80000001, 0, EDX, 29, "lm" },
	{ 0x80000007, 0, EDX, 8, "invtsc" },
};

static const char *const *read_features(void)
{
	const char **names =
		xcalloc(ARRAY_SIZE(feature_bits) + 1, sizeof(*names));
	unsigned int n = 0, r[4];

	for (size_t i = 0; i < ARRAY_SIZE(feature_bits); i++)
		if (__get_cpuid_count(feature_bits[i].leaf,
				      feature_bits[i].subleaf, &r[EAX],
				      &r[EBX], &r[ECX], &r[EDX]) &&
		    (r[feature_bits[i].reg] & BIT(feature_bits[i].bit)))
			names[n++] = feature_bits[i].name;
	return names;
}

/* libvirt's names of the two that have one. */
static const char *read_vendor(void)
{
	unsigned int r[4];
	char id[13] = "";

	if (!__get_cpuid(0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
		return NULL;
	memcpy(id, &r[EBX], 4);
	memcpy(id + 4, &r[EDX], 4);
	memcpy(id + 8, &r[ECX], 4);
	if (str_eq(id, "GenuineIntel"))
		return "Intel";
	return str_eq(id, "AuthenticAMD") ? "AMD" : NULL;
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
	the_host.vendor = read_vendor();
	the_host.features = read_features();
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
