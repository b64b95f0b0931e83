/*
 * vmm/memmap.c -- which memory the engine shows the guest, and where.
 */
#include "vmm/memmap.h"

#include <string.h>

#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"

static bool same(const struct ram_slot *a, const struct ram_slot *b)
{
	if (!a->host || !b->host)
		return a->host == b->host;
	return a->host == b->host && a->gpa == b->gpa && a->size == b->size &&
	       a->readonly == b->readonly && a->smm == b->smm &&
	       a->log_dirty == b->log_dirty && a->blocks == b->blocks;
}

/* A slot that goes takes its log along: what is in it is noted elsewhere. */
static void keep_log(struct machine *m, const struct ram_slot *slot)
{
	uint64_t pages = slot->size / 4096;
	_cleanup_free_ uint64_t *bits = NULL;

	if (!slot->log_dirty)
		return;
	bits = xcalloc(pages / 64 + 1, sizeof(*bits));
	if (m->engine->dirty_pages(m->vm, slot, bits) < 0)
		memset(bits, 0xff, (pages / 64 + 1) * sizeof(*bits));
	for (uint64_t n = 0; n < pages; n++) {
		if (bits[n / 64] & BIT64(n % 64))
			ram_mark(m->ram, (uint8_t *)slot->host + n * 4096, 1);
	}
}

int memmap_log(struct machine *m, bool on)
{
	int r = 0;

	m->priv->memmap.log = on;
	for (unsigned int i = 0; i < MEMMAP_SLOTS && r == 0; i++) {
		struct ram_slot *slot = &m->priv->memmap.slot[i];

		if (!slot->host || slot->readonly)
			continue;
		slot->log_dirty = on;
		r = m->engine->set_ram(m->vm, slot);
	}
	return r;
}

static int refused(struct machine *m, int r, struct error *err)
{
	return error_set(err, r,
			 "the %s engine refuses the guest's memory: %m",
			 m->engine->name);
}

int memmap_update(struct machine *m, unsigned int slot, struct error *err)
{
	int r = m->engine->set_ram(m->vm, &m->priv->memmap.slot[slot]);

	return r < 0 ? refused(m, r, err) : 0;
}

/* An engine need not move a slot: it is taken away first. */
int memmap_set(struct machine *m, const struct ram_slot *slot,
	       struct error *err)
{
	struct ram_slot *now = &m->priv->memmap.slot[slot->slot];
	struct ram_slot wanted = *slot, *want = &wanted;
	int r = 0;

	want->log_dirty = m->priv->memmap.log && slot->host && !slot->readonly;
	if (same(now, want))
		return 0;
	if (now->host) {
		keep_log(m, now);
		now->host = NULL;
		r = m->engine->set_ram(m->vm, now);
	}
	if (r == 0 && want->host)
		r = m->engine->set_ram(m->vm, want);
	if (r < 0)
		return refused(m, r, err);
	*now = *want;
	return 0;
}
