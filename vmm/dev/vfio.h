/*
 * vmm/dev/vfio.h -- PCI functions of the host's in the guest's hands, by the
 * kernel's VFIO (Documentation/driver-api/vfio.rst, linux/vfio.h).
 */
#ifndef VMM_DEV_VFIO_H
#define VMM_DEV_VFIO_H

struct machine;
struct spec_hostdev;
struct error;

/*
 * Main thread.  From the first device on all of guest memory is pinned: the
 * device reads and writes it whenever it likes.
 */
int vfio_add(struct machine *m, const struct spec_hostdev *spec,
	     struct error *err);

#endif
