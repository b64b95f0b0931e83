/*
 * vmm/drive.h -- what is behind a disk or CD-ROM, whatever controller it is
 * on: the image, its queue on the controller's I/O thread, what is counted.
 *
 * Locks: the controller's own lock, given to drive_create(), guards a drive;
 * every function here that is not the main thread's is called with it held,
 * and every callback runs with it held.
 */
#ifndef VMM_DRIVE_H
#define VMM_DRIVE_H

#include <pthread.h>

#include "storage/format/block.h"
#include "vmm/machine.h"

struct drive;
struct gate;
struct throttle_limits;
struct throttles;
struct loop;
struct spec_disk;
struct error;

enum { DRIVE_SERIAL_MAX = 64 };

struct ram;

struct drive_req {
	struct block_req block; /* op, offset, length, iov, n_iov, unmap */
	bool fua; /* a write: on stable storage before it is done */
	void (*done)(struct drive_req *req, int result);

	/* The drive's. */
	struct drive *drive;
	enum block_op op; /* as it was asked for */
	bool flushing;
	uint64_t started;
	struct drive_req *gate_next, **gate_link; /* vmm/gate.h */
};

/* On the loop's thread: another medium is in (or none is). */
typedef void drive_changed_fn(void *arg);

/* Main thread.  The descriptor stays the spec's; -1: no medium. */
int drive_create(const struct spec_disk *spec, struct loop *loop,
		 pthread_mutex_t *lock, struct drive **ret_drive,
		 struct error *err);
/* Once: guest memory, which is told what requests wrote to it. */
void drive_set_ram(struct drive *d, struct ram *ram);
/* Main thread; the loop's thread has ended.  Waits for what is out; lock is free. */
void drive_destroy(struct drive *d);

const char *drive_id(const struct drive *d);
const char *drive_serial(const struct drive *d); /* "" if there is none */
const char *drive_wwn(const struct drive *d);	 /* NULL: none */
bool drive_loaded(const struct drive *d);
uint64_t drive_size(const struct drive *d); /* bytes; 0: no medium */
bool drive_readonly(const struct drive *d);
bool drive_discards(const struct drive *d);
unsigned int drive_align(const struct drive *d);
bool drive_caches(const struct drive *d); /* a flush means something */

/* On the loop's thread.  0: done() will be called, in drive_poll's time. */
int drive_submit(struct drive *d, struct drive_req *req);
void drive_kick(struct drive *d);
/* The same, and runs done() of what is done at once. */
void drive_run(struct drive *d);
/* Once: after done() was called from the loop, of one or several requests. */
void drive_on_answers(struct drive *d, void (*answered)(void *arg), void *arg);
unsigned int drive_in_flight(const struct drive *d);

/*
 * Main thread: another medium (fd, taken over on success), or none (-1).  It
 * is in when what is out has ended; then changed() is called.
 */
int drive_insert(struct drive *d, const char *format, int fd,
		 struct error *err);
void drive_on_change(struct drive *d, drive_changed_fn *changed, void *arg);

/* Main thread: so many bytes; changed() is called soon. */
int drive_resize(struct drive *d, uint64_t size, struct error *err);

/*
 * Main thread: from now on the drive shares the group's limits, and these are
 * the group's; NULL: it has none any more.
 */
void drive_limit(struct drive *d, struct throttles *all, const char *group,
		 const struct throttle_limits *limits);

/* Main thread, nothing is out: the image has all that was written. */
int drive_settle(struct drive *d, struct error *err);
/* Main thread: the image was somebody else's until now. */
int drive_activate(struct drive *d, struct error *err);

/* Main thread. */
/*
 * Main thread, nothing is out and the drive settled: other images of the same
 * size, unlocked, are opened; all of a machine's, then turned to, all of them
 * (and back, by turning again); what is not the drive's then is dropped.
 */
int drive_open_other(struct drive *d, const struct spec_disk *spec,
		     struct error *err);
int drive_turn(struct drive *d);
void drive_drop_other(struct drive *d);

/*
 * For a job on the drive's images (vmm/blockjob.h): its own thread, and the
 * main one.  The lock is free.
 */
struct block *drive_block(const struct drive *d); /* NULL: no medium */
pthread_mutex_t *drive_lock(const struct drive *d);
struct gate *drive_gate(struct drive *d); /* its requests go through it */
/* One job at a time.  end: called when the drive ends before it, first. */
int drive_begin_job(struct drive *d, void (*end)(void *arg), void *arg,
		    struct error *err);
void drive_end_job(struct drive *d);
bool drive_has_job(const struct drive *d);
/* What waits at the gate and may go, goes soon. */
void drive_let_go(struct drive *d);
/* Unlocked images, to be turned to; the descriptors are taken over on success. */
int drive_open_images(struct drive *d, const struct block_layer *layers,
		      unsigned int n, bool readonly, struct block **ret_block,
		      struct error *err);
/* The gate is shut, nothing is out: blk's, whose turn it is. */
int drive_turn_to(struct drive *d, struct block *blk, struct block **ret_old);

void drive_stats(struct drive *d, machine_stat_fn *emit, void *arg);

#endif
