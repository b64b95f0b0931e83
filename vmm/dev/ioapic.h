/*
 * vmm/dev/ioapic.h -- the I/O APIC: lines in, messages out.
 */
#ifndef VMM_DEV_IOAPIC_H
#define VMM_DEV_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

struct ioapic;
struct machine;
struct state_set;

/* Claims IOAPIC_BASE on m->mmio; sends through m->engine. */
struct ioapic *ioapic_create(struct machine *m);
void ioapic_destroy(struct ioapic *io);
void ioapic_reset(struct ioapic *io);
void ioapic_add_state(struct ioapic *io, struct state_set *set);

/* Any thread. */
void ioapic_set(struct ioapic *io, unsigned int pin, bool level);

/* An engine saw the EOI of this vector; any thread. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);

#endif
