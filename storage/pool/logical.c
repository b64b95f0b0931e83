/*
 * storage/pool/logical.c -- a volume group of LVM; a volume with a backing
 * store is a snapshot.  Volumes of a thin pool are made by naming the pool's
 * path as backing store.
 */
#include <inttypes.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "storage/pool/pool.h"

static const char *group(const struct pool_def *def)
{
	return def->source.name;
}

static bool same_group(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(group(a), group(b));
}

/* ---- the group ---- */

static bool is_active(const struct pool_host *host,
		      const struct pool_def *def)
{
	_cleanup_free_ char *text = NULL;

	return pool_run(host, &text, NULL, TOOL_VG_ACTIVE, group(def), NULL) ==
		       0 &&
	       strstr(text, ",active");
}

static int start(const struct pool_host *host, const struct pool_def *def,
		 struct error *err)
{
	return pool_run(host, NULL, err, TOOL_VG_START, group(def), NULL);
}

static int stop(const struct pool_host *host, const struct pool_def *def,
		struct error *err)
{
	return pool_run(host, NULL, err, TOOL_VG_STOP, group(def), NULL);
}

static int build(const struct pool_host *host, const struct pool_def *def,
		 unsigned int flags, struct error *err)
{
	const struct pool_source *s = &def->source;
	bool force = flags & VIR_STORAGE_POOL_BUILD_OVERWRITE;
	int r = 0;

	if (!s->n_devices)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "pool '%s' has no devices to build its "
				  "volume group of", def->name);
	for (unsigned int i = 0; i < s->n_devices && r == 0; i++)
		r = pool_run(host, NULL, err,
			     force ? TOOL_PV_FORCE : TOOL_PV_CREATE,
			     s->devices[i].path, NULL);
	for (unsigned int i = 0; i < s->n_devices && r == 0; i++)
		r = pool_run(host, NULL, err,
			     i ? TOOL_VG_EXTEND : TOOL_VG_CREATE, group(def),
			     s->devices[i].path, NULL);
	return r;
}

static int destroy(const struct pool_host *host, const struct pool_def *def,
		   struct error *err)
{
	int r = pool_run(host, NULL, err, TOOL_VG_REMOVE, group(def), NULL);

	for (unsigned int i = 0; i < def->source.n_devices && r == 0; i++)
		r = pool_run(host, NULL, err, TOOL_PV_REMOVE,
			     def->source.devices[i].path, NULL);
	return r;
}

/* ---- what lvs says ---- */

struct lv {
	char *name, *uuid, *attr, *origin, *pool;
	uint64_t size;
	double used; /* percent; of thin volumes */
};

static bool parse_lv(char *line, struct lv *ret)
{
	char *field[7];

	for (unsigned int i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = next_field(&line, ',');
		if (!field[i])
			return false;
	}
	*ret = (struct lv){
		.name = field[0],  .uuid = field[1],
		.attr = field[3],  .origin = field[4],
		.pool = field[5],  .size = number_of(field[2]),
		.used = strtod(field[6], NULL),
	};
	return *ret->name && strlen(ret->attr) >= 6;
}

/* lvs(8), lv_attr: thin pools and their parts are no disks of anyone's. */
static bool is_disk(const struct lv *lv)
{
	return !strchr("tTeDdpl", lv->attr[0]) && *lv->name != '[';
}

static void set_backing(const struct pool_def *def, const struct lv *lv,
			struct vol_def *vol)
{
	if (!*lv->origin)
		return;
	vol->has_backing = true;
	vol->backing.path = xasprintf("%s/%s", def->path, lv->origin);
	vol->backing.format = xstrdup("raw");
}

static struct vol_def *vol_from(const struct pool_def *def,
				const struct lv *lv)
{
	struct vol_def *vol = vol_block(
		lv->name, xasprintf("%s/%s", def->path, lv->name), lv->size);

	free(vol->key);
	vol->key = xstrdup(lv->uuid);
	if (*lv->pool)
		vol->allocation = lv->size * (lv->used / 100);
	set_backing(def, lv, vol);
	return vol;
}

static int read_sizes(const struct pool_host *host, struct pool_def *def,
		      struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_VG_INFO, group(def), NULL);
	char *rest = text, *line;

	if (r < 0)
		return r;
	line = next_line(&rest);
	def->capacity = line ? number_of(next_field(&line, ',')) : 0;
	def->available = line ? number_of(next_field(&line, ',')) : 0;
	def->allocation = def->capacity - MIN(def->available, def->capacity);
	return 0;
}

static int refresh(const struct pool_host *host, struct pool_def *def,
		   struct vol_list *vols, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	struct lv lv;
	int r = read_sizes(host, def, err);

	if (r == 0)
		r = pool_run(host, &text, err, TOOL_LV_LIST, group(def), NULL);
	rest = text;
	while (r == 0 && (line = next_line(&rest)))
		if (parse_lv(line, &lv) && is_disk(&lv))
			vol_list_add(vols, vol_from(def, &lv));
	return r;
}

static struct pool_source *source_of(struct source_list *list,
				     const char *name)
{
	struct pool_source *s;

	for (unsigned int i = 0; i < list->n; i++)
		if (str_eq(list->sources[i].name, name))
			return &list->sources[i];
	s = source_list_add(list);
	s->name = xstrdup(name);
	s->format = xstrdup("lvm2");
	return s;
}

static int find_sources(const struct pool_host *host,
			const struct pool_source *spec,
			struct source_list *list, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_PV_LIST, NULL);
	char *rest = text, *line;

	while (r == 0 && (line = next_line(&rest))) {
		const char *name = next_field(&line, ',');
		struct pool_source *s;

		if (!*name || !line)
			continue;
		s = source_of(list, name);
		s->devices = xrealloc(s->devices, s->n_devices + 1,
				      sizeof(*s->devices));
		s->devices[s->n_devices++] =
			(struct pool_device){ .path = xstrdup(line) };
	}
	return r;
}

/* ---- volumes ---- */

static int find_lv(const struct pool_host *host, const struct pool_def *def,
		   const char *name, char **ret_text, struct lv *ret_lv,
		   struct error *err)
{
	int r = pool_run(host, ret_text, err, TOOL_LV_LIST, group(def), NULL);
	char *rest = *ret_text, *line;

	while (r == 0 && (line = next_line(&rest)))
		if (parse_lv(line, ret_lv) && str_eq(ret_lv->name, name))
			return 0;
	return r < 0 ? r :
		       error_virt(err, VIR_ERR_NO_STORAGE_VOL,
				  "volume group '%s' has no volume '%s'",
				  group(def), name);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Of a thin pool: a new volume; of a thin volume, a thin snapshot; else a
 * snapshot with room for as many changes as the allocation says. */
static int create_from(const struct pool_host *host,
		       const struct pool_def *pool, const struct vol_def *vol,
		       const char *size, struct error *err)
{
	const char *origin = last_part(vol->backing.path);
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *room = xasprintf(
		"%" PRIu64, vol->allocation ? vol->allocation : vol->capacity);
	struct lv lv;
	int r = find_lv(host, pool, origin, &text, &lv, err);

	if (r < 0)
		return r;
	if (lv.attr[0] == 't')
		return pool_run(host, NULL, err, TOOL_LV_THIN, vol->name, size,
				origin, group(pool), NULL);
	if (lv.attr[0] == 'V')
		return pool_run(host, NULL, err, TOOL_LV_THIN_SNAPSHOT,
				vol->name, group(pool), origin, NULL);
	return pool_run(host, NULL, err, TOOL_LV_SNAPSHOT, vol->name, room,
			group(pool), origin, NULL);
}

/* As a refresh would find it. */
static int describe_new(const struct pool_host *host,
			const struct pool_def *pool, struct vol_def *vol,
			struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct vol_def *found, old;
	struct lv lv;
	int r = find_lv(host, pool, vol->name, &text, &lv, err);

	if (r < 0)
		return r;
	found = vol_from(pool, &lv);
	old = *vol;
	*vol = *found;
	*found = old;
	vol_def_free(found);
	return 0;
}

static int vol_create(const struct pool_host *host,
		      const struct pool_def *pool, struct vol_def *vol,
		      struct error *err)
{
	_cleanup_free_ char *size = xasprintf("%" PRIu64, vol->capacity);
	int r;

	if (vol->has_backing)
		r = create_from(host, pool, vol, size, err);
	else
		r = pool_run(host, NULL, err, TOOL_LV_CREATE, vol->name, size,
			     group(pool), NULL);
	return r < 0 ? r : describe_new(host, pool, vol, err);
}

static int vol_remove(const struct pool_host *host,
		      const struct pool_def *pool, const struct vol_def *vol,
		      struct error *err)
{
	return pool_run(host, NULL, err, TOOL_LV_REMOVE, group(pool),
			vol->name, NULL);
}

static int vol_resize(const struct pool_host *host,
		      const struct pool_def *pool, const struct vol_def *vol,
		      uint64_t capacity, bool allocate, struct error *err)
{
	_cleanup_free_ char *size = xasprintf("%" PRIu64, capacity);

	return pool_run(host, NULL, err, TOOL_LV_RESIZE, size, group(pool),
			vol->name, NULL);
}

const struct pool_backend pool_logical = {
	.type = POOL_LOGICAL,
	.needs = TOOL_LV_LIST,
	.same_source = same_group,
	.is_active = is_active,
	.start = start,
	.stop = stop,
	.build = build,
	.destroy = destroy,
	.refresh = refresh,
	.find_sources = find_sources,
	.vol_create = vol_create,
	.vol_remove = vol_remove,
	.vol_resize = vol_resize,
};
