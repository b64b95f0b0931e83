/*
 * daemon/workers.h -- threads that run what may block, and the way back to
 * the event loop.
 *
 * A work item's run() is called on a worker, then its done() on the loop.
 * Items that are posted skip the worker: that is how any thread gets something
 * done on the loop.  done() calls happen in the order in which run() ended or
 * workers_post() was called.
 */
#ifndef DAEMON_WORKERS_H
#define DAEMON_WORKERS_H

#include <stdbool.h>

struct workers;
struct sd_event;
struct error;

struct work {
	struct work *next;
	void (*run)(struct work *work);
	void (*done)(struct work *work); /* may free it */
};

struct workers_info {
	unsigned int min, max, reserved; /* reserved: for what is urgent */
	unsigned int n, idle, waiting;	 /* threads; items */
};
void workers_get_info(struct workers *w, struct workers_info *ret);
/* min, max and reserved; threads that there are stay. */
int workers_set_limits(struct workers *w, const struct workers_info *info,
		       struct error *err);

int workers_create(struct sd_event *loop, struct workers **ret_workers,
		   struct error *err);
void workers_submit(struct workers *w, struct work *work, bool urgent);
void workers_post(struct workers *w, struct work *work);
/* On the loop: calls done() of what has ended, as the loop does by itself. */
void workers_finish(struct workers *w);
/* Lets what was submitted end, and calls every done(). */
void workers_drain(struct workers *w);
void workers_destroy(struct workers *w);

#endif
