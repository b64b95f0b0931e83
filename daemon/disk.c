/*
 * daemon/disk.c -- changing a disk of a domain: so far the medium of a
 * CD-ROM drive, of its definition and of the one that runs.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/definition.h"
#include "daemon/registry.h"

static struct dom_disk *find_drive(struct domain_def *def, const char *target)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, target))
			return &def->disks[i];
	return NULL;
}

static int check_drive(const struct dom_disk *drive,
		       const struct dom_disk *want, struct error *err)
{
	if (!drive)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "disk '%s' not found", want->target_dev);
	if (drive->device != DISK_DEV_CDROM || want->device != DISK_DEV_CDROM)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "only the medium of a CD-ROM drive can be changed, not disk '%s'",
				  want->target_dev);
	return 0;
}

static void set_medium(struct dom_disk *drive, const struct dom_disk *want)
{
	free(drive->source);
	drive->source = xstrdup(want->source);
	drive->type = want->type;
}

/* The driver gets the drive as it will be; then that is how it is. */
static int change_live(struct dom_obj *obj, const struct dom_disk *want,
		       bool force, struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->d.live);
	struct dom_disk *drive = find_drive(next, want->target_dev);
	int r = check_drive(drive, want, err);

	if (r == 0) {
		set_medium(drive, want);
		r = driver_call(obj, err, change_medium, drive, force);
	}
	domain_def_free(next);
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	set_medium(find_drive(obj->d.live, want->target_dev), want);
	pthread_mutex_unlock(&obj->reg->lock);
	return run_record(obj, err);
}

static int change_config(struct dom_obj *obj, const struct dom_disk *want,
			 struct error *err)
{
	struct domain_def *next = domain_def_copy(obj->config);
	struct dom_disk *drive = find_drive(next, want->target_dev);
	int r = check_drive(drive, want, err);

	if (r == 0) {
		set_medium(drive, want);
		r = config_replace(obj, next, err);
	}
	if (r < 0)
		domain_def_free(next);
	return r;
}

static int change(struct dom_obj *obj, const struct dom_disk *want,
		  unsigned int flags, struct error *err)
{
	int r = config_impact(obj, &flags, err);

	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = change_live(obj, want,
				flags & VIR_DOMAIN_DEVICE_MODIFY_FORCE, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = change_config(obj, want, err);
	return r;
}

int domain_update_disk(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *xml, unsigned int flags,
		       struct error *err)
{
	struct dom_disk want = { 0 };
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
				    VIR_DOMAIN_DEVICE_MODIFY_FORCE,
			    __func__, err);

	if (r == 0)
		r = disk_def_parse(xml, &want, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "update-device", &obj, err);
	if (r == 0) {
		r = change(obj, &want, flags, err);
		obj_end(obj);
	}
	disk_def_finish(&want);
	return r;
}
