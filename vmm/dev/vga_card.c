/*
 * vmm/dev/vga_card.c -- what the graphics cards with a VGA have in common.
 *
 * As a VGA a card also has the ports and the window of one, and DISPI at ports
 * 0x1ce to 0x1d0.
 */
#define LOG_MODULE "vga"
#include "vmm/dev/vga_card.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/memmap.h"
#include "vmm/spec.h"

enum { BAR_FB = 0, BAR_REGS = 2, REGS_SIZE = 4096 };
enum { REGS_EDID_END = 0x400, REGS_VGA = 0x400, REGS_VGA_END = 0x420,
       REGS_DISPI = 0x500, REGS_DISPI_END = REGS_DISPI + 2 * DISPI_REGS,
       REGS_EXT = 0x600 };
enum { EXT_SIZE = 0, EXT_ENDIAN = 4 };
#define EXT_LITTLE 0x1e1e1e1eu
enum { DISPI_PORT = 0x1ce, DISPI_PORTS = 4 };

/* ---- the frame buffer ---- */

/*
 * The guest's own memory, once no vCPU runs; until then, and for more cards
 * than there are slots, each access comes to fb_ops.
 */
static void map_fb(void *arg)
{
	struct vga_card *c = arg;
	const struct pci_bar *bar = &c->pci->bar[BAR_FB];
	const struct ram_slot slot = {
		.slot = MEMMAP_VIDEO0 + c->index,
		.gpa = bar->addr,
		.size = c->vga.vram_size,
		.host = bar->mapped ? c->vga.vram : NULL,
	};
	struct error err;

	if (memmap_set(c->vga.m, &slot, &err) < 0)
		log_warn("%s", err.message);
}

void vga_card_bar_mapped(struct vga_card *c, unsigned int bar)
{
	if (bar == BAR_FB && c->index < MEMMAP_VIDEOS)
		machine_remap(c->vga.m, map_fb, c);
}

static uint64_t fb_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vga_card *c = dev;
	uint64_t value = 0;

	memcpy(&value, c->vga.vram + offset, size);
	return value;
}

static void fb_write(void *dev, uint64_t offset, uint64_t value,
		     unsigned int size)
{
	struct vga_card *c = dev;

	memcpy(c->vga.vram + offset, &value, size);
}

static const struct bus_ops fb_ops = { fb_read, fb_write };

/* ---- registers in memory ---- */

static uint8_t regs_read_byte(struct vga_card *c, uint64_t offset)
{
	if (offset < REGS_EDID_END)
		return offset < EDID_SIZE ? c->edid[offset] : 0;
	if (offset >= REGS_VGA && offset < REGS_VGA_END)
		return vga_port_read(&c->vga, 0x3c0 + offset - REGS_VGA);
	if (offset >= REGS_DISPI && offset < REGS_DISPI_END)
		return dispi_read(&c->vga, (offset - REGS_DISPI) / 2) >>
		       8 * (offset % 2);
	if (offset >= REGS_EXT && offset < REGS_EXT + 4)
		return (offset == REGS_EXT) * 8;
	if (offset >= REGS_EXT + EXT_ENDIAN && offset < REGS_EXT + 8)
		return EXT_LITTLE & 0xff;
	return 0;
}

static uint64_t regs_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vga_card *c = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&c->vga.lock);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)regs_read_byte(c, offset + i) << 8 * i;
	pthread_mutex_unlock(&c->vga.lock);
	return value;
}

/* DISPI's are written whole. */
static void regs_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct vga_card *c = dev;

	pthread_mutex_lock(&c->vga.lock);
	if (offset >= REGS_DISPI && offset < REGS_DISPI_END && size == 2)
		dispi_write(&c->vga, (offset - REGS_DISPI) / 2, value);
	for (unsigned int i = 0; i < size; i++, offset++, value >>= 8)
		if (offset >= REGS_VGA && offset < REGS_VGA_END)
			vga_port_write(&c->vga, 0x3c0 + offset - REGS_VGA,
				       value);
	pthread_mutex_unlock(&c->vga.lock);
}

static const struct bus_ops regs_ops = { regs_read, regs_write };

/* ---- the VGA's window and ports ---- */

static uint64_t window_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vga *v = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&v->lock);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)vga_mem_read(v, offset + i) << 8 * i;
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void window_write(void *dev, uint64_t offset, uint64_t value,
			 unsigned int size)
{
	struct vga *v = dev;

	pthread_mutex_lock(&v->lock);
	for (unsigned int i = 0; i < size; i++, value >>= 8)
		vga_mem_write(v, offset + i, value);
	pthread_mutex_unlock(&v->lock);
}

static uint64_t ports_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vga *v = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&v->lock);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)vga_port_read(v, VGA_PORTS + offset + i)
			 << 8 * i;
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void ports_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct vga *v = dev;

	pthread_mutex_lock(&v->lock);
	for (unsigned int i = 0; i < size; i++, value >>= 8)
		vga_port_write(v, VGA_PORTS + offset + i, value);
	pthread_mutex_unlock(&v->lock);
}

/* The index at 0x1ce, the data at 0x1cf and, on an even address, at 0x1d0. */
static uint64_t dispi_port_read(void *dev, uint64_t offset, unsigned int size)
{
	struct vga *v = dev;
	uint16_t value;

	pthread_mutex_lock(&v->lock);
	value = offset ? dispi_read(v, v->r.dispi_index) : v->r.dispi_index;
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void dispi_port_write(void *dev, uint64_t offset, uint64_t value,
			     unsigned int size)
{
	struct vga *v = dev;

	pthread_mutex_lock(&v->lock);
	if (offset == 0)
		v->r.dispi_index = value;
	else
		dispi_write(v, v->r.dispi_index, value);
	pthread_mutex_unlock(&v->lock);
}

static const struct bus_ops window_ops = { window_read, window_write };
static const struct bus_ops ports_ops = { ports_read, ports_write };
static const struct bus_ops dispi_ops = { dispi_port_read, dispi_port_write };

/* ---- life ---- */

void vga_card_init(struct vga_card *c, struct machine *m, struct pci_dev *pci,
		   const struct spec_video *spec, unsigned int index)
{
	c->pci = pci;
	c->index = index;
	vga_init(&c->vga, m, spec->vram);
	edid_make(c->edid, spec->width, spec->height);
}

void vga_card_set_bars(struct vga_card *c)
{
	pci_set_bar(c->pci, BAR_FB, c->vga.vram_size, false, &fb_ops, c);
	c->pci->config[PCI_BASE_ADDRESS_0] |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	pci_set_bar(c->pci, BAR_REGS, REGS_SIZE, false, &regs_ops, c);
}

int vga_card_add_legacy(struct vga_card *c, struct error *err)
{
	struct machine *m = c->vga.m;
	int r = bus_add(m->ports, VGA_PORTS, VGA_PORTS_SIZE, &ports_ops,
			&c->vga);

	if (r == 0)
		r = bus_add(m->ports, DISPI_PORT, DISPI_PORTS, &dispi_ops,
			    &c->vga);
	if (r == 0)
		r = bus_add(m->mmio, VGA_WINDOW, VGA_WINDOW_SIZE, &window_ops,
			    &c->vga);
	return r < 0 ? error_set(err, r, "there is a VGA already") : 0;
}
