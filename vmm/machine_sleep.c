/*
 * vmm/machine_sleep.c -- suspend to RAM, ACPI's S3 (ACPI 6.4, section 16.1.3).
 *
 * A guest that sleeps is a machine whose vCPUs do not run; whether it shall run
 * as seen from outside (want_run) is another matter.  Devices go on, so that
 * one may wake it.  Then all of them are reset but those that say otherwise,
 * and the boot processor starts where firmware does, or, without firmware,
 * where the guest said.
 */
#include "vmm/machine.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "vmm/dev/ioapic.h"
#include "vmm/loop.h"
#include "vmm/machine_priv.h"

bool machine_asleep(const struct machine *m)
{
	return atomic_load(&m->priv->asleep);
}

bool machine_waking(const struct machine *m)
{
	return m->priv->waking;
}

void machine_request_sleep(struct machine *m)
{
	struct machine_priv *p = m->priv;

	pthread_mutex_lock(&p->lock);
	p->wish_sleep = true;
	machine_halt_locked(m);
	loop_defer(m->loop, machine_act, m);
	pthread_mutex_unlock(&p->lock);
}

static void set_asleep(struct machine *m, bool asleep)
{
	struct machine_priv *p = m->priv;

	atomic_store(&p->asleep, asleep);
	if (p->listener->asleep)
		p->listener->asleep(p->listener_arg, asleep);
}

void machine_fall_asleep(struct machine *m)
{
	struct machine_priv *p = m->priv;

	if (p->gone)
		return;
	machine_halt(m);
	pthread_mutex_lock(&p->lock);
	p->wish_sleep = false;
	pthread_mutex_unlock(&p->lock);
	set_asleep(m, true);
}

void machine_note_awake(struct machine *m)
{
	if (machine_asleep(m))
		set_asleep(m, false);
}

static void wake_devices(struct machine *m)
{
	struct machine_priv *p = m->priv;

	p->waking = true;
	for (unsigned int i = 0; i < p->n_devices; i++) {
		const struct machine_device *d = &p->device[i];

		if (d->ops->wake)
			d->ops->wake(d->dev);
		else if (d->ops->reset)
			d->ops->reset(d->dev);
	}
	p->waking = false;
	ioapic_reset(m->ioapic);
}

/* What woke it twice wakes it once. */
static void wake(void *arg)
{
	struct machine *m = arg;
	struct error err = { 0 };

	if (!machine_asleep(m) || m->priv->gone)
		return;
	wake_devices(m);
	if (machine_load_woken(m, &err) < 0) {
		machine_gone(m, STOP_CRASH, err.message, false);
		return;
	}
	set_asleep(m, false);
	if (m->priv->want_run)
		machine_go(m);
}

/* Also while the guest is about to sleep: what it asked for comes first. */
void machine_request_wake(struct machine *m)
{
	pthread_mutex_lock(&m->priv->lock);
	if (machine_asleep(m) || m->priv->wish_sleep)
		loop_defer(m->loop, wake, m);
	pthread_mutex_unlock(&m->priv->lock);
}
