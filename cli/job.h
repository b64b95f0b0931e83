/*
 * cli/job.h -- long calls: progress while they run, Ctrl-C to stop them.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <stdatomic.h>

#include "cli/command.h"

/*
 * Runs the call.  Meanwhile a terminal shows a bar with rate and time left;
 * verbose asks for virsh's line of percents instead, terminal or not.  Ctrl-C
 * aborts the job.  Returns what the call did, libvirt's error with it.
 */
int job_run(struct ctl *ctl, virDomainPtr dom, bool verbose, const char *what,
	    int (*call)(virDomainPtr dom, void *arg), void *arg);

/* Something that is done once meanwhile, if the call lasts until then. */
struct job_cue {
	unsigned int after_s; /* 0: at no time by itself */
	atomic_bool now;      /* whoever sets it says when */
	int (*act)(virDomainPtr dom);
	bool done;
};
int job_run_cued(struct ctl *ctl, virDomainPtr dom, bool verbose,
		 const char *what, int (*call)(virDomainPtr dom, void *arg),
		 void *arg, struct job_cue *cues, unsigned int n);

/* A number of bytes in its best unit. */
double job_scale(unsigned long long bytes, const char **ret_unit);

/* The bar alone, for what counts by itself (volumes up and down). */
struct bar {
	const char *what;
	uint64_t begun, shown;
	bool drawn;
};
void bar_update(struct bar *b, unsigned long long done,
		unsigned long long total);
void bar_finish(struct bar *b);

#endif
