/*
 * storage/format/sector_cipher.h -- AES over the sectors of a disk, in the
 * modes that images are encrypted with.
 */
#ifndef STORAGE_FORMAT_SECTOR_CIPHER_H
#define STORAGE_FORMAT_SECTOR_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECTOR_KEY_MAX = 64 };

struct sector_cipher;

/*
 * mode: "xts-plain64", "cbc-essiv:sha256", ...; the key's length says which
 * AES.  NULL: there is no such cipher.
 */
struct sector_cipher *sector_cipher_create(const char *cipher,
					   const char *mode,
					   const uint8_t *key, size_t len);
void sector_cipher_destroy(struct sector_cipher *c);
/* In place, whole sectors from that number on; on any thread. */
void sector_cipher_run(const struct sector_cipher *c, bool encrypt,
		       uint64_t sector, void *data, size_t len);

/* Memory with a secret in it. */
void secret_wipe(void *p, size_t len);
void secret_free(void *p, size_t len);

#endif
