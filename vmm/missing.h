/*
 * vmm/missing.h -- pages of guest memory that are not here yet: whoever
 * touches one waits until it has come (userfaultfd(2)).
 *
 * Only the kernel sees all who touch memory: vCPUs, devices' threads, system
 * calls, KVM, vhost.  So it has to be a descriptor that reports faults of the
 * kernel's, too, which needs a privilege: /dev/userfaultfd (Linux 6.1) has it,
 * handed over open.
 */
#ifndef VMM_MISSING_H
#define VMM_MISSING_H

#include <stdbool.h>
#include <stdint.h>

struct missing;
struct ram;
struct error;

/* Before the sandbox.  device: /dev/userfaultfd, or -1. */
int missing_open(int device, int *ret_fd, struct error *err);

/*
 * Takes fd over.  At first nothing is missing.  missing_add(): the pages of a
 * bitmap, from a page of the block on; missing_begin(): they are dropped, and
 * from now on waited for.
 */
int missing_create(int fd, struct ram *ram, struct missing **ret_missing,
		   struct error *err);
void missing_destroy(struct missing *ms);
int missing_add(struct missing *ms, unsigned int block, uint64_t first,
		const uint8_t *bits, uint64_t n, struct error *err);
int missing_begin(struct missing *ms, struct error *err);

/* How many are; and the bitmap of those of a block, by words. */
uint64_t missing_count(const struct missing *ms);
uint64_t missing_words(const struct missing *ms, unsigned int block);
uint64_t missing_word(const struct missing *ms, unsigned int block,
		      uint64_t word);

/*
 * These have come: n pages at data, NULL: of zeros.  Those that were not
 * missing stay as they are.  One thread.
 */
int missing_fill(struct missing *ms, unsigned int block, uint64_t page,
		 unsigned int n, const uint8_t *data, struct error *err);

/*
 * Somebody's touch: the next page that is waited for, on a thread that waits
 * for nothing else.  1: one, 0: none before stop_fd became readable.
 */
int missing_wait(struct missing *ms, int stop_fd, unsigned int *ret_block,
		 uint64_t *ret_page);
/* Pages that were asked for and have not come: fn() for each. */
void missing_asked(struct missing *ms,
		   void (*fn)(void *arg, unsigned int block, uint64_t page),
		   void *arg);

#endif
