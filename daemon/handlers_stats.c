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

#include "daemon/domstats.h"
#include "daemon/reply.h"

/* ---- finding a device by what clients call it ---- */

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
		one = domstats_disk(stats, disk);
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
	n = domstats_nic(stats, iface);
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
	params_ullong(&p, domstats_cpu_ns(&stats),
		      VIR_DOMAIN_CPU_STATS_CPUTIME);
	if (stats.user_ns || stats.system_ns) {
		params_ullong(&p, stats.user_ns, VIR_DOMAIN_CPU_STATS_USERTIME);
		params_ullong(&p, stats.system_ns,
			      VIR_DOMAIN_CPU_STATS_SYSTEMTIME);
	}
	reply_params(&p, MIN(args->nparams, WIRE_CPU_STATS_MAX),
		     &reply->params.params_len, &reply->params.params_val,
		     &reply->nparams);
	domain_stats_finish(&stats);
	domain_def_free(def);
	return 0;
}

/* ---- how fast memory is written ---- */

enum { DIRTY_SECONDS_MAX = 60 };

int handle_domain_start_dirty_rate_calc(struct call *call,
					const wire_dom_int_flags *args,
					struct error *err)
{
	const unsigned int log = VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP;
	const unsigned int ring = VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING;
	int r = call_flags(call, args->flags, log | ring, err);

	if (r < 0)
		return r;
	if (args->value < 1 || args->value > DIRTY_SECONDS_MAX)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "seconds=%d is invalid, please choose value within [1, %d].",
				  args->value, DIRTY_SECONDS_MAX);
	if (args->flags & ring)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "rates of single vCPUs (dirty-ring) are not measured: ask for dirty-bitmap");
	return domain_measure_dirty(call->reg, wire_uuid_of(&args->dom),
				    (unsigned int)args->value,
				    args->flags & log, err);
}

/* ---- all at once ---- */

static void add_record(struct call *call, const struct domain_ref *ref,
		       unsigned int wanted, bool nowait, wire_all_stats *reply)
{
	struct params p = { 0 };
	wire_stats_record *record;

	if (!domstats_add(call->reg, ref->uuid, wanted, nowait, &p))
		return;
	record = &reply->records.records_val[reply->records.records_len++];
	reply_dom(&record->dom, ref);
	record->params.params_val = p.val;
	record->params.params_len = p.len;
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
	unsigned int wanted = args->stats ? args->stats : domstats_groups();
	int n;

	if ((wanted & ~domstats_groups()) &&
	    (args->flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS))
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "Stats types bits 0x%x are not supported",
				  wanted & ~domstats_groups());
	n = choose_domains(call, args, &refs, err);
	if (n < 0)
		return n;
	if (n > WIRE_LIST_MAX)
		return error_virt(err, VIR_ERR_RPC,
				  "Too many domains '%d' for limit '%d'", n,
				  WIRE_LIST_MAX);
	reply->records.records_val = xcalloc(n + 1, sizeof(wire_stats_record));
	for (int i = 0; i < n; i++)
		add_record(call, &refs[i], wanted,
			   args->flags &
				   VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
			   reply);
	return 0;
}
