/*
 * daemon/pools.c -- the storage pools that there are: finding, listing and
 * describing them, and their jobs.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#define LOG_MODULE "storage"
#include "base/log.h"
#include "daemon/pools_priv.h"
#include "daemon/store_storage.h"

/* ---- objects ---- */

static void pool_free(struct pool_obj *pool)
{
	pool_def_free(pool->def);
	pool_def_free(pool->new_def);
	vol_list_free(&pool->vols);
	free(pool);
}

static void unref_locked(struct pool_obj *pool)
{
	if (!--pool->refs)
		pool_free(pool);
}

static struct pool_obj *add_locked(struct pools *pools, struct pool_def *def)
{
	struct pool_obj *pool = xcalloc(1, sizeof(*pool));
	struct pool_obj **at = &pools->first;

	pool->refs = 1;
	pool->listed = true;
	pool->pools = pools;
	pool->def = def;
	while (*at)
		at = &(*at)->next;
	*at = pool;
	return pool;
}

void pool_remove(struct pool_obj *pool)
{
	struct pools *pools = pool->pools;
	struct pool_obj **at = &pools->first;

	pthread_mutex_lock(&pools->lock);
	while (*at != pool)
		at = &(*at)->next;
	*at = pool->next;
	pool->listed = false;
	unref_locked(pool); /* the job has one of its own */
	pthread_mutex_unlock(&pools->lock);
}

struct pool_obj *pool_find_locked(struct pools *pools,
				  const uint8_t uuid[UUID_LEN])
{
	struct pool_obj *pool = pools->first;

	while (pool && memcmp(pool->def->uuid, uuid, UUID_LEN))
		pool = pool->next;
	return pool;
}

struct pool_obj *pool_find_name_locked(struct pools *pools, const char *name)
{
	struct pool_obj *pool = pools->first;

	while (pool && !str_eq(pool->def->name, name))
		pool = pool->next;
	return pool;
}

int pool_gone(const uint8_t uuid[UUID_LEN], struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
			  "no storage pool with matching uuid '%s'", text);
}

int pool_name_gone(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
			  "no storage pool with matching name '%s'", name);
}

int pool_look(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      struct pool_obj **ret_pool, struct error *err)
{
	struct pools *pools = reg->pools;

	pthread_mutex_lock(&pools->lock);
	*ret_pool = pool_find_locked(pools, uuid);
	if (*ret_pool)
		return 0;
	pthread_mutex_unlock(&pools->lock);
	return pool_gone(uuid, err);
}

int pool_look_name(struct registry *reg, const char *name,
		   struct pool_obj **ret_pool, struct error *err)
{
	struct pools *pools = reg->pools;

	pthread_mutex_lock(&pools->lock);
	*ret_pool = pool_find_name_locked(pools, name);
	if (*ret_pool)
		return 0;
	pthread_mutex_unlock(&pools->lock);
	return pool_name_gone(name, err);
}

void pool_looked(struct pool_obj *pool)
{
	pthread_mutex_unlock(&pool->pools->lock);
}

/* ---- jobs ---- */

static int wait_free_locked(struct pool_obj *pool, struct error *err)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += MAX(pool->pools->reg->job_timeout_ms / 1000, 1);
	while (pool->busy && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&pool->pools->changed,
					   &pool->pools->lock, &until);
	if (pool->busy)
		return error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				  "another call still works on storage pool "
				  "'%s'", pool->def->name);
	return pool->listed ? 0 : pool_gone(pool->def->uuid, err);
}

/* Unlocks in any case. */
static int begin_locked(struct pool_obj *pool, struct pool_obj **ret_pool,
			struct error *err)
{
	struct pools *pools = pool->pools;
	int r;

	pool->refs++;
	r = wait_free_locked(pool, err);
	if (r < 0) {
		unref_locked(pool);
	} else {
		pool->busy = true;
		*ret_pool = pool;
	}
	pthread_mutex_unlock(&pools->lock);
	return r;
}

int pool_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
	       struct pool_obj **ret_pool, struct error *err)
{
	struct pool_obj *pool;
	int r = pool_look(reg, uuid, &pool, err);

	return r < 0 ? r : begin_locked(pool, ret_pool, err);
}

int pool_begin_name(struct registry *reg, const char *name,
		    struct pool_obj **ret_pool, struct error *err)
{
	struct pool_obj *pool;
	int r = pool_look_name(reg, name, &pool, err);

	return r < 0 ? r : begin_locked(pool, ret_pool, err);
}

void pool_end(struct pool_obj *pool)
{
	struct pools *pools = pool->pools;

	pthread_mutex_lock(&pools->lock);
	pool->busy = false;
	unref_locked(pool);
	pthread_cond_broadcast(&pools->changed);
	pthread_mutex_unlock(&pools->lock);
}

/* ---- what operations ask ---- */

const struct pool_backend *pool_kind(const struct pool_obj *pool)
{
	return pool_backend(pool->def->type);
}

int pool_lacks(const struct pool_obj *pool, const char *what,
	       struct error *err)
{
	return error_virt(err, VIR_ERR_NO_SUPPORT,
			  "storage pools of type '%s' do not support %s",
			  words_name(&words_pool_type, pool->def->type), what);
}

int pool_check_active(const struct pool_obj *pool, struct error *err)
{
	return pool->active ? 0 :
			      error_virt(err, VIR_ERR_OPERATION_INVALID,
					 "storage pool '%s' is not active",
					 pool->def->name);
}

int pool_check_idle(const struct pool_obj *pool, struct error *err)
{
	bool idle;

	pthread_mutex_lock(&pool->pools->lock);
	idle = !pool->in_use;
	pthread_mutex_unlock(&pool->pools->lock);
	return idle ?
		       0 :
		       error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "pool '%s' has asynchronous jobs running.",
				  pool->def->name);
}

int pool_record(const struct pool_obj *pool, struct error *err)
{
	const struct pool_def *def = pool->new_def ? pool->new_def : pool->def;
	_cleanup_free_ char *xml = pool_def_format(def);
	struct store_pool row = {
		.name = def->name,
		.xml = xml,
		.persistent = pool->persistent,
		.autostart = pool->autostart,
		.active = pool->active,
	};

	memcpy(row.uuid, def->uuid, UUID_LEN);
	return store_pool_put(pool->pools->reg->store, &row, err);
}

void pool_notify(struct pool_obj *pool, int kind, int event)
{
	struct domain_notice n = { .kind = kind, .event = event };

	memcpy(n.dom.uuid, pool->def->uuid, UUID_LEN);
	snprintf(n.dom.name, sizeof(n.dom.name), "%s", pool->def->name);
	registry_tell(pool->pools->reg, &n);
}

/* ---- listing and looking up ---- */

void pool_ref_finish(struct pool_ref *ref)
{
	free(steal_ptr(&ref->name));
}

static void fill_ref(const struct pool_obj *pool, struct pool_ref *ret)
{
	memcpy(ret->uuid, pool->def->uuid, UUID_LEN);
	ret->name = xstrdup(pool->def->name);
}

/* Of two opposites: neither or both asked for means no matter. */
static bool either(unsigned int flags, unsigned int yes, unsigned int no,
		   bool is)
{
	return !(flags & (yes | no)) || (flags & (is ? yes : no));
}

static bool type_wanted(unsigned int flags, enum pool_type type)
{
	static const unsigned int bits[POOL_TYPES] = {
		[POOL_DIR] = VIR_CONNECT_LIST_STORAGE_POOLS_DIR,
		[POOL_FS] = VIR_CONNECT_LIST_STORAGE_POOLS_FS,
		[POOL_NETFS] = VIR_CONNECT_LIST_STORAGE_POOLS_NETFS,
		[POOL_LOGICAL] = VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL,
		[POOL_DISK] = VIR_CONNECT_LIST_STORAGE_POOLS_DISK,
		[POOL_ISCSI] = VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI,
		[POOL_ISCSI_DIRECT] =
			VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT,
		[POOL_SCSI] = VIR_CONNECT_LIST_STORAGE_POOLS_SCSI,
		[POOL_MPATH] = VIR_CONNECT_LIST_STORAGE_POOLS_MPATH,
		[POOL_ZFS] = VIR_CONNECT_LIST_STORAGE_POOLS_ZFS,
		[POOL_GLUSTER] = VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER,
		[POOL_RBD] = VIR_CONNECT_LIST_STORAGE_POOLS_RBD,
		[POOL_VSTORAGE] = VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE,
	};
	unsigned int all = 0;

	for (unsigned int i = 0; i < POOL_TYPES; i++)
		all |= bits[i];
	return !(flags & all) || (flags & bits[type]);
}

static bool wanted(const struct pool_obj *p, unsigned int flags)
{
	return either(flags, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
		      VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, p->active) &&
	       either(flags, VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT,
		      VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT,
		      p->persistent) &&
	       either(flags, VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
		      VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART,
		      p->autostart) &&
	       type_wanted(flags, p->def->type);
}

int pools_list(struct registry *reg, unsigned int flags,
	       struct pool_ref **ret_refs, unsigned int *ret_n,
	       struct error *err)
{
	struct pools *pools = reg->pools;
	struct pool_ref *refs = NULL;
	unsigned int n = 0;

	pthread_mutex_lock(&pools->lock);
	for (struct pool_obj *p = pools->first; p; p = p->next) {
		if (!wanted(p, flags))
			continue;
		refs = xrealloc(refs, n + 1, sizeof(*refs));
		fill_ref(p, &refs[n++]);
	}
	pthread_mutex_unlock(&pools->lock);
	*ret_refs = refs;
	*ret_n = n;
	return 0;
}

int pool_lookup(struct registry *reg, enum pool_by by, const char *text,
		struct pool_ref *ret_ref, struct error *err)
{
	struct pools *pools = reg->pools;
	struct pool_obj *p;

	pthread_mutex_lock(&pools->lock);
	for (p = pools->first; p; p = p->next)
		if (by == POOL_BY_NAME ? str_eq(p->def->name, text) :
					 p->active &&
						 str_eq(p->def->path, text))
			break;
	if (p)
		fill_ref(p, ret_ref);
	pthread_mutex_unlock(&pools->lock);
	if (p)
		return 0;
	return by == POOL_BY_NAME ?
		       pool_name_gone(text, err) :
		       error_virt(err, VIR_ERR_NO_STORAGE_POOL,
				  "no storage pool with matching target path "
				  "'%s'", text);
}

int pool_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct pool_ref *ret_ref, struct error *err)
{
	struct pool_obj *pool;
	int r = pool_look(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	fill_ref(pool, ret_ref);
	pool_looked(pool);
	return 0;
}

int pool_get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct pool_info *ret, struct error *err)
{
	struct pool_obj *pool;
	int r = pool_look(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	*ret = (struct pool_info){
		.state = pool->active ? VIR_STORAGE_POOL_RUNNING :
					VIR_STORAGE_POOL_INACTIVE,
		.active = pool->active,
		.persistent = pool->persistent,
		.autostart = pool->autostart,
	};
	if (pool->active) {
		ret->capacity = pool->def->capacity;
		ret->allocation = pool->def->allocation;
		ret->available = pool->def->available;
	}
	pool_looked(pool);
	return 0;
}

char *pool_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   unsigned int flags, struct error *err)
{
	struct pool_obj *pool;
	char *xml;

	if (pool_look(reg, uuid, &pool, err) < 0)
		return NULL;
	if ((flags & VIR_STORAGE_XML_INACTIVE) && pool->new_def)
		xml = pool_def_format(pool->new_def);
	else
		xml = pool_def_format(pool->def);
	pool_looked(pool);
	return xml;
}

char *pool_capabilities(struct registry *reg)
{
	const struct pool_host *host = reg->pools->host;
	bool usable[POOL_TYPES] = { false };

	for (int t = 0; host && t < POOL_TYPES; t++)
		usable[t] = pool_backend_usable(t, host);
	return pool_capabilities_format(usable);
}

/* ---- defining ---- */

static int check_names_locked(struct pools *pools, const struct pool_def *def,
			      bool transient, struct error *err)
{
	struct pool_obj *same = pool_find_locked(pools, def->uuid);
	struct pool_obj *named = pool_find_name_locked(pools, def->name);
	char text[UUID_STR_LEN];

	if (same && !str_eq(same->def->name, def->name)) {
		uuid_format(def->uuid, text);
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "pool '%s' is already defined with uuid %s",
				  same->def->name, text);
	}
	if (named && named != same) {
		uuid_format(named->def->uuid, text);
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "pool '%s' already exists with uuid %s",
				  def->name, text);
	}
	if (same && transient && same->active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "pool is already active as '%s'", def->name);
	return 0;
}

static int check_source_locked(struct pools *pools, const struct pool_def *def,
			       struct error *err)
{
	const struct pool_backend *kind = pool_backend(def->type);

	for (struct pool_obj *p = pools->first; p && kind; p = p->next)
		if (p->def->type == def->type &&
		    memcmp(p->def->uuid, def->uuid, UUID_LEN) &&
		    kind->same_source(p->def, def))
			return error_virt(err, VIR_ERR_OPERATION_FAILED,
					  "Storage source conflict with pool: "
					  "'%s'", p->def->name);
	return 0;
}

/* Takes def over where it succeeds; the pool comes with its job held. */
static int claim(struct pools *pools, struct pool_def *def, bool transient,
		 struct pool_obj **ret_pool, bool *ret_new, struct error *err)
{
	struct pool_obj *pool;
	int r;

	pthread_mutex_lock(&pools->lock);
	r = check_names_locked(pools, def, transient, err);
	if (r == 0)
		r = check_source_locked(pools, def, err);
	if (r < 0) {
		pthread_mutex_unlock(&pools->lock);
		return r;
	}
	pool = pool_find_locked(pools, def->uuid);
	*ret_new = !pool;
	if (!pool)
		pool = add_locked(pools, def);
	return begin_locked(pool, ret_pool, err);
}

/* Of one that is there: in use it keeps what it has until it is stopped. */
static void replace(struct pool_obj *pool, struct pool_def *def)
{
	pthread_mutex_lock(&pool->pools->lock);
	if (pool->active) {
		pool_def_free(pool->new_def);
		pool->new_def = def;
	} else {
		pool_def_free(pool->def);
		pool->def = def;
	}
	pthread_mutex_unlock(&pool->pools->lock);
}

/* Undoes claim() of what was not there before. */
static void unclaim(struct pool_obj *pool, bool new)
{
	if (new)
		pool_remove(pool);
	pool_end(pool);
}

static int keep(struct pool_obj *pool, bool transient, unsigned int flags,
		struct error *err)
{
	if (transient)
		return pool_start(pool, flags, err);
	pool->persistent = true;
	return pool_record(pool, err);
}

int pool_define(struct registry *reg, const char *xml, bool transient,
		unsigned int flags, struct pool_ref *ret_ref,
		struct error *err)
{
	bool validate = !transient &&
			(flags & VIR_STORAGE_POOL_DEFINE_VALIDATE);
	struct pool_def *def;
	struct pool_obj *pool;
	bool new;
	int r = pool_def_parse(xml, validate, &def, err);

	if (r < 0)
		return r;
	r = claim(reg->pools, def, transient, &pool, &new, err);
	if (r < 0) {
		pool_def_free(def);
		return r;
	}
	if (!new)
		replace(pool, def);
	r = keep(pool, transient, flags, err);
	if (r < 0) {
		unclaim(pool, new);
		return r;
	}
	fill_ref(pool, ret_ref);
	if (!transient)
		pool_notify(pool, DOMAIN_NOTIFY_POOL,
			    VIR_STORAGE_POOL_EVENT_DEFINED);
	pool_end(pool);
	return 0;
}

int pool_set_autostart(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       bool autostart, struct error *err)
{
	struct pool_obj *pool;
	int r = pool_begin(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	if (!pool->persistent) {
		r = error_virt(err, VIR_ERR_INTERNAL_ERROR,
			       "pool has no config file");
	} else {
		bool old = pool->autostart;

		pool->autostart = autostart;
		r = pool_record(pool, err);
		if (r < 0)
			pool->autostart = old;
	}
	pool_end(pool);
	return r;
}

/* ---- the daemon's start and end ---- */

struct load {
	struct pools *pools;
	bool booted; /* since these were active */
};

static void load_row(void *arg, const struct store_pool *row)
{
	struct load *load = arg;
	struct pool_def *def;
	struct error err = { 0 };
	struct pool_obj *pool;

	if (pool_def_parse(row->xml, false, &def, &err) < 0) {
		log_error("cannot read the stored pool '%s': %s", row->name,
			  err.message);
		return;
	}
	if (!row->persistent && load->booted) {
		pool_def_free(def);
		return;
	}
	pool = add_locked(load->pools, def);
	pool->persistent = row->persistent;
	pool->autostart = row->autostart;
	pool->active = row->active && !load->booted;
}

/* One that was active is looked at again; after the host's start, those
 * marked so are started. */
static void wake(struct pool_obj *pool, bool booted)
{
	const struct pool_backend *kind = pool_kind(pool);
	const struct pool_host *host = pool->pools->host;
	struct error err = { 0 };
	int r = 0;

	pool->busy = true;
	pool->refs++;
	if (pool->active &&
	    (!kind->is_active || kind->is_active(host, pool->def)))
		r = pool_refresh(pool, &err);
	else if (booted && pool->autostart)
		r = pool_start(pool, 0, &err);
	else
		pool->active = false;
	if (r < 0) {
		log_warn("storage pool '%s': %s", pool->def->name,
			 err.message);
		pool->active = false;
	}
	pool_end(pool);
}

static bool host_booted(struct registry *reg)
{
	const char *now = registry_boot_id(reg);
	_cleanup_free_ char *then = NULL;
	struct error err = { 0 };

	if (store_fact_get(reg->store, "pools-boot", &then, &err) == 0 &&
	    now[0] && str_eq(now, then))
		return false;
	if (now[0] && store_fact_set(reg->store, "pools-boot", now, &err) < 0)
		log_warn("%s", err.message);
	return true;
}

int pools_open(struct registry *reg, const struct pool_host *host,
	       struct error *err)
{
	struct pools *pools = xcalloc(1, sizeof(*pools));
	struct load load = { pools, host_booted(reg) };
	int r;

	vol_image_register();
	pools->reg = reg;
	pools->host = host;
	pthread_mutex_init(&pools->lock, NULL);
	pthread_cond_init(&pools->changed, NULL);
	reg->pools = pools;
	r = store_pool_each(reg->store, load_row, &load, err);
	for (struct pool_obj *p = pools->first; p && host && r == 0;
	     p = p->next)
		wake(p, load.booted);
	return r;
}

void pools_close(struct registry *reg)
{
	struct pools *pools = reg->pools;
	struct pool_obj *p, *next;

	if (!pools)
		return;
	pthread_mutex_lock(&pools->lock);
	while (pools->transfers)
		pthread_cond_wait(&pools->changed, &pools->lock);
	pthread_mutex_unlock(&pools->lock);
	for (p = pools->first; p; p = next) {
		next = p->next;
		pool_free(p);
	}
	pthread_mutex_destroy(&pools->lock);
	pthread_cond_destroy(&pools->changed);
	free(steal_ptr(&reg->pools));
}
