/*
 * vmm/dev/pvpanic.h -- the guest tells that it panicked.
 */
#ifndef VMM_DEV_PVPANIC_H
#define VMM_DEV_PVPANIC_H

struct machine;

enum { PVPANIC_PORT = 0x505 };

void pvpanic_create(struct machine *m);

#endif
