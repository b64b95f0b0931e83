/*
 * daemon/handlers_limits.c -- typed parameters about processor time, memory,
 * disks and NUMA nodes: a definition's <cputune>, <memtune>, <blkiotune> and
 * <numatune>.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/cpuset.h"
#include "daemon/reply.h"
#include "daemon/tune.h"

enum { LIVE_OR_CONFIG = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
       FLAGS = LIVE_OR_CONFIG | VIR_TYPED_PARAM_STRING_OKAY };

/* Where a parameter is in a definition, and what it may be. */
enum kind { P_UINT, P_LLONG, P_ULLONG, P_BYTES, P_STRING, P_MODE };
struct known {
	const char *field;
	enum kind kind;
	size_t offset;
	int64_t min, max; /* of numbers; 0 both: any */
	int64_t unset;	  /* what 0 in a definition is to a client */
};
#define D(m) offsetof(struct domain_def, m)

static const struct known scheduler[] = {
	{ VIR_DOMAIN_SCHEDULER_CPU_SHARES, P_ULLONG, D(cputune.shares), 2,
	  262144, 1024 },
	{ VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, P_ULLONG, D(cputune.period), 1000,
	  1000000, 100000 },
	{ VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, P_LLONG, D(cputune.quota), 1000,
	  17592186044415, -1 },
	{ VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD, P_ULLONG,
	  D(cputune.emulator_period), 1000, 1000000, 100000 },
	{ VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA, P_LLONG,
	  D(cputune.emulator_quota), 1000, 17592186044415, -1 },
	{ VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, P_ULLONG,
	  D(cputune.global_period), 1000, 1000000, 100000 },
	{ VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, P_LLONG, D(cputune.global_quota),
	  1000, 17592186044415, -1 },
};
#define UNLIMITED 9007199254740991ll /* KiB: libvirt's "no limit" */
static const struct known memory[] = {
	{ VIR_DOMAIN_MEMORY_HARD_LIMIT, P_BYTES, D(memtune.hard_limit), 0, 0,
	  UNLIMITED },
	{ VIR_DOMAIN_MEMORY_SOFT_LIMIT, P_BYTES, D(memtune.soft_limit), 0, 0,
	  UNLIMITED },
	{ VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, P_BYTES,
	  D(memtune.swap_hard_limit), 0, 0, UNLIMITED },
};
static const struct known blkio[] = {
	{ VIR_DOMAIN_BLKIO_WEIGHT, P_UINT, D(blkiotune.weight), 10, 1000, 0 },
};
static const struct known numa[] = {
	{ VIR_DOMAIN_NUMA_NODESET, P_STRING, D(numatune.nodeset), 0, 0, 0 },
	{ VIR_DOMAIN_NUMA_MODE, P_MODE, D(numatune.mode), 0, 0, 0 },
};

/* In the order of virDomainNumatuneMemMode. */
static const char *const numa_modes[] = { "strict", "preferred", "interleave",
					  "restrictive" };

struct table {
	const struct known *known;
	size_t n;
	unsigned int what; /* enum domain_tune */
};
#define TABLE(t, what) { t, ARRAY_SIZE(t), what }
static const struct table scheduler_table = TABLE(scheduler,
						  DOMAIN_TUNE_LIMITS);
static const struct table memory_table = TABLE(memory, DOMAIN_TUNE_LIMITS);
static const struct table blkio_table = TABLE(blkio, DOMAIN_TUNE_LIMITS);
static const struct table numa_table = TABLE(numa, DOMAIN_TUNE_NUMA);

/* ---- setting ---- */

struct change {
	const struct table *table;
	const wire_param *params;
	unsigned int n;
};

static const struct known *find(const struct table *t, const char *field)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->known[i].field, field))
			return &t->known[i];
	return NULL;
}

static int number_of(const wire_param *p, int64_t *ret)
{
	switch (p->value.type) {
	case VIR_TYPED_PARAM_INT:
		*ret = p->value.wire_value_u.i;
		return 0;
	case VIR_TYPED_PARAM_UINT:
		*ret = p->value.wire_value_u.ui;
		return 0;
	case VIR_TYPED_PARAM_LLONG:
		*ret = p->value.wire_value_u.l;
		return 0;
	case VIR_TYPED_PARAM_ULLONG:
		*ret = (int64_t)MIN(p->value.wire_value_u.ul,
				    (uint64_t)INT64_MAX);
		return 0;
	default:
		return -EINVAL;
	}
}

static int bad_value(const struct known *k, struct error *err)
{
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "invalid value for parameter '%s'", k->field);
}

static int set_number(const struct known *k, const wire_param *p, void *member,
		      struct error *err)
{
	int64_t v;

	if (number_of(p, &v) < 0)
		return bad_value(k, err);
	if (k->kind == P_BYTES) {
		*(uint64_t *)member =
			v >= UNLIMITED || v < 0 ? 0 : (uint64_t)v * KIB;
		return 0;
	}
	if (v == 0 || (k->kind == P_LLONG && v < 0)) {
		v = k->kind == P_LLONG && v < 0 ? -1 : 0;
	} else if (v < k->min || v > k->max) {
		return bad_value(k, err);
	}
	if (k->kind == P_LLONG)
		*(int64_t *)member = v;
	else
		*(unsigned int *)member = (unsigned int)v;
	return 0;
}

static int set_string(const struct known *k, const wire_param *p, char **member,
		      struct error *err)
{
	struct cpuset set;

	if (p->value.type != VIR_TYPED_PARAM_STRING ||
	    cpuset_parse(p->value.wire_value_u.s, &set) < 0)
		return bad_value(k, err);
	free(*member);
	*member = cpuset_format(&set);
	return 0;
}

static int set_mode(const struct known *k, const wire_param *p, char **member,
		    struct error *err)
{
	int64_t v;

	if (number_of(p, &v) < 0 || v < 0 ||
	    v >= (int64_t)ARRAY_SIZE(numa_modes))
		return bad_value(k, err);
	free(*member);
	*member = xstrdup(numa_modes[v]);
	return 0;
}

static int set_one(struct domain_def *def, const struct table *t,
		   const wire_param *p, struct error *err)
{
	const struct known *k = find(t, p->field);
	void *member;

	if (!k)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parameter '%s' not supported", p->field);
	member = (char *)def + k->offset;
	if (k->kind == P_STRING)
		return set_string(k, p, member, err);
	if (k->kind == P_MODE)
		return set_mode(k, p, member, err);
	return set_number(k, p, member, err);
}

static int check_memory(const struct domain_def *def, struct error *err)
{
	const struct dom_memtune *m = &def->memtune;

	if (m->swap_hard_limit && m->hard_limit > m->swap_hard_limit)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "memory hard_limit tunable value must be "
				  "lower than or equal to swap_hard_limit");
	return 0;
}

static int edit(struct domain_def *def, const void *arg, struct error *err)
{
	const struct change *c = arg;
	int r = 0;

	for (unsigned int i = 0; i < c->n && r == 0; i++)
		r = set_one(def, c->table, &c->params[i], err);
	if (r == 0 && def->numatune.nodeset && !def->numatune.mode)
		def->numatune.mode = xstrdup("strict");
	return r < 0 ? r : check_memory(def, err);
}

/* libvirt's rules: other nodes, of memory that stays bound to nodes. */
static int edit_running_numa(struct domain_def *def, const void *arg,
			     struct error *err)
{
	_cleanup_free_ char *nodes = xstrdup(def->numatune.nodeset);
	_cleanup_free_ char *mode = xstrdup(def->numatune.mode);
	int r = edit(def, arg, err);

	if (r < 0)
		return r;
	if (mode && !str_eq(mode, def->numatune.mode))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "can't change numatune mode for running domain");
	if (!str_eq(nodes, def->numatune.nodeset) &&
	    !str_eq(def->numatune.mode, "strict"))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "change of nodeset for running domain requires strict numa mode");
	return 0;
}

static int edit_numa(struct domain_def *def, const void *arg, struct error *err)
{
	return def->id < 0 ? edit(def, arg, err) :
			     edit_running_numa(def, arg, err);
}

static int set(struct call *call, const wire_dom_params_flags *args,
	       const struct table *t, unsigned int flags, struct error *err)
{
	struct change c = { t, args->params.params_val,
			    args->params.params_len };
	int r = call_flags(call, flags, FLAGS, err);

	return r < 0 ? r :
		       domain_tune(call->reg, wire_uuid_of(&args->dom),
				   "limits", flags, t->what,
				   t == &numa_table ? edit_numa : edit, &c,
				   err);
}

/* ---- getting ---- */

static int64_t mode_number(const char *mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(numa_modes); i++)
		if (str_eq(numa_modes[i], mode))
			return (int64_t)i;
	return 0;
}

static void get_one(const struct domain_def *def, const struct known *k,
		    struct params *p)
{
	const void *member = (const char *)def + k->offset;
	const unsigned int *u = member;
	const int64_t *l = member;
	const uint64_t *bytes = member;
	char *const *text = member;

	switch (k->kind) {
	case P_UINT:
		params_uint(p, *u ? *u : (unsigned int)k->unset, "%s",
			    k->field);
		break;
	case P_ULLONG:
		params_ullong(p, *u ? *u : (uint64_t)k->unset, "%s", k->field);
		break;
	case P_LLONG:
		params_llong(p, *l ? *l : k->unset, "%s", k->field);
		break;
	case P_BYTES:
		params_ullong(p, *bytes ? *bytes / KIB : (uint64_t)k->unset,
			      "%s", k->field);
		break;
	case P_STRING:
		params_string(p, *text ? *text : "", "%s", k->field);
		break;
	case P_MODE:
		params_int(p, (int)mode_number(*text), "%s", k->field);
		break;
	}
}

static int get(struct call *call, const wire_dom *dom, unsigned int flags,
	       const struct table *t, struct params *p, struct error *err)
{
	struct domain_def *def;
	int r = call_flags(call, flags, FLAGS, err);

	if (r < 0)
		return r;
	def = domain_tuned(call->reg, wire_uuid_of(dom), flags, err);
	if (!def)
		return -EINVAL;
	for (size_t i = 0; i < t->n; i++)
		get_one(def, &t->known[i], p);
	domain_def_free(def);
	return 0;
}

/* Asked for with 0, it is the number alone. */
static int get_some(struct call *call, const wire_dom_get_params *args,
		    const struct table *t, wire_few_params *reply,
		    struct error *err)
{
	struct params p = { 0 };
	int r = get(call, &args->dom, args->flags, t, &p, err);

	if (r >= 0)
		reply_params(&p, args->nparams, &reply->params.params_len,
			     &reply->params.params_val, &reply->nparams);
	params_free(&p);
	return r;
}

/* ---- the calls ---- */

int handle_domain_get_scheduler_type(struct call *call, const wire_dom *args,
				     wire_scheduler_type *reply,
				     struct error *err)
{
	struct domain_info info;
	int r = domain_get_info(call->reg, wire_uuid_of(args), &info, err);

	if (r < 0)
		return r;
	reply->type = xstrdup("posix");
	reply->nparams = ARRAY_SIZE(scheduler);
	return 0;
}

static int get_scheduler(struct call *call, const wire_dom *dom, int nparams,
			 unsigned int flags, wire_params *reply,
			 struct error *err)
{
	struct params p = { 0 };
	int n, r = get(call, dom, flags, &scheduler_table, &p, err);

	if (r >= 0)
		reply_params(&p, nparams, &reply->params.params_len,
			     &reply->params.params_val, &n);
	params_free(&p);
	return r;
}

int handle_domain_get_scheduler_parameters(struct call *call,
					   const wire_dom_int *args,
					   wire_params *reply,
					   struct error *err)
{
	return get_scheduler(call, &args->dom, args->value, 0, reply, err);
}

int handle_domain_get_scheduler_parameters_flags(
	struct call *call, const wire_dom_get_params *args,
	wire_params *reply, struct error *err)
{
	return get_scheduler(call, &args->dom, args->nparams, args->flags,
			     reply, err);
}

int handle_domain_set_scheduler_parameters(struct call *call,
					   const wire_dom_params *args,
					   struct error *err)
{
	wire_dom_params_flags with = { .dom = args->dom };

	with.params.params_val = args->params.params_val;
	with.params.params_len = args->params.params_len;
	return set(call, &with, &scheduler_table, VIR_DOMAIN_AFFECT_CURRENT,
		   err);
}

int handle_domain_set_scheduler_parameters_flags(
	struct call *call, const wire_dom_params_flags *args,
	struct error *err)
{
	return set(call, args, &scheduler_table, args->flags, err);
}

int handle_domain_set_memory_parameters(struct call *call,
					const wire_dom_params_flags *args,
					struct error *err)
{
	return set(call, args, &memory_table, args->flags, err);
}

int handle_domain_get_memory_parameters(struct call *call,
					const wire_dom_get_params *args,
					wire_few_params *reply,
					struct error *err)
{
	return get_some(call, args, &memory_table, reply, err);
}

int handle_domain_set_blkio_parameters(struct call *call,
				       const wire_dom_params_flags *args,
				       struct error *err)
{
	return set(call, args, &blkio_table, args->flags, err);
}

int handle_domain_get_blkio_parameters(struct call *call,
				       const wire_dom_get_params *args,
				       wire_few_params *reply,
				       struct error *err)
{
	return get_some(call, args, &blkio_table, reply, err);
}

int handle_domain_set_numa_parameters(struct call *call,
				      const wire_dom_params_flags *args,
				      struct error *err)
{
	return set(call, args, &numa_table, args->flags, err);
}

int handle_domain_get_numa_parameters(struct call *call,
				      const wire_dom_get_params *args,
				      wire_few_params *reply,
				      struct error *err)
{
	return get_some(call, args, &numa_table, reply, err);
}
