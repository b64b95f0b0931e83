/*
 * daemon/migrate.h -- guests that go to another daemon and come from one:
 * libvirt's protocol of five calls.
 *
 *	source			destination
 *	begin: definition, cookie
 *				prepare: a machine that waits, a URI
 *	perform: sends memory
 *				finish: takes the guest and runs it
 *	confirm: ends it, or goes on with it
 *
 * Who makes the calls is the client, or the source's daemon when it is asked
 * to (peer to peer).  Whether they are made to their end does not matter for
 * there being one guest: the two machines settle that (vmm/handover.h), and
 * the daemons follow what they say.
 */
#ifndef DAEMON_MIGRATE_H
#define DAEMON_MIGRATE_H

#include "base/buf.h"
#include "daemon/domain.h"

/* What a caller asked for; strings may be NULL. */
struct migrate_args {
	unsigned int flags; /* VIR_MIGRATE_* */
	const char *dname, *dxml, *persist_xml;
	const char *uri, *dconnuri, *listen;
	const char *tls_host; /* whose certificate it is there */
	const char *compression;
	uint64_t bandwidth, bandwidth_postcopy; /* MiB/s */
	unsigned int throttle_first, throttle_step, connections;
	void *owner; /* whose call it is */
	/* Tunnelled: source: the stream, which is taken; destination: where
	 * the other end of it goes.  NULL: there is none. */
	int *tunnel;
};

/* What the two daemons tell each other through whoever calls them. */
struct migrate_cookie {
	char *boot;   /* of the host's kernel */
	char *token;  /* the destination's, opens its stream */
	char *config; /* the persistent definition */
	struct migrate_disk {
		char target[32];
		uint64_t dev, ino;
		bool shared; /* on a file system of several hosts */
	} *disks;
	unsigned int n_disks;
	bool has_job;
	struct domain_progress job;
};
void cookie_finish(struct migrate_cookie *c);
void cookie_write(const struct migrate_cookie *c, struct buf *ret_data);
/* Nothing is an empty cookie. */
int cookie_read(const void *data, size_t len, struct migrate_cookie *ret_c,
		struct error *err);

/* ---- the calls ---- */

int domain_migrate_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args, char **ret_xml,
			 struct migrate_cookie *out, struct error *err);
/* args->dxml is what begin returned. */
int domain_migrate_prepare(struct registry *reg,
			   const struct migrate_args *args,
			   const struct migrate_cookie *in, char **ret_uri,
			   struct migrate_cookie *out, struct error *err);
int domain_migrate_perform(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct migrate_args *args,
			   const struct migrate_cookie *in,
			   struct migrate_cookie *out, struct error *err);
/* args->dname names the guest. */
int domain_migrate_finish(struct registry *reg,
			  const struct migrate_args *args,
			  const struct migrate_cookie *in, bool cancelled,
			  struct domain_ref *ret, struct error *err);
int domain_migrate_confirm(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct migrate_args *args, bool cancelled,
			   struct error *err);

/* MiB/s and ms; set: they are stored and take effect. */
enum migrate_limit {
	MIGRATE_SPEED,
	MIGRATE_SPEED_POSTCOPY,
	MIGRATE_DOWNTIME_MS
};
int domain_migrate_limit(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 enum migrate_limit which, bool set, uint64_t *value,
			 struct error *err);
/* The guest goes now; it was begun with VIR_MIGRATE_POSTCOPY. */
int domain_migrate_start_postcopy(struct registry *reg,
				  const uint8_t uuid[UUID_LEN],
				  struct error *err);
/* All five, with the destination at args->dconnuri. */
int migrate_peer_to_peer(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args, struct error *err);

#endif
