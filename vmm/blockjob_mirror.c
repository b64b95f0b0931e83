/*
 * vmm/blockjob_mirror.c -- an image that becomes, and stays, what another one
 * is while the guest writes to that.
 *
 * What differs is known (vmm/gate.h): at first all, then what the guest has
 * written since it was copied.  When nothing differs the copy is ready.  To
 * end, the guest is slowed down until little differs; then it waits while that
 * is copied, so both are the same at one moment.
 */
#include <errno.h>

#include "vmm/blockjob_priv.h"

enum { BRAKE_PIECES = 64 };

struct mirror {
	struct block *from, *to;
	unsigned int layers; /* so many of the first are copied */
	uint64_t at;
};

static int copy_range(struct blockjob *j, const struct mirror *m,
		      struct gate_range range)
{
	struct block_extent e = { 0 };
	int r = 0;

	for (uint64_t at = range.first; at < range.end && r == 0;
	     at += e.length) {
		r = block_extent(m->from, at, range.end - at, &e);
		if (r == 0 && !e.length)
			r = -EIO;
		if (r == 0 && e.depth < m->layers)
			r = blockjob_move(j, m->from, m->to, at, e.length,
					  e.zero);
	}
	return r;
}

/* With the lock held. */
static void measure(struct blockjob *j, const struct gate *g)
{
	j->current = j->end - gate_dirty_bytes(g);
}

/* The next piece; 1: nothing differs. */
static int step(struct blockjob *j, struct mirror *m)
{
	pthread_mutex_t *lock = drive_lock(j->drive);
	struct gate *g = drive_gate(j->drive);
	struct gate_range range;
	bool some, waits;
	int r;

	pthread_mutex_lock(lock);
	some = gate_clean(g, &m->at, BLOCKJOB_STEP, &range);
	pthread_mutex_unlock(lock);
	if (!some)
		return 1;
	r = copy_range(j, m, range);
	pthread_mutex_lock(lock);
	measure(j, g);
	waits = g->brake && g->held;
	pthread_mutex_unlock(lock);
	if (waits)
		drive_let_go(j->drive);
	return r;
}

static bool has_dirty(const struct gate *g)
{
	return g->n_dirty != 0;
}

static void set_brake(struct blockjob *j, uint64_t pieces)
{
	pthread_mutex_lock(drive_lock(j->drive));
	drive_gate(j->drive)->brake = pieces;
	pthread_mutex_unlock(drive_lock(j->drive));
}

/* Until it is ready and there is an order. */
static int follow(struct blockjob *j, struct mirror *m)
{
	int r;

	while (!blockjob_stopped(j)) {
		r = step(j, m);
		if (r < 0)
			return r;
		if (j->state == BLOCKJOB_READY && j->order)
			return 0;
		if (r == 0)
			continue;
		if (j->state == BLOCKJOB_RUNNING) {
			if (j->plan.synchronous)
				set_brake(j, BRAKE_PIECES);
			blockjob_tell_ready(j);
		} else {
			blockjob_nap(j, has_dirty);
		}
	}
	return -ECANCELED;
}

static uint64_t differs(struct blockjob *j)
{
	uint64_t n;

	pthread_mutex_lock(drive_lock(j->drive));
	n = drive_gate(j->drive)->n_dirty;
	pthread_mutex_unlock(drive_lock(j->drive));
	return n;
}

/* Held, and all of it copied. */
static int meet(struct blockjob *j, struct mirror *m)
{
	int r = 0;

	set_brake(j, BRAKE_PIECES);
	while (r == 0 && !j->stop && differs(j) > BRAKE_PIECES)
		r = step(j, m);
	if (r >= 0)
		r = blockjob_hold(j);
	while (r == 0)
		r = j->stop ? -ECANCELED : step(j, m);
	return r < 0 ? r : block_settle(m->to);
}

int blockjob_mirror(struct blockjob *j, struct block *from, struct block *to,
		    unsigned int layers, struct error *err)
{
	struct mirror m = { .from = from, .to = to, .layers = layers };
	int r;

	pthread_mutex_lock(drive_lock(j->drive));
	gate_track(drive_gate(j->drive), block_size(from));
	pthread_mutex_unlock(drive_lock(j->drive));
	r = follow(j, &m);
	if (r == 0)
		r = meet(j, &m);
	return r < 0 && r != -ECANCELED ?
		       error_set(err, r, "disk '%s': cannot copy: %m", j->id) :
		       r;
}

/* ---- into a new image ---- */

static int lock_target(const struct blockjob_chain *c, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < c->n && r == 0; i++)
		r = block_lock(c->layers[i].fd, i > 0, err);
	return r;
}

/* The descriptors are the opened chain's on success. */
static int open_target(struct blockjob *j, struct blockjob_chain *c,
		       struct error *err)
{
	int r = drive_open_images(j->drive, c->layers, c->n, false,
				  &j->target, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < c->n; i++)
		c->layers[i].fd = -1;
	return block_size(j->target) == drive_size(j->drive) ?
		       0 :
		       error_set(err, -EINVAL,
				 "disk '%s': its copy is of %llu bytes, not of %llu",
				 j->id,
				 (unsigned long long)block_size(j->target),
				 (unsigned long long)drive_size(j->drive));
}

int blockjob_open_target(struct blockjob *j, struct error *err)
{
	struct blockjob_chain c = { 0 };
	int r = blockjob_chain_copy(&c, &j->spec.disks[0], 0, NULL, err);

	if (r == 0)
		r = lock_target(&c, err);
	if (r == 0)
		r = open_target(j, &c, err);
	blockjob_chain_finish(&c);
	return r;
}

/* The old images are dropped, the copy is the disk's. */
static int pivot(struct blockjob *j, struct error *err)
{
	struct block *old;
	int r = drive_turn_to(j->drive, j->target, &old);

	if (r < 0)
		return error_set(err, r, "disk '%s': cannot turn to it: %m",
				 j->id);
	j->target = NULL;
	block_close(old);
	return 0;
}

static int copy(struct blockjob *j, struct error *err)
{
	int r = blockjob_mirror(j, drive_block(j->drive), j->target,
				j->plan.bottom, err);

	return r == 0 && j->order == ORDER_PIVOT ? pivot(j, err) : r;
}

const struct blockjob_type blockjob_copy = {
	.prepare = blockjob_open_target,
	.work = copy,
};
