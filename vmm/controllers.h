/*
 * vmm/controllers.h -- which disks are on which controller.
 */
#ifndef VMM_CONTROLLERS_H
#define VMM_CONTROLLERS_H

struct machine;
struct vmm_spec;
struct error;

/* Makes the spec's controllers with their disks; virtio's disks need none. */
int controllers_add(struct machine *m, const struct vmm_spec *spec,
		    struct error *err);

#endif
