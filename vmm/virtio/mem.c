/*
 * vmm/virtio/mem.c -- virtio memory device (virtio 1.2, section 5.15).
 *
 * Theory of operation.  The host says how much of the device's memory the guest
 * shall use; the driver plugs and unplugs blocks until it is so.  A block that
 * is not plugged is no memory: neither vCPUs nor devices reach it, and it costs
 * nothing.  Requests are served with all vCPUs stopped, because the memory map
 * changes; so not in notify(), which holds the device's lock while a vCPU may
 * wait for it, but a moment later from a timer of the main loop.
 *
 * While memory is being read for a migration, and where the host or the engine
 * have no room, the driver is told that the device is busy (5.15.6.1: it tries
 * again later).  The whole region is usable from the start, as memory that is
 * not plugged cannot be touched.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mem.h>
#include <string.h>

#include "base/error.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/machine_priv.h"
#include "vmm/memdev.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* Newer than some headers. */
#ifndef VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE
#define VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE 1
#endif

enum { REQUESTQ, MEM_QUEUES };
enum { BLOCKS_MAX = 1 << 22 }; /* half a MiB of bits; saved with the machine */

struct mem {
	struct virtio_dev dev;
	const struct spec_memory *spec;
	struct memdev *memory;
	struct loop_timer *timer;
	uint64_t n; /* blocks */
	struct vq_buf buf;
	/* While it is saved. */
	uint32_t n_bits; /* bytes */
	uint8_t *bits;
};

static struct mem *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct mem, dev);
}

static struct virtio_mem_config *config(struct mem *d)
{
	return (void *)d->dev.config;
}

static void plugged_changed(struct mem *d, uint64_t size)
{
	config(d)->plugged_size = size;
	machine_tell_memory(d->dev.m, d->spec->id, MEMORY_IN_USE, size);
}

/* ---- requests ---- */

/* 5.15.6: blocks of the region, at least one. */
static bool get_blocks(const struct mem *d, uint64_t addr, uint64_t n,
		       uint64_t *ret_first)
{
	uint64_t at = addr - d->spec->base;

	*ret_first = at / d->spec->block;
	return addr >= d->spec->base && at % d->spec->block == 0 && n &&
	       *ret_first < d->n && n <= d->n - *ret_first;
}

/* vCPUs are stopped. */
static uint16_t set_blocks(struct mem *d, uint64_t first, uint64_t n,
			   bool plug)
{
	struct error ignored;
	uint64_t size = n * d->spec->block;

	if (memdev_set(d->memory, first, n, plug, &ignored) < 0)
		return VIRTIO_MEM_RESP_BUSY;
	plugged_changed(d, config(d)->plugged_size + (plug ? size : -size));
	return VIRTIO_MEM_RESP_ACK;
}

/* 5.15.6.2 and 5.15.6.3 */
static uint16_t change(struct mem *d, uint64_t addr, uint64_t n, bool plug)
{
	const struct virtio_mem_config *c = config(d);
	uint64_t first;

	if (!get_blocks(d, addr, n, &first) ||
	    !memdev_all(d->memory, first, n, !plug))
		return VIRTIO_MEM_RESP_ERROR;
	if (plug && (c->plugged_size >= c->requested_size ||
		     n * d->spec->block > c->requested_size - c->plugged_size))
		return VIRTIO_MEM_RESP_NACK;
	if (ram_frozen(d->dev.m->ram))
		return VIRTIO_MEM_RESP_BUSY;
	return set_blocks(d, first, n, plug);
}

static uint64_t run_of(const struct mem *d, uint64_t first)
{
	uint64_t n = 0;

	while (first + n < d->n && memdev_all(d->memory, first + n, 1, true))
		n++;
	return n;
}

static uint16_t unplug_all(struct mem *d)
{
	uint16_t r = VIRTIO_MEM_RESP_ACK;

	for (uint64_t i = 0; i < d->n && r == VIRTIO_MEM_RESP_ACK; i++) {
		uint64_t n = run_of(d, i);

		if (n)
			r = set_blocks(d, i, n, false);
		i += n;
	}
	return r;
}

/* 5.15.6.5 */
static uint16_t query(const struct mem *d, uint64_t addr, uint64_t n,
		      uint16_t *ret_state)
{
	uint64_t first;

	if (!get_blocks(d, addr, n, &first))
		return VIRTIO_MEM_RESP_ERROR;
	if (memdev_all(d->memory, first, n, true))
		*ret_state = VIRTIO_MEM_STATE_PLUGGED;
	else if (memdev_all(d->memory, first, n, false))
		*ret_state = VIRTIO_MEM_STATE_UNPLUGGED;
	else
		*ret_state = VIRTIO_MEM_STATE_MIXED;
	return VIRTIO_MEM_RESP_ACK;
}

static void act(struct mem *d, const struct virtio_mem_req *req,
		struct virtio_mem_resp *ret)
{
	/* All three have the address and the number first. */
	uint64_t addr = req->u.plug.addr, n = req->u.plug.nb_blocks;

	switch (req->type) {
	case VIRTIO_MEM_REQ_PLUG:
		ret->type = change(d, addr, n, true);
		break;
	case VIRTIO_MEM_REQ_UNPLUG:
		ret->type = change(d, addr, n, false);
		break;
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		ret->type = ram_frozen(d->dev.m->ram) ? VIRTIO_MEM_RESP_BUSY :
							unplug_all(d);
		break;
	case VIRTIO_MEM_REQ_STATE:
		ret->type = query(d, addr, n, &ret->u.state.state);
		break;
	default:
		ret->type = VIRTIO_MEM_RESP_ERROR;
	}
}

/* Locked, vCPUs stopped. */
static void serve_all(struct mem *d, struct virtqueue *vq)
{
	struct virtio_mem_resp resp;
	struct virtio_mem_req req;

	while (vq_pop(vq, &d->buf)) {
		resp = (struct virtio_mem_resp){ 0 };
		if (vq_read(&d->buf, 0, &req, sizeof(req)) < sizeof(req) ||
		    d->buf.in_len < sizeof(resp)) {
			virtio_needs_reset(&d->dev, "mem: malformed request");
			return;
		}
		act(d, &req, &resp);
		vq_write(&d->buf, 0, &resp, sizeof(resp));
		vq_push(vq, d->buf.head, sizeof(resp));
	}
	vq_signal(vq);
}

static void serve(void *arg)
{
	struct mem *d = arg;
	bool ran = machine_stop_vcpus(d->dev.m);

	pthread_mutex_lock(&d->dev.lock);
	if (virtio_running(&d->dev) && virtio_queue(&d->dev, REQUESTQ)->enabled)
		serve_all(d, virtio_queue(&d->dev, REQUESTQ));
	pthread_mutex_unlock(&d->dev.lock);
	if (ran)
		machine_go(d->dev.m);
}

static void mem_notify(struct virtio_dev *dev, unsigned int queue)
{
	timer_arm(from_dev(dev)->timer, now_ns());
}

/* ---- from outside ---- */

static bool is_mine(const struct mem *d, const char *id)
{
	return str_eq(d->spec->id, id);
}

static int check_requested(const struct mem *d, uint64_t bytes,
			   struct error *err)
{
	if (bytes % d->spec->block || bytes > d->spec->size)
		return error_set(err, -EINVAL,
				 "memory '%s': %llu bytes are more than it has or no whole blocks of %llu",
				 d->spec->id, (unsigned long long)bytes,
				 (unsigned long long)d->spec->block);
	return 0;
}

static int mem_set(void *arg, const char *id, uint64_t bytes,
		   struct error *err)
{
	struct mem *d = arg;
	int r = is_mine(d, id) ? check_requested(d, bytes, err) : -ENOENT;

	if (r < 0)
		return r;
	pthread_mutex_lock(&d->dev.lock);
	config(d)->requested_size = bytes;
	virtio_config_changed(&d->dev);
	pthread_mutex_unlock(&d->dev.lock);
	return 0;
}

/* What the guest uses stays. */
static int mem_may_unplug(void *arg, const char *id, struct error *err)
{
	struct mem *d = arg;
	uint64_t in_use;

	if (!is_mine(d, id))
		return 0;
	pthread_mutex_lock(&d->dev.lock);
	in_use = config(d)->plugged_size;
	pthread_mutex_unlock(&d->dev.lock);
	return in_use ? error_set(err, -EBUSY,
				  "memory '%s': the guest uses %llu MiB of it; request 0 first",
				  id, (unsigned long long)(in_use / MIB)) :
			0;
}

static void mem_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct mem *d = arg;
	uint64_t in_use, requested;

	pthread_mutex_lock(&d->dev.lock);
	in_use = config(d)->plugged_size;
	requested = config(d)->requested_size;
	pthread_mutex_unlock(&d->dev.lock);
	emit(emit_arg, "memory", d->spec->id, "size", in_use);
	emit(emit_arg, "memory", d->spec->id, "requested", requested);
}

/* 5.15.5.2: a reset of the machine, unlike the driver's, unplugs all.  Where
 * that cannot be now, the next driver finds it plugged and asks for it. */
static void mem_machine_reset(void *arg)
{
	struct mem *d = arg;

	pthread_mutex_lock(&d->dev.lock);
	if (!ram_frozen(d->dev.m->ram))
		unplug_all(d);
	pthread_mutex_unlock(&d->dev.lock);
}

/* What the guest sleeps in stays. */
static void mem_wake(void *arg)
{
}

static const struct machine_dev_ops mem_machine_ops = {
	.name = "virtio-mem",
	.stateless = true, /* its PCI function saves it */
	.reset = mem_machine_reset,
	.wake = mem_wake,
	.stats = mem_stats,
	.set_memory = mem_set,
	.may_unplug = mem_may_unplug,
};

/* ---- state ---- */

#define CONFIG_FIELD(f) \
	{ .name = #f, .kind = STATE_INT, \
	  .offset = offsetof(struct mem, dev.config) + \
		    offsetof(struct virtio_mem_config, f), \
	  .size = sizeof(((struct virtio_mem_config *)0)->f), .count = 1 }

static const struct state_field mem_fields[] = {
	CONFIG_FIELD(requested_size),
	STATE_RAW_AT(struct mem, bits, n_bits, BLOCKS_MAX / 8),
	STATE_END,
};

static bool has_bit(const struct mem *d, uint64_t n)
{
	return d->bits[n / 8] & BIT(n % 8);
}

static void mem_saving(void *obj)
{
	struct mem *d = from_dev(obj);

	memset(d->bits, 0, d->n_bits);
	for (uint64_t i = 0; i < d->n; i++)
		if (memdev_all(d->memory, i, 1, true))
			d->bits[i / 8] |= BIT(i % 8);
}

static int load_blocks(struct mem *d, struct error *err)
{
	uint64_t plugged = 0;
	int r = 0;

	for (uint64_t i = 0, n; i < d->n && r == 0; i += n) {
		bool there = has_bit(d, i);

		for (n = 1; i + n < d->n && has_bit(d, i + n) == there;)
			n++;
		if (!there)
			continue;
		r = memdev_set(d->memory, i, n, true, err);
		plugged += n * d->spec->block;
	}
	plugged_changed(d, plugged);
	return r;
}

static int mem_loaded(void *obj, unsigned int version, struct error *err)
{
	struct mem *d = from_dev(obj);

	if (check_requested(d, config(d)->requested_size, err) < 0)
		return -EINVAL;
	if (!memdev_all(d->memory, 0, d->n, false))
		return error_set(err, -EINVAL,
				 "memory '%s' is in use already", d->spec->id);
	return load_blocks(d, err);
}

static const struct state_type mem_state = {
	.name = "virtio-mem",
	.version = 1,
	.fields = mem_fields,
	.saving = mem_saving,
	.loaded = mem_loaded,
};

/* ---- life ---- */

static void mem_destroy(struct virtio_dev *dev)
{
	struct mem *d = from_dev(dev);

	machine_remove_device(dev->m, d);
	timer_destroy(d->timer);
	virtio_finish(dev);
	memdev_destroy(d->memory);
	free(d->bits);
	free(d);
}

static const struct virtio_type virtio_mem = {
	.name = "mem",
	.id = VIRTIO_ID_MEM,
	.class_code = 0x050000, /* PCI D.6: RAM controller */
	.notify = mem_notify,
	.state = &mem_state,
	.destroy = mem_destroy,
};

static int check(const struct spec_memory *s, struct error *err)
{
	if (s->block < 2 * MIB || s->block & (s->block - 1) ||
	    s->block < s->page_size || !s->size || s->size % s->block ||
	    s->size / s->block > BLOCKS_MAX || s->base % s->block)
		return error_set(err, -EINVAL,
				 "memory '%s': its blocks of %llu KiB must be a power of two from 2 MiB up, and it whole blocks",
				 s->id, (unsigned long long)(s->block / KIB));
	return 0;
}

static void describe(struct mem *d)
{
	*config(d) = (struct virtio_mem_config){
		.block_size = d->spec->block,
		.node_id = d->spec->node,
		.addr = d->spec->base,
		.region_size = d->spec->size,
		.usable_region_size = d->spec->size,
		.requested_size = d->spec->requested,
	};
	d->dev.config_size = sizeof(struct virtio_mem_config);
}

int virtio_mem_add(struct machine *m, const struct spec_memory *spec,
		   struct error *err)
{
	uint64_t features = BIT64(VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE) |
			    BIT64(VIRTIO_MEM_F_ACPI_PXM);
	struct mem *d;
	int r = check(spec, err);

	if (r < 0)
		return r;
	d = xcalloc(1, sizeof(*d));
	d->spec = spec;
	d->n = spec->size / spec->block;
	d->n_bits = (d->n + 7) / 8;
	d->bits = xcalloc(d->n_bits, 1);
	timer_create_on(m->loop, serve, d, &d->timer);
	r = virtio_init(&d->dev, &virtio_mem, m, spec->id, MEM_QUEUES,
			features, err);
	describe(d);
	if (r >= 0)
		r = check_requested(d, spec->requested, err);
	if (r >= 0)
		r = memdev_create(m, spec, spec->block, &d->memory, err);
	if (r >= 0)
		r = virtio_pci_plug(&d->dev, &spec->pci, err);
	if (r < 0) {
		mem_destroy(&d->dev);
		return r;
	}
	machine_add_device(m, &mem_machine_ops, d);
	return 0;
}
