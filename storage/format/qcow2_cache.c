/*
 * storage/format/qcow2_cache.c -- pieces of L2 tables and refcount blocks in
 * memory, as they are in the file.
 *
 * A piece is at most 4 KiB, so that one entry of a large cluster's table costs
 * one page.  Pieces that differ from the file stay until they are written.
 */
#include <errno.h>
#include <string.h>

#include "storage/format/qcow2.h"

enum { SLICE_MAX = 4096, BYTES_MAX = 32 * 1024 * 1024 };

void qcow2_cache_init(struct qcow2 *q)
{
	struct qcow2_cache *c = &q->cache;

	c->slice_size = MIN(q->cluster_size, (uint64_t)SLICE_MAX);
	c->n_slices = BYTES_MAX / SLICE_MAX;
	c->n_buckets = c->n_slices;
	c->slices = xcalloc(c->n_slices, sizeof(*c->slices));
	c->buckets = xcalloc(c->n_buckets, sizeof(*c->buckets));
}

void qcow2_cache_finish(struct qcow2 *q)
{
	struct qcow2_cache *c = &q->cache;

	for (unsigned int i = 0; i < c->n_slices; i++)
		free(c->slices[i].data);
	free(c->slices);
	free(c->buckets);
}

static struct qcow2_slice **bucket(struct qcow2_cache *c, uint64_t offset)
{
	uint64_t key = offset / c->slice_size * 0x9e3779b97f4a7c15ull;

	return &c->buckets[(key >> 32) % c->n_buckets];
}

static struct qcow2_slice *find(struct qcow2_cache *c, uint64_t offset)
{
	struct qcow2_slice *s = *bucket(c, offset);

	while (s && s->offset != offset)
		s = s->next;
	return s;
}

static void unlink_slice(struct qcow2_cache *c, struct qcow2_slice *s)
{
	struct qcow2_slice **at = bucket(c, s->offset);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->dirty)
		c->n_dirty[s->table]--;
	s->dirty = false;
	s->offset = 0;
}

static void link_slice(struct qcow2_cache *c, struct qcow2_slice *s,
		       enum qcow2_table table, uint64_t offset)
{
	struct qcow2_slice **at = bucket(c, offset);

	s->table = table;
	s->offset = offset;
	s->next = *at;
	*at = s;
}

/* One that was not asked for since the hand came by; NULL: all must stay. */
static struct qcow2_slice *victim(struct qcow2_cache *c)
{
	for (unsigned int i = 0; i < 2 * c->n_slices; i++) {
		struct qcow2_slice *s = &c->slices[c->hand];

		c->hand = (c->hand + 1) % c->n_slices;
		if (s->loading || s->dirty || s->writing)
			continue;
		if (!s->offset || !s->recent)
			return s;
		s->recent = false;
	}
	return NULL;
}

/* The lock is let go; nobody else touches a piece that is loading. */
static int load(struct qcow2 *q, struct qcow2_slice *s)
{
	struct qcow2_cache *c = &q->cache;
	int r;

	if (!s->data)
		s->data = xmalloc(c->slice_size);
	s->loading = true;
	pthread_mutex_unlock(&q->lock);
	r = qcow2_pread(q, s->data, c->slice_size, s->offset);
	pthread_mutex_lock(&q->lock);
	s->loading = false;
	if (r < 0)
		unlink_slice(c, s);
	pthread_cond_broadcast(&q->changed);
	return r;
}

struct qcow2_slice *qcow2_slice_cached(struct qcow2 *q, uint64_t offset)
{
	struct qcow2_slice *s = find(&q->cache, offset);

	if (!s || s->loading)
		return NULL;
	s->recent = true;
	return s;
}

int qcow2_slice(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
		struct qcow2_slice **ret)
{
	struct qcow2_cache *c = &q->cache;
	struct qcow2_slice *s;
	int r = 0;

	while (r == 0) {
		s = find(c, offset);
		if (s && s->loading) {
			pthread_cond_wait(&q->changed, &q->lock);
			continue;
		}
		/* A table that is two things is nobody's: no loops. */
		if (s && s->table != table)
			return -EIO;
		if (s) {
			s->recent = true;
			*ret = s;
			return 0;
		}
		s = victim(c);
		if (!s) {
			r = qcow2_commit(q);
			continue;
		}
		if (s->offset)
			unlink_slice(c, s);
		link_slice(c, s, table, offset);
		r = load(q, s);
	}
	return r;
}

void qcow2_slice_dirty(struct qcow2 *q, struct qcow2_slice *s)
{
	if (!s->dirty)
		q->cache.n_dirty[s->table]++;
	s->dirty = true;
}

void qcow2_cache_forget(struct qcow2 *q, uint64_t offset)
{
	uint64_t end = offset + q->cluster_size;

	for (; offset < end; offset += q->cache.slice_size) {
		struct qcow2_slice *s = find(&q->cache, offset);

		if (s)
			unlink_slice(&q->cache, s);
	}
}
