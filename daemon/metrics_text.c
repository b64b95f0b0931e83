/*
 * daemon/metrics_text.c -- what is counted, as OpenMetrics 1.0.0 text.
 *
 * A domain's figures are those of domstats: a table says which of libvirt's
 * names belongs to which family, and in which unit they are there.  Families
 * must not be interleaved (OpenMetrics 1.0.0, "Metric Families"), so each has
 * a buffer of its own and all domains add to it in turn.
 */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/buf.h"
#include "base/error.h"
#include "config.h"
#include "daemon/domstats.h"
#include "daemon/reply.h"

enum type { GAUGE, COUNTER };
enum scale { ONE, KIBIBYTES, NANOSECONDS };

/*
 * '*' in the field stands for a number or a word, which is the label's value.
 * The unit is the name's end, as it has to be.
 */
struct family {
	const char *field, *name, *unit;
	enum type type;
	enum scale scale;
	const char *label;
	const char *help;
};

static const struct family families[] = {
	{ "state.state", "state", "", GAUGE, ONE, NULL,
	  "The domain's state by libvirt's numbers; 1: running" },
	{ "state.reason", "state_reason", "", GAUGE, ONE, NULL,
	  "Why it is in that state, by libvirt's numbers" },
	{ "cpu.time", "cpu_seconds", "seconds", COUNTER, NANOSECONDS, NULL,
	  "Processor time used" },
	{ "cpu.user", "cpu_user_seconds", "seconds", COUNTER, NANOSECONDS,
	  NULL, "Of that by the machine and the guest in it" },
	{ "cpu.system", "cpu_system_seconds", "seconds", COUNTER, NANOSECONDS,
	  NULL, "Of that by the host's kernel" },
	{ "balloon.current", "memory_current_bytes", "bytes", GAUGE, KIBIBYTES,
	  NULL, "Memory that the guest has" },
	{ "balloon.maximum", "memory_maximum_bytes", "bytes", GAUGE, KIBIBYTES,
	  NULL, "Memory that the guest may have" },
	{ "balloon.swap_in", "memory_swap_in_bytes", "bytes", COUNTER,
	  KIBIBYTES, NULL, "Read from swap, as the guest says" },
	{ "balloon.swap_out", "memory_swap_out_bytes", "bytes", COUNTER,
	  KIBIBYTES, NULL, "Written to swap, as the guest says" },
	{ "balloon.major_fault", "memory_major_faults", "", COUNTER, ONE, NULL,
	  "Page faults with input, as the guest says" },
	{ "balloon.minor_fault", "memory_minor_faults", "", COUNTER, ONE, NULL,
	  "Other page faults, as the guest says" },
	{ "balloon.unused", "memory_unused_bytes", "bytes", GAUGE, KIBIBYTES,
	  NULL, "Memory without use, as the guest says" },
	{ "balloon.available", "memory_available_bytes", "bytes", GAUGE,
	  KIBIBYTES, NULL, "Memory in all, as the guest says" },
	{ "balloon.usable", "memory_usable_bytes", "bytes", GAUGE, KIBIBYTES,
	  NULL, "Memory to be had without swapping, as the guest says" },
	{ "balloon.last-update", "memory_last_update_timestamp_seconds",
	  "seconds", GAUGE, ONE, NULL, "When the guest last said so" },
	{ "balloon.disk_caches", "memory_disk_caches_bytes", "bytes", GAUGE,
	  KIBIBYTES, NULL, "Memory in disk caches, as the guest says" },
	{ "balloon.hugetlb_pgalloc", "memory_hugetlb_allocations", "",
	  COUNTER, ONE, NULL, "Huge pages taken, as the guest says" },
	{ "balloon.hugetlb_pgfail", "memory_hugetlb_failures", "", COUNTER,
	  ONE, NULL, "Huge pages not to be had, as the guest says" },
	{ "vcpu.current", "vcpus_current", "", GAUGE, ONE, NULL,
	  "vCPUs that the guest has" },
	{ "vcpu.maximum", "vcpus_maximum", "", GAUGE, ONE, NULL,
	  "vCPUs that the guest may have" },
	{ "vcpu.*.state", "vcpu_state", "", GAUGE, ONE, "vcpu",
	  "The vCPU's state by libvirt's numbers; 1: running" },
	{ "vcpu.*.time", "vcpu_seconds", "seconds", COUNTER, NANOSECONDS,
	  "vcpu", "Processor time used by the vCPU" },
	{ "vcpu.*.wait", "vcpu_wait_seconds", "seconds", COUNTER, NANOSECONDS,
	  "vcpu", "For how long it waited for a processor of the host's" },
	{ "net.*.rx.bytes", "net_receive_bytes", "bytes", COUNTER, ONE,
	  "interface", "Received by the guest" },
	{ "net.*.rx.pkts", "net_receive_packets", "", COUNTER, ONE,
	  "interface", "Packets received by the guest" },
	{ "net.*.rx.drop", "net_receive_drops", "", COUNTER, ONE, "interface",
	  "Packets for the guest that were lost" },
	{ "net.*.tx.bytes", "net_transmit_bytes", "bytes", COUNTER, ONE,
	  "interface", "Sent by the guest" },
	{ "net.*.tx.pkts", "net_transmit_packets", "", COUNTER, ONE,
	  "interface", "Packets sent by the guest" },
	{ "net.*.tx.drop", "net_transmit_drops", "", COUNTER, ONE,
	  "interface", "Packets of the guest's that were lost" },
	{ "block.*.rd.reqs", "block_read_requests", "", COUNTER, ONE, "disk",
	  "Reads" },
	{ "block.*.rd.bytes", "block_read_bytes", "bytes", COUNTER, ONE,
	  "disk", "Bytes read" },
	{ "block.*.rd.times", "block_read_seconds", "seconds", COUNTER,
	  NANOSECONDS, "disk", "Time that reads took" },
	{ "block.*.wr.reqs", "block_write_requests", "", COUNTER, ONE, "disk",
	  "Writes" },
	{ "block.*.wr.bytes", "block_write_bytes", "bytes", COUNTER, ONE,
	  "disk", "Bytes written" },
	{ "block.*.wr.times", "block_write_seconds", "seconds", COUNTER,
	  NANOSECONDS, "disk", "Time that writes took" },
	{ "block.*.fl.reqs", "block_flush_requests", "", COUNTER, ONE, "disk",
	  "Flushes" },
	{ "block.*.fl.times", "block_flush_seconds", "seconds", COUNTER,
	  NANOSECONDS, "disk", "Time that flushes took" },
	{ "block.*.allocation", "block_allocation_bytes", "bytes", GAUGE, ONE,
	  "disk", "Of the image, in use" },
	{ "block.*.capacity", "block_capacity_bytes", "bytes", GAUGE, ONE,
	  "disk", "The disk's size" },
	{ "block.*.physical", "block_physical_bytes", "bytes", GAUGE, ONE,
	  "disk", "The image's size" },
	{ "iothread.count", "iothreads", "", GAUGE, ONE, NULL,
	  "I/O threads" },
	{ "vm.*.sum", "engine_events", "", COUNTER, ONE, "event",
	  "What the engine that runs the guest counts" },
};

/* ---- text ---- */

/* OpenMetrics 1.0.0, "escaped-string". */
static void add_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_puts(b, "\\n");
		else if (*text == '"' || *text == '\\')
			buf_printf(b, "\\%c", *text);
		else
			buf_add(b, text, 1);
	}
}

static void add_label(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",%s=\"", name);
	add_escaped(b, value);
	buf_puts(b, "\"");
}

static void add_number(struct buf *b, enum scale scale, uint64_t value)
{
	const uint64_t second = 1000000000;

	if (scale == NANOSECONDS)
		buf_printf(b, " %" PRIu64 ".%09" PRIu64 "\n", value / second,
			   value % second);
	else
		buf_printf(b, " %" PRIu64 "\n",
			   value * (scale == KIBIBYTES ? 1024 : 1));
}

static void add_head(struct buf *b, const struct family *f)
{
	buf_printf(b, "# TYPE vireo_domain_%s %s\n", f->name,
		   f->type == COUNTER ? "counter" : "gauge");
	if (*f->unit)
		buf_printf(b, "# UNIT vireo_domain_%s %s\n", f->name, f->unit);
	buf_printf(b, "# HELP vireo_domain_%s %s.\n", f->name, f->help);
}

/* ---- one domain's figures ---- */

/* What '*' stands for, or "" where there is none; false: it does not fit. */
static bool fits(const char *pattern, const char *field, char ret_star[32])
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : 0;
	const char *end;

	ret_star[0] = '\0';
	if (!star)
		return str_eq(pattern, field);
	if (strncmp(pattern, field, before) != 0)
		return false;
	end = strchr(field + before, '.');
	if (!end || !str_eq(end, star + 1) ||
	    (size_t)(end - field) - before >= 32)
		return false;
	memcpy(ret_star, field + before, end - field - before);
	ret_star[end - field - before] = '\0';
	return true;
}

static int find_family(const char *field, char ret_star[32])
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (fits(families[i].field, field, ret_star))
			return (int)i;
	return -1;
}

static bool read_number(const wire_value *v, uint64_t *ret)
{
	switch (v->type) {
	case VIR_TYPED_PARAM_INT:
		*ret = (uint64_t)v->wire_value_u.i;
		return v->wire_value_u.i >= 0;
	case VIR_TYPED_PARAM_UINT:
		*ret = v->wire_value_u.ui;
		return true;
	case VIR_TYPED_PARAM_LLONG:
		*ret = (uint64_t)v->wire_value_u.l;
		return v->wire_value_u.l >= 0;
	case VIR_TYPED_PARAM_ULLONG:
		*ret = v->wire_value_u.ul;
		return true;
	}
	return false;
}

/* "vda" of block.0.name, or NULL. */
static const char *device_name(const struct params *p, const char *field)
{
	size_t group = strcspn(field, ".");
	size_t len = group + 1 + strcspn(field + group + 1, ".");

	for (unsigned int i = 0; i < p->len; i++)
		if (!strncmp(p->val[i].field, field, len) &&
		    str_eq(p->val[i].field + len, ".name") &&
		    p->val[i].value.type == VIR_TYPED_PARAM_STRING)
			return p->val[i].value.wire_value_u.s;
	return NULL;
}

static bool is_device(const struct family *f)
{
	return str_startswith(f->field, "block.*") ||
	       str_startswith(f->field, "net.*");
}

static void add_sample(struct buf *b, const struct family *f,
		       const struct domain_ref *ref, const struct params *p,
		       const wire_param *param, const char *star)
{
	char uuid[UUID_STR_LEN];
	const char *name;
	uint64_t value;

	if (!read_number(&param->value, &value))
		return;
	if (!b->len)
		add_head(b, f);
	uuid_format(ref->uuid, uuid);
	buf_printf(b, "vireo_domain_%s%s{uuid=\"%s\"", f->name,
		   f->type == COUNTER ? "_total" : "", uuid);
	add_label(b, "domain", ref->name);
	if (is_device(f)) {
		name = device_name(p, param->field);
		add_label(b, "index", star);
		add_label(b, f->label, name ? name : "");
	} else if (f->label) {
		add_label(b, f->label, star);
	}
	buf_puts(b, "}");
	add_number(b, f->scale, value);
}

static void add_domain(struct registry *reg, const struct domain_ref *ref,
		       struct buf *texts)
{
	struct params p = { 0 };
	char star[32];
	int at;

	/* A guest that hangs must not delay what is said of the others. */
	if (!domstats_add(reg, ref->uuid, domstats_groups(), true, &p))
		return;
	for (unsigned int i = 0; i < p.len; i++) {
		at = find_family(p.val[i].field, star);
		if (at >= 0)
			add_sample(&texts[at], &families[at], ref, &p,
				   &p.val[i], star);
	}
	params_free(&p);
}

/* ---- all of it ---- */

static void add_daemon(struct buf *b, const struct domain_ref *refs, int n,
		       unsigned int n_clients)
{
	int active = 0;

	for (int i = 0; i < n; i++)
		active += refs[i].id >= 0;
	buf_puts(b, "# TYPE vireo_build info\n"
		    "# HELP vireo_build The daemon.\n"
		    "vireo_build_info{version=\"");
	add_escaped(b, PACKAGE_VERSION);
	buf_printf(b, "\"} 1\n"
		      "# TYPE vireo_clients gauge\n"
		      "# HELP vireo_clients Clients that are connected.\n"
		      "vireo_clients %u\n"
		      "# TYPE vireo_domains gauge\n"
		      "# HELP vireo_domains Domains that there are.\n"
		      "vireo_domains{state=\"active\"} %d\n"
		      "vireo_domains{state=\"inactive\"} %d\n",
		   n_clients, active, n - active);
}

char *metrics_text(struct registry *reg, unsigned int n_clients,
		   size_t *ret_len)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	struct buf texts[ARRAY_SIZE(families)] = { 0 };
	struct buf all = { 0 };
	struct error ignored;
	int n = domain_list(reg, 0, &refs, &ignored);

	n = n < 0 ? 0 : n;
	add_daemon(&all, refs, n, n_clients);
	for (int i = 0; i < n; i++)
		add_domain(reg, &refs[i], texts);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		buf_add(&all, texts[i].data, texts[i].len);
		buf_free(&texts[i]);
	}
	buf_puts(&all, "# EOF\n");
	*ret_len = all.len;
	return buf_steal(&all);
}
