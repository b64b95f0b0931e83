/*
 * vmm/dev/i6300esb.c -- the watchdog timer of Intel's 6300ESB I/O controller
 * (Intel 6300ESB I/O Controller Hub datasheet, order number 300641, section
 * "Watchdog Timer").
 *
 * Two stages count down one after the other, each from its own preload value
 * in units of 2^15 or 2^5 ticks of a 33 MHz clock.  The end of the first may
 * interrupt (which is left out); the end of the second is the watchdog's.
 * Every write to a preload register and a reload must be unlocked by writing
 * 0x80 and then 0x86 to the reload register.  That the timer expired is seen
 * after the reset that follows.
 */
#include "vmm/dev/i6300esb.h"

#include <linux/pci_regs.h>
#include <pthread.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { CONFIG_REG = 0x60, LOCK_REG = 0x68 }; /* in configuration space */
enum { CONFIG_FAST = BIT(2), CONFIG_NO_OUTPUT = BIT(5) };
enum { LOCK_LOCKED = BIT(0), LOCK_ENABLE = BIT(1), LOCK_FREE_RUN = BIT(2) };

enum { REG_PRELOAD1 = 0x00, REG_PRELOAD2 = 0x04, REG_STATUS = 0x08,
       REG_RELOAD = 0x0c, REGS_SIZE = 16 };
enum { RELOAD = BIT(8), TIMED_OUT = BIT(9) };
enum { PRELOAD_MAX = 0xfffff, CLOCK_HZ = 33000000 };

struct watchdog {
	struct pci_dev pci;
	struct machine *m;
	struct loop_timer *timer;

	pthread_mutex_t lock; /* the rest */
	uint32_t preload[2];
	uint8_t unlock; /* how many bytes of the sequence were written */
	uint8_t stage;	/* 0: not counting, else 1 or 2 */
	bool timed_out, enabled, locked, free_run, fast, no_output;
	bool paused;
	uint64_t when; /* the stage ends; while paused: what is left of it */
};

static uint64_t stage_ns(const struct watchdog *w)
{
	uint64_t ticks = (uint64_t)(w->preload[w->stage - 1] + 1)
			 << (w->fast ? 5 : 15);

	return ticks * 1000 / (CLOCK_HZ / 1000000);
}

static void set_time(struct watchdog *w, uint64_t left)
{
	if (w->paused) {
		w->when = left;
		return;
	}
	w->when = now_ns() + left;
	timer_arm(w->timer, w->when);
}

static void begin(struct watchdog *w)
{
	w->stage = 1;
	set_time(w, stage_ns(w));
}

static void end(struct watchdog *w)
{
	w->stage = 0;
	timer_disarm(w->timer);
}

/* On the main loop. */
static void expired(void *arg)
{
	struct watchdog *w = arg;
	bool bite = false;

	pthread_mutex_lock(&w->lock);
	if (w->paused || !w->stage || now_ns() < w->when) {
		/* stopped or reloaded meanwhile */
	} else if (w->stage == 1 && !w->free_run) {
		w->stage = 2;
		set_time(w, stage_ns(w));
	} else if (w->free_run) {
		begin(w);
	} else {
		w->timed_out = true;
		bite = !w->no_output;
		end(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (bite)
		machine_watchdog(w->m);
}

/* ---- registers ---- */

/* True when this write is one that had to be unlocked, and was. */
static bool unlocked(struct watchdog *w)
{
	bool yes = w->unlock == 2;

	w->unlock = 0;
	return yes;
}

static void write_reload(struct watchdog *w, uint32_t v)
{
	if (v == 0x80 && w->unlock == 0) {
		w->unlock = 1;
		return;
	}
	if (v == 0x86 && w->unlock == 1) {
		w->unlock = 2;
		return;
	}
	if (!unlocked(w))
		return;
	if (v & TIMED_OUT)
		w->timed_out = false;
	if ((v & RELOAD) && w->enabled)
		begin(w);
}

static uint64_t regs_read(void *arg, uint64_t offset, unsigned int size)
{
	struct watchdog *w = arg;
	uint64_t v = 0;

	pthread_mutex_lock(&w->lock);
	if (offset == REG_PRELOAD1 || offset == REG_PRELOAD2)
		v = w->preload[offset / 4];
	else if (offset == REG_RELOAD)
		v = w->timed_out ? TIMED_OUT : 0;
	pthread_mutex_unlock(&w->lock);
	return v;
}

static void regs_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct watchdog *w = arg;

	pthread_mutex_lock(&w->lock);
	if (offset == REG_RELOAD)
		write_reload(w, value & 0xffff);
	else if ((offset == REG_PRELOAD1 || offset == REG_PRELOAD2) &&
		 unlocked(w))
		w->preload[offset / 4] = value & PRELOAD_MAX;
	pthread_mutex_unlock(&w->lock);
}

static const struct bus_ops regs_ops = { regs_read, regs_write };

/* ---- configuration space ---- */

static struct watchdog *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct watchdog, pci);
}

static void take_config(struct watchdog *w)
{
	uint16_t config = pci_get16(w->pci.config + CONFIG_REG);

	w->fast = config & CONFIG_FAST;
	w->no_output = config & CONFIG_NO_OUTPUT;
}

/* Once locked, nothing of the register changes before a reset. */
static void take_lock(struct watchdog *w)
{
	uint8_t *reg = &w->pci.config[LOCK_REG];

	if (w->locked) {
		*reg = LOCK_LOCKED | (w->enabled ? LOCK_ENABLE : 0) |
		       (w->free_run ? LOCK_FREE_RUN : 0);
		return;
	}
	w->locked = *reg & LOCK_LOCKED;
	w->free_run = *reg & LOCK_FREE_RUN;
	if ((*reg & LOCK_ENABLE) && !w->enabled)
		begin(w);
	else if (!(*reg & LOCK_ENABLE) && w->enabled)
		end(w);
	w->enabled = *reg & LOCK_ENABLE;
}

static void config_written(struct pci_dev *pci, unsigned int reg,
			   unsigned int size)
{
	struct watchdog *w = from_pci(pci);

	pthread_mutex_lock(&w->lock);
	if (reg < CONFIG_REG + 2 && reg + size > CONFIG_REG)
		take_config(w);
	if (reg <= LOCK_REG && reg + size > LOCK_REG)
		take_lock(w);
	pthread_mutex_unlock(&w->lock);
}

/* The bus then gives configuration space its values back. */
static void reset(struct pci_dev *pci)
{
	struct watchdog *w = from_pci(pci);

	pthread_mutex_lock(&w->lock);
	end(w);
	w->enabled = w->locked = w->free_run = false;
	w->unlock = 0;
	w->preload[0] = w->preload[1] = PRELOAD_MAX;
	pthread_mutex_unlock(&w->lock);
}

/* ---- pausing and saving ---- */

static void watchdog_pause(struct pci_dev *pci, bool paused)
{
	struct watchdog *w = from_pci(pci);
	uint64_t now = now_ns();

	pthread_mutex_lock(&w->lock);
	if (paused && !w->paused) {
		w->paused = true;
		w->when = w->stage && w->when > now ? w->when - now : 0;
		timer_disarm(w->timer);
	} else if (!paused && w->paused) {
		w->paused = false;
		if (w->stage)
			set_time(w, w->when);
	}
	pthread_mutex_unlock(&w->lock);
}

static const struct state_field fields[] = {
	STATE_INTS(struct watchdog, preload),
	STATE_MAX(struct watchdog, unlock, 2),
	STATE_MAX(struct watchdog, stage, 2),
	STATE_BOOL(struct watchdog, timed_out),
	STATE_BOOL(struct watchdog, enabled),
	STATE_BOOL(struct watchdog, locked),
	STATE_BOOL(struct watchdog, free_run),
	STATE_BOOL(struct watchdog, fast),
	STATE_BOOL(struct watchdog, no_output),
	STATE_MAX(struct watchdog, when, INT64_MAX / 2),
	STATE_END,
};

static int loaded(void *obj, unsigned int version, struct error *err)
{
	struct watchdog *w = obj;

	w->preload[0] &= PRELOAD_MAX;
	w->preload[1] &= PRELOAD_MAX;
	w->paused = true; /* "when" is what is left */
	return 0;
}

static const struct state_type watchdog_state = {
	.name = "i6300esb",
	.version = 1,
	.fields = fields,
	.loaded = loaded,
};

static void states(struct pci_dev *pci, const char *id, struct state_set *set)
{
	state_add(set, &watchdog_state, id, from_pci(pci));
}

static void destroy(struct pci_dev *pci)
{
	struct watchdog *w = from_pci(pci);

	timer_destroy(w->timer);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static const struct pci_ops watchdog_ops = {
	.config_written = config_written,
	.reset = reset,
	.pause = watchdog_pause,
	.states = states,
	.destroy = destroy,
};

int i6300esb_add(struct machine *m, struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x25ab,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x088000, /* PCI D.9: other system peripheral */
	};
	struct watchdog *w = xcalloc(1, sizeof(*w));
	int r;

	w->m = m;
	w->preload[0] = w->preload[1] = PRELOAD_MAX;
	pthread_mutex_init(&w->lock, NULL);
	r = timer_create_on(m->loop, expired, w, &w->timer);
	if (r < 0) {
		free(w);
		return error_set(err, r, "cannot make a timer: %m");
	}
	pci_dev_init(&w->pci, &watchdog_ops, &id);
	pci_set16(w->pci.wmask + CONFIG_REG,
		  CONFIG_FAST | CONFIG_NO_OUTPUT | 3);
	w->pci.wmask[LOCK_REG] = LOCK_LOCKED | LOCK_ENABLE | LOCK_FREE_RUN;
	pci_set_bar(&w->pci, 0, REGS_SIZE, false, &regs_ops, w);
	r = pci_plug(m->pci, &w->pci, &m->spec->watchdog_pci, err);
	if (r < 0)
		destroy(&w->pci);
	return r;
}
