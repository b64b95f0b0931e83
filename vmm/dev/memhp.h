/*
 * vmm/dev/memhp.h -- memory modules (DIMMs) that come and go while the guest
 * runs.
 */
#ifndef VMM_DEV_MEMHP_H
#define VMM_DEV_MEMHP_H

#include <stdint.h>

struct error;
struct machine;
struct memhp;
struct spec_memory;

/* Ports, told to the guest in the DSDT (vmm/boot/dsdt_memory.c); 32 bits each
 * but the status. */
enum {
	MEMHP_PORT = 0xca0,
	MEMHP_SELECT = 0x00, /* the module that the others are about */
	MEMHP_STATUS = 0x04, /* 8 bits: slot_status.h */
	MEMHP_NEXT = 0x08,   /* the first module with an event; ~0: none */
	MEMHP_FIRST = 0x0c,  /* its addresses, two halves each */
	MEMHP_LAST = 0x14,
	MEMHP_LENGTH = 0x1c,
	MEMHP_NODE = 0x24,
	MEMHP_OST_EVENT = 0x28, /* written: what _OST was told */
	MEMHP_OST_STATUS = 0x2c,
	MEMHP_SIZE = 0x30,
};

enum { MEMHP_SLOTS = 32 };

/* Only where memory may come: a slot for each module there may be. */
int memhp_create(struct machine *m, struct error *err);
unsigned int memhp_slots(const struct memhp *hp);

/* A module comes, and the guest is told. */
int memhp_plug(struct memhp *hp, const struct spec_memory *spec,
	       struct error *err);
/*
 * Asks the guest for it; machine_tell_memory() says what came of it.  -ENOENT:
 * there is none of that name.
 */
int memhp_unplug(struct memhp *hp, const char *id, struct error *err);
/* Of all modules. */
uint64_t memhp_bytes(const struct memhp *hp);

#endif
