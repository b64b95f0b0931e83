/*
 * vmm/drive.c -- what is behind a disk or CD-ROM, whatever controller it is
 * on.
 *
 * A write that must be on stable storage is followed by a flush.  With
 * detect-zeroes, a write of nothing but zeroes becomes a write-zeroes request.
 * A new medium waits until no request is out.
 *
 * Requests beyond the drive's limits are held here, reads and writes apart,
 * until the group's buckets let the first of them through (vmm/throttle.h).
 * Flushes are never held.  Behind that is a gate (vmm/gate.h), where requests
 * wait for a job that works on the images.
 */
#include "vmm/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/iov.h"
#include "vmm/gate.h"
#include "vmm/loop.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/throttle.h"

/* #syscalls:vmm fcntl */

enum { QUEUE_DEPTH = 256 };

struct counter {
	uint64_t requests, bytes, ns;
};

enum { COUNT_READ, COUNT_WRITE, COUNT_FLUSH, COUNTERS };

struct held {
	struct block_req *first, **last;
};

struct drive {
	pthread_mutex_t *lock; /* the controller's: guards the rest */
	struct loop *loop;
	char *id, *serial, *wwn;
	struct block_options options;
	enum spec_detect_zeroes detect_zeroes;
	struct block *block; /* NULL: no medium */
	struct block_queue *queue;
	unsigned int in_flight;
	struct gate gate;
	void (*job_end)(void *arg); /* a job's; NULL: there is none */
	void *job_arg;
	struct ram *ram; /* NULL: nobody wants to know */
	struct counter counter[COUNTERS];
	drive_changed_fn *changed;
	void *changed_arg;
	void (*answered)(void *arg); /* or NULL */
	void *answered_arg;
	bool next_waits;
	struct block *next; /* the medium to come, or NULL */
	struct block *other; /* the images to turn to, or those before */
	struct throttle_member *throttle; /* NULL: no limits */
	struct loop_timer *timer;
	struct held held[2]; /* reads, writes */
};

const char *drive_id(const struct drive *d)
{
	return d->id;
}

const char *drive_serial(const struct drive *d)
{
	return d->serial ? d->serial : "";
}

const char *drive_wwn(const struct drive *d)
{
	return d->wwn;
}

bool drive_loaded(const struct drive *d)
{
	return d->block != NULL;
}

uint64_t drive_size(const struct drive *d)
{
	return d->block ? block_size(d->block) : 0;
}

bool drive_readonly(const struct drive *d)
{
	return d->options.readonly;
}

bool drive_discards(const struct drive *d)
{
	return d->options.discard && !d->options.readonly;
}

unsigned int drive_align(const struct drive *d)
{
	return d->block ? block_align(d->block) : BLOCK_SECTOR;
}

bool drive_caches(const struct drive *d)
{
	return !d->options.sync_writes && !d->options.readonly;
}

unsigned int drive_in_flight(const struct drive *d)
{
	return d->in_flight;
}

static void exchange_soon(void *arg);

/* Limits */

static bool is_write(const struct block_req *b)
{
	return b->op != BLOCK_READ;
}

/* What moves no bytes is an operation all the same. */
static uint64_t limited_bytes(const struct block_req *b)
{
	return b->op == BLOCK_READ || b->op == BLOCK_WRITE ? b->length : 0;
}

/* Others that wait go first. */
static bool may_go(struct drive *d, const struct block_req *b)
{
	return !d->throttle || b->op == BLOCK_FLUSH ||
	       (!d->held[is_write(b)].first &&
		throttle_pass(d->throttle, is_write(b), limited_bytes(b)));
}

static void hold(struct drive *d, struct block_req *b)
{
	struct held *h = &d->held[is_write(b)];

	b->next = NULL;
	*h->last = b;
	h->last = &b->next;
}

/* It was never out. */
static void refuse_held(struct drive *d, struct block_req *b, int result)
{
	struct drive_req *req = container_of(b, struct drive_req, block);

	d->in_flight--;
	req->done(req, result);
	if (d->next_waits && !d->in_flight)
		loop_defer(d->loop, exchange_soon, d);
}

static struct block_req *take_held(struct held *h)
{
	struct block_req *b = h->first;

	h->first = b->next;
	if (!h->first)
		h->last = &h->first;
	return b;
}

/* To the image, or to the gate before it. */
static int send(struct drive *d, struct block_req *b)
{
	struct drive_req *req = container_of(b, struct drive_req, block);
	int r;

	if (!d->queue)
		return -ENOMEDIUM;
	if (!gate_enter(&d->gate, req))
		return 0;
	r = block_submit(d->queue, b);
	if (r < 0)
		gate_leave(&d->gate, req);
	return r;
}

/* The device was promised that done() is called. */
static void send_held(struct drive *d, struct block_req *b)
{
	int r = send(d, b);

	if (r < 0)
		refuse_held(d, b, r);
}

static void release(struct drive *d, bool all)
{
	struct drive_req *req;

	for (unsigned int way = 0; way < ARRAY_SIZE(d->held); way++) {
		struct held *h = &d->held[way];

		while (h->first &&
		       (all || !d->throttle ||
			throttle_pass(d->throttle, way,
				      limited_bytes(h->first))))
			send_held(d, take_held(h));
	}
	while ((req = gate_next(&d->gate)))
		send_held(d, &req->block);
	if (d->queue)
		block_kick(d->queue);
}

static void release_due(void *arg)
{
	struct drive *d = arg;

	pthread_mutex_lock(d->lock);
	release(d, false);
	pthread_mutex_unlock(d->lock);
}

static void wake(void *arg, uint64_t when)
{
	struct drive *d = arg;

	timer_arm(d->timer, when);
}

void drive_limit(struct drive *d, struct throttles *all, const char *group,
		 const struct throttle_limits *limits)
{
	struct throttle_member *old;

	pthread_mutex_lock(d->lock);
	old = d->throttle;
	if (!limits) {
		d->throttle = NULL;
	} else {
		d->throttle = throttle_join(all, group, wake, d);
		throttle_limit(d->throttle, limits);
	}
	throttle_leave(old);
	timer_arm(d->timer, 0); /* those that wait ask anew */
	pthread_mutex_unlock(d->lock);
}

/* Media */

static void poll_with(struct drive *d, void (*poll)(struct block_queue *q))
{
	pthread_mutex_lock(d->lock);
	if (d->queue) {
		poll(d->queue);
		if (d->answered)
			d->answered(d->answered_arg);
	}
	pthread_mutex_unlock(d->lock);
}

static void polled(void *arg, uint32_t events)
{
	poll_with(arg, block_poll);
}

static void ring_polled(void *arg, uint32_t events)
{
	poll_with(arg, block_reap);
}

static void unload(struct drive *d)
{
	release(d, true);
	if (d->queue) {
		loop_remove(d->loop, block_queue_fd(d->queue));
		loop_remove(d->loop, block_queue_ring(d->queue));
		block_queue_destroy(d->queue);
	}
	block_close(d->block);
	d->queue = NULL;
	d->block = NULL;
}

static int watch(struct drive *d)
{
	int ring = block_queue_ring(d->queue);
	int r = loop_add(d->loop, block_queue_fd(d->queue), EPOLLIN, polled,
			 d);

	return r < 0 || ring < 0 ?
		       r :
		       loop_add(d->loop, ring, EPOLLIN, ring_polled, d);
}

/* Takes the image over, also on failure. */
static int load(struct drive *d, struct block *block, struct error *err)
{
	int r = block_queue_create(block, QUEUE_DEPTH, &d->queue, err);

	d->block = block;
	if (r >= 0) {
		r = watch(d);
		if (r < 0)
			error_set(err, r, "cannot watch disk '%s': %m", d->id);
	}
	if (r < 0)
		unload(d);
	return r;
}

static void exchange(struct drive *d)
{
	struct block *next = steal_ptr(&d->next);

	d->next_waits = false;
	unload(d);
	if (next)
		load(d, next, NULL);
	if (d->changed)
		d->changed(d->changed_arg);
}

/* On the loop's thread. */
static void exchange_soon(void *arg)
{
	struct drive *d = arg;

	pthread_mutex_lock(d->lock);
	if (d->next_waits && !d->in_flight)
		exchange(d);
	pthread_mutex_unlock(d->lock);
}

static int open_image(struct drive *d, const char *format, int fd,
		      struct block **ret_block, struct error *err)
{
	int r = block_open(format, fd, &d->options, ret_block, err);

	if (r < 0)
		error_prefix(err, "disk '%s'", d->id);
	return r;
}

static void close_layers(struct block_layer *layers, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fd_close(layers[i].fd);
}

/* The image and what it is based on; the descriptors stay the spec's too. */
static int copy_layers(const struct spec_disk *spec,
		       struct block_layer *layers, struct error *err)
{
	for (unsigned int i = 0; i <= spec->n_layers; i++) {
		const struct spec_layer *l = i ? &spec->layers[i - 1] : NULL;

		layers[i].format = l ? l->format : spec->format;
		layers[i].fd = fcntl(l ? l->fd : spec->fd, F_DUPFD_CLOEXEC, 0);
		if (layers[i].fd >= 0)
			continue;
		error_set(err, -errno, "no descriptor for disk '%s': %m",
			  spec->id);
		close_layers(layers, i);
		return err->errnum;
	}
	return 0;
}

/* The descriptors stay the description's. */
static int open_spec(struct drive *d, const struct spec_disk *spec,
		     const struct block_options *options,
		     struct block **ret_block, struct error *err)
{
	_cleanup_free_ struct block_layer *layers =
		xcalloc(spec->n_layers + 1, sizeof(*layers));
	int r = copy_layers(spec, layers, err);

	if (r < 0)
		return r;
	r = block_open_chain(layers, spec->n_layers + 1, options, ret_block,
			     err);
	if (r < 0) {
		close_layers(layers, spec->n_layers + 1);
		return error_prefix(err, "disk '%s'", d->id), r;
	}
	return 0;
}

int drive_insert(struct drive *d, const char *format, int fd,
		 struct error *err)
{
	struct block *next = NULL, *unused;
	int r = fd < 0 ? 0 : open_image(d, format, fd, &next, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(d->lock);
	unused = d->next;
	d->next = next;
	d->next_waits = true;
	pthread_mutex_unlock(d->lock);
	block_close(unused);
	loop_defer(d->loop, exchange_soon, d);
	return 0;
}

static void tell_changed(void *arg)
{
	struct drive *d = arg;

	pthread_mutex_lock(d->lock);
	if (d->changed)
		d->changed(d->changed_arg);
	pthread_mutex_unlock(d->lock);
}

int drive_resize(struct drive *d, uint64_t size, struct error *err)
{
	int r;

	pthread_mutex_lock(d->lock);
	r = d->block ? block_resize(d->block, size, err) :
		       error_set(err, -ENOMEDIUM, "there is no medium");
	pthread_mutex_unlock(d->lock);
	if (r < 0)
		return error_prefix(err, "disk '%s'", d->id), r;
	loop_defer(d->loop, tell_changed, d);
	return 0;
}

int drive_settle(struct drive *d, struct error *err)
{
	int r;

	pthread_mutex_lock(d->lock);
	r = d->block ? block_settle(d->block) : 0;
	pthread_mutex_unlock(d->lock);
	return r < 0 ? error_set(err, r,
				 "disk '%s': cannot write what is left: %m",
				 d->id) :
		       0;
}

int drive_activate(struct drive *d, struct error *err)
{
	int r;

	pthread_mutex_lock(d->lock);
	r = d->block ? block_activate(d->block, err) : 0;
	d->options.inactive = r < 0;
	pthread_mutex_unlock(d->lock);
	return r < 0 ? (error_prefix(err, "disk '%s'", d->id), r) : 0;
}

/* What is opened is not locked: the old images may be the same ones. */
int drive_open_other(struct drive *d, const struct spec_disk *spec,
		     struct error *err)
{
	struct block_options options = d->options;
	struct block *other;
	int r;

	options.unlocked = true;
	options.inactive = false;
	r = open_spec(d, spec, &options, &other, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(d->lock);
	if (!d->queue || d->in_flight)
		r = error_set(err, -EBUSY, "disk '%s' is not at rest", d->id);
	else if (block_size(other) != block_size(d->block))
		r = error_set(err, -EINVAL,
			      "disk '%s': the images are not of one size",
			      d->id);
	else
		d->other = steal_ptr(&other);
	pthread_mutex_unlock(d->lock);
	block_close(other);
	return r;
}

void drive_drop_other(struct drive *d)
{
	block_close(steal_ptr(&d->other));
}

int drive_turn(struct drive *d)
{
	struct block *old = NULL;
	int r;

	pthread_mutex_lock(d->lock);
	r = block_queue_turn(d->queue, d->other);
	if (r == 0) {
		old = d->block;
		d->block = d->other;
		d->other = old;
	}
	pthread_mutex_unlock(d->lock);
	return r;
}

/* Jobs on images */

struct block *drive_block(const struct drive *d)
{
	return d->block;
}

pthread_mutex_t *drive_lock(const struct drive *d)
{
	return d->lock;
}

struct gate *drive_gate(struct drive *d)
{
	return &d->gate;
}

bool drive_has_job(const struct drive *d)
{
	return d->job_end != NULL;
}

int drive_begin_job(struct drive *d, void (*end)(void *arg), void *arg,
		    struct error *err)
{
	if (d->job_end)
		return error_set(err, -EBUSY,
				 "disk '%s': a block job is under way", d->id);
	if (!d->queue || d->options.readonly)
		return error_set(err, -EROFS,
				 "disk '%s' has no image that it writes",
				 d->id);
	d->job_end = end;
	d->job_arg = arg;
	return 0;
}

void drive_end_job(struct drive *d)
{
	d->job_end = NULL;
}

void drive_let_go(struct drive *d)
{
	timer_arm(d->timer, 0);
}

int drive_open_images(struct drive *d, const struct block_layer *layers,
		      unsigned int n, bool readonly, struct block **ret_block,
		      struct error *err)
{
	struct block_options options = d->options;
	int r;

	options.unlocked = true;
	options.inactive = false;
	options.readonly |= readonly;
	r = block_open_chain(layers, n, &options, ret_block, err);
	if (r < 0)
		error_prefix(err, "disk '%s'", d->id);
	return r;
}

int drive_turn_to(struct drive *d, struct block *blk, struct block **ret_old)
{
	int r;

	pthread_mutex_lock(d->lock);
	r = block_queue_turn(d->queue, blk);
	if (r == 0) {
		*ret_old = d->block;
		d->block = blk;
	}
	pthread_mutex_unlock(d->lock);
	return r;
}

void drive_on_change(struct drive *d, drive_changed_fn *changed, void *arg)
{
	d->changed = changed;
	d->changed_arg = arg;
}

/* Requests */

static void count(struct drive *d, const struct drive_req *req)
{
	struct counter *c;

	switch (req->op) {
	case BLOCK_READ:
		c = &d->counter[COUNT_READ];
		break;
	case BLOCK_FLUSH:
		c = &d->counter[COUNT_FLUSH];
		break;
	case BLOCK_CALL: /* the caller's secret */
		return;
	default:
		c = &d->counter[COUNT_WRITE];
	}
	c->requests++;
	c->ns += now_ns() - req->started;
	if (req->op == BLOCK_READ || req->op == BLOCK_WRITE)
		c->bytes += req->block.length;
}

static int flush_after(struct drive_req *req)
{
	req->flushing = true;
	req->block.op = BLOCK_FLUSH;
	return block_submit(req->drive->queue, &req->block);
}

void drive_set_ram(struct drive *d, struct ram *ram)
{
	d->ram = ram;
}

/* Buffers were handed out long ago: for migration they are written now. */
static void mark_read(const struct drive_req *req)
{
	for (unsigned int i = 0; i < req->block.n_iov; i++)
		ram_mark(req->drive->ram, req->block.iov[i].iov_base,
			 req->block.iov[i].iov_len);
}

/*
 * The request may be freed in its callback.  A medium is exchanged from the
 * loop, not in the middle of the old one's queue.
 */
static void request_done(struct block_req *block, int result)
{
	struct drive_req *req = container_of(block, struct drive_req, block);
	struct drive *d = req->drive;

	if (result == 0 && req->fua && !req->flushing) {
		result = flush_after(req);
		if (result == 0)
			return;
	}
	if (result == 0)
		count(d, req);
	gate_leave(&d->gate, req);
	d->in_flight--;
	if ((req->op == BLOCK_READ || req->op == BLOCK_CALL) && d->ram)
		mark_read(req);
	req->done(req, result);
	if (d->next_waits && !d->in_flight)
		loop_defer(d->loop, exchange_soon, d);
}

static bool is_zero(const struct iovec *v)
{
	const uint8_t *p = v->iov_base;

	return !v->iov_len ||
	       (!p[0] && !memcmp(p, p + 1, v->iov_len - 1));
}

static bool all_zero(const struct block_req *b)
{
	for (unsigned int i = 0; i < b->n_iov; i++)
		if (!is_zero(&b->iov[i]))
			return false;
	return true;
}

/* The guest may change its buffer meanwhile; then either is right. */
static void detect_zeroes(struct drive *d, struct block_req *b)
{
	if (d->detect_zeroes == DETECT_OFF || b->op != BLOCK_WRITE ||
	    iov_length(b->iov, b->n_iov) != b->length || !all_zero(b))
		return;
	b->op = BLOCK_WRITE_ZEROES;
	b->unmap = d->detect_zeroes == DETECT_UNMAP && drive_discards(d);
}

int drive_submit(struct drive *d, struct drive_req *req)
{
	int r;

	if (!d->queue)
		return -ENOMEDIUM;
	req->drive = d;
	req->op = req->block.op;
	req->flushing = false;
	req->started = now_ns();
	req->block.done = request_done;
	detect_zeroes(d, &req->block);
	if (!may_go(d, &req->block)) {
		hold(d, &req->block);
		r = 0;
	} else {
		r = send(d, &req->block);
	}
	if (r == 0)
		d->in_flight++;
	return r;
}

void drive_kick(struct drive *d)
{
	if (d->queue)
		block_kick(d->queue);
}

void drive_run(struct drive *d)
{
	if (!d->queue)
		return;
	block_kick(d->queue);
	block_reap(d->queue);
}

void drive_on_answers(struct drive *d, void (*answered)(void *arg), void *arg)
{
	d->answered = answered;
	d->answered_arg = arg;
}

/* Outside */

static void emit_space(struct drive *d, machine_stat_fn *emit, void *arg)
{
	struct block_space space;

	if (!d->block || block_space(d->block, &space) < 0)
		return;
	emit(arg, "disks", d->id, "capacity", block_size(d->block));
	emit(arg, "disks", d->id, "allocation", space.allocation);
	emit(arg, "disks", d->id, "physical", space.physical);
}

void drive_stats(struct drive *d, machine_stat_fn *emit, void *arg)
{
	static const char *const names[COUNTERS][3] = {
		[COUNT_READ] = { "rd_req", "rd_bytes", "rd_ns" },
		[COUNT_WRITE] = { "wr_req", "wr_bytes", "wr_ns" },
		[COUNT_FLUSH] = { "flush_req", NULL, "flush_ns" },
	};
	struct counter c[COUNTERS];

	pthread_mutex_lock(d->lock);
	memcpy(c, d->counter, sizeof(c));
	emit_space(d, emit, arg);
	pthread_mutex_unlock(d->lock);
	for (unsigned int i = 0; i < COUNTERS; i++) {
		emit(arg, "disks", d->id, names[i][0], c[i].requests);
		if (names[i][1])
			emit(arg, "disks", d->id, names[i][1], c[i].bytes);
		emit(arg, "disks", d->id, names[i][2], c[i].ns);
	}
}

static struct block_options options_of(const struct spec_disk *spec)
{
	return (struct block_options){
		.readonly = spec->readonly || spec->kind == SPEC_CDROM,
		.shared = spec->shareable,
		.direct = spec->cache == CACHE_NONE ||
			  spec->cache == CACHE_DIRECTSYNC,
		.no_flush = spec->cache == CACHE_UNSAFE,
		.discard = spec->discard,
		.sync_writes = spec->cache == CACHE_WRITETHROUGH ||
			       spec->cache == CACHE_DIRECTSYNC,
		.inactive = spec->unlocked,
	};
}

static int load_first(struct drive *d, const struct spec_disk *spec,
		      struct error *err)
{
	struct block *block;
	int r = spec->fd < 0 ?
			0 :
			open_spec(d, spec, &d->options, &block, err);

	return r < 0 || spec->fd < 0 ? r : load(d, block, err);
}

int drive_create(const struct spec_disk *spec, struct loop *loop,
		 pthread_mutex_t *lock, struct drive **ret_drive,
		 struct error *err)
{
	struct drive *d = xcalloc(1, sizeof(*d));
	int r;

	d->lock = lock;
	d->loop = loop;
	d->id = xstrdup(spec->id);
	d->serial = xstrdup(spec->serial);
	d->wwn = xstrdup(spec->wwn);
	d->options = options_of(spec);
	d->detect_zeroes = spec->detect_zeroes;
	for (unsigned int way = 0; way < ARRAY_SIZE(d->held); way++)
		d->held[way].last = &d->held[way].first;
	gate_init(&d->gate);
	timer_create_on(loop, release_due, d, &d->timer);
	r = load_first(d, spec, err);
	if (r < 0) {
		drive_destroy(d);
		return r;
	}
	*ret_drive = d;
	return 0;
}

void drive_destroy(struct drive *d)
{
	if (!d)
		return;
	if (d->job_end)
		d->job_end(d->job_arg);
	unload(d);
	gate_finish(&d->gate);
	throttle_leave(d->throttle);
	timer_destroy(d->timer);
	block_close(d->next);
	block_close(d->other);
	free(d->id);
	free(d->serial);
	free(d->wwn);
	free(d);
}
