/*
 * base/util.h -- the few macros and clean-up helpers that every file uses.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* C23's checked arithmetic: true when the result does not fit. */
#define ckd_add(r, a, b) __builtin_add_overflow(a, b, r)
#define ckd_sub(r, a, b) __builtin_sub_overflow(a, b, r)
#define ckd_mul(r, a, b) __builtin_mul_overflow(a, b, r)

/* Hands over what a _cleanup_ variable owns. */
#define steal_ptr(p) \
	({ \
		__typeof__(*(p)) stolen_ = *(p); \
		*(p) = NULL; \
		stolen_; \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Closes a descriptor if there is one; keeps errno; returns -1. */
int fd_close(int fd);

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	fd_close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* Allocation that cannot fail: on exhaustion the process aborts. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);	  /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_startswith(const char *s, const char *prefix);

/*
 * Reads a whole number in the given base, no sign, no trailing text.
 * Returns 0, -EINVAL or -ERANGE (above max).
 */
int parse_u64(const char *s, int base, uint64_t max, uint64_t *ret);

/* Whole-buffer I/O that resumes after EINTR and short counts: 0 or -errno. */
int read_full(int fd, void *buf, size_t len); /* -ENODATA at end of file */
int write_full(int fd, const void *buf, size_t len);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
/* Has a timerfd fire once at that time of its clock (ns); 0: never. */
void timerfd_arm(int fd, uint64_t when);

#endif
