/*
 * vmm/boot/dsdt_slots.h -- methods by which devices in numbered slots come and
 * go: processors, memory modules.
 *
 * Their ports select a slot, show its status (vmm/dev/slot_status.h), and the
 * first slot with an event.
 */
#ifndef VMM_BOOT_DSDT_SLOTS_H
#define VMM_BOOT_DSDT_SLOTS_H

struct buf;

struct dsdt_slots {
	char letter; /* C: devices C000, C001, ... */
	unsigned int n;
	const char *select, *status, *next; /* the ports' fields */
};

void dsdt_slot_name(const struct dsdt_slots *s, unsigned int n, char ret[5]);
/* STAT (n): what _STA of a device returns. */
void dsdt_slots_stat(const struct dsdt_slots *s, struct buf *b);
/* EJCT (n) */
void dsdt_slots_eject(const struct dsdt_slots *s, struct buf *b);
/* SCAN, which an event of the machine's runs: notifies those that changed. */
void dsdt_slots_scan(const struct dsdt_slots *s, struct buf *b);

#endif
