/*
 * daemon/checkpoint.h -- the checkpoints of a domain: a tree, kept in the store
 * with the domain.  Each has a dirty bitmap of its name in the images of its
 * disks, which is marked from then on.
 *
 * Changes are made in a copy (checkpoints_copy()) that takes the tree's place
 * when the store has it (checkpoints_commit()); the domain's job is held.
 */
#ifndef DAEMON_CHECKPOINT_H
#define DAEMON_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/checkpoint.h"

struct dom_obj;
struct registry;
struct error;

struct checkpoint {
	struct checkpoint_def *def; /* both trees' during a change */
	char *parent; /* NULL: a root; what def says of it is of no account */
};

struct checkpoints {
	unsigned int n;
	struct checkpoint *list;
	const struct checkpoint_def *current; /* the next one's parent */
};

/* ---- checkpoint.c: trees ---- */
void checkpoints_free(struct checkpoints *s);
struct checkpoints *checkpoints_copy(const struct checkpoints *s);
struct checkpoint *checkpoints_find(const struct checkpoints *s,
				    const char *name);
/* VIR_ERR_NO_DOMAIN_CHECKPOINT. */
struct checkpoint *checkpoints_get(const struct checkpoints *s,
				   const char *name, struct error *err);
/* One of that name is replaced. */
void checkpoints_put(struct checkpoints *s, struct checkpoint_def *def,
		     const char *parent);
void checkpoints_remove(struct checkpoints *s, const char *name);
bool checkpoints_is_below(const struct checkpoints *s, const char *name,
			  const char *top);
/* next: taken over, also on failure; a new definition only on success. */
int checkpoints_commit(struct dom_obj *obj, struct checkpoints *next,
		       struct error *err);
/* At the daemon's start. */
void checkpoints_load(struct dom_obj *obj);
/* What keeps a definition from being removed, renamed, ... */
int checkpoints_undefine(struct dom_obj *obj, unsigned int flags,
			 struct error *err);
int checkpoints_refuse(const struct dom_obj *obj, const char *what,
		       struct error *err);
/* ... and images from being replaced by others, which have no bitmaps. */
int checkpoints_refuse_images(const struct dom_obj *obj, const char *what,
			      struct error *err);

/* ---- checkpoint_bitmaps.c: in the running machine, the job held ---- */
/* All of them or none, at one moment only if the guest is paused. */
int checkpoint_mark(struct dom_obj *obj, const struct checkpoint_def *def,
		    struct error *err);
/* What is not there (any more) need not be removed. */
int checkpoint_unmark(struct dom_obj *obj, const struct checkpoint_def *def,
		      struct error *err);
/* Bytes written since, of one of its disks; VIR_ERR_CHECKPOINT_INCONSISTENT. */
int checkpoint_measure(struct dom_obj *obj, const struct checkpoint_def *def,
		       const char *disk, uint64_t *ret_size,
		       struct error *err);

/* ---- checkpoint_create.c: for a backup, too; the job held ---- */
/* A new one of now: named, checked and complete. */
int checkpoint_prepare(struct dom_obj *obj, struct checkpoint_def *def,
		       struct error *err);
/* It is marked: def is taken over on success. */
int checkpoint_record(struct dom_obj *obj, struct checkpoint_def *def,
		      struct error *err);

/* ---- what clients ask ---- */

/* As snapshot_names(); flags: VIR_DOMAIN_CHECKPOINT_LIST_*. */
int checkpoint_names(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *of, unsigned int flags, char ***ret_names,
		     unsigned int *ret_n, struct error *err);
/* The caller's; NULL with err.  flags: VIR_DOMAIN_CHECKPOINT_XML_*. */
char *checkpoint_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *name, unsigned int flags, struct error *err);
/* NULL, with err, when there is none. */
char *checkpoint_parent(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags,
			struct error *err);
int checkpoint_check(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *name, unsigned int flags, struct error *err);
/* flags: VIR_DOMAIN_CHECKPOINT_CREATE_*.  ret_name: the caller's. */
int checkpoint_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *xml, unsigned int flags, char **ret_name,
		      struct error *err);
/* flags: VIR_DOMAIN_CHECKPOINT_DELETE_*. */
int checkpoint_delete(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *name, unsigned int flags,
		      struct error *err);

#endif
