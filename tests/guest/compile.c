/*
 * tests/guest/compile.c -- compiled and run in the guest by
 * tests/guest/stress.sh, and outside: both must print the same.
 *
 * Whole-number, floating, string and thread work whose results depend on
 * nothing but the program.
 */
#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 4096, THREADS = 4, ROUNDS = 2000 };

struct number {
	uint64_t value;
	char text[24];
};

static struct number numbers[NUMBERS];
static atomic_uint turn, total;

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct number *)a)->text,
		((const struct number *)b)->text);
}

static void sort_numbers(void)
{
	uint64_t seed = 88172645463325252u, sum = 0;

	for (size_t i = 0; i < NUMBERS; i++) {
		numbers[i].value = next(&seed) >> (i % 60);
		snprintf(numbers[i].text, sizeof(numbers[i].text), "%llu",
			(unsigned long long)numbers[i].value);
	}
	qsort(numbers, NUMBERS, sizeof(*numbers), by_text);
	for (size_t i = 0; i < NUMBERS; i++)
		sum = sum * 31 + strtoull(numbers[i].text, NULL, 10);
	printf("sort %s %s %016llx\n", numbers[0].text,
		numbers[NUMBERS - 1].text, (unsigned long long)sum);
}

static void divide_numbers(void)
{
	uint64_t sum = 0;
	unsigned __int128 wide = 1;

	for (size_t i = 1; i < NUMBERS; i++) {
		uint64_t d = numbers[i].value | 1;

		wide = wide * numbers[i - 1].value + i;
		sum += (uint64_t)(wide % d) ^ (uint64_t)(wide / d);
		sum = sum << 7 | sum >> 57;
		sum += __builtin_popcountll(d) + __builtin_clzll(d);
		sum ^= (uint64_t)((int64_t)numbers[i].value / (int32_t)(i * 7));
	}
	printf("divide %016llx\n", (unsigned long long)sum);
}

/* The real parts of a transform of a saw tooth, in all three formats. */
static void transform(void)
{
	double complex d = 0;
	float complex f = 0;
	long double l = 0;

	for (int k = 1; k <= 512; k++) {
		d += cexp(I * k * 0.01) / k;
		f += cexpf(I * (float)k * 0.01f) / (float)k;
		l += sinl(k * 0.01L) / k;
	}
	printf("transform %.12f %.4f %.15Lf %a\n", creal(d), crealf(f), l,
		sqrt(cabs(d)));
}

/* Each thread takes its turn, and all of them race on one counter. */
static void *thread(void *arg)
{
	unsigned int me = *(unsigned int *)arg;

	for (unsigned int i = 0; i < ROUNDS; i++)
		atomic_fetch_add(&total, me + 1);
	while (atomic_load(&turn) != me)
		sched_yield();
	printf("thread %u\n", me);
	atomic_store(&turn, me + 1);
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[THREADS];
	unsigned int id[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		id[i] = i;
		if (pthread_create(&threads[i], NULL, thread, &id[i]))
			exit(1);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("total %u\n", atomic_load(&total));
}

int main(void)
{
	sort_numbers();
	divide_numbers();
	transform();
	run_threads();
	return 0;
}
