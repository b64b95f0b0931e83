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

struct dom_disk;
struct domain_blockjob;
struct domain_blockjob_info;

/* The disk may have a job. */
int blockjob_check_free(struct dom_obj *obj, struct dom_disk *disk,
			struct error *err);
/* It has ended: what becomes of the definitions. */
void blockjob_over(struct dom_obj *obj, struct dom_disk *disk,
		   const struct domain_blockjob_info *info);

/* ---- blockjob_merge.c ---- */

/* A running domain's disk has that image. */
int blockjob_has_image(struct dom_obj *obj, const char *target,
		       const char *path, bool *ret, struct error *err);
/* What an image has goes into the one that it is based on, which takes its
 * place; until that is done. */
int blockjob_merge(struct dom_obj *obj, const char *target, const char *path,
		   struct error *err);

/* ---- blockjob_chain.c ---- */

/* A disk's image and all below it, as definition and images have it. */
struct image_chain {
	unsigned int n;
	struct dom_layer *layers;
};
int image_chain_read(struct registry *reg, const struct dom_disk *disk,
		     struct image_chain *ret, struct error *err);
void image_chain_finish(struct image_chain *c);
/* Of the images between job->top and job->bottom. */
int blockjob_commit(struct dom_obj *obj, struct dom_disk *disk,
		    const struct image_chain *c, struct domain_blockjob *job,
		    struct error *err);
/* By name, or "vda[1]"; *ret is its place. */
int image_chain_find(const struct image_chain *c, const struct dom_disk *disk,
		     const char *name, unsigned int *ret, struct error *err);

#endif
