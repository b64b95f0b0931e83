/*
 * storage/format/format.h -- inside the block layer: what a format provides
 * and what the generic part keeps.
 */
#ifndef STORAGE_FORMAT_FORMAT_H
#define STORAGE_FORMAT_FORMAT_H

#include "storage/format/block.h"

enum block_direct { DIRECT_NO, DIRECT_YES, DIRECT_DONE };

struct block_bitmaps;

struct block_format {
	const char *name;

	/* Fills size and alignments; the descriptor stays the caller's. */
	int (*open)(struct block *blk, struct error *err);
	void (*close)(struct block *blk); /* NULL: nothing to do */

	/* Writes what only memory has; NULL: nothing is kept there. */
	int (*settle)(struct block *blk);

	/* NULL: it cannot.  Changes blk->size. */
	int (*resize)(struct block *blk, uint64_t size, struct error *err);

	/* Carries out one request, in range, on any thread. */
	int (*run)(struct block *blk, const struct block_req *req);

	/*
	 * Whether the request is one read, write or flush of blk->fd, which
	 * the kernel may do by itself: then req->host is where.  It may also
	 * be done already.  direct_done (or NULL) follows the first.
	 */
	enum block_direct (*direct)(struct block *blk, struct block_req *req);
	void (*direct_done)(struct block *blk, struct block_req *req);

	/* Each NULL where the format has nothing of the kind. */
	int (*create)(struct block *file, const struct block_create *c,
		      struct error *err);
	int (*preallocate)(struct block *blk, uint64_t offset,
			   uint64_t *ret_end); /* of the file */
	int (*verify)(struct block *blk, unsigned int fix,
		      struct block_verdict *ret, struct error *err);
	int (*write_compressed)(struct block *blk, const void *cluster,
				uint64_t offset);
	void (*info)(const struct block *blk, struct block_info *ret);
	int (*empty)(struct block *blk); /* what is behind it shows */
	int (*snapshot_list)(struct block *blk, struct block_snapshot **ret,
			     unsigned int *ret_n);
	int (*snapshot)(struct block *blk, enum block_snapshot_op op,
			const char *what, struct error *err);
	uint64_t (*measure_bitmaps)(const struct block_create *c,
				    struct block *from);
	/* What an image takes with all its data. */
	int (*measure)(const struct block_create *c, uint64_t *ret,
		       struct error *err);

	/*
	 * Dirty bitmaps that the image keeps: each NULL if it cannot.  The
	 * list changed, or bits other than by requests; no lock is held.
	 */
	int (*bitmaps_load)(struct block *blk, struct error *err);
	int (*bitmaps_allowed)(struct block *blk, struct error *err);
	void (*bitmaps_changed)(struct block *blk);

	/* What is at an offset, of this layer: no more than length. */
	int (*extent)(struct block *blk, uint64_t offset, uint64_t length,
		      struct block_extent *ret);
};

struct block {
	const struct block_format *format;
	struct block_options options;
	int fd;
	struct block *backing; /* shows where there is nothing; NULL: zeroes */
	uint64_t size; /* whole sectors */
	bool is_device;
	unsigned int io_align;	/* of offsets and lengths; 1: any */
	unsigned int mem_align; /* of buffers */
	unsigned int best_align;
	struct block_bitmaps *bitmaps; /* NULL: nobody marks any */
	void *priv; /* the format's */
};

/* NULL: there is none of that name. */
const struct block_format *block_find_format(const char *name);

/* Fills the same descriptor as bytes; its close is block_raw's. */
int block_open_file(struct block *blk, struct block *file, struct error *err);
/* Who only looks at an image needs no passphrase: its data is -ENOKEY. */
bool block_key_optional(const struct block *blk);

/* 0, -EROFS or -EINVAL. */
int block_check(const struct block *blk, const struct block_req *req);

extern const struct block_format block_luks, block_raw, block_qcow2, block_vdi, block_vhdx,
	block_vmdk, block_vpc;

#endif
