/*
 * vmm/blockjob_commit.c -- what images between the disk's own and another one
 * have goes into that.
 *
 * The guest writes above them, and what they have hides what is below, so it
 * sees no difference at any time and nothing of its has to wait.  The image
 * that is written to is opened for that in its place in the disk's images, so
 * that there is one view of it only.
 */
#include <errno.h>

#include "vmm/blockjob_priv.h"

/* What is written to is the description's second disk. */
static int prepare(struct blockjob *j, struct error *err)
{
	const struct blockjob_plan *p = &j->plan;
	int r;

	if (p->top >= p->bottom || p->bottom > p->now->n_layers ||
	    j->spec.n_disks < 2)
		return error_set(err, -EINVAL,
				 "disk '%s' has no such images below it",
				 j->id);
	r = blockjob_chain_copy(&j->before, p->now, 0, NULL, err);
	if (r == 0)
		r = blockjob_chain_copy(&j->during, p->now, p->bottom,
					&j->spec.disks[1], err);
	return r < 0 ? r : blockjob_claim(j, &j->spec.disks[1], p->bottom,
					  err);
}

/* What is above was made larger, perhaps. */
static int fit(struct blockjob *j, struct error *err)
{
	struct block *blk = drive_block(j->drive);
	struct block *base = block_below(blk, j->plan.bottom);
	uint64_t size = block_size(block_below(blk, j->plan.top));

	if (j->plan.kind == BLOCKJOB_ACTIVE && block_size(base) > size)
		return error_set(err, -EINVAL,
				 "disk '%s' is smaller than the image it would become",
				 j->id);
	return block_size(base) < size ? block_resize(base, size, err) : 0;
}

static int begin(struct blockjob *j, struct error *err)
{
	int r = blockjob_hold(j);

	if (r == 0)
		r = blockjob_change_over(j, &j->during, err);
	if (r == 0)
		r = fit(j, err);
	if (r < 0 && j->at)
		blockjob_change_over(j, &j->before, NULL);
	blockjob_resume(j);
	return r;
}

static int commit_extent(struct blockjob *j, uint64_t at, uint64_t size,
			 uint64_t *ret_length)
{
	struct block *top = block_below(drive_block(j->drive), j->plan.top);
	struct block *base = block_below(drive_block(j->drive),
					 j->plan.bottom);
	struct block_extent e;
	int r = block_extent(top, at, MIN((uint64_t)BLOCKJOB_STEP, size - at),
			     &e);

	if (r < 0 || !e.length)
		return r < 0 ? r : -EIO;
	*ret_length = e.length;
	return e.depth >= j->plan.bottom - j->plan.top ?
		       0 :
		       blockjob_move(j, top, base, at, e.length, e.zero);
}

static int copy(struct blockjob *j, struct error *err)
{
	uint64_t size = block_size(
		block_below(drive_block(j->drive), j->plan.top));
	uint64_t n = 0;
	int r = 0;

	j->end = size;
	for (uint64_t at = 0; at < size && r == 0; at += n) {
		r = blockjob_stopped(j) ? -ECANCELED :
					  commit_extent(j, at, size, &n);
		j->current = at + n;
	}
	return r < 0 && r != -ECANCELED ?
		       error_set(err, r, "disk '%s': cannot copy: %m", j->id) :
		       r;
}

/* The image above the upmost that goes: the disk's own, or the third. */
static int above(const struct blockjob *j)
{
	return j->spec.n_disks > 2 ? j->spec.disks[2].fd : j->spec.disks[0].fd;
}

static int end(struct blockjob *j, struct error *err)
{
	int r = blockjob_hold(j);

	if (r == 0)
		r = blockjob_rename(j, above(j), err);
	return r < 0 ? r : blockjob_arrive(j, err);
}

/* All images are read again, but the disk's own. */
static void go_back(struct blockjob *j)
{
	if (blockjob_hold(j) == 0)
		blockjob_change_over(j, &j->before, NULL);
}

static int commit(struct blockjob *j, struct error *err)
{
	int r = begin(j, err);

	if (r < 0)
		return r;
	r = copy(j, err);
	if (r == 0)
		r = end(j, err);
	if (r < 0)
		go_back(j);
	return r;
}

const struct blockjob_type blockjob_commit = {
	.prepare = prepare,
	.work = commit,
};

/* ---- of the disk's own image ---- */

static int commit_active(struct blockjob *j, struct error *err)
{
	struct block *blk;
	int r = begin(j, err);

	if (r < 0)
		return r;
	blk = drive_block(j->drive);
	r = blockjob_mirror(j, blk, block_below(blk, j->plan.bottom),
			    j->plan.bottom, err);
	if (r == 0 && j->order == ORDER_PIVOT)
		return blockjob_arrive(j, err);
	go_back(j);
	return r;
}

const struct blockjob_type blockjob_active = {
	.prepare = prepare,
	.work = commit_active,
};
