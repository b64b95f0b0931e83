/*
 * model/checkpoint.h -- a checkpoint of a domain as its XML describes it: the
 * moment from which on the writes to its disks are marked, in a bitmap each.
 *
 * Strings are NULL when absent.
 */
#ifndef MODEL_CHECKPOINT_H
#define MODEL_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/domain.h"

struct checkpoint_disk {
	char *name; /* the disk's target */
	bool marked;
	char *bitmap; /* of marked ones */
};

struct checkpoint_def {
	char *name, *description, *parent;
	int64_t created; /* seconds; 0: not said */
	unsigned int n_disks;
	struct checkpoint_disk *disks;
	struct domain_def *domain; /* as it was */
};

/* A client's is validated, what was written here is not. */
enum checkpoint_parse { CHECKPOINT_PARSE_VALIDATE = 1 };
int checkpoint_def_parse(const char *xml, unsigned int flags,
			 struct checkpoint_def **ret_def, struct error *err);
enum { CHECKPOINT_FORMAT_SECURE = 1, CHECKPOINT_FORMAT_NO_DOMAIN = 2 };
struct checkpoint_shown {
	const char *parent; /* NULL: it has none */
	const uint64_t *sizes; /* of its disks, bytes since; NULL: not said */
	unsigned int flags;
};
char *checkpoint_def_format(const struct checkpoint_def *def,
			    const struct checkpoint_shown *how);
void checkpoint_def_free(struct checkpoint_def *def);

/* Against the domain, for a checkpoint that has a name: one entry a disk, in
 * the domain's order. */
int checkpoint_align_disks(struct checkpoint_def *def,
			   const struct domain_def *domain, struct error *err);
/* NULL: it has none of that name. */
struct checkpoint_disk *checkpoint_disk(const struct checkpoint_def *def,
					const char *name);

#endif
