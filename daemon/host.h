/*
 * daemon/host.h -- main's side of the channels to priv, and its watches; the
 * calls themselves are in drivers/driver.h.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

struct error;
struct sd_event;

/* Once, before any thread; channels: PRIV_CHANNELS of them, taken over. */
int host_init(struct sd_event *loop, const int *channels, struct error *err);
/* Tells priv, and through it the service manager, that we serve. */
int host_ready(struct error *err);

#endif
