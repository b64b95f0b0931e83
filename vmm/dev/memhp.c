/*
 * vmm/dev/memhp.c -- memory modules that come and go while the guest runs: the
 * ports that the DSDT's methods use (ACPI 6.4, sections 5.6.6, 6.3 and 9.11.2).
 * Their layout is ours.
 *
 * A module comes at once, and the guest is told.  It goes when the guest has
 * let go of it and says so with _EJ0, or is reset while it is asked; what it
 * answers by _OST instead is passed on.  While the machine's memory is read for
 * a migration a module stays until that is over.
 */
#define LOG_MODULE "memory"
#include "vmm/dev/memhp.h"
#include "vmm/dev/slot_status.h"

#include <errno.h>
#include <pthread.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/memdev.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"

/* ACPI 6.4, section 6.3.5, tables 6.70 and 6.73. */
enum { OST_EJECT = 0x03, OST_EJECT_BY_OS = 0x103, OST_INSERT = 0x01,
       OST_SUCCESS = 0x00, OST_PENDING = 0x84 };

#define RETRY_NS 200000000ull

struct memhp {
	struct machine *m;
	unsigned int n;
	struct memdev *dev[MEMHP_SLOTS]; /* the main thread's */
	struct loop_timer *retry;
	pthread_mutex_t lock; /* the rest */
	uint32_t select, ost_event;
	uint8_t status[MEMHP_SLOTS];
	uint8_t awaits[MEMHP_SLOTS]; /* OST_INSERT, OST_EJECT: an answer to */
	struct memhp_place { /* of those that are there */
		uint64_t base, size;
		uint32_t node;
	} place[MEMHP_SLOTS];
};

static void notify_guest(struct memhp *hp)
{
	if (hp->m->q35)
		ich9_pm_gpe(hp->m->pm, ICH9_GPE_MEMORY);
	else
		acpi_pm_event(hp->m->acpi_pm, ACPI_PM_EVENT_MEMORY);
}

/* ---- what the guest sees ---- */

static uint32_t next_event(const struct memhp *hp)
{
	for (unsigned int i = 0; i < hp->n; i++)
		if (hp->status[i] & (SLOT_INSERTED | SLOT_REMOVE))
			return i;
	return UINT32_MAX;
}

static uint32_t half(uint64_t value, uint64_t offset, unsigned int at)
{
	return offset == at ? value : value >> 32;
}

static uint32_t read_selected(const struct memhp *hp, uint64_t offset)
{
	const struct memhp_place *p = &hp->place[hp->select];

	switch (offset) {
	case MEMHP_STATUS:
		return hp->status[hp->select] & ~SLOT_EJECT;
	case MEMHP_FIRST:
	case MEMHP_FIRST + 4:
		return half(p->base, offset, MEMHP_FIRST);
	case MEMHP_LAST:
	case MEMHP_LAST + 4:
		return half(p->base + p->size - 1, offset, MEMHP_LAST);
	case MEMHP_LENGTH:
	case MEMHP_LENGTH + 4:
		return half(p->size, offset, MEMHP_LENGTH);
	case MEMHP_NODE:
		return p->node;
	}
	return 0;
}

static uint64_t memhp_read(void *dev, uint64_t offset, unsigned int size)
{
	struct memhp *hp = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&hp->lock);
	if (offset == MEMHP_NEXT)
		value = next_event(hp);
	else if (hp->select < hp->n)
		value = read_selected(hp, offset);
	pthread_mutex_unlock(&hp->lock);
	return value;
}

/* ---- going ---- */

static void take_out(struct memhp *hp, unsigned int i)
{
	_cleanup_free_ char *id = xstrdup(memdev_spec(hp->dev[i])->id);

	memdev_destroy(hp->dev[i]);
	hp->dev[i] = NULL;
	pthread_mutex_lock(&hp->lock);
	hp->status[i] = 0;
	hp->place[i] = (struct memhp_place){ 0 };
	pthread_mutex_unlock(&hp->lock);
	machine_tell_memory(hp->m, id, MEMORY_GONE, 0);
}

/* Main thread: those that the guest gave back. */
static void eject(void *arg)
{
	struct memhp *hp = arg;

	for (unsigned int i = 0; i < hp->n; i++) {
		if (!(hp->status[i] & SLOT_EJECT) || !hp->dev[i])
			continue;
		if (ram_frozen(hp->m->ram)) {
			timer_arm(hp->retry, now_ns() + RETRY_NS);
			return;
		}
		take_out(hp, i);
	}
}

static void write_status(struct memhp *hp, uint8_t value)
{
	uint8_t *s = &hp->status[hp->select];

	if (value & SLOT_EJECT && *s & SLOT_ENABLED) {
		*s = SLOT_EJECT;
		hp->awaits[hp->select] = 0;
		machine_remap(hp->m, eject, hp);
		return;
	}
	*s &= ~(value & (SLOT_INSERTED | SLOT_REMOVE));
}

/*
 * Each is told once.  On the main thread, the module may be another one by
 * then, or none.
 */
struct answer {
	struct memhp *hp;
	unsigned int slot;
};

static void tell_kept(void *arg)
{
	struct answer *a = arg;
	struct memdev *d = a->hp->dev[a->slot];

	if (d)
		machine_tell_memory(a->hp->m, memdev_spec(d)->id, MEMORY_KEPT,
				    0);
	free(a);
}

static void write_ost(struct memhp *hp, uint32_t status)
{
	bool ejects = hp->ost_event == OST_EJECT ||
		      hp->ost_event == OST_EJECT_BY_OS;
	uint8_t *awaits = &hp->awaits[hp->select];
	struct answer *a;

	if (status == OST_PENDING || !*awaits ||
	    *awaits != (ejects ? OST_EJECT : hp->ost_event))
		return;
	*awaits = 0;
	if (status == OST_SUCCESS)
		return;
	if (!ejects) {
		log_warn("the guest does not take memory module %u (%u)",
			 hp->select, status);
		return;
	}
	hp->status[hp->select] &= ~SLOT_REMOVE;
	a = xmalloc(sizeof(*a));
	*a = (struct answer){ hp, hp->select };
	loop_defer(hp->m->loop, tell_kept, a);
}

static void memhp_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct memhp *hp = dev;

	pthread_mutex_lock(&hp->lock);
	if (offset == MEMHP_SELECT && size == 4)
		hp->select = value;
	else if (hp->select >= hp->n)
		; /* nothing is selected */
	else if (offset == MEMHP_STATUS)
		write_status(hp, value);
	else if (offset == MEMHP_OST_EVENT)
		hp->ost_event = value;
	else if (offset == MEMHP_OST_STATUS)
		write_ost(hp, value);
	pthread_mutex_unlock(&hp->lock);
}

static const struct bus_ops memhp_ops = { memhp_read, memhp_write };

/* ---- from outside: the main thread ---- */

static int choose_slot(const struct memhp *hp, const struct spec_memory *s,
		       struct error *err)
{
	if (s->slot < hp->n && !hp->dev[s->slot])
		return 0;
	if (s->slot < hp->n)
		return error_set(err, -EBUSY, "memory slot %u is taken",
				 s->slot);
	return error_set(err, -EINVAL,
			 "there is no memory slot %u: the machine has %u",
			 s->slot, hp->n);
}

static int plug(struct memhp *hp, const struct spec_memory *s, bool news,
		struct error *err)
{
	int r = choose_slot(hp, s, err);

	if (r == 0)
		r = memdev_create(hp->m, s, 0, &hp->dev[s->slot], err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&hp->lock);
	hp->place[s->slot] = (struct memhp_place){ s->base, s->size, s->node };
	hp->status[s->slot] = SLOT_ENABLED | (news ? SLOT_INSERTED : 0);
	hp->awaits[s->slot] = news ? OST_INSERT : 0;
	pthread_mutex_unlock(&hp->lock);
	if (news)
		notify_guest(hp);
	return 0;
}

int memhp_plug(struct memhp *hp, const struct spec_memory *s,
	       struct error *err)
{
	return plug(hp, s, true, err);
}

static bool guest_listens(const struct memhp *hp)
{
	return !hp->m->q35 || ich9_pm_gpe_on(hp->m->pm, ICH9_GPE_MEMORY);
}

int memhp_unplug(struct memhp *hp, const char *id, struct error *err)
{
	unsigned int i = 0;

	while (i < hp->n &&
	       (!hp->dev[i] || !str_eq(memdev_spec(hp->dev[i])->id, id)))
		i++;
	if (i == hp->n)
		return -ENOENT;
	if (!guest_listens(hp))
		return error_set(err, -EAGAIN,
				 "the guest does not listen: memory '%s' stays",
				 id);
	pthread_mutex_lock(&hp->lock);
	if (hp->status[i] & SLOT_ENABLED)
		hp->status[i] |= SLOT_REMOVE;
	hp->awaits[i] = OST_EJECT;
	pthread_mutex_unlock(&hp->lock);
	notify_guest(hp);
	return 0;
}

unsigned int memhp_slots(const struct memhp *hp)
{
	return hp->n;
}

uint64_t memhp_bytes(const struct memhp *hp)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < hp->n; i++)
		sum += hp->dev[i] ? memdev_spec(hp->dev[i])->size : 0;
	return sum;
}

/* ---- life ---- */

/* A guest that is reset while it is asked has let go. */
static void memhp_reset(void *dev)
{
	struct memhp *hp = dev;

	for (unsigned int i = 0; i < hp->n; i++) {
		pthread_mutex_lock(&hp->lock);
		if (hp->status[i] & SLOT_REMOVE)
			hp->status[i] = SLOT_EJECT;
		hp->status[i] &= SLOT_ENABLED | SLOT_EJECT;
		pthread_mutex_unlock(&hp->lock);
	}
	hp->select = hp->ost_event = 0;
	eject(hp);
}

/* What was asked of the guest before it slept is still asked. */
static void memhp_wake(void *dev)
{
}

static void memhp_destroy(void *dev)
{
	struct memhp *hp = dev;

	for (unsigned int i = 0; i < hp->n; i++)
		memdev_destroy(hp->dev[i]);
	timer_destroy(hp->retry);
	pthread_mutex_destroy(&hp->lock);
	free(hp);
}

static const struct state_field memhp_fields[] = {
	STATE(struct memhp, select),
	STATE(struct memhp, ost_event),
	STATE_RAW(struct memhp, status),
	STATE_END,
};

/* Modules are the description's, whatever the state says. */
static int memhp_loaded(void *dev, unsigned int version, struct error *err)
{
	struct memhp *hp = dev;

	for (unsigned int i = 0; i < MEMHP_SLOTS; i++) {
		bool gone = hp->status[i] & SLOT_EJECT;

		if (!(hp->dev[i] ? hp->status[i] & SLOT_ENABLED || gone :
				   !hp->status[i]))
			return error_set(err, -EINVAL,
					 "memory slot %u is not as it was", i);
	}
	return 0;
}

static void memhp_restored(void *dev)
{
	struct memhp *hp = dev;

	timer_arm(hp->retry, now_ns() + RETRY_NS);
}

static const struct state_type memhp_state = {
	.name = "memory-hotplug",
	.version = 1,
	.fields = memhp_fields,
	.loaded = memhp_loaded,
	.restored = memhp_restored,
};

static const struct machine_dev_ops memhp_dev_ops = {
	.name = "memory-hotplug",
	.reset = memhp_reset,
	.wake = memhp_wake,
	.destroy = memhp_destroy,
	.state = &memhp_state,
};

static int add_first(struct memhp *hp, struct error *err)
{
	const struct vmm_spec *s = hp->m->spec;
	int r = 0;

	for (unsigned int i = 0; i < s->n_memories && r == 0; i++)
		if (s->memories[i].kind == MEMORY_DIMM)
			r = plug(hp, &s->memories[i], false, err);
	return r;
}

int memhp_create(struct machine *m, struct error *err)
{
	struct memhp *hp;

	if (!m->spec->max_memory)
		return 0;
	hp = xcalloc(1, sizeof(*hp));
	hp->m = m;
	hp->n = MIN(m->spec->memory_slots, (unsigned int)MEMHP_SLOTS);
	pthread_mutex_init(&hp->lock, NULL);
	timer_create_on(m->loop, eject, hp, &hp->retry);
	bus_add(m->ports, MEMHP_PORT, MEMHP_SIZE, &memhp_ops, hp);
	machine_add_device(m, &memhp_dev_ops, hp);
	m->memhp = hp;
	return add_first(hp, err);
}
