/*
 * vmm/blockjob.h -- long work on the images of one disk while its guest runs:
 *
 * pull	   what is in images below the disk's own goes up into that, so that
 *	   they are not needed any more (vmm/blockjob_pull.c);
 * commit  what is in images between the disk's own and another one goes down
 *	   into that (vmm/blockjob_commit.c);
 * copy	   everything, or what the disk's own image has, goes into a new image,
 *	   which then stays the same until the guest changes over to it, or does
 *	   not (vmm/blockjob_mirror.c);
 * active  a commit of the disk's own image: a copy into one below it;
 * backup  everything as it is when the job begins goes into another image;
 * export  the same, for clients of vmm/nbd/nbd.h to read, until it is aborted;
 *	   what the guest changes goes into another image before
 *	   (vmm/blockjob_backup.c).
 *
 * A job has a thread; what it does with requests of the guest's is
 * vmm/gate.h's.  All functions here are the main thread's.
 */
#ifndef VMM_BLOCKJOB_H
#define VMM_BLOCKJOB_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/spec.h"

struct blockjob;
struct drive;
struct loop;
struct error;

enum blockjob_kind { BLOCKJOB_PULL, BLOCKJOB_COMMIT, BLOCKJOB_COPY,
		     BLOCKJOB_ACTIVE, BLOCKJOB_BACKUP, BLOCKJOB_EXPORT };
enum blockjob_state { BLOCKJOB_RUNNING, BLOCKJOB_READY, BLOCKJOB_COMPLETED,
		      BLOCKJOB_FAILED, BLOCKJOB_CANCELED };

extern const char *const blockjob_kinds[], *const blockjob_states[];

/*
 * Layers are counted from the disk's own image, 0.  Of the description's
 * disks the first is the disk as it will be; a commit has a second one, the
 * image that is written to, and perhaps a third, that which is based on the
 * upmost of those that go (when that is not the disk's own).
 */
struct blockjob_plan {
	enum blockjob_kind kind;
	const struct spec_disk *now; /* the disk as it is */
	unsigned int top, bottom;    /* commit: from, into; pull: the first
					that stays; copy: the first that is
					not copied */
	const char *backing, *backing_format; /* what the image above names
						 then; NULL: nothing */
	bool synchronous; /* writes wait for a copy that falls behind */
	uint64_t speed;	  /* bytes a second, 0: as fast as it goes */
	const char *export; /* its name; NULL: the disk's */
	/* A backup: only what that bitmap of the disk's has as dirty; an
	 * export: clients are told, in a context of that name. */
	const char *bitmap, *context;
};

struct blockjob_progress {
	uint64_t current, end, speed;
	const char *error; /* failed: why */
};

typedef void blockjob_changed_fn(void *arg, struct blockjob *job);

/*
 * changed() is called when it is ready, and when it has ended.  The
 * description is taken over, also on failure.
 */
int blockjob_begin(struct loop *loop, struct drive *d, struct vmm_spec *spec,
		   const struct blockjob_plan *plan,
		   blockjob_changed_fn *changed, void *arg,
		   struct blockjob **ret_job, struct error *err);
const char *blockjob_disk(const struct blockjob *job);
enum blockjob_kind blockjob_kind(const struct blockjob *job);
enum blockjob_state blockjob_state(const struct blockjob *job);
bool blockjob_is_over(const struct blockjob *job);
void blockjob_progress(const struct blockjob *job,
		       struct blockjob_progress *ret);
void blockjob_set_speed(struct blockjob *job, uint64_t speed);
/* Change over to the copy: -EBUSY while it is not ready. */
int blockjob_pivot(struct blockjob *job, struct error *err);
/* A copy that is ready is what the disk was at that moment. */
void blockjob_abort(struct blockjob *job);
/* Of one that goes on, for clients; NULL: none.  It is there until the job is
 * destroyed. */
struct nbd_export;
const struct nbd_export *blockjob_export(const struct blockjob *job);
/* Completed, and the disk has other images: as it is now; or NULL. */
struct spec_disk *blockjob_result(struct blockjob *job);
void blockjob_destroy(struct blockjob *job);

#endif
