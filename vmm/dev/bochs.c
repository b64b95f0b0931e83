/*
 * vmm/dev/bochs.c -- the graphics card of Bochs on PCI, 1234:1111, as Linux's
 * bochs-drm and the VGA BIOSes of SeaBIOS drive it.
 *
 *	BAR 0	the frame buffer
 *	BAR 2	0x000 the monitor's EDID; 0x400 the VGA's ports from 0x3c0;
 *		0x500 DISPI's registers, 16 bits each; 0x600 an extension of
 *		which there is only "bytes are little-endian"
 *
 * As a VGA it also has the ports and the window of one, and DISPI at ports
 * 0x1ce to 0x1d0.
 */
#define LOG_MODULE "bochs"
#include "vmm/dev/bochs.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/edid.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/dev/vga.h"
#include "vmm/display.h"
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

struct bochs {
	struct pci_dev pci;
	struct vga vga;
	uint8_t edid[EDID_SIZE];
	unsigned int index; /* among the cards */
};

/* ---- the frame buffer ---- */

/*
 * The guest's own memory, once no vCPU runs; until then, and for more cards
 * than there are slots, each access comes to fb_ops.
 */
static void map_fb(void *arg)
{
	struct bochs *b = arg;
	const struct pci_bar *bar = &b->pci.bar[BAR_FB];
	const struct ram_slot slot = {
		.slot = MEMMAP_VIDEO0 + b->index,
		.gpa = bar->addr,
		.size = b->vga.vram_size,
		.host = bar->mapped ? b->vga.vram : NULL,
	};
	struct error err;

	if (memmap_set(b->vga.m, &slot, &err) < 0)
		log_warn("%s", err.message);
}

static void bochs_bar_mapped(struct pci_dev *pci, unsigned int bar,
			     uint64_t addr, bool mapped)
{
	struct bochs *b = container_of(pci, struct bochs, pci);

	if (bar == BAR_FB && b->index < MEMMAP_VIDEOS)
		machine_remap(b->vga.m, map_fb, b);
}

static uint64_t fb_read(void *dev, uint64_t offset, unsigned int size)
{
	struct bochs *b = dev;
	uint64_t value = 0;

	memcpy(&value, b->vga.vram + offset, size);
	return value;
}

static void fb_write(void *dev, uint64_t offset, uint64_t value,
		     unsigned int size)
{
	struct bochs *b = dev;

	memcpy(b->vga.vram + offset, &value, size);
}

static const struct bus_ops fb_ops = { fb_read, fb_write };

/* ---- registers in memory ---- */

static uint8_t regs_read_byte(struct bochs *b, uint64_t offset)
{
	if (offset < REGS_EDID_END)
		return offset < EDID_SIZE ? b->edid[offset] : 0;
	if (offset >= REGS_VGA && offset < REGS_VGA_END)
		return vga_port_read(&b->vga, 0x3c0 + offset - REGS_VGA);
	if (offset >= REGS_DISPI && offset < REGS_DISPI_END)
		return dispi_read(&b->vga, (offset - REGS_DISPI) / 2) >>
		       8 * (offset % 2);
	if (offset >= REGS_EXT && offset < REGS_EXT + 4)
		return (offset == REGS_EXT) * 8;
	if (offset >= REGS_EXT + EXT_ENDIAN && offset < REGS_EXT + 8)
		return EXT_LITTLE & 0xff;
	return 0;
}

static uint64_t regs_read(void *dev, uint64_t offset, unsigned int size)
{
	struct bochs *b = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&b->vga.lock);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)regs_read_byte(b, offset + i) << 8 * i;
	pthread_mutex_unlock(&b->vga.lock);
	return value;
}

/* DISPI's are written whole. */
static void regs_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct bochs *b = dev;

	pthread_mutex_lock(&b->vga.lock);
	if (offset >= REGS_DISPI && offset < REGS_DISPI_END && size == 2)
		dispi_write(&b->vga, (offset - REGS_DISPI) / 2, value);
	for (unsigned int i = 0; i < size; i++, offset++, value >>= 8)
		if (offset >= REGS_VGA && offset < REGS_VGA_END)
			vga_port_write(&b->vga, 0x3c0 + offset - REGS_VGA,
				       value);
	pthread_mutex_unlock(&b->vga.lock);
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

static void bochs_reset(struct pci_dev *pci)
{
	vga_reset(&container_of(pci, struct bochs, pci)->vga);
}

static void bochs_destroy(struct pci_dev *pci)
{
	struct bochs *b = container_of(pci, struct bochs, pci);

	vga_finish(&b->vga);
	free(b);
}

static void bochs_states(struct pci_dev *pci, const char *id,
			 struct state_set *set)
{
	vga_states(&container_of(pci, struct bochs, pci)->vga, id, set);
}

static const struct pci_ops bochs_pci_ops = {
	.bar_mapped = bochs_bar_mapped,
	.states = bochs_states,
	.reset = bochs_reset,
	.destroy = bochs_destroy,
};

static bool always(void *dev)
{
	return true;
}

/* Without the VGA's modes there is nothing to see before DISPI's. */
static bool enabled(void *dev)
{
	struct vga *v = dev;
	bool yes;

	pthread_mutex_lock(&v->lock);
	yes = v->r.dispi[DISPI_ENABLE] & DISPI_ENABLED;
	pthread_mutex_unlock(&v->lock);
	return yes;
}

static const struct display_ops vga_display = {
	.active = always,
	.draw = vga_draw,
};
static const struct display_ops plain_display = {
	.active = enabled,
	.draw = vga_draw,
};

static void bochs_pci_init(struct bochs *b, bool legacy)
{
	const struct pci_id id = {
		.vendor = 0x1234,
		.device = 0x1111,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = legacy ? 0x030000 : 0x038000, /* PCI D.4 */
		.revision = 2,
	};

	pci_dev_init(&b->pci, &bochs_pci_ops, &id);
	if (legacy)
		b->pci.wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
	pci_set_bar(&b->pci, BAR_FB, b->vga.vram_size, false, &fb_ops, b);
	b->pci.config[PCI_BASE_ADDRESS_0] |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	pci_set_bar(&b->pci, BAR_REGS, REGS_SIZE, false, &regs_ops, b);
}

static int add_legacy(struct bochs *b, struct error *err)
{
	struct machine *m = b->vga.m;
	int r = bus_add(m->ports, VGA_PORTS, VGA_PORTS_SIZE, &ports_ops,
			&b->vga);

	if (r == 0)
		r = bus_add(m->ports, DISPI_PORT, DISPI_PORTS, &dispi_ops,
			    &b->vga);
	if (r == 0)
		r = bus_add(m->mmio, VGA_WINDOW, VGA_WINDOW_SIZE, &window_ops,
			    &b->vga);
	return r < 0 ? error_set(err, r, "there is a VGA already") : 0;
}

int bochs_create(struct machine *m, const struct spec_video *spec,
		 unsigned int index, struct error *err)
{
	struct bochs *b = xcalloc(1, sizeof(*b));
	bool legacy = spec->kind == VIDEO_VGA;
	int r = 0;

	b->index = index;
	vga_init(&b->vga, m, spec->vram);
	edid_make(b->edid, spec->width, spec->height);
	bochs_pci_init(b, legacy);
	if (spec->rom_fd >= 0)
		r = pci_load_rom(&b->pci, spec->rom_fd, err);
	if (r == 0)
		r = pci_plug(m->pci, &b->pci, &spec->pci, err);
	if (r < 0) {
		pci_rom_destroy(&b->pci);
		bochs_destroy(&b->pci);
		return r;
	}
	display_add(m->display, legacy ? &vga_display : &plain_display,
		    &b->vga);
	return legacy ? add_legacy(b, err) : 0;
}
