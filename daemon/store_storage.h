/*
 * daemon/store_storage.h -- pools, volumes and secrets in the store; like
 * store.h, each function is one transaction.
 */
#ifndef DAEMON_STORE_STORAGE_H
#define DAEMON_STORE_STORAGE_H

#include <stddef.h>

#include "daemon/store.h"

struct store_pool {
	uint8_t uuid[UUID_LEN];
	const char *name, *xml;
	bool persistent, autostart, active;
};
int store_pool_put(struct store *store, const struct store_pool *pool,
		   struct error *err);
int store_pool_remove(struct store *store, const uint8_t uuid[UUID_LEN],
		      struct error *err);
/* Strings are valid during the call only; fn must not call the store. */
int store_pool_each(struct store *store,
		    void (*fn)(void *arg, const struct store_pool *pool),
		    void *arg, struct error *err);

/* The format that a volume was made with; format NULL: forget it. */
int store_volume_put(struct store *store, const uint8_t pool[UUID_LEN],
		     const char *name, const char *format, struct error *err);
int store_volume_each(struct store *store, const uint8_t pool[UUID_LEN],
		      void (*fn)(void *arg, const char *name,
				 const char *format),
		      void *arg, struct error *err);

struct store_secret {
	uint8_t uuid[UUID_LEN];
	const char *xml;
	const void *value; /* encrypted; NULL: none */
	size_t len;
};
int store_secret_put(struct store *store, const struct store_secret *secret,
		     struct error *err);
int store_secret_remove(struct store *store, const uint8_t uuid[UUID_LEN],
			struct error *err);
int store_secret_each(struct store *store,
		      void (*fn)(void *arg, const struct store_secret *secret),
		      void *arg, struct error *err);

#endif
