/*
 * tests/unit/vmm/devices.c -- the legacy devices, through the buses.
 */
#include "tests/unit/vmm/fake.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/loop.h"

static struct fake f;
static int serial_out; /* where the guest's bytes arrive */
static int serial_in;

static void stop_loop(void *arg)
{
	loop_quit(arg);
}

/* Lets the loop do what is due within a few milliseconds. */
static void spin(void)
{
	struct loop_timer *t;

	timer_create_on(f.loop, stop_loop, f.loop, &t);
	timer_arm(t, now_ns() + 5000000);
	loop_run(f.loop);
	timer_destroy(t);
}

static void test_ioapic(void)
{
	struct fake_msi msi;
	unsigned int n;

	mmio_out(f.m, IOAPIC_BASE, 1);
	assert(mmio_in(f.m, IOAPIC_BASE + 0x10) == 0x170020);

	/* Pin 20, edge, vector 0x41, to APIC 3. */
	mmio_out(f.m, IOAPIC_BASE, 0x10 + 2 * 20 + 1);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 3u << 24);
	mmio_out(f.m, IOAPIC_BASE, 0x10 + 2 * 20);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x41);
	n = fake_msis(f.m, NULL);
	machine_irq(f.m, 20, true);
	machine_irq(f.m, 20, true); /* no new edge */
	assert(fake_msis(f.m, &msi) == n + 1);
	assert(msi.addr == (0xfee00000 | 3 << 12) && msi.data == 0x41);
	machine_irq(f.m, 20, false);

	/* Level: once until the EOI, again while the line is high. */
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x8042);
	n = fake_msis(f.m, NULL);
	machine_irq(f.m, 20, true);
	assert(fake_msis(f.m, &msi) == n + 1 && msi.data == 0xc042);
	assert(mmio_in(f.m, IOAPIC_BASE + 0x10) & 1 << 14);
	machine_irq(f.m, 20, true);
	assert(fake_msis(f.m, NULL) == n + 1);
	machine_eoi(f.m, 0x42);
	assert(fake_msis(f.m, NULL) == n + 2);
	machine_irq(f.m, 20, false);
	machine_eoi(f.m, 0x42);
	assert(fake_msis(f.m, NULL) == n + 2);
	assert(!(mmio_in(f.m, IOAPIC_BASE + 0x10) & 1 << 14));

	/* Masked: remembered, and sent when unmasked. */
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x18042);
	machine_irq(f.m, 20, true);
	assert(fake_msis(f.m, NULL) == n + 2);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x8042);
	assert(fake_msis(f.m, NULL) == n + 3);
	machine_irq(f.m, 20, false);
	machine_eoi(f.m, 0x42);
	machine_irq(f.m, 1000, true); /* no such pin */
}

static void test_pic(void)
{
	/* As a PC's firmware: vectors 0x20 and 0x28. */
	static const uint8_t init[][2] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 },
		{ 0x21, 0xfb & ~0x18 }, { 0xa1, 0xfd },
	};

	assert(!fake_extint(f.m) && machine_pic_ack(f.m) == -1);
	for (size_t i = 0; i < ARRAY_SIZE(init); i++)
		port_out(f.m, init[i][0], init[i][1]);

	machine_irq(f.m, 4, true);
	assert(fake_extint(f.m));
	assert(machine_pic_ack(f.m) == 0x24);
	assert(!fake_extint(f.m));
	machine_irq(f.m, 3, true); /* higher priority: interrupts it */
	assert(fake_extint(f.m) && machine_pic_ack(f.m) == 0x23);
	port_out(f.m, 0x20, 0x20);
	port_out(f.m, 0x20, 0x0b); /* read the ISR */
	assert(port_in(f.m, 0x20) == 0x10);
	port_out(f.m, 0x20, 0x20);
	assert(port_in(f.m, 0x20) == 0);
	machine_irq(f.m, 3, false);
	machine_irq(f.m, 4, false);

	machine_irq(f.m, 9, true); /* through the secondary */
	assert(fake_extint(f.m) && machine_pic_ack(f.m) == 0x29);
	port_out(f.m, 0xa0, 0x20);
	port_out(f.m, 0x20, 0x20);
	machine_irq(f.m, 9, false);
	machine_irq(f.m, 10, true); /* masked */
	assert(!fake_extint(f.m));
	machine_irq(f.m, 10, false);
	port_out(f.m, 0x21, 0xff);
}

static void test_pit(void)
{
	uint16_t a, b;

	/* Counter 2, mode 0: the output rises after the count. */
	port_out(f.m, 0x61, 1);
	port_out(f.m, 0x43, 0xb0);
	port_out(f.m, 0x42, 0x00);
	port_out(f.m, 0x42, 0x10); /* 4096 ticks: 3.4 ms */
	spin();
	assert(port_in(f.m, 0x61) & 0x20);

	/* Counter 0 counts down; a latch holds both bytes. */
	port_out(f.m, 0x43, 0x34);
	port_out(f.m, 0x40, 0xff);
	port_out(f.m, 0x40, 0xff);
	port_out(f.m, 0x43, 0x00);
	a = port_in(f.m, 0x40);
	a |= port_in(f.m, 0x40) << 8;
	port_out(f.m, 0x43, 0xe2); /* read back the status of counter 0 */
	assert((port_in(f.m, 0x40) & 0x3f) == 0x34);
	spin();
	port_out(f.m, 0x43, 0x00);
	b = port_in(f.m, 0x40);
	b |= port_in(f.m, 0x40) << 8;
	assert(a != b);

	/* A guest asking for an impossible rate does no harm. */
	port_out(f.m, 0x43, 0x34);
	port_out(f.m, 0x40, 1);
	port_out(f.m, 0x40, 0);
	spin();
	port_out(f.m, 0x43, 0x30);
}

static uint8_t cmos(uint8_t reg)
{
	port_out(f.m, 0x70, reg);
	return port_in(f.m, 0x71);
}

static void cmos_set(uint8_t reg, uint8_t value)
{
	port_out(f.m, 0x70, reg);
	port_out(f.m, 0x71, value);
}

static unsigned int bcd(uint8_t v)
{
	return (v >> 4) * 10 + (v & 15);
}

static void test_rtc(void)
{
	time_t now = time(NULL) + 86400 * 400; /* the spec's offset */
	struct tm tm;

	assert(gmtime_r(&now, &tm));
	assert(bcd(cmos(9)) == (unsigned int)tm.tm_year % 100);
	assert(bcd(cmos(0x32)) == 20);
	assert(cmos(0x0d) == 0x80);

	/* Set to 2001-02-03 16:05:06, in 12-hour BCD. */
	cmos_set(0x0b, 0x80);
	cmos_set(9, 0x01);
	cmos_set(0x32, 0x20);
	cmos_set(8, 0x02);
	cmos_set(7, 0x03);
	cmos_set(4, 0x84);
	cmos_set(2, 0x05);
	cmos_set(0, 0x06);
	cmos_set(0x0b, 0x00);
	assert(cmos(4) == 0x84);
	cmos_set(0x0b, 0x02);
	assert(cmos(4) == 0x16 && cmos(2) == 0x05 && cmos(8) == 0x02);
	assert(cmos(6) == 7); /* a Saturday */

	/* Nonsense must not upset anything. */
	for (int reg = 0; reg < 128; reg++)
		cmos_set(reg, 0xff);
	for (int reg = 0; reg < 128; reg++)
		cmos(reg);
	cmos_set(0x0b, 2);
	assert(cmos(0x40) == 0xff); /* plain memory */

	/* Periodic interrupts set PF; reading register C clears it. */
	cmos_set(0x0a, 0x26);
	cmos_set(0x0b, 0x42);
	cmos(0x0c);
	while ((cmos(0x0c) & 0xc0) != 0xc0)
		spin();
	cmos_set(0x0b, 2);
	assert((cmos(0x0c) & 0x80) == 0);
}

static void test_serial(void)
{
	char buf[64];

	/* The loopback test of Linux' driver. */
	port_out(f.m, 0x3fc, 0x1a);
	assert((port_in(f.m, 0x3fe) & 0xf0) == 0x90);
	port_out(f.m, 0x3f8, 'L');
	assert(port_in(f.m, 0x3fd) & 1);
	assert(port_in(f.m, 0x3f8) == 'L');
	port_out(f.m, 0x3fc, 0x0b);
	port_in(f.m, 0x3fe);

	/* FIFO on: the identification says so. */
	port_out(f.m, 0x3fa, 0xc7);
	assert((port_in(f.m, 0x3fa) & 0xc0) == 0xc0);
	/* The divisor latch hides data and IER. */
	port_out(f.m, 0x3fb, 0x83);
	port_out(f.m, 0x3f8, 1);
	assert(port_in(f.m, 0x3f8) == 1);
	port_out(f.m, 0x3fb, 0x03);

	/* "THR empty" interrupts when enabled, until seen. */
	port_out(f.m, 0x3f9, 2);
	assert((port_in(f.m, 0x3fa) & 0x0f) == 2);
	assert((port_in(f.m, 0x3fa) & 0x0f) == 1);

	for (const char *p = "hello"; *p; p++)
		port_out(f.m, 0x3f8, *p);
	assert(read(serial_out, buf, sizeof(buf)) == 5);
	assert(memcmp(buf, "hello", 5) == 0);
}

/* More than a FIFO arrives: nothing is lost, the rest waits. */
static void test_serial_input(void)
{
	char got[101] = "", sent[101];

	for (int i = 0; i < 100; i++)
		sent[i] = 'a' + i % 26;
	sent[100] = 0;
	port_out(f.m, 0x3f9, 1);
	assert(write(serial_in, sent, 100) == 100);
	for (int i = 0; i < 100;) {
		while (!(port_in(f.m, 0x3fa) & 4)) /* data or timeout */
			spin();
		while (port_in(f.m, 0x3fd) & 1)
			got[i++] = port_in(f.m, 0x3f8);
	}
	assert(strcmp(got, sent) == 0);
}

/* Nobody reads: the guest does not notice, the latest output stays. */
static void test_serial_stall(void)
{
	char buf[4096];
	ssize_t n, last = 0;

	for (int i = 0; i < 300000; i++)
		port_out(f.m, 0x3f8, i == 299999 ? '!' : '.');
	do {
		spin();
		n = read(serial_out, buf, sizeof(buf));
		if (n > 0)
			last = buf[n - 1];
	} while (n > 0 && last != '!');
	assert(last == '!');
}

static unsigned int shutdowns, resets;

static void on_shutdown(void *arg)
{
	shutdowns++;
}

static enum machine_stop stopped;

static void on_stopped(void *arg, enum machine_stop why, const char *detail,
		       bool preserved)
{
	stopped = why;
}

static void on_reset(void *arg)
{
	resets++;
}

static const struct machine_listener listener = { .reset = on_reset,
						  .shutdown = on_shutdown,
						  .stopped = on_stopped };

static void test_power(void)
{
	machine_listen(f.m, &listener, NULL);
	machine_power_button(f.m, false);
	assert(port_in(f.m, ACPI_PM_EVENTS) == ACPI_PM_EVENT_POWER);
	assert(port_in(f.m, ACPI_PM_EVENTS) == 0);
	while (!shutdowns)
		spin();
	assert(shutdowns == 1);

	assert(machine_run(f.m) == 0 && !machine_paused(f.m));
	port_out(f.m, ACPI_PM_SLEEP_CONTROL, 0x34 & ~0x20); /* no SLP_EN */
	spin();
	assert(stopped == STOP_NONE);
	machine_pause(f.m);
	assert(machine_paused(f.m));
	assert(machine_run(f.m) == 0);
	port_out(f.m, ACPI_PM_RESET, ACPI_PM_RESET_VALUE); /* restarts */
	while (!resets)
		spin();
	assert(stopped == STOP_NONE && !machine_paused(f.m));
	port_out(f.m, ACPI_PM_SLEEP_CONTROL, 0x34);
	while (stopped == STOP_NONE)
		spin();
	assert(stopped == STOP_POWEROFF && machine_paused(f.m));
}

int main(void)
{
	struct spec_char *serial = xcalloc(1, sizeof(*serial));
	int pair[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	serial_in = serial_out = pair[0];
	*serial = (struct spec_char){ .id = xstrdup("serial0"),
				      .kind = CHARDEV_FD,
				      .fd = pair[1],
				      .log_fd = -1 };
	fake_init(&f);
	f.spec.serials = serial;
	f.spec.n_serials = 1;
	f.spec.clock_offset = 86400 * 400;
	f.spec.on_reboot = SPEC_RESTART;
	fake_start(&f);
	test_ioapic();
	test_pic();
	test_pit();
	test_rtc();
	test_serial();
	test_serial_input();
	test_serial_stall();
	test_power();
	fake_finish(&f);
	close(serial_out);
	return 0;
}
