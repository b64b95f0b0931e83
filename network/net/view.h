/*
 * network/net/view.h -- what else is on the host's network: devices, subnets,
 * neighbours; what clashes with them, and what is free.
 *
 * The privileged half writes it down (view_write()), a line each; the other
 * half reads it.
 *
 *	dev NAME
 *	net ADDRESS/PREFIX DEV
 *	neigh ADDRESS MAC DEV
 */
#ifndef NETWORK_NET_VIEW_H
#define NETWORK_NET_VIEW_H

#include "base/buf.h"
#include "model/network.h"

int view_write(struct buf *out, struct error *err);

/*
 * VIR_ERR_INTERNAL_ERROR with a suggestion when a subnet of the network is
 * also behind another device.
 */
int view_clash(const char *view, const struct network_def *def,
	       struct error *err);
/* 192.168.N.0/24 for the least N from 122 on, then below; -EADDRNOTAVAIL. */
int view_free_subnet(const char *view, unsigned int *ret_n);
bool view_has_dev(const char *view, const char *name);
/* Calls fn for every neighbour behind the device. */
void view_neighbours(const char *view, const char *dev,
		     void (*fn)(void *arg, const char *ip, const char *mac),
		     void *arg);

#endif
