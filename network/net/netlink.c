/*
 * network/net/netlink.c -- one request to rtnetlink(7), and its answer.
 */
#include "network/net/netlink.h"

#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/util.h"

enum { NL_ANSWER = 65536 };

struct nlmsghdr *nl_request(char *buf, unsigned int type, unsigned int flags,
			    size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = 1; /* each has a socket of its own */
	mnl_nlmsg_put_extra_header(nlh, size);
	return nlh;
}

static int receive(struct mnl_socket *nl, nl_fn *fn, void *arg)
{
	_cleanup_free_ char *buf = xmalloc(NL_ANSWER);
	int r = MNL_CB_OK;

	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, NL_ANSWER);

		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, n, 1, mnl_socket_get_portid(nl), fn, arg);
		if (r < 0)
			return -errno;
	}
	return 0;
}

static int talk(struct nlmsghdr *nlh, nl_fn *fn, void *arg)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		r = -errno;
	else
		r = receive(nl, fn, arg);
	mnl_socket_close(nl);
	return r;
}

int nl_do(struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return talk(nlh, NULL, NULL);
}

int nl_dump(struct nlmsghdr *nlh, nl_fn *fn, void *arg)
{
	/* One object is answered by itself, then acknowledged. */
	if (!(nlh->nlmsg_flags & NLM_F_DUMP))
		nlh->nlmsg_flags |= NLM_F_ACK;
	return talk(nlh, fn, arg);
}

void nl_attrs(const struct nlmsghdr *nlh, size_t header,
	      const struct nlattr *attrs[], unsigned int n)
{
	const struct nlattr *a;

	for (unsigned int i = 0; i < n; i++)
		attrs[i] = NULL;
	mnl_attr_for_each(a, nlh, header)
		if (mnl_attr_get_type(a) < n)
			attrs[mnl_attr_get_type(a)] = a;
}

void nl_nested(const struct nlattr *nest, const struct nlattr *attrs[],
	       unsigned int n)
{
	const struct nlattr *a;

	for (unsigned int i = 0; i < n; i++)
		attrs[i] = NULL;
	if (!nest)
		return;
	mnl_attr_for_each_nested(a, nest)
		if (mnl_attr_get_type(a) < n)
			attrs[mnl_attr_get_type(a)] = a;
}

int nl_ifindex(const char *name)
{
	unsigned int index = if_nametoindex(name);

	return index ? (int)index : -ENODEV;
}
