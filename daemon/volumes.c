/*
 * daemon/volumes.c -- the volumes of storage pools: finding, making, resizing
 * and removing them.
 */
#define VIR_ENUM_SENTINELS /* the number of wiping algorithms */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "storage"
#include "base/log.h"
#include "daemon/pools_priv.h"
#include "daemon/store_storage.h"
#include "storage/pool/image.h"

/* ---- finding ---- */

void vol_ref_finish(struct vol_ref *ref)
{
	free(steal_ptr(&ref->pool));
	free(steal_ptr(&ref->name));
	free(steal_ptr(&ref->key));
}

static void fill_ref(const struct pool_obj *pool, const struct vol_def *vol,
		     struct vol_ref *ret)
{
	ret->pool = xstrdup(pool->def->name);
	ret->name = xstrdup(vol->name);
	ret->key = xstrdup(vol->key);
}

static int vol_gone(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_VOL,
			  "no storage vol with matching name '%s'", name);
}

/* The lock or the job held. */
static int find(const struct pool_obj *pool, const char *name,
		struct vol_def **ret_vol, struct error *err)
{
	int r = pool_check_active(pool, err);

	if (r < 0)
		return r;
	*ret_vol = vol_list_find(&pool->vols, name);
	return *ret_vol ? 0 : vol_gone(name, err);
}

int vols_list(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      struct vol_ref **ret_refs, unsigned int *ret_n,
	      struct error *err)
{
	struct pool_obj *pool;
	struct vol_ref *refs;
	int r = pool_look(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	r = pool_check_active(pool, err);
	if (r == 0) {
		refs = xcalloc(pool->vols.n + 1, sizeof(*refs));
		for (unsigned int i = 0; i < pool->vols.n; i++)
			fill_ref(pool, pool->vols.vols[i], &refs[i]);
		*ret_refs = refs;
		*ret_n = pool->vols.n;
	}
	pool_looked(pool);
	return r;
}

static int lookup_name(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *name, struct vol_ref *ret_ref,
		       struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	int r = pool_look(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	r = find(pool, name, &vol, err);
	if (r == 0)
		fill_ref(pool, vol, ret_ref);
	pool_looked(pool);
	return r;
}

/* "//a/./b/" is "/a/b". */
static char *clean_path(const char *path)
{
	char *clean = xmalloc(strlen(path) + 2), *to = clean;

	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len && !(len == 1 && *p == '.')) {
			*to++ = '/';
			memcpy(to, p, len);
			to += len;
		}
		p += len;
	}
	*to = '\0';
	return clean;
}

static const struct vol_def *find_text(const struct pool_obj *pool,
				       enum vol_by by, const char *text)
{
	for (unsigned int i = 0; pool->active && i < pool->vols.n; i++) {
		const struct vol_def *vol = pool->vols.vols[i];

		if (str_eq(by == VOL_BY_KEY ? vol->key : vol->target.path,
			   text))
			return vol;
	}
	return NULL;
}

static bool lookup_text(struct pools *pools, enum vol_by by, const char *text,
			struct vol_ref *ret_ref)
{
	const struct vol_def *vol = NULL;
	struct pool_obj *p;

	pthread_mutex_lock(&pools->lock);
	for (p = pools->first; p && !vol; p = p->next) {
		vol = find_text(p, by, text);
		if (vol)
			fill_ref(p, vol, ret_ref);
	}
	pthread_mutex_unlock(&pools->lock);
	return vol;
}

int vol_lookup(struct registry *reg, enum vol_by by,
	       const uint8_t pool[UUID_LEN], const char *text,
	       struct vol_ref *ret_ref, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (by == VOL_BY_NAME)
		return lookup_name(reg, pool, text, ret_ref, err);
	if (by == VOL_BY_PATH)
		path = clean_path(text);
	if (lookup_text(reg->pools, by, path ? path : text, ret_ref))
		return 0;
	return error_virt(err, VIR_ERR_NO_STORAGE_VOL,
			  by == VOL_BY_KEY ?
				  "no storage vol with matching key %s" :
				  "no storage vol with matching path '%s'",
			  text);
}

/* ---- describing ---- */

/* As it is now, where the kind of pool can tell; the lock is not held. */
static void look_again(struct pool_obj *pool, struct vol_def *vol)
{
	const struct pool_backend *kind = pool_kind(pool);
	struct vol_def *now;

	if (!kind->vol_refresh)
		return;
	now = vol_def_copy(vol);
	if (kind->vol_refresh(pool->pools->host, pool->def, now, NULL) == 0) {
		struct vol_def old;

		pthread_mutex_lock(&pool->pools->lock);
		old = *vol;
		*vol = *now;
		*now = old;
		pthread_mutex_unlock(&pool->pools->lock);
	}
	vol_def_free(now);
}

void vol_look_again(struct registry *reg, const struct vol_name *name)
{
	struct pool_obj *pool;
	struct vol_def *vol;

	if (pool_begin_name(reg, name->pool, &pool, NULL) < 0)
		return;
	if (find(pool, name->name, &vol, NULL) == 0)
		look_again(pool, vol);
	pool_end(pool);
}

/* A copy, as up to date as can be. */
static int get(struct registry *reg, const struct vol_name *name,
	       struct vol_def **ret_vol, struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	int r = pool_begin_name(reg, name->pool, &pool, err);

	if (r < 0)
		return r;
	r = find(pool, name->name, &vol, err);
	if (r == 0) {
		look_again(pool, vol);
		*ret_vol = vol_def_copy(vol);
	}
	pool_end(pool);
	return r;
}

int vol_get_info(struct registry *reg, const struct vol_name *name,
		 struct vol_info *ret, struct error *err)
{
	static const int types[] = {
		[VOL_FILE] = VIR_STORAGE_VOL_FILE,
		[VOL_BLOCK] = VIR_STORAGE_VOL_BLOCK,
		[VOL_DIR] = VIR_STORAGE_VOL_DIR,
		[VOL_NETWORK] = VIR_STORAGE_VOL_NETWORK,
		[VOL_NETDIR] = VIR_STORAGE_VOL_NETDIR,
		[VOL_PLOOP] = VIR_STORAGE_VOL_PLOOP,
	};
	struct vol_def *vol;
	int r = get(reg, name, &vol, err);

	if (r < 0)
		return r;
	*ret = (struct vol_info){ types[vol->type], vol->capacity,
				  vol->allocation, vol->physical };
	vol_def_free(vol);
	return 0;
}

char *vol_get_path(struct registry *reg, const struct vol_name *name,
		   struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	char *path = NULL;

	if (pool_look_name(reg, name->pool, &pool, err) < 0)
		return NULL;
	if (find(pool, name->name, &vol, err) == 0)
		path = xstrdup(vol->target.path);
	pool_looked(pool);
	return path;
}

char *vol_get_xml(struct registry *reg, const struct vol_name *name,
		  struct error *err)
{
	struct vol_def *vol;
	char *xml;

	if (get(reg, name, &vol, err) < 0)
		return NULL;
	xml = vol_def_format(vol);
	vol_def_free(vol);
	return xml;
}

/* ---- what lasts ---- */

static bool in_use(const struct pool_obj *pool, const char *name)
{
	const struct vol_use *use;

	pthread_mutex_lock(&pool->pools->lock);
	use = pool->in_use;
	while (use && !str_eq(use->name, name))
		use = use->next;
	pthread_mutex_unlock(&pool->pools->lock);
	return use;
}

static int check_unused(const struct pool_obj *pool, const char *name,
			struct error *err)
{
	return !in_use(pool, name) ?
		       0 :
		       error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "volume '%s' is still in use.", name);
}

static void use_locked(struct pool_obj *pool, struct vol_use *use)
{
	use->next = pool->in_use;
	pool->in_use = use;
	pool->refs++;
	pool->pools->transfers++;
}

static int open_vol(struct pool_obj *pool, const struct vol_def *vol,
		    bool readonly, int *ret_fd, struct error *err)
{
	if (vol->type != VOL_FILE && vol->type != VOL_BLOCK)
		return error_virt(err, VIR_ERR_NO_SUPPORT,
				  "volume '%s' holds no data of its own",
				  vol->name);
	return pool->pools->host->open(vol->target.path, readonly,
				       vol->type == VOL_BLOCK, err, ret_fd);
}

int vol_use(struct registry *reg, const struct vol_name *name, bool readonly,
	    struct vol_open *open, struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	int r = pool_begin_name(reg, name->pool, &pool, err);

	if (r < 0)
		return r;
	r = find(pool, name->name, &vol, err);
	if (r == 0 && !readonly)
		r = check_unused(pool, name->name, err);
	if (r == 0)
		r = open_vol(pool, vol, readonly, &open->fd, err);
	if (r == 0) {
		open->pool = pool;
		open->vol = vol_def_copy(vol);
		open->use = (struct vol_use){ NULL, xstrdup(vol->name) };
		pthread_mutex_lock(&pool->pools->lock);
		use_locked(pool, &open->use);
		pthread_mutex_unlock(&pool->pools->lock);
	}
	pool_end(pool);
	return r;
}

void vol_unuse(struct vol_open *open)
{
	struct pools *pools = open->pool->pools;
	struct vol_use **at = &open->pool->in_use;

	pthread_mutex_lock(&pools->lock);
	while (*at != &open->use)
		at = &(*at)->next;
	*at = open->use.next;
	/* A pool in use is neither stopped nor removed: others hold it. */
	open->pool->refs--;
	pools->transfers--;
	pthread_cond_broadcast(&pools->changed);
	pthread_mutex_unlock(&pools->lock);
	fd_close(open->fd);
	vol_def_free(open->vol);
	free(open->use.name);
}

/* ---- making ---- */

static int check_new(const struct pool_obj *pool, const struct vol_def *vol,
		     struct error *err)
{
	int r = pool_check_active(pool, err);

	if (r == 0 && !pool_kind(pool)->vol_create)
		r = pool_lacks(pool, "volume creation", err);
	if (r == 0 && vol->target.extra &&
	    strstr(vol->target.extra, "<encryption"))
		r = error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			       "encrypted volumes are not made yet");
	if (r == 0 && vol_list_find(&pool->vols, vol->name))
		r = error_virt(err, VIR_ERR_STORAGE_VOL_EXIST,
			       "volume '%s' exists already", vol->name);
	return r;
}

static void account(struct pool_obj *pool, uint64_t more, uint64_t less)
{
	struct pool_def *def = pool->def;

	def->allocation += more;
	def->allocation -= MIN(less, def->allocation);
	def->available += less;
	def->available -= MIN(more, def->available);
}

static void remember_format(struct pool_obj *pool, const char *name,
			    const char *format)
{
	struct error err = { 0 };

	if (store_volume_put(pool->pools->reg->store, pool->def->uuid, name,
			     format, &err) < 0)
		log_warn("%s", err.message);
}

/* Only files have a format of their own that may change. */
static void set_format(struct pool_obj *pool, struct vol_def *vol,
		       const char *format)
{
	if (vol->type != VOL_FILE || str_eq(vol->target.format, format))
		return;
	remember_format(pool, vol->name, format);
	pthread_mutex_lock(&pool->pools->lock);
	free(vol->target.format);
	vol->target.format = xstrdup(format);
	vol->has_backing = false;
	pthread_mutex_unlock(&pool->pools->lock);
}

void vol_uploaded(struct registry *reg, const struct vol_name *name, int fd)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	uint8_t head[8];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	if (n < 0 || pool_begin_name(reg, name->pool, &pool, NULL) < 0)
		return;
	if (find(pool, name->name, &vol, NULL) == 0)
		set_format(pool, vol, image_format(head, n));
	pool_end(pool);
}

/* Made and listed; marked as in use where data is to follow. */
static int make(struct pool_obj *pool, struct vol_def *vol,
		struct vol_use *use, struct error *err)
{
	int r = pool_kind(pool)->vol_create(pool->pools->host, pool->def, vol,
					    err);

	if (r < 0)
		return r;
	if (vol->type == VOL_FILE)
		remember_format(pool, vol->name, vol->target.format);
	pthread_mutex_lock(&pool->pools->lock);
	vol_list_add(&pool->vols, vol);
	account(pool, vol->allocation, 0);
	if (use)
		use_locked(pool, use);
	pthread_mutex_unlock(&pool->pools->lock);
	return 0;
}

static int parse_for(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *xml, bool validate, struct vol_def **ret_vol,
		     struct error *err)
{
	struct pool_obj *pool;
	enum pool_type type;
	int r = pool_look(reg, uuid, &pool, err);

	if (r < 0)
		return r;
	type = pool->def->type;
	pool_looked(pool);
	return vol_def_parse(xml, type, validate, ret_vol, err);
}

static int create_empty(struct registry *reg, const uint8_t uuid[UUID_LEN],
			struct vol_def *vol, struct vol_ref *ret_ref,
			struct error *err)
{
	struct pool_obj *pool;
	int r = pool_begin(reg, uuid, &pool, err);

	if (r < 0) {
		vol_def_free(vol);
		return r;
	}
	r = check_new(pool, vol, err);
	if (r == 0)
		r = make(pool, vol, NULL, err);
	if (r == 0)
		fill_ref(pool, vol, ret_ref);
	else
		vol_def_free(vol);
	pool_end(pool);
	return r;
}

/* ---- copies ---- */

static void fit_to(struct vol_def *vol, const struct vol_def *from)
{
	if (vol->capacity < from->capacity)
		vol->capacity = from->capacity;
	/* Copying takes the room that it needs. */
	if (!vol->allocation_given)
		vol->allocation = 0;
}

static bool same_format(const struct vol_def *vol, const struct vol_def *from)
{
	if (vol->type == VOL_BLOCK && from->type == VOL_BLOCK)
		return true;
	return str_eq(vol->target.format, from->target.format) ||
	       (from->type == VOL_FILE && str_eq(from->target.format, "raw") &&
		str_eq(vol->target.format, "none")) ||
	       (from->type == VOL_BLOCK && str_eq(vol->target.format, "raw"));
}

/* What a volume that is a device holds is its content. */
static const char *format_of(const struct vol_def *vol)
{
	return vol->type == VOL_BLOCK ? "raw" : vol->target.format;
}

static int check_formats(const struct vol_def *vol,
			 const struct vol_def *from, struct error *err)
{
	const struct image_writer *writer;
	int r;

	if (same_format(vol, from))
		return 0;
	r = image_writer(vol->target.format, &writer, err);
	if (r == 0)
		r = image_writer(format_of(from), &writer, err);
	if (r == 0 && vol->has_backing)
		r = error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			       "a copy to another format has no backing "
			       "store");
	return r;
}

static int copy_into(struct vol_open *to, const struct vol_open *from,
		     const char *format, unsigned int flags,
		     struct error *err)
{
	const struct image_writer *writer;
	int r;

	if (!format)
		return data_copy(from->fd, to->fd, from->vol->physical,
				 flags & VIR_STORAGE_VOL_CREATE_REFLINK, err);
	r = image_writer(format, &writer, err);
	return r < 0 ? r : writer->copy(from->fd, format_of(from->vol),
					to->fd, err);
}

/* It was made as a plain file. */
static void copied_format(struct registry *reg, const struct vol_name *name,
			  const char *format)
{
	struct pool_obj *pool;
	struct vol_def *vol;

	if (pool_begin_name(reg, name->pool, &pool, NULL) < 0)
		return;
	if (find(pool, name->name, &vol, NULL) == 0) {
		set_format(pool, vol, format);
		look_again(pool, vol);
	}
	pool_end(pool);
}

static void discard(struct registry *reg, const struct vol_name *name)
{
	struct error err = { 0 };

	if (vol_delete(reg, name, 0, &err) < 0)
		log_warn("%s", err.message);
}

/* The new one is there, of the right size; now what is in it.  format: NULL
 * where it is the same as the original's. */
static int fill_copy(struct registry *reg, const struct vol_name *name,
		     const struct vol_open *from, const char *format,
		     unsigned int flags, struct error *err)
{
	struct vol_open to;
	int r = vol_use(reg, name, false, &to, err);

	if (r == 0) {
		r = copy_into(&to, from, format, flags, err);
		vol_unuse(&to);
	}
	if (r < 0)
		discard(reg, name);
	else
		vol_look_again(reg, name);
	return r;
}

/* An image is copied to one of its format as a file: an empty one first. */
static void become_file(struct vol_def *vol, const struct vol_def *from)
{
	free(vol->target.format);
	vol->target.format = xstrdup("raw");
	vol->capacity = from->physical;
	vol->allocation = 0;
	vol->has_backing = false;
}

static int create_copy(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct vol_def *vol, const struct vol_open *from,
		       unsigned int flags, struct vol_ref *ret_ref,
		       struct error *err)
{
	_cleanup_free_ char *format = xstrdup(vol->target.format);
	bool same = same_format(vol, from->vol);
	struct vol_name name;
	int r = check_formats(vol, from->vol, err);

	if (r < 0) {
		vol_def_free(vol);
		return r;
	}
	fit_to(vol, from->vol);
	if (same && from->vol->type == VOL_FILE && !str_eq(format, "raw"))
		become_file(vol, from->vol);
	r = create_empty(reg, uuid, vol, ret_ref, err);
	if (r < 0)
		return r;
	name = (struct vol_name){ ret_ref->pool, ret_ref->name };
	r = fill_copy(reg, &name, from, same ? NULL : format, flags, err);
	if (r == 0 && same)
		copied_format(reg, &name, format);
	if (r < 0)
		vol_ref_finish(ret_ref);
	return r;
}

int vol_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
	       const char *xml, const struct vol_name *from_name,
	       unsigned int flags, struct vol_ref *ret_ref, struct error *err)
{
	struct vol_open from;
	struct vol_def *vol;
	int r = parse_for(reg, uuid, xml,
			  flags & VIR_STORAGE_VOL_CREATE_VALIDATE, &vol, err);

	if (r < 0)
		return r;
	if ((flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA) &&
	    str_eq(vol->target.format, "raw")) {
		vol_def_free(vol);
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "metadata preallocation is not supported "
				  "for raw volumes");
	}
	vol->prealloc_metadata =
		flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA;
	if (!from_name)
		return create_empty(reg, uuid, vol, ret_ref, err);
	r = vol_use(reg, from_name, true, &from, err);
	if (r < 0) {
		vol_def_free(vol);
		return r;
	}
	r = create_copy(reg, uuid, vol, &from, flags, ret_ref, err);
	vol_unuse(&from);
	return r;
}

/* ---- resizing, wiping, removing ---- */

static int new_size(const struct vol_def *vol, uint64_t capacity,
		    unsigned int flags, uint64_t *ret_size, struct error *err)
{
	bool shrink = flags & VIR_STORAGE_VOL_RESIZE_SHRINK;
	uint64_t size = capacity;

	if (flags & VIR_STORAGE_VOL_RESIZE_DELTA) {
		if (shrink)
			size = vol->capacity - MIN(capacity, vol->capacity);
		else if (ckd_add(&size, vol->capacity, capacity))
			return error_virt(err, VIR_ERR_OVERFLOW,
					  "the new capacity is too large");
	}
	if (size > INT64_MAX)
		return error_virt(err, VIR_ERR_OVERFLOW,
				  "the new capacity is too large");
	if (size < vol->allocation && !shrink)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "can't shrink capacity below existing "
				  "allocation");
	if (size < vol->capacity && !shrink)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Can't shrink capacity below current "
				  "capacity unless shrink flag explicitly "
				  "specified");
	*ret_size = size;
	return 0;
}

static int resize(struct pool_obj *pool, struct vol_def *vol,
		  uint64_t capacity, unsigned int flags, struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);
	bool allocate = flags & VIR_STORAGE_VOL_RESIZE_ALLOCATE;
	uint64_t size = 0, before = vol->allocation;
	int r = check_unused(pool, vol->name, err);

	if (r == 0 && !kind->vol_resize)
		r = pool_lacks(pool, "changing of volume capacity", err);
	if (r == 0)
		r = new_size(vol, capacity, flags, &size, err);
	if (r == 0)
		r = kind->vol_resize(pool->pools->host, pool->def, vol, size,
				     allocate, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&pool->pools->lock);
	vol->capacity = size;
	if (!kind->vol_refresh)
		vol->allocation = vol->physical = size;
	pthread_mutex_unlock(&pool->pools->lock);
	look_again(pool, vol);
	pthread_mutex_lock(&pool->pools->lock);
	account(pool, vol->allocation, before);
	pthread_mutex_unlock(&pool->pools->lock);
	return 0;
}

int vol_resize(struct registry *reg, const struct vol_name *name,
	       uint64_t capacity, unsigned int flags, struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	int r = pool_begin_name(reg, name->pool, &pool, err);

	if (r < 0)
		return r;
	r = find(pool, name->name, &vol, err);
	if (r == 0)
		r = resize(pool, vol, capacity, flags, err);
	pool_end(pool);
	return r;
}

int vol_wipe(struct registry *reg, const struct vol_name *name,
	     unsigned int algorithm, struct error *err)
{
	struct vol_open open;
	int r;

	if (algorithm >= VIR_STORAGE_VOL_WIPE_ALG_LAST)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "wiping algorithm %u not supported",
				  algorithm);
	r = vol_use(reg, name, false, &open, err);
	if (r < 0)
		return r;
	r = data_wipe(open.fd, open.vol->physical, algorithm, err);
	vol_unuse(&open);
	vol_look_again(reg, name);
	return r;
}

static void unlist(struct pool_obj *pool, struct vol_def *vol)
{
	struct vol_list *list = &pool->vols;
	unsigned int i = 0;

	pthread_mutex_lock(&pool->pools->lock);
	while (list->vols[i] != vol)
		i++;
	memmove(&list->vols[i], &list->vols[i + 1],
		(--list->n - i) * sizeof(vol));
	account(pool, 0, vol->allocation);
	pthread_mutex_unlock(&pool->pools->lock);
}

static int remove_vol(struct pool_obj *pool, struct vol_def *vol,
		      struct error *err)
{
	const struct pool_backend *kind = pool_kind(pool);
	int r = check_unused(pool, vol->name, err);

	if (r == 0 && !kind->vol_remove)
		r = pool_lacks(pool, "vol deletion", err);
	if (r == 0)
		r = kind->vol_remove(pool->pools->host, pool->def, vol, err);
	if (r < 0)
		return r;
	if (vol->type == VOL_FILE)
		remember_format(pool, vol->name, NULL);
	unlist(pool, vol);
	vol_def_free(vol);
	return 0;
}

int vol_delete(struct registry *reg, const struct vol_name *name,
	       unsigned int flags, struct error *err)
{
	struct pool_obj *pool;
	struct vol_def *vol;
	int r = pool_begin_name(reg, name->pool, &pool, err);

	if (r < 0)
		return r;
	r = find(pool, name->name, &vol, err);
	if (r == 0)
		r = remove_vol(pool, vol, err);
	pool_end(pool);
	return r;
}
