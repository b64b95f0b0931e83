/*
 * network/port/tap.c -- a tap interface that was handed in as a descriptor
 * (Linux, Documentation/networking/tuntap.rst).
 */
#include "network/port/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/error.h"

/* #syscalls:vmm ioctl fcntl */
/* #ioctls:vmm TUNGETIFF TUNSETVNETHDRSZ TUNSETVNETLE TUNSETOFFLOAD */
/* #ioctls:vmm TUNSETQUEUE */

/* Linux 6.2 and later. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int check_kind(int fd, struct error *err)
{
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return error_set(err, -errno,
				 "network descriptor is not a tap: %m");
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI) ||
	    !(ifr.ifr_flags & IFF_VNET_HDR))
		return error_set(err, -EINVAL,
				 "tap '%.*s' is not a tap with virtio headers",
				 IFNAMSIZ, ifr.ifr_name);
	return 0;
}

int tap_attach(int fd, struct error *err)
{
	const struct tap_offloads none = { 0 };
	int header = TAP_HEADER_LEN, little = 1;
	int flags, r = check_kind(fd, err);

	if (r < 0)
		return r;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &little) < 0)
		return error_set(err, -errno, "cannot set up a tap: %m");
	r = tap_set_offloads(fd, &none);
	if (r < 0)
		return error_set(err, r, "cannot set a tap's offloads: %m");
	return 0;
}

/* The kernel refuses segmentation without checksums. */
int tap_set_offloads(int fd, const struct tap_offloads *o)
{
	unsigned int flags = 0;

	if (o->csum) {
		flags = TUN_F_CSUM;
		flags |= o->tso4 ? TUN_F_TSO4 : 0;
		flags |= o->tso6 ? TUN_F_TSO6 : 0;
		flags |= o->ecn && (o->tso4 || o->tso6) ? TUN_F_TSO_ECN : 0;
		flags |= o->ufo ? TUN_F_UFO : 0;
		flags |= o->uso ? TUN_F_USO4 | TUN_F_USO6 : 0;
	}
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}

bool tap_has_uso(int fd)
{
	const struct tap_offloads uso = { .csum = true, .uso = true };
	const struct tap_offloads none = { 0 };

	return tap_set_offloads(fd, &uso) == 0 &&
	       tap_set_offloads(fd, &none) == 0;
}

int tap_use_queue(int fd, bool yes)
{
	struct ifreq ifr = {
		.ifr_flags = yes ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	return ioctl(fd, TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}
