/*
 * daemon/host.h -- main's side of the channels to priv; the calls themselves
 * are in drivers/driver.h.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include <stddef.h>

struct priv_reply;
struct priv_request;
struct error;

/* One operation, for those that are in files of their own.  size: of the op's
 * struct; fds: PRIV_FDS_MAX, or NULL. */
int host_call(struct priv_request *rq, size_t size, struct priv_reply *reply,
	      int *fds, struct error *err);

/* Once, before any thread; channels: PRIV_CHANNELS of them, taken over. */
void host_init(const int *channels);
/* What host_vnc_tls() tells drivers; dir stays. */
void host_set_vnc_tls(const char *kind, const char *dir);
/* Tells priv, and through it the service manager, that we serve. */
int host_ready(struct error *err);

#endif
