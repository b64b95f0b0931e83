/*
 * vmm/dev/acpi_pm.h -- sleep, reset and the generic event device.
 */
#ifndef VMM_DEV_ACPI_PM_H
#define VMM_DEV_ACPI_PM_H

#include <stdint.h>

struct acpi_pm;
struct machine;

/* I/O ports, told to the guest in the FADT and the DSDT. */
enum {
	ACPI_PM_SLEEP_CONTROL = 0x600,
	ACPI_PM_SLEEP_STATUS = 0x601,
	ACPI_PM_RESET = 0x602,
	ACPI_PM_EVENTS = 0x604, /* 32 bits, reading clears */
};
enum { ACPI_PM_RESET_VALUE = 1, ACPI_PM_S5 = 5, ACPI_PM_EVENT_POWER = 1,
       ACPI_PM_EVENT_GENID = 2, ACPI_PM_EVENT_CPUS = 4,
       ACPI_PM_EVENT_MEMORY = 8 };

/* Hears the machine's power button. */
struct acpi_pm *acpi_pm_create(struct machine *m);
/* Any thread: the guest is told. */
void acpi_pm_event(struct acpi_pm *pm, uint32_t event);

#endif
