/*
 * storage/format/sector_cipher.c -- AES in XTS (IEEE 1619) and CBC mode, by
 * sectors of 512 bytes; their numbers make the initial vectors.
 */
#include "storage/format/sector_cipher.h"

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/sha2.h>
#include <nettle/xts.h>
#include <string.h>

#include "base/util.h"
#include "storage/format/endian.h"

enum { SECTOR = 512 };

struct way {
	union {
		struct xts_aes128_key xts128;
		struct xts_aes256_key xts256;
		struct aes128_ctx cbc128;
		struct aes256_ctx cbc256;
	};
};

struct sector_cipher {
	enum { XTS128, XTS256, CBC128, CBC256 } kind;
	enum { PLAIN, PLAIN64, ESSIV } iv;
	struct way encrypt, decrypt;
	struct aes256_ctx essiv;
};

void secret_wipe(void *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
}

void secret_free(void *p, size_t len)
{
	secret_wipe(p, len);
	free(p);
}

/* ---- keys ---- */

static bool find_mode(struct sector_cipher *c, const char *mode, size_t len)
{
	static const struct {
		const char *name;
		bool xts;
		int iv;
	} modes[] = {
		{ "xts-plain64", true, PLAIN64 },
		{ "xts-plain", true, PLAIN },
		{ "cbc-plain64", false, PLAIN64 },
		{ "cbc-plain", false, PLAIN },
		{ "cbc-essiv:sha256", false, ESSIV },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		size_t unit = modes[i].xts ? 32 : 16;

		if (!str_eq(mode, modes[i].name) ||
		    (len != unit && len != 2 * unit))
			continue;
		c->kind = (modes[i].xts ? XTS128 : CBC128) + (len != unit);
		c->iv = modes[i].iv;
		return true;
	}
	return false;
}

static void set_keys(struct sector_cipher *c, const uint8_t *key)
{
	struct way *e = &c->encrypt, *d = &c->decrypt;

	switch (c->kind) {
	case XTS128:
		xts_aes128_set_encrypt_key(&e->xts128, key);
		xts_aes128_set_decrypt_key(&d->xts128, key);
		break;
	case XTS256:
		xts_aes256_set_encrypt_key(&e->xts256, key);
		xts_aes256_set_decrypt_key(&d->xts256, key);
		break;
	case CBC128:
		aes128_set_encrypt_key(&e->cbc128, key);
		aes128_set_decrypt_key(&d->cbc128, key);
		break;
	case CBC256:
		aes256_set_encrypt_key(&e->cbc256, key);
		aes256_set_decrypt_key(&d->cbc256, key);
		break;
	}
}

/* The sectors' numbers are encrypted, with a hash of the key. */
static void set_essiv(struct sector_cipher *c, const uint8_t *key, size_t len)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, len, key);
	sha256_digest(&sha, sizeof(digest), digest);
	aes256_set_encrypt_key(&c->essiv, digest);
	secret_wipe(digest, sizeof(digest));
}

struct sector_cipher *sector_cipher_create(const char *cipher,
					   const char *mode,
					   const uint8_t *key, size_t len)
{
	struct sector_cipher *c;

	if (!str_eq(cipher, "aes"))
		return NULL;
	c = xcalloc(1, sizeof(*c));
	if (!find_mode(c, mode, len)) {
		free(c);
		return NULL;
	}
	set_keys(c, key);
	if (c->iv == ESSIV)
		set_essiv(c, key, len);
	return c;
}

void sector_cipher_destroy(struct sector_cipher *c)
{
	secret_free(c, sizeof(*c));
}

/* ---- sectors ---- */

static void make_iv(const struct sector_cipher *c, uint64_t sector,
		    uint8_t iv[AES_BLOCK_SIZE])
{
	memset(iv, 0, AES_BLOCK_SIZE);
	put_le64(iv, c->iv == PLAIN ? (uint32_t)sector : sector);
	if (c->iv == ESSIV)
		aes256_encrypt(&c->essiv, AES_BLOCK_SIZE, iv, iv);
}

static void encrypt_sector(const struct sector_cipher *c, uint8_t *iv,
			   uint8_t *p)
{
	const struct way *w = &c->encrypt;

	switch (c->kind) {
	case XTS128:
		xts_aes128_encrypt_message((struct xts_aes128_key *)&w->xts128, iv, SECTOR, p, p);
		break;
	case XTS256:
		xts_aes256_encrypt_message((struct xts_aes256_key *)&w->xts256, iv, SECTOR, p, p);
		break;
	case CBC128:
		cbc_encrypt(&w->cbc128,
			    (nettle_cipher_func *)aes128_encrypt,
			    AES_BLOCK_SIZE, iv, SECTOR, p, p);
		break;
	case CBC256:
		cbc_encrypt(&w->cbc256,
			    (nettle_cipher_func *)aes256_encrypt,
			    AES_BLOCK_SIZE, iv, SECTOR, p, p);
		break;
	}
}

static void decrypt_sector(const struct sector_cipher *c, uint8_t *iv,
			   uint8_t *p)
{
	const struct way *w = &c->decrypt;

	switch (c->kind) {
	case XTS128:
		xts_aes128_decrypt_message((struct xts_aes128_key *)&w->xts128, iv, SECTOR, p, p);
		break;
	case XTS256:
		xts_aes256_decrypt_message((struct xts_aes256_key *)&w->xts256, iv, SECTOR, p, p);
		break;
	case CBC128:
		cbc_decrypt(&w->cbc128,
			    (nettle_cipher_func *)aes128_decrypt,
			    AES_BLOCK_SIZE, iv, SECTOR, p, p);
		break;
	case CBC256:
		cbc_decrypt(&w->cbc256,
			    (nettle_cipher_func *)aes256_decrypt,
			    AES_BLOCK_SIZE, iv, SECTOR, p, p);
		break;
	}
}

void sector_cipher_run(const struct sector_cipher *c, bool encrypt,
		       uint64_t sector, void *data, size_t len)
{
	uint8_t iv[AES_BLOCK_SIZE], *p = data;

	for (size_t at = 0; at + SECTOR <= len; at += SECTOR, sector++) {
		make_iv(c, sector, iv);
		if (encrypt)
			encrypt_sector(c, iv, p + at);
		else
			decrypt_sector(c, iv, p + at);
	}
}
