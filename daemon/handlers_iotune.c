/*
 * daemon/handlers_iotune.c -- typed parameters about how much a disk may do in
 * a second: a definition's <iotune>.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/reply.h"
#include "daemon/tune.h"

enum { LIVE_OR_CONFIG = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
       OPS = IOTUNE_KINDS / 2, /* the first of operations */
       NAME_LEN = 64 };

/*
 * Where a parameter is.  Those of one family are given together: whoever names
 * one takes the others away.
 */
enum family { BYTES, BYTES_MAX, BYTES_LENGTH, IOPS, IOPS_MAX, IOPS_LENGTH,
	      OP_BYTES, GROUP, FAMILIES };
struct known {
	char name[NAME_LEN];
	enum family family;
	int64_t *value; /* NULL: the group's name */
};
enum { KNOWN = 3 * IOTUNE_KINDS + 2 };

static struct known of_kind(unsigned int k, const char *suffix,
			    enum family family, int64_t *value)
{
	struct known p = { .family = k < OPS ? family : family + IOPS,
			   .value = value };

	snprintf(p.name, sizeof(p.name), "%s%s", iotune_names[k], suffix);
	return p;
}

/* In libvirt's order. */
static void list_known(struct dom_iotune *t, struct known list[KNOWN])
{
	unsigned int n = 0;

	for (unsigned int k = 0; k < IOTUNE_KINDS; k++)
		list[n++] = of_kind(k, "", BYTES, &t->rate[k]);
	for (unsigned int k = 0; k < IOTUNE_KINDS; k++)
		list[n++] = of_kind(k, "_max", BYTES_MAX, &t->burst[k]);
	list[n++] = (struct known){ VIR_DOMAIN_BLOCK_IOTUNE_SIZE_IOPS_SEC,
				    OP_BYTES, &t->op_bytes };
	list[n++] = (struct known){ VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME, GROUP,
				    NULL };
	for (unsigned int k = 0; k < IOTUNE_KINDS; k++)
		list[n++] = of_kind(k, "_max_length", BYTES_LENGTH,
				    &t->seconds[k]);
}

static struct dom_disk *find_disk(const struct domain_def *def,
				  const char *name, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, name) ||
		    str_eq(def->disks[i].source, name))
			return &def->disks[i];
	error_virt(err, VIR_ERR_INVALID_ARG,
		   "disk '%s' was not found in the domain config", name);
	return NULL;
}

/* ---- setting ---- */

static struct known *find_known(struct known list[KNOWN], const char *name,
				struct error *err)
{
	for (unsigned int i = 0; i < KNOWN; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	error_virt(err, VIR_ERR_INVALID_ARG, "parameter '%s' not supported",
		   name);
	return NULL;
}

static int set_one(struct dom_iotune *t, const struct known *k,
		   const wire_value *v, struct error *err)
{
	int type = k->value ? VIR_TYPED_PARAM_ULLONG : VIR_TYPED_PARAM_STRING;

	if (v->type != type)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid type for parameter '%s'", k->name);
	if (!k->value) {
		free(t->group);
		t->group = *v->wire_value_u.s ? xstrdup(v->wire_value_u.s) :
						NULL;
		return 0;
	}
	if (v->wire_value_u.ul > IOTUNE_MAX)
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "block I/O throttle limit value must be no "
				  "more than %lld", IOTUNE_MAX);
	*k->value = (int64_t)v->wire_value_u.ul;
	return 0;
}

/* The families that are named, anew. */
static int find_families(const wire_set_iotune_args *args,
			 struct known list[KNOWN], bool named[FAMILIES],
			 struct error *err)
{
	for (unsigned int i = 0; i < args->params.params_len; i++) {
		struct known *k = find_known(
			list, args->params.params_val[i].field, err);

		if (!k)
			return -EINVAL;
		named[k->family] = true;
	}
	for (unsigned int i = 0; i < KNOWN; i++)
		if (list[i].value && named[list[i].family])
			*list[i].value = 0;
	return 0;
}

/* How long a burst lasts goes with the burst, unless that was said now. */
static void drop_lengths(struct dom_iotune *t, const bool named[FAMILIES])
{
	for (unsigned int k = 0; k < IOTUNE_KINDS; k++)
		if (!t->burst[k] &&
		    !named[k < OPS ? BYTES_LENGTH : IOPS_LENGTH])
			t->seconds[k] = 0;
}

static int change(struct dom_iotune *t, const wire_set_iotune_args *args,
		  struct error *err)
{
	bool named[FAMILIES] = { false };
	struct known list[KNOWN];
	int r;

	list_known(t, list);
	r = find_families(args, list, named, err);
	for (unsigned int i = 0; i < args->params.params_len && r == 0; i++) {
		const wire_param *p = &args->params.params_val[i];

		r = set_one(t, find_known(list, p->field, err), &p->value,
			    err);
	}
	if (r < 0)
		return r;
	drop_lengths(t, named);
	return iotune_check(t, VIR_ERR_INVALID_ARG, err);
}

static void copy_limits(struct dom_iotune *to, const struct dom_iotune *from)
{
	memcpy(to->rate, from->rate, sizeof(to->rate));
	memcpy(to->burst, from->burst, sizeof(to->burst));
	memcpy(to->seconds, from->seconds, sizeof(to->seconds));
	to->op_bytes = from->op_bytes;
}

static struct dom_disk *find_sharer(const struct domain_def *def,
				    const struct dom_disk *of,
				    const char *group)
{
	for (unsigned int i = 0; group && i < def->n_disks; i++)
		if (&def->disks[i] != of &&
		    str_eq(def->disks[i].iotune.group, group))
			return &def->disks[i];
	return NULL;
}

/* The name of the group that is asked for, or NULL. */
static const char *asked_group(const wire_set_iotune_args *args)
{
	for (unsigned int i = 0; i < args->params.params_len; i++) {
		const wire_param *p = &args->params.params_val[i];

		if (str_eq(p->field, VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME) &&
		    p->value.type == VIR_TYPED_PARAM_STRING)
			return p->value.wire_value_u.s;
	}
	return NULL;
}

/* Who joins a group begins with its limits; what is set is all its disks'. */
static int edit(struct domain_def *def, const void *arg, struct error *err)
{
	const wire_set_iotune_args *args = arg;
	struct dom_disk *disk = find_disk(def, args->disk, err), *other;
	int r;

	if (!disk)
		return -EINVAL;
	if (disk->type == DISK_VHOSTUSER)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "block I/O throttle is not supported for "
				  "vhostuser disk");
	other = find_sharer(def, disk, asked_group(args));
	if (other)
		copy_limits(&disk->iotune, &other->iotune);
	r = change(&disk->iotune, args, err);
	for (unsigned int i = 0; i < def->n_disks && r == 0; i++)
		if (disk->iotune.group &&
		    str_eq(def->disks[i].iotune.group, disk->iotune.group) &&
		    &def->disks[i] != disk)
			copy_limits(&def->disks[i].iotune, &disk->iotune);
	return r;
}

int handle_domain_set_block_io_tune(struct call *call,
				    const wire_set_iotune_args *args,
				    struct error *err)
{
	int r = call_flags(call, args->flags, LIVE_OR_CONFIG, err);

	return r < 0 ? r :
		       domain_tune(call->reg, wire_uuid_of(&args->dom),
				   "block-io-tune", args->flags,
				   DOMAIN_TUNE_DISKS, edit, args, err);
}

/* ---- getting ---- */

static void put_all(struct dom_iotune *t, struct params *p)
{
	struct known list[KNOWN];

	list_known(t, list);
	for (unsigned int i = 0; i < KNOWN; i++) {
		if (list[i].value)
			params_ullong(p, (uint64_t)*list[i].value, "%s",
				      list[i].name);
		else
			params_string(p, t->group ? t->group : "", "%s",
				      list[i].name);
	}
}

/* Without a disk it is the number of parameters that is asked for. */
int handle_domain_get_block_io_tune(struct call *call,
				    const wire_get_iotune_args *args,
				    wire_iotune *reply, struct error *err)
{
	struct dom_iotune none = { 0 };
	struct params p = { 0 };
	struct domain_def *def;
	struct dom_disk *disk = NULL;
	int r = call_flags(call, args->flags,
			   LIVE_OR_CONFIG | VIR_TYPED_PARAM_STRING_OKAY, err);

	if (r < 0)
		return r;
	def = domain_tuned(call->reg, wire_uuid_of(&args->dom),
			   args->flags & LIVE_OR_CONFIG, err);
	if (!def)
		return -EINVAL;
	if (args->disk) {
		disk = find_disk(def, *args->disk, err);
		r = disk ? 0 : -EINVAL;
	}
	if (r == 0) {
		put_all(disk ? &disk->iotune : &none, &p);
		reply_params(&p, args->nparams, &reply->params.params_len,
			     &reply->params.params_val, &reply->nparams);
	}
	params_free(&p);
	domain_def_free(def);
	return r;
}
