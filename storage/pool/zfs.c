/*
 * storage/pool/zfs.c -- block volumes (zvols) of a ZFS pool or one of its data
 * sets.
 */
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "storage/pool/pool.h"

static const char *dataset(const struct pool_def *def)
{
	return def->source.name;
}

static bool same_dataset(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(dataset(a), dataset(b));
}

/* ---- the pool ---- */

static int read_sizes(const struct pool_host *host, struct pool_def *def,
		      struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_ZFS_INFO, dataset(def), NULL);
	char *rest = text, *line;

	while (r == 0 && (line = next_line(&rest))) {
		const char *name = next_field(&line, '\t');

		if (str_eq(name, "used"))
			def->allocation = number_of(line);
		else if (str_eq(name, "available"))
			def->available = number_of(line);
	}
	if (r == 0)
		def->capacity = def->allocation + def->available;
	return r;
}

static bool is_active(const struct pool_host *host,
		      const struct pool_def *def)
{
	_cleanup_free_ char *text = NULL;

	return pool_run(host, &text, NULL, TOOL_ZFS_INFO, dataset(def),
			NULL) == 0;
}

static int start(const struct pool_host *host, const struct pool_def *def,
		 struct error *err)
{
	_cleanup_free_ char *text = NULL;

	return pool_run(host, &text, err, TOOL_ZFS_INFO, dataset(def), NULL);
}

static int build(const struct pool_host *host, const struct pool_def *def,
		 unsigned int flags, struct error *err)
{
	const struct pool_source *s = &def->source;
	int r = 0;

	if (!s->n_devices || strchr(dataset(def), '/'))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "pool '%s' is not a ZFS pool with devices to "
				  "build it of", def->name);
	for (unsigned int i = 0; i < s->n_devices && r == 0; i++)
		r = pool_run(host, NULL, err,
			     i ? TOOL_ZPOOL_ADD : TOOL_ZPOOL_CREATE,
			     dataset(def), s->devices[i].path, NULL);
	return r;
}

/* Only what build() makes: a data set may be a part of somebody's pool. */
static int destroy(const struct pool_host *host, const struct pool_def *def,
		   struct error *err)
{
	return pool_run(host, NULL, err, TOOL_ZPOOL_REMOVE, dataset(def), NULL);
}

static int find_sources(const struct pool_host *host,
			const struct pool_source *spec,
			struct source_list *list, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_ZPOOL_LIST, NULL);
	char *rest = text, *line;

	while (r == 0 && (line = next_line(&rest)))
		source_list_add(list)->name = xstrdup(line);
	return r;
}

/* ---- volumes ---- */

/* "pool/set/vol SIZE RESERVED USED"; those of sets below are not ours. */
static struct vol_def *parse_vol(const struct pool_def *def, char *line)
{
	const char *name = next_field(&line, '\t');
	size_t len = strlen(dataset(def));
	uint64_t size, reserved, used;
	struct vol_def *vol;

	if (strncmp(name, dataset(def), len) || name[len] != '/' ||
	    strchr(name + len + 1, '/') || !line)
		return NULL;
	name += len + 1;
	size = number_of(next_field(&line, '\t'));
	reserved = line ? number_of(next_field(&line, '\t')) : 0;
	used = line ? number_of(next_field(&line, '\t')) : 0;
	vol = vol_block(name, xasprintf("%s/%s", def->path, name), size);
	free(vol->key);
	vol->key = xasprintf("%s/%s", dataset(def), name);
	vol->allocation = reserved ? reserved : used;
	return vol;
}

static int list_vols(const struct pool_host *host, const struct pool_def *def,
		     struct vol_list *vols, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_ZFS_LIST, dataset(def), NULL);
	char *rest = text, *line;

	while (r == 0 && (line = next_line(&rest))) {
		struct vol_def *vol = parse_vol(def, line);

		if (vol)
			vol_list_add(vols, vol);
	}
	return r;
}

static int refresh(const struct pool_host *host, struct pool_def *def,
		   struct vol_list *vols, struct error *err)
{
	int r = read_sizes(host, def, err);

	return r < 0 ? r : list_vols(host, def, vols, err);
}

/* zfs(8) wants multiples of the block size, 8 KiB or, since 2.2, 16. */
enum { BLOCK = 16 * 1024 };

static int vol_create(const struct pool_host *host,
		      const struct pool_def *pool, struct vol_def *vol,
		      struct error *err)
{
	bool sparse = vol->allocation < vol->capacity;
	_cleanup_free_ char *size = NULL;
	int r;

	if (vol->has_backing)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "volumes of a ZFS pool have no backing "
				  "store");
	vol->capacity = ALIGN_UP(vol->capacity, BLOCK);
	size = xasprintf("%" PRIu64, vol->capacity);
	r = pool_run(host, NULL, err, sparse ? TOOL_ZFS_SPARSE :
					       TOOL_ZFS_CREATE,
		     size, dataset(pool), vol->name, NULL);
	if (r < 0)
		return r;
	pool_run(host, NULL, NULL, TOOL_SETTLE, NULL);
	vol->type = VOL_BLOCK;
	vol->target.path = xasprintf("%s/%s", pool->path, vol->name);
	vol->key = xasprintf("%s/%s", dataset(pool), vol->name);
	vol->physical = vol->capacity;
	if (!sparse)
		vol->allocation = vol->capacity;
	return 0;
}

static int vol_remove(const struct pool_host *host,
		      const struct pool_def *pool, const struct vol_def *vol,
		      struct error *err)
{
	return pool_run(host, NULL, err, TOOL_ZFS_REMOVE, dataset(pool),
			vol->name, NULL);
}

static int vol_resize(const struct pool_host *host,
		      const struct pool_def *pool, const struct vol_def *vol,
		      uint64_t capacity, bool allocate, struct error *err)
{
	_cleanup_free_ char *size =
		xasprintf("%" PRIu64, ALIGN_UP(capacity, BLOCK));

	return pool_run(host, NULL, err, TOOL_ZFS_RESIZE, size, dataset(pool),
			vol->name, NULL);
}

const struct pool_backend pool_zfs = {
	.type = POOL_ZFS,
	.needs = TOOL_ZFS_LIST,
	.same_source = same_dataset,
	.is_active = is_active,
	.start = start,
	.build = build,
	.destroy = destroy,
	.refresh = refresh,
	.find_sources = find_sources,
	.vol_create = vol_create,
	.vol_remove = vol_remove,
	.vol_resize = vol_resize,
};
