/*
 * vmm/dev/e1000e.h -- Intel's 82574L network controller, from outside.
 */
#ifndef VMM_DEV_E1000E_H
#define VMM_DEV_E1000E_H

struct machine;
struct spec_nic;
struct error;

/* On the spec's tap; descriptors stay the spec's. */
int e1000e_add(struct machine *m, const struct spec_nic *spec,
	       struct error *err);

#endif
