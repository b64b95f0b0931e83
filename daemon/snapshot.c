/*
 * daemon/snapshot.c -- a domain's snapshots as a tree, in memory and in the
 * store.
 */
#include "daemon/snapshot.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/registry.h"

#define LOG_MODULE "snapshot"
#include "base/log.h"

static struct snapshot *snapshot_new(struct snapshot_def *def)
{
	struct snapshot *snap = xcalloc(1, sizeof(*snap));

	snap->refs = 1;
	snap->def = def;
	snap->xml = snapshot_def_format(def, NULL, DOMAIN_FORMAT_SECURE);
	return snap;
}

static void snapshot_unref(struct snapshot *snap)
{
	if (--snap->refs)
		return;
	snapshot_def_free(snap->def);
	free(snap->xml);
	free(snap);
}

void snapshots_free(struct snapshots *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->n; i++)
		snapshot_unref(s->list[i]);
	free(s->list);
	free(s);
}

struct snapshots *snapshots_copy(const struct snapshots *s)
{
	struct snapshots *copy = xcalloc(1, sizeof(*copy));

	if (!s)
		return copy;
	copy->n = s->n;
	copy->current = s->current;
	copy->list = xcalloc(s->n, sizeof(struct snapshot *));
	for (unsigned int i = 0; i < s->n; i++) {
		copy->list[i] = s->list[i];
		copy->list[i]->refs++;
	}
	return copy;
}

/* Where it is, or n. */
static unsigned int place_of(const struct snapshots *s, const char *name)
{
	unsigned int i = 0;

	while (i < s->n && !str_eq(s->list[i]->def->name, name))
		i++;
	return i;
}

struct snapshot *snapshots_find(const struct snapshots *s, const char *name)
{
	unsigned int i = s ? place_of(s, name) : 0;

	return s && i < s->n ? s->list[i] : NULL;
}

struct snapshot *snapshots_get(const struct snapshots *s, const char *name,
			       struct error *err)
{
	struct snapshot *snap = snapshots_find(s, name);

	if (!snap)
		error_virt(err, VIR_ERR_NO_DOMAIN_SNAPSHOT,
			   "no domain snapshot with matching name '%s'", name);
	return snap;
}

struct snapshot *snapshots_put(struct snapshots *s, struct snapshot_def *def)
{
	struct snapshot *snap = snapshot_new(def);
	unsigned int i = place_of(s, def->name);

	if (i == s->n) {
		s->list = xrealloc(s->list, s->n + 1,
				   sizeof(struct snapshot *));
		s->n++;
	} else {
		if (s->current == s->list[i])
			s->current = snap;
		snapshot_unref(s->list[i]);
	}
	s->list[i] = snap;
	return snap;
}

void snapshots_remove(struct snapshots *s, const char *name)
{
	unsigned int i = place_of(s, name);

	if (i == s->n)
		return;
	if (s->current == s->list[i])
		s->current = NULL;
	snapshot_unref(s->list[i]);
	s->n--;
	memmove(&s->list[i], &s->list[i + 1],
		(s->n - i) * sizeof(struct snapshot *));
}

bool snapshots_is_child(const struct snapshot *snap, const char *parent)
{
	return str_eq(snap->def->parent, parent);
}

/* A tree has no loops: redefining looks for that. */
bool snapshots_is_below(const struct snapshots *s, const struct snapshot *snap,
			const char *top)
{
	while (snap && snap->def->parent) {
		if (str_eq(snap->def->parent, top))
			return true;
		snap = snapshots_find(s, snap->def->parent);
	}
	return false;
}

/* ---- the store ---- */

static int store(struct dom_obj *obj, const struct snapshots *s,
		 struct error *err)
{
	struct store_moment *rows = xcalloc(s->n, sizeof(*rows));
	int r;

	for (unsigned int i = 0; i < s->n; i++)
		rows[i] = (struct store_moment){
			s->list[i]->def->name,
			s->list[i]->xml,
			s->list[i] == s->current,
		};
	r = store_moments_replace(obj->reg->store, STORE_SNAPSHOTS,
				  obj->d.uuid, rows, s->n, err);
	free(rows);
	return r;
}

/* References are counted with the lock held: readers copy nothing. */
int snapshots_commit(struct dom_obj *obj, struct snapshots *next,
		     struct error *err)
{
	int r = store(obj, next, err);
	struct snapshots *old = next;

	if (r == 0) {
		pthread_mutex_lock(&obj->reg->lock);
		old = obj->snapshots;
		obj->snapshots = next;
		pthread_mutex_unlock(&obj->reg->lock);
	}
	snapshots_free(old);
	return r;
}

struct loading {
	struct dom_obj *obj;
	struct snapshots *list;
};

static void load_one(void *arg, const struct store_moment *row)
{
	struct loading *l = arg;
	struct snapshot_def *def;
	struct snapshot *snap;
	struct error err = { 0 };

	if (snapshot_def_parse(row->xml, 0, &def, &err) < 0) {
		log_error("domain '%s': snapshot '%s' cannot be read: %s",
			  l->obj->d.name, row->name, err.message);
		return;
	}
	snap = snapshots_put(l->list, def);
	if (row->current)
		l->list->current = snap;
}

void snapshots_load(struct dom_obj *obj)
{
	struct loading l = { obj, xcalloc(1, sizeof(struct snapshots)) };
	struct error err = { 0 };

	if (store_moments_each(obj->reg->store, STORE_SNAPSHOTS, obj->d.uuid,
			       load_one, &l, &err) < 0)
		log_error("domain '%s': %s", obj->d.name, err.message);
	obj->snapshots = l.list;
}

/* ---- their domain ---- */

int snapshots_undefine(struct dom_obj *obj, unsigned int flags,
		       struct error *err)
{
	unsigned int n = obj->snapshots ? obj->snapshots->n : 0;

	if (obj->active || !n ||
	    flags & VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "cannot delete inactive domain with %u snapshots",
			  n);
}

int snapshots_refuse(const struct dom_obj *obj, const char *what,
		     struct error *err)
{
	unsigned int n = obj->snapshots ? obj->snapshots->n : 0;

	return n ? error_virt(err, VIR_ERR_OPERATION_INVALID,
			      "cannot %s domain with %u snapshots", what, n) :
		   0;
}
