/*
 * daemon/run.c -- a domain's run: how it starts, what becomes of it, how it
 * ends.  Everything here is called with the domain's job held.
 *
 * A run is in the store, marked 'starting', before its driver is asked, and
 * leaves the store after the driver has ended it.  So whenever the daemon is
 * killed, every VMM that may exist has a row.
 */
#include "daemon/backup.h"
#include "daemon/guestcpu.h"
#include "daemon/hostdev.h"
#include "daemon/pools.h"
#include "daemon/filtered.h"
#include "daemon/plugged.h"
#include "daemon/registry.h"
#include "daemon/tpm.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "domain"
#include "base/log.h"

int run_check_active(const struct dom_obj *obj, struct error *err)
{
	if (obj->active)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "domain is not running");
}

/* ---- recording ---- */

static int record(struct dom_obj *obj, int state, int reason, bool starting,
		  struct error *err)
{
	_cleanup_free_ char *xml = domain_def_format(
		obj->d.live, DOMAIN_FORMAT_LIVE | DOMAIN_FORMAT_SECURE);
	struct store_domain row = {
		.name = obj->d.name,
		.live_xml = xml,
		.id = obj->d.id,
		.driver = obj->driver->name,
		.state = state,
		.reason = reason,
		.starting = starting,
		.saved = obj->saved,
	};

	memcpy(row.uuid, obj->d.uuid, UUID_LEN);
	return store_domain_live(obj->reg->store, &row, err);
}

int run_record(struct dom_obj *obj, struct error *err)
{
	return record(obj, obj->state, obj->reason, false, err);
}

int run_record_saved(struct dom_obj *obj, struct error *err)
{
	return record(obj, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SAVED, false,
		      err);
}

static void set_state(struct dom_obj *obj, int state, int reason)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->state = state;
	obj->reason = reason;
	pthread_mutex_unlock(&obj->reg->lock);
}

int run_set_state(struct dom_obj *obj, int state, int reason,
		  struct error *err)
{
	int r = record(obj, state, reason, false, err);

	if (r == 0)
		set_state(obj, state, reason);
	return r;
}

/* For what has happened and cannot be refused. */
void run_force_state(struct dom_obj *obj, int state, int reason)
{
	struct error err = { 0 };

	if (record(obj, state, reason, false, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
	set_state(obj, state, reason);
}

/* ---- the end ---- */

/* Back to what the object is without a run; a transient one goes. */
static void forget_run(struct dom_obj *obj, int reason)
{
	struct registry *reg = obj->reg;

	agent_closed(obj);
	pthread_mutex_lock(&reg->lock);
	index_remove(&reg->by_id, &obj->by_id);
	domain_def_free(steal_ptr(&obj->d.live));
	domain_def_free(steal_ptr(&obj->boot));
	obj->d.id = -1;
	obj->active = false;
	obj->updated = false;
	obj->driver = NULL;
	obj->owner = NULL;
	obj->cpu_ns = 0;
	backup_free(steal_ptr(&obj->backup));
	obj->migration = (struct migration){ MIGRATION_NONE };
	obj->max_speed = obj->max_downtime = 0;
	obj->state = VIR_DOMAIN_SHUTOFF;
	obj->reason = reason;
	if (!obj->config && obj->listed)
		obj_remove_locked(obj);
	pthread_mutex_unlock(&reg->lock);
}

/*
 * The driver has ended the run.  A store that cannot record it is no reason
 * to claim otherwise: the next daemon looks for the VMM and finds it gone.
 */
static void run_ended(struct dom_obj *obj, int reason)
{
	struct error err = { 0 };

	if (store_domain_stopped(obj->reg->store, obj->d.uuid, reason, &err))
		log_warn("domain '%s': %s", obj->d.name, err.message);
	hook_domain_told(obj, "stopped", "end");
	tpm_run_ended(obj);
	hostdev_give_back(obj, obj->d.live, NULL);
	filtered_out(obj, obj->d.live, NULL);
	plugged_out(obj, obj->d.live, NULL);
	hook_domain_told(obj, "release", "end");
	forget_run(obj, reason);
}

void run_stopped(struct dom_obj *obj, int reason, int detail)
{
	run_ended(obj, reason);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_STOPPED, detail);
}

int run_destroy(struct dom_obj *obj, struct error *err)
{
	int r;

	incoming_end(obj);
	r = driver_call(obj, err, stop, STOP_FORCE);
	if (r == 0)
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_DESTROYED,
			    VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
	return r;
}

/* Ends a run whose VMM is gone or must go. */
void run_stop_quietly(struct dom_obj *obj)
{
	struct error err = { 0 };

	incoming_end(obj);
	if (driver_call(obj, &err, stop, STOP_FORCE) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}

/* ---- the beginning ---- */

/* The XML's way completes a run's definition: aliases, for one. */
static int make_live(struct registry *reg, const struct domain_def *def,
		     const struct host_caps *caps,
		     struct domain_def **ret_live, struct error *err)
{
	_cleanup_free_ char *xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);
	struct domain_def *live = NULL;
	int r = domain_def_parse(xml, DOMAIN_PARSE_LIVE, &live, err);

	if (r == 0)
		r = guestcpu_resolve(&live->cpu, caps, err);
	if (r == 0)
		r = vols_resolve(reg, live, err);
	if (r == 0)
		*ret_live = steal_ptr(&live);
	domain_def_free(live);
	return r;
}

/* Another generation of it, where the guest was told of the last one. */
static void renew_genid(struct domain_def *live)
{
	uint8_t uuid[UUID_LEN];

	if (!live->genid)
		return;
	uuid_generate_v4(uuid);
	free(live->genid);
	live->genid = xmalloc(UUID_STR_LEN);
	uuid_format(uuid, live->genid);
}

static void begin_run(struct dom_obj *obj, const struct driver *driver,
		      struct domain_def *live)
{
	struct registry *reg = obj->reg;

	pthread_mutex_lock(&reg->lock);
	obj->d.id = reg->next_id++;
	live->id = obj->d.id;
	obj->d.live = live;
	obj->boot = domain_def_copy(live);
	obj->driver = driver;
	obj->active = true;
	obj->state = VIR_DOMAIN_PAUSED;
	obj->reason = VIR_DOMAIN_PAUSED_STARTING_UP;
	index_insert(&reg->by_id, &obj->by_id,
		     index_hash(&obj->d.id, sizeof(obj->d.id)));
	pthread_mutex_unlock(&reg->lock);
}

static void show_live(struct dom_obj *obj, void *owner, int state, int reason)
{
	pthread_mutex_lock(&obj->reg->lock);
	domain_def_free(steal_ptr(&obj->boot));
	obj->owner = owner;
	obj->state = state;
	obj->reason = reason;
	obj->hidden = false;
	pthread_mutex_unlock(&obj->reg->lock);
}

/* How a run begins. */
struct beginning {
	const struct domain_saved *from; /* NULL: the guest boots */
	bool managed, paused, incoming;
	void *owner;
};

static void set_saved(struct dom_obj *obj, bool saved)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->saved = saved;
	pthread_mutex_unlock(&obj->reg->lock);
}

/* Before anything of the host's is taken. */
static int ask_before(struct dom_obj *obj, const struct beginning *b,
		      struct error *err)
{
	int r = 0;

	if (b->incoming)
		r = hook_domain(obj, "migrate", "begin", err);
	else if (b->from)
		r = hook_domain(obj, "restore", "begin", err);
	return r < 0 ? r : hook_domain(obj, "prepare", "begin", err);
}

/* One transaction: that it runs, and that it is no longer in a file. */
static int start_recorded(struct dom_obj *obj, const struct beginning *b,
			  int state, int reason, struct error *err)
{
	bool saved = obj->saved;
	int r = ask_before(obj, b, err);

	if (r == 0)
		r = hostdev_check_free(obj, obj->d.live, err);
	if (r == 0)
		r = plugged_in(obj, obj->d.live, NULL, err);
	if (r == 0)
		r = filtered_in(obj, obj->d.live, NULL, err);
	if (r == 0)
		r = hook_domain(obj, "start", "begin", err);
	if (r == 0)
		r = driver_call(obj, err, start, b->from, b->paused);
	if (r < 0) {
		filtered_out(obj, obj->d.live, NULL);
		plugged_out(obj, obj->d.live, NULL);
		return r;
	}
	set_saved(obj, saved && !b->managed);
	r = hook_domain(obj, "started", "begin", err);
	if (r == 0)
		r = record(obj, state, reason, b->incoming, err);
	if (r < 0) {
		set_saved(obj, saved);
		run_stop_quietly(obj);
	}
	return r;
}

static void notify_started(struct dom_obj *obj, bool restored, bool paused)
{
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_STARTED,
			 restored ? (int)VIR_DOMAIN_EVENT_STARTED_RESTORED :
				    (int)VIR_DOMAIN_EVENT_STARTED_BOOTED);
	/* For clients that only know on and off, and for the others. */
	if (paused)
		notify_lifecycle(
			obj, VIR_DOMAIN_EVENT_SUSPENDED,
			restored ? (int)VIR_DOMAIN_EVENT_SUSPENDED_RESTORED :
				   (int)VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
}

static int begun_reason(const struct beginning *b)
{
	if (b->incoming)
		return VIR_DOMAIN_PAUSED_MIGRATION;
	if (b->paused)
		return VIR_DOMAIN_PAUSED_USER;
	return b->from ? (int)VIR_DOMAIN_RUNNING_RESTORED :
			 (int)VIR_DOMAIN_RUNNING_BOOTED;
}

static int begin(struct dom_obj *obj, const struct domain_def *def,
		 const struct beginning *b, struct error *err)
{
	int state = b->paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
	int reason = begun_reason(b);
	const struct loaded_driver *l = driver_for(def->virt, err);
	struct domain_def *live = NULL;
	int r;

	if (!l)
		return -EOPNOTSUPP;
	r = l->driver->check ? l->driver->check(def, err) : 0;
	if (r == 0)
		r = make_live(obj->reg, def, &l->caps, &live, err);
	if (r < 0)
		return r;
	if (b->from)
		renew_genid(live);
	begin_run(obj, l->driver, live);
	r = record(obj, obj->state, obj->reason, true, err);
	if (r < 0) {
		forget_run(obj, VIR_DOMAIN_SHUTOFF_FAILED);
		return r;
	}
	r = start_recorded(obj, b, state, reason, err);
	if (r < 0) {
		run_ended(obj, VIR_DOMAIN_SHUTOFF_FAILED);
		return r;
	}
	show_live(obj, b->owner, state, reason);
	if (b->incoming)
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_STARTED,
				 VIR_DOMAIN_EVENT_STARTED_MIGRATED);
	else
		notify_started(obj, b->from, b->paused);
	return 0;
}

int run_start(struct dom_obj *obj, const struct domain_def *def, bool paused,
	      void *owner, struct error *err)
{
	struct beginning b = { .paused = paused, .owner = owner };

	return begin(obj, def, &b, err);
}

int run_restore(struct dom_obj *obj, const struct domain_def *def,
		const struct domain_saved *from, bool managed, bool paused,
		void *owner, struct error *err)
{
	struct beginning b = { from, managed, paused, owner };

	return begin(obj, def, &b, err);
}

int run_incoming(struct dom_obj *obj, const struct domain_def *def,
		 bool postcopy, void *owner, struct error *err)
{
	struct domain_saved from = { .fd = -1, .incoming = true,
				     .postcopy = postcopy };
	struct beginning b = { .from = &from,
			       .paused = true,
			       .incoming = true,
			       .owner = owner };

	return begin(obj, def, &b, err);
}

int run_record_incoming(struct dom_obj *obj, int reason, struct error *err)
{
	return record(obj, VIR_DOMAIN_PAUSED, reason, true, err);
}

void run_arrived(struct dom_obj *obj, int state, int reason)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->owner = NULL;
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, state, reason);
}
