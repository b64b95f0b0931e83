/*
 * daemon/host_pool.h -- the host that storage pools work on, by priv.
 */
#ifndef DAEMON_HOST_POOL_H
#define DAEMON_HOST_POOL_H

struct pool_host;

extern const struct pool_host host_pools;

#endif
