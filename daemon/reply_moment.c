/*
 * daemon/reply_moment.c -- answers that name snapshots or checkpoints.
 */
#include "daemon/reply_moment.h"

#include <errno.h>

void reply_moment(wire_snapshot *reply, const wire_dom *dom, const char *name)
{
	reply->name = xstrdup(name);
	reply->dom = *dom;
	reply->dom.name = xstrdup(dom->name);
}

int reply_named_moment(wire_snapshot *reply, const wire_dom *dom, char *name)
{
	if (!name)
		return -ENOENT;
	reply_moment(reply, dom, name);
	free(name);
	return 0;
}

void reply_moments(wire_snapshots *reply, const wire_dom *dom, char **names,
		   unsigned int n, bool wanted)
{
	reply->ret = (int)n;
	if (!wanted || n > WIRE_LIST_MAX)
		return;
	reply->snaps.snaps_val = xcalloc(n, sizeof(wire_snapshot));
	reply->snaps.snaps_len = n;
	for (unsigned int i = 0; i < n; i++)
		reply_moment(&reply->snaps.snaps_val[i], dom, names[i]);
}
