/*
 * daemon/acl.h -- what a caller may do with which object, for each call.
 *
 * The connection's driver (daemon/access_driver.h) is asked before a handler
 * runs, and after it about what the handler found: lists hold only what the
 * caller may see.  No driver, or root: everything is permitted.
 */
#ifndef DAEMON_ACL_H
#define DAEMON_ACL_H

#include <stdbool.h>
#include <stdint.h>

struct access_details;
struct call;
struct domain_notice;
struct error;
struct permissions;
struct procedure;
struct session;

/* Whether anybody is asked about this session's calls. */
bool acl_session_checked(const struct session *s);

/* Before the handler; args: NULL when the call is about no object. */
int acl_check(struct call *call, const void *args, struct error *err);
/* Changes the arguments so that acl_filter() sees the whole answer. */
void acl_prepare(const struct call *call, void *args, bool *ret_drop);
/*
 * After the handler: refuses an answer about an object that the caller may not
 * see, and leaves such objects out of lists and numbers.  drop: only the number
 * was asked for.
 */
int acl_filter(struct call *call, void *reply, bool drop, struct error *err);

/* Whether the caller has this permission on what the details tell of: 1, 0. */
int acl_allowed(struct call *call, const char *permission,
		const struct access_details *details, struct error *err);
/* 0, or VIR_ERR_ACCESS_DENIED. */
int acl_require(struct call *call, const char *permission,
		const struct access_details *details, struct error *err);
/* Whether only the answer tells which object the call is about. */
bool acl_is_lookup(const struct procedure *proc);

/* acl_subject.c: what is known of the object that the arguments are about. */
int acl_subject(struct call *call, const struct permissions *p,
		const void *args, struct access_details *ret,
		struct error *err);
/* The class's word for a name and a uuid. */
void acl_name_object(const char *permission, const char *name,
		     const uint8_t *uuid, struct access_details *d);
struct wire_vol;
int acl_name_vol(struct call *call, const struct wire_vol *v,
		 struct access_details *d, struct error *err);
void acl_name_connection(const struct call *call, struct access_details *d);

/* acl_events.c: tells the session, once it is known that it may be told. */
void acl_tell(struct session *s, const struct domain_notice *n);
struct network_notice;
void acl_tell_network(struct session *s, const struct network_notice *n);
/* The session has ended: what waits is not told. */
void acl_forget(struct session *s);

#endif
