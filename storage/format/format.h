/*
 * storage/format/format.h -- inside the block layer: what a format provides
 * and what the generic part keeps.
 */
#ifndef STORAGE_FORMAT_FORMAT_H
#define STORAGE_FORMAT_FORMAT_H

#include "storage/format/block.h"

struct block_format {
	const char *name;

	/* Fills size and alignments; the descriptor stays the caller's. */
	int (*open)(struct block *blk, struct error *err);
	void (*close)(struct block *blk); /* NULL: nothing to do */

	/* NULL: it cannot.  Changes blk->size. */
	int (*resize)(struct block *blk, uint64_t size, struct error *err);

	/* Carries out one request, in range, on any thread. */
	int (*run)(struct block *blk, const struct block_req *req);

	/*
	 * True when the request is one read, write or flush of blk->fd at
	 * the same offset, which the kernel may do by itself.
	 */
	bool (*direct)(const struct block *blk, const struct block_req *req);
};

struct block {
	const struct block_format *format;
	struct block_options options;
	int fd;
	uint64_t size; /* whole sectors */
	bool is_device;
	unsigned int io_align;	/* of offsets and lengths; 1: any */
	unsigned int mem_align; /* of buffers */
	unsigned int best_align;
	void *priv; /* the format's */
};

/* 0, -EROFS or -EINVAL. */
int block_check(const struct block *blk, const struct block_req *req);

extern const struct block_format block_raw;

#endif
