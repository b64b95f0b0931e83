/*
 * drivers/launch_migrate.c -- a guest that goes from one VMM to another
 * (vmm/migrate.h), and to which of the two it then belongs (vmm/handover.h).
 */
#include "drivers/launch.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/spec.h"

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void add_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

/* What is to happen; the limits stay as the migration was begun with. */
static struct json_object *now(const struct domain_migration *how)
{
	struct json_object *args = json_object_new_object();

	if (how->now)
		add_bool(args, "now", true);
	if (how->postcopy_now)
		add_bool(args, "postcopy_now", true);
	return args;
}

static struct json_object *limits(const struct domain_migration *how)
{
	struct json_object *args = now(how);

	add_u64(args, "bandwidth", how->bandwidth);
	if (how->downtime_ns)
		add_u64(args, "downtime_ns", how->downtime_ns);
	add_u64(args, "postcopy_bandwidth", how->postcopy_bandwidth);
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
	add_bool(args, "postcopy", how->postcopy);
	return monitor_call_fds(dom->priv, "migrate", args, fds, n, err);
}

int launch_migrate_limits(struct domain *dom,
			  const struct domain_migration *how,
			  struct error *err)
{
	bool only_now = how->now || how->postcopy_now;

	return monitor_call(dom->priv, "migrate-limits",
			    only_now ? now(how) : limits(how), NULL, err);
}

/* ---- at the destination ---- */

/* Before Linux 6.1 there is no such device: the machine tries without. */
void launch_watch_missing(struct vmm_spec *spec)
{
	struct error ignored;

	spec->postcopy = true;
	if (host_open_userfault(&ignored, &spec->userfault_fd) < 0)
		spec->userfault_fd = -1;
}

static int receive(struct domain *dom, const int *fds, unsigned int n,
		   const struct domain_migration *how, bool rescue,
		   struct error *err)
{
	struct json_object *args = json_object_new_object();

	add_bool(args, "carried", how->carried);
	add_bool(args, "postcopy", how->postcopy);
	add_bool(args, "rescue", rescue);
	return monitor_call_fds(dom->priv, "receive", args, fds, n, err);
}

/* With a socket that reaches the machine while it waits for memory. */
static int receive_followed(struct domain *dom, const int *fds,
			    unsigned int n, const struct domain_migration *how,
			    struct error *err)
{
	int all[DOMAIN_STREAMS_MAX + 1], sv[2], r;

	if (n > DOMAIN_STREAMS_MAX ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return error_set(err, n > DOMAIN_STREAMS_MAX ? -E2BIG : -errno,
				 "cannot create a socket: %m");
	memcpy(all, fds, n * sizeof(*fds));
	all[n] = sv[1];
	rescue_begin(monitor_rescue(dom->priv), sv[0]);
	r = receive(dom, all, n + 1, how, true, err);
	fd_close(sv[1]);
	return r;
}

int launch_receive(struct domain *dom, const int *fds, unsigned int n,
		   const struct domain_migration *how, struct error *err)
{
	return how->postcopy ? receive_followed(dom, fds, n, how, err) :
			       receive(dom, fds, n, how, false, err);
}

int launch_recover(struct domain *dom, int fd, struct error *err)
{
	return rescue_send(monitor_rescue(dom->priv), fd) ?
		       0 :
		       monitor_call_fd(dom->priv, "recover", NULL, fd, NULL,
				       err);
}

int launch_follow_break(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "break", NULL, NULL, err);
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
	const char *heard = rescue_word(monitor_rescue(dom->priv));
	int r = 0;

	if (!heard)
		r = monitor_call(dom->priv, "status", NULL, &ok, err);
	if (r < 0)
		return r;
	if (!heard && json_object_object_get_ex(ok, "handover", &word) && word)
		heard = json_object_get_string(word);
	snprintf(ret_word, DOMAIN_HANDOVER_MAX, "%s", heard ? heard : "");
	rescue_heard(monitor_rescue(dom->priv), ret_word);
	json_object_put(ok);
	return 0;
}
