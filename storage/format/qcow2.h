/*
 * storage/format/qcow2.h -- inside the qcow2 format.
 *
 * Metadata in memory runs ahead of the file's.  qcow2_commit() brings the
 * file up to it, in an order in which every moment's file is sound but for
 * clusters that are counted and not used:
 *
 *	data, new reference counts | places of new refcount blocks |
 *	L2 tables | places of new L2 tables | lower reference counts
 *
 * with a flush at each bar that has something on both sides.
 *
 * One lock guards all of it.  It is not held over I/O; functions that may let
 * it go meanwhile say so ("waits").
 */
#ifndef STORAGE_FORMAT_QCOW2_H
#define STORAGE_FORMAT_QCOW2_H

#include <pthread.h>

#include "base/util.h"
#include "storage/format/format.h"
#include "storage/format/qcow2_header.h"

/* "L1 table entry", "L2 table entry", "Refcount table entry". */
#define QCOW2_OFFSET	 0x00fffffffffffe00ull
#define QCOW2_REF_OFFSET 0xfffffffffffffe00ull
#define QCOW2_COPIED	 BIT64(63)
#define QCOW2_COMPRESSED BIT64(62)
#define QCOW2_ZERO_FLAG	 BIT64(0)

enum qcow2_table { QCOW2_L2, QCOW2_REFCOUNTS };

/* A piece of a table, as it is in the file. */
struct qcow2_slice {
	uint64_t offset; /* 0: unused */
	enum qcow2_table table;
	bool loading, dirty, writing, recent;
	struct qcow2_slice *next; /* in its bucket */
	uint8_t *data;
};

struct qcow2_cache {
	unsigned int slice_size, n_slices, n_buckets, hand;
	unsigned int n_dirty[2];
	struct qcow2_slice *slices, **buckets;
};

/* Guest clusters that someone gives a new place. */
struct qcow2_claim {
	uint64_t first, last;
	struct qcow2_claim *next;
};

/* Host clusters that nothing in memory points to; durable: nor in the file. */
struct qcow2_free {
	uint64_t offset, n; /* clusters */
	uint64_t epoch;
	enum { FREE_NEW, FREE_COMMITTING, FREE_DURABLE } state;
	struct qcow2_free *next;
};

/* Entries that differ from the file's: [first, end). */
struct qcow2_span {
	uint64_t first, end;
};

struct qcow2 {
	struct block *blk;
	struct block file; /* the same descriptor, as bytes */
	struct qcow2_header h;
	struct sector_cipher *cipher; /* NULL: none, or no passphrase */
	unsigned int cluster_bits, l2_bits, entry_size;
	uint64_t cluster_size;
	unsigned int block_bits; /* log2 of the counts in a refcount block */

	pthread_mutex_t lock;	/* the rest */
	pthread_cond_t changed; /* anything that someone waits for */
	uint64_t *l1;
	uint64_t *reftable;
	uint64_t n_reftable; /* entries */
	struct qcow2_span l1_dirty, reftable_dirty;
	struct qcow2_cache cache;

	struct qcow2_claim *claims;
	bool adding_table, adding_block, committing, draining;
	bool marked;  /* the file says that we write: no lock to unset it */
	bool marking; /* someone is about to have it say so */

	uint64_t hint;	/* no cluster below is free */
	uint64_t blank; /* from this cluster on the file reads as zeroes */
	uint64_t partial; /* where the next compressed cluster goes, or 0 */
	struct qcow2_free *frees, **last_free;
	uint64_t epoch;
	unsigned int users[2]; /* requests begun in even and odd epochs */
};

/* ---- the file: 0 or -errno; qcow2.c ---- */

int qcow2_pread(struct qcow2 *q, void *buf, size_t len, uint64_t offset);
int qcow2_pwrite(struct qcow2 *q, const void *buf, size_t len,
		 uint64_t offset);
/* Part of a request, moved to or from elsewhere. */
int qcow2_transfer(struct block *to, const struct block_req *req,
		   uint64_t skip, uint64_t len, uint64_t offset);
int qcow2_sync(struct qcow2 *q);
int qcow2_punch(struct qcow2 *q, uint64_t offset, uint64_t len);

/* ---- pieces of tables; qcow2_cache.c ---- */

void qcow2_cache_init(struct qcow2 *q);
void qcow2_cache_finish(struct qcow2 *q);
/* Waits.  What it returns is good for as long as the lock is held. */
int qcow2_slice(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
		struct qcow2_slice **ret);
/* NULL: it is not there. */
struct qcow2_slice *qcow2_slice_cached(struct qcow2 *q, uint64_t offset);
void qcow2_slice_dirty(struct qcow2 *q, struct qcow2_slice *s);
/* A cluster becomes another table. */
void qcow2_cache_forget(struct qcow2 *q, uint64_t offset);

/* ---- where guest data is; qcow2_map.c ---- */

enum qcow2_where { QCOW2_NOWHERE, QCOW2_ZEROES, QCOW2_DATA, QCOW2_PACKED };

struct qcow2_map {
	enum qcow2_where where;
	uint64_t host; /* data: of the first byte; packed: the descriptor */
	uint64_t len;
	bool ours; /* may be written in place */
};

/* From offset on, at most len bytes of the same kind in one place. Waits. */
int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t len,
	      struct qcow2_map *ret);
/* Without waiting: -EAGAIN when that takes reading a table. */
int qcow2_map_cached(struct qcow2 *q, uint64_t offset, uint64_t len,
		     struct qcow2_map *ret);
/* The L2 table of a guest offset, for writing. Waits. */
int qcow2_table_for_write(struct qcow2 *q, uint64_t offset);
/* The table has been asked for; ret_entry as in the file. Waits. */
int qcow2_entry(struct qcow2 *q, uint64_t offset, struct qcow2_slice **ret,
		uint8_t **ret_entry);
/* How many bytes from offset on are in the same slice of a table. */
uint64_t qcow2_slice_span(const struct qcow2 *q, uint64_t offset);

/* ---- reference counts; qcow2_refcount.c ---- */

uint64_t qcow2_count_get(const void *counts, unsigned int order, uint64_t i);
void qcow2_count_set(void *counts, unsigned int order, uint64_t i, uint64_t n);
int qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *ret);
int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, int by);
/* Up to max clusters in a row, counted.  blank: they read as zeroes. Waits. */
int qcow2_alloc(struct qcow2 *q, uint64_t max, uint64_t *ret_offset,
		uint64_t *ret_n, bool *ret_blank);
/* Exactly n in a row. */
int qcow2_alloc_row(struct qcow2 *q, uint64_t n, uint64_t *ret_offset);

/* ---- giving clusters back; qcow2_free.c ---- */

void qcow2_free(struct qcow2 *q, uint64_t offset, uint64_t n);
/* What an L2 entry points to. */
void qcow2_free_entry(struct qcow2 *q, uint64_t entry);
unsigned int qcow2_enter(struct qcow2 *q); /* a request uses a place... */
void qcow2_leave(struct qcow2 *q, unsigned int parity); /* ... no more */
void qcow2_drain(struct qcow2 *q); /* Waits. */

/* ---- order; qcow2_commit.c ---- */

void qcow2_span_add(struct qcow2_span *s, uint64_t i);
bool qcow2_is_clean(const struct qcow2 *q);
int qcow2_commit(struct qcow2 *q); /* Waits. */
/* What goes stale in the file, before the first write. Waits. */
int qcow2_mark(struct qcow2 *q);
int qcow2_mark_all(struct qcow2 *q); /* also what only a new size changes */
bool qcow2_is_marked(const struct qcow2 *q);

/* ---- requests ---- */

/* Each takes part of a request and says how much it was. */
int qcow2_read(struct qcow2 *q, const struct block_req *req);
int qcow2_read_at(struct qcow2 *q, void *buf, uint64_t len, uint64_t offset);
int qcow2_write(struct qcow2 *q, const struct block_req *req);
int qcow2_zero(struct qcow2 *q, const struct block_req *req);
int qcow2_discard(struct qcow2 *q, const struct block_req *req);
int qcow2_zero_range(struct qcow2 *q, uint64_t offset, uint64_t len);
/* Whole clusters show what is behind them. */
int qcow2_forget(struct qcow2 *q, uint64_t offset, uint64_t len);
/* n entries of one slice, claimed. Waits. */
int qcow2_link(struct qcow2 *q, uint64_t offset, uint64_t n, uint64_t host);
int qcow2_write_packed(struct qcow2 *q, const void *cluster, uint64_t offset);

void qcow2_claim(struct qcow2 *q, struct qcow2_claim *c); /* Waits. */
void qcow2_claim_end(struct qcow2 *q, struct qcow2_claim *c);

/* ---- compression; qcow2_packed.c ---- */

void qcow2_packed_place(const struct qcow2 *q, uint64_t entry,
			uint64_t *ret_offset, uint64_t *ret_len);
/* One cluster's data. */
int qcow2_unpack(const struct qcow2 *q, const void *from, size_t len,
		 void *to);
/* -E2BIG: it does not get shorter. */
int qcow2_pack(const struct qcow2 *q, const void *from, void *to,
	       size_t *ret_len);

/* All of q->h; qcow2_head.c. */
int qcow2_header_write(struct qcow2 *q);

/* ---- encryption; qcow2_crypt.c ---- */

int qcow2_crypt_open(struct qcow2 *q, struct error *err);
/* Part of a request, to or from a place in the file. */
int qcow2_crypt_read(struct qcow2 *q, const struct block_req *req,
		     uint64_t skip, uint64_t len, uint64_t host);
int qcow2_crypt_write(struct qcow2 *q, const struct block_req *req,
		      uint64_t skip, uint64_t len, uint64_t host);
/* A new image's header of LUKS's, the caller's; NULL: it gets none. */
int qcow2_crypt_make(const struct block_create *c, struct qcow2_header *h,
		     uint8_t **ret, struct error *err);

/* ---- dirty bitmaps; qcow2_bitmaps.c ---- */

int qcow2_bitmaps_load(struct block *blk, struct error *err);
int qcow2_bitmaps_allowed(struct block *blk, struct error *err);
/* In the file they are out of date: those that writes change, or all. */
int qcow2_bitmaps_mark(struct qcow2 *q, bool all);
/* Locked; nothing else is going on. Waits. */
int qcow2_bitmaps_store(struct qcow2 *q);

int qcow2_create(struct block *file, const struct block_create *c,
		 struct error *err);
int qcow2_snapshot(struct block *blk, enum block_snapshot_op op,
		   const char *what, struct error *err);
int qcow2_snapshot_list(struct block *blk, struct block_snapshot **ret,
			unsigned int *ret_n);
/* The disk as it was then. */
int qcow2_snapshot_open(struct qcow2 *q, const char *what, struct error *err);
/* All clusters of such an image in bytes, its data among them. */
int qcow2_measure(const struct block_create *c, uint64_t *ret,
		  struct error *err);
/* What bitmaps like from's take, if all of each has a place. */
uint64_t qcow2_measure_bitmaps(const struct block_create *c,
			       struct block *from);
int qcow2_preallocate(struct block *blk, uint64_t offset, uint64_t *ret_end);
int qcow2_verify(struct block *blk, unsigned int fix,
		 struct block_verdict *ret, struct error *err);
/* New reference counts for what is used: counts[cluster]. */
int qcow2_rebuild(struct qcow2 *q, const uint32_t *counts, uint64_t n);
int qcow2_resize(struct block *blk, uint64_t size, struct error *err);
/* The disk's size and its L1 table's change together. */
int qcow2_write_size(struct qcow2 *q, uint64_t size, uint32_t l1_size,
		     uint64_t l1_offset);

#endif
