/*
 * vmm/scsi/lun.c -- a SCSI unit of the host's: commands go to it, and its
 * answers come back, as they are (SG_IO on its block device: scsi/sg.h,
 * Linux's scsi_ioctl.c).
 *
 * The host's kernel lets us, who have no privileges, send commands that read,
 * write and ask, and refuses others; persistent and other reservations, which
 * would be the host's and stay, are refused here.  It is one command a call,
 * so the drive's threads wait.  How much one command may move is told to the
 * guest: no more pages than any host adapter takes.
 *
 * Left out: resets (they would be others' too), asynchronous events, statistics.
 */
/* #ioctls:vmm SG_IO SG_GET_VERSION_NUM BLKSSZGET */
#include "vmm/scsi/scsi_priv.h"

#include <errno.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/iov.h"
#include "base/util.h"
#include "vmm/spec.h"

enum {
	TIMEOUT_MS = 120000,
	SG_VERSION_3 = 30000,
	INQUIRY = 0x12,
	VARIABLE_LENGTH = 0x7f,
	BLOCK_LIMITS = 0xb0, /* the page of INQUIRY's (SBC 6.5.3) */
};

/* Linux's host_status: scsi_status.h. */
enum { DID_OK = 0, DID_TIME_OUT = 3 };

static_assert(sizeof(struct sg_iovec) == sizeof(struct iovec), "ORDER iovec");

int scsi_pass(struct scsi_dev *dev, const struct spec_disk *spec,
	      struct error *err)
{
	int version = 0, block = 0;

	if (ioctl(spec->fd, SG_GET_VERSION_NUM, &version) < 0 ||
	    version < SG_VERSION_3 ||
	    ioctl(spec->fd, BLKSSZGET, &block) < 0 || block <= 0)
		return error_set(err, -ENOTSUP,
				 "disk '%s': its source is no SCSI unit that commands can be passed to",
				 spec->id);
	dev->passed_block = block;
	return 0;
}

/* SPC 6.15, 6.16 and, of SPC-2, RESERVE and RELEASE. */
static bool is_reservation(uint8_t opcode)
{
	return opcode == 0x5e || opcode == 0x5f || opcode == 0x16 ||
	       opcode == 0x17 || opcode == 0x56 || opcode == 0x57;
}

/* SPC 4.2.5.1: by the group in the highest three bits. */
static unsigned int cdb_length(const uint8_t *cdb)
{
	static const uint8_t of_group[8] = { 6, 10, 10, 0, 16, 12, 10, 10 };

	if (cdb[0] == VARIABLE_LENGTH)
		return cdb[7] + 8u;
	return of_group[cdb[0] >> 5];
}

static uint64_t data_length(const struct scsi_cmd *c)
{
	return c->in_len ? c->in_len : c->out_len;
}

/* ---- back from the host ---- */

static void call_failed(struct scsi_cmd *c, int result)
{
	if (result == -EPERM && drive_readonly(c->dev->drive))
		scsi_fail(c, SCSI_DATA_PROTECT, ASC_WRITE_PROTECTED);
	else if (result == -EPERM)
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	else if (result == -EINVAL || result == -EMSGSIZE)
		scsi_invalid_field(c);
	else
		scsi_fail(c, SCSI_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
}

static void limit(struct scsi_cmd *c, unsigned int at, bool zero_is_any)
{
	uint32_t most = SCSI_PASSED_MAX / c->dev->passed_block, now;
	uint8_t field[4];

	if (iov_read(c->in, c->n_in, at, field, 4) < 4)
		return;
	now = get_be32(field);
	if (now <= most && (now || !zero_is_any))
		return;
	put_be32(field, most);
	iov_write(c->in, c->n_in, at, field, 4);
}

/* SBC 6.5.3: MAXIMUM and OPTIMAL TRANSFER LENGTH, in blocks. */
static void tell_limits(struct scsi_cmd *c)
{
	if (c->cdb[0] != INQUIRY || !(c->cdb[1] & 1) ||
	    c->cdb[2] != BLOCK_LIMITS)
		return;
	if (c->moved >= 12)
		limit(c, 8, true);
	if (c->moved >= 16)
		limit(c, 12, false);
}

static void answered(struct scsi_cmd *c, const struct sg_io_hdr *h)
{
	uint64_t asked = data_length(c);

	c->sense_len = MIN(h->sb_len_wr, sizeof(c->sense));
	c->moved = asked - MIN((uint64_t)MAX(h->resid, 0), asked);
	if (h->status == SCSI_GOOD)
		tell_limits(c);
	scsi_end(c, h->status);
}

static void sent(struct drive_req *req, int result)
{
	struct scsi_cmd *c = container_of(req, struct scsi_cmd, req);
	const struct sg_io_hdr *h = c->buffer;

	if (result < 0)
		call_failed(c, result);
	else if (h->host_status == DID_OK || h->status != SCSI_GOOD)
		answered(c, h);
	else
		scsi_fail(c, SCSI_ABORTED_COMMAND,
			  h->host_status == DID_TIME_OUT ?
				  ASC_COMMUNICATION_TIMEOUT :
				  ASC_COMMUNICATION_FAILURE);
}

/* ---- to the host ---- */

/* On a thread of the drive's. */
static int send_it(void *arg, int fd)
{
	struct scsi_cmd *c = arg;

	return ioctl(fd, SG_IO, c->buffer) < 0 ? -errno : 0;
}

static struct sg_io_hdr *make_header(struct scsi_cmd *c)
{
	struct sg_io_hdr *h = xcalloc(1, sizeof(*h));
	const struct iovec *data = c->in_len ? c->in : c->out;

	h->interface_id = 'S';
	h->dxfer_direction = c->in_len	? SG_DXFER_FROM_DEV :
			     c->out_len ? SG_DXFER_TO_DEV :
					  SG_DXFER_NONE;
	h->cmdp = c->cdb;
	h->cmd_len = cdb_length(c->cdb);
	h->sbp = c->sense;
	h->mx_sb_len = sizeof(c->sense);
	h->dxfer_len = data_length(c);
	h->dxferp = (void *)data;
	h->iovec_count = c->in_len ? c->n_in : c->n_out;
	h->timeout = TIMEOUT_MS;
	return h;
}

static void submit(struct scsi_cmd *c)
{
	int r;

	c->buffer = make_header(c);
	c->req = (struct drive_req){
		.block = { .op = BLOCK_CALL,
			   .call = send_it,
			   .arg = c,
			   .iov = c->in,
			   .n_iov = c->n_in },
		.done = sent,
	};
	r = drive_submit(c->dev->drive, &c->req);
	if (r < 0)
		call_failed(c, r);
}

void scsi_run_passed(struct scsi_cmd *c)
{
	unsigned int len = cdb_length(c->cdb);

	if (is_reservation(c->cdb[0]) || !len || len > SCSI_CDB_MAX)
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	else if (data_length(c) > SCSI_PASSED_MAX)
		scsi_invalid_field(c);
	else
		submit(c);
}
