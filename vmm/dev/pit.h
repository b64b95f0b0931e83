/*
 * vmm/dev/pit.h -- the 8254 interval timer and port 0x61.
 */
#ifndef VMM_DEV_PIT_H
#define VMM_DEV_PIT_H

struct machine;

void pit_create(struct machine *m);

#endif
