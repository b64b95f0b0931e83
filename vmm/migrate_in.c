/*
 * vmm/migrate_in.c -- the destination of a migration (vmm/migrate.h).
 *
 * What comes is not trusted: every record is checked before it is followed.
 * A further stream has a thread.  At a mark it waits until all streams have
 * had theirs: what follows may be about the same pages.
 */
#include "vmm/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <zstd.h>

#include "base/error.h"
#include "vmm/job.h"
#include "vmm/machine.h"
#include "vmm/migrate_wire.h"
#include "vmm/missing.h"
#include "vmm/postcopy.h"
#include "vmm/ram.h"
#include "vmm/stream.h"

/* #syscalls:vmm shutdown */

/* Where the streams meet. */
struct meeting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int streams, here; /* of them at the mark */
	uint64_t marks; /* that all have had */
	bool over; /* one has ended */
};

/* One stream. */
struct sink {
	struct machine *m;
	struct meeting *meeting;
	int fd;
	struct progress *p;
	struct error *err;
	const struct ram_block *block;
	unsigned int n_blocks;
	ZSTD_DCtx *zstd;
	void *in;
	/* Of the first one: */
	const struct migrate_follow *follow;
	struct missing *missing;
	struct postcopy_in *following;
	/* Of a further one: */
	pthread_t thread;
	struct error own_err;
	bool started;
};

static void meeting_end(struct meeting *mt)
{
	pthread_mutex_lock(&mt->lock);
	mt->over = true;
	pthread_cond_broadcast(&mt->changed);
	pthread_mutex_unlock(&mt->lock);
}

static int at_mark(struct sink *s)
{
	struct meeting *mt = s->meeting;
	uint64_t marks;
	bool met;

	pthread_mutex_lock(&mt->lock);
	marks = mt->marks;
	if (++mt->here == mt->streams) {
		mt->here = 0;
		mt->marks++;
		pthread_cond_broadcast(&mt->changed);
	}
	while (mt->marks == marks && !mt->over)
		pthread_cond_wait(&mt->changed, &mt->lock);
	met = mt->marks != marks;
	pthread_mutex_unlock(&mt->lock);
	return met ? 0 :
		     error_set(s->err, -ECONNRESET,
			       "a stream of the migration has ended");
}

static int get(struct sink *s, void *data, size_t len)
{
	return stream_read(s->fd, data, len, s->p, s->err);
}

static int broken(struct sink *s)
{
	return error_set(s->err, -EPROTO,
			 "what the source of the migration sends makes no "
			 "sense");
}

static int check_header(struct sink *s, struct migrate_header *h)
{
	if (memcmp(h->magic, MIGRATE_MAGIC, sizeof(h->magic)))
		return broken(s);
	if (h->version != MIGRATE_VERSION)
		return error_set(s->err, -ENOTSUP,
				 "the guest comes from another version of "
				 "Vireo (format %u)",
				 h->version);
	if (h->n_streams != s->meeting->streams)
		return broken(s);
	if (h->n_blocks != s->n_blocks)
		return error_set(s->err, -EINVAL,
				 "the guest has other memory than here");
	for (unsigned int i = 0; i < s->n_blocks; i++) {
		h->block[i].name[MIGRATE_NAME_LEN - 1] = '\0';
		if (!str_eq(h->block[i].name, s->block[i].name) ||
		    h->block[i].size != s->block[i].size)
			return error_set(s->err, -EINVAL,
					 "the guest's memory '%s' is of "
					 "another size here",
					 h->block[i].name);
		atomic_fetch_add(&s->p->total, s->block[i].size);
	}
	return 0;
}

static int get_header(struct sink *s)
{
	struct migrate_header h;
	int r = get(s, &h, sizeof(h));

	return r < 0 ? r : check_header(s, &h);
}

static bool in_block(const struct sink *s, const struct migrate_record *rec)
{
	uint64_t len = (uint64_t)rec->pages * MIGRATE_PAGE;

	return rec->block < s->n_blocks && rec->pages &&
	       rec->pages <= MIGRATE_PAGES_MAX && !(rec->at % MIGRATE_PAGE) &&
	       rec->at <= s->block[rec->block].size &&
	       len <= s->block[rec->block].size - rec->at;
}

/* Pages that were never touched cost nothing, and shall not now. */
static void clear(uint8_t *to, unsigned int pages)
{
	static const uint8_t zeros[MIGRATE_PAGE];

	for (; pages; pages--, to += MIGRATE_PAGE) {
		if (memcmp(to, zeros, MIGRATE_PAGE))
			memset(to, 0, MIGRATE_PAGE);
	}
}

static int get_zstd(struct sink *s, const struct migrate_record *rec,
		    uint8_t *to)
{
	size_t size = (size_t)rec->pages * MIGRATE_PAGE;
	int r;

	if (rec->len >= size)
		return broken(s);
	r = get(s, s->in, rec->len);
	if (r < 0)
		return r;
	return ZSTD_decompressDCtx(s->zstd, to, size, s->in, rec->len) ==
			       size ?
		       0 :
		       broken(s);
}

static int get_pages(struct sink *s, const struct migrate_record *rec)
{
	uint8_t *to;

	if (!in_block(s, rec))
		return broken(s);
	to = s->block[rec->block].host + rec->at;
	atomic_fetch_add(&s->p->done, (uint64_t)rec->pages * MIGRATE_PAGE);
	switch (rec->type) {
	case MIGRATE_ZERO:
		clear(to, rec->pages);
		return rec->len ? broken(s) : 0;
	case MIGRATE_RAW:
		if (rec->len != rec->pages * MIGRATE_PAGE)
			return broken(s);
		return get(s, to, rec->len);
	case MIGRATE_ZSTD:
		return get_zstd(s, rec, to);
	default:
		return broken(s);
	}
}

/* ---- what follows the guest (post-copy) ---- */

static int can_follow(struct sink *s)
{
	if (s->missing)
		return 0;
	if (!s->follow || *s->follow->page_fd < 0 ||
	    *s->follow->missing_fd < 0)
		return error_set(s->err, -ENOTSUP,
				 "memory cannot follow the guest here");
	return missing_create(steal_fd(s->follow->missing_fd), s->m->ram,
			      &s->missing, s->err);
}

static int get_missing(struct sink *s, const struct migrate_record *rec)
{
	uint8_t bits[MIGRATE_MISSING_MAX];
	uint64_t first = rec->at / MIGRATE_PAGE, pages;
	int r = can_follow(s);

	if (r < 0)
		return r;
	if (rec->block >= s->n_blocks || rec->len > sizeof(bits) ||
	    rec->at % (64 * MIGRATE_PAGE))
		return broken(s);
	pages = s->block[rec->block].size / MIGRATE_PAGE;
	r = get(s, bits, rec->len);
	if (r < 0 || first > pages)
		return r < 0 ? r : broken(s);
	return missing_add(s->missing, rec->block, first, bits,
			   MIN(pages - first, (uint64_t)rec->len * 8), s->err);
}

/* Before devices' state is loaded: that may touch memory. */
static int begin_follow(struct sink *s)
{
	int r = missing_begin(s->missing, s->err);

	return r < 0 ? r :
		       postcopy_in_create(steal_fd(s->follow->page_fd),
					  steal_fd(s->follow->rescue_fd),
					  steal_ptr(&s->missing),
					  s->follow->listener, &s->following,
					  s->err);
}

/* ---- state ---- */

struct errand {
	struct machine *m;
	void *state;
	size_t len;
	int result;
	struct error err;
};

static void do_set_state(void *arg)
{
	struct errand *e = arg;

	e->result = machine_set_state(e->m, e->state, e->len, &e->err);
}

static int get_state(struct sink *s, const struct migrate_record *rec)
{
	_cleanup_free_ void *state = NULL;
	struct errand e = { .m = s->m };
	int r;

	if (rec->len > MIGRATE_STATE_MAX)
		return broken(s);
	e.state = state = xmalloc(rec->len + 1);
	e.len = rec->len;
	r = get(s, state, rec->len);
	if (r == 0 && s->missing)
		r = begin_follow(s);
	if (r < 0)
		return r;
	if (!job_on_loop(s->m->loop, s->p, do_set_state, &e))
		return error_set(s->err, -ECANCELED,
				 "the migration was cancelled");
	if (e.result < 0)
		*s->err = e.err;
	return e.result;
}

static int follow(struct sink *s, const struct migrate_record *rec)
{
	return rec->type == MIGRATE_MARK ? at_mark(s) : get_pages(s, rec);
}

static int get_all(struct sink *s)
{
	struct migrate_record rec;
	int r = get_header(s);

	while (r == 0) {
		r = get(s, &rec, sizeof(rec));
		if (r == 0 && rec.type == MIGRATE_STATE)
			return get_state(s, &rec);
		if (r == 0)
			r = rec.type == MIGRATE_MISSING ?
				    get_missing(s, &rec) :
				    follow(s, &rec);
	}
	return r;
}

/* Until the source ends it, or another stream ends in error. */
static void *more_main(void *arg)
{
	struct sink *s = arg;
	struct migrate_record rec;
	int r;

	do {
		r = get(s, &rec, sizeof(rec));
		if (r == 0)
			r = follow(s, &rec);
	} while (r == 0);
	meeting_end(s->meeting);
	return NULL;
}

/* The source waits for it; whether it hears it is its own business. */
static int answer(struct sink *s, int result)
{
	struct migrate_answer a = { .magic = MIGRATE_MAGIC, .ok = result == 0 };
	struct error ignored;

	if (result < 0) {
		snprintf(a.text, sizeof(a.text), "%.200s", s->err->message);
		s->err = &ignored;
	}
	return stream_write(s->fd, &a, sizeof(a), s->p, s->err);
}

/* ---- streams ---- */

static void sink_init(struct sink *s, struct machine *m, struct meeting *mt,
		      int fd, struct progress *p, struct error *err)
{
	*s = (struct sink){ .m = m, .meeting = mt, .fd = fd, .p = p,
			    .err = err };
	s->n_blocks = ram_blocks(m->ram, &s->block);
	s->zstd = ZSTD_createDCtx();
	s->in = xmalloc(MIGRATE_PAGES_MAX * MIGRATE_PAGE);
}

static void sink_finish(struct sink *s)
{
	ZSTD_freeDCtx(s->zstd);
	free(s->in);
}

static int sink_start(struct sink *s)
{
	int r;

	s->err = &s->own_err;
	r = job_thread(&s->thread, more_main, s);
	s->started = r == 0;
	return r;
}

static void more_end(struct sink *more, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (more[i].started) {
			shutdown(more[i].fd, SHUT_RDWR);
			pthread_join(more[i].thread, NULL);
		}
		sink_finish(&more[i]);
	}
}

static int receive_all(struct sink *s, const int *fds, unsigned int n)
{
	struct sink *more = xcalloc(n + 1, sizeof(*more));
	int r = 0;

	for (unsigned int i = 0; i < n; i++) {
		sink_init(&more[i], s->m, s->meeting, fds[i], s->p, NULL);
		if (r == 0)
			r = sink_start(&more[i]);
	}
	r = r < 0 ? error_set(s->err, r, "cannot start a thread: %m") :
		    get_all(s);
	meeting_end(s->meeting);
	more_end(more, n);
	free(more);
	return r;
}

int migrate_receive(struct machine *m, int fd, const int *more,
		    unsigned int n_more, const struct migrate_follow *follow,
		    struct progress *p, struct postcopy_in **ret_follow,
		    struct error *err)
{
	struct meeting mt = { .streams = 1 + n_more };
	struct sink s;
	int r, told;

	atomic_store(&p->started, now_ns());
	pthread_mutex_init(&mt.lock, NULL);
	pthread_cond_init(&mt.changed, NULL);
	sink_init(&s, m, &mt, fd, p, err);
	s.follow = follow;
	r = receive_all(&s, more, n_more);
	told = answer(&s, r);
	missing_destroy(s.missing);
	if (r < 0 || told < 0)
		postcopy_in_destroy(steal_ptr(&s.following));
	*ret_follow = s.following;
	sink_finish(&s);
	pthread_mutex_destroy(&mt.lock);
	pthread_cond_destroy(&mt.changed);
	atomic_store(&p->finished, now_ns());
	return r < 0 ? r : told;
}
