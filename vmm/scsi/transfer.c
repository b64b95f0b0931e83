/*
 * vmm/scsi/transfer.c -- commands that read and change blocks (SBC-3).
 *
 * Reads and writes go to the guest's buffers as they are; what needs several
 * requests to the block layer (a list to unmap, a pattern) runs them one after
 * the other.
 */
#include "vmm/scsi/scsi_priv.h"

#include <errno.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"

enum {
	PATTERN_BYTES = 256 * 1024, /* at once, for WRITE SAME */
	UNMAP_HEADER = 8,
	UNMAP_DESCRIPTOR = 16,
};

/* ---- requests to the block layer ---- */

static void failed(struct scsi_cmd *c, int result)
{
	if (result == -ENOMEDIUM)
		scsi_fail(c, SCSI_NOT_READY, ASC_NO_MEDIUM_CLOSED);
	else if (result == -EROFS)
		scsi_fail(c, SCSI_DATA_PROTECT, ASC_WRITE_PROTECTED);
	else
		scsi_fail(c, SCSI_MEDIUM_ERROR,
			  c->req.op == BLOCK_READ ? ASC_READ_ERROR :
						    ASC_WRITE_ERROR);
}

static void step(struct scsi_cmd *c)
{
	int r = c->next ? c->next(c) : 1;

	if (r < 0)
		failed(c, r);
	else if (r > 0)
		scsi_good(c);
}

static void request_done(struct drive_req *req, int result)
{
	struct scsi_cmd *c = container_of(req, struct scsi_cmd, req);

	if (result < 0)
		failed(c, result);
	else
		step(c);
}

static int submit(struct scsi_cmd *c, enum block_op op, uint64_t offset,
		  uint64_t length)
{
	c->req.done = request_done;
	c->req.block.op = op;
	c->req.block.offset = offset;
	c->req.block.length = length;
	return drive_submit(c->dev->drive, &c->req);
}

static bool in_range(struct scsi_cmd *c, uint64_t lba, uint64_t blocks)
{
	uint64_t total = scsi_blocks(c->dev);

	if (lba <= total && blocks <= total - lba)
		return true;
	scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
	return false;
}

/* ---- READ and WRITE (SBC 5.7 ff.) ---- */

static bool slice_buffers(struct scsi_cmd *c, uint64_t bytes, bool write)
{
	unsigned int n = write ? c->n_out : c->n_in;
	struct iovec *iov;

	if (bytes > (write ? c->out_len : c->in_len)) {
		c->overrun = true;
		return false;
	}
	c->buffer = iov = xcalloc(n, sizeof(*iov));
	c->req.block.iov = iov;
	c->req.block.n_iov =
		iov_slice(write ? c->out : c->in, n, 0, bytes, iov);
	return true;
}

static void transfer(struct scsi_cmd *c, bool write, uint64_t lba,
		     uint32_t blocks, bool fua)
{
	uint64_t bytes = (uint64_t)blocks * scsi_block_size(c->dev);
	int r;

	if (!in_range(c, lba, blocks))
		return;
	if (!blocks || !slice_buffers(c, bytes, write)) {
		scsi_good(c);
		return;
	}
	c->next = NULL;
	c->moved = bytes;
	c->req.fua = write && fua;
	r = submit(c, write ? BLOCK_WRITE : BLOCK_READ,
		   lba * scsi_block_size(c->dev), bytes);
	if (r < 0)
		failed(c, r);
}

/*
 * Byte 1 of all but the six-byte commands: protection in bits 5-7, which no
 * unit has, and FUA in bit 3.
 */
static void transfer_flags(struct scsi_cmd *c, bool write, uint64_t lba,
			   uint32_t blocks)
{
	if (c->cdb[1] & 0xe0)
		scsi_invalid_field(c);
	else
		transfer(c, write, lba, blocks, c->cdb[1] & 0x08);
}

/* SBC 5.7: 21 bits of address; a length of 0 means 256 blocks. */
static void transfer6(struct scsi_cmd *c, bool write)
{
	uint32_t lba = get_be32(c->cdb) & 0x1fffff;

	transfer(c, write, lba, c->cdb[4] ? c->cdb[4] : 256, false);
}

void scsi_read6(struct scsi_cmd *c)
{
	transfer6(c, false);
}

void scsi_write6(struct scsi_cmd *c)
{
	transfer6(c, true);
}

void scsi_read10(struct scsi_cmd *c)
{
	transfer_flags(c, false, get_be32(c->cdb + 2), get_be16(c->cdb + 7));
}

void scsi_write10(struct scsi_cmd *c)
{
	transfer_flags(c, true, get_be32(c->cdb + 2), get_be16(c->cdb + 7));
}

void scsi_read12(struct scsi_cmd *c)
{
	transfer_flags(c, false, get_be32(c->cdb + 2), get_be32(c->cdb + 6));
}

void scsi_write12(struct scsi_cmd *c)
{
	transfer_flags(c, true, get_be32(c->cdb + 2), get_be32(c->cdb + 6));
}

void scsi_read16(struct scsi_cmd *c)
{
	transfer_flags(c, false, get_be64(c->cdb + 2), get_be32(c->cdb + 10));
}

void scsi_write16(struct scsi_cmd *c)
{
	transfer_flags(c, true, get_be64(c->cdb + 2), get_be32(c->cdb + 10));
}

/* SBC 5.42: verified means that it got to the medium. */
void scsi_write_verify10(struct scsi_cmd *c)
{
	transfer(c, true, get_be32(c->cdb + 2), get_be16(c->cdb + 7), true);
}

/* SBC 5.28: BYTCHK, a comparison with the guest's data, is not done. */
static void verify(struct scsi_cmd *c, uint64_t lba, uint32_t blocks)
{
	if (c->cdb[1] & 0x06)
		scsi_invalid_field(c);
	else if (in_range(c, lba, blocks))
		scsi_good(c);
}

void scsi_verify10(struct scsi_cmd *c)
{
	verify(c, get_be32(c->cdb + 2), get_be16(c->cdb + 7));
}

void scsi_verify16(struct scsi_cmd *c)
{
	verify(c, get_be64(c->cdb + 2), get_be32(c->cdb + 10));
}

/* SBC 5.22: the range is ignored, everything is flushed. */
void scsi_flush(struct scsi_cmd *c)
{
	int r = 0;

	c->next = NULL;
	if (!drive_loaded(c->dev->drive)) {
		scsi_good(c);
		return;
	}
	r = submit(c, BLOCK_FLUSH, 0, 0);
	if (r < 0)
		failed(c, r);
}

/*
 * MMC 6.20 READ CD: of what a sector has, only the 2048 bytes of user data
 * (byte 9 bit 4), or nothing; of the expected sector types any, or mode 1.
 */
void scsi_read_cd(struct scsi_cmd *c)
{
	uint32_t blocks = get_be32(c->cdb + 5) & 0xffffff;
	unsigned int type = c->cdb[1] >> 2 & 7;

	if (!c->cdb[9] && in_range(c, get_be32(c->cdb + 2), blocks))
		scsi_good(c);
	else if (!c->cdb[9])
		return;
	else if ((c->cdb[9] & 0xf8) != 0x10 || (type && type != 2))
		scsi_invalid_field(c);
	else
		transfer(c, false, get_be32(c->cdb + 2), blocks, false);
}

/* ---- UNMAP (SBC 5.25) ---- */

static int unmap_next(struct scsi_cmd *c)
{
	const uint8_t *d = (uint8_t *)c->buffer + c->step * UNMAP_DESCRIPTOR;
	unsigned int bs = scsi_block_size(c->dev);

	if (c->step == c->steps)
		return 1;
	c->step++;
	return submit(c, BLOCK_DISCARD, get_be64(d) * bs,
		      (uint64_t)get_be32(d + 8) * bs);
}

static bool unmap_in_range(struct scsi_cmd *c)
{
	const uint8_t *d = c->buffer;

	for (unsigned int i = 0; i < c->steps; i++, d += UNMAP_DESCRIPTOR)
		if (!in_range(c, get_be64(d), get_be32(d + 8)))
			return false;
	return true;
}

void scsi_unmap(struct scsi_cmd *c)
{
	unsigned int len = get_be16(c->cdb + 7), list;
	uint8_t header[UNMAP_HEADER];

	if (!len) {
		scsi_good(c);
		return;
	}
	if (len < UNMAP_HEADER ||
	    iov_read(c->out, c->n_out, 0, header, UNMAP_HEADER) <
		    UNMAP_HEADER) {
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_LIST_LENGTH);
		return;
	}
	list = MIN(get_be16(header + 2), len - UNMAP_HEADER);
	c->buffer = xcalloc(1, list + 1);
	list = iov_read(c->out, c->n_out, UNMAP_HEADER, c->buffer, list);
	c->moved = UNMAP_HEADER + list;
	c->step = 0;
	c->steps = list / UNMAP_DESCRIPTOR;
	if (!unmap_in_range(c))
		return;
	c->next = unmap_next;
	step(c);
}

/* ---- WRITE SAME (SBC 5.44) ---- */

static int pattern_next(struct scsi_cmd *c)
{
	uint64_t n = MIN(c->left, (uint64_t)PATTERN_BYTES), at = c->at;

	if (!n)
		return 1;
	c->at += n;
	c->left -= n;
	c->one = (struct iovec){ c->buffer, n };
	c->req.block.iov = &c->one;
	c->req.block.n_iov = 1;
	c->req.fua = false;
	return submit(c, BLOCK_WRITE, at, n);
}

static void write_pattern(struct scsi_cmd *c, const uint8_t *block)
{
	uint8_t *buffer = xmalloc(PATTERN_BYTES);

	for (unsigned int i = 0; i < PATTERN_BYTES; i += BLOCK_SECTOR)
		memcpy(buffer + i, block, BLOCK_SECTOR);
	c->buffer = buffer;
	c->next = pattern_next;
	step(c);
}

static void write_zeroes(struct scsi_cmd *c, bool unmap)
{
	int r;

	c->next = NULL;
	c->req.block.unmap = unmap && drive_discards(c->dev->drive);
	r = submit(c, BLOCK_WRITE_ZEROES, c->at, c->left);
	if (r < 0)
		failed(c, r);
}

/* Byte 1: UNMAP in bit 3, ANCHOR in bit 4, no data-out buffer in bit 0. */
static void write_same(struct scsi_cmd *c, uint64_t lba, uint32_t blocks,
		       bool no_data)
{
	uint8_t block[BLOCK_SECTOR] = { 0 };

	if ((c->cdb[1] & 0xf0) || !blocks) { /* WSNZ: 0 is not "the rest" */
		scsi_invalid_field(c);
		return;
	}
	if (!in_range(c, lba, blocks))
		return;
	if (!no_data) {
		c->moved = iov_read(c->out, c->n_out, 0, block, sizeof(block));
		if (c->moved < sizeof(block)) {
			c->overrun = true;
			scsi_good(c);
			return;
		}
	}
	c->at = lba * BLOCK_SECTOR;
	c->left = (uint64_t)blocks * BLOCK_SECTOR;
	if (!block[0] && !memcmp(block, block + 1, sizeof(block) - 1))
		write_zeroes(c, c->cdb[1] & 0x08);
	else
		write_pattern(c, block);
}

void scsi_write_same10(struct scsi_cmd *c)
{
	write_same(c, get_be32(c->cdb + 2), get_be16(c->cdb + 7), false);
}

void scsi_write_same16(struct scsi_cmd *c)
{
	write_same(c, get_be64(c->cdb + 2), get_be32(c->cdb + 10),
		   c->cdb[1] & 0x01);
}

/* ---- READ CAPACITY (SBC 5.15, 5.16) ---- */

void scsi_read_capacity10(struct scsi_cmd *c)
{
	uint64_t last = scsi_blocks(c->dev) - 1;
	uint8_t d[8];

	put_be32(d, MIN(last, (uint64_t)UINT32_MAX));
	put_be32(d + 4, scsi_block_size(c->dev));
	scsi_reply(c, d, sizeof(d), sizeof(d));
}

/* SERVICE ACTION IN(16): of its actions only READ CAPACITY(16). */
void scsi_service_in16(struct scsi_cmd *c)
{
	unsigned int per_physical =
		drive_align(c->dev->drive) / scsi_block_size(c->dev);
	uint8_t d[32] = { 0 };

	if ((c->cdb[1] & 0x1f) != 0x10) {
		scsi_invalid_field(c);
		return;
	}
	put_be64(d, scsi_blocks(c->dev) - 1);
	put_be32(d + 8, scsi_block_size(c->dev));
	d[13] = per_physical > 1 ? 31 - __builtin_clz(per_physical) : 0;
	if (drive_discards(c->dev->drive))
		d[14] = 0x80; /* LBPME */
	scsi_reply(c, d, sizeof(d), get_be32(c->cdb + 10));
}
