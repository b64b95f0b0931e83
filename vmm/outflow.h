/*
 * vmm/outflow.h -- bytes that go to a descriptor as it takes them.
 */
#ifndef VMM_OUTFLOW_H
#define VMM_OUTFLOW_H

#include <stddef.h>

struct loop;

/*
 * Takes over fd (a pipe or socket) and data; both are let go when all is
 * written or nobody reads any more.  The loop's thread.
 */
void outflow_start(struct loop *loop, int fd, char *data, size_t len);

#endif
