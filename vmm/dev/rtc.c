/*
 * vmm/dev/rtc.c -- MC146818A real-time clock (Motorola data sheet MC146818A/D)
 * with 128 bytes of CMOS memory at ports 0x70 and 0x71.
 *
 * The guest's clock is the host's plus an offset; setting it changes the
 * offset.  Periodic, alarm and update-ended interrupts share one timer.  Left
 * out: the square wave output and daylight saving.
 */
#include "vmm/dev/rtc.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { RTC_PORT = 0x70, CMOS_SIZE = 128 };
enum { SECONDS = 0, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM,
       WEEKDAY, DAY, MONTH, YEAR, REG_A, REG_B, REG_C, REG_D,
       SHUTDOWN_STATUS = 0x0f, CENTURY = 0x32 };
/* What firmware takes a reset for that it finds there: waking from S3. */
enum { SHUTDOWN_S3 = 0xfe };
enum { A_UIP = 0x80 };
enum { B_24H = 2, B_BINARY = 4, B_UIE = 0x10, B_AIE = 0x20, B_PIE = 0x40,
       B_SET = 0x80 };
enum { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_IRQF = 0x80 };
enum { D_VRT = 0x80 };

#define SECOND_NS 1000000000ull
#define TIME_MAX  8000000000ll /* in the year 2223 */
#define UIP_NS	  244000 /* "update cycle": flagged this long before */

#define OWED_MAX 1000000ull

struct rtc {
	struct machine *m;
	struct loop_timer *timer;
	pthread_mutex_t lock; /* the rest */
	int64_t offset;	      /* nanoseconds to the host's clock */
	uint8_t index;
	uint8_t cmos[CMOS_SIZE]; /* the time registers only while SET is on */
	uint64_t periodic;	 /* last periodic interrupt, guest time */
	uint64_t owed; /* periodic ticks to come later */
};

static int64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * (int64_t)SECOND_NS + ts.tv_nsec;
}

static int64_t guest_ns(const struct rtc *rtc)
{
	return host_ns() + rtc->offset;
}

/* Nanoseconds of it fit, and it is after 1970. */
static int64_t clamp_time(int64_t seconds)
{
	return MAX(MIN(seconds, TIME_MAX), 0);
}

/* ---- the time registers ---- */

static uint8_t encode(const struct rtc *rtc, unsigned int v)
{
	return rtc->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static unsigned int decode(const struct rtc *rtc, uint8_t v)
{
	return rtc->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned int hour)
{
	if (rtc->cmos[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0);
}

static unsigned int decode_hour(const struct rtc *rtc, uint8_t v)
{
	if (rtc->cmos[REG_B] & B_24H)
		return decode(rtc, v);
	return decode(rtc, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* Fills the time registers from the running clock. */
static void rtc_latch(struct rtc *rtc)
{
	time_t t = guest_ns(rtc) / (int64_t)SECOND_NS;
	uint8_t *r = rtc->cmos;
	struct tm tm;

	if (r[REG_B] & B_SET || !gmtime_r(&t, &tm))
		return;
	r[SECONDS] = encode(rtc, tm.tm_sec);
	r[MINUTES] = encode(rtc, tm.tm_min);
	r[HOURS] = encode_hour(rtc, tm.tm_hour);
	r[WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	r[DAY] = encode(rtc, tm.tm_mday);
	r[MONTH] = encode(rtc, tm.tm_mon + 1);
	r[YEAR] = encode(rtc, (tm.tm_year + 1900) % 100);
	r[CENTURY] = encode(rtc, (tm.tm_year + 1900) / 100);
}

/* Registers hold whole seconds: to the nearest. */
static int64_t nearest_s(int64_t ns)
{
	int64_t half = (int64_t)SECOND_NS / 2;

	return (ns + (ns < 0 ? -half : half)) / (int64_t)SECOND_NS;
}

/* Makes the clock run from what the registers say. */
static void rtc_set(struct rtc *rtc)
{
	const uint8_t *r = rtc->cmos;
	struct tm tm = {
		.tm_sec = decode(rtc, r[SECONDS]),
		.tm_min = decode(rtc, r[MINUTES]),
		.tm_hour = decode_hour(rtc, r[HOURS]),
		.tm_mday = decode(rtc, r[DAY]),
		.tm_mon = (int)decode(rtc, r[MONTH]) - 1,
		.tm_year = (int)(decode(rtc, r[CENTURY]) * 100 +
				 decode(rtc, r[YEAR])) - 1900,
	};

	rtc->offset = clamp_time(timegm(&tm)) * (int64_t)SECOND_NS - host_ns();
	machine_tell_rtc(rtc->m, nearest_s(rtc->offset));
}

/* ---- interrupts ---- */

/* Register A's rate selection at 32768 Hz; 0: off. */
static uint64_t rtc_period(const struct rtc *rtc)
{
	unsigned int rate = rtc->cmos[REG_A] & 0x0f;

	if (!rate)
		return 0;
	if (rate <= 2)
		rate += 7;
	return (SECOND_NS << (rate - 1)) / 32768;
}

static void rtc_update_irq(struct rtc *rtc)
{
	uint8_t *r = rtc->cmos;
	bool irq = r[REG_B] & r[REG_C] & (C_PF | C_AF | C_UF);

	r[REG_C] = (r[REG_C] & ~C_IRQF) | (irq ? C_IRQF : 0);
	machine_irq(rtc->m, GSI_RTC, irq);
}

/* Locked: to the next second, or the next period when that is wanted. */
static void rtc_arm(struct rtc *rtc)
{
	uint64_t now = guest_ns(rtc), wait = SECOND_NS - now % SECOND_NS;
	uint64_t period = rtc_period(rtc);

	if (!(rtc->cmos[REG_B] & (B_PIE | B_AIE | B_UIE))) {
		timer_disarm(rtc->timer);
		return;
	}
	if ((rtc->cmos[REG_B] & B_PIE) && period)
		wait = MIN(wait, period - now % period);
	timer_arm(rtc->timer, now_ns() + wait);
}

/* "Time, calendar, and alarm locations": 0xc0 and above match anything. */
static bool rtc_alarm_matches(const struct rtc *rtc)
{
	static const uint8_t pairs[][2] = { { SECONDS, SECONDS_ALARM },
					    { MINUTES, MINUTES_ALARM },
					    { HOURS, HOURS_ALARM } };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		uint8_t alarm = rtc->cmos[pairs[i][1]];

		if (alarm < 0xc0 && alarm != rtc->cmos[pairs[i][0]])
			return false;
	}
	return true;
}

static void rtc_second(struct rtc *rtc)
{
	if (rtc->cmos[REG_B] & B_SET)
		return;
	rtc_latch(rtc);
	rtc->cmos[REG_C] |= C_UF;
	if (!rtc_alarm_matches(rtc))
		return;
	rtc->cmos[REG_C] |= C_AF;
	if (rtc->cmos[REG_B] & B_AIE && rtc->m->pm)
		ich9_pm_alarm(rtc->m->pm);
}

/*
 * Ticks that came while the one before was not yet acknowledged, or while this
 * process did not run: a guest that counts them is given them later.
 */
static void note_missed(struct rtc *rtc, uint64_t ticks)
{
	if (!rtc->m->spec->rtc_catchup || !(rtc->cmos[REG_B] & B_PIE))
		return;
	rtc->owed += ticks - 1 + !!(rtc->cmos[REG_C] & C_PF);
	rtc->owed = MIN(rtc->owed, OWED_MAX);
}

/* One at a time: the next when this has been acknowledged. */
static void give_missed(struct rtc *rtc)
{
	if (!rtc->owed || !(rtc->cmos[REG_B] & B_PIE))
		return;
	rtc->owed--;
	rtc->cmos[REG_C] |= C_PF;
	rtc_update_irq(rtc);
}

static void rtc_fire(void *arg)
{
	struct rtc *rtc = arg;
	uint64_t now, period;

	pthread_mutex_lock(&rtc->lock);
	now = guest_ns(rtc);
	period = rtc_period(rtc);
	if (now / SECOND_NS != rtc->periodic / SECOND_NS)
		rtc_second(rtc);
	if (period && now / period != rtc->periodic / period) {
		note_missed(rtc, now / period - rtc->periodic / period);
		rtc->cmos[REG_C] |= C_PF;
	}
	rtc->periodic = now;
	rtc_update_irq(rtc);
	rtc_arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/* ---- ports ---- */

static uint8_t rtc_read_a(const struct rtc *rtc)
{
	uint64_t into = guest_ns(rtc) % (int64_t)SECOND_NS;
	bool uip = !(rtc->cmos[REG_B] & B_SET) && into > SECOND_NS - UIP_NS;

	return rtc->cmos[REG_A] | (uip ? A_UIP : 0);
}

/* Reading register C acknowledges. */
static uint8_t rtc_read_c(struct rtc *rtc)
{
	uint8_t value = rtc->cmos[REG_C];

	rtc->cmos[REG_C] = 0;
	rtc_update_irq(rtc);
	if (value & C_PF)
		give_missed(rtc);
	return value;
}

static uint8_t rtc_read_reg(struct rtc *rtc)
{
	switch (rtc->index) {
	case REG_A:
		return rtc_read_a(rtc);
	case REG_C:
		return rtc_read_c(rtc);
	case REG_D:
		return D_VRT;
	}
	rtc_latch(rtc);
	return rtc->cmos[rtc->index];
}

static bool is_time(uint8_t reg)
{
	return reg == CENTURY || (reg <= YEAR && reg != SECONDS_ALARM &&
				  reg != MINUTES_ALARM && reg != HOURS_ALARM);
}

static void rtc_write_b(struct rtc *rtc, uint8_t value)
{
	uint8_t old = rtc->cmos[REG_B];

	if (!(old & B_SET) && (value & B_SET)) {
		rtc_latch(rtc); /* frozen until SET goes away */
		value &= ~B_UIE;
	}
	rtc->cmos[REG_B] = value;
	if ((old & B_SET) && !(value & B_SET))
		rtc_set(rtc);
	rtc->periodic = guest_ns(rtc);
	rtc_update_irq(rtc);
}

static void rtc_write_reg(struct rtc *rtc, uint8_t value)
{
	switch (rtc->index) {
	case REG_A:
		rtc->cmos[REG_A] = value & 0x7f;
		break;
	case REG_B:
		rtc_write_b(rtc, value);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		rtc_latch(rtc);
		rtc->cmos[rtc->index] = value;
		if (is_time(rtc->index) && !(rtc->cmos[REG_B] & B_SET))
			rtc_set(rtc);
	}
	rtc_arm(rtc);
}

static uint64_t rtc_read(void *dev, uint64_t offset, unsigned int size)
{
	struct rtc *rtc = dev;
	uint8_t value = 0xff;

	if (offset == 0)
		return value; /* the index is write-only */
	pthread_mutex_lock(&rtc->lock);
	value = rtc_read_reg(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void rtc_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	if (offset == 0)
		rtc->index = value & (CMOS_SIZE - 1); /* bit 7: NMI mask */
	else
		rtc_write_reg(rtc, value);
	pthread_mutex_unlock(&rtc->lock);
}

static const struct bus_ops rtc_ops = { rtc_read, rtc_write };

/* The battery keeps time and memory; interrupts are off (RESET pin). */
static void rtc_reset(void *dev)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	rtc->cmos[REG_B] &= ~(B_UIE | B_AIE | B_PIE);
	rtc->owed = 0;
	rtc->cmos[REG_C] = 0;
	rtc_update_irq(rtc);
	rtc_arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/* It never slept. */
static void rtc_wake(void *dev)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	if (rtc->m->spec->firmware_fd >= 0)
		rtc->cmos[SHUTDOWN_STATUS] = SHUTDOWN_S3;
	rtc_update_irq(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static void rtc_destroy(void *dev)
{
	struct rtc *rtc = dev;

	timer_destroy(rtc->timer);
	pthread_mutex_destroy(&rtc->lock);
	free(rtc);
}

/* The clock runs on while the machine is in a file, as a battery's would. */
static const struct state_field rtc_fields[] = {
	STATE(struct rtc, offset),
	STATE_MAX(struct rtc, index, CMOS_SIZE - 1),
	STATE_RAW(struct rtc, cmos),
	STATE_END,
};

static int rtc_loaded(void *dev, unsigned int version, struct error *err)
{
	struct rtc *rtc = dev;
	int64_t limit = TIME_MAX * (int64_t)SECOND_NS;

	/* Guest time is after 1970 and fits, as clamp_time() has it. */
	if (rtc->offset > limit - host_ns() || rtc->offset < -host_ns())
		return -EINVAL;
	return 0;
}

static void rtc_restored(void *dev)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	rtc->periodic = guest_ns(rtc);
	rtc_arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static const struct state_type rtc_state = {
	.name = "rtc",
	.version = 1,
	.fields = rtc_fields,
	.loaded = rtc_loaded,
	.restored = rtc_restored,
};

static const struct machine_dev_ops rtc_dev_ops = {
	.name = "rtc",
	.reset = rtc_reset,
	.wake = rtc_wake,
	.destroy = rtc_destroy,
	.state = &rtc_state,
};

/* The time zone's files were read when main() called tzset(). */
static int64_t rtc_start_offset(const struct vmm_spec *spec)
{
	time_t now = time(NULL);
	int64_t guest = now;
	struct tm tm;

	if (spec->clock_localtime && localtime_r(&now, &tm))
		guest += tm.tm_gmtoff;
	if (ckd_add(&guest, guest, spec->clock_offset))
		guest = now;
	return (clamp_time(guest) - now) * (int64_t)SECOND_NS;
}

void rtc_set_cmos(struct rtc *rtc, unsigned int reg, uint8_t value)
{
	rtc->cmos[reg] = value;
}

struct rtc *rtc_create(struct machine *m)
{
	struct rtc *rtc = xcalloc(1, sizeof(*rtc));

	rtc->m = m;
	rtc->offset = rtc_start_offset(m->spec);
	rtc->cmos[REG_A] = 0x26; /* 32768 Hz, 1024 Hz periodic */
	rtc->cmos[REG_B] = B_24H;
	pthread_mutex_init(&rtc->lock, NULL);
	timer_create_on(m->loop, rtc_fire, rtc, &rtc->timer);
	bus_add(m->ports, RTC_PORT, 2, &rtc_ops, rtc);
	machine_add_device(m, &rtc_dev_ops, rtc);
	return rtc;
}
