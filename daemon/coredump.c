/*
 * daemon/coredump.c -- a guest's memory as a file for debuggers.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/registry.h"

enum {
	AFTER = VIR_DUMP_CRASH | VIR_DUMP_RESET,
	FLAGS = AFTER | VIR_DUMP_LIVE | VIR_DUMP_BYPASS_CACHE |
		VIR_DUMP_MEMORY_ONLY,
};

static int check(unsigned int format, unsigned int flags, struct error *err)
{
	int r = check_flags(flags, FLAGS, __func__, err);

	if (r < 0)
		return r;
	if ((flags & AFTER) == AFTER ||
	    (flags & VIR_DUMP_LIVE && flags & VIR_DUMP_CRASH))
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "what becomes of the domain after the dump is "
				  "one of crash, live and reset");
	if (format != VIR_DOMAIN_CORE_DUMP_FORMAT_RAW)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s",
				  "core dumps are ELF files: compressed formats "
				  "are not supported");
	if (!(flags & VIR_DUMP_MEMORY_ONLY))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s",
				  "dumps have memory only: the flag "
				  "VIR_DUMP_MEMORY_ONLY is needed");
	return 0;
}

static int write_dump(struct dom_obj *obj, int fd, bool live,
		      struct error *err)
{
	int r;

	async_begin(obj, VIR_DOMAIN_JOB_OPERATION_DUMP);
	r = driver_call(obj, err, dump, fd, live);
	async_end(obj, r == 0);
	if (r == -ECANCELED)
		return error_virt(err, VIR_ERR_OPERATION_ABORTED, "%s",
				  "domain core dump job: canceled by client");
	if (r == 0 && fdatasync(fd) < 0)
		return error_set(err, -errno, "cannot write the dump: %m");
	return r;
}

static int dump_to(struct dom_obj *obj, const char *path, bool live,
		   struct error *err)
{
	const struct save_files *files = obj->reg->files;
	_cleanup_close_ int fd = -1;
	struct error ignored;
	int r;

	if (!files)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s",
				  "there is no place for files here");
	r = files->begin(path, err, &fd);
	if (r < 0)
		return r;
	r = write_dump(obj, fd, live, err);
	if (r == 0)
		return files->end(path, true, err);
	files->end(path, false, &ignored);
	return r;
}

static int after(struct dom_obj *obj, unsigned int flags, struct error *err)
{
	if (flags & VIR_DUMP_RESET)
		return driver_call(obj, err, reset);
	if (!(flags & VIR_DUMP_CRASH))
		return 0;
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_CRASHED,
		    VIR_DOMAIN_EVENT_STOPPED_CRASHED);
	return 0;
}

int domain_core_dump(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *path, unsigned int format, unsigned int flags,
		     struct error *err)
{
	struct dom_obj *obj;
	int r = check(format, flags, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "dump", &obj, err);
	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = dump_to(obj, path, flags & VIR_DUMP_LIVE, err);
	if (r == 0)
		r = after(obj, flags, err);
	obj_unclaim(obj);
	return r;
}
