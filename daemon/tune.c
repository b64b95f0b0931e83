/*
 * daemon/tune.c -- changing what a domain gets of the host.
 *
 * A change is an edit of a definition.  For a running domain the edited copy
 * goes to the driver first and then takes the place of the running definition;
 * the stored one is edited apart.
 */
#include "daemon/tune.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "base/cpuset.h"
#include "daemon/definition.h"
#include "daemon/registry.h"

static void replace_live(struct dom_obj *obj, struct domain_def *def)
{
	struct domain_def *old = obj->d.live;

	pthread_mutex_lock(&obj->reg->lock);
	obj->d.live = def;
	pthread_mutex_unlock(&obj->reg->lock);
	domain_def_free(old);
	run_force_state(obj, obj->state, obj->reason); /* stores it */
}

static int tune_live(struct dom_obj *obj, unsigned int what, tune_edit *edit,
		     const void *arg, struct error *err)
{
	struct domain_def *def = domain_def_copy(obj->d.live);
	int r = edit(def, arg, err);

	if (r == 0 && what)
		r = driver_call(obj, err, tune, def, what);
	if (r < 0)
		domain_def_free(def);
	else
		replace_live(obj, def);
	return r;
}

static int tune_config(struct dom_obj *obj, tune_edit *edit, const void *arg,
		       struct error *err)
{
	struct domain_def *def = domain_def_copy(obj->config);
	int r = edit(def, arg, err);

	if (r == 0)
		r = config_replace(obj, def, err);
	if (r < 0)
		domain_def_free(def);
	return r;
}

int domain_tune(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *job, unsigned int flags, unsigned int what,
		tune_edit *edit, const void *arg, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, job, &obj, err);

	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_LIVE)
		r = tune_live(obj, what, edit, arg, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_CONFIG)
		r = tune_config(obj, edit, arg, err);
	obj_end(obj);
	return r;
}

/* ---- vCPUs ---- */

static int check_count(const struct domain_def *def, unsigned int n,
		       struct error *err)
{
	if (n && n <= def->max_vcpus)
		return 0;
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "requested vcpus is greater than max allowable "
			  "vcpus for the domain: %u > %u", n, def->max_vcpus);
}

static int set_live_vcpus(struct dom_obj *obj, unsigned int n,
			  struct error *err)
{
	unsigned int now = 0;
	int r = check_count(obj->d.live, n, err);

	if (r == 0)
		r = driver_call(obj, err, set_vcpus, n, &now);
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	obj->d.live->vcpus = now;
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, obj->state, obj->reason);
	return now == n ? 0 :
			  error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				     "vcpu unplug request timed out. Unplug "
				     "result must be manually inspected in "
				     "the domain");
}

static int edit_vcpus(struct domain_def *def, const void *arg,
		      struct error *err)
{
	unsigned int n = *(const unsigned int *)arg;
	int r = check_count(def, n, err);

	if (r == 0)
		def->vcpus = n;
	return r;
}

/* A topology that no longer fits goes only if its user changes it. */
static int edit_max_vcpus(struct domain_def *def, const void *arg,
			  struct error *err)
{
	unsigned int n = *(const unsigned int *)arg;
	const struct dom_cpu *cpu = &def->cpu;

	if (!n || n > 255)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a domain has from 1 to 255 vCPUs");
	if (cpu->sockets &&
	    n != cpu->sockets * cpu->dies * cpu->cores * cpu->threads)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "CPU topology doesn't match the desired vcpu "
				  "count");
	def->max_vcpus = n;
	def->vcpus = MIN(def->vcpus, n);
	return 0;
}

static int set_vcpus(struct dom_obj *obj, unsigned int n, unsigned int flags,
		     struct error *err)
{
	bool maximum = flags & VIR_DOMAIN_VCPU_MAXIMUM;
	int r = 0;

	if (maximum && flags & VIR_DOMAIN_AFFECT_LIVE)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot adjust maximum vcpus on running "
				  "domain");
	if (flags & VIR_DOMAIN_AFFECT_LIVE)
		r = set_live_vcpus(obj, n, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_CONFIG)
		r = tune_config(obj, maximum ? edit_max_vcpus : edit_vcpus,
				&n, err);
	return r;
}

int domain_set_vcpus(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int n, unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
				    VIR_DOMAIN_VCPU_MAXIMUM |
				    VIR_DOMAIN_VCPU_HOTPLUGGABLE,
			    __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "set-vcpus", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0)
		r = set_vcpus(obj, n, flags, err);
	obj_end(obj);
	return r;
}

/*
 * They come and go in their order, so what is asked for must be the next ones,
 * or the last.
 */
static int count_with(const struct domain_def *def, const struct cpuset *set,
		      bool there, unsigned int *ret_n, struct error *err)
{
	unsigned int n = cpuset_count(set), first;

	for (int i = 0; i <= cpuset_last(set); i++) {
		if (cpuset_has(set, i) && i >= (int)def->max_vcpus)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "vcpu '%d' is not present in domain definition",
					  i);
		if (cpuset_has(set, i) && (i < (int)def->vcpus) == there)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "vcpu '%d' is already in requested state",
					  i);
	}
	first = there ? def->vcpus : def->vcpus - n;
	for (unsigned int i = 0; i < n; i++)
		if (!cpuset_has(set, first + i))
			return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
					  "vCPUs come and go in their order: vcpu '%u' is not among those named",
					  first + i);
	*ret_n = there ? def->vcpus + n : first;
	return 0;
}

static int set_vcpu(struct dom_obj *obj, const struct cpuset *set, bool there,
		    unsigned int flags, struct error *err)
{
	unsigned int n = 0;
	int r = 0;

	if (flags & VIR_DOMAIN_AFFECT_LIVE)
		r = count_with(obj->d.live, set, there, &n, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_LIVE)
		r = set_vcpus(obj, n, VIR_DOMAIN_AFFECT_LIVE, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_CONFIG)
		r = count_with(obj->config, set, there, &n, err);
	if (r == 0 && flags & VIR_DOMAIN_AFFECT_CONFIG)
		r = set_vcpus(obj, n, VIR_DOMAIN_AFFECT_CONFIG, err);
	return r;
}

int domain_set_vcpu(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *which, bool there, unsigned int flags,
		    struct error *err)
{
	struct dom_obj *obj;
	struct cpuset set;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
			    __func__, err);

	if (r == 0 && (cpuset_parse(which, &set) < 0 || cpuset_last(&set) < 0))
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "no vcpus selected for modification");
	if (r == 0)
		r = obj_begin(reg, uuid, "set-vcpu", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0)
		r = set_vcpu(obj, &set, there, flags, err);
	obj_end(obj);
	return r;
}

/* ---- the clock ---- */

static int edit_clock(struct domain_def *def, const void *arg,
		      struct error *err)
{
	int64_t offset = *(const int64_t *)arg;
	time_t now = time(NULL);
	struct tm tm;

	if (def->clock != CLOCK_VARIABLE)
		return 0;
	if (str_eq(def->clock_basis, "localtime") && localtime_r(&now, &tm))
		offset -= tm.tm_gmtoff;
	free(def->clock_adjustment);
	def->clock_adjustment = xasprintf("%lld", (long long)offset);
	return 0;
}

void tune_clock(struct dom_obj *obj, int64_t offset)
{
	struct error ignored = { 0 };

	tune_live(obj, 0, edit_clock, &offset, &ignored);
	if (obj->config)
		tune_config(obj, edit_clock, &offset, &ignored);
}

/* ---- asking ---- */

struct domain_def *domain_tuned(struct registry *reg,
				const uint8_t uuid[UUID_LEN],
				unsigned int flags, struct error *err)
{
	unsigned int which =
		flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG);
	struct domain_info info;

	if (domain_get_info(reg, uuid, &info, err) < 0)
		return NULL;
	if (which == (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG)) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "flags 'affect live' and 'affect config' are "
			   "mutually exclusive");
		return NULL;
	}
	if (which == VIR_DOMAIN_AFFECT_LIVE && !info.active) {
		error_virt(err, VIR_ERR_OPERATION_INVALID,
			   "domain is not running");
		return NULL;
	}
	if (which == VIR_DOMAIN_AFFECT_CONFIG && !info.persistent) {
		error_virt(err, VIR_ERR_OPERATION_INVALID,
			   "transient domains do not have any persistent "
			   "config");
		return NULL;
	}
	return domain_get_def(reg, uuid,
			      which ? which == VIR_DOMAIN_AFFECT_LIVE :
				      info.active,
			      err);
}
