/*
 * daemon/access_driver.c -- the access drivers, and polkit's.
 */
#include "daemon/access_driver.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/polkit.h"

void access_details_add(struct access_details *d, const char *key,
			const char *value)
{
	assert(d->n < ACCESS_DETAILS_MAX);
	d->list[d->n].key = key;
	d->list[d->n++].value = xstrdup(value);
}

void access_details_finish(struct access_details *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		free(d->list[i].value);
	d->n = 0;
}

/* "storage_pool:search_storage_vols" as libvirt names actions. */
static char *action_of(const char *permission)
{
	char *action = xasprintf("org.libvirt.api.%s", permission);

	for (char *p = action; *p; p++)
		*p = *p == '_' ? '-' : *p == ':' ? '.' : *p;
	return action;
}

static int polkit_access(struct polkit *polkit, const struct access_question *q,
			 struct error *err)
{
	_cleanup_free_ char *action = action_of(q->permission);
	enum polkit_outcome outcome;
	int r;

	if (!q->pid)
		return error_set(err, -EACCES,
				 "polkit knows local processes only, which this client is not");
	r = polkit_ask(polkit,
		       &(struct polkit_subject){ q->pid, q->uid, false },
		       action, q->details, &outcome, err);
	return r < 0 ? r : outcome == POLKIT_YES;
}

const struct access_driver access_polkit = {
	.name = "polkit",
	.check = polkit_access,
};

int access_driver_find(const char *name, const struct access_driver **ret,
		       struct error *err)
{
	*ret = str_eq(name, access_polkit.name) ? &access_polkit : NULL;
	if (*ret || str_eq(name, "none"))
		return 0;
	return error_set(err, -EINVAL, "--access=%s is not 'none' or 'polkit'",
			 name);
}
