/*
 * vmm/dev/mch.h -- q35's host bridge: what the guest sees where in memory.
 */
#ifndef VMM_DEV_MCH_H
#define VMM_DEV_MCH_H

#include <stdint.h>

struct error;
struct machine;

/*
 * Function 00.0 of m->pci, which owns it.  Loads the firmware, if there is
 * any, to the top of the first 4 GiB and maps all memory.
 */
int mch_create(struct machine *m, struct error *err);

/* The slots of the memory map (vmm/memmap.h); the rest of RAM comes first,
 * because an engine may look for an address in this order. */
enum {
	MCH_SLOT_MAIN, /* 1 MiB to TSEG */
	MCH_SLOT_HIGH, /* above 4 GiB */
	MCH_SLOT_LOW,  /* to 640 KiB */
	MCH_SLOT_TSEG,
	MCH_SLOT_VGA, /* 640 to 768 KiB: system management RAM */
	MCH_SLOT_FIRMWARE,
	MCH_SLOT_FLASH, /* variables below the firmware */
	MCH_SLOT_PAM,	/* and twelve more */
};

#endif
