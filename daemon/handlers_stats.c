/*
 * daemon/handlers_stats.c -- domains: statistics.
 *
 * Everything comes from domain_get_stats(), one question to the VMM however
 * many groups the client asked for.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

/* ---- finding a device by what clients call it ---- */

static const struct domain_disk_stats *
disk_stats(const struct domain_stats *stats, const struct dom_disk *disk)
{
	for (unsigned int i = 0; i < stats->n_disks; i++)
		if (str_eq(stats->disks[i].id, disk->target_dev) ||
		    str_eq(stats->disks[i].id, disk->info.alias))
			return &stats->disks[i];
	return NULL;
}

static const struct domain_nic_stats *
nic_stats(const struct domain_stats *stats, const struct dom_iface *iface)
{
	for (unsigned int i = 0; i < stats->n_nics; i++)
		if (str_eq(stats->nics[i].id, iface->target_dev) ||
		    str_eq(stats->nics[i].id, iface->info.alias))
			return &stats->nics[i];
	return NULL;
}

/* By target ("vda") or by source path. */
static const struct dom_disk *find_disk(const struct domain_def *def,
					const char *path)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, path) ||
		    str_eq(def->disks[i].source, path))
			return &def->disks[i];
	return NULL;
}

static bool iface_has_mac(const struct dom_iface *iface, const char *text)
{
	unsigned int m[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &m[0], &m[1], &m[2], &m[3],
		   &m[4], &m[5]) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		if (m[i] != iface->mac[i])
			return false;
	return true;
}

static const struct dom_iface *find_iface(const struct domain_def *def,
					  const char *device)
{
	for (unsigned int i = 0; i < def->n_ifaces; i++)
		if (str_eq(def->ifaces[i].target_dev, device) ||
		    iface_has_mac(&def->ifaces[i], device))
			return &def->ifaces[i];
	return NULL;
}

/* The running definition and its statistics, or neither. */
static int get_live(struct call *call, const wire_dom *dom,
		    struct domain_def **ret_def, struct domain_stats *ret_stats,
		    struct error *err)
{
	struct domain_info info;
	int r = domain_get_info(call->reg, wire_uuid_of(dom), &info, err);

	if (r < 0)
		return r;
	if (!info.active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  "domain is not running");
	*ret_def = domain_get_def(call->reg, wire_uuid_of(dom), true, err);
	if (!*ret_def)
		return -EINVAL;
	r = domain_get_stats(call->reg, wire_uuid_of(dom), ret_stats, err);
	if (r < 0)
		domain_def_free(*ret_def);
	return r;
}

/* ---- disks ---- */

static void disk_add(struct domain_disk_stats *sum,
		     const struct domain_disk_stats *d)
{
	sum->rd_req += d->rd_req;
	sum->rd_bytes += d->rd_bytes;
	sum->rd_ns += d->rd_ns;
	sum->wr_req += d->wr_req;
	sum->wr_bytes += d->wr_bytes;
	sum->wr_ns += d->wr_ns;
	sum->flush_req += d->flush_req;
	sum->flush_ns += d->flush_ns;
}

/* One disk's, or all disks' for an empty path. */
static int sum_disks(const struct domain_def *def,
		     const struct domain_stats *stats, const char *path,
		     struct domain_disk_stats *ret, struct error *err)
{
	const struct dom_disk *disk = *path ? find_disk(def, path) : NULL;
	const struct domain_disk_stats *one;

	*ret = (struct domain_disk_stats){ 0 };
	if (*path && !disk)
		return error_virt(err, VIR_ERR_INVALID_ARG, "invalid path: %s",
				  path);
	if (disk) {
		one = disk_stats(stats, disk);
		if (one)
			disk_add(ret, one);
		return 0;
	}
	for (unsigned int i = 0; i < stats->n_disks; i++)
		disk_add(ret, &stats->disks[i]);
	return 0;
}

static int get_disk(struct call *call, const wire_dom *dom, const char *path,
		    struct domain_disk_stats *ret, struct error *err)
{
	struct domain_stats stats = { 0 };
	struct domain_def *def;
	int r = get_live(call, dom, &def, &stats, err);

	if (r < 0)
		return r;
	r = sum_disks(def, &stats, path, ret, err);
	domain_stats_finish(&stats);
	domain_def_free(def);
	return r;
}

int handle_domain_block_stats(struct call *call, const wire_dom_str *args,
			      wire_block_stats *reply, struct error *err)
{
	struct domain_disk_stats d;
	int r = get_disk(call, &args->dom, args->str, &d, err);

	if (r < 0)
		return r;
	reply->rd_req = d.rd_req;
	reply->rd_bytes = d.rd_bytes;
	reply->wr_req = d.wr_req;
	reply->wr_bytes = d.wr_bytes;
	reply->errs = -1; /* not counted */
	return 0;
}

int handle_domain_block_stats_flags(struct call *call,
				    const wire_block_params_args *args,
				    wire_few_params *reply, struct error *err)
{
	struct domain_disk_stats d;
	struct params p = { 0 };
	int r = call_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY, err);

	if (r >= 0)
		r = get_disk(call, &args->dom, args->path, &d, err);
	if (r < 0)
		return r;
	params_llong(&p, d.wr_bytes, "wr_bytes");
	params_llong(&p, d.wr_req, "wr_operations");
	params_llong(&p, d.rd_bytes, "rd_bytes");
	params_llong(&p, d.rd_req, "rd_operations");
	params_llong(&p, d.flush_req, "flush_operations");
	params_llong(&p, d.wr_ns, "wr_total_times");
	params_llong(&p, d.rd_ns, "rd_total_times");
	params_llong(&p, d.flush_ns, "flush_total_times");
	reply_params(&p, args->nparams, &reply->params.params_len,
		     &reply->params.params_val, &reply->nparams);
	return 0;
}

/* ---- interfaces ---- */

static int reply_nic(const struct domain_def *def,
		     const struct domain_stats *stats, const char *device,
		     wire_iface_stats *reply, struct error *err)
{
	const struct dom_iface *iface = find_iface(def, device);
	const struct domain_nic_stats *n;

	if (!iface)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid path, '%s' is not a known interface",
				  device);
	n = nic_stats(stats, iface);
	if (!n)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "interface '%s' has no statistics", device);
	*reply = (wire_iface_stats){
		.rx_bytes = n->rx_bytes,
		.rx_packets = n->rx_packets,
		.rx_drop = n->rx_drop,
		.tx_bytes = n->tx_bytes,
		.tx_packets = n->tx_packets,
		.tx_drop = n->tx_drop,
	};
	return 0;
}

int handle_domain_interface_stats(struct call *call, const wire_dom_str *args,
				  wire_iface_stats *reply, struct error *err)
{
	struct domain_stats stats = { 0 };
	struct domain_def *def;
	int r = get_live(call, &args->dom, &def, &stats, err);

	if (r < 0)
		return r;
	r = reply_nic(def, &stats, args->str, reply, err);
	domain_stats_finish(&stats);
	domain_def_free(def);
	return r;
}

/* ---- memory and CPU ---- */

int handle_domain_memory_stats(struct call *call,
			       const wire_memory_stats_args *args,
			       wire_memory_stats *reply, struct error *err)
{
	struct domain_stats stats = { 0 };
	struct domain_def *def;
	wire_memory_stat *stat;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = get_live(call, &args->dom, &def, &stats, err);
	if (r < 0)
		return r;
	stats.memory_has |= BIT(VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON);
	stats.memory[VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] =
		stats.balloon_bytes / KIB;
	stat = reply->stats.stats_val =
		xcalloc(VIR_DOMAIN_MEMORY_STAT_NR, sizeof(*stat));
	for (unsigned int tag = 0; tag < VIR_DOMAIN_MEMORY_STAT_NR; tag++) {
		if (!(stats.memory_has & BIT(tag)) ||
		    reply->stats.stats_len >= args->max)
			continue;
		stat[reply->stats.stats_len++] =
			(wire_memory_stat){ tag, stats.memory[tag] };
	}
	domain_stats_finish(&stats);
	domain_def_free(def);
	return 0;
}

/* Only the total, start_cpu -1: vCPUs are not tied to CPUs of the host. */
int handle_domain_get_cpu_stats(struct call *call,
				const wire_cpu_stats_args *args,
				wire_cpu_stats *reply, struct error *err)
{
	struct domain_stats stats = { 0 };
	struct domain_def *def;
	struct params p = { 0 };
	int r = call_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY, err);

	if (r < 0)
		return r;
	if (args->start_cpu != -1 || args->ncpus != 1)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s",
				  "CPU time is counted only in total");
	r = get_live(call, &args->dom, &def, &stats, err);
	if (r < 0)
		return r;
	params_ullong(&p, stats.cpu_ns, VIR_DOMAIN_CPU_STATS_CPUTIME);
	reply_params(&p, MIN(args->nparams, WIRE_CPU_STATS_MAX),
		     &reply->params.params_len, &reply->params.params_val,
		     &reply->nparams);
	domain_stats_finish(&stats);
	domain_def_free(def);
	return 0;
}

/* ---- all at once ---- */

struct subject { /* one domain; def and stats only while it runs */
	struct domain_ref ref;
	struct domain_info info;
	struct domain_def *def;
	struct domain_stats stats;
};

static void add_state(struct params *p, const struct subject *s)
{
	params_int(p, s->info.state, "state.state");
	params_int(p, s->info.reason, "state.reason");
}

static void add_cpu(struct params *p, const struct subject *s)
{
	if (s->def)
		params_ullong(p, s->stats.cpu_ns, "cpu.time");
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
	}
}

static void add_ifaces(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	params_uint(p, s->def->n_ifaces, "net.count");
	for (unsigned int i = 0; i < s->def->n_ifaces; i++) {
		const struct dom_iface *iface = &s->def->ifaces[i];
		const struct domain_nic_stats *n = nic_stats(&s->stats, iface);

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
		const struct domain_disk_stats *d = disk_stats(&s->stats, disk);

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

/* As libvirt names what a hypervisor counts for itself. */
static void add_vm(struct params *p, const struct subject *s)
{
	if (!s->def)
		return;
	for (unsigned int i = 0; i < s->stats.n_counters; i++)
		params_ullong(p, s->stats.counters[i].value, "vm.%s.sum",
			      s->stats.counters[i].name);
}

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
	{ VIR_DOMAIN_STATS_VM, add_vm },
};

static unsigned int groups_known(void)
{
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		known |= groups[i].group;
	return known;
}

/*
 * A domain that vanished meanwhile is left out; one whose VMM does not answer
 * is listed with what is known without it.
 */
static bool subject_read(struct call *call, struct subject *s)
{
	struct error ignored;

	if (domain_get_info(call->reg, s->ref.uuid, &s->info, &ignored) < 0)
		return false;
	if (!s->info.active)
		return true;
	s->def = domain_get_def(call->reg, s->ref.uuid, true, &ignored);
	if (s->def &&
	    domain_get_stats(call->reg, s->ref.uuid, &s->stats, &ignored) < 0) {
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

static void add_record(struct call *call, const struct domain_ref *ref,
		       unsigned int wanted, wire_all_stats *reply)
{
	struct subject s = { .ref = *ref };
	struct params p = { 0 };
	wire_stats_record *record;

	if (!subject_read(call, &s))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (wanted & groups[i].group)
			groups[i].add(&p, &s);
	record = &reply->records.records_val[reply->records.records_len++];
	reply_dom(&record->dom, &s.ref);
	record->params.params_val = p.val;
	record->params.params_len = p.len;
	subject_finish(&s);
}

/* The domains that were named, or those that the filter flags choose. */
static int choose_domains(struct call *call, const wire_all_stats_args *args,
			  struct domain_ref **ret_refs, struct error *err)
{
	const unsigned int own =
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT |
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING |
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS;
	unsigned int n = args->doms.doms_len;
	int r;

	if (!n)
		return domain_list(call->reg, args->flags & ~own, ret_refs,
				   err);
	*ret_refs = xcalloc(n, sizeof(**ret_refs));
	for (unsigned int i = 0; i < n; i++) {
		r = domain_lookup_uuid(call->reg,
				       wire_uuid_of(&args->doms.doms_val[i]),
				       &(*ret_refs)[i], err);
		if (r < 0)
			return r;
	}
	return n;
}

int handle_connect_get_all_domain_stats(struct call *call,
					const wire_all_stats_args *args,
					wire_all_stats *reply,
					struct error *err)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	unsigned int wanted = args->stats ? args->stats : groups_known();
	int n;

	if ((wanted & ~groups_known()) &&
	    (args->flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS))
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "Stats types bits 0x%x are not supported",
				  wanted & ~groups_known());
	n = choose_domains(call, args, &refs, err);
	if (n < 0)
		return n;
	if (n > WIRE_LIST_MAX)
		return error_virt(err, VIR_ERR_RPC,
				  "Too many domains '%d' for limit '%d'", n,
				  WIRE_LIST_MAX);
	reply->records.records_val = xcalloc(n + 1, sizeof(wire_stats_record));
	for (int i = 0; i < n; i++)
		add_record(call, &refs[i], wanted, reply);
	return 0;
}
