/*
 * daemon/polkit_keeper.h -- keeping the process that asks polkit
 * (daemon/polkit.h) alive; for priv's first thread only.
 */
#ifndef DAEMON_POLKIT_KEEPER_H
#define DAEMON_POLKIT_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct polkit_keeper {
	int fd;	   /* by which questions come; -1: polkit is not asked */
	pid_t pid; /* 0: it is not running */
	uint64_t since, again; /* when it was and will be started */
	unsigned int wait_ms;
};

void polkit_keeper_start(struct polkit_keeper *keeper);
/* Whether it was this process; it is started again after a while. */
bool polkit_keeper_reaped(struct polkit_keeper *keeper, pid_t pid, int status);

/* For poll(): what to read meanwhile, or -1, and no longer than that. */
int polkit_keeper_fd(const struct polkit_keeper *keeper);
int polkit_keeper_timeout(const struct polkit_keeper *keeper, int most_ms);
/* After poll(). */
void polkit_keeper_step(struct polkit_keeper *keeper, bool asked);

#endif
