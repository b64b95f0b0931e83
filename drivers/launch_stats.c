/*
 * drivers/launch_stats.c -- a machine's counters, from JSON.
 *
 * What the machine does not say is zero; how many devices there are is the
 * definition's word, not the machine's.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"

enum { COUNTERS_MAX = 64 };

static uint64_t number(struct json_object *json, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(json, key, &v) ||
	    !json_object_is_type(v, json_type_int))
		return 0;
	return (uint64_t)json_object_get_int64(v);
}

static void take_vcpus(const struct domain_def *def, struct json_object *json,
		       struct domain_stats *s)
{
	struct json_object *array = NULL;

	s->n_vcpus = def->vcpus;
	s->vcpu_ns = xcalloc(def->vcpus, sizeof(*s->vcpu_ns));
	if (!json_object_object_get_ex(json, "cpu_ns", &array) ||
	    !json_object_is_type(array, json_type_array))
		return;
	for (unsigned int i = 0; i < def->vcpus; i++) {
		s->vcpu_ns[i] = (uint64_t)json_object_get_int64(
			json_object_array_get_idx(array, i));
		s->cpu_ns += s->vcpu_ns[i];
	}
}

/* With the machine's other threads. */
static void take_process(struct json_object *json, struct domain_stats *s)
{
	s->user_ns = number(json, "user_ns");
	s->system_ns = number(json, "system_ns");
}

static void take_dirty_rate(struct json_object *json, struct domain_stats *s)
{
	struct json_object *o = NULL;

	if (!json_object_object_get_ex(json, "dirty_rate", &o))
		return;
	s->dirty_rate = (struct domain_dirty_rate){
		.status = MIN(number(o, "status"),
			      (uint64_t)VIR_DOMAIN_DIRTYRATE_MEASURED),
		.seconds = (unsigned int)number(o, "seconds"),
		.log = number(o, "log"),
		.start = number(o, "start"),
		.bytes_per_second = number(o, "bytes_per_second"),
	};
}

/* A machine cannot see for itself what it did not get. */
static void take_waits(struct domain *dom, struct domain_stats *s)
{
	struct error ignored = { 0 };

	s->vcpu_wait_ns = xcalloc(s->n_vcpus, sizeof(*s->vcpu_wait_ns));
	if (host_vmm_waits(dom->uuid, s->n_vcpus, s->vcpu_wait_ns, &ignored) <
	    0) {
		free(s->vcpu_wait_ns);
		s->vcpu_wait_ns = NULL;
	}
}

static void take_disk(struct json_object *json, struct domain_disk_stats *d)
{
	d->rd_req = number(json, "rd_req");
	d->rd_bytes = number(json, "rd_bytes");
	d->rd_ns = number(json, "rd_ns");
	d->wr_req = number(json, "wr_req");
	d->wr_bytes = number(json, "wr_bytes");
	d->wr_ns = number(json, "wr_ns");
	d->flush_req = number(json, "flush_req");
	d->flush_ns = number(json, "flush_ns");
	d->capacity = number(json, "capacity");
	d->allocation = number(json, "allocation");
	d->physical = number(json, "physical");
}

static void take_nic(struct json_object *json, struct domain_nic_stats *n)
{
	n->rx_bytes = number(json, "rx_bytes");
	n->rx_packets = number(json, "rx_packets");
	n->rx_drop = number(json, "rx_drop");
	n->tx_bytes = number(json, "tx_bytes");
	n->tx_packets = number(json, "tx_packets");
	n->tx_drop = number(json, "tx_drop");
}

/* Frames that the kernel moves only the tap sees. */
static void take_tap(const struct dom_iface *d, struct domain_nic_stats *n)
{
	struct host_tap_stats tap, its;

	if (!d->target_dev || host_tap_stats(d->target_dev, &tap) < 0)
		return;
	/* What a macvtap receives is for the guest. */
	if (launch_direct_dev(d)) {
		its = tap;
		tap = (struct host_tap_stats){
			its.out_bytes, its.out_packets, its.out_drop,
			its.in_bytes, its.in_packets, its.in_drop,
		};
	}
	n->rx_bytes = tap.out_bytes;
	n->rx_packets = tap.out_packets;
	n->rx_drop = tap.out_drop;
	n->tx_bytes = tap.in_bytes;
	n->tx_packets = tap.in_packets;
	n->tx_drop = tap.in_drop;
}

static void take_devices(const struct domain_def *def,
			 struct json_object *json, struct domain_stats *s)
{
	struct json_object *disks = NULL, *nics = NULL, *one;

	json_object_object_get_ex(json, "disks", &disks);
	json_object_object_get_ex(json, "nics", &nics);
	s->n_disks = def->n_disks;
	s->disks = xcalloc(def->n_disks, sizeof(*s->disks));
	for (unsigned int i = 0; i < def->n_disks; i++) {
		const char *id = def->disks[i].info.alias;

		snprintf(s->disks[i].id, sizeof(s->disks[i].id), "%s",
			 id ? id : "");
		if (id && json_object_object_get_ex(disks, id, &one))
			take_disk(one, &s->disks[i]);
	}
	s->n_nics = def->n_ifaces;
	s->nics = xcalloc(def->n_ifaces, sizeof(*s->nics));
	for (unsigned int i = 0; i < def->n_ifaces; i++) {
		const char *id = def->ifaces[i].info.alias;

		snprintf(s->nics[i].id, sizeof(s->nics[i].id), "%s",
			 id ? id : "");
		if (!id || !json_object_object_get_ex(nics, id, &one))
			continue;
		if (number(one, "vhost"))
			take_tap(&def->ifaces[i], &s->nics[i]);
		else
			take_nic(one, &s->nics[i]);
	}
}

/* The names go to clients: those of a machine are not trusted. */
static bool counter_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len < sizeof(((struct domain_counter *)NULL)->name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static void take_counters(struct json_object *json, struct domain_stats *s)
{
	struct json_object *engine;

	if (!json_object_object_get_ex(json, "engine", &engine) ||
	    !json_object_is_type(engine, json_type_object))
		return;
	s->counters = xcalloc(COUNTERS_MAX, sizeof(*s->counters));
	json_object_object_foreach(engine, name, value) {
		struct domain_counter *c = &s->counters[s->n_counters];

		if (s->n_counters == COUNTERS_MAX || !counter_name_ok(name) ||
		    !json_object_is_type(value, json_type_int))
			continue;
		strcpy(c->name, name);
		c->value = (uint64_t)json_object_get_int64(value);
		s->n_counters++;
	}
}

/* What the guest's driver says of its memory: bytes, counts, a time. */
static void take_memory(struct json_object *json, struct domain_stats *s)
{
	static const struct {
		const char *name;
		unsigned int tag, unit;
	} known[] = {
		{ "swap_in", VIR_DOMAIN_MEMORY_STAT_SWAP_IN, KIB },
		{ "swap_out", VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, KIB },
		{ "major_fault", VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, 1 },
		{ "minor_fault", VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, 1 },
		{ "unused", VIR_DOMAIN_MEMORY_STAT_UNUSED, KIB },
		{ "available", VIR_DOMAIN_MEMORY_STAT_AVAILABLE, KIB },
		{ "usable", VIR_DOMAIN_MEMORY_STAT_USABLE, KIB },
		{ "last_update", VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, 1 },
		{ "disk_caches", VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, KIB },
		{ "hugetlb_pgalloc", VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC,
		  1 },
		{ "hugetlb_pgfail", VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!json_object_object_get(json, known[i].name))
			continue;
		s->memory_has |= BIT(known[i].tag);
		s->memory[known[i].tag] = number(json, known[i].name) /
					  known[i].unit;
	}
}

int launch_stats(struct domain *dom, struct domain_stats *ret_stats,
		 struct error *err)
{
	struct json_object *json = NULL, *balloon = NULL;
	int r = monitor_call(dom->priv, "stats", NULL, &json, err);

	if (r < 0)
		return r;
	*ret_stats = (struct domain_stats){ 0 };
	take_vcpus(dom->live, json, ret_stats);
	take_process(json, ret_stats);
	take_dirty_rate(json, ret_stats);
	take_waits(dom, ret_stats);
	take_devices(dom->live, json, ret_stats);
	take_counters(json, ret_stats);
	if (json_object_object_get_ex(json, "balloon", &balloon)) {
		ret_stats->balloon_bytes = number(balloon, "actual");
		take_memory(balloon, ret_stats);
	}
	json_object_put(json);
	return 0;
}
