/*
 * vmm/dev/cpuhp.c -- vCPUs that come and go while the guest runs: the ports
 * that the DSDT's methods use (ACPI 6.4, sections 5.6.6, 6.1.1 and 6.3).  Their
 * layout is ours.
 *
 * All vCPUs that are possible exist from the start; those that the guest has
 * not been given wait for INIT with their local APIC switched off, so that not
 * even a broadcast reaches them.  A CPU that it gives back is put there again.
 * They are given out in their
 * order and asked back from the last on, so that a number says which there are.
 */
#include "vmm/dev/cpuhp.h"
#include "vmm/dev/slot_status.h"

#include <errno.h>
#include <pthread.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { CPUS_MAX = 255 };

struct cpuhp {
	struct machine *m;
	pthread_mutex_t lock;
	unsigned int n;
	uint32_t select;
	uint8_t status[CPUS_MAX];
};

static void notify_guest(struct cpuhp *c)
{
	if (c->m->q35)
		ich9_pm_gpe(c->m->pm, ICH9_GPE_CPUS);
	else
		acpi_pm_event(c->m->acpi_pm, ACPI_PM_EVENT_CPUS);
}

static uint32_t next_event(const struct cpuhp *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (c->status[i] & (SLOT_INSERTED | SLOT_REMOVE))
			return i;
	return UINT32_MAX;
}

static uint64_t cpuhp_read(void *dev, uint64_t offset, unsigned int size)
{
	struct cpuhp *c = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&c->lock);
	if (offset == CPUHP_NEXT)
		value = next_event(c);
	else if (offset == CPUHP_STATUS && c->select < c->n)
		value = c->status[c->select] & ~SLOT_EJECT;
	pthread_mutex_unlock(&c->lock);
	return value;
}

/* Main thread, vCPUs stopped: those that the guest gave back. */
static void eject(void *dev)
{
	struct cpuhp *c = dev;

	for (unsigned int i = 0; i < c->n; i++) {
		if (!(c->status[i] & SLOT_EJECT))
			continue;
		c->status[i] = 0;
		machine_park_vcpu(c->m, i, true);
	}
	machine_tell_vcpus(c->m);
}

/* Locked: the boot CPU stays. */
static void write_status(struct cpuhp *c, uint8_t value)
{
	uint8_t *s = &c->status[c->select];

	if (value & SLOT_EJECT && c->select && *s & SLOT_ENABLED) {
		*s = SLOT_EJECT;
		machine_remap(c->m, eject, c);
		return;
	}
	*s &= ~(value & (SLOT_INSERTED | SLOT_REMOVE));
}

static void cpuhp_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct cpuhp *c = dev;

	pthread_mutex_lock(&c->lock);
	if (offset == CPUHP_SELECT && size == 4)
		c->select = value;
	else if (offset == CPUHP_STATUS && c->select < c->n)
		write_status(c, value);
	pthread_mutex_unlock(&c->lock);
}

static const struct bus_ops cpuhp_ops = { cpuhp_read, cpuhp_write };

/* Locked, vCPUs stopped: true when the guest must look. */
static bool set_one(struct cpuhp *c, unsigned int i, bool there)
{
	uint8_t *s = &c->status[i], old = *s;

	if (there && *s & SLOT_ENABLED) {
		*s &= ~SLOT_REMOVE;
	} else if (there) {
		*s = SLOT_ENABLED | SLOT_INSERTED;
		machine_park_vcpu(c->m, i, false);
	} else if (*s & SLOT_ENABLED) {
		*s |= SLOT_REMOVE;
	}
	return *s & ~old;
}

int cpuhp_set(struct cpuhp *c, unsigned int n, struct error *err)
{
	bool news = false;

	if (!n || n > c->n)
		return error_set(err, -EINVAL,
				 "the machine has from 1 to %u vCPUs", c->n);
	machine_halt(c->m); /* whoever comes is changed, too */
	pthread_mutex_lock(&c->lock);
	for (unsigned int i = 0; i < c->n; i++)
		news |= set_one(c, i, i < n);
	pthread_mutex_unlock(&c->lock);
	if (!machine_paused(c->m))
		machine_go(c->m);
	if (news)
		notify_guest(c);
	return 0;
}

bool cpuhp_enabled(const struct cpuhp *c, unsigned int n)
{
	return c->status[n] & SLOT_ENABLED;
}

unsigned int cpuhp_count(const struct cpuhp *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n; i++)
		n += cpuhp_enabled(c, i);
	return n;
}

/* The tables that are made now say which there are. */
static void cpuhp_reset(void *dev)
{
	struct cpuhp *c = dev;

	pthread_mutex_lock(&c->lock);
	c->select = 0;
	for (unsigned int i = 0; i < c->n; i++) {
		if (c->status[i] & SLOT_REMOVE)
			c->status[i] = 0;
		c->status[i] &= SLOT_ENABLED;
	}
	pthread_mutex_unlock(&c->lock);
	machine_tell_vcpus(c->m);
}

/* What was asked of the guest before it slept is still asked. */
static void cpuhp_wake(void *dev)
{
}

static void cpuhp_destroy(void *dev)
{
	struct cpuhp *c = dev;

	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const struct state_field cpuhp_fields[] = {
	STATE(struct cpuhp, select),
	STATE_RAW(struct cpuhp, status),
	STATE_END,
};

static const struct state_type cpuhp_state = {
	.name = "cpu-hotplug",
	.version = 1,
	.may_lack = true,
	.fields = cpuhp_fields,
};

static const struct machine_dev_ops cpuhp_dev_ops = {
	.name = "cpu-hotplug",
	.reset = cpuhp_reset,
	.wake = cpuhp_wake,
	.destroy = cpuhp_destroy,
	.state = &cpuhp_state,
};

struct cpuhp *cpuhp_create(struct machine *m)
{
	struct cpuhp *c = xcalloc(1, sizeof(*c));

	c->m = m;
	c->n = MIN(machine_max_vcpus(m), (unsigned int)CPUS_MAX);
	for (unsigned int i = 0; i < m->spec->vcpus && i < c->n; i++)
		c->status[i] = SLOT_ENABLED;
	pthread_mutex_init(&c->lock, NULL);
	bus_add(m->ports, CPUHP_PORT, CPUHP_SIZE, &cpuhp_ops, c);
	machine_add_device(m, &cpuhp_dev_ops, c);
	return c;
}
