/*
 * tests/fuzz/random.h -- numbers at random (xorshift64): the same run for the
 * same seed everywhere.
 */
#ifndef TESTS_FUZZ_RANDOM_H
#define TESTS_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t random_state = 88172645463325252ull;

/* From then on what follows this seed, which is not 0. */
static inline void random_from(uint64_t seed)
{
	random_state = seed;
}

/* The seed is argument n, if it is there. */
static inline void random_arg(int argc, char **argv, int n)
{
	uint64_t seed = argc > n ? strtoull(argv[n], NULL, 0) : 0;

	if (seed)
		random_from(seed);
}

static inline uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static inline uint64_t below(uint64_t n)
{
	return rnd() % n;
}

static inline bool chance(unsigned int percent)
{
	return below(100) < percent;
}

#endif
