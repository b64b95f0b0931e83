/*
 * daemon/snapshot_query.c -- what clients ask about snapshots: which there
 * are, their documents, how they hang together.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/moments.h"
#include "daemon/registry.h"
#include "daemon/snapshot.h"

/* ---- lists ---- */

enum {
	/* Of a domain: roots only; of a snapshot: not only its children. */
	LIST_DEPTH = VIR_DOMAIN_SNAPSHOT_LIST_ROOTS,
	LIST_FLAGS = LIST_DEPTH | VIR_DOMAIN_SNAPSHOT_LIST_METADATA |
		     VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA |
		     VIR_DOMAIN_SNAPSHOT_LIST_LEAVES |
		     VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES |
		     VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE |
		     VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE |
		     VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY |
		     VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL |
		     VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL |
		     VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL,
	LIST_STATES = VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE |
		      VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE |
		      VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY,
	LIST_METADATA = VIR_DOMAIN_SNAPSHOT_LIST_METADATA |
			VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA,
};
_Static_assert((int)VIR_DOMAIN_SNAPSHOT_LIST_ROOTS ==
		       (int)VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS,
	       "one bit, two meanings");

/* Bits of one group: none of them set means that all pass. */
static bool passes(unsigned int flags, unsigned int yes, unsigned int no,
		   bool value)
{
	return !(flags & (yes | no)) || (flags & (value ? yes : no));
}

static unsigned int state_bit(const char *state)
{
	if (str_eq(state, "disk-snapshot"))
		return VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY;
	if (!state || str_eq(state, "shutoff"))
		return VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE;
	return VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE;
}

static bool is_external(const struct snapshot_def *def)
{
	if (def->memory == SNAP_EXTERNAL)
		return true;
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (def->disks[i].where == SNAP_EXTERNAL)
			return true;
	return false;
}

static const char *name_of(const void *tree, unsigned int i)
{
	return ((const struct snapshots *)tree)->list[i]->def->name;
}

static const char *parent_of(const void *tree, unsigned int i)
{
	return ((const struct snapshots *)tree)->list[i]->def->parent;
}

static bool listed_by(const struct moments *m, unsigned int i, unsigned int f)
{
	const struct snapshot_def *def =
		((const struct snapshots *)m->tree)->list[i]->def;

	if ((f & LIST_METADATA) == VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA)
		return false; /* one of that kind is not known here */
	if (f & LIST_STATES && !(f & state_bit(def->state)))
		return false;
	return passes(f, VIR_DOMAIN_SNAPSHOT_LIST_LEAVES,
		      VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES,
		      moments_is_leaf(m, i)) &&
	       passes(f, VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL,
		      VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL, is_external(def));
}

static int list(struct dom_obj *obj, const char *of, unsigned int flags,
		char ***ret_names, unsigned int *ret_n, struct error *err)
{
	const struct snapshots *s = obj->snapshots;
	struct moments m = { s, s ? s->n : 0, name_of, parent_of, listed_by };
	bool bit = flags & LIST_DEPTH;

	if (of && !snapshots_get(s, of, err))
		return -ENOENT;
	*ret_names = moments_list(&m, of, of ? bit : !bit, flags, ret_n);
	return 0;
}

int snapshot_names(struct registry *reg, const uint8_t uuid[UUID_LEN],
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

void snapshot_names_free(char **names, unsigned int n)
{
	while (n)
		free(names[--n]);
	free(names);
}

/* ---- one ---- */

/* With the lock held, as obj_looked() wants it back. */
static int look(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *name, unsigned int flags, unsigned int known,
		struct dom_obj **ret_obj, struct snapshot **ret_snap,
		struct error *err)
{
	int r = check_flags(flags, known, __func__, err);

	if (r == 0)
		r = obj_look(reg, uuid, ret_obj, err);
	if (r < 0 || !name)
		return r;
	*ret_snap = snapshots_get((*ret_obj)->snapshots, name, err);
	if (*ret_snap)
		return 0;
	obj_looked(*ret_obj);
	return -ENOENT;
}

char *snapshot_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   const char *name, unsigned int flags, struct error *err)
{
	struct snapshot *snap;
	struct dom_obj *obj;
	char *xml;

	if (look(reg, uuid, name, flags, VIR_DOMAIN_SNAPSHOT_XML_SECURE, &obj,
		 &snap, err) < 0)
		return NULL;
	xml = snapshot_def_format(snap->def, uuid,
				  flags & VIR_DOMAIN_SNAPSHOT_XML_SECURE ?
					  DOMAIN_FORMAT_SECURE :
					  0);
	obj_looked(obj);
	return xml;
}

char *snapshot_parent(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *name, unsigned int flags, struct error *err)
{
	struct snapshot *snap;
	struct dom_obj *obj;
	char *parent;

	if (look(reg, uuid, name, flags, 0, &obj, &snap, err) < 0)
		return NULL;
	parent = xstrdup(snap->def->parent);
	if (!parent)
		error_virt(err, VIR_ERR_NO_DOMAIN_SNAPSHOT,
			   "snapshot '%s' does not have a parent", name);
	obj_looked(obj);
	return parent;
}

static const char *current_name(const struct dom_obj *obj)
{
	return obj->snapshots && obj->snapshots->current ?
		       obj->snapshots->current->def->name :
		       NULL;
}

char *snapshot_current(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	char *name;

	if (look(reg, uuid, NULL, flags, 0, &obj, NULL, err) < 0)
		return NULL;
	name = xstrdup(current_name(obj));
	if (!name)
		error_virt(err, VIR_ERR_NO_DOMAIN_SNAPSHOT,
			   "the domain does not have a current snapshot");
	obj_looked(obj);
	return name;
}

int snapshot_is_current(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags,
			struct error *err)
{
	struct snapshot *snap;
	struct dom_obj *obj;
	int r = look(reg, uuid, name, flags, 0, &obj, &snap, err);

	if (r < 0)
		return r;
	r = name ? str_eq(name, current_name(obj)) : current_name(obj) != NULL;
	obj_looked(obj);
	return r;
}

int snapshot_check(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   const char *name, unsigned int flags, struct error *err)
{
	struct snapshot *snap;
	struct dom_obj *obj;
	int r = look(reg, uuid, name, flags, 0, &obj, &snap, err);

	if (r == 0)
		obj_looked(obj);
	return r;
}
