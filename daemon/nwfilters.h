/*
 * daemon/nwfilters.h -- network filters, and the ports that have one.
 *
 * A binding is in the store before its rules are in force, and its rules are
 * taken away before it leaves the store: what is on the host follows from the
 * store, and the next daemon puts it there again.
 *
 * One lock is held by every call, the host's part included: milliseconds.
 */
#ifndef DAEMON_NWFILTERS_H
#define DAEMON_NWFILTERS_H

#include "model/nwfilter.h"
#include "network/net/filter.h"

struct nwfilters;
struct error;

/* Where they are kept; arg is the store.  xml NULL: it goes. */
struct nwfilter_store {
	void *arg;
	int (*put)(void *arg, const uint8_t uuid[UUID_LEN], const char *xml,
		   struct error *err);
	int (*put_binding)(void *arg, const char *port, const char *xml,
			   struct error *err);
	int (*each)(void *arg, void (*fn)(void *to, const char *xml), void *to,
		    struct error *err);
	int (*each_binding)(void *arg, void (*fn)(void *to, const char *xml),
			    void *to, struct error *err);
};

/* What the host does for them: daemon/host_filter.c, or a test's. */
struct nwfilter_host {
	int (*set)(const struct filter_plan *plan, struct error *err);
	int (*remove)(const char *port, struct error *err);
	bool (*exists)(const char *port);
	/* As set(), if any are missing: 1 when they had to be put back. */
	int (*restore)(const struct filter_plan *plan, struct error *err);
	/* News of them: network/net/rules.h. */
	int (*watch_rules)(int *ret_fd, struct error *err);
	unsigned int (*rules_changes)(int fd);
	void *(*watch)(int fd, void (*fn)(void *arg, uint32_t events),
		       void *arg);
	void (*unwatch)(void *w);
};

/* Adds what addresses leases say that guest has: IP, IPV6. */
typedef void nwfilter_learn_fn(void *arg, const uint8_t mac[6],
			       struct nwfilter_vars *vars);

struct nwfilter_name {
	uint8_t uuid[UUID_LEN];
	char *name;
};
struct nwfilter_port {
	char *port, *filter;
};

struct nwfilters *nwfilters_create(const struct nwfilter_store *store,
				   const struct nwfilter_host *host);
void nwfilters_destroy(struct nwfilters *all);
/* After a start of the daemon; booted: the host is a new one. */
int nwfilters_recover(struct nwfilters *all, bool booted, struct error *err);
/* From then on rules that somebody takes away are put back. */
void nwfilters_watch(struct nwfilters *all);
/* Asks now and then, on a thread of its own, and has rules follow. */
void nwfilters_learn(struct nwfilters *all, nwfilter_learn_fn *fn, void *arg);

/* all NULL: there are none, and none can be made.  Free each and all. */
unsigned int nwfilters_list(struct nwfilters *all,
			    struct nwfilter_name **ret_names);
void nwfilter_names_free(struct nwfilter_name *names, unsigned int n);
int nwfilter_by_name(struct nwfilters *all, const char *name,
		     uint8_t ret_uuid[UUID_LEN], struct error *err);
/* The caller frees. */
int nwfilter_by_uuid(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		     char **ret_name, struct error *err);
int nwfilter_xml(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		 char **ret_xml, struct error *err);
/* Ports that have it, however deep, get their new rules before it returns. */
int nwfilter_define(struct nwfilters *all, const char *xml, bool validate,
		    struct nwfilter_name *ret_name, struct error *err);
int nwfilter_undefine(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		      struct error *err);

unsigned int nwfilter_ports(struct nwfilters *all,
			    struct nwfilter_port **ret_ports);
void nwfilter_ports_free(struct nwfilter_port *ports, unsigned int n);
int nwfilter_port_filter(struct nwfilters *all, const char *port,
			 char **ret_filter, struct error *err);
int nwfilter_port_xml(struct nwfilters *all, const char *port, char **ret_xml,
		      struct error *err);
int nwfilter_bind(struct nwfilters *all, const char *xml, bool validate,
		  struct nwfilter_port *ret_port, struct error *err);
/* Neither the host nor a binding has such a port. */
bool nwfilter_port_free(struct nwfilters *all, const char *port);
int nwfilter_unbind(struct nwfilters *all, const char *port,
		    struct error *err);
/* All that this domain owns. */
void nwfilter_unbind_owner(struct nwfilters *all,
			   const uint8_t owner[UUID_LEN]);

#endif
