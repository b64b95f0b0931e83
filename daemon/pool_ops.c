/*
 * daemon/pool_ops.c -- storage pools started, stopped, built, refreshed.
 *
 * What a pool shows is changed only once the host has done what was asked.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "storage"
#include "base/log.h"
#include "daemon/pools_priv.h"
#include "daemon/store_storage.h"

static int check_host(const struct pool_obj *pool, struct error *err)
{
	const struct pool_host *host = pool->pools->host;

	if (!host)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "this connection has no storage");
	if (!pool_kind(pool))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "storage pools of type '%s' are not there "
				  "yet: this one is kept, but not started",
				  words_name(&words_pool_type,
					     pool->def->type));
	if (!pool_backend_usable(pool->def->type, host))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "storage pools of type '%s' need a program "
				  "that is not installed",
				  words_name(&words_pool_type,
					     pool->def->type));
	return 0;
}

static int check_inactive(const struct pool_obj *pool, struct error *err)
{
	return !pool->active ? 0 :
			       error_virt(err, VIR_ERR_OPERATION_INVALID,
					  "storage pool '%s' is already active",
					  pool->def->name);
}

/* ---- refresh ---- */

/*
 * A volume that was made as a raw one stays that: its guest may have written
 * another format's header into it, naming any file as its backing store.
 */
static void trust_format(void *arg, const char *name, const char *format)
{
	struct vol_def *vol = vol_list_find(arg, name);

	if (!vol || vol->type != VOL_FILE || !str_eq(format, "raw") ||
	    str_eq(vol->target.format, "raw"))
		return;
	free(vol->target.format);
	vol->target.format = xstrdup("raw");
	vol->capacity = vol->physical;
	vol->has_backing = false;
}

static void show(struct pool_obj *pool, const struct pool_def *now,
		 struct vol_list *vols)
{
	struct vol_list old;

	pthread_mutex_lock(&pool->pools->lock);
	old = pool->vols;
	pool->vols = *vols;
	pool->def->capacity = now->capacity;
	pool->def->allocation = now->allocation;
	pool->def->available = now->available;
	free(pool->def->perms.mode);
	free(pool->def->perms.owner);
	free(pool->def->perms.group);
	pool->def->perms.mode = xstrdup(now->perms.mode);
	pool->def->perms.owner = xstrdup(now->perms.owner);
	pool->def->perms.group = xstrdup(now->perms.group);
	pthread_mutex_unlock(&pool->pools->lock);
	vol_list_free(&old);
}

int pool_refresh(struct pool_obj *pool, struct error *err)
{
	struct pool_def *now = pool_def_copy(pool->def);
	struct vol_list vols = { 0 };
	int r = pool_kind(pool)->refresh(pool->pools->host, now, &vols, err);

	if (r == 0)
		r = store_volume_each(pool->pools->reg->store, now->uuid,
				      trust_format, &vols, err);
	if (r == 0)
		show(pool, now, &vols);
	else
		vol_list_free(&vols);
	pool_def_free(now);
	return r;
}

static int do_refresh(struct pool_obj *pool, unsigned int flags,
		      struct error *err)
{
	int r = pool_check_active(pool, err);

	if (r == 0)
		r = pool_check_idle(pool, err);
	if (r == 0)
		r = pool_refresh(pool, err);
	if (r == 0)
		pool_notify(pool, DOMAIN_NOTIFY_POOL_REFRESH, 0);
	return r;
}

/* ---- start and stop ---- */

static void set_active(struct pool_obj *pool, bool active)
{
	pthread_mutex_lock(&pool->pools->lock);
	pool->active = active;
	if (!active)
		vol_list_free(&pool->vols);
	if (!active && pool->new_def) {
		pool_def_free(pool->def);
		pool->def = steal_ptr(&pool->new_def);
	}
	pthread_mutex_unlock(&pool->pools->lock);
}

static int build(struct pool_obj *pool, unsigned int flags,
		 struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);

	return kind->build ? kind->build(pool->pools->host, pool->def, flags,
					 err) :
			     pool_lacks(pool, "building", err);
}

/* What virStoragePoolCreate() is told, in the words of Build(). */
static int build_first(struct pool_obj *pool, unsigned int flags,
		       struct error *err)
{
	unsigned int how = 0;

	if (flags & VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE)
		how = VIR_STORAGE_POOL_BUILD_OVERWRITE;
	else if (flags & VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE)
		how = VIR_STORAGE_POOL_BUILD_NO_OVERWRITE;
	else if (!(flags & VIR_STORAGE_POOL_CREATE_WITH_BUILD))
		return 0;
	return pool_kind(pool)->build ? build(pool, how, err) : 0;
}

static int start(struct pool_obj *pool, struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);
	const struct pool_host *host = pool->pools->host;
	int r = kind->start ? kind->start(host, pool->def, err) : 0;

	if (r < 0)
		return r;
	r = pool_refresh(pool, err);
	if (r < 0 && kind->stop)
		kind->stop(host, pool->def, NULL);
	return r;
}

int pool_start(struct pool_obj *pool, unsigned int flags, struct error *err)
{
	int r = check_inactive(pool, err);

	if (r == 0)
		r = check_host(pool, err);
	if (r == 0)
		r = build_first(pool, flags, err);
	if (r == 0)
		r = start(pool, err);
	if (r < 0)
		return r;
	set_active(pool, true);
	r = pool_record(pool, err);
	if (r < 0) {
		set_active(pool, false);
		return r;
	}
	pool_notify(pool, DOMAIN_NOTIFY_POOL, VIR_STORAGE_POOL_EVENT_STARTED);
	return 0;
}

static int do_stop(struct pool_obj *pool, unsigned int flags,
		   struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);
	int r = pool_check_active(pool, err);

	if (r == 0)
		r = pool_check_idle(pool, err);
	if (r == 0 && kind->stop)
		r = kind->stop(pool->pools->host, pool->def, err);
	if (r < 0)
		return r;
	set_active(pool, false);
	/* It is stopped, whether that can be recorded or not. */
	r = pool->persistent ? pool_record(pool, err) :
			       store_pool_remove(pool->pools->reg->store,
						 pool->def->uuid, err);
	if (r < 0)
		log_warn("storage pool '%s': %s", pool->def->name,
			 err ? err->message : "cannot be recorded");
	pool_notify(pool, DOMAIN_NOTIFY_POOL, VIR_STORAGE_POOL_EVENT_STOPPED);
	if (!pool->persistent)
		pool_remove(pool);
	return 0;
}

/* ---- the others ---- */

static int do_build(struct pool_obj *pool, unsigned int flags,
		    struct error *err)
{
	int r = check_inactive(pool, err);

	if (r == 0)
		r = check_host(pool, err);
	if (r == 0)
		r = build(pool, flags, err);
	if (r == 0)
		pool_notify(pool, DOMAIN_NOTIFY_POOL,
			    VIR_STORAGE_POOL_EVENT_CREATED);
	return r;
}

static int do_delete(struct pool_obj *pool, unsigned int flags,
		     struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);
	int r = check_inactive(pool, err);

	if (r == 0)
		r = check_host(pool, err);
	if (r == 0)
		r = kind->destroy ? kind->destroy(pool->pools->host, pool->def,
						  err) :
				    pool_lacks(pool, "deletion", err);
	if (r == 0)
		pool_notify(pool, DOMAIN_NOTIFY_POOL,
			    VIR_STORAGE_POOL_EVENT_DELETED);
	return r;
}

static int do_undefine(struct pool_obj *pool, unsigned int flags,
		       struct error *err)
{
	int r;

	if (pool->active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "storage pool '%s' is still active",
				  pool->def->name);
	r = store_pool_remove(pool->pools->reg->store, pool->def->uuid, err);
	if (r < 0)
		return r;
	pool_notify(pool, DOMAIN_NOTIFY_POOL,
		    VIR_STORAGE_POOL_EVENT_UNDEFINED);
	pool_remove(pool);
	return 0;
}

int pool_do(struct registry *reg, const uint8_t uuid[UUID_LEN],
	    enum pool_call what, unsigned int flags, struct error *err)
{
	static int (*const calls[])(struct pool_obj *pool, unsigned int flags,
				    struct error *err) = {
		[POOL_START] = pool_start,   [POOL_BUILD] = do_build,
		[POOL_STOP] = do_stop,	     [POOL_DELETE] = do_delete,
		[POOL_UNDEFINE] = do_undefine, [POOL_REFRESH] = do_refresh,
	};
	struct pool_obj *pool;
	int r = pool_begin(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	r = calls[what](pool, flags, err);
	pool_end(pool);
	return r;
}

/* ---- discovery ---- */

char *pool_find_sources(struct registry *reg, const char *type,
			const char *spec, struct error *err)
{
	int t = words_value(&words_pool_type, type);
	const struct pool_backend *kind = t < 0 ? NULL : pool_backend(t);
	struct source_list list = { 0 };
	struct pool_def *def = NULL;
	char *xml = NULL;

	if (t < 0)
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "unknown storage pool type %s", type);
	else if (!kind || !kind->find_sources || !reg->pools->host)
		error_virt(err, VIR_ERR_NO_SUPPORT,
			   "pool type '%s' does not support source discovery",
			   type);
	else if (pool_source_parse(spec, t, &def, err) == 0 &&
		 kind->find_sources(reg->pools->host, &def->source, &list,
				    err) == 0)
		xml = pool_sources_format(list.sources, list.n);
	source_list_free(&list);
	pool_def_free(def);
	return xml;
}
