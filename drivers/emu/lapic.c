/*
 * drivers/emu/lapic.c -- the local APIC (SDM vol. 3, "Advanced Programmable
 * Interrupt Controller (APIC)").
 *
 * Threads: the IRR and TMR are atomic bit maps that any thread may set; all
 * else belongs to the vCPU's thread.  A sender sets the IRR bit, then tells
 * the vCPU (emu_notify()), which looks at its next block boundary or wakes.
 * Timers of all vCPUs are kept by one thread, which sleeps until the earliest
 * deadline.  A vCPU that has an earlier one sets the thread's alarm and need not
 * wake it.
 */
#include "drivers/emu/lapic.h"
#include "drivers/emu/hyperv.h"

#include <errno.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/machine.h"

enum { /* register offsets in the xAPIC page */
       REG_ID = 0x20,
       REG_VERSION = 0x30,
       REG_TPR = 0x80,
       REG_APR = 0x90,
       REG_PPR = 0xa0,
       REG_EOI = 0xb0,
       REG_LDR = 0xd0,
       REG_DFR = 0xe0,
       REG_SVR = 0xf0,
       REG_ISR = 0x100,
       REG_TMR = 0x180,
       REG_IRR = 0x200,
       REG_ESR = 0x280,
       REG_LVT_CMCI = 0x2f0,
       REG_ICR = 0x300,
       REG_ICR2 = 0x310,
       REG_LVT_TIMER = 0x320,
       REG_LVT_THERMAL = 0x330,
       REG_LVT_PERF = 0x340,
       REG_LVT_LINT0 = 0x350,
       REG_LVT_LINT1 = 0x360,
       REG_LVT_ERROR = 0x370,
       REG_TIMER_INIT = 0x380,
       REG_TIMER_CURRENT = 0x390,
       REG_TIMER_DIVIDE = 0x3e0,
       REG_SELF_IPI = 0x3f0,
};

enum {
	DM_FIXED,
	DM_LOWEST,
	DM_SMI,
	DM_NMI = 4,
	DM_INIT,
	DM_STARTUP,
	DM_EXTINT
};
enum { TIMER_ONESHOT, TIMER_PERIODIC, TIMER_DEADLINE };

#define LVT_MASKED   BIT(16)
#define SVR_ENABLE   BIT(8)
#define SVR_NO_EOI   BIT(12)
#define BASE_BSP     BIT64(8)
#define BASE_X2APIC  BIT64(10)
#define BASE_ENABLE  BIT64(11)
#define APIC_VERSION 0x01050014u /* no EOI broadcast suppression: bit 24 */

struct lapic {
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t id; /* in xAPIC mode software may change it */
	uint32_t initial_id;
	uint32_t tpr, ldr, dfr, svr, esr, esr_new, icr_hi;
	uint32_t icr_lo;
	uint32_t lvt[6]; /* timer, thermal, perf, lint0, lint1, error */
	uint32_t cmci, timer_init, timer_divide;
	uint64_t tsc_deadline;
	uint64_t isr[4];
	_Atomic uint64_t irr[4], tmr[4];
	_Atomic bool irr_any; /* may be something in irr */

	/* Under timers->lock. */
	uint64_t deadline; /* ns, 0: not armed */
	uint64_t period;   /* ns, 0: once */
	_Atomic bool timer_fired;
};

struct lapic_timers {
	pthread_t thread;
	pthread_mutex_t lock;
	int alarm;	 /* timerfd: what the thread sleeps on ... */
	uint64_t wakeup; /* until then; UINT64_MAX: it is not set */
	bool quit, paused;
	uint64_t paused_at;
};

static int highest(const uint64_t *map)
{
	for (int i = 3; i >= 0; i--)
		if (map[i])
			return 64 * i + 63 - __builtin_clzll(map[i]);
	return -1;
}

static int highest_irr(struct lapic *apic)
{
	for (int i = 3; i >= 0; i--) {
		uint64_t v = atomic_load_explicit(&apic->irr[i],
						  memory_order_relaxed);

		if (v)
			return 64 * i + 63 - __builtin_clzll(v);
	}
	return -1;
}

static uint32_t ppr(const struct lapic *apic)
{
	int isr = highest(apic->isr);
	uint32_t in_service = isr < 0 ? 0 : isr & 0xf0;

	if ((apic->tpr & 0xf0) >= in_service)
		return apic->tpr & 0xff;
	return in_service;
}

static bool enabled(const struct lapic *apic)
{
	return apic->base & BASE_ENABLE && apic->svr & SVR_ENABLE;
}

static void set_irr(struct emu_cpu *cpu, uint8_t vector, bool level)
{
	struct lapic *apic = cpu->lapic;
	uint64_t bit = BIT64(vector & 63);

	if (level)
		atomic_fetch_or(&apic->tmr[vector / 64], bit);
	else
		atomic_fetch_and(&apic->tmr[vector / 64], ~bit);
	atomic_fetch_or(&apic->irr[vector / 64], bit);
	atomic_store(&apic->irr_any, true);
	emu_notify(cpu, PEND_IRQ);
}

/* LINT0 passes the PIC's wire on, or the APIC is off altogether. */
static bool takes_extint(struct emu_cpu *cpu)
{
	const struct lapic *apic = cpu->lapic;
	uint32_t lint0 = apic->lvt[3];

	if (!(apic->base & BASE_ENABLE))
		return apic->base & BASE_BSP;
	return !(lint0 & LVT_MASKED) && (lint0 >> 8 & 7) == DM_EXTINT;
}

bool lapic_pending(struct emu_cpu *cpu)
{
	struct lapic *apic = cpu->lapic;

	if (!apic)
		return false;
	return atomic_load_explicit(&apic->irr_any, memory_order_relaxed) ||
	       atomic_load_explicit(&cpu->vm->extint, memory_order_relaxed);
}

const volatile void *lapic_irr_any(const struct emu_cpu *cpu)
{
	return &cpu->lapic->irr_any;
}

int lapic_accept(struct emu_cpu *cpu)
{
	struct lapic *apic = cpu->lapic;
	int vector;

	if (!apic)
		return -1;
	if (atomic_load(&cpu->vm->extint) && takes_extint(cpu) && cpu->vm->m) {
		vector = machine_pic_ack(cpu->vm->m);
		if (vector >= 0)
			return vector;
	}
	if (!enabled(apic))
		return -1;
	atomic_store(&apic->irr_any, false);
	vector = highest_irr(apic);
	if (vector < 0)
		return -1;
	atomic_store(&apic->irr_any, true);
	if ((vector & 0xf0u) <= (ppr(apic) & 0xf0))
		return -1;
	atomic_fetch_and(&apic->irr[vector / 64], ~BIT64(vector & 63));
	if (likely(!cpu->hv) || !synic_auto_eoi(cpu, vector))
		apic->isr[vector / 64] |= BIT64(vector & 63);
	return vector;
}

static void eoi(struct emu_cpu *cpu)
{
	struct lapic *apic = cpu->lapic;
	int vector = highest(apic->isr);
	uint64_t bit;

	if (vector < 0)
		return;
	bit = BIT64(vector & 63);
	apic->isr[vector / 64] &= ~bit;
	if (atomic_load(&apic->tmr[vector / 64]) & bit && cpu->vm->m)
		machine_eoi(cpu->vm->m, vector);
	if (lapic_pending(cpu))
		emu_pend(cpu, PEND_IRQ);
}

void lapic_set_cr8(struct emu_cpu *cpu, uint64_t v)
{
	if (!cpu->lapic)
		return;
	cpu->lapic->tpr = v << 4;
	emu_pend(cpu, PEND_IRQ);
}

uint64_t lapic_get_cr8(struct emu_cpu *cpu)
{
	return cpu->lapic ? (cpu->lapic->tpr >> 4) & 15 : 0;
}

void lapic_nmi(struct emu_cpu *cpu)
{
	atomic_fetch_add(&cpu->nmis_arrived, 1);
	emu_notify(cpu, PEND_NMI);
}

/* An interrupt message arrives at one vCPU. */
static void accept_message(struct emu_cpu *cpu, unsigned int mode,
			   uint8_t vector, bool level)
{
	if (!(cpu->lapic->base & BASE_ENABLE))
		return; /* it is not on the bus */
	switch (mode) {
	case DM_FIXED:
	case DM_LOWEST:
		if (vector >= 16)
			set_irr(cpu, vector, level);
		break;
	case DM_NMI:
		lapic_nmi(cpu);
		break;
	case DM_SMI:
		emu_notify(cpu, PEND_SMI);
		break;
	case DM_INIT:
		emu_notify(cpu, PEND_INIT);
		break;
	case DM_STARTUP:
		cpu->sipi_vector = vector;
		emu_notify(cpu, PEND_SIPI);
		break;
	case DM_EXTINT:
		emu_notify(cpu, PEND_IRQ);
		break;
	}
}

/* SDM vol. 3, "Determining IPI Destination". */
static bool matches(const struct lapic *apic, uint32_t dest, bool logical)
{
	bool x2 = apic->base & BASE_X2APIC;
	uint32_t id = apic->id;

	if (!logical)
		return dest == id || dest == 0xffffffff ||
		       (!x2 && (dest & 0xff) == 0xff);
	if (x2) {
		uint32_t ldr = (id >> 4) << 16 | 1u << (id & 15);

		if (dest == 0xffffffff)
			return true;
		return dest >> 16 == ldr >> 16 && dest & ldr & 0xffff;
	}
	if ((dest & 0xff) == 0xff)
		return true;
	if (apic->dfr >> 28 == 0xf)
		return (apic->ldr >> 24) & dest;
	return (apic->ldr >> 28) == (dest >> 4 & 15) &&
	       (apic->ldr >> 24) & dest & 15;
}

/* To one or all of those addressed (lowest priority: the first). */
static int send(struct vm *vm, uint32_t dest, bool logical, unsigned int mode,
		uint8_t vector, bool level)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	int found = -EHOSTUNREACH;

	for (unsigned int i = 0; i < n; i++) {
		struct emu_cpu *cpu = vm->cpus[i];

		if (!cpu || !matches(cpu->lapic, dest, logical))
			continue;
		if (mode <= DM_LOWEST && !enabled(cpu->lapic))
			continue;
		accept_message(cpu, mode, vector, level);
		found = 0;
		if (mode == DM_LOWEST)
			break;
	}
	return found;
}

/*
 * MSI (SDM vol. 3, "Message Address Register Format").  Logical 0xff and
 * physical 0xff are broadcasts, also for x2APIC.
 */
int lapic_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	uint32_t dest = (addr >> 12) & 0xff;

	/* Bits 5 to 11: destination ID 8 to 14, as KVM extends it. */
	dest |= (addr >> 5 & 0x7f) << 8;
	if (dest == 0xff)
		dest = 0xffffffff;
	return send(vm, dest, addr & BIT(2), data >> 8 & 7, data,
		    data & BIT(15));
}

/* ---- Hyper-V's ways in ---- */

void lapic_hv_eoi(struct emu_cpu *cpu)
{
	eoi(cpu);
}

int lapic_hv_icr(struct emu_cpu *cpu, uint64_t *ret)
{
	*ret = (uint64_t)cpu->lapic->icr_hi << 32 | cpu->lapic->icr_lo;
	return 0;
}

void lapic_hv_interrupt(struct emu_cpu *cpu, uint8_t vector)
{
	accept_message(cpu, DM_FIXED, vector, false);
}

bool lapic_enabled(const struct emu_cpu *cpu)
{
	return !cpu->lapic || cpu->lapic->base & BASE_ENABLE;
}

/*
 * The hypercall that sends one interrupt to up to 128 APICs (Linux,
 * Documentation/virt/kvm/x86/hypercalls.rst, "KVM_HC_SEND_IPI").
 */
int lapic_pv_ipi(struct vm *vm, const uint64_t map[2], uint32_t first,
		 uint32_t icr)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	int sent = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct emu_cpu *cpu = vm->cpus[i];
		uint64_t bit = cpu ? cpu->lapic->id - (uint64_t)first : 128;

		if (bit >= 128 || !(map[bit / 64] >> (bit & 63) & 1))
			continue;
		accept_message(cpu, icr >> 8 & 7, icr, false);
		sent++;
	}
	return sent;
}

void lapic_extint(struct vm *vm, bool level)
{
	unsigned int n = atomic_load(&vm->n_cpus);

	atomic_store(&vm->extint, level);
	for (unsigned int i = 0; level && i < n; i++)
		if (vm->cpus[i] && takes_extint(vm->cpus[i]))
			emu_notify(vm->cpus[i], PEND_IRQ);
}

static void send_ipi(struct emu_cpu *cpu, uint64_t icr)
{
	struct lapic *apic = cpu->lapic;
	unsigned int mode = icr >> 8 & 7, shorthand = icr >> 18 & 3;
	bool level = icr & BIT(15);
	uint32_t dest = apic->base & BASE_X2APIC ? icr >> 32 : icr >> 56;
	unsigned int n = atomic_load(&cpu->vm->n_cpus);

	if (mode == DM_INIT && level && !(icr & BIT(14)))
		return; /* INIT level de-assert: nothing, these days */
	if (shorthand == 0) {
		send(cpu->vm, dest, icr & BIT(11), mode, icr, false);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct emu_cpu *to = cpu->vm->cpus[i];

		if (!to || (shorthand == 1 && to != cpu) ||
		    (shorthand == 3 && to == cpu))
			continue;
		if (mode > DM_LOWEST || enabled(to->lapic))
			accept_message(to, mode, icr, false);
	}
}

void lapic_hv_send(struct emu_cpu *cpu, uint64_t icr)
{
	cpu->lapic->icr_hi = icr >> 32;
	cpu->lapic->icr_lo = (uint32_t)icr;
	send_ipi(cpu, icr);
}

/* The timer.  One count is a nanosecond times the divider. */
static unsigned int timer_shift(const struct lapic *apic)
{
	unsigned int v =
		(apic->timer_divide & 3) | (apic->timer_divide >> 1 & 4);

	return (v + 1) & 7;
}

static unsigned int timer_mode(const struct lapic *apic)
{
	return apic->lvt[0] >> 17 & 3;
}

/* Locked.  A time of 0 would turn it off. */
static void set_alarm(struct lapic_timers *t, uint64_t time)
{
	t->wakeup = time;
	timerfd_arm(t->alarm, MAX(time, 1));
}

static void wake_by(struct lapic_timers *t, uint64_t deadline)
{
	if (deadline && deadline < t->wakeup)
		set_alarm(t, deadline);
}

static void timer_set(struct emu_cpu *cpu, uint64_t deadline, uint64_t period)
{
	struct lapic_timers *t = cpu->vm->timers;
	struct lapic *apic = cpu->lapic;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	apic->deadline = deadline;
	apic->period = period;
	wake_by(t, deadline);
	pthread_mutex_unlock(&t->lock);
}

/* From the initial count to zero. */
static uint64_t timer_ns(const struct lapic *apic)
{
	uint64_t ns = (uint64_t)apic->timer_init << timer_shift(apic);

	if (ns && ns < 20000 && timer_mode(apic) == TIMER_PERIODIC)
		return 20000; /* a storm would starve the guest */
	return ns;
}

void lapic_hv_timer(struct emu_cpu *cpu, uint64_t *deadline, uint64_t value)
{
	struct lapic_timers *t = cpu->vm->timers;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	*deadline = value;
	wake_by(t, value);
	pthread_mutex_unlock(&t->lock);
}

/* While the guest's time stands still, so does this. */
static uint64_t timers_now(const struct lapic_timers *t)
{
	return t && t->paused ? t->paused_at : now_ns();
}

/* The timer starts with this count. */
static void timer_count(struct emu_cpu *cpu, uint32_t count)
{
	struct lapic *apic = cpu->lapic;
	uint64_t ns = (uint64_t)count << timer_shift(apic);
	bool periodic = timer_mode(apic) == TIMER_PERIODIC;

	if (count == apic->timer_init || (periodic && !count))
		ns = timer_ns(apic);
	timer_set(cpu, ns ? timers_now(cpu->vm->timers) + ns : 0,
		  periodic ? timer_ns(apic) : 0);
}

/* What is left until the deadline, also of a period not yet begun anew. */
static uint32_t timer_current(struct emu_cpu *cpu)
{
	struct lapic_timers *t = cpu->vm->timers;
	struct lapic *apic = cpu->lapic;
	uint64_t now, deadline, period;

	if (!apic->timer_init || timer_mode(apic) == TIMER_DEADLINE || !t)
		return 0;
	pthread_mutex_lock(&t->lock);
	now = timers_now(t);
	deadline = apic->deadline;
	period = apic->period;
	pthread_mutex_unlock(&t->lock);
	if (deadline && deadline <= now && period)
		deadline = now + period - (now - deadline) % period;
	if (deadline <= now)
		return 0;
	return MIN((deadline - now) >> timer_shift(apic), apic->timer_init);
}

static void timer_expired(struct emu_cpu *cpu)
{
	struct lapic *apic = cpu->lapic;
	uint32_t lvt = apic->lvt[0];

	apic->timer_fired = true;
	if (!(lvt & LVT_MASKED) && enabled(apic))
		set_irr(cpu, lvt, false);
}

/*
 * One-shot becomes periodic or the reverse: the count goes on.  One that has
 * run down is over, whether the timers' thread has seen it or not.
 */
static void timer_change_mode(struct emu_cpu *cpu)
{
	struct lapic_timers *t = cpu->vm->timers;
	struct lapic *apic = cpu->lapic;
	bool over;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	over = apic->deadline && !apic->period && apic->deadline <= now_ns();
	if (over)
		apic->deadline = 0;
	apic->period = timer_mode(apic) == TIMER_PERIODIC ? timer_ns(apic) : 0;
	pthread_mutex_unlock(&t->lock);
	if (over)
		timer_expired(cpu);
}

static void set_tsc_deadline(struct emu_cpu *cpu, uint64_t tsc)
{
	struct lapic *apic = cpu->lapic;
	uint64_t now = emu_clock_tsc(cpu->vm) + cpu->tsc_offset;
	uint64_t ns = timers_now(cpu->vm->timers);

	if (timer_mode(apic) != TIMER_DEADLINE)
		return;
	apic->timer_fired = false;
	apic->tsc_deadline = tsc;
	if (!tsc) {
		timer_set(cpu, 0, 0);
		return;
	}
	if (tsc <= now) { /* before the next instruction */
		timer_set(cpu, 0, 0);
		timer_expired(cpu);
		return;
	}
	ns += (unsigned __int128)(tsc - now) * 1000000000 /
	      emu_tsc_hz(cpu->vm);
	timer_set(cpu, ns + 1, 0);
}

/* Fires what is due; returns the next deadline. */
static uint64_t timers_fire(struct vm *vm, uint64_t now)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < n; i++) {
		struct lapic *apic = vm->cpus[i] ? vm->cpus[i]->lapic : NULL;

		if (apic && vm->cpus[i]->hv)
			next = MIN(next, synic_fire(vm->cpus[i], now));
		if (!apic || !apic->deadline)
			continue;
		if (apic->deadline <= now) {
			apic->deadline = apic->period
						 ? apic->deadline + apic->period
						 : 0;
			if (apic->deadline && apic->deadline <= now)
				apic->deadline = now + apic->period;
			timer_expired(vm->cpus[i]);
		}
		if (apic->deadline && apic->deadline < next)
			next = apic->deadline;
	}
	return next;
}

/* #syscalls:vmm read */
static void *timers_main(void *arg)
{
	struct vm *vm = arg;
	struct lapic_timers *t = vm->timers;
	uint64_t next, times;

	pthread_mutex_lock(&t->lock);
	while (!t->quit) {
		t->wakeup = UINT64_MAX;
		next = t->paused ? UINT64_MAX : timers_fire(vm, now_ns());
		wake_by(t, next);
		pthread_mutex_unlock(&t->lock);
		if (read(t->alarm, &times, sizeof(times)) < 0 && errno != EINTR)
			abort();
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int lapic_timers_start(struct vm *vm)
{
	struct lapic_timers *t = xcalloc(1, sizeof(*t));
	sigset_t all, old;
	int r;

	t->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (t->alarm < 0) {
		r = -errno;
		free(t);
		return r;
	}
	pthread_mutex_init(&t->lock, NULL);
	vm->timers = t;
	sigfillset(&all); /* signals are the machine's business */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&t->thread, NULL, timers_main, vm);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		vm->timers = NULL;
		close(t->alarm);
		free(t);
	}
	return r;
}

void lapic_timers_stop(struct vm *vm)
{
	struct lapic_timers *t = vm->timers;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->quit = true;
	set_alarm(t, 1);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	close(t->alarm);
	pthread_mutex_destroy(&t->lock);
	free(t);
	vm->timers = NULL;
}

void lapic_timers_forget(struct lapic_timers *t, struct emu_cpu *cpu)
{
	struct vm *vm = cpu->vm;

	pthread_mutex_lock(&t->lock);
	for (unsigned int i = 0; i < vm->n_cpus; i++)
		if (vm->cpus[i] == cpu)
			vm->cpus[i] = NULL;
	pthread_mutex_unlock(&t->lock);
}

/* Deadlines move on by as long as the guest's time stood still. */
void lapic_timers_pause(struct vm *vm, bool paused)
{
	struct lapic_timers *t = vm->timers;
	unsigned int n = atomic_load(&vm->n_cpus);
	uint64_t now = now_ns(), gap;

	pthread_mutex_lock(&t->lock);
	if (paused && !t->paused)
		timers_fire(vm, now); /* what the thread is late with */
	gap = t->paused ? now - t->paused_at : 0;
	t->paused = paused;
	t->paused_at = now;
	for (unsigned int i = 0; !paused && i < n; i++) {
		struct lapic *apic = vm->cpus[i] ? vm->cpus[i]->lapic : NULL;

		if (apic && apic->deadline)
			apic->deadline += gap;
	}
	set_alarm(t, 1); /* it looks again */
	pthread_mutex_unlock(&t->lock);
}

/* Registers, by xAPIC offset. */
static uint32_t bitmap32(const uint64_t *map, unsigned int reg)
{
	unsigned int n = reg >> 4 & 7;

	return map[n / 2] >> (32 * (n & 1));
}

static uint32_t atomic_bitmap32(_Atomic uint64_t *map, unsigned int reg)
{
	unsigned int n = reg >> 4 & 7;

	return atomic_load(&map[n / 2]) >> (32 * (n & 1));
}

static uint32_t reg_id(const struct lapic *apic)
{
	return apic->base & BASE_X2APIC ? apic->id : apic->id << 24;
}

static uint32_t reg_ldr(const struct lapic *apic)
{
	if (apic->base & BASE_X2APIC)
		return (apic->id >> 4) << 16 | 1u << (apic->id & 15);
	return apic->ldr;
}

static uint32_t reg_read(struct emu_cpu *cpu, unsigned int reg)
{
	struct lapic *apic = cpu->lapic;

	switch (reg) {
	case REG_ID:
		return reg_id(apic);
	case REG_VERSION:
		return APIC_VERSION & 0x00ffffff;
	case REG_TPR:
		return apic->tpr;
	case REG_PPR:
		return ppr(apic);
	case REG_LDR:
		return reg_ldr(apic);
	case REG_DFR:
		return apic->dfr;
	case REG_SVR:
		return apic->svr;
	case REG_ISR ... REG_ISR + 0x70:
		return bitmap32(apic->isr, reg);
	case REG_TMR ... REG_TMR + 0x70:
		return atomic_bitmap32(apic->tmr, reg);
	case REG_IRR ... REG_IRR + 0x70:
		return atomic_bitmap32(apic->irr, reg);
	case REG_ESR:
		return apic->esr;
	case REG_LVT_CMCI:
		return apic->cmci;
	case REG_ICR:
		return apic->icr_lo;
	case REG_ICR2:
		return apic->icr_hi;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		return apic->lvt[(reg - REG_LVT_TIMER) >> 4];
	case REG_TIMER_INIT:
		return apic->timer_init;
	case REG_TIMER_CURRENT:
		return timer_current(cpu);
	case REG_TIMER_DIVIDE:
		return apic->timer_divide;
	default:
		return 0;
	}
}

static void write_lvt(struct emu_cpu *cpu, unsigned int n, uint32_t v)
{
	static const uint32_t masks[6] = { 0x710ff, 0x117ff, 0x117ff,
					   0x1f7ff, 0x1f7ff, 0x110ff };
	struct lapic *apic = cpu->lapic;
	uint32_t old = apic->lvt[n];

	v &= masks[n];
	if (!(apic->svr & SVR_ENABLE))
		v |= LVT_MASKED;
	apic->lvt[n] = v;
	if (n == 0 && (old ^ v) & (2u << 17)) { /* TSC deadline */
		apic->tsc_deadline = 0;
		apic->timer_init = 0;
		timer_set(cpu, 0, 0);
	} else if (n == 0 && (old ^ v) & (1u << 17)) {
		timer_change_mode(cpu);
	}
	if (n == 3)
		emu_pend(cpu, PEND_IRQ);
}

static void write_svr(struct emu_cpu *cpu, uint32_t v)
{
	struct lapic *apic = cpu->lapic;

	apic->svr = v & 0x1ff;
	for (unsigned int n = 0; !(v & SVR_ENABLE) && n < 6; n++)
		apic->lvt[n] |= LVT_MASKED;
	emu_pend(cpu, PEND_IRQ);
}

static void reg_write(struct emu_cpu *cpu, unsigned int reg, uint32_t v)
{
	struct lapic *apic = cpu->lapic;

	switch (reg) {
	case REG_ID:
		apic->id = v >> 24;
		break;
	case REG_TPR:
		apic->tpr = v & 0xff;
		emu_pend(cpu, PEND_IRQ);
		break;
	case REG_EOI:
		eoi(cpu);
		break;
	case REG_LDR:
		apic->ldr = v & 0xff000000;
		break;
	case REG_DFR:
		apic->dfr = v | 0x0fffffff;
		break;
	case REG_SVR:
		write_svr(cpu, v);
		break;
	case REG_ESR:
		apic->esr = apic->esr_new;
		apic->esr_new = 0;
		break;
	case REG_LVT_CMCI:
		apic->cmci = v & 0x117ff;
		break;
	case REG_ICR:
		apic->icr_lo = v & ~BIT(12);
		send_ipi(cpu, (uint64_t)apic->icr_hi << 32 | v);
		break;
	case REG_ICR2:
		apic->icr_hi = v & 0xff000000;
		break;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		write_lvt(cpu, (reg - REG_LVT_TIMER) >> 4, v);
		break;
	case REG_TIMER_INIT:
		if (timer_mode(apic) == TIMER_DEADLINE)
			break;
		apic->timer_init = v;
		timer_count(cpu, v);
		break;
	case REG_TIMER_DIVIDE:
		apic->timer_divide = v & 0xb;
		break;
	}
}

/* Registers are 32 bits wide, at multiples of 16. */
bool lapic_mmio(struct emu_cpu *cpu, uint64_t phys, void *buf,
		unsigned int size, bool is_write)
{
	struct lapic *apic = cpu->lapic;
	unsigned int offset = phys & 0xfff;
	uint32_t v = 0;

	if ((apic->base & (BASE_ENABLE | BASE_X2APIC)) != BASE_ENABLE ||
	    (phys ^ apic->base) & 0xfffffff000ull)
		return false;
	if (is_write) {
		memcpy(&v, buf, MIN(size, 4));
		if (!(offset & 15) && size >= 4)
			reg_write(cpu, offset, v);
		return true;
	}
	v = reg_read(cpu, offset & ~15u);
	memset(buf, 0, size);
	if ((offset & 15) < 4)
		memcpy(buf, (uint8_t *)&v + (offset & 3),
		       MIN(size, 4 - (offset & 3)));
	return true;
}

/* SDM vol. 3, "Local APIC Register Address Map Supported by x2APIC". */
static bool x2apic_both(unsigned int reg)
{
	switch (reg) {
	case REG_TPR:
	case REG_SVR:
	case REG_ESR:
	case REG_ICR:
	case REG_LVT_TIMER ... REG_LVT_ERROR:
	case REG_TIMER_INIT:
	case REG_TIMER_DIVIDE:
		return true;
	default:
		return false;
	}
}

static bool x2apic_readable(unsigned int reg)
{
	switch (reg) {
	case REG_ID:
	case REG_VERSION:
	case REG_PPR:
	case REG_LDR:
	case REG_ISR ... REG_IRR + 0x70:
	case REG_TIMER_CURRENT:
		return true;
	default:
		return x2apic_both(reg);
	}
}

/* With the bits that are reserved, wherever a set one is an error. */
static bool x2apic_writable(unsigned int reg, uint64_t v)
{
	switch (reg) {
	case REG_ICR:
		return true;
	case REG_EOI:
	case REG_ESR:
		return !v;
	case REG_SELF_IPI:
	case REG_TPR:
		return !(v >> 8);
	default:
		return x2apic_both(reg) && !(v >> 32);
	}
}

int lapic_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret)
{
	struct lapic *apic = cpu->lapic;
	unsigned int reg = (index & 0xff) << 4;

	if (!apic)
		return -EINVAL;
	if (index == 0x1b) {
		*ret = apic->base;
		return 0;
	}
	if (index == 0x6e0) {
		*ret = apic->timer_fired ? 0 : apic->tsc_deadline;
		return 0;
	}
	if (!(apic->base & BASE_X2APIC) || !x2apic_readable(reg))
		return -EINVAL;
	*ret = reg_read(cpu, reg);
	if (reg == REG_ICR)
		*ret |= (uint64_t)apic->icr_hi << 32;
	return 0;
}

/* Legal changes of IA32_APIC_BASE (SDM vol. 3, "x2APIC State
 * Transitions"). */
static int write_base(struct emu_cpu *cpu, uint64_t v)
{
	struct lapic *apic = cpu->lapic;
	uint64_t mode = v & (BASE_ENABLE | BASE_X2APIC);
	uint64_t old = apic->base & (BASE_ENABLE | BASE_X2APIC);

	if (v & 0xff || v >> 40 || mode == BASE_X2APIC)
		return -EINVAL;
	if (v & BASE_X2APIC && !emu_has(cpu, 1, 0, 2, 21))
		return -EINVAL;
	if (old == (BASE_ENABLE | BASE_X2APIC) && mode == BASE_ENABLE)
		return -EINVAL;
	if (!old && mode == (BASE_ENABLE | BASE_X2APIC))
		return -EINVAL;
	if (!mode)
		lapic_reset(cpu); /* it comes back as after power-up */
	if (mode != BASE_ENABLE || !old)
		apic->id = apic->initial_id;
	apic->base = v;
	return 0;
}

int lapic_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v)
{
	struct lapic *apic = cpu->lapic;
	unsigned int reg = (index & 0xff) << 4;

	if (!apic)
		return -EINVAL;
	if (index == 0x1b)
		return write_base(cpu, v);
	if (index == 0x6e0) {
		set_tsc_deadline(cpu, v);
		return 0;
	}
	if (!(apic->base & BASE_X2APIC) || !x2apic_writable(reg, v))
		return -EINVAL;
	if (reg == REG_ICR) {
		apic->icr_lo = v & ~BIT(12);
		apic->icr_hi = v >> 32;
		send_ipi(cpu, v);
		return 0;
	}
	if (reg == REG_SELF_IPI) {
		accept_message(cpu, DM_FIXED, v, false);
		return 0;
	}
	reg_write(cpu, reg, v);
	return 0;
}

static void reset_registers(struct lapic *apic)
{
	apic->tpr = apic->ldr = apic->esr = apic->esr_new = 0;
	apic->dfr = 0xffffffff;
	apic->svr = 0xff;
	apic->icr_lo = apic->icr_hi = apic->cmci = 0;
	apic->timer_init = apic->timer_divide = 0;
	apic->tsc_deadline = 0;
	for (unsigned int n = 0; n < 6; n++)
		apic->lvt[n] = LVT_MASKED;
	memset(apic->isr, 0, sizeof(apic->isr));
	for (unsigned int n = 0; n < 4; n++) {
		atomic_store(&apic->irr[n], 0);
		atomic_store(&apic->tmr[n], 0);
	}
}

void lapic_reset(struct emu_cpu *cpu)
{
	if (!cpu->lapic)
		return;
	timer_set(cpu, 0, 0);
	reset_registers(cpu->lapic);
}

struct lapic *lapic_create(struct emu_cpu *cpu, unsigned int apic_id)
{
	struct lapic *apic = xcalloc(1, sizeof(*apic));

	apic->id = apic->initial_id = apic_id;
	apic->base = LAPIC_BASE | BASE_ENABLE | (apic_id ? 0 : BASE_BSP);
	reset_registers(apic);
	return apic;
}

void lapic_destroy(struct emu_cpu *cpu)
{
	if (cpu->lapic)
		timer_set(cpu, 0, 0);
	free(cpu->lapic);
	cpu->lapic = NULL;
}

/* The state's register page; the timer's count goes with it. */
static void put32(struct x86_state *s, unsigned int reg, uint32_t v)
{
	memcpy(s->lapic + reg, &v, sizeof(v));
}

static uint32_t get32(const struct x86_state *s, unsigned int reg)
{
	uint32_t v;

	memcpy(&v, s->lapic + reg, sizeof(v));
	return v;
}

void lapic_get(struct emu_cpu *cpu, struct x86_state *s)
{
	struct lapic *apic = cpu->lapic;

	memset(s->lapic, 0, sizeof(s->lapic));
	for (unsigned int reg = REG_ID; reg < X86_LAPIC_SIZE; reg += 16)
		if (reg != REG_EOI && reg != REG_SELF_IPI)
			put32(s, reg, reg_read(cpu, reg));
	s->apic_base = apic->base;
	s->cr8 = lapic_get_cr8(cpu);
}

static uint64_t get_map(const struct x86_state *s, unsigned int reg)
{
	return get32(s, reg) | (uint64_t)get32(s, reg + 16) << 32;
}

void lapic_set(struct emu_cpu *cpu, const struct x86_state *s)
{
	struct lapic *apic = cpu->lapic;

	lapic_reset(cpu);
	apic->base = s->apic_base;
	if (!(apic->base & BASE_X2APIC))
		apic->id = get32(s, REG_ID) >> 24;
	apic->tpr = get32(s, REG_TPR);
	apic->ldr = get32(s, REG_LDR);
	apic->dfr = get32(s, REG_DFR);
	apic->svr = get32(s, REG_SVR);
	apic->esr = get32(s, REG_ESR);
	apic->cmci = get32(s, REG_LVT_CMCI);
	apic->icr_lo = get32(s, REG_ICR);
	apic->icr_hi = get32(s, REG_ICR2);
	for (unsigned int n = 0; n < 6; n++)
		apic->lvt[n] = get32(s, REG_LVT_TIMER + 16 * n);
	for (unsigned int n = 0; n < 4; n++) {
		apic->isr[n] = get_map(s, REG_ISR + 32 * n);
		atomic_store(&apic->tmr[n], get_map(s, REG_TMR + 32 * n));
		atomic_store(&apic->irr[n], get_map(s, REG_IRR + 32 * n));
	}
	atomic_store(&apic->irr_any, true);
	apic->timer_divide = get32(s, REG_TIMER_DIVIDE);
	apic->timer_init = get32(s, REG_TIMER_INIT);
	if (apic->timer_init && timer_mode(apic) != TIMER_DEADLINE)
		timer_count(cpu, get32(s, REG_TIMER_CURRENT));
}
