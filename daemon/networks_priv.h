/*
 * daemon/networks_priv.h -- inside networks*.c.  All with the lock held.
 */
#ifndef DAEMON_NETWORKS_PRIV_H
#define DAEMON_NETWORKS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/networks.h"

struct network {
	struct network *next;
	struct networks *nets;
	struct network_def *config; /* NULL: transient */
	struct network_def *live;   /* NULL: it does not run */
	bool autostart, changing;
	unsigned int n_ports;
	struct net_port **ports;
	void *watch; /* of its dnsmasq */
	atomic_bool unwatching; /* whoever has the lock stops it */
	int pidfd;
	unsigned int failures; /* of dnsmasq, in a row */
	uint64_t started_ns;
};

struct networks {
	const struct network_store *store;
	const struct network_host *host;
	pthread_mutex_t lock; /* everything below */
	struct network *first; /* by name */
	void (*notify)(void *arg, const struct network_notice *n);
	void *notify_arg;
	bool closing;
	int rules_fd;	   /* -1: nobody tells */
	void *rules_watch; /* of the host's rulesets */
	unsigned int own_rules; /* transactions of ours, not yet told */
};

static inline const struct network_def *net_def(const struct network *n)
{
	return n->live ? n->live : n->config;
}

/* Referenced by the lock alone; VIR_ERR_NO_NETWORK. */
int net_find(struct networks *nets, const uint8_t uuid[UUID_LEN],
	     struct network **ret_net, struct error *err);
int net_check_active(const struct network *n, bool active, struct error *err);
int net_record(struct network *n, struct error *err);
void net_notify(struct network *n, int event);
/* Where it is in neither state any more. */
void net_forget(struct network *n);

/* networks_run.c */
int net_start(struct network *n, const struct network_def *def,
	      struct error *err);
int net_stop(struct network *n, struct error *err);
int net_recover(struct network *n, bool booted, struct error *err);
/* Its dnsmasq is nobody's to start again. */
void net_unwatch(struct network *n);
/* Definitions of the live network that dnsmasq is to follow. */
int net_refresh(struct network *n, bool restart, struct error *err);

/* networks_rules.c; neither with the lock held. */
void nets_watch_rules(struct networks *nets);
void nets_unwatch_rules(struct networks *nets);

/* networks_ports.c */
void net_ports_free(struct network *n);
void net_ports_add(struct network *n, struct net_port *port);
unsigned int net_ports_on(const struct network *n, const char *dev);

#endif
