/*
 * vmm/gate.h -- between a guest's requests and a disk's image, for a job that
 * works on it: which of them wait, and what they have changed.  Without a job
 * it stands open.
 *
 * Locks: the drive's guards a gate; every function here is called with it
 * held.  gate_wait() gives it back while it waits.
 */
#ifndef VMM_GATE_H
#define VMM_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct drive_req;

struct gate_range {
	uint64_t first, end;
};

struct gate {
	pthread_cond_t changed; /* something left, or the job is called */
	struct drive_req *out;	/* those with the image */
	struct drive_req *held, **last_held;
	struct gate_range fence; /* writes to it wait */
	bool shut;		 /* everything waits */

	/* What differs from a copy: a bit a piece; NULL: nobody asks. */
	uint64_t *dirty;
	unsigned int piece_bits; /* log2 of a piece's bytes */
	uint64_t size, n_dirty;
	uint64_t brake; /* writes wait while so many pieces differ; 0: never */
	bool keep; /* dirty: to be saved first; who would change it waits */
};

void gate_init(struct gate *g);
void gate_finish(struct gate *g); /* nothing is held */

/* A request goes to the image: false: it waits, gate_next() will give it. */
bool gate_enter(struct gate *g, struct drive_req *req);
/* It has ended there. */
void gate_leave(struct gate *g, struct drive_req *req);
/* One that waited and may go now, or NULL; to be entered again. */
struct drive_req *gate_next(struct gate *g);

/* Waits until no write that is out touches the fence, or, shut, nothing is
 * out; *stop makes it give up: false. */
bool gate_wait(struct gate *g, pthread_mutex_t *lock, const _Atomic bool *stop);

/* From now on it is known what differs; at first everything does. */
void gate_track(struct gate *g, uint64_t size);
/* Nothing waits, and nobody asks what differs. */
void gate_open(struct gate *g);
void gate_soil(struct gate *g, uint64_t first, uint64_t end);
/* The next dirty piece from *at on, around the end, and those after it, at most
 * max bytes; they are clean from here on.  false: there is none. */
bool gate_clean(struct gate *g, uint64_t *at, uint64_t max,
		struct gate_range *ret);
uint64_t gate_dirty_bytes(const struct gate *g);

/*
 * The other way around: every piece is kept as it is now, until it is saved.
 * What was out before may still change it: gate_wait() for all, and
 * gate_unfence().
 */
void gate_keep(struct gate *g, uint64_t size);
void gate_unfence(struct gate *g);
/* The next that somebody waits for; otherwise the next at all from *at on, if
 * any is true.  At most max bytes. */
bool gate_kept(const struct gate *g, uint64_t *at, uint64_t max, bool any,
	       struct gate_range *ret);
/* How far it is as it is at a place: kept, or not (any more). */
uint64_t gate_run(const struct gate *g, uint64_t first, uint64_t end,
		  bool *ret_kept);
/* From here on it may change; ends are pieces'. */
void gate_saved(struct gate *g, const struct gate_range *range);

#endif
