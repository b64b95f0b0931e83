/*
 * vmm/dev/vga_draw.c -- what a VGA's registers and memory show (VGA, "Modes of
 * Operation" and "Attribute Controller Registers"), and DISPI's modes.
 *
 * Registers are copied first; the memory is the guest's and may change while
 * it is read.  Left out: the CGA's graphics modes, blinking, and smooth
 * scrolling.
 */
#include "vmm/dev/vga.h"

#include <string.h>

#include "base/util.h"
#include "vmm/display.h"

enum { TEXT_PLANES = 0x40000, FONT_LINES = 32 };

struct screen {
	const struct vga *v;
	struct vga_regs r;
	struct display *d;
	unsigned int w, h;
	uint32_t *row;
	uint32_t color[256]; /* the palette */
	uint32_t attr[16];   /* through the attribute controller */
};

static uint32_t dac_color(const struct vga_regs *r, unsigned int i)
{
	bool wide = r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;
	uint32_t color = 0;

	for (unsigned int c = 0; c < 3; c++) {
		uint8_t part = r->palette[3 * (i & r->dac_mask) + c];

		color = color << 8 |
			(wide ? part : (part << 2 | part >> 4) & 0xff);
	}
	return color;
}

/* "Attribute Mode Control", bit 7; "Color Select". */
static unsigned int attr_index(const struct vga_regs *r, unsigned int i)
{
	uint8_t select = r->attr[ATTR_COLOR];

	if (r->attr[ATTR_MODE] & 0x80)
		return (r->attr[i] & 0xf) | (select & 0xf) << 4;
	return (r->attr[i] & 0x3f) | (select & 0xc) << 4;
}

static void make_colors(struct screen *s)
{
	for (unsigned int i = 0; i < 256; i++)
		s->color[i] = dac_color(&s->r, i);
	for (unsigned int i = 0; i < 16; i++)
		s->attr[i] = s->color[attr_index(&s->r, i)];
}

/* Makes the picture this large; false: leave it alone. */
static bool set_size(struct screen *s, unsigned int w, unsigned int h)
{
	s->w = w;
	s->h = h;
	if (!display_size(s->d, w, h))
		return false;
	s->row = xcalloc(w, sizeof(*s->row));
	return true;
}

static void draw_black(struct screen *s)
{
	if (!set_size(s, 640, 480))
		return;
	for (unsigned int y = 0; y < s->h; y++)
		display_row(s->d, y, s->row);
}

/* ---- the CRT controller's geometry ---- */

static unsigned int crtc_lines(const struct vga_regs *r)
{
	unsigned int n = r->crtc[0x12] | (r->crtc[7] & 0x02) << 7 |
			 (r->crtc[7] & 0x40) << 3;

	return n + 1;
}

static unsigned int crtc_start(const struct vga_regs *r)
{
	return r->crtc[0x0c] << 8 | r->crtc[0x0d];
}

/* How often each line of the memory is shown. */
static unsigned int crtc_repeat(const struct vga_regs *r)
{
	unsigned int n = (r->crtc[9] & 0x1f) + 1;

	return r->crtc[9] & 0x80 ? 2 * n : n;
}

/* ---- text ---- */

static uint8_t text_byte(const struct screen *s, unsigned int cell,
			 unsigned int plane)
{
	return s->v->vram[(4 * cell + plane) % TEXT_PLANES];
}

/* "Character Map Select": two of eight fonts in plane 2. */
static unsigned int font_start(const struct vga_regs *r, bool second)
{
	uint8_t map = r->seq[SEQ_FONT];
	unsigned int n = second ? (map >> 2 & 3) | (map >> 3 & 4) :
				  (map & 3) | (map >> 2 & 4);

	return (n & 3) * 0x4000 + (n >> 2) * 0x2000;
}

static uint8_t glyph_line(const struct screen *s, uint8_t ch, uint8_t attr,
			  unsigned int line)
{
	unsigned int at = font_start(&s->r, !(attr & 8)) +
			  FONT_LINES * ch + line;

	if (line >= FONT_LINES)
		return 0;
	return text_byte(s, at, 2);
}

static bool on_cursor(const struct screen *s, unsigned int cell,
		      unsigned int line)
{
	const uint8_t *c = s->r.crtc;
	unsigned int at = c[0x0e] << 8 | c[0x0f];

	return cell == at && !(c[0x0a] & 0x20) && line >= (c[0x0a] & 0x1f) &&
	       line <= (c[0x0b] & 0x1f);
}

/* With blinking on, half of the backgrounds are not there. */
static void draw_cell(const struct screen *s, uint32_t *to, unsigned int cell,
		      unsigned int line, unsigned int width)
{
	uint8_t ch = text_byte(s, cell, 0), attr = text_byte(s, cell, 1);
	uint8_t bits = glyph_line(s, ch, attr, line);
	uint8_t mode = s->r.attr[ATTR_MODE];
	uint32_t fg = s->attr[attr & 0xf];
	uint32_t bg = s->attr[attr >> 4 & (mode & 8 ? 7 : 0xf)];

	if (on_cursor(s, cell, line))
		bits = 0xff;
	for (unsigned int x = 0; x < 8; x++)
		to[x] = bits & (0x80 >> x) ? fg : bg;
	/* "Enable Line Graphics": the ninth dot is the eighth. */
	if (width == 9)
		to[8] = (mode & 4) && ch >= 0xc0 && ch <= 0xdf ? to[7] : bg;
}

static void draw_text(struct screen *s)
{
	const struct vga_regs *r = &s->r;
	unsigned int width = r->seq[SEQ_CLOCKING] & 1 ? 8 : 9;
	unsigned int height = (r->crtc[9] & 0x1f) + 1;
	unsigned int columns = r->crtc[1] + 1;
	unsigned int pitch = r->crtc[0x13] * 2;

	if (!set_size(s, columns * width, crtc_lines(r)))
		return;
	for (unsigned int y = 0; y < s->h; y++) {
		unsigned int cell = crtc_start(r) + y / height * pitch;

		for (unsigned int x = 0; x < columns; x++)
			draw_cell(s, s->row + x * width, cell + x, y % height,
				  width);
		display_row(s->d, y, s->row);
	}
}

/* ---- the VGA's graphics ---- */

static void planar_row(struct screen *s, unsigned int at)
{
	for (unsigned int x = 0; x < s->w; x += 8, at++) {
		const uint8_t *p = s->v->vram + 4 * (at & 0xffff);

		for (unsigned int i = 0; i < 8; i++) {
			unsigned int bit = 7 - i;

			s->row[x + i] = s->attr[(p[0] >> bit & 1) |
						(p[1] >> bit & 1) << 1 |
						(p[2] >> bit & 1) << 2 |
						(p[3] >> bit & 1) << 3];
		}
	}
}

static void draw_planar(struct screen *s)
{
	const struct vga_regs *r = &s->r;
	unsigned int repeat = crtc_repeat(r);

	if (!set_size(s, (r->crtc[1] + 1) * 8, crtc_lines(r) / repeat))
		return;
	for (unsigned int y = 0; y < s->h; y++) {
		planar_row(s, crtc_start(r) + y * r->crtc[0x13] * 2);
		display_row(s->d, y, s->row);
	}
}

/* "256-Color Shift Mode": two clocks a pixel. */
static void draw_256(struct screen *s)
{
	const struct vga_regs *r = &s->r;
	unsigned int repeat = crtc_repeat(r);

	if (!set_size(s, (r->crtc[1] + 1) * 4, crtc_lines(r) / repeat))
		return;
	for (unsigned int y = 0; y < s->h; y++) {
		unsigned int at = 4 * crtc_start(r) + y * r->crtc[0x13] * 8;

		for (unsigned int x = 0; x < s->w; x++)
			s->row[x] = s->color[s->v->vram[(at + x) %
							TEXT_PLANES]];
		display_row(s->d, y, s->row);
	}
}

/* ---- DISPI ---- */

static uint32_t expand(uint32_t value, unsigned int bits)
{
	value <<= 8 - bits;
	return value | value >> bits;
}

static uint32_t pixel_16(const uint8_t *p, unsigned int green)
{
	uint32_t v = p[0] | p[1] << 8;

	return expand(v >> (5 + green) & 0x1f, 5) << 16 |
	       expand(v >> 5 & (BIT(green) - 1), green) << 8 |
	       expand(v & 0x1f, 5);
}

static uint32_t linear_pixel(const struct screen *s, const uint8_t *p,
			     unsigned int bpp)
{
	switch (bpp) {
	case 8:
		return s->color[*p];
	case 15:
		return pixel_16(p, 5);
	case 16:
		return pixel_16(p, 6);
	default:
		return p[0] | p[1] << 8 | p[2] << 16;
	}
}

static void linear_row(struct screen *s, const uint8_t *p, unsigned int bpp)
{
	unsigned int step = bpp == 15 ? 2 : bpp / 8;

	for (unsigned int x = 0; x < s->w; x++, p += step)
		s->row[x] = linear_pixel(s, p, bpp);
	display_row(s->d, s->h, s->row);
}

/* What lies beyond the memory is not shown. */
static void draw_linear(struct screen *s)
{
	const uint16_t *d = s->r.dispi;
	unsigned int bpp = d[DISPI_BPP];
	uint64_t bytes = bpp == 15 ? 2 : bpp / 8;
	uint64_t pitch = d[DISPI_VIRT_WIDTH] * bytes;
	uint64_t at = d[DISPI_Y_OFFSET] * pitch + d[DISPI_X_OFFSET] * bytes;
	unsigned int h = d[DISPI_YRES];

	if (!set_size(s, d[DISPI_XRES], h))
		return;
	for (s->h = 0; s->h < h; s->h++, at += pitch) {
		const uint8_t *p = s->v->vram + at;

		if (at + s->w * bytes > s->v->vram_size)
			break;
		if (bpp == 32 && at % 4 == 0)
			display_row(s->d, s->h, (const uint32_t *)p);
		else
			linear_row(s, p, bpp);
	}
}

/* Four bits a pixel are planes, of DISPI's size. */
static void draw_dispi_planar(struct screen *s)
{
	const uint16_t *d = s->r.dispi;

	if (!set_size(s, ALIGN_UP(d[DISPI_XRES], 8), d[DISPI_YRES]))
		return;
	for (unsigned int y = 0; y < s->h; y++) {
		planar_row(s, y * d[DISPI_VIRT_WIDTH] / 8);
		display_row(s->d, y, s->row);
	}
}

void vga_draw(void *vga, struct display *d)
{
	struct vga *v = vga;
	struct screen s = { .v = v, .d = d };

	pthread_mutex_lock(&v->lock);
	s.r = v->r;
	pthread_mutex_unlock(&v->lock);
	make_colors(&s);
	if (s.r.dispi[DISPI_ENABLE] & DISPI_ENABLED) {
		if (s.r.dispi[DISPI_BPP] == 4)
			draw_dispi_planar(&s);
		else
			draw_linear(&s);
	} else if (s.r.seq[SEQ_CLOCKING] & 0x20 || !(s.r.attr_index & 0x20)) {
		draw_black(&s); /* "Screen Off", or no palette */
	} else if (!(s.r.gfx[GFX_MISC] & 1)) {
		draw_text(&s);
	} else if (s.r.gfx[GFX_MODE] & 0x40) {
		draw_256(&s);
	} else {
		draw_planar(&s);
	}
	free(s.row);
}
