/*
 * vmm/dev/ich9_pm.h -- the ICH9's ACPI power management registers, and its
 * part in system management interrupts.
 */
#ifndef VMM_DEV_ICH9_PM_H
#define VMM_DEV_ICH9_PM_H

#include <stdbool.h>
#include <stdint.h>

struct ich9_pm;
struct machine;

/* Offsets from the base, for the FADT; the base is where firmware puts it. */
enum {
	ICH9_PM1_STATUS = 0x00,
	ICH9_PM1_CONTROL = 0x04,
	ICH9_PM_TIMER = 0x08,
	ICH9_GPE0 = 0x20,
	ICH9_GPE0_LEN = 16,
};
enum { ICH9_GPE_GENID = 5 }; /* which general purpose event is whose */
/* Sleep types: what switches off and what suspends to RAM; firmware knows
 * both. */
enum { ICH9_S5 = 0, ICH9_S3 = 1,
       ICH9_RESET_PORT = 0xcf9, ICH9_RESET_VALUE = 0x0f };

/* Hears the machine's power button. */
struct ich9_pm *ich9_pm_create(struct machine *m);

/* What the LPC bridge's registers say; base 0: nowhere. */
void ich9_pm_place(struct ich9_pm *pm, uint16_t base, bool smi_locked);
uint16_t ich9_pm_base(const struct ich9_pm *pm);

/* Whose handlers the DSDT has. */
enum { ICH9_GPE_CPUS = 2, ICH9_GPE_MEMORY = 3 };

/* A general purpose event, 0 to 63; any thread. */
void ich9_pm_gpe(struct ich9_pm *pm, unsigned int n);
/* The RTC's alarm, which wakes a guest that wants to be woken; any thread. */
void ich9_pm_alarm(struct ich9_pm *pm);
/* Does the guest listen to it? */
bool ich9_pm_gpe_on(struct ich9_pm *pm, unsigned int n);

#endif
