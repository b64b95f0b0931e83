/*
 * vmm/dev/vga_card.h -- what the graphics cards with a VGA have in common: the
 * frame buffer, the registers in memory, and the ports and window of a VGA.
 *
 *	BAR 0	the frame buffer
 *	BAR 2	0x000 the monitor's EDID; 0x400 the VGA's ports from 0x3c0;
 *		0x500 DISPI's registers, 16 bits each; 0x600 an extension of
 *		which there is only "bytes are little-endian"
 */
#ifndef VMM_DEV_VGA_CARD_H
#define VMM_DEV_VGA_CARD_H

#include "vmm/dev/edid.h"
#include "vmm/dev/vga.h"

struct error;
struct pci_dev;
struct spec_video;

struct vga_card {
	struct vga vga;
	struct pci_dev *pci;
	uint8_t edid[EDID_SIZE];
	unsigned int index; /* among the cards */
};

void vga_card_init(struct vga_card *c, struct machine *m, struct pci_dev *pci,
		   const struct spec_video *spec, unsigned int index);
/* On a PCI function that has just been initialised. */
void vga_card_set_bars(struct vga_card *c);
void vga_card_bar_mapped(struct vga_card *c, unsigned int bar);
/* Once it is plugged: the ports and the window, of which there is one. */
int vga_card_add_legacy(struct vga_card *c, struct error *err);

#endif
