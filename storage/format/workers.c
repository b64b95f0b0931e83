/*
 * storage/format/workers.c -- threads for requests.
 *
 * Threads are started as they are needed, and stay.
 */
#include "storage/format/workers.h"

#include <pthread.h>
#include <signal.h>

#include "base/util.h"
#include "storage/format/block.h"

/* #syscalls:vmm clone3 clone set_robust_list rseq mmap mprotect munmap */
/* #syscalls:vmm madvise rt_sigprocmask exit futex write */

enum { THREADS_MAX = 4 };

struct req_list {
	struct block_req *first, **last;
};

struct workers {
	struct block *blk;
	int eventfd;

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t wake;
	struct req_list todo, done;
	bool quit;
	unsigned int n_threads, n_idle;
	pthread_t thread[THREADS_MAX];
};

static void list_init(struct req_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct req_list *l, struct block_req *req)
{
	req->next = NULL;
	*l->last = req;
	l->last = &req->next;
}

static struct block_req *list_pop(struct req_list *l)
{
	struct block_req *req = l->first;

	l->first = req->next;
	if (!l->first)
		l->last = &l->first;
	return req;
}

static void tell(struct workers *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->eventfd, &one, sizeof(one));

	(void)n; /* a full counter is readable too */
}

void workers_finish(struct workers *w, struct block_req *req, int result)
{
	pthread_mutex_lock(&w->lock);
	req->result = result;
	list_add(&w->done, req);
	pthread_mutex_unlock(&w->lock);
	tell(w);
}

static struct block_req *next_job(struct workers *w)
{
	struct block_req *req = NULL;

	pthread_mutex_lock(&w->lock);
	w->n_idle++;
	while (!w->todo.first && !w->quit)
		pthread_cond_wait(&w->wake, &w->lock);
	w->n_idle--;
	if (w->todo.first)
		req = list_pop(&w->todo);
	pthread_mutex_unlock(&w->lock);
	return req;
}

static void *worker(void *arg)
{
	struct workers *w = arg;
	struct block_req *req;

	while ((req = next_job(w)))
		workers_finish(w, req, block_run(w->blk, req));
	return NULL;
}

/* Locked.  Without any thread nobody would do the work. */
static int add_thread(struct workers *w)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread[w->n_threads], NULL, worker, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		w->n_threads++;
	return w->n_threads ? 0 : -r;
}

void workers_submit(struct workers *w, struct block_req *req)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	if (!w->n_idle && w->n_threads < THREADS_MAX)
		r = add_thread(w);
	if (r >= 0)
		list_add(&w->todo, req);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (r < 0)
		workers_finish(w, req, r);
}

struct block_req *workers_take(struct workers *w)
{
	struct block_req *list;

	pthread_mutex_lock(&w->lock);
	list = w->done.first;
	list_init(&w->done);
	pthread_mutex_unlock(&w->lock);
	return list;
}

struct workers *workers_create(struct block *blk, int eventfd)
{
	struct workers *w = xcalloc(1, sizeof(*w));

	w->blk = blk;
	w->eventfd = eventfd;
	list_init(&w->todo);
	list_init(&w->done);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	return w;
}

void workers_turn(struct workers *w, struct block *blk)
{
	pthread_mutex_lock(&w->lock);
	w->blk = blk;
	pthread_mutex_unlock(&w->lock);
}

void workers_destroy(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned int i = 0; i < w->n_threads; i++)
		pthread_join(w->thread[i], NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
