/*
 * daemon/workers.c -- threads that run what may block, and the way back to
 * the event loop.
 *
 * A call about a domain whose VMM hangs keeps its thread until the job times
 * out, so threads are added while work waits and none is idle.  Some are kept
 * for urgent work: what ends such a hang must not wait behind it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <libvirt/virterror.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "daemon/workers.h"

enum {
	WORKERS_MIN = 4,
	WORKERS_MAX = 64, /* and never more */
	WORKERS_RESERVED = 8, /* of those, kept for what is urgent */
};

struct work_queue {
	struct work *head, **tail;
};

struct workers {
	int wake; /* eventfd: something is in 'finished' */
	sd_event_source *source;
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t waiting_cond, idle_cond;
	struct work_queue urgent, waiting, finished;
	unsigned int n_threads, n_idle, n_waiting, n_ordinary;
	unsigned int min, max, reserved;
	bool stop;
	pthread_t threads[WORKERS_MAX];
};

static void queue_init(struct work_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_add(struct work_queue *q, struct work *work)
{
	work->next = NULL;
	*q->tail = work;
	q->tail = &work->next;
}

static struct work *queue_take(struct work_queue *q)
{
	struct work *work = q->head;

	if (work) {
		q->head = work->next;
		if (!q->head)
			q->tail = &q->head;
	}
	return work;
}

/* With the lock held. */
static void finish_locked(struct workers *w, struct work *work)
{
	bool first = !w->finished.head;

	queue_add(&w->finished, work);
	if (first)
		(void)eventfd_write(w->wake, 1);
}

/* With the lock held: the next item that may run now. */
static struct work *next_locked(struct workers *w, bool *ret_ordinary)
{
	struct work *work = queue_take(&w->urgent);

	*ret_ordinary = false;
	if (!work && w->n_ordinary < w->max - w->reserved) {
		work = queue_take(&w->waiting);
		*ret_ordinary = work != NULL;
	}
	w->n_waiting -= work != NULL;
	w->n_ordinary += *ret_ordinary;
	return work;
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	struct work *work;
	bool ordinary;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		work = next_locked(w, &ordinary);
		if (work) {
			pthread_mutex_unlock(&w->lock);
			work->run(work);
			pthread_mutex_lock(&w->lock);
			w->n_ordinary -= ordinary;
			finish_locked(w, work);
			continue;
		}
		if (w->stop)
			break;
		w->n_idle++;
		pthread_cond_signal(&w->idle_cond);
		pthread_cond_wait(&w->waiting_cond, &w->lock);
		w->n_idle--;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Signals are the loop's. */
static int worker_start(struct workers *w)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->threads[w->n_threads], NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!r)
		w->n_threads++;
	return -r;
}

void workers_submit(struct workers *w, struct work *work, bool urgent)
{
	pthread_mutex_lock(&w->lock);
	queue_add(urgent ? &w->urgent : &w->waiting, work);
	w->n_waiting++;
	if (w->n_waiting > w->n_idle && w->n_threads < w->max)
		(void)worker_start(w); /* else one of the others takes it */
	pthread_cond_signal(&w->waiting_cond);
	pthread_mutex_unlock(&w->lock);
}

void workers_get_info(struct workers *w, struct workers_info *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = (struct workers_info){
		.min = w->min,
		.max = w->max,
		.reserved = w->reserved,
		.n = w->n_threads,
		.idle = w->n_idle,
		.waiting = w->n_waiting,
	};
	pthread_mutex_unlock(&w->lock);
}

int workers_set_limits(struct workers *w, const struct workers_info *info,
		       struct error *err)
{
	int r = 0;

	if (info->max > WORKERS_MAX || info->min > info->max ||
	    info->reserved >= info->max)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "of at most %d threads %u to %u with %u for urgent calls make no pool",
				  WORKERS_MAX, info->min, info->max,
				  info->reserved);
	pthread_mutex_lock(&w->lock);
	w->min = info->min;
	w->max = info->max;
	w->reserved = info->reserved;
	while (!r && w->n_threads < w->min)
		r = worker_start(w);
	pthread_cond_broadcast(&w->waiting_cond);
	pthread_mutex_unlock(&w->lock);
	return r < 0 ? error_set(err, r, "cannot start a thread: %m") : 0;
}

void workers_post(struct workers *w, struct work *work)
{
	pthread_mutex_lock(&w->lock);
	finish_locked(w, work);
	pthread_mutex_unlock(&w->lock);
}

void workers_finish(struct workers *w)
{
	struct work *work, *next;

	pthread_mutex_lock(&w->lock);
	work = w->finished.head;
	queue_init(&w->finished);
	pthread_mutex_unlock(&w->lock);
	for (; work; work = next) {
		next = work->next;
		work->done(work);
	}
}

static int on_wake(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	eventfd_t n;

	(void)eventfd_read(fd, &n);
	workers_finish(arg);
	return 0;
}

int workers_create(struct sd_event *loop, struct workers **ret_workers,
		   struct error *err)
{
	struct workers *w = xcalloc(1, sizeof(*w));
	int r;

	w->min = WORKERS_MIN;
	w->max = WORKERS_MAX;
	w->reserved = WORKERS_RESERVED;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->waiting_cond, NULL);
	pthread_cond_init(&w->idle_cond, NULL);
	queue_init(&w->urgent);
	queue_init(&w->waiting);
	queue_init(&w->finished);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->wake < 0 ? -errno
			: sd_event_add_io(loop, &w->source, w->wake, EPOLLIN,
					  on_wake, w);
	pthread_mutex_lock(&w->lock);
	while (!r && w->n_threads < WORKERS_MIN)
		r = worker_start(w);
	pthread_mutex_unlock(&w->lock);
	if (r < 0) {
		workers_destroy(w);
		return error_set(err, r, "cannot start worker threads: %m");
	}
	*ret_workers = w;
	return 0;
}

void workers_drain(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->n_waiting || w->n_idle < w->n_threads)
		pthread_cond_wait(&w->idle_cond, &w->lock);
	pthread_mutex_unlock(&w->lock);
	workers_finish(w);
}

void workers_destroy(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->waiting_cond);
	pthread_mutex_unlock(&w->lock);
	for (unsigned int i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i], NULL);
	workers_finish(w);
	sd_event_source_disable_unref(w->source);
	fd_close(w->wake);
	pthread_cond_destroy(&w->idle_cond);
	pthread_cond_destroy(&w->waiting_cond);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
