/*
 * storage/format/qcow2_commit.c -- the file follows what is in memory, in
 * the order that qcow2.h gives.
 *
 * What is to be written is copied while the lock is held, so that all of it
 * is of one moment: a reference count is there for every entry, and the data
 * that an entry points to was written before the first flush.
 */
#include <errno.h>
#include <string.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

struct piece {
	struct qcow2_slice *slice;
	uint64_t offset;
	uint8_t *data;
};

struct pieces {
	struct piece *piece;
	unsigned int n;
};

/* Entries of L1 or refcount table. */
struct run {
	uint64_t offset, first, n;
	uint64_t *data; /* NULL: none */
};

struct commit {
	struct pieces counts, l2;
	struct run l1, reftable;
};

void qcow2_span_add(struct qcow2_span *s, uint64_t i)
{
	if (s->first == s->end) {
		s->first = i;
		s->end = i + 1;
	}
	s->first = MIN(s->first, i);
	s->end = MAX(s->end, i + 1);
}

static bool span_empty(const struct qcow2_span *s)
{
	return s->first == s->end;
}

bool qcow2_is_clean(const struct qcow2 *q)
{
	return !q->cache.n_dirty[QCOW2_L2] &&
	       !q->cache.n_dirty[QCOW2_REFCOUNTS] &&
	       span_empty(&q->l1_dirty) && span_empty(&q->reftable_dirty) &&
	       !q->committing && !q->frees;
}

/* ---- the moment ---- */

static void take_slice(struct qcow2 *q, struct pieces *p,
		       struct qcow2_slice *s)
{
	struct piece *to = &p->piece[p->n++];
	unsigned int size = q->cache.slice_size;

	to->slice = s;
	to->offset = s->offset;
	to->data = xmalloc(size);
	memcpy(to->data, s->data, size);
	s->dirty = false;
	s->writing = true;
	q->cache.n_dirty[s->table]--;
}

static void take_slices(struct qcow2 *q, struct commit *c)
{
	struct qcow2_cache *cache = &q->cache;

	c->counts.piece = xcalloc(cache->n_dirty[QCOW2_REFCOUNTS] + 1,
				  sizeof(struct piece));
	c->l2.piece = xcalloc(cache->n_dirty[QCOW2_L2] + 1,
			      sizeof(struct piece));
	if (!cache->n_dirty[QCOW2_L2] && !cache->n_dirty[QCOW2_REFCOUNTS])
		return;
	for (unsigned int i = 0; i < cache->n_slices; i++) {
		struct qcow2_slice *s = &cache->slices[i];

		if (s->dirty)
			take_slice(q, s->table == QCOW2_L2 ? &c->l2 :
							     &c->counts, s);
	}
}

static void take_run(struct qcow2_span *span, const uint64_t *table,
		     uint64_t offset, struct run *run)
{
	uint64_t n = span->end - span->first;

	if (!n)
		return;
	run->first = span->first;
	run->n = n;
	run->offset = offset + span->first * 8;
	run->data = xcalloc(n, sizeof(*run->data));
	for (uint64_t i = 0; i < n; i++)
		run->data[i] = htobe64(table[span->first + i]);
	*span = (struct qcow2_span){ 0 };
}

static void take_frees(struct qcow2 *q, int from, int to)
{
	for (struct qcow2_free *f = q->frees; f; f = f->next)
		if ((int)f->state == from)
			f->state = to;
}

/* ---- writing ---- */

static int by_offset(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int write_pieces(struct qcow2 *q, struct pieces *p)
{
	int r = 0;

	qsort(p->piece, p->n, sizeof(*p->piece), by_offset);
	for (unsigned int i = 0; i < p->n && r >= 0; i++)
		r = qcow2_pwrite(q, p->piece[i].data, q->cache.slice_size,
				 p->piece[i].offset);
	return r;
}

static int write_run(struct qcow2 *q, const struct run *run)
{
	return qcow2_pwrite(q, run->data, run->n * 8, run->offset);
}

static int write_all(struct qcow2 *q, struct commit *c)
{
	int r = write_pieces(q, &c->counts);

	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0 && c->reftable.data) {
		r = write_run(q, &c->reftable);
		if (r >= 0)
			r = qcow2_sync(q);
	}
	if (r < 0 || (!c->l2.n && !c->l1.data))
		return r;
	r = write_pieces(q, &c->l2);
	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0 && c->l1.data) {
		r = write_run(q, &c->l1);
		if (r >= 0)
			r = qcow2_sync(q);
	}
	return r;
}

/* ---- afterwards ---- */

static void end_pieces(struct qcow2 *q, struct pieces *p, bool failed)
{
	for (unsigned int i = 0; i < p->n; i++) {
		p->piece[i].slice->writing = false;
		if (failed)
			qcow2_slice_dirty(q, p->piece[i].slice);
		free(p->piece[i].data);
	}
	free(p->piece);
}

static void end_run(struct qcow2_span *span, struct run *run, bool failed)
{
	if (run->data && failed) {
		qcow2_span_add(span, run->first);
		qcow2_span_add(span, run->first + run->n - 1);
	}
	free(run->data);
}

int qcow2_commit(struct qcow2 *q)
{
	struct commit c = { 0 };
	int r;

	while (q->committing)
		pthread_cond_wait(&q->changed, &q->lock);
	q->committing = true;
	take_slices(q, &c);
	take_run(&q->l1_dirty, q->l1, q->h.l1_offset, &c.l1);
	take_run(&q->reftable_dirty, q->reftable, q->h.reftable_offset,
		 &c.reftable);
	take_frees(q, FREE_NEW, FREE_COMMITTING);
	pthread_mutex_unlock(&q->lock);
	r = write_all(q, &c);
	pthread_mutex_lock(&q->lock);
	take_frees(q, FREE_COMMITTING, r < 0 ? FREE_NEW : FREE_DURABLE);
	end_pieces(q, &c.counts, r < 0);
	end_pieces(q, &c.l2, r < 0);
	end_run(&q->l1_dirty, &c.l1, r < 0);
	end_run(&q->reftable_dirty, &c.reftable, r < 0);
	q->committing = false;
	pthread_cond_broadcast(&q->changed);
	return r;
}

/* ---- before the first write ---- */

/* "autoclear_features": what we do not keep up to date is not set. */
static int clear_features(struct qcow2 *q)
{
	uint64_t known = QCOW2_BITMAPS |
			 (q->h.data_file ? QCOW2_DATA_FILE_RAW : 0);
	uint8_t data[8];
	int r;

	if (!(q->h.autoclear & ~known))
		return 0;
	put_be64(data, q->h.autoclear & known);
	r = qcow2_pwrite(q, data, sizeof(data), 88);
	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0)
		q->h.autoclear &= known;
	return r;
}

bool qcow2_is_marked(const struct qcow2 *q)
{
	return __atomic_load_n(&q->marked, __ATOMIC_ACQUIRE) && !q->marking;
}

/* Whoever unsets it while this is going on has the next write come again. */
static int mark(struct qcow2 *q, bool all)
{
	int r;

	q->marking = true;
	__atomic_store_n(&q->marked, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&q->lock);
	r = clear_features(q);
	if (r >= 0)
		r = qcow2_bitmaps_mark(q, all);
	pthread_mutex_lock(&q->lock);
	if (r < 0)
		__atomic_store_n(&q->marked, false, __ATOMIC_RELEASE);
	q->marking = false;
	pthread_cond_broadcast(&q->changed);
	return r;
}

int qcow2_mark(struct qcow2 *q)
{
	while (q->marking)
		pthread_cond_wait(&q->changed, &q->lock);
	return qcow2_is_marked(q) ? 0 : mark(q, false);
}

int qcow2_mark_all(struct qcow2 *q)
{
	while (q->marking)
		pthread_cond_wait(&q->changed, &q->lock);
	return mark(q, true);
}
