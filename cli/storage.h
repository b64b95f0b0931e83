/*
 * cli/storage.h -- pools, volumes and secrets as commands' words name them.
 */
#ifndef CLI_STORAGE_H
#define CLI_STORAGE_H

#include "cli/args.h"

/* By uuid or by name; NULL: said why. */
virStoragePoolPtr ctl_pool(struct ctl *ctl, const char *name);
/*
 * A volume: by name in the pool that option pool_opt names, if that is given
 * (NULL: there is no such option), else by key or path; NULL: said why.
 */
virStorageVolPtr ctl_vol(struct ctl *ctl, const struct args *args,
			 const char *name, const char *pool_opt);
virSecretPtr ctl_secret(struct ctl *ctl, const char *uuid);

/* --build, --overwrite, --no-overwrite; -1: said why. */
int args_pool_build(const struct args *args, unsigned int *ret_flags);
#define OPTS_POOL_BUILD                                             \
	FLAG("build", "build the pool first"),                      \
		FLAG("no-overwrite", "fail where there is data"),   \
		FLAG("overwrite", "overwrite what is there")

const char *pool_state_name(int state);

/* As people read it, "1.50 GiB"; the caller frees. */
char *size_text(unsigned long long bytes);
/* A size in a record: in bytes, with plain_unit behind, or for people. */
struct record;
void record_size(struct record *r, bool plain, const char *label,
		 const char *key, unsigned long long bytes,
		 const char *plain_unit);
/* A size, bytes without a unit; -1: it is none, said so. */
int args_bytes(const struct args *args, const char *name,
	       unsigned long long *ret);

#endif
