/*
 * vmm/dev/hpet.h -- high precision event timers.
 */
#ifndef VMM_DEV_HPET_H
#define VMM_DEV_HPET_H

struct machine;

#define HPET_BASE 0xfed00000ull
enum { HPET_SIZE = 1024 };

/* The low half of its capabilities, which ACPI repeats. */
enum { HPET_TIMERS = 3,
       HPET_ID = 1 | (HPET_TIMERS - 1) << 8 | 1 << 13 };
#define HPET_ID_VENDOR (0x8086u << 16)

void hpet_create(struct machine *m);

#endif
