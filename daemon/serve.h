/*
 * daemon/serve.h -- the unprivileged half of vireod: opens what it will need,
 * gives everything up, serves clients.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include <sys/types.h>

struct listeners;
struct options;

/* Returns the process's exit status.  Signals SIGTERM and SIGINT are blocked
 * and end it cleanly; guests keep running. */
int serve(const struct options *opt, const int *channels,
	  struct listeners *listeners, uid_t uid);

#endif
