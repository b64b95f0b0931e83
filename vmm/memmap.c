/*
 * vmm/memmap.c -- which memory the engine shows the guest, and where.
 */
#include "vmm/memmap.h"

#include <string.h>

#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"

static bool same(const struct ram_slot *a, const struct ram_slot *b)
{
	if (!a->host || !b->host)
		return a->host == b->host;
	return a->host == b->host && a->gpa == b->gpa && a->size == b->size &&
	       a->readonly == b->readonly && a->smm == b->smm &&
	       a->log_dirty == b->log_dirty;
}

/* An engine need not move a slot: it is taken away first. */
int memmap_set(struct machine *m, const struct ram_slot *want,
	       struct error *err)
{
	struct ram_slot *now = &m->priv->memmap.slot[want->slot];
	int r = 0;

	if (same(now, want))
		return 0;
	if (now->host) {
		now->host = NULL;
		r = m->engine->set_ram(m->vm, now);
	}
	if (r == 0 && want->host)
		r = m->engine->set_ram(m->vm, want);
	if (r < 0)
		return error_set(err, r,
				 "the %s engine refuses the guest's "
				 "memory: %m", m->engine->name);
	*now = *want;
	return 0;
}
