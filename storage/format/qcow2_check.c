/*
 * storage/format/qcow2_check.c -- is an image sound: are reference counts
 * those of what is used, and do the "copied" flags say the same?
 *
 * A count that is too high wastes space (a leak); one that is too low, or a
 * flag that promises what is not so, costs data at the next write.
 */
#include <errno.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2_tables.h"

struct check {
	struct qcow2_use use;
	struct block_verdict *v;
	unsigned int fix;
	bool rebuild;
};

/* ---- counts ---- */

static int fix_count(struct qcow2 *q, uint64_t cluster, uint64_t is,
		     uint64_t should)
{
	return qcow2_refcount_add(q, cluster, (int)(should - is));
}

static bool fixable(uint64_t a, uint64_t b)
{
	return a < INT32_MAX && b < INT32_MAX;
}

/* A count that there is no block for is for who builds them anew. */
static void judge_count(struct check *c, uint64_t cluster, uint64_t is)
{
	uint64_t should = c->use.counts[cluster];
	struct block_verdict *v = c->v;
	bool leak = is > should;
	unsigned int need = leak ? BLOCK_FIX_LEAKS : BLOCK_FIX_ALL;

	if (is == should)
		return;
	if ((c->fix & need) == need && !c->rebuild) {
		if (fixable(is, should) &&
		    fix_count(c->use.q, cluster, is, should) >= 0) {
			*(leak ? &v->leaks_fixed : &v->corruptions_fixed) += 1;
			return;
		}
		c->rebuild = c->fix == BLOCK_FIX_ALL;
	}
	*(leak ? &v->leaks : &v->corruptions) += 1;
}

static int compare_counts(struct check *c)
{
	int r = 0;

	for (uint64_t i = 0; i < c->use.n && r >= 0; i++) {
		uint64_t is;

		r = qcow2_refcount(c->use.q, i, &is);
		if (r >= 0)
			judge_count(c, i, is);
	}
	return r;
}

/* ---- flags ---- */

static bool flag_right(const struct check *c, uint64_t e)
{
	uint64_t cluster = (e & QCOW2_OFFSET) >> c->use.q->cluster_bits;

	if (e & QCOW2_COMPRESSED)
		return !(e & QCOW2_COPIED);
	if (!cluster || cluster >= c->use.n)
		return true;
	return !!(e & QCOW2_COPIED) == (c->use.counts[cluster] == 1);
}

/* A missing flag costs a copy; a wrong one somebody else's data. */
static bool fix_flag(struct check *c, uint64_t *e)
{
	if (flag_right(c, *e))
		return false;
	if (c->fix != BLOCK_FIX_ALL) {
		c->v->corruptions++;
		return false;
	}
	c->v->corruptions_fixed++;
	*e ^= QCOW2_COPIED;
	return true;
}

static int check_l2(struct check *c, uint64_t offset)
{
	struct qcow2 *q = c->use.q;
	_cleanup_free_ uint64_t *l2 = xcalloc(1, q->cluster_size);
	uint64_t n = q->cluster_size / 8, step = q->entry_size / 8;
	bool changed = false;
	int r = qcow2_pread(q, l2, q->cluster_size, offset);

	for (uint64_t i = 0; i < n && r >= 0; i += step) {
		uint64_t e = be64toh(l2[i]);

		if (fix_flag(c, &e)) {
			changed = true;
			l2[i] = htobe64(e);
		}
	}
	if (r < 0 || !changed)
		return r;
	qcow2_cache_forget(q, offset);
	return qcow2_pwrite(q, l2, q->cluster_size, offset);
}

static int check_flags(struct check *c)
{
	struct qcow2 *q = c->use.q;
	int r = 0;

	for (uint32_t i = 0; i < q->h.l1_size && r >= 0; i++) {
		uint64_t table = q->l1[i] & QCOW2_OFFSET;

		if (fix_flag(c, &q->l1[i]))
			qcow2_span_add(&q->l1_dirty, i);
		if (table && !(table & (q->cluster_size - 1)) &&
		    table >> q->cluster_bits < c->use.n)
			r = check_l2(c, table);
	}
	return r;
}

/* ---- the header ---- */

static int clear_marks(struct check *c)
{
	struct qcow2 *q = c->use.q;
	uint64_t bits = QCOW2_DIRTY | QCOW2_CORRUPT;
	uint8_t data[8];
	int r;

	if (c->fix != BLOCK_FIX_ALL || c->v->errors || c->v->corruptions ||
	    !(q->h.incompatible & bits))
		return 0;
	put_be64(data, q->h.incompatible & ~bits);
	r = qcow2_pwrite(q, data, sizeof(data), 72);
	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0)
		q->h.incompatible &= ~bits;
	return r;
}

/* ---- all of it ---- */

static void forget_place(struct check *c, uint64_t offset, uint64_t n)
{
	uint64_t first = offset >> c->use.q->cluster_bits;

	for (uint64_t i = first; i < first + n && i < c->use.n; i++)
		if (c->use.counts[i])
			c->use.counts[i]--;
}

/* The old counts' own places are free when there are new ones. */
static void forget_old(struct check *c)
{
	const struct qcow2 *q = c->use.q;

	forget_place(c, q->h.reftable_offset, q->h.reftable_clusters);
	for (uint64_t i = 0; i < q->n_reftable; i++) {
		uint64_t place = q->reftable[i] & QCOW2_REF_OFFSET;

		if (place && !(place & (q->cluster_size - 1)))
			forget_place(c, place, 1);
	}
}

static int rebuild(struct check *c)
{
	struct block_verdict *v = c->v;
	int r;

	forget_old(c);
	r = qcow2_rebuild(c->use.q, c->use.counts, c->use.last);

	if (r < 0)
		return r;
	v->corruptions_fixed += v->corruptions;
	v->leaks_fixed += v->leaks;
	v->corruptions = v->leaks = 0;
	return 0;
}

static int verify(struct check *c)
{
	uint64_t wrong;
	int r = qcow2_use_count(&c->use);

	wrong = c->v->corruptions;
	c->rebuild = c->use.broken_blocks && c->fix == BLOCK_FIX_ALL;
	/* Entries that lead nowhere stay; others' counts can be made right. */
	if (r >= 0)
		r = check_flags(c);
	if (r >= 0 && !c->use.broken_blocks)
		r = compare_counts(c);
	if (r >= 0 && c->rebuild) {
		r = rebuild(c);
		if (r >= 0 && !c->use.broken_blocks)
			c->v->corruptions = wrong;
	}
	if (r >= 0 && c->fix)
		r = qcow2_commit(c->use.q);
	return r < 0 ? r : clear_marks(c);
}

int qcow2_verify(struct block *blk, unsigned int fix,
		 struct block_verdict *ret, struct error *err)
{
	struct qcow2 *q = blk->priv;
	struct check c = { .v = ret, .fix = fix };
	int r;

	if (fix && blk->options.readonly)
		return error_set(err, -EROFS, "it is read-only");
	r = qcow2_use_create(q, ret, &c.use, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&q->lock);
	r = verify(&c);
	pthread_mutex_unlock(&q->lock);
	qcow2_use_finish(&c.use);
	if (r < 0)
		return error_set(err, r, "cannot check it: %m");
	return 0;
}
