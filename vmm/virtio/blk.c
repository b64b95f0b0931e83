/*
 * vmm/virtio/blk.c -- virtio block device (virtio 1.2, section 5.2).
 *
 * Any number of request queues, all served by the device's thread through one
 * queue of the block layer.  A request keeps its chain until the block layer
 * is done; a discard or write-zeroes request runs its segments one after the
 * other.  Left out: secure erase, zoned storage.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "vmm/loop.h"
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
};

struct blk_counter {
	uint64_t requests, bytes, ns;
};

enum { COUNT_READ, COUNT_WRITE, COUNT_FLUSH, COUNTERS };

struct blk {
	struct virtio_dev dev;
	struct block *block;
	struct block_queue *queue;
	unsigned int in_flight;
	char serial[ID_LEN];
	struct blk_counter counter[COUNTERS];
	struct vq_buf buf; /* the chain being looked at */
};

struct blk_request {
	struct block_req req;
	struct blk *blk;
	struct virtqueue *vq;
	uint16_t head;
	uint8_t *status;
	uint32_t in_len; /* what the driver finds written, with the status */
	uint64_t started;
	unsigned int n_ranges, range;
	struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX];
	struct iovec iov[];
};

/* Completion */

static void count(struct blk_request *r)
{
	struct blk_counter *c;

	switch (r->req.op) {
	case BLOCK_READ:
		c = &r->blk->counter[COUNT_READ];
		break;
	case BLOCK_FLUSH:
		c = &r->blk->counter[COUNT_FLUSH];
		break;
	default:
		c = &r->blk->counter[COUNT_WRITE];
	}
	c->requests++;
	c->ns += now_ns() - r->started;
	if (r->req.op == BLOCK_READ || r->req.op == BLOCK_WRITE)
		c->bytes += r->req.length;
}

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

	if (result == 0)
		count(r);
	if (!blk->dev.resetting) {
		answer(r->vq, r->head, r->status, status_of(result),
		       result == 0 ? r->in_len : 1);
		vq_signal(r->vq);
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

	r->req.offset = range->sector * BLOCK_SECTOR;
	r->req.length = (uint64_t)range->num_sectors * BLOCK_SECTOR;
	r->req.unmap = range->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	return block_submit(r->blk->queue, &r->req);
}

static void request_done(struct block_req *req, int result)
{
	struct blk_request *r = container_of(req, struct blk_request, req);

	if (result == 0 && r->range < r->n_ranges) {
		result = next_range(r);
		if (result == 0)
			return;
	}
	finish(r, result);
}

/* On the device's thread. */
static void blk_completed(void *arg, uint32_t events)
{
	struct blk *blk = arg;

	pthread_mutex_lock(&blk->dev.lock);
	block_poll(blk->queue);
	pthread_mutex_unlock(&blk->dev.lock);
}

/* Requests */

static void submit(struct blk_request *r)
{
	int result;

	r->blk->in_flight++;
	r->started = now_ns();
	result = r->n_ranges ? next_range(r) :
			       block_submit(r->blk->queue, &r->req);
	if (result < 0)
		finish(r, result);
}

static struct blk_request *new_request(struct blk *blk, struct virtqueue *vq,
				       enum block_op op, uint8_t *status,
				       unsigned int n_iov)
{
	struct blk_request *r =
		xcalloc(1, sizeof(*r) + n_iov * sizeof(r->iov[0]));

	r->req.op = op;
	r->req.iov = r->iov;
	r->req.done = request_done;
	r->blk = blk;
	r->vq = vq;
	r->head = blk->buf.head;
	r->status = status;
	r->in_len = 1;
	return r;
}

/* Segments of one direction without the first skip and the last cut bytes. */
static unsigned int slice(const struct iovec *from, unsigned int n,
			  uint64_t skip, uint64_t len, struct iovec *to)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < n && len; i++) {
		uint64_t part;

		if (skip >= from[i].iov_len) {
			skip -= from[i].iov_len;
			continue;
		}
		part = MIN(from[i].iov_len - skip, len);
		to[used].iov_base = (uint8_t *)from[i].iov_base + skip;
		to[used++].iov_len = part;
		len -= part;
		skip = 0;
	}
	return used;
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
	if (write && block_readonly(blk->block)) /* 5.2.6.2 */
		return VIRTIO_BLK_S_IOERR;
	r = new_request(blk, vq, write ? BLOCK_WRITE : BLOCK_READ, status,
			buf->n_out + buf->n_in);
	r->req.offset = offset;
	r->req.length = len;
	if (write) {
		r->req.n_iov = slice(buf->iov, buf->n_out, HEADER_LEN, len,
				     r->iov);
	} else {
		r->req.n_iov = slice(buf->iov + buf->n_out, buf->n_in, 0, len,
				     r->iov);
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

	if (block_readonly(blk->block) || !len || len % RANGE_LEN ||
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

static uint8_t do_get_id(struct blk *blk, struct virtqueue *vq,
			 uint8_t *status)
{
	uint64_t n = MIN(blk->buf.in_len - 1, ID_LEN);

	vq_write(&blk->buf, 0, blk->serial, n);
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

static void blk_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct blk *blk = container_of(dev, struct blk, dev);
	struct virtqueue *vq = virtio_queue(dev, queue);
	struct virtio_blk_outhdr header;

	while (vq_pop(vq, &blk->buf)) {
		uint8_t *status = status_byte(&blk->buf), value;

		if (!status || vq_read(&blk->buf, 0, &header, HEADER_LEN) <
				       HEADER_LEN) {
			virtio_needs_reset(dev, "request without header or "
						"status");
			break;
		}
		value = dispatch(blk, vq, &header, status);
		if (value != VIRTIO_BLK_S_OK)
			answer(vq, blk->buf.head, status, value, 1);
	}
	block_kick(blk->queue);
	vq_signal(vq);
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
	static const char *const names[COUNTERS][3] = {
		[COUNT_READ] = { "rd_req", "rd_bytes", "rd_ns" },
		[COUNT_WRITE] = { "wr_req", "wr_bytes", "wr_ns" },
		[COUNT_FLUSH] = { "flush_req", NULL, "flush_ns" },
	};
	struct blk *blk = arg;
	struct blk_counter c[COUNTERS];

	pthread_mutex_lock(&blk->dev.lock);
	memcpy(c, blk->counter, sizeof(c));
	pthread_mutex_unlock(&blk->dev.lock);
	for (unsigned int i = 0; i < COUNTERS; i++) {
		const char *id = blk->dev.id;

		emit(emit_arg, "disks", id, names[i][0], c[i].requests);
		if (names[i][1])
			emit(emit_arg, "disks", id, names[i][1], c[i].bytes);
		emit(emit_arg, "disks", id, names[i][2], c[i].ns);
	}
}

static const struct machine_dev_ops blk_machine_ops = {
	.name = "virtio-blk",
	.stats = blk_stats,
};

static void blk_destroy(struct virtio_dev *dev)
{
	struct blk *blk = container_of(dev, struct blk, dev);

	virtio_stop(dev);
	if (blk->queue) {
		dev->resetting = true; /* nobody is there to be answered */
		loop_remove(dev->loop, block_queue_fd(blk->queue));
		block_queue_destroy(blk->queue);
	}
	block_close(blk->block);
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
	.destroy = blk_destroy,
};

static unsigned int log2_of(unsigned int n)
{
	return n > 1 ? 31 - __builtin_clz(n) : 0;
}

/* 5.2.4; a geometry of 255 heads and 63 sectors, for those who look at it. */
static void blk_config(struct blk *blk, unsigned int queues)
{
	struct virtio_blk_config *c = (void *)blk->dev.config;
	uint64_t sectors = block_size(blk->block) / BLOCK_SECTOR;
	unsigned int best = block_align(blk->block) / BLOCK_SECTOR;

	blk->dev.config_size =
		offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	c->capacity = sectors;
	c->seg_max = SEG_MAX;
	c->geometry.cylinders = MIN(sectors / (255 * 63), 65535);
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
	c->write_zeroes_may_unmap = block_discards(blk->block);
}

static uint64_t blk_features(const struct blk *blk, unsigned int queues)
{
	uint64_t f = BIT64(VIRTIO_BLK_F_SEG_MAX) |
		     BIT64(VIRTIO_BLK_F_GEOMETRY) |
		     BIT64(VIRTIO_BLK_F_BLK_SIZE) |
		     BIT64(VIRTIO_BLK_F_TOPOLOGY) | BIT64(VIRTIO_BLK_F_FLUSH);

	if (queues > 1)
		f |= BIT64(VIRTIO_BLK_F_MQ);
	if (block_readonly(blk->block))
		return f | BIT64(VIRTIO_BLK_F_RO);
	if (block_discards(blk->block))
		f |= BIT64(VIRTIO_BLK_F_DISCARD);
	return f | BIT64(VIRTIO_BLK_F_WRITE_ZEROES);
}

static int open_image(struct blk *blk, const struct spec_disk *spec,
		      struct error *err)
{
	struct block_options opt = {
		.readonly = spec->readonly,
		.direct = spec->cache == CACHE_NONE ||
			  spec->cache == CACHE_DIRECTSYNC,
		.no_flush = spec->cache == CACHE_UNSAFE,
		.discard = spec->discard,
		.sync_writes = spec->cache == CACHE_WRITETHROUGH ||
			       spec->cache == CACHE_DIRECTSYNC,
	};
	int fd = fcntl(spec->fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return error_set(err, -errno, "no descriptor for disk '%s': %m",
				 spec->id);
	r = block_open(spec->format, fd, &opt, &blk->block, err);
	if (r < 0) {
		fd_close(fd);
		error_prefix(err, "disk '%s'", spec->id);
		return r;
	}
	return block_queue_create(blk->block, VQ_SIZE_MAX, &blk->queue, err);
}

/* 5.2.6: up to 20 bytes, and no NUL if it has them all. */
static void set_serial(struct blk *blk, const char *serial)
{
	for (unsigned int i = 0; serial && serial[i] && i < ID_LEN; i++)
		blk->serial[i] = serial[i];
}

int virtio_blk_add(struct machine *m, const struct spec_disk *spec,
		   unsigned int queues, struct error *err)
{
	struct blk *blk = xcalloc(1, sizeof(*blk));
	int r;

	set_serial(blk, spec->serial);
	r = virtio_init(&blk->dev, &virtio_blk, m, spec->id, queues, 0, err);
	if (r >= 0)
		r = open_image(blk, spec, err);
	if (r < 0)
		goto fail;
	blk->dev.features |= blk_features(blk, queues);
	blk_config(blk, queues);
	r = loop_add(blk->dev.loop, block_queue_fd(blk->queue), EPOLLIN,
		     blk_completed, blk);
	if (r >= 0)
		r = virtio_pci_plug(&blk->dev, spec->pci_slot,
				    spec->pci_function, err);
	if (r < 0)
		goto fail;
	machine_add_device(m, &blk_machine_ops, blk);
	return 0;

fail:
	blk_destroy(&blk->dev);
	return r;
}
