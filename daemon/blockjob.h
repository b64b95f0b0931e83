/*
 * daemon/blockjob.h -- jobs on the images of a running domain's disks, between
 * the files that have to do with them; the domain's job is held.
 *
 * The machine does the work and knows how far it is (vmm/blockjob.h); here is
 * what becomes of the definitions.  <mirror> of the live one says what a copy
 * is going to be, so that a daemon that starts anew knows it.
 */
#ifndef DAEMON_BLOCKJOB_H
#define DAEMON_BLOCKJOB_H

#include "daemon/registry.h"
#include "model/disk_layers.h"

/* By its target or its source, as libvirt has it. */
const struct dom_disk *block_find_disk(const struct domain_def *def,
				       const char *path, struct error *err);

/* One is ready or over, or may be. */
void blockjob_event(struct dom_obj *obj, const char *alias);

/* ---- blockjob_chain.c ---- */

/* A disk's image and all below it, as definition and images have it. */
struct image_chain {
	unsigned int n;
	struct dom_layer *layers;
};
int image_chain_read(struct registry *reg, const struct dom_disk *disk,
		     struct image_chain *ret, struct error *err);
void image_chain_finish(struct image_chain *c);
/* By name, or "vda[1]"; *ret is its place. */
int image_chain_find(const struct image_chain *c, const struct dom_disk *disk,
		     const char *name, unsigned int *ret, struct error *err);

#endif
