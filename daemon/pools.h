/*
 * daemon/pools.h -- storage pools and their volumes, for those who serve
 * clients.
 *
 * Each function may be called on any thread.
 */
#ifndef DAEMON_POOLS_H
#define DAEMON_POOLS_H

#include "daemon/domain.h"

struct pool_host;

/*
 * Reads the pools from the registry's store, and finds out or brings about
 * which are active.  host: what they work on; NULL: none can be.
 */
int pools_open(struct registry *reg, const struct pool_host *host,
	       struct error *err);
void pools_close(struct registry *reg);

struct pool_ref {
	uint8_t uuid[UUID_LEN];
	char *name;
};
void pool_ref_finish(struct pool_ref *ref);

struct pool_info {
	int state; /* virStoragePoolState */
	uint64_t capacity, allocation, available;
	bool active, persistent, autostart;
};

/* flags: VIR_CONNECT_LIST_STORAGE_POOLS_*; free each and all. */
int pools_list(struct registry *reg, unsigned int flags,
	       struct pool_ref **ret_refs, unsigned int *ret_n,
	       struct error *err);
enum pool_by { POOL_BY_NAME, POOL_BY_PATH };
int pool_lookup(struct registry *reg, enum pool_by by, const char *text,
		struct pool_ref *ret_ref, struct error *err);
int pool_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct pool_ref *ret_ref, struct error *err);
int pool_get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct pool_info *ret_info, struct error *err);
/* flags: VIR_STORAGE_XML_*; NULL with err. */
char *pool_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   unsigned int flags, struct error *err);

/* transient: and starts it. */
int pool_define(struct registry *reg, const char *xml, bool transient,
		unsigned int flags, struct pool_ref *ret_ref,
		struct error *err);
enum pool_call {
	POOL_START, POOL_BUILD, POOL_STOP, POOL_DELETE, POOL_UNDEFINE,
	POOL_REFRESH,
};
int pool_do(struct registry *reg, const uint8_t uuid[UUID_LEN],
	    enum pool_call what, unsigned int flags, struct error *err);
int pool_set_autostart(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       bool autostart, struct error *err);
/* <sources>; NULL with err. */
char *pool_find_sources(struct registry *reg, const char *type,
			const char *spec, struct error *err);
char *pool_capabilities(struct registry *reg);

/* ---- volumes ---- */

struct vol_ref {
	char *pool, *name, *key;
};
void vol_ref_finish(struct vol_ref *ref);

struct vol_info {
	int type; /* virStorageVolType */
	uint64_t capacity, allocation, physical;
};

int vols_list(struct registry *reg, const uint8_t pool[UUID_LEN],
	      struct vol_ref **ret_refs, unsigned int *ret_n,
	      struct error *err);
enum vol_by { VOL_BY_NAME, VOL_BY_KEY, VOL_BY_PATH };
/* pool: by name only. */
int vol_lookup(struct registry *reg, enum vol_by by,
	       const uint8_t pool[UUID_LEN], const char *text,
	       struct vol_ref *ret_ref, struct error *err);
/* What clients call a volume: its pool's and its own name. */
struct vol_name {
	const char *pool, *name;
};
int vol_get_info(struct registry *reg, const struct vol_name *vol,
		 struct vol_info *ret_info, struct error *err);
char *vol_get_path(struct registry *reg, const struct vol_name *vol,
		   struct error *err);
char *vol_get_xml(struct registry *reg, const struct vol_name *vol,
		  struct error *err);
/* from: what it begins with, or NULL. */
int vol_create(struct registry *reg, const uint8_t pool[UUID_LEN],
	       const char *xml, const struct vol_name *from,
	       unsigned int flags, struct vol_ref *ret_ref, struct error *err);
int vol_delete(struct registry *reg, const struct vol_name *vol,
	       unsigned int flags, struct error *err);
int vol_resize(struct registry *reg, const struct vol_name *vol,
	       uint64_t capacity, unsigned int flags, struct error *err);
/* algorithm: VIR_STORAGE_VOL_WIPE_ALG_* */
int vol_wipe(struct registry *reg, const struct vol_name *vol,
	     unsigned int algorithm, struct error *err);
/* Where a disk of type 'volume' lies; its pool has to be active. */
struct dom_disk;
int vol_locate(struct registry *reg, const struct dom_disk *disk,
	       char **ret_path, bool *ret_block, struct error *err);
/* The same of all of them: fills in their sources. */
int vols_resolve(struct registry *reg, struct domain_def *def,
		 struct error *err);
/*
 * A packet socket (daemon/transfer.h) behind which the volume's data is read
 * or written; length 0: to its end.
 */
int vol_transfer(struct registry *reg, const struct vol_name *vol,
		 bool upload, uint64_t offset, uint64_t length, bool sparse,
		 int *ret_fd, struct error *err);

#endif
