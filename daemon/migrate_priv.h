/*
 * daemon/migrate_priv.h -- between the files behind daemon/migrate.h.
 */
#ifndef DAEMON_MIGRATE_PRIV_H
#define DAEMON_MIGRATE_PRIV_H

#include "daemon/migrate.h"
#include "daemon/carrier_tls.h"
#include "daemon/registry.h"

/*
 * What each connection to the destination begins with: the token, and which of
 * how many streams it is, each in two digits.
 */
enum { MIGRATE_TOKEN_LEN = 32, MIGRATE_HELLO_LEN = MIGRATE_TOKEN_LEN + 4 };

/* migrate_flags.c: refuses by name what there is not. */
int migrate_check(const struct migrate_args *args, struct error *err);
int migrate_check_here(const struct registry *reg, struct error *err);
/* Clients give the destination the same parameters, but not these flags. */
int migrate_check_source(const struct migrate_args *args, struct error *err);
/* migrate_disks.c: where the guest's disks are, and whether that is here. */
int migrate_disks_here(struct dom_obj *obj, const struct migrate_args *args,
		       struct migrate_cookie *out, struct error *err);
int migrate_disks_same(struct registry *reg, const struct domain_def *def,
		       const struct migrate_args *args,
		       const struct migrate_cookie *in, struct error *err);
/* migrate_offline.c: a guest that is off. */
int offline_check(const struct migrate_args *args, struct error *err);
int offline_begin(struct dom_obj *obj, const struct migrate_args *args,
		  char **ret_xml, struct migrate_cookie *out,
		  struct error *err);
int offline_prepare(struct registry *reg, const struct migrate_args *args,
		    char **ret_uri, struct error *err);
int offline_finish(struct registry *reg, const struct migrate_args *args,
		   bool cancelled, struct domain_ref *ret, struct error *err);
int offline_confirm(struct dom_obj *obj, const struct migrate_args *args,
		    bool cancelled, struct error *err);
/* migrate_out.c */
struct migrate_streams {
	unsigned int n;
	int fds[DOMAIN_STREAMS_MAX];
};
int migrate_streams_open(struct dom_obj *obj, const struct migrate_args *args,
			 const struct migrate_cookie *in,
			 struct migrate_streams *s, struct error *err);
void migrate_streams_close(struct migrate_streams *s);
/* What its machine is told. */
struct domain_migration migrate_how(const struct dom_obj *obj,
				    const struct migrate_args *args);
/* Ends it here: it runs elsewhere. */
void migrate_gone(struct dom_obj *obj);

/*
 * migrate_follow.c: post-copy.  Source: whether memory follows what was just
 * sent; what becomes of it when nobody calls any more; another stream for it.
 */
bool follow_begins(struct dom_obj *obj);
void follow_tell_begun(struct dom_obj *obj);
int follow_failed_out(struct dom_obj *obj);
int follow_check_resume(const struct dom_obj *obj, struct error *err);
int follow_resume_out(struct dom_obj *obj, const struct migrate_args *args,
		      const struct migrate_cookie *in, struct error *err);
/* Destination: whether it does, and waiting for all of it. */
bool follow_arrives(struct dom_obj *obj);
int follow_wait(struct dom_obj *obj, struct error *err);
/* migrate_uri.c */
struct migrate_uri {
	char *path; /* of a Unix socket, or: */
	char *host;
	unsigned int port; /* 0: any */
};
int migrate_uri_parse(const char *text, struct migrate_uri *ret_uri,
		      struct error *err);
void migrate_uri_finish(struct migrate_uri *uri);
/* Over TLS if that is asked for. */
int migrate_uri_secure(struct registry *reg, const struct migrate_args *args,
		       struct tls_keys *keys, int *fd, struct error *err);
int migrate_uri_connect(struct registry *reg, const char *text, int *ret_fd,
			struct error *err);
/* In: NULL or what was asked for.  Out: what the source is to connect to. */
int migrate_uri_listen(struct registry *reg, const struct migrate_args *args,
		       const uint8_t uuid[UUID_LEN], bool same_host,
		       char **ret_uri, int *ret_fd, struct error *err);

#endif
