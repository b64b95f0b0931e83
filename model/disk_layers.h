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

#endif
