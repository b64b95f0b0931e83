/*
 * vmm/migrate_pages.c -- pages on their way out (vmm/migrate_pages.h).
 *
 * Theory of operation.  One thread finds pages and puts runs of them into a
 * short queue; the streams' threads take from it.  A thread that fails says so
 * once and takes no more; the next call of the finder's reports it.
 */
#include "vmm/migrate_pages.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <zstd.h>

#include "base/error.h"
#include "vmm/job.h"
#include "vmm/ram.h"
#include "vmm/stream.h"

/* #syscalls:vmm shutdown */

enum { ZSTD_LEVEL = 1, QUEUE_LEN = 64 };

bool migrate_is_zero(const uint8_t *page)
{
	const uint64_t *p = (const uint64_t *)page;

	return !p[0] && !memcmp(p, p + 1, MIGRATE_PAGE - sizeof(*p));
}

/* ---- one stream ---- */

void page_sender_init(struct page_sender *s, int fd, bool zstd,
		      const struct ram_block *block, struct progress *p)
{
	size_t size = MIGRATE_PAGES_MAX * MIGRATE_PAGE;

	*s = (struct page_sender){ .fd = fd, .p = p, .block = block };
	if (!zstd)
		return;
	s->zstd = ZSTD_createCCtx();
	s->out = xmalloc(ZSTD_compressBound(size));
	s->copy = xmalloc(size);
}

void page_sender_finish(struct page_sender *s)
{
	ZSTD_freeCCtx(s->zstd);
	free(s->out);
	free(s->copy);
}

int page_sender_record(struct page_sender *s, const struct migrate_record *rec,
		       const void *data, struct error *err)
{
	int r = stream_write(s->fd, rec, sizeof(*rec), s->p, err);

	return r < 0 || !rec->len ?
		       r :
		       stream_write(s->fd, data, rec->len, s->p, err);
}

int page_sender_put(struct page_sender *s, unsigned int block, uint64_t page,
		    unsigned int n, struct error *err)
{
	const uint8_t *data = s->block[block].host + page * MIGRATE_PAGE;
	struct migrate_record rec = { MIGRATE_RAW, block, page * MIGRATE_PAGE,
				      n, n * MIGRATE_PAGE };
	size_t len;

	atomic_fetch_add(&s->p->normal, n);
	if (!s->zstd)
		return page_sender_record(s, &rec, data, err);
	/* A copy: the guest may write to it between two looks. */
	data = memcpy(s->copy, data, rec.len);
	len = ZSTD_compressCCtx(s->zstd, s->out, ZSTD_compressBound(rec.len),
				data, rec.len, ZSTD_LEVEL);
	if (ZSTD_isError(len) || len >= rec.len)
		return page_sender_record(s, &rec, data, err);
	rec.type = MIGRATE_ZSTD;
	rec.len = len;
	return page_sender_record(s, &rec, s->out, err);
}

/* ---- several ---- */

struct run {
	uint64_t page;
	unsigned int block, n;
};

struct worker {
	struct page_pool *pool;
	struct page_sender sender;
	pthread_t thread;
};

struct page_pool {
	pthread_mutex_t lock; /* everything below but the senders */
	pthread_cond_t changed;
	struct run queue[QUEUE_LEN];
	unsigned int first, len;
	unsigned int busy; /* threads that send */
	bool closing;
	int result; /* of the first that failed */
	struct error err;
	unsigned int n;
	struct worker worker[];
};

static void run_one(struct worker *w, struct run run)
{
	struct page_pool *pool = w->pool;
	struct error err = { 0 };
	int r;

	pthread_mutex_unlock(&pool->lock);
	r = page_sender_put(&w->sender, run.block, run.page, run.n, &err);
	pthread_mutex_lock(&pool->lock);
	if (r < 0 && pool->result == 0) {
		pool->result = r;
		pool->err = err;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct page_pool *pool = w->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->closing) {
		if (!pool->len || pool->result < 0) {
			pthread_cond_wait(&pool->changed, &pool->lock);
			continue;
		}
		struct run run = pool->queue[pool->first];

		pool->first = (pool->first + 1) % QUEUE_LEN;
		pool->len--;
		pool->busy++;
		run_one(w, run);
		pool->busy--;
		pthread_cond_broadcast(&pool->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct page_pool *page_pool_create(const int *fds, unsigned int n, bool zstd,
				   const struct ram_block *block,
				   struct progress *p)
{
	struct page_pool *pool =
		xcalloc(1, sizeof(*pool) + n * sizeof(*pool->worker));

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->changed, NULL);
	for (; pool->n < n; pool->n++) {
		struct worker *w = &pool->worker[pool->n];

		w->pool = pool;
		page_sender_init(&w->sender, fds[pool->n], zstd, block, p);
		if (job_thread(&w->thread, worker_main, w) < 0) {
			page_sender_finish(&w->sender);
			page_pool_destroy(pool);
			return NULL;
		}
	}
	return pool;
}

void page_pool_destroy(struct page_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	/* One that waits for the other side would never look up. */
	for (unsigned int i = 0; i < pool->n; i++)
		shutdown(pool->worker[i].sender.fd, SHUT_RDWR);
	while (pool->n) {
		struct worker *w = &pool->worker[--pool->n];

		pthread_join(w->thread, NULL);
		page_sender_finish(&w->sender);
	}
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->changed);
	free(pool);
}

static int outcome(struct page_pool *pool, struct error *err)
{
	if (pool->result < 0)
		*err = pool->err;
	return pool->result;
}

int page_pool_put(struct page_pool *pool, unsigned int block, uint64_t page,
		  unsigned int n, struct error *err)
{
	int r;

	pthread_mutex_lock(&pool->lock);
	while (pool->len == QUEUE_LEN && pool->result == 0)
		pthread_cond_wait(&pool->changed, &pool->lock);
	r = outcome(pool, err);
	if (r == 0) {
		pool->queue[(pool->first + pool->len++) % QUEUE_LEN] =
			(struct run){ page, block, n };
		pthread_cond_broadcast(&pool->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

int page_pool_mark(struct page_pool *pool, struct error *err)
{
	struct migrate_record rec = { .type = MIGRATE_MARK };
	int r;

	pthread_mutex_lock(&pool->lock);
	while ((pool->len || pool->busy) && pool->result == 0)
		pthread_cond_wait(&pool->changed, &pool->lock);
	r = outcome(pool, err);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->n && r == 0; i++)
		r = page_sender_record(&pool->worker[i].sender, &rec, NULL,
				       err);
	return r;
}
