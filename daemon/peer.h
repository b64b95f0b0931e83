/*
 * daemon/peer.h -- another daemon, called by us as its client: for migration
 * from daemon to daemon.
 */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "rpc/frame.h"

struct migrate_net;
struct peer;
struct error;

/*
 * uri: as libvirt's clients write it, with "+unix" (and "socket=") or "+tcp";
 * ssh and TLS are none of ours.
 */
int peer_open(const struct migrate_net *net, const char *uri,
	      struct peer **ret_peer, struct error *err);
void peer_close(struct peer *peer);
/*
 * One call and its reply.  args, ret: NULL where there is nothing.  ret is
 * freed by the caller with body_free().
 */
int peer_call(struct peer *peer, int proc, xdrproc_t args_type,
	      const void *args, xdrproc_t ret_type, void *ret,
	      struct error *err);

/*
 * The stream that the last call opened; no more calls then.  Bytes, 0: its
 * end, -EAGAIN: not now, or another -errno.  Who was told -EAGAIN writes the
 * same again.  more: something was received that poll(2) does not see.
 */
ssize_t peer_stream_read(struct peer *peer, void *data, size_t len);
ssize_t peer_stream_write(struct peer *peer, const void *data, size_t len);
bool peer_stream_more(struct peer *peer);
int peer_fd(const struct peer *peer);

#endif
