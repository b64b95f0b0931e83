/*
 * vmm/blockjob_priv.h -- between vmm/blockjob*.c.
 */
#ifndef VMM_BLOCKJOB_PRIV_H
#define VMM_BLOCKJOB_PRIV_H

#include <stdatomic.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "vmm/blockjob.h"
#include "vmm/drive.h"
#include "vmm/gate.h"
#include "vmm/job.h"

enum { BLOCKJOB_STEP = 1 << 20 };

enum blockjob_order { ORDER_NONE, ORDER_PIVOT, ORDER_ABORT };

/* Images whose descriptors are its own. */
struct blockjob_chain {
	unsigned int n;
	struct block_layer *layers;
};

struct blockjob {
	const struct blockjob_type *type;
	struct loop *loop;
	struct drive *drive;	/* NULL: it is gone */
	struct vmm_spec spec;	/* of what comes after */
	struct blockjob_plan plan; /* its strings are the job's */
	blockjob_changed_fn *changed;
	void *arg;
	char *id;
	struct job *job; /* NULL: it has ended */
	struct progress progress;
	struct error err;
	struct blockjob_chain before, during;
	const struct blockjob_chain *at; /* that the disk has; NULL: before */
	struct block *target; /* a copy's, while it is not the drive's */
	struct blockjob_backup *backup; /* or NULL */
	struct dirty_bitmap *since; /* the plan's, as it was; NULL: all */
	void *buffer;
	uint64_t due; /* now_ns() of the next step */

	_Atomic bool stop; /* at once */
	_Atomic int order, state;
	_Atomic uint64_t speed, current, end;
};

struct blockjob_type {
	/* Main thread. */
	int (*prepare)(struct blockjob *j, struct error *err);
	/* The job's thread; 0: completed, -ECANCELED. */
	int (*work)(struct blockjob *j, struct error *err);
};
extern const struct blockjob_type blockjob_pull, blockjob_commit,
	blockjob_copy, blockjob_active, blockjob_backup;

/* ---- blockjob.c: of the job's thread ---- */

/* Somebody wants it to end, whatever it has done. */
bool blockjob_stopped(const struct blockjob *j);
/* So much was moved: the next may not before j->due. */
void blockjob_charge(struct blockjob *j, uint64_t bytes);
/* The same, and waits. */
void blockjob_pace(struct blockjob *j, uint64_t bytes);
/* A moment, or until there is something to do (the drive's lock is held), or
 * an order. */
void blockjob_nap(struct blockjob *j, bool (*some)(const struct gate *));
/* What two images have in common need not be moved. */
int blockjob_move(struct blockjob *j, struct block *from, struct block *to,
		  uint64_t offset, uint64_t length, bool zero);
/* The same, at once and for nothing. */
int blockjob_copy_out(struct blockjob *j, struct block *from, struct block *to,
		      uint64_t offset, uint64_t length, bool zero);
/* Ready: the main thread is told. */
void blockjob_tell_ready(struct blockjob *j);

/* ---- blockjob_chain.c: images come and go ---- */

/* The disk's as it is; a layer of it is another descriptor, for writing, if
 * writable is not NULL. */
int blockjob_chain_copy(struct blockjob_chain *c, const struct spec_disk *disk,
			unsigned int depth, const struct spec_disk *writable,
			struct error *err);
void blockjob_chain_finish(struct blockjob_chain *c);
/* The image is ours to write, which was one of those that are read. */
int blockjob_claim(struct blockjob *j, const struct spec_disk *image,
		   unsigned int depth, struct error *err);

/* Nothing of the guest's is out from here on, until blockjob_resume();
 * -ECANCELED. */
int blockjob_hold(struct blockjob *j);
void blockjob_resume(struct blockjob *j);
/* Held: the disk's images have all; they are dropped and these opened. */
int blockjob_change_over(struct blockjob *j, const struct blockjob_chain *c,
			 struct error *err);
/* The same with those that the disk is to have at the end. */
int blockjob_arrive(struct blockjob *j, struct error *err);
/* What is above names what it is based on from now on; fd: that one's. */
int blockjob_rename(struct blockjob *j, int fd, struct error *err);

/* ---- blockjob_backup.c; nothing where there is none ---- */

void blockjob_backup_close(struct blockjob *j); /* clients read no more */
void blockjob_backup_free(struct blockjob *j);

/* ---- blockjob_since.c: what has changed, by the plan's bitmap ---- */

struct nbd_extent;
/* j->since is there, if a bitmap is in the plan. */
int blockjob_since_read(struct blockjob *j, struct error *err);
/* Everything else is saved already: the drive's lock held. */
void blockjob_since_leave_out(struct blockjob *j);
void blockjob_since_extent(const struct blockjob *j, uint64_t offset,
			   uint64_t length, struct nbd_extent *ret);
void blockjob_since_free(struct blockjob *j);

/* ---- blockjob_mirror.c ---- */

/* The description's disk, to be written. */
int blockjob_open_target(struct blockjob *j, struct error *err);

/* Both are the same, and nothing is held; then, on order, held. */
int blockjob_mirror(struct blockjob *j, struct block *from, struct block *to,
		    unsigned int layers, struct error *err);

#endif
