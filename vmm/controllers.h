/*
 * vmm/controllers.h -- which disks are on which controller.
 */
#ifndef VMM_CONTROLLERS_H
#define VMM_CONTROLLERS_H

struct machine;
struct spec_disk;
struct vmm_spec;
struct error;

/* Makes the spec's controllers with their disks; virtio's disks need none. */
int controllers_add(struct machine *m, const struct vmm_spec *spec,
		    struct error *err);

/* Whether there may be such a disk: only CD-ROM drives are without medium. */
int controllers_check_medium(const struct spec_disk *d, struct error *err);

#endif
