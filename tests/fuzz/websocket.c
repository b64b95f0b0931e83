/*
 * tests/fuzz/websocket.c -- a hostile browser: requests and frames of a
 * websocket (vmm/vnc/websocket.c), damaged, cut anywhere, and noise.
 *
 *	websocket [ROUNDS [SEED]]
 *
 * Nothing may crash or hang; what a well-behaved one says arrives as it is.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/vnc/crypto.h"
#include "vmm/vnc/websocket.h"

struct wire {
	struct buf in;
	size_t at;
};

/* In pieces, as a network would have it. */
static ssize_t wire_read(void *arg, void *to, size_t len)
{
	struct wire *w = arg;
	size_t part = 1 + rnd() % 700;
	size_t n = MIN(MIN(len, part), w->in.len - w->at);

	if (chance(20))
		return -EAGAIN;
	if (!n)
		return 0;
	memcpy(to, w->in.data + w->at, n);
	w->at += n;
	return n;
}

static ssize_t wire_write(void *arg, const void *from, size_t len)
{
	return chance(20) ? -EAGAIN : (ssize_t)(1 + rnd() % len);
}

static const struct websocket_ops ops = { wire_read, wire_write };

static void add_request(struct buf *b)
{
	buf_puts(b, "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
		    "Connection: keep-alive, Upgrade\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		    "Sec-WebSocket-Protocol: chat, binary\r\n"
		    "Sec-WebSocket-Version: 13\r\n\r\n");
}

/* RFC 6455, 5.2; the payload goes to said, too, if it is data. */
static void add_frame(struct buf *b, unsigned int op, size_t len,
		      struct buf *said)
{
	uint8_t head[4] = { 0x80 | op, 0x80 | len };
	uint8_t mask[4] = { rnd(), rnd(), rnd(), rnd() };

	if (len > 125) {
		head[1] = 0x80 | 126;
		head[2] = len >> 8;
		head[3] = len;
	}
	buf_add(b, head, len > 125 ? 4 : 2);
	buf_add(b, mask, sizeof(mask));
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = rnd(), masked = byte ^ mask[i % 4];

		buf_add(b, &masked, 1);
		if (op < 8)
			buf_add(said, &byte, 1);
	}
}

static void add_frames(struct buf *b, struct buf *said)
{
	for (unsigned int n = rnd() % 12; n; n--) {
		if (chance(30))
			add_frame(b, chance(50) ? 9 : 10, rnd() % 126, said);
		else
			add_frame(b, 2, chance(80) ? rnd() % 200 :
						     rnd() % 20000, said);
	}
}

static void damage(struct buf *b)
{
	for (unsigned int n = 1 + rnd() % 4; n; n--)
		b->data[rnd() % b->len] = (char)rnd();
	if (chance(30))
		b->len = 1 + rnd() % b->len;
}

/* All of it until it ends; what arrived. */
static void listen_to(struct wire *w, struct buf *heard)
{
	struct websocket *ws = websocket_create(&ops, w);
	char data[3000];
	ssize_t n;

	do
		n = websocket_shake(ws);
	while (n == -EAGAIN);
	while (n >= 0 || n == -EAGAIN) {
		n = websocket_read(ws, data, 1 + rnd() % sizeof(data));
		if (n == 0)
			break;
		if (n > 0)
			buf_add(heard, data, n);
		if (chance(5))
			websocket_write(ws, data, 1 + rnd() % 10);
		websocket_pending(ws);
		websocket_writes(ws);
	}
	websocket_destroy(ws);
}

static void run(void)
{
	struct wire w = { 0 };
	struct buf said = { 0 }, heard = { 0 };
	bool good = chance(30);

	add_request(&w.in);
	add_frames(&w.in, &said);
	if (!good)
		damage(&w.in);
	listen_to(&w, &heard);
	if (good) {
		assert(heard.len == said.len);
		assert(!said.len || !memcmp(heard.data, said.data, said.len));
	}
	buf_free(&w.in);
	buf_free(&said);
	buf_free(&heard);
}

/* RFC 6455, 1.3. */
static void test_accept(void)
{
	char proof[VNC_ACCEPT_MAX];

	vnc_crypto()->accept("dGhlIHNhbXBsZSBub25jZQ==", 24, proof);
	assert(str_eq(proof, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

/* The FIPS 46-3 example, with the bits of each byte the other way round. */
static void test_answer(void)
{
	static const char key[VNC_PASSWORD_MAX] = {
		(char)0xc8, 0x2c, (char)0xea, (char)0x9e,
		(char)0xd9, 0x3d, (char)0xfb, (char)0x8f
	};
	static const uint8_t in[VNC_CHALLENGE] = { 0x01, 0x23, 0x45, 0x67,
						   0x89, 0xab, 0xcd, 0xef };
	static const uint8_t want[] = { 0x85, 0xe8, 0x13, 0x54,
					0x0f, 0x0a, 0xb4, 0x05 };
	uint8_t out[VNC_CHALLENGE];

	vnc_crypto()->answer(key, in, out);
	assert(memcmp(out, want, sizeof(want)) == 0);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 3000;
	struct error err = { 0 };

	random_arg(argc, argv, 2);
	if (vnc_crypto_load("vmm/.libs/vnc-crypto.so", &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	test_accept();
	test_answer();
	while (rounds--)
		run();
	return 0;
}
