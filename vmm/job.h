/*
 * vmm/job.h -- one long piece of work about a machine, on a thread of its own:
 * saving, migrating.
 *
 * The main loop goes on meanwhile, so that somebody can ask how far it is and
 * cancel it.
 */
#ifndef VMM_JOB_H
#define VMM_JOB_H

#include <pthread.h>

#include "base/error.h"
#include "vmm/progress.h"

struct job;
struct loop;

/* On the job's thread; looks at p->cancel now and then. */
typedef int job_work_fn(void *arg, struct progress *p, struct error *err);
/* In work: runs fn(arg) on the main loop's thread and waits for it; false: it
 * never will, the loop has ended.  fn may then still look at arg. */
bool job_on_loop(struct loop *loop, struct progress *p, void (*fn)(void *arg),
		 void *arg);

/* On the main loop's, when the work has returned; then the job is gone. */
typedef void job_done_fn(void *arg, int result, const struct error *err);

/* A thread that no signal disturbs: 0 or -errno. */
int job_thread(pthread_t *ret_thread, void *(*fn)(void *arg), void *arg);

/* p: the caller's, who may look at it at any time, also later.  name: for
 * messages, "save the machine". */
int job_start(struct loop *loop, const char *name, job_work_fn *work,
	      job_done_fn *done, void *arg, struct progress *p,
	      struct job **ret_job, struct error *err);
void job_cancel(struct job *job);
/* Cancels, and waits; done() is not called. */
void job_destroy(struct job *job);

#endif
