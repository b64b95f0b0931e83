/*
 * daemon/migrate_priv.h -- between the files behind daemon/migrate.h.
 */
#ifndef DAEMON_MIGRATE_PRIV_H
#define DAEMON_MIGRATE_PRIV_H

#include "daemon/migrate.h"
#include "daemon/registry.h"

/*
 * What each connection to the destination begins with: the token, and which of
 * how many streams it is, each in two digits.
 */
enum { MIGRATE_TOKEN_LEN = 32, MIGRATE_HELLO_LEN = MIGRATE_TOKEN_LEN + 4 };

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

#endif
