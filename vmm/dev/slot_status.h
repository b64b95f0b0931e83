/*
 * vmm/dev/slot_status.h -- what cpuhp.h and memhp.h show of a slot; in its
 * register, writing 1 to the middle two forgets, to SLOT_EJECT ejects.
 */
#ifndef VMM_DEV_SLOT_STATUS_H
#define VMM_DEV_SLOT_STATUS_H

enum {
	SLOT_ENABLED = 1,
	SLOT_INSERTED = 2,
	SLOT_REMOVE = 4, /* the guest is asked to give it back */
	SLOT_EJECT = 8,
};

#endif
