/*
 * daemon/host.h -- main's side of the channels to priv; the calls themselves
 * are in drivers/driver.h.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

struct error;

/* Once, before any thread; channels: PRIV_CHANNELS of them, taken over. */
void host_init(const int *channels);
/* Tells priv, and through it the service manager, that we serve. */
int host_ready(struct error *err);

#endif
