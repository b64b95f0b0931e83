/*
 * vmm/virtio/gpu.c -- virtio graphics card (virtio 1.2, section 5.7): one
 * screen, pictures in memory of ours that the driver fills from its own, and a
 * cursor, which is drawn into the picture.
 *
 * It may have a VGA too (vmm/dev/vga_card.h), which shows its picture as long
 * as the driver has none: then MSI-X is on BAR 1 and virtio's registers on
 * BAR 4, behind the VGA's two.
 *
 * Left out: 3D, blob resources, assigning UUIDs.  Of a picture it is saved
 * where the driver has it; it is fetched from there again.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/error.h"
#include "vmm/dev/edid.h"
#include "vmm/dev/vga_card.h"
#include "vmm/display.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* 5.7.2 */
enum { CONTROLQ, CURSORQ, GPU_QUEUES };

enum { PIXEL = 4, SIDE_MAX = DISPLAY_MAX, RESOURCES_MAX = 1024,
       ENTRIES_MAX = 65536, CURSOR_SIDE = 64 };
/* All pictures together: many times what a screen needs. */
#define PIXELS_MAX (256 * MIB)

struct resource {
	struct resource *next;
	uint32_t id, format, width, height;
	uint8_t *pixels;
	unsigned int n_entries; /* the driver's memory; 0: none */
	struct virtio_gpu_mem_entry *entries;
};

/* A resource as it is saved; its entries follow those of the last one. */
struct saved_resource {
	uint32_t id, format, width, height, n_entries;
};

struct gpu {
	struct virtio_dev dev;
	struct vga_card *card; /* NULL: it has no VGA */
	struct resource *resources;
	unsigned int n_resources;
	uint64_t bytes; /* of their pixels */
	uint32_t width, height; /* what the screen likes */
	uint8_t edid[EDID_SIZE];
	uint32_t shown; /* resource; 0: none */
	struct virtio_gpu_rect rect;
	struct virtio_gpu_update_cursor cursor;
	struct vq_buf buf;

	/* Only while it is saved or restored. */
	unsigned int n_saved, n_saved_entries;
	struct saved_resource saved[RESOURCES_MAX];
	struct virtio_gpu_mem_entry saved_entries[ENTRIES_MAX];
};

static struct gpu *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct gpu, dev);
}

static struct virtio_gpu_config *config(struct gpu *g)
{
	return (void *)g->dev.config;
}

/* ---- resources ---- */

/* 5.7.6.8: where red, green and blue are in a pixel's bytes. */
static const struct format {
	uint32_t format;
	uint8_t r, g, b;
} formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2, 1, 0 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 2, 1, 0 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 1, 2, 3 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 1, 2, 3 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0, 1, 2 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0, 1, 2 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 3, 2, 1 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 3, 2, 1 },
};

static const struct format *find_format(uint32_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].format == format)
			return &formats[i];
	return NULL;
}

static struct resource *find(struct gpu *g, uint32_t id)
{
	struct resource *r = g->resources;

	while (r && r->id != id)
		r = r->next;
	return r;
}

static uint64_t pixel_bytes(const struct resource *r)
{
	return (uint64_t)r->width * r->height * PIXEL;
}

static void drop(struct gpu *g, struct resource *r)
{
	struct resource **at = &g->resources;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	g->n_resources--;
	g->bytes -= pixel_bytes(r);
	if (g->shown == r->id)
		g->shown = 0;
	free(r->pixels);
	free(r->entries);
	free(r);
}

static bool within(const struct virtio_gpu_rect *rect,
		   const struct resource *r)
{
	return rect->x <= r->width && rect->width <= r->width - rect->x &&
	       rect->y <= r->height && rect->height <= r->height - rect->y;
}

/* Where a reader is: rows follow each other, and so do entries. */
struct place {
	unsigned int entry;
	uint64_t begins; /* at this offset */
};

static void move_to(const struct resource *r, uint64_t offset,
		    struct place *p)
{
	while (p->entry < r->n_entries &&
	       offset - p->begins >= r->entries[p->entry].length)
		p->begins += r->entries[p->entry++].length;
}

/*
 * Bytes of the driver's memory from an offset on, which is not before the
 * last one's; false: it has not so many.
 */
static bool read_backing(struct gpu *g, const struct resource *r,
			 struct place *p, uint64_t offset, uint8_t *to,
			 uint64_t len)
{
	move_to(r, offset, p);
	offset -= p->begins;
	for (unsigned int i = p->entry; i < r->n_entries && len; i++) {
		const struct virtio_gpu_mem_entry *e = &r->entries[i];
		uint64_t n = MIN(e->length - offset, len);

		if (ram_read(g->dev.m->ram, e->addr + offset, to, n) < 0)
			return false;
		to += n;
		len -= n;
		offset = 0;
	}
	return !len;
}

/* ---- commands (5.7.6.8); each returns the response's type ---- */

union command {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout scanout;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_resource_attach_backing attach;
	struct virtio_gpu_resource_detach_backing detach;
	struct virtio_gpu_cmd_get_edid edid;
};

static uint32_t create(struct gpu *g, const union command *c)
{
	const struct virtio_gpu_resource_create_2d *a = &c->create;
	struct resource *r;

	if (!a->resource_id || find(g, a->resource_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!find_format(a->format) || !a->width || !a->height ||
	    a->width > SIDE_MAX || a->height > SIDE_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	r = xcalloc(1, sizeof(*r));
	r->id = a->resource_id;
	r->format = a->format;
	r->width = a->width;
	r->height = a->height;
	if (g->n_resources < RESOURCES_MAX &&
	    g->bytes + pixel_bytes(r) <= PIXELS_MAX)
		r->pixels = calloc(1, pixel_bytes(r));
	if (!r->pixels) {
		free(r);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	g->bytes += pixel_bytes(r);
	g->n_resources++;
	r->next = g->resources;
	g->resources = r;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t unref(struct gpu *g, const union command *c)
{
	struct resource *r = find(g, c->unref.resource_id);

	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	drop(g, r);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t set_scanout(struct gpu *g, const union command *c)
{
	const struct virtio_gpu_set_scanout *a = &c->scanout;
	struct resource *r = find(g, a->resource_id);

	if (a->scanout_id)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (a->resource_id && !r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (r && (!within(&a->r, r) || !a->r.width || !a->r.height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	g->shown = a->resource_id;
	g->rect = a->r;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The picture is looked at when somebody wants to see it. */
static uint32_t flush(struct gpu *g, const union command *c)
{
	struct resource *r = find(g, c->flush.resource_id);

	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return within(&c->flush.r, r) ? VIRTIO_GPU_RESP_OK_NODATA :
					VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

static uint32_t transfer(struct gpu *g, const union command *c)
{
	const struct virtio_gpu_transfer_to_host_2d *a = &c->transfer;
	struct resource *r = find(g, a->resource_id);
	struct place p = { 0 };
	uint64_t stride;

	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!within(&a->r, r) || a->offset > PIXELS_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	stride = (uint64_t)r->width * PIXEL;
	for (uint32_t y = 0; y < a->r.height; y++)
		if (!read_backing(g, r, &p, a->offset + y * stride,
				  r->pixels + (a->r.y + y) * stride +
					  a->r.x * PIXEL,
				  a->r.width * PIXEL))
			return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t attach(struct gpu *g, const union command *c)
{
	const struct virtio_gpu_resource_attach_backing *a = &c->attach;
	struct resource *r = find(g, a->resource_id);
	size_t len = (size_t)a->nr_entries * sizeof(r->entries[0]);

	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (r->n_entries || !a->nr_entries || a->nr_entries > ENTRIES_MAX ||
	    g->buf.out_len < sizeof(*a) + len)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	r->entries = xmalloc(len);
	vq_read(&g->buf, sizeof(*a), r->entries, len);
	r->n_entries = a->nr_entries;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t detach(struct gpu *g, const union command *c)
{
	struct resource *r = find(g, c->detach.resource_id);

	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	free(steal_ptr(&r->entries));
	r->n_entries = 0;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static const struct {
	uint32_t type;
	size_t len;
	uint32_t (*fn)(struct gpu *g, const union command *c);
} commands[] = {
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
	  sizeof(struct virtio_gpu_resource_create_2d), create },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF,
	  sizeof(struct virtio_gpu_resource_unref), unref },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(struct virtio_gpu_set_scanout),
	  set_scanout },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH,
	  sizeof(struct virtio_gpu_resource_flush), flush },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
	  sizeof(struct virtio_gpu_transfer_to_host_2d), transfer },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
	  sizeof(struct virtio_gpu_resource_attach_backing), attach },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
	  sizeof(struct virtio_gpu_resource_detach_backing), detach },
};

static uint32_t run(struct gpu *g, const union command *c, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].type == c->hdr.type)
			return len < commands[i].len ?
				       VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER :
				       commands[i].fn(g, c);
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

/* ---- answers ---- */

union response {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
};

static size_t display_info(struct gpu *g, union response *resp)
{
	resp->hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
	resp->info.pmodes[0].enabled = 1;
	resp->info.pmodes[0].r.width = g->width;
	resp->info.pmodes[0].r.height = g->height;
	return sizeof(resp->info);
}

static size_t edid(struct gpu *g, const union command *c,
		   union response *resp)
{
	if (c->edid.scanout) {
		resp->hdr.type = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
		return sizeof(resp->hdr);
	}
	resp->hdr.type = VIRTIO_GPU_RESP_OK_EDID;
	resp->edid.size = EDID_SIZE;
	memcpy(resp->edid.edid, g->edid, EDID_SIZE);
	return sizeof(resp->edid);
}

/* 5.7.6.7: what is fenced is answered with its fence; all is done by then. */
static size_t answer(struct gpu *g, const union command *c, size_t len,
		     union response *resp)
{
	if (c->hdr.flags & VIRTIO_GPU_FLAG_FENCE) {
		resp->hdr.flags = VIRTIO_GPU_FLAG_FENCE;
		resp->hdr.fence_id = c->hdr.fence_id;
		resp->hdr.ctx_id = c->hdr.ctx_id;
	}
	if (c->hdr.type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO)
		return display_info(g, resp);
	if (c->hdr.type == VIRTIO_GPU_CMD_GET_EDID &&
	    virtio_has(&g->dev, VIRTIO_GPU_F_EDID))
		return edid(g, c, resp);
	resp->hdr.type = run(g, c, len);
	return sizeof(resp->hdr);
}

static void control_all(struct gpu *g, struct virtqueue *vq)
{
	while (vq_pop(vq, &g->buf)) {
		union command c = { 0 };
		union response *resp = xcalloc(1, sizeof(*resp));
		size_t len = vq_read(&g->buf, 0, &c, sizeof(c));

		if (len < sizeof(c.hdr))
			virtio_needs_reset(&g->dev, "gpu: a short command");
		else
			vq_push(vq, g->buf.head,
				vq_write(&g->buf, 0, resp,
					 answer(g, &c, len, resp)));
		free(resp);
	}
	vq_signal(vq);
}

/* 5.7.6.10: a move says only where it is. */
static void move_cursor(struct gpu *g,
			const struct virtio_gpu_update_cursor *c)
{
	if (c->hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR)
		g->cursor = *c;
	else
		g->cursor.pos = c->pos;
}

static void cursor_all(struct gpu *g, struct virtqueue *vq)
{
	while (vq_pop(vq, &g->buf)) {
		struct virtio_gpu_update_cursor c;

		if (vq_read(&g->buf, 0, &c, sizeof(c)) == sizeof(c))
			move_cursor(g, &c);
		vq_push(vq, g->buf.head, 0);
	}
	vq_signal(vq);
}

static void gpu_notify(struct virtio_dev *dev, unsigned int queue)
{
	if (queue == CONTROLQ)
		control_all(from_dev(dev), virtio_queue(dev, queue));
	else
		cursor_all(from_dev(dev), virtio_queue(dev, queue));
}

/* ---- the picture ---- */

static void convert(const struct format *f, const uint8_t *from, uint32_t *to,
		    unsigned int n)
{
	for (; n; n--, from += PIXEL)
		*to++ = (uint32_t)from[f->r] << 16 | from[f->g] << 8 |
			from[f->b];
}

static uint32_t blend(uint32_t below, const uint8_t *above)
{
	unsigned int alpha = above[3];
	uint32_t pixel = 0;

	for (unsigned int i = 0; i < 3; i++) {
		unsigned int old = below >> 8 * i & 0xff;

		pixel |= (above[i] * alpha + old * (255 - alpha)) / 255
			 << 8 * i;
	}
	return pixel;
}

/* Its picture is of 64 by 64, with the alpha channel in the last byte. */
static void draw_cursor(struct gpu *g, unsigned int y, uint32_t *row)
{
	const struct resource *r = find(g, g->cursor.resource_id);
	int64_t x0 = (int64_t)g->cursor.pos.x - g->cursor.hot_x;
	int64_t at = (int64_t)y - g->cursor.pos.y + g->cursor.hot_y;

	if (!g->cursor.resource_id || !r || r->width != CURSOR_SIDE ||
	    r->height != CURSOR_SIDE || at < 0 || at >= CURSOR_SIDE)
		return;
	for (unsigned int i = 0; i < CURSOR_SIDE; i++)
		if (x0 + i >= 0 && x0 + i < g->rect.width)
			row[x0 + i] = blend(row[x0 + i],
					    r->pixels +
						    (at * CURSOR_SIDE + i) *
							    PIXEL);
}

static void draw_rows(struct gpu *g, const struct resource *r,
		      struct display *d)
{
	_cleanup_free_ uint32_t *row = xcalloc(g->rect.width, sizeof(*row));
	const struct format *f = find_format(r->format);

	for (uint32_t y = 0; y < g->rect.height; y++) {
		convert(f, r->pixels + ((uint64_t)(g->rect.y + y) * r->width +
					g->rect.x) * PIXEL,
			row, g->rect.width);
		draw_cursor(g, y, row);
		display_row(d, y, row);
	}
}

static void gpu_draw(void *dev, struct display *d)
{
	struct gpu *g = dev;
	const struct resource *r;

	pthread_mutex_lock(&g->dev.lock);
	r = g->shown ? find(g, g->shown) : NULL;
	if (r && display_size(d, g->rect.width, g->rect.height))
		draw_rows(g, r, d);
	pthread_mutex_unlock(&g->dev.lock);
}

static bool gpu_active(void *dev)
{
	struct gpu *g = dev;
	bool yes;

	pthread_mutex_lock(&g->dev.lock);
	yes = g->shown != 0;
	pthread_mutex_unlock(&g->dev.lock);
	return yes;
}

static void set_size(struct gpu *g, unsigned int width, unsigned int height)
{
	g->width = MIN(MAX(width, 320u), 4096u);
	g->height = MIN(MAX(height, 200u), 4096u);
	edid_make(g->edid, g->width, g->height);
}

/* 5.7.4: the driver asks for the sizes again. */
static void gpu_wish(void *dev, unsigned int width, unsigned int height)
{
	struct gpu *g = dev;

	pthread_mutex_lock(&g->dev.lock);
	set_size(g, width, height);
	config(g)->events_read |= VIRTIO_GPU_EVENT_DISPLAY;
	virtio_config_changed(&g->dev);
	pthread_mutex_unlock(&g->dev.lock);
}

static const struct display_ops gpu_display = {
	.active = gpu_active,
	.draw = gpu_draw,
	.wish = gpu_wish,
};

/* ---- life ---- */

static void gpu_config_write(struct virtio_dev *dev, unsigned int offset,
			     uint32_t value, unsigned int size)
{
	if (offset == offsetof(struct virtio_gpu_config, events_clear) &&
	    size == 4)
		config(from_dev(dev))->events_read &= ~value;
}

static bool gpu_reset(struct virtio_dev *dev)
{
	struct gpu *g = from_dev(dev);

	while (g->resources)
		drop(g, g->resources);
	memset(&g->cursor, 0, sizeof(g->cursor));
	return true;
}

/* ---- saving ---- */

static const struct state_field resource_fields[] = {
	STATE(struct saved_resource, id),
	STATE(struct saved_resource, format),
	STATE(struct saved_resource, width),
	STATE(struct saved_resource, height),
	STATE(struct saved_resource, n_entries),
	STATE_END,
};

static const struct state_field entry_fields[] = {
	STATE(struct virtio_gpu_mem_entry, addr),
	STATE(struct virtio_gpu_mem_entry, length),
	STATE_END,
};

#define COUNTED(f, n, list) \
	{ .name = #f, .kind = STATE_GROUP, .offset = offsetof(struct gpu, f), \
	  .size = sizeof(((struct gpu *)0)->f[0]), \
	  .count = ARRAY_SIZE(((struct gpu *)0)->f), \
	  .counter = offsetof(struct gpu, n), .fields = (list) }
static const struct state_field gpu_fields[] = {
	STATE_MAX(struct gpu, width, 4096),
	STATE_MAX(struct gpu, height, 4096),
	STATE(struct gpu, shown),
	STATE_RAW(struct gpu, rect),
	STATE_RAW(struct gpu, cursor),
	COUNTED(saved, n_saved, resource_fields),
	COUNTED(saved_entries, n_saved_entries, entry_fields),
	STATE_END,
};

static void save_one(struct gpu *g, const struct resource *r)
{
	g->saved[g->n_saved++] = (struct saved_resource){
		r->id, r->format, r->width, r->height, r->n_entries
	};
	memcpy(g->saved_entries + g->n_saved_entries, r->entries,
	       r->n_entries * sizeof(r->entries[0]));
	g->n_saved_entries += r->n_entries;
}

/* What has no room any more is a picture that stays black. */
static void gpu_saving(void *dev)
{
	struct gpu *g = dev;

	g->n_saved = g->n_saved_entries = 0;
	for (const struct resource *r = g->resources; r; r = r->next)
		if (g->n_saved_entries + r->n_entries <= ENTRIES_MAX)
			save_one(g, r);
}

static bool load_one(struct gpu *g, const struct saved_resource *s,
		     unsigned int first)
{
	const union command c = {
		.create = { .resource_id = s->id, .format = s->format,
			    .width = s->width, .height = s->height },
	};
	size_t len = s->n_entries * sizeof(g->saved_entries[0]);
	struct resource *r;

	if (s->n_entries > g->n_saved_entries - first ||
	    create(g, &c) != VIRTIO_GPU_RESP_OK_NODATA)
		return false;
	r = find(g, s->id);
	if (!s->n_entries)
		return true;
	r->entries = xmalloc(len);
	memcpy(r->entries, g->saved_entries + first, len);
	r->n_entries = s->n_entries;
	return true;
}

static int gpu_loaded(void *dev, unsigned int version, struct error *err)
{
	struct gpu *g = dev;
	const struct resource *r;
	unsigned int first = 0;
	uint32_t shown = g->shown;

	while (g->resources)
		drop(g, g->resources);
	for (unsigned int i = 0; i < g->n_saved; i++) {
		if (!load_one(g, &g->saved[i], first))
			return error_set(err, -EINVAL,
					 "a graphics card's picture is not right");
		first += g->saved[i].n_entries;
	}
	r = find(g, shown);
	g->shown = r && within(&g->rect, r) && g->rect.width &&
				   g->rect.height ?
			   shown :
			   0;
	set_size(g, g->width, g->height);
	return 0;
}

/* Guest memory is there now. */
static void gpu_restored(void *dev)
{
	struct gpu *g = dev;

	for (struct resource *r = g->resources; r; r = r->next) {
		struct place p = { 0 };

		if (r->n_entries)
			read_backing(g, r, &p, 0, r->pixels, pixel_bytes(r));
	}
}

static const struct state_type gpu_state = {
	.name = "virtio-gpu",
	.version = 1,
	.fields = gpu_fields,
	.saving = gpu_saving,
	.loaded = gpu_loaded,
	.restored = gpu_restored,
};

/* ---- the VGA ---- */

enum { VGA_MSIX_BAR = 1, VGA_REGS_BAR = 4 };

static void gpu_vga_bars(struct virtio_dev *dev)
{
	dev->pci.wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
	vga_card_set_bars(from_dev(dev)->card);
}

static void gpu_vga_bar_mapped(struct virtio_dev *dev, unsigned int bar)
{
	vga_card_bar_mapped(from_dev(dev)->card, bar);
}

static void gpu_vga_reset(struct virtio_dev *dev)
{
	vga_reset(&from_dev(dev)->card->vga);
}

static void gpu_vga_states(struct virtio_dev *dev, const char *id,
			   struct state_set *set)
{
	vga_states(&from_dev(dev)->card->vga, id, set);
}

static bool always(void *dev)
{
	return true;
}

static const struct display_ops vga_display = {
	.active = always,
	.draw = vga_draw,
};

/* ---- life ---- */

static void gpu_destroy(struct virtio_dev *dev)
{
	struct gpu *g = from_dev(dev);

	gpu_reset(dev);
	virtio_finish(dev);
	if (g->card)
		vga_finish(&g->card->vga);
	free(g->card);
	free(g);
}

#define GPU_TYPE \
	.id = VIRTIO_ID_GPU, .notify = gpu_notify, \
	.config_write = gpu_config_write, .reset = gpu_reset, \
	.state = &gpu_state, .destroy = gpu_destroy
static const struct virtio_type virtio_gpu = {
	GPU_TYPE,
	.name = "gpu",
	.class_code = 0x038000, /* PCI D.4: other display controller */
};
static const struct virtio_type virtio_vga = {
	GPU_TYPE,
	.name = "vga",
	.class_code = 0x030000, /* VGA compatible */
	.pci_bars = gpu_vga_bars,
	.pci_bar_mapped = gpu_vga_bar_mapped,
	.pci_reset = gpu_vga_reset,
	.pci_states = gpu_vga_states,
};

static void add_vga(struct gpu *g, struct machine *m,
		    const struct spec_video *spec, unsigned int index)
{
	g->card = xcalloc(1, sizeof(*g->card));
	vga_card_init(g->card, m, &g->dev.pci, spec, index);
	g->dev.msix_bar = VGA_MSIX_BAR;
	g->dev.regs_bar = VGA_REGS_BAR;
	g->dev.rom_fd = spec->rom_fd;
}

/* The last that is active is seen: the VGA only before the driver's. */
static int show(struct gpu *g, struct machine *m, struct error *err)
{
	int r = g->card ? vga_card_add_legacy(g->card, err) : 0;

	if (g->card)
		display_add(m->display, &vga_display, &g->card->vga);
	display_add(m->display, &gpu_display, g);
	return r;
}

int virtio_gpu_add(struct machine *m, const struct spec_video *spec,
		   unsigned int index, struct error *err)
{
	bool vga = spec->kind == VIDEO_VIRTIO_VGA;
	struct gpu *g = xcalloc(1, sizeof(*g));
	int r = virtio_init(&g->dev, vga ? &virtio_vga : &virtio_gpu, m,
			    spec->id, GPU_QUEUES, BIT64(VIRTIO_GPU_F_EDID),
			    err);

	if (r >= 0) {
		g->dev.config_size = sizeof(struct virtio_gpu_config);
		config(g)->num_scanouts = 1;
		set_size(g, spec->width, spec->height);
		if (vga)
			add_vga(g, m, spec, index);
		r = virtio_pci_plug(&g->dev, &spec->pci, err);
	}
	if (r < 0) {
		gpu_destroy(&g->dev);
		return r;
	}
	return show(g, m, err);
}
