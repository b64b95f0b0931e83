/*
 * tests/unit/vmm/throttle.c -- limits of disks by a clock of our own: what goes
 * through in a time, bursts, groups and their turns, saving.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/util.h"
#include "vmm/state.h"
#include "vmm/throttle.h"

#define SECOND 1000000000ull

static uint64_t now;

static uint64_t clock_fake(void)
{
	return now;
}

/* How many requests begin until then, if there are always more. */
static unsigned int count(struct throttle *t, bool write, uint64_t bytes,
			  uint64_t end)
{
	unsigned int n = 0;

	for (;;) {
		uint64_t when = throttle_ready(t, write, now);

		assert(when >= now);
		if (when > end)
			break;
		now = when;
		throttle_charge(t, write, bytes, now);
		n++;
	}
	now = end;
	return n;
}

/* What the bucket held before counts, one way or the other. */
static void near_to(unsigned int got, unsigned int want)
{
	unsigned int slack = want / 50 + 2;

	if (got + slack < want || got > want + slack)
		fprintf(stderr, "%u, not %u\n", got, want);
	assert(got + slack >= want && got <= want + slack);
}

static struct throttle make(enum throttle_kind kind, uint64_t rate,
			    uint64_t burst, uint64_t seconds)
{
	struct throttle_limits l = { 0 };
	struct throttle t = { 0 };

	l.rate[kind] = rate;
	l.burst[kind] = burst;
	l.seconds[kind] = seconds;
	throttle_set(&t, &l, now);
	return t;
}

static void rates(void)
{
	struct throttle t = make(THROTTLE_OPS, 1000, 0, 0);

	/* What the bucket holds, a tenth of a second, comes on top once. */
	near_to(count(&t, false, 4096, now + SECOND), 1100);
	near_to(count(&t, true, 4096, now + 10 * SECOND), 10000);
	now += 3600 * SECOND;
	near_to(count(&t, true, 4096, now + SECOND), 1100);

	t = make(THROTTLE_WRITE_BYTES, 1 << 20, 0, 0);
	near_to(count(&t, true, 4096, now + 10 * SECOND), 2560 + 25);
	assert(throttle_ready(&t, false, now) == now);

	/* Larger than the bucket: by itself, and then long nothing. */
	t = make(THROTTLE_BYTES, 1000, 0, 0);
	near_to(count(&t, false, 100000, now + 99 * SECOND), 1);
	near_to(count(&t, false, 100000, now + 1000 * SECOND), 10);
}

static void bursts(void)
{
	struct throttle t = make(THROTTLE_READ_OPS, 100, 1000, 5);

	near_to(count(&t, false, 512, now + 5 * SECOND), 5000);
	near_to(count(&t, false, 512, now + 10 * SECOND), 1000);
	/* A burst begins with a tenth of a second, too. */
	now += 60 * SECOND;
	near_to(count(&t, false, 512, now + SECOND), 1100);
}

static void sizes(void)
{
	struct throttle t = make(THROTTLE_OPS, 1000, 0, 0);
	struct throttle_limits l = t.limits;

	l.op_bytes = 4096;
	throttle_set(&t, &l, now);
	near_to(count(&t, false, 16384, now + 10 * SECOND), 2500);
	near_to(count(&t, false, 16385, now + 10 * SECOND), 2000);
	near_to(count(&t, false, 1, now + 10 * SECOND), 10000);
}

/* Nothing overflows, whatever is asked for. */
static void extremes(void)
{
	struct throttle t = make(THROTTLE_BYTES, 1, THROTTLE_LIMIT_MAX,
				 THROTTLE_LIMIT_MAX);

	for (int i = 0; i < 100; i++) {
		uint64_t when = throttle_ready(&t, true, now);

		throttle_charge(&t, true, UINT64_MAX, when);
		assert(when < INT64_MAX);
	}
	t = make(THROTTLE_BYTES, THROTTLE_LIMIT_MAX, 0, 0);
	near_to(count(&t, false, THROTTLE_LIMIT_MAX, now + 9 * SECOND), 9);
}

struct user {
	struct throttle_member *m;
	uint64_t when; /* woken for then; UINT64_MAX: not */
	unsigned int done;
};

static void wake(void *arg, uint64_t when)
{
	struct user *u = arg;

	u->when = when;
}


/* All always have a write to do. */
static void run(struct user *u, unsigned int n, uint64_t end)
{
	while (now < end) {
		uint64_t next = end;

		for (unsigned int i = 0; i < n; i++) {
			if (u[i].when > now)
				continue;
			u[i].when = UINT64_MAX;
			while (throttle_pass(u[i].m, true, 4096))
				u[i].done++;
		}
		for (unsigned int i = 0; i < n; i++)
			next = MIN(next, MAX(u[i].when, now));
		now = next;
	}
}

static void groups(void)
{
	struct throttles *all = throttles_create(clock_fake);
	struct throttle_limits l = { .rate[THROTTLE_OPS] = 300 };
	struct user u[4];
	struct state_set set = { 0 };
	struct buf state = { 0 };
	struct error err = { 0 };

	for (int i = 0; i < 4; i++) {
		u[i] = (struct user){ 0 };
		u[i].m = throttle_join(all, i < 3 ? "a" : "b", wake, &u[i]);
	}
	throttle_limit(u[0].m, &l);
	throttle_limit(u[3].m, &l);
	run(u, 4, now + 10 * SECOND);
	near_to(u[0].done + u[1].done + u[2].done, 3030);
	near_to(u[3].done, 3030);
	for (int i = 1; i < 3; i++) /* in turns, but for the first bucket */
		assert(u[i].done >= 990 && u[i].done <= 1010);

	/* Less from now on; who waits is told. */
	l.rate[THROTTLE_OPS] = 30;
	throttle_limit(u[1].m, &l);
	for (int i = 0; i < 4; i++)
		u[i].done = 0;
	run(u, 3, now + 10 * SECOND);
	near_to(u[0].done + u[1].done + u[2].done, 300);
	assert(!throttle_pass(u[0].m, true, 1));

	/* Saved, and back in another machine: full is full. */
	throttles_states(all, &set);
	state_write(&set, &state);
	now += 7 * SECOND;
	assert(throttle_pass(u[0].m, true, 1));
	assert(state_read(&set, state.data, state.len, &err) == 0);
	assert(!throttle_pass(u[1].m, true, 1));
	buf_free(&state);
	state_finish(&set);

	/* One that goes lets the next go on; open, everybody does. */
	throttle_leave(u[0].m);
	throttle_leave(u[1].m);
	now += SECOND;
	assert(throttle_pass(u[2].m, true, 1));
	while (throttle_pass(u[2].m, true, 1))
		;
	u[2].when = UINT64_MAX;
	throttles_open(all, true);
	assert(u[2].when <= now && throttle_pass(u[2].m, true, 1));
	throttles_open(all, false);
	assert(!throttle_pass(u[2].m, true, 1));
	throttle_leave(u[2].m);
	throttle_leave(u[3].m);

	/* Without groups there is nothing to save, and nothing is missed. */
	throttles_states(all, &set);
	state_write(&set, &state);
	assert(state.len == 0);
	assert(state_read(&set, NULL, 0, &err) == 0);
	state_finish(&set);
	throttles_destroy(all);
}

int main(void)
{
	now = 12345 * SECOND;
	rates();
	bursts();
	sizes();
	extremes();
	groups();
	return 0;
}
