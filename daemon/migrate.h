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
#include "daemon/registry.h"

/* What a caller asked for; strings may be NULL. */
struct migrate_args {
	unsigned int flags; /* VIR_MIGRATE_* */
	const char *dname, *dxml, *persist_xml;
	const char *uri, *dconnuri, *listen;
	const char *compression;
	uint64_t bandwidth; /* MiB/s */
	unsigned int throttle_first, throttle_step, connections;
	void *owner; /* whose call it is */
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
enum migrate_limit { MIGRATE_SPEED, MIGRATE_DOWNTIME_MS };
int domain_migrate_limit(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 enum migrate_limit which, bool set, uint64_t *value,
			 struct error *err);

/* ---- between the files ---- */

/* migrate_flags.c: refuses by name what there is not. */
int migrate_check(const struct migrate_args *args, struct error *err);
/* Clients give the destination the same parameters, but not these flags. */
int migrate_check_source(const struct migrate_args *args, struct error *err);
/* migrate_disks.c: where the guest's disks are, and whether that is here. */
int migrate_disks_here(struct dom_obj *obj, const struct migrate_args *args,
		       struct migrate_cookie *out, struct error *err);
int migrate_disks_same(struct registry *reg, const struct domain_def *def,
		       const struct migrate_args *args,
		       const struct migrate_cookie *in, struct error *err);
/* migrate_uri.c */
struct migrate_uri {
	char *path; /* of a Unix socket, or: */
	char *host;
	unsigned int port; /* 0: any */
};
int migrate_uri_parse(const char *text, struct migrate_uri *ret_uri,
		      struct error *err);
void migrate_uri_finish(struct migrate_uri *uri);
int migrate_uri_connect(struct registry *reg, const char *text, int *ret_fd,
			struct error *err);
/* In: NULL or what was asked for.  Out: what the source is to connect to. */
int migrate_uri_listen(struct registry *reg, const struct migrate_args *args,
		       const uint8_t uuid[UUID_LEN], bool same_host,
		       char **ret_uri, int *ret_fd, struct error *err);
/* migrate_p2p.c: all five, with the destination at args->dconnuri. */
int migrate_peer_to_peer(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args, struct error *err);

#endif
