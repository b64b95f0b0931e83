/*
 * daemon/serve.h -- the unprivileged half of vireod: opens what it will need,
 * gives everything up, serves clients.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include <sys/types.h>

struct access_config;
struct listeners;
struct options;

/* Returns the process's exit status.  Signals SIGTERM and SIGINT are blocked
 * and end it cleanly; guests keep running. */
int serve(const struct options *opt, const int *channels,
	  struct listeners *listeners, const struct access_config *access,
	  uid_t uid);

#endif
