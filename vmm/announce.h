/*
 * vmm/announce.h -- tells the network that a guest is here now: switches learn
 * it from frames that carry its address, and it may not send any for long.
 */
#ifndef VMM_ANNOUNCE_H
#define VMM_ANNOUNCE_H

struct announce;
struct hotplug;
struct loop;

/* For all network cards on taps that there are, several times in the next half
 * second.  The loop's thread. */
struct announce *announce_start(struct loop *loop, struct hotplug *hotplug);
void announce_stop(struct announce *a); /* NULL: nothing */

#endif
