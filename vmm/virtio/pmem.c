/*
 * vmm/virtio/pmem.c -- virtio persistent memory device (virtio 1.2, section
 * 5.19): a file of the host's in the guest's memory, which is on its disk once
 * the driver's flush is answered.
 *
 * Flushes run on a thread of the device, one at a time and without its lock:
 * they take as long as the host's disk does.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pmem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "storage/format/block.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/memdev.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* #syscalls:vmm fdatasync */

/* 5.19.2 */
enum { REQUESTQ, PMEM_QUEUES };
enum { DONE, FAILED }; /* 5.19.6.1 */

struct pmem {
	struct virtio_dev dev;
	const struct spec_memory *spec;
	struct memdev *memory;
	struct loop_timer *timer;
	bool flushing; /* the one in buf */
	struct vq_buf buf;
};

static struct pmem *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct pmem, dev);
}

/* ---- requests ---- */

/* 5.19.6: what is read of the driver says what to do, and there is one thing. */
static bool is_flush(const struct vq_buf *buf)
{
	struct virtio_pmem_req req;

	return buf->in_len >= sizeof(struct virtio_pmem_resp) &&
	       vq_read(buf, 0, &req, sizeof(req)) == sizeof(req) &&
	       req.type == VIRTIO_PMEM_REQ_TYPE_FLUSH;
}

/* Locked.  The next one, if none is under way. */
static void pmem_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct pmem *d = from_dev(dev);

	if (d->flushing || !vq_pop(virtio_queue(dev, REQUESTQ), &d->buf))
		return;
	if (!is_flush(&d->buf)) {
		virtio_needs_reset(dev, "pmem: malformed request");
		return;
	}
	d->flushing = true;
	timer_arm(d->timer, now_ns());
}

/* Locked. */
static void answer(struct pmem *d, bool done)
{
	struct virtqueue *vq = virtio_queue(&d->dev, REQUESTQ);
	struct virtio_pmem_resp resp = { .ret = done ? DONE : FAILED };

	vq_push(vq, d->buf.head, vq_write(&d->buf, 0, &resp, sizeof(resp)));
	vq_signal(vq);
}

/* On the device's thread. */
static void flush(void *arg)
{
	struct pmem *d = arg;
	bool done = fdatasync(d->spec->fd) == 0;

	pthread_mutex_lock(&d->dev.lock);
	d->flushing = false;
	if (!d->dev.resetting) {
		answer(d, done);
		vq_kick(virtio_queue(&d->dev, REQUESTQ));
	}
	virtio_idle(&d->dev);
	if (d->dev.resetting)
		virtio_reset_done(&d->dev);
	pthread_mutex_unlock(&d->dev.lock);
}

static bool pmem_reset(struct virtio_dev *dev)
{
	return !from_dev(dev)->flushing;
}

static bool pmem_busy(struct virtio_dev *dev)
{
	return from_dev(dev)->flushing;
}

/* ---- life ---- */

static void pmem_destroy(struct virtio_dev *dev)
{
	struct pmem *d = from_dev(dev);

	virtio_stop(dev);
	timer_destroy(d->timer);
	virtio_finish(dev);
	memdev_destroy(d->memory);
	free(d);
}

/* It has no state: a machine with one is not saved, as its file would have to
 * go with it. */
static const struct virtio_type virtio_pmem = {
	.name = "pmem",
	.id = VIRTIO_ID_PMEM,
	.class_code = 0x058000, /* PCI D.6: other memory controller */
	.own_thread = true,
	.notify = pmem_notify,
	.reset = pmem_reset,
	.busy = pmem_busy,
	.destroy = pmem_destroy,
};

/* The file is made as long as the device; never shorter. */
static int check_file(const struct spec_memory *s, struct error *err)
{
	struct stat st;

	if (s->fd < 0)
		return error_set(err, -EINVAL,
				 "persistent memory '%s' has no file", s->id);
	if (fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, -EINVAL,
				 "persistent memory '%s': not a regular file",
				 s->id);
	if ((uint64_t)st.st_size < s->size &&
	    ftruncate(s->fd, (off_t)s->size) < 0)
		return error_set(err, -errno,
				 "persistent memory '%s' cannot be made %llu KiB large: %m",
				 s->id, (unsigned long long)(s->size / KIB));
	return block_lock(s->fd, false, err);
}

static void describe(struct pmem *d)
{
	*(struct virtio_pmem_config *)(void *)d->dev.config =
		(struct virtio_pmem_config){
			.start = d->spec->base,
			.size = d->spec->size,
		};
	d->dev.config_size = sizeof(struct virtio_pmem_config);
}

int virtio_pmem_add(struct machine *m, const struct spec_memory *spec,
		    struct error *err)
{
	struct pmem *d;
	int r = check_file(spec, err);

	if (r < 0)
		return r;
	d = xcalloc(1, sizeof(*d));
	d->spec = spec;
	r = virtio_init(&d->dev, &virtio_pmem, m, spec->id, PMEM_QUEUES, 0,
			err);
	describe(d);
	if (r >= 0)
		r = timer_create_on(d->dev.loop, flush, d, &d->timer);
	if (r >= 0)
		r = memdev_create(m, spec, 0, &d->memory, err);
	if (r >= 0)
		r = virtio_pci_plug(&d->dev, &spec->pci, err);
	if (r < 0)
		pmem_destroy(&d->dev);
	return r;
}
