/*
 * vmm/dev/cpuhp.h -- vCPUs that come and go while the guest runs.
 */
#ifndef VMM_DEV_CPUHP_H
#define VMM_DEV_CPUHP_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct cpuhp;
struct error;
struct machine;

/* Ports, told to the guest in the DSDT (vmm/boot/dsdt_cpus.c). */
enum {
	CPUHP_PORT = 0xcd8,
	CPUHP_SELECT = 0, /* 32 bits, written: the CPU; read: see _NEXT */
	CPUHP_STATUS = 4, /* 8 bits: slot_status.h */
	CPUHP_NEXT = 8,	  /* 32 bits: the first CPU with an event; ~0: none */
	CPUHP_SIZE = 12,
};

/* Only where more vCPUs are possible than there are at first. */
struct cpuhp *cpuhp_create(struct machine *m);

/*
 * Main thread: the guest is told of vCPUs, or asked for some, so that there
 * are n; those it gives back are gone at once, and reported.
 */
int cpuhp_set(struct cpuhp *c, unsigned int n, struct error *err);
unsigned int cpuhp_count(const struct cpuhp *c); /* enabled */
bool cpuhp_enabled(const struct cpuhp *c, unsigned int n);

#endif
