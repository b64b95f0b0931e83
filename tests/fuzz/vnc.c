/*
 * tests/fuzz/vnc.c -- a hostile VNC client.
 *
 *	vnc [ROUNDS [SEED]]
 *
 * Sends what a client would, damaged, and noise.  Nothing may crash or hang;
 * afterwards a well-behaved client must get its picture.
 */
#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/dev/vga.h"
#include "vmm/vnc/vnc.h"

static struct fake f;

static void add_noise(struct buf *b, size_t n)
{
	while (n--) {
		uint8_t v = chance(50) ? rnd() : rnd() & 3;

		buf_add(b, &v, 1);
	}
}

/* The shape of each message: its type and the bytes that follow. */
static void add_message(struct buf *b)
{
	static const uint8_t format[] = { 0, 0,	  0, 0,	  32, 24, 0, 1, 0, 255,
					  0, 255, 0, 255, 16, 8,  0, 0, 0, 0 };
	static const uint8_t encodings[] = { 2, 0, 0, 3,    0,	  0,    0, 16,
					     0, 0, 0, 5, 0xff, 0xff, 0xfe, 0xcc };
	static const uint8_t request[] = { 3, 0, 0, 0, 0, 0, 255, 255, 255,
					   255 };
	static const uint8_t lengths[] = { 8, 6, 8, 24, 12 };
	static const uint8_t types[] = { 4, 5, 6, 251, 255 };
	unsigned int i = rnd() % 8;
	size_t at = b->len;

	if (i == 5)
		buf_add(b, format, sizeof(format));
	else if (i == 6)
		buf_add(b, encodings, sizeof(encodings));
	else if (i == 7)
		buf_add(b, request, sizeof(request));
	else {
		buf_add(b, &types[i], 1);
		add_noise(b, lengths[i] - 1);
		if (types[i] == 6) /* a short text */
			memset(b->data + at + 4, 0, 3);
	}
	if (chance(10))
		b->data[at + rnd() % (b->len - at)] = (char)rnd();
}

/* As soon as the server has room for another. */
static int connect_client(void)
{
	bool trusted = chance(10);
	int sv[2], r;

	for (;;) {
		assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
		r = machine_vnc_client(f.m, 0, sv[1], trusted);
		if (r == 0)
			return sv[0];
		assert(r == -EBUSY);
		close(sv[0]);
		usleep(1000);
	}
}

static void drain(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char trash[65536];

	while (poll(&p, 1, ms) > 0 && recv(fd, trash, sizeof(trash), 0) > 0)
		;
}

static void hostile(void)
{
	struct buf b = { 0 };
	int fd = connect_client();

	if (chance(90))
		buf_puts(&b, chance(70) ? "RFB 003.008\n" : "RFB 003.003\n");
	if (chance(95))
		buf_add(&b, "\1\1", 2);
	for (unsigned int n = rnd() % 40; n; n--)
		add_message(&b);
	if (chance(20))
		add_noise(&b, rnd() % 200);
	if (b.len)
		send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (chance(30))
		drain(fd, 2);
	close(fd);
	buf_free(&b);
}

/* Says something, and waits for so much of an answer; false: let go. */
static bool talk(int fd, const void *say, size_t len, size_t n,
		 const void *want)
{
	uint8_t got[64];

	assert(n <= sizeof(got));
	if (len)
		send(fd, say, len, MSG_NOSIGNAL);
	if (recv(fd, got, n, MSG_WAITALL) != (ssize_t)n)
		return false;
	assert(!want || memcmp(got, want, n) == 0);
	return true;
}

static bool session(int fd)
{
	static const uint8_t request[] = { 3, 0, 0, 0, 0, 0, 255, 255, 255,
					   255 };

	return talk(fd, NULL, 0, 12, "RFB 003.008\n") &&
	       talk(fd, "RFB 003.008\n", 12, 2, "\1\1") &&
	       talk(fd, "\1", 1, 4, "\0\0\0\0") &&
	       talk(fd, "\1", 1, 24 + 4, NULL) &&
	       talk(fd, request, sizeof(request), 1, "\0");
}

/*
 * As long as the server has not let all the others go, it may have no place,
 * or one of them may still ask to be alone.
 */
static void well_behaved(void)
{
	bool ok;

	do {
		int fd = connect_client();

		ok = session(fd);
		close(fd);
		if (!ok)
			usleep(1000);
	} while (!ok);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 300;

	random_arg(argc, argv, 2);
	fake_init(&f);
	f.spec.videos = xcalloc(1, sizeof(*f.spec.videos));
	f.spec.n_videos = 1;
	f.spec.videos[0] = (struct spec_video){ .id = xstrdup("video0"),
						.kind = VIDEO_VGA,
						.vram = MIB,
						.rom_fd = -1 };
	f.spec.vncs = xcalloc(1, sizeof(*f.spec.vncs));
	f.spec.n_vncs = 1;
	f.spec.vncs[0].certificate_fd = f.spec.vncs[0].key_fd = -1;
	f.spec.vncs[0].authority_fd = -1;
	fake_start(&f);
	while (rounds--) {
		alarm(900); /* a round that waits for ever has failed */
		hostile();
		if (rounds % 50 == 0)
			well_behaved();
	}
	fake_finish(&f);
	return 0;
}
