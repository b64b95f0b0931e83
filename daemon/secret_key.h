/*
 * daemon/secret_key.h -- secrets' values at rest: AES-256 in GCM, one random
 * nonce for each.
 */
#ifndef DAEMON_SECRET_KEY_H
#define DAEMON_SECRET_KEY_H

#include <stddef.h>
#include <stdint.h>

struct error;

struct secret_key {
	uint8_t bytes[32];
};
enum { SECRET_NONCE = 12, SECRET_TAG = 16,
       SECRET_OVERHEAD = SECRET_NONCE + SECRET_TAG };

/* The key in a folder, made when there is none; dir NULL: a new one. */
int secret_key_load(const char *dir, struct secret_key *ret_key,
		    struct error *err);
/* to: len + SECRET_OVERHEAD bytes.  about: what the value belongs to; it has
 * to be the same when it is opened. */
int secret_seal(const struct secret_key *key, const void *about,
		size_t about_len, const void *value, size_t len, void *to,
		struct error *err);
/* to: len - SECRET_OVERHEAD bytes. */
int secret_unseal(const struct secret_key *key, const void *about,
		  size_t about_len, const void *sealed, size_t len, void *to,
		  struct error *err);

#endif
