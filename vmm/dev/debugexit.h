/*
 * vmm/dev/debugexit.h -- a port for test guests: writing ends the run.
 */
#ifndef VMM_DEV_DEBUGEXIT_H
#define VMM_DEV_DEBUGEXIT_H

struct machine;

enum { DEBUGEXIT_PORT = 0xf4 };

/* The written value goes to machine_debug_exit(). */
void debugexit_create(struct machine *m);

#endif
