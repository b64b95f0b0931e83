/*
 * daemon/access_driver.h -- who decides what a caller may do with an object.
 *
 * A driver answers one question at a time, on any worker.  The questions come
 * from daemon/acl.c; what they are is in rpc/permissions.
 */
#ifndef DAEMON_ACCESS_DRIVER_H
#define DAEMON_ACCESS_DRIVER_H

#include <stdbool.h>
#include <sys/types.h>

struct error;
struct polkit;

enum { ACCESS_DETAILS_MAX = 6 };

/* What is known of an object, by libvirt's names: "domain_name", ... */
struct access_details {
	unsigned int n;
	struct {
		const char *key;
		char *value;
	} list[ACCESS_DETAILS_MAX];
};
void access_details_add(struct access_details *d, const char *key,
			const char *value);
void access_details_finish(struct access_details *d);

struct access_question {
	pid_t pid; /* who asks; 0: not a process of this host */
	uid_t uid;
	const char *permission; /* "domain:write" */
	const struct access_details *details;
};

struct access_driver {
	const char *name;
	/* 1: yes, 0: no, -errno: it could not be found out. */
	int (*check)(struct polkit *polkit, const struct access_question *q,
		     struct error *err);
};

extern const struct access_driver access_polkit;

/* "none": NULL, everything is permitted. */
int access_driver_find(const char *name, const struct access_driver **ret,
		       struct error *err);

#endif
