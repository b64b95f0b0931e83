/*
 * tests/unit/vmm/display.c -- the VGA, Bochs's card and the picture they show.
 */
#include "tests/unit/vmm/fake.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/bus.h"
#include "vmm/dev/edid.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/vga.h"
#include "vmm/display.h"

enum { SLOT = 3, DEVFN = SLOT << 3 };

static struct fake f;
static uint64_t fb, regs;

static void indexed(uint16_t port, uint8_t index, uint8_t value)
{
	port_out(f.m, port, index);
	port_out(f.m, port + 1, value);
}

static void dispi(unsigned int reg, uint16_t value)
{
	bus_io(f.m->mmio, regs + 0x500 + 2 * reg, &value, 2, true);
}

static uint16_t dispi_get(unsigned int reg)
{
	uint16_t value;

	bus_io(f.m->mmio, regs + 0x500 + 2 * reg, &value, 2, false);
	return value;
}

static void poke(uint64_t addr, uint8_t value)
{
	bus_io(f.m->mmio, addr, &value, 1, true);
}

static uint8_t peek(uint64_t addr)
{
	uint8_t value;

	bus_io(f.m->mmio, addr, &value, 1, false);
	return value;
}

static uint32_t pixel(unsigned int x, unsigned int y)
{
	const struct display_view *v;
	uint32_t p;

	display_lock(f.m->display);
	v = display_draw(f.m->display);
	assert(x < v->width && y < v->height);
	p = v->pixels[(size_t)y * v->width + x] & 0xffffff;
	display_unlock(f.m->display);
	return p;
}

static void expect_size(unsigned int w, unsigned int h)
{
	const struct display_view *v;

	display_lock(f.m->display);
	v = display_draw(f.m->display);
	assert(v->width == w && v->height == h);
	display_unlock(f.m->display);
}

static void color(unsigned int i, uint8_t r, uint8_t g, uint8_t b)
{
	port_out(f.m, 0x3c8, i);
	port_out(f.m, 0x3c9, r);
	port_out(f.m, 0x3c9, g);
	port_out(f.m, 0x3c9, b);
}

/* What the modes below have in common: 640 or 720 by 400, colours 0 to 15. */
static void set_mode(bool graphics, uint8_t height, uint8_t seq_mode)
{
	port_out(f.m, 0x3c2, 0x67);
	port_out(f.m, 0x3c6, 0xff);
	indexed(0x3d4, 0x11, 0);
	for (unsigned int i = 0; i < 9; i++)
		indexed(0x3ce, i, 0);
	for (unsigned int i = 0xc; i < 0x10; i++)
		indexed(0x3d4, i, 0);
	indexed(0x3c4, 3, 0);
	indexed(0x3c4, 1, 1); /* eight dots */
	indexed(0x3c4, 2, graphics ? 0xf : 3);
	indexed(0x3c4, 4, seq_mode);
	indexed(0x3ce, 5, graphics ? 0 : 0x10);
	indexed(0x3ce, 6, graphics ? 5 : 0xe);
	indexed(0x3ce, 8, 0xff);
	indexed(0x3d4, 1, 79);
	indexed(0x3d4, 7, 2);
	indexed(0x3d4, 9, height - 1);
	indexed(0x3d4, 0x12, 0x8f);
	indexed(0x3d4, 0x13, 40);
	indexed(0x3d4, 0xa, 0x20); /* no cursor */
	for (unsigned int i = 0; i < 16; i++)
		color(i, i * 4, 63 - i, i);
	port_in(f.m, 0x3da);
	for (unsigned int i = 0; i < 16; i++) {
		port_out(f.m, 0x3c0, i);
		port_out(f.m, 0x3c0, i);
	}
	port_out(f.m, 0x3c0, 0x10);
	port_out(f.m, 0x3c0, graphics);
	port_out(f.m, 0x3c0, 0x14);
	port_out(f.m, 0x3c0, 0);
	port_out(f.m, 0x3c0, 0x20);
}

static uint32_t rgb(unsigned int i)
{
	unsigned int r = i * 4, g = 63 - i, b = i;

	return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8 |
	       (b << 2 | b >> 4);
}

static void test_text(void)
{
	set_mode(false, 16, 7);
	/* The font: plane 2, "A" is 0xc1 in its first line. */
	indexed(0x3c4, 2, 4);
	indexed(0x3ce, 5, 0);
	indexed(0x3ce, 6, 4);
	poke(VGA_WINDOW + 'A' * 32, 0xc1);
	set_mode(false, 16, 3);
	expect_size(640, 400);
	poke(0xb8000 + 2 * 81, 'A'); /* second line, second column */
	poke(0xb8000 + 2 * 81 + 1, 0x1e);
	assert(peek(0xb8000 + 2 * 81) == 'A');
	assert(pixel(8, 16) == rgb(14) && pixel(9, 16) == rgb(14));
	assert(pixel(10, 16) == rgb(1) && pixel(15, 16) == rgb(14));
	assert(pixel(8, 17) == rgb(1));
	/* The cursor there, in its last two lines. */
	indexed(0x3d4, 0xa, 14);
	indexed(0x3d4, 0xb, 15);
	indexed(0x3d4, 0xf, 81);
	assert(pixel(12, 16 + 14) == rgb(14));
	assert(pixel(12, 16 + 13) == rgb(1));
}

static void test_planar(void)
{
	set_mode(true, 1, 6);
	expect_size(640, 400);
	poke(VGA_WINDOW + 80, 0xff);
	assert(pixel(0, 1) == rgb(15) && pixel(8, 1) == rgb(0));
	/* Write mode 0 with set/reset, under a bit mask. */
	indexed(0x3ce, 0, 5);
	indexed(0x3ce, 1, 0xf);
	indexed(0x3ce, 8, 0x80);
	peek(VGA_WINDOW + 80);
	poke(VGA_WINDOW + 80, 0);
	assert(pixel(0, 1) == rgb(5) && pixel(1, 1) == rgb(15));
	/* Write mode 2, and the planes one by one. */
	indexed(0x3ce, 1, 0);
	indexed(0x3ce, 8, 0xff);
	indexed(0x3ce, 5, 2);
	poke(VGA_WINDOW + 81, 9);
	assert(pixel(8, 1) == rgb(9));
	for (unsigned int plane = 0; plane < 4; plane++) {
		indexed(0x3ce, 4, plane);
		assert(peek(VGA_WINDOW + 81) == (9 >> plane & 1 ? 0xff : 0));
	}
	/* Read mode 1: where is colour 9? */
	indexed(0x3ce, 5, 8);
	indexed(0x3ce, 2, 9);
	indexed(0x3ce, 7, 0xf);
	assert(peek(VGA_WINDOW + 81) == 0xff && peek(VGA_WINDOW + 80) == 0);
	/* Write mode 1 copies what was read. */
	indexed(0x3ce, 5, 1);
	peek(VGA_WINDOW + 81);
	poke(VGA_WINDOW + 82, 0);
	assert(pixel(16, 1) == rgb(9));
	indexed(0x3ce, 5, 0);
}

static void test_dispi(void)
{
	const uint32_t red = 0xff0000;

	assert((dispi_get(DISPI_ID) & 0xfff0) == 0xb0c0);
	assert(dispi_get(DISPI_MEMORY) == 256);
	dispi(DISPI_ENABLE, 0);
	dispi(DISPI_XRES, 320);
	dispi(DISPI_YRES, 200);
	dispi(DISPI_BPP, 32);
	dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
	expect_size(320, 200);
	mmio_out(f.m, fb + 4 * (320 * 10 + 7), red);
	assert(pixel(7, 10) == red && pixel(8, 10) == 0);
	/* A wider line and another start. */
	dispi(DISPI_VIRT_WIDTH, 640);
	dispi(DISPI_Y_OFFSET, 5);
	assert(pixel(7, 0) == red); /* 640 * 5 + 7 */
	assert(dispi_get(DISPI_VIRT_HEIGHT) == 16 * MIB / (640 * 4));
	/* Far out: nothing to see, and nothing breaks. */
	dispi(DISPI_Y_OFFSET, 0xffff);
	dispi(DISPI_X_OFFSET, 0xffff);
	dispi(DISPI_VIRT_WIDTH, 0xffff);
	expect_size(320, 200);

	dispi(DISPI_ENABLE, 0);
	dispi(DISPI_XRES, 64);
	dispi(DISPI_BPP, 16);
	dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
	poke(fb, 0xe0);
	poke(fb + 1, 0x07);
	assert(pixel(0, 0) == 0x00ff00);
	/* The banked window at 0xa0000 is the same memory. */
	dispi(DISPI_BANK, 1);
	poke(fb + 0x10000, 0x5a);
	assert(peek(VGA_WINDOW) == 0x5a);
	dispi(DISPI_BANK, 0xffff);
	assert(peek(VGA_WINDOW) == 0xff);
	dispi(DISPI_ENABLE, DISPI_GETCAPS);
	assert(dispi_get(DISPI_BPP) == 32);
	dispi(DISPI_ENABLE, 0);
}

static void test_edid(void)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < EDID_SIZE; i++)
		sum += peek(regs + i);
	assert(sum == 0 && peek(regs) == 0 && peek(regs + 1) == 0xff);
	assert((peek(regs + 56) | (peek(regs + 58) & 0xf0) << 4) == 1024);
}

static void test_tiles(void)
{
	const struct display_view *v;
	size_t tiles, dirty = 0;

	dispi(DISPI_XRES, 256);
	dispi(DISPI_YRES, 64);
	dispi(DISPI_BPP, 32);
	dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
	display_lock(f.m->display);
	v = display_draw(f.m->display);
	tiles = (size_t)v->tiles_x * v->tiles_y;
	assert(v->tiles_x == 8 && v->tiles_y == 4);
	memset(v->dirty, 0, tiles);
	mmio_out(f.m, fb + 4 * (256 * 17 + 33), 0x123456);
	v = display_draw(f.m->display);
	for (size_t i = 0; i < tiles; i++)
		dirty += v->dirty[i];
	assert(dirty == 1 && v->dirty[8 + 1]);
	display_unlock(f.m->display);
}

static void test_ppm(void)
{
	size_t len;
	char *ppm = display_ppm(f.m->display, &len);

	assert(ppm && memcmp(ppm, "P6\n256 64\n255\n", 14) == 0);
	assert(len == 14 + 256 * 64 * 3);
	assert(memcmp(ppm + 14 + 3 * (256 * 17 + 33), "\x12\x34\x56", 3) == 0);
	free(ppm);
}

/* Whatever registers say, the picture can be drawn. */
static void test_noise(void)
{
	size_t len;

	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t x = rnd();

		switch (x % 5) {
		case 0:
			dispi(x >> 8 & 0xf, x & 0x100000 ? x >> 32 :
							   x >> 32 & 0x3ff);
			break;
		case 1:
			poke(VGA_WINDOW + (x >> 8) % VGA_WINDOW_SIZE, x >> 32);
			break;
		case 2:
			peek(VGA_WINDOW + (x >> 8) % VGA_WINDOW_SIZE);
			break;
		default:
			port_out(f.m, VGA_PORTS + (x >> 8) % VGA_PORTS_SIZE,
				 x >> 32);
			port_in(f.m, VGA_PORTS + (x >> 16) % VGA_PORTS_SIZE);
		}
		if (i % 500 == 0)
			free(display_ppm(f.m->display, &len));
	}
	dispi(DISPI_ENABLE, 0);
}

int main(void)
{
	fake_init(&f);
	/* Little memory, so that the window is not inside it. */
	f.spec.videos = xcalloc(1, sizeof(*f.spec.videos));
	f.spec.n_videos = 1;
	f.spec.videos[0] = (struct spec_video){
		.id = xstrdup("video0"),
		.kind = VIDEO_VGA,
		.vram = 16 * MIB,
		.width = 1024,
		.height = 768,
		.rom_fd = -1,
		.pci.slot = SLOT,
	};
	fake_start(&f);
	pci_config_write(f.m->pci, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	fb = pci_config_read(f.m->pci, DEVFN, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	regs = pci_config_read(f.m->pci, DEVFN, PCI_BASE_ADDRESS_2, 4) & ~0xfu;
	test_edid();
	test_text();
	test_planar();
	test_dispi();
	test_tiles();
	test_ppm();
	test_noise();
	test_text();
	fake_finish(&f);
	return 0;
}
