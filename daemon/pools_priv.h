/*
 * daemon/pools_priv.h -- the pools' inside.
 *
 * Theory of operation.  As with domains (registry.h), a pool has a job, held by
 * one call at a time for as long as the call works on it, and all pools of a
 * registry share one lock, held for moments.  What is shown of a pool is
 * changed with both held, so either suffices to read.
 *
 * Copying, wiping and streams last long and do not hold the job: they mark the
 * volume as in use, and its pool as having transfers.  Such a volume is not
 * removed or resized, such a pool not stopped or refreshed.
 */
#ifndef DAEMON_POOLS_PRIV_H
#define DAEMON_POOLS_PRIV_H

#include <pthread.h>

#include "base/error.h"
#include "daemon/pools.h"
#include "daemon/registry.h"
#include "storage/pool/pool.h"

struct pools {
	struct registry *reg;
	const struct pool_host *host;

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t changed;
	struct pool_obj *first;
	unsigned int transfers; /* of all pools */
};

struct vol_use {
	struct vol_use *next;
	char *name;
};

struct pool_obj {
	struct pool_obj *next;
	struct pools *pools;
	unsigned int refs;
	bool listed, busy;
	struct pool_def *def;
	struct pool_def *new_def; /* for the next start, or NULL */
	bool active, persistent, autostart;
	struct vol_list vols;
	struct vol_use *in_use;
};

/* ---- pools.c ---- */
int pool_gone(const uint8_t uuid[UUID_LEN], struct error *err);
int pool_name_gone(const char *name, struct error *err);
struct pool_obj *pool_find_locked(struct pools *pools,
				  const uint8_t uuid[UUID_LEN]);
struct pool_obj *pool_find_name_locked(struct pools *pools, const char *name);
/* With the lock held, until pool_looked(). */
int pool_look(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      struct pool_obj **ret_pool, struct error *err);
int pool_look_name(struct registry *reg, const char *name,
		   struct pool_obj **ret_pool, struct error *err);
void pool_looked(struct pool_obj *pool);
/* With its job held, until pool_end(). */
int pool_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
	       struct pool_obj **ret_pool, struct error *err);
int pool_begin_name(struct registry *reg, const char *name,
		    struct pool_obj **ret_pool, struct error *err);
void pool_end(struct pool_obj *pool);
void pool_remove(struct pool_obj *pool); /* the job held */
const struct pool_backend *pool_kind(const struct pool_obj *pool);
/* An op of the backend that is not there. */
int pool_lacks(const struct pool_obj *pool, const char *what,
	       struct error *err);
int pool_check_active(const struct pool_obj *pool, struct error *err);
int pool_check_idle(const struct pool_obj *pool, struct error *err);
int pool_record(const struct pool_obj *pool, struct error *err);
void pool_notify(struct pool_obj *pool, int kind, int event);

/* ---- pool_ops.c: the job held ---- */
int pool_start(struct pool_obj *pool, unsigned int flags, struct error *err);
int pool_refresh(struct pool_obj *pool, struct error *err);

/* ---- volumes.c ---- */
/* Marks a volume as used by what lasts, and opens it; until vol_unuse(). */
struct vol_open {
	struct pool_obj *pool;
	struct vol_def *vol; /* a copy */
	struct vol_use use;
	int fd;
};
int vol_use(struct registry *reg, const struct vol_name *name, bool readonly,
	    struct vol_open *ret_open, struct error *err);
void vol_unuse(struct vol_open *open);
/* Its sizes, after something was done to it. */
void vol_look_again(struct registry *reg, const struct vol_name *name);

/* What a client has written into it says of which format it is now. */
void vol_uploaded(struct registry *reg, const struct vol_name *name, int fd);

/* ---- vol_image.c ---- */
void vol_image_register(void);

/* ---- vol_data.c ---- */
/* All of one to the beginning of the other; shares what can be shared. */
int data_copy(int from, int to, uint64_t len, bool reflink_only,
	      struct error *err);
int data_wipe(int fd, uint64_t len, unsigned int algorithm,
	      struct error *err);

#endif
