/*
 * daemon/secrets.h -- secrets: what clients define, and what disks, pools and
 * certificates need of it.
 */
#ifndef DAEMON_SECRETS_H
#define DAEMON_SECRETS_H

#include <stddef.h>

#include "daemon/domain.h"

/*
 * Reads the secrets of the registry's store.  key_dir: the folder with the key
 * that their values are encrypted with, which is made when it is missing;
 * NULL: a key that ends with the process.
 */
int secrets_open(struct registry *reg, const char *key_dir, struct error *err);
void secrets_close(struct registry *reg);

struct secret_ref {
	uint8_t uuid[UUID_LEN];
	int usage; /* virSecretUsageType */
	char *usage_id;
};
void secret_ref_finish(struct secret_ref *ref);

/* flags: VIR_CONNECT_LIST_SECRETS_*; free each and all. */
int secrets_list(struct registry *reg, unsigned int flags,
		 struct secret_ref **ret_refs, unsigned int *ret_n,
		 struct error *err);
int secret_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct secret_ref *ret_ref, struct error *err);
int secret_lookup_usage(struct registry *reg, int usage, const char *id,
			struct secret_ref *ret_ref, struct error *err);
int secret_define(struct registry *reg, const char *xml, bool validate,
		  struct secret_ref *ret_ref, struct error *err);
int secret_undefine(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct error *err);
char *secret_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct error *err);
int secret_set_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const void *value, size_t len, struct error *err);
/* for_client: not that of a private one.  secret_value_free() it. */
int secret_get_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     bool for_client, void **ret_value, size_t *ret_len,
		     struct error *err);
void secret_value_free(void *value, size_t len);

#endif
