/*
 * storage/format/qcow2_map.c -- from a place on the disk to one in the file
 * (sections "Cluster mapping" and "Extended L2 Entries").
 */
#include <errno.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

static unsigned int table_bits(const struct qcow2 *q)
{
	return q->cluster_bits + q->l2_bits;
}

static bool is_extended(const struct qcow2 *q)
{
	return q->h.incompatible & QCOW2_EXTENDED_L2;
}

static uint64_t l1_entry(const struct qcow2 *q, uint64_t offset)
{
	return q->l1[offset >> table_bits(q)];
}

/* Where in its table an entry is. */
static uint64_t entry_at(const struct qcow2 *q, uint64_t offset)
{
	uint64_t i = (offset >> q->cluster_bits) & (BIT64(q->l2_bits) - 1);

	return i * q->entry_size;
}

static bool is_bad_place(const struct qcow2 *q, uint64_t offset)
{
	return offset & (q->cluster_size - 1);
}

/* Of a kind all over, from offset to the end of its cluster or subcluster. */
static int decode_subcluster(const struct qcow2 *q, const uint8_t *entry,
			     uint64_t offset, struct qcow2_map *m)
{
	unsigned int bits = q->cluster_bits - 5;
	unsigned int i = (offset >> bits) & 31;
	uint64_t bitmap = get_be64(entry + 8);

	m->len = BIT64(bits) - (offset & (BIT64(bits) - 1));
	if (bitmap & BIT64(32 + i)) {
		m->where = QCOW2_ZEROES;
		return bitmap & BIT64(i) ? -EIO : 0;
	}
	if (!(bitmap & BIT64(i)))
		m->where = QCOW2_NOWHERE;
	else if (m->where != QCOW2_DATA)
		return -EIO;
	return 0;
}

static int decode(const struct qcow2 *q, const uint8_t *entry,
		  uint64_t offset, struct qcow2_map *m)
{
	uint64_t e = get_be64(entry), host = e & QCOW2_OFFSET;
	uint64_t inside = offset & (q->cluster_size - 1);

	*m = (struct qcow2_map){ .len = q->cluster_size - inside };
	if (e & QCOW2_COMPRESSED) {
		m->where = QCOW2_PACKED;
		m->host = e;
		return 0;
	}
	if (is_bad_place(q, host) || (!host && (e & QCOW2_COPIED)))
		return -EIO;
	if (host)
		m->where = QCOW2_DATA;
	if (is_extended(q))
		return m->host = host + inside,
		       decode_subcluster(q, entry, offset, m);
	if (e & QCOW2_ZERO_FLAG) {
		m->where = QCOW2_ZEROES;
		return q->h.version < 3 ? -EIO : 0;
	}
	m->host = host + inside;
	m->ours = m->where == QCOW2_DATA && (e & QCOW2_COPIED) &&
		  (l1_entry(q, offset) & QCOW2_COPIED);
	return 0;
}

static bool continues(const struct qcow2_map *m, const struct qcow2_map *next)
{
	if (m->where != next->where || m->ours != next->ours)
		return false;
	return m->where == QCOW2_DATA ? next->host == m->host + m->len :
					m->where != QCOW2_PACKED;
}

uint64_t qcow2_slice_span(const struct qcow2 *q, uint64_t offset)
{
	uint64_t span = (uint64_t)q->cache.slice_size / q->entry_size
			<< q->cluster_bits;

	return span - (offset & (span - 1));
}

/* The entries of one slice. */
static int map_slice(const struct qcow2 *q, const struct qcow2_slice *s,
		     uint64_t offset, uint64_t len, struct qcow2_map *ret)
{
	struct qcow2_map next;
	int r;

	len = MIN(len, qcow2_slice_span(q, offset));
	for (uint64_t at = offset; at < offset + len; at += next.len) {
		const uint8_t *entry = s->data + entry_at(q, at) %
							 q->cache.slice_size;

		r = decode(q, entry, at, &next);
		if (r < 0)
			return at == offset ? r : 0;
		if (at == offset)
			*ret = next;
		else if (!continues(ret, &next))
			break;
		else
			ret->len += next.len;
	}
	ret->len = MIN(ret->len, len);
	return 0;
}

/* 1: there is a table, and this is where the offset's slice of it is. */
static int find_slice(const struct qcow2 *q, uint64_t offset, uint64_t len,
		      struct qcow2_map *ret, uint64_t *ret_slice)
{
	uint64_t e = l1_entry(q, offset), span = BIT64(table_bits(q));
	uint64_t table = e & QCOW2_OFFSET;

	if (!table) {
		*ret = (struct qcow2_map){
			.len = MIN(len, span - (offset & (span - 1))),
		};
		return 0;
	}
	if (is_bad_place(q, table))
		return -EIO;
	*ret_slice = table + ALIGN_DOWN(entry_at(q, offset),
					(uint64_t)q->cache.slice_size);
	return 1;
}

int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t len,
	      struct qcow2_map *ret)
{
	struct qcow2_slice *s;
	uint64_t at;
	int r = find_slice(q, offset, len, ret, &at);

	if (r <= 0)
		return r;
	r = qcow2_slice(q, QCOW2_L2, at, &s);
	return r < 0 ? r : map_slice(q, s, offset, len, ret);
}

int qcow2_map_cached(struct qcow2 *q, uint64_t offset, uint64_t len,
		     struct qcow2_map *ret)
{
	struct qcow2_slice *s;
	uint64_t at;
	int r = find_slice(q, offset, len, ret, &at);

	if (r <= 0)
		return r;
	s = qcow2_slice_cached(q, at);
	if (!s || s->table != QCOW2_L2)
		return -EAGAIN;
	return map_slice(q, s, offset, len, ret);
}

/* ---- writing ---- */

int qcow2_entry(struct qcow2 *q, uint64_t offset, struct qcow2_slice **ret,
		uint8_t **ret_entry)
{
	uint64_t table = l1_entry(q, offset) & QCOW2_OFFSET;
	uint64_t at = entry_at(q, offset);
	uint64_t inside = at % q->cache.slice_size;
	int r = qcow2_slice(q, QCOW2_L2, table + at - inside, ret);

	if (r >= 0)
		*ret_entry = (*ret)->data + inside;
	return r;
}

/* A table of its own with what the shared one says, or nothing. */
static int new_table(struct qcow2 *q, uint64_t old, uint64_t *ret)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, q->cluster_size);
	uint64_t n;
	bool blank;
	int r = qcow2_alloc(q, 1, ret, &n, &blank);

	if (r < 0)
		return r;
	pthread_mutex_unlock(&q->lock);
	if (old)
		r = qcow2_pread(q, data, q->cluster_size, old);
	if (r >= 0)
		r = qcow2_pwrite(q, data, q->cluster_size, *ret);
	pthread_mutex_lock(&q->lock);
	if (r < 0)
		qcow2_free(q, *ret, 1);
	return r;
}

int qcow2_table_for_write(struct qcow2 *q, uint64_t offset)
{
	uint64_t i = offset >> table_bits(q), old, table;
	int r = 0;

	while (q->adding_table)
		pthread_cond_wait(&q->changed, &q->lock);
	if (q->l1[i] & QCOW2_COPIED)
		return q->l1[i] & QCOW2_OFFSET ? 0 : -EIO;
	old = q->l1[i] & QCOW2_OFFSET;
	if (is_bad_place(q, old))
		return -EIO;
	q->adding_table = true;
	r = new_table(q, old, &table);
	if (r >= 0) {
		qcow2_cache_forget(q, table);
		q->l1[i] = table | QCOW2_COPIED;
		qcow2_span_add(&q->l1_dirty, i);
		if (old)
			qcow2_free(q, old, 1);
	}
	q->adding_table = false;
	pthread_cond_broadcast(&q->changed);
	return r;
}
