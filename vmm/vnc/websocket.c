/*
 * vmm/vnc/websocket.c -- the server's end of a websocket (RFC 6455).
 *
 * Theory of operation.  What comes in is collected in a small buffer: first
 * the request (4.2.1), then frames' headers (5.2).  A data frame's payload is
 * handed on as it comes, of whatever length the frame is; a control frame is
 * short (5.5) and handled when all of it is there.  What goes out is one
 * frame at a time, which waits here until all of it is on its way.
 */
#include "vmm/vnc/websocket.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/util.h"
#include "vmm/vnc/crypto.h"

enum { IN_MAX = 8192, FRAME_MAX = 65535, CONTROL_MAX = 125, KEY_LEN = 24 };
/* 5.2 */
enum { OP_CONTINUE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9,
       OP_PONG = 10, OP_CONTROL = 8 };
enum { FIN = 0x80, MASKED = 0x80, RESERVED = 0x70 };

struct websocket {
	const struct websocket_ops *ops;
	void *arg;
	bool open, closed;
	char in[IN_MAX];
	size_t in_len;
	uint64_t left; /* of a data frame's payload */
	uint8_t mask[4];
	unsigned int mask_at;
	struct buf out;
	size_t sent;
};

struct websocket *websocket_create(const struct websocket_ops *ops, void *arg)
{
	struct websocket *ws = xcalloc(1, sizeof(*ws));

	ws->ops = ops;
	ws->arg = arg;
	return ws;
}

void websocket_destroy(struct websocket *ws)
{
	if (!ws)
		return;
	buf_free(&ws->out);
	free(ws);
}

/* ---- sending ---- */

bool websocket_writes(const struct websocket *ws)
{
	return ws->out.len;
}

int websocket_flush(struct websocket *ws)
{
	while (ws->sent < ws->out.len) {
		ssize_t n = ws->ops->write(ws->arg, ws->out.data + ws->sent,
					   ws->out.len - ws->sent);

		if (n <= 0)
			return n < 0 ? n : -EAGAIN;
		ws->sent += n;
	}
	ws->sent = 0;
	ws->out.len = 0;
	return 0;
}

/* 5.1: what a server sends is not masked. */
static void put_frame(struct websocket *ws, unsigned int op, const void *data,
		      size_t len)
{
	uint8_t head[4] = { FIN | op, len, len >> 8, len };

	if (len > CONTROL_MAX)
		head[1] = 126;
	buf_add(&ws->out, head, len > CONTROL_MAX ? 4 : 2);
	buf_add(&ws->out, data, len);
}

ssize_t websocket_write(struct websocket *ws, const void *from, size_t len)
{
	int r = websocket_flush(ws);

	if (r < 0)
		return r;
	len = MIN(len, (size_t)FRAME_MAX);
	put_frame(ws, OP_BINARY, from, len);
	r = websocket_flush(ws);
	return r < 0 && r != -EAGAIN ? r : (ssize_t)len;
}

/* ---- the request ---- */

static void consume(struct websocket *ws, size_t n)
{
	ws->in_len -= n;
	memmove(ws->in, ws->in + n, ws->in_len);
}

/* More of it; what lower layers say, or -EMSGSIZE. */
static ssize_t fill(struct websocket *ws)
{
	ssize_t n;

	if (ws->in_len == IN_MAX)
		return -EMSGSIZE;
	n = ws->ops->read(ws->arg, ws->in + ws->in_len, IN_MAX - ws->in_len);
	if (n > 0)
		ws->in_len += n;
	return n;
}

/* A header's value, without spaces around it; NULL: there is none. */
static const char *header(const char *request, const char *name,
			  size_t *ret_len)
{
	size_t n = strlen(name), len;
	const char *line = strstr(request, "\r\n");

	for (; line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		line += n + 1;
		line += strspn(line, " \t");
		len = strcspn(line, "\r\n");
		while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		*ret_len = len;
		return line;
	}
	return NULL;
}

/* Whether one of a header's words, which commas separate, is this. */
static bool has_word(const char *request, const char *name, const char *word)
{
	size_t len, n = strlen(word);
	const char *value = header(request, name, &len);
	const char *end = value ? value + len : NULL;

	while (value && value < end) {
		size_t part;

		value += strspn(value, " \t,");
		part = strcspn(value, " \t,\r\n");
		if (part == n && strncasecmp(value, word, n) == 0)
			return true;
		value += part;
		if (!part)
			break;
	}
	return false;
}

/* 4.2.1 */
static const char *key_of(const char *request)
{
	size_t len;
	const char *key = header(request, "Sec-WebSocket-Key", &len);

	if (strncmp(request, "GET ", 4) != 0 ||
	    !has_word(request, "Upgrade", "websocket") ||
	    !has_word(request, "Connection", "Upgrade") ||
	    !has_word(request, "Sec-WebSocket-Version", "13") ||
	    !key || len != KEY_LEN)
		return NULL;
	return key;
}

static int refuse(struct websocket *ws)
{
	buf_puts(&ws->out, "HTTP/1.1 400 Bad Request\r\n"
			   "Sec-WebSocket-Version: 13\r\n"
			   "Connection: close\r\nContent-Length: 0\r\n\r\n");
	websocket_flush(ws);
	return -EPROTO;
}

/* 4.2.2 */
static int answer(struct websocket *ws, const char *request)
{
	const char *key = key_of(request);
	char proof[VNC_ACCEPT_MAX];

	if (!key)
		return refuse(ws);
	vnc_crypto()->accept(key, KEY_LEN, proof);
	buf_puts(&ws->out, "HTTP/1.1 101 Switching Protocols\r\n"
			   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Accept: ");
	buf_puts(&ws->out, proof);
	if (has_word(request, "Sec-WebSocket-Protocol", "binary"))
		buf_puts(&ws->out, "\r\nSec-WebSocket-Protocol: binary");
	buf_puts(&ws->out, "\r\n\r\n");
	ws->open = true;
	return 0;
}

int websocket_shake(struct websocket *ws)
{
	char *end = memmem(ws->in, ws->in_len, "\r\n\r\n", 4);
	int r;

	while (!ws->open && !end) {
		ssize_t n = fill(ws);

		if (n <= 0)
			return n < 0 ? n : -ECONNRESET;
		end = memmem(ws->in, ws->in_len, "\r\n\r\n", 4);
	}
	if (!ws->open) {
		if (memchr(ws->in, '\0', end - ws->in))
			return -EPROTO;
		end[2] = '\0'; /* after the last line's end */
		r = answer(ws, ws->in);
		if (r < 0)
			return r;
		consume(ws, end + 4 - ws->in);
	}
	return 0; /* the answer goes out before anything else */
}

/* ---- receiving ---- */

static void unmask(struct websocket *ws, uint8_t *to, const char *from,
		   size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)from[i] ^ ws->mask[ws->mask_at++ % 4];
}

/* 5.5.  A peer that does not read gets no answers. */
static void control_frame(struct websocket *ws, unsigned int op,
			  const char *payload, size_t len)
{
	uint8_t data[CONTROL_MAX];

	ws->mask_at = 0;
	unmask(ws, data, payload, len);
	if (op == OP_CLOSE)
		ws->closed = true;
	if (op == OP_PONG || ws->out.len)
		return;
	put_frame(ws, op == OP_PING ? OP_PONG : OP_CLOSE, data,
		  op == OP_PING ? len : MIN(len, (size_t)2));
	websocket_flush(ws);
}

static uint64_t big_endian(const char *p, unsigned int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | (uint8_t)*p++;
	return v;
}

/* 5.2's header, if all of it is there; its length, 0, or an error. */
static int take_header(struct websocket *ws, unsigned int *ret_op,
		       uint64_t *ret_len)
{
	const uint8_t first = ws->in[0], second = ws->in_len > 1 ? ws->in[1] : 0;
	unsigned int len = second & 0x7f;
	unsigned int more = len == 126 ? 2 : len == 127 ? 8 : 0;
	unsigned int whole = 2 + more + sizeof(ws->mask);

	if (ws->in_len < 2 || ws->in_len < whole)
		return 0;
	if (first & RESERVED || !(second & MASKED))
		return -EPROTO;
	*ret_op = first & 0xf;
	*ret_len = more ? big_endian(ws->in + 2, more) : len;
	if (*ret_op >= OP_CONTROL ? len > CONTROL_MAX || !(first & FIN) :
				    *ret_op == OP_TEXT || *ret_op > OP_BINARY)
		return -EPROTO;
	memcpy(ws->mask, ws->in + 2 + more, sizeof(ws->mask));
	return whole;
}

/* One header, and a control frame's payload: 1 if it was there. */
static int take_frame(struct websocket *ws)
{
	unsigned int op;
	uint64_t len;
	int head = ws->in_len ? take_header(ws, &op, &len) : 0;

	if (head <= 0)
		return head;
	if (op < OP_CONTROL) {
		ws->left = len;
		ws->mask_at = 0;
		consume(ws, head);
		return 1;
	}
	if (ws->in_len < head + len)
		return 0;
	if (op > OP_PONG)
		return -EPROTO;
	control_frame(ws, op, ws->in + head, len);
	consume(ws, head + len);
	return 1;
}

ssize_t websocket_read(struct websocket *ws, void *to, size_t len)
{
	size_t n;

	while (!ws->left || !ws->in_len) {
		ssize_t r = ws->left ? 0 : take_frame(ws);

		if (ws->closed)
			return 0;
		if (r == 0)
			r = fill(ws);
		if (r <= 0)
			return r;
	}
	n = MIN(MIN(len, ws->in_len), ws->left);
	unmask(ws, to, ws->in, n);
	ws->left -= n;
	consume(ws, n);
	return n;
}

/* Perhaps not a whole frame: reading tells. */
bool websocket_pending(const struct websocket *ws)
{
	return ws->in_len;
}
