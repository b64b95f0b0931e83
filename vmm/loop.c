/*
 * vmm/loop.c -- a small epoll loop.
 *
 * Timers are a binary heap behind one timerfd, armed for the earliest; calls
 * from other threads are a list behind one eventfd.  Both are guarded by one
 * lock that is never held while a callback runs.
 */
#include "vmm/loop.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "base/error.h"

/* #syscalls:vmm epoll_wait epoll_pwait epoll_ctl */
/* #syscalls:vmm read write futex clock_gettime clock_nanosleep */

#define NOT_ARMED UINT32_MAX

struct loop_timer {
	struct loop *loop;
	uint64_t when;
	unsigned int index; /* in the heap, or NOT_ARMED */
	loop_fn *fn;
	void *arg;
};

struct loop_watch {
	loop_fd_fn *fn; /* NULL: unused */
	void *arg;
};

struct loop_call {
	struct loop_call *next;
	loop_fn *fn;
	void *arg;
};

struct loop {
	int epfd, timerfd, eventfd;
	bool quit;
	unsigned int n_watches;
	struct loop_watch *watch; /* by descriptor; the loop's thread only */

	pthread_mutex_t lock; /* the rest */
	unsigned int n_timers, heap_size;
	struct loop_timer **heap;
	struct loop_call *calls, **calls_tail;
};

/* ---- timers ---- */

static void heap_put(struct loop *l, unsigned int i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void heap_up(struct loop *l, unsigned int i)
{
	struct loop_timer *t = l->heap[i];

	while (i && l->heap[(i - 1) / 2]->when > t->when) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, unsigned int i)
{
	struct loop_timer *t = l->heap[i];

	for (;;) {
		unsigned int child = 2 * i + 1;

		if (child + 1 < l->n_timers &&
		    l->heap[child + 1]->when < l->heap[child]->when)
			child++;
		if (child >= l->n_timers || l->heap[child]->when >= t->when)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	unsigned int i = t->index;
	struct loop_timer *last;

	if (i == NOT_ARMED)
		return;
	t->index = NOT_ARMED;
	last = l->heap[--l->n_timers];
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->index);
}

static void heap_add(struct loop *l, struct loop_timer *t)
{
	if (l->n_timers == l->heap_size) {
		l->heap_size = MAX(16, 2 * l->heap_size);
		l->heap = xrealloc(l->heap, l->heap_size, sizeof(*l->heap));
	}
	heap_put(l, l->n_timers++, t);
	heap_up(l, t->index);
}

/* Locked.  A time of 0 would disarm the timerfd, hence MAX. */
static void loop_arm(struct loop *l)
{
	timerfd_arm(l->timerfd, l->n_timers ? MAX(l->heap[0]->when, 1) : 0);
}

int timer_create_on(struct loop *loop, loop_fn *fn, void *arg,
		    struct loop_timer **ret_timer)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	*t = (struct loop_timer){
		.loop = loop, .index = NOT_ARMED, .fn = fn, .arg = arg
	};
	*ret_timer = t;
	return 0;
}

void timer_arm(struct loop_timer *t, uint64_t when)
{
	struct loop *l = t->loop;
	struct loop_timer *first;

	pthread_mutex_lock(&l->lock);
	first = l->n_timers ? l->heap[0] : NULL;
	heap_remove(l, t);
	t->when = when;
	heap_add(l, t);
	if (l->heap[0] == t || first == t)
		loop_arm(l);
	pthread_mutex_unlock(&l->lock);
}

void timer_disarm(struct loop_timer *t)
{
	struct loop *l = t->loop;

	pthread_mutex_lock(&l->lock);
	heap_remove(l, t); /* the timerfd may fire early: harmless */
	pthread_mutex_unlock(&l->lock);
}

void timer_destroy(struct loop_timer *t)
{
	if (!t)
		return;
	timer_disarm(t);
	free(t);
}

static struct loop_timer *loop_due(struct loop *l)
{
	struct loop_timer *t = NULL;

	pthread_mutex_lock(&l->lock);
	if (l->n_timers && l->heap[0]->when <= now_ns()) {
		t = l->heap[0];
		heap_remove(l, t);
	} else {
		loop_arm(l);
	}
	pthread_mutex_unlock(&l->lock);
	return t;
}

static void loop_timers(void *arg, uint32_t events)
{
	struct loop *l = arg;
	struct loop_timer *t;
	uint64_t n;

	if (read(l->timerfd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	while ((t = loop_due(l)))
		t->fn(t->arg);
}

/* ---- calls from other threads ---- */

void loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_call *c = xcalloc(1, sizeof(*c));
	uint64_t one = 1;

	c->fn = fn;
	c->arg = arg;
	pthread_mutex_lock(&l->lock);
	*l->calls_tail = c;
	l->calls_tail = &c->next;
	pthread_mutex_unlock(&l->lock);
	if (write(l->eventfd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is full, so it is readable */
}

static struct loop_call *loop_next_call(struct loop *l)
{
	struct loop_call *c;

	pthread_mutex_lock(&l->lock);
	c = l->calls;
	if (c) {
		l->calls = c->next;
		if (!l->calls)
			l->calls_tail = &l->calls;
	}
	pthread_mutex_unlock(&l->lock);
	return c;
}

static void loop_calls(void *arg, uint32_t events)
{
	struct loop *l = arg;
	struct loop_call *c;
	uint64_t n;

	if (read(l->eventfd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	while ((c = loop_next_call(l))) {
		c->fn(c->arg);
		free(c);
	}
}

/* ---- descriptors ---- */

int loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn,
	     void *arg)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	unsigned int n = l->n_watches;

	if (fd < 0)
		return -EBADF;
	if ((unsigned int)fd >= n) {
		l->n_watches = fd + 16;
		l->watch = xrealloc(l->watch, l->n_watches, sizeof(*l->watch));
		memset(l->watch + n, 0, (l->n_watches - n) * sizeof(*l->watch));
	}
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	l->watch[fd] = (struct loop_watch){ .fn = fn, .arg = arg };
	return 0;
}

int loop_mod(struct loop *l, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

void loop_mute(struct loop *l, int fd)
{
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
}

int loop_unmute(struct loop *l, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, int fd)
{
	if (fd < 0 || (unsigned int)fd >= l->n_watches || !l->watch[fd].fn)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
	l->watch[fd].fn = NULL;
}

/* ---- the loop ---- */

int loop_create(struct loop **ret_loop, struct error *err)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	int r = 0;

	pthread_mutex_init(&l->lock, NULL);
	l->calls_tail = &l->calls;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->timerfd = timerfd_create(CLOCK_MONOTONIC,
				    TFD_NONBLOCK | TFD_CLOEXEC);
	l->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->epfd < 0 || l->timerfd < 0 || l->eventfd < 0)
		r = -errno;
	if (r == 0)
		r = loop_add(l, l->timerfd, EPOLLIN, loop_timers, l);
	if (r == 0)
		r = loop_add(l, l->eventfd, EPOLLIN, loop_calls, l);
	if (r < 0) {
		loop_destroy(l);
		return error_set(err, r, "cannot make an event loop: %m");
	}
	*ret_loop = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	struct loop_call *c;

	if (!l)
		return;
	while ((c = loop_next_call(l)))
		free(c);
	fd_close(l->epfd);
	fd_close(l->timerfd);
	fd_close(l->eventfd);
	pthread_mutex_destroy(&l->lock);
	free(l->heap);
	free(l->watch);
	free(l);
}

static void loop_dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct loop_watch w = l->watch[ev->data.fd];

	if (w.fn) /* not removed by an earlier callback of this round */
		w.fn(w.arg, ev->events);
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[16];

	l->quit = false;
	while (!l->quit) {
		int n = epoll_wait(l->epfd, ev, ARRAY_SIZE(ev), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		/* Who quits does not take from others what has come. */
		for (int i = 0; i < n; i++)
			loop_dispatch(l, &ev[i]);
	}
	return 0;
}

void loop_quit(struct loop *l)
{
	l->quit = true;
}
