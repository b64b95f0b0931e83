/*
 * vmm/memmap.h -- which memory the engine shows the guest, and where.
 *
 * All of it goes through here, so that one place knows every slot: RAM in one
 * or two pieces for the small machine, two dozen pieces that come and go for
 * one with firmware (vmm/dev/mch.c).
 */
#ifndef VMM_MEMMAP_H
#define VMM_MEMMAP_H

#include "vmm/engine.h"

struct error;

/* Up to _VIDEO0 the chip set's; graphics cards' frame buffers; memory that
 * comes and goes (vmm/memdev.h); BARs of the host's devices. */
enum { MEMMAP_VIDEO0 = 28, MEMMAP_VIDEOS = 4, MEMMAP_PIECE0 = 32,
       MEMMAP_HOSTDEVS = 64, MEMMAP_SLOTS = 128 };

struct memmap {
	struct ram_slot slot[MEMMAP_SLOTS]; /* host NULL: not in use */
	bool log; /* what the guest writes is logged */
};

/*
 * Makes slot want->slot what is wanted; nothing happens if it is that already.
 * vCPUs are stopped, or have not run yet.
 */
int memmap_set(struct machine *m, const struct ram_slot *want,
	       struct error *err);

/* Other blocks of a slot are there than before; vCPUs are stopped. */
int memmap_update(struct machine *m, unsigned int slot, struct error *err);

/* Whether writes are logged, of all slots that can be written. */
int memmap_log(struct machine *m, bool on);

#endif
