/*
 * storage/pool/scsi.c -- block devices that are found, not made: the logical
 * units of a SCSI host or of an iSCSI target, and multipath devices.
 *
 * lsblk(8) with -r: "NAME TYPE SIZE HCTL WWN SERIAL", a blank for what is
 * unknown, and a device once for each of those below it.
 */
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "storage/pool/pool.h"

struct block {
	const char *path, *type, *hctl;
	uint64_t size;
};

static bool parse_block(char *line, struct block *ret)
{
	ret->path = next_field(&line, ' ');
	ret->type = line ? next_field(&line, ' ') : NULL;
	ret->size = line ? number_of(next_field(&line, ' ')) : 0;
	ret->hctl = line ? next_field(&line, ' ') : "";
	return ret->type && *ret->path == '/';
}

/* Of "H:C:T:L": the host, the channel, ... */
static bool parse_hctl(const char *text, unsigned int ret[4])
{
	int end = 0;

	return sscanf(text, "%u:%u:%u:%u%n", &ret[0], &ret[1], &ret[2],
		      &ret[3], &end) == 4 && !text[end];
}

typedef struct vol_def *take_fn(const struct pool_def *def, const void *arg,
				const struct block *block);

static int scan(const struct pool_host *host, struct pool_def *def,
		struct vol_list *vols, take_fn *take, const void *arg,
		struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = pool_run(host, &text, err, TOOL_BLOCKS, NULL);
	char *rest = text, *line;
	struct block block;

	def->capacity = def->allocation = def->available = 0;
	while (r == 0 && (line = next_line(&rest))) {
		struct vol_def *vol =
			parse_block(line, &block) ? take(def, arg, &block) :
						    NULL;

		if (vol && vol_list_find(vols, vol->name)) {
			vol_def_free(vol);
		} else if (vol) {
			def->capacity += vol->capacity;
			vol_list_add(vols, vol);
		}
	}
	def->allocation = def->capacity;
	return r;
}

/* ---- scsi ---- */

/* "host3", "scsi_host3" or "3". */
static int host_number(const struct pool_def *def, unsigned int *ret_number,
		       struct error *err)
{
	const char *name = def->source.adapter.name;
	uint64_t n;

	if (!name)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "pools of an adapter that has no name, as "
				  "those of type 'fc_host', are not there yet");
	if (str_startswith(name, "scsi_"))
		name += strlen("scsi_");
	if (str_startswith(name, "host"))
		name += strlen("host");
	if (parse_u64(name, 10, UINT32_MAX, &n) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "'%s' is not the name of a SCSI host",
				  def->source.adapter.name);
	*ret_number = n;
	return 0;
}

static struct vol_def *take_unit(const struct pool_def *def, const void *arg,
				 const struct block *block)
{
	_cleanup_free_ char *name = NULL;
	unsigned int hctl[4];

	if (!str_eq(block->type, "disk") || !parse_hctl(block->hctl, hctl) ||
	    hctl[0] != *(const unsigned int *)arg)
		return NULL;
	name = xasprintf("unit:%u:%u:%u", hctl[1], hctl[2], hctl[3]);
	return vol_block(name, xstrdup(block->path), block->size);
}

static int refresh_host(const struct pool_host *host, struct pool_def *def,
			struct vol_list *vols, struct error *err)
{
	unsigned int number;
	int r = host_number(def, &number, err);

	return r < 0 ? r : scan(host, def, vols, take_unit, &number, err);
}

static bool same_adapter(const struct pool_def *a, const struct pool_def *b)
{
	unsigned int x, y;

	return host_number(a, &x, NULL) == 0 && host_number(b, &y, NULL) == 0 &&
	       x == y;
}

static int start_host(const struct pool_host *host, const struct pool_def *def,
		      struct error *err)
{
	unsigned int number;

	return host_number(def, &number, err);
}

const struct pool_backend pool_scsi = {
	.type = POOL_SCSI,
	.needs = TOOL_BLOCKS,
	.same_source = same_adapter,
	.start = start_host,
	.refresh = refresh_host,
};

/* ---- mpath ---- */

static struct vol_def *take_mpath(const struct pool_def *def, const void *arg,
				  const struct block *block)
{
	const char *base = strrchr(block->path, '/');

	if (!str_eq(block->type, "mpath"))
		return NULL;
	return vol_block(base + 1, xstrdup(block->path), block->size);
}

static int refresh_mpath(const struct pool_host *host, struct pool_def *def,
			 struct vol_list *vols, struct error *err)
{
	return scan(host, def, vols, take_mpath, NULL, err);
}

static bool one_of_all(const struct pool_def *a, const struct pool_def *b)
{
	return true;
}

const struct pool_backend pool_mpath = {
	.type = POOL_MPATH,
	.needs = TOOL_BLOCKS,
	.same_source = one_of_all,
	.refresh = refresh_mpath,
};
