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

/* From MEMMAP_HOSTDEVS up: BARs of the host's devices; the last ones before
 * that are graphics cards' frame buffers. */
enum { MEMMAP_SLOTS = 96, MEMMAP_HOSTDEVS = 32, MEMMAP_VIDEOS = 4 };

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

/* Whether writes are logged, of all slots that can be written. */
int memmap_log(struct machine *m, bool on);

#endif
