/*
 * rpc/perms.h -- what a caller has to be allowed, call by call: a table
 * made from rpc/permissions, rpc/procedures and rpc/protocol.x.
 */
#ifndef RPC_PERMS_H
#define RPC_PERMS_H

#include <stdbool.h>

#include "rpc/procs.h"

enum { PERMISSIONS_MAX = 4 };

/* Which object the arguments are about, and how they name it. */
enum permission_subject {
	SUBJECT_UNKNOWN,
	SUBJECT_DOM,
	SUBJECT_NAMED,
	SUBJECT_IFACE,
	SUBJECT_VOL,
	SUBJECT_NODEDEV,
	SUBJECT_SECRET,
	SUBJECT_BINDING,
	SUBJECT_UUID,
	SUBJECT_STR, /* a name, most often */
	SUBJECT_INT,
	SUBJECT_SECRET_USAGE,
	SUBJECT_XML,	/* a description: <name> and <uuid> in it */
	SUBJECT_PARAMS, /* a migration's typed parameters */
};

struct permission {
	const char *name; /* "domain:write" */
	enum {
		WHEN_ALWAYS,
		WHEN_FLAGS,   /* the word at 'at' has one of these bits */
		WHEN_LASTING, /* it is not "live" alone */
		WHEN_EQUAL,   /* it is that */
	} when;
	unsigned int value;
	size_t at; /* in the arguments */
};

struct permissions {
	unsigned int n;
	struct permission list[PERMISSIONS_MAX];
	const char *filter; /* NULL: the answer is shown whole */
	enum permission_subject subject;
	size_t at; /* of the subject in the arguments */
};

extern const struct permissions permissions[PROC_COUNT];

/* Whether these arguments need it. */
bool permission_applies(const struct permission *p, const void *args);

#endif
