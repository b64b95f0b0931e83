/*
 * daemon/checkpoint_delete.c -- checkpoints are dropped, and their bitmaps.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/checkpoint.h"
#include "daemon/registry.h"

enum {
	CHILDREN = VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN,
	METADATA_ONLY = VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY,
	CHILDREN_ONLY = VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
};

static bool goes(const struct checkpoints *s, const char *name,
		 const char *top, unsigned int flags)
{
	if (str_eq(name, top))
		return !(flags & CHILDREN_ONLY);
	return flags & (CHILDREN | CHILDREN_ONLY) &&
	       checkpoints_is_below(s, name, top);
}

static int remove_bitmaps(struct dom_obj *obj, const char *top,
			  unsigned int flags, struct error *err)
{
	const struct checkpoints *s = obj->checkpoints;
	int r = 0;

	for (unsigned int i = 0; i < s->n && r >= 0; i++)
		if (goes(s, s->list[i].def->name, top, flags))
			r = checkpoint_unmark(obj, s->list[i].def, err);
	return r;
}

/* What follows the one that goes follows what that followed. */
static void adopt(struct checkpoints *next, const char *top,
		  const char *parent)
{
	for (unsigned int i = 0; i < next->n; i++) {
		struct checkpoint *c = &next->list[i];

		if (!str_eq(c->parent, top))
			continue;
		free(c->parent);
		c->parent = xstrdup(parent);
	}
}

static int forget(struct dom_obj *obj, const char *top, unsigned int flags,
		  struct error *err)
{
	const struct checkpoints *s = obj->checkpoints;
	struct checkpoints *next = checkpoints_copy(s);
	const char *parent = checkpoints_find(s, top)->parent;
	const char *heir = flags & CHILDREN_ONLY ? top : parent;

	for (unsigned int i = 0; i < s->n; i++)
		if (goes(s, s->list[i].def->name, top, flags))
			checkpoints_remove(next, s->list[i].def->name);
	if (!(flags & CHILDREN_ONLY))
		adopt(next, top, parent);
	if (s->current && !next->current && heir)
		next->current = checkpoints_find(next, heir)->def;
	return checkpoints_commit(obj, next, err);
}

static int delete(struct dom_obj *obj, const char *name, unsigned int flags,
		  struct error *err)
{
	int r = checkpoints_get(obj->checkpoints, name, err) ? 0 : -ENOENT;

	if (r == 0 && !(flags & METADATA_ONLY)) {
		if (!obj->active)
			return error_virt(err, VIR_ERR_OPERATION_INVALID,
					  "cannot delete checkpoint for inactive domain");
		r = remove_bitmaps(obj, name, flags, err);
	}
	return r < 0 ? r : forget(obj, name, flags, err);
}

int checkpoint_delete(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *name, unsigned int flags,
		      struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, CHILDREN | METADATA_ONLY | CHILDREN_ONLY,
			    __func__, err);

	if (r == 0 && flags & CHILDREN && flags & CHILDREN_ONLY)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flags 'children' and 'children only' are mutually exclusive");
	if (r == 0)
		r = obj_begin(reg, uuid, "checkpoint-delete", &obj, err);
	if (r < 0)
		return r;
	r = delete(obj, name, flags, err);
	obj_end(obj);
	return r;
}
