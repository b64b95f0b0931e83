/*
 * vmm/vnc/encode.c -- pixels as a client wants them (RFB 7.4 and 7.7).
 */
#include <string.h>

#include "vmm/vnc/vnc_priv.h"

enum { HEXTILE = 16, ZRLE_TILE = 64, PALETTE_MAX = 16 };
/* RFB 7.7.4 */
enum { HEX_RAW = 1, HEX_BACKGROUND = 2, HEX_FOREGROUND = 4, HEX_SUBRECTS = 8 };

void vnc_put16(struct buf *b, uint16_t v)
{
	const uint8_t bytes[] = { v >> 8, v };

	buf_add(b, bytes, sizeof(bytes));
}

void vnc_put32(struct buf *b, uint32_t v)
{
	vnc_put16(b, v >> 16);
	vnc_put16(b, v);
}

static void put8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

/* ---- formats ---- */

/* RFB 7.7.5: three bytes do where the colours are in three of four. */
static void find_compact(struct vnc_format *f)
{
	uint32_t used = 0;
	bool low, high;

	for (unsigned int i = 0; i < 3; i++)
		used |= (uint32_t)f->max[i] << f->shift[i];
	low = !(used & 0xff000000);
	high = !(used & 0xff);
	f->compact = f->bytes;
	f->skip = 0;
	if (f->bytes != 4 || (!low && !high))
		return;
	f->compact = 3;
	f->skip = low == f->big_endian;
}

void vnc_format_default(struct vnc_format *f)
{
	*f = (struct vnc_format){ .bytes = 4,
				  .max = { 255, 255, 255 },
				  .shift = { 16, 8, 0 } };
	find_compact(f);
}

static void format_palette(struct vnc_format *f)
{
	*f = (struct vnc_format){ .bytes = 1,
				  .max = { 7, 7, 3 },
				  .shift = { 0, 3, 6 },
				  .compact = 1 };
}

bool vnc_format_parse(struct vnc_format *f, const uint8_t d[16])
{
	bool true_color = d[3];

	if (d[0] != 8 && d[0] != 16 && d[0] != 32)
		return false;
	if (!true_color) {
		format_palette(f);
		return d[0] == 8;
	}
	f->bytes = d[0] / 8;
	f->big_endian = d[2];
	for (unsigned int i = 0; i < 3; i++) {
		f->max[i] = d[4 + 2 * i] << 8 | d[5 + 2 * i];
		f->shift[i] = d[10 + i];
		if (f->shift[i] >= d[0] || (f->max[i] & (f->max[i] + 1)) ||
		    (uint64_t)f->max[i] << f->shift[i] >= 1ull << d[0])
			return false;
	}
	find_compact(f);
	return true;
}

void vnc_put_palette(struct buf *b)
{
	put8(b, 1);
	put8(b, 0);
	vnc_put16(b, 0);
	vnc_put16(b, 256);
	for (unsigned int i = 0; i < 256; i++) {
		vnc_put16(b, (i & 7) * 0xffff / 7);
		vnc_put16(b, (i >> 3 & 7) * 0xffff / 7);
		vnc_put16(b, (i >> 6) * 0xffff / 3);
	}
}

static uint32_t convert(const struct vnc_format *f, uint32_t pixel)
{
	uint32_t out = 0;

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t c = pixel >> (16 - 8 * i) & 0xff;

		out |= (f->max[i] == 255 ? c : (c * f->max[i] + 127) / 255)
		       << f->shift[i];
	}
	return out;
}

static void store(const struct vnc_format *f, uint8_t *to, uint32_t v)
{
	for (unsigned int i = 0; i < f->bytes; i++) {
		unsigned int byte = f->big_endian ? f->bytes - 1 - i : i;

		to[i] = v >> 8 * byte;
	}
}

static bool is_native(const struct vnc_format *f)
{
	return f->bytes == 4 && !f->big_endian && f->max[0] == 255 &&
	       f->max[1] == 255 && f->max[2] == 255 && f->shift[0] == 16 &&
	       f->shift[1] == 8 && f->shift[2] == 0;
}

static const uint32_t *row_at(const struct display_view *v, unsigned int x,
			      unsigned int y)
{
	return v->pixels + (size_t)y * v->width + x;
}

/* ---- RFB 7.7.1: raw ---- */

static void put_pixel(struct buf *b, const struct vnc_format *f,
		      uint32_t pixel)
{
	store(f, buf_grow(b, f->bytes), convert(f, pixel));
}

static void encode_raw(struct buf *b, const struct vnc_format *f,
		       const struct display_view *v, const struct vnc_rect *r)
{
	uint8_t *to = buf_grow(b, (size_t)r->w * r->h * f->bytes);

	for (unsigned int y = 0; y < r->h; y++) {
		const uint32_t *row = row_at(v, r->x, r->y + y);

		if (is_native(f)) {
			memcpy(to, row, 4 * r->w);
			to += 4 * r->w;
			continue;
		}
		for (unsigned int x = 0; x < r->w; x++, to += f->bytes)
			store(f, to, convert(f, row[x]));
	}
}

/* ---- what a tile is made of ---- */

struct palette {
	unsigned int n; /* more than PALETTE_MAX: too many */
	uint32_t color[PALETTE_MAX];
};

static unsigned int palette_find(const struct palette *p, uint32_t color)
{
	unsigned int i = 0;

	while (i < p->n && p->color[i] != color)
		i++;
	return i;
}

static void palette_make(struct palette *p, const struct display_view *v,
			 const struct vnc_rect *r)
{
	p->n = 0;
	for (unsigned int y = 0; y < r->h; y++) {
		const uint32_t *row = row_at(v, r->x, r->y + y);

		for (unsigned int x = 0; x < r->w; x++) {
			uint32_t color = row[x] & 0xffffff;

			if (palette_find(p, color) < p->n)
				continue;
			if (p->n == PALETTE_MAX) {
				p->n++;
				return;
			}
			p->color[p->n++] = color;
		}
	}
}

static struct vnc_rect tile_at(const struct vnc_rect *r, unsigned int x,
			       unsigned int y, unsigned int size)
{
	return (struct vnc_rect){ r->x + x, r->y + y, MIN(size, r->w - x),
				  MIN(size, r->h - y) };
}

/* ---- RFB 7.7.4: hextile ---- */

/* Runs of the foreground, a line high; how many. */
static unsigned int hextile_runs(struct buf *b, const struct display_view *v,
				 const struct vnc_rect *t, uint32_t fg)
{
	unsigned int n = 0;

	for (unsigned int y = 0; y < t->h; y++) {
		const uint32_t *row = row_at(v, t->x, t->y + y);

		for (unsigned int x = 0; x < t->w;) {
			unsigned int start = x;

			while (x < t->w && (row[x] & 0xffffff) == fg)
				x++;
			if (x == start) {
				x++;
				continue;
			}
			put8(b, start << 4 | y);
			put8(b, (x - start - 1) << 4);
			n++;
		}
	}
	return n;
}

static void hextile_two(struct buf *b, const struct vnc_format *f,
			const struct display_view *v, const struct vnc_rect *t,
			const struct palette *p)
{
	size_t count;

	put8(b, HEX_BACKGROUND | HEX_FOREGROUND | HEX_SUBRECTS);
	put_pixel(b, f, p->color[0]);
	put_pixel(b, f, p->color[1]);
	count = b->len;
	put8(b, 0);
	b->data[count] = (char)hextile_runs(b, v, t, p->color[1]);
}

static void hextile_tile(struct buf *b, const struct vnc_format *f,
			 const struct display_view *v,
			 const struct vnc_rect *t)
{
	struct palette p;

	palette_make(&p, v, t);
	if (p.n == 1) {
		put8(b, HEX_BACKGROUND);
		put_pixel(b, f, p.color[0]);
	} else if (p.n == 2) {
		hextile_two(b, f, v, t, &p);
	} else {
		put8(b, HEX_RAW);
		encode_raw(b, f, v, t);
	}
}

static void encode_hextile(struct buf *b, const struct vnc_format *f,
			   const struct display_view *v,
			   const struct vnc_rect *r)
{
	for (unsigned int y = 0; y < r->h; y += HEXTILE)
		for (unsigned int x = 0; x < r->w; x += HEXTILE) {
			struct vnc_rect t = tile_at(r, x, y, HEXTILE);

			hextile_tile(b, f, v, &t);
		}
}

/* ---- RFB 7.7.6: ZRLE, without its run-length kinds of tile ---- */

static void put_cpixel(struct buf *b, const struct vnc_format *f,
		       uint32_t pixel)
{
	uint8_t bytes[4];

	store(f, bytes, convert(f, pixel));
	buf_add(b, bytes + f->skip, f->compact);
}

static void zrle_packed(struct buf *b, const struct display_view *v,
			const struct vnc_rect *t, const struct palette *p)
{
	unsigned int bits = p->n <= 2 ? 1 : p->n <= 4 ? 2 : 4;

	for (unsigned int y = 0; y < t->h; y++) {
		const uint32_t *row = row_at(v, t->x, t->y + y);
		unsigned int byte = 0, have = 0;

		for (unsigned int x = 0; x < t->w; x++) {
			byte = byte << bits |
			       palette_find(p, row[x] & 0xffffff);
			have += bits;
			if (have == 8) {
				put8(b, byte);
				byte = have = 0;
			}
		}
		if (have)
			put8(b, byte << (8 - have));
	}
}

static void zrle_tile(struct buf *b, const struct vnc_format *f,
		      const struct display_view *v, const struct vnc_rect *t)
{
	struct palette p;

	palette_make(&p, v, t);
	if (p.n > PALETTE_MAX) {
		put8(b, 0);
		for (unsigned int y = 0; y < t->h; y++) {
			const uint32_t *row = row_at(v, t->x, t->y + y);

			for (unsigned int x = 0; x < t->w; x++)
				put_cpixel(b, f, row[x]);
		}
		return;
	}
	put8(b, p.n);
	for (unsigned int i = 0; i < p.n; i++)
		put_cpixel(b, f, p.color[i]);
	if (p.n > 1)
		zrle_packed(b, v, t, &p);
}

/* The length in front is known afterwards. */
static void deflate_into(struct buf *b, z_stream *z, struct buf *plain)
{
	size_t at = b->len, room = deflateBound(z, plain->len) + 64;

	vnc_put32(b, 0);
	z->next_in = (uint8_t *)plain->data;
	z->avail_in = plain->len;
	z->next_out = buf_grow(b, room);
	z->avail_out = room;
	deflate(z, Z_SYNC_FLUSH);
	b->len -= z->avail_out;
	room -= z->avail_out;
	for (unsigned int i = 0; i < 4; i++)
		b->data[at + i] = (char)(room >> (24 - 8 * i));
}

static void encode_zrle(struct buf *b, const struct vnc_format *f, z_stream *z,
			const struct display_view *v, const struct vnc_rect *r)
{
	_cleanup_buf_ struct buf plain = { 0 };

	for (unsigned int y = 0; y < r->h; y += ZRLE_TILE)
		for (unsigned int x = 0; x < r->w; x += ZRLE_TILE) {
			struct vnc_rect t = tile_at(r, x, y, ZRLE_TILE);

			zrle_tile(&plain, f, v, &t);
		}
	deflate_into(b, z, &plain);
}

void vnc_encode(struct buf *b, enum vnc_encoding enc,
		const struct vnc_format *f, z_stream *z,
		const struct display_view *v, const struct vnc_rect *r)
{
	if (enc == ENC_ZRLE)
		encode_zrle(b, f, z, v, r);
	else if (enc == ENC_HEXTILE)
		encode_hextile(b, f, v, r);
	else
		encode_raw(b, f, v, r);
}
