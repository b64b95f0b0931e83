/*
 * vmm/virtio/blk.c -- virtio block device (virtio 1.2, section 5.2).
 *
 * Any number of request queues, all served by the device's thread through one
 * queue of the block layer.  A request keeps its chain until the block layer
 * is done; a discard or write-zeroes request runs its segments one after the
 * other.  Left out: secure erase, zoned storage.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "vmm/boot/bootorder.h"
#include "vmm/drive.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

enum {
	HEADER_LEN = sizeof(struct virtio_blk_outhdr),
	RANGE_LEN = sizeof(struct virtio_blk_discard_write_zeroes),
	RANGES_MAX = 16,
	RANGE_SECTORS_MAX = 1 << 22, /* 2 GiB */
	SEG_MAX = VQ_SIZE_MAX - 2,   /* without header and status */
	ID_LEN = VIRTIO_BLK_ID_BYTES,
	ROUNDS_MAX = 16, /* others want the lock, too */
};

struct blk {
	struct virtio_dev dev;
	struct drive *drive;
	unsigned int in_flight;
	struct vq_buf buf; /* the chain being looked at */
};

struct blk_request {
	struct drive_req req;
	struct blk *blk;
	struct virtqueue *vq;
	uint16_t head;
	uint8_t *status;
	uint32_t in_len; /* what the driver finds written, with the status */
	unsigned int n_ranges, range;
	struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX];
	struct iovec iov[];
};

/* Completion */

static void answer(struct virtqueue *vq, uint16_t head, uint8_t *status,
		   uint8_t value, uint32_t in_len)
{
	*status = value;
	vq_push(vq, head, in_len);
}

static uint8_t status_of(int result)
{
	return result == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

/* After a reset the memory is no longer ours to write to. */
static void finish(struct blk_request *r, int result)
{
	struct blk *blk = r->blk;

	if (!blk->dev.resetting) {
		answer(r->vq, r->head, r->status, status_of(result),
		       result == 0 ? r->in_len : 1);
	}
	free(r);
	if (--blk->in_flight == 0)
		virtio_idle(&blk->dev);
	if (blk->in_flight == 0 && blk->dev.resetting)
		virtio_reset_done(&blk->dev);
}

static int next_range(struct blk_request *r)
{
	const struct virtio_blk_discard_write_zeroes *range =
		&r->ranges[r->range++];

	r->req.block.offset = range->sector * BLOCK_SECTOR;
	r->req.block.length = (uint64_t)range->num_sectors * BLOCK_SECTOR;
	r->req.block.unmap =
		range->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	return drive_submit(r->blk->drive, &r->req);
}

static void request_done(struct drive_req *req, int result)
{
	struct blk_request *r = container_of(req, struct blk_request, req);

	if (result == 0 && r->range < r->n_ranges) {
		result = next_range(r);
		if (result == 0)
			return;
	}
	finish(r, result);
}

/* Requests */

static void submit(struct blk_request *r)
{
	int result;

	r->blk->in_flight++;
	result = r->n_ranges ? next_range(r) :
			       drive_submit(r->blk->drive, &r->req);
	if (result < 0)
		finish(r, result);
}

static struct blk_request *new_request(struct blk *blk, struct virtqueue *vq,
				       enum block_op op, uint8_t *status,
				       unsigned int n_iov)
{
	struct blk_request *r =
		xcalloc(1, sizeof(*r) + n_iov * sizeof(r->iov[0]));

	r->req.block.op = op;
	r->req.block.iov = r->iov;
	r->req.done = request_done;
	r->blk = blk;
	r->vq = vq;
	r->head = blk->buf.head;
	r->status = status;
	r->in_len = 1;
	return r;
}

static bool sector_range(uint64_t sector, uint64_t len, uint64_t *ret_offset)
{
	return len % BLOCK_SECTOR == 0 &&
	       !ckd_mul(ret_offset, sector, (uint64_t)BLOCK_SECTOR);
}

static uint8_t do_transfer(struct blk *blk, struct virtqueue *vq,
			   uint64_t sector, uint8_t *status, bool write)
{
	const struct vq_buf *buf = &blk->buf;
	uint64_t len = write ? buf->out_len - HEADER_LEN : buf->in_len - 1;
	struct blk_request *r;
	uint64_t offset;

	if (!sector_range(sector, len, &offset) || len > UINT32_MAX - 1)
		return VIRTIO_BLK_S_IOERR;
	if (write && drive_readonly(blk->drive)) /* 5.2.6.2 */
		return VIRTIO_BLK_S_IOERR;
	r = new_request(blk, vq, write ? BLOCK_WRITE : BLOCK_READ, status,
			buf->n_out + buf->n_in);
	r->req.block.offset = offset;
	r->req.block.length = len;
	if (write) {
		r->req.block.n_iov = iov_slice(buf->iov, buf->n_out,
					       HEADER_LEN, len, r->iov);
	} else {
		r->req.block.n_iov = iov_slice(buf->iov + buf->n_out,
					       buf->n_in, 0, len, r->iov);
		r->in_len = len + 1;
	}
	submit(r);
	return VIRTIO_BLK_S_OK;
}

/* 5.2.6.2: unknown flags, and unmap in a discard, are not supported. */
static uint8_t check_range(const struct virtio_blk_discard_write_zeroes *range,
			   bool discard)
{
	uint32_t known = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	uint64_t offset;

	if (range->flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	if (range->num_sectors > RANGE_SECTORS_MAX ||
	    !sector_range(range->sector, 0, &offset))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_ranges(struct blk *blk, struct virtqueue *vq,
			 uint8_t *status, bool discard)
{
	uint64_t len = blk->buf.out_len - HEADER_LEN;
	struct blk_request *r;

	if (drive_readonly(blk->drive) || !len || len % RANGE_LEN ||
	    len / RANGE_LEN > RANGES_MAX)
		return VIRTIO_BLK_S_IOERR;
	r = new_request(blk, vq, discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES,
			status, 0);
	r->n_ranges = len / RANGE_LEN;
	vq_read(&blk->buf, HEADER_LEN, r->ranges, len);
	for (unsigned int i = 0; i < r->n_ranges; i++) {
		uint8_t s = check_range(&r->ranges[i], discard);

		if (s != VIRTIO_BLK_S_OK) {
			free(r);
			return s;
		}
	}
	submit(r);
	return VIRTIO_BLK_S_OK;
}

/* 5.2.6: up to 20 bytes, and no NUL if it has them all. */
static uint8_t do_get_id(struct blk *blk, struct virtqueue *vq,
			 uint8_t *status)
{
	uint64_t n = MIN(blk->buf.in_len - 1, ID_LEN);
	char serial[ID_LEN] = "";

	memcpy(serial, drive_serial(blk->drive),
	       strnlen(drive_serial(blk->drive), ID_LEN));
	vq_write(&blk->buf, 0, serial, n);
	answer(vq, blk->buf.head, status, VIRTIO_BLK_S_OK, n + 1);
	return VIRTIO_BLK_S_OK;
}

/* Anything but OK is answered by the caller. */
static uint8_t dispatch(struct blk *blk, struct virtqueue *vq,
			const struct virtio_blk_outhdr *h, uint8_t *status)
{
	switch (h->type) {
	case VIRTIO_BLK_T_IN:
		return do_transfer(blk, vq, h->sector, status, false);
	case VIRTIO_BLK_T_OUT:
		return do_transfer(blk, vq, h->sector, status, true);
	case VIRTIO_BLK_T_FLUSH:
		submit(new_request(blk, vq, BLOCK_FLUSH, status, 0));
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		return do_get_id(blk, vq, status);
	case VIRTIO_BLK_T_DISCARD:
		if (virtio_has(&blk->dev, VIRTIO_BLK_F_DISCARD))
			return do_ranges(blk, vq, status, true);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (virtio_has(&blk->dev, VIRTIO_BLK_F_WRITE_ZEROES))
			return do_ranges(blk, vq, status, false);
		break;
	}
	return VIRTIO_BLK_S_UNSUPP;
}

/* The status is the last byte of the writable part. */
static uint8_t *status_byte(const struct vq_buf *buf)
{
	for (unsigned int i = buf->n_out + buf->n_in; i-- > buf->n_out;) {
		if (buf->iov[i].iov_len)
			return (uint8_t *)buf->iov[i].iov_base +
			       buf->iov[i].iov_len - 1;
	}
	return NULL;
}

/* Takes what waits.  False: nothing did, or the queue is broken. */
static bool serve(struct blk *blk, struct virtqueue *vq)
{
	struct virtio_dev *dev = &blk->dev;
	struct virtio_blk_outhdr header;
	bool any = false;

	while (vq_pop(vq, &blk->buf)) {
		uint8_t *status = status_byte(&blk->buf), value;

		if (!status || vq_read(&blk->buf, 0, &header, HEADER_LEN) <
				       HEADER_LEN) {
			virtio_needs_reset(dev, "request without header or "
						"status");
			return false;
		}
		any = true;
		value = dispatch(blk, vq, &header, status);
		if (value != VIRTIO_BLK_S_OK)
			answer(vq, blk->buf.head, status, value, 1);
	}
	return any;
}

/* One interrupt for all that was answered. */
static void answered(void *arg)
{
	struct blk *blk = arg;

	for (unsigned int i = 0; i < blk->dev.n_queues; i++)
		vq_signal(virtio_queue(&blk->dev, i));
}

/*
 * While there is something to do, the driver need not ring; the doorbell is
 * armed, and the queue looked at once more, when there is not.
 */
static void blk_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct blk *blk = container_of(dev, struct blk, dev);
	struct virtqueue *vq = virtio_queue(dev, queue);

	vq->deaf = true;
	for (unsigned int i = 0; i < ROUNDS_MAX && serve(blk, vq); i++) {
		drive_run(blk->drive);
		answered(blk);
	}
	vq->deaf = false;
	serve(blk, vq);
	drive_run(blk->drive);
	answered(blk);
}

static bool blk_reset(struct virtio_dev *dev)
{
	struct blk *blk = container_of(dev, struct blk, dev);

	return blk->in_flight == 0;
}

static bool blk_busy(struct virtio_dev *dev)
{
	return container_of(dev, struct blk, dev)->in_flight != 0;
}

/* Outside */

static void blk_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct blk *blk = arg;

	drive_stats(blk->drive, emit, emit_arg);
}

static void blk_drives(void *arg, machine_drive_fn *fn, void *fn_arg)
{
	struct blk *blk = arg;

	fn(fn_arg, blk->drive);
}

static const struct machine_dev_ops blk_machine_ops = {
	.name = "virtio-blk",
	.stateless = true, /* its PCI function saves it */
	.stats = blk_stats,
	.drives = blk_drives,
};

static void blk_destroy(struct virtio_dev *dev)
{
	struct blk *blk = container_of(dev, struct blk, dev);

	virtio_stop(dev);
	dev->resetting = true; /* nobody is there to be answered */
	drive_destroy(blk->drive);
	virtio_finish(dev);
	free(blk);
}

static const struct virtio_type virtio_blk = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.class_code = 0x010000, /* PCI D.2: mass storage, SCSI */
	.own_thread = true,
	.notify = blk_notify,
	.reset = blk_reset,
	.busy = blk_busy,
	.stateless = true,
	.destroy = blk_destroy,
};

static unsigned int log2_of(unsigned int n)
{
	return n > 1 ? 31 - __builtin_clz(n) : 0;
}

/* 5.2.4; a geometry of 255 heads and 63 sectors, for those who look at it. */
static void set_capacity(struct blk *blk)
{
	struct virtio_blk_config *c = (void *)blk->dev.config;
	uint64_t sectors = drive_size(blk->drive) / BLOCK_SECTOR;

	c->capacity = sectors;
	c->geometry.cylinders = MIN(sectors / (255 * 63), 65535);
}

static void resized(void *arg)
{
	struct blk *blk = arg;

	set_capacity(blk);
	virtio_config_changed(&blk->dev);
}

static void blk_config(struct blk *blk, unsigned int queues)
{
	struct virtio_blk_config *c = (void *)blk->dev.config;
	unsigned int best = drive_align(blk->drive) / BLOCK_SECTOR;

	blk->dev.config_size =
		offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	set_capacity(blk);
	c->seg_max = SEG_MAX;
	c->geometry.heads = 255;
	c->geometry.sectors = 63;
	c->blk_size = BLOCK_SECTOR;
	c->physical_block_exp = log2_of(best);
	c->min_io_size = best;
	c->num_queues = queues;
	c->max_discard_sectors = RANGE_SECTORS_MAX;
	c->max_discard_seg = RANGES_MAX;
	c->discard_sector_alignment = MAX(best, 4096u / BLOCK_SECTOR);
	c->max_write_zeroes_sectors = RANGE_SECTORS_MAX;
	c->max_write_zeroes_seg = RANGES_MAX;
	c->write_zeroes_may_unmap = drive_discards(blk->drive);
}

static uint64_t blk_features(const struct blk *blk, unsigned int queues)
{
	uint64_t f = BIT64(VIRTIO_BLK_F_SEG_MAX) |
		     BIT64(VIRTIO_BLK_F_GEOMETRY) |
		     BIT64(VIRTIO_BLK_F_BLK_SIZE) |
		     BIT64(VIRTIO_BLK_F_TOPOLOGY) | BIT64(VIRTIO_BLK_F_FLUSH);

	if (queues > 1)
		f |= BIT64(VIRTIO_BLK_F_MQ);
	if (drive_readonly(blk->drive))
		return f | BIT64(VIRTIO_BLK_F_RO);
	if (drive_discards(blk->drive))
		f |= BIT64(VIRTIO_BLK_F_DISCARD);
	return f | BIT64(VIRTIO_BLK_F_WRITE_ZEROES);
}

int virtio_blk_add(struct machine *m, const struct spec_disk *spec,
		   unsigned int queues, struct error *err)
{
	struct blk *blk = xcalloc(1, sizeof(*blk));
	int r;

	r = virtio_init(&blk->dev, &virtio_blk, m, spec->id, queues, 0, err);
	if (r >= 0)
		r = drive_create(spec, blk->dev.loop, &blk->dev.lock,
				 &blk->drive, err);
	if (r < 0)
		goto fail;
	drive_set_ram(blk->drive, m->ram);
	drive_on_change(blk->drive, resized, blk);
	drive_on_answers(blk->drive, answered, blk);
	blk->dev.features |= blk_features(blk, queues);
	blk_config(blk, queues);
	r = virtio_pci_plug(&blk->dev, &spec->pci, err);
	if (r < 0)
		goto fail;
	bootorder_add(m, spec->boot_index, &blk->dev.pci, "scsi", "/disk@0,0");
	machine_add_device(m, &blk_machine_ops, blk);
	return 0;

fail:
	blk_destroy(&blk->dev);
	return r;
}
