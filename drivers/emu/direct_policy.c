/*
 * drivers/emu/direct_policy.c -- does it pay to run user code as it is?
 *
 * Each address space has an account, in nanoseconds of CPU time: what a visit
 * to its stub saves against translated code is paid in, what the way there and
 * back and the mapping of pages cost is drawn.  A program that has computed for
 * a while without entering the kernel is given some credit; when that is used
 * up, it is left alone, each time for longer.
 */
#include <time.h>

#include "drivers/emu/direct.h"

enum { ACCOUNTS = 256 };

/* ns */
enum {
	CALM = 70 * 1000,   /* between two entries into the kernel ... */
	WATCHED = 1000000,   /* for as long */
	CREDIT = 20000000,   /* to begin with: pages have to be mapped */
	CREDIT_AGAIN = 8000000,
	CREDIT_MAX = 60000000,
	AWAY_MIN = 10000000, /* to be left alone */
	SHORT = 8 * 1000,    /* a visit that was hardly worth while ... */
	SHORTS = 6,	     /* and so many in a row: */
	PAUSE = 3000000,
};
#define AWAY_MAX 1000000000ull

struct direct_account {
	uint64_t cr3;
	int64_t credit;
	unsigned int shorts;
	uint64_t not_before, away;
};

struct direct_account *direct_accounts_create(void)
{
	return xcalloc(ACCOUNTS, sizeof(struct direct_account));
}

static struct direct_account *account(struct emu_cpu *cpu)
{
	uint64_t key = cpu->cr3 >> EMU_PAGE_SHIFT;
	struct direct_account *a = &cpu->direct.priv->account[key % ACCOUNTS];

	if (a->cr3 != key)
		*a = (struct direct_account){ .cr3 = key };
	return a;
}

uint64_t direct_cpu_time(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void watch(struct emu_cpu *cpu, uint64_t now)
{
	struct direct *d = cpu->direct.priv;

	d->watching = true;
	d->seen_when = now;
	d->seen_entries = cpu->direct.n_entries;
	d->seen_time = direct_cpu_time(CLOCK_THREAD_CPUTIME_ID);
}

/* Has the program that runs now computed for some time? */
static bool is_calm(struct emu_cpu *cpu, uint64_t now)
{
	const struct direct *d = cpu->direct.priv;
	uint64_t time, calm = (cpu->direct.n_entries - d->seen_entries) * CALM;

	if (!d->watching) {
		watch(cpu, now);
		return false;
	}
	if (now - d->seen_when < WATCHED)
		return false;
	time = direct_cpu_time(CLOCK_THREAD_CPUTIME_ID) - d->seen_time;
	if (time >= WATCHED)
		watch(cpu, now);
	return time >= MAX(calm, WATCHED);
}

void direct_consider(struct emu_cpu *cpu)
{
	struct direct *d = cpu->direct.priv;
	struct direct_account *a;
	uint64_t now;

	if (!d || d->broken)
		return;
	if (cpu->direct.eager || cpu->vm->direct_always) {
		cpu->direct.want = true;
		return;
	}
	now = now_ns();
	if (!is_calm(cpu, now))
		return;
	a = account(cpu);
	if (now < a->not_before)
		return;
	a->credit = MAX(a->credit, a->away ? CREDIT_AGAIN : CREDIT);
	a->shorts = 0;
	cpu->direct.want = cpu->direct.eager = true;
}

static void stay_away(struct emu_cpu *cpu, struct direct_account *a,
		      uint64_t time)
{
	a->not_before = now_ns() + time;
	cpu->direct.eager = cpu->vm->direct_always;
}

void direct_earned(struct emu_cpu *cpu, uint64_t ran, uint64_t paid)
{
	struct direct_account *a = account(cpu);

	a->credit += (int64_t)(ran * 3 / 2) - (int64_t)paid;
	if (a->credit > CREDIT_MAX) {
		a->credit = CREDIT_MAX;
		a->away = 0;
	}
	if (a->credit <= 0 && cpu->direct.eager) {
		a->away = MIN(MAX(2 * a->away, AWAY_MIN), AWAY_MAX);
		stay_away(cpu, a, a->away);
	}
}

void direct_left(struct emu_cpu *cpu, uint64_t ran)
{
	struct direct_account *a = account(cpu);

	a->shorts = ran < SHORT ? a->shorts + 1 : 0;
	if (a->shorts >= SHORTS)
		stay_away(cpu, a, PAUSE);
}

void direct_leave_alone(struct emu_cpu *cpu)
{
	struct direct_account *a = account(cpu);

	a->away = AWAY_MAX;
	stay_away(cpu, a, AWAY_MAX);
}

void direct_policy_switch(struct emu_cpu *cpu, bool known, bool flushed)
{
	struct direct_account *a = account(cpu);

	if (!known && flushed)
		*a = (struct direct_account){ .cr3 = a->cr3 };
	cpu->direct.priv->watching = false;
	cpu->direct.eager = cpu->vm->direct_always ||
			    (known && a->credit > 0 && a->shorts < SHORTS);
}
