/*
 * model/disk_layers.h -- what a disk's definition says of the images that its
 * image is based on.
 */
#ifndef MODEL_DISK_LAYERS_H
#define MODEL_DISK_LAYERS_H

#include <stdbool.h>

struct dom_disk;
struct error;

struct dom_layer {
	char *source;
	char *format; /* NULL: not said */
	bool is_device;
};

/*
 * <backingStore> and those in it, nearest first.  ret_ended: there is an
 * empty one, and nothing is behind that.
 */
int disk_layers(const struct dom_disk *disk, struct dom_layer **ret,
		 unsigned int *ret_n, bool *ret_ended, struct error *err);
void disk_layers_free(struct dom_layer *list, unsigned int n);
/* These and no others are below; NULL: the images are to say. */
void disk_set_layers(struct dom_disk *disk, const struct dom_layer *list,
		     unsigned int n);

/* <mirror>: the copy that a block job makes of a running domain's disk. */
struct dom_mirror {
	struct dom_layer image;
	char *job; /* "copy", "active-commit" */
	bool ready;
};
/* 1: it has one, whose strings are the caller's; 0: it has none. */
int disk_mirror(const struct dom_disk *disk, struct dom_mirror *ret);
void disk_mirror_finish(struct dom_mirror *mirror);
void disk_set_mirror(struct dom_disk *disk, const struct dom_mirror *mirror);

#endif
