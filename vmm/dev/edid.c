/*
 * vmm/dev/edid.c -- what a monitor says of itself (VESA E-EDID, release A2,
 * section 3).
 */
#include "vmm/dev/edid.h"

#include <string.h>

#include "base/util.h"

enum { DETAILED = 54, DESCRIPTOR = 18, FIELD_MAX = 4095 };

/* 3.10.2: pixel clock in 10 kHz, then active and blank of each direction. */
static void put_timing(uint8_t *d, unsigned int w, unsigned int h)
{
	unsigned int hblank = w / 4, vblank = MAX(h / 28, 8u);
	uint64_t clock = (uint64_t)(w + hblank) * (h + vblank) * 60 / 10000;

	clock = MIN(clock, 0xffffull);
	d[0] = clock;
	d[1] = clock >> 8;
	d[2] = w;
	d[3] = hblank;
	d[4] = (w >> 8) << 4 | hblank >> 8;
	d[5] = h;
	d[6] = vblank;
	d[7] = (h >> 8) << 4 | vblank >> 8;
	d[8] = hblank / 4; /* front porch, sync */
	d[9] = hblank / 4;
	d[10] = 1 << 4 | 3;
	d[12] = 85; /* mm, as 96 dpi would be: nobody asks */
	d[13] = 53;
	d[14] = 1 << 4;
	d[17] = 0x18; /* digital separate sync */
}

/* 3.10.3: a descriptor that is not a timing; text ends with a line feed. */
static void put_text(uint8_t *d, uint8_t tag, const char *text)
{
	size_t n = MIN(strlen(text), (size_t)13);

	memset(d, 0, 5);
	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, n);
	if (n < 13)
		d[5 + n] = '\n';
}

/* 3.10.3.3 */
static void put_range(uint8_t *d)
{
	static const uint8_t range[] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160,
					 60, 0, '\n', ' ', ' ', ' ', ' ', ' ',
					 ' ' };

	memcpy(d, range, sizeof(range));
}

void edid_make(uint8_t edid[EDID_SIZE], unsigned int width,
	       unsigned int height)
{
	static const uint8_t head[] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
		0x59, 0x32, /* 3.4.1: "VIR" */
		0x01, 0x00, 1, 0, 0, 0, 1, 36, /* made in 2026 */
		1, 4,			       /* 3.5: version 1.4 */
		0xa5, 0, 0, 120, 0x06, /* 3.6: digital, sRGB, preferred */
		/* 3.7: sRGB's chromaticities */
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
		0x21, 0x08, 0x00, /* 3.8: 640x480, 800x600, 1024x768 */
	};
	uint8_t sum = 0;

	memset(edid, 0, EDID_SIZE);
	memcpy(edid, head, sizeof(head));
	memset(edid + 38, 1, 16); /* 3.9: no further timings */
	put_timing(edid + DETAILED, MIN(width, (unsigned int)FIELD_MAX),
		   MIN(height, (unsigned int)FIELD_MAX));
	put_range(edid + DETAILED + DESCRIPTOR);
	put_text(edid + DETAILED + 2 * DESCRIPTOR, 0xfc, "Vireo");
	put_text(edid + DETAILED + 3 * DESCRIPTOR, 0xff, "1");
	for (unsigned int i = 0; i < EDID_SIZE - 1; i++)
		sum += edid[i];
	edid[EDID_SIZE - 1] = -sum;
}
