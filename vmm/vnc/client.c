/*
 * vmm/vnc/client.c -- one VNC client: the conversation (RFB 7).
 *
 * Theory of operation.  What comes in is collected until a whole message is
 * there; "next" is who takes it.  What goes out waits in a buffer, and while
 * some of it waits no further picture is made, so a client that reads slowly
 * sees fewer pictures and costs no more than one.
 */
#include <errno.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/keycodes.h"
#include "vmm/input.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/vnc/client_priv.h"
#include "vmm/vnc/keysym.h"

enum { TEXT_MAX = 64, RECTS_MAX = 60000 };
/* RFB 7.5; the last ones are from the registry. */
enum { MSG_FORMAT = 0, MSG_ENCODINGS = 2, MSG_REQUEST = 3, MSG_KEY = 4,
       MSG_POINTER = 5, MSG_CUT = 6, MSG_SET_SIZE = 251, MSG_EXTENDED = 255 };
/* "Extended Desktop Size": who changed it; and that it may not, or that the
 * guest was asked. */
enum { SIZE_BY_SERVER = 0, SIZE_BY_CLIENT = 1, SIZE_PROHIBITED = 1,
       SIZE_FORWARDED = 4 };

/* ---- sending ---- */

static void client_watch(struct vnc_client *c);

static void client_break(struct vnc_client *c)
{
	c->broken = true;
	c->out.len = c->sent = 0;
}

void client_flush(struct vnc_client *c)
{
	int r = c->shaken ? -EAGAIN : vnc_wire_flush(c->wire);

	if (r < 0 && r != -EAGAIN)
		client_break(c);
	while (r == 0 && c->sent < c->out.len) {
		ssize_t n = vnc_wire_write(c->wire, c->out.data + c->sent,
					   c->out.len - c->sent);

		if (n < 0 && n != -EAGAIN) {
			client_break(c);
			return;
		}
		if (n <= 0)
			return;
		c->sent += n;
	}
	if (r == 0)
		c->out.len = c->sent = 0;
}

void client_put8(struct vnc_client *c, uint8_t v)
{
	buf_add(&c->out, &v, 1);
}

void client_put_string(struct vnc_client *c, const char *text)
{
	vnc_put32(&c->out, strlen(text));
	buf_puts(&c->out, text);
}

/* ---- RFB 7.3: initialisation ---- */

static ssize_t take_message(struct vnc_client *c, const uint8_t *p,
			    size_t len);

static void put_format(struct vnc_client *c)
{
	static const uint8_t native[16] = { 32, 24, 0, 1, 0, 255, 0, 255,
					    0, 255, 16, 8, 0 };

	buf_add(&c->out, native, sizeof(native));
}

ssize_t client_take_init(struct vnc_client *c, const uint8_t *p, size_t len)
{
	enum spec_vnc_share policy = vnc_share(c->s);
	struct display *d = vnc_machine(c->s)->display;
	const struct display_view *v;

	if (len < 1)
		return 0;
	if (policy == VNC_ALLOW_EXCLUSIVE && !p[0])
		vnc_exclusive(c->s, c);
	display_lock(d);
	display_watch(d, true);
	v = display_draw(d);
	c->width = v->width ? v->width : 640;
	c->height = v->height ? v->height : 480;
	display_unlock(d);
	vnc_put16(&c->out, c->width);
	vnc_put16(&c->out, c->height);
	put_format(c);
	client_put_string(c, vnc_machine(c->s)->spec->name);
	c->next = take_message;
	vnc_tell(c->s, c, VNC_INITIALIZED);
	return 1;
}

/* ---- keys and pointer ---- */

static void send_key(struct vnc_client *c, unsigned int key, bool down)
{
	uint8_t bit = BIT(key % 8);

	if (!key || key >= CLIENT_KEYS)
		return;
	if (down)
		c->held[key / 8] |= bit;
	else
		c->held[key / 8] &= ~bit;
	input_key(vnc_machine(c->s)->input, key, down);
}

static bool is_held(const struct vnc_client *c, unsigned int key)
{
	return c->held[key / 8] & BIT(key % 8);
}

static void release_all(struct vnc_client *c)
{
	for (unsigned int key = 1; key < CLIENT_KEYS; key++)
		if (is_held(c, key))
			send_key(c, key, false);
}

/* A client whose keyboard has the character elsewhere sends no shift. */
static void send_symbol(struct vnc_client *c, uint32_t keysym, bool down)
{
	bool letter = (keysym | 0x20) >= 'a' && (keysym | 0x20) <= 'z';
	bool shifted, lacks;
	unsigned int key = keysym_to_key(keysym, &shifted);

	if (key == KEY_CAPSLOCK && down)
		c->caps = !c->caps;
	lacks = down && shifted && !(letter && c->caps) &&
		!is_held(c, KEY_LEFTSHIFT) && !is_held(c, KEY_RIGHTSHIFT);
	if (lacks)
		send_key(c, KEY_LEFTSHIFT, true);
	send_key(c, key, down);
	if (lacks)
		send_key(c, KEY_LEFTSHIFT, false);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

uint32_t client_get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static unsigned int scaled(unsigned int v, unsigned int size)
{
	return size > 1 ? MIN((uint64_t)v * INPUT_ABS_MAX / (size - 1),
			      (uint64_t)INPUT_ABS_MAX) :
			  0;
}

/* RFB 7.5.5's mask to ours; 4 and 5 are the wheel. */
static unsigned int buttons_of(uint8_t mask)
{
	return (mask & 1 ? INPUT_LEFT : 0) | (mask & 2 ? INPUT_MIDDLE : 0) |
	       (mask & 4 ? INPUT_RIGHT : 0) | (mask & 32 ? INPUT_SIDE : 0) |
	       (mask & 64 ? INPUT_EXTRA : 0);
}

static void send_pointer(struct vnc_client *c, uint8_t mask, unsigned int x,
			 unsigned int y)
{
	uint8_t pressed = mask & ~c->buttons;
	struct input_pointer p = {
		.x = scaled(x, c->width),
		.y = scaled(y, c->height),
		.wheel = (pressed >> 3 & 1) - (pressed >> 4 & 1),
		.buttons = buttons_of(mask),
	};

	if (c->absolute == 0) { /* the client sends distances */
		p.dx = (int)x - 0x7fff;
		p.dy = (int)y - 0x7fff;
	} else if (c->placed) {
		p.dx = (int)x - (int)c->x;
		p.dy = (int)y - (int)c->y;
	}
	c->x = x;
	c->y = y;
	c->placed = c->absolute != 0;
	c->buttons = mask;
	input_pointer(vnc_machine(c->s)->input, &p);
	vnc_look_soon(c->s);
}

/* ---- RFB 7.5: what clients say ---- */

static ssize_t take_format(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < 20)
		return 0;
	if (!vnc_format_parse(&c->format, p + 4))
		return -1;
	if (!p[7])
		vnc_put_palette(&c->out);
	return 20;
}

static void note_encoding(struct vnc_client *c, int32_t enc, bool *chosen)
{
	switch (enc) {
	case ENC_RAW:
	case ENC_HEXTILE:
	case ENC_ZRLE:
		if (!*chosen)
			c->encoding = enc;
		*chosen = true;
		break;
	case ENC_DESKTOP_SIZE:
		c->desktop_size = true;
		break;
	case ENC_EXTENDED_SIZE:
		c->new_size |= !c->extended_size;
		c->extended_size = true;
		break;
	case ENC_POINTER_MODE:
		c->pointer_mode = true;
		break;
	case ENC_KEY_EVENT:
		c->key_event = true;
		break;
	}
}

static ssize_t take_encodings(struct vnc_client *c, const uint8_t *p,
			      size_t len)
{
	unsigned int n = len < 4 ? 0 : get16(p + 2);
	bool chosen = false;

	if (len < 4 || len < 4 + 4 * (size_t)n)
		return n > (CLIENT_IN_MAX - 4) / 4 ? -1 : 0;
	c->encoding = ENC_RAW;
	for (unsigned int i = 0; i < n; i++)
		note_encoding(c, (int32_t)client_get32(p + 4 + 4 * i), &chosen);
	if (c->encoding == ENC_ZRLE && !c->z_ready) {
		if (deflateInit(&c->z, Z_BEST_SPEED) != Z_OK)
			return -1;
		c->z_ready = true;
	}
	return 4 + 4 * (ssize_t)n;
}

static ssize_t take_request(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < 10)
		return 0;
	c->wants = true;
	if (!p[1])
		c->want_all = (struct vnc_rect){ get16(p + 2), get16(p + 4),
						 get16(p + 6), get16(p + 8) };
	vnc_look_soon(c->s);
	return 10;
}

static ssize_t take_key(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < 8)
		return 0;
	send_symbol(c, client_get32(p + 4), p[1]);
	vnc_look_soon(c->s);
	return 8;
}

static ssize_t take_pointer(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < 6)
		return 0;
	send_pointer(c, p[1], get16(p + 2), get16(p + 4));
	return 6;
}

/* 7.5.6; a negative length is the extended clipboard's. */
static ssize_t take_cut(struct vnc_client *c, const uint8_t *p, size_t len)
{
	int32_t n;

	if (len < 8)
		return 0;
	n = (int32_t)client_get32(p + 4);
	c->skip = n < 0 ? -(int64_t)n : n;
	return 8;
}

/* "SetDesktopSize": passed on as a wish; the guest may follow. */
static ssize_t take_set_size(struct vnc_client *c, const uint8_t *p,
			     size_t len)
{
	struct display *d = vnc_machine(c->s)->display;
	size_t whole = len < 8 ? 8 : 8 + 16 * (size_t)p[6];

	if (len < whole)
		return 0;
	display_lock(d);
	c->size_reply = display_wish(d, get16(p + 2), get16(p + 4)) ?
				SIZE_FORWARDED :
				SIZE_PROHIBITED;
	display_unlock(d);
	vnc_look_soon(c->s);
	return whole;
}

/* "QEMU Extended Key Event": the key's number and not its character. */
static ssize_t take_extended(struct vnc_client *c, const uint8_t *p,
			     size_t len)
{
	int key;

	if (len < 2)
		return 0;
	if (p[1] != 0)
		return -1;
	if (len < 12)
		return 0;
	key = key_to_linux(KEY_SET_QNUM, client_get32(p + 8));
	if (key > 0)
		send_key(c, key, get16(p + 2));
	else
		send_symbol(c, client_get32(p + 4), get16(p + 2));
	vnc_look_soon(c->s);
	return 12;
}

static ssize_t take_message(struct vnc_client *c, const uint8_t *p, size_t len)
{
	if (len < 1)
		return 0;
	switch (p[0]) {
	case MSG_FORMAT:
		return take_format(c, p, len);
	case MSG_ENCODINGS:
		return take_encodings(c, p, len);
	case MSG_REQUEST:
		return take_request(c, p, len);
	case MSG_KEY:
		return take_key(c, p, len);
	case MSG_POINTER:
		return take_pointer(c, p, len);
	case MSG_CUT:
		return take_cut(c, p, len);
	case MSG_SET_SIZE:
		return take_set_size(c, p, len);
	case MSG_EXTENDED:
		return take_extended(c, p, len);
	}
	return -1;
}

/* ---- the picture ---- */

static void note_size(struct vnc_client *c, const struct display_view *v)
{
	if (c->dirty && c->serial == v->serial)
		return;
	free(c->dirty);
	c->dirty = xcalloc(v->tiles_x, v->tiles_y);
	memset(c->dirty, 1, (size_t)v->tiles_x * v->tiles_y);
	c->new_size |= c->width != v->width || c->height != v->height;
	c->serial = v->serial;
	c->width = v->width;
	c->height = v->height;
	c->tiles_x = v->tiles_x;
	c->tiles_y = v->tiles_y;
}

/* Not incremental: the part asked for counts as changed. */
static void note_wanted(struct vnc_client *c)
{
	struct vnc_rect r = c->want_all;
	unsigned int end_x = MIN(r.x + r.w, c->width);
	unsigned int end_y = MIN(r.y + r.h, c->height);

	for (unsigned int y = r.y; y < end_y; y += DISPLAY_TILE_H)
		for (unsigned int x = r.x; x < end_x; x += DISPLAY_TILE_W)
			c->dirty[y / DISPLAY_TILE_H * c->tiles_x +
				 x / DISPLAY_TILE_W] = 1;
	if (r.w && r.h && r.x < end_x && r.y < end_y)
		c->dirty[(end_y - 1) / DISPLAY_TILE_H * c->tiles_x +
			 (end_x - 1) / DISPLAY_TILE_W] = 1;
	c->want_all = (struct vnc_rect){ 0 };
}

static void put_rect(struct vnc_client *c, const struct vnc_rect *r,
		     enum vnc_encoding enc)
{
	vnc_put16(&c->out, r->x);
	vnc_put16(&c->out, r->y);
	vnc_put16(&c->out, r->w);
	vnc_put16(&c->out, r->h);
	vnc_put32(&c->out, (uint32_t)enc);
}

/* "Extended Desktop Size": one screen as large as all of it. */
static void put_extended_size(struct vnc_client *c, unsigned int who,
			      unsigned int result)
{
	struct vnc_rect r = { who, result, c->width, c->height };

	put_rect(c, &r, ENC_EXTENDED_SIZE);
	vnc_put32(&c->out, 1 << 24);
	vnc_put32(&c->out, 0);
	vnc_put32(&c->out, 0);
	vnc_put16(&c->out, c->width);
	vnc_put16(&c->out, c->height);
	vnc_put32(&c->out, 0);
}

/* Rectangles that say something else; how many. */
static unsigned int put_news(struct vnc_client *c)
{
	struct vnc_rect size = { 0, 0, c->width, c->height };
	int absolute = input_absolute(vnc_machine(c->s)->input);
	struct vnc_rect mode = { absolute, 0, 0, 0 };
	unsigned int n = 0;

	if (c->size_reply >= 0 && c->extended_size) {
		put_extended_size(c, SIZE_BY_CLIENT, c->size_reply);
		n++;
	}
	if (c->new_size && c->extended_size) {
		put_extended_size(c, SIZE_BY_SERVER, 0);
		n++;
	} else if (c->new_size && c->desktop_size) {
		put_rect(c, &size, ENC_DESKTOP_SIZE);
		n++;
	}
	if (c->key_event && !c->told_keys) {
		put_rect(c, &size, ENC_KEY_EVENT);
		n++;
	}
	if (c->pointer_mode && c->absolute != absolute) {
		put_rect(c, &mode, ENC_POINTER_MODE);
		c->absolute = absolute;
		c->placed = false;
		n++;
	}
	c->size_reply = -1;
	c->new_size = false;
	c->told_keys |= c->key_event;
	return n;
}

/* The next run of changed tiles in a row of them; clears it. */
static bool next_run(struct vnc_client *c, unsigned int ty, unsigned int *tx,
		     struct vnc_rect *r)
{
	uint8_t *row = c->dirty + ty * c->tiles_x;
	unsigned int first;

	while (*tx < c->tiles_x && !row[*tx])
		++*tx;
	first = *tx;
	while (*tx < c->tiles_x && row[*tx])
		row[(*tx)++] = 0;
	r->x = first * DISPLAY_TILE_W;
	r->y = ty * DISPLAY_TILE_H;
	r->w = MIN(*tx * DISPLAY_TILE_W, c->width) - MIN(r->x, c->width);
	r->h = MIN((unsigned int)DISPLAY_TILE_H, c->height - r->y);
	return *tx > first;
}

static unsigned int put_picture(struct vnc_client *c,
				const struct display_view *v, unsigned int n)
{
	for (unsigned int ty = 0; ty < c->tiles_y && n < RECTS_MAX; ty++) {
		unsigned int tx = 0;
		struct vnc_rect r;

		while (next_run(c, ty, &tx, &r)) {
			put_rect(c, &r, c->encoding);
			vnc_encode(&c->out, c->encoding, &c->format, &c->z, v,
				   &r);
			n++;
		}
	}
	return n;
}

/* RFB 7.6.1 */
static void send_update(struct vnc_client *c, const struct display_view *v)
{
	unsigned int n;

	client_put8(c, 0);
	client_put8(c, 0);
	vnc_put16(&c->out, 0);
	n = put_picture(c, v, put_news(c));
	c->out.data[2] = (char)(n >> 8);
	c->out.data[3] = (char)n;
	if (!n)
		c->out.len = 0;
	else
		c->wants = false;
	client_flush(c);
	client_watch(c);
}

void vnc_client_picture(struct vnc_client *c, const struct display_view *v)
{
	size_t tiles;

	if (c->next != take_message || !v->width)
		return;
	note_size(c, v);
	tiles = (size_t)c->tiles_x * c->tiles_y;
	for (size_t i = 0; i < tiles; i++)
		c->dirty[i] |= v->dirty[i];
	note_wanted(c);
	if (c->wants && !c->out.len && !c->broken)
		send_update(c, v);
}

/* ---- receiving ---- */

static void client_consume(struct vnc_client *c, size_t n)
{
	c->in_len -= n;
	memmove(c->in, c->in + n, c->in_len);
}

static void client_parse(struct vnc_client *c)
{
	while (!c->broken && !c->shaken) {
		size_t skip = MIN(c->skip, c->in_len);
		ssize_t n;

		client_consume(c, skip);
		c->skip -= skip;
		if (c->skip)
			return;
		n = c->next(c, c->in, c->in_len);
		if (n < 0)
			client_break(c);
		if (n <= 0)
			return;
		client_consume(c, n);
	}
}

/* False: nothing more for now. */
static bool read_some(struct vnc_client *c)
{
	ssize_t n = vnc_wire_read(c->wire, c->in + c->in_len,
				  CLIENT_IN_MAX - c->in_len);

	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		client_break(c);
		return false;
	}
	c->in_len += n;
	client_parse(c);
	if (c->in_len == CLIENT_IN_MAX)
		client_break(c); /* no message is that long */
	return true;
}

/* A wire that becomes ready goes on where it was. */
static void client_shake(struct vnc_client *c)
{
	ssize_t (*then)(struct vnc_client *) = c->shaken;
	int r = vnc_wire_shake(c->wire);

	if (r == -EAGAIN)
		return;
	c->shaken = NULL;
	if (r < 0 || then(c) < 0)
		client_break(c);
}

static void client_read(struct vnc_client *c)
{
	do {
		if (c->shaken && !c->broken)
			client_shake(c);
	} while (!c->broken && !c->shaken && read_some(c) &&
		 vnc_wire_pending(c->wire));
}

static void client_event(void *arg, uint32_t events)
{
	struct vnc_client *c = arg;

	if (c->shaken || events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		client_read(c);
	client_flush(c);
	if (c->broken)
		vnc_gone(c->s, c);
	else
		client_watch(c);
}

static bool client_writes(const struct vnc_client *c)
{
	return vnc_wire_writes(c->wire) || (c->out.len && !c->shaken);
}

static void client_watch(struct vnc_client *c)
{
	if (c->in_loop)
		loop_mod(vnc_loop(c->s), vnc_wire_fd(c->wire),
			 EPOLLIN | (client_writes(c) ? EPOLLOUT : 0));
}

/* ---- life ---- */

bool vnc_client_authenticated(const struct vnc_client *c)
{
	return c->authenticated;
}

const char *vnc_client_auth(const struct vnc_client *c)
{
	return client_auth(c);
}

int vnc_client_fd(const struct vnc_client *c)
{
	return vnc_wire_fd(c->wire);
}

bool vnc_client_waits(const struct vnc_client *c)
{
	return c->wants;
}

static ssize_t nothing_more(struct vnc_client *c)
{
	return 0;
}

/* A websocket has TLS below it; other clients are asked whether they can. */
static int start_websocket(struct vnc_client *c)
{
	struct vnc_tls *tls = vnc_tls(c->s, NULL);

	c->websocket = true;
	c->shaken = nothing_more;
	vnc_wire_start_websocket(c->wire);
	return tls ? vnc_wire_start_tls(c->wire, tls) : 0;
}

struct vnc_client *vnc_client_create(struct vnc_server *s, int fd,
				     unsigned int how)
{
	struct vnc_client *c = xcalloc(1, sizeof(*c));

	c->s = s;
	c->wire = vnc_wire_create(fd);
	c->trusted = how & VNC_TRUSTED;
	c->next = client_take_version;
	c->absolute = c->size_reply = -1;
	vnc_format_default(&c->format);
	buf_puts(&c->out, "RFB 003.008\n");
	if (how & VNC_WEBSOCKET && start_websocket(c) < 0)
		client_break(c); /* the loop finds it so */
	c->in_loop = loop_add(vnc_loop(s), fd, EPOLLIN | EPOLLOUT,
			      client_event, c) == 0;
	vnc_tell(s, c, VNC_CONNECTED);
	return c;
}

void vnc_client_destroy(struct vnc_client *c)
{
	release_all(c);
	vnc_tell(c->s, c, VNC_DISCONNECTED);
	if (c->in_loop)
		loop_remove(vnc_loop(c->s), vnc_wire_fd(c->wire));
	vnc_wire_destroy(c->wire);
	if (c->z_ready)
		deflateEnd(&c->z);
	buf_free(&c->out);
	free(c->dirty);
	free(c);
}
