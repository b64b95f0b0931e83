/*
 * vmm/controllers.c -- which disks are on which controller.
 */
#include "vmm/controllers.h"

#include <errno.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/dev/ahci.h"
#include "vmm/dev/nvme.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"

typedef int add_fn(struct machine *m, const struct spec_controller *spec,
		   const struct spec_disk *const *disks, unsigned int n,
		   struct error *err);

static int add_scsi(struct machine *m, const struct spec_controller *spec,
		    const struct spec_disk *const *disks, unsigned int n,
		    struct error *err)
{
	struct spec_controller c = *spec;

	c.queues = virtio_queue_count(m->spec, spec->queues);
	return virtio_scsi_add(m, &c, disks, n, err);
}

static int add_nvme(struct machine *m, const struct spec_controller *spec,
		    const struct spec_disk *const *disks, unsigned int n,
		    struct error *err)
{
	struct spec_controller c = *spec;

	c.queues = virtio_queue_count(m->spec, spec->queues);
	return nvme_add(m, &c, disks, n, err);
}

static add_fn *const kinds[] = {
	[SPEC_SATA] = ahci_add,
	[SPEC_SCSI] = add_scsi,
	[SPEC_NVME] = add_nvme,
};

static bool is_on(const struct spec_disk *d, const struct spec_controller *c)
{
	return d->bus == c->bus && d->controller == c->index;
}

static int add_one(struct machine *m, const struct vmm_spec *spec,
		   const struct spec_controller *c, struct error *err)
{
	_cleanup_free_ const struct spec_disk **disks =
		xcalloc(spec->n_disks + 1, sizeof(*disks));
	unsigned int n = 0;

	if (c->bus >= ARRAY_SIZE(kinds) || !kinds[c->bus])
		return error_set(err, -EINVAL,
				 "controller '%s': there is no such kind",
				 c->id);
	for (unsigned int i = 0; i < spec->n_disks; i++)
		if (is_on(&spec->disks[i], c))
			disks[n++] = &spec->disks[i];
	return kinds[c->bus](m, c, disks, n, err);
}

int controllers_check_medium(const struct spec_disk *d, struct error *err)
{
	bool cd_bus = d->bus == SPEC_SATA || d->bus == SPEC_SCSI ||
		      d->bus == SPEC_USB;

	if (d->kind == SPEC_CDROM ? !cd_bus : d->fd < 0)
		return error_set(err, -EINVAL,
				 "disk '%s': only a CD-ROM drive has no medium, and is on SATA, SCSI or USB",
				 d->id);
	if (d->kind == SPEC_LUN && d->bus != SPEC_SCSI)
		return error_set(err, -EINVAL,
				 "disk '%s': commands are passed to a host's unit from a SCSI controller only",
				 d->id);
	return 0;
}

static int check_disk(const struct vmm_spec *spec, const struct spec_disk *d,
		      struct error *err)
{
	unsigned int n = 0;
	int r = controllers_check_medium(d, err);

	if (r < 0)
		return r;
	if (d->bus == SPEC_USB)
		return 0; /* there is one USB controller, and devices.c's */
	for (unsigned int i = 0; i < spec->n_controllers; i++)
		n += is_on(d, &spec->controllers[i]);
	if (d->bus == SPEC_VIRTIO || n == 1)
		return 0;
	return error_set(err, -EINVAL,
			 "disk '%s': there is not one controller of its kind and number but %u",
			 d->id, n);
}

int controllers_add(struct machine *m, const struct vmm_spec *spec,
		    struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_disks && r >= 0; i++)
		r = check_disk(spec, &spec->disks[i], err);
	for (unsigned int i = 0; i < spec->n_controllers && r >= 0; i++)
		r = add_one(m, spec, &spec->controllers[i], err);
	return r;
}
