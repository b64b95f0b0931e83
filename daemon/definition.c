/*
 * daemon/definition.c -- the calls that change what a domain is: define, undefine,
 * rename, autostart, memory.  (What it does: control.c.)
 *
 * A definition is changed on a copy; the copy is stored, and only then takes
 * the place of the old one.
 */
#include "daemon/definition.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/autostart.h"
#include "daemon/checkpoint.h"
#include "daemon/nvram.h"
#include "daemon/tpm.h"
#include "daemon/registry.h"
#include "daemon/snapshot.h"
#include "model/firmware.h"
#include "model/names.h"

#define LOG_MODULE "domain"
#include "base/log.h"

static bool has_machine(const struct loaded_driver *l,
			const struct domain_def *def)
{
	const char *const *m = l->caps.machines;

	for (; m && *m; m++)
		if (str_eq(*m, def->os.machine))
			return true;
	return !l->caps.machines;
}

/*
 * Whether this registry takes the definition.  What no driver of this host can
 * run is kept all the same: it may be for another, or be changed before it is
 * started, and starting it says what is missing.
 */
int config_check(const struct registry *reg, const struct domain_def *def,
		 struct error *err)
{
	bool is_test = def->virt == DOM_VIRT_TEST;

	if (strlen(def->name) >= sizeof(((struct domain_ref *)NULL)->name))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "domain name of %zu bytes is too long, at most 255 are possible",
				  strlen(def->name));
	if (is_test != (reg->kind == REGISTRY_TEST))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "domain type '%s' is not available at '%s'",
				  words_name(&words_virt, def->virt),
				  reg->path);
	return 0;
}

/* Whether a driver of this host runs it. */
static int can_run(const struct domain_def *def, struct error *err)
{
	const struct loaded_driver *l = driver_for(def->virt, err);

	if (!l)
		return -EOPNOTSUPP;
	return l->driver->check && has_machine(l, def) ?
		       l->driver->check(def, err) :
		       0;
}

static void tell_cannot_run(const struct domain_def *def)
{
	struct error why = { 0 };

	if (can_run(def, &why) < 0)
		log_info("domain '%s': defined, but cannot start here: %s",
			 def->name, why.message);
}

/* What has no effect must not go unnoticed. */
static void tell_kept(const struct domain_def *def)
{
	_cleanup_free_ char *kept = domain_def_uninterpreted(def);

	for (char *p = kept; p && *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	if (kept)
		log_info("domain '%s': kept without effect: %s", def->name,
			 kept);
}

unsigned int config_flags(bool validate)
{
	return DOMAIN_PARSE_RULES | (validate ? DOMAIN_PARSE_VALIDATE : 0);
}

int config_parse(struct registry *reg, const char *xml, unsigned int flags,
		 struct domain_def **ret_def, struct error *err)
{
	struct domain_def *def;
	int r = domain_def_parse(xml, flags, &def, err);

	if (r < 0)
		return r;
	r = firmware_complete(def, reg->files ? reg->files->nvram_dir : NULL,
			      err);
	if (r >= 0)
		r = config_check(reg, def, err);
	if (r >= 0)
		r = autostart_check(def, err);
	if (r < 0) {
		domain_def_free(def);
		return r;
	}
	tell_kept(def);
	tell_cannot_run(def);
	*ret_def = def;
	return 0;
}

/* Takes def over when it succeeds. */
int config_replace(struct dom_obj *obj, struct domain_def *def,
		   struct error *err)
{
	_cleanup_free_ char *xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);
	struct store_domain row = {
		.name = def->name,
		.xml = xml,
		.autostart = obj->autostart,
	};
	struct domain_def *old;
	int r;

	memcpy(row.uuid, obj->d.uuid, UUID_LEN);
	r = store_domain_define(obj->reg->store, &row, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	old = obj->config;
	obj->config = def;
	obj->hidden = false;
	obj->updated = obj->active;
	pthread_mutex_unlock(&obj->reg->lock);
	domain_def_free(old);
	return 0;
}

static int define(struct dom_obj *obj, struct domain_def *def,
		  struct error *err)
{
	bool added = !obj->config;
	int r = config_replace(obj, def, err);

	if (r == 0)
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_DEFINED,
				 added ? (int)VIR_DOMAIN_EVENT_DEFINED_ADDED :
					 (int)VIR_DOMAIN_EVENT_DEFINED_UPDATED);
	return r;
}

int domain_define(struct registry *reg, const char *xml, unsigned int flags,
		  struct domain_ref *ret, struct error *err)
{
	struct domain_def *def;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_DEFINE_VALIDATE, __func__, err);

	if (r < 0)
		return r;
	r = config_parse(reg, xml,
			 config_flags(flags & VIR_DOMAIN_DEFINE_VALIDATE),
			 &def, err);
	if (r < 0)
		return r;
	r = obj_claim(reg, def, "define", &obj, err);
	if (r < 0) {
		domain_def_free(def);
		return r;
	}
	r = define(obj, def, err);
	if (r == 0)
		obj_ref_fill(obj, ret);
	else
		domain_def_free(def);
	obj_unclaim(obj);
	return r;
}

static int undefine(struct dom_obj *obj, unsigned int flags,
		    struct error *err)
{
	struct registry *reg = obj->reg;
	int r;

	if (!obj->config)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot undefine transient domain");
	if (obj->saved && !(flags & VIR_DOMAIN_UNDEFINE_MANAGED_SAVE))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "Refusing to undefine while domain managed "
				  "save image exists");
	r = snapshots_undefine(obj, flags, err);
	if (r >= 0)
		r = checkpoints_undefine(obj, flags, err);
	if (r >= 0)
		r = nvram_forget(obj, flags, err);
	if (r >= 0)
		r = tpm_forget(obj, flags, err);
	if (r >= 0)
		r = save_forget(obj, err);
	if (r < 0)
		return r;
	r = store_domain_undefine(reg->store, obj->d.uuid, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&reg->lock);
	domain_def_free(steal_ptr(&obj->config));
	obj->autostart = false;
	obj->updated = false;
	if (!obj->active)
		obj_remove_locked(obj);
	pthread_mutex_unlock(&reg->lock);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_UNDEFINED,
			 VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
	return 0;
}

int config_remove(struct dom_obj *obj, struct error *err)
{
	return undefine(obj,
			VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
				VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
			err);
}

enum {
	UNDEFINE_FLAGS = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
			 VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
			 VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
			 VIR_DOMAIN_UNDEFINE_NVRAM |
			 VIR_DOMAIN_UNDEFINE_KEEP_NVRAM |
			 VIR_DOMAIN_UNDEFINE_TPM |
			 VIR_DOMAIN_UNDEFINE_KEEP_TPM,
};

static int undefine_flags(unsigned int flags, struct error *err)
{
	if ((flags & VIR_DOMAIN_UNDEFINE_NVRAM) &&
	    (flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot both keep and delete nvram");
	if ((flags & VIR_DOMAIN_UNDEFINE_TPM) &&
	    (flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot both keep and delete TPM");
	return check_flags(flags, UNDEFINE_FLAGS, "domain_undefine", err);
}

int domain_undefine(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = undefine_flags(flags, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "undefine", &obj, err);
	if (r < 0)
		return r;
	r = undefine(obj, flags, err);
	obj_end(obj);
	return r;
}

int domain_set_autostart(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 bool autostart, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "set-autostart", &obj, err);

	if (r < 0)
		return r;
	if (!obj->config)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot set autostart for transient domain");
	else if (obj->autostart != autostart)
		r = store_domain_autostart(reg->store, uuid, autostart, err);
	if (r == 0) {
		pthread_mutex_lock(&reg->lock);
		obj->autostart = autostart;
		pthread_mutex_unlock(&reg->lock);
	}
	obj_end(obj);
	return r;
}

/* ---- rename ---- */

static int rename_check(const struct dom_obj *obj, const char *name,
			struct error *err)
{
	if (obj->active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot rename active domain");
	if (obj->saved)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain with a managed saved state can't be "
				  "renamed");
	if (str_eq(obj->d.name, name))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot rename domain '%s' to itself", name);
	if (strpbrk(name, "/\n"))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "name %s cannot contain '/' or a newline",
				  name);
	if (!name[0] || strlen(name) > 255)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a domain name has 1 to 255 bytes");
	return 0;
}

/* Keeps the new name for us while the store is written. */
static int reserve_name(struct registry *reg, const char *name,
			struct dom_obj **ret_place, struct error *err)
{
	uint8_t uuid[UUID_LEN];
	bool taken;

	uuid_generate_v4(uuid);
	pthread_mutex_lock(&reg->lock);
	taken = obj_find_name_locked(reg, name);
	if (!taken) {
		*ret_place = obj_create_locked(reg, uuid, name);
		(*ret_place)->hidden = true;
		(*ret_place)->job = "rename";
	}
	pthread_mutex_unlock(&reg->lock);
	if (taken)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain with name '%s' already exists", name);
	return 0;
}

static int store_renamed(struct dom_obj *obj, const char *name,
			 struct error *err)
{
	struct domain_def *def = domain_def_copy(obj->config);
	int r;

	free(def->name);
	def->name = xstrdup(name);
	r = config_replace(obj, def, err);
	if (r < 0)
		domain_def_free(def);
	return r;
}

static int rename_to(struct dom_obj *obj, const char *name, struct error *err)
{
	struct registry *reg = obj->reg;
	struct domain_notice old = {
		.kind = DOMAIN_NOTIFY_LIFECYCLE,
		.event = VIR_DOMAIN_EVENT_UNDEFINED,
		.detail = VIR_DOMAIN_EVENT_UNDEFINED_RENAMED,
	};
	struct dom_obj *place = NULL;
	int r = rename_check(obj, name, err);

	if (r == 0)
		r = snapshots_refuse(obj, "rename", err);
	if (r == 0)
		r = checkpoints_refuse(obj, "rename", err);
	if (r == 0)
		r = reserve_name(reg, name, &place, err);
	if (r < 0)
		return r;
	r = store_renamed(obj, name, err);
	if (r == 0)
		notify(obj, &old);
	pthread_mutex_lock(&reg->lock);
	obj_remove_locked(place);
	if (r == 0)
		obj_rename_locked(obj, name);
	pthread_mutex_unlock(&reg->lock);
	if (r == 0)
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_DEFINED,
				 VIR_DOMAIN_EVENT_DEFINED_RENAMED);
	return r;
}

int domain_rename(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  const char *name, unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "rename", &obj, err);
	if (r < 0)
		return r;
	if (!obj->config)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot rename a transient domain");
	else
		r = rename_to(obj, name, err);
	obj_end(obj);
	return r;
}

/* ---- live, config, current ---- */

int config_impact(const struct dom_obj *obj, unsigned int *flags,
		  struct error *err)
{
	if (!(*flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG)))
		*flags |= obj->active ? VIR_DOMAIN_AFFECT_LIVE :
					VIR_DOMAIN_AFFECT_CONFIG;
	if (!obj->active && (*flags & VIR_DOMAIN_AFFECT_LIVE))
		return run_check_active(obj, err);
	if (!obj->config && (*flags & VIR_DOMAIN_AFFECT_CONFIG))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "transient domains do not have any "
				  "persistent config");
	return 0;
}

/* ---- memory ---- */

static int store_memory(struct dom_obj *obj, uint64_t max, uint64_t cur,
			struct error *err)
{
	struct domain_def *def = domain_def_copy(obj->config);
	int r;

	def->memory = max;
	def->cur_memory = cur;
	r = config_replace(obj, def, err);
	if (r < 0)
		domain_def_free(def);
	return r;
}

static int set_max_memory(struct dom_obj *obj, uint64_t bytes,
			  unsigned int flags, struct error *err)
{
	const struct domain_def *def = obj->config;

	if (flags & VIR_DOMAIN_AFFECT_LIVE)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot resize the maximum memory on an "
				  "active domain");
	if (def->cpu.n_cells)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "initial memory size of a domain with NUMA nodes cannot be modified with this API");
	if (def->max_memory && bytes > def->max_memory)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot set initial memory size greater than the maximum memory size");
	return store_memory(obj, bytes, MIN(bytes, def->cur_memory), err);
}

static int set_cur_memory(struct dom_obj *obj, uint64_t bytes,
			  unsigned int flags, struct error *err)
{
	bool live = flags & VIR_DOMAIN_AFFECT_LIVE;
	bool config = flags & VIR_DOMAIN_AFFECT_CONFIG;
	int r = 0;

	if ((live && bytes > obj->d.live->memory) ||
	    (config && bytes > obj->config->memory))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot set memory higher than max memory");
	if (live)
		r = driver_call(obj, err, set_balloon, bytes);
	if (r == 0 && live)
		guest_refresh_balloon(obj);
	if (r == 0 && config)
		r = store_memory(obj, obj->config->memory, bytes, err);
	return r;
}

int domain_set_memory(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      uint64_t bytes, unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
				    VIR_DOMAIN_MEM_MAXIMUM,
			    __func__, err);

	if (r == 0 && !bytes)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "memory in domain_set_memory must not be zero");
	if (r == 0)
		r = obj_begin(reg, uuid, "set-memory", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0)
		r = flags & VIR_DOMAIN_MEM_MAXIMUM ?
			    set_max_memory(obj, bytes, flags, err) :
			    set_cur_memory(obj, bytes, flags, err);
	obj_end(obj);
	return r;
}

static int set_period_live(struct dom_obj *obj, unsigned int seconds,
			   struct error *err)
{
	int r = driver_call(obj, err, set_balloon_period, seconds);

	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	obj->d.live->memballoon.stats_period = seconds;
	pthread_mutex_unlock(&obj->reg->lock);
	return run_record(obj, err);
}

static int set_period_config(struct dom_obj *obj, unsigned int seconds,
			     struct error *err)
{
	struct domain_def *def = domain_def_copy(obj->config);
	int r;

	def->memballoon.stats_period = seconds;
	r = config_replace(obj, def, err);
	if (r < 0)
		domain_def_free(def);
	return r;
}

int domain_set_memory_stats_period(struct registry *reg,
				   const uint8_t uuid[UUID_LEN], int period,
				   unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
			    __func__, err);

	if (r == 0 && period < 0)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "period in %s must be zero or more", __func__);
	if (r == 0)
		r = obj_begin(reg, uuid, "set-memory-stats", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_LIVE)
		r = set_period_live(obj, period, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_CONFIG)
		r = set_period_config(obj, period, err);
	obj_end(obj);
	return r;
}
