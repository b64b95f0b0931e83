/*
 * tests/unit/rpc/storage.c -- no storage and no secrets, for tests of the
 * server.
 */
#include <libvirt/virterror.h>

#include "base/error.h"
#include "daemon/pools.h"
#include "daemon/secrets.h"

static int none(struct error *err, int code)
{
	return error_virt(err, code, "there is none in this test");
}
#define NO_POOL none(err, VIR_ERR_NO_STORAGE_POOL)
#define NO_VOL none(err, VIR_ERR_NO_STORAGE_VOL)
#define NO_SECRET none(err, VIR_ERR_NO_SECRET)

void pool_ref_finish(struct pool_ref *ref)
{
}

int pools_list(struct registry *reg, unsigned int flags,
	       struct pool_ref **ret_refs, unsigned int *ret_n,
	       struct error *err)
{
	*ret_refs = NULL;
	*ret_n = 0;
	return 0;
}

int pool_lookup(struct registry *reg, enum pool_by by, const char *text,
		struct pool_ref *ret_ref, struct error *err)
{
	return NO_POOL;
}

int pool_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct pool_ref *ret_ref, struct error *err)
{
	return NO_POOL;
}

int pool_get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct pool_info *ret_info, struct error *err)
{
	return NO_POOL;
}

char *pool_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   unsigned int flags, struct error *err)
{
	NO_POOL;
	return NULL;
}

int pool_define(struct registry *reg, const char *xml, bool transient,
		unsigned int flags, struct pool_ref *ret_ref,
		struct error *err)
{
	return NO_POOL;
}

int pool_do(struct registry *reg, const uint8_t uuid[UUID_LEN],
	    enum pool_call what, unsigned int flags, struct error *err)
{
	return NO_POOL;
}

int pool_set_autostart(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       bool autostart, struct error *err)
{
	return NO_POOL;
}

char *pool_find_sources(struct registry *reg, const char *type,
			const char *spec, struct error *err)
{
	NO_POOL;
	return NULL;
}

char *pool_capabilities(struct registry *reg)
{
	return xstrdup("");
}

void vol_ref_finish(struct vol_ref *ref)
{
}

int vols_list(struct registry *reg, const uint8_t pool[UUID_LEN],
	      struct vol_ref **ret_refs, unsigned int *ret_n,
	      struct error *err)
{
	return NO_POOL;
}

int vol_lookup(struct registry *reg, enum vol_by by,
	       const uint8_t pool[UUID_LEN], const char *text,
	       struct vol_ref *ret_ref, struct error *err)
{
	return NO_VOL;
}

int vol_get_info(struct registry *reg, const struct vol_name *vol,
		 struct vol_info *ret_info, struct error *err)
{
	return NO_VOL;
}

char *vol_get_path(struct registry *reg, const struct vol_name *vol,
		   struct error *err)
{
	NO_VOL;
	return NULL;
}

char *vol_get_xml(struct registry *reg, const struct vol_name *vol,
		  struct error *err)
{
	NO_VOL;
	return NULL;
}

int vol_create(struct registry *reg, const uint8_t pool[UUID_LEN],
	       const char *xml, const struct vol_name *from,
	       unsigned int flags, struct vol_ref *ret_ref, struct error *err)
{
	return NO_POOL;
}

int vol_delete(struct registry *reg, const struct vol_name *vol,
	       unsigned int flags, struct error *err)
{
	return NO_VOL;
}

int vol_resize(struct registry *reg, const struct vol_name *vol,
	       uint64_t capacity, unsigned int flags, struct error *err)
{
	return NO_VOL;
}

int vol_wipe(struct registry *reg, const struct vol_name *vol,
	     unsigned int algorithm, struct error *err)
{
	return NO_VOL;
}

int vol_transfer(struct registry *reg, const struct vol_name *vol,
		 bool upload, uint64_t offset, uint64_t length, bool sparse,
		 int *ret_fd, struct error *err)
{
	return NO_VOL;
}

void secret_ref_finish(struct secret_ref *ref)
{
}

int secrets_list(struct registry *reg, unsigned int flags,
		 struct secret_ref **ret_refs, unsigned int *ret_n,
		 struct error *err)
{
	*ret_refs = NULL;
	*ret_n = 0;
	return 0;
}

int secret_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct secret_ref *ret_ref, struct error *err)
{
	return NO_SECRET;
}

int secret_lookup_usage(struct registry *reg, int usage, const char *id,
			struct secret_ref *ret_ref, struct error *err)
{
	return NO_SECRET;
}

int secret_define(struct registry *reg, const char *xml, bool validate,
		  struct secret_ref *ret_ref, struct error *err)
{
	return NO_SECRET;
}

int secret_undefine(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct error *err)
{
	return NO_SECRET;
}

char *secret_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct error *err)
{
	NO_SECRET;
	return NULL;
}

int secret_set_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const void *value, size_t len, struct error *err)
{
	return NO_SECRET;
}

int secret_get_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     bool for_client, void **ret_value, size_t *ret_len,
		     struct error *err)
{
	return NO_SECRET;
}
