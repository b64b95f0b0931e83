/*
 * storage/format/throttle.h -- how much may go through in a time: leaky
 * buckets for bytes and operations.
 *
 * Nothing here knows what time it is: the caller says, in nanoseconds that
 * never go back.  Nor does it lock.
 */
#ifndef STORAGE_FORMAT_THROTTLE_H
#define STORAGE_FORMAT_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* What is limited: of both ways together, of reads, of writes. */
enum throttle_kind {
	THROTTLE_BYTES,
	THROTTLE_READ_BYTES,
	THROTTLE_WRITE_BYTES,
	THROTTLE_OPS,
	THROTTLE_READ_OPS,
	THROTTLE_WRITE_OPS,
	THROTTLE_KINDS,
};

/* The most that libvirt's clients may ask for. */
#define THROTTLE_LIMIT_MAX 1000000000000000ull

/*
 * In a second; rate 0: no limit.  While less than that was used before, it may
 * be burst (0: none) for so many seconds (0: one).  op_bytes: a request counts
 * as one operation for each begun so many bytes; 0: as one.
 */
struct throttle_limits {
	uint64_t rate[THROTTLE_KINDS];
	uint64_t burst[THROTTLE_KINDS];
	uint64_t seconds[THROTTLE_KINDS];
	uint64_t op_bytes;
};

/* When each bucket will be empty again: what leaks at the rate, and what
 * leaks at the burst. */
struct throttle {
	struct throttle_limits limits;
	uint64_t empty[THROTTLE_KINDS];
	uint64_t burst_empty[THROTTLE_KINDS];
};

bool throttle_limits_any(const struct throttle_limits *limits);

/* What was used stays used, as far as the new buckets hold it. */
void throttle_set(struct throttle *t, const struct throttle_limits *limits,
		  uint64_t now);

/* When a request may begin: now, or later. */
uint64_t throttle_ready(const struct throttle *t, bool write, uint64_t now);
/* It begins. */
void throttle_charge(struct throttle *t, bool write, uint64_t bytes,
		     uint64_t now);

#endif
