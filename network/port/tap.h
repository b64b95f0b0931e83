/*
 * network/port/tap.h -- a tap interface that was handed in as a descriptor.
 *
 * Frames cross with a virtio network header in front (virtio 1.2, 5.1.6), in
 * its 12-byte form and little endian, so that a virtio device passes it
 * through.
 */
#ifndef NETWORK_PORT_TAP_H
#define NETWORK_PORT_TAP_H

#include <stdbool.h>
#include <stdint.h>

struct error;

enum {
	TAP_HEADER_LEN = 12,
	TAP_FRAME_MAX = 65536 + 64, /* the largest offloaded frame */
};

/* What the reader of the tap is prepared to get instead of plain frames. */
struct tap_offloads {
	bool csum, tso4, tso6, ecn, ufo, uso;
};

/* Checks that fd is a tap with headers, and sets it up; non-blocking. */
int tap_attach(int fd, struct error *err);

/* 0 or -errno.  Of the whole interface, whichever of its queues fd is. */
int tap_set_offloads(int fd, const struct tap_offloads *offloads);
/* Does the host's kernel take UDP datagrams to be segmented? */
bool tap_has_uso(int fd);

/* A queue of several: whether the interface uses it.  0 or -errno. */
int tap_use_queue(int fd, bool yes);

#endif
