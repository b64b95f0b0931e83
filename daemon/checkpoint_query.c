/*
 * daemon/checkpoint_query.c -- what clients ask about checkpoints: which there
 * are, their documents, how they hang together.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/checkpoint.h"
#include "daemon/registry.h"

/* ---- lists ---- */

enum {
	/* Of a domain: roots only; of a checkpoint: not only its children. */
	LIST_DEPTH = VIR_DOMAIN_CHECKPOINT_LIST_ROOTS,
	LIST_LEAVES = VIR_DOMAIN_CHECKPOINT_LIST_LEAVES,
	LIST_NO_LEAVES = VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES,
	LIST_FLAGS = LIST_DEPTH | LIST_LEAVES | LIST_NO_LEAVES |
		     VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL,
};
_Static_assert((int)VIR_DOMAIN_CHECKPOINT_LIST_ROOTS ==
		       (int)VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS,
	       "one bit, two meanings");

static bool is_leaf(const struct checkpoints *s, const char *name)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (str_eq(s->list[i].parent, name))
			return false;
	return true;
}

static bool listed_by(const struct checkpoints *s, const char *name,
		      unsigned int flags)
{
	return !(flags & (LIST_LEAVES | LIST_NO_LEAVES)) ||
	       (flags & (is_leaf(s, name) ? LIST_LEAVES : LIST_NO_LEAVES));
}

struct listing {
	const struct checkpoints *s;
	unsigned int flags;
	bool deep;
	char **names;
	unsigned int n;
};

static void list_below(struct listing *l, const char *parent)
{
	for (unsigned int i = 0; i < l->s->n; i++) {
		const char *name = l->s->list[i].def->name;

		if (!str_eq(l->s->list[i].parent, parent))
			continue;
		if (listed_by(l->s, name, l->flags))
			l->names[l->n++] = xstrdup(name);
		if (l->deep)
			list_below(l, name);
	}
}

static int list(struct dom_obj *obj, const char *of, struct listing *l,
		struct error *err)
{
	const struct checkpoints none = { 0 };
	bool bit = l->flags & LIST_DEPTH;

	l->s = obj->checkpoints ? obj->checkpoints : &none;
	if (of && !checkpoints_get(l->s, of, err))
		return -ENOENT;
	l->deep = of ? bit : !bit;
	l->names = xcalloc(l->s->n, sizeof(char *));
	list_below(l, of);
	return 0;
}

int checkpoint_names(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *of, unsigned int flags, char ***ret_names,
		     unsigned int *ret_n, struct error *err)
{
	struct listing l = { .flags = flags };
	struct dom_obj *obj;
	int r = check_flags(flags, LIST_FLAGS, __func__, err);

	if (r == 0)
		r = obj_look(reg, uuid, &obj, err);
	if (r < 0)
		return r;
	r = list(obj, of, &l, err);
	obj_looked(obj);
	*ret_names = l.names;
	*ret_n = l.n;
	return r;
}

/* ---- one ---- */

/* With the lock held, as obj_looked() wants it back. */
static int look(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *name, struct dom_obj **ret_obj,
		struct checkpoint **ret_c, struct error *err)
{
	int r = obj_look(reg, uuid, ret_obj, err);

	if (r < 0)
		return r;
	*ret_c = checkpoints_get((*ret_obj)->checkpoints, name, err);
	if (*ret_c)
		return 0;
	obj_looked(*ret_obj);
	return -ENOENT;
}

char *checkpoint_parent(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags,
			struct error *err)
{
	struct checkpoint *c;
	struct dom_obj *obj;
	char *parent;

	if (check_flags(flags, 0, __func__, err) < 0 ||
	    look(reg, uuid, name, &obj, &c, err) < 0)
		return NULL;
	parent = xstrdup(c->parent);
	if (!parent)
		error_virt(err, VIR_ERR_NO_DOMAIN_CHECKPOINT,
			   "checkpoint '%s' does not have a parent", name);
	obj_looked(obj);
	return parent;
}

int checkpoint_check(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *name, unsigned int flags, struct error *err)
{
	struct checkpoint *c;
	struct dom_obj *obj;
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0)
		r = look(reg, uuid, name, &obj, &c, err);
	if (r == 0)
		obj_looked(obj);
	return r;
}

/* ---- documents ---- */

static char *format(const struct checkpoint *c, const uint64_t *sizes,
		    unsigned int flags)
{
	const struct checkpoint_shown how = {
		.parent = c->parent,
		.sizes = sizes,
		.flags = (flags & VIR_DOMAIN_CHECKPOINT_XML_SECURE ?
				  CHECKPOINT_FORMAT_SECURE :
				  0) |
			 (flags & VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN ?
				  CHECKPOINT_FORMAT_NO_DOMAIN :
				  0),
	};

	return checkpoint_def_format(c->def, &how);
}

static int measure(struct dom_obj *obj, const struct checkpoint_def *def,
		   uint64_t *sizes, struct error *err)
{
	int r = obj->active ?
			0 :
			error_virt(err, VIR_ERR_OPERATION_INVALID,
				   "cannot get checkpoint size for inactive domain");

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		if (def->disks[i].marked)
			r = checkpoint_measure(obj, def, def->disks[i].name,
					       &sizes[i], err);
	return r;
}

/* The job is held: the machine is asked. */
static char *xml_with_sizes(struct dom_obj *obj, const char *name,
			    unsigned int flags, struct error *err)
{
	const struct checkpoint *c =
		checkpoints_get(obj->checkpoints, name, err);
	_cleanup_free_ uint64_t *sizes = NULL;

	if (!c)
		return NULL;
	sizes = xcalloc(c->def->n_disks + 1, sizeof(*sizes));
	return measure(obj, c->def, sizes, err) < 0 ?
		       NULL :
		       format(c, sizes, flags);
}

char *checkpoint_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *name, unsigned int flags, struct error *err)
{
	bool size = flags & VIR_DOMAIN_CHECKPOINT_XML_SIZE;
	struct checkpoint *c;
	struct dom_obj *obj;
	char *xml;

	if (check_flags(flags,
			VIR_DOMAIN_CHECKPOINT_XML_SECURE |
				VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN |
				VIR_DOMAIN_CHECKPOINT_XML_SIZE,
			__func__, err) < 0)
		return NULL;
	if (size) {
		if (obj_begin(reg, uuid, "checkpoint-size", &obj, err) < 0)
			return NULL;
		xml = xml_with_sizes(obj, name, flags, err);
		obj_end(obj);
		return xml;
	}
	if (look(reg, uuid, name, &obj, &c, err) < 0)
		return NULL;
	xml = format(c, NULL, flags);
	obj_looked(obj);
	return xml;
}
