/*
 * daemon/guestinfo.h -- what a guest's agent tells of the guest, for handlers
 * of calls that have other sources as well.
 */
#ifndef DAEMON_GUESTINFO_H
#define DAEMON_GUESTINFO_H

#include "daemon/reply.h"

/* Its network interfaces and their addresses. */
int guestinfo_interfaces(struct call *call, const wire_dom *dom,
			 wire_iface_addrs *reply, struct error *err);
/* How many of its processors are online. */
int guestinfo_vcpus(struct call *call, const wire_dom *dom, wire_int *reply,
		    struct error *err);
/* Takes processors off or on until so many are online. */
int guestinfo_set_vcpus(struct call *call, const wire_dom *dom,
			unsigned int n, struct error *err);
/* The target of a disk ("vda") at the address that the agent gives; NULL. */
struct json_object;
const char *guestinfo_disk(const struct domain_def *def,
			   struct json_object *address);

#endif
