/*
 * vmm/virtio/devices.c -- the machine's virtio devices, from its spec.
 */
#include "vmm/virtio/devices.h"

#include "base/error.h"
#include "vmm/dev/e1000e.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

#define QUEUES_MAX 64u

unsigned int virtio_queue_count(const struct vmm_spec *spec,
				unsigned int queues)
{
	unsigned int vcpus = MAX(spec->max_vcpus, spec->vcpus);

	return MIN(queues ? queues : MAX(vcpus, 1u), QUEUES_MAX);
}

static int add_disks(struct machine *m, const struct vmm_spec *spec,
		     struct error *err)
{
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		const struct spec_disk *d = &spec->disks[i];
		int r;

		if (d->bus != SPEC_VIRTIO)
			continue;
		r = (d->vhost_user ? vhost_user_blk_add : virtio_blk_add)(
			m, d, virtio_queue_count(spec, d->queues), err);
		if (r < 0)
			return r;
	}
	return 0;
}

int nic_add(struct machine *m, const struct spec_nic *n, struct error *err)
{
	if (n->model == NIC_E1000E)
		return e1000e_add(m, n, err);
	return (n->vhost_user ? vhost_user_net_add : virtio_net_add)(m, n,
								     err);
}

static int add_nics(struct machine *m, const struct vmm_spec *spec,
		    struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_nics && r >= 0; i++)
		r = nic_add(m, &spec->nics[i], err);
	return r;
}

int virtio_add_devices(struct machine *m, const struct vmm_spec *spec,
		       struct error *err)
{
	int r = add_disks(m, spec, err);

	if (r >= 0)
		r = add_nics(m, spec, err);
	for (unsigned int i = 0; i < spec->n_filesystems && r >= 0; i++)
		r = vhost_user_fs_add(m, &spec->filesystems[i], err);
	if (r >= 0 && (spec->n_consoles || spec->console_ports))
		r = virtio_console_add(m, spec, err);
	if (r >= 0 && spec->balloon)
		r = virtio_balloon_add(m, spec, err);
	for (unsigned int i = 0; i < spec->n_rngs && r >= 0; i++)
		r = virtio_rng_add(m, &spec->rngs[i], err);
	for (unsigned int i = 0; i < spec->n_vsocks && r >= 0; i++)
		r = spec->vsocks[i].vhost_fd < 0 ?
			    virtio_vsock_add(m, &spec->vsocks[i], err) :
			    vhost_vsock_add(m, &spec->vsocks[i], err);
	for (unsigned int i = 0; i < spec->n_inputs && r >= 0; i++)
		if (spec->inputs[i].bus == INPUT_BUS_VIRTIO)
			r = virtio_input_add(m, &spec->inputs[i], err);
	for (unsigned int i = 0; i < spec->n_memories && r >= 0; i++)
		if (spec->memories[i].kind == MEMORY_VIRTIO)
			r = virtio_mem_add(m, &spec->memories[i], err);
		else if (spec->memories[i].kind == MEMORY_PERSISTENT)
			r = virtio_pmem_add(m, &spec->memories[i], err);
	return r;
}
