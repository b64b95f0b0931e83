/*
 * tests/bench/kit/kernels.c -- the workloads that are a few lines of C.
 *
 * The program is linked under each workload's name.  Each does a fixed amount
 * of work, about a quarter of a second outside of a guest, and prints a result
 * that depends on all of it.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void *allocate(size_t size)
{
	void *p = aligned_alloc(4096, size);

	if (!p)
		exit(1);
	return p;
}

/* ---- whole numbers ---- */

static void sieve(void)
{
	enum { LIMIT = 1 << 22, ROUNDS = 10 };
	char *composite = allocate(LIMIT);
	unsigned int primes = 0;

	for (int round = 0; round < ROUNDS; round++) {
		memset(composite, 0, LIMIT);
		for (size_t i = 2; i < LIMIT; i++) {
			primes += !composite[i];
			for (size_t j = i * i; !composite[i] && j < LIMIT; j += i)
				composite[j] = 1;
		}
	}
	printf("%u\n", primes);
}

/* Queens on a board of 11: calls, returns and little else. */
static unsigned int queens(unsigned int row, unsigned int left,
	unsigned int right)
{
	enum { BOARD = (1 << 11) - 1 };
	unsigned int found = 0;

	if (row == BOARD)
		return 1;
	for (unsigned int free = BOARD & ~(row | left | right); free;
		free &= free - 1) {
		unsigned int bit = free & -free;

		found += queens(row | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return found;
}

static void calls(void)
{
	unsigned int n = 0;

	for (int i = 0; i < 150; i++)
		n += queens(0, 0, 0);
	printf("%u\n", n);
}

/* A stack machine: one indirect jump for each of its instructions. */
static void dispatch(void)
{
	enum { PUSH, ADD, XOR, DUP, SWAP, MUL, DROP, ROT, OPS, CODE = 1024 };
	uint64_t stack[4] = { 1, 2, 3, 4 };
	uint8_t code[CODE];

	for (size_t i = 0; i < CODE; i++)
		code[i] = (uint8_t)(next() % OPS);
	for (unsigned int i = 0; i < 40000000; i++) {
		uint64_t top = stack[0];

		switch (code[i % CODE]) {
		case PUSH: stack[0] = i; stack[1] = top; break;
		case ADD: stack[0] += stack[1]; break;
		case XOR: stack[0] ^= stack[2]; break;
		case DUP: stack[3] = top; break;
		case SWAP: stack[0] = stack[1]; stack[1] = top; break;
		case MUL: stack[0] *= stack[3] | 1; break;
		case DROP: stack[0] = stack[1]; stack[1] = stack[2]; break;
		case ROT: stack[0] = top << 9 | top >> 55; break;
		}
	}
	printf("%llx\n", (unsigned long long)(stack[0] ^ stack[1]));
}

/* ---- floating point ---- */

static void mandelbrot(void)
{
	enum { SIZE = 400, LIMIT = 2000 };
	unsigned int sum = 0;

	for (int i = 0; i < SIZE * SIZE; i++) {
		double a = 3.0 * (i % SIZE) / SIZE - 2, x = 0;
		double b = 2.0 * (double)(i / SIZE) / SIZE - 1, y = 0;

		for (int n = 0; n < LIMIT && x * x + y * y < 4; n++, sum++) {
			double t = x * x - y * y + a;

			y = 2 * x * y + b;
			x = t;
		}
	}
	printf("%u\n", sum);
}

enum { MATRIX = 192 };

/* The compiler makes vectors of this, of the width that the name says. */
#define MATRIX_PRODUCT(name, attribute) \
	attribute static void name(void) \
	{ \
		static float a[MATRIX][MATRIX], b[MATRIX][MATRIX]; \
		static float c[MATRIX][MATRIX]; \
		for (int i = 0; i < MATRIX * MATRIX; i++) { \
			a[i / MATRIX][i % MATRIX] = (float)(next() % 64); \
			b[i / MATRIX][i % MATRIX] = (float)(next() % 64); \
		} \
		for (int i = 0; i < MATRIX * 240; i++) \
			for (int k = 0; k < MATRIX; k++) \
				for (int j = 0; j < MATRIX; j++) \
					c[i % MATRIX][j] += \
						a[i % MATRIX][k] * b[k][j]; \
		printf("%a\n", (double)c[7][9]); \
	}
MATRIX_PRODUCT(matrix_sse2, )
MATRIX_PRODUCT(matrix_avx2, __attribute__((target("avx2,fma"))))

static void x87(void)
{
	long double sum = 0, x = 0.5L;

	for (unsigned int i = 1; i < 30000000; i++) {
		x = 3.75L * x * (1 - x);
		sum += sqrtl(x) / i;
	}
	printf("%La\n", sum);
}

/* ---- memory ---- */

static void copy(void)
{
	enum { SIZE = 1 << 20 };
	char *from = allocate(SIZE), *to = allocate(SIZE);
	unsigned int sum = 0;

	memset(from, 1, SIZE);
	for (unsigned int i = 0; i < 4000; i++) {
		size_t len = 64 + next() % (SIZE / 2);

		memcpy(to + i % 64, from + i % 31, len);
		memset(from + i % 128, (int)i, len / 16);
		sum += (unsigned char)to[len / 2];
	}
	printf("%u\n", sum);
}

/* Each load's address comes from the one before; over many pages. */
static void chase(void)
{
	enum { SLOTS = 1 << 20 };
	uint32_t *slots = allocate(SLOTS * sizeof(*slots)), at = 0;

	for (uint32_t i = 0; i < SLOTS; i++)
		slots[i] = i;
	for (uint32_t i = SLOTS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next() % i), t = slots[i];

		slots[i] = slots[j];
		slots[j] = t;
	}
	for (int i = 0; i < 12000000; i++)
		at = slots[at];
	printf("%u\n", at);
}

/* ---- the kernel ---- */

static void calls_kernel(void)
{
	struct stat st;
	unsigned int ok = 0;

	for (int i = 0; i < 300000; i++) {
		ok += getppid() >= 0;
		ok += fstat(0, &st) == 0;
	}
	printf("%u\n", ok);
}

static void processes(void)
{
	unsigned int ok = 0;

	for (int i = 0; i < 600; i++) {
		pid_t pid = fork();
		int status = 1;

		if (pid == 0)
			_exit(0);
		ok += waitpid(pid, &status, 0) == pid && status == 0;
	}
	printf("%u\n", ok);
}

static void page_faults(void)
{
	enum { SIZE = 4 << 20 };
	unsigned int sum = 0;

	for (int i = 0; i < 120; i++) {
		char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			exit(1);
		for (size_t at = 0; at < SIZE; at += 4096)
			sum += (unsigned int)(p[at]++ + 1);
		munmap(p, SIZE);
	}
	printf("%u\n", sum);
}

/* Two processes and two pipes: a context switch for each byte. */
static void switches(void)
{
	int to[2], from[2];
	unsigned int sum = 0;
	unsigned char c = 1;
	pid_t pid;

	if (pipe(to) || pipe(from) || (pid = fork()) < 0)
		exit(1);
	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &c, 1) == 1 && write(from[1], &c, 1) == 1)
			;
		_exit(0);
	}
	for (int i = 0; i < 40000; i++) {
		c = (unsigned char)i;
		if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
			exit(1);
		sum += c;
	}
	close(to[1]);
	waitpid(pid, NULL, 0);
	printf("%u\n", sum);
}

/* Text with words that repeat: for gzip, sort and awk. */
static void text(void)
{
	static const char *const words[] = { "of", "guest", "host", "page",
		"fault", "the", "interrupt", "a", "block", "register", "is" };

	for (int i = 0; i < 400000; i++)
		printf("%s%s%llu%s", words[next() % ARRAY_SIZE(words)],
			next() % 3 ? " " : "-", (unsigned long long)next() % 5000,
			next() % 8 ? " " : "\n");
	putchar('\n');
}

static const struct {
	const char *name;
	void (*run)(void);
} kernels[] = {
	{ "sieve", sieve },
	{ "calls", calls },
	{ "dispatch", dispatch },
	{ "mandelbrot", mandelbrot },
	{ "matrix-sse2", matrix_sse2 },
	{ "matrix-avx2", matrix_avx2 },
	{ "x87", x87 },
	{ "copy", copy },
	{ "chase", chase },
	{ "syscalls", calls_kernel },
	{ "processes", processes },
	{ "page-faults", page_faults },
	{ "switches", switches },
	{ "text", text },
};

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	for (size_t i = 0; name && i < ARRAY_SIZE(kernels); i++)
		if (strcmp(kernels[i].name, name + 1) == 0) {
			kernels[i].run();
			return 0;
		}
	return 1;
}
