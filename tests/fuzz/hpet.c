/*
 * tests/fuzz/hpet.c -- a hostile driver of the event timers, and an honest one.
 *
 *	hpet [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, and after a reset a timer must interrupt once, or
 * again and again.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/vmm/fake.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "tests/fuzz/random.h"
#include "vmm/bus.h"
#include "vmm/dev/hpet.h"
#include "vmm/loop.h"

static struct fake f;

static void poke(unsigned int reg, uint64_t value, unsigned int size)
{
	bus_io(f.m->mmio, HPET_BASE + reg, &value, size, true);
}

static uint64_t peek(unsigned int reg, unsigned int size)
{
	uint64_t value = 0;

	bus_io(f.m->mmio, HPET_BASE + reg, &value, size, false);
	return value;
}

static void stop(void *loop)
{
	loop_quit(loop);
}

static void spin(void)
{
	struct loop_timer *t;

	timer_create_on(f.loop, stop, f.loop, &t);
	timer_arm(t, now_ns() + 50000);
	loop_run(f.loop);
	timer_destroy(t);
}

static uint64_t some_value(void)
{
	switch (below(4)) {
	case 0:
		return peek(0xf0, 8) + below(20000); /* soon */
	case 1:
		return below(0x10000);
	case 2:
		return below(2) ? ~0ull : 0;
	default:
		return rnd();
	}
}

static void hostile_step(void)
{
	static const uint16_t known[] = { 0x10, 0x20, 0xf0, 0x100, 0x108,
					  0x110, 0x120, 0x128, 0x140, 0x148 };
	unsigned int reg = chance(90) ? known[below(ARRAY_SIZE(known))] :
					below(HPET_SIZE);

	if (chance(70))
		poke(reg + (chance(20) ? 4 : 0), some_value(), 1u << below(4));
	else
		peek(reg, 1u << below(4));
	if (chance(5))
		spin();
}

static void save(void)
{
	struct error err = { 0 };
	struct buf b = { 0 };

	machine_pause(f.m);
	assert(machine_get_state(f.m, &b, &err) == 0);
	assert(machine_set_state(f.m, b.data, b.len, &err) == 0);
	assert(machine_run(f.m) == 0);
	buf_free(&b);
}

static void expect_messages(unsigned int more)
{
	unsigned int want = fake_msis(f.m, NULL) + more;

	while (fake_msis(f.m, NULL) < want)
		spin();
}

/* Timer 1 by messages, once and then every 2000 ticks. */
static void honest(void)
{
	struct fake_msi last;

	poke(0x130, 0xfee0000000000041, 8);
	poke(0x128, 1000, 8);
	poke(0x120, 0x4004, 8);
	poke(0xf0, 0, 8);
	poke(0x10, 1, 8);
	expect_messages(1);
	fake_msis(f.m, &last);
	assert(last.addr == 0xfee00000 && last.data == 0x41);
	poke(0x10, 0, 8); /* stands, lest it pass what is written */
	poke(0x120, 0x404c, 8); /* periodic; the accumulator is set */
	poke(0x128, peek(0xf0, 8) + 2000, 8);
	poke(0x128, 2000, 8);
	poke(0x10, 1, 8);
	expect_messages(3);
	poke(0x120, 0, 8);
}

static void reset(void)
{
	machine_request_reset(f.m);
	while (peek(0x10, 8) || peek(0xf0, 8) ||
	       peek(0x108, 8) != UINT64_MAX)
		spin();
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 40;

	random_arg(argc, argv, 2);
	fake_init(&f);
	f.spec.on_reboot = SPEC_RESTART;
	f.spec.hpet = true;
	fake_start(&f);
	assert(machine_run(f.m) == 0);
	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int k = 0; k < 300; k++)
			hostile_step();
		save();
		reset();
		honest();
		reset();
	}
	fake_finish(&f);
	printf("%u rounds\n", rounds);
	return 0;
}
