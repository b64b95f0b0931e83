/*
 * storage/format/luks_header.c -- LUKS1: header, key slots, and splitting the
 * key so that a slot can be destroyed for good ("AF splitter").
 */
#include "storage/format/luks_header.h"

#include <errno.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "storage/format/endian.h"

enum { ACTIVE = 0x00ac71f3, INACTIVE = 0x0000dead, SECTOR = 512,
       STRIPES = 4000, STRIPES_MAX = 16384, ITERATIONS_MAX = 200000000,
       ITERATIONS_MIN = 1000, PROBE = 20000, ALIGNED = 4096,
       SLOTS_AT = 208, SLOT_SIZE = 48, DIGEST_MAX = 64 };

/* ---- hashes ---- */

enum hash { SHA1, SHA256, SHA512, HASH_UNKNOWN };

static enum hash find_hash(const char *name)
{
	return str_eq(name, "sha1")   ? SHA1 :
	       str_eq(name, "sha256") ? SHA256 :
	       str_eq(name, "sha512") ? SHA512 :
					HASH_UNKNOWN;
}

static void derive(enum hash hash, const void *secret, size_t len,
		   uint32_t iterations, const uint8_t salt[32], uint8_t *to,
		   size_t to_len)
{
	if (hash == SHA1)
		pbkdf2_hmac_sha1(len, secret, iterations, 32, salt, to_len,
				 to);
	else if (hash == SHA256)
		pbkdf2_hmac_sha256(len, secret, iterations, 32, salt, to_len,
				   to);
	else
		pbkdf2_hmac_sha512(len, secret, iterations, 32, salt, to_len,
				   to);
}

static size_t digest_size(enum hash hash)
{
	return hash == SHA1   ? SHA1_DIGEST_SIZE :
	       hash == SHA256 ? SHA256_DIGEST_SIZE :
				SHA512_DIGEST_SIZE;
}

/* Of a number and then data. */
static void digest(enum hash hash, uint32_t number, const uint8_t *data,
		   size_t len, uint8_t *to)
{
	uint8_t n[4];
	union {
		struct sha1_ctx sha1;
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	} c;

	put_be32(n, number);
	switch (hash) {
	case SHA1:
		sha1_init(&c.sha1);
		sha1_update(&c.sha1, sizeof(n), n);
		sha1_update(&c.sha1, len, data);
		sha1_digest(&c.sha1, SHA1_DIGEST_SIZE, to);
		break;
	case SHA256:
		sha256_init(&c.sha256);
		sha256_update(&c.sha256, sizeof(n), n);
		sha256_update(&c.sha256, len, data);
		sha256_digest(&c.sha256, SHA256_DIGEST_SIZE, to);
		break;
	default:
		sha512_init(&c.sha512);
		sha512_update(&c.sha512, sizeof(n), n);
		sha512_update(&c.sha512, len, data);
		sha512_digest(&c.sha512, SHA512_DIGEST_SIZE, to);
	}
}

/* ---- the AF splitter ---- */

static void diffuse(enum hash hash, uint8_t *block, size_t len)
{
	uint8_t out[DIGEST_MAX];
	size_t size = digest_size(hash), part;

	for (size_t at = 0; at < len; at += part) {
		part = MIN(size, len - at);
		digest(hash, at / size, block + at, part, out);
		memcpy(block + at, out, part);
	}
	secret_wipe(out, sizeof(out));
}

static void add(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] ^= from[i];
}

/* All stripes but the last, mixed into one. */
static void mix(enum hash hash, const uint8_t *material, size_t key_len,
		uint32_t stripes, uint8_t *block)
{
	memset(block, 0, key_len);
	for (uint32_t i = 0; i + 1 < stripes; i++) {
		add(block, material + i * key_len, key_len);
		diffuse(hash, block, key_len);
	}
}

static void merge(enum hash hash, const uint8_t *material, size_t key_len,
		  uint32_t stripes, uint8_t *key)
{
	mix(hash, material, key_len, stripes, key);
	add(key, material + (stripes - 1) * key_len, key_len);
}

/* The material's other stripes are random. */
static void split(enum hash hash, uint8_t *material, size_t key_len,
		  uint32_t stripes, const uint8_t *key)
{
	uint8_t *last = material + (stripes - 1) * key_len;

	mix(hash, material, key_len, stripes, last);
	add(last, key, key_len);
}

/* ---- reading ---- */

static void read_text(const uint8_t *p, size_t len, char *to)
{
	memcpy(to, p, len);
	to[len] = '\0';
}

static void read_slot(const uint8_t *p, struct luks_slot *s)
{
	s->active = get_be32(p) == ACTIVE;
	s->iterations = get_be32(p + 4);
	memcpy(s->salt, p + 8, sizeof(s->salt));
	s->material = (uint64_t)get_be32(p + 40) * SECTOR;
	s->stripes = get_be32(p + 44);
}

static int check_slots(const struct luks_header *h, struct error *err)
{
	for (unsigned int i = 0; i < LUKS_SLOTS; i++) {
		const struct luks_slot *s = &h->slot[i];

		if (s->active &&
		    (!s->iterations || s->iterations > ITERATIONS_MAX ||
		     !s->stripes || s->stripes > STRIPES_MAX ||
		     s->material < LUKS_HEADER))
			return error_set(err, -EINVAL,
					 "its key slot %u is invalid", i);
	}
	return 0;
}

static int check(const struct luks_header *h, struct error *err)
{
	if (!h->key_len || h->key_len > SECTOR_KEY_MAX || !h->iterations ||
	    h->iterations > ITERATIONS_MAX)
		return error_set(err, -EINVAL, "its LUKS header is invalid");
	if (find_hash(h->hash) == HASH_UNKNOWN)
		return error_set(err, -ENOTSUP,
				 "its hash '%s' is not supported", h->hash);
	return check_slots(h, err);
}

int luks_load(luks_read *read, void *arg, struct luks_header *ret,
	      struct error *err)
{
	uint8_t d[LUKS_HEADER];
	int r = read(arg, d, sizeof(d), 0);

	if (r < 0)
		return error_set(err, r, "cannot read its LUKS header: %m");
	if (memcmp(d, "LUKS\xba\xbe", 6))
		return error_set(err, -EINVAL, "it has no LUKS header");
	if (get_be16(d + 6) != 1)
		return error_set(err, -ENOTSUP,
				 "LUKS version %u is not supported",
				 get_be16(d + 6));
	read_text(d + 8, 32, ret->cipher);
	read_text(d + 40, 32, ret->mode);
	read_text(d + 72, 32, ret->hash);
	ret->payload = (uint64_t)get_be32(d + 104) * SECTOR;
	ret->key_len = get_be32(d + 108);
	memcpy(ret->digest, d + 112, sizeof(ret->digest));
	memcpy(ret->salt, d + 132, sizeof(ret->salt));
	ret->iterations = get_be32(d + 164);
	read_text(d + 168, 40, ret->uuid);
	for (unsigned int i = 0; i < LUKS_SLOTS; i++)
		read_slot(d + SLOTS_AT + i * SLOT_SIZE, &ret->slot[i]);
	return check(ret, err);
}

/* ---- unlocking ---- */

static bool is_key(const struct luks_header *h, const uint8_t *key)
{
	uint8_t out[sizeof(h->digest)];

	derive(find_hash(h->hash), key, h->key_len, h->iterations, h->salt,
	       out, sizeof(out));
	return !memcmp(out, h->digest, sizeof(out));
}

/* 1: that is its passphrase. */
static int try_slot(const struct luks_header *h, const struct luks_slot *s,
		    luks_read *read, void *arg, const void *secret,
		    size_t len, uint8_t *key)
{
	size_t size = ALIGN_UP((size_t)s->stripes * h->key_len, SECTOR);
	uint8_t *material = xmalloc(size), own[SECTOR_KEY_MAX];
	enum hash hash = find_hash(h->hash);
	struct sector_cipher *c;
	int r;

	derive(hash, secret, len, s->iterations, s->salt, own, h->key_len);
	c = sector_cipher_create(h->cipher, h->mode, own, h->key_len);
	r = c ? read(arg, material, size, s->material) : -ENOTSUP;
	if (r >= 0) {
		sector_cipher_run(c, false, 0, material, size);
		merge(hash, material, h->key_len, s->stripes, key);
		r = is_key(h, key);
	}
	sector_cipher_destroy(c);
	secret_wipe(own, sizeof(own));
	secret_free(material, size);
	return r;
}

int luks_unlock(const struct luks_header *h, luks_read *read, void *arg,
		const void *secret, size_t len, struct sector_cipher **ret,
		struct error *err)
{
	uint8_t key[SECTOR_KEY_MAX];
	int r = 0;

	for (unsigned int i = 0; i < LUKS_SLOTS && r == 0; i++)
		if (h->slot[i].active)
			r = try_slot(h, &h->slot[i], read, arg, secret, len,
				     key);
	if (r > 0)
		*ret = sector_cipher_create(h->cipher, h->mode, key,
					    h->key_len);
	secret_wipe(key, sizeof(key));
	if (r == -ENOTSUP)
		return error_set(err, r, "its cipher '%s-%s' is not supported",
				 h->cipher, h->mode);
	if (r < 0)
		return error_set(err, r, "cannot read its keys: %m");
	return r > 0 ? 0 :
		       error_set(err, -EACCES,
				 "Invalid password, cannot unlock any keyslot");
}

/* ---- making one ---- */

static int fill_random(void *to, size_t len)
{
	uint8_t *p = to;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		p += MAX(n, 0);
		len -= MAX(n, 0);
	}
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* How many iterations take that long here. */
static uint32_t count_iterations(const uint8_t salt[32], size_t key_len,
				 unsigned int ms)
{
	uint8_t key[SECTOR_KEY_MAX];
	uint64_t start = cpu_ns(), n;

	derive(SHA256, salt, 32, PROBE, salt, key, key_len);
	n = (uint64_t)PROBE * ms * 1000000 / MAX(cpu_ns() - start, 1000ull);
	return MIN(MAX(n, (uint64_t)ITERATIONS_MIN),
		   (uint64_t)ITERATIONS_MAX);
}

static int random_uuid(char *to, size_t size)
{
	uint8_t u[16];
	int r = fill_random(u, sizeof(u));

	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	snprintf(to, size,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
		 u[10], u[11], u[12], u[13], u[14], u[15]);
	return r;
}

static int describe(const struct luks_create *c, struct luks_header *h)
{
	unsigned int bits = c->aes_bits ? c->aes_bits : 256;
	unsigned int ms = c->iter_ms ? c->iter_ms : 2000;
	uint64_t at = ALIGNED;

	*h = (struct luks_header){
		.cipher = "aes",
		.hash = "sha256",
		.key_len = bits / 8 * (c->cbc ? 1 : 2),
	};
	strcpy(h->mode, c->cbc ? "cbc-essiv:sha256" : "xts-plain64");
	if (random_uuid(h->uuid, sizeof(h->uuid)) < 0 ||
	    fill_random(h->salt, sizeof(h->salt)) < 0)
		return -EIO;
	h->iterations = count_iterations(h->salt, h->key_len, ms / 8);
	for (unsigned int i = 0; i < LUKS_SLOTS; i++) {
		h->slot[i].material = at;
		h->slot[i].stripes = STRIPES;
		at += ALIGN_UP((uint64_t)STRIPES * h->key_len, ALIGNED);
	}
	h->payload = at;
	h->slot[0].active = true;
	h->slot[0].iterations = count_iterations(h->salt, h->key_len, ms);
	return fill_random(h->slot[0].salt, sizeof(h->slot[0].salt));
}

static void write_slot(const struct luks_slot *s, uint8_t *p)
{
	put_be32(p, s->active ? ACTIVE : INACTIVE);
	put_be32(p + 4, s->iterations);
	memcpy(p + 8, s->salt, sizeof(s->salt));
	put_be32(p + 40, s->material / SECTOR);
	put_be32(p + 44, s->stripes);
}

static void write_header(const struct luks_header *h, uint8_t *d)
{
	memcpy(d, "LUKS\xba\xbe", 6);
	put_be16(d + 6, 1);
	memcpy(d + 8, h->cipher, 32);
	memcpy(d + 40, h->mode, 32);
	memcpy(d + 72, h->hash, 32);
	put_be32(d + 104, h->payload / SECTOR);
	put_be32(d + 108, h->key_len);
	memcpy(d + 112, h->digest, sizeof(h->digest));
	memcpy(d + 132, h->salt, sizeof(h->salt));
	put_be32(d + 164, h->iterations);
	memcpy(d + 168, h->uuid, 40);
	for (unsigned int i = 0; i < LUKS_SLOTS; i++)
		write_slot(&h->slot[i], d + SLOTS_AT + i * SLOT_SIZE);
}

static int fill_slot(const struct luks_header *h, const uint8_t *key,
		     const void *secret, size_t len, uint8_t *data)
{
	const struct luks_slot *s = &h->slot[0];
	size_t size = ALIGN_UP((size_t)s->stripes * h->key_len, SECTOR);
	uint8_t *material = data + s->material, own[SECTOR_KEY_MAX];
	struct sector_cipher *c;
	int r = fill_random(material, (s->stripes - 1) * h->key_len);

	if (r < 0)
		return r;
	split(SHA256, material, h->key_len, s->stripes, key);
	derive(SHA256, secret, len, s->iterations, s->salt, own, h->key_len);
	c = sector_cipher_create(h->cipher, h->mode, own, h->key_len);
	secret_wipe(own, sizeof(own));
	if (!c)
		return -ENOTSUP;
	sector_cipher_run(c, true, 0, material, size);
	sector_cipher_destroy(c);
	return 0;
}

int luks_make(const struct luks_create *c, const void *secret, size_t len,
	      uint8_t **ret, size_t *ret_len, struct error *err)
{
	uint8_t key[SECTOR_KEY_MAX], *data = NULL;
	struct luks_header h;
	int r = describe(c, &h);

	if (r >= 0)
		r = fill_random(key, h.key_len);
	if (r >= 0) {
		derive(SHA256, key, h.key_len, h.iterations, h.salt, h.digest,
		       sizeof(h.digest));
		data = xcalloc(1, h.payload);
		write_header(&h, data);
		r = fill_slot(&h, key, secret, len, data);
	}
	secret_wipe(key, sizeof(key));
	if (r < 0) {
		free(data);
		return error_set(err, r, "cannot make its keys: %m");
	}
	*ret = data;
	*ret_len = h.payload;
	return 0;
}
