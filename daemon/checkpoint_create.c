/*
 * daemon/checkpoint_create.c -- new checkpoints, and those that a client knows
 * from elsewhere.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "daemon/checkpoint.h"
#include "daemon/registry.h"
#include "daemon/snapshot.h"

#define LOG_MODULE "checkpoint"
#include "base/log.h"

enum {
	REDEFINE = VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE,
	QUIESCE = VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
	VALIDATE = VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE,
};

static int check_create_flags(unsigned int flags, struct error *err)
{
	int r = check_flags(flags, REDEFINE | QUIESCE | VALIDATE,
			    "checkpoint_create", err);

	if (r == 0 && flags & REDEFINE && flags & QUIESCE)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flags 'redefine' and 'quiesce' are mutually exclusive");
	if (r == 0 && flags & VALIDATE && !(flags & REDEFINE))
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flag 'redefine validate' requires flag 'redefine'");
	return r;
}

/* ---- recording ---- */

static int put(struct dom_obj *obj, struct checkpoint_def *def,
	       const char *parent, bool current, struct error *err)
{
	struct checkpoints *next = checkpoints_copy(obj->checkpoints);

	checkpoints_put(next, def, parent);
	if (current)
		next->current = def;
	return checkpoints_commit(obj, next, err);
}

int checkpoint_record(struct dom_obj *obj, struct checkpoint_def *def,
		      struct error *err)
{
	const struct checkpoints *s = obj->checkpoints;

	return put(obj, def, s && s->current ? s->current->name : NULL, true,
		   err);
}

/* ---- one of now ---- */

static int check_snapshots(const struct dom_obj *obj, struct error *err)
{
	return obj->snapshots && obj->snapshots->n ?
		       error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "cannot create checkpoint while snapshot exists") :
		       0;
}

static int check_domain(const struct dom_obj *obj, struct error *err)
{
	int r = check_snapshots(obj, err);

	if (r == 0 && !obj->active)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot create checkpoint for inactive domain");
	return r;
}

int checkpoint_prepare(struct dom_obj *obj, struct checkpoint_def *def,
		       struct error *err)
{
	int r = check_domain(obj, err);

	if (r < 0)
		return r;
	def->created = time(NULL);
	if (!def->name)
		def->name = xasprintf("%lld", (long long)def->created);
	if (checkpoints_find(obj->checkpoints, def->name))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain moment %s already exists",
				  def->name);
	domain_def_free(def->domain);
	def->domain = domain_def_copy(obj->d.live);
	return checkpoint_align_disks(def, def->domain, err);
}

/* All disks at one moment: the guest does nothing meanwhile. */
static int mark_paused(struct dom_obj *obj, const struct checkpoint_def *def,
		       struct error *err)
{
	bool stop = obj->state == VIR_DOMAIN_RUNNING;
	struct error ignored = { 0 };
	int r = stop ? driver_call(obj, err, pause) : 0;

	if (r < 0)
		return r;
	r = checkpoint_mark(obj, def, err);
	if (stop && driver_call(obj, r < 0 ? &ignored : err, resume) < 0 &&
	    r >= 0)
		r = -EIO;
	return r;
}

static int create(struct dom_obj *obj, struct checkpoint_def *def,
		  struct error *err)
{
	struct error ignored = { 0 };
	int r = checkpoint_prepare(obj, def, err);

	if (r == 0)
		r = mark_paused(obj, def, err);
	if (r < 0)
		return r;
	r = checkpoint_record(obj, def, err);
	if (r < 0)
		checkpoint_unmark(obj, def, &ignored);
	return r;
}

/* ---- a document that a client has ---- */

static int check_document(const struct dom_obj *obj,
			  const struct checkpoint_def *def, struct error *err)
{
	char ours[UUID_STR_LEN];

	if (!def->name)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "a redefined checkpoint must have a name");
	if (!def->created)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "missing creationTime from existing checkpoint");
	if (!def->domain)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "missing domain in checkpoint");
	if (!memcmp(def->domain->uuid, obj->d.uuid, UUID_LEN))
		return 0;
	uuid_format(obj->d.uuid, ours);
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "definition for checkpoint %s must use uuid %s",
			  def->name, ours);
}

static int check_parent(const struct checkpoints *s,
			const struct checkpoint_def *def, struct error *err)
{
	if (!def->parent)
		return 0;
	if (str_eq(def->parent, def->name))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot set checkpoint %s as its own parent",
				  def->name);
	if (!checkpoints_find(s, def->parent))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parent %s for checkpoint %s not found",
				  def->parent, def->name);
	if (checkpoints_is_below(s, def->parent, def->name))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parent %s would create cycle to %s",
				  def->parent, def->name);
	return 0;
}

/* The images have what it says. */
static int validate(struct dom_obj *obj, const struct checkpoint_def *def,
		    struct error *err)
{
	uint64_t size;
	int r = run_check_active(obj, err);

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		if (def->disks[i].marked)
			r = checkpoint_measure(obj, def, def->disks[i].name,
					       &size, err);
	return r;
}

static int check_redefine(struct dom_obj *obj, struct checkpoint_def *def,
			  unsigned int flags, struct error *err)
{
	int r = check_snapshots(obj, err);

	if (r == 0)
		r = check_document(obj, def, err);
	if (r == 0)
		r = check_parent(obj->checkpoints, def, err);
	if (r == 0)
		r = checkpoint_align_disks(def, def->domain, err);
	return r < 0 || !(flags & VALIDATE) ? r : validate(obj, def, err);
}

/* ---- the call ---- */

/* The last one is what the next one follows, wherever it was known from. */
static int redefine(struct dom_obj *obj, struct checkpoint_def *def,
		    unsigned int flags, struct error *err)
{
	bool fresh = !checkpoints_find(obj->checkpoints, def->name);
	int r = check_redefine(obj, def, flags, err);

	return r < 0 ? r : put(obj, def, def->parent, fresh, err);
}

static int freeze(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  bool frozen, struct error *err)
{
	return agent_call(reg, uuid,
			  frozen ? "guest-fsfreeze-freeze" :
				   "guest-fsfreeze-thaw",
			  NULL, NULL, err);
}

/* def is taken over on success. */
static int enter(struct registry *reg, const uint8_t uuid[UUID_LEN],
		 struct checkpoint_def *def, unsigned int flags,
		 char **ret_name, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "checkpoint", &obj, err);

	if (r < 0)
		return r;
	r = flags & REDEFINE ? redefine(obj, def, flags, err) :
			       create(obj, def, err);
	if (r == 0)
		*ret_name = xstrdup(def->name);
	obj_end(obj);
	return r;
}

/* While the guest's file systems are frozen, by its agent. */
static int enter_quiet(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct checkpoint_def *def, char **ret_name,
		       struct error *err)
{
	struct error thaw = { 0 };
	int r = freeze(reg, uuid, true, err);

	if (r < 0)
		return r;
	r = enter(reg, uuid, def, 0, ret_name, err);
	if (freeze(reg, uuid, false, &thaw) < 0)
		log_warn("the guest's file systems stay frozen: %s",
			 thaw.message);
	return r;
}

int checkpoint_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *xml, unsigned int flags, char **ret_name,
		      struct error *err)
{
	struct checkpoint_def *def;
	int r = check_create_flags(flags, err);

	if (r == 0)
		r = checkpoint_def_parse(xml, CHECKPOINT_PARSE_VALIDATE, &def,
					 err);
	if (r < 0)
		return r;
	r = flags & QUIESCE ? enter_quiet(reg, uuid, def, ret_name, err) :
			      enter(reg, uuid, def, flags, ret_name, err);
	if (r < 0)
		checkpoint_def_free(def);
	return r;
}
