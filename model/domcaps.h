/*
 * model/domcaps.h -- what a guest of one type may have, as XML.
 *
 * Lists of words end with NULL; a NULL list says "not supported".
 */
#ifndef MODEL_DOMCAPS_H
#define MODEL_DOMCAPS_H

#include "model/domain.h"

struct domcaps_model {
	const char *name, *vendor;    /* vendor: NULL: none */
	const char *const *blockers; /* features that it would need */
};

struct domcaps {
	const char *path; /* the emulator */
	enum dom_virt virt;
	const char *machine, *arch;
	unsigned int max_vcpus;
	bool iothreads;
	const char *const *firmware; /* "efi", "bios" */
	const char *const *loaders;  /* firmware files */
	bool host_passthrough, maximum;
	const char *host_model, *host_vendor; /* NULL: no host-model */
	const char *const *host_features, *const *host_disabled;
	const struct domcaps_model *cpu_models; /* custom mode */
	unsigned int n_cpu_models;
	const char *const *disk_devices, *const *disk_buses;
	const char *const *rng_backends, *const *channel_types;
	const char *const *memory_sources;
};

/* Fills in what our VMM has, whatever the engine. */
void domcaps_defaults(struct domcaps *caps);

char *domcaps_format(const struct domcaps *caps);

#endif
