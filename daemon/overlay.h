/*
 * daemon/overlay.h -- disk images that are based on each other, as files:
 * making one, finding what one is based on, merging one into what it is based
 * on.  None of them may be in use by a guest, except to be read.
 */
#ifndef DAEMON_OVERLAY_H
#define DAEMON_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct registry;

struct image {
	char *path, *format; /* format NULL: raw */
	bool is_device;
};

/* A new qcow2 image that shows what the other one has.  A file must not be
 * there yet; a device is written over. */
int overlay_create(struct registry *reg, const struct image *top,
		   const struct image *base, struct error *err);
/* A new image of so many bytes that is based on nothing. */
int overlay_create_alone(struct registry *reg, const struct image *image,
			 uint64_t size, struct error *err);
/* How large the disk in it is. */
int overlay_size(struct registry *reg, const struct image *image,
		 uint64_t *ret_size, struct error *err);
int overlay_remove(struct registry *reg, const char *path, struct error *err);
bool overlay_exists(struct registry *reg, const char *path);
/* What an image is based on: the caller's, NULL: nothing. */
int overlay_backing(struct registry *reg, const struct image *image,
		    char **ret_path, struct error *err);
/* Its header names another one. */
int overlay_rebase(struct registry *reg, const struct image *image,
		   const struct image *base, struct error *err);
/* What top has of its own goes into its base, which then has all. */
int overlay_commit(struct registry *reg, const struct image *top,
		   const struct image *base, struct error *err);

void image_finish(struct image *image);

#endif
