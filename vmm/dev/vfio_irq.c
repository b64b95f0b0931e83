/*
 * vmm/dev/vfio_irq.c -- interrupts of a host's device.
 *
 * The kernel handles the device's interrupt and signals an eventfd.  One that
 * stands for a message goes to the engine, which raises the guest's interrupt
 * without us; an engine that cannot, and the wire, are served by a thread of
 * the device's.  Vectors that the guest masks are taken from the engine: what
 * comes meanwhile waits in the eventfd, and is the pending bit.
 *
 * The wire: after each interrupt the kernel keeps the device's wire masked.
 * The guest sees its own up until it ends an interrupt (any: which one it was
 * cannot be told from all controllers' words); then the kernel may look at the
 * device's again, and signals at once if it is still up.
 */
/* #syscalls:vmm ioctl eventfd2 read poll close */
/* #ioctls:vmm VFIO_DEVICE_GET_IRQ_INFO VFIO_DEVICE_SET_IRQS */
#define LOG_MODULE "vfio"
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/dev/vfio_priv.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/virtio/iothread.h"

/* Numbers of descriptors are unique, so they can be those of routes. */
enum { FIRST_GSI = IOAPIC_PINS };

/* ---- the kernel's side ---- */

/* fds NULL: count 0 switches all of them off.  More than 0: so many are
 * possible. */
static int set_irqs(struct vfio_dev *d, unsigned int index,
		    unsigned int start, unsigned int count, const int *fds,
		    uint32_t what)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	_cleanup_free_ struct vfio_irq_set *set = xcalloc(1, size);
	int r;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + (fds ? count * sizeof(*fds) : 0),
		.flags = what | (fds ? VFIO_IRQ_SET_DATA_EVENTFD :
				       VFIO_IRQ_SET_DATA_NONE),
		.index = index,
		.start = start,
		.count = count,
	};
	if (fds)
		memcpy(set->data, fds, count * sizeof(*fds));
	r = ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set);
	return r < 0 ? -errno : r;
}

static const unsigned int index_of[] = {
	[VFIO_INTX] = VFIO_PCI_INTX_IRQ_INDEX,
	[VFIO_MSI] = VFIO_PCI_MSI_IRQ_INDEX,
	[VFIO_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX,
};

static void switch_off(struct vfio_dev *d)
{
	set_irqs(d, index_of[d->irqs.mode], 0, 0, NULL,
		 VFIO_IRQ_SET_ACTION_TRIGGER);
}

static bool attach(struct vfio_vector *vec)
{
	struct vfio_dev *d = vec->dev;
	int r;

	if (vec->attached)
		return true;
	if (vec->fd < 0)
		vec->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = vec->fd < 0 ? -errno :
			  set_irqs(d, index_of[d->irqs.mode], vec->index, 1,
				   &vec->fd, VFIO_IRQ_SET_ACTION_TRIGGER);
	vec->attached = r == 0;
	if (r < 0)
		log_warn("host device %s: interrupt %u cannot be had: %s",
			 d->name, vec->index, strerror(-r));
	return vec->attached;
}

/* ---- the guest's side ---- */

static bool drain(int fd)
{
	uint64_t n;

	return fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n);
}

/* Our thread; engines that take vectors have not taken this one. */
static void on_vector(void *arg, uint32_t events)
{
	struct vfio_vector *vec = arg;
	struct vfio_irqs *irqs = &vec->dev->irqs;
	enum vfio_irq_mode mode;

	pthread_mutex_lock(&irqs->lock);
	mode = !vec->routed && drain(vec->fd) ? irqs->mode : VFIO_NO_IRQ;
	if (mode == VFIO_MSI && vec->live)
		machine_msi(vec->dev->m, vec->addr, vec->data);
	pthread_mutex_unlock(&irqs->lock);
	if (mode == VFIO_MSIX)
		msix_notify(irqs->msix, vec->index);
}

static void on_intx(void *arg, uint32_t events)
{
	struct vfio_dev *d = arg;
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->lock);
	if (drain(irqs->intx.fd) && irqs->mode == VFIO_INTX) {
		irqs->intx_pending = true;
		pci_set_intx(&d->pci, true);
	}
	pthread_mutex_unlock(&irqs->lock);
}

static void intx_ended(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->lock);
	if (irqs->intx_pending) {
		irqs->intx_pending = false;
		pci_set_intx(&d->pci, false);
		set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, NULL,
			 VFIO_IRQ_SET_ACTION_UNMASK);
	}
	pthread_mutex_unlock(&irqs->lock);
}

void vfio_eoi(void *vfio)
{
	struct vfio *v = vfio;

	pthread_mutex_lock(&v->lock);
	for (struct vfio_dev *d = v->devs; d; d = d->next)
		if (d->plugged)
			intx_ended(d);
	pthread_mutex_unlock(&v->lock);
}

/* ---- vectors that go to the engine ---- */

static void unroute(struct vfio_vector *vec)
{
	struct machine *m = vec->dev->m;

	if (vec->routed)
		m->engine->msi_eventfd(m->vm, vec->fd,
				       FIRST_GSI + (unsigned int)vec->fd, 0,
				       0, false);
	vec->routed = false;
}

static bool route(struct vfio_vector *vec)
{
	struct machine *m = vec->dev->m;

	vec->routed = m->engine->msi_eventfd &&
		      m->engine->msi_eventfd(m->vm, vec->fd,
					     FIRST_GSI + (unsigned int)vec->fd,
					     vec->addr, vec->data, true) == 0;
	return vec->routed;
}

/* On our thread, whose loop is its own. */
static void listen_all(void *arg)
{
	struct vfio_dev *d = arg;
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->lock);
	for (unsigned int i = 0; i < irqs->n; i++) {
		struct vfio_vector *vec = &irqs->vector[i];

		if (vec->fd >= 0 && vec->live && !vec->routed &&
		    !vec->listening)
			vec->listening =
				loop_add(iothread_loop(irqs->thread), vec->fd,
					 EPOLLIN, on_vector, vec) == 0;
	}
	pthread_mutex_unlock(&irqs->lock);
}

/* Locked: what the vector is from now on. */
static void set_vector(struct vfio_vector *vec, bool live, uint64_t addr,
		       uint32_t data)
{
	struct vfio_irqs *irqs = &vec->dev->irqs;

	if (vec->live == live && (!live ||
				  (vec->addr == addr && vec->data == data)))
		return;
	unroute(vec);
	vec->live = live;
	vec->addr = addr;
	vec->data = data;
	if (!live || !attach(vec))
		return;
	if (!vec->listening && !route(vec))
		loop_defer(iothread_loop(irqs->thread), listen_all, vec->dev);
}

/* ---- modes ---- */

static void leave_mode(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	if (irqs->mode == VFIO_NO_IRQ)
		return;
	for (unsigned int i = 0; i < irqs->n; i++)
		unroute(&irqs->vector[i]);
	switch_off(d);
	for (unsigned int i = 0; i < irqs->n; i++) {
		irqs->vector[i].live = irqs->vector[i].attached = false;
		drain(irqs->vector[i].fd);
	}
	drain(irqs->intx.fd);
	irqs->intx_pending = false;
	irqs->mode = VFIO_NO_IRQ;
	pci_set_intx(&d->pci, false);
}

static void enter_intx(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	int r;

	if (!irqs->n_intx || irqs->intx.fd < 0)
		return;
	irqs->mode = VFIO_INTX;
	r = set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, &irqs->intx.fd,
		     VFIO_IRQ_SET_ACTION_TRIGGER);
	if (r == 0)
		return;
	log_warn("host device %s: no INTx: %s", d->name, strerror(-r));
	irqs->mode = VFIO_NO_IRQ;
}

/* All of them, each without an eventfd until it is live. */
static void enter_msg(struct vfio_dev *d, enum vfio_irq_mode mode,
		      unsigned int n)
{
	_cleanup_free_ int *none = xcalloc(n, sizeof(*none));
	int r;

	for (unsigned int i = 0; i < n; i++)
		none[i] = -1;
	d->irqs.mode = mode;
	r = set_irqs(d, index_of[mode], 0, n, none,
		     VFIO_IRQ_SET_ACTION_TRIGGER);
	if (r > 0) /* the host has not so many to give */
		r = set_irqs(d, index_of[mode], 0, MIN((unsigned int)r, n),
			     none, VFIO_IRQ_SET_ACTION_TRIGGER);
	if (r == 0)
		return;
	log_warn("host device %s: no interrupts by message: %s", d->name,
		 r < 0 ? strerror(-r) : "the host has too few");
	d->irqs.mode = VFIO_NO_IRQ;
}

static void change_mode(struct vfio_dev *d, enum vfio_irq_mode mode,
			unsigned int n)
{
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->lock);
	if (irqs->mode != mode) {
		leave_mode(d);
		if (mode == VFIO_INTX)
			enter_intx(d);
		else if (mode != VFIO_NO_IRQ)
			enter_msg(d, mode, n);
	}
	pthread_mutex_unlock(&irqs->lock);
}

/* ---- MSI-X ---- */

/* One vCPU at a time, so that the last word is the table's. */
static void msix_changed(void *arg)
{
	struct vfio_dev *d = arg;
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->table_lock);
	for (unsigned int v = 0; v < irqs->n_msix; v++) {
		uint64_t addr = 0;
		uint32_t data = 0;
		bool live = msix_message(irqs->msix, v, &addr, &data);

		pthread_mutex_lock(&irqs->lock);
		if (irqs->mode == VFIO_MSIX)
			set_vector(&irqs->vector[v], live, addr, data);
		pthread_mutex_unlock(&irqs->lock);
	}
	pthread_mutex_unlock(&irqs->table_lock);
}

static bool msix_waits(void *arg, unsigned int v)
{
	struct vfio_dev *d = arg;
	struct vfio_vector *vec = &d->irqs.vector[v];
	struct pollfd p = { .events = POLLIN };
	bool waits;

	pthread_mutex_lock(&d->irqs.lock);
	p.fd = vec->listening ? -1 : vec->fd;
	waits = p.fd >= 0 && poll(&p, 1, 0) > 0;
	pthread_mutex_unlock(&d->irqs.lock);
	return waits;
}

static bool touches(unsigned int reg, unsigned int size, unsigned int at,
		    unsigned int len)
{
	return at && reg < at + len && at < reg + size;
}

static void msix_written(struct vfio_dev *d, unsigned int reg,
			 unsigned int size)
{
	struct vfio_irqs *irqs = &d->irqs;
	uint16_t flags = pci_get16(d->pci.config + irqs->msix_cap +
				   PCI_MSIX_FLAGS);

	if (flags & PCI_MSIX_FLAGS_ENABLE)
		change_mode(d, VFIO_MSIX, irqs->n_msix);
	msix_config_written(irqs->msix, reg, size);
	if (!(flags & PCI_MSIX_FLAGS_ENABLE) && irqs->mode == VFIO_MSIX)
		change_mode(d, VFIO_INTX, 0);
}

/* ---- MSI (PCI 6.8.1) ---- */

static void msi_read(struct vfio_dev *d, uint64_t *ret_addr,
		     uint32_t *ret_data)
{
	const uint8_t *cap = d->pci.config + d->irqs.msi_cap;
	bool is_64 = pci_get16(cap + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_64BIT;

	*ret_addr = pci_get32(cap + PCI_MSI_ADDRESS_LO);
	if (is_64)
		*ret_addr |= (uint64_t)pci_get32(cap + PCI_MSI_ADDRESS_HI)
			     << 32;
	*ret_data = pci_get16(cap + (is_64 ? PCI_MSI_DATA_64 :
					     PCI_MSI_DATA_32));
}

static void msi_set_vectors(struct vfio_dev *d, unsigned int n)
{
	struct vfio_irqs *irqs = &d->irqs;
	uint64_t addr;
	uint32_t data;

	msi_read(d, &addr, &data);
	pthread_mutex_lock(&irqs->lock);
	for (unsigned int i = 0; irqs->mode == VFIO_MSI && i < n; i++)
		set_vector(&irqs->vector[i], true, addr,
			   (data & ~(n - 1)) | i);
	pthread_mutex_unlock(&irqs->lock);
}

static void msi_written(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;
	uint16_t flags = pci_get16(d->pci.config + irqs->msi_cap +
				   PCI_MSI_FLAGS);
	unsigned int n = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);

	if (flags & PCI_MSI_FLAGS_ENABLE) {
		n = MIN(n, irqs->n_msi);
		change_mode(d, VFIO_MSI, n);
		msi_set_vectors(d, n);
	} else if (irqs->mode == VFIO_MSI) {
		change_mode(d, VFIO_INTX, 0);
	}
}

/* ---- what the guest writes ---- */

/* The first access: only now our thread is born, inside the sandbox. */
static void wake(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	if (irqs->awake)
		return;
	irqs->awake = true;
	if (iothread_start(irqs->thread) < 0)
		log_warn("host device %s: no thread for its interrupts",
			 d->name);
	else if (irqs->mode == VFIO_NO_IRQ)
		change_mode(d, VFIO_INTX, 0);
}

enum { MSI_LEN = 14 };

void vfio_irqs_written(struct vfio_dev *d, unsigned int reg,
		       unsigned int size)
{
	struct vfio_irqs *irqs = &d->irqs;

	wake(d);
	if (touches(reg, size, irqs->msix_cap, PCI_CAP_MSIX_SIZEOF))
		msix_written(d, reg, size);
	if (touches(reg, size, irqs->msi_cap, MSI_LEN))
		msi_written(d);
}

void vfio_irqs_reset(struct vfio_dev *d)
{
	change_mode(d, VFIO_NO_IRQ, 0);
	if (d->irqs.msix)
		msix_reset(d->irqs.msix);
	d->irqs.awake = false;
}

/* ---- making ---- */

static unsigned int count(struct vfio_dev *d, unsigned int index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0 ||
	    !(info.flags & VFIO_IRQ_INFO_EVENTFD))
		return 0;
	return info.count;
}

static struct vfio_table table_at(uint32_t reg, uint64_t size)
{
	return (struct vfio_table){ reg & PCI_MSIX_TABLE_BIR,
				    reg & PCI_MSIX_TABLE_OFFSET, size };
}

/* Enable, mask and where the messages go are ours; the table is elsewhere. */
static void init_msix(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;
	uint8_t *cap = d->pci.config + irqs->msix_cap;
	uint16_t flags = pci_get16(cap + PCI_MSIX_FLAGS);

	irqs->n_msix = (flags & PCI_MSIX_FLAGS_QSIZE) + 1u;
	pci_set16(cap + PCI_MSIX_FLAGS, flags & PCI_MSIX_FLAGS_QSIZE);
	pci_set16(d->pci.wmask + irqs->msix_cap + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	irqs->table = table_at(pci_get32(cap + PCI_MSIX_TABLE),
			       irqs->n_msix * 16ull);
	irqs->pba = table_at(pci_get32(cap + PCI_MSIX_PBA),
			     (irqs->n_msix + 63) / 64 * 8ull);
}

/* Without bits to mask single messages, which the kernel does not offer. */
static void init_msi(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;
	uint8_t *cap = d->pci.config + irqs->msi_cap;
	uint8_t *mask = d->pci.wmask + irqs->msi_cap;
	uint16_t flags = pci_get16(cap + PCI_MSI_FLAGS) &
			 (PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT);
	bool is_64 = flags & PCI_MSI_FLAGS_64BIT;

	irqs->n_msi = MIN(irqs->n_msi,
			  1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1));
	pci_set16(cap + PCI_MSI_FLAGS, flags);
	pci_set16(mask + PCI_MSI_FLAGS,
		  PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	pci_set32(mask + PCI_MSI_ADDRESS_LO, ~3u);
	if (is_64)
		pci_set32(mask + PCI_MSI_ADDRESS_HI, ~0u);
	pci_set16(mask + (is_64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 0xffff);
}

static void init_vectors(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	irqs->n = MAX(irqs->n_msi, irqs->n_msix);
	irqs->vector = xcalloc(irqs->n, sizeof(*irqs->vector));
	for (unsigned int i = 0; i < irqs->n; i++)
		irqs->vector[i] = (struct vfio_vector){
			.dev = d, .index = i, .fd = -1
		};
}

static int init_thread(struct vfio_dev *d, struct error *err)
{
	struct vfio_irqs *irqs = &d->irqs;
	int r = iothread_create(d->name, &irqs->thread, err);

	if (r < 0)
		return r;
	irqs->intx.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (irqs->intx.fd >= 0)
		r = loop_add(iothread_loop(irqs->thread), irqs->intx.fd,
			     EPOLLIN, on_intx, d);
	if (irqs->intx.fd < 0 || r < 0)
		return error_set(err, -EMFILE,
				 "cannot make what host device %s interrupts with",
				 d->name);
	return 0;
}

int vfio_irqs_init(struct vfio_dev *d, struct error *err)
{
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_init(&irqs->table_lock, NULL);
	pthread_mutex_init(&irqs->lock, NULL);
	irqs->made = true;
	irqs->intx.fd = -1;
	irqs->n_intx = d->pci.config[PCI_INTERRUPT_PIN] ?
			       count(d, VFIO_PCI_INTX_IRQ_INDEX) :
			       0;
	irqs->msi_cap = pci_find_cap(&d->pci, PCI_CAP_ID_MSI);
	irqs->msix_cap = pci_find_cap(&d->pci, PCI_CAP_ID_MSIX);
	if (irqs->msi_cap)
		irqs->n_msi = count(d, VFIO_PCI_MSI_IRQ_INDEX);
	if (irqs->msi_cap)
		init_msi(d);
	if (irqs->msix_cap)
		init_msix(d);
	init_vectors(d);
	if (irqs->msix_cap)
		irqs->msix = msix_adopt(&d->pci, irqs->msix_cap, irqs->n_msix,
					msix_waits, d);
	if (irqs->msix)
		msix_watch(irqs->msix, msix_changed, d);
	return init_thread(d, err);
}

/* Its device is out of the guest's reach. */
void vfio_irqs_finish(struct vfio_dev *d)
{
	struct vfio_irqs *irqs = &d->irqs;

	pthread_mutex_lock(&irqs->lock);
	leave_mode(d);
	pthread_mutex_unlock(&irqs->lock);
	iothread_destroy(irqs->thread);
	for (unsigned int i = 0; i < irqs->n; i++)
		fd_close(irqs->vector[i].fd);
	fd_close(irqs->intx.fd);
	free(irqs->vector);
	msix_destroy(irqs->msix);
	pthread_mutex_destroy(&irqs->lock);
	pthread_mutex_destroy(&irqs->table_lock);
}
