/*
 * storage/pool/disk.c -- a disk whose partitions are the volumes.
 *
 * parted(8) with -m, in bytes: "NUMBER:START:END:SIZE:FS:NAME:FLAGS;" for each
 * partition and "1:START:END:SIZE:free;" for each gap, after a line for the
 * disk.
 */
#include <inttypes.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "storage/pool/pool.h"

static const char *device(const struct pool_def *def)
{
	return def->source.devices[0].path;
}

static bool same_device(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(device(a), device(b));
}

/* ---- what parted says ---- */

struct part {
	unsigned int number;
	uint64_t start, end, size;
	bool gap;
};

static uint64_t bytes_of(char **line)
{
	char *field = next_field(line, ':');

	if (!field)
		return 0;
	field[strcspn(field, "B")] = '\0';
	return number_of(field);
}

static bool parse_part(char *line, struct part *ret)
{
	const char *number = next_field(&line, ':');
	char *what;

	*ret = (struct part){ .number = number_of(number) };
	ret->start = bytes_of(&line);
	ret->end = bytes_of(&line);
	ret->size = bytes_of(&line);
	what = next_field(&line, ':');
	ret->gap = what && str_startswith(what, "free");
	return ret->number && ret->size;
}

/* Calls fn for every partition and gap; the disk's line tells its size. */
static int each_part(const struct pool_host *host, const struct pool_def *def,
		     bool (*fn)(void *arg, const struct part *part), void *arg,
		     uint64_t *ret_size, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_PARTED_PRINT, device(def),
			 NULL);
	char *rest = text, *line;
	struct part part;

	while (r == 0 && (line = next_line(&rest))) {
		if (*line == '/') {
			next_field(&line, ':');
			*ret_size = bytes_of(&line);
		} else if (parse_part(line, &part) && fn(arg, &part)) {
			break;
		}
	}
	return r;
}

/* ---- the disk ---- */

/* sda1, but nvme0n1p1, loop0p1 and what the pool says needs a separator. */
static char *part_name(const struct pool_def *def, unsigned int number)
{
	const char *disk = device(def), *base = strrchr(disk, '/');
	size_t len = strlen(disk);
	bool p = (disk[len - 1] >= '0' && disk[len - 1] <= '9') ||
		 str_eq(def->source.devices[0].part_separator, "yes");

	return xasprintf("%s%s%u", base ? base + 1 : disk, p ? "p" : "",
			 number);
}

static char *part_path(const struct pool_def *def, const char *name)
{
	const char *disk = device(def), *base = strrchr(disk, '/');

	return xasprintf("%.*s/%s", (int)(base ? base - disk : 0), disk, name);
}

struct scan {
	struct pool_def *def;
	struct vol_list *vols;
};

static bool add_part(void *arg, const struct part *part)
{
	struct scan *scan = arg;
	_cleanup_free_ char *name = NULL;
	struct vol_def *vol;

	if (part->gap) {
		scan->def->available += part->size;
		return false;
	}
	name = part_name(scan->def, part->number);
	vol = vol_block(name, part_path(scan->def, name), part->size);
	free(vol->target.format);
	vol->target.format = xstrdup("none");
	vol->n_extents = 1;
	vol->extents = xcalloc(1, sizeof(*vol->extents));
	*vol->extents = (struct vol_extent){ xstrdup(device(scan->def)),
					     part->start, part->end };
	vol_list_add(scan->vols, vol);
	return false;
}

static int refresh(const struct pool_host *host, struct pool_def *def,
		   struct vol_list *vols, struct error *err)
{
	struct scan scan = { def, vols };
	uint64_t size = 0;
	int r;

	def->available = 0;
	r = each_part(host, def, add_part, &scan, &size, err);
	def->capacity = size;
	def->allocation = size - MIN(def->available, size);
	return r;
}

static bool ignore(void *arg, const struct part *part)
{
	return false;
}

static int start(const struct pool_host *host, const struct pool_def *def,
		 struct error *err)
{
	uint64_t size;

	return each_part(host, def, ignore, NULL, &size, err);
}

static bool is_active(const struct pool_host *host,
		      const struct pool_def *def)
{
	return start(host, def, NULL) == 0;
}

/* libvirt's words for partition tables, in parted's. */
static const char *label_of(const struct pool_def *def)
{
	const char *format = def->source.format;

	return str_eq(format, "dos") || str_eq(format, "unknown") ? "msdos" :
								   format;
}

static int build(const struct pool_host *host, const struct pool_def *def,
		 unsigned int flags, struct error *err)
{
	if (!(flags & VIR_STORAGE_POOL_BUILD_OVERWRITE) &&
	    is_active(host, def))
		return error_virt(err, VIR_ERR_STORAGE_POOL_BUILT,
				  "device '%s' already has a partition table",
				  device(def));
	return pool_run(host, NULL, err, TOOL_PARTED_LABEL, device(def),
			label_of(def), NULL);
}

/* ---- volumes ---- */

enum { ALIGNMENT = 1024 * 1024 };

struct fit {
	uint64_t want, start;
	bool found;
	unsigned int number; /* of the partition that begins at start */
};

/* The first gap that is large enough, from a whole MiB on. */
static bool find_gap(void *arg, const struct part *part)
{
	struct fit *fit = arg;
	uint64_t start = ALIGN_UP(part->start, ALIGNMENT);

	if (!part->gap || start < part->start || start > part->end ||
	    part->end - start + 1 < fit->want)
		return false;
	fit->start = start;
	return fit->found = true;
}

static bool find_start(void *arg, const struct part *part)
{
	struct fit *fit = arg;

	if (part->gap || part->start != fit->start)
		return false;
	fit->number = part->number;
	return true;
}

static int add(const struct pool_host *host, const struct pool_def *pool,
	       const struct fit *fit, struct error *err)
{
	_cleanup_free_ char *from = xasprintf("%" PRIu64, fit->start);
	_cleanup_free_ char *to =
		xasprintf("%" PRIu64, fit->start + fit->want - 1);
	int r;

	if (str_eq(label_of(pool), "msdos"))
		r = pool_run(host, NULL, err, TOOL_PARTED_ADD_DOS,
			     device(pool), from, to, NULL);
	else /* other tables give partitions names */
		r = pool_run(host, NULL, err, TOOL_PARTED_ADD, device(pool),
			     "vireo", from, to, NULL);
	if (r == 0)
		pool_run(host, NULL, NULL, TOOL_SETTLE, NULL);
	return r;
}

/* A partition has the name that its number gives it. */
static int vol_create(const struct pool_host *host,
		      const struct pool_def *pool, struct vol_def *vol,
		      struct error *err)
{
	struct fit fit = { .want = ALIGN_UP(vol->capacity, ALIGNMENT) };
	uint64_t size;
	int r = each_part(host, pool, find_gap, &fit, &size, err);

	if (r < 0)
		return r;
	if (!fit.found)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "no large enough free extent on '%s'",
				  device(pool));
	r = add(host, pool, &fit, err);
	if (r == 0)
		r = each_part(host, pool, find_start, &fit, &size, err);
	if (r == 0 && !fit.number)
		r = error_virt(err, VIR_ERR_OPERATION_FAILED,
			       "the new partition of '%s' is not there",
			       device(pool));
	if (r < 0)
		return r;
	free(vol->name);
	vol->name = part_name(pool, fit.number);
	vol->type = VOL_BLOCK;
	vol->target.path = part_path(pool, vol->name);
	vol->key = xstrdup(vol->target.path);
	vol->capacity = vol->allocation = vol->physical = fit.want;
	return 0;
}

static int vol_remove(const struct pool_host *host,
		      const struct pool_def *pool, const struct vol_def *vol,
		      struct error *err)
{
	size_t len = strlen(vol->name);

	while (len && vol->name[len - 1] >= '0' && vol->name[len - 1] <= '9')
		len--;
	return pool_run(host, NULL, err, TOOL_PARTED_REMOVE, device(pool),
			vol->name + len, NULL);
}

const struct pool_backend pool_disk = {
	.type = POOL_DISK,
	.needs = TOOL_PARTED_PRINT,
	.same_source = same_device,
	.is_active = is_active,
	.start = start,
	.build = build,
	.refresh = refresh,
	.vol_create = vol_create,
	.vol_remove = vol_remove,
};
