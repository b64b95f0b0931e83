/*
 * daemon/query.c -- what a domain is like: information, XML, statistics.
 *
 * All but the statistics are answered from memory, also while a call about
 * the domain hangs.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/guestcpu.h"
#include "daemon/registry.h"

static void info_fill_locked(const struct dom_obj *obj,
			     struct domain_info *ret)
{
	const struct domain_def *live = obj_live_locked(obj);
	const struct domain_def *def = live ? live : obj->config;

	*ret = (struct domain_info){
		.state = obj->state,
		.reason = obj->reason,
		.max_mem = def->memory,
		.memory = def->cur_memory,
		.vcpus = def->vcpus,
		.max_vcpus = def->max_vcpus,
		.cpu_ns = obj->cpu_ns,
		.active = obj->active,
		.persistent = obj->config != NULL,
		.updated = obj->updated,
		.autostart = obj->autostart,
		.id = obj->d.id,
	};
}

/* The processor time is asked for only if that delays nobody. */
static void refresh_cpu_time(struct dom_obj *obj)
{
	struct domain_stats stats = { 0 };
	struct error err;
	int r;

	if (!job_try(obj, "query"))
		return;
	r = obj->active && obj->driver && obj->driver->stats ?
		    obj->driver->stats(&obj->d, &stats, &err) :
		    -1;
	if (r == 0) {
		pthread_mutex_lock(&obj->reg->lock);
		obj->cpu_ns = stats.cpu_ns;
		pthread_mutex_unlock(&obj->reg->lock);
		domain_stats_finish(&stats);
	}
	job_end(obj);
}

static int get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    bool ask, struct domain_info *ret, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	if (ask)
		refresh_cpu_time(obj);
	pthread_mutex_lock(&reg->lock);
	if (obj->listed)
		info_fill_locked(obj, ret);
	else
		r = obj_gone(uuid, err); /* vanished meanwhile */
	pthread_mutex_unlock(&reg->lock);
	obj_unref(obj);
	return r;
}

int domain_get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct domain_info *ret, struct error *err)
{
	return get_info(reg, uuid, true, ret, err);
}

int domain_peek_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_info *ret, struct error *err)
{
	return get_info(reg, uuid, false, ret, err);
}

enum {
	XML_FLAGS = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE |
		    VIR_DOMAIN_XML_UPDATE_CPU | VIR_DOMAIN_XML_MIGRATABLE,
};

/* The <cpu> as a run on this host would have it. */
static char *format_updated(const struct domain_def *def, unsigned int f,
			    struct error *err)
{
	const struct loaded_driver *l = driver_for(def->virt, err);
	struct domain_def *copy;
	char *xml = NULL;

	if (!l)
		return NULL;
	copy = domain_def_copy(def);
	if (guestcpu_resolve(&copy->cpu, &l->caps, err) == 0)
		xml = domain_def_format(copy, f);
	domain_def_free(copy);
	return xml;
}

static char *format_locked(const struct dom_obj *obj, unsigned int flags,
			   struct error *err)
{
	const struct domain_def *live = obj_live_locked(obj);
	bool inactive = flags & VIR_DOMAIN_XML_INACTIVE;
	unsigned int f = 0;

	if (flags & VIR_DOMAIN_XML_SECURE)
		f |= DOMAIN_FORMAT_SECURE;
	if (inactive && obj->config)
		live = NULL;
	if (live && !inactive)
		f |= DOMAIN_FORMAT_LIVE;
	if (!live && flags & VIR_DOMAIN_XML_UPDATE_CPU)
		return format_updated(obj->config, f, err);
	return domain_def_format(live ? live : obj->config, f);
}

char *domain_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	char *xml = NULL;

	if (check_flags(flags, XML_FLAGS, __func__, err) < 0 ||
	    obj_get(reg, uuid, &obj, err) < 0)
		return NULL;
	pthread_mutex_lock(&reg->lock);
	if (obj->listed)
		xml = format_locked(obj, flags, err);
	else
		obj_gone(uuid, err);
	pthread_mutex_unlock(&reg->lock);
	obj_unref(obj);
	return xml;
}

struct domain_def *domain_get_def(struct registry *reg,
				  const uint8_t uuid[UUID_LEN], bool live,
				  struct error *err)
{
	const struct domain_def *run;
	struct domain_def *def = NULL;
	struct dom_obj *obj;

	if (obj_get(reg, uuid, &obj, err) < 0)
		return NULL;
	pthread_mutex_lock(&reg->lock);
	run = obj_live_locked(obj);
	if (run && (live || !obj->config))
		def = domain_def_copy(run);
	else if (obj->config)
		def = domain_def_copy(obj->config);
	else
		obj_gone(uuid, err);
	pthread_mutex_unlock(&reg->lock);
	obj_unref(obj);
	return def;
}

static int ask_stats(struct dom_obj *obj, struct domain_stats *ret,
		     struct error *err)
{
	int r = run_check_active(obj, err);

	return r < 0 ? r : driver_call(obj, err, stats, ret);
}

int domain_get_stats(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_stats *ret, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "query", &obj, err);

	if (r < 0)
		return r;
	r = ask_stats(obj, ret, err);
	obj_end(obj);
	return r;
}

int domain_measure_dirty(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 unsigned int seconds, bool log, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "dirty-rate", &obj, err);

	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = driver_call(obj, err, measure_dirty, seconds, log);
	obj_end(obj);
	return r;
}

int domain_try_stats(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_stats *ret, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	if (!job_try(obj, "query")) {
		obj_unref(obj);
		return error_set(err, -EBUSY, "the domain is busy");
	}
	r = ask_stats(obj, ret, err);
	job_end(obj);
	obj_unref(obj);
	return r;
}
