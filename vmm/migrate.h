/*
 * vmm/migrate.h -- a running machine goes from one VMM to another over a
 * stream (a connected socket); pages also over further ones.
 *
 * The source sends memory while the guest runs, then what was written
 * meanwhile, and so on; when what is left can be sent within the allowed
 * downtime it pauses the guest, sends the rest and the state of devices and
 * vCPUs, and waits until the destination says that it has all of it.  The
 * destination never runs the guest by itself: whoever manages both does that
 * when the source's part has succeeded.  So a stream that breaks, at any
 * moment, leaves one machine that can run: the source until it was answered,
 * and then whichever the manager chooses, with both paused.
 *
 * Post-copy: once it is asked for, the guest goes with what was sent until
 * then, and its other memory follows (vmm/postcopy.h).  *ret_follow is then
 * whoever sees to that, else NULL.
 */
#ifndef VMM_MIGRATE_H
#define VMM_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/progress.h"

struct machine;
struct postcopy_in;
struct postcopy_listener;
struct postcopy_out;
struct error;

/* May be changed while it goes on. */
struct migrate_limits {
	_Atomic uint64_t bandwidth; /* bytes a second; 0: as fast as it goes */
	_Atomic uint64_t downtime;  /* nanoseconds */
	atomic_bool now;	    /* do not wait any longer: pause and finish */
	atomic_bool postcopy; /* the guest goes now, the rest follows */
	_Atomic uint64_t postcopy_bandwidth; /* of what follows */
};

struct migrate_options {
	const int *more; /* further streams; stay the caller's */
	unsigned int n_more;
	bool zstd;
	bool auto_converge; /* slow the guest down rather than never end */
	/* Percent of its CPUs that it loses first, and then each time; 0: ours. */
	unsigned int throttle_first, throttle_step;
	void (*round)(void *arg); /* on the loop, after each; may be NULL */
	void *arg;
	int *page_fd; /* of what follows the guest; -1: nothing can */
	const struct postcopy_listener *listener;
};

/* What the destination needs for memory that comes after the guest. */
struct migrate_follow {
	int *page_fd, *rescue_fd, *missing_fd; /* taken if needed; or -1 */
	const struct postcopy_listener *listener;
};

enum { MIGRATE_MORE_MAX = 15 };
#define MIGRATE_DOWNTIME 300000000ull /* default */

/*
 * On a job's thread (vmm/job.h).  The machine is left paused when it succeeds;
 * when it fails as it was, if that can be: ret_paused says whether it has to
 * be set running again.
 */
int migrate_send(struct machine *m, int fd, const struct migrate_options *opt,
		 struct migrate_limits *limits, struct progress *p,
		 bool *ret_paused, struct postcopy_out **ret_follow,
		 struct error *err);

/* Into a machine just built; it is paused then. */
int migrate_receive(struct machine *m, int fd, const int *more,
		    unsigned int n_more, const struct migrate_follow *follow,
		    struct progress *p, struct postcopy_in **ret_follow,
		    struct error *err);

#endif
