/*
 * daemon/snapshot_create.c -- new snapshots: what is asked for is checked and
 * recorded here; taking them is snapshot_take.c's.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "daemon/checkpoint.h"
#include "daemon/registry.h"
#include "daemon/snapshot_take.h"

enum {
	REDEFINE = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE,
	CURRENT = VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT,
	NO_METADATA = VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA,
	HALT = VIR_DOMAIN_SNAPSHOT_CREATE_HALT,
	DISK_ONLY = VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY,
	REUSE_EXT = VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT,
	QUIESCE = VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE,
	ATOMIC = VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC,
	LIVE = VIR_DOMAIN_SNAPSHOT_CREATE_LIVE,
	VALIDATE = VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE,
	KNOWN = REDEFINE | CURRENT | NO_METADATA | HALT | DISK_ONLY |
		REUSE_EXT | QUIESCE | ATOMIC | LIVE | VALIDATE,
};

static int check_pair(unsigned int flags, unsigned int a, const char *a_name,
		      unsigned int b, const char *b_name, struct error *err)
{
	return flags & a && flags & b ?
		       error_virt(err, VIR_ERR_INVALID_ARG,
				  "flags '%s' and '%s' are mutually exclusive",
				  a_name, b_name) :
		       0;
}

static int check_create_flags(unsigned int flags, struct error *err)
{
	int r = check_flags(flags, KNOWN, "snapshot_create", err);

	if (r == 0)
		r = check_pair(flags, REDEFINE, "redefine", NO_METADATA,
			       "no metadata", err);
	if (r == 0)
		r = check_pair(flags, REDEFINE, "redefine", HALT, "halt", err);
	if (r == 0)
		r = check_pair(flags, DISK_ONLY, "disk only", LIVE, "live",
			       err);
	if (r == 0 && flags & CURRENT && !(flags & REDEFINE))
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flag 'current' requires flag 'redefine'");
	if (r == 0 && flags & QUIESCE && !(flags & DISK_ONLY))
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flag 'quiesce' requires flag 'disk only'");
	return r;
}

/* ---- a document that another daemon wrote ---- */

/* The domain that it tells of is this one. */
static int check_same_domain(const struct dom_obj *obj,
			     const struct snapshot_def *def, struct error *err)
{
	char ours[UUID_STR_LEN];

	if (!def->domain || !memcmp(def->domain->uuid, obj->d.uuid, UUID_LEN))
		return 0;
	uuid_format(obj->d.uuid, ours);
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "definition for snapshot %s must use uuid %s",
			  def->name, ours);
}

static int check_parent(const struct snapshots *s,
			const struct snapshot_def *def, struct error *err)
{
	const struct snapshot *parent;

	if (!def->parent)
		return 0;
	if (str_eq(def->parent, def->name))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot set snapshot %s as its own parent",
				  def->name);
	parent = snapshots_find(s, def->parent);
	if (!parent)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parent %s for snapshot %s not found",
				  def->parent, def->name);
	if (snapshots_is_below(s, parent, def->name))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parent %s would create cycle to %s",
				  def->parent, def->name);
	return 0;
}

static bool of_disks_only(const char *state)
{
	return str_eq(state, "disk-snapshot");
}

/* One that there is keeps its kind, and its definition if it has the only. */
static int check_redefined(const struct snapshots *s,
			   struct snapshot_def *def, struct error *err)
{
	const struct snapshot *old = snapshots_find(s, def->name);

	if (!old)
		return 0;
	if (of_disks_only(old->def->state) != of_disks_only(def->state))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot change between disk only and full system in snapshot %s",
				  def->name);
	if (!def->domain && old->def->domain)
		def->domain = domain_def_copy(old->def->domain);
	if (!def->inactive && old->def->inactive)
		def->inactive = domain_def_copy(old->def->inactive);
	return 0;
}

static int check_redefine(struct dom_obj *obj, struct snapshot_def *def,
			  unsigned int flags, struct error *err)
{
	const struct snapshots none = { 0 };
	const struct snapshots *s = obj->snapshots ? obj->snapshots : &none;
	int r = check_same_domain(obj, def, err);

	if (r == 0 && !def->name)
		r = error_virt(err, VIR_ERR_XML_ERROR,
			       "a redefined snapshot must have a name");
	if (r == 0 && !def->state)
		r = error_virt(err, VIR_ERR_XML_ERROR,
			       "missing state from redefined snapshot %s",
			       def->name);
	if (r == 0 && flags & DISK_ONLY && !of_disks_only(def->state))
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "disk only flag for snapshot %s requires disk-snapshot state",
			       def->name);
	if (r == 0)
		r = check_parent(s, def, err);
	return r < 0 ? r : check_redefined(s, def, err);
}

/* ---- recording ---- */

int snapshot_record(struct dom_obj *obj, const struct snapshot_def *def,
		    bool current, struct error *err)
{
	struct snapshots *next = snapshots_copy(obj->snapshots);
	struct snapshot *snap =
		snapshots_put(next, snapshot_def_copy(def));

	if (current)
		next->current = snap;
	return snapshots_commit(obj, next, err);
}

static int redefine(struct dom_obj *obj, struct snapshot_def *def,
		    unsigned int flags, struct error *err)
{
	int r = check_redefine(obj, def, flags, err);

	return r < 0 ? r : snapshot_record(obj, def, flags & CURRENT, err);
}

/* ---- one that is taken now ---- */

static int check_fresh(const struct dom_obj *obj,
		       const struct snapshot_def *def, struct error *err)
{
	return snapshots_find(obj->snapshots, def->name) ?
		       error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain moment %s already exists",
				  def->name) :
		       0;
}

static const char *state_now(const struct dom_obj *obj, unsigned int flags)
{
	if (!obj->active)
		return "shutoff";
	if (flags & DISK_ONLY)
		return "disk-snapshot";
	return obj->state == VIR_DOMAIN_RUNNING ? "running" : "paused";
}

/* A run's definition as one for the next start. */
static int inactive_copy(const struct domain_def *def,
			 struct domain_def **ret_def, struct error *err)
{
	_cleanup_free_ char *xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);

	return domain_def_parse(xml, 0, ret_def, err);
}

static int fill(struct dom_obj *obj, struct snapshot_def *def,
		unsigned int flags, struct error *err)
{
	const struct snapshots *s = obj->snapshots;
	int r;

	def->created = time(NULL);
	if (!def->name)
		def->name = xasprintf("%lld", (long long)def->created);
	free(def->parent);
	def->parent = s && s->current ? xstrdup(s->current->def->name) : NULL;
	free(def->state);
	def->state = xstrdup(state_now(obj, flags));
	domain_def_free(steal_ptr(&def->domain));
	domain_def_free(steal_ptr(&def->inactive));
	r = inactive_copy(obj->active ? obj->d.live : obj->config,
			  &def->domain, err);
	if (r == 0 && obj->active && obj->config)
		def->inactive = domain_def_copy(obj->config);
	return r;
}

/* Memory goes where the disks go; what is off or of disks only has none. */
static int choose_memory(const struct dom_obj *obj, struct snapshot_def *def,
			 unsigned int flags, struct error *err)
{
	bool none = !obj->active || flags & DISK_ONLY;

	if (def->memory == SNAP_DEFAULT)
		def->memory = none ? SNAP_NO : SNAP_INTERNAL;
	if (none && def->memory != SNAP_NO)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "memory state cannot be saved with offline or disk-only snapshot");
	if (flags & LIVE && def->memory != SNAP_EXTERNAL)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "live snapshot creation is supported only with external checkpoints");
	return 0;
}

/* A guest that goes on running without its memory in the snapshot. */
static int check_memory(const struct dom_obj *obj,
			const struct snapshot_def *def, unsigned int flags,
			struct error *err)
{
	if (obj->active && !(flags & DISK_ONLY) && def->memory == SNAP_NO)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "a snapshot of a running domain without its memory is one of disks only");
	if (flags & HALT && !obj->config)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot halt after transient domain snapshot");
	return 0;
}

static enum snap_where fallback(const struct snapshot_def *def,
				unsigned int flags)
{
	return flags & DISK_ONLY || def->memory == SNAP_EXTERNAL ?
		       SNAP_EXTERNAL :
		       SNAP_INTERNAL;
}

static int take(struct dom_obj *obj, struct snapshot_def *def,
		unsigned int flags, struct error *err)
{
	int r = checkpoints_refuse_images(obj, "create snapshot", err);

	if (r == 0)
		r = fill(obj, def, flags, err);
	if (r == 0)
		r = check_fresh(obj, def, err);
	if (r == 0)
		r = choose_memory(obj, def, flags, err);
	if (r == 0)
		r = check_memory(obj, def, flags, err);
	if (r == 0)
		r = snapshot_align_disks(def, def->domain,
					 fallback(def, flags), err);
	return r < 0 ? r : snapshot_take(obj, def, flags, err);
}

/* ---- the call ---- */

static int create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct snapshot_def *def, unsigned int flags,
		  struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "snapshot", &obj, err);

	if (r < 0)
		return r;
	r = flags & REDEFINE ? redefine(obj, def, flags, err) :
			       take(obj, def, flags, err);
	obj_unclaim(obj);
	return r;
}

/* While the guest's file systems are frozen, by its agent. */
static int create_quiet(struct registry *reg, const uint8_t uuid[UUID_LEN],
			struct snapshot_def *def, unsigned int flags,
			struct error *err)
{
	struct error ignored = { 0 };
	int r = agent_call(reg, uuid, "guest-fsfreeze-freeze", NULL, NULL,
			   err);

	if (r < 0)
		return r;
	r = create(reg, uuid, def, flags, err);
	if (agent_call(reg, uuid, "guest-fsfreeze-thaw", NULL, NULL,
		       r < 0 ? &ignored : err) < 0 &&
	    r == 0)
		r = -EIO;
	return r;
}

int snapshot_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *xml, unsigned int flags, char **ret_name,
		    struct error *err)
{
	struct snapshot_def *def;
	int r = check_create_flags(flags, err);

	if (r == 0)
		r = snapshot_def_parse(xml,
				       flags & VALIDATE ?
					       SNAPSHOT_PARSE_VALIDATE :
					       0,
				       &def, err);
	if (r < 0)
		return r;
	if (flags & QUIESCE)
		r = create_quiet(reg, uuid, def, flags, err);
	else
		r = create(reg, uuid, def, flags, err);
	if (r == 0)
		*ret_name = xstrdup(def->name);
	snapshot_def_free(def);
	return r;
}
