/*
 * vmm/dev/testdev.h -- the device that kvm-unit-tests expects.
 */
#ifndef VMM_DEV_TESTDEV_H
#define VMM_DEV_TESTDEV_H

struct machine;

void testdev_create(struct machine *m);

#endif
