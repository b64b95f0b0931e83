/*
 * daemon/hostcaps.h -- the host as capabilities describe it: processor,
 * features, NUMA cells.
 */
#ifndef DAEMON_HOSTCAPS_H
#define DAEMON_HOSTCAPS_H

struct caps_host;

/*
 * Everything but the guests.  Read once, at the first call, which has to come
 * before the daemon gives up the file system.
 */
const struct caps_host *hostcaps(void);

#endif
