/*
 * vmm/virtio/pci.c -- virtio over PCI, modern only (virtio 1.2, section 4.1).
 *
 * BAR 0 has the MSI-X table, BAR 2 (64 bits) the four structures on a page
 * each, unless a device has other BARs there.  Interrupts are MSI-X only; a driver without it polls the ISR.  A
 * queue's doorbell is an eventfd that the engine signals itself if it can.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/machine.h"
#include "vmm/virtio/virtio.h"

enum {
	REGS_BAR = 2,
	COMMON_AT = 0x0000,
	ISR_AT = 0x1000,
	DEVICE_AT = 0x2000,
	NOTIFY_AT = 0x3000,
	NOTIFY_STEP = 4, /* bytes between two queues' doorbells */
	REGS_SIZE = 0x4000,
	CFG_DATA = sizeof(struct virtio_pci_cap), /* in the cfg capability */
};

static_assert(VIRTIO_QUEUES_MAX * NOTIFY_STEP <= 0x1000,
	      "doorbells fit in their page");

static struct virtio_dev *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct virtio_dev, pci);
}

/* 4.1.5.3 and 4.1.5.4 */
void virtio_interrupt(struct virtio_dev *dev, struct virtqueue *vq)
{
	unsigned int vector = vq ? vq->vector : dev->config_vector;

	if (!dev->msix)
		return;
	if (!msix_enabled(dev->msix))
		dev->isr |= vq ? 1 : VIRTIO_PCI_ISR_CONFIG;
	else if (vector != VIRTIO_NO_VECTOR)
		msix_notify(dev->msix, vector);
}

/* The common structure (4.1.4.3).  Fields are read in aligned double words. */

static struct virtqueue *selected(struct virtio_dev *dev)
{
	if (dev->queue_select >= dev->n_queues)
		return NULL;
	return &dev->queues[dev->queue_select];
}

static uint32_t queue_read(struct virtio_dev *dev, unsigned int offset)
{
	const struct virtqueue *vq = selected(dev);

	if (!vq) /* 4.1.4.3.1: size 0 when there is no such queue */
		return 0;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return vq->size | (uint32_t)vq->vector << 16;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return vq->enabled | vq->index << 16;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return vq->desc_gpa;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return vq->desc_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return vq->avail_gpa;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return vq->avail_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return vq->used_gpa;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return vq->used_gpa >> 32;
	}
	return 0;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? features >> 32 * select : 0;
}

static uint32_t common_read32(struct virtio_dev *dev, unsigned int offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return dev->feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return feature_word(dev->features, dev->feature_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return dev->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return feature_word(dev->driver_features,
				    dev->driver_feature_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return dev->config_vector | dev->n_queues << 16;
	case VIRTIO_PCI_COMMON_STATUS:
		return dev->status | dev->config_generation << 8 |
		       (uint32_t)dev->queue_select << 16;
	}
	return queue_read(dev, offset);
}

static uint64_t common_read(struct virtio_dev *dev, unsigned int offset,
			    unsigned int size)
{
	uint64_t value = common_read32(dev, offset & ~3u);

	if (size == 8 && !(offset & 3))
		value |= (uint64_t)common_read32(dev, offset + 4) << 32;
	return value >> 8 * (offset & 3);
}

/* 2.2: the driver's set is fixed once FEATURES_OK is set. */
static void write_features(struct virtio_dev *dev, uint32_t value)
{
	unsigned int shift = 32 * dev->driver_feature_select;

	if (dev->driver_feature_select > 1 || dev->resetting ||
	    (dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev->driver_features &= ~(0xffffffffull << shift);
	dev->driver_features |= (uint64_t)value << shift;
}

/* 4.1.5.1.2.1: a vector that does not exist reads back as none. */
static uint16_t valid_vector(const struct virtio_dev *dev, uint16_t vector)
{
	return vector < msix_vectors(dev->msix) ? vector : VIRTIO_NO_VECTOR;
}

static void write_half(uint64_t *gpa, unsigned int offset, uint32_t value)
{
	if (offset & 4)
		*gpa = (uint32_t)*gpa | (uint64_t)value << 32;
	else
		*gpa = (*gpa & ~0xffffffffull) | value;
}

/* 2.7: a power of two, and only smaller than we offered. */
static void write_size(struct virtqueue *vq, uint16_t size)
{
	if (size && size <= vq->size_max && !(size & (size - 1)))
		vq->size = size;
}

/* What may change only while the queue is off (4.1.4.3.2). */
static void setup_queue(struct virtqueue *vq, unsigned int offset,
			uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		write_size(vq, value);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1 &&
		    (vq->dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
			vq_enable(vq);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		write_half(&vq->desc_gpa, offset - VIRTIO_PCI_COMMON_Q_DESCLO,
			   value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		write_half(&vq->avail_gpa,
			   offset - VIRTIO_PCI_COMMON_Q_AVAILLO, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		write_half(&vq->used_gpa, offset - VIRTIO_PCI_COMMON_Q_USEDLO,
			   value);
		break;
	}
}

static void queue_write(struct virtio_dev *dev, unsigned int offset,
			uint32_t value)
{
	struct virtqueue *vq = selected(dev);

	if (!vq || dev->resetting)
		return;
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		vq->vector = valid_vector(dev, value);
		if (dev->type->vectors)
			dev->type->vectors(dev);
	} else if (!vq->enabled) {
		setup_queue(vq, offset, value);
	}
}

/* 4.1.3.1: drivers access each field with its own width. */
static unsigned int common_width(unsigned int offset)
{
	if (offset < VIRTIO_PCI_COMMON_MSIX)
		return 4;
	if (offset == VIRTIO_PCI_COMMON_STATUS ||
	    offset == VIRTIO_PCI_COMMON_CFGGENERATION)
		return 1;
	return offset < VIRTIO_PCI_COMMON_Q_DESCLO ? 2 : 4;
}

static void common_write(struct virtio_dev *dev, unsigned int offset,
			 uint32_t value, unsigned int size)
{
	if (size != common_width(offset))
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		dev->feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		dev->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		write_features(dev, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		dev->config_vector = valid_vector(dev, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		dev->queue_select = value;
		break;
	default:
		queue_write(dev, offset, value);
	}
}

/* The device's own configuration (2.5, 4.1.4.6). */

static uint64_t device_read(struct virtio_dev *dev, unsigned int offset,
			    unsigned int size)
{
	uint64_t value = 0;

	if (offset < dev->config_size)
		memcpy(&value, dev->config + offset,
		       MIN(size, dev->config_size - offset));
	return value;
}

static void device_write(struct virtio_dev *dev, unsigned int offset,
			 uint32_t value, unsigned int size)
{
	if (dev->type->config_write && size <= 4 &&
	    offset + size <= dev->config_size)
		dev->type->config_write(dev, offset, value, size);
}

/* 4.1.4.5: reading acknowledges. */
static uint8_t isr_read(struct virtio_dev *dev)
{
	uint8_t isr = dev->isr;

	dev->isr = 0;
	return isr;
}

static uint64_t regs_read(void *arg, uint64_t offset, unsigned int size)
{
	struct virtio_dev *dev = arg;
	uint64_t value = 0;

	pthread_mutex_lock(&dev->lock);
	switch (offset & ~0xfffull) {
	case COMMON_AT:
		value = common_read(dev, offset - COMMON_AT, size);
		break;
	case ISR_AT:
		value = offset == ISR_AT ? isr_read(dev) : 0;
		break;
	case DEVICE_AT:
		value = device_read(dev, offset - DEVICE_AT, size);
		break;
	}
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void regs_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct virtio_dev *dev = arg;

	if (offset >= NOTIFY_AT) { /* 4.1.5.2; any value and width */
		if ((offset - NOTIFY_AT) / NOTIFY_STEP < dev->n_queues)
			vq_kick(&dev->queues[(offset - NOTIFY_AT) /
					     NOTIFY_STEP]);
		return;
	}
	if (offset == COMMON_AT + VIRTIO_PCI_COMMON_STATUS && size == 1) {
		virtio_set_status(dev, value);
		return;
	}
	pthread_mutex_lock(&dev->lock);
	if (offset >= DEVICE_AT)
		device_write(dev, offset - DEVICE_AT, value, size);
	else if (offset < ISR_AT)
		common_write(dev, offset - COMMON_AT, value, size);
	pthread_mutex_unlock(&dev->lock);
}

static const struct bus_ops regs_ops = { regs_read, regs_write };

/* PCI */

static void vectors_changed(void *arg)
{
	struct virtio_dev *dev = arg;

	pthread_mutex_lock(&dev->lock);
	dev->type->vectors(dev);
	pthread_mutex_unlock(&dev->lock);
}

static void doorbells(struct virtio_dev *dev, uint64_t gpa, bool add)
{
	const struct engine *engine = dev->m->engine;

	if (!engine || !engine->doorbell)
		return;
	for (unsigned int i = 0; i < dev->n_made; i++)
		engine->doorbell(dev->m->vm, gpa + NOTIFY_STEP * i,
				 dev->queues[i].kick_fd, add);
}

static void bar_mapped(struct pci_dev *pci, unsigned int bar, uint64_t addr,
		       bool mapped)
{
	struct virtio_dev *dev = from_pci(pci);

	if (bar == dev->regs_bar)
		doorbells(dev, addr + NOTIFY_AT, mapped);
	else if (dev->type->pci_bar_mapped)
		dev->type->pci_bar_mapped(dev, bar);
}

/*
 * 4.1.4.9: a window onto the BARs for those that cannot reach them.  Length
 * 1, 2 or 4, offset a multiple of it; anything else does nothing.
 */
static const struct pci_bar *cfg_window(struct virtio_dev *dev,
					uint32_t *ret_offset,
					uint32_t *ret_len)
{
	const uint8_t *cap = dev->pci.config + dev->cfg_cap;
	unsigned int bar = cap[VIRTIO_PCI_CAP_BAR];
	uint32_t offset = pci_get32(cap + VIRTIO_PCI_CAP_OFFSET);
	uint32_t len = pci_get32(cap + VIRTIO_PCI_CAP_LENGTH);

	if (bar >= PCI_BARS || (len != 1 && len != 2 && len != 4) ||
	    offset % len || (uint64_t)offset + len > dev->pci.bar[bar].size)
		return NULL;
	*ret_offset = offset;
	*ret_len = len;
	return &dev->pci.bar[bar];
}

static bool hits_cfg_data(const struct virtio_dev *dev, unsigned int reg,
			  unsigned int size)
{
	unsigned int at = dev->cfg_cap + CFG_DATA;

	return reg < at + 4 && at < reg + size;
}

static void pci_config_reading(struct pci_dev *pci, unsigned int reg,
			       unsigned int size)
{
	struct virtio_dev *dev = from_pci(pci);
	const struct pci_bar *bar;
	uint32_t offset, len;

	if (!hits_cfg_data(dev, reg, size))
		return;
	bar = cfg_window(dev, &offset, &len);
	if (bar)
		pci_set32(pci->config + dev->cfg_cap + CFG_DATA,
			  bar->ops->read(bar->arg, offset, len));
}

static void pci_config_written(struct pci_dev *pci, unsigned int reg,
			       unsigned int size)
{
	struct virtio_dev *dev = from_pci(pci);
	const struct pci_bar *bar;
	uint32_t offset, len;

	msix_config_written(dev->msix, reg, size);
	if (!hits_cfg_data(dev, reg, size))
		return;
	bar = cfg_window(dev, &offset, &len);
	if (bar)
		bar->ops->write(bar->arg, offset,
				pci_get32(pci->config + dev->cfg_cap +
					  CFG_DATA),
				len);
}

static void pci_reset(struct pci_dev *pci)
{
	struct virtio_dev *dev = from_pci(pci);

	virtio_reset_wait(dev);
	msix_reset(dev->msix);
	if (dev->type->pci_reset)
		dev->type->pci_reset(dev);
}

static void pci_pause(struct pci_dev *pci, bool paused)
{
	virtio_pause(from_pci(pci), paused);
}

static void pci_states(struct pci_dev *pci, const char *id,
		       struct state_set *set)
{
	struct virtio_dev *dev = from_pci(pci);

	virtio_add_states(dev, id, set);
	if (dev->type->pci_states)
		dev->type->pci_states(dev, id, set);
}

static void pci_destroy(struct pci_dev *pci)
{
	struct virtio_dev *dev = from_pci(pci);
	struct msix *msix = dev->msix;

	machine_remove_device(dev->m, dev);
	dev->type->destroy(dev);
	msix_destroy(msix);
}

static const struct pci_ops virtio_pci_ops = {
	.config_read = pci_config_reading,
	.config_written = pci_config_written,
	.bar_mapped = bar_mapped,
	.reset = pci_reset,
	.pause = pci_pause,
	.states = pci_states,
	.destroy = pci_destroy,
};

bool virtio_pci_is(const struct pci_dev *pci)
{
	return pci->ops == &virtio_pci_ops;
}

static unsigned int add_structure(struct virtio_dev *dev, uint8_t type,
				  uint32_t offset, uint32_t length,
				  unsigned int extra)
{
	struct pci_dev *pci = &dev->pci;
	unsigned int len = sizeof(struct virtio_pci_cap) + extra;
	unsigned int at = pci_add_cap(pci, PCI_CAP_ID_VNDR, len);
	uint8_t *cap = pci->config + at;

	cap[VIRTIO_PCI_CAP_LEN] = len;
	cap[VIRTIO_PCI_CAP_CFG_TYPE] = type;
	cap[VIRTIO_PCI_CAP_BAR] = dev->regs_bar;
	pci_set32(cap + VIRTIO_PCI_CAP_OFFSET, offset);
	pci_set32(cap + VIRTIO_PCI_CAP_LENGTH, length);
	return at;
}

static void add_structures(struct virtio_dev *dev)
{
	struct pci_dev *pci = &dev->pci;
	unsigned int at;

	add_structure(dev, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_AT,
		      sizeof(struct virtio_pci_common_cfg), 0);
	add_structure(dev, VIRTIO_PCI_CAP_ISR_CFG, ISR_AT, 1, 0);
	if (dev->config_size)
		add_structure(dev, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_AT,
			      dev->config_size, 0);
	at = add_structure(dev, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_AT,
			   NOTIFY_STEP * dev->n_queues, 4);
	pci_set32(pci->config + at + VIRTIO_PCI_NOTIFY_CAP_MULT, NOTIFY_STEP);

	at = add_structure(dev, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4);
	dev->cfg_cap = at;
	pci->config[at + VIRTIO_PCI_CAP_BAR] = 0;
	pci->wmask[at + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(pci->wmask + at + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);
}

/* 4.1.2: the vendor's number, and 0x1040 plus the device type. */
int virtio_pci_plug(struct virtio_dev *dev, const struct spec_place *place,
		    struct error *err)
{
	struct pci_id id = {
		.vendor = 0x1af4,
		.device = 0x1040 + dev->type->id,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = dev->type->class_code,
		.revision = 1,
	};
	int r = 0;

	pci_dev_init(&dev->pci, &virtio_pci_ops, &id);
	/* One vector a queue and one for configuration changes. */
	if (!dev->regs_bar)
		dev->regs_bar = REGS_BAR;
	dev->msix = msix_create(&dev->pci, dev->msix_bar, dev->n_queues + 1);
	if (dev->type->vectors)
		msix_watch(dev->msix, vectors_changed, dev);
	add_structures(dev);
	pci_set_bar(&dev->pci, dev->regs_bar, REGS_SIZE, true, &regs_ops, dev);
	if (dev->type->pci_bars)
		dev->type->pci_bars(dev);
	if (dev->rom_fd >= 0)
		r = pci_load_rom(&dev->pci, dev->rom_fd, err);
	if (r == 0)
		r = pci_plug(dev->m->pci, &dev->pci, place, err);
	if (r < 0) {
		pci_rom_destroy(&dev->pci);
		msix_destroy(dev->msix);
		dev->msix = NULL;
		error_prefix(err, "device '%s'", dev->id);
	}
	return r;
}
