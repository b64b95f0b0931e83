/*
 * vmm/display.c -- the picture that the guest shows.
 */
#include "vmm/display.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct source {
	const struct display_ops *ops;
	void *dev;
};

struct display {
	pthread_mutex_t lock;
	struct source *sources;
	unsigned int n;
	bool watched;
	struct display_view view;
	uint32_t *pixels; /* view.pixels, to be written */
};

void display_lock(struct display *d)
{
	pthread_mutex_lock(&d->lock);
}

void display_unlock(struct display *d)
{
	pthread_mutex_unlock(&d->lock);
}

bool display_exists(const struct display *d)
{
	return d->n;
}

static const struct source *active(struct display *d)
{
	for (unsigned int i = d->n; i-- > 0;)
		if (d->sources[i].ops->active(d->sources[i].dev))
			return &d->sources[i];
	return NULL;
}

static void display_forget(struct display *d)
{
	free(d->pixels);
	free(d->view.dirty);
	d->pixels = NULL;
	d->view = (struct display_view){ .serial = d->view.serial + 1 };
}

bool display_size(struct display *d, unsigned int width, unsigned int height)
{
	struct display_view *v = &d->view;

	if (!width || !height || width > DISPLAY_MAX || height > DISPLAY_MAX)
		return false;
	if (v->width == width && v->height == height)
		return true;
	display_forget(d);
	d->pixels = calloc((size_t)width * height, sizeof(*d->pixels));
	if (!d->pixels)
		return false;
	v->pixels = d->pixels;
	v->width = width;
	v->height = height;
	v->tiles_x = ALIGN_UP(width, DISPLAY_TILE_W) / DISPLAY_TILE_W;
	v->tiles_y = ALIGN_UP(height, DISPLAY_TILE_H) / DISPLAY_TILE_H;
	v->dirty = xcalloc(v->tiles_x, v->tiles_y);
	memset(v->dirty, 1, (size_t)v->tiles_x * v->tiles_y);
	return true;
}

void display_row(struct display *d, unsigned int y, const uint32_t *row)
{
	struct display_view *v = &d->view;
	uint8_t *dirty = v->dirty + y / DISPLAY_TILE_H * v->tiles_x;
	uint32_t *old = d->pixels + (size_t)y * v->width;

	for (unsigned int x = 0; x < v->width; x += DISPLAY_TILE_W) {
		size_t n = MIN((unsigned int)DISPLAY_TILE_W, v->width - x) *
			   sizeof(*row);

		if (memcmp(old + x, row + x, n) == 0)
			continue;
		memcpy(old + x, row + x, n);
		dirty[x / DISPLAY_TILE_W] = 1;
	}
}

const struct display_view *display_draw(struct display *d)
{
	const struct source *s = active(d);

	if (s)
		s->ops->draw(s->dev, d);
	return &d->view;
}

void display_watch(struct display *d, bool yes)
{
	d->watched = yes;
	if (!yes)
		display_forget(d);
}

bool display_wish(struct display *d, unsigned int width, unsigned int height)
{
	const struct source *s = active(d);

	if (!s || !s->ops->wish)
		return false;
	s->ops->wish(s->dev, width, height);
	return true;
}

static void put_pixels(char *to, const struct display_view *v)
{
	size_t n = (size_t)v->width * v->height;

	for (size_t i = 0; i < n; i++) {
		*to++ = v->pixels[i] >> 16;
		*to++ = v->pixels[i] >> 8;
		*to++ = v->pixels[i];
	}
}

char *display_ppm(struct display *d, size_t *ret_len)
{
	const struct display_view *v;
	char *ppm = NULL;
	char head[32];
	int n;

	display_lock(d);
	v = display_draw(d);
	if (v->width) {
		n = snprintf(head, sizeof(head), "P6\n%u %u\n255\n", v->width,
			     v->height);
		*ret_len = n + (size_t)v->width * v->height * 3;
		ppm = malloc(*ret_len);
	}
	if (ppm) {
		memcpy(ppm, head, n);
		put_pixels(ppm + n, v);
	}
	if (!d->watched)
		display_forget(d);
	display_unlock(d);
	return ppm;
}

void display_add(struct display *d, const struct display_ops *ops, void *dev)
{
	d->sources = xrealloc(d->sources, d->n + 1, sizeof(*d->sources));
	d->sources[d->n++] = (struct source){ ops, dev };
}

struct display *display_create(void)
{
	struct display *d = xcalloc(1, sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void display_destroy(struct display *d)
{
	if (!d)
		return;
	display_forget(d);
	pthread_mutex_destroy(&d->lock);
	free(d->sources);
	free(d);
}
