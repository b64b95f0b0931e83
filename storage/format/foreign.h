/*
 * storage/format/foreign.h -- inside the formats of others that are only
 * read: each says where a place of the disk is in the file, the rest is the
 * same for all.
 *
 * Tables stay in the file: an entry is read when it is asked for, so there is
 * none that could be too large.
 */
#ifndef STORAGE_FORMAT_FOREIGN_H
#define STORAGE_FORMAT_FOREIGN_H

#include "base/util.h"
#include "storage/format/format.h"

struct foreign_place {
	enum { FOREIGN_ZERO, FOREIGN_DATA, FOREIGN_PACKED } where;
	uint64_t host; /* of the first byte; packed: of its block */
	uint64_t len;
};

struct foreign {
	struct block file; /* the same descriptor, as bytes */
	uint64_t file_size;

	/* The format's, filled by its open(). */
	uint64_t unit; /* bytes of the disk that are in one place */
	uint64_t table, data, step;
	/* From offset to the end of its unit. */
	int (*place)(struct foreign *f, uint64_t offset,
		     struct foreign_place *ret);
	/* A whole unit; NULL: there are none. */
	int (*unpack)(struct foreign *f, uint64_t host, uint8_t *unit);
};

enum { FOREIGN_UNIT_MAX = 256 * 1024 * 1024,
       FOREIGN_PACKED_MAX = 4 * 1024 * 1024 };

/* Takes the file for blk->priv; foreign_close() also after a failure. */
int foreign_open(struct block *blk, struct foreign **ret, struct error *err);
void foreign_close(struct block *blk);
/* What is behind the file's end is an error: nothing has a table there. */
int foreign_read(struct foreign *f, void *buf, size_t len, uint64_t offset);
int foreign_bad(struct error *err, const char *what);
/* Size and unit are within what can be. */
int foreign_check(const struct foreign *f, uint64_t size, struct error *err);

int foreign_run(struct block *blk, const struct block_req *req);
int foreign_extent(struct block *blk, uint64_t offset, uint64_t length,
		   struct block_extent *ret);
enum block_direct foreign_direct(struct block *blk, struct block_req *req);
void foreign_info(const struct block *blk, struct block_info *ret);

#define FOREIGN_FORMAT(format, called, opens) \
	const struct block_format format = {  \
		.name = called,               \
		.open = opens,                \
		.close = foreign_close,       \
		.run = foreign_run,           \
		.extent = foreign_extent,     \
		.direct = foreign_direct,     \
		.info = foreign_info,         \
	}

#endif
