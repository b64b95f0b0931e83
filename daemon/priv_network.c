/*
 * daemon/priv_network.c -- virtual networks: their bridges and rules, and what
 * else is on the host's network.
 *
 * A plan was made by main; nothing of it is believed before net_plan_check().
 */
#include "daemon/priv.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/error.h"
#include "network/net/rate.h"
#include "network/net/rules.h"
#include "network/net/view.h"

static int check(const struct priv *priv, const struct net_plan *plan,
		 struct error *err)
{
	if (priv->session)
		return error_set(err, -EPERM,
				 "a network needs a daemon that runs as root");
	return net_plan_check(plan, err);
}

/* The rules first: no guest is ever on a bridge without them. */
int priv_net_up(struct priv *priv, const void *arg, struct priv_reply *reply,
		int fds[PRIV_FDS_MAX], struct error *err)
{
	const struct net_plan *plan = arg;
	int r = check(priv, plan, err);

	if (r == 0)
		r = rules_set(plan, err);
	if (r < 0)
		return r;
	r = bridge_up(plan, err);
	if (r == 0 && (plan->rates.in.average || plan->rates.out.average))
		r = rates_set(plan->bridge, &plan->rates, err);
	if (r < 0)
		rules_remove(plan, NULL);
	return r;
}

int priv_net_down(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct net_plan *plan = arg;
	int r = check(priv, plan, err);

	if (r == 0)
		r = bridge_down(plan, err);
	return r < 0 ? r : rules_remove(plan, err);
}

/* reply->pid: whether there was something to do. */
int priv_net_restore(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct net_plan *plan = arg;
	int r = check(priv, plan, err);

	if (r < 0 || rules_intact(plan))
		return r;
	reply->pid = 1;
	return rules_set(plan, err);
}

int priv_net_watch(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	int fd = priv->session ? error_set(err, -EPERM, "%s",
					   "this needs a daemon that runs as root") :
				 rules_watch_open(err);

	if (fd < 0)
		return fd;
	fds[0] = fd;
	return 0;
}

int priv_net_view(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	_cleanup_close_ int fd = memfd_create("network", MFD_CLOEXEC);
	struct buf text = { 0 };
	int r = fd < 0 ? error_set(err, -errno, "cannot create a file: %m") :
			 view_write(&text, err);

	if (r == 0)
		r = write_full(fd, text.data ? text.data : "", text.len);
	buf_free(&text);
	if (r == 0)
		fds[0] = steal_fd(&fd);
	return r;
}

int priv_net_port(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	if (priv->session)
		return error_set(err, -EPERM,
				 "a network needs a daemon that runs as root");
	return bridge_set_port(arg, err);
}

int priv_set_rates(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_rates *a = arg;

	if (priv->session)
		return error_set(err, -EPERM,
				 "a bandwidth needs a daemon that runs as root");
	return rates_set(a->ifname, &a->rates, err);
}
