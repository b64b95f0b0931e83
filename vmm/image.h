/*
 * vmm/image.h -- a saved machine in a file.
 *
 * The image begins at any multiple of 4 KiB of a regular file; what is before
 * it is the caller's.  A raw image holds memory as it is, each block on pages
 * of its own and zero pages as holes, so that restoring maps it and the guest
 * goes on before it is read.  A zstd image is a stream of compressed parts
 * and is read as a whole.
 */
#ifndef VMM_IMAGE_H
#define VMM_IMAGE_H

#include <stdint.h>

#include "vmm/progress.h"

struct buf;
struct machine;
struct ram;
struct error;

enum image_format { IMAGE_RAW, IMAGE_ZSTD };
enum { IMAGE_ALIGN = 4096 };

/* -EINVAL for an unknown name. */
int image_format_find(const char *name, enum image_format *ret_format);

/* Any thread; the machine is paused and state its machine_get_state(). */
int image_save(struct ram *ram, const struct buf *state, int fd,
	       uint64_t offset, enum image_format format, struct progress *p,
	       struct error *err);

/*
 * Into a machine just built.  fd is no longer needed when it returns, but the
 * file must keep its content until the machine has read all of it, which it
 * begins when it runs (ram_own_begin()).
 */
int image_restore(struct machine *m, int fd, uint64_t offset,
		  struct error *err);

#endif
