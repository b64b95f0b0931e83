/*
 * daemon/networks.h -- virtual networks: definitions, what runs of them, and
 * who is plugged in.
 *
 * Theory of operation.  What is on the host follows from what the store says:
 * a network is recorded as starting before its bridge is made, and as stopping
 * before it is removed.  So the next daemon, however this one ended, takes
 * away what was half done and keeps what ran (networks_recover()).
 *
 * One lock is held by every call, the host's part included: that takes
 * milliseconds.  Subscribers are told with the lock held and must not call
 * back.
 */
#ifndef DAEMON_NETWORKS_H
#define DAEMON_NETWORKS_H

#include <stdbool.h>

#include "model/network.h"
#include "network/net/dnsmasq.h"
#include "network/net/plan.h"

struct networks;
struct error;

/* One row of the store; live_xml NULL: it does not run. */
struct network_row {
	uint8_t uuid[UUID_LEN];
	char *name, *xml, *live_xml;
	bool autostart;
	bool changing; /* starting or stopping */
};
struct network_port_row {
	uint8_t uuid[UUID_LEN], network[UUID_LEN];
	char *xml;
};

/* Where networks are kept; arg is the store. */
struct network_store {
	void *arg;
	/* Without both definitions the row goes, and its ports. */
	int (*put)(void *arg, const struct network_row *row,
		   struct error *err);
	int (*each)(void *arg, void (*fn)(void *to,
					  const struct network_row *row),
		    void *to, struct error *err);
	int (*put_port)(void *arg, const struct network_port_row *row,
			struct error *err); /* xml NULL: it goes */
	int (*each_port)(void *arg,
			 void (*fn)(void *to,
				    const struct network_port_row *row),
			 void *to, struct error *err);
};

/* What the host does for them: daemon/host_network.c, or a test's. */
struct network_host {
	int (*up)(const struct net_plan *plan, struct error *err);
	int (*down)(const struct net_plan *plan, struct error *err);
	/* Its rules: 1 when some were gone and are there again. */
	int (*restore)(const struct net_plan *plan, struct error *err);
	/* News of them: network/net/rules.h. */
	int (*watch_rules)(int *ret_fd, struct error *err);
	unsigned int (*rules_changes)(int fd);
	/* network/net/view.h; the caller frees. */
	int (*view)(char **ret_text, struct error *err);
	int (*write)(const uint8_t uuid[UUID_LEN],
		     const struct dnsmasq_files *files, struct error *err);
	/* Starts it, or finds it running; it ends when the pidfd is ready. */
	int (*start)(const uint8_t uuid[UUID_LEN], const char *bridge,
		     int *ret_pidfd, struct error *err);
	int (*stop)(const uint8_t uuid[UUID_LEN], struct error *err);
	int (*reload)(const uint8_t uuid[UUID_LEN], struct error *err);
	int (*leases)(const uint8_t uuid[UUID_LEN], char **ret_text,
		      struct error *err);
	void (*forget)(const uint8_t uuid[UUID_LEN]);
	/* Calls fn when a process ends, on a thread of its own. */
	void *(*watch)(int pidfd, void (*fn)(void *arg, uint32_t events),
		       void *arg);
	void (*unwatch)(void *watch);
	/* A macvtap of that domain's. */
	void (*remove_direct)(const uint8_t owner[UUID_LEN], const char *name);
};

struct network_ref {
	uint8_t uuid[UUID_LEN];
	char name[256];
};

struct network_notice {
	struct network_ref network;
	int event, detail; /* virNetworkEventLifecycleType */
};

struct networks *networks_create(const struct network_store *store,
				 const struct network_host *host);
void networks_destroy(struct networks *nets);
/* After a start of the daemon; booted: the host is a new one. */
int networks_recover(struct networks *nets, bool booted, struct error *err);
void networks_subscribe(struct networks *nets,
			void (*fn)(void *arg,
				   const struct network_notice *n),
			void *arg);

/* nets NULL: there are none, and none can be made. */
int networks_list(struct networks *nets, unsigned int flags,
		  struct network_ref **ret_refs);
int network_by_name(struct networks *nets, const char *name,
		    struct network_ref *ret_ref, struct error *err);
int network_by_uuid(struct networks *nets, const uint8_t uuid[UUID_LEN],
		    struct network_ref *ret_ref, struct error *err);
int network_define(struct networks *nets, const char *xml, unsigned int flags,
		   struct network_ref *ret_ref, struct error *err);
int network_create_xml(struct networks *nets, const char *xml,
		       unsigned int flags, struct network_ref *ret_ref,
		       struct error *err);
int network_undefine(struct networks *nets, const uint8_t uuid[UUID_LEN],
		     struct error *err);
int network_start(struct networks *nets, const uint8_t uuid[UUID_LEN],
		  struct error *err);
int network_stop(struct networks *nets, const uint8_t uuid[UUID_LEN],
		 struct error *err);

struct network_info {
	bool active, persistent, autostart;
	char bridge[PLAN_NAME]; /* "": none */
};
int network_info(struct networks *nets, const uint8_t uuid[UUID_LEN],
		 struct network_info *ret_info, struct error *err);
int network_set_autostart(struct networks *nets,
			  const uint8_t uuid[UUID_LEN], bool autostart,
			  struct error *err);
/* flags: VIR_NETWORK_XML_INACTIVE. */
int network_xml(struct networks *nets, const uint8_t uuid[UUID_LEN],
		unsigned int flags, char **ret_xml, struct error *err);
/* flags: virNetworkUpdateFlags. */
int network_update(struct networks *nets, const uint8_t uuid[UUID_LEN],
		   unsigned int command, unsigned int section, int index,
		   const char *xml, unsigned int flags, struct error *err);
/* How many are that guest's (mac NULL: all), which are the first of ret_n;
 * leases_free(). */
int network_leases(struct networks *nets, const uint8_t uuid[UUID_LEN],
		   const char *mac, struct net_lease_entry **ret_entries,
		   unsigned int *ret_n, struct error *err);
/* The host's view of the network; the caller frees. */
int networks_view(struct networks *nets, char **ret_text, struct error *err);

/* ---- ports ---- */

/* uuids: ret_n of them, the caller frees. */
int network_ports(struct networks *nets, const uint8_t uuid[UUID_LEN],
		  uint8_t (**ret_uuids)[UUID_LEN], struct error *err);
/* ret_port: what became of it, net_port_free(); may be NULL. */
int network_port_create(struct networks *nets, const uint8_t uuid[UUID_LEN],
			const char *xml, struct net_port **ret_port,
			struct error *err);
int network_port_get(struct networks *nets, const uint8_t uuid[UUID_LEN],
		     const uint8_t port[UUID_LEN], struct net_port **ret_port,
		     struct error *err);
int network_port_delete(struct networks *nets, const uint8_t uuid[UUID_LEN],
			const uint8_t port[UUID_LEN], struct error *err);
/* One macvtap of that domain's. */
void networks_remove_direct(struct networks *nets,
			    const uint8_t owner[UUID_LEN], const char *name);
/* All that this domain owns, in whatever network. */
void network_ports_forget(struct networks *nets,
			  const uint8_t owner[UUID_LEN]);

#endif
