/*
 * storage/format/throttle.c -- leaky buckets for bytes and operations.
 *
 * A bucket is one number: when it will have leaked dry.  What a request pours
 * in moves that time away by as long as it takes to leak; how far it may be
 * away for another request to begin is the bucket's depth.  A request that is
 * larger than the bucket is let in by itself, and the next ones wait for it.
 *
 * The first bucket leaks at the rate.  Its depth is a tenth of a second, or
 * what a burst brings in more than leaks meanwhile.  The second one leaks at
 * the burst's rate, and keeps a burst from coming all at once.
 */
#include "storage/format/throttle.h"

#include "base/util.h"

#define SECOND 1000000000ull
enum { GRAIN = SECOND / 10 };
#define EVER (INT64_MAX / 8) /* 36 years: nobody waits for longer */

static uint64_t clamp(unsigned __int128 v)
{
	return v > EVER ? EVER : (uint64_t)v;
}

/* How long so much takes to leak. */
static uint64_t leak_ns(uint64_t amount, uint64_t rate)
{
	return clamp(((unsigned __int128)amount * SECOND + rate - 1) / rate);
}

static uint64_t depth_ns(const struct throttle_limits *l, unsigned int k)
{
	uint64_t seconds = MAX(l->seconds[k], 1);
	uint64_t ns = 0;

	if (l->burst[k] > l->rate[k])
		ns = clamp((unsigned __int128)(l->burst[k] - l->rate[k]) *
			   seconds * SECOND / l->rate[k]);
	return MAX(ns, (uint64_t)GRAIN);
}

static bool bursts(const struct throttle_limits *l, unsigned int k)
{
	return l->burst[k] > l->rate[k];
}

/* Both ways' and its own. */
static bool concerns(unsigned int k, bool write)
{
	switch (k) {
	case THROTTLE_READ_BYTES:
	case THROTTLE_READ_OPS:
		return !write;
	case THROTTLE_WRITE_BYTES:
	case THROTTLE_WRITE_OPS:
		return write;
	default:
		return true;
	}
}

static bool counts_bytes(unsigned int k)
{
	return k < THROTTLE_OPS;
}

bool throttle_limits_any(const struct throttle_limits *limits)
{
	for (unsigned int k = 0; k < THROTTLE_KINDS; k++)
		if (limits->rate[k])
			return true;
	return false;
}

/* Full, with a little that waits already. */
static uint64_t keep(uint64_t empty, uint64_t depth, uint64_t now)
{
	return MIN(empty, now + depth + GRAIN);
}

void throttle_set(struct throttle *t, const struct throttle_limits *limits,
		  uint64_t now)
{
	t->limits = *limits;
	for (unsigned int k = 0; k < THROTTLE_KINDS; k++) {
		if (!limits->rate[k])
			t->empty[k] = 0;
		else
			t->empty[k] = keep(t->empty[k], depth_ns(limits, k),
					   now);
		t->burst_empty[k] = bursts(limits, k) ?
					    keep(t->burst_empty[k], GRAIN,
						 now) :
					    0;
	}
}

uint64_t throttle_ready(const struct throttle *t, bool write, uint64_t now)
{
	const struct throttle_limits *l = &t->limits;
	uint64_t when = now;

	for (unsigned int k = 0; k < THROTTLE_KINDS; k++) {
		if (!l->rate[k] || !concerns(k, write))
			continue;
		if (t->empty[k] > when + depth_ns(l, k))
			when = t->empty[k] - depth_ns(l, k);
		if (bursts(l, k) && t->burst_empty[k] > when + GRAIN)
			when = t->burst_empty[k] - GRAIN;
	}
	return when;
}

static uint64_t amount_of(const struct throttle_limits *l, unsigned int k,
			  uint64_t bytes)
{
	if (counts_bytes(k))
		return bytes;
	if (!l->op_bytes || bytes <= l->op_bytes)
		return 1;
	return bytes / l->op_bytes + (bytes % l->op_bytes != 0);
}

static uint64_t pour(uint64_t empty, uint64_t amount, uint64_t rate,
		     uint64_t now)
{
	return MIN(MAX(empty, now) + leak_ns(amount, rate), now + EVER);
}

void throttle_charge(struct throttle *t, bool write, uint64_t bytes,
		     uint64_t now)
{
	const struct throttle_limits *l = &t->limits;

	for (unsigned int k = 0; k < THROTTLE_KINDS; k++) {
		uint64_t n = amount_of(l, k, bytes);

		if (!l->rate[k] || !concerns(k, write))
			continue;
		t->empty[k] = pour(t->empty[k], n, l->rate[k], now);
		if (bursts(l, k))
			t->burst_empty[k] = pour(t->burst_empty[k], n,
						 l->burst[k], now);
	}
}
