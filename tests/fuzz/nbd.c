/*
 * tests/fuzz/nbd.c -- a hostile client of the NBD server.
 *
 *	nbd [ROUNDS [SEED]]
 *
 * Sends what a client would, damaged, and noise.  Nothing may crash or hang,
 * and no answer may be asked of an export that is out of its range; between
 * them a well-behaved client must get what is there.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/util.h"
#include "storage/format/endian.h"
#include "tests/fuzz/random.h"
#include "vmm/nbd/nbd.h"

enum { SIZE = 3 << 20, UNIT = 4096 };

/* Every third unit is zeroes. */
static bool is_zero(uint64_t offset)
{
	return offset / UNIT % 3 == 0;
}

static int read_it(void *arg, void *buf, uint64_t offset, uint32_t length)
{
	uint8_t *p = buf;

	assert(length && offset <= SIZE && length <= SIZE - offset);
	for (uint32_t i = 0; i < length; i++)
		p[i] = is_zero(offset + i) ? 0 : 1 + (offset + i) % 251;
	return 0;
}

static int extent_of(void *arg, unsigned int context, uint64_t offset,
		     uint64_t length, struct nbd_extent *ret)
{
	assert(length && offset <= SIZE && length <= SIZE - offset);
	assert(context < 2);
	ret->length = MIN(UNIT - offset % UNIT, length);
	ret->flags = context	     ? offset / UNIT % 2 :
		     is_zero(offset) ? NBD_ZERO | NBD_HOLE :
				       0;
	return 0;
}

static const struct nbd_export list[] = {
	{ "vda", SIZE, 2, { "base:allocation", "qemu:dirty-bitmap:b" },
	  read_it, extent_of, NULL },
	{ "vdb", SIZE, 1, { "base:allocation" }, read_it, extent_of, NULL },
};
static const struct nbd_exports exports = { 2, list };

static void *serve(void *arg)
{
	int *fd = arg;

	nbd_talk(*fd, &exports);
	close(*fd);
	return NULL;
}

struct session {
	int fd, theirs;
	pthread_t thread;
};

static void open_session(struct session *s)
{
	int sv[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	s->fd = sv[0];
	s->theirs = sv[1];
	assert(pthread_create(&s->thread, NULL, serve, &s->theirs) == 0);
}

static void close_session(struct session *s)
{
	close(s->fd);
	pthread_join(s->thread, NULL);
}

/* ---- what clients say ---- */

static void add_u16(struct buf *b, uint16_t v)
{
	uint8_t p[2];

	put_be16(p, v);
	buf_add(b, p, sizeof(p));
}

static void add_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	put_be32(p, v);
	buf_add(b, p, sizeof(p));
}

static void add_u64(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	put_be64(p, v);
	buf_add(b, p, sizeof(p));
}

static void add_text(struct buf *b, const char *s)
{
	add_u32(b, strlen(s));
	buf_puts(b, s);
}

static void add_option(struct buf *b, uint32_t option, const struct buf *data)
{
	buf_puts(b, "IHAVEOPT");
	add_u32(b, option);
	add_u32(b, data ? data->len : 0);
	if (data && data->len)
		buf_add(b, data->data, data->len);
}

static void add_go(struct buf *b, uint32_t option, const char *name)
{
	struct buf data = { 0 };

	add_text(&data, name);
	add_u16(&data, 1);
	add_u16(&data, 3);
	add_option(b, option, &data);
	buf_free(&data);
}

static void add_contexts(struct buf *b, uint32_t option, const char *name,
			 unsigned int n)
{
	static const char *const queries[] = { "base:allocation",
					       "qemu:dirty-bitmap:b", "base:",
					       "qemu:", "" };
	struct buf data = { 0 };

	add_text(&data, name);
	add_u32(&data, n);
	for (unsigned int i = 0; i < n; i++)
		add_text(&data, queries[i % ARRAY_SIZE(queries)]);
	add_option(b, option, &data);
	buf_free(&data);
}

static void add_request(struct buf *b, uint16_t flags, uint16_t type,
			uint64_t offset, uint32_t length)
{
	add_u32(b, 0x25609513);
	add_u16(b, flags);
	add_u16(b, type);
	add_u64(b, 0x1122334455667788ull);
	add_u64(b, offset);
	add_u32(b, length);
}

static uint64_t some_number(uint64_t usual)
{
	static const uint64_t odd[] = { 0, 1, SIZE - 1, SIZE, SIZE + 1,
					UINT32_MAX, UINT64_MAX, 1ull << 63 };

	return chance(70) ? below(usual) : odd[below(ARRAY_SIZE(odd))];
}

static void add_some_option(struct buf *b)
{
	static const char *const names[] = { "vda", "vdb", "", "nobody" };
	const char *name = names[below(ARRAY_SIZE(names))];
	uint32_t option = 1 + below(12);

	if (option == 6 || option == 7)
		add_go(b, option, name);
	else if (option == 9 || option == 10)
		add_contexts(b, option, name, below(6));
	else
		add_option(b, option, NULL);
}

static void damage(struct buf *b)
{
	for (unsigned int n = below(4); n && b->len; n--)
		b->data[below(b->len)] = (char)rnd();
}

static void make_session(struct buf *b)
{
	add_u32(b, chance(90) ? 1 + 2 * below(2) : rnd());
	for (unsigned int n = below(5); n; n--)
		add_some_option(b);
	if (chance(80))
		add_option(b, 8, NULL);
	if (chance(80))
		add_contexts(b, 10, "vda", 1 + below(2));
	add_go(b, 7, "vda");
	for (unsigned int n = below(8); n; n--)
		add_request(b, chance(80) ? 0 : rnd(), below(9),
			    some_number(SIZE), some_number(65536));
}

static void hostile(void)
{
	struct buf b = { 0 };
	struct session s;
	char trash[65536];

	open_session(&s);
	make_session(&b);
	if (chance(70))
		damage(&b);
	send(s.fd, b.data, b.len, MSG_NOSIGNAL);
	if (chance(80)) {
		shutdown(s.fd, SHUT_WR);
		while (recv(s.fd, trash, sizeof(trash), 0) > 0)
			;
	}
	close_session(&s);
	buf_free(&b);
}

/* ---- one that behaves ---- */

static void expect(struct session *s, void *buf, size_t n)
{
	assert(recv(s->fd, buf, n, MSG_WAITALL) == (ssize_t)n);
}

static uint32_t expect_reply(struct session *s, uint32_t option)
{
	uint8_t head[20], data[8192];

	expect(s, head, sizeof(head));
	assert(get_be64(head) == 0x0003e889045565a9ull);
	assert(get_be32(head + 8) == option);
	assert(get_be32(head + 16) <= sizeof(data));
	if (get_be32(head + 16))
		expect(s, data, get_be32(head + 16));
	return get_be32(head + 12);
}

/* One structured reply's chunks: data into buf, extents counted. */
static unsigned int collect(struct session *s, uint8_t *buf, uint64_t offset)
{
	unsigned int extents = 0;
	static uint8_t data[2 << 20];
	uint8_t head[20];

	do {
		uint32_t n;

		expect(s, head, sizeof(head));
		n = get_be32(head + 16);
		assert(get_be32(head) == 0x668e33ef && n <= sizeof(data));
		if (n)
			expect(s, data, n);
		if (get_be16(head + 6) == 1)
			memcpy(buf + get_be64(data) - offset, data + 8, n - 8);
		else if (get_be16(head + 6) == 2)
			memset(buf + get_be64(data) - offset, 0,
			       get_be32(data + 8));
		else if (get_be16(head + 6) == 5)
			extents += (n - 4) / 8;
		else
			assert(get_be16(head + 6) == 0);
	} while (!(get_be16(head + 4) & 1));
	return extents;
}

static void say(struct session *s, struct buf *b)
{
	assert(send(s->fd, b->data, b->len, MSG_NOSIGNAL) == (ssize_t)b->len);
	b->len = 0;
}

static void behaved(void)
{
	_cleanup_free_ uint8_t *got = xmalloc(SIZE), *want = xmalloc(SIZE);
	uint64_t offset = below(SIZE - UNIT);
	uint32_t length = 1 + below(SIZE - offset);
	struct buf b = { 0 };
	struct session s;
	uint8_t hello[18];

	open_session(&s);
	expect(&s, hello, sizeof(hello));
	add_u32(&b, 3);
	add_option(&b, 8, NULL);
	add_contexts(&b, 10, "vda", 2);
	add_go(&b, 7, "vda");
	add_request(&b, 0, 0, offset, length);
	add_request(&b, 0, 7, 0, 12 * UNIT);
	add_request(&b, 8, 7, 0, SIZE);
	add_request(&b, 0, 2, 0, 0);
	say(&s, &b);
	assert(expect_reply(&s, 8) == 1);
	assert(expect_reply(&s, 10) == 4 && expect_reply(&s, 10) == 4 &&
	       expect_reply(&s, 10) == 1);
	assert(expect_reply(&s, 7) == 3 && expect_reply(&s, 7) == 3 &&
	       expect_reply(&s, 7) == 1);
	collect(&s, got, offset);
	read_it(NULL, want, offset, length);
	assert(!memcmp(got, want, length));
	assert(collect(&s, NULL, 0) == 8 + 12); /* zeroes, data, zeroes, ... */
	assert(collect(&s, NULL, 0) == 2);
	close_session(&s);
	buf_free(&b);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 400;

	random_arg(argc, argv, 2);
	while (rounds--) {
		hostile();
		if (rounds % 50 == 0)
			behaved();
	}
	return 0;
}
