/*
 * vmm/dev/vga.h -- the VGA's registers and memory, and what they show.
 *
 * Cited as "VGA": IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem"; "DISPI": the Bochs VBE display interface, as the VGA BIOSes of
 * Bochs and SeaBIOS use it.
 *
 * The memory is linear: plane p of the VGA's address a is byte 4 * a + p, so
 * that chained modes and DISPI's see a plain frame buffer.
 */
#ifndef VMM_DEV_VGA_H
#define VMM_DEV_VGA_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct display;
struct machine;
struct state_set;

enum { VGA_PORTS = 0x3b0, VGA_PORTS_SIZE = 0x30 };
enum { VGA_VRAM_MAX = 256 * 1024 * 1024 };
enum { VGA_WINDOW = 0xa0000, VGA_WINDOW_SIZE = 0x20000 };

enum dispi_reg {
	DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK,
	DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT, DISPI_X_OFFSET, DISPI_Y_OFFSET,
	DISPI_MEMORY, DISPI_REGS,
};
enum { DISPI_ENABLED = 1, DISPI_GETCAPS = 2, DISPI_8BIT_DAC = 0x20,
       DISPI_LFB = 0x40, DISPI_NOCLEAR = 0x80 };

/* Register indices that more than one file needs. */
enum { SEQ_CLOCKING = 1, SEQ_MASK = 2, SEQ_FONT = 3, SEQ_MODE = 4 };
enum { GFX_MODE = 5, GFX_MISC = 6 };
enum { ATTR_MODE = 0x10, ATTR_COLOR = 0x14 };

struct vga_regs {
	uint8_t misc;
	uint8_t seq_index, seq[8];
	uint8_t gfx_index, gfx[16];
	uint8_t crtc_index, crtc[32];
	uint8_t attr_index, attr[32];
	bool attr_data; /* the next byte to 0x3c0 is one */
	uint8_t dac_mask, dac_state, dac_read, dac_write, dac_part;
	uint8_t palette[3 * 256];
	uint16_t dispi_index, dispi[DISPI_REGS];
};

struct vga {
	struct machine *m;
	uint8_t *vram;
	unsigned int vram_size;
	pthread_mutex_t lock; /* the rest */
	struct vga_regs r;
	uint8_t latch[4];
};

void vga_init(struct vga *v, struct machine *m, unsigned int vram_size);
void vga_finish(struct vga *v);
void vga_reset(struct vga *v);

void vga_states(struct vga *v, const char *id, struct state_set *set);

/* Locked.  One byte of the ports from VGA_PORTS. */
uint8_t vga_port_read(struct vga *v, unsigned int port);
void vga_port_write(struct vga *v, unsigned int port, uint8_t value);
/* Locked.  One byte of the window at VGA_WINDOW. */
uint8_t vga_mem_read(struct vga *v, uint32_t offset);
void vga_mem_write(struct vga *v, uint32_t offset, uint8_t value);

/* Locked. */
uint16_t dispi_read(struct vga *v, unsigned int reg);
void dispi_write(struct vga *v, unsigned int reg, uint16_t value);

/* vmm/dev/vga_draw.c; a struct display_ops's draw. */
void vga_draw(void *vga, struct display *d);

#endif
