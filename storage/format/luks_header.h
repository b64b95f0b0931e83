/*
 * storage/format/luks_header.h -- what stands before LUKS's sectors: the key
 * they are encrypted with, encrypted in turn with passphrases (LUKS On-Disk
 * Format Specification, version 1.2.3; LUKS1).
 */
#ifndef STORAGE_FORMAT_LUKS_HEADER_H
#define STORAGE_FORMAT_LUKS_HEADER_H

#include "storage/format/sector_cipher.h"

struct error;

enum { LUKS_SLOTS = 8, LUKS_HEADER = 592 };

struct luks_slot {
	bool active;
	uint32_t iterations, stripes;
	uint64_t material; /* bytes from the header on */
	uint8_t salt[32];
};

struct luks_header {
	char cipher[33], mode[33], hash[33], uuid[41];
	uint64_t payload; /* bytes from the header on */
	uint32_t key_len, iterations;
	uint8_t digest[20], salt[32];
	struct luks_slot slot[LUKS_SLOTS];
};

/* 0 or -errno. */
typedef int luks_read(void *arg, void *buf, size_t len, uint64_t offset);

int luks_load(luks_read *read, void *arg, struct luks_header *ret,
	      struct error *err);
/* Tries all slots: -EACCES is another passphrase. */
int luks_unlock(const struct luks_header *h, luks_read *read, void *arg,
		const void *secret, size_t len, struct sector_cipher **ret,
		struct error *err);

struct luks_create {
	unsigned int aes_bits; /* 0: 256 */
	bool cbc;	       /* with ESSIV; else XTS */
	unsigned int iter_ms;  /* 0: 2000: how long a passphrase takes */
};

/* All before the payload, for one passphrase; the caller frees it. */
int luks_make(const struct luks_create *c, const void *secret, size_t len,
	      uint8_t **ret, size_t *ret_len, struct error *err);

#endif
