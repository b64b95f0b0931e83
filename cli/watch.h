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
/* What a number stands for. */
#define WATCH_NAME(names, i)                                           \
	((i) >= 0 && (size_t)(i) < ARRAY_SIZE(names) && (names)[(i)] ? \
		 (names)[(i)] :                                        \
		 "unknown")

/* A kind of event: ends with name NULL. */
struct watch_kind {
	const char *name;
	int id;
	void *callback;
};

void watch_list(const struct watch_kind *kinds);
/* NULL: there is none of the name, said so. */
const struct watch_kind *watch_find(const struct watch_kind *kinds,
				    const char *name);
/* --timeout: 0, with nothing in *ret when it is left out, or -1: said why. */
int watch_timeout(const struct args *args, unsigned long *ret);
/* Waits for events, says how many came: an exit status. */
int watch_finish(struct ctl *ctl, const struct args *args, struct watch *w,
		 unsigned long timeout);

/* --list and --event, for objects that have one kind at a time. */
int watch_run(struct ctl *ctl, const struct args *args,
	      const struct watch_kind *kinds,
	      int (*watch)(struct ctl *ctl, const struct args *args,
			   const struct watch_kind *kind,
			   unsigned long timeout));

#define OPTS_EVENT                                                       \
	STRING("event", "which event type"), FLAG("loop"),               \
		NUMBER("timeout"), FLAG("list", "list the event types"), \
		FLAG("timestamp")

#endif
