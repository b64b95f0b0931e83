/*
 * vmm/virtio/virtqueue.c -- split virtqueues (virtio 1.2, section 2.7).
 *
 * Everything in the rings is the guest's and may change while it is read:
 * each value is loaded once, checked, and then used.  A chain is at most as
 * long as the queue (2.7.5.3.1), which also ends loops; every address goes
 * through ram_ptr().  What breaks these rules breaks the device.
 */
#include "vmm/virtio/virtio.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/iov.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* #syscalls:vmm read write */

#define LOAD(p)	       __atomic_load_n(p, __ATOMIC_RELAXED)
#define LOAD_ACQ(p)    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE(p, v)    __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define STORE_REL(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define FENCE()	       __atomic_thread_fence(__ATOMIC_SEQ_CST)

int vq_init(struct virtqueue *vq, struct virtio_dev *dev, unsigned int index)
{
	vq->dev = dev;
	vq->index = index;
	vq->size_max = VQ_SIZE_MAX;
	vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vq->kick_fd < 0)
		return -errno;
	vq_disable(vq);
	return 0;
}

void vq_finish(struct virtqueue *vq)
{
	if (vq->dev)
		fd_close(vq->kick_fd);
	vq->dev = NULL;
}

void vq_disable(struct virtqueue *vq)
{
	*vq = (struct virtqueue){
		.dev = vq->dev,
		.index = vq->index,
		.kick_fd = vq->kick_fd,
		.call_fd = vq->call_fd,
		.size = vq->size_max,
		.size_max = vq->size_max,
		.vector = VIRTIO_NO_VECTOR,
	};
}

/* A full counter is readable, which is all that is wanted. */
void vq_kick(struct virtqueue *vq)
{
	uint64_t one = 1;
	ssize_t n = write(vq->kick_fd, &one, sizeof(one));

	(void)n;
}

static void *ring_ptr(struct virtqueue *vq, uint64_t gpa, uint64_t len,
		      unsigned int align)
{
	if (gpa % align)
		return NULL;
	return ram_ptr(vq->dev->m->ram, gpa, len);
}

/* 2.7: sizes and alignments, the event fields included (2.7.6, 2.7.8). */
void vq_enable(struct virtqueue *vq)
{
	uint64_t n = vq->size;

	if (vq->enabled)
		return;
	vq->desc = ring_ptr(vq, vq->desc_gpa, 16 * n, 16);
	vq->avail = ring_ptr(vq, vq->avail_gpa, 6 + 2 * n, 2);
	vq->used = ring_ptr(vq, vq->used_gpa, 6 + 8 * n, 4);
	if (!vq->desc || !vq->avail || !vq->used) {
		virtio_needs_reset(vq->dev, "ring is not in memory");
		return;
	}
	vq->enabled = true;
}

static bool vq_usable(const struct virtqueue *vq)
{
	return vq->enabled &&
	       !(vq->dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* For migration: the rings are written through pointers that are kept. */
static void mark(struct virtqueue *vq, const void *at, size_t len)
{
	ram_mark(vq->dev->m->ram, at, len);
}

/* 2.7.10: the driver's next entry that is to ring the doorbell. */
static void ask_for_kick(struct virtqueue *vq)
{
	if (!virtio_has(vq->dev, VIRTIO_RING_F_EVENT_IDX))
		return;
	STORE((uint16_t *)&vq->used->ring[vq->size], vq->last_avail);
	mark(vq, &vq->used->ring[vq->size], sizeof(uint16_t));
	FENCE();
}

static bool bad_chain(struct virtqueue *vq, const char *why)
{
	virtio_needs_reset(vq->dev, why);
	return false;
}

/* Entries that wait; the doorbell is armed when there are none, unless the
 * device will look again. */
static bool has_avail(struct virtqueue *vq)
{
	uint16_t idx = LOAD_ACQ(&vq->avail->idx);

	if (idx == vq->last_avail && !vq->deaf) {
		ask_for_kick(vq);
		idx = LOAD_ACQ(&vq->avail->idx);
	}
	if (idx == vq->last_avail)
		return false;
	if ((uint16_t)(idx - vq->last_avail) > vq->size)
		return bad_chain(vq, "available index ran away");
	return true;
}

bool vq_empty(struct virtqueue *vq)
{
	return !vq_usable(vq) || !has_avail(vq);
}

static bool add_segment(struct virtqueue *vq, struct vq_buf *buf,
			const struct vring_desc *d)
{
	unsigned int n = buf->n_out + buf->n_in;
	void *p = NULL;

	if (n == vq->size)
		return bad_chain(vq, "descriptor chain is too long");
	if (!(d->flags & VRING_DESC_F_WRITE) && buf->n_in)
		return bad_chain(vq, "readable part after a writable one");
	if (d->len && (d->flags & VRING_DESC_F_WRITE))
		p = ram_ptr(vq->dev->m->ram, d->addr, d->len);
	else if (d->len)
		p = (void *)ram_ptr_const(vq->dev->m->ram, d->addr, d->len);
	if (d->len && !p)
		return bad_chain(vq, "buffer is not in memory");

	buf->iov[n] = (struct iovec){ .iov_base = p, .iov_len = d->len };
	if (d->flags & VRING_DESC_F_WRITE) {
		buf->n_in++;
		buf->in_len += d->len;
	} else {
		buf->n_out++;
		buf->out_len += d->len;
	}
	return true;
}

static struct vring_desc load_desc(const struct vring_desc *table,
				   unsigned int i)
{
	struct vring_desc d;

	memcpy(&d, &table[i], sizeof(d));
	/* The copy is what is checked and used from here on. */
	__asm__ volatile("" ::: "memory");
	return d;
}

/*
 * Follows a chain through a table of n descriptors.  One that is not direct
 * ends in an indirect table at most (2.7.5.3.1), returned in ret_last.
 */
static bool walk(struct virtqueue *vq, const struct vring_desc *table,
		 unsigned int n, unsigned int i, struct vq_buf *buf,
		 struct vring_desc *ret_last)
{
	for (unsigned int count = 0;; count++) {
		struct vring_desc d;

		if (i >= n || count >= vq->size)
			return bad_chain(vq, "descriptors loop or leave the "
					     "table");
		d = load_desc(table, i);
		*ret_last = d;
		if (d.flags & VRING_DESC_F_INDIRECT)
			return true;
		if (!add_segment(vq, buf, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		i = d.next;
	}
}

static bool walk_indirect(struct virtqueue *vq, const struct vring_desc *d,
			  struct vq_buf *buf)
{
	const struct vring_desc *table;
	struct vring_desc last;

	if (!virtio_has(vq->dev, VIRTIO_RING_F_INDIRECT_DESC) ||
	    (d->flags & VRING_DESC_F_NEXT) || !d->len ||
	    d->len % sizeof(*table))
		return bad_chain(vq, "bad indirect descriptor");
	table = ram_ptr_const(vq->dev->m->ram, d->addr, d->len);
	if (!table)
		return bad_chain(vq, "indirect table is not in memory");
	if (!walk(vq, table, d->len / sizeof(*table), 0, buf, &last))
		return false;
	if (last.flags & VRING_DESC_F_INDIRECT)
		return bad_chain(vq, "nested indirect descriptor");
	return true;
}

bool vq_pop(struct virtqueue *vq, struct vq_buf *buf)
{
	struct vring_desc last;

	if (!vq_usable(vq) || !has_avail(vq))
		return false;
	buf->head = LOAD(&vq->avail->ring[vq->last_avail & (vq->size - 1)]);
	buf->n_out = buf->n_in = 0;
	buf->out_len = buf->in_len = 0;
	if (!walk(vq, vq->desc, vq->size, buf->head, buf, &last))
		return false;
	if ((last.flags & VRING_DESC_F_INDIRECT) &&
	    !walk_indirect(vq, &last, buf))
		return false;
	vq->last_avail++;
	return true;
}

void vq_unpop(struct virtqueue *vq, unsigned int n)
{
	vq->last_avail -= n;
}

/*
 * A chain may have been with the device for long, and is written by now: its
 * descriptors are followed once more, which marks its writable part.
 */
static void mark_chain(struct virtqueue *vq, uint16_t head)
{
	struct vring_desc last;
	struct vq_buf buf; /* large */

	buf.n_out = buf.n_in = 0;
	buf.out_len = buf.in_len = 0;
	if (walk(vq, vq->desc, vq->size, head, &buf, &last) &&
	    (last.flags & VRING_DESC_F_INDIRECT))
		walk_indirect(vq, &last, &buf);
}

void vq_fill(struct virtqueue *vq, uint16_t head, uint32_t len,
	     unsigned int ahead)
{
	unsigned int i = (vq->used_idx + ahead) & (vq->size - 1);

	if (!vq_usable(vq))
		return;
	if (ram_logs(vq->dev->m->ram))
		mark_chain(vq, head);
	STORE(&vq->used->ring[i].id, head);
	STORE(&vq->used->ring[i].len, len);
	mark(vq, &vq->used->ring[i], sizeof(vq->used->ring[i]));
}

void vq_publish(struct virtqueue *vq, unsigned int n)
{
	if (!vq_usable(vq))
		return;
	vq->used_idx += n;
	STORE_REL(&vq->used->idx, vq->used_idx);
	mark(vq, &vq->used->idx, sizeof(vq->used->idx));
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	vq_fill(vq, head, len, 0);
	vq_publish(vq, 1);
}

/* 2.7.7.2: what the driver asked for, by index or by flag. */
static bool wants_signal(struct virtqueue *vq)
{
	uint16_t old = vq->signalled;
	bool valid = vq->signalled_valid;

	if (valid && old == vq->used_idx)
		return false;
	vq->signalled = vq->used_idx;
	vq->signalled_valid = true;
	if (!virtio_has(vq->dev, VIRTIO_RING_F_EVENT_IDX))
		return !(LOAD(&vq->avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return !valid || vring_need_event(LOAD(&vq->avail->ring[vq->size]),
					  vq->used_idx, old);
}

void vq_signal(struct virtqueue *vq)
{
	if (!vq_usable(vq))
		return;
	FENCE();
	if (wants_signal(vq))
		virtio_interrupt(vq->dev, vq);
}

size_t vq_read(const struct vq_buf *buf, uint64_t offset, void *to,
	       size_t len)
{
	return iov_read(buf->iov, buf->n_out, offset, to, len);
}

size_t vq_write(const struct vq_buf *buf, uint64_t offset, const void *from,
		size_t len)
{
	return iov_write(buf->iov + buf->n_out, buf->n_in, offset, from, len);
}
