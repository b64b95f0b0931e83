/*
 * vmm/dev/nvme_io.c -- commands of the NVM command set (NVMe 6).
 *
 * Left out: Compare, Write Uncorrectable, reservations, metadata.
 */
#include <errno.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "vmm/dev/nvme_priv.h"

enum { OP_FLUSH = 0x00, OP_WRITE = 0x01, OP_READ = 0x02,
       OP_WRITE_ZEROES = 0x08, OP_DATASET = 0x09 };

enum {
	FUA = BIT(30),
	DEALLOCATE_ZEROES = BIT(25),  /* 6.16, DEAC */
	DATASET_DEALLOCATE = BIT(2),  /* 6.7, AD */
	EVERY_NAMESPACE = 0xffffffff,
};

static int status_of(const struct nvme_cmd *c, int result)
{
	if (result == 0)
		return NVME_OK;
	if (result == -EROFS)
		return NVME_READ_ONLY | NVME_DNR;
	if (result == -EINVAL)
		return NVME_LBA_OUT_OF_RANGE | NVME_DNR;
	return c->req.op == BLOCK_READ ? NVME_READ_ERROR : NVME_WRITE_FAULT;
}

static void request_done(struct drive_req *req, int result)
{
	struct nvme_cmd *c = container_of(req, struct nvme_cmd, req);

	nvme_finish(c, status_of(c, result));
}

static int submit(struct nvme_cmd *c, enum block_op op, uint64_t lba,
		  uint64_t blocks)
{
	uint64_t total = drive_size(c->ctl->drive) / NVME_LBA;
	struct block_req *b = &c->req.block;
	int r;

	if (lba > total || blocks > total - lba)
		return NVME_LBA_OUT_OF_RANGE | NVME_DNR;
	if (op != BLOCK_READ && op != BLOCK_FLUSH &&
	    drive_readonly(c->ctl->drive))
		return NVME_READ_ONLY | NVME_DNR;
	b->op = op;
	b->offset = lba * NVME_LBA;
	b->length = blocks * NVME_LBA;
	b->iov = c->iov;
	b->n_iov = c->n_iov;
	r = drive_submit(c->ctl->drive, &c->req);
	return r < 0 ? status_of(c, r) : NVME_LATER;
}

static uint64_t start_lba(const struct nvme_sqe *e)
{
	return e->cdw10 | (uint64_t)e->cdw11 << 32;
}

/* 6.9, 6.15: the number of blocks is 0's based. */
static int transfer(struct nvme_cmd *c, enum block_op op)
{
	uint64_t blocks = (c->sqe.cdw12 & 0xffff) + 1;
	int r = nvme_map(c, blocks * NVME_LBA);

	if (r != NVME_OK)
		return r;
	c->req.done = request_done;
	c->req.fua = op == BLOCK_WRITE &&
		     ((c->sqe.cdw12 & FUA) || !c->ctl->write_cache);
	return submit(c, op, start_lba(&c->sqe), blocks);
}

static int write_zeroes(struct nvme_cmd *c)
{
	c->req.done = request_done;
	c->req.block.unmap = (c->sqe.cdw12 & DEALLOCATE_ZEROES) &&
			     drive_discards(c->ctl->drive);
	return submit(c, BLOCK_WRITE_ZEROES, start_lba(&c->sqe),
		      (c->sqe.cdw12 & 0xffff) + 1);
}

static int flush(struct nvme_cmd *c)
{
	c->req.done = request_done;
	return submit(c, BLOCK_FLUSH, 0, 0);
}

/* ---- Dataset Management (6.7): a list of ranges, one after the other ---- */

static int next_range(struct nvme_cmd *c)
{
	const struct nvme_range *r;

	if (c->range == c->n_ranges)
		return NVME_OK;
	r = &c->ranges[c->range++];
	return submit(c, BLOCK_DISCARD, r->lba, r->blocks);
}

static void range_done(struct drive_req *req, int result)
{
	struct nvme_cmd *c = container_of(req, struct nvme_cmd, req);
	int status = result ? status_of(c, result) : next_range(c);

	if (status != NVME_LATER)
		nvme_finish(c, status);
}

/* Other attributes than "deallocate" are hints, and so is that one. */
static int dataset(struct nvme_cmd *c)
{
	unsigned int n = (c->sqe.cdw10 & 0xff) + 1;
	int r = nvme_map(c, n * sizeof(*c->ranges));

	if (r != NVME_OK)
		return r;
	if (!(c->sqe.cdw11 & DATASET_DEALLOCATE) ||
	    !drive_discards(c->ctl->drive))
		return NVME_OK;
	c->ranges = xcalloc(n, sizeof(*c->ranges));
	iov_read(c->iov, c->n_iov, 0, c->ranges, n * sizeof(*c->ranges));
	c->n_ranges = n;
	c->req.done = range_done;
	return next_range(c);
}

int nvme_io(struct nvme_cmd *c)
{
	if (!c->ctl->drive ||
	    (c->sqe.nsid != 1 && !(c->sqe.opcode == OP_FLUSH &&
				   c->sqe.nsid == EVERY_NAMESPACE)))
		return NVME_INVALID_NAMESPACE | NVME_DNR;
	if (c->sqe.flags & 0x03) /* fused operations */
		return NVME_INVALID_FIELD | NVME_DNR;
	switch (c->sqe.opcode) {
	case OP_FLUSH:
		return flush(c);
	case OP_WRITE:
		return transfer(c, BLOCK_WRITE);
	case OP_READ:
		return transfer(c, BLOCK_READ);
	case OP_WRITE_ZEROES:
		return write_zeroes(c);
	case OP_DATASET:
		return dataset(c);
	}
	return NVME_INVALID_OPCODE | NVME_DNR;
}
