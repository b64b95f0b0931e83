/*
 * daemon/snapshot_take.h -- between the files that make, go back to and drop
 * snapshots; the domain's job is held.
 */
#ifndef DAEMON_SNAPSHOT_TAKE_H
#define DAEMON_SNAPSHOT_TAKE_H

#include "daemon/overlay.h"
#include "daemon/snapshot.h"

/* ---- snapshot_create.c ---- */
int snapshot_record(struct dom_obj *obj, const struct snapshot_def *def,
		    bool current, struct error *err);

/* ---- snapshot_take.c ---- */
/* def is complete; flags: VIR_DOMAIN_SNAPSHOT_CREATE_*. */
int snapshot_take(struct dom_obj *obj, const struct snapshot_def *def,
		  unsigned int flags, struct error *err);

/* ---- snapshot_images.c: which images a domain's snapshots are made of ---- */
struct dom_disk *snapshot_find_disk(const struct domain_def *def,
				    const char *target);
struct image image_of_disk(const struct dom_disk *disk);
struct image image_of_snap_disk(const struct snap_disk *disk);
/* Another image under a disk, based on what it says itself. */
void snapshot_set_image(struct dom_disk *disk, const struct image *image);

/* All that a disk has in definitions of the domain's and its snapshots'. */
struct image_list {
	unsigned int n;
	struct image *list;
};
void image_list_finish(struct image_list *l);
void snapshot_collect(const struct dom_obj *obj, const struct snapshots *s,
		      const char *target, struct image_list *ret);
/* Does a definition of the domain's, or of a snapshot but that one, have it? */
bool snapshot_uses(const struct dom_obj *obj, const struct snapshots *s,
		   const struct snapshot *except, const char *path);
/* Was it made for a snapshot, so that it may go with one? */
bool snapshot_made(const struct snapshots *s, const char *path);

#endif
