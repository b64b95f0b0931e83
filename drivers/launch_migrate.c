/*
 * drivers/launch_migrate.c -- a guest that goes from one VMM to another
 * (vmm/migrate.h), and to which of the two it then belongs (vmm/handover.h).
 */
#include "drivers/launch.h"

#include <json-c/json.h>
#include <string.h>

#include "base/util.h"

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void add_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

static struct json_object *limits(const struct domain_migration *how)
{
	struct json_object *args = json_object_new_object();

	add_u64(args, "bandwidth", how->bandwidth);
	if (how->downtime_ns)
		add_u64(args, "downtime_ns", how->downtime_ns);
	if (how->now)
		add_bool(args, "now", true);
	return args;
}

int launch_migrate(struct domain *dom, const int *fds, unsigned int n,
		   const struct domain_migration *how, struct error *err)
{
	struct json_object *args = limits(how);

	add_bool(args, "zstd", how->zstd);
	add_bool(args, "auto_converge", how->auto_converge);
	add_u64(args, "throttle_first", how->throttle_first);
	add_u64(args, "throttle_step", how->throttle_step);
	add_bool(args, "carried", how->carried);
	return monitor_call_fds(dom->priv, "migrate", args, fds, n, err);
}

int launch_migrate_limits(struct domain *dom,
			  const struct domain_migration *how,
			  struct error *err)
{
	return monitor_call(dom->priv, "migrate-limits", limits(how), NULL,
			    err);
}

int launch_receive(struct domain *dom, const int *fds, unsigned int n,
		   bool carried, struct error *err)
{
	struct json_object *args = json_object_new_object();

	add_bool(args, "carried", carried);
	return monitor_call_fds(dom->priv, "receive", args, fds, n, err);
}

int launch_take(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "take", NULL, NULL, err);
}

int launch_keep(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "keep", NULL, NULL, err);
}

int launch_handover(struct domain *dom, char ret_word[DOMAIN_HANDOVER_MAX],
		    struct error *err)
{
	struct json_object *ok = NULL, *word = NULL;
	int r = monitor_call(dom->priv, "status", NULL, &ok, err);

	if (r < 0)
		return r;
	json_object_object_get_ex(ok, "handover", &word);
	snprintf(ret_word, DOMAIN_HANDOVER_MAX, "%s",
		 word ? json_object_get_string(word) : "");
	json_object_put(ok);
	return 0;
}
