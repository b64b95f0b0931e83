/*
 * daemon/host_filter.c -- main's side of priv's operations on network filters.
 */
#include "daemon/host_filter.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/host.h"
#include "daemon/host_network.h"
#include "daemon/priv.h"
#include "drivers/driver.h"

/* Whole or not at all: priv puts in force what it has with the last part. */
static int send_plan(const struct filter_plan *plan, bool restore,
		     struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	struct priv_reply reply;
	uint32_t done = 0;
	int r = 0;

	rq->op = PRIV_FILTER_SET;
	memcpy(rq->filter.port, plan->port, sizeof(rq->filter.port));
	rq->filter.first = true;
	rq->filter.restore = restore;
	do {
		uint32_t n = MIN(plan->n - done, (uint32_t)PRIV_FILTER_RULES);

		memcpy(rq->filter.rules, plan->rules + done,
		       n * sizeof(plan->rules[0]));
		done += n;
		rq->filter.n = n;
		rq->filter.last = done == plan->n;
		r = host_call(rq, sizeof(rq->filter), &reply, NULL, err);
		rq->filter.first = false;
	} while (r == 0 && done < plan->n);
	free(rq);
	return r < 0 ? r : reply.pid;
}

static int set(const struct filter_plan *plan, struct error *err)
{
	int r = send_plan(plan, false, err);

	return MIN(r, 0);
}

static int restore(const struct filter_plan *plan, struct error *err)
{
	return send_plan(plan, true, err);
}

static int take_away(const char *port, struct error *err)
{
	struct priv_request rq = { .op = PRIV_FILTER_REMOVE };
	struct priv_reply reply;

	snprintf(rq.ifname.ifname, sizeof(rq.ifname.ifname), "%s", port);
	return host_call(&rq, sizeof(rq.ifname), &reply, NULL, err);
}

static bool exists(const char *port)
{
	struct host_tap_stats stats;

	return host_tap_stats(port, &stats) == 0;
}

static void *watch(int fd, void (*fn)(void *arg, uint32_t events), void *arg)
{
	return host_watch(fd, fn, arg);
}

static void unwatch(void *w)
{
	host_unwatch(w);
}

const struct nwfilter_host host_filter = {
	.exists = exists,
	.set = set,
	.remove = take_away,
	.restore = restore,
	.watch_rules = host_watch_rules,
	.rules_changes = filter_watch_read,
	.watch = watch,
	.unwatch = unwatch,
};
