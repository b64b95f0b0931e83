/*
 * daemon/snapshot.h -- the snapshots of a domain: a tree, kept in the store
 * with the domain.
 *
 * A snapshot is never changed: another of its name takes its place.  A tree is
 * changed as a whole, in a copy (snapshots_copy()) that takes the old one's
 * place when the store has it (snapshots_commit()); the domain's job is held.
 */
#ifndef DAEMON_SNAPSHOT_H
#define DAEMON_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

struct dom_obj;
struct registry;
struct error;

struct snapshot {
	unsigned int refs; /* trees it is in */
	struct snapshot_def *def;
	char *xml; /* with secrets */
};

struct snapshots {
	unsigned int n;
	struct snapshot **list;
	struct snapshot *current; /* or NULL */
};

/* ---- snapshot.c: trees ---- */
void snapshots_free(struct snapshots *s);
struct snapshots *snapshots_copy(const struct snapshots *s);
struct snapshot *snapshots_find(const struct snapshots *s, const char *name);
/* VIR_ERR_NO_DOMAIN_SNAPSHOT. */
struct snapshot *snapshots_get(const struct snapshots *s, const char *name,
			       struct error *err);
/* Takes def over; one of that name goes. */
struct snapshot *snapshots_put(struct snapshots *s, struct snapshot_def *def);
void snapshots_remove(struct snapshots *s, const char *name);
bool snapshots_is_child(const struct snapshot *snap, const char *parent);
bool snapshots_is_below(const struct snapshots *s, const struct snapshot *snap,
			const char *top);
/* next: taken over, also on failure. */
int snapshots_commit(struct dom_obj *obj, struct snapshots *next,
		     struct error *err);
/* At the daemon's start. */
void snapshots_load(struct dom_obj *obj);
/* What keeps a definition from being removed or renamed. */
int snapshots_undefine(struct dom_obj *obj, unsigned int flags,
		       struct error *err);
int snapshots_refuse(const struct dom_obj *obj, const char *what,
		     struct error *err);

/* ---- what clients ask ---- */

/*
 * Names, which the caller frees one by one and all; of: the snapshot whose
 * children they are, NULL: of the domain.  flags: VIR_DOMAIN_SNAPSHOT_LIST_*.
 */
int snapshot_names(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   const char *of, unsigned int flags, char ***ret_names,
		   unsigned int *ret_n, struct error *err);
void snapshot_names_free(char **names, unsigned int n);
/* The caller's; NULL with err. */
char *snapshot_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   const char *name, unsigned int flags, struct error *err);
/* NULL, with err, when there is none. */
char *snapshot_parent(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *name, unsigned int flags, struct error *err);
char *snapshot_current(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       unsigned int flags, struct error *err);
/* 1, 0 or an error; name NULL: is any? */
int snapshot_is_current(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags,
			struct error *err);
int snapshot_check(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   const char *name, unsigned int flags, struct error *err);

/* flags: VIR_DOMAIN_SNAPSHOT_CREATE_*.  ret_name: the caller's. */
int snapshot_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *xml, unsigned int flags, char **ret_name,
		    struct error *err);
/* flags: VIR_DOMAIN_SNAPSHOT_REVERT_*. */
int snapshot_revert(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *name, unsigned int flags, struct error *err);
/* flags: VIR_DOMAIN_SNAPSHOT_DELETE_*. */
int snapshot_delete(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *name, unsigned int flags, struct error *err);

#endif
