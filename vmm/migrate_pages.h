/*
 * vmm/migrate_pages.h -- pages on their way out, on one stream or several.
 *
 * With several, pages of one round go out in any order; a round ends with a
 * mark on each stream, and nothing of the next one is taken in before all of
 * them came.
 */
#ifndef VMM_MIGRATE_PAGES_H
#define VMM_MIGRATE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/migrate_wire.h"
#include "vmm/progress.h"

struct ram_block;
struct error;

bool migrate_is_zero(const uint8_t *page);

/* One stream's. */
struct page_sender {
	int fd;
	struct progress *p;
	const struct ram_block *block;
	struct ZSTD_CCtx_s *zstd; /* NULL: as they are */
	void *out, *copy;	  /* one record's pages */
};
void page_sender_init(struct page_sender *s, int fd, bool zstd,
		      const struct ram_block *block, struct progress *p);
void page_sender_finish(struct page_sender *s);
int page_sender_record(struct page_sender *s, const struct migrate_record *rec,
		       const void *data, struct error *err);
/* n: at most MIGRATE_PAGES_MAX. */
int page_sender_put(struct page_sender *s, unsigned int block, uint64_t page,
		    unsigned int n, struct error *err);

/* Further streams, with a thread each; the descriptors stay the caller's. */
struct page_pool;
struct page_pool *page_pool_create(const int *fds, unsigned int n, bool zstd,
				   const struct ram_block *block,
				   struct progress *p);
void page_pool_destroy(struct page_pool *pool);
/* Soon, on any of them. */
int page_pool_put(struct page_pool *pool, unsigned int block, uint64_t page,
		  unsigned int n, struct error *err);
/* All that was put has been sent, and a mark after it. */
int page_pool_mark(struct page_pool *pool, struct error *err);

#endif
