/*
 * vmm/migrate_wire.h -- what is on the stream of a migration: a header with
 * the names and sizes of all memory, records, and one answer.  Numbers are
 * little-endian.  Further streams have records of pages and marks only; the
 * last one is the pages' that follow the guest (post-copy), if there is any.
 */
#ifndef VMM_MIGRATE_WIRE_H
#define VMM_MIGRATE_WIRE_H

#include <stdint.h>

enum {
	MIGRATE_VERSION = 3,
	MIGRATE_PAGE = 4096,
	MIGRATE_PAGES_MAX = 64, /* of one record */
	MIGRATE_BLOCKS_MAX = 16,
	MIGRATE_STATE_MAX = 64 << 20,
	MIGRATE_NAME_LEN = 32,
	MIGRATE_MISSING_MAX = 1 << 15, /* bytes of one bitmap */
};
#define MIGRATE_MAGIC "VireoGo"

struct migrate_block {
	char name[MIGRATE_NAME_LEN];
	uint64_t size;
};

struct migrate_header {
	char magic[8];
	uint32_t version, n_blocks;
	uint32_t n_streams, unused; /* this one counts */
	struct migrate_block block[MIGRATE_BLOCKS_MAX];
};

enum migrate_type {
	MIGRATE_RAW = 1, /* pages as they are */
	MIGRATE_ZSTD,	 /* pages, compressed to len bytes */
	MIGRATE_ZERO,	 /* pages of zeros: nothing follows */
	MIGRATE_STATE,	 /* len bytes of vmm/state.h's; the last record */
	MIGRATE_MARK,	 /* of several streams: a round ends here */
	/* len bytes: a bitmap of pages that follow the guest. */
	MIGRATE_MISSING,
	MIGRATE_END, /* of what followed it */
};

struct migrate_record {
	uint32_t type, block;
	uint64_t at; /* in the block, bytes */
	uint32_t pages, len;
};

/*
 * Post-copy has a stream of its own.  The source sends pages, then END; the
 * destination says what it wants.  A stream that takes the place of a broken
 * one begins with the destination's MISSING, for all memory, and a MARK.
 */
enum migrate_want_type {
	WANT_PAGE = 1,
	WANT_NOTHING, /* all is here */
};

struct migrate_want {
	uint32_t type, block;
	uint64_t at;
};

struct migrate_answer {
	char magic[8];
	uint32_t ok, unused;
	char text[240]; /* why not */
};

#endif
