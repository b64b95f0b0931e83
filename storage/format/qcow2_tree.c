/*
 * storage/format/qcow2_tree.c -- all clusters that an L1 table leads to are
 * counted once more, or once less.
 */
#include "storage/format/qcow2_tree.h"

#include <errno.h>
#include <string.h>

#include "storage/format/endian.h"

int qcow2_tree_read(struct qcow2 *q, uint64_t offset, uint32_t n,
		    uint64_t **ret_l1)
{
	uint64_t *l1 = xcalloc((size_t)n + 1, sizeof(*l1));
	int r = qcow2_pread(q, l1, n * 8ull, offset);

	for (uint32_t i = 0; i < n; i++)
		l1[i] = be64toh(l1[i]);
	*ret_l1 = l1;
	return r;
}

/* ---- counts ---- */

/* Clusters in a row that nothing uses any more. */
struct unused {
	uint64_t offset, len;
};

static void punch(struct qcow2 *q, struct unused *u)
{
	if (u->len && q->blk->options.discard)
		qcow2_punch(q, u->offset, u->len);
	u->len = 0;
}

static void add_unused(struct qcow2 *q, struct unused *u, uint64_t offset)
{
	qcow2_cache_forget(q, offset);
	if (u->len && u->offset + u->len == offset) {
		u->len += q->cluster_size;
		return;
	}
	punch(q, u);
	*u = (struct unused){ offset, q->cluster_size };
}

static int count_cluster(struct qcow2 *q, uint64_t cluster, int by,
			 struct unused *u)
{
	uint64_t left;
	int r = qcow2_refcount_add(q, cluster, by);

	if (r < 0 || by > 0)
		return r;
	r = qcow2_refcount(q, cluster, &left);
	if (r >= 0 && !left)
		add_unused(q, u, cluster << q->cluster_bits);
	return r;
}

static int count_entry(struct qcow2 *q, uint64_t e, int by, struct unused *u)
{
	uint64_t offset = e & QCOW2_OFFSET, len = 1;
	uint64_t end;
	int r = 0;

	if (e & QCOW2_COMPRESSED)
		qcow2_packed_place(q, e, &offset, &len);
	else if (offset & (q->cluster_size - 1))
		return -EIO;
	else if (!offset)
		return 0;
	end = (offset + len - 1) >> q->cluster_bits;
	for (uint64_t c = offset >> q->cluster_bits; c <= end && r >= 0; c++)
		r = count_cluster(q, c, by, u);
	return r;
}

static int count_table(struct qcow2 *q, uint64_t table, int by,
		       struct unused *u)
{
	_cleanup_free_ uint8_t *l2 = xmalloc(q->cluster_size);
	int r = table & (q->cluster_size - 1) ?
			-EIO :
			qcow2_pread(q, l2, q->cluster_size, table);

	for (uint64_t at = 0; at < q->cluster_size && r >= 0;
	     at += q->entry_size)
		r = count_entry(q, get_be64(l2 + at), by, u);
	return r < 0 ? r : count_cluster(q, table >> q->cluster_bits, by, u);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A table twice in one: nobody writes that, and it could take for ever. */
static int check_once(const uint64_t *l1, uint32_t n)
{
	_cleanup_free_ uint64_t *sorted = xcalloc(n + 1ull, sizeof(*sorted));

	for (uint32_t i = 0; i < n; i++)
		sorted[i] = l1[i] & QCOW2_OFFSET;
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (uint32_t i = 1; i < n; i++)
		if (sorted[i] && sorted[i] == sorted[i - 1])
			return -EIO;
	return 0;
}

int qcow2_tree_count(struct qcow2 *q, const uint64_t *l1, uint32_t n, int by)
{
	struct unused u = { 0 };
	int r = check_once(l1, n);

	q->partial = 0;
	for (uint32_t i = 0; i < n && r >= 0; i++)
		if (l1[i] & QCOW2_OFFSET)
			r = count_table(q, l1[i] & QCOW2_OFFSET, by, &u);
	punch(q, &u);
	return r;
}

/* ---- flags ---- */

static int right_flag(struct qcow2 *q, uint64_t e, uint64_t *ret)
{
	uint64_t offset = e & QCOW2_OFFSET, n;
	int r;

	*ret = e;
	if (!offset || (e & QCOW2_COMPRESSED))
		return 0;
	r = qcow2_refcount(q, offset >> q->cluster_bits, &n);
	if (r >= 0)
		*ret = n == 1 ? e | QCOW2_COPIED : e & ~QCOW2_COPIED;
	return r;
}

/* Counts are looked up in between, so the piece may have to be read again. */
static int flag_slice(struct qcow2 *q, uint64_t offset)
{
	unsigned int size = q->cache.slice_size;
	_cleanup_free_ uint8_t *data = xmalloc(size);
	struct qcow2_slice *s;
	int r = qcow2_slice(q, QCOW2_L2, offset, &s);
	bool changed = false;

	if (r < 0)
		return r;
	memcpy(data, s->data, size);
	for (unsigned int i = 0; i < size && r >= 0; i += q->entry_size) {
		uint64_t e = get_be64(data + i), right;

		r = right_flag(q, e, &right);
		changed = changed || right != e;
		put_be64(data + i, right);
	}
	if (r >= 0 && changed)
		r = qcow2_slice(q, QCOW2_L2, offset, &s);
	if (r >= 0 && changed) {
		memcpy(s->data, data, size);
		qcow2_slice_dirty(q, s);
	}
	return r;
}

static int flag_table(struct qcow2 *q, uint32_t i)
{
	uint64_t table = q->l1[i] & QCOW2_OFFSET, e;
	uint64_t end = table + q->cluster_size;
	int r = right_flag(q, q->l1[i], &e);

	if (r >= 0 && e != q->l1[i]) {
		q->l1[i] = e;
		qcow2_span_add(&q->l1_dirty, i);
	}
	for (; table < end && r >= 0; table += q->cache.slice_size)
		r = flag_slice(q, table);
	return r;
}

int qcow2_tree_flags(struct qcow2 *q)
{
	int r = check_once(q->l1, q->h.l1_size);

	for (uint32_t i = 0; i < q->h.l1_size && r >= 0; i++)
		if (q->l1[i] & QCOW2_OFFSET)
			r = flag_table(q, i);
	return r;
}
