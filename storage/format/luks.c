/*
 * storage/format/luks.c -- a LUKS1 container, as cryptsetup makes it: a
 * header, and then the disk's sectors, encrypted.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "storage/format/format.h"
#include "storage/format/luks_header.h"

enum { PART = 256 * 1024 };

struct luks {
	struct block file; /* the same descriptor, as bytes */
	struct luks_header h;
	struct sector_cipher *cipher; /* NULL: there was no passphrase */
};

static int file_run(struct block *file, enum block_op op, void *buf,
		    size_t len, uint64_t offset)
{
	struct iovec iov = { buf, len };
	struct block_req req = {
		.op = op,
		.offset = offset,
		.length = len,
		.iov = &iov,
		.n_iov = 1,
	};

	return file->format->run(file, &req);
}

static int file_read(void *arg, void *buf, size_t len, uint64_t offset)
{
	return file_run(arg, BLOCK_READ, buf, len, offset);
}

/* ---- opening ---- */

static int unlock(struct block *blk, struct luks *l, struct error *err)
{
	if (blk->options.key)
		return luks_unlock(&l->h, file_read, &l->file,
				   blk->options.key, blk->options.key_len,
				   &l->cipher, err);
	return block_key_optional(blk) ?
		       0 :
		       error_set(err, -ENOKEY,
				 "it is encrypted: its secret is missing");
}

static int open_luks(struct block *blk, struct luks *l, struct error *err)
{
	int r = block_open_file(blk, &l->file, err);

	if (r >= 0)
		r = luks_load(file_read, &l->file, &l->h, err);
	if (r >= 0 && l->h.payload > l->file.size)
		r = error_set(err, -EINVAL, "it is cut off");
	if (r >= 0)
		r = unlock(blk, l, err);
	if (r < 0)
		return r;
	blk->size = ALIGN_DOWN(l->file.size - l->h.payload, BLOCK_SECTOR);
	blk->is_device = l->file.is_device;
	blk->best_align = l->file.best_align;
	return 0;
}

static void luks_destroy(struct luks *l)
{
	if (l->file.priv)
		block_raw.close(&l->file);
	sector_cipher_destroy(l->cipher);
	free(l);
}

static int luks_open(struct block *blk, struct error *err)
{
	struct luks *l = xcalloc(1, sizeof(*l));
	int r = open_luks(blk, l, err);

	if (r < 0)
		luks_destroy(l);
	else
		blk->priv = l;
	return r;
}

static void luks_close(struct block *blk)
{
	luks_destroy(blk->priv);
}

static int luks_resize(struct block *blk, uint64_t size, struct error *err)
{
	struct luks *l = blk->priv;
	int r = block_raw.resize(&l->file, size + l->h.payload, err);

	if (r >= 0)
		blk->size = size;
	return r;
}

/* ---- requests ---- */

static int run_part(struct luks *l, const struct block_req *req,
		    uint64_t done, uint64_t len, uint8_t *buf)
{
	uint64_t at = req->offset + done, host = at + l->h.payload;
	int r;

	if (req->op == BLOCK_READ) {
		r = file_run(&l->file, BLOCK_READ, buf, len, host);
		if (r < 0)
			return r;
		sector_cipher_run(l->cipher, false, at / BLOCK_SECTOR, buf,
				  len);
		iov_write(req->iov, req->n_iov, done, buf, len);
		return 0;
	}
	memset(buf, 0, len);
	if (req->op == BLOCK_WRITE)
		iov_read(req->iov, req->n_iov, done, buf, len);
	sector_cipher_run(l->cipher, true, at / BLOCK_SECTOR, buf, len);
	return file_run(&l->file, BLOCK_WRITE, buf, len, host);
}

static int run_parts(struct luks *l, const struct block_req *req)
{
	_cleanup_free_ uint8_t *buf = xmalloc(MIN(req->length, PART));
	uint64_t part;
	int r = 0;

	if ((req->offset | req->length) % BLOCK_SECTOR)
		return -EINVAL;
	for (uint64_t done = 0; done < req->length && r >= 0; done += part) {
		part = MIN(req->length - done, (uint64_t)PART);
		r = run_part(l, req, done, part, buf);
	}
	return r;
}

/* What is discarded would be noise: a hint that is not taken. */
static int luks_run(struct block *blk, const struct block_req *req)
{
	struct luks *l = blk->priv;

	switch (req->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
	case BLOCK_WRITE_ZEROES:
		return l->cipher ? run_parts(l, req) : -ENOKEY;
	case BLOCK_FLUSH:
		return block_raw.run(&l->file, req);
	case BLOCK_DISCARD:
		return 0;
	case BLOCK_CALL: /* block_run()'s */
		break;
	}
	return -EINVAL;
}

static enum block_direct luks_direct(struct block *blk,
				     struct block_req *req)
{
	(void)blk;
	return req->op == BLOCK_FLUSH ? DIRECT_YES : DIRECT_NO;
}

static int luks_extent(struct block *blk, uint64_t offset, uint64_t length,
		       struct block_extent *ret)
{
	(void)blk;
	(void)offset;
	*ret = (struct block_extent){ .length = length, .present = true };
	return 0;
}

static void luks_info(const struct block *blk, struct block_info *ret)
{
	(void)blk;
	ret->encrypted = true;
}

/* ---- a new one ---- */

static int luks_create_image(struct block *file,
			     const struct block_create *c, struct error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t len;
	int r;

	if (!c->key)
		return error_set(err, -ENOKEY,
				 "it is to be encrypted: a secret is missing");
	if (c->backing)
		return error_set(err, -EINVAL,
				 "format 'luks' cannot be based on another image");
	r = luks_make(&c->luks, c->key, c->key_len, &data, &len, err);
	if (r < 0)
		return r;
	r = file_run(file, BLOCK_WRITE, data, len, 0);
	if (r < 0)
		return error_set(err, r, "cannot write its header: %m");
	return file->is_device ?
		       0 :
		       block_raw.resize(file, len + ALIGN_UP(c->size,
							(uint64_t)BLOCK_SECTOR),
					err);
}

const struct block_format block_luks = {
	.name = "luks",
	.create = luks_create_image,
	.info = luks_info,
	.resize = luks_resize,
	.open = luks_open,
	.close = luks_close,
	.run = luks_run,
	.direct = luks_direct,
	.extent = luks_extent,
};
