/*
 * vmm/dev/nvme.c -- an NVM Express controller (NVM Express Base Specification
 * 1.4, cited as "NVMe"): registers, queues, commands in and out.
 *
 * Theory of operation.  Doorbells are written on vCPUs' threads and wake the
 * I/O thread, which takes commands from the submission queues in turn
 * (round robin, 4.13.1) while their completion queue has room for the answer:
 * an entry is reserved before a command is taken, so that a completion never
 * has to wait.  Clearing CC.EN with commands out leaves CSTS.RDY at 1 until
 * they have ended; software waits for that (7.3.2).
 *
 * Queues are contiguous in memory, memory pages are of 4 KiB, interrupts are
 * MSI-X.  Left out: INTx, weighted arbitration, the controller memory buffer.
 */
#include "vmm/dev/nvme.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/boot/bootorder.h"
#include "vmm/bus.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/nvme_priv.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/iothread.h"

/* #syscalls:vmm eventfd2 read write */

enum { REGS_BAR = 0, MSIX_BAR = 4, REGS_SIZE = 8192, DOORBELLS = 0x1000 };

/* 3.1 */
enum { REG_CAP = 0x00, REG_VS = 0x08, REG_INTMS = 0x0c, REG_INTMC = 0x10,
       REG_CC = 0x14, REG_CSTS = 0x1c, REG_AQA = 0x24, REG_ASQ = 0x28, REG_ACQ = 0x30 };
enum { NVME_VERSION = 0x00010400 };

enum { CC_EN = BIT(0), CC_CSS = 7 << 4, CC_MPS = 0xf << 7, CC_AMS = 7 << 11,
       CC_SHN = 3 << 14 };
enum { CSTS_RDY = BIT(0), CSTS_CFS = BIT(1), CSTS_SHST = 3 << 2,
       CSTS_SHUT_DOWN = 2 << 2 };

/* ---- completions (4.6) ---- */

bool nvme_cq_has_room(const struct nvme_cq *q)
{
	uint32_t used;

	if (!q->size)
		return false;
	used = (q->tail + q->size - q->head) % q->size;
	return used + q->reserved < q->size - 1;
}

/* 7.5.1.1: without MSI-X the wire is pulled while a queue that interrupts has
 * entries the host has not taken; bit 0 of the mask is that vector's. */
void nvme_update_wire(struct nvme *n)
{
	bool on = false;

	for (unsigned int i = 0; i < n->max_queues; i++)
		on |= n->cq[i].size && n->cq[i].interrupts &&
		      n->cq[i].head != n->cq[i].tail;
	pci_set_intx(&n->pci,
		     on && !(n->masked & 1) && !msix_enabled(n->msix));
}

bool nvme_post(struct nvme *n, uint32_t sq, uint16_t cid, uint32_t result,
	       int status)
{
	struct nvme_cq *q = &n->cq[n->sq[sq].cq];
	uint32_t e[4] = { result, 0, n->sq[sq].head | sq << 16,
			  cid | q->phase << 16 | (uint32_t)status << 17 };
	uint8_t *at = ram_ptr(n->m->ram, q->gpa + q->tail * NVME_CQE_LEN,
			      NVME_CQE_LEN);

	if (!at) {
		n->csts |= CSTS_CFS;
		return false;
	}
	/* The phase bit is in the last word: it is written last. */
	memcpy(at, e, 12);
	__atomic_store_n((uint32_t *)(at + 12), e[3], __ATOMIC_RELEASE);
	if (++q->tail == q->size) {
		q->tail = 0;
		q->phase = !q->phase;
	}
	if (q->interrupts)
		msix_notify(n->msix, q->vector);
	nvme_update_wire(n);
	return true;
}

static void controller_stopped(struct nvme *n);

static void sq_settled(struct nvme *n, struct nvme_sq *sq)
{
	struct nvme_cmd *c = sq->deleter;

	if (!c || sq->in_flight)
		return;
	*sq = (struct nvme_sq){ 0 };
	nvme_finish(c, NVME_OK);
}

void nvme_finish(struct nvme_cmd *c, int status)
{
	struct nvme *n = c->ctl;
	struct nvme_sq *sq = &n->sq[c->sq];

	n->in_flight--;
	sq->in_flight--;
	n->cq[sq->cq].reserved--;
	if (status != NVME_LATER && !n->stopping && !n->gone)
		nvme_post(n, c->sq, c->sqe.cid, c->result, status);
	free(c->ranges);
	free(c);
	sq_settled(n, sq);
	if (n->in_flight)
		return;
	if (n->stopping && !n->gone)
		controller_stopped(n);
	pthread_cond_broadcast(&n->idle);
}

/* ---- commands ---- */

static bool take_command(struct nvme *n, uint32_t id)
{
	struct nvme_sq *sq = &n->sq[id];
	struct nvme_cmd *c;
	int status;

	if (sq->head == sq->tail || sq->deleter ||
	    !nvme_cq_has_room(&n->cq[sq->cq]))
		return false;
	c = xcalloc(1, sizeof(*c));
	if (ram_read(n->m->ram, sq->gpa + sq->head * NVME_SQE_LEN, &c->sqe,
		     sizeof(c->sqe)) < 0) {
		free(c);
		n->csts |= CSTS_CFS;
		return false;
	}
	c->ctl = n;
	c->sq = id;
	sq->head = (sq->head + 1) % sq->size;
	sq->in_flight++;
	n->in_flight++;
	n->cq[sq->cq].reserved++;
	status = id ? nvme_io(c) : nvme_admin(c);
	if (status != NVME_LATER)
		nvme_finish(c, status);
	return true;
}

static bool running(const struct nvme *n)
{
	return (n->csts & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY && !n->paused &&
	       !n->stopping;
}

/* One of each queue in turn, until none has any that can be taken. */
static void run_queues(struct nvme *n)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t i = 0; i < n->max_queues && running(n); i++)
			if (n->sq[i].size)
				more |= take_command(n, i);
	}
	if (n->drive)
		drive_kick(n->drive);
}

static void kicked(void *arg, uint32_t events)
{
	struct nvme *n = arg;
	uint64_t count;
	ssize_t r = read(n->kick_fd, &count, sizeof(count));

	if (r < 0)
		return;
	pthread_mutex_lock(&n->lock);
	run_queues(n);
	pthread_mutex_unlock(&n->lock);
}

static void kick(struct nvme *n)
{
	eventfd_write(n->kick_fd, 1);
}

/* ---- on and off (7.3, 7.6) ---- */

static void controller_reset(struct nvme *n)
{
	memset(n->sq, 0, sizeof(n->sq));
	memset(n->cq, 0, sizeof(n->cq));
	n->stopping = false;
	n->csts = 0;
	n->masked = 0;
	nvme_update_wire(n);
	nvme_admin_reset(n);
}

static void controller_stopped(struct nvme *n)
{
	controller_reset(n);
}

/* 3.1.5, 3.1.8 to 3.1.10: what software set up must make sense. */
static bool startable(const struct nvme *n)
{
	return !(n->cc & (CC_CSS | CC_MPS | CC_AMS)) &&
	       !(n->asq % NVME_PAGE) && !(n->acq % NVME_PAGE) &&
	       (n->aqa & 0xfff) && (n->aqa >> 16 & 0xfff);
}

static void controller_start(struct nvme *n)
{
	if (!startable(n) || iothread_start(n->thread) < 0) {
		n->csts |= CSTS_CFS;
		return;
	}
	n->sq[0] = (struct nvme_sq){ .gpa = n->asq,
				     .size = (n->aqa & 0xfff) + 1 };
	n->cq[0] = (struct nvme_cq){ .gpa = n->acq,
				     .size = (n->aqa >> 16 & 0xfff) + 1,
				     .phase = true,
				     .interrupts = true };
	n->csts = CSTS_RDY;
}

static void controller_stop(struct nvme *n)
{
	n->stopping = n->in_flight != 0;
	if (!n->stopping)
		controller_reset(n);
	for (unsigned int i = 0; i < NVME_QUEUES_MAX; i++) {
		struct nvme_cmd *c = steal_ptr(&n->sq[i].deleter);

		if (c)
			nvme_finish(c, NVME_LATER);
	}
}

static void write_cc(struct nvme *n, uint32_t v)
{
	uint32_t old = n->cc;

	n->cc = v;
	if (n->stopping)
		n->cc &= ~CC_EN;
	else if (!(old & CC_EN) && (v & CC_EN))
		controller_start(n);
	else if ((old & CC_EN) && !(v & CC_EN))
		controller_stop(n);
	/* 7.6.2: what was written is flushed by its own commands. */
	n->csts &= ~CSTS_SHST;
	if (v & CC_SHN)
		n->csts |= CSTS_SHUT_DOWN;
}

/* ---- registers ---- */

static uint64_t capabilities(void)
{
	/* NVM command set, time-out 15 s, contiguous queues, 1024 entries. */
	return BIT64(37) | 30ull << 24 | BIT(16) | (NVME_ENTRIES_MAX - 1);
}

static uint32_t read32(const struct nvme *n, uint64_t offset)
{
	switch (offset) {
	case REG_CAP:
		return capabilities();
	case REG_CAP + 4:
		return capabilities() >> 32;
	case REG_VS:
		return NVME_VERSION;
	case REG_INTMS:
	case REG_INTMC:
		return n->masked;
	case REG_CC:
		return n->cc;
	case REG_CSTS:
		return n->csts;
	case REG_AQA:
		return n->aqa;
	case REG_ASQ:
		return n->asq;
	case REG_ASQ + 4:
		return n->asq >> 32;
	case REG_ACQ:
		return n->acq;
	case REG_ACQ + 4:
		return n->acq >> 32;
	}
	return 0;
}

static void set_low(uint64_t *reg, uint32_t v)
{
	*reg = (*reg & ~0xffffffffull) | v;
}

static void set_high(uint64_t *reg, uint32_t v)
{
	*reg = (uint32_t)*reg | (uint64_t)v << 32;
}

/* 3.1.24, 3.1.25: tail of a submission, head of a completion queue in turn. */
static void doorbell(struct nvme *n, uint64_t offset, uint32_t v)
{
	uint32_t id = offset / 8;

	if (id >= n->max_queues)
		return;
	if (offset % 8 && v < n->cq[id].size)
		n->cq[id].head = v;
	else if (!(offset % 8) && v < n->sq[id].size)
		n->sq[id].tail = v;
	nvme_update_wire(n);
	if (n->csts & CSTS_RDY)
		kick(n);
}

/* 3.1.3, 3.1.4 */
static void write_mask(struct nvme *n, uint64_t offset, uint32_t v)
{
	if (offset == REG_INTMS)
		n->masked |= v;
	else
		n->masked &= ~v;
	nvme_update_wire(n);
}

static void write32(struct nvme *n, uint64_t offset, uint32_t v)
{
	bool off = !(n->cc & CC_EN);

	if (offset >= DOORBELLS)
		doorbell(n, offset - DOORBELLS, v);
	else if (offset == REG_INTMS || offset == REG_INTMC)
		write_mask(n, offset, v);
	else if (offset == REG_CC)
		write_cc(n, v);
	else if (offset == REG_AQA && off)
		n->aqa = v & 0x0fff0fff;
	else if (offset == REG_ASQ && off)
		set_low(&n->asq, v);
	else if (offset == REG_ASQ + 4 && off)
		set_high(&n->asq, v);
	else if (offset == REG_ACQ && off)
		set_low(&n->acq, v);
	else if (offset == REG_ACQ + 4 && off)
		set_high(&n->acq, v);
}

static uint64_t regs_read(void *arg, uint64_t offset, unsigned int size)
{
	struct nvme *n = arg;
	uint64_t v;

	pthread_mutex_lock(&n->lock);
	v = read32(n, offset & ~3ull) >> 8 * (offset & 3);
	if (size == 8)
		v |= (uint64_t)read32(n, (offset & ~3ull) + 4) << 32;
	pthread_mutex_unlock(&n->lock);
	return v;
}

static void regs_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct nvme *n = arg;

	if (size < 4 || offset % 4)
		return;
	pthread_mutex_lock(&n->lock);
	write32(n, offset, value);
	if (size == 8)
		write32(n, offset + 4, value >> 32);
	pthread_mutex_unlock(&n->lock);
}

static const struct bus_ops regs_ops = { regs_read, regs_write };

/* ---- the machine ---- */

static struct nvme *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct nvme, pci);
}

static void wait_idle(struct nvme *n)
{
	while (n->in_flight)
		pthread_cond_wait(&n->idle, &n->lock);
}

static void nvme_reset(struct pci_dev *pci)
{
	struct nvme *n = from_pci(pci);

	pthread_mutex_lock(&n->lock);
	controller_stop(n);
	wait_idle(n);
	n->cc = n->aqa = 0;
	n->asq = n->acq = 0;
	pthread_mutex_unlock(&n->lock);
	msix_reset(n->msix);
}

static void nvme_config_written(struct pci_dev *pci, unsigned int reg,
				unsigned int size)
{
	struct nvme *n = from_pci(pci);

	msix_config_written(n->msix, reg, size);
	pthread_mutex_lock(&n->lock);
	nvme_update_wire(n);
	pthread_mutex_unlock(&n->lock);
}

static void nvme_pause(struct pci_dev *pci, bool paused)
{
	struct nvme *n = from_pci(pci);

	pthread_mutex_lock(&n->lock);
	n->paused = paused;
	if (paused)
		wait_idle(n);
	else
		kick(n);
	pthread_mutex_unlock(&n->lock);
}

static const struct state_field sq_fields[] = {
	STATE(struct nvme_sq, gpa),
	STATE_MAX(struct nvme_sq, size, NVME_PAGE),
	STATE_MAX(struct nvme_sq, head, NVME_PAGE - 1),
	STATE_MAX(struct nvme_sq, tail, NVME_PAGE - 1),
	STATE_MAX(struct nvme_sq, cq, NVME_QUEUES_MAX - 1),
	STATE_END,
};

static const struct state_field cq_fields[] = {
	STATE(struct nvme_cq, gpa),
	STATE_MAX(struct nvme_cq, size, NVME_PAGE),
	STATE_MAX(struct nvme_cq, head, NVME_PAGE - 1),
	STATE_MAX(struct nvme_cq, tail, NVME_PAGE - 1),
	STATE(struct nvme_cq, vector),
	STATE_BOOL(struct nvme_cq, phase),
	STATE_BOOL(struct nvme_cq, interrupts),
	STATE_END,
};

static const struct state_field nvme_fields[] = {
	STATE(struct nvme, cc),
	STATE(struct nvme, csts),
	STATE(struct nvme, aqa),
	STATE(struct nvme, asq),
	STATE(struct nvme, acq),
	STATE_STRUCTS(struct nvme, sq, sq_fields),
	STATE_STRUCTS(struct nvme, cq, cq_fields),
	STATE_BOOL(struct nvme, write_cache),
	STATE_INTS(struct nvme, features),
	STATE_MAX(struct nvme, n_events, NVME_EVENTS_MAX),
	STATE_INTS(struct nvme, event_cid),
	STATE_BOOL(struct nvme, changed),
	STATE_SINCE(2, struct nvme, masked),
	STATE_BOOL(struct nvme, changed_log),
	STATE_END,
};

/* A queue that exists has its positions inside, and a queue to answer to. */
static bool queues_possible(const struct nvme *n)
{
	for (unsigned int i = 0; i < NVME_QUEUES_MAX; i++) {
		const struct nvme_sq *s = &n->sq[i];
		const struct nvme_cq *c = &n->cq[i];

		if ((s->size || c->size) && i >= n->max_queues)
			return false;
		if (s->size && (s->head >= s->size || s->tail >= s->size ||
				!n->cq[s->cq].size))
			return false;
		if (c->size && (c->head >= c->size || c->tail >= c->size))
			return false;
	}
	return true;
}

static int nvme_loaded(void *obj, unsigned int version, struct error *err)
{
	struct nvme *n = obj;

	if (!queues_possible(n))
		return error_set(err, -EINVAL,
				 "the saved NVMe controller has queues that cannot be");
	return n->csts & CSTS_RDY ? iothread_start(n->thread) : 0;
}

static const struct state_type nvme_state = {
	.name = "nvme",
	.version = 2, /* 2: the interrupt mask */
	.fields = nvme_fields,
	.loaded = nvme_loaded,
};

static void nvme_states(struct pci_dev *pci, const char *id,
			struct state_set *set)
{
	struct nvme *n = from_pci(pci);

	msix_add_state(n->msix, id, set);
	state_add(set, &nvme_state, id, n);
}

static void nvme_destroy(struct pci_dev *pci)
{
	struct nvme *n = from_pci(pci);

	machine_remove_device(n->m, n);
	iothread_stop(n->thread);
	n->gone = true;
	drive_destroy(n->drive);
	if (n->thread)
		loop_remove(n->loop, n->kick_fd);
	fd_close(n->kick_fd);
	iothread_destroy(n->thread);
	msix_destroy(n->msix);
	pthread_cond_destroy(&n->idle);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static const struct pci_ops nvme_pci_ops = {
	.config_written = nvme_config_written,
	.reset = nvme_reset,
	.pause = nvme_pause,
	.states = nvme_states,
	.destroy = nvme_destroy,
};

static void nvme_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct nvme *n = arg;

	if (n->drive)
		drive_stats(n->drive, emit, emit_arg);
}

static void nvme_drives(void *arg, machine_drive_fn *fn, void *fn_arg)
{
	struct nvme *n = arg;

	if (n->drive)
		fn(fn_arg, n->drive);
}

static const struct machine_dev_ops nvme_machine_ops = {
	.name = "nvme",
	.stateless = true, /* its PCI function saves it */
	.stats = nvme_stats,
	.drives = nvme_drives,
};

/* ---- making one ---- */

static void pad(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	memset(to, ' ', size);
	memcpy(to, from, n);
}

static void set_names(struct nvme *n, const struct spec_controller *spec,
		      const struct spec_disk *disk)
{
	const char *serial = spec->serial;

	if (!serial)
		serial = disk && disk->serial ? disk->serial : spec->id;
	pad(n->serial, sizeof(n->serial), serial);
	pad(n->model, sizeof(n->model), "VIREO NVMe");
	snprintf(n->subsystem, sizeof(n->subsystem),
		 "nqn.2014-08.org.nvmexpress:1b361af4%.20s%.40s", n->serial,
		 n->model);
}

static void namespace_changed(void *arg)
{
	nvme_namespace_changed(arg);
}

static int set_up(struct nvme *n, const struct spec_controller *spec,
		  const struct spec_disk *disk, struct error *err)
{
	int r = iothread_create(spec->id, &n->thread, err);

	if (r < 0)
		return r;
	n->loop = iothread_loop(n->thread);
	n->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->kick_fd < 0)
		return error_set(err, -errno, "cannot create an eventfd: %m");
	r = loop_add(n->loop, n->kick_fd, EPOLLIN, kicked, n);
	if (r < 0)
		return error_set(err, r, "cannot watch an eventfd: %m");
	if (!disk)
		return 0;
	r = drive_create(disk, n->loop, &n->lock, &n->drive, err);
	if (r < 0)
		return r;
	drive_set_ram(n->drive, n->m->ram);
	drive_on_change(n->drive, namespace_changed, n);
	return 0;
}

static void set_up_pci(struct nvme *n)
{
	static const struct pci_id id = {
		.vendor = 0x1b36,
		.device = 0x0010,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x010802, /* NVMe 2.1.5 */
		.revision = 1,
	};

	pci_dev_init(&n->pci, &nvme_pci_ops, &id);
	n->pci.config[PCI_INTERRUPT_PIN] = 1;
	n->msix = msix_create(&n->pci, MSIX_BAR, n->max_queues);
	pci_set_bar(&n->pci, REGS_BAR, REGS_SIZE, true, &regs_ops, n);
}

int nvme_add(struct machine *m, const struct spec_controller *spec,
	     const struct spec_disk *const *disks, unsigned int n_disks,
	     struct error *err)
{
	struct nvme *n = xcalloc(1, sizeof(*n));
	const struct spec_disk *disk = n_disks ? disks[0] : NULL;
	int r;

	n->m = m;
	n->kick_fd = -1;
	n->max_queues = 1 + MIN(MAX(spec->queues, 1u), NVME_QUEUES_MAX - 1u);
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->idle, NULL);
	set_names(n, spec, disk);
	set_up_pci(n);
	if (n_disks > 1)
		r = error_set(err, -EINVAL, "it has one disk, not %u",
			      n_disks);
	else
		r = set_up(n, spec, disk, err);
	controller_reset(n);
	if (r >= 0)
		r = pci_plug(m->pci, &n->pci, &spec->pci, err);
	if (r < 0) {
		nvme_destroy(&n->pci);
		error_prefix(err, "controller '%s'", spec->id);
		return r;
	}
	if (disk)
		bootorder_add(m, disk->boot_index, &n->pci, "pci8086,5845",
			      "/namespace@1,0");
	machine_add_device(m, &nvme_machine_ops, n);
	return 0;
}
