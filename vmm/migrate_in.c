/*
 * vmm/migrate_in.c -- the destination of a migration (vmm/migrate.h).
 *
 * What comes is not trusted: every record is checked before it is followed.
 */
#include "vmm/migrate.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/error.h"
#include "vmm/job.h"
#include "vmm/machine.h"
#include "vmm/migrate_wire.h"
#include "vmm/ram.h"
#include "vmm/stream.h"

struct sink {
	struct machine *m;
	int fd;
	struct progress *p;
	struct error *err;
	const struct ram_block *block;
	unsigned int n_blocks;
	ZSTD_DCtx *zstd;
	void *in;
};

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
	if (r < 0)
		return r;
	if (!job_on_loop(s->m->loop, s->p, do_set_state, &e))
		return error_set(s->err, -ECANCELED,
				 "the migration was cancelled");
	if (e.result < 0)
		*s->err = e.err;
	return e.result;
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
			r = get_pages(s, &rec);
	}
	return r;
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

int migrate_receive(struct machine *m, int fd, struct progress *p,
		    struct error *err)
{
	struct sink s = { .m = m, .fd = fd, .p = p, .err = err };
	int r, told;

	atomic_store(&p->started, now_ns());
	s.n_blocks = ram_blocks(m->ram, &s.block);
	s.zstd = ZSTD_createDCtx();
	s.in = xmalloc(MIGRATE_PAGES_MAX * MIGRATE_PAGE);
	r = get_all(&s);
	told = answer(&s, r);
	ZSTD_freeDCtx(s.zstd);
	free(s.in);
	atomic_store(&p->finished, now_ns());
	return r < 0 ? r : told;
}
