/*
 * tests/unit/vmm/lun.c -- commands to a SCSI unit of the host's: what goes to
 * the kernel, and what becomes of its answers.  The kernel's side is here, in
 * place of ioctl().
 */
#include <errno.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/loop.h"
#include "vmm/scsi/scsi.h"
#include "vmm/spec.h"

#undef NDEBUG
#include <assert.h>

enum { TEST_UNIT_READY = 0, INQUIRY = 0x12, READ10 = 0x28, WRITE10 = 0x2a,
       FLUSH = 0x35, RESERVE_OUT = 0x5f, RESERVE6 = 0x16, GROUP_3 = 0x60,
       VARIABLE = 0x7f };

static unsigned int calls; /* of SG_IO */
static bool is_scsi = true;

/* ---- the host ---- */

static void fill(const struct sg_io_hdr *h, uint8_t value, unsigned int len)
{
	const struct iovec *v = h->dxferp;

	assert(h->dxfer_direction == SG_DXFER_FROM_DEV);
	for (int i = 0; i < h->iovec_count && len; i++) {
		size_t n = MIN(v[i].iov_len, len);

		memset(v[i].iov_base, value, n);
		len -= n;
	}
	assert(!len);
}

/* 96 bytes of sense data in descriptor format, for a unit that is not ready. */
static void complain(struct sg_io_hdr *h)
{
	assert(h->mx_sb_len == SCSI_SENSE_MAX);
	memset(h->sbp, 0x5a, h->mx_sb_len);
	h->sbp[0] = 0x72;
	h->sb_len_wr = h->mx_sb_len;
	h->status = SCSI_CHECK_CONDITION;
	h->host_status = 0;
	h->resid = h->dxfer_len;
}

static int sg_io(struct sg_io_hdr *h)
{
	calls++;
	assert(h->interface_id == 'S' && h->timeout >= 30000);
	switch (h->cmdp[0]) {
	case TEST_UNIT_READY:
		assert(h->cmd_len == 6 && !h->dxfer_len);
		complain(h);
		return 0;
	case INQUIRY:
		fill(h, 0xff, 64);
		h->resid = (int)h->dxfer_len - 64;
		return 0;
	case READ10:
		assert(h->cmd_len == 10 && h->iovec_count == 2);
		fill(h, 0xab, h->dxfer_len - 512);
		h->resid = 512;
		return 0;
	case FLUSH:
		h->host_status = 3; /* DID_TIME_OUT */
		return 0;
	case WRITE10:
		assert(h->dxfer_direction == SG_DXFER_TO_DEV);
		errno = EPERM;
		return -1;
	default:
		assert(!"a command that must not arrive");
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == SG_IO)
		return sg_io(arg);
	errno = ENOTTY;
	if (!is_scsi || (request != SG_GET_VERSION_NUM &&
			 request != BLKSSZGET))
		return -1;
	*(int *)arg = request == BLKSSZGET ? 512 : 30527;
	return 0;
}

/* ---- the guest ---- */

struct rig {
	struct loop *loop;
	pthread_mutex_t lock;
	struct drive *drive;
	struct scsi_dev dev;
	struct spec_disk spec;
	unsigned int done;
	uint8_t data[2][1024];
	struct iovec iov[2];
	struct scsi_cmd cmd;
};

static void command_done(struct scsi_cmd *cmd)
{
	struct rig *r = container_of(cmd, struct rig, cmd);

	r->done++;
	loop_quit(r->loop);
}

static struct scsi_cmd *run(struct rig *r, uint8_t opcode, uint64_t in,
			    uint64_t out)
{
	struct scsi_cmd *c = &r->cmd;

	r->done = 0;
	r->iov[0] = (struct iovec){ r->data[0], sizeof(r->data[0]) };
	r->iov[1] = (struct iovec){ r->data[1], sizeof(r->data[1]) };
	*c = (struct scsi_cmd){ .dev = &r->dev, .done = command_done,
				.cdb = { opcode }, .in_len = in,
				.out_len = out };
	c->in = c->out = r->iov;
	c->n_in = in ? 2 : 0;
	c->n_out = out ? 2 : 0;
	if (opcode == INQUIRY) {
		c->cdb[1] = 1;
		c->cdb[2] = 0xb0;
	}
	pthread_mutex_lock(&r->lock);
	scsi_run(c);
	pthread_mutex_unlock(&r->lock);
	if (!r->done)
		loop_run(r->loop);
	assert(r->done == 1);
	return c;
}

static void sense_is(const struct scsi_cmd *c, uint8_t key, unsigned int asc)
{
	assert(c->status == SCSI_CHECK_CONDITION);
	assert(c->sense_len == SCSI_SENSE_LEN && !c->moved);
	assert(c->sense[2] == key);
	assert((unsigned int)(c->sense[12] << 8 | c->sense[13]) == asc);
}

static void test_commands(struct rig *r)
{
	const struct scsi_cmd *c = run(r, READ10, 2048, 0);

	assert(c->status == SCSI_GOOD && c->moved == 1536 && !c->sense_len);
	assert(r->data[0][0] == 0xab && r->data[1][511] == 0xab);
	assert(r->data[1][512] == 0);

	c = run(r, TEST_UNIT_READY, 0, 0);
	assert(c->status == SCSI_CHECK_CONDITION);
	assert(c->sense_len == SCSI_SENSE_MAX && c->sense[0] == 0x72);
	assert(c->sense[SCSI_SENSE_MAX - 1] == 0x5a);

	/* As much as one command may move: 256 blocks. */
	c = run(r, INQUIRY, 2048, 0);
	assert(c->status == SCSI_GOOD && c->moved == 64);
	assert(!memcmp(r->data[0] + 4, "\xff\xff\xff\xff", 4));
	assert(!memcmp(r->data[0] + 8, "\0\0\1\0\0\0\1\0", 8));
	assert(r->data[0][16] == 0xff);
}

static void test_refusals(struct rig *r)
{
	static const uint8_t never[] = { RESERVE_OUT, RESERVE6, GROUP_3 };
	unsigned int before;

	sense_is(run(r, WRITE10, 0, 2048), SCSI_ILLEGAL_REQUEST,
		 ASC_INVALID_OPCODE);
	sense_is(run(r, FLUSH, 0, 0), SCSI_ABORTED_COMMAND,
		 ASC_COMMUNICATION_TIMEOUT);
	before = calls;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		sense_is(run(r, never[i], 0, 0), SCSI_ILLEGAL_REQUEST,
			 ASC_INVALID_OPCODE);
	sense_is(run(r, READ10, SCSI_PASSED_MAX + 1, 0), SCSI_ILLEGAL_REQUEST,
		 ASC_INVALID_FIELD);
	assert(calls == before);
}

/* A descriptor that is no SCSI unit's. */
static void test_others(struct rig *r)
{
	struct scsi_dev dev = { 0 };
	struct error err = { 0 };

	is_scsi = false;
	assert(scsi_pass(&dev, &r->spec, &err) == -ENOTSUP);
	assert(strstr(err.message, "no SCSI unit") && !dev.passed_block);
	is_scsi = true;
}

int main(void)
{
	static struct rig r = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct error err;

	r.spec = (struct spec_disk){ .id = (char *)"unit", .bus = SPEC_SCSI,
				     .kind = SPEC_LUN,
				     .format = (char *)"raw" };
	r.spec.fd = memfd_create("lun", 0);
	assert(r.spec.fd >= 0 && ftruncate(r.spec.fd, 1 << 20) == 0);
	assert(loop_create(&r.loop, &err) == 0);
	assert(drive_create(&r.spec, r.loop, &r.lock, &r.drive, &err) == 0);
	scsi_init(&r.dev, &r.spec, r.drive);
	assert(scsi_pass(&r.dev, &r.spec, &err) == 0);
	test_commands(&r);
	test_refusals(&r);
	test_others(&r);
	drive_destroy(r.drive);
	loop_destroy(r.loop);
	close(r.spec.fd);
	return 0;
}
