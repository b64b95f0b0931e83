/*
 * vmm/ram_priv.h -- what ram.c and ram_hot.c keep to themselves.
 */
#ifndef VMM_RAM_PRIV_H
#define VMM_RAM_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/ram.h"

#define RAM_REGIONS_MAX 2

enum { RAM_BLOCKS_MAX = 64, RAM_LISTENERS_MAX = 128 };

struct ram_file {
	uint8_t *host;
	uint64_t len;
};

struct ram_log_map {
	_Atomic uint64_t *now; /* since the last look */
	uint64_t *before;      /* in the round before that */
};

/* Memory that comes and goes, and of which maybe only some can be used. */
struct ram_piece {
	struct ram_region region;
	char name[32];
	uint64_t page_size;	   /* of the host's huge pages, or 0 */
	unsigned int shift;	   /* of a block's size */
	uint64_t n;		   /* blocks */
	bool settled;		   /* listeners know of it */
	_Atomic uint64_t *usable; /* a bit a block; NULL: all are */
};

struct ram {
	uint64_t size;
	unsigned int n;
	struct ram_region hidden; /* from devices */
	struct ram_region region[RAM_REGIONS_MAX];
	unsigned int n_blocks;
	struct ram_block block[RAM_BLOCKS_MAX];
	struct ram_options options;
	bool settled; /* locked or allocated, as they say */

	/* Where pieces can be: addresses are reserved once and for all. */
	uint64_t hot_gpa, hot_size;
	uint8_t *hot_host;
	pthread_rwlock_t hot_lock; /* the pieces: changed on one thread */
	unsigned int n_pieces;
	struct ram_piece *piece[RAM_PIECES_MAX];
	unsigned int n_listeners;
	struct {
		const struct ram_listener *ops;
		void *arg;
	} listener[RAM_LISTENERS_MAX];
	atomic_uint pins, freezes;

	atomic_bool logging;
	struct ram_log_map log[RAM_BLOCKS_MAX];
	unsigned int n_sources;
	struct {
		const struct ram_log_source *ops;
		void *arg;
	} *source;

	/* What is mapped from a file. */
	unsigned int n_files;
	struct ram_file *file;
	bool keep_shared;
	atomic_bool partial;
	bool owning;
	pthread_t owner;
	atomic_bool stop;
};

void ram_remove_block(struct ram *ram, const void *host);
/* A memfd of that size as the options say; -1: private; or -errno. */
int ram_make_file(uint64_t size, uint64_t page_size);
/* What the host is told of the memory there. */
void ram_advise(void *p, uint64_t size, const struct ram_options *o);
/* All of it is there, and stays if it is to be locked. */
int ram_allocate(const struct ram_region *r);
int ram_no_memory(uint64_t size, uint64_t page_size, struct error *err);

/* ram_hot.c's side of the gate. */
uint8_t *ram_hot_find(const struct ram *ram, uint64_t gpa, uint64_t len);
int ram_hot_fd(const struct ram *ram, const void *host, uint64_t *ret_offset);
void ram_hot_finish(struct ram *ram);

#endif
