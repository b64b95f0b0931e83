/*
 * vmm/dirtyrate.c -- how much memory the guest writes (vmm/dirtyrate.h).
 *
 * Theory of operation.  The log is that of migration: one look at its end says
 * which pages were written at least once.  Without it, pages chosen by chance
 * are summed up at the start and at the end; the share that changed stands for
 * the whole.  A page that was written more than once counts once either way.
 * Memory neither comes nor goes meanwhile.
 */
#include "vmm/dirtyrate.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

enum { PAGE = 4096, SAMPLES_PER_GIB = 512, SAMPLES_MIN = 256,
       SAMPLES_MAX = 16384 };

struct sample {
	const uint64_t *page;
	uint64_t sum;
};

struct dirtyrate {
	struct machine *m;
	struct loop_timer *timer;
	struct dirtyrate_result result;
	uint64_t begun;
	struct sample *samples;
	unsigned int n_samples;
};

/* ---- samples ---- */

static uint64_t page_sum(const uint64_t *page)
{
	uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a, by words */

	for (unsigned int i = 0; i < PAGE / sizeof(*page); i++)
		sum = (sum ^ __atomic_load_n(&page[i], __ATOMIC_RELAXED)) *
		      0x100000001b3u;
	return sum;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13; /* Marsaglia's xorshift */
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t all_memory(const struct ram_block *blocks, unsigned int n)
{
	uint64_t size = 0;

	for (unsigned int i = 0; i < n; i++)
		size += blocks[i].size;
	return size;
}

/* The page at this offset into all blocks, or NULL: nothing is there. */
static const uint64_t *page_at(const struct ram_block *blocks, uint64_t at)
{
	while (at >= blocks->size)
		at -= (blocks++)->size;
	return ram_block_has(blocks, at) ?
		       (const uint64_t *)(blocks->host + at) :
		       NULL;
}

static void take_samples(struct dirtyrate *d)
{
	const struct ram_block *blocks;
	unsigned int n = ram_blocks(d->m->ram, &blocks);
	uint64_t size = all_memory(blocks, n), seed = d->begun | 1;
	uint64_t want = (size >> 30) * SAMPLES_PER_GIB;

	(void)getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	seed |= 1;
	want = MAX(MIN(want, (uint64_t)SAMPLES_MAX), (uint64_t)SAMPLES_MIN);
	d->samples = xcalloc(want, sizeof(*d->samples));
	d->n_samples = 0;
	for (uint64_t i = 0; i < want; i++) {
		uint64_t page = next_random(&seed) % (size / PAGE);
		struct sample *s = &d->samples[d->n_samples];

		s->page = page_at(blocks, page * PAGE);
		if (!s->page)
			continue;
		s->sum = page_sum(s->page);
		d->n_samples++;
	}
}

static uint64_t compare_samples(struct dirtyrate *d)
{
	uint64_t changed = 0;

	for (unsigned int i = 0; i < d->n_samples; i++)
		changed += page_sum(d->samples[i].page) != d->samples[i].sum;
	return d->n_samples ? ram_now(d->m->ram) / d->n_samples * changed : 0;
}

/* ---- the log ---- */

static uint64_t count_bits(const uint64_t *bitmap, uint64_t pages)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pages / 64 + 1; i++)
		n += (unsigned int)__builtin_popcountll(bitmap[i]);
	return n;
}

static uint64_t read_log(struct dirtyrate *d)
{
	const struct ram_block *blocks;
	unsigned int n = ram_blocks(d->m->ram, &blocks);
	uint64_t pages = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t size = blocks[i].size / PAGE;
		_cleanup_free_ uint64_t *bitmap =
			xcalloc(size / 64 + 2, sizeof(*bitmap));

		if (machine_take_dirty(d->m, i, bitmap) == 0)
			pages += count_bits(bitmap, size);
	}
	return pages * PAGE;
}

/* ---- from the start to the end ---- */

static void stop(struct dirtyrate *d, enum dirtyrate_status status)
{
	timer_disarm(d->timer);
	if (d->result.log)
		(void)machine_log_dirty(d->m, false);
	free(d->samples);
	d->samples = NULL;
	ram_freeze(d->m->ram, false);
	d->result.status = status;
}

static void on_end(void *arg)
{
	struct dirtyrate *d = arg;
	uint64_t ms = MAX((now_ns() - d->begun) / 1000000, (uint64_t)1);

	if (d->result.status != DIRTYRATE_MEASURING)
		return;
	d->result.bytes_per_second =
		(d->result.log ? read_log(d) : compare_samples(d)) * 1000 / ms;
	stop(d, DIRTYRATE_MEASURED);
}

int dirtyrate_begin(struct dirtyrate *d, unsigned int seconds, bool log,
		    struct error *err)
{
	int r;

	if (d->result.status == DIRTYRATE_MEASURING)
		return error_set(err, -EBUSY,
				 "the rate of dirty memory is being measured");
	r = d->timer ? 0 :
		       timer_create_on(d->m->loop, on_end, d, &d->timer);
	if (r == 0 && log)
		r = machine_log_dirty(d->m, true);
	if (r < 0)
		return error_set(err, r,
				 "cannot measure the rate of dirty memory: %m");
	ram_freeze(d->m->ram, true);
	d->begun = now_ns();
	d->result = (struct dirtyrate_result){
		.status = DIRTYRATE_MEASURING,
		.log = log,
		.seconds = seconds,
		.start = (uint64_t)time(NULL),
	};
	if (!log)
		take_samples(d);
	timer_arm(d->timer, d->begun + seconds * 1000000000ull);
	return 0;
}

void dirtyrate_give_up(struct dirtyrate *d)
{
	if (d && d->result.status == DIRTYRATE_MEASURING)
		stop(d, DIRTYRATE_UNSTARTED);
}

void dirtyrate_get(const struct dirtyrate *d, struct dirtyrate_result *ret)
{
	*ret = d ? d->result : (struct dirtyrate_result){ 0 };
}

struct dirtyrate *dirtyrate_create(struct machine *m)
{
	struct dirtyrate *d = xcalloc(1, sizeof(*d));

	d->m = m;
	return d;
}

void dirtyrate_destroy(struct dirtyrate *d)
{
	if (!d)
		return;
	dirtyrate_give_up(d);
	if (d->timer)
		timer_destroy(d->timer);
	free(d);
}
