/*
 * tests/fuzz/tpm.c -- a hostile driver for both interfaces of a TPM, and a TPM
 * that answers it, sometimes with nonsense.
 *
 *	tpm [ROUNDS [SEED]]
 *
 * Nothing may crash or hang; a TPM that was not found to lie must answer an
 * honest driver after a reset.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/vmm/fake.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "tests/fuzz/random.h"
#include "vmm/bus.h"
#include "vmm/dev/tpm.h"
#include "vmm/loop.h"

/* ---- the TPM ---- */

struct peer {
	int control, data;
	bool lies;
	pthread_t thread;
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static bool take(int fd, void *to, size_t len)
{
	return recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

/* Enough of swtpm's control channel: the answers that say "done". */
static bool serve_control(struct peer *p)
{
	uint8_t request[16], answer[24] = { 0 }, blob[4096];
	size_t more = 0, len = 4;

	if (!take(p->control, request, 4))
		return false;
	switch (get32(request)) {
	case 2: /* init */
	case 17: /* buffer size */
		more = 4;
		len = request[3] == 17 ? 16 : 4;
		break;
	case 5: /* locality */
		more = 1;
		break;
	case 12: /* get a blob: one of eight bytes */
		more = 12;
		answer[11] = answer[15] = 8;
		len = 24;
		break;
	case 13: /* set a blob */
		more = 12;
		break;
	}
	if (more && !take(p->control, request + 4 - (more == 1) * 4, more))
		return false;
	if (len == 4 && more == 12) {
		uint32_t n = get32(request + 12);

		assert(n <= sizeof(blob));
		if (!take(p->control, blob, n))
			return false;
	}
	return send(p->control, answer, len, MSG_NOSIGNAL) > 0;
}

/* Echoes the command: a header is a header. */
static bool serve_data(struct peer *p)
{
	uint8_t data[8192];
	ssize_t n = recv(p->data, data, sizeof(data), 0);

	if (n <= 0)
		return false;
	if (p->lies)
		data[4 + n % 2] ^= 0x55;
	return send(p->data, data, n, MSG_NOSIGNAL) == n;
}

static void *serve(void *arg)
{
	struct peer *p = arg;
	struct pollfd fds[2] = { { p->control, POLLIN, 0 },
				 { p->data, POLLIN, 0 } };

	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents && !serve_data(p))
			break;
		if (!fds[1].revents && fds[0].revents && !serve_control(p))
			break;
	}
	close(p->control);
	close(p->data);
	return NULL;
}

/* ---- the driver ---- */

static void poke(struct machine *m, uint64_t offset, uint64_t value,
		 unsigned int size)
{
	bus_io(m->mmio, TPM_BASE + offset, &value, size, true);
}

static uint64_t peek(struct machine *m, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	bus_io(m->mmio, TPM_BASE + offset, &value, size, false);
	return value;
}

static void stop(void *loop)
{
	loop_quit(loop);
}

/* Lets the loop see what has come, before its timer. */
static void spin(struct fake *f)
{
	struct loop_timer *t;

	timer_create_on(f->loop, stop, f->loop, &t);
	timer_arm(t, now_ns() + 100000);
	loop_run(f->loop);
	timer_destroy(t);
}

static uint64_t register_offset(void)
{
	static const uint16_t known[] = { 0x00, 0x08, 0x0c, 0x18, 0x18, 0x18,
					  0x24, 0x24, 0x40, 0x40, 0x44, 0x4c,
					  0x4c, 0x80, 0x84, 0xf00 };
	uint64_t at = below(4) ? known[below(ARRAY_SIZE(known))] :
				 below(TPM_LOCALITY_SIZE);

	return below(3) ? at : at + below(TPM_LOCALITIES) * TPM_LOCALITY_SIZE;
}

static void hostile_step(struct fake *f)
{
	static const uint64_t values[] = { 0, 1, 2, 4, 8, 0x10, 0x20, 0x40,
					   0x80, ~0ull };
	unsigned int size = 1u << below(4);
	uint64_t at = register_offset();

	if (below(3))
		poke(f->m, at, below(4) ? values[below(10)] : rnd(), size);
	else
		peek(f->m, at, size);
	if (!below(16))
		spin(f);
}

static const uint8_t command[12] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b };

static void send_fifo(struct fake *f)
{
	poke(f->m, 0x18, 0x40, 1);
	poke(f->m, 0x18, 0x40, 1);
	for (unsigned int i = 0; i < sizeof(command); i++)
		poke(f->m, 0x24, command[i], 1);
	poke(f->m, 0x18, 0x20, 1);
}

static void honest_fifo(struct fake *f)
{
	poke(f->m, 0, 2, 1);
	assert(peek(f->m, 0, 1) & 0x20);
	send_fifo(f);
	while (!(peek(f->m, 0x18, 1) & 0x10))
		spin(f);
	for (unsigned int i = 0; i < sizeof(command); i++)
		assert(peek(f->m, 0x24, 1) == command[i]);
	assert(!(peek(f->m, 0x18, 1) & 0x10));
}

static void honest_crb(struct fake *f)
{
	poke(f->m, 0x08, 1, 4);
	poke(f->m, 0x40, 1, 4);
	for (unsigned int i = 0; i < sizeof(command); i++)
		poke(f->m, 0x80 + i, command[i], 1);
	poke(f->m, 0x4c, 1, 4);
	while (peek(f->m, 0x4c, 4))
		spin(f);
	assert(!(peek(f->m, 0x44, 4) & 1));
	for (unsigned int i = 0; i < sizeof(command); i++)
		assert(peek(f->m, 0x80 + i, 1) == command[i]);
}

/* Saved in the middle of it, and back. */
static void save(struct fake *f)
{
	struct error err = { 0 };
	struct buf b = { 0 };

	machine_pause(f->m);
	assert(machine_get_state(f->m, &b, &err) == 0);
	assert(machine_set_state(f->m, b.data, b.len, &err) == 0);
	assert(machine_run(f->m) == 0);
	buf_free(&b);
}

static void count(void *n)
{
	++*(unsigned int *)n;
}

static void reset(struct fake *f)
{
	static const struct machine_listener listener = { .reset = count };
	static unsigned int resets;

	resets = 0;
	machine_listen(f->m, &listener, &resets);
	machine_request_reset(f->m);
	while (!resets)
		spin(f);
}

static void one_round(enum spec_tpm kind, bool lies)
{
	struct peer p = { .lies = lies };
	int control[2], data[2];
	struct fake f;

	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, control));
	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, data));
	p.control = control[0];
	p.data = data[0];
	pthread_create(&p.thread, NULL, serve, &p);
	fake_init(&f);
	f.spec.on_reboot = SPEC_RESTART;
	f.spec.tpm = kind;
	f.spec.tpm_control_fd = control[1];
	f.spec.tpm_data_fd = data[1];
	fake_start(&f);
	assert(machine_run(f.m) == 0);
	for (unsigned int i = 0; i < 400; i++)
		hostile_step(&f);
	if (!lies) {
		save(&f);
		reset(&f);
		if (kind == TPM_CRB)
			honest_crb(&f);
		else
			honest_fifo(&f);
	}
	fake_finish(&f);
	pthread_join(p.thread, NULL);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 60;

	random_arg(argc, argv, 2);
	for (unsigned int i = 0; i < rounds; i++)
		one_round(i % 2 ? TPM_CRB : TPM_TIS, i % 3 == 2);
	printf("%u rounds\n", rounds);
	return 0;
}
