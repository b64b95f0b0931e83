/*
 * daemon/priv_direct.c -- macvtap: what of it needs privileges.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/priv.h"

static int check(const struct priv *priv, struct error *err)
{
	return priv->session ? error_set(err, -EPERM,
					 "a macvtap needs a daemon that runs as root") :
			       0;
}

int priv_open_direct(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	struct direct_plan plan = *(const struct direct_plan *)arg;
	int r = check(priv, err);

	if (r == 0)
		r = direct_open(&plan, err);
	if (r < 0)
		return r;
	strcpy(reply->text, plan.name);
	fds[0] = r;
	return 0;
}

/* bridge: the name of the macvtap, "": all of the domain's. */
int priv_remove_direct(struct priv *priv, const void *arg,
		       struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		       struct error *err)
{
	const struct priv_net *a = arg;
	int r = check(priv, err);

	if (r == 0)
		r = direct_remove(a->uuid, a->bridge);
	return r < 0 ? error_set(err, r, "cannot remove a macvtap: %m") : 0;
}
