/*
 * vmm/dev/vfio_bar.c -- the memory and ports of a host's device.
 *
 * What the kernel lets us map is the guest's memory where an engine can show
 * it such, and is read and written directly where not; the rest goes through
 * the device's descriptor.  The pages with the MSI-X table and its pending
 * bits are never mapped (PCI 6.8.2: there is nothing else in them that a
 * driver needs to be quick); accesses to those two are the guest's own
 * (vfio_irq.c).
 */
/* #syscalls:vmm mmap munmap pread64 pwrite64 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/vfio_priv.h"
#include "vmm/machine.h"
#include "vmm/memmap.h"
#include "vmm/spec.h"

enum { PAGE = 4096 };

/* ---- accesses ---- */

static bool in_table(const struct vfio_bar *b, const struct vfio_table *t,
		     uint64_t at)
{
	return t->size && t->bar == b->index && at - t->at < t->size;
}

static uint8_t *direct(const struct vfio_bar *b, uint64_t at,
		       unsigned int size)
{
	for (unsigned int i = 0; i < VFIO_WINDOWS; i++) {
		const struct vfio_window *w = &b->window[i];

		if (w->host && at - w->at < w->size && !(at % size))
			return w->host + (at - w->at);
	}
	return NULL;
}

static uint64_t read_direct(const uint8_t *p, unsigned int size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static void write_direct(uint8_t *p, uint64_t value, unsigned int size)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)p = value;
		break;
	case 2:
		*(volatile uint16_t *)p = value;
		break;
	case 4:
		*(volatile uint32_t *)p = value;
		break;
	default:
		*(volatile uint64_t *)p = value;
	}
}

static uint64_t bar_read(void *arg, uint64_t at, unsigned int size)
{
	const struct vfio_bar *b = arg;
	const struct vfio_irqs *irqs = &b->dev->irqs;
	const uint8_t *p = direct(b, at, size);
	uint64_t value = 0;

	if (p)
		return read_direct(p, size);
	if (in_table(b, &irqs->table, at))
		return msix_bar_read(irqs->msix, at - irqs->table.at, size);
	if (in_table(b, &irqs->pba, at))
		return msix_bar_read(irqs->msix, msix_pba(irqs->msix) + at -
							 irqs->pba.at,
				     size);
	if (b->readable &&
	    pread(b->dev->fd, &value, size, (off_t)(b->offset + at)) ==
		    (ssize_t)size)
		return value;
	return ~0ull;
}

static void bar_write(void *arg, uint64_t at, uint64_t value,
		      unsigned int size)
{
	const struct vfio_bar *b = arg;
	const struct vfio_irqs *irqs = &b->dev->irqs;
	uint8_t *p = direct(b, at, size);

	if (p)
		write_direct(p, value, size);
	else if (in_table(b, &irqs->table, at))
		msix_bar_write(irqs->msix, at - irqs->table.at, value, size);
	else if (in_table(b, &irqs->pba, at) || !b->writable)
		return; /* read-only */
	else if (pwrite(b->dev->fd, &value, size, (off_t)(b->offset + at)) < 0)
		return; /* as if nobody had decoded it */
}

static const struct bus_ops bar_ops = { bar_read, bar_write };

/* ---- in the guest's memory map ---- */

static int take_slot(struct vfio *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->slots); i++) {
		if (v->slots[i])
			continue;
		v->slots[i] = true;
		return MEMMAP_HOSTDEVS + (int)i;
	}
	return -1; /* then each access comes to bar_ops */
}

static void show(struct vfio_bar *b, struct vfio_window *w)
{
	const struct pci_bar *bar = &b->dev->pci.bar[b->index];
	struct ram_slot slot = {
		.slot = (unsigned int)w->slot,
		.gpa = bar->addr + w->at,
		.size = w->size,
		.host = bar->mapped ? w->host : NULL,
	};
	struct error err;

	if (!w->size || w->slot < 0 || slot.gpa % PAGE)
		return;
	if (memmap_set(b->dev->m, &slot, &err) == 0)
		return;
	/* It is slower so, and works. */
	slot.host = NULL;
	memmap_set(b->dev->m, &slot, &err);
}

/* vCPUs are stopped. */
static void show_all(void *arg)
{
	struct vfio *v = arg;

	for (struct vfio_dev *d = v->devs; d; d = d->next)
		for (unsigned int i = 0; i < PCI_BARS; i++)
			for (unsigned int j = 0; d->bars[i].size &&
						 j < VFIO_WINDOWS; j++)
				show(&d->bars[i], &d->bars[i].window[j]);
}

void vfio_bars_moved(struct vfio_dev *d)
{
	if (!d->m->engine->cheap_exits)
		machine_remap(d->m, show_all, d->vfio);
}

/* ---- making ---- */

static void add_window(struct vfio_bar *b, uint64_t at, uint64_t end)
{
	struct vfio_window *w = b->window;
	void *p;

	while (w->size)
		w++;
	if (at >= end || w == b->window + VFIO_WINDOWS)
		return;
	p = mmap(NULL, end - at, PROT_READ | PROT_WRITE, MAP_SHARED,
		 b->dev->fd, (off_t)(b->offset + at));
	if (p == MAP_FAILED)
		return;
	*w = (struct vfio_window){ at, end - at, p, -1 };
	if (!b->dev->m->engine->cheap_exits)
		w->slot = take_slot(b->dev->vfio);
}

/* The pages between those of the two tables. */
static void map_windows(struct vfio_bar *b)
{
	const struct vfio_irqs *irqs = &b->dev->irqs;
	const struct vfio_table *t[] = { &irqs->table, &irqs->pba };
	uint64_t at = 0;

	if (irqs->table.at > irqs->pba.at) {
		t[0] = &irqs->pba;
		t[1] = &irqs->table;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (!t[i]->size || t[i]->bar != b->index)
			continue;
		add_window(b, at, ALIGN_DOWN(t[i]->at, PAGE));
		at = MAX(at, ALIGN_UP(t[i]->at + t[i]->size, PAGE));
	}
	add_window(b, at, b->size);
}

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* PCI 6.2.5.1: what kind it is stands in its lowest bits. */
static void set_bar(struct vfio_bar *b, uint32_t kind)
{
	struct pci_dev *pci = &b->dev->pci;
	bool is_64 = (kind & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
		     PCI_BASE_ADDRESS_MEM_TYPE_64;

	if (kind & PCI_BASE_ADDRESS_SPACE_IO) {
		if (b->size >= 4 && b->size <= 256)
			pci_set_io_bar(pci, b->index, b->size, &bar_ops, b);
		return;
	}
	if (b->size < 16 || b->index + is_64 >= PCI_BARS)
		return;
	pci_set_bar(pci, b->index, b->size, is_64, &bar_ops, b);
	pci->config[PCI_BASE_ADDRESS_0 + 4 * b->index] |=
		kind & PCI_BASE_ADDRESS_MEM_PREFETCH;
}

static int bar_init(struct vfio_dev *d, unsigned int i, uint32_t kind,
		    struct error *err)
{
	struct vfio_bar *b = &d->bars[i];
	struct vfio_region_info info;
	int r = vfio_region(d, VFIO_PCI_BAR0_REGION_INDEX + i, &info);

	*b = (struct vfio_bar){ .dev = d, .index = i };
	if (r < 0)
		return error_set(err, r, "host device %s: no BAR %u: %m",
				 d->name, i);
	if (!is_power_of_two(info.size))
		return 0;
	b->size = info.size;
	b->offset = info.offset;
	b->readable = info.flags & VFIO_REGION_INFO_FLAG_READ;
	b->writable = info.flags & VFIO_REGION_INFO_FLAG_WRITE;
	set_bar(b, kind);
	if ((info.flags & VFIO_REGION_INFO_FLAG_MMAP) && b->size >= PAGE &&
	    !d->pci.bar[i].is_io)
		map_windows(b);
	return 0;
}

int vfio_bars_init(struct vfio_dev *d, struct error *err)
{
	uint32_t kind[PCI_BARS];
	int r = 0;

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint8_t *reg = d->pci.config + PCI_BASE_ADDRESS_0 + 4 * i;

		kind[i] = pci_get32(reg);
		pci_set32(reg, 0);
		pci_set32(d->pci.wmask + PCI_BASE_ADDRESS_0 + 4 * i, 0);
	}
	for (unsigned int i = 0; i < PCI_BARS && r == 0; i++) {
		r = bar_init(d, i, kind[i], err);
		if (d->pci.bar[i].is_64)
			i++;
	}
	return r;
}

static void window_finish(struct vfio_dev *d, struct vfio_window *w)
{
	struct ram_slot none = { .slot = (unsigned int)w->slot };
	struct error err;

	if (w->slot >= 0) {
		memmap_set(d->m, &none, &err);
		d->vfio->slots[w->slot - MEMMAP_HOSTDEVS] = false;
	}
	if (w->host)
		munmap(w->host, w->size);
	*w = (struct vfio_window){ .slot = -1 };
}

/* vCPUs are stopped, or have never known of it. */
void vfio_bars_finish(struct vfio_dev *d)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		for (unsigned int j = 0; j < VFIO_WINDOWS; j++)
			if (d->bars[i].window[j].size)
				window_finish(d, &d->bars[i].window[j]);
}
