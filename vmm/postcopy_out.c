/*
 * vmm/postcopy_out.c -- the memory that follows a guest: the source's side
 * (vmm/postcopy.h).
 *
 * One thread.  Between two runs of pages it looks for what the destination
 * asks for; from there on it also goes on, because what a guest touches next
 * is often beside.
 */
#include "vmm/postcopy.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/job.h"
#include "vmm/loop.h"
#include "vmm/migrate_pages.h"
#include "vmm/migrate_wire.h"
#include "vmm/ram.h"
#include "vmm/stream.h"

#define LOG_MODULE "postcopy"
#include "base/log.h"

/* #syscalls:vmm poll ppoll shutdown close */

enum { PAGE = MIGRATE_PAGE, PUSH = 16, SLICE_MS = 5 };

struct postcopy_out {
	struct postcopy_listener l;
	struct postcopy_source from;
	uint64_t *todo[MIGRATE_BLOCKS_MAX];
	struct page_sender sender;
	unsigned int at_block; /* what is next */
	uint64_t at_page;
	bool ended; /* the end was said */
	bool resumed; /* the destination says first what it lacks */
	uint64_t start, sent_before; /* of the bandwidth's second */
	pthread_t thread;
	bool started;
	_Atomic enum postcopy_state state;
	struct error err;
};

/* ---- what is left ---- */

static uint64_t pages_of(const struct postcopy_out *o, unsigned int block)
{
	return o->from.block[block].size / PAGE;
}

static bool left(const struct postcopy_out *o, unsigned int block,
		 uint64_t page)
{
	return page < pages_of(o, block) &&
	       o->todo[block][page / 64] & BIT64(page % 64);
}

static void done(struct postcopy_out *o, unsigned int block, uint64_t page,
		 unsigned int n)
{
	for (; n; n--, page++)
		o->todo[block][page / 64] &= ~BIT64(page % 64);
}

static uint64_t count(const struct postcopy_out *o)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < o->from.n_blocks; i++)
		for (uint64_t w = 0; w < pages_of(o, i) / 64 + 1; w++)
			n += __builtin_popcountll(o->todo[i][w]);
	return n;
}

/* From where we are on to the end of the block. */
static bool seek_in_block(struct postcopy_out *o)
{
	uint64_t end = pages_of(o, o->at_block);

	while (o->at_page < end) {
		if (left(o, o->at_block, o->at_page))
			return true;
		if (o->at_page % 64 == 0 &&
		    !o->todo[o->at_block][o->at_page / 64])
			o->at_page += 64;
		else
			o->at_page++;
	}
	return false;
}

/* Round, because the destination's wishes take us elsewhere. */
static bool seek(struct postcopy_out *o)
{
	for (unsigned int i = 0; i <= o->from.n_blocks; i++) {
		if (seek_in_block(o))
			return true;
		o->at_block = (o->at_block + 1) % o->from.n_blocks;
		o->at_page = 0;
	}
	return false;
}

/* ---- sending ---- */

static int send_run(struct postcopy_out *o, unsigned int max)
{
	unsigned int block = o->at_block, n = 0;
	uint64_t page = o->at_page;
	bool zero = migrate_is_zero(o->from.block[block].host + page * PAGE);
	struct migrate_record rec = { .type = MIGRATE_ZERO,
				      .block = block,
				      .at = page * PAGE };

	while (n < max && left(o, block, page + n) &&
	       migrate_is_zero(o->from.block[block].host +
			       (page + n) * PAGE) == zero)
		n++;
	rec.pages = n;
	o->at_page += n;
	done(o, block, page, n);
	atomic_fetch_sub(&o->from.p->remaining,
			 MIN(atomic_load(&o->from.p->remaining),
			     (uint64_t)n * PAGE));
	if (zero)
		atomic_fetch_add(&o->from.p->zero, n);
	return zero ? page_sender_record(&o->sender, &rec, NULL, &o->err) :
		      page_sender_put(&o->sender, block, page, n, &o->err);
}

static int say_end(struct postcopy_out *o)
{
	struct migrate_record rec = { .type = MIGRATE_END };

	o->ended = true;
	return page_sender_record(&o->sender, &rec, NULL, &o->err);
}

/* True: not more now. */
static bool too_fast(struct postcopy_out *o)
{
	uint64_t limit = atomic_load(o->from.bandwidth), spent;
	uint64_t sent = atomic_load(&o->from.p->written) - o->sent_before;

	if (!limit)
		return false;
	spent = now_ns() - o->start;
	if (spent > 1000000000) {
		o->start += spent;
		o->sent_before += sent;
		return false;
	}
	return (unsigned __int128)sent * 1000000000 / limit > spent;
}

/* ---- what the destination says ---- */

static int broken(struct postcopy_out *o)
{
	return error_set(&o->err, -EPROTO,
			 "the destination's words make no sense");
}

static int hear(void *data, size_t len, struct postcopy_out *o)
{
	return stream_read(o->from.fd, data, len, o->from.p, &o->err);
}

/* 1: it has all. */
static int hear_one(struct postcopy_out *o)
{
	struct migrate_want w;
	int r = hear(&w, sizeof(w), o);

	if (r < 0)
		return r;
	if (w.type == WANT_NOTHING)
		return o->ended ? 1 : broken(o);
	if (w.type != WANT_PAGE || w.block >= o->from.n_blocks ||
	    w.at % PAGE || w.at >= o->from.block[w.block].size)
		return broken(o);
	if (!left(o, w.block, w.at / PAGE))
		return 0; /* it is on its way */
	o->at_block = w.block;
	o->at_page = w.at / PAGE;
	return send_run(o, PUSH);
}

static bool heard(const struct postcopy_out *o, int ms)
{
	struct pollfd p = { o->from.fd, POLLIN, 0 };

	return poll(&p, 1, ms) > 0;
}

/* What is missing there after a break, instead of what we think. */
static int hear_missing(struct postcopy_out *o)
{
	struct migrate_record rec;
	int r;

	for (unsigned int i = 0; i < o->from.n_blocks; i++)
		memset(o->todo[i], 0,
		       (pages_of(o, i) / 64 + 1) * sizeof(uint64_t));
	while ((r = hear(&rec, sizeof(rec), o)) == 0 &&
	       rec.type == MIGRATE_MISSING) {
		if (rec.block >= o->from.n_blocks || rec.at % (64 * PAGE) ||
		    rec.at > o->from.block[rec.block].size ||
		    rec.len > MIGRATE_MISSING_MAX || rec.len % 8 ||
		    rec.len / 8 > pages_of(o, rec.block) / 64 + 1 -
					  rec.at / PAGE / 64)
			return broken(o);
		r = hear((uint8_t *)o->todo[rec.block] + rec.at / PAGE / 8,
			 rec.len, o);
		if (r < 0)
			return r;
	}
	if (r == 0 && rec.type != MIGRATE_MARK)
		return broken(o);
	atomic_store(&o->from.p->remaining, count(o) * PAGE);
	return r;
}

/* ---- the thread ---- */

static int step(struct postcopy_out *o)
{
	bool more = seek(o), wait = more && too_fast(o);

	if (!more && !o->ended && say_end(o) < 0)
		return o->err.errnum;
	if (heard(o, !more ? -1 : wait ? SLICE_MS : 0))
		return hear_one(o);
	return more && !wait ? send_run(o, MIGRATE_PAGES_MAX) : 0;
}

static void *out_main(void *arg)
{
	struct postcopy_out *o = arg;
	int r = o->resumed ? hear_missing(o) : 0;

	o->start = now_ns();
	o->sent_before = atomic_load(&o->from.p->written);
	while (r == 0)
		r = step(o);
	if (r < 0)
		log_warn("post-copy: %s", o->err.message);
	atomic_store(&o->state, r < 0 ? POSTCOPY_BROKEN : POSTCOPY_DONE);
	loop_defer(o->l.loop, o->l.changed, o->l.arg);
	return NULL;
}

static int start(struct postcopy_out *o, struct error *err)
{
	int r;

	page_sender_init(&o->sender, o->from.fd, o->from.zstd, o->from.block,
			 o->from.p);
	o->ended = false;
	atomic_store(&o->state, POSTCOPY_GOING);
	r = job_thread(&o->thread, out_main, o);
	o->started = r == 0;
	if (r < 0) {
		page_sender_finish(&o->sender);
		atomic_store(&o->state, POSTCOPY_BROKEN);
	}
	return r < 0 ? error_set(err, r, "cannot start a thread: %m") : 0;
}

static void stop(struct postcopy_out *o)
{
	if (!o->started)
		return;
	postcopy_out_break(o);
	pthread_join(o->thread, NULL);
	page_sender_finish(&o->sender);
	o->started = false;
	o->from.fd = fd_close(o->from.fd);
}

int postcopy_out_create(const struct postcopy_source *from,
			const struct postcopy_listener *l,
			struct postcopy_out **ret_out, struct error *err)
{
	struct postcopy_out *o = xcalloc(1, sizeof(*o));
	int r;

	o->from = *from;
	o->l = *l;
	for (unsigned int i = 0; i < from->n_blocks; i++)
		o->todo[i] = steal_ptr(&from->todo[i]);
	r = start(o, err);
	if (r < 0)
		postcopy_out_destroy(o);
	else
		*ret_out = o;
	return r;
}

void postcopy_out_destroy(struct postcopy_out *o)
{
	if (!o)
		return;
	stop(o);
	fd_close(o->from.fd);
	for (unsigned int i = 0; i < o->from.n_blocks; i++)
		free(o->todo[i]);
	free(o);
}

enum postcopy_state postcopy_out_state(const struct postcopy_out *o)
{
	return atomic_load(&o->state);
}

void postcopy_out_break(struct postcopy_out *o)
{
	shutdown(o->from.fd, SHUT_RDWR);
}

int postcopy_out_recover(struct postcopy_out *o, int fd, struct error *err)
{
	if (postcopy_out_state(o) != POSTCOPY_BROKEN) {
		fd_close(fd);
		return error_set(err, -EINVAL, "the stream of memory is whole");
	}
	stop(o);
	o->from.fd = fd;
	o->resumed = true;
	o->err = (struct error){ 0 };
	return start(o, err);
}
