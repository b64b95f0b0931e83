/*
 * storage/format/qcow2_tables.c -- everything that an image names, once:
 * its header, tables, snapshots and bitmaps, and the clusters they lead to.
 *
 * A table is read once for each time that it is named, and memory is taken
 * for what is really named, so a small file cannot ask for much of either:
 * how often is limited by how many entries it has.
 */
#include "storage/format/qcow2_tables.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "storage/format/endian.h"

#define CLUSTERS_MAX BIT64(34)

/* Clusters past the file's end that may have a place and no data yet. */
#define BEHIND BIT64(16)

/* Untouched counts take no memory. */
int qcow2_use_create(struct qcow2 *q, struct block_verdict *verdict,
		     struct qcow2_use *ret, struct error *err)
{
	struct stat st;
	uint64_t size = q->file.size, n;
	void *counts;

	if (!q->file.is_device && fstat(q->file.fd, &st) == 0)
		size = st.st_size;
	n = (size + q->cluster_size - 1) >> q->cluster_bits;
	n += BEHIND;
	if (n > CLUSTERS_MAX)
		return error_set(err, -EFBIG,
				 "it has too many clusters to be checked");
	counts = mmap(NULL, (n + 1) * sizeof(uint32_t), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (counts == MAP_FAILED)
		return error_set(err, -errno, "no memory to check it: %m");
	*ret = (struct qcow2_use){ .q = q, .counts = counts, .n = n,
				   .verdict = verdict };
	return 0;
}

void qcow2_use_finish(struct qcow2_use *u)
{
	if (u->counts)
		munmap(u->counts, (u->n + 1) * sizeof(uint32_t));
}

static void corrupt(struct qcow2_use *u)
{
	u->verdict->corruptions++;
}

/* False: it cannot be there. */
static bool use(struct qcow2_use *u, uint64_t offset, uint64_t len)
{
	uint64_t first = offset >> u->q->cluster_bits, end;

	if (!len)
		return true;
	end = ((offset + len - 1) >> u->q->cluster_bits) + 1;
	if (end > u->n) {
		corrupt(u);
		return false;
	}
	for (uint64_t c = first; c < end; c++)
		if (u->counts[c] < UINT32_MAX)
			u->counts[c]++;
	u->last = MAX(u->last, end);
	return true;
}

static bool use_cluster(struct qcow2_use *u, uint64_t offset)
{
	if (offset & (u->q->cluster_size - 1)) {
		corrupt(u);
		return false;
	}
	return use(u, offset, u->q->cluster_size);
}

static int read_table(struct qcow2_use *u, uint64_t offset, uint64_t n,
		      uint64_t **ret)
{
	*ret = xcalloc(n + 1, sizeof(uint64_t));
	return qcow2_pread(u->q, *ret, n * 8, offset);
}

/* ---- guest data ---- */

static void use_entry(struct qcow2_use *u, uint64_t e, bool active)
{
	struct block_verdict *v = u->verdict;
	uint64_t offset = e & QCOW2_OFFSET, len;

	if (e & QCOW2_COMPRESSED) {
		qcow2_packed_place(u->q, e, &offset, &len);
		v->compressed += active;
		v->fragmented += active;
		v->allocated += active;
		use(u, offset, len);
		return;
	}
	if (!offset)
		return;
	if (active) {
		v->allocated++;
		v->fragmented += u->previous &&
				 offset != u->previous + u->q->cluster_size;
		u->previous = offset;
	}
	use_cluster(u, offset);
}

static int use_l2(struct qcow2_use *u, uint64_t offset, bool active)
{
	_cleanup_free_ uint64_t *l2 = NULL;
	uint64_t n = u->q->cluster_size / 8, step = u->q->entry_size / 8;
	int r;

	if (!use_cluster(u, offset))
		return 0;
	/* Named more often than there are L1 tables: not read again. */
	if (u->counts[offset >> u->q->cluster_bits] >
	    u->q->h.n_snapshots + 1) {
		corrupt(u);
		return 0;
	}
	u->previous = 0;
	r = read_table(u, offset, n, &l2);
	for (uint64_t i = 0; i < n && r >= 0; i += step)
		use_entry(u, be64toh(l2[i]), active);
	return r;
}

static int use_l1(struct qcow2_use *u, uint64_t offset, uint32_t n,
		  bool active)
{
	_cleanup_free_ uint64_t *l1 = NULL;
	int r;

	if ((offset & (u->q->cluster_size - 1)) || n > QCOW2_L1_BYTES_MAX / 8) {
		corrupt(u);
		return 0;
	}
	if (!use(u, offset, n * 8ull))
		return 0;
	r = read_table(u, offset, n, &l1);
	for (uint32_t i = 0; i < n && r >= 0; i++) {
		uint64_t table = be64toh(l1[i]) & QCOW2_OFFSET;

		if (table)
			r = use_l2(u, table, active);
	}
	return r;
}

/* ---- snapshots ---- */

/* "Snapshot table entry": 40 bytes, then extra data, id and name. */
static int use_snapshots(struct qcow2_use *u)
{
	struct qcow2 *q = u->q;
	uint64_t at = q->h.snapshots_offset, start = at;
	int r = 0;

	for (uint32_t i = 0; i < q->h.n_snapshots && r >= 0; i++) {
		uint8_t e[40];

		r = qcow2_pread(q, e, sizeof(e), at);
		if (r >= 0)
			r = use_l1(u, get_be64(e), get_be32(e + 8), false);
		at += ALIGN_UP(sizeof(e) + (uint64_t)get_be32(e + 36) +
			       get_be16(e + 12) + get_be16(e + 14), 8ull);
		if (at - start > QCOW2_SNAPSHOT_BYTES_MAX) {
			corrupt(u);
			return 0;
		}
	}
	use(u, start, at - start);
	return r;
}

/* ---- bitmaps ---- */

static int use_bitmap(struct qcow2_use *u, uint64_t offset, uint32_t n)
{
	_cleanup_free_ uint64_t *table = NULL;
	int r;

	if (n > QCOW2_BITMAP_BYTES_MAX / 8 || !use(u, offset, n * 8ull)) {
		corrupt(u);
		return 0;
	}
	r = read_table(u, offset, n, &table);
	for (uint32_t i = 0; i < n && r >= 0; i++) {
		uint64_t place = be64toh(table[i]) & QCOW2_OFFSET;

		if (place)
			use_cluster(u, place);
	}
	return r;
}

/* "Bitmap directory"; without the feature bit nobody counts on it. */
static int use_bitmaps(struct qcow2_use *u)
{
	const struct qcow2_header *h = &u->q->h;
	_cleanup_free_ uint8_t *dir = NULL;
	uint64_t at = 0;
	int r;

	if (!h->n_bitmaps || !(h->autoclear & QCOW2_BITMAPS))
		return 0;
	if (!use(u, h->bitmaps_offset, h->bitmaps_bytes))
		return 0;
	dir = xcalloc(1, h->bitmaps_bytes + 1);
	r = qcow2_pread(u->q, dir, h->bitmaps_bytes, h->bitmaps_offset);
	for (uint32_t i = 0; i < h->n_bitmaps && r >= 0; i++) {
		const uint8_t *e = dir + at;

		if (at > h->bitmaps_bytes || h->bitmaps_bytes - at < 24) {
			corrupt(u);
			break;
		}
		r = use_bitmap(u, get_be64(e), get_be32(e + 8));
		at += ALIGN_UP(24ull + get_be16(e + 18) + get_be32(e + 20),
			       8ull);
	}
	return r;
}

/* ---- reference counts ---- */

static void use_blocks(struct qcow2_use *u)
{
	struct qcow2 *q = u->q;

	use(u, q->h.reftable_offset,
	    (uint64_t)q->h.reftable_clusters << q->cluster_bits);
	for (uint64_t i = 0; i < q->n_reftable; i++) {
		uint64_t place = q->reftable[i] & QCOW2_REF_OFFSET;

		if (place && !use_cluster(u, place))
			u->broken_blocks = true;
	}
	for (uint64_t i = 0; i < q->n_reftable; i++) {
		uint64_t c = (q->reftable[i] & QCOW2_REF_OFFSET) >>
			     q->cluster_bits;

		if (c && c < u->n && u->counts[c] != 1) {
			corrupt(u);
			u->broken_blocks = true;
		}
	}
}

int qcow2_use_count(struct qcow2_use *u)
{
	const struct qcow2_header *h = &u->q->h;
	int r;

	u->verdict->total = (h->size + u->q->cluster_size - 1) >>
			    u->q->cluster_bits;
	use(u, 0, 1);
	use(u, h->crypt_offset, h->crypt_length);
	r = use_l1(u, h->l1_offset, h->l1_size, true);
	if (r >= 0)
		r = use_snapshots(u);
	if (r >= 0)
		r = use_bitmaps(u);
	use_blocks(u);
	u->verdict->end = u->last << u->q->cluster_bits;
	return r;
}
