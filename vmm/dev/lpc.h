/*
 * vmm/dev/lpc.h -- the ICH9's LPC bridge: interrupt routing and where the
 * power management ports are.
 */
#ifndef VMM_DEV_LPC_H
#define VMM_DEV_LPC_H

struct error;
struct machine;

/* Function 1f.0 of m->pci, which owns it; also makes the PM block. */
int lpc_create(struct machine *m, struct error *err);

/* The I/O APIC's pin for a slot of bus 0 and a pin from 0, for the tables. */
unsigned int lpc_gsi(unsigned int slot, unsigned int pin);

#endif
