/*
 * vmm/dev/hpet.c -- high precision event timers (IA-PC HPET specification,
 * 1.0a): a counter of 100 MHz and three timers with 64-bit comparators, all of
 * which can be periodic, interrupt through I/O APIC pins 16 to 23 and as
 * messages.
 *
 * Left out: the legacy replacement route (2.3.4, LEG_RT_CAP is 0), which would
 * take the lines of PIT and RTC.
 */
#include "vmm/dev/hpet.h"

#include <pthread.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* 2.3.1 */
enum { CAPABILITIES = 0x000, CONFIG = 0x010, STATUS = 0x020, COUNTER = 0x0f0,
       TIMER0 = 0x100, TIMER_STEP = 0x20, T_CONFIG = 0x00, T_COMPARATOR = 0x08,
       T_FSB = 0x10 };
enum { CONFIG_ENABLE = BIT(0) };
/* 2.3.8 */
enum { T_LEVEL = BIT(1), T_ENABLED = BIT(2), T_PERIODIC = BIT(3),
       T_PERIODIC_CAP = BIT(4), T_SIZE_CAP = BIT(5), T_VAL_SET = BIT(6),
       T_32BIT = BIT(8), T_FSB_ENABLED = BIT(14), T_FSB_CAP = BIT(15),
       T_ROUTE_SHIFT = 9, T_ROUTE_MASK = 31,
       T_WRITABLE = T_LEVEL | T_ENABLED | T_PERIODIC | T_32BIT |
		    T_ROUTE_MASK << T_ROUTE_SHIFT | T_FSB_ENABLED };
#define T_ROUTES 0x00ff0000ull /* pins that nothing of ISA's is on */

enum { TICK_NS = 10 };
#define PERIOD_FS (TICK_NS * 1000000ull)
/* A guest that asks for more interrupts than that gets fewer. */
#define MIN_NS 100000ull

struct timer {
	uint32_t config; /* what can be written */
	uint64_t comparator, period, fsb;
	uint64_t armed; /* the counter when it was last looked at */
};

struct hpet {
	struct machine *m;
	struct loop_timer *alarm;
	pthread_mutex_t lock; /* the rest */
	bool enabled, paused;
	uint32_t status;
	uint64_t counter; /* when it began to run; while it stands */
	uint64_t began;	  /* nanoseconds */
	struct timer timer[HPET_TIMERS];
};

/* ---- time ---- */

static uint64_t now(const struct hpet *h)
{
	if (!h->enabled || h->paused)
		return h->counter;
	return h->counter + (now_ns() - h->began) / TICK_NS;
}

/* Ticks from a counter's value up to the next match, at least 1. */
static uint64_t distance(const struct timer *t, uint64_t counter)
{
	uint64_t d = t->comparator - counter;

	if (t->config & T_32BIT)
		return (uint32_t)d ? (uint32_t)d : BIT64(32);
	return d ? d : UINT64_MAX;
}

/* Ticks until it matches; 0: it did since it was looked at. */
static uint64_t remaining(const struct timer *t, uint64_t counter)
{
	uint64_t d = distance(t, t->armed), since = counter - t->armed;

	return d > since ? d - since : 0;
}

static void rearm(struct hpet *h)
{
	uint64_t next = UINT64_MAX, counter = now(h);

	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		if (h->timer[i].config & T_ENABLED)
			next = MIN(next, remaining(&h->timer[i], counter));
	/* What is centuries away is never. */
	if (!h->enabled || h->paused || next > INT64_MAX / (4 * TICK_NS))
		timer_disarm(h->alarm);
	else
		timer_arm(h->alarm, now_ns() + MAX(next * TICK_NS, MIN_NS));
}

/* ---- interrupts ---- */

static unsigned int route(const struct timer *t)
{
	return t->config >> T_ROUTE_SHIFT & T_ROUTE_MASK;
}

static bool routed(const struct timer *t)
{
	return T_ROUTES >> route(t) & 1;
}

/* 2.3.5: a level interrupt stays until its status is cleared. */
static void raise(struct hpet *h, unsigned int i)
{
	struct timer *t = &h->timer[i];

	if (t->config & T_FSB_ENABLED) {
		machine_msi(h->m, t->fsb >> 32, (uint32_t)t->fsb);
	} else if (t->config & T_LEVEL) {
		h->status |= BIT(i);
		if (routed(t))
			machine_irq(h->m, route(t), true);
	} else if (routed(t)) {
		machine_irq(h->m, route(t), true);
		machine_irq(h->m, route(t), false);
	}
}

static void lower(struct hpet *h, unsigned int i)
{
	if (h->status & BIT(i) && routed(&h->timer[i]))
		machine_irq(h->m, route(&h->timer[i]), false);
	h->status &= ~BIT(i);
}

static void advance(struct timer *t, uint64_t counter)
{
	uint64_t late = counter - t->comparator;

	if (!(t->config & T_PERIODIC) || !t->period)
		return;
	if (t->config & T_32BIT)
		late = (uint32_t)late;
	t->comparator += (late / t->period + 1) * t->period;
	if (t->config & T_32BIT)
		t->comparator = (uint32_t)t->comparator;
}

/* Whether the counter has passed the comparator since it was looked at. */
static void look(struct hpet *h, unsigned int i, uint64_t counter)
{
	struct timer *t = &h->timer[i];
	bool due = counter - t->armed >= distance(t, t->armed) &&
		   counter != t->armed;

	t->armed = counter;
	if (!due)
		return;
	if (t->config & T_ENABLED)
		raise(h, i);
	advance(t, counter);
}

static void look_at_all(struct hpet *h)
{
	uint64_t counter = now(h);

	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		look(h, i, counter);
}

static void hpet_tick(void *arg)
{
	struct hpet *h = arg;

	pthread_mutex_lock(&h->lock);
	look_at_all(h);
	rearm(h);
	pthread_mutex_unlock(&h->lock);
}

/* ---- registers ---- */

static uint64_t read_timer(const struct timer *t, unsigned int reg)
{
	switch (reg) {
	case T_CONFIG:
		return t->config | T_PERIODIC_CAP | T_SIZE_CAP | T_FSB_CAP |
		       T_ROUTES << 32;
	case T_COMPARATOR:
		return t->comparator;
	case T_FSB:
		return t->fsb;
	default:
		return 0;
	}
}

static uint64_t read_register(const struct hpet *h, unsigned int reg)
{
	unsigned int i = (reg - TIMER0) / TIMER_STEP;

	switch (reg) {
	case CAPABILITIES:
		return HPET_ID | HPET_ID_VENDOR | PERIOD_FS << 32;
	case CONFIG:
		return h->enabled ? CONFIG_ENABLE : 0;
	case STATUS:
		return h->status;
	case COUNTER:
		return now(h);
	default:
		return reg >= TIMER0 && i < HPET_TIMERS ?
			       read_timer(&h->timer[i], reg % TIMER_STEP) :
			       0;
	}
}

static uint64_t hpet_read(void *dev, uint64_t offset, unsigned int size)
{
	struct hpet *h = dev;
	uint64_t value;

	pthread_mutex_lock(&h->lock);
	value = read_register(h, offset & ~7ull);
	pthread_mutex_unlock(&h->lock);
	return value >> 8 * (offset & 7);
}

static void enable(struct hpet *h, bool on)
{
	uint64_t counter = now(h);

	h->counter = counter;
	h->began = now_ns();
	h->enabled = on;
}

static void set_counter(struct hpet *h, uint64_t value)
{
	h->counter = value;
	h->began = now_ns();
	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		h->timer[i].armed = value;
}

/* 2.3.9.2.2: a periodic timer's accumulator is set only when it is asked to;
 * the first such write is when it fires, all of them are the period. */
static void set_comparator(struct timer *t, uint64_t value)
{
	if (t->config & T_32BIT)
		value = (uint32_t)value;
	if (!(t->config & T_PERIODIC) || t->config & T_VAL_SET)
		t->comparator = value;
	if (t->config & T_PERIODIC)
		t->period = value;
	t->config &= ~T_VAL_SET;
}

static void write_timer(struct hpet *h, unsigned int i, unsigned int reg,
			uint64_t value)
{
	struct timer *t = &h->timer[i];

	switch (reg) {
	case T_CONFIG:
		lower(h, i);
		t->config = value & (T_WRITABLE | T_VAL_SET);
		if (!(t->config & T_PERIODIC))
			t->config &= ~T_VAL_SET;
		break;
	case T_COMPARATOR:
		set_comparator(t, value);
		break;
	case T_FSB:
		t->fsb = value;
		break;
	}
	t->armed = now(h);
}

static void write_register(struct hpet *h, unsigned int reg, uint64_t value)
{
	unsigned int i = (reg - TIMER0) / TIMER_STEP;

	if (reg == CONFIG)
		enable(h, value & CONFIG_ENABLE);
	else if (reg == STATUS)
		for (i = 0; i < HPET_TIMERS; i++) {
			if (value & BIT(i))
				lower(h, i);
		}
	else if (reg == COUNTER)
		set_counter(h, value);
	else if (reg >= TIMER0 && i < HPET_TIMERS)
		write_timer(h, i, reg % TIMER_STEP, value);
}

/* 2.3.1: 32 or 64 bits; a half leaves the other as it is. */
static void hpet_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct hpet *h = dev;
	unsigned int reg = offset & ~7ull, shift = 8 * (offset & 4);

	if (size < 4 || offset & 3)
		return;
	pthread_mutex_lock(&h->lock);
	look_at_all(h);
	if (size == 4 && reg != STATUS) {
		uint64_t other = read_register(h, reg) &
				 ~(0xffffffffull << shift);

		value = other | (value & 0xffffffff) << shift;
	}
	if (reg != STATUS || !shift)
		write_register(h, reg, value);
	rearm(h);
	pthread_mutex_unlock(&h->lock);
}

static const struct bus_ops hpet_ops = { hpet_read, hpet_write };

/* ---- life ---- */

static void hpet_reset(void *dev)
{
	struct hpet *h = dev;

	pthread_mutex_lock(&h->lock);
	for (unsigned int i = 0; i < HPET_TIMERS; i++) {
		lower(h, i);
		h->timer[i] = (struct timer){ .comparator = UINT64_MAX };
	}
	h->enabled = false;
	h->counter = 0;
	rearm(h);
	pthread_mutex_unlock(&h->lock);
}

/* It stands still while the machine is paused. */
static void hpet_pause(void *dev, bool paused)
{
	struct hpet *h = dev;

	pthread_mutex_lock(&h->lock);
	if (paused)
		h->counter = now(h);
	h->began = now_ns();
	h->paused = paused;
	rearm(h);
	pthread_mutex_unlock(&h->lock);
}

static void hpet_destroy(void *dev)
{
	struct hpet *h = dev;

	timer_destroy(h->alarm);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static const struct state_field timer_fields[] = {
	STATE(struct timer, config),
	STATE(struct timer, comparator),
	STATE(struct timer, period),
	STATE(struct timer, fsb),
	STATE(struct timer, armed),
	STATE_END,
};

static const struct state_field hpet_fields[] = {
	STATE_BOOL(struct hpet, enabled),
	STATE_MAX(struct hpet, status, BIT(HPET_TIMERS) - 1),
	STATE(struct hpet, counter),
	STATE_STRUCTS(struct hpet, timer, timer_fields),
	STATE_END,
};

static int hpet_loaded(void *dev, unsigned int version, struct error *err)
{
	struct hpet *h = dev;

	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		h->timer[i].config &= T_WRITABLE | T_VAL_SET;
	return 0;
}

static const struct state_type hpet_state = {
	.name = "hpet",
	.version = 1,
	.fields = hpet_fields,
	.loaded = hpet_loaded,
};

static const struct machine_dev_ops hpet_dev_ops = {
	.name = "hpet",
	.reset = hpet_reset,
	.pause = hpet_pause,
	.destroy = hpet_destroy,
	.state = &hpet_state,
};

void hpet_create(struct machine *m)
{
	struct hpet *h = xcalloc(1, sizeof(*h));

	h->m = m;
	pthread_mutex_init(&h->lock, NULL);
	timer_create_on(m->loop, hpet_tick, h, &h->alarm);
	hpet_reset(h);
	bus_add(m->mmio, HPET_BASE, HPET_SIZE, &hpet_ops, h);
	machine_add_device(m, &hpet_dev_ops, h);
}
