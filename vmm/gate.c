/*
 * vmm/gate.c -- which requests wait for a job on a disk, and what they changed.
 *
 * A write is marked when it has ended: whoever cleans a piece and then reads
 * it has either all of the write or finds the piece marked again afterwards.
 * Two writes of a guest's that are out together have no order (virtio 1.2,
 * 5.2.6.2), so those that wait need not keep one either.
 */
#include "vmm/gate.h"

#include <string.h>

#include "base/util.h"
#include "vmm/drive.h"

enum { PIECE_BITS = 16 };
#define PIECES_MAX BIT64(26)

static bool changes(const struct drive_req *req)
{
	return req->op != BLOCK_READ && req->op != BLOCK_FLUSH;
}

/* A call may do anything. */
static struct gate_range range_of(const struct drive_req *req)
{
	if (req->op == BLOCK_CALL)
		return (struct gate_range){ 0, UINT64_MAX };
	return (struct gate_range){ req->block.offset,
				    req->block.offset + req->block.length };
}

static bool touches(const struct gate *g, const struct drive_req *req)
{
	struct gate_range r = range_of(req);

	return changes(req) && r.first < g->fence.end &&
	       g->fence.first < r.end;
}

void gate_init(struct gate *g)
{
	pthread_condattr_t attr;

	*g = (struct gate){ 0 };
	g->last_held = &g->held;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void gate_finish(struct gate *g)
{
	pthread_cond_destroy(&g->changed);
	free(g->dirty);
}

/* ---- who waits ---- */

static uint64_t pieces(const struct gate *g)
{
	return (g->size + BIT64(g->piece_bits) - 1) >> g->piece_bits;
}

static bool is_dirty(const struct gate *g, uint64_t i)
{
	return g->dirty[i / 64] >> (i % 64) & 1;
}

/* The next dirty one of some pieces. */
static bool find_dirty(const struct gate *g, uint64_t from, uint64_t end,
		       uint64_t *ret)
{
	for (uint64_t i = from; i < end; i++) {
		if (!g->dirty[i / 64] && i % 64 == 0)
			i += 63;
		else if (is_dirty(g, i))
			return *ret = i, true;
	}
	return false;
}

/* The first piece that is kept and that it would change. */
static bool hits_kept(const struct gate *g, const struct drive_req *req,
		      uint64_t *ret)
{
	struct gate_range r = range_of(req);

	if (!g->keep || !g->n_dirty || !changes(req) || r.first >= g->size)
		return false;
	r.end = MIN(r.end, g->size) + BIT64(g->piece_bits) - 1;
	return find_dirty(g, r.first >> g->piece_bits,
			  r.end >> g->piece_bits, ret);
}

static bool may_go(const struct gate *g, const struct drive_req *req)
{
	uint64_t unused;

	return !g->shut && !touches(g, req) && !hits_kept(g, req, &unused) &&
	       !(g->brake && changes(req) && g->n_dirty >= g->brake);
}

static void hold(struct gate *g, struct drive_req *req)
{
	req->gate_next = NULL;
	*g->last_held = req;
	g->last_held = &req->gate_next;
	if (g->keep)
		pthread_cond_broadcast(&g->changed);
}

bool gate_enter(struct gate *g, struct drive_req *req)
{
	if (!may_go(g, req)) {
		hold(g, req);
		return false;
	}
	req->gate_next = g->out;
	req->gate_link = &g->out;
	if (g->out)
		g->out->gate_link = &req->gate_next;
	g->out = req;
	return true;
}

void gate_leave(struct gate *g, struct drive_req *req)
{
	struct gate_range r = range_of(req);

	*req->gate_link = req->gate_next;
	if (req->gate_next)
		req->gate_next->gate_link = req->gate_link;
	if (changes(req) && g->dirty && !g->keep)
		gate_soil(g, r.first, r.end);
	if (g->shut || g->fence.end || (changes(req) && g->dirty))
		pthread_cond_broadcast(&g->changed);
}

static struct drive_req *unhold(struct gate *g, struct drive_req **link)
{
	struct drive_req *req = *link;

	*link = req->gate_next;
	if (!req->gate_next)
		g->last_held = link;
	return req;
}

struct drive_req *gate_next(struct gate *g)
{
	for (struct drive_req **link = &g->held; *link;
	     link = &(*link)->gate_next)
		if (may_go(g, *link))
			return unhold(g, link);
	return NULL;
}

static bool is_busy(const struct gate *g)
{
	if (g->shut)
		return g->out != NULL;
	for (const struct drive_req *req = g->out; req; req = req->gate_next)
		if (touches(g, req))
			return true;
	return false;
}

bool gate_wait(struct gate *g, pthread_mutex_t *lock, const _Atomic bool *stop)
{
	while (is_busy(g) && !*stop)
		pthread_cond_wait(&g->changed, lock);
	return !is_busy(g);
}

/* ---- what differs ---- */

static void flip(struct gate *g, uint64_t i, bool dirty)
{
	g->dirty[i / 64] ^= BIT64(i % 64);
	g->n_dirty += dirty ? 1 : -1;
}

void gate_soil(struct gate *g, uint64_t first, uint64_t end)
{
	uint64_t last = (MIN(end, g->size) + BIT64(g->piece_bits) - 1) >>
			g->piece_bits;

	for (uint64_t i = first >> g->piece_bits; i < last; i++)
		if (!is_dirty(g, i))
			flip(g, i, true);
}

void gate_track(struct gate *g, uint64_t size)
{
	g->size = size;
	g->n_dirty = 0;
	g->piece_bits = PIECE_BITS;
	while ((size >> g->piece_bits) > PIECES_MAX)
		g->piece_bits++;
	g->dirty = xcalloc(pieces(g) / 64 + 1, sizeof(*g->dirty));
	gate_soil(g, 0, g->size);
}

void gate_open(struct gate *g)
{
	free(steal_ptr(&g->dirty));
	g->fence = (struct gate_range){ 0 };
	g->shut = g->keep = false;
	g->brake = 0;
}

bool gate_clean(struct gate *g, uint64_t *at, uint64_t max,
		struct gate_range *ret)
{
	uint64_t n = pieces(g), i, from = *at >> g->piece_bits;
	uint64_t most = MAX(max >> g->piece_bits, 1ull);

	if (!g->n_dirty ||
	    (!find_dirty(g, from, n, &i) && !find_dirty(g, 0, from, &i)))
		return false;
	ret->first = i << g->piece_bits;
	for (; i < n && most-- && is_dirty(g, i); i++)
		flip(g, i, false);
	ret->end = MIN(i << g->piece_bits, g->size);
	*at = i < n ? i << g->piece_bits : 0;
	return true;
}

uint64_t gate_dirty_bytes(const struct gate *g)
{
	return MIN(g->n_dirty << g->piece_bits, g->size);
}

/* ---- what is kept ---- */

void gate_keep(struct gate *g, uint64_t size)
{
	gate_track(g, size);
	g->fence = (struct gate_range){ 0, UINT64_MAX };
	g->keep = true;
}

void gate_unfence(struct gate *g)
{
	g->fence = (struct gate_range){ 0 };
}

uint64_t gate_run(const struct gate *g, uint64_t first, uint64_t end,
		  bool *ret_kept)
{
	uint64_t i = first >> g->piece_bits, n = pieces(g), next;

	*ret_kept = i < n && is_dirty(g, i);
	if (!*ret_kept)
		next = find_dirty(g, i, n, &next) ? next : n;
	else
		for (next = i; next < n && is_dirty(g, next);)
			next++;
	next <<= g->piece_bits;
	return MIN(next, end) - first;
}

bool gate_kept(const struct gate *g, uint64_t *at, uint64_t max, bool any,
	       struct gate_range *ret)
{
	uint64_t n = pieces(g), i, from = *at >> g->piece_bits;
	bool kept, found = false;

	for (const struct drive_req *req = g->held; req && !found;
	     req = req->gate_next)
		found = hits_kept(g, req, &i);
	if (!found && any && g->n_dirty)
		found = find_dirty(g, from, n, &i) ||
			find_dirty(g, 0, from, &i);
	if (!found)
		return false;
	ret->first = i << g->piece_bits;
	ret->end = ret->first +
		   gate_run(g, ret->first, ret->first + max, &kept);
	ret->end = MIN(ret->end, g->size);
	*at = ret->end < g->size ? ret->end : 0;
	return true;
}

void gate_saved(struct gate *g, const struct gate_range *range)
{
	uint64_t last = (range->end + BIT64(g->piece_bits) - 1) >>
			g->piece_bits;

	for (uint64_t i = range->first >> g->piece_bits; i < last; i++)
		if (is_dirty(g, i))
			flip(g, i, false);
}
