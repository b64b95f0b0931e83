/*
 * vmm/virtio/devices.c -- the machine's virtio devices, from its spec.
 */
#include "vmm/virtio/devices.h"

#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

int virtio_add_devices(struct machine *m, const struct vmm_spec *spec,
		       struct error *err)
{
	int r = 0;

	if (r >= 0 && spec->rng)
		r = virtio_rng_add(m, spec->rng_fd, err);
	return r;
}
