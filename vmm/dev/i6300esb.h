/*
 * vmm/dev/i6300esb.h -- the watchdog timer of Intel's 6300ESB.
 */
#ifndef VMM_DEV_I6300ESB_H
#define VMM_DEV_I6300ESB_H

struct machine;
struct error;

/* Onto m->pci, where the spec says; machine_watchdog() when it expires. */
int i6300esb_add(struct machine *m, struct error *err);

#endif
