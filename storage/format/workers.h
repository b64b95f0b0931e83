/*
 * storage/format/workers.h -- a few threads that run requests which the
 * kernel cannot do by itself, or all of them where io_uring is refused.
 */
#ifndef STORAGE_FORMAT_WORKERS_H
#define STORAGE_FORMAT_WORKERS_H

struct block;
struct block_req;
struct workers;

/* eventfd: signalled when workers_take() has something. */
struct workers *workers_create(struct block *blk, int eventfd);
/* Nothing is under way. */
void workers_turn(struct workers *w, struct block *blk);
void workers_destroy(struct workers *w); /* none may be running */
void workers_submit(struct workers *w, struct block_req *req);

/* Skips the work: req is done with this result, at the next workers_take(). */
void workers_finish(struct workers *w, struct block_req *req, int result);

/* The list of finished requests, oldest first. */
struct block_req *workers_take(struct workers *w);

#endif
