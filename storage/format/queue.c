/*
 * storage/format/queue.c -- a submission context: io_uring where the kernel
 * allows it, and a few threads for the rest.
 *
 * Reads, writes and flushes that map onto the descriptor go to the ring.
 * Whatever the ring does not complete in full (short, interrupted, refused)
 * is done again by a thread, which knows all the fallbacks; requests may be
 * repeated without harm.
 *
 * Two descriptors tell of completions: an eventfd of the threads', and the ring's
 * own, which is readable while there is something in it: what completed while it
 * was submitted (the page cache has it) can be taken at once, and wakes nobody.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/format.h"
#include "storage/format/workers.h"

/* #syscalls:vmm io_uring_setup io_uring_enter io_uring_register */
/* #syscalls:vmm eventfd2 poll read */

enum { RING_MAX = 256 };

struct block_queue {
	struct block *blk;
	int eventfd;
	bool has_ring;
	unsigned int outstanding;
	struct io_uring ring;
	struct workers *workers;
};

/* Refused by a sandbox, by sysctl, or too old: then threads do everything. */
static void ring_setup(struct block_queue *q, unsigned int depth)
{
	unsigned int entries = MIN(MAX(depth, 1u), (unsigned int)RING_MAX);

	if (io_uring_queue_init(entries, &q->ring, 0) < 0)
		return;
	if (io_uring_register_files(&q->ring, &q->blk->fd, 1) < 0) {
		io_uring_queue_exit(&q->ring);
		return;
	}
	q->has_ring = true;
}

int block_queue_create(struct block *blk, unsigned int depth,
		       struct block_queue **ret_q, struct error *err)
{
	struct block_queue *q = xcalloc(1, sizeof(*q));

	q->blk = blk;
	q->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->eventfd < 0) {
		free(q);
		return error_set(err, -errno, "cannot create an eventfd: %m");
	}
	if (!getenv("VIREO_NO_IO_URING"))
		ring_setup(q, depth);
	q->workers = workers_create(blk, q->eventfd);
	*ret_q = q;
	return 0;
}

int block_queue_turn(struct block_queue *q, struct block *blk)
{
	int r = 0;

	if (q->has_ring)
		r = io_uring_register_files_update(&q->ring, 0, &blk->fd, 1);
	if (r < 0)
		return r;
	q->blk = blk;
	workers_turn(q->workers, blk);
	return 0;
}

static void wait_all(struct block_queue *q)
{
	struct pollfd pfd[2] = {
		{ .fd = q->eventfd, .events = POLLIN },
		{ .fd = block_queue_ring(q), .events = POLLIN },
	};

	while (q->outstanding) {
		block_kick(q);
		poll(pfd, ARRAY_SIZE(pfd), -1);
		block_poll(q);
	}
}

void block_queue_destroy(struct block_queue *q)
{
	if (!q)
		return;
	wait_all(q);
	workers_destroy(q->workers);
	if (q->has_ring)
		io_uring_queue_exit(&q->ring);
	fd_close(q->eventfd);
	free(q);
}

int block_queue_fd(const struct block_queue *q)
{
	return q->eventfd;
}

int block_queue_ring(const struct block_queue *q)
{
	return q->has_ring ? q->ring.ring_fd : -1;
}

static struct io_uring_sqe *get_sqe(struct block_queue *q)
{
	struct io_uring_sqe *sqe;

	if (!q->has_ring)
		return NULL;
	sqe = io_uring_get_sqe(&q->ring);
	if (!sqe && io_uring_submit(&q->ring) >= 0)
		sqe = io_uring_get_sqe(&q->ring);
	return sqe;
}

/* The file is registered as number 0. */
static void prepare(struct io_uring_sqe *sqe, const struct block *blk,
		    struct block_req *req)
{
	switch (req->op) {
	case BLOCK_READ:
		io_uring_prep_readv(sqe, 0, req->iov, req->n_iov, req->host);
		break;
	case BLOCK_WRITE:
		io_uring_prep_writev(sqe, 0, req->iov, req->n_iov,
				     req->host);
		if (blk->options.sync_writes)
			sqe->rw_flags = RWF_DSYNC;
		break;
	default:
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, req);
}

/* Nothing to do at all. */
static bool is_trivial(const struct block *blk, const struct block_req *req)
{
	if (req->op == BLOCK_FLUSH)
		return blk->options.no_flush || blk->options.readonly;
	return req->op != BLOCK_CALL && !req->length;
}

static void direct_done(struct block_queue *q, struct block_req *req)
{
	if (q->blk->format->direct_done)
		q->blk->format->direct_done(q->blk, req);
}

static void start(struct block_queue *q, struct block_req *req)
{
	struct io_uring_sqe *sqe;

	if (!q->has_ring) {
		workers_submit(q->workers, req);
		return;
	}
	switch (q->blk->format->direct(q->blk, req)) {
	case DIRECT_YES:
		sqe = get_sqe(q);
		if (sqe) {
			prepare(sqe, q->blk, req);
			return;
		}
		direct_done(q, req);
		break;
	case DIRECT_DONE:
		workers_finish(q->workers, req, 0);
		return;
	case DIRECT_NO:
		break;
	}
	workers_submit(q->workers, req);
}

int block_submit(struct block_queue *q, struct block_req *req)
{
	int r = block_check(q->blk, req);

	if (r < 0)
		return r;
	req->queue = q;
	q->outstanding++;
	if (is_trivial(q->blk, req))
		workers_finish(q->workers, req, 0);
	else
		start(q, req);
	return 0;
}

int block_kick(struct block_queue *q)
{
	int r = 0;

	if (q->has_ring && io_uring_sq_ready(&q->ring))
		r = io_uring_submit(&q->ring);
	/* Busy: the rest goes with the next kick or completion. */
	return r < 0 && r != -EBUSY && r != -EAGAIN && r != -EINTR ? r : 0;
}

static void finish(struct block_queue *q, struct block_req *req, int result)
{
	q->outstanding--;
	req->done(req, result);
}

static bool is_complete(const struct block_req *req, int res)
{
	return res >= 0 &&
	       (req->op == BLOCK_FLUSH || (uint64_t)res == req->length);
}

static void reap_ring(struct block_queue *q)
{
	struct io_uring_cqe *cqe;

	while (q->has_ring && io_uring_peek_cqe(&q->ring, &cqe) == 0) {
		struct block_req *req = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&q->ring, cqe);
		direct_done(q, req);
		if (req->op == BLOCK_WRITE)
			block_mark_dirty(q->blk, req->offset, req->length);
		if (is_complete(req, res))
			finish(q, req, 0);
		else
			workers_submit(q->workers, req);
	}
}

void block_reap(struct block_queue *q)
{
	reap_ring(q);
	block_kick(q);
}

void block_poll(struct block_queue *q)
{
	struct block_req *req, *next;
	uint64_t count;
	ssize_t n = read(q->eventfd, &count, sizeof(count));

	(void)n; /* empty: someone polled already */
	reap_ring(q);
	for (req = workers_take(q->workers); req; req = next) {
		next = req->next;
		finish(q, req, req->result);
	}
	block_kick(q);
}
