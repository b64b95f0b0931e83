/*
 * storage/format/block.h -- the block layer's interface: a disk image format
 * over a descriptor, asynchronous requests.
 *
 * A node is opened over a descriptor the caller hands in; nothing here opens
 * a path.  Requests complete through a callback on the thread that calls
 * block_poll(), whether io_uring or a pool of threads did the work.
 */
#ifndef STORAGE_FORMAT_BLOCK_H
#define STORAGE_FORMAT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/format/luks_header.h"

#define BLOCK_SECTOR 512

struct block;
struct error;

/* BLOCK_CALL: a function of the caller's, which waits in a thread of ours. */
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD,
		BLOCK_WRITE_ZEROES, BLOCK_CALL };

struct block_req {
	enum block_op op;
	uint64_t offset, length;  /* bytes; length also for the last two */
	const struct iovec *iov;  /* read and write: sums to length */
	unsigned int n_iov;
	bool unmap;		  /* write zeroes: may deallocate */
	void (*done)(struct block_req *req, int result); /* 0 or -errno */
	int (*call)(void *arg, int fd); /* BLOCK_CALL: 0 or -errno */
	void *arg;

	/* The queue's while the request is out. */
	struct block_queue *queue;
	struct block_req *next;
	int result;
	uint64_t host;	  /* where in the file it goes */
	unsigned int use; /* the format's */
};

struct block_options {
	bool readonly, direct, no_flush, discard, sync_writes;
	bool shared; /* others who say so may write it as well */
	bool unlocked; /* block_lock() is the caller's matter */
	bool inactive; /* another process writes it yet: block_activate() */
	bool repair; /* for block_verify(): whatever state it is in */
	bool alone; /* without what is behind it, which then reads as zeroes */
	const char *snapshot; /* as it was then, read-only; NULL: as it is */
	const void *key; /* a passphrase, which is copied; NULL: none */
	size_t key_len;
};

/* An image and what it is read with; the next shows where it has nothing. */
struct block_layer {
	const char *format; /* "raw", "qcow2": never guessed */
	int fd;
	const void *key; /* options' of the layer */
	size_t key_len;
	bool writable; /* one below the first: a job writes it, too */
};

enum { BLOCK_LAYERS_MAX = 200 };

/*
 * The first layer is the disk, the others are only read.  There must be as
 * many as the images name.  Takes the descriptors over on success.
 */
int block_open_chain(const struct block_layer *layers, unsigned int n,
		     const struct block_options *options,
		     struct block **ret_blk, struct error *err);
/*
 * What an image of that format is based on, from its header alone: NULL or
 * names, which are the caller's.  Nothing is opened.
 */
int block_backing(int fd, const char *format, char **ret_name,
		  char **ret_format, struct error *err);
/* How large a disk is, the same way. */
int block_capacity(int fd, const char *format, uint64_t *ret,
		   struct error *err);
/* A name in an image is relative to where the image is. */
char *block_backing_path(const char *image, const char *name);
/* For who asks to guess: "raw" is what nothing else is. */
const char *block_probe(int fd);
/* One layer. */
int block_open(const char *format, int fd, const struct block_options *options,
	       struct block **ret_blk, struct error *err);
/*
 * For who has only the descriptor: the lock that block_open() takes, which is
 * the open file's.
 */
int block_lock(int fd, bool readonly, struct error *err);
void block_unlock(int fd);
/* Makes an image so large, or takes note of how large a device is.  Not while
 * another thread submits. */
int block_resize(struct block *blk, uint64_t size, struct error *err);
/*
 * An image opened as inactive has a size and no more, until nobody else writes
 * it: then it is read anew.  Locks are the caller's.
 */
int block_activate(struct block *blk, struct error *err);
/* The file is as it would be after closing; no request may be outstanding. */
int block_settle(struct block *blk);
/* Which the disk is based on, so many layers below; NULL: it has fewer. */
struct block *block_below(struct block *blk, unsigned int depth);
void block_close(struct block *blk); /* no request may be outstanding */
uint64_t block_size(const struct block *blk);
/* Of the host's space, in bytes: taken, and where the image ends. */
struct block_space {
	uint64_t allocation, physical;
};
int block_space(const struct block *blk, struct block_space *ret);
bool block_readonly(const struct block *blk);
bool block_discards(const struct block *blk); /* discard reaches the image */
unsigned int block_align(const struct block *blk); /* what I/O goes best in */

/* A new image over what the descriptor has, for formats that have any. */
struct block_create {
	const char *format;
	uint64_t size;
	unsigned int version, cluster_bits, refcount_order; /* qcow2 */
	bool zstd, lazy;
	bool encrypt; /* qcow2, by LUKS */
	const void *key; /* of LUKS's: the passphrase */
	size_t key_len;
	struct luks_create luks;
	const char *backing, *backing_format; /* NULL: none */
	enum block_preallocation { PREALLOCATE_OFF, PREALLOCATE_METADATA,
				   PREALLOCATE_FALLOC, PREALLOCATE_FULL }
		preallocation;
};
int block_create(int fd, const struct block_create *c, struct error *err);
/* From an offset on, after block_resize(). */
int block_preallocate(struct block *blk, uint64_t offset,
		      enum block_preallocation how, struct error *err);

/* Is the image sound? */
struct block_verdict {
	uint64_t errors; /* could not be checked */
	uint64_t corruptions, leaks, corruptions_fixed, leaks_fixed;
	uint64_t total, allocated, fragmented, compressed; /* clusters */
	uint64_t end; /* of what is used */
};
enum { BLOCK_FIX_LEAKS = 1, BLOCK_FIX_ALL = 3 };
int block_verify(struct block *blk, unsigned int fix,
		 struct block_verdict *ret, struct error *err);

/* Forgets all that is in the first layer: what is behind it shows. */
int block_empty(struct block *blk);

/* What an image keeps of itself, inside. */
struct block_snapshot {
	const char *id, *name;
	uint32_t date_sec, date_nsec;
	uint64_t clock_nsec, state_size;
	uint64_t icount; /* UINT64_MAX: not known */
	uint64_t size; /* the disk's */
};
/* The list is the caller's; a format without any has none. */
int block_snapshots(struct block *blk, struct block_snapshot **ret,
		    unsigned int *ret_n, struct error *err);
void block_snapshots_free(struct block_snapshot *list, unsigned int n);

enum block_snapshot_op { BLOCK_SNAPSHOT_CREATE, BLOCK_SNAPSHOT_DELETE,
			 BLOCK_SNAPSHOT_APPLY };
/* what: its name; an ID too for one that exists.  No request may be out. */
int block_snapshot(struct block *blk, enum block_snapshot_op op,
		   const char *what, struct error *err);

/* How much of the host's space a new image would take, in bytes. */
struct block_measure {
	uint64_t required, full; /* as it is copied; if all were data */
	bool bitmaps; /* it could have such */
	uint64_t bitmap_bytes; /* what from's would take more */
};
/* from: what would go into it, or NULL. */
int block_measure(const struct block_create *c, struct block *from,
		  struct block_measure *ret, struct error *err);

/* A whole cluster at its place, the disk's last one filled up. */
int block_write_compressed(struct block *blk, const void *cluster,
			   uint64_t offset);

/* What an image says of itself; strings are the block's, NULL: none. */
struct block_info {
	const char *format, *backing, *backing_format;
	uint64_t cluster_size; /* 0: it has none */
	unsigned int version, refcount_bits;
	bool dirty, corrupt, lazy, extended_l2, zstd, encrypted;
};
void block_info(const struct block *blk, struct block_info *ret);

/* What is at a place, for who copies or shows it. */
struct block_extent {
	uint64_t length;
	bool present;	 /* in one of the layers */
	bool zero;	 /* reads as zeroes */
	bool compressed;
	bool has_host;	 /* host: where in that layer's file */
	uint64_t host;
	unsigned int depth; /* the layer; 0: the disk's own */
};
int block_extent(struct block *blk, uint64_t offset, uint64_t length,
		 struct block_extent *ret);

/*
 * What the first layer of top has itself goes into base, which is what top is
 * based on, opened anew for writing.
 */
int block_merge(struct block *top, struct block *base, struct error *err);
/* A piece of one into the other; zero: of zeroes; buffer: as long as it. */
int block_copy(struct block *from, struct block *to, uint64_t offset,
	       uint64_t length, bool zero, void *buffer);
/* A closed image's header names another one, or none (NULL). */
int block_set_backing(int fd, const char *name, const char *format,
		      struct error *err);

/* Runs one request on the calling thread: 0 or -errno; done is not called. */
int block_run(struct block *blk, const struct block_req *req);

/*
 * A queue is a submission context of one thread (a virtqueue's I/O thread).
 * block_submit() checks the range and queues; block_kick() sends what is
 * queued to the kernel; when the descriptor block_queue_fd() is readable,
 * block_poll() runs the callbacks, and block_reap() does when
 * block_queue_ring() is (-1: there is none), or right after block_kick() for
 * what is done already.
 */
struct block_queue;
int block_queue_create(struct block *blk, unsigned int depth,
		       struct block_queue **ret_q, struct error *err);
void block_queue_destroy(struct block_queue *q); /* waits for completions */
/* Nothing is out: what is submitted from now on goes to another block. */
int block_queue_turn(struct block_queue *q, struct block *blk);
int block_submit(struct block_queue *q, struct block_req *req);
int block_kick(struct block_queue *q);
int block_queue_fd(const struct block_queue *q);
int block_queue_ring(const struct block_queue *q);
void block_reap(struct block_queue *q);
void block_poll(struct block_queue *q);

#endif
