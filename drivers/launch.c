/*
 * drivers/launch.c -- the life of a domain that has a VMM; what the kvm and
 * the emu driver share.
 */
#include "drivers/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "launch"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/control.h"
#include "vmm/spec.h"

enum { QUIT_MS = 2000 };

/* ---- starting ---- */

static int send_spec(struct monitor *mon, const struct vmm_spec *spec,
		     struct error *err)
{
	int fds[CONTROL_FDS_MAX];
	unsigned int n;
	_cleanup_free_ char *text =
		vmm_spec_to_json(spec, fds, ARRAY_SIZE(fds), &n, err);

	return text ? monitor_create(mon, text, fds, n,
				     spec->n_hostdevs > 0, err) :
		      -E2BIG;
}

/* Ends a VMM however it is, and what it left. */
static int end_vmm(struct domain *dom, struct monitor *mon, struct error *err)
{
	int r = 0;

	if (!mon || !monitor_dead(mon, 0))
		r = host_kill_vmm(dom->uuid, err);
	if (r < 0)
		return r;
	monitor_close(mon);
	host_forget_vmm(dom->uuid);
	return 0;
}

static int spawn(struct domain *dom, bool vnc, struct monitor **ret_mon,
		 struct error *err)
{
	int control, pidfd, pid;
	const char *state;
	int r = host_spawn_vmm(dom->uuid, dom->name, vnc, err, &control,
			       &pidfd, &pid);

	if (r < 0)
		return r;
	r = monitor_open(dom, control, pidfd, ret_mon, &state, err);
	if (r < 0)
		end_vmm(dom, NULL, NULL);
	return r;
}

static int start(struct domain *dom, const struct vmm_spec *spec, bool paused,
		 struct error *err)
{
	struct monitor *mon = NULL;
	int r = spawn(dom, spec->n_vncs, &mon, err);

	if (r < 0)
		return r;
	r = launch_place_before(dom, err);
	if (r >= 0)
		r = send_spec(mon, spec, err);
	if (r >= 0)
		r = launch_place_built(dom, err);
	if (r >= 0 && !paused)
		r = monitor_call(mon, "run", NULL, NULL, err);
	if (r >= 0 && !paused)
		r = launch_place_running(dom, err);
	if (r < 0) {
		struct error ignored;

		if (end_vmm(dom, mon, &ignored) < 0) {
			log_error("domain '%s': %s", dom->name,
				  ignored.message);
			monitor_close(mon);
		}
		return r;
	}
	dom->priv = mon;
	monitor_deliver(mon);
	launch_ask_ports(dom);
	launch_find_memory(dom); /* a saved guest uses some already */
	return 0;
}

/* The spec's own copy of the descriptor, as of all others. */
static int restore_from(struct vmm_spec *spec, const struct domain_saved *from,
			struct error *err)
{
	spec->restore_fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
	spec->restore_offset = from->offset;
	return spec->restore_fd < 0 ?
		       error_set(err, -errno, "cannot copy a descriptor: %m") :
		       0;
}

int launch_start(struct domain *dom, const char *engine,
		 const struct domain_saved *from, bool paused,
		 struct error *err)
{
	struct vmm_spec spec;
	int r = launch_build(dom, engine, &spec, err);

	if (r < 0)
		return r;
	spec.incoming = from && from->incoming;
	if (spec.incoming && from->postcopy)
		launch_watch_missing(&spec);
	if (from && !from->incoming)
		r = restore_from(&spec, from, err);
	if (r >= 0)
		r = start(dom, &spec, paused, err);
	/* The machine has its own copies of the descriptors. */
	vmm_spec_finish(&spec);
	return r;
}

/* ---- finding again ---- */

/* The status file's line is "STATE REASON". */
static const char *how_it_ended(const uint8_t uuid[UUID_LEN])
{
	static const char *const reasons[] = { "poweroff", "reset", "crash",
					       "quit" };
	char line[64];

	if (host_vmm_status(uuid, line) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		_cleanup_free_ char *full =
			xasprintf("stopped %s", reasons[i]);

		if (str_eq(line, full))
			return reasons[i];
	}
	return "crash"; /* it ended without saying so */
}

static int gone(struct domain *dom, const char **ret_why, struct error *err)
{
	*ret_why = how_it_ended(dom->uuid);
	host_forget_vmm(dom->uuid);
	return error_set(err, -ESRCH, "the machine of '%s' is gone",
			 dom->name);
}

int launch_reconnect(struct domain *dom, bool *ret_paused,
		     const char **ret_why, struct error *err)
{
	int control, pidfd, pid;
	struct monitor *mon;
	const char *state;
	int r = host_connect_vmm(dom->uuid, err, &control, &pidfd, &pid);

	*ret_why = NULL;
	if (r == -ESRCH)
		return gone(dom, ret_why, err);
	if (r >= 0)
		r = monitor_open(dom, control, pidfd, &mon, &state, err);
	if (r < 0)
		return r;
	if (!state || str_eq(state, "new")) {
		/* Its start was never completed. */
		r = end_vmm(dom, mon, err);
		return r < 0 ? r : error_set(err, -ESRCH,
					     "the machine of '%s' was not complete",
					     dom->name);
	}
	*ret_paused = !str_eq(state, "running");
	dom->priv = mon;
	monitor_deliver(mon);
	launch_ask_ports(dom);
	launch_find_gone(dom);
	launch_find_memory(dom);
	launch_find_blockjobs(dom);
	return 0;
}

/* ---- stopping ---- */

/* Politely first: requests to disks that are under way complete. */
static int stop_force(struct domain *dom, struct error *err)
{
	struct monitor *mon = dom->priv;
	int r;

	if (mon && !monitor_dead(mon, 0) &&
	    monitor_call(mon, "quit", NULL, NULL, NULL) >= 0)
		monitor_dead(mon, QUIT_MS);
	r = end_vmm(dom, mon, err);
	if (r >= 0)
		dom->priv = NULL;
	return r;
}

int launch_stop(struct domain *dom, enum stop_how how, struct error *err)
{
	if (how == STOP_FORCE)
		return stop_force(dom, err);
	return monitor_call(dom->priv, "powerbutton", NULL, NULL, err);
}

void launch_interrupt(struct domain *dom)
{
	struct error err;

	if (host_kill_vmm(dom->uuid, &err) < 0)
		log_error("domain '%s': %s", dom->name, err.message);
}

/* ---- the others ---- */

int launch_pause(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "pause", NULL, NULL, err);
}

int launch_resume(struct domain *dom, struct error *err)
{
	int r = monitor_call(dom->priv, "run", NULL, NULL, err);

	return r < 0 ? r : launch_place_running(dom, err);
}

int launch_reset(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "reset", NULL, NULL, err);
}

/* The guest is asked to switch off, and then started anew in place. */
int launch_reboot(struct domain *dom, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "reboot", json_object_new_boolean(true));
	return monitor_call(dom->priv, "powerbutton", args, NULL, err);
}

int launch_wake(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "wake", NULL, NULL, err);
}

int launch_asleep(struct domain *dom)
{
	struct json_object *ok = NULL;
	int r = monitor_call(dom->priv, "status", NULL, &ok, NULL);

	if (r >= 0)
		r = json_object_get_boolean(
			json_object_object_get(ok, "asleep"));
	json_object_put(ok);
	return r;
}

int launch_nmi(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "nmi", NULL, NULL, err);
}

int launch_set_balloon(struct domain *dom, uint64_t bytes, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "target",
			       json_object_new_int64((int64_t)bytes));
	return monitor_call(dom->priv, "balloon", args, NULL, err);
}

int launch_set_balloon_period(struct domain *dom, unsigned int seconds,
			      struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "seconds",
			       json_object_new_int64(seconds));
	return monitor_call(dom->priv, "balloon-period", args, NULL, err);
}

int launch_measure_dirty(struct domain *dom, unsigned int seconds, bool log,
			 struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "seconds",
			       json_object_new_int64(seconds));
	json_object_object_add(args, "log", json_object_new_boolean(log));
	return monitor_call(dom->priv, "dirtyrate", args, NULL, err);
}

/* ---- consoles ---- */

static const struct dom_char *find_console(const struct domain_def *def,
					   const char *alias)
{
	for (unsigned int i = 0; i < def->n_chars; i++) {
		const struct dom_char *c = &def->chars[i];

		if (!launch_char_is_device(c))
			continue;
		if (alias ? str_eq(c->info.alias, alias) :
			    c->kind == CHAR_SERIAL || c->kind == CHAR_CONSOLE)
			return c;
	}
	return NULL;
}

int launch_open_console(struct domain *dom, const char *alias, bool force,
			int *ret_fd, struct error *err)
{
	const struct dom_char *c = find_console(dom->live, alias);

	if (!c && alias)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot find character device '%s'", alias);
	if (!c)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "cannot find default console device");
	if (c->type == CHR_PTY && c->source_path)
		return host_open_tty(c->source_path, err, ret_fd);
	if (c->type == CHR_UNIX && c->source_path &&
	    !str_eq(c->source_mode, "connect"))
		return host_connect_unix(c->source_path, err, ret_fd);
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "character device '%s' is not a terminal",
			  c->info.alias);
}
