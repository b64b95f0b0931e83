/*
 * vmm/dev/vfio_priv.h -- the inside of host devices: vfio.c (the function and
 * its configuration space), vfio_iommu.c (containers, groups, DMA), vfio_bar.c
 * (its memory), vfio_irq.c (its interrupts).
 *
 * "PCI" and "PCIe": the specifications that vmm/dev/pci.h names.
 */
#ifndef VMM_DEV_VFIO_PRIV_H
#define VMM_DEV_VFIO_PRIV_H

#include <linux/vfio.h>
#include <pthread.h>

#include "vmm/dev/msix.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/vfio.h"

struct iothread;
struct vfio_dev;

/* ---- vfio_iommu.c ---- */

/* An I/O address space: it is guest memory, at the guest's addresses. */
struct vfio_container {
	struct vfio_container *next;
	int fd;
	unsigned int refs;
};

/* What the host's IOMMU cannot tell apart. */
struct vfio_group {
	struct vfio_group *next;
	unsigned int number;
	int fd;
	unsigned int refs;
	struct vfio_container *container;
};

/* All of a machine's. */
struct vfio {
	struct machine *m;
	struct vfio_container *containers;
	struct vfio_group *groups;
	struct vfio_dev *devs;
	pthread_mutex_t lock; /* devs, for those not on the main thread */
	bool slots[64];	      /* of the memory map: taken */
};

int vfio_group_get(struct vfio *v, const struct spec_hostdev *spec,
		   struct vfio_group **ret_group, struct error *err);
void vfio_group_put(struct vfio *v, struct vfio_group *group);

/* ---- vfio_bar.c ---- */

/* Part of a BAR that can be reached without the kernel. */
struct vfio_window {
	uint64_t at, size;
	uint8_t *host; /* NULL: none */
	int slot;      /* of the guest's memory map; -1: none */
};

enum { VFIO_WINDOWS = 3 };

struct vfio_bar {
	struct vfio_dev *dev;
	unsigned int index;
	uint64_t offset; /* in the device's descriptor */
	uint64_t size;	 /* 0: none */
	bool readable, writable;
	struct vfio_window window[VFIO_WINDOWS];
};

/* Where a table of the device's is that is ours to keep. */
struct vfio_table {
	unsigned int bar;
	uint64_t at, size; /* size 0: none */
};

int vfio_bars_init(struct vfio_dev *d, struct error *err);
void vfio_bars_finish(struct vfio_dev *d);
/* The guest moved one, or made it appear or disappear. */
void vfio_bars_moved(struct vfio_dev *d);

/* ---- vfio_irq.c ---- */

enum vfio_irq_mode { VFIO_NO_IRQ, VFIO_INTX, VFIO_MSI, VFIO_MSIX };

/* An eventfd that the kernel signals for one interrupt. */
struct vfio_vector {
	struct vfio_dev *dev;
	unsigned int index;
	int fd;		/* -1: not made yet */
	bool attached;	/* the kernel signals it */
	bool live;	/* it may be sent */
	bool listening; /* our thread reads it... */
	bool routed;	/* ... or the engine does */
	uint64_t addr;
	uint32_t data;
};

struct vfio_irqs {
	/* Taken in this order, the lock of MSI-X's table between them. */
	pthread_mutex_t table_lock; /* going through that table */
	pthread_mutex_t lock;	    /* the rest */
	enum vfio_irq_mode mode;
	struct iothread *thread;
	unsigned int n_intx, n_msi, n_msix; /* what the device has */
	unsigned int msi_cap, msix_cap;
	unsigned int n;
	struct vfio_vector *vector; /* of MSI or MSI-X */
	struct vfio_vector intx;
	bool intx_pending; /* the kernel waits for the guest to handle it */
	struct msix *msix;
	struct vfio_table table, pba;
	bool made;
	bool awake; /* the guest has touched it */
};

/* Finds out what there is in configuration space, and makes it the guest's. */
int vfio_irqs_init(struct vfio_dev *d, struct error *err);
void vfio_irqs_finish(struct vfio_dev *d);
void vfio_irqs_written(struct vfio_dev *d, unsigned int reg,
		       unsigned int size);
void vfio_irqs_reset(struct vfio_dev *d);
/* The guest ended an interrupt: machine_on_eoi(). */
void vfio_eoi(void *vfio);

/* ---- vfio.c ---- */

struct vfio_dev {
	struct pci_dev pci;
	struct machine *m;
	struct vfio *vfio;
	struct vfio_dev *next;
	char *name; /* where the host has it */
	int fd;
	struct vfio_group *group;
	uint32_t flags; /* VFIO_DEVICE_FLAGS_* */
	uint64_t config_at;
	uint64_t rom_at, rom_size;
	bool ours[PCI_CONFIG_SIZE]; /* bytes that the device does not see */
	bool plugged;
	struct vfio_bar bars[PCI_BARS];
	struct vfio_irqs irqs;
};

static inline struct vfio_dev *vfio_of(struct pci_dev *pci)
{
	return container_of(pci, struct vfio_dev, pci);
}

int vfio_region(struct vfio_dev *d, unsigned int index,
		struct vfio_region_info *ret_info);

#endif
