/*
 * daemon/watch.c -- host_watch() and host_unwatch().
 *
 * sd-event is not for several threads, epoll is: all watches are in one epoll
 * descriptor of ours, and that is what the loop sees.  An event carries the
 * watch's number, not its address, so one that arrives after host_unwatch()
 * finds nothing.
 */
#include "daemon/watch.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/driver.h"

struct host_watch {
	struct host_watch *next;
	uint64_t number;
	int fd;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	bool running;
	bool dead; /* unwatched by its own call: freed when that returns */
};

/* Process-wide by nature: there is one loop. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int epoll;
	uint64_t last_number;
	pthread_t thread; /* where calls run */
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
		if (watch->dead)
			free(watch);
		pthread_cond_broadcast(&w.idle);
	}
	pthread_mutex_unlock(&w.lock);
}

static int on_events(sd_event_source *source, int fd, uint32_t revents,
		     void *arg)
{
	struct epoll_event ev[16];
	int n = epoll_wait(w.epoll, ev, ARRAY_SIZE(ev), 0);

	w.thread = pthread_self();
	for (int i = 0; i < n; i++)
		run_one(ev[i].data.u64, ev[i].events);
	return 0;
}

int watch_init(struct sd_event *loop, struct error *err)
{
	int r;

	w.thread = pthread_self();
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	r = w.epoll < 0 ? -errno :
			  sd_event_add_io(loop, NULL, w.epoll, EPOLLIN,
					  on_events, NULL);
	return r < 0 ? error_set(err, r, "cannot watch descriptors: %m") : 0;
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
	if (epoll_ctl(w.epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
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
