/*
 * storage/format/qcow2_snapshot.c -- internal snapshots: made, dropped, gone
 * back to, opened.
 *
 * A cluster is counted for a table before the file names the table, and no
 * more only after the file has stopped naming it.  Whatever moment is the
 * last, no count is too low; counts that are too high, and "copied" flags at
 * odds with them, are for a check to make right.  Nothing else is going on
 * meanwhile.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2_snaptable.h"
#include "storage/format/qcow2_tree.h"

static int load(struct qcow2 *q, struct qcow2_snapshots *s, struct error *err)
{
	int r = qcow2_snapshots_load(q, s);

	return r < 0 ? error_set(err, r, "its snapshot table is invalid") : 0;
}

static uint64_t clusters(const struct qcow2 *q, uint32_t l1_size)
{
	return ALIGN_UP(l1_size * 8ull, q->cluster_size) >> q->cluster_bits;
}

/* A table with no flags set, at a place of its own, which is counted. */
static int write_l1(struct qcow2 *q, const uint64_t *l1, uint32_t n,
		    uint64_t *ret_offset)
{
	uint64_t len = ALIGN_UP(MAX(n, 1u) * 8ull, q->cluster_size);
	_cleanup_free_ uint8_t *data = xcalloc(1, len);
	int r = qcow2_alloc_row(q, len >> q->cluster_bits, ret_offset);

	for (uint32_t i = 0; i < n; i++)
		put_be64(data + i * 8ull, l1[i] & ~QCOW2_COPIED);
	return r < 0 ? r : qcow2_pwrite(q, data, len, *ret_offset);
}

/* ---- a new one ---- */

static char *next_id(const struct qcow2_snapshots *all)
{
	unsigned long max = 0;

	for (uint32_t i = 0; i < all->n; i++)
		max = MAX(max, strtoul(all->list[i].s.id, NULL, 10));
	return xasprintf("%lu", max == ULONG_MAX ? 0 : max + 1);
}

static void describe(struct qcow2 *q, const struct qcow2_snapshots *all,
		     const char *name, struct qcow2_snapshot *s)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	s->l1_size = q->h.l1_size;
	s->s = (struct block_snapshot){
		.id = next_id(all),
		.name = xstrdup(name),
		.date_sec = now.tv_sec,
		.date_nsec = now.tv_nsec,
		.size = q->h.size,
		.icount = UINT64_MAX,
	};
}

static int create(struct qcow2 *q, const struct qcow2_snapshots *all,
		  struct qcow2_snapshot *s)
{
	int r = qcow2_tree_count(q, q->l1, q->h.l1_size, 1);

	if (r >= 0)
		r = qcow2_tree_flags(q);
	if (r >= 0)
		r = write_l1(q, q->l1, s->l1_size, &s->l1_offset);
	if (r >= 0)
		r = qcow2_commit(q);
	if (r < 0)
		return r;
	qcow2_snapshot_encode(s);
	return qcow2_snapshots_store(q, all, NULL, s);
}

static int snapshot_create(struct qcow2 *q, const char *name,
			   struct error *err)
{
	struct qcow2_snapshots all;
	struct qcow2_snapshot s = { 0 };
	int r = load(q, &all, err);

	if (r < 0)
		return r;
	if (!*name || strlen(name) > QCOW2_SNAPSHOT_NAME_MAX)
		r = error_set(err, -EINVAL, "a snapshot's name has 1 to %d bytes",
			      QCOW2_SNAPSHOT_NAME_MAX);
	if (r >= 0) {
		describe(q, &all, name, &s);
		r = create(q, &all, &s);
		if (r < 0)
			error_set(err, r, "cannot make it: %s", strerror(-r));
	}
	qcow2_snapshot_free(&s);
	qcow2_snapshots_free(&all);
	return r;
}

/* ---- one less ---- */

static int delete(struct qcow2 *q, const struct qcow2_snapshots *all,
		  const struct qcow2_snapshot *s)
{
	_cleanup_free_ uint64_t *l1 = NULL;
	int r = qcow2_tree_read(q, s->l1_offset, s->l1_size, &l1);

	if (r >= 0)
		r = qcow2_snapshots_store(q, all, s, NULL);
	if (r >= 0)
		r = qcow2_tree_count(q, l1, s->l1_size, -1);
	if (r >= 0 && s->l1_size)
		qcow2_free(q, s->l1_offset, clusters(q, s->l1_size));
	return r < 0 ? r : qcow2_tree_flags(q);
}

/* ---- back to one ---- */

/* The disk's own table is now that one, of n entries; frees the old. */
static int switch_l1(struct qcow2 *q, uint64_t *l1, uint32_t n, uint64_t size)
{
	uint64_t offset, old = q->h.l1_offset;
	_cleanup_free_ uint64_t *old_l1 = NULL;
	uint32_t old_n = q->h.l1_size;
	int r = write_l1(q, l1, n, &offset);

	if (r >= 0)
		r = qcow2_commit(q);
	if (r >= 0)
		r = qcow2_write_size(q, size, n, offset);
	if (r < 0)
		return r;
	old_l1 = q->l1;
	q->l1 = xcalloc(n + 1ull, sizeof(*q->l1));
	for (uint32_t i = 0; i < n; i++)
		q->l1[i] = l1[i] & ~QCOW2_COPIED;
	q->h.l1_offset = offset;
	q->h.l1_size = n;
	q->h.size = q->blk->size = size;
	r = qcow2_tree_count(q, old_l1, old_n, -1);
	qcow2_free(q, old, MAX(clusters(q, old_n), 1u));
	return r < 0 ? r : qcow2_tree_flags(q);
}

static int apply(struct qcow2 *q, const struct qcow2_snapshot *s)
{
	uint32_t n = MAX(s->l1_size, qcow2_l1_entries(&q->h, s->s.size));
	_cleanup_free_ uint64_t *l1 = NULL;
	int r = qcow2_tree_read(q, s->l1_offset, s->l1_size, &l1);

	if (r < 0)
		return r;
	l1 = xrealloc(l1, n + 1ull, sizeof(*l1));
	memset(l1 + s->l1_size, 0, (n - s->l1_size) * sizeof(*l1));
	r = qcow2_mark_all(q);
	if (r >= 0)
		r = qcow2_tree_count(q, l1, n, 1);
	return r < 0 ? r : switch_l1(q, l1, n, s->s.size);
}

/* ---- all of them ---- */

static int with_one(struct qcow2 *q, enum block_snapshot_op op,
		    const char *what, struct error *err)
{
	struct qcow2_snapshots all;
	struct qcow2_snapshot *s;
	int r = load(q, &all, err);

	if (r < 0)
		return r;
	s = qcow2_snapshot_find(&all, what);
	if (!s)
		r = error_set(err, -ENOENT, "snapshot '%s' does not exist",
			      what);
	else
		r = op == BLOCK_SNAPSHOT_DELETE ? delete(q, &all, s) :
						  apply(q, s);
	if (r < 0 && s)
		error_set(err, r, "cannot do that with snapshot '%s': %s",
			  what, strerror(-r));
	qcow2_snapshots_free(&all);
	return r;
}

int qcow2_snapshot(struct block *blk, enum block_snapshot_op op,
		   const char *what, struct error *err)
{
	struct qcow2 *q = blk->priv;
	struct block_verdict v = { 0 };
	int r;

	r = blk->format->settle(blk);
	if (r < 0)
		return error_set(err, r, "cannot write it: %s", strerror(-r));
	pthread_mutex_lock(&q->lock);
	r = op == BLOCK_SNAPSHOT_CREATE ? snapshot_create(q, what, err) :
					  with_one(q, op, what, err);
	pthread_mutex_unlock(&q->lock);
	/* Anything may be different from what it was. */
	if (op == BLOCK_SNAPSHOT_APPLY) {
		block_bitmaps_resize(blk, blk->size);
		block_mark_dirty(blk, 0, blk->size);
	}
	/* What was counted for nothing is found by counting all. */
	if (r < 0 && r != -ENOENT && r != -EINVAL &&
	    blk->format->settle(blk) >= 0)
		qcow2_verify(blk, BLOCK_FIX_ALL, &v, NULL);
	else if (r >= 0 && blk->format->settle(blk) < 0)
		r = error_set(err, -EIO, "cannot write it");
	return r;
}

int qcow2_snapshot_list(struct block *blk, struct block_snapshot **ret,
			unsigned int *ret_n)
{
	struct qcow2 *q = blk->priv;
	struct qcow2_snapshots all;
	int r = qcow2_snapshots_load(q, &all);

	if (r < 0)
		return r;
	*ret = xcalloc(all.n + 1ull, sizeof(**ret));
	*ret_n = all.n;
	for (uint32_t i = 0; i < all.n; i++) {
		(*ret)[i] = all.list[i].s;
		all.list[i].s.id = all.list[i].s.name = NULL;
	}
	qcow2_snapshots_free(&all);
	return 0;
}

int qcow2_snapshot_open(struct qcow2 *q, const char *what, struct error *err)
{
	struct qcow2_snapshots all;
	struct qcow2_snapshot *s;
	uint64_t *l1 = NULL;
	int r = load(q, &all, err);

	if (r < 0)
		return r;
	s = qcow2_snapshot_find(&all, what);
	if (!s)
		r = error_set(err, -ENOENT, "snapshot '%s' does not exist",
			      what);
	else if (qcow2_tree_read(q, s->l1_offset, s->l1_size, &l1) < 0)
		r = error_set(err, -EIO, "cannot read its tables");
	if (r >= 0) {
		free(q->l1);
		q->l1 = steal_ptr(&l1);
		q->h.l1_size = s->l1_size;
		q->h.size = q->blk->size = s->s.size;
	}
	free(l1);
	qcow2_snapshots_free(&all);
	return r;
}
