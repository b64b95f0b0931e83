/*
 * vmm/dev/i8042.h -- the PC's keyboard controller, with a keyboard and a
 * mouse.
 */
#ifndef VMM_DEV_I8042_H
#define VMM_DEV_I8042_H

struct machine;

enum { I8042_DATA = 0x60, I8042_COMMAND = 0x64, I8042_GSI_KBD = 1,
       I8042_GSI_AUX = 12 };

/* Ports 0x60 and 0x64, IRQs 1 and 12; registers with m->input. */
void i8042_create(struct machine *m);

#endif
