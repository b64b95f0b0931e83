/*
 * model/tables_tune.c -- where each member of tune.h is in the XML.
 */
#include <stdlib.h>

#include "model/tables.h"
#include "model/units.h"

const char *const hyperv_names[HYPERV_FEATURES] = {
	[HYPERV_RELAXED] = "relaxed",
	[HYPERV_VAPIC] = "vapic",
	[HYPERV_SPINLOCKS] = "spinlocks",
	[HYPERV_VPINDEX] = "vpindex",
	[HYPERV_RUNTIME] = "runtime",
	[HYPERV_SYNIC] = "synic",
	[HYPERV_STIMER] = "stimer",
	[HYPERV_STIMER_DIRECT] = "stimer/direct",
	[HYPERV_RESET] = "reset",
	[HYPERV_VENDOR_ID] = "vendor_id",
	[HYPERV_FREQUENCIES] = "frequencies",
	[HYPERV_REENLIGHTENMENT] = "reenlightenment",
	[HYPERV_TLBFLUSH] = "tlbflush",
	[HYPERV_TLBFLUSH_DIRECT] = "tlbflush/direct",
	[HYPERV_TLBFLUSH_EXTENDED] = "tlbflush/extended",
	[HYPERV_IPI] = "ipi",
	[HYPERV_EVMCS] = "evmcs",
	[HYPERV_AVIC] = "avic",
	[HYPERV_EMSR_BITMAP] = "emsr_bitmap",
	[HYPERV_XMM_INPUT] = "xmm_input",
};

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	static const struct words words_##name = { name##_list, \
						   ARRAY_SIZE(name##_list) }

WORDS(hyperv_mode, "custom", "passthrough");
WORDS(numa_mode, "strict", "interleave", "preferred", "restrictive");
WORDS(placement, "static", "auto");
WORDS(source, "anonymous", "file", "memfd");
WORDS(access, "shared", "private");
WORDS(allocation, "immediate", "ondemand");
WORDS(scheduler, "batch", "idle", "fifo", "rr");

#define D(m) offsetof(struct domain_def, m)
#define HYPERV(id, path) \
	{ path, FIELD_ENUM, D(hyperv[id]), &words_onoff }
static const struct field hyperv_fields[] = {
	{ "@mode", FIELD_STR, D(hyperv_mode), &words_hyperv_mode },
	HYPERV(HYPERV_RELAXED, "relaxed@state"),
	HYPERV(HYPERV_VAPIC, "vapic@state"),
	HYPERV(HYPERV_SPINLOCKS, "spinlocks@state"),
	{ "spinlocks@retries", FIELD_UINT, D(hyperv_retries) },
	HYPERV(HYPERV_VPINDEX, "vpindex@state"),
	HYPERV(HYPERV_RUNTIME, "runtime@state"),
	HYPERV(HYPERV_SYNIC, "synic@state"),
	HYPERV(HYPERV_STIMER, "stimer@state"),
	HYPERV(HYPERV_STIMER_DIRECT, "stimer/direct@state"),
	HYPERV(HYPERV_RESET, "reset@state"),
	HYPERV(HYPERV_VENDOR_ID, "vendor_id@state"),
	{ "vendor_id@value", FIELD_STR, D(hyperv_vendor) },
	HYPERV(HYPERV_FREQUENCIES, "frequencies@state"),
	HYPERV(HYPERV_REENLIGHTENMENT, "reenlightenment@state"),
	HYPERV(HYPERV_TLBFLUSH, "tlbflush@state"),
	HYPERV(HYPERV_TLBFLUSH_DIRECT, "tlbflush/direct@state"),
	HYPERV(HYPERV_TLBFLUSH_EXTENDED, "tlbflush/extended@state"),
	HYPERV(HYPERV_IPI, "ipi@state"),
	HYPERV(HYPERV_EVMCS, "evmcs@state"),
	HYPERV(HYPERV_AVIC, "avic@state"),
	HYPERV(HYPERV_EMSR_BITMAP, "emsr_bitmap@state"),
	HYPERV(HYPERV_XMM_INPUT, "xmm_input@state"),
	{ 0 },
};
const struct xml_type type_hyperv = { .fields = hyperv_fields };

static const struct field iothread_fields[] = {
	{ "@id", FIELD_NUMBER, offsetof(struct dom_iothread, id) },
	{ 0 },
};
static const struct xml_type type_iothread = {
	XML_TYPE_EXTRA(struct dom_iothread, extra),
	.fields = iothread_fields,
};
static const struct field iothreadids_fields[] = {
	{ "iothread", FIELD_LIST, D(iothreadids), .type = &type_iothread,
	  .n_off = D(n_iothreadids) },
	{ 0 },
};
const struct xml_type type_iothreadids = { .fields = iothreadids_fields };
#undef D

/* ---- <cputune> ---- */

static const struct field vcpupin_fields[] = {
	{ "@vcpu", FIELD_NUMBER, offsetof(struct dom_pin, id) },
	{ "@cpuset", FIELD_STR, offsetof(struct dom_pin, cpuset),
	  .flags = FIELD_REQUIRED },
	{ 0 },
};
static const struct xml_type type_vcpupin = {
	XML_TYPE_EXTRA(struct dom_pin, extra),
	.fields = vcpupin_fields,
};
static const struct field iothreadpin_fields[] = {
	{ "@iothread", FIELD_NUMBER, offsetof(struct dom_pin, id) },
	{ "@cpuset", FIELD_STR, offsetof(struct dom_pin, cpuset),
	  .flags = FIELD_REQUIRED },
	{ 0 },
};
static const struct xml_type type_iothreadpin = {
	XML_TYPE_EXTRA(struct dom_pin, extra),
	.fields = iothreadpin_fields,
};

#define S(m) offsetof(struct dom_sched, m)
static const struct field vcpusched_fields[] = {
	{ "@vcpus", FIELD_STR, S(ids), .flags = FIELD_REQUIRED },
	{ "@scheduler", FIELD_STR, S(scheduler), &words_scheduler,
	  .flags = FIELD_REQUIRED },
	{ "@priority", FIELD_STR, S(priority) },
	{ 0 },
};
static const struct xml_type type_vcpusched = {
	XML_TYPE_EXTRA(struct dom_sched, extra),
	.fields = vcpusched_fields,
};
static const struct field iothreadsched_fields[] = {
	{ "@iothreads", FIELD_STR, S(ids), .flags = FIELD_REQUIRED },
	{ "@scheduler", FIELD_STR, S(scheduler), &words_scheduler,
	  .flags = FIELD_REQUIRED },
	{ "@priority", FIELD_STR, S(priority) },
	{ 0 },
};
static const struct xml_type type_iothreadsched = {
	XML_TYPE_EXTRA(struct dom_sched, extra),
	.fields = iothreadsched_fields,
};
#undef S

#define C(m) offsetof(struct dom_cputune, m)
static const struct field cputune_fields[] = {
	{ "shares", FIELD_UINT, C(shares) },
	{ "period", FIELD_UINT, C(period) },
	{ "quota", FIELD_LONG, C(quota) },
	{ "global_period", FIELD_UINT, C(global_period) },
	{ "global_quota", FIELD_LONG, C(global_quota) },
	{ "emulator_period", FIELD_UINT, C(emulator_period) },
	{ "emulator_quota", FIELD_LONG, C(emulator_quota) },
	{ "iothread_period", FIELD_UINT, C(iothread_period) },
	{ "iothread_quota", FIELD_LONG, C(iothread_quota) },
	{ "vcpupin", FIELD_LIST, C(vcpupins), .type = &type_vcpupin,
	  .n_off = C(n_vcpupins) },
	{ "emulatorpin@cpuset", FIELD_STR, C(emulatorpin) },
	{ "iothreadpin", FIELD_LIST, C(iothreadpins),
	  .type = &type_iothreadpin, .n_off = C(n_iothreadpins) },
	{ "emulatorsched@scheduler", FIELD_STR, C(emulatorsched),
	  &words_scheduler },
	{ "emulatorsched@priority", FIELD_STR, C(emulatorsched_priority) },
	{ "vcpusched", FIELD_LIST, C(vcpuscheds), .type = &type_vcpusched,
	  .n_off = C(n_vcpuscheds) },
	{ "iothreadsched", FIELD_LIST, C(iothreadscheds),
	  .type = &type_iothreadsched, .n_off = C(n_iothreadscheds) },
	{ 0 },
};
#undef C
const struct xml_type type_cputune = {
	XML_TYPE_EXTRA(struct dom_cputune, extra),
	.fields = cputune_fields,
};

/* ---- <memtune>, <blkiotune> ---- */

#define M(m) offsetof(struct dom_memtune, m)
static const struct field memtune_fields[] = {
	{ "hard_limit", FIELD_SIZE, M(hard_limit) },
	{ "soft_limit", FIELD_SIZE, M(soft_limit) },
	{ "min_guarantee", FIELD_SIZE, M(min_guarantee) },
	{ "swap_hard_limit", FIELD_SIZE, M(swap_hard_limit) },
	{ 0 },
};
#undef M
const struct xml_type type_memtune = { .fields = memtune_fields };

#define B(m) offsetof(struct dom_blkiodev, m)
static const struct field blkiodev_fields[] = {
	{ "path", FIELD_STR, B(path), .flags = FIELD_REQUIRED },
	{ "weight", FIELD_UINT, B(weight) },
	{ "read_iops_sec", FIELD_LONG, B(read_iops) },
	{ "write_iops_sec", FIELD_LONG, B(write_iops) },
	{ "read_bytes_sec", FIELD_LONG, B(read_bytes) },
	{ "write_bytes_sec", FIELD_LONG, B(write_bytes) },
	{ 0 },
};
#undef B
static const struct xml_type type_blkiodev = {
	XML_TYPE_EXTRA(struct dom_blkiodev, extra),
	.fields = blkiodev_fields,
};
#define B(m) offsetof(struct dom_blkiotune, m)
static const struct field blkiotune_fields[] = {
	{ "weight", FIELD_UINT, B(weight), .max = 10000 },
	{ "device", FIELD_LIST, B(devices), .type = &type_blkiodev,
	  .n_off = B(n_devices) },
	{ 0 },
};
#undef B
const struct xml_type type_blkiotune = { .fields = blkiotune_fields };

/* ---- a disk's <iotune> ---- */

#define I(m) offsetof(struct dom_iotune, m)
static const struct field iotune_fields[] = {
	{ "total_bytes_sec", FIELD_LONG, I(rate[0]) },
	{ "read_bytes_sec", FIELD_LONG, I(rate[1]) },
	{ "write_bytes_sec", FIELD_LONG, I(rate[2]) },
	{ "total_iops_sec", FIELD_LONG, I(rate[3]) },
	{ "read_iops_sec", FIELD_LONG, I(rate[4]) },
	{ "write_iops_sec", FIELD_LONG, I(rate[5]) },
	{ "total_bytes_sec_max", FIELD_LONG, I(burst[0]) },
	{ "read_bytes_sec_max", FIELD_LONG, I(burst[1]) },
	{ "write_bytes_sec_max", FIELD_LONG, I(burst[2]) },
	{ "total_iops_sec_max", FIELD_LONG, I(burst[3]) },
	{ "read_iops_sec_max", FIELD_LONG, I(burst[4]) },
	{ "write_iops_sec_max", FIELD_LONG, I(burst[5]) },
	{ "size_iops_sec", FIELD_LONG, I(op_bytes) },
	{ "group_name", FIELD_STR, I(group) },
	{ "total_bytes_sec_max_length", FIELD_LONG, I(seconds[0]) },
	{ "read_bytes_sec_max_length", FIELD_LONG, I(seconds[1]) },
	{ "write_bytes_sec_max_length", FIELD_LONG, I(seconds[2]) },
	{ "total_iops_sec_max_length", FIELD_LONG, I(seconds[3]) },
	{ "read_iops_sec_max_length", FIELD_LONG, I(seconds[4]) },
	{ "write_iops_sec_max_length", FIELD_LONG, I(seconds[5]) },
	{ 0 },
};
#undef I
const struct xml_type type_iotune = {
	XML_TYPE_EXTRA(struct dom_iotune, extra),
	.fields = iotune_fields,
};

/* ---- <numatune>, <memoryBacking>, <numa> ---- */

#define N(m) offsetof(struct dom_memnode, m)
static const struct field memnode_fields[] = {
	{ "@cellid", FIELD_NUMBER, N(cellid) },
	{ "@mode", FIELD_STR, N(mode), &words_numa_mode,
	  .flags = FIELD_REQUIRED },
	{ "@nodeset", FIELD_STR, N(nodeset), .flags = FIELD_REQUIRED },
	{ 0 },
};
#undef N
static const struct xml_type type_memnode = {
	XML_TYPE_EXTRA(struct dom_memnode, extra),
	.fields = memnode_fields,
};
#define N(m) offsetof(struct dom_numatune, m)
static const struct field numatune_fields[] = {
	{ "memory@mode", FIELD_STR, N(mode), &words_numa_mode },
	{ "memory@nodeset", FIELD_STR, N(nodeset) },
	{ "memory@placement", FIELD_STR, N(placement), &words_placement },
	{ "memnode", FIELD_LIST, N(memnodes), .type = &type_memnode,
	  .n_off = N(n_memnodes) },
	{ 0 },
};
#undef N
const struct xml_type type_numatune = {
	XML_TYPE_EXTRA(struct dom_numatune, extra),
	.fields = numatune_fields,
};

#define P(m) offsetof(struct dom_hugepage, m)
static const struct field hugepage_fields[] = {
	{ "@size", FIELD_STR, P(size), .flags = FIELD_REQUIRED },
	{ "@unit", FIELD_STR, P(unit) },
	{ "@nodeset", FIELD_STR, P(nodeset) },
	{ 0 },
};
#undef P
static const struct xml_type type_hugepage = {
	XML_TYPE_EXTRA(struct dom_hugepage, extra),
	.fields = hugepage_fields,
};
#define B(m) offsetof(struct dom_backing, m)
static const struct field hugepages_fields[] = {
	{ "page", FIELD_LIST, B(pages), .type = &type_hugepage,
	  .n_off = B(n_pages) },
	{ 0 },
};
static const struct xml_type type_hugepages = { .fields = hugepages_fields };
static const struct field backing_fields[] = {
	{ "hugepages", FIELD_STRUCT, 0, .type = &type_hugepages,
	  .n_off = B(hugepages) },
	{ "nosharepages", FIELD_FLAG, B(nosharepages) },
	{ "locked", FIELD_FLAG, B(locked) },
	{ "source@type", FIELD_STR, B(source), &words_source },
	{ "access@mode", FIELD_STR, B(access), &words_access },
	{ "allocation@mode", FIELD_STR, B(allocation), &words_allocation },
	{ "allocation@threads", FIELD_STR, B(threads) },
	{ "discard", FIELD_FLAG, B(discard) },
	{ 0 },
};
#undef B
const struct xml_type type_backing = {
	XML_TYPE_EXTRA(struct dom_backing, extra),
	.fields = backing_fields,
};

static const struct field distance_fields[] = {
	{ "@id", FIELD_NUMBER, offsetof(struct dom_distance, id) },
	{ "@value", FIELD_NUMBER, offsetof(struct dom_distance, value),
	  .max = 255 },
	{ 0 },
};
static const struct xml_type type_distance = {
	.size = sizeof(struct dom_distance),
	.fields = distance_fields,
};
#define C(m) offsetof(struct dom_cell, m)
static const struct field distances_fields[] = {
	{ "sibling", FIELD_LIST, C(distances), .type = &type_distance,
	  .n_off = C(n_distances) },
	{ 0 },
};
static const struct xml_type type_distances = { .fields = distances_fields };
static const struct field cell_fields[] = {
	{ "@id", FIELD_INT, C(id) },
	{ "@cpus", FIELD_STR, C(cpus) },
	{ "@memory", FIELD_STR, C(memory), .flags = FIELD_REQUIRED,
	  .missing = "missing 'memory' attribute in NUMA cell" },
	{ "@unit", FIELD_STR, C(unit) },
	{ "@memAccess", FIELD_STR, C(mem_access), &words_access },
	{ "@discard", FIELD_STR, C(discard), &words_yesno },
	{ "distances", FIELD_STRUCT, 0, .type = &type_distances },
	{ 0 },
};
#undef C
static const struct dom_cell cell_defaults = { .id = -1 };
const struct xml_type type_cell = {
	XML_TYPE_EXTRA(struct dom_cell, extra),
	.fields = cell_fields,
	.defaults = &cell_defaults,
};

static uint64_t size_of(const char *text, const char *unit)
{
	uint64_t bytes = 0;

	if (!text || !unit_bytes(unit) || size_parse(text, unit, &bytes) < 0)
		return 0;
	return bytes;
}

uint64_t dom_cell_bytes(const struct dom_cell *cell)
{
	return size_of(cell->memory, cell->unit);
}

uint64_t dom_hugepage_bytes(const struct dom_hugepage *page)
{
	return size_of(page->size, page->unit);
}
