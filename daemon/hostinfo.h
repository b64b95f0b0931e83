/*
 * daemon/hostinfo.h -- facts about the host, gathered once at the start.
 *
 * The main process opens nothing later; files that change (/proc/stat,
 * /proc/meminfo) are kept open and read again.
 */
#ifndef DAEMON_HOSTINFO_H
#define DAEMON_HOSTINFO_H

#include <stdint.h>

#include "daemon/hostmm.h"

struct error;

enum { HOST_CPUS_MAX = 16384 }; /* 2048 bytes of map: the protocol's limit */

struct hostinfo {
	uint64_t memory; /* bytes */
	unsigned int mhz;
	unsigned int nodes, sockets, cores, threads;
	unsigned int n_cpus; /* present, the highest number and one */
	unsigned int n_online;
	uint8_t online[HOST_CPUS_MAX / 8]; /* little-endian bits */
	int stat_fd, meminfo_fd;
	struct hostmm mm;
	char *sysinfo; /* XML; NULL: the firmware says nothing */
};

int hostinfo_gather(struct hostinfo **ret_host, struct error *err);
void hostinfo_free(struct hostinfo *host);

uint64_t hostinfo_free_memory(void); /* bytes */

/* Times in ns since boot; cpu -1: all together. */
struct host_cpu_times {
	uint64_t kernel, user, idle, iowait;
};
int hostinfo_cpu_times(const struct hostinfo *host, int cpu,
		       struct host_cpu_times *ret, struct error *err);

struct host_memory { /* KiB */
	uint64_t total, free, buffers, cached;
};
int hostinfo_memory(const struct hostinfo *host, struct host_memory *ret,
		    struct error *err);

#endif
