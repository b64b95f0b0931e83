/*
 * daemon/store.h -- the SQLite store: one row per object, changes durable
 * before the call returns (WAL, synchronous=FULL).
 *
 * Thread-safe; each function is one transaction.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/domain.h"

struct store;
struct error;

/* path: the database file, or ":memory:".  Runs missing migrations. */
int store_open(const char *path, struct store **ret_store, struct error *err);
void store_close(struct store *store);

struct store_domain {
	uint8_t uuid[UUID_LEN];
	char *name;
	char *xml; /* persistent definition; NULL: transient */
	bool autostart;
	/* The run in progress; live_xml NULL: not running. */
	char *live_xml;
	int id;
	const char *driver;
	int state, reason;
	bool starting; /* recorded, but the VMM was not yet confirmed */
	bool saved;    /* a managed save waits for the next start */
};

/* Inserts or replaces the persistent part (xml, name, autostart). */
int store_domain_define(struct store *store, const struct store_domain *d,
			struct error *err);
int store_domain_undefine(struct store *store, const uint8_t uuid[UUID_LEN],
			  struct error *err);
/* Inserts or replaces the live part; clearing it deletes a transient row. */
int store_domain_live(struct store *store, const struct store_domain *d,
		      struct error *err);
int store_domain_stopped(struct store *store, const uint8_t uuid[UUID_LEN],
			 int reason, struct error *err);
/* Only the mark; the same is part of store_domain_live(). */
int store_domain_saved(struct store *store, const uint8_t uuid[UUID_LEN],
		       bool saved, struct error *err);
int store_domain_autostart(struct store *store, const uint8_t uuid[UUID_LEN],
			   bool autostart, struct error *err);
/* Calls fn for every row; strings are valid during the call only. */
int store_domain_each(struct store *store,
		      void (*fn)(void *arg, const struct store_domain *d),
		      void *arg, struct error *err);

/*
 * A domain's snapshots, or its checkpoints, which go with its row: all of them
 * at once, parents before children, because a change may concern several.
 */
enum store_moments { STORE_SNAPSHOTS, STORE_CHECKPOINTS };
struct store_moment {
	const char *name, *xml;
	bool current;
};
int store_moments_replace(struct store *store, enum store_moments kind,
			  const uint8_t uuid[UUID_LEN],
			  const struct store_moment *list, unsigned int n,
			  struct error *err);
int store_moments_each(struct store *store, enum store_moments kind,
		       const uint8_t uuid[UUID_LEN],
		       void (*fn)(void *arg, const struct store_moment *m),
		       void *arg, struct error *err);

/* Virtual networks and their ports, as daemon/networks.h has them: the
 * functions take the store as their arg. */
struct network_row;
struct network_port_row;
int store_network_put(void *store, const struct network_row *row,
		      struct error *err);
int store_network_each(void *store,
		       void (*fn)(void *to, const struct network_row *row),
		       void *to, struct error *err);
int store_network_put_port(void *store, const struct network_port_row *row,
			   struct error *err);
int store_network_each_port(void *store,
			    void (*fn)(void *to,
				       const struct network_port_row *row),
			    void *to, struct error *err);

/* Small facts about the daemon itself, such as the host's last boot.  The
 * value is the caller's to free; NULL, with no error, when never set. */
int store_fact_get(struct store *store, const char *key, char **ret_value,
		   struct error *err);
int store_fact_set(struct store *store, const char *key, const char *value,
		   struct error *err);

#endif
