/*
 * model/secret.h -- a secret as its XML describes it; the value is elsewhere.
 */
#ifndef MODEL_SECRET_H
#define MODEL_SECRET_H

#include "model/domain.h"

/* As libvirt numbers them (virSecretUsageType). */
enum secret_usage {
	SECRET_NONE, SECRET_VOLUME, SECRET_CEPH, SECRET_ISCSI, SECRET_TLS,
	SECRET_VTPM, SECRET_USAGES,
};

struct secret_def {
	bool ephemeral; /* not kept over the daemon's end */
	bool is_private; /* no client gets the value */
	uint8_t uuid[UUID_LEN];
	bool uuid_given; /* false only while it is read */
	char *description;
	enum secret_usage usage;
	char *usage_id; /* NULL only where there is no usage */
	char *ephemeral_word, *private_word; /* as written */
	char *volume, *name, *target; /* the one that the usage has */
	char *extra;
};

int secret_def_parse(const char *xml, bool validate,
		     struct secret_def **ret_def, struct error *err);
char *secret_def_format(const struct secret_def *def);
void secret_def_free(struct secret_def *def);

#endif
