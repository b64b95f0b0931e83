/*
 * vmm/blockjob_pull.c -- what images below have goes up into the disk's own.
 *
 * While a piece is copied, writes of the guest's to it wait, or the copy would
 * undo them.  At the end the image's header says what it is based on from then
 * on; until that is written it is what it was, with more in it.
 */
#include <errno.h>

#include "vmm/blockjob_priv.h"

static int prepare(struct blockjob *j, struct error *err)
{
	unsigned int n = j->plan.now->n_layers;

	if (j->plan.bottom < 2 || j->plan.bottom > n + 1)
		return error_set(err, -EINVAL,
				 "disk '%s' has no such images below it",
				 j->id);
	return blockjob_chain_copy(&j->before, j->plan.now, 0, NULL, err);
}

/* Where nothing is left below, nothing is as good as zeroes. */
static bool is_needed(const struct blockjob *j, const struct block_extent *e)
{
	if (e->depth >= j->plan.bottom)
		return false;
	return e->present ? e->depth > 0 : j->plan.backing != NULL;
}

static int fence(struct blockjob *j, uint64_t first, uint64_t end)
{
	pthread_mutex_t *lock = drive_lock(j->drive);
	struct gate *g = drive_gate(j->drive);
	bool still;

	pthread_mutex_lock(lock);
	g->fence = (struct gate_range){ first, end };
	still = gate_wait(g, lock, &j->stop);
	pthread_mutex_unlock(lock);
	return still ? 0 : -ECANCELED;
}

static int pull_extent(struct blockjob *j, uint64_t at, uint64_t end,
		       uint64_t *ret_moved, uint64_t *ret_length)
{
	struct block *blk = drive_block(j->drive);
	struct block_extent e;
	int r = block_extent(blk, at, end - at, &e);

	if (r < 0 || !e.length)
		return r < 0 ? r : -EIO;
	*ret_length = e.length;
	if (!is_needed(j, &e))
		return 0;
	if (!e.zero)
		*ret_moved += e.length;
	return block_copy(blk, blk, at, e.length, e.zero, j->buffer);
}

/* The wait for the limit comes when nobody waits for us. */
static int pull_piece(struct blockjob *j, uint64_t first, uint64_t end)
{
	uint64_t moved = 0, n = 0;
	int r = fence(j, first, end);

	for (uint64_t at = first; at < end && r == 0; at += n)
		r = pull_extent(j, at, end, &moved, &n);
	blockjob_resume(j);
	if (r == 0)
		blockjob_pace(j, moved);
	return r;
}

static int end(struct blockjob *j, struct error *err)
{
	int r = blockjob_hold(j);

	if (r == 0)
		r = blockjob_rename(j, j->spec.disks[0].fd, err);
	return r < 0 ? r : blockjob_arrive(j, err);
}

static int pull(struct blockjob *j, struct error *err)
{
	int r = 0;

	for (uint64_t at = 0; at < j->end && r == 0; at = j->current) {
		uint64_t next = MIN(at + BLOCKJOB_STEP, j->end);

		r = blockjob_stopped(j) ? -ECANCELED : pull_piece(j, at, next);
		j->current = next;
	}
	if (r < 0 && r != -ECANCELED)
		return error_set(err, r, "disk '%s': cannot copy: %m", j->id);
	return r < 0 ? r : end(j, err);
}

const struct blockjob_type blockjob_pull = {
	.prepare = prepare,
	.work = pull,
};
