/*
 * vmm/dev/bochs.h -- the graphics card of Bochs on PCI.
 */
#ifndef VMM_DEV_BOCHS_H
#define VMM_DEV_BOCHS_H

struct machine;
struct spec_video;
struct error;

/* With the VGA's ports and window ("vga") or without ("bochs"). */
int bochs_create(struct machine *m, const struct spec_video *spec,
		 unsigned int index, struct error *err);

#endif
