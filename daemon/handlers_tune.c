/*
 * daemon/handlers_tune.c -- vCPUs, where threads run, I/O threads.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/cpuset.h"
#include "daemon/guestinfo.h"
#include "daemon/hostinfo.h"
#include "daemon/reply.h"
#include "daemon/tune.h"

enum { LIVE_OR_CONFIG = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG };

/* ---- vCPUs ---- */

int handle_domain_set_vcpus(struct call *call, const wire_dom_int *args,
			    struct error *err)
{
	return domain_set_vcpus(call->reg, wire_uuid_of(&args->dom),
				args->value, VIR_DOMAIN_AFFECT_LIVE, err);
}

int handle_domain_set_vcpus_flags(struct call *call,
				  const wire_dom_uint_flags *args,
				  struct error *err)
{
	int r;

	if (!(args->flags & VIR_DOMAIN_VCPU_GUEST))
		return domain_set_vcpus(call->reg, wire_uuid_of(&args->dom),
					args->value, args->flags, err);
	/* The guest takes some off by itself, and all stay the machine's. */
	r = call_flags(call, args->flags,
		       VIR_DOMAIN_VCPU_GUEST | VIR_DOMAIN_AFFECT_LIVE, err);
	return r < 0 ? r : guestinfo_set_vcpus(call, &args->dom, args->value,
					       err);
}

int handle_domain_set_vcpu(struct call *call,
			   const wire_dom_str_int_flags *args,
			   struct error *err)
{
	if (args->value != 0 && args->value != 1)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "unsupported state value");
	return domain_set_vcpu(call->reg, wire_uuid_of(&args->dom), args->str,
			       args->value, args->flags, err);
}

/* ---- CPU maps ---- */

static void from_map(const wire_cpumap *map, struct cpuset *ret_set)
{
	memset(ret_set, 0, sizeof(*ret_set));
	memcpy(ret_set->word, map->wire_cpumap_val,
	       MIN((size_t)map->wire_cpumap_len, sizeof(ret_set->word)));
}

/* What a set says, of the CPUs that there are; NULL: all. */
static void to_map(const struct hostinfo *host, const char *text, char *map,
		   size_t len)
{
	struct cpuset set;

	memset(map, 0, len);
	if (!text || cpuset_parse(text, &set) < 0)
		memcpy(map, host->online, MIN(len, sizeof(host->online)));
	else
		memcpy(map, set.word, MIN(len, sizeof(set.word)));
}

static int check_map_size(int n, int len, struct error *err)
{
	if (n < 0 || n > WIRE_LIST_MAX || len <= 0 || len > WIRE_CPUMAP_MAX ||
	    (size_t)n * len > WIRE_CPUMAPS_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid size of CPU maps");
	return 0;
}

/* ---- pinning ---- */

struct pin_arg {
	unsigned int id;
	char *cpus; /* as XML has it */
};

static int read_pin(const wire_cpumap *map, unsigned int id,
		    struct pin_arg *ret, struct error *err)
{
	struct cpuset set;

	from_map(map, &set);
	if (cpuset_last(&set) < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Empty cpu list for pinning");
	*ret = (struct pin_arg){ id, cpuset_format(&set) };
	return 0;
}

static void put_pin(struct dom_pin **pins, unsigned int *n,
		    const struct pin_arg *a)
{
	unsigned int i = 0;

	while (i < *n && (*pins)[i].id != a->id)
		i++;
	if (i == *n) {
		*pins = xrealloc(*pins, *n + 1, sizeof(**pins));
		(*pins)[(*n)++] = (struct dom_pin){ .id = a->id };
	}
	free((*pins)[i].cpuset);
	(*pins)[i].cpuset = xstrdup(a->cpus);
}

static int edit_vcpu_pin(struct domain_def *def, const void *arg,
			 struct error *err)
{
	const struct pin_arg *a = arg;

	if (a->id >= def->max_vcpus)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "vcpu %u is out of range of live cpu count "
				  "%u", a->id, def->max_vcpus);
	put_pin(&def->cputune.vcpupins, &def->cputune.n_vcpupins, a);
	return 0;
}

static int edit_emulator_pin(struct domain_def *def, const void *arg,
			     struct error *err)
{
	const struct pin_arg *a = arg;

	free(def->cputune.emulatorpin);
	def->cputune.emulatorpin = xstrdup(a->cpus);
	return 0;
}

static int find_iothread(const struct domain_def *def, unsigned int id)
{
	for (unsigned int i = 0; i < def->n_iothreadids; i++)
		if (def->iothreadids[i].id == id)
			return (int)i;
	return -1;
}

static int edit_iothread_pin(struct domain_def *def, const void *arg,
			     struct error *err)
{
	const struct pin_arg *a = arg;

	if (find_iothread(def, a->id) < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "iothread %u not found", a->id);
	put_pin(&def->cputune.iothreadpins, &def->cputune.n_iothreadpins, a);
	return 0;
}

static int pin(struct call *call, const wire_dom *dom, const wire_cpumap *map,
	       unsigned int id, unsigned int flags, tune_edit *edit,
	       struct error *err)
{
	struct pin_arg a;
	int r = call_flags(call, flags, LIVE_OR_CONFIG, err);

	if (r >= 0)
		r = read_pin(map, id, &a, err);
	if (r < 0)
		return r;
	r = domain_tune(call->reg, wire_uuid_of(dom), "pin", flags,
			DOMAIN_TUNE_PINS, edit, &a, err);
	free(a.cpus);
	return r;
}

int handle_domain_pin_vcpu(struct call *call, const wire_pin_args *args,
			   struct error *err)
{
	return pin(call, &args->dom, &args->map, args->id,
		   VIR_DOMAIN_AFFECT_LIVE, edit_vcpu_pin, err);
}

int handle_domain_pin_vcpu_flags(struct call *call,
				 const wire_pin_flags_args *args,
				 struct error *err)
{
	return pin(call, &args->dom, &args->map, args->id, args->flags,
		   edit_vcpu_pin, err);
}

int handle_domain_pin_emulator(struct call *call,
			       const wire_dom_map_flags *args,
			       struct error *err)
{
	return pin(call, &args->dom, &args->map, 0, args->flags,
		   edit_emulator_pin, err);
}

int handle_domain_pin_iothread(struct call *call,
			       const wire_pin_flags_args *args,
			       struct error *err)
{
	return pin(call, &args->dom, &args->map, args->id, args->flags,
		   edit_iothread_pin, err);
}

static void fill_vcpu_maps(const struct hostinfo *host,
			   const struct domain_def *def, char *maps,
			   unsigned int n, size_t len)
{
	for (unsigned int i = 0; i < n; i++)
		to_map(host,
		       dom_pin_of(def->cputune.vcpupins, def->cputune.n_vcpupins,
			      i, def->vcpu_cpuset),
		       maps + i * len, len);
}

/* The definition whose pins n maps of that length are to tell, or NULL. */
static struct domain_def *def_with_pins(struct call *call,
					const wire_dom *dom,
					unsigned int flags, int n, int map_len,
					struct error *err)
{
	if (call_flags(call, flags, LIVE_OR_CONFIG, err) < 0 ||
	    check_map_size(n, map_len, err) < 0)
		return NULL;
	return domain_tuned(call->reg, wire_uuid_of(dom), flags, err);
}

int handle_domain_get_vcpu_pin_info(struct call *call,
				    const wire_vcpu_pins_args *args,
				    wire_vcpu_pins *reply, struct error *err)
{
	struct domain_def *def =
		def_with_pins(call, &args->dom, args->flags, args->max_maps,
			      args->map_len, err);

	if (!def)
		return -EINVAL;
	reply->num = MIN(def->vcpus, (unsigned int)args->max_maps);
	reply->maps.maps_len = reply->num * args->map_len;
	reply->maps.maps_val = xcalloc(1, reply->maps.maps_len + 1);
	fill_vcpu_maps(call->host, def, reply->maps.maps_val, reply->num,
		       args->map_len);
	domain_def_free(def);
	return 0;
}

int handle_domain_get_emulator_pin_info(struct call *call,
					const wire_emulator_pin_args *args,
					wire_vcpu_pins *reply,
					struct error *err)
{
	struct domain_def *def = def_with_pins(
		call, &args->dom, args->flags, 1, args->map_len, err);

	if (!def)
		return -EINVAL;
	reply->num = 1;
	reply->maps.maps_len = args->map_len;
	reply->maps.maps_val = xcalloc(1, args->map_len);
	to_map(call->host,
	       def->cputune.emulatorpin ? def->cputune.emulatorpin :
					  def->vcpu_cpuset,
	       reply->maps.maps_val, args->map_len);
	domain_def_free(def);
	return 0;
}

/* ---- I/O threads ---- */

static void fill_iothread(const struct hostinfo *host,
			  const struct domain_def *def, unsigned int i,
			  wire_iothread *ret)
{
	const struct dom_cputune *t = &def->cputune;
	size_t len = (host->n_cpus + 7) / 8;

	ret->id = def->iothreadids[i].id;
	ret->map.wire_cpumap_len = len;
	ret->map.wire_cpumap_val = xcalloc(1, len);
	to_map(host,
	       dom_pin_of(t->iothreadpins, t->n_iothreadpins, ret->id,
		      def->vcpu_cpuset),
	       ret->map.wire_cpumap_val, len);
}

int handle_domain_get_iothread_info(struct call *call,
				    const wire_dom_flags *args,
				    wire_iothreads *reply, struct error *err)
{
	struct domain_def *def;
	int r = call_flags(call, args->flags, LIVE_OR_CONFIG, err);

	if (r < 0)
		return r;
	def = domain_tuned(call->reg, wire_uuid_of(&args->dom), args->flags,
			   err);
	if (!def)
		return -EINVAL;
	reply->ret = def->n_iothreadids;
	reply->info.info_len = def->n_iothreadids;
	reply->info.info_val =
		xcalloc(def->n_iothreadids, sizeof(wire_iothread));
	for (unsigned int i = 0; i < def->n_iothreadids; i++)
		fill_iothread(call->host, def, i, &reply->info.info_val[i]);
	domain_def_free(def);
	return 0;
}

static int edit_add_iothread(struct domain_def *def, const void *arg,
			     struct error *err)
{
	unsigned int id = *(const unsigned int *)arg;

	if (!id || find_iothread(def, id) >= 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "an IOThread is already using iothread_id "
				  "'%u'", id);
	def->iothreadids = xrealloc(def->iothreadids, def->n_iothreadids + 1,
				    sizeof(*def->iothreadids));
	def->iothreadids[def->n_iothreadids++] =
		(struct dom_iothread){ .id = id };
	def->iothreads = def->n_iothreadids;
	return 0;
}

static void drop_pin(struct dom_cputune *t, unsigned int id)
{
	for (unsigned int i = 0; i < t->n_iothreadpins; i++) {
		if (t->iothreadpins[i].id != id)
			continue;
		free(t->iothreadpins[i].cpuset);
		free(t->iothreadpins[i].extra);
		t->iothreadpins[i] = t->iothreadpins[--t->n_iothreadpins];
		return;
	}
}

static int edit_del_iothread(struct domain_def *def, const void *arg,
			     struct error *err)
{
	unsigned int id = *(const unsigned int *)arg;
	int i = find_iothread(def, id);

	if (i < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "cannot find IOThread '%u' in iothreadids "
				  "list", id);
	for (unsigned int k = 0; k < def->n_disks; k++)
		if (def->disks[k].iothread == id)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "cannot remove IOThread %u since it "
					  "is being used by disk '%s'", id,
					  def->disks[k].target_dev);
	free(def->iothreadids[i].extra);
	memmove(&def->iothreadids[i], &def->iothreadids[i + 1],
		(--def->n_iothreadids - i) * sizeof(*def->iothreadids));
	def->iothreads = def->n_iothreadids;
	drop_pin(&def->cputune, id);
	return 0;
}

static int change_iothread(struct call *call, const wire_dom_uint_flags *args,
			   tune_edit *edit, struct error *err)
{
	int r = call_flags(call, args->flags, LIVE_OR_CONFIG, err);

	return r < 0 ? r :
		       domain_tune(call->reg, wire_uuid_of(&args->dom),
				   "iothread", args->flags, 0, edit,
				   &args->value, err);
}

int handle_domain_add_iothread(struct call *call,
			       const wire_dom_uint_flags *args,
			       struct error *err)
{
	return change_iothread(call, args, edit_add_iothread, err);
}

int handle_domain_del_iothread(struct call *call,
			       const wire_dom_uint_flags *args,
			       struct error *err)
{
	return change_iothread(call, args, edit_del_iothread, err);
}
