/*
 * daemon/control.c -- the calls that make a domain do something.  (What it
 * is: definition.c.)
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/definition.h"
#include "daemon/registry.h"

/* ---- start ---- */

enum {
	START_FLAGS = VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY |
		      VIR_DOMAIN_START_RESET_NVRAM,
};

static void *owner_if(unsigned int flags, void *owner)
{
	return flags & VIR_DOMAIN_START_AUTODESTROY ? owner : NULL;
}

int domain_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int flags, void *autodestroy_owner,
		  struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    START_FLAGS | VIR_DOMAIN_START_BYPASS_CACHE |
				    VIR_DOMAIN_START_FORCE_BOOT,
			    __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "start", &obj, err);
	if (r < 0)
		return r;
	if (obj->active)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "domain is already running");
	else
		r = save_start(obj, flags, owner_if(flags, autodestroy_owner),
			       err);
	obj_end(obj);
	return r;
}

static int already_active(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "domain '%s' is already active", name);
}

/* Before waiting for the job: the usual case, answered at once. */
static int check_not_active(struct registry *reg, const struct domain_def *def,
			    struct error *err)
{
	struct dom_obj *obj;
	bool active;

	pthread_mutex_lock(&reg->lock);
	obj = obj_find_uuid_locked(reg, def->uuid);
	active = obj && obj->active && str_eq(obj->d.name, def->name);
	pthread_mutex_unlock(&reg->lock);
	return active ? already_active(def->name, err) : 0;
}

static int create_parsed(struct registry *reg, const struct domain_def *def,
			 unsigned int flags, void *owner,
			 struct domain_ref *ret, struct error *err)
{
	struct dom_obj *obj;
	int r = check_not_active(reg, def, err);

	if (r == 0)
		r = obj_claim(reg, def, "start", &obj, err);
	if (r < 0)
		return r;
	if (obj->active)
		r = already_active(def->name, err);
	else
		r = run_start(obj, def, flags & VIR_DOMAIN_START_PAUSED,
			      owner_if(flags, owner), err);
	if (r == 0)
		obj_ref_fill(obj, ret);
	obj_unclaim(obj);
	return r;
}

int domain_create_xml(struct registry *reg, const char *xml,
		      unsigned int flags, void *autodestroy_owner,
		      struct domain_ref *ret, struct error *err)
{
	struct domain_def *def;
	int r = check_flags(flags, START_FLAGS | VIR_DOMAIN_START_VALIDATE,
			    __func__, err);

	if (r == 0)
		r = config_parse(
			reg, xml,
			config_flags(flags & VIR_DOMAIN_START_VALIDATE), &def,
			err);
	if (r < 0)
		return r;
	r = create_parsed(reg, def, flags, autodestroy_owner, ret, err);
	domain_def_free(def);
	return r;
}

/* ---- stop ---- */

static bool is_starting(struct registry *reg, const struct dom_obj *obj)
{
	bool starting;

	pthread_mutex_lock(&reg->lock);
	starting = obj->active && obj->state == VIR_DOMAIN_PAUSED &&
		   obj->reason == VIR_DOMAIN_PAUSED_STARTING_UP;
	pthread_mutex_unlock(&reg->lock);
	return starting;
}

/* A start that destroy broke up ends as asked, though it ended itself. */
static int destroy(struct dom_obj *obj, struct error *err)
{
	bool starting = is_starting(obj->reg, obj);
	int r = job_begin_destroy(obj, err);

	if (r < 0)
		return r;
	if (obj->active)
		r = run_destroy(obj, err);
	else if (!starting)
		r = run_check_active(obj, err);
	job_end(obj);
	return r;
}

int domain_destroy(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_DESTROY_GRACEFUL |
				    VIR_DOMAIN_DESTROY_REMOVE_LOGS,
			    __func__, err);

	if (r == 0)
		r = obj_get(reg, uuid, &obj, err);
	if (r < 0)
		return r;
	r = destroy(obj, err);
	obj_unref(obj);
	return r;
}

static struct dom_obj *next_owned(struct registry *reg, const void *owner)
{
	struct dom_obj *obj;

	pthread_mutex_lock(&reg->lock);
	for (obj = reg->first; obj; obj = obj->next)
		if (obj->owner == owner)
			break;
	if (obj) {
		obj->owner = NULL; /* once, also if it cannot be destroyed */
		obj->refs++;
	}
	pthread_mutex_unlock(&reg->lock);
	return obj;
}

void domain_owner_gone(struct registry *reg, void *owner)
{
	struct dom_obj *obj;
	struct error err;

	migrate_owner_gone(reg, owner);
	while (owner && (obj = next_owned(reg, owner))) {
		destroy(obj, &err);
		obj_unref(obj);
	}
}

/* ---- requests to the guest ---- */

static int check_running(const struct dom_obj *obj, struct error *err)
{
	if (obj->state == VIR_DOMAIN_RUNNING)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "domain is not running");
}

/*
 * By the agent if that was asked for, or nothing was and there is one.  When it
 * fails, the power button does it, unless only the agent was asked for.
 * Returns 1 when the agent did it.
 */
static int try_agent(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *mode, bool asked, bool forced,
		     struct error *err)
{
	struct error ignored = { 0 };
	int r;

	if (!asked)
		return 0;
	if (!forced)
		err = &ignored;
	r = agent_available(reg, uuid, err);
	if (r == 0)
		r = agent_call_shutdown(reg, uuid, mode, err);
	if (r < 0)
		return forced ? r : 0;
	return 1;
}

int domain_shutdown(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    unsigned int flags, struct error *err)
{
	const unsigned int acpi = VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN;
	const unsigned int agent = VIR_DOMAIN_SHUTDOWN_GUEST_AGENT;
	struct dom_obj *obj;
	int r = check_flags(flags, acpi | agent, __func__, err);

	if (r == 0)
		r = try_agent(reg, uuid, "powerdown", !flags || flags & agent,
			      flags == agent, err);
	if (r > 0)
		return 0;
	if (r == 0)
		r = obj_begin(reg, uuid, "shutdown", &obj, err);
	if (r < 0)
		return r;
	r = check_running(obj, err);
	if (r == 0)
		r = driver_call(obj, err, stop, STOP_REQUEST);
	obj_end(obj);
	return r;
}

int domain_reboot(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int flags, struct error *err)
{
	const unsigned int acpi = VIR_DOMAIN_REBOOT_ACPI_POWER_BTN;
	const unsigned int agent = VIR_DOMAIN_REBOOT_GUEST_AGENT;
	struct dom_obj *obj;
	int r = check_flags(flags, acpi | agent, __func__, err);

	if (r == 0)
		r = try_agent(reg, uuid, "reboot", !flags || flags & agent,
			      flags == agent, err);
	if (r > 0)
		return 0;
	if (r == 0)
		r = obj_begin(reg, uuid, "reboot", &obj, err);
	if (r < 0)
		return r;
	r = check_running(obj, err);
	if (r == 0)
		r = driver_call(obj, err, reboot);
	obj_end(obj);
	return r;
}

static int reset(struct dom_obj *obj, struct error *err)
{
	int r = driver_call(obj, err, reset);

	if (r == 0 && obj->state == VIR_DOMAIN_CRASHED)
		r = run_set_state(obj, VIR_DOMAIN_PAUSED,
				  VIR_DOMAIN_PAUSED_CRASHED, err);
	return r;
}

static int inject_nmi(struct dom_obj *obj, struct error *err)
{
	return driver_call(obj, err, nmi);
}

/* ---- suspend and resume ---- */

static int suspend(struct dom_obj *obj, struct error *err)
{
	struct error ignored;
	int r;

	if (obj->state == VIR_DOMAIN_PAUSED)
		return 0; /* as libvirt: no event either */
	r = pm_check_awake(obj, err);
	if (r == 0)
		r = driver_call(obj, err, pause);
	if (r < 0)
		return r;
	r = run_set_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, err);
	if (r < 0) {
		if (obj->driver->resume)
			obj->driver->resume(&obj->d, &ignored);
		return r;
	}
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
	return 0;
}

static int resume(struct dom_obj *obj, struct error *err)
{
	struct error ignored;
	int r;

	if (obj->state == VIR_DOMAIN_RUNNING)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain is already running");
	r = pm_check_awake(obj, err);
	if (r == 0)
		r = driver_call(obj, err, resume);
	if (r < 0)
		return r;
	r = run_set_state(obj, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED,
			  err);
	if (r < 0) {
		if (obj->driver->pause)
			obj->driver->pause(&obj->d, &ignored);
		return r;
	}
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
			 VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
	return 0;
}

/* What the four calls below have in common. */
static int with_active(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *job,
		       int (*fn)(struct dom_obj *obj, struct error *err),
		       struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, job, &obj, err);

	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = fn(obj, err);
	obj_end(obj);
	return r;
}

/* One that migrates is paused for the rest of the way only. */
int domain_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = migrate_suspend(obj, err);
	obj_unref(obj);
	return r <= 0 ? r : with_active(reg, uuid, "suspend", suspend, err);
}

int domain_resume(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct error *err)
{
	return with_active(reg, uuid, "resume", resume, err);
}

int domain_reset(struct registry *reg, const uint8_t uuid[UUID_LEN],
		 unsigned int flags, struct error *err)
{
	int r = check_flags(flags, 0, __func__, err);

	return r < 0 ? r : with_active(reg, uuid, "reset", reset, err);
}

int domain_inject_nmi(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int flags, struct error *err)
{
	int r = check_flags(flags, 0, __func__, err);

	return r < 0 ? r :
		       with_active(reg, uuid, "inject-nmi", inject_nmi, err);
}

/* ---- console ---- */

int domain_open_console(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *alias, unsigned int flags, int *ret_fd,
			struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_CONSOLE_FORCE | VIR_DOMAIN_CONSOLE_SAFE,
			    __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "open-console", &obj, err);
	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = driver_call(obj, err, open_console, alias,
				flags & VIR_DOMAIN_CONSOLE_FORCE, ret_fd);
	obj_end(obj);
	return r;
}

int domain_open_channel(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags, int *ret_fd,
			struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_CHANNEL_FORCE, __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "open-channel", &obj, err);
	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = driver_call(obj, err, open_channel, name,
				flags & VIR_DOMAIN_CHANNEL_FORCE, ret_fd);
	obj_end(obj);
	return r;
}
