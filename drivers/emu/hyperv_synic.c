/*
 * drivers/emu/hyperv_synic.c -- Hyper-V's synthetic interrupt controller and
 * its timers (Top Level Functional Specification, "Virtual Interrupt
 * Controller" and "Timers").
 *
 * A timer that expires (on the thread of all timers, lapic.c) sets a bit and
 * makes its vCPU look; the vCPU writes the message into the guest's page.  A
 * message that finds its slot taken waits until the guest says that it has
 * taken the one before (EOM).  Left out: events and messages of others, whose
 * hypercalls do not exist here.
 */
#include "drivers/emu/hyperv.h"

#include <errno.h>

#include "drivers/emu/lapic.h"

enum {
	SCONTROL = 0x40000080,
	SVERSION = 0x40000081,
	SIEFP = 0x40000082,
	SIMP = 0x40000083,
	EOM = 0x40000084,
	SINT0 = 0x40000090,
	SINT15 = 0x4000009f,
	STIMER0 = 0x400000b0, /* settings and count, four times */
	STIMER_LAST = 0x400000b7,
};
enum { ENABLED = 1 };
#define SINT_MASKED	BIT64(16)
#define SINT_AUTO_EOI	BIT64(17)
#define TIMER_PERIODIC	BIT64(1)
#define TIMER_AUTO	BIT64(3)
#define TIMER_DIRECT	BIT64(12)
#define TIMER_SETTINGS	0xf1fffull
#define MESSAGE_TIMER	0x80000010u
enum { MESSAGE_SIZE = 256, FLAG_PENDING = 1, PERIOD_MIN = 100 };

struct message {
	uint32_t type;
	uint8_t size, flags, reserved[2];
	uint64_t sender;
	uint32_t timer, reserved2;
	uint64_t expired, delivered;
};

static unsigned int timer_sint(const struct hv_cpu *hv, unsigned int n)
{
	return hv->config[n] >> 16 & 15;
}

bool synic_auto_eoi(const struct emu_cpu *cpu, uint8_t vector)
{
	for (unsigned int i = 0; i < HV_SINTS; i++)
		if (cpu->hv->sint[i] & SINT_AUTO_EOI &&
		    !(cpu->hv->sint[i] & SINT_MASKED) &&
		    (uint8_t)cpu->hv->sint[i] == vector)
			return true;
	return false;
}

/* ---- messages ---- */

static void interrupt(struct emu_cpu *cpu, unsigned int sint)
{
	uint64_t v = cpu->hv->sint[sint];

	if (!(v & SINT_MASKED))
		lapic_hv_interrupt(cpu, v);
}

/* false: the slot is taken, and the guest is told that more waits. */
static bool post(struct emu_cpu *cpu, unsigned int n)
{
	struct hv_cpu *hv = cpu->hv;
	uint64_t slot = (hv->simp & EMU_PAGE_MASK) +
			timer_sint(hv, n) * MESSAGE_SIZE;
	struct message m;

	emu_phys_io(cpu, slot, &m, sizeof(m), false);
	if (m.type) {
		m.flags |= FLAG_PENDING;
		emu_phys_io(cpu, slot + offsetof(struct message, flags),
			    &m.flags, 1, true);
		return false;
	}
	m = (struct message){
		.size = 24,
		.timer = n,
		.expired = hv->count[n],
		.delivered = hyperv_time(cpu),
	};
	emu_phys_io(cpu, slot, &m, sizeof(m), true);
	atomic_thread_fence(memory_order_seq_cst);
	m.type = MESSAGE_TIMER;
	emu_phys_io(cpu, slot, &m.type, sizeof(m.type), true);
	return true;
}

/* false: it has to wait. */
static bool deliver_one(struct emu_cpu *cpu, unsigned int n)
{
	struct hv_cpu *hv = cpu->hv;

	if (hv->config[n] & TIMER_DIRECT) {
		lapic_hv_interrupt(cpu, hv->config[n] >> 4);
		return true;
	}
	if (!(hv->scontrol & ENABLED) || !(hv->simp & ENABLED))
		return true; /* nobody hears it */
	if (!post(cpu, n))
		return false;
	interrupt(cpu, timer_sint(hv, n));
	return true;
}

void synic_deliver(struct emu_cpu *cpu)
{
	uint32_t due = atomic_exchange(&cpu->hv->due, 0);

	for (unsigned int n = 0; n < HV_STIMERS; n++) {
		if (!(due & BIT(n)))
			continue;
		if (!(cpu->hv->config[n] & TIMER_PERIODIC))
			cpu->hv->config[n] &= ~(uint64_t)ENABLED;
		if (!deliver_one(cpu, n))
			atomic_fetch_or(&cpu->hv->due, BIT(n));
	}
}

/* ---- timers ---- */

/* Deadlines are of the guest's time, which stands still with it. */
uint64_t synic_fire(struct emu_cpu *cpu, uint64_t now)
{
	uint64_t next = UINT64_MAX, time = hyperv_time(cpu);
	struct hv_cpu *hv = cpu->hv;

	for (unsigned int n = 0; n < HV_STIMERS; n++) {
		uint64_t *d = &hv->deadline[n];

		if (*d && *d <= time) {
			uint64_t period = hv->config[n] & TIMER_PERIODIC ?
						  hv->count[n] :
						  0;

			*d = period ? MAX(*d + period, time) : 0;
			atomic_fetch_or(&hv->due, BIT(n));
			emu_notify(cpu, PEND_HYPERV);
		}
		if (*d)
			next = MIN(next, now + (*d > time ? *d - time : 1) *
						       100);
	}
	return next;
}

static void arm(struct emu_cpu *cpu, unsigned int n)
{
	struct hv_cpu *hv = cpu->hv;
	uint64_t deadline = 0;

	if (hv->config[n] & ENABLED && hv->count[n])
		deadline = hv->config[n] & TIMER_PERIODIC ?
				   hyperv_time(cpu) + hv->count[n] :
				   hv->count[n];
	atomic_fetch_and(&hv->due, ~BIT(n));
	lapic_hv_timer(cpu, &hv->deadline[n], deadline);
}

/* Without anybody to tell it cannot be enabled. */
static void write_config(struct emu_cpu *cpu, unsigned int n, uint64_t v)
{
	struct hv_cpu *hv = cpu->hv;

	hv->config[n] = v & TIMER_SETTINGS;
	if (!timer_sint(hv, n) && !(v & TIMER_DIRECT))
		hv->config[n] &= ~(uint64_t)ENABLED;
	arm(cpu, n);
}

static void write_count(struct emu_cpu *cpu, unsigned int n, uint64_t v)
{
	struct hv_cpu *hv = cpu->hv;

	if (v && hv->config[n] & TIMER_PERIODIC)
		v = MAX(v, (uint64_t)PERIOD_MIN);
	hv->count[n] = v;
	if (!v)
		hv->config[n] &= ~(uint64_t)ENABLED;
	else if (hv->config[n] & TIMER_AUTO)
		hv->config[n] |= ENABLED;
	arm(cpu, n);
}

/* ---- MSRs ---- */

static uint64_t *plain(struct hv_cpu *hv, uint32_t index)
{
	switch (index) {
	case SCONTROL:
		return &hv->scontrol;
	case SIEFP:
		return &hv->siefp;
	case SIMP:
		return &hv->simp;
	case SINT0 ... SINT15:
		return &hv->sint[index - SINT0];
	default:
		return NULL;
	}
}

int synic_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret)
{
	uint64_t *p = plain(cpu->hv, index);
	unsigned int n = (index - STIMER0) / 2;

	if (p)
		*ret = *p;
	else if (index == SVERSION)
		*ret = 1;
	else if (index == EOM)
		*ret = 0;
	else if (index >= STIMER0 && index <= STIMER_LAST)
		*ret = index & 1 ? cpu->hv->count[n] : cpu->hv->config[n];
	else
		return -EINVAL;
	return 0;
}

int synic_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v)
{
	uint64_t *p = plain(cpu->hv, index);
	unsigned int n = (index - STIMER0) / 2;

	if (p)
		*p = v;
	else if (index == EOM)
		synic_deliver(cpu);
	else if (index >= STIMER0 && index <= STIMER_LAST && index & 1)
		write_count(cpu, n, v);
	else if (index >= STIMER0 && index <= STIMER_LAST)
		write_config(cpu, n, v);
	else
		return -EINVAL;
	return 0;
}
