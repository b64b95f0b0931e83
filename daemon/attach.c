/*
 * daemon/attach.c -- devices that come to and go from domains: of the
 * definition, of the one that runs, or of both.
 *
 * What a running domain gets is recorded before its driver is asked: a daemon
 * that is killed in between finds out afterwards what the machine really has.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "daemon/definition.h"
#include "daemon/hostdev.h"
#include "daemon/pools.h"
#include "daemon/filtered.h"
#include "daemon/plugged.h"
#include "daemon/registry.h"
#include "model/network.h"

/* As libvirt: that long a detach waits for the guest. */
enum { DETACH_MS = 5000, DETACH_STEP_MS = 50 };

/* ---- the running one ---- */

/* The object stays where it is: its driver may be reading it. */
static void replace_live(struct dom_obj *obj, struct domain_def *next)
{
	struct domain_def old;

	pthread_mutex_lock(&obj->reg->lock);
	old = *obj->d.live;
	*obj->d.live = *next;
	*next = old;
	pthread_mutex_unlock(&obj->reg->lock);
	domain_def_free(next);
}

static void tell(struct dom_obj *obj, int kind, const char *alias)
{
	struct domain_notice n = { .kind = kind, .uri = alias };

	notify(obj, &n);
}

static void forget_device(struct dom_obj *obj, const char *alias)
{
	struct device_ref ref;

	pthread_mutex_lock(&obj->reg->lock);
	if (domain_find_alias(obj->d.live, alias, &ref))
		domain_remove_device(obj->d.live, ref);
	pthread_mutex_unlock(&obj->reg->lock);
}

static int attach_live(struct dom_obj *obj, const struct device_def *dev,
		       struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->d.live), *before;
	_cleanup_free_ char *alias = NULL;
	struct device_ref ref;
	struct error ignored = { 0 };
	int r = domain_add_device(next, dev, true, &ref, err);

	if (r == 0)
		r = vols_resolve(obj->reg, next, err);
	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	alias = xstrdup(device_info(next, ref)->alias);
	before = domain_def_copy(obj->d.live);
	replace_live(obj, domain_def_copy(next));
	r = run_record(obj, err);
	if (r == 0)
		r = hostdev_check_free(obj, next, err);
	if (r == 0)
		r = plugged_in(obj, next, alias, err);
	if (r == 0)
		r = filtered_in(obj, next, alias, err);
	if (r == 0)
		r = driver_call(obj, err, attach, next, ref);
	if (r < 0) {
		hostdev_give_back(obj, next, alias);
		filtered_out(obj, next, alias);
		plugged_out(obj, next, alias);
		replace_live(obj, before);
		run_record(obj, &ignored);
		domain_def_free(next);
		return r;
	}
	domain_def_free(before);
	replace_live(obj, next);
	run_force_state(obj, obj->state, obj->reason);
	tell(obj, DOMAIN_NOTIFY_DEVICE_ADDED, alias);
	if (ref.kind == DEVICE_MEMORY)
		guest_refresh_balloon(obj);
	return 0;
}

void guest_device_removed(struct dom_obj *obj, const char *alias)
{
	struct device_ref ref;

	if (!domain_find_alias(obj->d.live, alias, &ref))
		return;
	hostdev_give_back(obj, obj->d.live, alias);
	filtered_out(obj, obj->d.live, alias);
	plugged_out(obj, obj->d.live, alias);
	forget_device(obj, alias);
	run_force_state(obj, obj->state, obj->reason);
	tell(obj, DOMAIN_NOTIFY_DEVICE_REMOVED, alias);
	if (ref.kind == DEVICE_MEMORY)
		guest_refresh_balloon(obj);
}

void guest_device_kept(struct dom_obj *obj, const char *alias)
{
	tell(obj, DOMAIN_NOTIFY_DEVICE_KEPT, alias);
}

/* ---- the definition ---- */

static int attach_config(struct dom_obj *obj, const struct device_def *dev,
			 struct domain_def **ret_next, struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->config);
	struct device_ref ref;
	int r = domain_add_device(next, dev, false, &ref, err);

	if (r == 0)
		r = config_check(obj->reg, next, err);
	if (r < 0)
		domain_def_free(next);
	else
		*ret_next = next;
	return r;
}

static int detach_config(struct dom_obj *obj, const struct device_def *dev,
			 const char *alias, struct domain_def **ret_next,
			 struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->config);
	struct device_ref ref;
	int r = 0;

	if (dev)
		r = domain_find_device(next, dev, &ref, err);
	else if (!domain_find_alias(next, alias, &ref))
		r = error_virt(err, VIR_ERR_DEVICE_MISSING,
			       "no device found with alias %s", alias);
	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	domain_remove_device(next, ref);
	*ret_next = next;
	return 0;
}

/* Takes next over. */
static int keep_config(struct dom_obj *obj, struct domain_def *next,
		       struct error *err)
{
	int r = next ? config_replace(obj, next, err) : 0;

	if (r < 0)
		domain_def_free(next);
	return r;
}

/* ---- attaching ---- */

static int attach(struct dom_obj *obj, struct device_def *dev,
		  unsigned int flags, struct error *err)
{
	struct domain_def *next = NULL;
	int r = config_impact(obj, &flags, err);

	device_def_choose(dev);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = attach_config(obj, dev, &next, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = attach_live(obj, dev, err);
	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	return keep_config(obj, next, err);
}

enum { IMPACT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG };

int domain_attach_device(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err)
{
	struct device_def *dev = NULL;
	struct dom_obj *obj;
	int r = check_flags(flags, IMPACT, __func__, err);

	if (r == 0)
		r = device_def_parse(xml, &dev, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "attach-device", &obj, err);
	if (r == 0) {
		r = attach(obj, dev, flags, err);
		obj_end(obj);
	}
	device_def_free(dev);
	return r;
}

/* ---- detaching ---- */

static bool is_in_use(const struct domain_def *def, struct device_ref ref)
{
	const struct dom_controller *c = device_at(def, ref);

	if (ref.kind != DEVICE_CONTROLLER)
		return false;
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].info.address.type, "drive") &&
		    str_eq(def->disks[i].target_bus, c->type) &&
		    (int)def->disks[i].info.address.controller == c->index)
			return true;
	return false;
}

static int detach_live(struct dom_obj *obj, const struct device_def *dev,
		       const char *alias, char **ret_alias,
		       struct error *err)
{
	struct device_ref ref;
	int r = 0;

	if (dev)
		r = domain_find_device(obj->d.live, dev, &ref, err);
	else if (!domain_find_alias(obj->d.live, alias, &ref))
		r = error_virt(err, VIR_ERR_DEVICE_MISSING,
			       "no device found with alias %s", alias);
	if (r < 0)
		return r;
	if (is_in_use(obj->d.live, ref))
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "device cannot be detached: device is busy");
	*ret_alias = xstrdup(device_info(obj->d.live, ref)->alias);
	return driver_call(obj, err, detach, *ret_alias);
}

static int detach(struct dom_obj *obj, const struct device_def *dev,
		  const char *alias, unsigned int flags, char **ret_alias,
		  struct error *err)
{
	struct domain_def *next = NULL;
	int r = config_impact(obj, &flags, err);

	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = detach_config(obj, dev, alias, &next, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = detach_live(obj, dev, alias, ret_alias, err);
	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	return keep_config(obj, next, err);
}

static bool still_there(struct dom_obj *obj, const char *alias)
{
	const struct domain_def *live;
	struct device_ref ref;
	bool there;

	pthread_mutex_lock(&obj->reg->lock);
	live = obj_live_locked(obj);
	there = live && domain_find_alias(live, alias, &ref);
	pthread_mutex_unlock(&obj->reg->lock);
	return there;
}

/* Without the job, which the event needs. */
static void wait_gone(struct dom_obj *obj, const char *alias)
{
	for (unsigned int ms = 0; ms < DETACH_MS && still_there(obj, alias);
	     ms += DETACH_STEP_MS)
		usleep(DETACH_STEP_MS * 1000);
}

static int detach_one(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const struct device_def *dev, const char *alias,
		      unsigned int flags, bool wait, struct error *err)
{
	_cleanup_free_ char *asked = NULL;
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = job_begin(obj, "detach-device", err);
	if (r == 0) {
		r = obj->listed ? detach(obj, dev, alias, flags, &asked, err) :
				  obj_gone(uuid, err);
		job_end(obj);
	}
	if (r == 0 && asked && wait)
		wait_gone(obj, asked);
	obj_unref(obj);
	return r;
}

int domain_detach_device(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err)
{
	struct device_def *dev = NULL;
	int r = check_flags(flags, IMPACT, __func__, err);

	if (r == 0)
		r = device_def_parse(xml, &dev, err);
	if (r == 0)
		r = detach_one(reg, uuid, dev, NULL, flags, true, err);
	device_def_free(dev);
	return r;
}

/* As libvirt's, this one does not wait. */
int domain_detach_alias(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *alias, unsigned int flags,
			struct error *err)
{
	int r = check_flags(flags, IMPACT, __func__, err);

	return r < 0 ? r :
		       detach_one(reg, uuid, NULL, alias, flags, false, err);
}

/* ---- changing a network card: its link, bandwidth and port ---- */

static int find_iface(struct domain_def *def, const struct device_def *dev,
		      struct dom_iface **ret_iface, struct error *err)
{
	const struct dom_iface *want = device_def_item(dev);
	struct device_ref ref;
	int r = domain_find_device(def, dev, &ref, err);

	if (r < 0)
		return r;
	*ret_iface = device_at(def, ref);
	if (want->source && !str_eq(want->source, (*ret_iface)->source))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "of an interface only its link state, bandwidth, VLANs and isolation can be changed");
	return 0;
}

/* And the port, which DOMAIN_TUNE_NICS has, too. */
static void set_rates(struct dom_iface *iface, const struct dom_iface *want)
{
	iface->bandwidth = want->bandwidth;
	net_vlan_set(&iface->vlan, &want->vlan);
	free(iface->isolated);
	iface->isolated = xstrdup(want->isolated);
}

static void set_changes(struct dom_iface *iface, const struct device_def *dev)
{
	const struct dom_iface *want = device_def_item(dev);

	free(iface->link_state);
	iface->link_state = xstrdup(want->link_state);
	set_rates(iface, want);
}

static int edit_rates(struct domain_def *def, const struct device_def *dev,
		      struct error *err)
{
	const struct dom_iface *want = device_def_item(dev);
	struct dom_iface *iface = NULL;
	int r = find_iface(def, dev, &iface, err);

	if (r == 0)
		set_rates(iface, want);
	return r;
}

/* The running machine's; its definition follows when all is done. */
static int rates_live(struct dom_obj *obj, const struct device_def *dev,
		      struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->d.live);
	int r = edit_rates(next, dev, err);

	if (r == 0)
		r = driver_call(obj, err, tune, next, DOMAIN_TUNE_NICS);
	domain_def_free(next);
	return r;
}

static bool same_rates(const struct dom_iface *a, const struct dom_iface *b)
{
	return !memcmp(&a->bandwidth, &b->bandwidth, sizeof(a->bandwidth)) &&
	       net_vlan_same(&a->vlan, &b->vlan) &&
	       str_eq(a->isolated, "yes") == str_eq(b->isolated, "yes");
}

static int link_live(struct dom_obj *obj, const struct device_def *dev,
		     struct error *err)
{
	const struct dom_iface *want = device_def_item(dev);
	struct dom_iface *iface = NULL;
	int r = find_iface(obj->d.live, dev, &iface, err);

	if (r == 0 && !same_rates(iface, want))
		r = rates_live(obj, dev, err);
	if (r == 0)
		r = driver_call(obj, err, set_link, iface->info.alias,
				!str_eq(want->link_state, "down"));
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	set_changes(iface, dev);
	pthread_mutex_unlock(&obj->reg->lock);
	return run_record(obj, err);
}

static int link_config(struct dom_obj *obj, const struct device_def *dev,
		       struct domain_def **ret_next, struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->config);
	struct dom_iface *iface;
	int r = find_iface(next, dev, &iface, err);

	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	set_changes(iface, dev);
	*ret_next = next;
	return 0;
}

static int update_iface(struct dom_obj *obj, const struct device_def *dev,
			unsigned int flags, struct error *err)
{
	struct domain_def *next = NULL;
	int r = config_impact(obj, &flags, err);

	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = link_config(obj, dev, &next, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = link_live(obj, dev, err);
	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	return keep_config(obj, next, err);
}

int domain_update_iface(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *xml, unsigned int flags,
			struct error *err)
{
	struct device_def *dev = NULL;
	struct dom_obj *obj;
	int r = check_flags(flags, IMPACT | VIR_DOMAIN_DEVICE_MODIFY_FORCE,
			    __func__, err);

	flags &= ~VIR_DOMAIN_DEVICE_MODIFY_FORCE;
	if (r == 0)
		r = device_def_parse(xml, &dev, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "update-device", &obj, err);
	if (r == 0) {
		r = update_iface(obj, dev, flags, err);
		obj_end(obj);
	}
	device_def_free(dev);
	return r;
}
