/*
 * vmm/virtio/vhost.c -- virtqueues that are served outside of this process.
 *
 * Theory of operation.  The driver sets its queues up here; when it says
 * DRIVER_OK, their addresses, the eventfds of their doorbells and eventfds
 * for their interrupts go to the backend, which reads and writes guest memory
 * itself.  When the driver resets the device or the machine is paused, the
 * backend is asked where each queue stands and keeps its hands off; so a
 * saved device looks like one that was served here.
 *
 * While a machine migrates, the backend notes the pages that it writes in a
 * bitmap, by guest address, which vmm/ram.h's log takes in.
 */
#define LOG_MODULE "virtio"
#include "vmm/virtio/vhost.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/log.h"
#include "vmm/dev/msix.h"
#include "vmm/engine.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* #syscalls:vmm read eventfd2 mmap munmap memfd_create ftruncate close */

enum { PAGE = 4096, COMPLAINTS_MAX = 10 };


/* ---- interrupts ---- */

static struct virtqueue *queue_of(struct vhost *v, unsigned int index)
{
	return virtio_queue(v->dev, v->first + index);
}

/* The loop's argument is the queue: its device knows the rest. */
static void called(void *arg, uint32_t events)
{
	struct virtqueue *vq = arg;
	uint64_t count;

	if (read(vq->call_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&vq->dev->lock);
	if (virtio_live(vq->dev) && vq->enabled)
		virtio_interrupt(vq->dev, vq);
	pthread_mutex_unlock(&vq->dev->lock);
}

static int add_call(struct vhost *v, unsigned int index)
{
	struct virtqueue *vq = queue_of(v, index);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = loop_add(v->dev->loop, fd, EPOLLIN, called, vq);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	vq->call_fd = v->call_fd[index] = fd;
	return 0;
}

/*
 * An engine that takes eventfds raises the interrupt itself, as long as the
 * driver has not masked it.  Numbers of descriptors are unique, so they can
 * be those of its routes.
 */
enum { FIRST_GSI = 24 };

static void route_off(struct vhost *v, unsigned int i)
{
	struct machine *m = v->dev->m;

	if (!v->route[i].on)
		return;
	m->engine->msi_eventfd(m->vm, v->call_fd[i],
			       FIRST_GSI + v->call_fd[i], 0, 0, false);
	v->route[i].on = false;
	loop_unmute(v->dev->loop, v->call_fd[i], EPOLLIN);
}

static void route_on(struct vhost *v, unsigned int i,
		     const struct vhost_route *to)
{
	struct machine *m = v->dev->m;

	loop_mute(v->dev->loop, v->call_fd[i]);
	v->route[i] = *to;
	if (m->engine->msi_eventfd(m->vm, v->call_fd[i],
				   FIRST_GSI + v->call_fd[i], to->addr,
				   to->data, true) == 0)
		return;
	v->route[i].on = false;
	loop_unmute(v->dev->loop, v->call_fd[i], EPOLLIN);
}

static void route_queue(struct vhost *v, unsigned int i)
{
	struct vhost_route to = { 0 };
	const struct vhost_route *now = &v->route[i];

	to.on = v->running && v->dev->msix &&
		msix_message(v->dev->msix, queue_of(v, i)->vector, &to.addr,
			     &to.data);
	if (now->on == to.on && (!to.on || (now->addr == to.addr &&
					    now->data == to.data)))
		return;
	route_off(v, i);
	if (to.on)
		route_on(v, i, &to);
}

void vhost_route(struct vhost *v)
{
	const struct engine *engine = v->dev->m->engine;

	for (unsigned int i = 0; engine && engine->msi_eventfd && i < v->n; i++)
		route_queue(v, i);
}

/* ---- memory ---- */

/* Without what is hidden from devices. */
static unsigned int add_region(const struct ram *ram,
			       const struct ram_region *r,
			       struct vhost_region *to)
{
	const struct ram_region *h = ram_hidden_region(ram);
	uint64_t end = r->gpa + r->size, from = r->gpa;
	unsigned int n = 0;

	if (h->size && h->gpa < end && h->gpa + h->size > from) {
		if (h->gpa > from)
			to[n++] = (struct vhost_region){
				.gpa = from, .size = h->gpa - from
			};
		from = h->gpa + h->size;
	}
	if (from < end)
		to[n++] = (struct vhost_region){ .gpa = from,
						 .size = end - from };
	for (unsigned int i = 0; i < n; i++) {
		uint64_t at = to[i].gpa - r->gpa;

		to[i].host = r->host + at;
		to[i].fd = r->fd;
		to[i].offset = r->offset + at;
	}
	return n;
}

static unsigned int all_memory(const struct ram *ram,
			       struct vhost_region to[VHOST_REGIONS_MAX])
{
	struct ram_region region[VHOST_REGIONS_MAX - 1]; /* one may be two */
	unsigned int n = ram_list(ram, true, region, ARRAY_SIZE(region));
	unsigned int used = 0;

	for (unsigned int i = 0; i < n; i++)
		used += add_region(ram, &region[i], to + used);
	return used;
}

/* ---- what is written while the machine migrates ---- */

static uint64_t log_bytes(const struct ram *ram)
{
	return ALIGN_UP(ram_end(ram) / PAGE / 8 + 8, PAGE);
}

static int log_create(struct vhost *v)
{
	void *p;

	if (v->log)
		return 0;
	v->log_size = log_bytes(v->dev->m->ram);
	v->log_fd = memfd_create("vhost-log", MFD_CLOEXEC);
	if (v->log_fd < 0 || ftruncate(v->log_fd, v->log_size) < 0)
		return -errno;
	p = mmap(NULL, v->log_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		 v->log_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	v->log = p;
	return 0;
}

static void mark_page(struct vhost *v, uint64_t gpa)
{
	const uint8_t *host = ram_ptr_const(v->dev->m->ram, gpa, PAGE);

	if (host)
		ram_mark(v->dev->m->ram, host, PAGE);
}

static void collect(void *arg)
{
	struct vhost *v = arg;

	for (uint64_t i = 0; v->log && i < v->log_size / 8; i++) {
		uint64_t bits = v->log[i] ? __atomic_exchange_n(
						    &v->log[i], 0,
						    __ATOMIC_ACQ_REL) :
					    0;

		for (; bits; bits &= bits - 1)
			mark_page(v, (i * 64 + __builtin_ctzll(bits)) * PAGE);
	}
}

/* ---- starting ---- */

static uint64_t wanted_features(const struct vhost *v)
{
	uint64_t f = v->dev->driver_features & v->features;

	return v->logs ? f | BIT64(VHOST_F_LOG_ALL) : f;
}

static int set_addr(struct vhost *v, unsigned int index)
{
	struct virtqueue *vq = queue_of(v, index);
	struct vhost_vring_addr addr = {
		.index = index,
		.flags = v->logs ? BIT(VHOST_VRING_F_LOG) : 0,
		.desc_user_addr = (uintptr_t)vq->desc,
		.avail_user_addr = (uintptr_t)vq->avail,
		.used_user_addr = (uintptr_t)vq->used,
		.log_guest_addr = vq->used_gpa,
	};

	return v->backend->set_addr(v, &addr);
}

static int set_queue(struct vhost *v, unsigned int index)
{
	struct virtqueue *vq = queue_of(v, index);
	int r = v->backend->set_num(v, index, vq->size);

	if (r == 0)
		r = v->backend->set_base(v, index, vq->last_avail);
	if (r == 0)
		r = set_addr(v, index);
	if (r == 0)
		r = v->backend->set_call(v, index, v->call_fd[index]);
	if (r == 0)
		r = v->backend->set_kick(v, index, vq->kick_fd);
	return r;
}

static int set_log(struct vhost *v)
{
	int r = log_create(v);

	return r < 0 ? r :
		       v->backend->set_log(v, v->log, v->log_fd, v->log_size);
}

static int hand_over(struct vhost *v)
{
	struct vhost_region region[VHOST_REGIONS_MAX];
	unsigned int n = all_memory(v->dev->m->ram, region);
	int r = v->backend->set_features(v, wanted_features(v));

	if (r == 0)
		r = v->backend->set_memory(v, region, n);
	if (r == 0 && v->logs)
		r = set_log(v);
	for (unsigned int i = 0; i < v->n && r == 0; i++)
		if (queue_of(v, i)->enabled)
			r = set_queue(v, i);
	return r == 0 ? v->backend->run(v, true) : r;
}

static void refused(struct vhost *v, int r)
{
	if (v->complaints++ < COMPLAINTS_MAX)
		log_error("%s: %s does not take its queues: %s", v->dev->id,
			  v->backend->name, strerror(-r));
	if (v->spare)
		v->backend->run(v, false);
	else
		virtio_needs_reset(v->dev, "its backend failed");
}

/* A doorbell that rang between two owners rings for the new one. */
static void change_hands(struct vhost *v)
{
	for (unsigned int i = 0; i < v->n; i++) {
		struct virtqueue *vq = queue_of(v, i);

		if (v->spare && v->running)
			loop_mute(v->dev->loop, vq->kick_fd);
		else if (v->spare)
			loop_unmute(v->dev->loop, vq->kick_fd, EPOLLIN);
		if (vq->enabled)
			vq_kick(vq);
	}
}

void vhost_start(struct vhost *v)
{
	int r;

	if (v->running || v->dev->paused || !virtio_live(v->dev))
		return;
	r = hand_over(v);
	if (r < 0) {
		refused(v, r);
		return;
	}
	v->running = true;
	change_hands(v);
	vhost_route(v);
}

/* What it has done since may still be unsaid: interrupts are not lost. */
static void take_back(struct vhost *v, unsigned int index)
{
	struct virtqueue *vq = queue_of(v, index);
	unsigned int base = 0;

	if (v->backend->get_base(v, index, &base) < 0)
		return;
	if (!vq->enabled)
		return; /* the driver resets it */
	vq->last_avail = base;
	vq->used_idx = __atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE);
	vq->signalled_valid = false;
	virtio_interrupt(v->dev, vq);
}

void vhost_stop(struct vhost *v)
{
	if (!v->running)
		return;
	v->running = false;
	v->backend->run(v, false);
	vhost_route(v);
	for (unsigned int i = 0; i < v->n; i++)
		take_back(v, i);
	if (v->logs)
		collect(v);
	change_hands(v);
}

/* ---- logging, from vmm/ram.h: main thread, vCPUs are stopped ---- */

static void log_switch(void *arg, bool on)
{
	struct vhost *v = arg;

	pthread_mutex_lock(&v->dev->lock);
	if (v->logs != on) {
		bool running = v->running;

		vhost_stop(v);
		v->logs = on;
		if (running)
			vhost_start(v);
	}
	pthread_mutex_unlock(&v->dev->lock);
}

static void log_collect(void *arg)
{
	struct vhost *v = arg;

	pthread_mutex_lock(&v->dev->lock);
	collect(v);
	pthread_mutex_unlock(&v->dev->lock);
}

static const struct ram_log_source log_source = {
	.set = log_switch,
	.collect = log_collect,
};

/* ---- memory that comes and goes, from vmm/ram.h: main thread ---- */

static int check_memory(const struct vhost *v, struct error *err)
{
	struct vhost_region region[VHOST_REGIONS_MAX];
	unsigned int n = all_memory(v->dev->m->ram, region);

	if (!v->backend->max_regions || n <= v->backend->max_regions)
		return 0;
	return error_set(err, -ENOSPC,
			 "device '%s': %s takes no more than %u pieces of memory",
			 v->dev->id, v->backend->name,
			 v->backend->max_regions);
}

static int memory_changed(void *arg, struct error *err)
{
	struct vhost *v = arg;
	int r = check_memory(v, err);
	bool running;

	if (r < 0)
		return r;
	pthread_mutex_lock(&v->dev->lock);
	running = v->running;
	vhost_stop(v);
	if (running)
		vhost_start(v);
	pthread_mutex_unlock(&v->dev->lock);
	return 0;
}

static const struct ram_listener memory_listener = {
	.changed = memory_changed,
};

/* ---- life ---- */

int vhost_init(struct vhost *v, struct virtio_dev *dev,
	       const struct vhost_backend *backend, int fd,
	       unsigned int first, unsigned int n, struct error *err)
{
	int r = 0;

	assert(n <= VHOST_QUEUES_MAX);
	v->dev = dev;
	v->backend = backend;
	v->fd = fd;
	v->first = first;
	v->log_fd = -1;
	for (; v->n < n && r == 0; v->n++) {
		v->call_fd[v->n] = -1;
		r = add_call(v, v->n);
	}
	if (r < 0)
		return error_set(err, r, "device '%s': %m", dev->id);
	v->logs = ram_logs(dev->m->ram); /* plugged in meanwhile */
	ram_add_log_source(dev->m->ram, &log_source, v);
	r = check_memory(v, err);
	return r < 0 ? r : ram_listen(dev->m->ram, &memory_listener, v, err);
}

void vhost_finish(struct vhost *v)
{
	for (unsigned int i = 0; i < v->n; i++) {
		if (v->call_fd[i] < 0)
			continue;
		loop_remove(v->dev->loop, v->call_fd[i]);
		fd_close(v->call_fd[i]);
	}
	if (v->dev)
		ram_unlisten(v->dev->m->ram, v);
	if (v->log)
		munmap(v->log, v->log_size);
	if (v->dev) {
		fd_close(v->log_fd);
		ram_remove_log_source(v->dev->m->ram, v);
	}
	v->n = 0;
}
