/*
 * daemon/reply_moment.h -- answers that name snapshots or checkpoints, which
 * are alike there.
 */
#ifndef DAEMON_REPLY_MOMENT_H
#define DAEMON_REPLY_MOMENT_H

#include "daemon/reply.h"

void reply_moment(wire_snapshot *reply, const wire_dom *dom, const char *name);
/* Takes the name over; NULL: err says why: -ENOENT. */
int reply_named_moment(wire_snapshot *reply, const wire_dom *dom, char *name);
/* wanted: the names too, not only how many. */
void reply_moments(wire_snapshots *reply, const wire_dom *dom, char **names,
		   unsigned int n, bool wanted);

#endif
