/*
 * model/snapshot.h -- a snapshot of a domain as its XML describes it.
 *
 * Strings are NULL when absent.
 */
#ifndef MODEL_SNAPSHOT_H
#define MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/domain.h"

/* Where a disk's or the memory's state is kept. */
enum snap_where { SNAP_DEFAULT, SNAP_NO, SNAP_INTERNAL, SNAP_EXTERNAL,
		  SNAP_MANUAL };

struct snap_disk {
	char *name; /* the disk's target, or its source */
	enum snap_where where;
	bool is_device; /* type='block' */
	char *file;	/* the new top image; NULL: not said */
	char *format;	/* its; NULL: qcow2 */
};

struct snapshot_def {
	char *name, *description, *parent;
	char *state; /* "running", "shutoff", "disk-snapshot", ... */
	int64_t created; /* seconds; 0: not said */
	enum snap_where memory;
	char *memory_file;
	unsigned int n_disks;
	struct snap_disk *disks;
	/* What a revert made, so that the next one can remove it. */
	unsigned int n_reverted;
	struct snap_disk *reverted;
	/* As it was: the running definition or the only one, and beside a
	 * running one what the next start would have taken. */
	struct domain_def *domain, *inactive;
};

enum snapshot_parse { SNAPSHOT_PARSE_VALIDATE = 1 };

/* What is there is checked; what can be chosen (names) is not. */
int snapshot_def_parse(const char *xml, unsigned int flags,
		       struct snapshot_def **ret_def, struct error *err);
/* flags: DOMAIN_FORMAT_SECURE.  uuid: shown where there is no domain. */
char *snapshot_def_format(const struct snapshot_def *def,
			  const uint8_t uuid[UUID_LEN], unsigned int flags);
struct snapshot_def *snapshot_def_copy(const struct snapshot_def *def);
void snapshot_def_free(struct snapshot_def *def);

/*
 * Against the domain it is of: one entry a disk, in the domain's order.
 * fallback: for disks of which nothing is said.  Names of new images are
 * chosen, except beside block devices.
 */
int snapshot_align_disks(struct snapshot_def *def,
			 const struct domain_def *domain,
			 enum snap_where fallback, struct error *err);
/* "/a/disk.qcow2" and "x": "/a/disk.x" */
char *snapshot_image_name(const char *image, const char *suffix);

#endif
