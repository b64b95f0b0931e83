/*
 * model/tune.h -- what a domain asks of the host's processors and memory, and
 * which of a hypervisor's helps it is shown; parts of domain.h.
 */
#ifndef MODEL_TUNE_H
#define MODEL_TUNE_H

#include <stdbool.h>
#include <stdint.h>

/* The order of the words in tables_tune.c. */
enum dom_hyperv {
	HYPERV_RELAXED,
	HYPERV_VAPIC,
	HYPERV_SPINLOCKS,
	HYPERV_VPINDEX,
	HYPERV_RUNTIME,
	HYPERV_SYNIC,
	HYPERV_STIMER,
	HYPERV_STIMER_DIRECT, /* <stimer><direct> */
	HYPERV_RESET,
	HYPERV_VENDOR_ID,
	HYPERV_FREQUENCIES,
	HYPERV_REENLIGHTENMENT,
	HYPERV_TLBFLUSH,
	HYPERV_TLBFLUSH_DIRECT,
	HYPERV_TLBFLUSH_EXTENDED,
	HYPERV_IPI,
	HYPERV_EVMCS,
	HYPERV_AVIC,
	HYPERV_EMSR_BITMAP,
	HYPERV_XMM_INPUT,
	HYPERV_FEATURES,
};
/* Words as <hyperv> has them, "stimer/direct" for one in another. */
extern const char *const hyperv_names[HYPERV_FEATURES];

struct dom_pin {
	unsigned int id; /* vCPU or I/O thread */
	char *cpuset;
	char *extra;
};

/* The CPUs of the vCPU or I/O thread of that ID; otherwise, if it has no pin. */
const char *dom_pin_of(const struct dom_pin *pins, unsigned int n,
		       unsigned int id, const char *otherwise);

struct dom_sched {
	char *ids; /* "0-3"; NULL: <emulatorsched> */
	char *scheduler, *priority;
	char *extra;
};

struct dom_cputune {
	unsigned int shares;	 /* 0: not given, as for all that follow */
	unsigned int period, global_period, emulator_period, iothread_period;
	int64_t quota, global_quota, emulator_quota, iothread_quota;
	unsigned int n_vcpupins, n_iothreadpins, n_vcpuscheds,
		n_iothreadscheds;
	struct dom_pin *vcpupins, *iothreadpins;
	char *emulatorpin;
	struct dom_sched *vcpuscheds, *iothreadscheds;
	char *emulatorsched, *emulatorsched_priority;
	char *extra;
};

/* Bytes; 0: not given. */
struct dom_memtune {
	uint64_t hard_limit, soft_limit, swap_hard_limit, min_guarantee;
};

struct dom_blkiodev {
	char *path;
	unsigned int weight;
	int64_t read_iops, write_iops, read_bytes, write_bytes;
	char *extra;
};

struct dom_blkiotune {
	unsigned int weight;
	unsigned int n_devices;
	struct dom_blkiodev *devices;
};

/* A disk's <iotune>, in a second: what, in the order of iotune_names.  0: no
 * limit, no burst; how long a burst lasts, 0: a second. */
enum { IOTUNE_KINDS = 6 };
struct dom_iotune {
	int64_t rate[IOTUNE_KINDS], burst[IOTUNE_KINDS], seconds[IOTUNE_KINDS];
	int64_t op_bytes;
	char *group; /* NULL: the disk's alone */
	char *extra;
};
/* "total_bytes_sec", "read_bytes_sec", ..., "write_iops_sec". */
extern const char *const iotune_names[IOTUNE_KINDS];
#define IOTUNE_MAX 1000000000000000ll

/* Whether the limits go together; the error carries the code. */
struct error;
int iotune_check(const struct dom_iotune *t, int code, struct error *err);
bool iotune_any(const struct dom_iotune *t); /* is there a limit? */
bool iotune_same(const struct dom_iotune *a, const struct dom_iotune *b);

struct dom_memnode {
	unsigned int cellid;
	char *mode, *nodeset;
	char *extra;
};

struct dom_numatune {
	char *mode, *nodeset, *placement; /* <memory> */
	unsigned int n_memnodes;
	struct dom_memnode *memnodes;
	char *extra;
};

struct dom_hugepage {
	char *size, *unit, *nodeset;
	char *extra;
};

struct dom_backing {
	struct dom_hugepage *pages;
	unsigned int n_pages;
	bool hugepages, nosharepages, locked, discard;
	char *source, *access, *allocation, *threads;
	char *extra;
};

struct dom_distance {
	unsigned int id, value;
};

struct dom_cell {
	int id; /* -1: not given */
	char *cpus, *memory, *unit, *mem_access, *discard;
	unsigned int n_distances;
	struct dom_distance *distances;
	char *extra;
};

struct dom_iothread {
	unsigned int id;
	char *extra;
};

/* What a cell's memory is in bytes; 0 when it is no size. */
uint64_t dom_cell_bytes(const struct dom_cell *cell);
/* The same of a page's. */
uint64_t dom_hugepage_bytes(const struct dom_hugepage *page);

#endif
