/*
 * vmm/blockjob.c -- a job on a disk's images: its beginning and end, its
 * thread, its speed.
 */
#include "vmm/blockjob.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/blockjob_priv.h"
#include "vmm/loop.h"

/* #syscalls:vmm clock_nanosleep nanosleep */

enum { PACE_US = 20000, NAP_NS = 50 * 1000 * 1000 };

const char *const blockjob_kinds[] = {
	[BLOCKJOB_PULL] = "pull",
	[BLOCKJOB_COMMIT] = "commit",
	[BLOCKJOB_COPY] = "copy",
	[BLOCKJOB_ACTIVE] = "active-commit",
	[BLOCKJOB_BACKUP] = "backup",
	[BLOCKJOB_EXPORT] = "export",
	NULL,
};

const char *const blockjob_states[] = {
	[BLOCKJOB_RUNNING] = "running",	    [BLOCKJOB_READY] = "ready",
	[BLOCKJOB_COMPLETED] = "completed", [BLOCKJOB_FAILED] = "failed",
	[BLOCKJOB_CANCELED] = "canceled",   NULL,
};

static const struct blockjob_type *const types[] = {
	[BLOCKJOB_PULL] = &blockjob_pull,
	[BLOCKJOB_COMMIT] = &blockjob_commit,
	[BLOCKJOB_COPY] = &blockjob_copy,
	[BLOCKJOB_ACTIVE] = &blockjob_active,
	[BLOCKJOB_BACKUP] = &blockjob_backup,
	[BLOCKJOB_EXPORT] = &blockjob_backup,
};

/* ---- of its thread ---- */

bool blockjob_stopped(const struct blockjob *j)
{
	return j->stop || (j->order == ORDER_ABORT &&
			   j->state == BLOCKJOB_RUNNING);
}

void blockjob_charge(struct blockjob *j, uint64_t bytes)
{
	uint64_t now = now_ns(), speed = j->speed;

	if (j->due < now)
		j->due = now;
	if (speed)
		j->due += (uint64_t)((double)bytes * 1e9 / (double)speed);
}

/* An order to end makes it hurry. */
void blockjob_pace(struct blockjob *j, uint64_t bytes)
{
	uint64_t now = now_ns();

	blockjob_charge(j, bytes);
	while (j->speed && !j->stop && !j->order && now_ns() < j->due)
		usleep(MIN((j->due - now) / 1000 + 1, (uint64_t)PACE_US));
}

void blockjob_nap(struct blockjob *j, bool (*some)(const struct gate *))
{
	pthread_mutex_t *lock = drive_lock(j->drive);
	struct gate *g = drive_gate(j->drive);
	uint64_t until = now_ns() + NAP_NS;
	struct timespec ts = { until / 1000000000, until % 1000000000 };

	pthread_mutex_lock(lock);
	if (!some(g) && !j->stop && !j->order)
		pthread_cond_timedwait(&g->changed, lock, &ts);
	pthread_mutex_unlock(lock);
}

static int is_zero_there(struct block *to, uint64_t offset, uint64_t length,
			 uint64_t *ret_length, bool *ret_zero)
{
	struct block_extent e;
	int r = block_extent(to, offset, length, &e);

	if (r == 0 && !e.length)
		r = -EIO;
	*ret_length = r < 0 ? 0 : e.length;
	*ret_zero = r == 0 && e.zero;
	return r;
}

static int zero_out(struct block *to, uint64_t offset, uint64_t length)
{
	const struct block_req req = {
		.op = BLOCK_WRITE_ZEROES,
		.offset = offset,
		.length = length,
		.unmap = true,
	};

	return block_run(to, &req);
}

static int move_zeroes(struct block *to, uint64_t offset, uint64_t length)
{
	int r = 0;

	while (length && r == 0) {
		uint64_t n;
		bool there;

		r = is_zero_there(to, offset, length, &n, &there);
		if (r == 0 && !there)
			r = zero_out(to, offset, n);
		offset += n;
		length -= n;
	}
	return r;
}

int blockjob_copy_out(struct blockjob *j, struct block *from, struct block *to,
		      uint64_t offset, uint64_t length, bool zero)
{
	return zero ? move_zeroes(to, offset, length) :
		      block_copy(from, to, offset, length, false, j->buffer);
}

int blockjob_move(struct blockjob *j, struct block *from, struct block *to,
		  uint64_t offset, uint64_t length, bool zero)
{
	int r = blockjob_copy_out(j, from, to, offset, length, zero);

	if (r == 0 && !zero)
		blockjob_pace(j, length);
	return r;
}

static void tell(void *arg)
{
	struct blockjob *j = arg;

	j->changed(j->arg, j);
}

void blockjob_tell_ready(struct blockjob *j)
{
	j->state = BLOCKJOB_READY;
	job_on_loop(j->loop, &j->progress, tell, j);
}

static int work(void *arg, struct progress *p, struct error *err)
{
	struct blockjob *j = arg;
	int r = j->type->work(j, err);

	blockjob_resume(j);
	return r;
}

/* ---- of the main thread ---- */

static void let_go_of_drive(struct blockjob *j)
{
	if (!j->drive)
		return;
	blockjob_backup_close(j);
	blockjob_resume(j);
	drive_end_job(j->drive);
	j->drive = NULL;
	block_close(steal_ptr(&j->target));
}

static void done(void *arg, int result, const struct error *err)
{
	struct blockjob *j = arg;

	j->job = NULL;
	j->err = *err;
	if (result < 0 && !j->err.message[0])
		error_set(&j->err, result, "%s", strerror(-result));
	j->state = result == 0		? BLOCKJOB_COMPLETED :
		   result == -ECANCELED ? BLOCKJOB_CANCELED :
					  BLOCKJOB_FAILED;
	if (result == 0 && j->order == ORDER_ABORT)
		j->state = BLOCKJOB_CANCELED;
	let_go_of_drive(j);
	tell(j);
}

/* It waits for nothing any more, and its thread ends. */
static void halt(struct blockjob *j)
{
	pthread_mutex_t *lock;

	if (!j->job)
		return;
	lock = drive_lock(j->drive);
	pthread_mutex_lock(lock);
	j->stop = true;
	pthread_cond_broadcast(&drive_gate(j->drive)->changed);
	pthread_mutex_unlock(lock);
	job_destroy(steal_ptr(&j->job));
}

static void drive_ends(void *arg)
{
	struct blockjob *j = arg;

	halt(j);
	error_set(&j->err, -ENODEV, "disk '%s' is gone", j->id);
	j->state = BLOCKJOB_FAILED;
	let_go_of_drive(j);
	tell(j);
}

void blockjob_destroy(struct blockjob *j)
{
	if (!j)
		return;
	halt(j);
	let_go_of_drive(j);
	blockjob_chain_finish(&j->before);
	blockjob_chain_finish(&j->during);
	vmm_spec_finish(&j->spec);
	blockjob_backup_free(j);
	blockjob_since_free(j);
	free((char *)j->plan.export);
	free((char *)j->plan.bitmap);
	free((char *)j->plan.context);
	free((char *)j->plan.backing);
	free((char *)j->plan.backing_format);
	free(j->buffer);
	free(j->id);
	free(j);
}

static struct blockjob *create(struct loop *loop, const char *id,
			       struct vmm_spec *spec,
			       const struct blockjob_plan *plan)
{
	struct blockjob *j = xcalloc(1, sizeof(*j));

	j->type = types[plan->kind];
	j->loop = loop;
	j->id = xstrdup(id);
	j->spec = *spec;
	j->plan = *plan;
	j->plan.backing = xstrdup(plan->backing);
	j->plan.backing_format = xstrdup(plan->backing_format);
	j->plan.export = xstrdup(plan->export);
	j->plan.bitmap = xstrdup(plan->bitmap);
	j->plan.context = xstrdup(plan->context);
	j->speed = plan->speed;
	return j;
}

static int start(struct blockjob *j, struct drive *d, struct error *err)
{
	int r = drive_begin_job(d, drive_ends, j, err);

	if (r < 0)
		return r;
	j->drive = d;
	j->end = drive_size(d);
	if (posix_memalign(&j->buffer, 4096, BLOCKJOB_STEP))
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = j->type->prepare(j, err);
	j->plan.now = NULL;
	return r < 0 ? r : job_start(j->loop, "work on a disk's images", work,
				     done, j, &j->progress, &j->job, err);
}

int blockjob_begin(struct loop *loop, struct drive *d, struct vmm_spec *spec,
		   const struct blockjob_plan *plan,
		   blockjob_changed_fn *changed, void *arg,
		   struct blockjob **ret_job, struct error *err)
{
	struct blockjob *j = create(loop, drive_id(d), spec, plan);
	int r = j->spec.n_disks ?
			start(j, d, err) :
			error_set(err, -EINVAL, "there is no disk to become");

	if (r < 0) {
		blockjob_destroy(j);
		return r;
	}
	j->changed = changed;
	j->arg = arg;
	*ret_job = j;
	return 0;
}

const char *blockjob_disk(const struct blockjob *j)
{
	return j->id;
}

enum blockjob_kind blockjob_kind(const struct blockjob *j)
{
	return j->plan.kind;
}

enum blockjob_state blockjob_state(const struct blockjob *j)
{
	return j->state;
}

bool blockjob_is_over(const struct blockjob *j)
{
	return j->state > BLOCKJOB_READY;
}

void blockjob_progress(const struct blockjob *j, struct blockjob_progress *ret)
{
	*ret = (struct blockjob_progress){
		.current = MIN((uint64_t)j->current, (uint64_t)j->end),
		.end = j->end,
		.speed = j->speed,
		.error = j->state == BLOCKJOB_FAILED ? j->err.message : NULL,
	};
}

void blockjob_set_speed(struct blockjob *j, uint64_t speed)
{
	j->speed = speed;
}

int blockjob_pivot(struct blockjob *j, struct error *err)
{
	if (j->plan.kind != BLOCKJOB_COPY && j->plan.kind != BLOCKJOB_ACTIVE)
		return error_set(err, -EINVAL,
				 "disk '%s' has no copy to change over to",
				 j->id);
	if (j->state != BLOCKJOB_READY || j->order)
		return error_set(err, -EBUSY,
				 "the copy of disk '%s' is not ready", j->id);
	j->order = ORDER_PIVOT;
	return 0;
}

void blockjob_abort(struct blockjob *j)
{
	int none = ORDER_NONE;

	atomic_compare_exchange_strong(&j->order, &none, ORDER_ABORT);
}

struct spec_disk *blockjob_result(struct blockjob *j)
{
	return j->backup ? NULL : &j->spec.disks[0];
}
