/*
 * vmm/virtio/iothread.c -- a loop on a thread of its own, for one device.
 */
#include "vmm/virtio/iothread.h"

#include <pthread.h>
#include <signal.h>

#include "base/error.h"
#include "vmm/loop.h"

/* #syscalls:vmm clone3 clone set_robust_list rseq mmap mprotect munmap */
/* #syscalls:vmm epoll_create1 timerfd_create eventfd2 close */
/* #syscalls:vmm madvise rt_sigprocmask prctl exit sched_getaffinity */

struct iothread {
	struct loop *loop;
	pthread_t thread;
	bool running;
	char name[16]; /* pthread_setname_np()'s limit */
};

int iothread_create(const char *name, struct iothread **ret_thread,
		    struct error *err)
{
	struct iothread *t = xcalloc(1, sizeof(*t));
	int r = loop_create(&t->loop, err);

	if (r < 0) {
		free(t);
		return r;
	}
	snprintf(t->name, sizeof(t->name), "%s", name);
	*ret_thread = t;
	return 0;
}

struct loop *iothread_loop(struct iothread *t)
{
	return t->loop;
}

static void *iothread_main(void *arg)
{
	struct iothread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	loop_run(t->loop);
	return NULL;
}

/* Signals are for the main and vCPU threads. */
int iothread_start(struct iothread *t)
{
	sigset_t all, old;
	int r;

	if (t->running)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&t->thread, NULL, iothread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->running = r == 0;
	return -r;
}

static void quit(void *arg)
{
	loop_quit(arg);
}

void iothread_stop(struct iothread *t)
{
	if (!t || !t->running)
		return;
	loop_defer(t->loop, quit, t->loop);
	pthread_join(t->thread, NULL);
	t->running = false;
}

void iothread_destroy(struct iothread *t)
{
	if (!t)
		return;
	iothread_stop(t);
	loop_destroy(t->loop);
	free(t);
}
