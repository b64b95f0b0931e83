/*
 * daemon/pm.c -- guests that suspend themselves: asked to by their agent, and
 * woken.  To disk means that the guest switches off; only a guest that is
 * suspended to RAM is a state of the domain's.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <time.h>

#include "daemon/agent.h"
#include "daemon/registry.h"

/* ---- what the guest did ---- */

static void tell(struct dom_obj *obj, int kind)
{
	struct domain_notice n = { .kind = kind };

	notify(obj, &n);
}

/* One that is paused sleeps as soon as it goes on: the driver says so then. */
void guest_asleep(struct dom_obj *obj)
{
	if (obj->state == VIR_DOMAIN_PAUSED ||
	    obj->state == VIR_DOMAIN_PMSUSPENDED)
		return;
	run_force_state(obj, VIR_DOMAIN_PMSUSPENDED,
			VIR_DOMAIN_PMSUSPENDED_UNKNOWN);
	tell(obj, DOMAIN_NOTIFY_ASLEEP);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_PMSUSPENDED,
			 VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY);
}

void guest_awake(struct dom_obj *obj)
{
	if (obj->state != VIR_DOMAIN_PMSUSPENDED)
		return;
	run_force_state(obj, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_WAKEUP);
	tell(obj, DOMAIN_NOTIFY_AWAKE);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_STARTED,
			 VIR_DOMAIN_EVENT_STARTED_WAKEUP);
}

int pm_check_awake(const struct dom_obj *obj, struct error *err)
{
	return obj->state == VIR_DOMAIN_PMSUSPENDED ?
		       error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain is pmsuspended") :
		       0;
}

/* ---- asking for it ---- */

static const struct {
	const char *command;
	bool mem, disk;
} targets[] = {
	[VIR_NODE_SUSPEND_TARGET_MEM] = { "guest-suspend-ram", true, false },
	[VIR_NODE_SUSPEND_TARGET_DISK] = { "guest-suspend-disk", false, true },
	[VIR_NODE_SUSPEND_TARGET_HYBRID] = { "guest-suspend-hybrid", true,
					     true },
};

static int check_target(const struct dom_obj *obj, unsigned int target,
			struct error *err)
{
	const struct domain_def *live = obj->d.live;

	if (targets[target].mem && !str_eq(live->os.machine, "q35"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "Domain does not have suspend support");
	if (targets[target].mem && live->pm_mem == TRI_OFF)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "S3 state is disabled for this domain");
	if (targets[target].disk && live->pm_disk == TRI_OFF)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "S4 state is disabled for this domain");
	return 0;
}

static int check_can_suspend(struct registry *reg,
			     const uint8_t uuid[UUID_LEN],
			     unsigned int target, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "pm-suspend", &obj, err);

	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = pm_check_awake(obj, err);
	if (r == 0)
		r = check_target(obj, target, err);
	obj_end(obj);
	return r;
}

static bool is_asleep(struct registry *reg, const uint8_t uuid[UUID_LEN])
{
	struct dom_obj *obj;
	bool asleep;

	pthread_mutex_lock(&reg->lock);
	obj = obj_find_uuid_locked(reg, uuid);
	asleep = !obj || !obj->active || obj->state == VIR_DOMAIN_PMSUSPENDED;
	pthread_mutex_unlock(&reg->lock);
	return asleep;
}

/* The agent falls silent first.  Who asks next is to find the guest asleep, or
 * awake again by now. */
static void wait_asleep(struct registry *reg, const uint8_t uuid[UUID_LEN])
{
	enum { STEPS = 300, STEP_NS = 50000000 };
	const struct timespec step = { .tv_nsec = STEP_NS };

	for (unsigned int i = 0; i < STEPS && !is_asleep(reg, uuid); i++)
		nanosleep(&step, NULL);
}

int domain_pm_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int target, struct error *err)
{
	int r = check_can_suspend(reg, uuid, target, err);

	if (r == 0)
		r = agent_call_suspend(reg, uuid, targets[target].command, err);
	if (r == 0 && targets[target].mem)
		wait_asleep(reg, uuid);
	return r;
}

/* ---- waking ---- */

/* The state changes when the guest does. */
int domain_pm_wakeup(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "pm-wakeup", &obj, err);

	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0 && !str_eq(obj->d.live->os.machine, "q35"))
		r = error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			       "Domain does not have suspend support");
	else if (r == 0 && obj->state != VIR_DOMAIN_PMSUSPENDED)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "Unable to wake up: the guest is not suspended");
	if (r == 0)
		r = driver_call(obj, err, wake);
	obj_end(obj);
	return r;
}
