/*
 * daemon/nvram.c -- the variables of domains' firmware: made at a domain's
 * first start (drivers/launch_firmware.c), gone when it is undefined, if that
 * is asked for.
 */
#include "daemon/nvram.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/registry.h"

static const char *nvram_path(const struct dom_obj *obj)
{
	const struct dom_os *os = &obj->config->os;

	if (!obj->reg->files)
		return NULL;
	return os->nvram_file ? os->nvram_file : os->nvram;
}

static bool exists(const struct save_files *files, const char *path)
{
	struct error err;
	int fd, r = files->open(path, true, &err, &fd);

	if (r >= 0)
		fd_close(fd);
	return r != -ENOENT;
}

int nvram_forget(struct dom_obj *obj, unsigned int flags, struct error *err)
{
	const char *path = nvram_path(obj);

	if (!path || (flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) ||
	    !exists(obj->reg->files, path))
		return 0;
	if (!(flags & VIR_DOMAIN_UNDEFINE_NVRAM))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot undefine domain with nvram");
	return obj->reg->files->remove(path, err);
}
