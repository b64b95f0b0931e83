/*
 * drivers/launch_place.c -- which CPUs of the host a machine's threads run on,
 * what it gets of the host at most, and how many vCPUs the guest has.
 *
 * Threads that serve disks begin when the guest first runs, so they are placed
 * then; all others as soon as they are there.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpuset.h"
#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"

enum { UNPLUG_SECONDS = 10, UNPLUG_STEP_NS = 20000000 };

/* ---- pins ---- */

/* All there could be; the kernel leaves out those that there are not. */
static void all_cpus(struct cpuset *set)
{
	memset(set, 0xff, sizeof(*set));
}

static int pin(struct domain *dom, const char *thread, const char *text,
	       struct error *err)
{
	struct cpuset set;

	if (!text)
		all_cpus(&set);
	else if (cpuset_parse(text, &set) < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "'%.80s' is no set of CPUs", text);
	return host_pin_vmm(dom->uuid, thread, &set, -1, 0, err);
}

static int pin_vcpus(struct domain *dom, const struct domain_def *def,
		     struct error *err)
{
	const struct dom_cputune *t = &def->cputune;
	char thread[16];
	int r = 0;

	for (unsigned int i = 0; i < def->max_vcpus && r == 0; i++) {
		snprintf(thread, sizeof(thread), "vcpu%u", i);
		r = pin(dom, thread,
			dom_pin_of(t->vcpupins, t->n_vcpupins, i,
			       def->vcpu_cpuset), err);
	}
	return r;
}

/* An I/O thread is those of the disks that are on it. */
static int pin_iothreads(struct domain *dom, const struct domain_def *def,
			 struct error *err)
{
	const struct dom_cputune *t = &def->cputune;
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r == 0; i++) {
		const struct dom_disk *d = &def->disks[i];
		const char *set =
			d->iothread ? dom_pin_of(t->iothreadpins,
					     t->n_iothreadpins, d->iothread,
					     NULL) :
				      NULL;

		if (set && d->info.alias)
			r = pin(dom, d->info.alias, set, err);
	}
	return r;
}

static int pin_all(struct domain *dom, const struct domain_def *def,
		   struct error *err)
{
	const struct dom_cputune *t = &def->cputune;
	int r = pin(dom, NULL,
		    t->emulatorpin ? t->emulatorpin : def->vcpu_cpuset, err);

	if (r == 0)
		r = pin_vcpus(dom, def, err);
	return r < 0 ? r : pin_iothreads(dom, def, err);
}

static bool has_pins(const struct domain_def *def)
{
	const struct dom_cputune *t = &def->cputune;

	return t->n_vcpupins || t->n_iothreadpins || t->emulatorpin ||
	       def->vcpu_cpuset;
}

/* ---- schedulers ---- */

static int policy_of(const char *word)
{
	return str_eq(word, "fifo")  ? SCHED_FIFO :
	       str_eq(word, "rr")    ? SCHED_RR :
	       str_eq(word, "batch") ? SCHED_BATCH :
				       SCHED_IDLE;
}

static int schedule(struct domain *dom, const char *thread,
		    const char *scheduler, const char *priority,
		    struct error *err)
{
	return host_pin_vmm(dom->uuid, thread, NULL, policy_of(scheduler),
			    priority ? strtoul(priority, NULL, 10) : 0, err);
}

static int schedule_vcpus(struct domain *dom, const struct domain_def *def,
			  const struct dom_sched *s, struct error *err)
{
	struct cpuset ids;
	char thread[16];
	int r = 0;

	if (cpuset_parse(s->ids, &ids) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "<vcpusched>: '%.80s' are no vCPUs", s->ids);
	for (unsigned int i = 0; i < def->max_vcpus && r == 0; i++) {
		snprintf(thread, sizeof(thread), "vcpu%u", i);
		if (cpuset_has(&ids, i))
			r = schedule(dom, thread, s->scheduler, s->priority,
				     err);
	}
	return r;
}

static int schedule_all(struct domain *dom, const struct domain_def *def,
			struct error *err)
{
	const struct dom_cputune *t = &def->cputune;
	int r = 0;

	if (t->emulatorsched)
		r = schedule(dom, NULL, t->emulatorsched,
			     t->emulatorsched_priority, err);
	for (unsigned int i = 0; i < t->n_vcpuscheds && r == 0; i++)
		r = schedule_vcpus(dom, def, &t->vcpuscheds[i], err);
	return r;
}

/* ---- limits ---- */

static int limit(struct domain *dom, const struct domain_def *def,
		 struct error *err)
{
	return host_limit_vmm(dom->uuid, &def->cputune, &def->memtune,
			      &def->blkiotune, err);
}

/* ---- all of it ---- */

/* Memory is counted where the process is when it touches it. */
int launch_place_before(struct domain *dom, struct error *err)
{
	struct domain_def def = *dom->live;
	int r = 0;

	def.cputune.period = def.cputune.quota = 0; /* no vCPUs yet */
	if (dom->live->backing.locked || launch_has_hostdevs(dom->live))
		r = host_memlock_vmm(dom->uuid, err);
	return r < 0 ? r : limit(dom, &def, err);
}

int launch_place_built(struct domain *dom, struct error *err)
{
	int r = has_pins(dom->live) ? pin_all(dom, dom->live, err) : 0;

	if (r == 0)
		r = schedule_all(dom, dom->live, err);
	return r < 0 ? r : limit(dom, dom->live, err);
}

int launch_place_running(struct domain *dom, struct error *err)
{
	return pin_iothreads(dom, dom->live, err);
}

static int move_memory(struct domain *dom, const struct domain_def *want,
		       struct error *err)
{
	struct json_object *args;

	if (!want->numatune.nodeset)
		return 0;
	args = json_object_new_object();
	json_object_object_add(
		args, "nodes", json_object_new_string(want->numatune.nodeset));
	return monitor_call(dom->priv, "nodes", args, NULL, err);
}

int launch_tune(struct domain *dom, const struct domain_def *want,
		unsigned int what, struct error *err)
{
	int r = 0;

	/* The machine has been told at its start. */
	if (what & DOMAIN_TUNE_ACTIONS)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "on_poweroff, on_reboot and on_crash can be changed for the next start only");
	if (what & DOMAIN_TUNE_PINS)
		r = pin_all(dom, want, err);
	if (r == 0 && what & DOMAIN_TUNE_LIMITS)
		r = limit(dom, want, err);
	if (r == 0 && what & DOMAIN_TUNE_NUMA)
		r = move_memory(dom, want, err);
	if (r == 0 && what & DOMAIN_TUNE_DISKS)
		r = launch_limit_disks(dom, want, err);
	if (r == 0 && what & DOMAIN_TUNE_NICS)
		r = launch_limit_nics(dom, want, err);
	return r;
}

/* ---- vCPUs ---- */

static int ask_vcpus(struct domain *dom, int n, unsigned int *ret_n,
		     struct error *err)
{
	struct json_object *args = json_object_new_object();
	struct json_object *ok = NULL, *count = NULL;
	int r;

	if (n > 0)
		json_object_object_add(args, "count", json_object_new_int(n));
	r = monitor_call(dom->priv, "vcpus", args, &ok, err);
	if (r < 0)
		return r;
	json_object_object_get_ex(ok, "count", &count);
	*ret_n = (unsigned int)json_object_get_int(count);
	json_object_put(ok);
	return 0;
}

/* The guest takes its time to give some back, or does not. */
int launch_set_vcpus(struct domain *dom, unsigned int n, unsigned int *ret_n,
		     struct error *err)
{
	const struct timespec step = { .tv_nsec = UNPLUG_STEP_NS };
	uint64_t end = now_ns() + UNPLUG_SECONDS * 1000000000ull;
	int r = ask_vcpus(dom, (int)n, ret_n, err);

	while (r == 0 && *ret_n > n && now_ns() < end) {
		nanosleep(&step, NULL);
		r = ask_vcpus(dom, 0, ret_n, err);
	}
	if (r == 0 && *ret_n < n)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "the machine has %u vCPUs and no more",
				  *ret_n);
	return r;
}
