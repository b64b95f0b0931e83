/*
 * vmm/dev/vga.c -- the VGA's registers and memory (VGA, "Video Subsystem"), and
 * DISPI's.
 *
 * Left out: light pen, split screen, interrupts at the vertical retrace, and
 * the timing registers, which are kept but mean nothing.
 */
#include "vmm/dev/vga.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/state.h"

/* #syscalls:vmm munmap */

enum { MISC_COLOR = 1 };
enum { SEQ_CHAIN4 = 8, SEQ_NO_ODD_EVEN = 4 };
enum { ATTR_PAS = 0x20 };
enum { CRTC_PROTECT = 0x11, CRTC_OVERFLOW = 7 };

/* ---- memory (VGA, "Graphics Controller Registers") ---- */

static uint32_t each_plane(uint8_t byte)
{
	return byte * 0x01010101u;
}

/* A plane's byte is all ones where its bit is set. */
static uint32_t plane_mask(uint8_t bits)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < 4; i++)
		if (bits & BIT(i))
			mask |= 0xffu << (8 * i);
	return mask;
}

/* "Memory Map": which part of the window answers; -1: not this one. */
static int64_t window_offset(const struct vga *v, int64_t offset)
{
	switch (v->r.gfx[GFX_MISC] >> 2 & 3) {
	case 0:
		return offset;
	case 1:
		return offset < 0x10000 ? offset : -1;
	case 2:
		return offset >= 0x10000 && offset < 0x18000 ?
			       offset - 0x10000 :
			       -1;
	default:
		return offset >= 0x18000 ? offset - 0x18000 : -1;
	}
}

static uint8_t rotate(uint8_t value, unsigned int n)
{
	return value >> n | value << ((8 - n) & 7);
}

/* "Write Mode": what the planes get, before function and bit mask. */
static uint32_t write_data(const struct vga *v, uint8_t value, uint8_t *mask)
{
	const uint8_t *g = v->r.gfx;
	uint32_t set = plane_mask(g[0]), enable = plane_mask(g[1]);

	switch (g[GFX_MODE] & 3) {
	case 0:
		return (each_plane(rotate(value, g[3] & 7)) & ~enable) |
		       (set & enable);
	case 2:
		return plane_mask(value);
	default: /* 3 */
		*mask &= rotate(value, g[3] & 7);
		return set;
	}
}

static uint32_t apply_function(uint32_t data, uint32_t latch, unsigned int fn)
{
	switch (fn) {
	case 1:
		return data & latch;
	case 2:
		return data | latch;
	case 3:
		return data ^ latch;
	default:
		return data;
	}
}

static void planar_write(struct vga *v, uint32_t addr, uint8_t value)
{
	const uint8_t *g = v->r.gfx;
	uint32_t planes = plane_mask(v->r.seq[SEQ_MASK]);
	uint32_t latch, data, old, bits;
	uint8_t mask = g[8];

	memcpy(&latch, v->latch, 4);
	memcpy(&old, v->vram + 4 * addr, 4);
	if ((g[GFX_MODE] & 3) == 1) {
		data = latch;
	} else {
		data = write_data(v, value, &mask);
		data = apply_function(data, latch, g[3] >> 3 & 3);
		bits = each_plane(mask);
		data = (data & bits) | (latch & ~bits);
	}
	data = (data & planes) | (old & ~planes);
	memcpy(v->vram + 4 * addr, &data, 4);
}

/* "Read Mode" */
static uint8_t planar_read(struct vga *v, uint32_t addr)
{
	const uint8_t *g = v->r.gfx;
	uint32_t differs;

	memcpy(v->latch, v->vram + 4 * addr, 4);
	if (!(g[GFX_MODE] & 8))
		return v->latch[g[4] & 3];
	memcpy(&differs, v->latch, 4);
	differs = (differs ^ plane_mask(g[2])) & plane_mask(g[7]);
	return ~(differs | differs >> 8 | differs >> 16 | differs >> 24);
}

/* The lowest address bit chooses between planes 0 and 1, or 2 and 3. */
static uint32_t odd_even(uint32_t addr, unsigned int plane)
{
	return (addr & ~1u) << 1 | plane;
}

static uint64_t bank_address(const struct vga *v, uint32_t offset)
{
	return ((uint64_t)v->r.dispi[DISPI_BANK] << 16) + (offset & 0xffff);
}

uint8_t vga_mem_read(struct vga *v, uint32_t offset)
{
	int64_t a = window_offset(v, offset);
	unsigned int plane;

	if (v->r.dispi[DISPI_ENABLE] & DISPI_ENABLED) {
		uint64_t at = bank_address(v, offset);

		return at < v->vram_size ? v->vram[at] : 0xff;
	}
	if (a < 0)
		return 0xff;
	if (v->r.seq[SEQ_MODE] & SEQ_CHAIN4)
		return v->vram[a];
	if (v->r.seq[SEQ_MODE] & SEQ_NO_ODD_EVEN)
		return planar_read(v, a & 0xffff);
	plane = (v->r.gfx[4] & 2) | (a & 1);
	return v->vram[odd_even(a, plane)];
}

void vga_mem_write(struct vga *v, uint32_t offset, uint8_t value)
{
	int64_t a = window_offset(v, offset);
	uint8_t planes = v->r.seq[SEQ_MASK];

	if (v->r.dispi[DISPI_ENABLE] & DISPI_ENABLED) {
		uint64_t at = bank_address(v, offset);

		if (at < v->vram_size)
			v->vram[at] = value;
		return;
	}
	if (a < 0)
		return;
	if (v->r.seq[SEQ_MODE] & SEQ_CHAIN4) {
		if (planes & BIT(a & 3))
			v->vram[a] = value;
	} else if (v->r.seq[SEQ_MODE] & SEQ_NO_ODD_EVEN) {
		planar_write(v, a & 0xffff, value);
	} else if (planes & BIT(a & 1)) {
		v->vram[odd_even(a, a & 1)] = value;
	}
}

/* ---- the palette (VGA, "Video Digital-to-Analog Converter") ---- */

static uint8_t dac_bits(const struct vga *v)
{
	return v->r.dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? 0xff : 0x3f;
}

static uint8_t dac_read(struct vga *v)
{
	struct vga_regs *r = &v->r;
	uint8_t value = r->palette[3 * r->dac_read + r->dac_part];

	if (++r->dac_part == 3) {
		r->dac_part = 0;
		r->dac_read++;
	}
	return value;
}

static void dac_write(struct vga *v, uint8_t value)
{
	struct vga_regs *r = &v->r;

	r->palette[3 * r->dac_write + r->dac_part] = value & dac_bits(v);
	if (++r->dac_part == 3) {
		r->dac_part = 0;
		r->dac_write++;
	}
}

/* ---- ports (VGA, "Registers") ---- */

/*
 * "Input Status Register 1": bit 3 while the beam goes back up, bit 0 whenever
 * nothing is drawn, at 60 pictures of 525 lines a second.
 */
static uint8_t input_status(struct vga *v)
{
	uint64_t in_picture = now_ns() % 16666667;
	bool retrace = in_picture < 1000000;
	bool blank = retrace || in_picture % 31746 < 6000;

	v->r.attr_data = false;
	return retrace << 3 | blank;
}

/* Colour and monochrome have the same registers at 0x3dx and 0x3bx. */
static bool other_half(const struct vga *v, unsigned int port)
{
	bool color = v->r.misc & MISC_COLOR;

	return (port >= 0x3b0 && port < 0x3c0 && color) ||
	       (port >= 0x3d0 && !color);
}

uint8_t vga_port_read(struct vga *v, unsigned int port)
{
	struct vga_regs *r = &v->r;

	if (other_half(v, port))
		return 0xff;
	switch (port) {
	case 0x3c0:
		return r->attr_data ? 0 : r->attr_index;
	case 0x3c1:
		return r->attr[r->attr_index & 0x1f];
	case 0x3c2:
		return 0x10; /* the switch sense line: a colour monitor */
	case 0x3c4:
		return r->seq_index;
	case 0x3c5:
		return r->seq[r->seq_index & 7];
	case 0x3c6:
		return r->dac_mask;
	case 0x3c7:
		return r->dac_state;
	case 0x3c8:
		return r->dac_write;
	case 0x3c9:
		return dac_read(v);
	case 0x3cc:
		return r->misc;
	case 0x3ce:
		return r->gfx_index;
	case 0x3cf:
		return r->gfx[r->gfx_index & 0xf];
	case 0x3b4:
	case 0x3d4:
		return r->crtc_index;
	case 0x3b5:
	case 0x3d5:
		return r->crtc[r->crtc_index & 0x1f];
	case 0x3ba:
	case 0x3da:
		return input_status(v);
	default:
		return port == 0x3ca ? 0 : 0xff;
	}
}

static void attr_write(struct vga_regs *r, uint8_t value)
{
	unsigned int i = r->attr_index & 0x1f;

	if (!r->attr_data)
		r->attr_index = value & 0x3f;
	/* "Palette": not while the screen shows it. */
	else if (i >= ATTR_MODE || !(r->attr_index & ATTR_PAS))
		r->attr[i] = value;
	r->attr_data = !r->attr_data;
}

/* "Vertical Retrace End", bit 7: registers 0 to 7 but for one bit. */
static void crtc_write(struct vga_regs *r, uint8_t value)
{
	unsigned int i = r->crtc_index & 0x1f;

	if (i <= CRTC_OVERFLOW && r->crtc[CRTC_PROTECT] & 0x80) {
		if (i == CRTC_OVERFLOW)
			r->crtc[i] = (r->crtc[i] & ~0x10) | (value & 0x10);
		return;
	}
	r->crtc[i] = value;
}

static void dac_index(struct vga_regs *r, uint8_t value, bool for_read)
{
	r->dac_part = 0;
	r->dac_state = for_read ? 3 : 0;
	if (for_read)
		r->dac_read = value;
	else
		r->dac_write = value;
}

void vga_port_write(struct vga *v, unsigned int port, uint8_t value)
{
	struct vga_regs *r = &v->r;

	if (other_half(v, port))
		return;
	switch (port) {
	case 0x3c0:
		attr_write(r, value);
		break;
	case 0x3c2:
		r->misc = value;
		break;
	case 0x3c4:
		r->seq_index = value;
		break;
	case 0x3c5:
		r->seq[r->seq_index & 7] = value;
		break;
	case 0x3c6:
		r->dac_mask = value;
		break;
	case 0x3c7:
	case 0x3c8:
		dac_index(r, value, port == 0x3c7);
		break;
	case 0x3c9:
		dac_write(v, value);
		break;
	case 0x3ce:
		r->gfx_index = value;
		break;
	case 0x3cf:
		r->gfx[r->gfx_index & 0xf] = value;
		break;
	case 0x3b4:
	case 0x3d4:
		r->crtc_index = value;
		break;
	case 0x3b5:
	case 0x3d5:
		crtc_write(r, value);
		break;
	}
}

/* ---- DISPI ---- */

static unsigned int bytes_per_pixel(unsigned int bpp)
{
	return bpp == 15 ? 2 : bpp / 8;
}

/* Of the whole memory, in pixels and lines. */
static uint16_t virtual_height(const struct vga *v)
{
	uint64_t line = (uint64_t)v->r.dispi[DISPI_VIRT_WIDTH] *
			bytes_per_pixel(v->r.dispi[DISPI_BPP]);

	return line ? MIN(v->vram_size / line, 0xffffull) : 0;
}

uint16_t dispi_read(struct vga *v, unsigned int reg)
{
	static const uint16_t caps[] = { [DISPI_XRES] = 8192,
					 [DISPI_YRES] = 8192,
					 [DISPI_BPP] = 32 };

	if (reg >= DISPI_REGS)
		return 0;
	if (v->r.dispi[DISPI_ENABLE] & DISPI_GETCAPS && reg >= DISPI_XRES &&
	    reg <= DISPI_BPP)
		return caps[reg];
	if (reg == DISPI_VIRT_HEIGHT)
		return virtual_height(v);
	return v->r.dispi[reg];
}

static bool bpp_known(unsigned int bpp)
{
	return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 ||
	       bpp == 32;
}

static void dispi_enable(struct vga *v, uint16_t value)
{
	uint16_t *d = v->r.dispi, old = d[DISPI_ENABLE];
	uint64_t size = (uint64_t)d[DISPI_XRES] * d[DISPI_YRES] *
			bytes_per_pixel(d[DISPI_BPP]);

	d[DISPI_ENABLE] = value;
	if (!(value & DISPI_ENABLED) || (old & DISPI_ENABLED))
		return;
	d[DISPI_X_OFFSET] = d[DISPI_Y_OFFSET] = d[DISPI_BANK] = 0;
	d[DISPI_VIRT_WIDTH] = MAX(d[DISPI_VIRT_WIDTH], d[DISPI_XRES]);
	if (!(value & DISPI_NOCLEAR))
		memset(v->vram, 0, MIN(size, (uint64_t)v->vram_size));
}

void dispi_write(struct vga *v, unsigned int reg, uint16_t value)
{
	uint16_t *d = v->r.dispi;

	switch (reg) {
	case DISPI_ID:
		if (value >= 0xb0c0 && value <= 0xb0c5)
			d[reg] = value;
		break;
	case DISPI_BPP:
		if (!value)
			value = 8; /* as the first version had it */
		if (bpp_known(value))
			d[reg] = value;
		break;
	case DISPI_XRES:
		d[DISPI_VIRT_WIDTH] = value;
		d[reg] = value;
		break;
	case DISPI_VIRT_WIDTH:
		d[reg] = MAX(value, d[DISPI_XRES]);
		break;
	case DISPI_ENABLE:
		dispi_enable(v, value);
		break;
	case DISPI_YRES:
	case DISPI_BANK:
	case DISPI_X_OFFSET:
	case DISPI_Y_OFFSET:
		d[reg] = value;
		break;
	}
}

/* ---- life ---- */

void vga_reset(struct vga *v)
{
	pthread_mutex_lock(&v->lock);
	memset(&v->r, 0, sizeof(v->r));
	memset(v->latch, 0, sizeof(v->latch));
	v->r.misc = MISC_COLOR;
	v->r.dac_mask = 0xff;
	v->r.dispi[DISPI_ID] = 0xb0c5;
	v->r.dispi[DISPI_BPP] = 8;
	v->r.dispi[DISPI_MEMORY] = v->vram_size / (64 * KIB);
	pthread_mutex_unlock(&v->lock);
	madvise(v->vram, v->vram_size, MADV_DONTNEED);
}

void vga_init(struct vga *v, struct machine *m, unsigned int vram_size)
{
	v->m = m;
	v->vram_size = vram_size;
	v->vram = mmap(NULL, vram_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v->vram == MAP_FAILED)
		abort();
	pthread_mutex_init(&v->lock, NULL);
	vga_reset(v);
}

static const struct state_field regs_fields[] = {
	STATE(struct vga_regs, misc),
	STATE(struct vga_regs, seq_index),
	STATE_RAW(struct vga_regs, seq),
	STATE(struct vga_regs, gfx_index),
	STATE_RAW(struct vga_regs, gfx),
	STATE(struct vga_regs, crtc_index),
	STATE_RAW(struct vga_regs, crtc),
	STATE(struct vga_regs, attr_index),
	STATE_RAW(struct vga_regs, attr),
	STATE_BOOL(struct vga_regs, attr_data),
	STATE(struct vga_regs, dac_mask),
	STATE(struct vga_regs, dac_state),
	STATE(struct vga_regs, dac_read),
	STATE(struct vga_regs, dac_write),
	STATE_MAX(struct vga_regs, dac_part, 2),
	STATE_RAW(struct vga_regs, palette),
	STATE(struct vga_regs, dispi_index),
	STATE_INTS(struct vga_regs, dispi),
	STATE_END,
};

static const struct state_field vga_fields[] = {
	STATE_STRUCT(struct vga, r, regs_fields),
	STATE_RAW(struct vga, latch),
	STATE_RAW_AT(struct vga, vram, vram_size, VGA_VRAM_MAX),
	STATE_END,
};

/* The rest of the registers may be anything: the guest writes them. */
static int vga_loaded(void *obj, unsigned int version, struct error *err)
{
	struct vga *v = obj;

	if (!bpp_known(v->r.dispi[DISPI_BPP]))
		return error_set(err, -EINVAL, "there is no such depth");
	v->r.dispi[DISPI_MEMORY] = v->vram_size / (64 * KIB);
	return 0;
}

static const struct state_type vga_state = {
	.name = "vga",
	.version = 1,
	.fields = vga_fields,
	.loaded = vga_loaded,
};

void vga_states(struct vga *v, const char *id, struct state_set *set)
{
	state_add(set, &vga_state, id, v);
}

void vga_finish(struct vga *v)
{
	munmap(v->vram, v->vram_size);
	pthread_mutex_destroy(&v->lock);
}
