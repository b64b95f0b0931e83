/*
 * storage/pool/image.h -- what pools need to know of image files.
 *
 * Only the beginning of a file is looked at; whatever it says is bounded and
 * goes no further than into a volume's description.
 */
#ifndef STORAGE_POOL_IMAGE_H
#define STORAGE_POOL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pool.h"

/* The format whose magic number a file begins with; "raw" if none does. */
const char *image_format(const uint8_t *head, size_t len);

/*
 * Fills in capacity, backing file and what the target says of a volume whose
 * format is not raw.  A damaged head leaves them as they are.
 */
void image_describe(int fd, struct vol_def *vol);

/* A relative name is relative to the volume's folder; the caller frees. */
char *image_beside(const char *volume, const char *name);

/*
 * Formats that can be made.  The block layer adds those it writes; raw needs
 * none.  fd: an empty file; the volume says the rest.
 */
struct image_writer {
	const char *format;
	int (*create)(int fd, const struct vol_def *vol, struct error *err);
	int (*resize)(int fd, uint64_t capacity, struct error *err);
	/* Data that a raw image would have, read and written in place of it;
	 * NULL: a copy has to be of the same format. */
	int (*copy)(int from, const char *from_format, int to,
		    struct error *err);
	/* How large a disk an image of any written format is. */
	int (*capacity)(int fd, const char *format, uint64_t *ret,
			struct error *err);
};
/* Once more is as well as once. */
void image_add_writer(const struct image_writer *writer);
/* VIR_ERR_OPERATION_UNSUPPORTED, naming the format. */
int image_writer(const char *format, const struct image_writer **ret_writer,
		 struct error *err);

#endif
