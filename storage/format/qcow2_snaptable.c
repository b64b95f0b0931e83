/*
 * storage/format/qcow2_snaptable.c -- the table of an image's internal
 * snapshots, read and written (section "Snapshots").
 */
#include "storage/format/qcow2_snaptable.h"

#include <errno.h>
#include <string.h>

#include "storage/format/endian.h"

/* An entry before extra data, ID and name, which follow one another. */
enum { FIXED = 40, EXTRA = 24 };

void qcow2_snapshot_free(struct qcow2_snapshot *s)
{
	free((char *)s->s.id);
	free((char *)s->s.name);
	free(s->raw);
}

void qcow2_snapshots_free(struct qcow2_snapshots *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		qcow2_snapshot_free(&s->list[i]);
	free(s->list);
	*s = (struct qcow2_snapshots){ 0 };
}

static uint64_t entry_length(const uint8_t *fixed)
{
	return ALIGN_UP(FIXED + (uint64_t)get_be32(fixed + 36) +
			get_be16(fixed + 12) + get_be16(fixed + 14), 8ull);
}

static void decode(struct qcow2 *q, struct qcow2_snapshot *s)
{
	const uint8_t *d = s->raw, *extra = d + FIXED;
	uint32_t n = get_be32(d + 36), id = get_be16(d + 12);

	s->l1_offset = get_be64(d);
	s->l1_size = get_be32(d + 8);
	s->s = (struct block_snapshot){
		.date_sec = get_be32(d + 16),
		.date_nsec = get_be32(d + 20),
		.clock_nsec = get_be64(d + 24),
		.state_size = get_be32(d + 32),
		.size = q->h.size,
		.icount = UINT64_MAX,
		.id = xstrndup((const char *)extra + n, id),
		.name = xstrndup((const char *)extra + n + id,
				 get_be16(d + 14)),
	};
	if (n >= 8)
		s->s.state_size = get_be64(extra);
	if (n >= 16)
		s->s.size = get_be64(extra + 8);
	if (n >= 24)
		s->s.icount = get_be64(extra + 16);
}

void qcow2_snapshot_encode(struct qcow2_snapshot *s)
{
	size_t id = strlen(s->s.id), name = strlen(s->s.name);
	uint8_t *d;

	s->raw_len = ALIGN_UP(FIXED + EXTRA + id + name, (size_t)8);
	s->raw = d = xcalloc(1, s->raw_len);
	put_be64(d, s->l1_offset);
	put_be32(d + 8, s->l1_size);
	put_be16(d + 12, id);
	put_be16(d + 14, name);
	put_be32(d + 16, s->s.date_sec);
	put_be32(d + 20, s->s.date_nsec);
	put_be64(d + 24, s->s.clock_nsec);
	put_be32(d + 32, MIN(s->s.state_size, (uint64_t)UINT32_MAX));
	put_be32(d + 36, EXTRA);
	put_be64(d + FIXED, s->s.state_size);
	put_be64(d + FIXED + 8, s->s.size);
	put_be64(d + FIXED + 16, s->s.icount);
	memcpy(d + FIXED + EXTRA, s->s.id, id);
	memcpy(d + FIXED + EXTRA + id, s->s.name, name);
}

static bool is_possible(const struct qcow2 *q, const struct qcow2_snapshot *s)
{
	return !(s->l1_offset & (q->cluster_size - 1)) &&
	       s->l1_size <= QCOW2_L1_BYTES_MAX / 8 &&
	       s->s.size <= INT64_MAX / 2 && s->s.size % BLOCK_SECTOR == 0 &&
	       s->l1_size >= qcow2_l1_entries(&q->h, s->s.size);
}

static int load_one(struct qcow2 *q, uint64_t at, uint64_t left,
		    struct qcow2_snapshot *s)
{
	uint8_t fixed[FIXED];
	int r = left < FIXED ? -EFBIG :
			       qcow2_pread(q, fixed, sizeof(fixed), at);

	if (r < 0)
		return r;
	if (entry_length(fixed) > left)
		return -EFBIG;
	s->raw_len = entry_length(fixed);
	s->raw = xmalloc(s->raw_len);
	r = qcow2_pread(q, s->raw, s->raw_len, at);
	/* It could be another one by now. */
	if (r >= 0 && entry_length(s->raw) != s->raw_len)
		r = -EIO;
	if (r >= 0)
		decode(q, s);
	return r < 0 || is_possible(q, s) ? r : -EIO;
}

int qcow2_snapshots_load(struct qcow2 *q, struct qcow2_snapshots *ret)
{
	uint64_t at = q->h.snapshots_offset, len = 0;
	int r = 0;

	*ret = (struct qcow2_snapshots){
		.list = xcalloc(q->h.n_snapshots + 1ull, sizeof(*ret->list)),
	};
	while (ret->n < q->h.n_snapshots && r >= 0) {
		struct qcow2_snapshot *s = &ret->list[ret->n++];

		r = load_one(q, at + len, QCOW2_SNAPSHOT_BYTES_MAX - len, s);
		len += s->raw_len;
	}
	if (r < 0)
		qcow2_snapshots_free(ret);
	return r;
}

struct qcow2_snapshot *qcow2_snapshot_find(const struct qcow2_snapshots *s,
					   const char *what)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (str_eq(s->list[i].s.id, what))
			return &s->list[i];
	for (uint32_t i = 0; i < s->n; i++)
		if (str_eq(s->list[i].s.name, what))
			return &s->list[i];
	return NULL;
}

/* ---- writing ---- */

static uint64_t table_length(const struct qcow2_snapshots *s)
{
	uint64_t len = 0;

	for (uint32_t i = 0; i < s->n; i++)
		len += s->list[i].raw_len;
	return len;
}

static uint8_t *put(uint8_t *to, const struct qcow2_snapshot *s)
{
	memcpy(to, s->raw, s->raw_len);
	return to + s->raw_len;
}

static uint8_t *join(const struct qcow2_snapshots *s,
		     const struct qcow2_snapshot *skip,
		     const struct qcow2_snapshot *more, uint64_t *ret_len)
{
	uint8_t *data = xcalloc(1, table_length(s) +
				(more ? more->raw_len : 0) + 1);
	uint8_t *at = data;

	for (uint32_t i = 0; i < s->n; i++)
		if (&s->list[i] != skip)
			at = put(at, &s->list[i]);
	if (more)
		at = put(at, more);
	*ret_len = at - data;
	return data;
}

/* Number and place, which are in one sector. */
static int write_header(struct qcow2 *q, uint32_t n, uint64_t offset)
{
	uint8_t data[12];
	int r;

	put_be32(data, n);
	put_be64(data + 4, offset);
	r = qcow2_pwrite(q, data, sizeof(data), 60);
	return r < 0 ? r : qcow2_sync(q);
}

/* Nothing is lost if this is where it ends: the header is last. */
static int store(struct qcow2 *q, const uint8_t *data, uint64_t len,
		 uint32_t n)
{
	uint64_t clusters = ALIGN_UP(len, q->cluster_size) >> q->cluster_bits;
	uint64_t offset = 0;
	int r = clusters ? qcow2_alloc_row(q, clusters, &offset) : 0;

	if (r < 0)
		return r;
	r = clusters ? qcow2_pwrite(q, data, len, offset) : 0;
	if (r >= 0)
		r = qcow2_commit(q);
	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0)
		r = write_header(q, n, offset);
	if (r < 0) {
		if (clusters)
			qcow2_free(q, offset, clusters);
		return r;
	}
	q->h.n_snapshots = n;
	q->h.snapshots_offset = offset;
	return 0;
}

int qcow2_snapshots_store(struct qcow2 *q, const struct qcow2_snapshots *s,
			  const struct qcow2_snapshot *skip,
			  const struct qcow2_snapshot *more)
{
	uint64_t old = q->h.snapshots_offset, old_len = table_length(s), len;
	_cleanup_free_ uint8_t *data = join(s, skip, more, &len);
	uint32_t n = s->n - !!skip + !!more;
	int r;

	if (len > QCOW2_SNAPSHOT_BYTES_MAX || n > QCOW2_SNAPSHOTS_MAX)
		return -EFBIG;
	r = store(q, data, len, n);
	if (r >= 0 && old_len)
		qcow2_free(q, old, ALIGN_UP(old_len, q->cluster_size) >>
					   q->cluster_bits);
	return r;
}
