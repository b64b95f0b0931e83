/*
 * vmm/display.h -- the picture that the guest shows.
 *
 * A graphics device draws when somebody looks: display_draw() asks it for rows
 * of pixels, and what differs from last time is noted in tiles.  Nobody looks,
 * nothing is drawn and no memory is used.
 *
 * Locks: display_lock() is held around everything here but the adding of
 * devices; the device's own is taken inside it.
 */
#ifndef VMM_DISPLAY_H
#define VMM_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct display;

enum {
	DISPLAY_TILE_W = 32, /* pixels */
	DISPLAY_TILE_H = 16,
	DISPLAY_MAX = 8192, /* of each side */
};

struct display_ops {
	/* Whether it shows something; of several the last that does counts. */
	bool (*active)(void *dev);
	/* Calls display_size() and then display_row() for every row. */
	void (*draw)(void *dev, struct display *d);
	/* Somebody's window has this size; NULL: nothing can be done. */
	void (*wish)(void *dev, unsigned int width, unsigned int height);
};

/* A picture: 32 bits a pixel, blue in the lowest byte. */
struct display_view {
	unsigned int width, height; /* 0: nothing was drawn yet */
	unsigned int tiles_x, tiles_y;
	const uint32_t *pixels; /* rows follow each other */
	uint8_t *dirty;		/* tiles_y rows of tiles_x; the viewer clears */
	unsigned int serial;	/* another one: another size, all is dirty */
};

struct display *display_create(void);
void display_destroy(struct display *d);
void display_add(struct display *d, const struct display_ops *ops, void *dev);
bool display_exists(const struct display *d);

void display_lock(struct display *d);
void display_unlock(struct display *d);
/* Locked.  Valid until the next one. */
const struct display_view *display_draw(struct display *d);
/* Locked.  Somebody looks all the time, or no longer does. */
void display_watch(struct display *d, bool yes);
/* Locked.  False: nothing shows that could follow. */
bool display_wish(struct display *d, unsigned int width, unsigned int height);

/* For devices, inside draw().  False: too large, draw nothing. */
bool display_size(struct display *d, unsigned int width, unsigned int height);
void display_row(struct display *d, unsigned int y, const uint32_t *row);

/*
 * What is shown now as a portable pixmap; caller frees.  NULL: nothing is
 * shown, or there is no memory for it.
 */
char *display_ppm(struct display *d, size_t *ret_len);

#endif
