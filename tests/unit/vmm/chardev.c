/*
 * tests/unit/vmm/chardev.c -- a pty whose slave comes and goes (a real one):
 * what is written by somebody who closes at once still reaches the device.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>

#include "base/error.h"
#include "vmm/chardev.h"
#include "vmm/loop.h"
#include "vmm/spec.h"

struct sink {
	struct loop *loop;
	char got[64];
	size_t len, want;
};

static size_t on_input(void *arg, const uint8_t *data, size_t len)
{
	struct sink *s = arg;

	assert(s->len + len < sizeof(s->got));
	memcpy(s->got + s->len, data, len);
	s->len += len;
	if (s->len >= s->want)
		loop_quit(s->loop);
	return len;
}

static const struct chardev_ops ops = { .input = on_input };

/* As echo TEXT > /dev/pts/N does it. */
static void say(const char *slave, const char *text)
{
	int fd = open(slave, O_WRONLY | O_NOCTTY);
	struct termios raw;

	assert(fd >= 0 && tcgetattr(fd, &raw) == 0);
	cfmakeraw(&raw);
	assert(tcsetattr(fd, TCSANOW, &raw) == 0);
	assert(write_full(fd, text, strlen(text)) == 0);
	close(fd);
}

int main(void)
{
	struct spec_char spec = { .kind = CHARDEV_FD, .log_fd = -1 };
	struct sink sink = { .want = 4 };
	struct error err = { 0 };
	struct chardev *chr;
	char slave[64];

	alarm(300); /* a hang is a failure */
	spec.fd = posix_openpt(O_RDWR | O_NOCTTY);
	assert(spec.fd >= 0 && grantpt(spec.fd) == 0 &&
	       unlockpt(spec.fd) == 0);
	assert(ptsname_r(spec.fd, slave, sizeof(slave)) == 0);
	say(slave, "one\n"); /* the first open: from now on it hangs up */
	assert(loop_create(&sink.loop, &err) == 0);
	assert(chardev_create(sink.loop, &spec, &ops, &sink, &chr, &err) == 0);
	assert(loop_run(sink.loop) == 0);
	say(slave, "three\n");
	sink.want = 10;
	assert(loop_run(sink.loop) == 0);
	assert(memcmp(sink.got, "one\nthree\n", 10) == 0);
	chardev_destroy(chr);
	loop_destroy(sink.loop);
	return 0;
}
