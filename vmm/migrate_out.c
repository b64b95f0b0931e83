/*
 * vmm/migrate_out.c -- the source of a migration (vmm/migrate.h).
 *
 * Theory of operation.  A bitmap of each block says which pages are still to be
 * sent; at first all.  A round sends them all and then asks the machine which
 * were written meanwhile.  The first round leaves out pages of zeros, which the
 * destination has already.  With the guest paused and its devices quiet, one
 * last round sends what was written until then.
 */
#include "vmm/migrate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/job.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/migrate_pages.h"
#include "vmm/migrate_wire.h"
#include "vmm/postcopy.h"
#include "vmm/ram.h"
#include "vmm/stream.h"

/* #syscalls:vmm nanosleep clock_nanosleep */

enum {
	PAGE = MIGRATE_PAGE,
	SLICE_NS = 20000000, /* the bandwidth limit holds over this time */
	ROUND_MIN_NS = 50000000,
	THROTTLE_FIRST = 20, /* percent */
	THROTTLE_STEP = 10,
	THROTTLE_MAX = 95,
};

struct source {
	struct machine *m;
	int fd;
	const struct migrate_options *opt;
	struct migrate_limits *limits;
	struct progress *p;
	struct error *err;
	const struct ram_block *block;
	unsigned int n_blocks;
	uint64_t *todo[MIGRATE_BLOCKS_MAX]; /* bitmaps, a word to spare */
	bool first;			    /* round */
	bool paused;
	uint64_t slice_start, slice_sent; /* of p->written */
	struct page_sender sender;
	struct page_pool *pool; /* the further streams', or NULL */
	struct postcopy_out *follow;
};

/* The guest is to go, and its memory to follow. */
static bool turning(const struct source *s)
{
	return *s->opt->page_fd >= 0 && atomic_load(&s->limits->postcopy) &&
	       !s->paused;
}

/* ---- sending ---- */

/* Sleeps away what was sent too fast in this slice of time. */
static void keep_bandwidth(struct source *s)
{
	uint64_t limit = atomic_load(&s->limits->bandwidth), now, due;

	if (!limit || s->paused)
		return;
	due = (unsigned __int128)(atomic_load(&s->p->written) -
				  s->slice_sent) *
	      1000000000 / limit;
	now = now_ns() - s->slice_start;
	while (due > now + SLICE_NS && !atomic_load(&s->p->cancel) &&
	       !atomic_load(&s->limits->now) && !turning(s)) {
		usleep(SLICE_NS / 2000);
		now = now_ns() - s->slice_start;
	}
	if (now > 1000000000) {
		s->slice_start = now_ns();
		s->slice_sent = atomic_load(&s->p->written);
	}
}

static int put(struct source *s, const void *data, size_t len)
{
	int r = stream_write(s->fd, data, len, s->p, s->err);

	keep_bandwidth(s);
	return r;
}

static int put_record(struct source *s, const struct migrate_record *rec,
		      const void *data)
{
	int r = page_sender_record(&s->sender, rec, data, s->err);

	keep_bandwidth(s);
	return r;
}

static int put_pages(struct source *s, unsigned int block, uint64_t page,
		     unsigned int n)
{
	int r = s->pool ? page_pool_put(s->pool, block, page, n, s->err) :
			  page_sender_put(&s->sender, block, page, n, s->err);

	keep_bandwidth(s);
	return r;
}

static int put_zeros(struct source *s, unsigned int block, uint64_t page,
		     unsigned int n)
{
	struct migrate_record rec = { MIGRATE_ZERO, block, page * PAGE, n, 0 };

	atomic_fetch_add(&s->p->zero, n);
	return s->first ? 0 : put_record(s, &rec, NULL);
}

static bool wanted(const struct source *s, unsigned int block, uint64_t page)
{
	return s->todo[block][page / 64] & BIT64(page % 64);
}

/* Pages of one kind from here on, at most as many as a record takes. */
static int put_run(struct source *s, unsigned int block, uint64_t *page)
{
	uint64_t start = *page, end = s->block[block].size / PAGE;
	const uint8_t *host = s->block[block].host;
	bool zero = migrate_is_zero(host + start * PAGE);
	unsigned int n = 0;

	while (n < MIGRATE_PAGES_MAX && start + n < end &&
	       wanted(s, block, start + n) &&
	       migrate_is_zero(host + (start + n) * PAGE) == zero)
		n++;
	*page += n;
	if (!n) { /* the guest changed it between the two looks */
		*page += 1;
		return put_pages(s, block, start, 1);
	}
	return zero ? put_zeros(s, block, start, n) :
		      put_pages(s, block, start, n);
}

static size_t words(const struct source *s, unsigned int block)
{
	return s->block[block].size / PAGE / 64 + 1;
}

/* What comes before this page has been sent. */
static void forget_sent(struct source *s, unsigned int block, uint64_t page)
{
	for (unsigned int i = 0; i < block; i++)
		memset(s->todo[i], 0, words(s, i) * sizeof(uint64_t));
	memset(s->todo[block], 0, page / 64 * sizeof(uint64_t));
	s->todo[block][page / 64] &= ~(BIT64(page % 64) - 1);
}

/* 1: broken off, because the guest is to go now. */
static int send_block(struct source *s, unsigned int block)
{
	uint64_t page = 0, end = s->block[block].size / PAGE;
	int r = 0;

	while (page < end && r == 0) {
		uint64_t before = page;

		if (page % 64 == 0 && !s->todo[block][page / 64])
			page += 64;
		else if (!wanted(s, block, page))
			page++;
		else
			r = put_run(s, block, &page);
		if (s->first)
			atomic_fetch_add(&s->p->done,
					 (MIN(page, end) - before) * PAGE);
		if (atomic_load(&s->p->cancel))
			return error_set(s->err, -ECANCELED,
					 "the migration was cancelled");
		if (r == 0 && turning(s)) {
			forget_sent(s, block, page);
			return 1;
		}
	}
	return r;
}

static int end_round(struct source *s)
{
	struct migrate_record mark = { .type = MIGRATE_MARK };
	int r = s->pool ? page_pool_mark(s->pool, s->err) : 0;

	return r == 0 && s->pool ? put_record(s, &mark, NULL) : r;
}

/* 1: as send_block() */
static int send_round(struct source *s)
{
	int r = 0, end;

	s->slice_start = now_ns();
	s->slice_sent = atomic_load(&s->p->written);
	for (unsigned int i = 0; i < s->n_blocks && r == 0; i++)
		r = send_block(s, i);
	end = r < 0 ? r : end_round(s);
	return end < 0 ? end : r;
}

/* ---- rounds ---- */

/*
 * What was written since the last time: pages, or -errno.  sent: all that was
 * to be sent has been.
 */
static int64_t look_here(struct source *s, bool sent)
{
	int64_t pages = 0;

	for (unsigned int i = 0; i < s->n_blocks; i++) {
		int r;

		if (sent)
			memset(s->todo[i], 0, words(s, i) * sizeof(uint64_t));
		/* What a device added is small, and sent at the end. */
		if (!s->block[i].anonymous && !s->paused)
			continue;
		r = machine_take_dirty(s->m, i, s->todo[i]);
		if (r < 0)
			return error_set(s->err, r,
					 "cannot tell what the guest wrote: "
					 "%m");
		if (!s->block[i].anonymous)
			memset(s->todo[i], 0xff,
			       words(s, i) * sizeof(uint64_t));
		for (size_t n = 0; n < words(s, i); n++)
			pages += __builtin_popcountll(s->todo[i][n]);
	}
	return pages;
}

/* The map of memory is the main thread's. */
struct look {
	struct source *s;
	bool sent;
	int64_t pages;
};

static void do_look(void *arg)
{
	struct look *l = arg;

	l->pages = look_here(l->s, l->sent);
}

static int64_t look(struct source *s, bool sent)
{
	struct look l = { .s = s, .sent = sent };

	if (!job_on_loop(s->m->loop, s->p, do_look, &l))
		return error_set(s->err, -ECANCELED,
				 "the migration was cancelled");
	return l.pages;
}

struct round {
	uint64_t start, sent_before;
};

static void round_begin(struct source *s, struct round *r)
{
	r->start = now_ns();
	r->sent_before = atomic_load(&s->p->written);
}

/* A guest that idles must not make us spin. */
static void round_rest(struct source *s, const struct round *r)
{
	uint64_t spent = now_ns() - r->start;

	if (spent < ROUND_MIN_NS && !atomic_load(&s->limits->now))
		usleep((ROUND_MIN_NS - spent) / 1000);
}

/* Bytes a second of the round that ends; what the downtime is reckoned with. */
static void round_end(struct source *s, const struct round *r, int64_t dirty)
{
	uint64_t ns = MAX(now_ns() - r->start, 1u);
	uint64_t sent = atomic_load(&s->p->written) - r->sent_before;
	uint64_t bps = (unsigned __int128)sent * 1000000000 / ns;
	uint64_t limit = atomic_load(&s->limits->bandwidth);

	if (sent > 1 << 20 || !atomic_load(&s->p->bps))
		atomic_store(&s->p->bps, MAX(bps, 1u));
	if (limit && atomic_load(&s->p->bps) > limit)
		atomic_store(&s->p->bps, limit);
	atomic_store(&s->p->remaining, (uint64_t)dirty * PAGE);
	atomic_store(&s->p->dirty_rate,
		     (unsigned __int128)dirty * 1000000000 / ns);
	atomic_fetch_add(&s->p->iterations, 1);
	if (s->opt->round)
		loop_defer(s->m->loop, s->opt->round, s->opt->arg);
	atomic_store(&s->p->downtime,
		     (unsigned __int128)dirty * PAGE * 1000000000 /
			     atomic_load(&s->p->bps));
}

static bool enough(const struct source *s)
{
	return atomic_load(&s->p->downtime) <=
		       atomic_load(&s->limits->downtime) ||
	       atomic_load(&s->limits->now);
}

/* The guest writes faster than we send: it gets less of its CPUs. */
static void slow_down(struct source *s, int64_t dirty, int64_t before)
{
	uint64_t now = atomic_load(&s->p->throttle);

	if (!s->opt->auto_converge || dirty < before / 2)
		return;
	if (!now)
		now = s->opt->throttle_first ? s->opt->throttle_first :
					       THROTTLE_FIRST;
	else
		now += s->opt->throttle_step ? s->opt->throttle_step :
					       THROTTLE_STEP;
	now = MIN(now, (uint64_t)THROTTLE_MAX);
	atomic_store(&s->p->throttle, now);
	machine_throttle(s->m, now);
}

/* 1: as send_block() */
static int send_live(struct source *s)
{
	int64_t dirty = 0, before;
	struct round round;
	int r;

	do {
		round_begin(s, &round);
		r = send_round(s);
		if (r != 0)
			return r;
		s->first = false;
		round_rest(s, &round);
		before = dirty;
		dirty = look(s, true);
		if (dirty < 0)
			return dirty;
		round_end(s, &round, dirty);
		slow_down(s, dirty, before);
	} while (!enough(s) && !turning(s));
	return turning(s);
}

/* ---- begin and end ---- */

struct errand {
	struct source *s;
	struct buf *state;
	bool on;
	int result;
	struct error err;
};

static void do_log(void *arg)
{
	struct errand *e = arg;

	/* Before all is sent, and not after. */
	e->result = e->on ? machine_check_state(e->s->m, &e->err) : 0;
	if (e->result == 0)
		e->result = machine_log_dirty(e->s->m, e->on);
}

static void do_pause(void *arg)
{
	struct errand *e = arg;

	if (!machine_paused(e->s->m))
		atomic_store(&e->s->p->paused_at, now_ns());
	machine_pause(e->s->m);
	e->result = machine_get_state(e->s->m, e->state, &e->err);
}

static int on_loop(struct source *s, void (*fn)(void *arg), struct errand *e)
{
	e->s = s;
	if (!job_on_loop(s->m->loop, s->p, fn, e))
		return error_set(s->err, -ECANCELED,
				 "the migration was cancelled");
	if (e->result < 0 && e->err.message[0])
		*s->err = e->err;
	return e->result;
}

static int set_log(struct source *s, bool on)
{
	struct errand e = { .on = on };
	int r = on_loop(s, do_log, &e);

	if (r == -ENOTSUP && !s->err->message[0])
		return error_set(s->err, r,
				 "the %s engine cannot migrate a running guest",
				 s->m->engine->name);
	return r < 0 && !s->err->message[0] ?
		       error_set(s->err, r, "cannot log what the guest "
				 "writes: %m") :
		       r;
}

static int send_header(struct source *s)
{
	struct migrate_header h = { .magic = MIGRATE_MAGIC,
				    .version = MIGRATE_VERSION,
				    .n_blocks = s->n_blocks,
				    .n_streams = 1 + s->opt->n_more };

	for (unsigned int i = 0; i < s->n_blocks; i++) {
		snprintf(h.block[i].name, sizeof(h.block[i].name), "%s",
			 s->block[i].name);
		h.block[i].size = s->block[i].size;
		atomic_fetch_add(&s->p->total, s->block[i].size);
	}
	return put(s, &h, sizeof(h));
}

/* ---- what follows (post-copy) ---- */

/* What devices added is sent before, because nobody waits for it. */
static int send_added(struct source *s)
{
	int r = 0;

	for (unsigned int i = 0; i < s->n_blocks && r == 0; i++) {
		if (s->block[i].anonymous)
			continue;
		r = send_block(s, i);
		memset(s->todo[i], 0, words(s, i) * sizeof(uint64_t));
	}
	return r < 0 ? r : end_round(s);
}

static int tell_missing(struct source *s, unsigned int block)
{
	size_t size = s->block[block].size / PAGE / 64 * 8 + 8;
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += MIGRATE_MISSING_MAX) {
		struct migrate_record rec = {
			.type = MIGRATE_MISSING,
			.block = block,
			.at = at * 8 * PAGE,
			.len = MIN(size - at, (size_t)MIGRATE_MISSING_MAX),
		};

		r = put_record(s, &rec, (uint8_t *)s->todo[block] + at);
	}
	return r;
}

static int send_missing(struct source *s)
{
	int r = send_added(s);

	for (unsigned int i = 0; i < s->n_blocks && r == 0; i++)
		if (s->block[i].anonymous)
			r = tell_missing(s, i);
	return r;
}

/* From here on the bitmaps are the follower's. */
static int begin_follow(struct source *s)
{
	struct postcopy_source from = {
		.fd = steal_fd(s->opt->page_fd),
		.block = s->block,
		.n_blocks = s->n_blocks,
		.todo = s->todo,
		.zstd = s->opt->zstd,
		.bandwidth = &s->limits->postcopy_bandwidth,
		.p = s->p,
	};

	return postcopy_out_create(&from, s->opt->listener, &s->follow,
				   s->err);
}

/* ---- the end ---- */

/* follow: what is left comes after the state. */
static int send_rest(struct source *s, bool follow)
{
	struct migrate_record rec = { .type = MIGRATE_STATE };
	struct buf state = { 0 };
	struct errand e = { .state = &state };
	int64_t dirty = 0;
	int r = on_loop(s, do_pause, &e);

	s->paused = true;
	s->first = false;
	if (r == 0)
		dirty = look(s, false);
	r = dirty < 0 ? (int)dirty : r;
	atomic_store(&s->p->remaining, MAX(dirty, 0) * PAGE);
	if (r == 0)
		r = follow ? send_missing(s) : send_round(s);
	rec.len = state.len;
	if (r == 0)
		r = put_record(s, &rec, state.data);
	if (r == 0 && follow)
		r = begin_follow(s);
	buf_free(&state);
	return r;
}

static int hear_answer(struct source *s)
{
	struct migrate_answer a;
	int r = stream_read(s->fd, &a, sizeof(a), s->p, s->err);

	if (r < 0)
		return r;
	a.text[sizeof(a.text) - 1] = '\0';
	if (memcmp(a.magic, MIGRATE_MAGIC, sizeof(a.magic)))
		return error_set(s->err, -EPROTO,
				 "the other side of the migration speaks "
				 "another language");
	return a.ok ? 0 :
		      error_set(s->err, -EREMOTEIO,
				"the destination cannot take the guest: %s",
				a.text);
}

/* Pages that are not there: blocks are of 2 MiB at least. */
static void leave_out(struct source *s, unsigned int block)
{
	const struct ram_block *b = &s->block[block];

	for (uint64_t at = 0; b->piece && at < b->size; at += 64 * PAGE)
		if (!ram_block_has(b, at))
			s->todo[block][at / PAGE / 64] = 0;
}

static int set_up(struct source *s)
{
	s->n_blocks = ram_blocks(s->m->ram, &s->block);
	if (s->n_blocks > MIGRATE_BLOCKS_MAX) {
		s->n_blocks = 0;
		return error_set(s->err, -E2BIG,
				 "a machine with so many memory devices cannot be migrated");
	}
	for (unsigned int i = 0; i < s->n_blocks; i++) {
		s->todo[i] = xmalloc(words(s, i) * sizeof(uint64_t));
		memset(s->todo[i], 0xff, words(s, i) * sizeof(uint64_t));
		leave_out(s, i);
	}
	page_sender_init(&s->sender, s->fd, s->opt->zstd, s->block, s->p);
	if (!s->opt->n_more)
		return 0;
	s->pool = page_pool_create(s->opt->more, s->opt->n_more, s->opt->zstd,
				   s->block, s->p);
	return s->pool ? 0 :
			 error_set(s->err, -EAGAIN, "cannot start threads");
}

static void clean_up(struct source *s)
{
	page_pool_destroy(s->pool);
	page_sender_finish(&s->sender);
	for (unsigned int i = 0; i < s->n_blocks; i++)
		free(s->todo[i]);
}

int migrate_send(struct machine *m, int fd, const struct migrate_options *opt,
		 struct migrate_limits *limits, struct progress *p,
		 bool *ret_paused, struct postcopy_out **ret_follow,
		 struct error *err)
{
	struct source s = { .m = m, .fd = fd, .opt = opt, .limits = limits,
			    .p = p, .err = err, .first = true };
	struct error ignored = { 0 };
	uint64_t paused_at;
	int r;

	atomic_store(&p->started, now_ns());
	r = set_up(&s);
	if (r == 0)
		r = set_log(&s, true);
	if (r == 0)
		r = send_header(&s);
	if (r == 0)
		r = send_live(&s);
	if (r >= 0)
		r = send_rest(&s, r > 0);
	if (r == 0)
		r = hear_answer(&s);
	if (r < 0)
		postcopy_out_destroy(steal_ptr(&s.follow));
	machine_throttle(m, 0);
	s.err = &ignored;
	set_log(&s, false);
	clean_up(&s);
	paused_at = atomic_load(&p->paused_at);
	*ret_paused = paused_at != 0;
	atomic_store(&p->finished, now_ns());
	if (paused_at)
		atomic_store(&p->downtime, now_ns() - paused_at);
	if (!s.follow)
		atomic_store(&p->remaining, 0);
	*ret_follow = s.follow;
	return r;
}
