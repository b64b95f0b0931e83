/*
 * daemon/hostinfo.c -- facts about the host (proc(5),
 * sysfs-devices-system-cpu).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/error.h"
#include "daemon/hostdmi.h"
#include "daemon/hostinfo.h"

#define CPU_DIR "/sys/devices/system/cpu"

/* ---- small files ---- */

static int read_at(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = pread(fd, text + len, size - 1 - len, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += n;
	} while (n && len < size - 1);
	text[len] = '\0';
	return len;
}

static int read_file(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_at(fd, text, size);
}

static long read_cpu_number(unsigned int cpu, const char *name)
{
	_cleanup_free_ char *path = xasprintf(CPU_DIR "/cpu%u/%s", cpu, name);
	char text[64];

	return read_file(path, text, sizeof(text)) < 0 ? -1
						       : strtol(text, NULL, 10);
}

/* ---- CPUs ---- */

/* Reads a list as "0-3,6"; counts, and sets bits when there is a map. */
static unsigned int parse_cpu_list(const char *s, uint8_t *map,
				   unsigned int *ret_end)
{
	unsigned int count = 0;

	while (*s >= '0' && *s <= '9') {
		char *end;
		unsigned long first = strtoul(s, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < HOST_CPUS_MAX; first++) {
			if (map)
				map[first / 8] |= 1 << first % 8;
			*ret_end = first + 1;
			count++;
		}
		s = *end == ',' ? end + 1 : end;
	}
	return count;
}

static void gather_cpus(struct hostinfo *host)
{
	unsigned int end = 0;
	char text[4096];

	if (read_file(CPU_DIR "/online", text, sizeof(text)) > 0)
		host->n_online = parse_cpu_list(text, host->online, &end);
	if (!host->n_online) {
		host->n_online = end = 1;
		host->online[0] = 1;
	}
	host->n_cpus = end;
	end = 0;
	if (read_file(CPU_DIR "/present", text, sizeof(text)) > 0)
		parse_cpu_list(text, NULL, &end);
	host->n_cpus = MAX(host->n_cpus, end);
}

static unsigned int bit_count(const uint8_t *map, size_t len)
{
	unsigned int n = 0;

	for (size_t i = 0; i < len; i++)
		n += __builtin_popcount(map[i]);
	return n;
}

/*
 * Clients compute nodes * sockets * cores * threads, so an uneven host is
 * described as one socket of single-threaded cores, as libvirt does.
 */
static void gather_topology(struct hostinfo *host)
{
	uint8_t packages[HOST_CPUS_MAX / 8] = { 0 };
	_cleanup_free_ char *path = NULL;
	unsigned int end = 0;
	char text[4096];

	for (unsigned int cpu = 0; cpu < host->n_cpus; cpu++) {
		long id = read_cpu_number(cpu, "topology/physical_package_id");

		if (id >= 0 && id < HOST_CPUS_MAX)
			packages[id / 8] |= 1 << id % 8;
	}
	host->sockets = MAX(bit_count(packages, sizeof(packages)), 1u);
	host->threads = 1;
	path = xasprintf(CPU_DIR "/cpu0/topology/thread_siblings_list");
	if (read_file(path, text, sizeof(text)) > 0)
		host->threads = MAX(parse_cpu_list(text, NULL, &end), 1u);
	host->cores = host->n_online / (host->sockets * host->threads);
	if (host->sockets * host->cores * host->threads != host->n_online) {
		host->sockets = host->threads = 1;
		host->cores = host->n_online;
	}
}

static void gather_mhz(struct hostinfo *host)
{
	_cleanup_free_ char *text = xmalloc(65536);
	const char *line;

	if (read_file("/proc/cpuinfo", text, 65536) <= 0)
		return;
	line = strstr(text, "cpu MHz");
	if (line && (line = strchr(line, ':')))
		host->mhz = strtoul(line + 1, NULL, 10);
}

/* ---- all ---- */

int hostinfo_gather(struct hostinfo **ret_host, struct error *err)
{
	struct hostinfo *host = xcalloc(1, sizeof(*host));
	struct sysinfo si;

	host->nodes = 1;
	gather_cpus(host);
	gather_topology(host);
	gather_mhz(host);
	if (!sysinfo(&si))
		host->memory = (uint64_t)si.totalram * si.mem_unit;
	hostmm_open(&host->mm);
	host->sysinfo = hostdmi_xml("/sys/class/dmi/id");
	host->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	host->meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (host->stat_fd < 0 || host->meminfo_fd < 0) {
		error_set(err, -errno,
			  "cannot open /proc/stat and "
			  "/proc/meminfo: %m");
		hostinfo_free(host);
		return -EIO;
	}
	*ret_host = host;
	return 0;
}

void hostinfo_free(struct hostinfo *host)
{
	if (!host)
		return;
	free(host->sysinfo);
	fd_close(host->stat_fd);
	fd_close(host->meminfo_fd);
	hostmm_close(&host->mm);
	free(host);
}

uint64_t hostinfo_free_memory(void)
{
	struct sysinfo si;

	return sysinfo(&si) ? 0 : (uint64_t)si.freeram * si.mem_unit;
}

/* proc(5), /proc/stat: user nice system idle iowait irq softirq ... */
static void parse_cpu_times(const char *s, struct host_cpu_times *ret)
{
	uint64_t tick = 1000000000ull / sysconf(_SC_CLK_TCK), v[7];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = strtoull(s, (char **)&s, 10) * tick;
	ret->user = v[0] + v[1];
	ret->kernel = v[2] + v[5] + v[6];
	ret->idle = v[3];
	ret->iowait = v[4];
}

int hostinfo_cpu_times(const struct hostinfo *host, int cpu,
		       struct host_cpu_times *ret, struct error *err)
{
	const size_t size = 512 + 256 * (size_t)(host->n_cpus + 1);
	_cleanup_free_ char *text = xmalloc(size);
	char name[32];
	const char *line;
	int r = read_at(host->stat_fd, text, size);

	if (r < 0)
		return error_set(err, r, "cannot read /proc/stat: %m");
	snprintf(name, sizeof(name), cpu < 0 ? "cpu " : "\ncpu%d ", cpu);
	line = strstr(text, name);
	if (!line)
		return error_set(err, -EINVAL, "the host has no CPU %d", cpu);
	parse_cpu_times(line + strlen(name), ret);
	return 0;
}

static uint64_t meminfo_value(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

int hostinfo_memory(const struct hostinfo *host, struct host_memory *ret,
		    struct error *err)
{
	char text[8192];
	int r = read_at(host->meminfo_fd, text, sizeof(text));

	if (r < 0)
		return error_set(err, r, "cannot read /proc/meminfo: %m");
	ret->total = meminfo_value(text, "MemTotal:");
	ret->free = meminfo_value(text, "MemFree:");
	ret->buffers = meminfo_value(text, "Buffers:");
	ret->cached = meminfo_value(text, "\nCached:");
	return 0;
}
