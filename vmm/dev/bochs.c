/*
 * vmm/dev/bochs.c -- the graphics card of Bochs on PCI, 1234:1111, as Linux's
 * bochs-drm and the VGA BIOSes of SeaBIOS drive it; with or without the ports
 * and the window of a VGA (vmm/dev/vga_card.h).
 */
#include "vmm/dev/bochs.h"

#include <linux/pci_regs.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/dev/vga_card.h"
#include "vmm/display.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

struct bochs {
	struct pci_dev pci;
	struct vga_card card;
};

static void bochs_bar_mapped(struct pci_dev *pci, unsigned int bar,
			     uint64_t addr, bool mapped)
{
	vga_card_bar_mapped(&container_of(pci, struct bochs, pci)->card, bar);
}

static void bochs_reset(struct pci_dev *pci)
{
	vga_reset(&container_of(pci, struct bochs, pci)->card.vga);
}

static void bochs_destroy(struct pci_dev *pci)
{
	struct bochs *b = container_of(pci, struct bochs, pci);

	vga_finish(&b->card.vga);
	free(b);
}

static void bochs_states(struct pci_dev *pci, const char *id,
			 struct state_set *set)
{
	vga_states(&container_of(pci, struct bochs, pci)->card.vga, id, set);
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
	vga_card_set_bars(&b->card);
}

int bochs_create(struct machine *m, const struct spec_video *spec,
		 unsigned int index, struct error *err)
{
	struct bochs *b = xcalloc(1, sizeof(*b));
	bool legacy = spec->kind == VIDEO_VGA;
	int r = 0;

	vga_card_init(&b->card, m, &b->pci, spec, index);
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
		    &b->card.vga);
	return legacy ? vga_card_add_legacy(&b->card, err) : 0;
}
