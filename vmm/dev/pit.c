/*
 * vmm/dev/pit.c -- 8254 programmable interval timer (Intel 8254 data sheet,
 * order number 231164) and the speaker port 0x61 (ICH9 data sheet, section
 * 13.7.1), whose bits gate and show counter 2.
 *
 * Counting is computed from the host's clock when somebody looks; only
 * counter 0, which interrupts, has a timer.  Left out: BCD counting (treated
 * as binary) and gating of counters 0 and 1, whose gates are tied high.
 */
#include "vmm/dev/pit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/state.h"

#define PIT_HZ 1193182ull

enum { PIT_PORT = 0x40, SPEAKER_PORT = 0x61, COUNTERS = 3, CONTROL = 3 };
enum { ACCESS_LATCH = 0, ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };

struct pit_counter {
	uint8_t control; /* as written: access, mode */
	uint32_t reload; /* 1 to 65536 */
	bool loaded;	 /* since the control word */
	bool gate;
	uint64_t start; /* when counting began */
	uint64_t age;	/* the same on its way to a file */
	uint8_t write_low, write_high_next, read_high_next;
	uint8_t latched; /* bytes of it still to be read */
	uint16_t latch;
	bool status_latched;
	uint8_t status;
};

struct pit {
	struct machine *m;
	struct loop_timer *timer; /* counter 0's next edge */
	pthread_mutex_t lock;	  /* the rest */
	struct pit_counter counter[COUNTERS];
	uint8_t speaker;
	uint64_t paused; /* since when; 0: it runs */
};

static unsigned int counter_mode(const struct pit_counter *c)
{
	unsigned int mode = c->control >> 1 & 7;

	return mode > 5 ? mode - 4 : mode; /* 6 and 7 are 2 and 3 */
}

static unsigned int counter_access(const struct pit_counter *c)
{
	return c->control >> 4 & 3;
}

static uint64_t ns_to_ticks(uint64_t ns)
{
	return (unsigned __int128)ns * PIT_HZ / 1000000000;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ((unsigned __int128)ticks * 1000000000 + PIT_HZ - 1) / PIT_HZ;
}

static uint64_t counter_elapsed(const struct pit_counter *c, uint64_t now)
{
	int64_t ns = now - c->start;

	return c->loaded && ns > 0 ? ns_to_ticks(ns) : 0;
}

/* "Mode Definitions": 2 and 3 reload, the others count on through zero. */
static uint16_t counter_value(const struct pit_counter *c, uint64_t now)
{
	uint64_t n = counter_elapsed(c, now);

	switch (counter_mode(c)) {
	case 2:
		return c->reload - n % c->reload;
	case 3: /* down by two, twice a period */
		return c->reload - 2 * n % c->reload;
	default:
		return c->reload - n;
	}
}

static bool counter_out(const struct pit_counter *c, uint64_t now)
{
	uint64_t n = counter_elapsed(c, now);

	switch (counter_mode(c)) {
	case 0:
	case 1:
		return c->loaded && n >= c->reload;
	case 2:
		return !c->loaded || n % c->reload != c->reload - 1;
	case 3:
		return !c->loaded || n % c->reload < (c->reload + 1) / 2;
	default:
		return !c->loaded || n != c->reload;
	}
}

/* Locked: when does the line of counter 0 rise next?  0: never. */
static uint64_t pit_next_edge(const struct pit *pit, uint64_t now)
{
	const struct pit_counter *c = &pit->counter[0];
	uint64_t n = counter_elapsed(c, now);

	if (!c->loaded)
		return 0;
	switch (counter_mode(c)) {
	case 2:
	case 3:
		return c->start +
		       ticks_to_ns((n / c->reload + 1) * c->reload);
	default:
		return n < c->reload ? c->start + ticks_to_ns(c->reload) : 0;
	}
}

/* A guest that asks for more interrupts than that gets fewer. */
#define PIT_MIN_NS 100000

static void pit_rearm(struct pit *pit)
{
	uint64_t now = now_ns(), next = pit_next_edge(pit, now);

	if (next && !pit->paused)
		timer_arm(pit->timer, MAX(next, now + PIT_MIN_NS));
	else
		timer_disarm(pit->timer);
}

static void pit_fire(void *arg)
{
	struct pit *pit = arg;

	machine_irq(pit->m, GSI_PIT, false);
	machine_irq(pit->m, GSI_PIT, true);
	pthread_mutex_lock(&pit->lock);
	pit_rearm(pit);
	pthread_mutex_unlock(&pit->lock);
}

static void counter_load(struct pit_counter *c, uint16_t value)
{
	c->reload = value ? value : 65536;
	if (counter_mode(c) == 2 && c->reload == 1)
		c->reload = 2; /* 1 is not allowed in mode 2 */
	c->loaded = true;
	c->start = now_ns();
}

static void counter_write(struct pit_counter *c, uint8_t value)
{
	switch (counter_access(c)) {
	case ACCESS_LOW:
		counter_load(c, value);
		break;
	case ACCESS_HIGH:
		counter_load(c, value << 8);
		break;
	default:
		if (c->write_high_next)
			counter_load(c, value << 8 | c->write_low);
		else
			c->write_low = value;
		c->write_high_next ^= 1;
	}
}

static void counter_latch(struct pit_counter *c)
{
	if (c->latched) /* the first latch stays until read */
		return;
	c->latch = counter_value(c, now_ns());
	c->latched = counter_access(c) == ACCESS_BOTH ? 2 : 1;
}

static void counter_latch_status(struct pit_counter *c)
{
	if (c->status_latched)
		return;
	c->status = (c->control & 0x3f) | (c->loaded ? 0 : 0x40) |
		    (counter_out(c, now_ns()) ? 0x80 : 0);
	c->status_latched = true;
}

static uint8_t counter_read_latch(struct pit_counter *c)
{
	uint8_t value = c->latch;

	if (counter_access(c) == ACCESS_HIGH)
		value = c->latch >> 8;
	c->latch >>= 8;
	c->latched--;
	return value;
}

static uint8_t counter_read(struct pit_counter *c)
{
	uint16_t value;
	bool high;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched)
		return counter_read_latch(c);
	value = counter_value(c, now_ns());
	high = counter_access(c) == ACCESS_HIGH ||
	       (counter_access(c) == ACCESS_BOTH && c->read_high_next);
	c->read_high_next ^= 1;
	return high ? value >> 8 : value;
}

/* "Read-Back Command": latch several at once. */
static void pit_read_back(struct pit *pit, uint8_t value)
{
	for (unsigned int i = 0; i < COUNTERS; i++) {
		if (!(value & BIT(i + 1)))
			continue;
		if (!(value & 0x20))
			counter_latch(&pit->counter[i]);
		if (!(value & 0x10))
			counter_latch_status(&pit->counter[i]);
	}
}

static void pit_control(struct pit *pit, uint8_t value)
{
	struct pit_counter *c = &pit->counter[MIN(value >> 6, COUNTERS - 1)];

	if (value >> 6 == 3) {
		pit_read_back(pit, value);
		return;
	}
	if ((value >> 4 & 3) == ACCESS_LATCH) {
		counter_latch(c);
		return;
	}
	*c = (struct pit_counter){ .control = value & 0x3f,
				   .reload = 65536,
				   .gate = c->gate };
}

static uint64_t pit_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pit *pit = dev;
	uint8_t value = 0xff;

	pthread_mutex_lock(&pit->lock);
	if (offset < COUNTERS)
		value = counter_read(&pit->counter[offset]);
	pthread_mutex_unlock(&pit->lock);
	return value;
}

static void pit_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct pit *pit = dev;

	pthread_mutex_lock(&pit->lock);
	if (offset == CONTROL)
		pit_control(pit, value);
	else
		counter_write(&pit->counter[offset], value);
	pit_rearm(pit);
	pthread_mutex_unlock(&pit->lock);
}

/* Bit 4 toggles with the refresh clock; software uses it as a delay. */
static uint64_t speaker_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pit *pit = dev;
	uint64_t now = now_ns();
	uint8_t value;

	pthread_mutex_lock(&pit->lock);
	value = pit->speaker | (now / 15085 & 1) << 4 |
		counter_out(&pit->counter[2], now) << 5;
	pthread_mutex_unlock(&pit->lock);
	return value;
}

/* Bit 0 is counter 2's gate: its rise starts the count anew. */
static void speaker_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
	struct pit *pit = dev;
	struct pit_counter *c = &pit->counter[2];
	bool gate = value & 1;

	pthread_mutex_lock(&pit->lock);
	pit->speaker = value & 3;
	if (gate && !c->gate)
		c->start = now_ns();
	c->gate = gate;
	pthread_mutex_unlock(&pit->lock);
}

static const struct bus_ops pit_ops = { pit_read, pit_write };
static const struct bus_ops speaker_ops = { speaker_read, speaker_write };

static void pit_reset(void *dev)
{
	struct pit *pit = dev;

	pthread_mutex_lock(&pit->lock);
	for (unsigned int i = 0; i < COUNTERS; i++)
		pit->counter[i] = (struct pit_counter){ .control = 0x30,
							.reload = 65536,
							.gate = i < 2 };
	pit->speaker = 0;
	pit_rearm(pit);
	pthread_mutex_unlock(&pit->lock);
	machine_irq(pit->m, GSI_PIT, false);
}

/* Counters stand still while the machine is paused. */
static void pit_pause(void *dev, bool paused)
{
	struct pit *pit = dev;
	uint64_t now = now_ns();

	pthread_mutex_lock(&pit->lock);
	for (unsigned int i = 0; i < COUNTERS && !paused; i++)
		pit->counter[i].start += now - pit->paused;
	pit->paused = paused ? now : 0;
	pit_rearm(pit);
	pthread_mutex_unlock(&pit->lock);
}

static const struct state_field counter_fields[] = {
	STATE(struct pit_counter, control),
	STATE_MAX(struct pit_counter, reload, 65536),
	STATE_BOOL(struct pit_counter, loaded),
	STATE_BOOL(struct pit_counter, gate),
	STATE_MAX(struct pit_counter, age, INT64_MAX),
	STATE(struct pit_counter, write_low),
	STATE(struct pit_counter, write_high_next),
	STATE(struct pit_counter, read_high_next),
	STATE(struct pit_counter, latched),
	STATE(struct pit_counter, latch),
	STATE_BOOL(struct pit_counter, status_latched),
	STATE(struct pit_counter, status),
	STATE_END,
};

static const struct state_field pit_fields[] = {
	STATE_STRUCTS(struct pit, counter, counter_fields),
	STATE(struct pit, speaker),
	STATE_END,
};

static void pit_saving(void *dev)
{
	struct pit *pit = dev;

	for (unsigned int i = 0; i < COUNTERS; i++)
		pit->counter[i].age = pit->paused - pit->counter[i].start;
}

static int pit_loaded(void *dev, unsigned int version, struct error *err)
{
	struct pit *pit = dev;

	for (unsigned int i = 0; i < COUNTERS; i++) {
		if (!pit->counter[i].reload)
			return -EINVAL;
		pit->counter[i].start = pit->paused - pit->counter[i].age;
	}
	return 0;
}

static const struct state_type pit_state = {
	.name = "pit",
	.version = 1,
	.fields = pit_fields,
	.saving = pit_saving,
	.loaded = pit_loaded,
};

static void pit_destroy(void *dev)
{
	struct pit *pit = dev;

	timer_destroy(pit->timer);
	pthread_mutex_destroy(&pit->lock);
	free(pit);
}

static const struct machine_dev_ops pit_dev_ops = {
	.name = "pit",
	.reset = pit_reset,
	.pause = pit_pause,
	.destroy = pit_destroy,
	.state = &pit_state,
};

void pit_create(struct machine *m)
{
	struct pit *pit = xcalloc(1, sizeof(*pit));

	pit->m = m;
	pthread_mutex_init(&pit->lock, NULL);
	timer_create_on(m->loop, pit_fire, pit, &pit->timer);
	pit_reset(pit);
	bus_add(m->ports, PIT_PORT, 4, &pit_ops, pit);
	bus_add(m->ports, SPEAKER_PORT, 1, &speaker_ops, pit);
	machine_add_device(m, &pit_dev_ops, pit);
}
