/*
 * daemon/checkpoint.c -- a domain's checkpoints as a tree, in memory and in
 * the store.
 */
#include "daemon/checkpoint.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/registry.h"

#define LOG_MODULE "checkpoint"
#include "base/log.h"

/* ---- trees ---- */

static bool has(const struct checkpoints *s, const struct checkpoint_def *def)
{
	for (unsigned int i = 0; s && i < s->n; i++)
		if (s->list[i].def == def)
			return true;
	return false;
}

/* All but the definitions that the other tree has. */
static void release(struct checkpoints *s, const struct checkpoints *other)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->n; i++) {
		if (!has(other, s->list[i].def))
			checkpoint_def_free(s->list[i].def);
		free(s->list[i].parent);
	}
	free(s->list);
	free(s);
}

void checkpoints_free(struct checkpoints *s)
{
	release(s, NULL);
}

struct checkpoints *checkpoints_copy(const struct checkpoints *s)
{
	struct checkpoints *copy = xcalloc(1, sizeof(*copy));

	if (!s)
		return copy;
	copy->n = s->n;
	copy->current = s->current;
	copy->list = xcalloc(s->n, sizeof(*copy->list));
	for (unsigned int i = 0; i < s->n; i++)
		copy->list[i] = (struct checkpoint){
			s->list[i].def, xstrdup(s->list[i].parent)
		};
	return copy;
}

struct checkpoint *checkpoints_find(const struct checkpoints *s,
				    const char *name)
{
	for (unsigned int i = 0; s && i < s->n; i++)
		if (str_eq(s->list[i].def->name, name))
			return &s->list[i];
	return NULL;
}

struct checkpoint *checkpoints_get(const struct checkpoints *s,
				   const char *name, struct error *err)
{
	struct checkpoint *c = checkpoints_find(s, name);

	if (!c)
		error_virt(err, VIR_ERR_NO_DOMAIN_CHECKPOINT,
			   "no domain checkpoint with matching name '%s'",
			   name);
	return c;
}

void checkpoints_put(struct checkpoints *s, struct checkpoint_def *def,
		     const char *parent)
{
	struct checkpoint *c = checkpoints_find(s, def->name);

	if (!c) {
		s->list = xrealloc(s->list, s->n + 1, sizeof(*s->list));
		c = &s->list[s->n++];
		*c = (struct checkpoint){ 0 };
	}
	if (c->def && s->current == c->def)
		s->current = def;
	free(c->parent);
	*c = (struct checkpoint){ def, xstrdup(parent) };
}

/* The definition is the old tree's. */
void checkpoints_remove(struct checkpoints *s, const char *name)
{
	struct checkpoint *c = checkpoints_find(s, name);

	if (!c)
		return;
	if (s->current == c->def)
		s->current = NULL;
	free(c->parent);
	s->n--;
	memmove(c, c + 1, (&s->list[s->n] - c) * sizeof(*c));
}

/* A tree has no loops: redefining looks for that. */
bool checkpoints_is_below(const struct checkpoints *s, const char *name,
			  const char *top)
{
	const struct checkpoint *c = checkpoints_find(s, name);

	while (c && c->parent) {
		if (str_eq(c->parent, top))
			return true;
		c = checkpoints_find(s, c->parent);
	}
	return false;
}

/* ---- the store ---- */

static int store(struct dom_obj *obj, const struct checkpoints *s,
		 struct error *err)
{
	struct store_moment *rows = xcalloc(s->n, sizeof(*rows));
	int r;

	for (unsigned int i = 0; i < s->n; i++) {
		const struct checkpoint_def *def = s->list[i].def;
		const struct checkpoint_shown how = {
			.parent = s->list[i].parent,
			.flags = CHECKPOINT_FORMAT_SECURE,
		};

		rows[i] = (struct store_moment){
			def->name, checkpoint_def_format(def, &how),
			def == s->current,
		};
	}
	r = store_moments_replace(obj->reg->store, STORE_CHECKPOINTS,
				  obj->d.uuid, rows, s->n, err);
	for (unsigned int i = 0; i < s->n; i++)
		free((char *)rows[i].xml);
	free(rows);
	return r;
}

/* Readers look with the lock held. */
int checkpoints_commit(struct dom_obj *obj, struct checkpoints *next,
		       struct error *err)
{
	struct checkpoints *old = obj->checkpoints;
	int r = store(obj, next, err);

	if (r < 0) {
		release(next, next);
		return r;
	}
	pthread_mutex_lock(&obj->reg->lock);
	obj->checkpoints = next;
	pthread_mutex_unlock(&obj->reg->lock);
	release(old, next);
	return 0;
}

struct loading {
	struct dom_obj *obj;
	struct checkpoints *list;
};

static void load_one(void *arg, const struct store_moment *row)
{
	struct loading *l = arg;
	struct checkpoint_def *def;
	struct error err = { 0 };

	if (checkpoint_def_parse(row->xml, 0, &def, &err) < 0) {
		log_error("domain '%s': checkpoint '%s' cannot be read: %s",
			  l->obj->d.name, row->name, err.message);
		return;
	}
	checkpoints_put(l->list, def, def->parent);
	if (row->current)
		l->list->current = def;
}

void checkpoints_load(struct dom_obj *obj)
{
	struct loading l = { obj, xcalloc(1, sizeof(struct checkpoints)) };
	struct error err = { 0 };

	if (store_moments_each(obj->reg->store, STORE_CHECKPOINTS,
			       obj->d.uuid, load_one, &l, &err) < 0)
		log_error("domain '%s': %s", obj->d.name, err.message);
	obj->checkpoints = l.list;
}

/* ---- their domain ---- */

static unsigned int count(const struct dom_obj *obj)
{
	return obj->checkpoints ? obj->checkpoints->n : 0;
}

int checkpoints_undefine(struct dom_obj *obj, unsigned int flags,
			 struct error *err)
{
	if (obj->active || !count(obj) ||
	    flags & VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "cannot delete inactive domain with %u checkpoints",
			  count(obj));
}

int checkpoints_refuse(const struct dom_obj *obj, const char *what,
		       struct error *err)
{
	return count(obj) ? error_virt(err, VIR_ERR_OPERATION_INVALID,
				       "cannot %s domain with %u checkpoints",
				       what, count(obj)) :
			    0;
}

int checkpoints_refuse_images(const struct dom_obj *obj, const char *what,
			      struct error *err)
{
	return count(obj) ? error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				       "cannot %s while checkpoint exists",
				       what) :
			    0;
}
