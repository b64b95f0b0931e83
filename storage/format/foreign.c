/*
 * storage/format/foreign.c -- what is the same for all formats of others:
 * reading, unit by unit.
 */
#include "storage/format/foreign.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/iov.h"

enum { MERGE_MAX = 65536 };

int foreign_bad(struct error *err, const char *what)
{
	return error_set(err, -EINVAL, "its %s", what);
}

int foreign_open(struct block *blk, struct foreign **ret, struct error *err)
{
	struct foreign *f;
	struct stat st;
	int r;

	if (!blk->options.readonly)
		return error_set(err, -ENOTSUP,
				 "an image of format '%s' is only read",
				 blk->format->name);
	f = xcalloc(1, sizeof(*f));
	r = block_open_file(blk, &f->file, err);
	if (r < 0) {
		free(f);
		return r;
	}
	f->file_size = f->file.size;
	if (!f->file.is_device && fstat(blk->fd, &st) == 0)
		f->file_size = st.st_size;
	blk->priv = *ret = f;
	return 0;
}

void foreign_close(struct block *blk)
{
	struct foreign *f = blk->priv;

	if (!f)
		return;
	block_raw.close(&f->file);
	free(f);
	blk->priv = NULL;
}

int foreign_check(const struct foreign *f, uint64_t size, struct error *err)
{
	if (!f->unit || f->unit % BLOCK_SECTOR || f->unit > FOREIGN_UNIT_MAX ||
	    (f->unpack && f->unit > FOREIGN_PACKED_MAX))
		return foreign_bad(err, "blocks cannot have that size");
	if (!size || size % BLOCK_SECTOR || size > INT64_MAX / 2)
		return foreign_bad(err, "disk cannot have that size");
	return 0;
}

/* ---- requests ---- */

int foreign_read(struct foreign *f, void *buf, size_t len, uint64_t offset)
{
	struct iovec iov = { buf, len };
	struct block_req req = {
		.op = BLOCK_READ,
		.offset = offset,
		.length = len,
		.iov = &iov,
		.n_iov = 1,
	};

	if (offset > f->file_size || len > f->file_size - offset)
		return -EIO;
	return f->file.format->run(&f->file, &req);
}

/* As far as it is of one kind and in a row, within reason. */
static int place(struct foreign *f, uint64_t offset, uint64_t len,
		 struct foreign_place *ret)
{
	struct foreign_place next;
	int r = f->place(f, offset, ret);

	for (unsigned int i = 0; i < MERGE_MAX && r >= 0 && ret->len < len &&
	     ret->where != FOREIGN_PACKED; i++) {
		if (f->place(f, offset + ret->len, &next) < 0 ||
		    next.where != ret->where ||
		    (ret->where == FOREIGN_DATA &&
		     next.host != ret->host + ret->len))
			break;
		ret->len += next.len;
	}
	ret->len = MIN(ret->len, len);
	return r;
}

static int read_data(struct foreign *f, const struct block_req *req,
		     uint64_t skip, const struct foreign_place *p)
{
	_cleanup_free_ struct iovec *iov = xcalloc(req->n_iov, sizeof(*iov));
	struct block_req part = {
		.op = BLOCK_READ,
		.offset = p->host,
		.length = p->len,
		.iov = iov,
	};

	if (p->host > INT64_MAX / 2)
		return -EIO;
	part.n_iov = iov_slice(req->iov, req->n_iov, skip, p->len, iov);
	return f->file.format->run(&f->file, &part);
}

static int read_packed(struct foreign *f, const struct block_req *req,
		       uint64_t skip, const struct foreign_place *p)
{
	_cleanup_free_ uint8_t *unit = xcalloc(1, f->unit);
	int r = f->unpack(f, p->host, unit);

	if (r >= 0)
		iov_write(req->iov, req->n_iov, skip,
			  unit + (req->offset + skip) % f->unit, p->len);
	return r;
}

static int read_at(struct foreign *f, const struct block_req *req,
		   uint64_t skip, uint64_t *ret_len)
{
	struct foreign_place p;
	int r = place(f, req->offset + skip, req->length - skip, &p);

	if (r < 0)
		return r;
	*ret_len = p.len;
	switch (p.where) {
	case FOREIGN_DATA:
		return read_data(f, req, skip, &p);
	case FOREIGN_PACKED:
		return read_packed(f, req, skip, &p);
	case FOREIGN_ZERO:
		iov_zero(req->iov, req->n_iov, skip, p.len);
		return 0;
	}
	return -EIO;
}

int foreign_run(struct block *blk, const struct block_req *req)
{
	uint64_t len = 0;
	int r = 0;

	if (req->op == BLOCK_FLUSH)
		return 0;
	if (req->op != BLOCK_READ)
		return -EROFS;
	for (uint64_t done = 0; done < req->length && r >= 0; done += len)
		r = read_at(blk->priv, req, done, &len);
	return r;
}

enum block_direct foreign_direct(struct block *blk, struct block_req *req)
{
	return DIRECT_NO;
}

int foreign_extent(struct block *blk, uint64_t offset, uint64_t length,
		   struct block_extent *ret)
{
	struct foreign_place p;
	int r = place(blk->priv, offset, length, &p);

	if (r < 0)
		return r;
	*ret = (struct block_extent){
		.length = p.len,
		.present = p.where != FOREIGN_ZERO,
		.zero = p.where == FOREIGN_ZERO,
		.compressed = p.where == FOREIGN_PACKED,
		.has_host = p.where == FOREIGN_DATA,
		.host = p.host,
	};
	return 0;
}

void foreign_info(const struct block *blk, struct block_info *ret)
{
	const struct foreign *f = blk->priv;

	ret->cluster_size = f->unit;
}
