/*
 * vmm/postcopy_in.c -- the memory that follows a guest: the destination's side
 * (vmm/postcopy.h).
 *
 * Two threads: one takes in what comes, one hears who waits and asks for it.
 * Neither touches memory that may be missing, nor waits for the main loop,
 * which may itself wait for a page.  So the stream that takes a broken one's
 * place need not come through the main loop either: the rescue socket takes it.
 */
#include "vmm/postcopy.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/job.h"
#include "vmm/loop.h"
#include "vmm/migrate_wire.h"
#include "vmm/missing.h"
#include "vmm/stream.h"

#define LOG_MODULE "postcopy"
#include "base/log.h"

/* #syscalls:vmm eventfd2 read write poll ppoll recvmsg sendto shutdown close */

enum { PAGE = MIGRATE_PAGE, RECORD = MIGRATE_PAGES_MAX * MIGRATE_PAGE };

struct postcopy_in {
	struct postcopy_listener l;
	struct missing *missing;
	struct progress p;
	pthread_mutex_t lock; /* of what we say on the stream */
	int fd, stop_fd; /* the stream; of the asker */
	int rescue;	 /* or -1 */
	int wake_fd;	 /* of the filler: there is a new stream, or an end */
	_Atomic int next_fd;
	atomic_bool ending;
	bool resumed; /* we say first what we lack */
	pthread_t filler, asker;
	bool filling, asking;
	ZSTD_DCtx *zstd;
	uint8_t *in, *pages;
	_Atomic enum postcopy_state state;
	struct error err; /* the filler's */
};

/* ---- what we say ---- */

static int say(struct postcopy_in *in, uint32_t type, unsigned int block,
	       uint64_t page)
{
	struct migrate_want w = { type, block, page * PAGE };
	struct error ignored = { 0 };
	int r;

	pthread_mutex_lock(&in->lock);
	r = stream_write(in->fd, &w, sizeof(w), &in->p, &ignored);
	pthread_mutex_unlock(&in->lock);
	return r;
}

/* What cannot be said now is said after the break. */
static void ask(void *arg, unsigned int block, uint64_t page)
{
	struct postcopy_in *in = arg;

	if (atomic_load(&in->state) == POSTCOPY_GOING)
		say(in, WANT_PAGE, block, page);
}

static void *asker_main(void *arg)
{
	struct postcopy_in *in = arg;
	unsigned int block;
	uint64_t page;

	while (missing_wait(in->missing, in->stop_fd, &block, &page) > 0)
		ask(in, block, page);
	return NULL;
}

static int tell_words(struct postcopy_in *in, unsigned int block,
		      uint64_t words)
{
	enum { WORDS = MIGRATE_MISSING_MAX / 8 };
	_cleanup_free_ uint64_t *bits = xcalloc(WORDS, sizeof(*bits));
	int r = 0;

	for (uint64_t at = 0; at < words && r == 0; at += WORDS) {
		uint64_t n = MIN(words - at, (uint64_t)WORDS);
		struct migrate_record rec = { .type = MIGRATE_MISSING,
					      .block = block,
					      .at = at * 64 * PAGE,
					      .len = n * 8 };

		for (uint64_t i = 0; i < n; i++)
			bits[i] = missing_word(in->missing, block, at + i);
		r = stream_write(in->fd, &rec, sizeof(rec), &in->p, &in->err);
		if (r == 0)
			r = stream_write(in->fd, bits, rec.len, &in->p,
					 &in->err);
	}
	return r;
}

static int tell_missing(struct postcopy_in *in)
{
	struct migrate_record mark = { .type = MIGRATE_MARK };
	uint64_t words;
	int r = 0;

	pthread_mutex_lock(&in->lock);
	for (unsigned int i = 0; i < MIGRATE_BLOCKS_MAX && r == 0; i++) {
		words = missing_words(in->missing, i);
		r = words ? tell_words(in, i, words) : 0;
	}
	if (r == 0)
		r = stream_write(in->fd, &mark, sizeof(mark), &in->p,
				 &in->err);
	pthread_mutex_unlock(&in->lock);
	if (r == 0)
		missing_asked(in->missing, ask, in);
	return r;
}

/* ---- what comes ---- */

static int broken(struct postcopy_in *in)
{
	return error_set(&in->err, -EPROTO,
			 "what the source sends makes no sense");
}

static int unpack(struct postcopy_in *in, const struct migrate_record *rec)
{
	size_t size = (size_t)rec->pages * PAGE;

	return ZSTD_decompressDCtx(in->zstd, in->pages, size, in->in,
				   rec->len) == size ?
		       0 :
		       broken(in);
}

static int take_pages(struct postcopy_in *in, const struct migrate_record *rec)
{
	size_t size = (size_t)rec->pages * PAGE;
	bool raw = rec->type == MIGRATE_RAW;
	int r;

	if (!rec->pages || rec->pages > MIGRATE_PAGES_MAX || rec->at % PAGE ||
	    rec->len > size || (raw && rec->len != size) ||
	    (rec->type == MIGRATE_ZERO && rec->len))
		return broken(in);
	r = stream_read(in->fd, raw ? in->pages : in->in, rec->len, &in->p,
			&in->err);
	if (r == 0 && rec->type == MIGRATE_ZSTD)
		r = unpack(in, rec);
	if (r < 0)
		return r;
	return missing_fill(in->missing, rec->block, rec->at / PAGE,
			    rec->pages,
			    rec->type == MIGRATE_ZERO ? NULL : in->pages,
			    &in->err);
}

/* 1: that was all. */
static int take_one(struct postcopy_in *in)
{
	struct migrate_record rec;
	int r = stream_read(in->fd, &rec, sizeof(rec), &in->p, &in->err);

	if (r < 0)
		return r;
	switch (rec.type) {
	case MIGRATE_RAW:
	case MIGRATE_ZSTD:
	case MIGRATE_ZERO:
		return take_pages(in, &rec);
	case MIGRATE_END:
		if (missing_count(in->missing))
			return broken(in);
		r = say(in, WANT_NOTHING, 0, 0);
		return r < 0 ? r : 1;
	default:
		return broken(in);
	}
}

static int fill(struct postcopy_in *in)
{
	int r = in->resumed ? tell_missing(in) : 0;

	while (r == 0)
		r = take_one(in);
	/* Whether the source has heard that it is all or not. */
	return missing_count(in->missing) ? r : 1;
}

/* ---- the next stream ---- */

static void tell(struct postcopy_in *in, enum postcopy_state state)
{
	const char *word = state == POSTCOPY_BROKEN ? "broken" : "complete";

	atomic_store(&in->state, state);
	if (in->rescue >= 0 && send(in->rescue, word, strlen(word),
				    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		in->rescue = fd_close(in->rescue);
	loop_defer(in->l.loop, in->l.changed, in->l.arg);
}

/* -1: there is none in what came, and maybe none will come. */
static int rescued(struct postcopy_in *in)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &u,
			     .msg_controllen = sizeof(u.space) };
	ssize_t n = recvmsg(in->rescue, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		in->rescue = fd_close(in->rescue);
	return fd;
}

/* -1: it is to end. */
static int await_stream(struct postcopy_in *in)
{
	int fd = -1;

	while (fd < 0 && !atomic_load(&in->ending)) {
		struct pollfd p[] = { { in->wake_fd, POLLIN, 0 },
				      { in->rescue, POLLIN, 0 } };
		uint64_t n;

		poll(p, 2, -1);
		if (p[0].revents && read(in->wake_fd, &n, sizeof(n)) > 0)
			fd = atomic_exchange(&in->next_fd, -1);
		else if (p[1].revents)
			fd = rescued(in);
	}
	return fd;
}

static bool next_stream(struct postcopy_in *in)
{
	int fd = await_stream(in);

	if (fd < 0)
		return false;
	pthread_mutex_lock(&in->lock);
	fd_close(in->fd);
	in->fd = fd;
	pthread_mutex_unlock(&in->lock);
	in->resumed = true;
	in->err = (struct error){ 0 };
	atomic_store(&in->state, POSTCOPY_GOING);
	return true;
}

static void *filler_main(void *arg)
{
	struct postcopy_in *in = arg;
	int r;

	do {
		r = fill(in);
		if (r < 0)
			log_warn("post-copy: %s", in->err.message);
		tell(in, r < 0 ? POSTCOPY_BROKEN : POSTCOPY_DONE);
	} while (r < 0 && next_stream(in));
	return NULL;
}

/* ---- life ---- */

static int start(struct postcopy_in *in)
{
	int r;

	in->stop_fd = eventfd(0, EFD_CLOEXEC);
	in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->stop_fd < 0 || in->wake_fd < 0)
		return -errno;
	r = job_thread(&in->asker, asker_main, in);
	in->asking = r == 0;
	if (r == 0)
		r = job_thread(&in->filler, filler_main, in);
	in->filling = r == 0;
	return r;
}

int postcopy_in_create(int fd, int rescue, struct missing *missing,
		       const struct postcopy_listener *l,
		       struct postcopy_in **ret_in, struct error *err)
{
	struct postcopy_in *in = xcalloc(1, sizeof(*in));
	int r;

	in->fd = fd;
	in->rescue = rescue;
	in->next_fd = in->stop_fd = in->wake_fd = -1;
	in->missing = missing;
	in->l = *l;
	pthread_mutex_init(&in->lock, NULL);
	in->zstd = ZSTD_createDCtx();
	in->in = xmalloc(RECORD);
	in->pages = xmalloc(RECORD);
	r = start(in);
	if (r < 0) {
		postcopy_in_destroy(in);
		return error_set(err, r, "cannot start a thread: %m");
	}
	*ret_in = in;
	return 0;
}

static void wake(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		log_warn("post-copy: cannot wake a thread: %s",
			 strerror(errno));
}

static void stop(struct postcopy_in *in)
{
	atomic_store(&in->ending, true);
	if (in->filling) {
		postcopy_in_break(in);
		wake(in->wake_fd);
		pthread_join(in->filler, NULL);
	}
	if (in->asking) {
		wake(in->stop_fd);
		pthread_join(in->asker, NULL);
	}
}

void postcopy_in_destroy(struct postcopy_in *in)
{
	if (!in)
		return;
	stop(in);
	missing_destroy(in->missing);
	fd_close(in->fd);
	fd_close(in->rescue);
	fd_close(in->next_fd);
	fd_close(in->stop_fd);
	fd_close(in->wake_fd);
	ZSTD_freeDCtx(in->zstd);
	free(in->in);
	free(in->pages);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

enum postcopy_state postcopy_in_state(const struct postcopy_in *in)
{
	return atomic_load(&in->state);
}

void postcopy_in_break(struct postcopy_in *in)
{
	pthread_mutex_lock(&in->lock);
	shutdown(in->fd, SHUT_RDWR);
	pthread_mutex_unlock(&in->lock);
}

int postcopy_in_recover(struct postcopy_in *in, int fd, struct error *err)
{
	if (postcopy_in_state(in) != POSTCOPY_BROKEN) {
		fd_close(fd);
		return error_set(err, -EINVAL, "the stream of memory is whole");
	}
	fd_close(atomic_exchange(&in->next_fd, fd));
	wake(in->wake_fd);
	return 0;
}
