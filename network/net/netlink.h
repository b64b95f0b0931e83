/*
 * network/net/netlink.h -- one request to the kernel's rtnetlink(7), and its
 * answer.
 */
#ifndef NETWORK_NET_NETLINK_H
#define NETWORK_NET_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

enum { NL_REQUEST = 8192 };

/* A request in buf (NL_REQUEST bytes) with an extra header of size bytes. */
struct nlmsghdr *nl_request(char *buf, unsigned int type, unsigned int flags,
			    size_t size);
/* Sends it and waits for the kernel's word: 0 or -errno. */
int nl_do(struct nlmsghdr *nlh);
/* The same of a dump (or one object): fn for every message of the answer. */
typedef int nl_fn(const struct nlmsghdr *nlh, void *arg);
int nl_dump(struct nlmsghdr *nlh, nl_fn *fn, void *arg);

/* Attributes of one message, by type: NULL where there is none. */
void nl_attrs(const struct nlmsghdr *nlh, size_t header,
	      const struct nlattr *attrs[], unsigned int n);
void nl_nested(const struct nlattr *nest, const struct nlattr *attrs[],
	       unsigned int n);

/* A network device's number; -ENODEV. */
int nl_ifindex(const char *name);

#endif
