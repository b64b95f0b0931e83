/*
 * storage/pool/pool.h -- the interface to the kinds of pools.
 *
 * One const struct of operations for each, in a file of that name.  NULL means
 * "not supported" and is answered in one place.  The daemon keeps the pools,
 * calls only one operation of a pool at a time, and holds the definitions.
 */
#ifndef STORAGE_POOL_POOL_H
#define STORAGE_POOL_POOL_H

#include "model/pool.h"
#include "storage/pool/host.h"

/* The volumes of a pool, as a refresh finds them. */
struct vol_list {
	struct vol_def **vols;
	unsigned int n, size;
};
void vol_list_add(struct vol_list *list, struct vol_def *vol); /* takes it */
void vol_list_free(struct vol_list *list);
struct vol_def *vol_list_find(const struct vol_list *list, const char *name);

struct source_list {
	struct pool_source *sources;
	unsigned int n;
};
/* A new one, empty. */
struct pool_source *source_list_add(struct source_list *list);
void source_list_free(struct source_list *list);

struct pool_backend {
	enum pool_type type;
	enum pool_tool needs; /* POOL_TOOLS: nothing */
	/* Whether two of them would be one and the same. */
	bool (*same_source)(const struct pool_def *a, const struct pool_def *b);
	/* Whether it is there without being started; NULL: never. */
	bool (*is_active)(const struct pool_host *host,
			  const struct pool_def *def);
	int (*start)(const struct pool_host *host, const struct pool_def *def,
		     struct error *err); /* NULL: nothing to do */
	int (*stop)(const struct pool_host *host, const struct pool_def *def,
		    struct error *err); /* the same */
	/* flags: VIR_STORAGE_POOL_BUILD_* */
	int (*build)(const struct pool_host *host, const struct pool_def *def,
		     unsigned int flags, struct error *err);
	int (*destroy)(const struct pool_host *host,
		       const struct pool_def *def, struct error *err);
	/* Fills in the pool's sizes. */
	int (*refresh)(const struct pool_host *host, struct pool_def *def,
		       struct vol_list *vols, struct error *err);
	int (*find_sources)(const struct pool_host *host,
			    const struct pool_source *spec,
			    struct source_list *list, struct error *err);
	/* Makes it, and fills in the rest of its description. */
	int (*vol_create)(const struct pool_host *host,
			  const struct pool_def *pool, struct vol_def *vol,
			  struct error *err);
	int (*vol_remove)(const struct pool_host *host,
			  const struct pool_def *pool,
			  const struct vol_def *vol, struct error *err);
	int (*vol_resize)(const struct pool_host *host,
			  const struct pool_def *pool,
			  const struct vol_def *vol, uint64_t capacity,
			  bool allocate, struct error *err);
	/* Sizes and times as they are now; NULL: as at the last refresh. */
	int (*vol_refresh)(const struct pool_host *host,
			   const struct pool_def *pool, struct vol_def *vol,
			   struct error *err);
};

/* NULL: none for that type. */
const struct pool_backend *pool_backend(enum pool_type type);
bool pool_backend_usable(enum pool_type type, const struct pool_host *host);

extern const struct pool_backend pool_dir, pool_fs, pool_netfs, pool_logical,
	pool_disk, pool_iscsi, pool_scsi, pool_mpath, pool_zfs;

/* ---- shared by backends ---- */

/* The next line, or field, of a tool's output; NULL at the end. */
char *next_line(char **text);
char *next_field(char **line, char separator);
uint64_t number_of(const char *text); /* 0 for what is none */

/* A volume that is a block device of the pool's; path: taken over. */
struct vol_def *vol_block(const char *name, char *path, uint64_t size);
/* Whether pools of folders show the same. */
bool dir_same(const struct pool_def *a, const struct pool_def *b);
int dir_refresh(const struct pool_host *host, struct pool_def *def,
		struct vol_list *vols, struct error *err);
int dir_destroy(const struct pool_host *host, const struct pool_def *def,
		struct error *err);
int dir_make(const struct pool_host *host, const struct pool_def *def,
	     struct error *err);
int dir_vol_create(const struct pool_host *host, const struct pool_def *pool,
		   struct vol_def *vol, struct error *err);
int dir_vol_remove(const struct pool_host *host, const struct pool_def *pool,
		   const struct vol_def *vol, struct error *err);
int dir_vol_resize(const struct pool_host *host, const struct pool_def *pool,
		   const struct vol_def *vol, uint64_t capacity, bool allocate,
		   struct error *err);
int dir_vol_refresh(const struct pool_host *host, const struct pool_def *pool,
		    struct vol_def *vol, struct error *err);
/* Whether findmnt says that something is mounted there. */
bool is_mounted(const struct pool_host *host, const char *path);
int unmount(const struct pool_host *host, const struct pool_def *def,
	    struct error *err);

#endif
