/*
 * vmm/chardev.h -- the host's end of a serial port or console port.
 *
 * Writing never blocks: a vCPU thread hands bytes over, and what the host
 * does not take waits in a ring whose oldest bytes are dropped first.
 */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;
struct error;
struct loop;
struct spec_char;

struct chardev_ops {
	/*
	 * Bytes for the guest, on the loop's thread.  Returns how many it
	 * took; the rest is offered again after chardev_resume().
	 */
	size_t (*input)(void *arg, const uint8_t *data, size_t len);
	/* A client came or went (sockets, ptys); may be NULL. */
	void (*connected)(void *arg, bool yes);
};

/* The spec's descriptors stay the caller's. */
int chardev_create(struct loop *loop, const struct spec_char *spec,
		   const struct chardev_ops *ops, void *arg,
		   struct chardev **ret_chr, struct error *err);
void chardev_destroy(struct chardev *chr);
/* Loop's thread, while that goes on: nobody hears of it any more, and its
 * descriptors may be closed. */
void chardev_retire(struct chardev *chr);

/*
 * A client's end of a socket, for a CHARDEV_SOCKET; taken over on success.
 * -EBUSY: there is another client, which force sends away.  Loop's thread.
 */
int chardev_connect(struct chardev *chr, int fd, bool force);

/* Any thread. */
void chardev_write(struct chardev *chr, const void *data, size_t len);
void chardev_resume(struct chardev *chr); /* there is room for input again */

#endif
