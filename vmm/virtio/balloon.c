/*
 * vmm/virtio/balloon.c -- virtio memory balloon (virtio 1.2, section 5.5).
 *
 * Pages in the balloon, and pages that the driver reports as free, are
 * given back to the host.  Deflating needs nothing: touching a page brings
 * a fresh one.  Statistics are asked for when somebody reads the last ones, and
 * periodically.
 * Left out: free page hinting, page poison.
 */
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/*
 * 5.5.2 numbers the reporting queue 4 even where there is no hinting queue,
 * and Linux counts only queues that exist.  As hinting is not offered, every
 * queue from there on is taken for reporting.
 */
enum { INFLATEQ, DEFLATEQ, STATSQ, BALLOON_QUEUES = 5 };

enum { PAGE = 1 << VIRTIO_BALLOON_PFN_SHIFT, PFNS_AT_ONCE = 256 };

struct balloon {
	struct virtio_dev dev;
	bool has_stats_buf;
	uint16_t stats_head;
	uint64_t stats[VIRTIO_BALLOON_S_NR];
	uint32_t stats_seen; /* bits: which the driver gave */
	uint64_t stats_time; /* CLOCK_REALTIME, seconds */
	struct vq_buf buf;
	struct loop_timer *timer; /* the main thread's, as the period is */
	unsigned int period;	  /* seconds; 0: only when asked */
};

static struct balloon *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct balloon, dev);
}

static struct virtio_balloon_config *config(struct balloon *b)
{
	return (void *)b->dev.config;
}

static uint64_t guest_keeps(struct balloon *b)
{
	uint64_t total = ram_now(b->dev.m->ram);
	uint64_t taken = (uint64_t)config(b)->actual * PAGE;

	return taken < total ? total - taken : 0;
}

/* Giving memory back */

struct run {
	uint8_t *start;
	size_t len;
};

/* What cannot be released stays, which is only a waste. */
static void release(const struct balloon *b, struct run *run)
{
	if (run->len)
		ram_discard(b->dev.m->ram, run->start, run->len);
	run->len = 0;
}

static void add_page(const struct balloon *b, struct run *run, uint8_t *page)
{
	if (run->len && page == run->start + run->len) {
		run->len += PAGE;
	} else if (run->len && page + PAGE == run->start) {
		run->start = page;
		run->len += PAGE;
	} else {
		release(b, run);
		*run = (struct run){ page, PAGE };
	}
}

static bool inflate(struct balloon *b, const uint32_t *pfns, unsigned int n,
		    struct run *run)
{
	for (unsigned int i = 0; i < n; i++) {
		void *page = ram_ptr(b->dev.m->ram,
				     (uint64_t)pfns[i] * PAGE, PAGE);

		if (!page)
			return false;
		add_page(b, run, page);
	}
	return true;
}

static void inflate_all(struct balloon *b, struct virtqueue *vq)
{
	uint32_t pfns[PFNS_AT_ONCE];
	struct run run = { 0 };

	while (vq_pop(vq, &b->buf)) {
		uint64_t offset = 0;
		size_t n;

		while ((n = vq_read(&b->buf, offset, pfns, sizeof(pfns)))) {
			offset += n;
			if (!inflate(b, pfns, n / sizeof(pfns[0]), &run)) {
				virtio_needs_reset(&b->dev,
						   "balloon page is not in "
						   "memory");
				return;
			}
		}
		release(b, &run); /* before the acknowledgement (5.5.6.2) */
		vq_push(vq, b->buf.head, 0);
	}
	vq_signal(vq);
}

static void deflate_all(struct balloon *b, struct virtqueue *vq)
{
	while (vq_pop(vq, &b->buf))
		vq_push(vq, b->buf.head, 0);
	vq_signal(vq);
}

/* 5.5.6.7: the buffers are the free pages themselves. */
static void report_all(struct balloon *b, struct virtqueue *vq)
{
	while (vq_pop(vq, &b->buf)) {
		const struct iovec *v = b->buf.iov + b->buf.n_out;

		for (unsigned int i = 0; i < b->buf.n_in; i++) {
			uintptr_t start = (uintptr_t)v[i].iov_base;
			uintptr_t end = ALIGN_DOWN(start + v[i].iov_len,
						   (uintptr_t)PAGE);

			start = ALIGN_UP(start, (uintptr_t)PAGE);
			if (start < end)
				ram_discard(b->dev.m->ram, (void *)start,
					    end - start);
		}
		vq_push(vq, b->buf.head, 0);
	}
	vq_signal(vq);
}

/* Statistics (5.5.6.3): we keep the one buffer until we want new ones. */

static void read_stats(struct balloon *b)
{
	struct virtio_balloon_stat stat;

	for (uint64_t at = 0; at < b->buf.out_len && at < PAGE;
	     at += sizeof(stat)) {
		if (vq_read(&b->buf, at, &stat, sizeof(stat)) < sizeof(stat))
			break;
		if (stat.tag >= VIRTIO_BALLOON_S_NR)
			continue;
		b->stats[stat.tag] = stat.val;
		b->stats_seen |= BIT(stat.tag);
		b->stats_time = time(NULL);
	}
}

static void take_stats(struct balloon *b, struct virtqueue *vq)
{
	while (vq_pop(vq, &b->buf)) {
		/* The driver may have one buffer there only (5.5.6.3.1). */
		if (b->has_stats_buf)
			vq_push(vq, b->stats_head, 0);
		b->has_stats_buf = true;
		b->stats_head = b->buf.head;
		read_stats(b);
	}
}

static void ask_for_stats(struct balloon *b)
{
	struct virtqueue *vq = virtio_queue(&b->dev, STATSQ);

	if (!b->has_stats_buf || !virtio_running(&b->dev))
		return;
	b->has_stats_buf = false;
	vq_push(vq, b->stats_head, 0);
	vq_signal(vq);
}

static void balloon_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct balloon *b = from_dev(dev);
	struct virtqueue *vq = virtio_queue(dev, queue);

	if (queue == INFLATEQ)
		inflate_all(b, vq);
	else if (queue == DEFLATEQ)
		deflate_all(b, vq);
	else if (queue == STATSQ && virtio_has(dev, VIRTIO_BALLOON_F_STATS_VQ))
		take_stats(b, vq);
	else if (virtio_has(dev, VIRTIO_BALLOON_F_REPORTING))
		report_all(b, vq);
}

/* 5.5.4: the driver owns "actual". */
static void balloon_config_write(struct virtio_dev *dev, unsigned int offset,
				 uint32_t value, unsigned int size)
{
	struct balloon *b = from_dev(dev);

	if (offset != offsetof(struct virtio_balloon_config, actual) ||
	    size != 4)
		return;
	config(b)->actual = value;
	machine_tell_balloon(dev->m, guest_keeps(b));
}

static bool balloon_reset(struct virtio_dev *dev)
{
	struct balloon *b = from_dev(dev);

	/* A new driver starts with an empty balloon. */
	config(b)->actual = 0;
	b->has_stats_buf = false;
	b->stats_seen = 0;
	return true;
}

/* Outside */

static void set_target(struct balloon *b, uint64_t bytes)
{
	uint64_t total = ram_now(b->dev.m->ram);

	config(b)->num_pages = (total - MIN(bytes, total)) / PAGE;
}

static int balloon_set(void *arg, uint64_t bytes)
{
	struct balloon *b = arg;

	pthread_mutex_lock(&b->dev.lock);
	set_target(b, bytes);
	virtio_config_changed(&b->dev);
	pthread_mutex_unlock(&b->dev.lock);
	return 0;
}

static int balloon_get(void *arg, uint64_t *ret_bytes)
{
	struct balloon *b = arg;

	pthread_mutex_lock(&b->dev.lock);
	*ret_bytes = guest_keeps(b);
	pthread_mutex_unlock(&b->dev.lock);
	return 0;
}

/* Bytes and counts as the driver gave them; libvirt's names. */
static void balloon_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	static const char *const names[VIRTIO_BALLOON_S_NR] = {
		[VIRTIO_BALLOON_S_SWAP_IN] = "swap_in",
		[VIRTIO_BALLOON_S_SWAP_OUT] = "swap_out",
		[VIRTIO_BALLOON_S_MAJFLT] = "major_fault",
		[VIRTIO_BALLOON_S_MINFLT] = "minor_fault",
		[VIRTIO_BALLOON_S_MEMFREE] = "unused",
		[VIRTIO_BALLOON_S_MEMTOT] = "available",
		[VIRTIO_BALLOON_S_AVAIL] = "usable",
		[VIRTIO_BALLOON_S_CACHES] = "disk_caches",
		[VIRTIO_BALLOON_S_HTLB_PGALLOC] = "hugetlb_pgalloc",
		[VIRTIO_BALLOON_S_HTLB_PGFAIL] = "hugetlb_pgfail",
	};
	struct balloon *b = arg;
	uint64_t stats[VIRTIO_BALLOON_S_NR], when, actual;
	uint32_t seen;

	pthread_mutex_lock(&b->dev.lock);
	memcpy(stats, b->stats, sizeof(stats));
	seen = b->stats_seen;
	when = b->stats_time;
	actual = guest_keeps(b);
	ask_for_stats(b);
	pthread_mutex_unlock(&b->dev.lock);

	emit(emit_arg, "balloon", NULL, "actual", actual);
	for (unsigned int i = 0; i < VIRTIO_BALLOON_S_NR; i++) {
		if (seen & BIT(i))
			emit(emit_arg, "balloon", NULL, names[i], stats[i]);
	}
	if (seen)
		emit(emit_arg, "balloon", NULL, "last_update", when);
}

/* Those that are read are then at most that old. */
static void arm(struct balloon *b)
{
	if (b->period)
		timer_arm(b->timer, now_ns() + b->period * 1000000000ull);
	else
		timer_disarm(b->timer);
}

static void period_ended(void *arg)
{
	struct balloon *b = arg;

	pthread_mutex_lock(&b->dev.lock);
	ask_for_stats(b);
	pthread_mutex_unlock(&b->dev.lock);
	arm(b);
}

/* The first ones at once. */
static int balloon_set_period(void *arg, unsigned int seconds)
{
	struct balloon *b = arg;

	if (!b->timer)
		return -ENOENT;
	b->period = seconds;
	if (seconds)
		period_ended(b);
	else
		arm(b);
	return 0;
}

static const struct machine_dev_ops balloon_machine_ops = {
	.name = "virtio-balloon",
	.stateless = true, /* its PCI function saves it */
	.stats = balloon_stats,
	.set_balloon = balloon_set,
	.get_balloon = balloon_get,
	.set_balloon_period = balloon_set_period,
};

static const struct state_field balloon_fields[] = {
	STATE_BOOL(struct balloon, has_stats_buf),
	STATE_MAX(struct balloon, stats_head, VQ_SIZE_MAX - 1),
	{ .name = "actual",
	  .kind = STATE_INT,
	  .offset = offsetof(struct balloon, dev.config) +
		    offsetof(struct virtio_balloon_config, actual),
	  .size = 4,
	  .count = 1 },
	{ .name = "num_pages",
	  .kind = STATE_INT,
	  .offset = offsetof(struct balloon, dev.config) +
		    offsetof(struct virtio_balloon_config, num_pages),
	  .size = 4,
	  .count = 1 },
	STATE_END,
};

static const struct state_type balloon_state = {
	.name = "virtio-balloon",
	.version = 1,
	.fields = balloon_fields,
};

static void balloon_destroy(struct virtio_dev *dev)
{
	timer_destroy(from_dev(dev)->timer);
	virtio_finish(dev);
	free(from_dev(dev));
}

static const struct virtio_type virtio_balloon = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.class_code = 0xff0000, /* unclassified */
	.notify = balloon_notify,
	.config_write = balloon_config_write,
	.reset = balloon_reset,
	.state = &balloon_state,
	.destroy = balloon_destroy,
};

static uint64_t features(const struct vmm_spec *spec)
{
	uint64_t f = BIT64(VIRTIO_BALLOON_F_STATS_VQ);

	if (spec->balloon_deflate)
		f |= BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
	if (spec->balloon_reporting)
		f |= BIT64(VIRTIO_BALLOON_F_REPORTING);
	return f;
}

int virtio_balloon_add(struct machine *m, const struct vmm_spec *spec,
		       struct error *err)
{
	struct balloon *b = xcalloc(1, sizeof(*b));
	int r = virtio_init(&b->dev, &virtio_balloon, m, "balloon0",
			    BALLOON_QUEUES, features(spec), err);

	if (r >= 0) {
		b->dev.config_size =
			offsetof(struct virtio_balloon_config, poison_val);
		if (spec->balloon_target)
			set_target(b, spec->balloon_target);
		r = virtio_pci_plug(&b->dev, &spec->balloon_pci, err);
	}
	if (r >= 0 && m->loop) {
		timer_create_on(m->loop, period_ended, b, &b->timer);
		balloon_set_period(b, spec->balloon_period);
	}
	if (r < 0) {
		balloon_destroy(&b->dev);
		return r;
	}
	machine_add_device(m, &balloon_machine_ops, b);
	return 0;
}
