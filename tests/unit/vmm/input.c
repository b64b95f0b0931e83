/*
 * tests/unit/vmm/input.c -- keyboard controller, keyboard and mouse, as
 * drivers talk to them (IBM PS/2 Hardware Interface Technical Reference).
 */
#include "tests/unit/vmm/fake.h"

#include <linux/input-event-codes.h>

#include "base/keycodes.h"
#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/input.h"
#include "vmm/loop.h"

enum { DATA = 0x60, COMMAND = 0x64, OBF = 1, AUX = 0x20 };

static struct fake f;

static uint8_t expect_byte(uint8_t from)
{
	uint8_t status = port_in(f.m, COMMAND);

	assert(status & OBF);
	assert((status & AUX) == from);
	return port_in(f.m, DATA);
}

static void expect(uint8_t from, const char *hex)
{
	for (; *hex; hex += hex[2] ? 3 : 2) {
		unsigned int want;

		assert(sscanf(hex, "%2x", &want) == 1);
		assert(expect_byte(from) == want);
	}
	assert(!(port_in(f.m, COMMAND) & OBF));
}

static void command(uint8_t cmd)
{
	port_out(f.m, COMMAND, cmd);
}

static void to_kbd(uint8_t byte, const char *answer)
{
	port_out(f.m, DATA, byte);
	expect(0, answer);
}

static void to_mouse(uint8_t byte, const char *answer)
{
	command(0xd4);
	port_out(f.m, DATA, byte);
	expect(AUX, answer);
}

static void set_command_byte(uint8_t value)
{
	command(0x60);
	port_out(f.m, DATA, value);
}

static void press(unsigned int code)
{
	input_key(f.m->input, code, true);
	input_key(f.m->input, code, false);
}

static void test_controller(void)
{
	command(0xaa);
	expect(0, "55");
	command(0xab);
	expect(0, "00");
	command(0xa9);
	expect(0, "00");
	set_command_byte(0x45);
	command(0x20);
	expect(0, "45");
	command(0xd3);
	port_out(f.m, DATA, 0xa5);
	expect(AUX, "a5");
	command(0xd0);
	assert(expect_byte(0) & 2); /* address line 20 */
	command(0xdd);
	command(0xd0);
	assert(!(expect_byte(0) & 2));
	command(0xdf);
}

static void test_keyboard(void)
{
	set_command_byte(0x05); /* no translation */
	to_kbd(0xff, "fa aa");
	to_kbd(0xee, "ee");
	to_kbd(0xf2, "fa ab 83");
	to_kbd(0xf0, "fa");
	to_kbd(0x00, "fa 02");
	to_kbd(0xed, "fa");
	to_kbd(0x07, "fa");
	to_kbd(0xe0, "fe"); /* no such command */
	press(KEY_A);
	expect(0, "1c f0 1c");
	press(KEY_RIGHTCTRL);
	expect(0, "e0 14 e0 f0 14");
	press(KEY_F7);
	expect(0, "83 f0 83");
	press(KEY_PAUSE);
	expect(0, "e1 14 77 e1 f0 14 f0 77");
	press(KEY_SYSRQ);
	expect(0, "e0 12 e0 7c e0 f0 7c e0 f0 12");
	to_kbd(0xf0, "fa");
	to_kbd(0x01, "fa");
	press(KEY_DOWN);
	expect(0, "e0 50 e0 d0");
	to_kbd(0xf0, "fa");
	to_kbd(0x03, "fa");
	press(KEY_F1);
	expect(0, "07 f0 07");
	to_kbd(0xf6, "fa");

	set_command_byte(0x45);
	press(KEY_A);
	expect(0, "1e 9e");
	press(KEY_PAUSE);
	expect(0, "e1 1d 45 e1 9d c5");
	press(KEY_F7);
	expect(0, "41 c1");

	/* Disabled, keys wait; a full queue loses keys, not halves of them. */
	command(0xad);
	for (unsigned int i = 0; i < 1000; i++)
		press(KEY_RIGHTCTRL);
	assert(!(port_in(f.m, COMMAND) & OBF));
	command(0xae);
	while (port_in(f.m, COMMAND) & OBF) {
		assert(expect_byte(0) == 0xe0);
		assert((expect_byte(0) & 0x7f) == 0x1d);
	}
}

static void move(int dx, int dy, int wheel, unsigned int buttons)
{
	input_pointer(f.m->input, &(struct input_pointer){
					  .dx = dx,
					  .dy = dy,
					  .wheel = wheel,
					  .buttons = buttons,
				  });
}

static void test_mouse(void)
{
	set_command_byte(0x47);
	to_mouse(0xff, "fa aa 00");
	to_mouse(0xf2, "fa 00");
	move(5, 5, 0, 0); /* not enabled: nothing */
	assert(!(port_in(f.m, COMMAND) & OBF));
	to_mouse(0xf6, "fa");
	to_mouse(0xf4, "fa");
	move(5, 6, 0, 0);
	expect(AUX, "28 05 fa");
	move(-300, 0, 0, INPUT_LEFT);
	expect(AUX, "19 01 00 19 d3 00");
	to_mouse(0xe9, "fa 24 02 64");
	move(0, 0, 0, 0);
	expect(AUX, "08 00 00");

	/* IntelliMouse, then with five buttons. */
	for (unsigned int second = 100; second <= 200; second += 100) {
		const uint8_t rates[] = { 200, second, 80 };

		for (unsigned int i = 0; i < 3; i++) {
			to_mouse(0xf3, "fa");
			to_mouse(rates[i], "fa");
		}
		to_mouse(0xf2, second == 100 ? "fa 03" : "fa 04");
	}
	move(0, 0, 1, INPUT_SIDE);
	expect(AUX, "08 00 00 1f");
}

static void test_lines(void)
{
	unsigned int msis;

	/* Pin 1, edge, vector 0x31. */
	mmio_out(f.m, IOAPIC_BASE, 0x10 + 2);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x31);
	to_kbd(0xff, "fa aa");
	set_command_byte(0x45);
	msis = fake_msis(f.m, NULL);
	press(KEY_B);
	assert(fake_msis(f.m, NULL) == msis + 1);
	expect(0, "30 b0"); /* the second byte is an interrupt of its own */
	assert(fake_msis(f.m, NULL) == msis + 2);
}

static void test_keycodes(void)
{
	static const struct {
		enum key_set set;
		int code;
	} right_ctrl[] = {
		{ KEY_SET_LINUX, 97 },	   { KEY_SET_1, 0xe01d },
		{ KEY_SET_2, 0xe014 },	   { KEY_SET_3, 0x58 },
		{ KEY_SET_MACOS, 0x3e },   { KEY_SET_XFREE86, 0x65 },
		{ KEY_SET_USB, 0xe4 },	   { KEY_SET_WIN32, 0xa3 },
		{ KEY_SET_QNUM, 0x9d },
	};

	for (size_t i = 0; i < ARRAY_SIZE(right_ctrl); i++) {
		assert(key_to_linux(right_ctrl[i].set, right_ctrl[i].code) ==
		       KEY_RIGHTCTRL);
		assert(key_from_linux(right_ctrl[i].set, KEY_RIGHTCTRL) ==
		       right_ctrl[i].code);
	}
	/* Every key comes back from every set that has it. */
	for (int key = 1; key <= KEY_CODE_MAX; key++)
		for (int set = KEY_SET_LINUX; set <= KEY_SET_QNUM; set++) {
			int code = key_from_linux(set, key);

			if (code >= 0)
				assert(key_to_linux(set, code) == key);
		}
	assert(key_to_linux(KEY_SET_USB, 0xffff) == -1);
	assert(key_from_linux(KEY_SET_1, 250) == -1);
}

static void stop(void *arg)
{
	loop_quit(arg);
}

static void test_send(void)
{
	const unsigned int keys[] = { KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE };
	struct loop_timer *t;

	to_kbd(0xff, "fa aa");
	set_command_byte(0x45);
	input_send_keys(f.m->input, keys, 3, 1);
	expect(0, "1d 38 e0 53");
	timer_create_on(f.loop, stop, f.loop, &t);
	timer_arm(t, now_ns() + 20000000);
	loop_run(f.loop);
	timer_destroy(t);
	expect(0, "e0 d3 b8 9d");
}

/* Anything may be written; a reset makes it work again. */
static void test_noise(void)
{
	for (unsigned int i = 0; i < 500000; i++) {
		uint64_t x = rnd();

		if (x & 0x100 && (x & 0xf0) != 0xf0)
			port_out(f.m, COMMAND, x);
		else
			port_out(f.m, DATA, x);
		if (x & 0x200)
			port_in(f.m, DATA);
		if (x & 0x400)
			input_key(f.m->input, x >> 16 & 0xff, x & 0x800);
		if (x & 0x1000)
			move((int)(x >> 20), (int)(x >> 28), (int)(x >> 40),
			     x >> 48);
	}
	port_out(f.m, DATA, 0xff);
	command(0xd4);
	port_out(f.m, DATA, 0xff);
	command(0xae);
	command(0xa8);
	command(0xdf);
	while (port_in(f.m, COMMAND) & OBF)
		port_in(f.m, DATA);
	test_controller();
}

int main(void)
{
	fake_init(&f);
	f.spec.inputs = xcalloc(1, sizeof(*f.spec.inputs));
	f.spec.n_inputs = 1;
	f.spec.inputs[0].id = xstrdup("input0");
	f.spec.inputs[0].bus = INPUT_BUS_PS2;
	fake_start(&f);
	test_keycodes();
	test_controller();
	test_keyboard();
	test_mouse();
	test_lines();
	test_send();
	test_noise();
	fake_finish(&f);
	return 0;
}
