/*
 * daemon/job.c -- one call at a time for each domain, in the order they came;
 * and the drivers' events, handled between calls.
 */
#include "daemon/registry.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

static struct timespec deadline(unsigned int ms)
{
	uint64_t ns = now_ns() + ms * 1000000ull;

	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static void waiter_init(struct job_waiter *w)
{
	pthread_condattr_t attr;

	*w = (struct job_waiter){ 0 };
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->granted_cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void queue_last(struct dom_obj *obj, struct job_waiter *w)
{
	struct job_waiter **at = &obj->waiters;

	while (*at)
		at = &(*at)->next;
	*at = w;
}

static void queue_first(struct dom_obj *obj, struct job_waiter *w)
{
	w->next = obj->waiters;
	obj->waiters = w;
}

static void queue_leave(struct dom_obj *obj, struct job_waiter *w)
{
	struct job_waiter **at = &obj->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

static bool wait_until(struct dom_obj *obj, struct job_waiter *w,
		       const struct timespec *when)
{
	int rc = 0;

	while (!w->granted && rc == 0)
		rc = pthread_cond_timedwait(&w->granted_cond, &obj->reg->lock,
					    when);
	return w->granted;
}

/* The holder's name stays until the new one writes its own. */
static int waited(struct dom_obj *obj, struct job_waiter *w, bool granted,
		  const char *job, struct error *err)
{
	pthread_cond_destroy(&w->granted_cond);
	if (granted) {
		obj->job = job;
		return 0;
	}
	queue_leave(obj, w);
	return error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
			  "cannot acquire state change lock of domain '%s' "
			  "(held by %s)",
			  obj->d.name, obj->job);
}

int job_begin(struct dom_obj *obj, const char *job, struct error *err)
{
	struct registry *reg = obj->reg;
	struct timespec when = deadline(reg->job_timeout_ms);
	struct job_waiter w;
	int r = 0;

	pthread_mutex_lock(&reg->lock);
	if (!obj->job) {
		obj->job = job;
	} else {
		waiter_init(&w);
		queue_last(obj, &w);
		r = waited(obj, &w, wait_until(obj, &w, &when), job, err);
	}
	pthread_mutex_unlock(&reg->lock);
	return r;
}

bool job_try(struct dom_obj *obj, const char *job)
{
	struct registry *reg = obj->reg;
	bool got;

	pthread_mutex_lock(&reg->lock);
	got = !obj->job;
	if (got)
		obj->job = job;
	pthread_mutex_unlock(&reg->lock);
	return got;
}

/* Still under the lock on return; the driver is called without it. */
static void interrupt_locked(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;
	const struct driver *driver = obj->driver;

	if (!driver || !driver->interrupt)
		return;
	pthread_mutex_unlock(&reg->lock);
	driver->interrupt(&obj->d);
	pthread_mutex_lock(&reg->lock);
}

static int begin_destroy_locked(struct dom_obj *obj, struct error *err)
{
	struct timespec grace = deadline(obj->reg->destroy_grace_ms);
	struct timespec when = deadline(obj->reg->job_timeout_ms);
	struct job_waiter w;
	bool granted;

	waiter_init(&w);
	queue_first(obj, &w);
	granted = wait_until(obj, &w, &grace);
	if (!granted) {
		interrupt_locked(obj);
		granted = wait_until(obj, &w, &when);
	}
	return waited(obj, &w, granted, "destroy", err);
}

static void work_queue_locked(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;

	if (obj->queued || obj->job || !obj->events || obj->destroyers)
		return;
	obj->queued = true;
	obj->refs++;
	obj->next_work = NULL;
	*(reg->work ? &reg->work_last->next_work : &reg->work) = obj;
	reg->work_last = obj;
	pthread_cond_signal(&reg->work_cond);
}

int job_begin_destroy(struct dom_obj *obj, struct error *err)
{
	struct registry *reg = obj->reg;
	int r = 0;

	pthread_mutex_lock(&reg->lock);
	if (!obj->job) {
		obj->job = "destroy";
	} else {
		obj->destroyers++;
		r = begin_destroy_locked(obj, err);
		obj->destroyers--;
		work_queue_locked(obj);
	}
	pthread_mutex_unlock(&reg->lock);
	return r;
}

static struct pending_event *next_event_locked(struct dom_obj *obj)
{
	struct pending_event *ev = obj->events;

	if (!ev || obj->destroyers)
		return NULL;
	obj->events = ev->next;
	return ev;
}

void job_end(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;
	struct pending_event *ev;
	struct job_waiter *w;

	pthread_mutex_lock(&reg->lock);
	while ((ev = next_event_locked(obj))) {
		pthread_mutex_unlock(&reg->lock);
		guest_event(obj, ev);
		free(ev);
		pthread_mutex_lock(&reg->lock);
	}
	w = obj->waiters;
	if (w) {
		obj->waiters = w->next;
		w->granted = true;
		pthread_cond_signal(&w->granted_cond);
	} else {
		obj->job = NULL;
	}
	pthread_mutex_unlock(&reg->lock);
}

/* ---- events ---- */

/* About the call that holds the job: it cannot wait for that to end. */
static void tell_iteration(struct dom_obj *obj, const char *why)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_ITERATION,
		.value = strtoul(why, NULL, 10),
	};

	notify(obj, &n);
}

void domain_event(struct domain *dom, enum domain_event event, const char *why)
{
	struct dom_obj *obj = container_of(dom, struct dom_obj, d);
	struct registry *reg = obj->reg;
	struct pending_event *ev = xcalloc(1, sizeof(*ev)), **at;

	if (event == DOMAIN_EVENT_ITERATION) {
		tell_iteration(obj, why);
		free(ev);
		return;
	}
	ev->event = event;
	snprintf(ev->why, sizeof(ev->why), "%s", why ? why : "");
	pthread_mutex_lock(&reg->lock);
	ev->id = obj->d.id;
	for (at = &obj->events; *at; at = &(*at)->next)
		;
	*at = ev;
	work_queue_locked(obj);
	pthread_mutex_unlock(&reg->lock);
}

static struct dom_obj *next_work_locked(struct registry *reg)
{
	struct dom_obj *obj;

	while (!reg->work && !reg->closing)
		pthread_cond_wait(&reg->work_cond, &reg->lock);
	obj = reg->work;
	if (obj) {
		reg->work = obj->next_work;
		obj->queued = false;
	}
	return obj;
}

static void *worker(void *arg)
{
	struct registry *reg = arg;
	struct dom_obj *obj;

	for (;;) {
		pthread_mutex_lock(&reg->lock);
		obj = next_work_locked(reg);
		pthread_mutex_unlock(&reg->lock);
		if (!obj)
			return NULL;
		/* A job taken meanwhile handles the events when it ends. */
		if (job_try(obj, "event"))
			job_end(obj);
		obj_unref(obj);
	}
}

int job_worker_start(struct registry *reg, struct error *err)
{
	int rc = pthread_create(&reg->worker, NULL, worker, reg);

	if (rc)
		return error_set(err, -rc, "cannot start a thread: %m");
	return 0;
}

void job_worker_stop(struct registry *reg)
{
	pthread_mutex_lock(&reg->lock);
	reg->closing = true;
	pthread_cond_signal(&reg->work_cond);
	pthread_mutex_unlock(&reg->lock);
	pthread_join(reg->worker, NULL);
}
