/*
 * vmm/blockjob_backup.c -- a disk as it was when the job began, while its guest
 * goes on writing: into another image, or for clients to read.
 *
 * A write of the guest's to what was not saved yet waits until it is
 * (vmm/gate.h).  A backup saves all by itself, and ends; an export saves only
 * what is written to, into an image that is of use for nothing else, shows
 * clients that or the disk's own (vmm/nbd/nbd.h), and goes on until it is told
 * to end.  By a bitmap, a backup saves only what is dirty in it, and an export
 * tells clients what is (vmm/blockjob_since.c).
 *
 * Locks: the export's, held over saving and reading; then the drive's.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/blockjob_priv.h"
#include "vmm/nbd/nbd.h"

enum { YIELD_US = 500 };

struct blockjob_backup {
	pthread_mutex_t lock;
	struct nbd_export export;
	_Atomic bool saving; /* or about to */
	bool closed; /* nothing is as it was any more */
	uint64_t at;
};

/* ---- saving ---- */

/* What a part of a disk does not have shows what is behind it: zeroes are
 * written there. */
static int save_range(struct blockjob *j, const struct gate_range *range)
{
	struct block *from = drive_block(j->drive);
	struct block_extent e = { 0 };
	int r = 0;

	for (uint64_t at = range->first; at < range->end && r == 0;
	     at += e.length) {
		r = block_extent(from, at,
				 MIN(range->end - at, (uint64_t)BLOCKJOB_STEP),
				 &e);
		if (r == 0 && !e.length)
			r = -EIO;
		e.zero = e.zero && !j->since;
		if (r == 0)
			r = blockjob_copy_out(j, from, j->target, at,
					      e.length, e.zero);
		if (r == 0 && !e.zero)
			blockjob_charge(j, e.length);
	}
	return r;
}

/* What is saved may change from then on; whether somebody waits for that. */
static bool let_change(struct blockjob *j, const struct gate_range *range)
{
	struct gate *g = drive_gate(j->drive);
	bool waits;

	pthread_mutex_lock(drive_lock(j->drive));
	gate_saved(g, range);
	j->current = j->end - gate_dirty_bytes(g);
	waits = g->held != NULL;
	pthread_mutex_unlock(drive_lock(j->drive));
	return waits;
}

/* 1: there is nothing to do. */
static int save_next(struct blockjob *j, bool any)
{
	struct blockjob_backup *b = j->backup;
	struct gate_range range;
	bool some, waits = false;
	int r;

	b->saving = true;
	pthread_mutex_lock(&b->lock);
	pthread_mutex_lock(drive_lock(j->drive));
	some = gate_kept(drive_gate(j->drive), &b->at, BLOCKJOB_STEP, any,
			 &range);
	pthread_mutex_unlock(drive_lock(j->drive));
	r = some ? save_range(j, &range) : 1;
	if (r == 0)
		waits = let_change(j, &range);
	b->saving = false;
	pthread_mutex_unlock(&b->lock);
	if (waits)
		drive_let_go(j->drive);
	return r;
}

static bool has_held(const struct gate *g)
{
	return g->held != NULL;
}

/* What was out when it began is of before. */
static int begin(struct blockjob *j)
{
	pthread_mutex_t *lock = drive_lock(j->drive);
	bool still;

	pthread_mutex_lock(lock);
	still = gate_wait(drive_gate(j->drive), lock, &j->stop);
	gate_unfence(drive_gate(j->drive));
	pthread_mutex_unlock(lock);
	drive_let_go(j->drive);
	return still ? 0 : -ECANCELED;
}

/* The limit is not for what the guest waits for. */
static int save_some(struct blockjob *j)
{
	bool any = !j->speed || now_ns() >= j->due;
	int r = save_next(j, any);

	if (r <= 0 || any)
		return r;
	blockjob_nap(j, has_held);
	return 0;
}

static int save_all(struct blockjob *j)
{
	const struct block_req flush = { .op = BLOCK_FLUSH };
	int r = 0;

	while (r == 0)
		r = blockjob_stopped(j) ? -ECANCELED : save_some(j);
	if (r > 0)
		r = block_settle(j->target);
	return r < 0 ? r : block_run(j->target, &flush);
}

static int save_changes(struct blockjob *j)
{
	int r = 0;

	while (r >= 0 && !blockjob_stopped(j)) {
		r = save_next(j, false);
		if (r > 0)
			blockjob_nap(j, has_held);
	}
	return r < 0 ? r : -ECANCELED;
}

void blockjob_backup_close(struct blockjob *j)
{
	if (!j->backup)
		return;
	pthread_mutex_lock(&j->backup->lock);
	j->backup->closed = true;
	pthread_mutex_unlock(&j->backup->lock);
}

void blockjob_backup_free(struct blockjob *j)
{
	if (!j->backup)
		return;
	pthread_mutex_destroy(&j->backup->lock);
	free((char *)j->backup->export.name);
	free(steal_ptr(&j->backup));
}

static int work(struct blockjob *j, struct error *err)
{
	int r = begin(j);

	if (r == 0)
		r = j->plan.kind == BLOCKJOB_EXPORT ? save_changes(j) :
						      save_all(j);
	blockjob_backup_close(j);
	return r < 0 && r != -ECANCELED ?
		       error_set(err, r, "disk '%s': cannot copy: %m", j->id) :
		       r;
}

/* ---- for clients ---- */

/* How far it is in one image, and which; the export's lock held. */
static struct block *image_at(struct blockjob *j, uint64_t offset,
			      uint64_t length, uint64_t *ret_length)
{
	bool kept;

	pthread_mutex_lock(drive_lock(j->drive));
	*ret_length = gate_run(drive_gate(j->drive), offset, offset + length,
			       &kept);
	pthread_mutex_unlock(drive_lock(j->drive));
	return kept ? drive_block(j->drive) : j->target;
}

static int read_locked(struct blockjob *j, uint8_t *buf, uint64_t offset,
		       uint64_t length)
{
	uint64_t n = 0;
	int r = 0;

	for (uint64_t done = 0; done < length && r == 0; done += n) {
		struct block *blk = image_at(j, offset + done, length - done,
					     &n);
		struct iovec iov = { buf + done, n };
		const struct block_req req = {
			.op = BLOCK_READ,
			.offset = offset + done,
			.length = n,
			.iov = &iov,
			.n_iov = 1,
		};

		r = block_run(blk, &req);
	}
	return r;
}

/* The guest goes first. */
static void enter(struct blockjob_backup *b)
{
	if (b->saving)
		usleep(YIELD_US);
	pthread_mutex_lock(&b->lock);
}

static int export_read(void *arg, void *buf, uint64_t offset, uint32_t length)
{
	struct blockjob *j = arg;
	int r;

	enter(j->backup);
	r = j->backup->closed ? -ESHUTDOWN :
				read_locked(j, buf, offset, length);
	pthread_mutex_unlock(&j->backup->lock);
	return r;
}

static int allocation(struct blockjob *j, uint64_t offset, uint64_t length,
		      struct nbd_extent *ret)
{
	struct block_extent e;
	struct block *blk = image_at(j, offset, length, &length);
	int r = block_extent(blk, offset, length, &e);

	if (r < 0)
		return r;
	ret->length = e.length;
	ret->flags = (e.present ? 0 : NBD_HOLE) | (e.zero ? NBD_ZERO : 0);
	return 0;
}

static int export_extent(void *arg, unsigned int context, uint64_t offset,
			 uint64_t length, struct nbd_extent *ret)
{
	struct blockjob *j = arg;
	int r;

	if (context) {
		blockjob_since_extent(j, offset, length, ret);
		return 0;
	}
	enter(j->backup);
	r = j->backup->closed ? -ESHUTDOWN :
				allocation(j, offset, length, ret);
	pthread_mutex_unlock(&j->backup->lock);
	return r;
}

const struct nbd_export *blockjob_export(const struct blockjob *j)
{
	return j->plan.kind == BLOCKJOB_EXPORT && !blockjob_is_over(j) ?
		       &j->backup->export :
		       NULL;
}

/* ---- the beginning ---- */

static struct blockjob_backup *create(struct blockjob *j)
{
	struct blockjob_backup *b = xcalloc(1, sizeof(*b));

	pthread_mutex_init(&b->lock, NULL);
	b->export = (struct nbd_export){
		.name = xstrdup(j->plan.export ? j->plan.export : j->id),
		.size = drive_size(j->drive),
		.n_contexts = j->since ? 2 : 1,
		.contexts = { "base:allocation", j->plan.context },
		.read = export_read,
		.extent = export_extent,
		.arg = j,
	};
	return b;
}

/* From here on the guest's writes wait. */
static int prepare(struct blockjob *j, struct error *err)
{
	int r = blockjob_since_read(j, err);

	if (r == 0)
		r = blockjob_open_target(j, err);
	if (r < 0)
		return r;
	j->backup = create(j);
	pthread_mutex_lock(drive_lock(j->drive));
	gate_keep(drive_gate(j->drive), drive_size(j->drive));
	if (j->since && j->plan.kind == BLOCKJOB_BACKUP)
		blockjob_since_leave_out(j);
	pthread_mutex_unlock(drive_lock(j->drive));
	return 0;
}

const struct blockjob_type blockjob_backup = {
	.prepare = prepare,
	.work = work,
};
