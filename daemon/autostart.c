/*
 * daemon/autostart.c -- domains that start with the host
 * (daemon/autostart.h).
 */
#include "daemon/autostart.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define LOG_MODULE "domain"
#include "base/error.h"
#include "base/log.h"
#include "daemon/registry.h"
#include "model/metadata.h"

#define NAMESPACE "urn:vireo:autostart"

enum { ORDER_MAX = 1000000, DELAY_MAX = 86400 };

struct autostart {
	struct registry *reg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stop;
	unsigned int delay; /* seconds, before the next */
};

/* ---- what a definition asks for ---- */

static int take_number(const xmlNode *node, const char *attr, uint64_t max,
		       unsigned int *ret, struct error *err)
{
	_cleanup_free_ char *text = xml_attr(node, attr);
	uint64_t n = 0;

	if (text && parse_u64(text, 10, max, &n) < 0)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<metadata>: <autostart>: %s='%s' is not a number up to %llu",
				  attr, text, (unsigned long long)max);
	*ret = (unsigned int)n;
	return 0;
}

static int take_plan(const struct domain_def *def,
		     struct autostart_plan *ret, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *node;
	int r = metadata_find(def->metadata, NAMESPACE, "autostart", &doc,
			      &node, err);

	*ret = (struct autostart_plan){ 0 };
	if (r < 0 || !node)
		return r;
	r = take_number(node, "order", ORDER_MAX, &ret->order, err);
	return r < 0 ? r :
		       take_number(node, "delay", DELAY_MAX, &ret->delay, err);
}

int autostart_check(const struct domain_def *def, struct error *err)
{
	struct autostart_plan ignored;

	return take_plan(def, &ignored, err);
}

/* ---- one after the other ---- */

static void plan_all(struct registry *reg)
{
	struct error err = { 0 };

	pthread_mutex_lock(&reg->lock);
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		if (obj->autostart && obj->config &&
		    take_plan(obj->config, &obj->autostart_plan, &err) < 0)
			log_warn("domain '%s': %s", obj->d.name, err.message);
	pthread_mutex_unlock(&reg->lock);
}

static bool is_before(const struct dom_obj *a, const struct dom_obj *b)
{
	/* None is the highest. */
	unsigned int x = a->autostart_plan.order - 1;
	unsigned int y = b->autostart_plan.order - 1;

	return x != y ? x < y : strcmp(a->d.name, b->d.name) < 0;
}

static struct dom_obj *next_autostart(struct registry *reg)
{
	struct dom_obj *first = NULL;

	pthread_mutex_lock(&reg->lock);
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		if (obj->autostart && !obj->autostart_tried &&
		    (!first || is_before(obj, first)))
			first = obj;
	if (first) {
		first->refs++;
		first->autostart_tried = true;
	}
	pthread_mutex_unlock(&reg->lock);
	return first;
}

/* Whether it was started. */
static bool start_one(struct dom_obj *obj)
{
	struct error err = { 0 };
	bool started = false;
	int r = job_begin(obj, "autostart", &err);

	if (r >= 0) {
		if (obj->listed && obj->config && !obj->active) {
			r = save_start(obj, 0, NULL, &err);
			started = r >= 0;
		}
		job_end(obj);
	}
	if (r < 0)
		log_error("cannot autostart '%s': %s", obj->d.name,
			  err.message);
	return started;
}

/* Until one wants a pause after it: so many seconds; 0: all are started. */
static unsigned int start_some(struct registry *reg)
{
	struct dom_obj *obj;
	unsigned int delay = 0;

	while (!delay && (obj = next_autostart(reg))) {
		if (start_one(obj))
			delay = obj->autostart_plan.delay;
		obj_unref(obj);
	}
	return delay;
}

/* false: nothing is to be started any more. */
static bool wait_delay(struct autostart *a)
{
	struct timespec until;
	bool stop;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += a->delay;
	pthread_mutex_lock(&a->lock);
	while (!a->stop && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&a->stopped, &a->lock, &until);
	stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return !stop;
}

static void *start_rest(void *arg)
{
	struct autostart *a = arg;

	while (a->delay && wait_delay(a))
		a->delay = start_some(a->reg);
	return NULL;
}

void autostart_begin(struct registry *reg)
{
	struct autostart *a = xcalloc(1, sizeof(*a));

	plan_all(reg);
	a->reg = reg;
	a->delay = start_some(reg);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->stopped, NULL);
	if (a->delay && pthread_create(&a->thread, NULL, start_rest, a) == 0) {
		reg->autostart = a;
		return;
	}
	while (start_some(reg))
		;
	free(a);
}

void autostart_end(struct registry *reg)
{
	struct autostart *a = steal_ptr(&reg->autostart);

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->stopped);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->stopped);
	free(a);
}
