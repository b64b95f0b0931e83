/*
 * vmm/memdev.c -- a memory device's memory.
 */
#include "vmm/memdev.h"

#include <errno.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/memmap.h"
#include "vmm/numa.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

static_assert((int)SPEC_MEMORIES_MAX == (int)RAM_PIECES_MAX, "what is said");

struct memdev {
	struct machine *m;
	const struct spec_memory *spec;
	struct ram_piece *piece;
	unsigned int slot; /* of the engine's map */
};

int memdev_reserve(struct machine *m, struct error *err)
{
	const struct vmm_spec *s = m->spec;

	if (!s->max_memory)
		return 0;
	if (s->max_memory < s->memory)
		return error_set(err, -EINVAL,
				 "the machine's memory is more than it may ever have");
	return ram_reserve(m->ram, vmm_spec_hot_base(s), vmm_spec_hot_size(s),
			   err);
}

static int free_slot(const struct machine *m, unsigned int *ret_slot)
{
	for (unsigned int i = MEMMAP_PIECE0; i < MEMMAP_HOSTDEVS; i++) {
		if (m->priv->memmap.slot[i].host)
			continue;
		*ret_slot = i;
		return 0;
	}
	return -ENOSPC;
}

static int show(struct memdev *d, bool yes, struct error *err)
{
	const struct ram_region *r = ram_piece_region(d->piece);
	struct ram_slot slot = { .slot = d->slot, .gpa = r->gpa,
				 .size = r->size,
				 .host = yes ? r->host : NULL };

	slot.blocks = ram_piece_usable(d->piece, &slot.block_shift);
	return memmap_set(d->m, &slot, err);
}

static int fill(struct memdev *d, uint64_t block, struct error *err)
{
	const struct spec_memory *s = d->spec;
	const struct ram_piece_options options = {
		.gpa = s->base,
		.size = s->size,
		.block = block,
		.page_size = s->page_size,
		.fd = s->fd,
		.persistent = s->kind == MEMORY_PERSISTENT,
	};
	int r = free_slot(d->m, &d->slot);

	if (r < 0)
		return error_set(err, r, "there are too many memory devices");
	r = ram_plug(d->m->ram, &options, &d->piece, err);
	if (r == 0)
		r = numa_place_device(d->m, s, ram_piece_region(d->piece), err);
	if (r == 0)
		r = ram_piece_settle(d->m->ram, d->piece, err);
	return r < 0 ? r : show(d, true, err);
}

/* Pages on their way to a file or another host are numbered. */
static int check(const struct machine *m, const struct spec_memory *spec,
		 struct error *err)
{
	if (!m->spec->max_memory)
		return error_set(err, -EINVAL,
				 "the machine has no room for memory devices: it was started without a maximum");
	if (ram_frozen(m->ram))
		return error_set(err, -EBUSY,
				 "memory cannot come while the guest is being saved or migrated");
	if (m->spec->n_cells && spec->node >= m->spec->n_cells)
		return error_set(err, -EINVAL,
				 "memory device '%s': there is no NUMA node %u",
				 spec->id, spec->node);
	return 0;
}

int memdev_create(struct machine *m, const struct spec_memory *spec,
		  uint64_t block, struct memdev **ret_dev, struct error *err)
{
	struct memdev *d;
	bool ran;
	int r = check(m, spec, err);

	if (r < 0)
		return r;
	d = xcalloc(1, sizeof(*d));
	d->m = m;
	d->spec = spec;
	ran = machine_stop_vcpus(m);
	r = fill(d, block, err);
	if (r < 0)
		ram_unplug(m->ram, d->piece);
	if (ran)
		machine_go(m);
	if (r < 0)
		free(d);
	else
		*ret_dev = d;
	return r;
}

void memdev_destroy(struct memdev *d)
{
	struct error ignored;
	bool ran;

	if (!d)
		return;
	ran = machine_stop_vcpus(d->m);
	show(d, false, &ignored);
	ram_unplug(d->m->ram, d->piece);
	if (ran)
		machine_go(d->m);
	free(d);
}

const struct spec_memory *memdev_spec(const struct memdev *d)
{
	return d->spec;
}

bool memdev_all(const struct memdev *d, uint64_t first, uint64_t n,
		bool there)
{
	return ram_piece_all(d->piece, first, n, there);
}

/* What goes is taken from the guest before the memory is given back; what the
 * engine will not show goes again. */
int memdev_set(struct memdev *d, uint64_t first, uint64_t n, bool there,
	       struct error *err)
{
	struct error ignored;
	int r = ram_piece_set(d->m->ram, d->piece, first, n, there, err);

	if (r < 0)
		return r;
	r = memmap_update(d->m, d->slot, err);
	if (r < 0 && there) {
		ram_piece_set(d->m->ram, d->piece, first, n, false, &ignored);
		memmap_update(d->m, d->slot, &ignored);
	}
	return r;
}
