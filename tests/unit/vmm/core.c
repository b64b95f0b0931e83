/*
 * tests/unit/vmm/core.c -- guest memory's gate, buses, and the loop.
 */
#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/loop.h"
#include "vmm/ram.h"

static void test_ram(void)
{
	const struct ram_region *region;
	struct ram *ram;
	char buf[8] = "abcdefg", back[8];

	assert(ram_create(0, &ram, NULL) == -EINVAL);
	assert(ram_create(4095, &ram, NULL) == -EINVAL);
	assert(ram_create(RAM_LOW_MAX + 2 * MIB, &ram, NULL) == 0);
	assert(ram_regions(ram, &region) == 2);
	assert(region[1].gpa == RAM_HIGH_BASE && region[1].size == 2 * MIB);

	assert(ram_write(ram, RAM_LOW_MAX - 8, buf, 8) == 0);
	assert(ram_write(ram, RAM_LOW_MAX - 7, buf, 8) == -EFAULT);
	assert(ram_read(ram, RAM_LOW_MAX - 8, back, 8) == 0);
	assert(memcmp(buf, back, 8) == 0);
	assert(!ram_ptr(ram, RAM_LOW_MAX, 1));
	assert(ram_ptr(ram, RAM_HIGH_BASE, 2 * MIB));
	assert(!ram_ptr(ram, RAM_HIGH_BASE, 2 * MIB + 1));
	assert(!ram_ptr(ram, RAM_HIGH_BASE + 1, UINT64_MAX));
	assert(!ram_ptr(ram, UINT64_MAX, 2));
	ram_destroy(ram);
}

struct probe {
	uint64_t offset, value;
	unsigned int size, calls;
};

static uint64_t probe_read(void *dev, uint64_t offset, unsigned int size)
{
	struct probe *p = dev;

	p->calls++;
	p->offset = offset;
	p->size = size;
	return 0x1122334455667788;
}

static void probe_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	probe_read(dev, offset, size);
	((struct probe *)dev)->value = value;
}

static const struct bus_ops probe_ops = { probe_read, probe_write };

static void test_bus(void)
{
	struct probe a = { 0 }, b = { 0 };
	struct bus *bus = bus_create();
	uint8_t data[8];

	assert(bus_add(bus, 0x100, 0x10, &probe_ops, &a) == 0);
	assert(bus_add(bus, 0x110, 0x10, &probe_ops, &b) == 0);
	assert(bus_add(bus, 0x10f, 2, &probe_ops, &a) == -EEXIST);
	assert(bus_add(bus, 0x80, 0x81, &probe_ops, &a) == -EEXIST);
	assert(bus_add(bus, 0x200, 0, &probe_ops, &a) == -EINVAL);
	assert(bus_add(bus, UINT64_MAX, 2, &probe_ops, &a) == -EINVAL);
	assert(bus_add(bus, UINT64_MAX, 1, &probe_ops, &a) == 0);

	bus_io(bus, 0x104, data, 4, false);
	assert(a.offset == 4 && a.size == 4 && data[3] == 0x55);
	bus_io(bus, 0x11f, "\x12", 1, true);
	assert(b.offset == 15 && b.value == 0x12);

	/* Nobody there: ones.  Odd sizes and edges: bytewise. */
	bus_io(bus, 0x50, data, 8, false);
	assert(data[0] == 0xff && data[7] == 0xff);
	a.calls = 0;
	bus_io(bus, 0x101, data, 3, false);
	assert(a.calls == 3 && a.size == 1);
	a.calls = b.calls = 0;
	bus_io(bus, 0x10e, data, 4, false);
	assert(a.calls == 2 && b.calls == 2);

	bus_remove(bus, 0x110);
	b.calls = 0;
	bus_io(bus, 0x110, data, 1, false);
	assert(b.calls == 0 && data[0] == 0xff);
	bus_destroy(bus);
}

static struct loop *loop;
static struct loop_timer *timer[3];
static char order[8];
static int pipefd[2];

static void note(void *arg)
{
	size_t len = strlen(order);

	order[len] = *(char *)arg;
	if (len == 3)
		loop_quit(loop);
}

static void on_pipe(void *arg, uint32_t events)
{
	loop_remove(loop, pipefd[0]); /* from inside its own callback */
	note("p");
}

static void *other_thread(void *arg)
{
	loop_defer(loop, note, "d");
	timer_arm(timer[1], now_ns() + 3000000);
	return NULL;
}

static void test_loop(void)
{
	pthread_t thread;

	assert(loop_create(&loop, NULL) == 0);
	timer_create_on(loop, note, "1", &timer[0]);
	timer_create_on(loop, note, "2", &timer[1]);
	timer_create_on(loop, note, "x", &timer[2]);
	assert(pipe(pipefd) == 0 && write(pipefd[1], "x", 1) == 1);
	timer_arm(timer[0], now_ns() + 60000000000);
	timer_arm(timer[2], now_ns() + 1000000);
	timer_arm(timer[0], now_ns() + 2000000); /* moved forward */
	timer_disarm(timer[2]);
	assert(loop_add(loop, pipefd[0], EPOLLIN, on_pipe, NULL) == 0);
	assert(pthread_create(&thread, NULL, other_thread, NULL) == 0);
	pthread_join(thread, NULL);
	assert(loop_run(loop) == 0);
	assert(!strchr(order, 'x'));
	assert(strchr(order, 'd') && strchr(order, 'p'));
	assert(strchr(order, '1') < strchr(order, '2'));
	for (int i = 0; i < 3; i++)
		timer_destroy(timer[i]);
	loop_destroy(loop);
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
	test_ram();
	test_bus();
	test_loop();
	return 0;
}
