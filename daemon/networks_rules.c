/*
 * daemon/networks_rules.c -- networks' rules, put back when somebody took them
 * away ("nft flush ruleset", a firewall that starts again).
 *
 * The kernel tells of every transaction, ours as well.  Ours are counted, with
 * the lock held: where no more is told there is nothing to look at.
 */
#define LOG_MODULE "network"
#include "base/error.h"
#include "base/log.h"
#include "daemon/networks_priv.h"

static void restore(struct network *n)
{
	struct networks *nets = n->nets;
	struct error err = { 0 };
	struct net_plan plan;
	int r;

	if (!n->live || n->changing || !network_has_bridge(n->live))
		return;
	r = net_plan_of(n->live, &plan, &err);
	if (r == 0)
		r = nets->host->restore(&plan, &err);
	if (r > 0) {
		nets->own_rules++;
		log_warn("network '%s': its rules had gone; they were put back",
			 n->live->name);
	} else if (r < 0) {
		log_error("network '%s': %s", n->live->name, err.message);
	}
}

/* On the watches' thread. */
static void on_news(void *arg, uint32_t events)
{
	struct networks *nets = arg;
	unsigned int own;

	pthread_mutex_lock(&nets->lock);
	own = nets->own_rules;
	nets->own_rules = 0;
	if (nets->host->rules_changes(nets->rules_fd) > own && !nets->closing)
		for (struct network *n = nets->first; n; n = n->next)
			restore(n);
	pthread_mutex_unlock(&nets->lock);
}

void nets_watch_rules(struct networks *nets)
{
	struct error err = { 0 };

	if (nets->host->watch_rules(&nets->rules_fd, &err) < 0)
		log_info("networks' rules are not watched: %s", err.message);
	else
		nets->rules_watch = nets->host->watch(nets->rules_fd, on_news,
						      nets);
}

void nets_unwatch_rules(struct networks *nets)
{
	nets->host->unwatch(steal_ptr(&nets->rules_watch));
	nets->rules_fd = fd_close(nets->rules_fd);
}
