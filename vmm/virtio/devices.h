/*
 * vmm/virtio/devices.h -- the machine's virtio devices, from outside.
 */
#ifndef VMM_VIRTIO_DEVICES_H
#define VMM_VIRTIO_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct spec_char;
struct spec_controller;
struct spec_disk;
struct spec_fs;
struct spec_input;
struct spec_memory;
struct spec_nic;
struct spec_place;
struct spec_video;
struct spec_rng;
struct spec_vsock;
struct vmm_spec;
struct error;

/*
 * Makes what the spec asks for and puts it on m->pci, which owns it: reset and
 * destroyed with the bus.  Descriptors stay the spec's.
 */
int virtio_add_devices(struct machine *m, const struct vmm_spec *spec,
		       struct error *err);

/* A network card of whatever model. */
int nic_add(struct machine *m, const struct spec_nic *spec,
	    struct error *err);

/* One queue a vCPU unless the spec says how many. */
unsigned int virtio_queue_count(const struct vmm_spec *spec,
				unsigned int queues);

/* One kind of device each; used by virtio_add_devices() and by tests. */
int virtio_input_add(struct machine *m, const struct spec_input *spec,
		     struct error *err);
int virtio_rng_add(struct machine *m, const struct spec_rng *spec,
		   struct error *err);
int virtio_mem_add(struct machine *m, const struct spec_memory *spec,
		   struct error *err);
int virtio_pmem_add(struct machine *m, const struct spec_memory *spec,
		    struct error *err);
int virtio_blk_add(struct machine *m, const struct spec_disk *spec,
		   unsigned int queues, struct error *err);
int virtio_scsi_add(struct machine *m, const struct spec_controller *spec,
		    const struct spec_disk *const *disks, unsigned int n,
		    struct error *err);
int virtio_net_add(struct machine *m, const struct spec_nic *spec,
		   struct error *err);
/* With the spec's consoles, and room for more. */
int virtio_console_add(struct machine *m, const struct vmm_spec *spec,
		       struct error *err);
/* index: among the graphics cards. */
int virtio_gpu_add(struct machine *m, const struct spec_video *spec,
		   unsigned int index, struct error *err);
/* What the description says of it; tests give another one. */
int virtio_balloon_add(struct machine *m, const struct vmm_spec *spec,
		       struct error *err);
int vhost_user_blk_add(struct machine *m, const struct spec_disk *spec,
		       unsigned int queues, struct error *err);
int vhost_user_net_add(struct machine *m, const struct spec_nic *spec,
		       struct error *err);
int vhost_user_fs_add(struct machine *m, const struct spec_fs *spec,
		      struct error *err);
int vhost_vsock_add(struct machine *m, const struct spec_vsock *spec,
		    struct error *err);
int virtio_vsock_add(struct machine *m, const struct spec_vsock *spec,
		     struct error *err);

#endif
