/*
 * vmm/dev/vmgenid.h -- the virtual machine's generation id.
 */
#ifndef VMM_DEV_VMGENID_H
#define VMM_DEV_VMGENID_H

struct machine;

/* Where its 16 bytes are; nothing else is on that page. */
#define VMGENID_BASE 0xfed60000ull
enum { VMGENID_SIZE = 16 };

void vmgenid_create(struct machine *m);

#endif
