/*
 * daemon/hooks.h -- scripts of the administrator's that are run when something
 * becomes of a domain or of the daemon, as libvirt runs its own
 * (docs/HOOKS.md).
 */
#ifndef DAEMON_HOOKS_H
#define DAEMON_HOOKS_H

#include "daemon/domain.h"

/*
 * The scripts of a kind, one after the other, with these arguments and xml (may
 * be NULL) as their input; -errno: the first that failed.
 */
typedef int hook_fn(const char *kind, const char *object, const char *op,
		    const char *sub_op, const char *extra, const char *xml,
		    struct error *err);

/* NULL: this registry has none. */
void registry_set_hook(struct registry *reg, hook_fn *fn);

struct dom_obj;
/* About a domain that runs or is about to, its job held. */
int hook_domain(struct dom_obj *obj, const char *op, const char *sub_op,
		struct error *err);
/* The same where it is too late to refuse: a failure is logged. */
void hook_domain_told(struct dom_obj *obj, const char *op,
		      const char *sub_op);

/* host_hook.c: those that priv runs. */
hook_fn host_hook;

#endif
