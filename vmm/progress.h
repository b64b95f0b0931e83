/*
 * vmm/progress.h -- how far a save or a migration is; and stopping it.
 */
#ifndef VMM_PROGRESS_H
#define VMM_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

struct progress {
	atomic_bool cancel;
	atomic_bool alone; /* the main loop has ended: do not wait for it */
	_Atomic uint64_t total;	   /* bytes of guest memory */
	_Atomic uint64_t done;	   /* bytes that were dealt with */
	_Atomic uint64_t written;  /* bytes that were sent */
	_Atomic uint64_t zero;	   /* pages of zeros: not written */
	_Atomic uint64_t normal;   /* pages that were */
	_Atomic uint64_t started;  /* now_ns() */
	_Atomic uint64_t finished; /* 0: not yet */
	/* Migration: */
	_Atomic uint64_t remaining;  /* bytes known to be dirty */
	_Atomic uint64_t iterations; /* over all memory */
	_Atomic uint64_t dirty_rate; /* pages a second */
	_Atomic uint64_t bps;	     /* bytes a second, as measured */
	_Atomic uint64_t downtime;   /* ns, expected or measured */
	_Atomic uint64_t paused_at;  /* now_ns(); 0: the guest still runs */
	_Atomic uint64_t throttle;   /* percent that vCPUs are slowed down */
};

#endif
