/*
 * storage/format/qcow2_crypt.c -- encrypted images: LUKS with its header in
 * clusters of the image, by the places of sectors in the file; and the old
 * AES, by their places on the disk, which is only read (sections "Full disk
 * encryption header pointer" and "Data encryption").
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "storage/format/luks_header.h"
#include "storage/format/qcow2.h"

enum { AES = 1, LUKS = 2, OLD_KEY = 16 };

/* ---- the key ---- */

static int header_read(void *arg, void *buf, size_t len, uint64_t offset)
{
	struct qcow2 *q = arg;

	if (offset > q->h.crypt_length || len > q->h.crypt_length - offset)
		return -EINVAL;
	return qcow2_pread(q, buf, len, q->h.crypt_offset + offset);
}

static int open_luks(struct qcow2 *q, struct error *err)
{
	struct luks_header h;
	int r = luks_load(header_read, q, &h, err);

	return r < 0 ? r :
		       luks_unlock(&h, header_read, q, q->blk->options.key,
				   q->blk->options.key_len, &q->cipher, err);
}

/* The passphrase itself, cut off or filled up. */
static int open_aes(struct qcow2 *q, struct error *err)
{
	uint8_t key[OLD_KEY] = { 0 };
	const struct block_options *o = &q->blk->options;

	if (!o->readonly && !o->repair)
		return error_set(err, -ENOTSUP,
				 "it has the old encryption, AES: it can only be read");
	memcpy(key, o->key, MIN(o->key_len, sizeof(key)));
	q->cipher = sector_cipher_create("aes", "cbc-plain64", key,
					 sizeof(key));
	secret_wipe(key, sizeof(key));
	return 0;
}

int qcow2_crypt_open(struct qcow2 *q, struct error *err)
{
	if (!q->h.crypt_method)
		return 0;
	if (!q->blk->options.key)
		return block_key_optional(q->blk) ?
			       0 :
			       error_set(err, -ENOKEY,
					 "it is encrypted: its secret is missing");
	return q->h.crypt_method == LUKS ? open_luks(q, err) :
					   open_aes(q, err);
}

/* ---- data ---- */

static uint64_t number(const struct qcow2 *q, uint64_t guest, uint64_t host)
{
	return (q->h.crypt_method == LUKS ? host : guest) / BLOCK_SECTOR;
}

int qcow2_crypt_read(struct qcow2 *q, const struct block_req *req,
		     uint64_t skip, uint64_t len, uint64_t host)
{
	_cleanup_free_ uint8_t *buf = NULL;
	int r;

	if (!q->cipher)
		return -ENOKEY;
	if ((host | len) % BLOCK_SECTOR)
		return -EINVAL;
	buf = xmalloc(len);
	r = qcow2_pread(q, buf, len, host);
	if (r < 0)
		return r;
	sector_cipher_run(q->cipher, false,
			  number(q, req->offset + skip, host), buf, len);
	iov_write(req->iov, req->n_iov, skip, buf, len);
	return 0;
}

int qcow2_crypt_write(struct qcow2 *q, const struct block_req *req,
		      uint64_t skip, uint64_t len, uint64_t host)
{
	_cleanup_free_ uint8_t *buf = NULL;

	if (!q->cipher)
		return -ENOKEY;
	if ((host | len) % BLOCK_SECTOR)
		return -EINVAL;
	buf = xmalloc(len);
	iov_read(req->iov, req->n_iov, skip, buf, len);
	sector_cipher_run(q->cipher, true, host / BLOCK_SECTOR, buf, len);
	return qcow2_pwrite(q, buf, len, host);
}

/* ---- a new one ---- */

int qcow2_crypt_make(const struct block_create *c, struct qcow2_header *h,
		     uint8_t **ret, struct error *err)
{
	size_t len;
	int r;

	*ret = NULL;
	if (!c->encrypt)
		return 0;
	if (!c->key)
		return error_set(err, -ENOKEY,
				 "it is to be encrypted: a secret is missing");
	if (c->preallocation == PREALLOCATE_METADATA ||
	    c->preallocation == PREALLOCATE_FALLOC)
		return error_set(err, -ENOTSUP,
				 "an encrypted image can be preallocated in full, or not");
	r = luks_make(&c->luks, c->key, c->key_len, ret, &len, err);
	if (r < 0)
		return r;
	h->crypt_method = LUKS;
	h->crypt_length = len;
	return 0;
}
