/*
 * vmm/machine_dirty.c -- which pages of guest memory were written, by the
 * guest (the engine's log, slot by slot) or by devices (vmm/ram.h).
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/machine_priv.h"
#include "vmm/memmap.h"
#include "vmm/ram.h"

enum { PAGE = 4096 };

/* Engines change slots only while no vCPU runs. */
int machine_log_dirty(struct machine *m, bool on)
{
	int r = m->engine->dirty_pages ? 0 : -ENOTSUP;

	if (r < 0)
		return r;
	machine_halt(m);
	ram_log(m->ram, on);
	r = memmap_log(m, on);
	if (m->priv->want_run)
		machine_go(m);
	return r;
}

/* Where the slot's memory is in the block; false: elsewhere. */
static bool slot_in_block(const struct ram_slot *slot,
			  const struct ram_block *block, uint64_t *ret_page)
{
	const uint8_t *host = slot->host;

	if (!host || !slot->log_dirty || host < block->host ||
	    host >= block->host + block->size)
		return false;
	*ret_page = (uint64_t)(host - block->host) / PAGE;
	return true;
}

static void add_bits(uint64_t *bitmap, uint64_t first, const uint64_t *fresh,
		     uint64_t pages)
{
	for (uint64_t n = 0; n < pages; n++) {
		if (n % 64 == 0 && !fresh[n / 64])
			n += 63;
		else if (fresh[n / 64] & BIT64(n % 64))
			bitmap[(first + n) / 64] |= BIT64((first + n) % 64);
	}
}

static int take_slot(struct machine *m, const struct ram_slot *slot,
		     uint64_t first, uint64_t *bitmap)
{
	uint64_t pages = slot->size / PAGE;
	_cleanup_free_ uint64_t *fresh =
		xcalloc(pages / 64 + 1, sizeof(*fresh));
	int r = m->engine->dirty_pages(m->vm, slot, fresh);

	if (r == 0)
		add_bits(bitmap, first, fresh, pages);
	return r;
}

int machine_take_dirty(struct machine *m, unsigned int block, uint64_t *bitmap)
{
	const struct ram_block *blocks;
	int r = 0;

	ram_blocks(m->ram, &blocks);
	for (unsigned int i = 0; i < MEMMAP_SLOTS && r == 0; i++) {
		const struct ram_slot *slot = &m->priv->memmap.slot[i];
		uint64_t first;

		if (slot_in_block(slot, &blocks[block], &first))
			r = take_slot(m, slot, first, bitmap);
	}
	ram_take_dirty(m->ram, block, bitmap);
	return r;
}
