/*
 * cli/watch.h -- events printed as they happen, until enough came.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <pthread.h>

#include "cli/args.h"

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t seen;
	unsigned int n;
	bool timestamp;
};

#define WATCH(args)                                                 \
	{                                                           \
		.lock = PTHREAD_MUTEX_INITIALIZER,                  \
		.seen = PTHREAD_COND_INITIALIZER,                   \
		.timestamp = args_has(args, "timestamp"),           \
	}

/* From a callback: a line, with the time before it if that is wanted. */
void watch_print(struct watch *w, const char *fmt, ...) PRINTF(2, 3);
/* Until one came (or for ever, with loop), or after so many seconds; 0: none
 * are set.  True: the time was over. */
bool watch_wait(struct watch *w, bool loop, unsigned long timeout);

#endif
