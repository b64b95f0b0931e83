/*
 * tests/unit/vmm/blockjob.c -- jobs on a disk's images while somebody writes to
 * it at random: what is read is always what was written, and afterwards each
 * image has what it should.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "storage/format/bitmaps.h"
#include "storage/format/block.h"
#include "tests/fuzz/random.h"
#include "vmm/blockjob.h"
#include "vmm/drive.h"
#include "vmm/loop.h"
#include "vmm/nbd/nbd.h"

enum { SIZE = 16 << 20, UNIT = 4096, UNITS = SIZE / UNIT, DEPTH = 12,
       LONGEST = 40, WRITES_BETWEEN = 400, PULLS = 8 };

/* ---- images ---- */

static char dir[] = "/tmp/vireo-blockjob-XXXXXX";

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static int open_file(const char *name, int flags)
{
	_cleanup_free_ char *path = path_of(name);
	int fd = open(path, flags | O_CLOEXEC, 0600);

	assert(fd >= 0);
	return fd;
}

static void ok(int r, const struct error *err)
{
	if (r < 0)
		fprintf(stderr, "%d: %s\n", r, err->message);
	assert(r >= 0);
}

static void create(const char *name, const char *format, const char *backing,
		   unsigned int cluster_bits)
{
	struct block_create c = {
		.format = format,
		.size = SIZE,
		.version = 3,
		.cluster_bits = cluster_bits,
		.refcount_order = 4,
		.backing = backing,
		.backing_format = backing ? "qcow2" : NULL,
	};
	struct error err = { 0 };
	int fd = open_file(name, O_CREAT | O_TRUNC | O_RDWR);

	if (str_eq(format, "raw"))
		assert(ftruncate(fd, SIZE) == 0);
	else
		ok(block_create(fd, &c, &err), &err);
	close(fd);
}

struct layer {
	const char *name, *format;
};

static struct block *open_layers(const struct layer *l, unsigned int n,
				 bool write)
{
	const struct block_options options = { .readonly = !write };
	struct block_layer layers[8] = { 0 };
	struct error err = { 0 };
	struct block *blk;

	for (unsigned int i = 0; i < n; i++) {
		layers[i].format = l[i].format;
		layers[i].fd = open_file(l[i].name,
					 write && !i ? O_RDWR : O_RDONLY);
	}
	ok(block_open_chain(layers, n, &options, &blk, &err), &err);
	return blk;
}

/* What a disk should have. */
static uint8_t shadow[SIZE];

static void run(struct block *blk, enum block_op op, void *data,
		uint64_t offset, uint64_t length)
{
	struct iovec iov = { data, length };
	const struct block_req req = {
		.op = op,
		.offset = offset,
		.length = length,
		.iov = &iov,
		.n_iov = 1,
	};

	assert(block_run(blk, &req) == 0);
}

/* Here and there, some of it zeroes. */
static void fill(const struct layer *l, unsigned int n)
{
	struct block *blk = open_layers(l, n, true);

	for (unsigned int i = 0; i < 60; i++) {
		uint64_t at = below(UNITS - LONGEST) * UNIT;
		uint64_t length = (1 + below(LONGEST)) * UNIT;
		bool zero = below(5) == 0;

		memset(shadow + at, zero ? 0 : 1 + below(255),
		       length);
		run(blk, zero ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
		    zero ? NULL : shadow + at, at, length);
	}
	block_close(blk);
}

static void expect(const struct layer *l, unsigned int n, const uint8_t *want)
{
	struct block *blk = open_layers(l, n, false);
	_cleanup_free_ uint8_t *got = malloc(SIZE);

	run(blk, BLOCK_READ, got, 0, SIZE);
	for (unsigned int i = 0; i < UNITS; i++)
		if (memcmp(got + i * UNIT, want + i * UNIT, UNIT)) {
			fprintf(stderr, "unit %u differs\n", i);
			assert(0);
		}
	block_close(blk);
}

static void sound(const char *name)
{
	const struct block_options options = { .repair = true,
					       .alone = true,
					       .readonly = true };
	struct block_verdict v = { 0 };
	struct error err = { 0 };
	struct block *blk;

	ok(block_open("qcow2", open_file(name, O_RDONLY), &options, &blk,
		      &err), &err);
	ok(block_verify(blk, 0, &v, &err), &err);
	assert(!v.errors && !v.corruptions);
	block_close(blk);
}

/* ---- a guest ---- */

struct guest {
	struct loop *loop;
	pthread_t thread;
	pthread_mutex_t lock; /* the drive's */
	struct drive *drive;
	struct request {
		struct drive_req req;
		struct iovec iov;
		struct guest *guest;
		uint64_t unit, n;
		uint8_t value;
		bool out;
		uint8_t data[LONGEST * UNIT];
	} request[DEPTH];
	bool busy[UNITS];
	bool quiet; /* no new ones */
	_Atomic unsigned int writes, out;
};

static void next(struct request *q);

static void done(struct drive_req *req, int result)
{
	struct request *q = container_of(req, struct request, req);
	struct guest *g = q->guest;

	assert(result == 0);
	if (req->op == BLOCK_READ)
		assert(!memcmp(q->data, shadow + q->unit * UNIT, q->n * UNIT));
	else if (req->op != BLOCK_FLUSH) {
		memset(shadow + q->unit * UNIT, q->value, q->n * UNIT);
		g->writes++;
	}
	memset(g->busy + q->unit, false, q->n);
	q->out = false;
	g->out--;
	next(q);
}

static bool find_place(struct guest *g, struct request *q)
{
	q->n = 1 + below(LONGEST);
	q->unit = below(UNITS - q->n);
	for (uint64_t i = 0; i < q->n; i++)
		if (g->busy[q->unit + i])
			return false;
	return true;
}

static void next(struct request *q)
{
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_WRITE_ZEROES, BLOCK_FLUSH };
	struct guest *g = q->guest;

	if (g->quiet)
		return;
	while (!find_place(g, q))
		;
	memset(g->busy + q->unit, true, q->n);
	q->req = (struct drive_req){ .done = done };
	q->req.block.op = ops[below(ARRAY_SIZE(ops))];
	q->value = q->req.block.op == BLOCK_WRITE_ZEROES ?
			   0 :
			   below(256);
	memset(q->data, q->value, q->n * UNIT);
	q->iov = (struct iovec){ q->data, q->n * UNIT };
	q->req.block.offset = q->unit * UNIT;
	q->req.block.length = q->n * UNIT;
	q->req.block.iov = &q->iov;
	q->req.block.n_iov = 1;
	q->out = true;
	g->out++;
	assert(drive_submit(g->drive, &q->req) == 0);
	drive_kick(g->drive);
}

static void begin_all(void *arg)
{
	struct guest *g = arg;

	pthread_mutex_lock(&g->lock);
	for (unsigned int i = 0; i < DEPTH; i++) {
		g->request[i].guest = g;
		if (!g->request[i].out)
			next(&g->request[i]);
	}
	pthread_mutex_unlock(&g->lock);
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void guest_start(struct guest *g, const struct spec_disk *disk)
{
	struct error err = { 0 };

	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	ok(loop_create(&g->loop, &err), &err);
	ok(drive_create(disk, g->loop, &g->lock, &g->drive, &err), &err);
	assert(pthread_create(&g->thread, NULL, run_loop, g->loop) == 0);
	loop_defer(g->loop, begin_all, g);
}

/* Something has been written since. */
static void let_it_write(struct guest *g)
{
	unsigned int before = g->writes;

	while (g->writes - before < WRITES_BETWEEN)
		usleep(1000);
}

static void guest_quiet(struct guest *g, bool quiet)
{
	pthread_mutex_lock(&g->lock);
	g->quiet = quiet;
	pthread_mutex_unlock(&g->lock);
	while (quiet && g->out)
		usleep(1000);
	if (!quiet)
		loop_defer(g->loop, begin_all, g);
}

static void quit(void *arg)
{
	loop_quit(arg);
}

static void guest_stop(struct guest *g)
{
	guest_quiet(g, true);
	loop_defer(g->loop, quit, g->loop);
	pthread_join(g->thread, NULL);
	drive_destroy(g->drive);
	loop_destroy(g->loop);
}

/* ---- disks ---- */

static void set_disk(struct spec_disk *d, const char *id,
		     const struct layer *l, unsigned int n, int flags)
{
	memset(d, 0, sizeof(*d));
	d->id = xstrdup(id);
	d->format = xstrdup(l[0].format);
	d->fd = open_file(l[0].name, flags);
	d->layers = xcalloc(n, sizeof(*d->layers));
	for (unsigned int i = 1; i < n; i++) {
		d->layers[i - 1].format = xstrdup(l[i].format);
		d->layers[i - 1].fd = open_file(l[i].name, O_RDONLY);
	}
	d->n_layers = n - 1;
}

static void add_disk(struct vmm_spec *s, const char *id,
		     const struct layer *l, unsigned int n)
{
	s->disks = xrealloc(s->disks, s->n_disks + 1, sizeof(*s->disks));
	set_disk(&s->disks[s->n_disks++], id, l, n, O_RDWR);
}

static struct vmm_spec now, after;
static struct guest guest;
static struct loop *main_loop;

static const struct layer top[] = { { "top", "qcow2" },
				    { "mid", "qcow2" },
				    { "base", "qcow2" } };

/* Three images; the guest has begun. */
static void set_up(unsigned int base_bits)
{
	_cleanup_free_ char *base = path_of("base"), *mid = path_of("mid");

	memset(shadow, 0, sizeof(shadow));
	create("base", "qcow2", NULL, base_bits);
	fill(top + 2, 1);
	create("mid", "qcow2", base, 12);
	fill(top + 1, 2);
	create("top", "qcow2", mid, 16);
	fill(top, 3);
	vmm_spec_init(&now);
	vmm_spec_init(&after);
	add_disk(&now, "disk", top, 3);
	guest_start(&guest, &now.disks[0]);
}

static void tear_down(void)
{
	guest_stop(&guest);
	vmm_spec_finish(&now);
}

static void changed(void *arg, struct blockjob *job)
{
	loop_quit(main_loop);
}

static void wait_for(struct blockjob *job, enum blockjob_state state)
{
	struct blockjob_progress p;

	while (blockjob_state(job) != state &&
	       !(blockjob_is_over(job) && blockjob_state(job) != state))
		loop_run(main_loop);
	blockjob_progress(job, &p);
	if (p.error)
		fprintf(stderr, "%s\n", p.error);
	assert(blockjob_state(job) == state);
}

static struct blockjob *begin(struct blockjob_plan *plan)
{
	struct error err = { 0 };
	struct blockjob *job;

	plan->now = &now.disks[0];
	ok(blockjob_begin(main_loop, guest.drive, &after, plan, changed, NULL,
			  &job, &err), &err);
	return job;
}

static void end(struct blockjob *job)
{
	let_it_write(&guest);
	blockjob_destroy(job);
	tear_down();
}

/* ---- tests ---- */

static void test_pull(bool all)
{
	static const struct layer rest[] = { { "top", "qcow2" },
					     { "base", "qcow2" } };
	_cleanup_free_ char *base = path_of("base");
	struct blockjob_plan plan = {
		.kind = BLOCKJOB_PULL,
		.bottom = all ? 3 : 2,
		.backing = all ? NULL : base,
		.backing_format = all ? NULL : "qcow2",
	};
	struct blockjob *job;

	set_up(16);
	add_disk(&after, "disk", rest, all ? 1 : 2);
	job = begin(&plan);
	wait_for(job, BLOCKJOB_COMPLETED);
	end(job);
	expect(rest, all ? 1 : 2, shadow);
	sound("top");
}

static void test_commit(unsigned int base_bits)
{
	static const struct layer rest[] = { { "top", "qcow2" },
					     { "base", "qcow2" } };
	_cleanup_free_ char *base = path_of("base");
	struct blockjob_plan plan = {
		.kind = BLOCKJOB_COMMIT,
		.top = 1,
		.bottom = 2,
		.backing = base,
		.backing_format = "qcow2",
	};
	struct blockjob *job;

	set_up(base_bits);
	add_disk(&after, "disk", rest, 2);
	add_disk(&after, "base", rest + 1, 1);
	job = begin(&plan);
	wait_for(job, BLOCKJOB_COMPLETED);
	end(job);
	expect(rest, 2, shadow);
	sound("top");
	sound("base");
}

static void test_active(bool pivot)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_ACTIVE, .bottom = 2 };
	struct error err = { 0 };
	struct blockjob *job;

	set_up(16);
	add_disk(&after, "disk", top + 2, 1);
	add_disk(&after, "base", top + 2, 1);
	job = begin(&plan);
	assert(blockjob_pivot(job, &err) == -EBUSY);
	wait_for(job, BLOCKJOB_READY);
	let_it_write(&guest);
	if (pivot)
		ok(blockjob_pivot(job, &err), &err);
	else
		blockjob_abort(job);
	wait_for(job, pivot ? BLOCKJOB_COMPLETED : BLOCKJOB_CANCELED);
	end(job);
	expect(pivot ? top + 2 : top, pivot ? 1 : 3, shadow);
	sound("base");
}

static void test_copy(const char *format, bool shallow, bool pivot,
		      bool synchronous)
{
	const struct layer copy[] = { { "copy", format },
				      { "mid", "qcow2" },
				      { "base", "qcow2" } };
	_cleanup_free_ char *mid = path_of("mid");
	_cleanup_free_ uint8_t *then = malloc(SIZE);
	unsigned int n = shallow ? 3 : 1;
	struct blockjob_plan plan = {
		.kind = BLOCKJOB_COPY,
		.bottom = shallow ? 1 : UINT32_MAX,
		.synchronous = synchronous,
	};
	struct error err = { 0 };
	struct blockjob *job;

	set_up(16);
	create("copy", format, shallow ? mid : NULL, 16);
	add_disk(&after, "disk", copy, n);
	job = begin(&plan);
	wait_for(job, BLOCKJOB_READY);
	let_it_write(&guest);
	if (pivot) {
		ok(blockjob_pivot(job, &err), &err);
		wait_for(job, BLOCKJOB_COMPLETED);
	} else { /* a copy of this moment */
		guest_quiet(&guest, true);
		memcpy(then, shadow, SIZE);
		blockjob_abort(job);
		wait_for(job, BLOCKJOB_CANCELED);
		guest_quiet(&guest, false);
	}
	end(job);
	expect(copy, n, pivot ? shadow : then);
	if (!pivot)
		expect(top, 3, shadow);
}

/* Of the moment when it begins. */
static struct blockjob *begin_backup(struct blockjob_plan *plan,
				     const struct layer *copy, uint8_t *then)
{
	struct blockjob *job;

	set_up(16);
	let_it_write(&guest);
	create(copy->name, copy->format, NULL, 16);
	add_disk(&after, "disk", copy, 1);
	guest_quiet(&guest, true);
	memcpy(then, shadow, SIZE);
	job = begin(plan);
	guest_quiet(&guest, false);
	return job;
}

static void test_backup(const char *format)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_BACKUP };
	const struct layer copy = { "copy", format };
	_cleanup_free_ uint8_t *then = malloc(SIZE);
	struct blockjob *job = begin_backup(&plan, &copy, then);

	wait_for(job, BLOCKJOB_COMPLETED);
	assert(!blockjob_result(job));
	end(job);
	expect(&copy, 1, then);
	expect(top, 3, shadow);
	sound("top");
}

static void read_export(const struct nbd_export *e, const uint8_t *want)
{
	_cleanup_free_ uint8_t *got = malloc(4 * MIB);
	struct nbd_extent extent;

	for (uint64_t at = 0; at < SIZE;) {
		uint64_t some = (1 + below(4 * MIB / 512)) * 512;
		uint64_t n = MIN(some, SIZE - at);

		assert(e->extent(e->arg, 0, at, n, &extent) == 0);
		assert(extent.length && extent.length <= n);
		assert(e->read(e->arg, got, at, n) == 0);
		assert(!memcmp(got, want + at, n));
		for (uint64_t i = 0; extent.flags & NBD_ZERO &&
				     i < extent.length; i++)
			assert(!got[i]);
		at += extent.length;
	}
}

static void test_export(void)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_EXPORT,
				      .export = "e" };
	const struct layer copy = { "copy", "qcow2" };
	_cleanup_free_ uint8_t *then = malloc(SIZE);
	struct blockjob *job = begin_backup(&plan, &copy, then);
	const struct nbd_export *e = blockjob_export(job);
	uint8_t sector[512];

	assert(e && str_eq(e->name, "e") && e->size == SIZE);
	for (unsigned int i = 0; i < 5; i++) {
		read_export(e, then);
		let_it_write(&guest);
	}
	blockjob_abort(job);
	wait_for(job, BLOCKJOB_CANCELED);
	assert(!blockjob_export(job));
	assert(e->read(e->arg, sector, 0, sizeof(sector)) == -ESHUTDOWN);
	end(job);
	expect(top, 3, shadow);
	sound("copy");
}

/* ---- what has changed since a bitmap began ---- */

/* Here and there, while the guest is quiet; some of it zeroes. */
static void write_some(struct block *blk)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t at = below(UNITS - LONGEST) * UNIT;
		uint64_t length = (1 + below(LONGEST)) * UNIT;

		memset(shadow + at, i % 2 ? 0 : 1 + below(255), length);
		run(blk, i % 2 ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
		    i % 2 ? NULL : shadow + at, at, length);
	}
}

/* The disk before anything was marked: was; when the job begins: then. */
static struct blockjob *begin_since(struct blockjob_plan *plan,
				    unsigned int cluster_bits, uint8_t *was,
				    uint8_t *then)
{
	const struct block_bitmap_add add = { .name = "b",
					      .persistent = true };
	const struct layer copy = { "copy", "qcow2" };
	struct error err = { 0 };
	struct blockjob *job;

	set_up(16);
	let_it_write(&guest);
	create("copy", "qcow2", NULL, cluster_bits);
	add_disk(&after, "disk", &copy, 1);
	guest_quiet(&guest, true);
	memcpy(was, shadow, SIZE);
	ok(block_bitmap_add(drive_block(guest.drive), &add, &err), &err);
	write_some(drive_block(guest.drive));
	memcpy(then, shadow, SIZE);
	plan->bitmap = "b";
	job = begin(plan);
	guest_quiet(&guest, false);
	return job;
}

/* A full backup of then, which the part is based on. */
static void create_full(uint8_t *was)
{
	const struct layer full = { "full", "qcow2" };
	_cleanup_free_ char *path = path_of("full");
	struct error err = { 0 };
	struct block *blk;
	int fd = open_file("copy", O_RDWR);

	ok(block_set_backing(fd, path, "qcow2", &err), &err);
	close(fd);
	create("full", "qcow2", NULL, 16);
	blk = open_layers(&full, 1, true);
	run(blk, BLOCK_WRITE, was, 0, SIZE);
	block_close(blk);
}

/* What changed is in it, zeroes too, and nothing that hides the rest. */
static void test_incremental(unsigned int cluster_bits)
{
	static const struct layer both[] = { { "copy", "qcow2" },
					     { "full", "qcow2" } };
	struct blockjob_plan plan = { .kind = BLOCKJOB_BACKUP };
	_cleanup_free_ uint8_t *was = malloc(SIZE), *then = malloc(SIZE);
	struct blockjob *job = begin_since(&plan, cluster_bits, was, then);
	struct blockjob_progress p;

	wait_for(job, BLOCKJOB_COMPLETED);
	blockjob_progress(job, &p);
	assert(p.end && p.end < SIZE && p.current == p.end);
	end(job);
	create_full(was);
	expect(both, 2, then);
	expect(top, 3, shadow);
	sound("top");
	sound("copy");
}

/* What is said to be clean is as it was. */
static void check_dirty(const struct nbd_export *e, const uint8_t *was,
			const uint8_t *then)
{
	struct nbd_extent extent;
	uint64_t dirty = 0;

	for (uint64_t at = 0; at < SIZE; at += extent.length) {
		assert(!e->extent(e->arg, 1, at, SIZE - at, &extent));
		assert(extent.length && extent.length <= SIZE - at);
		if (extent.flags & NBD_DIRTY)
			dirty += extent.length;
		else
			assert(!memcmp(was + at, then + at, extent.length));
	}
	assert(dirty && dirty < SIZE);
}

static void test_dirty_export(void)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_EXPORT,
				      .context = "qemu:dirty-bitmap:c" };
	_cleanup_free_ uint8_t *was = malloc(SIZE), *then = malloc(SIZE);
	struct blockjob *job = begin_since(&plan, 16, was, then);
	const struct nbd_export *e = blockjob_export(job);

	assert(e->n_contexts == 2 && str_eq(e->contexts[1], plan.context));
	let_it_write(&guest);
	check_dirty(e, was, then);
	read_export(e, then);
	blockjob_abort(job);
	wait_for(job, BLOCKJOB_CANCELED);
	end(job);
	sound("top");
}

/* A bitmap that is not there. */
static void test_no_bitmap(void)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_BACKUP,
				      .bitmap = "none" };
	const struct layer copy = { "copy", "qcow2" };
	struct error err = { 0 };
	struct blockjob *job;

	set_up(16);
	plan.now = &now.disks[0];
	create("copy", "qcow2", NULL, 16);
	add_disk(&after, "disk", &copy, 1);
	assert(blockjob_begin(main_loop, guest.drive, &after, &plan, changed,
			      NULL, &job, &err) == -ENOENT);
	assert(!drive_has_job(guest.drive));
	let_it_write(&guest);
	tear_down();
}

/* In the middle, slowly. */
static void test_cancel(enum blockjob_kind kind)
{
	struct blockjob_plan plan = {
		.kind = kind,
		.top = 1,
		.bottom = kind == BLOCKJOB_PULL ? 3 : 2,
		.speed = 64 * 1024,
	};
	const struct layer copy = { "copy", "qcow2" };
	struct blockjob_progress p;
	struct blockjob *job;

	set_up(16);
	create("copy", "qcow2", NULL, 16);
	add_disk(&after, "disk", kind == BLOCKJOB_BACKUP ? &copy : top, 1);
	if (kind == BLOCKJOB_COMMIT)
		add_disk(&after, "base", top + 2, 1);
	job = begin(&plan);
	let_it_write(&guest);
	blockjob_progress(job, &p);
	assert(p.speed == 64 * 1024 && p.end == SIZE && !p.error);
	blockjob_abort(job);
	wait_for(job, BLOCKJOB_CANCELED);
	end(job);
	expect(top, 3, shadow);
	sound("top");
}

/* The disk goes away under it. */
static void test_gone(void)
{
	struct blockjob_plan plan = {
		.kind = BLOCKJOB_COPY,
		.bottom = UINT32_MAX,
		.speed = 64 * 1024,
	};
	const struct layer copy = { "copy", "raw" };
	struct blockjob *job;

	set_up(16);
	create("copy", "raw", NULL, 0);
	add_disk(&after, "disk", &copy, 1);
	job = begin(&plan);
	let_it_write(&guest);
	tear_down();
	assert(blockjob_state(job) == BLOCKJOB_FAILED);
	blockjob_destroy(job);
	expect(top, 3, shadow);
}

static void test_refused(void)
{
	struct blockjob_plan plan = { .kind = BLOCKJOB_COMMIT, .top = 2,
				      .bottom = 3 };
	struct error err = { 0 };
	struct blockjob *job;

	set_up(16);
	plan.now = &now.disks[0];
	add_disk(&after, "disk", top, 1);
	assert(blockjob_begin(main_loop, guest.drive, &after, &plan, changed,
			      NULL, &job, &err) == -EINVAL);
	assert(!drive_has_job(guest.drive));
	let_it_write(&guest);
	tear_down();
	expect(top, 3, shadow);
}

static void remove_all(void)
{
	static const char *const names[] = { "base", "mid", "top", "copy",
					     "full" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = path_of(names[i]);

		unlink(path);
	}
	rmdir(dir);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	random_arg(argc, argv, 1);
	assert(mkdtemp(dir));
	ok(loop_create(&main_loop, &err), &err);
	for (unsigned int i = 0; i < PULLS; i++)
		test_pull(i % 2);
	test_commit(16);
	test_commit(9);
	test_active(true);
	test_active(false);
	test_copy("raw", false, true, false);
	test_copy("qcow2", false, true, true);
	test_copy("qcow2", true, true, false);
	test_copy("raw", false, false, false);
	test_backup("raw");
	test_backup("qcow2");
	test_export();
	test_incremental(16);
	test_incremental(12);
	test_incremental(18);
	test_dirty_export();
	test_no_bitmap();
	test_cancel(BLOCKJOB_BACKUP);
	test_cancel(BLOCKJOB_PULL);
	test_cancel(BLOCKJOB_COMMIT);
	test_gone();
	test_refused();
	loop_destroy(main_loop);
	remove_all();
	return 0;
}
