/*
 * vmm/dev/vmgenid.c -- the generation id (Microsoft, "Virtual Machine
 * Generation ID", 2012): 16 bytes that the guest can read, at an address that
 * ACPI tells it, and an ACPI event when they have become others: the guest was
 * restored, and what was to be unique might not be any more.
 *
 * The description says what the id is.  The saved state says what the guest
 * saw last, and so whether it must be told.
 */
#include "vmm/dev/vmgenid.h"

#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

struct vmgenid {
	struct machine *m;
	uint8_t id[VMGENID_SIZE]; /* constant */
	uint8_t seen[VMGENID_SIZE]; /* to be saved, or what was */
	bool changed; /* the guest must be told when it goes on */
};

static uint64_t vmgenid_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vmgenid *g = dev;
	uint64_t value = 0;

	memcpy(&value, g->id + offset, MIN(size, VMGENID_SIZE - offset));
	return value;
}

static void vmgenid_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
}

static const struct bus_ops vmgenid_ops = { vmgenid_read, vmgenid_write };

static void vmgenid_pause(void *dev, bool paused)
{
	struct vmgenid *g = dev;

	if (paused || !g->changed)
		return;
	g->changed = false;
	if (g->m->q35)
		ich9_pm_gpe(g->m->pm, ICH9_GPE_GENID);
	else
		acpi_pm_event(g->m->acpi_pm, ACPI_PM_EVENT_GENID);
}

static void vmgenid_destroy(void *dev)
{
	free(dev);
}

static const struct state_field vmgenid_fields[] = {
	STATE_RAW(struct vmgenid, seen),
	STATE_END,
};

static void vmgenid_saving(void *dev)
{
	struct vmgenid *g = dev;

	memcpy(g->seen, g->id, sizeof(g->seen));
}

static int vmgenid_loaded(void *dev, unsigned int version, struct error *err)
{
	struct vmgenid *g = dev;

	g->changed = memcmp(g->seen, g->id, sizeof(g->seen));
	return 0;
}

static const struct state_type vmgenid_state = {
	.name = "vmgenid",
	.version = 1,
	.fields = vmgenid_fields,
	.saving = vmgenid_saving,
	.loaded = vmgenid_loaded,
};

static const struct machine_dev_ops vmgenid_dev_ops = {
	.name = "vmgenid",
	.pause = vmgenid_pause,
	.destroy = vmgenid_destroy,
	.state = &vmgenid_state,
};

/* A UUID's text has its first three numbers big-endian, a GUID does not. */
static void to_guid(const uint8_t uuid[VMGENID_SIZE], uint8_t *guid)
{
	static const uint8_t from[VMGENID_SIZE] = { 3, 2, 1, 0, 5, 4, 7, 6,
						    8, 9, 10, 11, 12, 13, 14,
						    15 };

	for (unsigned int i = 0; i < VMGENID_SIZE; i++)
		guid[i] = uuid[from[i]];
}

void vmgenid_create(struct machine *m)
{
	struct vmgenid *g = xcalloc(1, sizeof(*g));

	g->m = m;
	to_guid(m->spec->genid, g->id);
	bus_add(m->mmio, VMGENID_BASE, VMGENID_SIZE, &vmgenid_ops, g);
	machine_add_device(m, &vmgenid_dev_ops, g);
}
