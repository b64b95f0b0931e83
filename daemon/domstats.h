/*
 * daemon/domstats.h -- what is counted of one domain, by libvirt's names.
 */
#ifndef DAEMON_DOMSTATS_H
#define DAEMON_DOMSTATS_H

#include "daemon/domain.h"

struct params;

/* VIR_DOMAIN_STATS_*: those that may be asked for. */
unsigned int domstats_groups(void);
/* What the domain costs the host: stands still only when nobody asks. */
uint64_t domstats_cpu_ns(const struct domain_stats *stats);

/*
 * Adds the wanted groups of one domain; false: there is no such domain.
 * nowait: of one that is busy, only what is known without its VMM.
 */
bool domstats_add(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int wanted, bool nowait, struct params *p);

/* A device's part of a domain's statistics, or NULL. */
const struct domain_disk_stats *
domstats_disk(const struct domain_stats *stats, const struct dom_disk *disk);
const struct domain_nic_stats *
domstats_nic(const struct domain_stats *stats, const struct dom_iface *iface);

#endif
