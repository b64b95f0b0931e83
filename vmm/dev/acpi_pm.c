/*
 * vmm/dev/acpi_pm.c -- sleep control and reset of hardware-reduced ACPI (ACPI
 * 6.4, sections 4.8.3.7 and 4.8.3.6) and the event selector behind our
 * generic event device (5.6.9; the selector's layout is ours, the DSDT
 * explains it to the guest).
 */
#include "vmm/dev/acpi_pm.h"

#include <pthread.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* 4.8.3.7: sleep control register. */
enum { SLP_TYP_SHIFT = 2, SLP_TYP_MASK = 7, SLP_EN = 1 << 5 };
enum { PM_SIZE = 8 };

struct acpi_pm {
	struct machine *m;
	pthread_mutex_t lock;
	uint32_t events;
};

void acpi_pm_event(struct acpi_pm *pm, uint32_t event)
{
	pthread_mutex_lock(&pm->lock);
	pm->events |= event;
	machine_irq(pm->m, GSI_GED, false);
	machine_irq(pm->m, GSI_GED, true);
	pthread_mutex_unlock(&pm->lock);
}

static void acpi_pm_power_button(void *dev)
{
	acpi_pm_event(dev, ACPI_PM_EVENT_POWER);
}

static uint32_t acpi_pm_take_events(struct acpi_pm *pm)
{
	uint32_t events;

	pthread_mutex_lock(&pm->lock);
	events = pm->events;
	pm->events = 0;
	machine_irq(pm->m, GSI_GED, false);
	pthread_mutex_unlock(&pm->lock);
	if (events & ACPI_PM_EVENT_POWER)
		machine_tell_shutdown(pm->m);
	return events;
}

static uint64_t acpi_pm_read(void *dev, uint64_t offset, unsigned int size)
{
	if (offset + ACPI_PM_SLEEP_CONTROL == ACPI_PM_EVENTS)
		return acpi_pm_take_events(dev);
	return 0;
}

static void acpi_pm_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
	struct acpi_pm *pm = dev;

	switch (offset + ACPI_PM_SLEEP_CONTROL) {
	case ACPI_PM_SLEEP_CONTROL:
		if ((value & SLP_EN) &&
		    (value >> SLP_TYP_SHIFT & SLP_TYP_MASK) == ACPI_PM_S5)
			machine_request_stop(pm->m, STOP_POWEROFF, NULL);
		break;
	case ACPI_PM_RESET:
		if ((value & 0xff) == ACPI_PM_RESET_VALUE)
			machine_request_reset(pm->m);
		break;
	}
}

static const struct bus_ops acpi_pm_ops = {
	.read = acpi_pm_read,
	.write = acpi_pm_write,
};

static void acpi_pm_reset(void *dev)
{
	struct acpi_pm *pm = dev;

	pm->events = 0;
	machine_irq(pm->m, GSI_GED, false);
}

static void acpi_pm_destroy(void *dev)
{
	struct acpi_pm *pm = dev;

	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

static const struct state_field acpi_pm_fields[] = {
	STATE(struct acpi_pm, events),
	STATE_END,
};

static const struct state_type acpi_pm_state = {
	.name = "acpi-pm",
	.version = 1,
	.fields = acpi_pm_fields,
};

static const struct machine_dev_ops acpi_pm_dev_ops = {
	.name = "acpi-pm",
	.reset = acpi_pm_reset,
	.destroy = acpi_pm_destroy,
	.state = &acpi_pm_state,
};

struct acpi_pm *acpi_pm_create(struct machine *m)
{
	struct acpi_pm *pm = xcalloc(1, sizeof(*pm));

	pm->m = m;
	pthread_mutex_init(&pm->lock, NULL);
	bus_add(m->ports, ACPI_PM_SLEEP_CONTROL, PM_SIZE, &acpi_pm_ops, pm);
	machine_add_device(m, &acpi_pm_dev_ops, pm);
	machine_set_power_button(m, acpi_pm_power_button, pm);
	return pm;
}
