/*
 * daemon/sasl.h -- clients say who they are by SASL (Cyrus's library).
 *
 * Users and what their passwords are known by are in a database of
 * saslpasswd2(8)'s in the state folder, the only place main can read.
 */
#ifndef DAEMON_SASL_H
#define DAEMON_SASL_H

#include <stdbool.h>
#include <stddef.h>

struct error;

/* The realm that users are made in: saslpasswd2 -u. */
#define SASL_REALM "vireo"

/*
 * Once, before the process gives up opening files: the library loads its
 * plugins.  database, mechanisms (separated by spaces): stay.
 */
int sasl_prepare(const char *database, const char *mechanisms,
		 struct error *err);

/* One session's; its calls may come from any worker. */
struct sasl_login;
struct sasl_login *sasl_login_create(void);
void sasl_login_free(struct sasl_login *login); /* NULL: nothing */

/* Names of mechanisms, separated by commas; the caller frees. */
int sasl_login_begin(struct sasl_login *login, bool encrypted, char **ret_mechs,
		     struct error *err);
/*
 * A step; mech: of the first.  ret_data: belongs to the login until the next
 * step; NULL: none.  1: done, 0: more to come.
 */
int sasl_login_step(struct sasl_login *login, const char *mech,
		    const char *data, size_t len, const char **ret_data,
		    size_t *ret_len, struct error *err);
/* Who it is, once done; the caller frees. */
char *sasl_login_user(struct sasl_login *login);

#endif
