/*
 * vmm/throttle.h -- disks that share limits, and whose turn it is.
 *
 * A machine has groups of drives; each group has one set of buckets
 * (storage/format/throttle.h).  A drive that must wait is told when to ask
 * again; of a group's drives, those that wait go in their order, reads and
 * writes apart.  Any thread may call.
 */
#ifndef VMM_THROTTLE_H
#define VMM_THROTTLE_H

#include "storage/format/throttle.h"

struct state_set;
struct throttles;
struct throttle_member;

/* Ask again then; with the group locked: no calls back from in here. */
typedef void throttle_wake_fn(void *arg, uint64_t when);

/* clock: nanoseconds that never go back. */
struct throttles *throttles_create(uint64_t (*clock)(void));
void throttles_destroy(struct throttles *all); /* no members are left */

/* Everything goes at once, for as long as it is open: nothing is to wait while
 * a machine is brought to rest. */
void throttles_open(struct throttles *all, bool open);
/* How full the buckets are; main thread, devices at rest. */
void throttles_states(struct throttles *all, struct state_set *set);

struct throttle_member *throttle_join(struct throttles *all, const char *group,
				      throttle_wake_fn *wake, void *arg);
void throttle_leave(struct throttle_member *m); /* NULL: nothing */
const char *throttle_group_name(const struct throttle_member *m);
/* The group's. */
void throttle_limit(struct throttle_member *m,
		    const struct throttle_limits *limits);

/* True: it goes, and is counted.  False: wake() is called. */
bool throttle_pass(struct throttle_member *m, bool write, uint64_t bytes);

#endif
