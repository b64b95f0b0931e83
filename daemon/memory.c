/*
 * daemon/memory.c -- memory devices of domains: how much of them a guest shall
 * use, and uses.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/definition.h"
#include "daemon/registry.h"

/* ---- what the guest uses ---- */

static struct dom_memory *find_alias(struct domain_def *def,
				     const char *alias)
{
	struct device_ref ref;

	if (!domain_find_alias(def, alias, &ref) || ref.kind != DEVICE_MEMORY)
		return NULL;
	return device_at(def, ref);
}

/* Without a balloon nobody else counts what the guest has. */
static void set_current(struct domain_def *def, struct dom_memory *m,
			uint64_t bytes)
{
	if (str_eq(def->memballoon.model, "none"))
		def->cur_memory = MIN(def->cur_memory - m->current + bytes,
				      def->memory);
	m->current = bytes;
}

void guest_memory(struct dom_obj *obj, const char *why)
{
	char *alias;
	uint64_t bytes = strtoull(why, &alias, 10);
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_MEMORY,
		.uri = alias + strspn(alias, " "),
		.value = bytes / KIB,
	};
	struct dom_memory *m = find_alias(obj->d.live, n.uri);

	if (!m || !memory_is_virtio_mem(m) || bytes == m->current)
		return;
	pthread_mutex_lock(&obj->reg->lock);
	set_current(obj->d.live, m, MIN(bytes, m->size));
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, obj->state, obj->reason);
	notify(obj, &n);
	guest_refresh_balloon(obj);
}

/* ---- what it shall use ---- */

static int find(struct domain_def *def, const struct device_def *dev,
		struct dom_memory **ret_m, struct error *err)
{
	const struct dom_memory *want = device_def_item(dev);
	struct device_ref ref;
	int r = domain_find_device(def, dev, &ref, err);

	if (r < 0)
		return r;
	*ret_m = device_at(def, ref);
	if (!str_eq(want->model, "virtio-mem"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "cannot modify memory of model '%s'",
				  want->model);
	if (want->block && want->block != (*ret_m)->block)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "cannot modify memory block size from '%llu' to '%llu'",
				  (unsigned long long)((*ret_m)->block / KIB),
				  (unsigned long long)(want->block / KIB));
	if (want->requested > (*ret_m)->size ||
	    want->requested % (*ret_m)->block)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "requested size must be an integer multiple of block size and no more than the size");
	return 0;
}

static int update_live(struct dom_obj *obj, const struct device_def *dev,
		       struct error *err)
{
	const struct dom_memory *want = device_def_item(dev);
	struct dom_memory *m = NULL;
	int r = find(obj->d.live, dev, &m, err);

	if (r == 0)
		r = driver_call(obj, err, set_memory, m->info.alias,
				want->requested);
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	m->requested = want->requested;
	pthread_mutex_unlock(&obj->reg->lock);
	return run_record(obj, err);
}

static int update_config(struct dom_obj *obj, const struct device_def *dev,
			 struct domain_def **ret_next, struct error *err)
{
	const struct dom_memory *want = device_def_item(dev);
	struct domain_def *next = domain_def_copy(obj->config);
	struct dom_memory *m = NULL;
	int r = find(next, dev, &m, err);

	if (r < 0) {
		domain_def_free(next);
		return r;
	}
	m->requested = want->requested;
	*ret_next = next;
	return 0;
}

static int update(struct dom_obj *obj, const struct device_def *dev,
		  unsigned int flags, struct error *err)
{
	struct domain_def *next = NULL;
	int r = config_impact(obj, &flags, err);

	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = update_config(obj, dev, &next, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = update_live(obj, dev, err);
	if (r == 0 && next)
		r = config_replace(obj, next, err);
	if (r < 0)
		domain_def_free(next);
	return r;
}

int domain_update_memory(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err)
{
	struct device_def *dev = NULL;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_AFFECT_LIVE |
					   VIR_DOMAIN_AFFECT_CONFIG,
			    __func__, err);

	if (r == 0)
		r = device_def_parse(xml, &dev, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "update-device", &obj, err);
	if (r == 0) {
		r = update(obj, dev, flags, err);
		obj_end(obj);
	}
	device_def_free(dev);
	return r;
}
