/*
 * storage/pool/fs.c -- pools that are mounted: a block device's file system
 * (fs), a server's folder (netfs).
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "storage/pool/pool.h"

static const char *device(const struct pool_def *def)
{
	return def->source.devices[0].path;
}

static bool mounted(const struct pool_host *host, const struct pool_def *def)
{
	return is_mounted(host, def->path);
}

/* ---- fs ---- */

static bool same_device(const struct pool_def *a, const struct pool_def *b)
{
	return str_eq(device(a), device(b)) || dir_same(a, b);
}

static int mount_device(const struct pool_host *host,
			const struct pool_def *def, struct error *err)
{
	if (mounted(host, def))
		return 0;
	if (str_eq(def->source.format, "auto"))
		return pool_run(host, NULL, err, TOOL_MOUNT, device(def),
				def->path, NULL);
	return pool_run(host, NULL, err, TOOL_MOUNT_TYPE, def->source.format,
			device(def), def->path, NULL);
}

/* blkid fails where it finds nothing: then there is nothing to lose. */
static int check_empty(const struct pool_host *host,
		       const struct pool_def *def, struct error *err)
{
	_cleanup_free_ char *type = NULL;

	if (pool_run(host, &type, NULL, TOOL_BLKID, device(def), NULL) < 0 ||
	    !*type)
		return 0;
	type[strcspn(type, "\n")] = '\0';
	return error_virt(err, VIR_ERR_STORAGE_POOL_BUILT,
			  "device '%s' already has a file system of type '%s'",
			  device(def), type);
}

static int make_fs(const struct pool_host *host, const struct pool_def *def,
		   struct error *err)
{
	const char *type = str_eq(def->source.format, "auto") ?
				   "ext4" : def->source.format;

	return pool_run(host, NULL, err, TOOL_MKFS, type, device(def), NULL);
}

/* The mount point is made always, the file system only when told to. */
static int build_fs(const struct pool_host *host, const struct pool_def *def,
		    unsigned int flags, struct error *err)
{
	int r = dir_make(host, def, err);

	if (r == 0 && (flags & VIR_STORAGE_POOL_BUILD_NO_OVERWRITE))
		r = check_empty(host, def, err);
	if (r < 0 || !(flags & (VIR_STORAGE_POOL_BUILD_OVERWRITE |
				VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)))
		return r;
	return make_fs(host, def, err);
}

const struct pool_backend pool_fs = {
	.type = POOL_FS,
	.needs = TOOL_MOUNT,
	.same_source = same_device,
	.is_active = mounted,
	.start = mount_device,
	.stop = unmount,
	.build = build_fs,
	.destroy = dir_destroy,
	.refresh = dir_refresh,
	.vol_create = dir_vol_create,
	.vol_remove = dir_vol_remove,
	.vol_resize = dir_vol_resize,
	.vol_refresh = dir_vol_refresh,
};

/* ---- netfs ---- */

static const char *server(const struct pool_def *def)
{
	return def->source.hosts[0].name;
}

static bool same_export(const struct pool_def *a, const struct pool_def *b)
{
	return (str_eq(server(a), server(b)) &&
		str_eq(a->source.dir, b->source.dir)) ||
	       dir_same(a, b);
}

static int mount_export(const struct pool_host *host,
			const struct pool_def *def, struct error *err)
{
	const struct pool_source *s = &def->source;

	if (mounted(host, def))
		return 0;
	if (str_eq(s->format, "cifs"))
		return pool_run(host, NULL, err, TOOL_MOUNT_CIFS, server(def),
				s->dir, def->path, NULL);
	if (str_eq(s->format, "glusterfs"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "pools of type netfs do not mount "
				  "'glusterfs'");
	if (s->protocol_ver)
		return pool_run(host, NULL, err, TOOL_MOUNT_NFS_VERS,
				s->protocol_ver, server(def), s->dir,
				def->path, NULL);
	return pool_run(host, NULL, err, TOOL_MOUNT_NFS, server(def), s->dir,
			def->path, NULL);
}

static int build_point(const struct pool_host *host,
		       const struct pool_def *def, unsigned int flags,
		       struct error *err)
{
	return dir_make(host, def, err);
}

/* showmount(8): a folder and who may mount it, a line each. */
static int find_exports(const struct pool_host *host,
			const struct pool_source *spec,
			struct source_list *list, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	int r;

	if (!spec->n_hosts)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "hostname must be specified for netfs "
				  "sources");
	r = pool_run(host, &text, err, TOOL_NFS_EXPORTS, spec->hosts[0].name,
		     NULL);
	rest = text;
	while (r == 0 && (line = next_line(&rest))) {
		struct pool_source *s = source_list_add(list);

		s->n_hosts = 1;
		s->hosts = xcalloc(1, sizeof(*s->hosts));
		s->hosts->name = xstrdup(spec->hosts[0].name);
		s->dir = xstrdup(next_field(&line, ' '));
		s->format = xstrdup("nfs");
	}
	return r;
}

const struct pool_backend pool_netfs = {
	.type = POOL_NETFS,
	.needs = TOOL_MOUNT,
	.same_source = same_export,
	.is_active = mounted,
	.start = mount_export,
	.stop = unmount,
	.build = build_point,
	.destroy = dir_destroy,
	.refresh = dir_refresh,
	.find_sources = find_exports,
	.vol_create = dir_vol_create,
	.vol_remove = dir_vol_remove,
	.vol_resize = dir_vol_resize,
	.vol_refresh = dir_vol_refresh,
};
