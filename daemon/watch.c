/*
 * daemon/watch.c -- host_watch() and host_unwatch().
 *
 * One thread with an epoll descriptor, started with the first watch: drivers
 * talk to their machines before the daemon's own loop runs (it reconnects
 * them first), and a client's traffic does not delay a machine's news.  An
 * event carries the watch's number, not its address, so one that arrives after
 * host_unwatch() finds nothing.
 */
#include "drivers/driver.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/util.h"

struct host_watch {
	struct host_watch *next;
	uint64_t number;
	int fd;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	bool running;
	bool dead; /* unwatched by its own call: freed when that returns */
};

/* Process-wide by nature: there is one thread for all. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int epoll;	  /* -1: not started */
	pthread_t thread; /* where calls run */
	uint64_t last_number;
	struct host_watch *watches;
} w = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
	.epoll = -1 };

static struct host_watch *find(uint64_t number)
{
	struct host_watch *watch = w.watches;

	while (watch && watch->number != number)
		watch = watch->next;
	return watch;
}

static void unlink_watch(struct host_watch *watch)
{
	struct host_watch **p = &w.watches;

	while (*p != watch)
		p = &(*p)->next;
	*p = watch->next;
}

static void run_one(uint64_t number, uint32_t events)
{
	struct host_watch *watch;

	pthread_mutex_lock(&w.lock);
	watch = find(number);
	if (watch) {
		watch->running = true;
		pthread_mutex_unlock(&w.lock);
		watch->fn(watch->arg, events);
		pthread_mutex_lock(&w.lock);
		watch->running = false;
		/* Said once: it would be true for ever. */
		if (!watch->dead && (events & (EPOLLHUP | EPOLLERR)))
			epoll_ctl(w.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
		if (watch->dead)
			free(watch);
		pthread_cond_broadcast(&w.idle);
	}
	pthread_mutex_unlock(&w.lock);
}

static void *watch_thread(void *arg)
{
	struct epoll_event ev[16];

	for (;;) {
		int n = epoll_wait(w.epoll, ev, ARRAY_SIZE(ev), -1);

		for (int i = 0; i < n; i++)
			run_one(ev[i].data.u64, ev[i].events);
	}
	return NULL;
}

/* Called with the lock held. */
static int start_thread(void)
{
	int r;

	if (w.epoll >= 0)
		return 0;
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w.epoll < 0)
		return -errno;
	r = pthread_create(&w.thread, NULL, watch_thread, NULL);
	if (r)
		w.epoll = fd_close(w.epoll);
	return -r;
}

struct host_watch *host_watch(int fd, void (*fn)(void *arg, uint32_t events),
			      void *arg)
{
	struct host_watch *watch = xcalloc(1, sizeof(*watch));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };

	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	pthread_mutex_lock(&w.lock);
	ev.data.u64 = watch->number = ++w.last_number;
	watch->next = w.watches;
	w.watches = watch;
	if (start_thread() < 0 ||
	    epoll_ctl(w.epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		unlink_watch(watch);
		free(steal_ptr(&watch));
	}
	pthread_mutex_unlock(&w.lock);
	return watch;
}

void host_unwatch(struct host_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&w.lock);
	epoll_ctl(w.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	unlink_watch(watch);
	if (watch->running && pthread_equal(w.thread, pthread_self())) {
		watch->dead = true;
	} else {
		while (watch->running)
			pthread_cond_wait(&w.idle, &w.lock);
		free(watch);
	}
	pthread_mutex_unlock(&w.lock);
}
