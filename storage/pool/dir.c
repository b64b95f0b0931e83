/*
 * storage/pool/dir.c -- a folder of files; fs and netfs are the same once they
 * are mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/pool/image.h"
#include "storage/pool/pool.h"

enum { DIR_MODE = 0711, FILE_MODE = 0600 };

bool dir_same(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(a->path, b->path);
}

static struct pool_access access_of(const struct storage_perms *p,
				    unsigned int mode)
{
	return (struct pool_access){ perms_mode(p, mode), p->mode,
				     perms_owner(p), perms_group(p) };
}

/* ---- volumes from a listing ---- */

static bool is_volume(const struct pool_dirent *e)
{
	if (str_eq(e->name, ".") || str_eq(e->name, ".."))
		return false;
	for (const char *p = e->name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return S_ISREG(e->mode) || S_ISDIR(e->mode) || S_ISBLK(e->mode);
}

static char *time_text(int64_t sec, uint32_t nsec)
{
	return xasprintf("%lld.%09u", (long long)sec, nsec);
}

static void set_times(struct vol_target *t, const struct pool_dirent *e)
{
	free(t->atime);
	free(t->mtime);
	free(t->ctime);
	t->atime = time_text(e->atime, e->nsec[0]);
	t->mtime = time_text(e->mtime, e->nsec[1]);
	t->ctime = time_text(e->ctime, e->nsec[2]);
}

static void set_sizes(struct vol_def *vol, const struct pool_dirent *e)
{
	perms_set(&vol->target.perms, e->mode, e->uid, e->gid);
	set_times(&vol->target, e);
	vol->physical = e->size;
	vol->allocation = e->allocated;
	if (str_eq(vol->target.format, "raw"))
		vol->capacity = e->size;
}

static const char *format_of(const struct pool_dirent *e)
{
	if (S_ISDIR(e->mode))
		return "dir";
	return S_ISREG(e->mode) ? image_format(e->head, sizeof(e->head)) :
				  "raw";
}

/* Only what is no raw image is opened. */
static void describe(const struct pool_host *host, struct vol_def *vol)
{
	_cleanup_close_ int fd = -1;

	if (vol->type != VOL_FILE || str_eq(vol->target.format, "raw"))
		return;
	vol->capacity = vol->physical;
	if (host->open(vol->target.path, true, false, NULL, &fd) == 0)
		image_describe(fd, vol);
}

static struct vol_def *vol_from(const struct pool_host *host,
				const struct pool_def *pool,
				const struct pool_dirent *e)
{
	struct vol_def *vol = vol_def_new();

	vol->type = S_ISDIR(e->mode) ? VOL_DIR :
		    S_ISBLK(e->mode) ? VOL_BLOCK : VOL_FILE;
	vol->name = xstrdup(e->name);
	vol->target.path = xasprintf("%s/%s", pool->path, e->name);
	vol->key = xstrdup(vol->target.path);
	vol->target.format = xstrdup(format_of(e));
	set_sizes(vol, e);
	describe(host, vol);
	return vol;
}

int dir_refresh(const struct pool_host *host, struct pool_def *def,
		struct vol_list *vols, struct error *err)
{
	_cleanup_free_ struct pool_dir *dir = NULL;
	int r = host->list(def->path, &dir, err);

	if (r < 0)
		return r;
	def->capacity = dir->total;
	def->available = dir->available;
	def->allocation = dir->total - MIN(dir->available, dir->total);
	perms_set(&def->perms, dir->mode, dir->uid, dir->gid);
	for (uint32_t i = 0; i < dir->n; i++)
		if (is_volume(&dir->entries[i]))
			vol_list_add(vols,
				     vol_from(host, def, &dir->entries[i]));
	return 0;
}

/* ---- the folder ---- */

static int start(const struct pool_host *host, const struct pool_def *def,
		 struct error *err)
{
	_cleanup_free_ struct pool_dir *dir = NULL;

	return host->list(def->path, &dir, err);
}

static bool is_active(const struct pool_host *host,
		      const struct pool_def *def)
{
	return start(host, def, NULL) == 0;
}

int dir_make(const struct pool_host *host, const struct pool_def *def,
	     struct error *err)
{
	struct pool_access access = access_of(&def->perms, DIR_MODE);

	return host->make_dir(def->path, &access, err);
}

static int build(const struct pool_host *host, const struct pool_def *def,
		 unsigned int flags, struct error *err)
{
	return dir_make(host, def, err);
}

int dir_destroy(const struct pool_host *host, const struct pool_def *def,
		struct error *err)
{
	return host->remove_dir(def->path, err);
}

/* ---- volumes ---- */

static int zero_rest(int fd, uint64_t from, uint64_t to, struct error *err)
{
	static const char zeroes[64 * 1024];

	for (; from < to; from += MIN(to - from, sizeof(zeroes)))
		if (pwrite(fd, zeroes, MIN(to - from, sizeof(zeroes)), from) <
		    0)
			return error_set(err, -errno,
					 "cannot write the volume: %m");
	return 0;
}

/* Space for the range, by writing where the file system cannot otherwise. */
static int allocate_range(int fd, uint64_t from, uint64_t to,
			  struct error *err)
{
	if (from >= to || fallocate(fd, 0, from, to - from) == 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return zero_rest(fd, from, to, err);
	return error_set(err, -errno, "cannot allocate %llu bytes: %m",
			 (unsigned long long)(to - from));
}

static int fill_raw(int fd, const struct vol_def *vol, struct error *err)
{
	if (ftruncate(fd, vol->capacity) < 0)
		return error_set(err, -errno, "cannot set the size of '%s': %m",
				 vol->target.path);
	return allocate_range(fd, 0, MIN(vol->allocation, vol->capacity), err);
}

/* What it stands on has to be there, and says how large it is. */
static int look_at_backing(const struct pool_host *host,
			   const struct image_writer *writer,
			   struct vol_def *vol, struct error *err)
{
	_cleanup_free_ char *path =
		image_beside(vol->target.path, vol->backing.path);
	const char *format = vol->backing.format ? vol->backing.format : "raw";
	_cleanup_close_ int fd = -1;
	uint64_t size = 0;
	int r = host->open(path, true, str_startswith(path, "/dev/"), err,
			   &fd);

	if (r == 0)
		r = writer->capacity(fd, format, &size, err);
	if (r == 0 && !vol->capacity_given)
		vol->capacity = vol->allocation = size;
	return r;
}

static int fill(const struct pool_host *host, int fd, struct vol_def *vol,
		struct error *err)
{
	const struct image_writer *writer;
	int r;

	if (str_eq(vol->target.format, "raw")) {
		if (vol->has_backing)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "backing storage not supported for "
					  "raw volumes");
		return fill_raw(fd, vol, err);
	}
	r = image_writer(vol->target.format, &writer, err);
	if (r == 0 && vol->has_backing)
		r = look_at_backing(host, writer, vol, err);
	return r < 0 ? r : writer->create(fd, vol, err);
}

static int create_file(const struct pool_host *host, struct vol_def *vol,
		       struct error *err)
{
	struct pool_access access = access_of(&vol->target.perms, FILE_MODE);
	_cleanup_close_ int fd = -1;
	int r = host->create(vol->target.path, &access, err, &fd);

	if (r < 0)
		return r;
	r = fill(host, fd, vol, err);
	if (r < 0)
		host->remove(vol->target.path, NULL);
	return r;
}

static int create_dir(const struct pool_host *host, struct vol_def *vol,
		      struct error *err)
{
	struct pool_access access = access_of(&vol->target.perms, DIR_MODE);

	vol->type = VOL_DIR;
	return host->make_dir(vol->target.path, &access, err);
}

int dir_vol_refresh(const struct pool_host *host, const struct pool_def *pool,
		    struct vol_def *vol, struct error *err)
{
	_cleanup_free_ struct pool_dir *dir = NULL;
	int r = host->list(vol->target.path, &dir, err);

	if (r < 0)
		return r;
	/* Of a file, what is listed is itself. */
	if (vol->type == VOL_FILE && dir->n == 1) {
		set_sizes(vol, &dir->entries[0]);
		describe(host, vol);
	}
	return 0;
}

int dir_vol_create(const struct pool_host *host, const struct pool_def *pool,
		   struct vol_def *vol, struct error *err)
{
	int r;

	vol->target.path = xasprintf("%s/%s", pool->path, vol->name);
	vol->key = xstrdup(vol->target.path);
	if (str_eq(vol->target.format, "dir"))
		return create_dir(host, vol, err);
	vol->type = VOL_FILE;
	r = create_file(host, vol, err);
	return r < 0 ? r : dir_vol_refresh(host, pool, vol, err);
}

int dir_vol_remove(const struct pool_host *host, const struct pool_def *pool,
		   const struct vol_def *vol, struct error *err)
{
	if (vol->type == VOL_DIR)
		return host->remove_dir(vol->target.path, err);
	if (vol->type == VOL_FILE)
		return host->remove(vol->target.path, err);
	return error_virt(err, VIR_ERR_NO_SUPPORT,
			  "removing block or network volumes is not "
			  "supported: %s", vol->target.path);
}

int dir_vol_resize(const struct pool_host *host, const struct pool_def *pool,
		   const struct vol_def *vol, uint64_t capacity, bool allocate,
		   struct error *err)
{
	const struct image_writer *writer;
	_cleanup_close_ int fd = -1;
	int r = host->open(vol->target.path, false, vol->type == VOL_BLOCK,
			   err, &fd);

	if (r < 0)
		return r;
	if (!str_eq(vol->target.format, "raw")) {
		r = image_writer(vol->target.format, &writer, err);
		return r < 0 ? r : writer->resize(fd, capacity, err);
	}
	if (ftruncate(fd, capacity) < 0)
		return error_set(err, -errno, "cannot resize '%s': %m",
				 vol->target.path);
	return allocate ? allocate_range(fd, vol->capacity, capacity, err) : 0;
}

const struct pool_backend pool_dir = {
	.type = POOL_DIR,
	.needs = POOL_TOOLS,
	.same_source = dir_same,
	.is_active = is_active,
	.start = start,
	.build = build,
	.destroy = dir_destroy,
	.refresh = dir_refresh,
	.vol_create = dir_vol_create,
	.vol_remove = dir_vol_remove,
	.vol_resize = dir_vol_resize,
	.vol_refresh = dir_vol_refresh,
};
