/*
 * daemon/checkpoint_query.c -- what clients ask about checkpoints: which there
 * are, their documents, how they hang together.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/checkpoint.h"
#include "daemon/moments.h"
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

static const char *name_of(const void *tree, unsigned int i)
{
	return ((const struct checkpoints *)tree)->list[i].def->name;
}

static const char *parent_of(const void *tree, unsigned int i)
{
	return ((const struct checkpoints *)tree)->list[i].parent;
}

static bool listed_by(const struct moments *m, unsigned int i,
		      unsigned int flags)
{
	return !(flags & (LIST_LEAVES | LIST_NO_LEAVES)) ||
	       (flags & (moments_is_leaf(m, i) ? LIST_LEAVES :
						 LIST_NO_LEAVES));
}

static int list(struct dom_obj *obj, const char *of, unsigned int flags,
		char ***ret_names, unsigned int *ret_n, struct error *err)
{
	const struct checkpoints *s = obj->checkpoints;
	struct moments m = { s, s ? s->n : 0, name_of, parent_of, listed_by };
	bool bit = flags & LIST_DEPTH;

	if (of && !checkpoints_get(s, of, err))
		return -ENOENT;
	*ret_names = moments_list(&m, of, of ? bit : !bit, flags, ret_n);
	return 0;
}

int checkpoint_names(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *of, unsigned int flags, char ***ret_names,
		     unsigned int *ret_n, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, LIST_FLAGS, __func__, err);

	if (r == 0)
		r = obj_look(reg, uuid, &obj, err);
	if (r < 0)
		return r;
	r = list(obj, of, flags, ret_names, ret_n, err);
	obj_looked(obj);
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
