/*
 * model/capabilities.h -- what a host is and which guests it runs, as XML.
 *
 * The daemon fills these structs; nothing here looks at the host.  Lists of
 * words end with NULL and may be NULL.
 */
#ifndef MODEL_CAPABILITIES_H
#define MODEL_CAPABILITIES_H

#include <stdint.h>

#include "model/domain.h"

struct caps_cpu { /* one logical CPU of the host */
	unsigned int id, socket, die, core;
	const char *siblings; /* "0,4" */
};

struct caps_pages {
	unsigned int kib; /* page size */
	uint64_t count;	  /* in this cell */
};

struct caps_cell { /* a NUMA node */
	unsigned int id;
	uint64_t memory; /* bytes */
	unsigned int n_pages, n_cpus, n_distances;
	const struct caps_pages *pages;
	const struct caps_cpu *cpus;
	const unsigned int *distances; /* to cell 0, 1, ...; 10 is itself */
};

struct caps_machine {
	const char *name;
	const char *canonical; /* of an alias, else NULL */
	unsigned int max_vcpus;
};

struct caps_guest { /* what one <domain type=...> offers */
	enum dom_virt virt;
	const char *emulator;
	unsigned int n_machines;
	const struct caps_machine *machines;
};

struct caps_driver { /* a hypervisor driver of the daemon's */
	const char *name;
	bool usable;
	const char *why; /* not */
};

struct caps_host {
	uint8_t uuid[UUID_LEN];
	const char *arch, *model, *vendor, *microcode; /* NULL: unknown */
	unsigned int sockets, dies, cores, threads;
	uint64_t tsc_hz; /* 0: unknown */
	const char *const *features;
	bool iommu;
	unsigned int n_page_sizes, n_cells, n_guests, n_drivers;
	const unsigned int *page_sizes; /* KiB */
	const struct caps_cell *cells;
	const struct caps_guest *guests;
	const struct caps_driver *drivers;
};

/* Ours; libvirt's own elements have no place for what a driver says. */
#define CAPS_NAMESPACE "urn:vireo:capabilities"

char *capabilities_format(const struct caps_host *host);

/*
 * The program behind <emulator>: one for the process, set before any thread
 * starts; the installed one unless set.
 */
void caps_set_emulator(const char *path);
const char *caps_emulator(void);

#endif
