/*
 * daemon/domstats.c -- what is counted of one domain, by libvirt's names.
 *
 * One question to the VMM, however many groups are wanted.  Clients have it as
 * virConnectGetAllDomainStats, and whoever reads the metrics has the same.
 */
#include "daemon/domstats.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "daemon/reply.h"

/* ---- a device's part ---- */

const struct domain_disk_stats *
domstats_disk(const struct domain_stats *stats, const struct dom_disk *disk)
{
	for (unsigned int i = 0; i < stats->n_disks; i++)
		if (str_eq(stats->disks[i].id, disk->target_dev) ||
		    str_eq(stats->disks[i].id, disk->info.alias))
			return &stats->disks[i];
	return NULL;
}

const struct domain_nic_stats *
domstats_nic(const struct domain_stats *stats, const struct dom_iface *iface)
{
	for (unsigned int i = 0; i < stats->n_nics; i++)
		if (str_eq(stats->nics[i].id, iface->target_dev) ||
		    str_eq(stats->nics[i].id, iface->info.alias))
			return &stats->nics[i];
	return NULL;
}

/* ---- the groups ---- */

struct subject { /* one domain; def and stats only while it runs */
	const uint8_t *uuid;
	bool nowait;
	struct domain_info info;
	struct domain_def *def;
	struct domain_stats stats;
};

static void add_state(struct params *p, const struct subject *s)
{
	params_int(p, s->info.state, "state.state");
	params_int(p, s->info.reason, "state.reason");
}

uint64_t domstats_cpu_ns(const struct domain_stats *stats)
{
	return MAX(stats->cpu_ns, stats->user_ns + stats->system_ns);
}

static void add_cpu(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	params_ullong(p, domstats_cpu_ns(&s->stats), "cpu.time");
	if (!s->stats.user_ns && !s->stats.system_ns)
		return;
	params_ullong(p, s->stats.user_ns, "cpu.user");
	params_ullong(p, s->stats.system_ns, "cpu.system");
}

static void add_balloon(struct params *p, const struct subject *s)
{
	static const char *const names[VIR_DOMAIN_MEMORY_STAT_NR] = {
		[VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "balloon.swap_in",
		[VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "balloon.swap_out",
		[VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "balloon.major_fault",
		[VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "balloon.minor_fault",
		[VIR_DOMAIN_MEMORY_STAT_UNUSED] = "balloon.unused",
		[VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "balloon.available",
		[VIR_DOMAIN_MEMORY_STAT_USABLE] = "balloon.usable",
		[VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "balloon.last-update",
		[VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "balloon.disk_caches",
		[VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] =
			"balloon.hugetlb_pgalloc",
		[VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] =
			"balloon.hugetlb_pgfail",
	};

	if (s->def)
		params_ullong(p, s->stats.balloon_bytes / KIB,
			      "balloon.current");
	params_ullong(p, s->info.max_mem / KIB, "balloon.maximum");
	for (unsigned int i = 0; i < ARRAY_SIZE(names) && s->def; i++)
		if (names[i] && s->stats.memory_has & BIT(i))
			params_ullong(p, s->stats.memory[i], "%s",
				      names[i]);
}

static void add_vcpus(struct params *p, const struct subject *s)
{
	params_uint(p, s->info.vcpus, "vcpu.current");
	params_uint(p, s->info.max_vcpus, "vcpu.maximum");
	if (!s->def)
		return;
	for (unsigned int i = 0; i < s->info.vcpus; i++) {
		params_int(p, VIR_VCPU_RUNNING, "vcpu.%u.state", i);
		if (i < s->stats.n_vcpus)
			params_ullong(p, s->stats.vcpu_ns[i], "vcpu.%u.time",
				      i);
		if (i >= s->stats.n_vcpus || !s->stats.vcpu_wait_ns)
			continue;
		/* libvirt has two sources of what is one here. */
		params_ullong(p, s->stats.vcpu_wait_ns[i], "vcpu.%u.wait", i);
		params_ullong(p, s->stats.vcpu_wait_ns[i], "vcpu.%u.delay", i);
	}
}

static void add_ifaces(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	params_uint(p, s->def->n_ifaces, "net.count");
	for (unsigned int i = 0; i < s->def->n_ifaces; i++) {
		const struct dom_iface *iface = &s->def->ifaces[i];
		const struct domain_nic_stats *n = domstats_nic(&s->stats, iface);

		if (iface->target_dev)
			params_string(p, iface->target_dev, "net.%u.name", i);
		if (!n)
			continue;
		params_ullong(p, n->rx_bytes, "net.%u.rx.bytes", i);
		params_ullong(p, n->rx_packets, "net.%u.rx.pkts", i);
		params_ullong(p, n->rx_drop, "net.%u.rx.drop", i);
		params_ullong(p, n->tx_bytes, "net.%u.tx.bytes", i);
		params_ullong(p, n->tx_packets, "net.%u.tx.pkts", i);
		params_ullong(p, n->tx_drop, "net.%u.tx.drop", i);
	}
}

static void add_disks(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	params_uint(p, s->def->n_disks, "block.count");
	for (unsigned int i = 0; i < s->def->n_disks; i++) {
		const struct dom_disk *disk = &s->def->disks[i];
		const struct domain_disk_stats *d = domstats_disk(&s->stats, disk);

		params_string(p, disk->target_dev ? disk->target_dev : "",
			      "block.%u.name", i);
		if (disk->source)
			params_string(p, disk->source, "block.%u.path", i);
		if (!d)
			continue;
		params_ullong(p, d->rd_req, "block.%u.rd.reqs", i);
		params_ullong(p, d->rd_bytes, "block.%u.rd.bytes", i);
		params_ullong(p, d->rd_ns, "block.%u.rd.times", i);
		params_ullong(p, d->wr_req, "block.%u.wr.reqs", i);
		params_ullong(p, d->wr_bytes, "block.%u.wr.bytes", i);
		params_ullong(p, d->wr_ns, "block.%u.wr.times", i);
		params_ullong(p, d->flush_req, "block.%u.fl.reqs", i);
		params_ullong(p, d->flush_ns, "block.%u.fl.times", i);
		if (!d->capacity)
			continue;
		params_ullong(p, d->allocation, "block.%u.allocation", i);
		params_ullong(p, d->capacity, "block.%u.capacity", i);
		params_ullong(p, d->physical, "block.%u.physical", i);
	}
}

/* Threads that disks share are the engine's: they do not poll. */
static void add_iothreads(struct params *p, const struct subject *s)
{
	if (s->def)
		params_uint(p, s->def->n_iothreadids, "iothread.count");
}

/* As libvirt names what a hypervisor counts for itself. */
static void add_vm(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	for (unsigned int i = 0; i < s->stats.n_counters; i++)
		params_ullong(p, s->stats.counters[i].value, "vm.%s.sum",
			      s->stats.counters[i].name);
}

static void add_dirty_rate(struct params *p, const struct subject *s)
{
	const struct domain_dirty_rate *d = &s->stats.dirty_rate;

	if (!s->def)
		return;
	params_int(p, (int)d->status, "dirtyrate.calc_status");
	params_llong(p, (int64_t)d->start, "dirtyrate.calc_start_time");
	params_int(p, (int)d->seconds, "dirtyrate.calc_period");
	params_string(p, d->log ? "dirty-bitmap" : "page-sampling",
		      "dirtyrate.calc_mode");
	if (d->status == VIR_DOMAIN_DIRTYRATE_MEASURED)
		params_llong(p, (int64_t)(d->bytes_per_second / MIB),
			     "dirtyrate.megabytes_per_second");
}

/* NULL: nothing of the kind is ever counted here, and it may be asked for. */
static const struct {
	unsigned int group;
	void (*add)(struct params *p, const struct subject *s);
} groups[] = {
	{ VIR_DOMAIN_STATS_STATE, add_state },
	{ VIR_DOMAIN_STATS_CPU_TOTAL, add_cpu },
	{ VIR_DOMAIN_STATS_BALLOON, add_balloon },
	{ VIR_DOMAIN_STATS_VCPU, add_vcpus },
	{ VIR_DOMAIN_STATS_INTERFACE, add_ifaces },
	{ VIR_DOMAIN_STATS_BLOCK, add_disks },
	{ VIR_DOMAIN_STATS_PERF, NULL },
	{ VIR_DOMAIN_STATS_IOTHREAD, add_iothreads },
	{ VIR_DOMAIN_STATS_MEMORY, NULL },
	{ VIR_DOMAIN_STATS_DIRTYRATE, add_dirty_rate },
	{ VIR_DOMAIN_STATS_VM, add_vm },
};

unsigned int domstats_groups(void)
{
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		known |= groups[i].group;
	return known;
}

static int read_stats(struct registry *reg, struct subject *s)
{
	struct error ignored;

	return s->nowait ? domain_try_stats(reg, s->uuid, &s->stats,
					    &ignored) :
			   domain_get_stats(reg, s->uuid, &s->stats, &ignored);
}

/*
 * A domain that vanished meanwhile is left out; one whose VMM does not answer
 * is listed with what is known without it.
 */
static bool subject_read(struct registry *reg, struct subject *s)
{
	struct error ignored;

	if (domain_peek_info(reg, s->uuid, &s->info, &ignored) < 0)
		return false;
	if (!s->info.active)
		return true;
	s->def = domain_get_def(reg, s->uuid, true, &ignored);
	if (s->def && read_stats(reg, s) < 0) {
		domain_def_free(s->def);
		s->def = NULL;
	}
	return true;
}

static void subject_finish(struct subject *s)
{
	if (!s->def)
		return;
	domain_stats_finish(&s->stats);
	domain_def_free(s->def);
}

bool domstats_add(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int wanted, bool nowait, struct params *p)
{
	struct subject s = { .uuid = uuid, .nowait = nowait };

	if (!subject_read(reg, &s))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (wanted & groups[i].group && groups[i].add)
			groups[i].add(p, &s);
	subject_finish(&s);
	return true;
}
