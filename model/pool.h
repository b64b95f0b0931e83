/*
 * model/pool.h -- storage pools and volumes as their XML describes them.
 *
 * As in domain.h: strings are NULL when absent, sizes are in bytes, and what
 * is not interpreted is kept in "extra".
 */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include "model/domain.h"
#include "model/names.h"

enum pool_type {
	POOL_DIR, POOL_FS, POOL_NETFS, POOL_LOGICAL, POOL_DISK, POOL_ISCSI,
	POOL_ISCSI_DIRECT, POOL_SCSI, POOL_MPATH, POOL_ZFS, POOL_GLUSTER,
	POOL_RBD, POOL_VSTORAGE, POOL_TYPES,
};

/* As written; the functions below say what it comes to. */
struct storage_perms {
	char *mode, *owner, *group, *label;
};

struct pool_server {
	char *name;
	unsigned int port; /* 0: the protocol's own */
};

struct pool_device {
	char *path;
	char *part_separator; /* "yes", "no" */
};

struct pool_adapter {
	char *type; /* "scsi_host", "fc_host" */
	char *name; /* "host1", "scsi_host1" */
	char *parent, *wwnn, *wwpn;
	char *extra; /* <parentaddr>, ... */
};

struct pool_auth {
	char *type, *username, *secret_uuid, *secret_usage;
};

struct pool_source {
	unsigned int n_hosts;
	struct pool_server *hosts;
	unsigned int n_devices;
	struct pool_device *devices;
	char *dir;
	struct pool_adapter adapter;
	char *name;
	char *initiator;
	struct pool_auth auth;
	char *format;
	char *protocol_ver;
	char *vendor, *product;
	char *extra;
};

struct pool_def {
	enum pool_type type;
	char *name;
	uint8_t uuid[UUID_LEN];
	bool uuid_given; /* false only while it is read */
	uint64_t capacity, allocation, available; /* when it is active */
	char *cow; /* <features>: "yes", "no" */
	struct pool_source source;
	char *path; /* <target> */
	struct storage_perms perms;
	char *target_extra;
	char *extra;
};

/* A file that a volume stands on, or the volume itself. */
struct vol_target {
	char *path;
	char *format; /* "raw", "qcow2", "dir"; disk pools: "linux", ... */
	struct storage_perms perms;
	char *atime, *mtime, *ctime, *btime; /* seconds since 1970 */
	char *compat;
	bool nocow;
	uint64_t cluster_size;
	bool lazy_refcounts, extended_l2;
	char *extra; /* encryption, ... */
};

struct vol_extent { /* of a volume of several pieces, or a partition */
	char *device;
	uint64_t start, end;
};

struct vol_def {
	enum { VOL_FILE, VOL_BLOCK, VOL_DIR, VOL_NETWORK, VOL_NETDIR,
	       VOL_PLOOP } type;
	char *name, *key;
	uint64_t capacity, allocation, physical;
	bool capacity_given, allocation_given;
	bool prealloc_metadata; /* of an image; asked for beside the XML */
	unsigned int n_extents;
	struct vol_extent *extents;
	struct vol_target target;
	bool has_backing;
	struct vol_target backing;
	char *extra;
};

/* validate: against the schema. */
int pool_def_parse(const char *xml, bool validate, struct pool_def **ret_def,
		   struct error *err);
/* Of pool_find_sources(): a <source> alone; NULL xml gives an empty one. */
int pool_source_parse(const char *xml, enum pool_type type,
		      struct pool_def **ret_def, struct error *err);
char *pool_def_format(const struct pool_def *def);
struct pool_def *pool_def_copy(const struct pool_def *def);
void pool_def_free(struct pool_def *def);
/* The pool types' names. */
extern const struct words words_pool_type;
/* Formats that a pool's source or volumes may have; the first is the default
 * one, n 0: the type has none. */
const struct words *pool_source_formats(enum pool_type type);
const struct words *pool_volume_formats(enum pool_type type);
/* <sources>, of which each has what is filled in. */
char *pool_sources_format(const struct pool_source *sources, unsigned int n);
void pool_source_finish(struct pool_source *source);

int vol_def_parse(const char *xml, enum pool_type type, bool validate,
		  struct vol_def **ret_def, struct error *err);
char *vol_def_format(const struct vol_def *def);
struct vol_def *vol_def_new(void);
struct vol_def *vol_def_copy(const struct vol_def *def);
void vol_def_free(struct vol_def *def);

/* The mode, or otherwise; an id, or -1. */
unsigned int perms_mode(const struct storage_perms *p, unsigned int otherwise);
int perms_owner(const struct storage_perms *p);
int perms_group(const struct storage_perms *p);
void perms_set(struct storage_perms *p, unsigned int mode, unsigned int uid,
	       unsigned int gid);

/* <storagepoolCapabilities>; usable: by type, what this host can do. */
char *pool_capabilities_format(const bool usable[POOL_TYPES]);

#endif
