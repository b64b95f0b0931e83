/*
 * vmm/peek.h -- guest memory, for who looks at it from outside.
 */
#ifndef VMM_PEEK_H
#define VMM_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct error;

/*
 * Main thread: writes len bytes to fd.  linear: at is an address as the first
 * vCPU sees it just now, else a physical one.
 */
int peek_memory(struct machine *m, uint64_t at, size_t len, bool linear,
		int fd, struct error *err);

#endif
