/*
 * daemon/watch.h -- host_watch(): descriptors that drivers want to hear of.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

struct error;
struct sd_event;

/* Calls run on this loop's thread. */
int watch_init(struct sd_event *loop, struct error *err);

#endif
