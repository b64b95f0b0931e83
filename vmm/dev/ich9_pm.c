/*
 * vmm/dev/ich9_pm.c -- power management I/O registers of Intel's ICH9 (data
 * sheet 316972, "Power Management I/O Registers") as ACPI 6.4, section 4.8,
 * defines them: fixed events, the timer, general purpose events; and the
 * enable bits for the SMI that a write to port 0xb2 causes.
 *
 * ACPI mode is always on, so there is no SMI command to enter it.  Left out:
 * an interrupt when the timer's top bit changes (its status bit is there),
 * all sleep states but S3 and S5, and the TCO watchdog, whose registers read as
 * zero.
 */
#include "vmm/dev/ich9_pm.h"

#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pcports.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { PM_SIZE = 128, GPES = ICH9_GPE0_LEN / 2, GPE0_EN = ICH9_GPE0 + GPES };
enum { PM1_STS = 0x00, PM1_EN = 0x02, PM1_CNT = 0x04, PM_TMR = 0x08,
       SMI_EN = 0x30, SMI_STS = 0x34, PM_USED = 0x38 };
enum { STS_TIMER = BIT(0), STS_POWER = BIT(8), STS_RTC = BIT(10),
       STS_WAKE = BIT(15), STS_KNOWN = 0x8f31 };
enum { CNT_SCI_EN = BIT(0), CNT_SLP_TYP = 7, CNT_SLP_TYP_SHIFT = 10,
       CNT_SLP_EN = BIT(13) };
enum { SMI_GLOBAL = BIT(0), SMI_APMC = BIT(5), SMI_STS_APM = BIT(5) };
#define SMI_EN_WRITABLE 0x0000003b

#define TIMER_HZ 3579545ull
enum { TIMER_BITS = 24 };

struct ich9_pm {
	struct machine *m;
	bool has_smm;
	uint16_t base; /* of the ports, 0: nowhere; the bus lock of PCI */
	pthread_mutex_t lock; /* the rest */
	bool smi_locked;
	uint8_t reg[PM_USED]; /* as the guest sees them, but for the timer */
	uint64_t timer_start;
	uint64_t timer_ran; /* nanoseconds, while saved */
	uint64_t timer_seen; /* changes of its top bit that were noted */
};

static uint16_t get16(const struct ich9_pm *pm, unsigned int at)
{
	return pm->reg[at] | pm->reg[at + 1] << 8;
}

static void set16(struct ich9_pm *pm, unsigned int at, uint16_t value)
{
	pm->reg[at] = value;
	pm->reg[at + 1] = value >> 8;
}

/* 4.8.3.3 */
static uint64_t timer_ticks(const struct ich9_pm *pm)
{
	uint64_t ns = now_ns() - pm->timer_start;

	return (unsigned __int128)ns * TIMER_HZ / 1000000000;
}

static void note_timer(struct ich9_pm *pm)
{
	uint64_t changes = timer_ticks(pm) >> (TIMER_BITS - 1);

	if (changes != pm->timer_seen)
		pm->reg[PM1_STS] |= STS_TIMER;
	pm->timer_seen = changes;
}

/* Locked: 4.8.2.5 and 4.8.4.1: any enabled event that happened. */
static void update_sci(struct ich9_pm *pm)
{
	bool level = get16(pm, PM1_STS) & get16(pm, PM1_EN);

	for (unsigned int i = 0; i < GPES; i++)
		level |= pm->reg[ICH9_GPE0 + i] & pm->reg[GPE0_EN + i];
	machine_irq(pm->m, GSI_SCI, level);
}

/* 4.8.2.2 and 4.8.2.4: true if a guest that sleeps is to wake by it. */
static bool fixed_event(struct ich9_pm *pm, uint16_t status)
{
	bool enabled;

	pthread_mutex_lock(&pm->lock);
	set16(pm, PM1_STS, get16(pm, PM1_STS) | status);
	enabled = get16(pm, PM1_EN) & status;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
	return enabled;
}

/* It always wakes. */
static void power_button(void *arg)
{
	struct ich9_pm *pm = arg;

	fixed_event(pm, STS_POWER);
	machine_request_wake(pm->m);
}

void ich9_pm_alarm(struct ich9_pm *pm)
{
	if (fixed_event(pm, STS_RTC))
		machine_request_wake(pm->m);
}

void ich9_pm_gpe(struct ich9_pm *pm, unsigned int n)
{
	pthread_mutex_lock(&pm->lock);
	pm->reg[ICH9_GPE0 + n / 8] |= BIT(n % 8);
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

bool ich9_pm_gpe_on(struct ich9_pm *pm, unsigned int n)
{
	bool on;

	pthread_mutex_lock(&pm->lock);
	on = pm->reg[GPE0_EN + n / 8] & BIT(n % 8);
	pthread_mutex_unlock(&pm->lock);
	return on;
}

static uint8_t read_byte(struct ich9_pm *pm, uint64_t at)
{
	if (at >= PM_TMR && at < PM_TMR + 4)
		return (timer_ticks(pm) & (BIT(TIMER_BITS) - 1)) >>
		       8 * (at - PM_TMR);
	if (at == PM1_STS)
		note_timer(pm);
	return at < PM_USED ? pm->reg[at] : 0;
}

static uint64_t pm_read(void *dev, uint64_t offset, unsigned int size)
{
	struct ich9_pm *pm = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&pm->lock);
	if (offset == PM_TMR && size == 4) /* as one moment */
		value = timer_ticks(pm) & (BIT(TIMER_BITS) - 1);
	else
		for (unsigned int i = 0; i < size; i++)
			value |= (uint64_t)read_byte(pm, offset + i) << 8 * i;
	pthread_mutex_unlock(&pm->lock);
	return value;
}

/* The guest has seen the button when it clears its status. */
static void clear_status(struct ich9_pm *pm, uint16_t bits)
{
	uint16_t old = get16(pm, PM1_STS);

	note_timer(pm);
	set16(pm, PM1_STS, get16(pm, PM1_STS) & ~bits);
	if (old & bits & STS_POWER && get16(pm, PM1_EN) & STS_POWER)
		machine_tell_shutdown(pm->m);
}

static void write_control(struct ich9_pm *pm, uint16_t value)
{
	unsigned int type = value >> CNT_SLP_TYP_SHIFT & CNT_SLP_TYP;

	set16(pm, PM1_CNT, (value & 0x1c06) | CNT_SCI_EN);
	if (!(value & CNT_SLP_EN))
		return;
	if (type == ICH9_S5)
		machine_request_stop(pm->m, STOP_POWEROFF, NULL);
	else if (type == ICH9_S3 && !pm->m->spec->no_s3)
		machine_request_sleep(pm->m);
}

static void write_smi_en(struct ich9_pm *pm, uint32_t value)
{
	uint32_t old;

	memcpy(&old, pm->reg + SMI_EN, 4);
	value &= SMI_EN_WRITABLE;
	if (pm->smi_locked)
		value = (value & ~SMI_GLOBAL) | (old & SMI_GLOBAL);
	if (!pm->has_smm)
		value |= SMI_APMC;
	memcpy(pm->reg + SMI_EN, &value, 4);
}

static void write_byte(struct ich9_pm *pm, unsigned int at, uint8_t value)
{
	if (at < PM1_EN) {
		clear_status(pm, (value << 8 * at) & STS_KNOWN);
	} else if (at == PM1_CNT || at == PM1_CNT + 1) {
		uint16_t old = get16(pm, PM1_CNT);

		write_control(pm, at == PM1_CNT ? (old & 0xff00) | value :
						  (old & 0xff) | value << 8);
	} else if (at < PM_TMR || (at >= GPE0_EN && at < GPE0_EN + GPES)) {
		pm->reg[at] = value;
	} else if (at >= ICH9_GPE0 && at < GPE0_EN) {
		pm->reg[at] &= ~value;
	} else if (at >= SMI_STS && at < SMI_STS + 4) {
		pm->reg[at] &= ~value;
	}
}

static void pm_write(void *dev, uint64_t offset, uint64_t value,
		     unsigned int size)
{
	struct ich9_pm *pm = dev;

	pthread_mutex_lock(&pm->lock);
	if (offset == PM1_CNT && size >= 2)
		write_control(pm, value);
	else if (offset == SMI_EN && size == 4)
		write_smi_en(pm, value);
	else
		for (unsigned int i = 0; i < size && offset + i < PM_USED; i++)
			write_byte(pm, offset + i, value >> 8 * i);
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

static const struct bus_ops pm_ops = { pm_read, pm_write };

void ich9_pm_place(struct ich9_pm *pm, uint16_t base, bool smi_locked)
{
	pthread_mutex_lock(&pm->lock);
	pm->smi_locked = smi_locked;
	pthread_mutex_unlock(&pm->lock);
	if (base == pm->base)
		return;
	if (pm->base)
		bus_remove(pm->m->ports, pm->base);
	pm->base = 0;
	if (base && bus_add(pm->m->ports, base, PM_SIZE, &pm_ops, pm) == 0)
		pm->base = base;
}

uint16_t ich9_pm_base(const struct ich9_pm *pm)
{
	return pm->base;
}

/* "SMI_EN": a write to the APM port, where both bits allow it. */
static void apm_written(void *arg)
{
	struct ich9_pm *pm = arg;
	bool smi;

	pthread_mutex_lock(&pm->lock);
	smi = (pm->reg[SMI_EN] & (SMI_GLOBAL | SMI_APMC)) ==
	      (SMI_GLOBAL | SMI_APMC);
	if (smi)
		pm->reg[SMI_STS] |= SMI_STS_APM;
	pthread_mutex_unlock(&pm->lock);
	if (smi && pm->has_smm)
		machine_smi(pm->m);
}

/* Firmware takes the APM bit for "system management mode is set up". */
static void pm_reset(void *dev)
{
	struct ich9_pm *pm = dev;

	pthread_mutex_lock(&pm->lock);
	memset(pm->reg, 0, sizeof(pm->reg));
	pm->reg[PM1_CNT] = CNT_SCI_EN;
	if (!pm->has_smm)
		pm->reg[SMI_EN] = SMI_APMC;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* 4.8.3.1.1: events and what is enabled of them stay, and it has woken. */
static void pm_wake(void *dev)
{
	struct ich9_pm *pm = dev;

	pthread_mutex_lock(&pm->lock);
	set16(pm, PM1_STS, get16(pm, PM1_STS) | STS_WAKE);
	set16(pm, PM1_CNT, CNT_SCI_EN);
	memset(pm->reg + SMI_EN, 0, 8);
	if (!pm->has_smm)
		pm->reg[SMI_EN] = SMI_APMC;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_destroy(void *dev)
{
	struct ich9_pm *pm = dev;

	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

static const struct state_field pm_fields[] = {
	STATE_RAW(struct ich9_pm, reg),
	STATE_MAX(struct ich9_pm, timer_ran, INT64_MAX),
	STATE(struct ich9_pm, timer_seen),
	STATE_END,
};

static void pm_saving(void *dev)
{
	struct ich9_pm *pm = dev;

	pm->timer_ran = now_ns() - pm->timer_start;
}

static void pm_restored(void *dev)
{
	struct ich9_pm *pm = dev;

	pm->timer_start = now_ns() - pm->timer_ran;
}

static const struct state_type pm_state = {
	.name = "ich9-pm",
	.version = 1,
	.fields = pm_fields,
	.saving = pm_saving,
	.restored = pm_restored,
};

static const struct machine_dev_ops pm_dev_ops = {
	.name = "ich9-pm",
	.state = &pm_state,
	.reset = pm_reset,
	.wake = pm_wake,
	.destroy = pm_destroy,
};

struct ich9_pm *ich9_pm_create(struct machine *m)
{
	struct ich9_pm *pm = xcalloc(1, sizeof(*pm));

	pm->m = m;
	pm->has_smm = m->engine->smi;
	pm->timer_start = now_ns();
	pthread_mutex_init(&pm->lock, NULL);
	pm_reset(pm);
	pcports_create(m, apm_written, pm);
	machine_add_device(m, &pm_dev_ops, pm);
	machine_set_power_button(m, power_button, pm);
	return pm;
}
