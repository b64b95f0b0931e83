/*
 * drivers/emu/kvmclock.c -- the paravirtual clock (Linux,
 * Documentation/virt/kvm/x86/msr.rst).
 *
 * Guest memory holds, under a version that is odd while it changes, a TSC
 * value, the time then, and the scale from TSC ticks to nanoseconds.  The
 * host's TSC is invariant, so it is written once, and again after a pause;
 * the time is the scaled TSC, the same on all vCPUs to the last bit.  A guest
 * from a file goes on at the time it had, by this host's scale.
 */
#include <time.h>

#include "drivers/emu/exec.h"

struct pvclock_time {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};
static_assert(sizeof(struct pvclock_time) == 32, "as the guest reads it");

struct pvclock_wall {
	uint32_t version, sec, nsec;
};

enum { PVCLOCK_TSC_STABLE = 1 };

enum { SAMPLES = 5, MEASURE_NS = 10000000 };

/* TSC and clock at one moment: the tightest of a few attempts. */
static void sample(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = 0;

	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint64_t before = emu_host_tsc(), now = now_ns();
		uint64_t after = emu_host_tsc();

		if (i && after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = now;
	}
}

void kvmclock_start(struct vm *vm)
{
	sample(&vm->tsc_base, &vm->ns_base);
	vm->clock_tsc = vm->tsc_base;
}

/*
 * Measured once, when it is first asked for, against CLOCK_MONOTONIC since
 * the VM was made: all vCPUs must go by the same number.
 */
uint64_t emu_tsc_hz(struct vm *vm)
{
	uint64_t hz = atomic_load(&vm->tsc_hz), none = 0, ns = 0, tsc = 0;

	if (hz)
		return hz;
	do
		sample(&tsc, &ns);
	while (ns - vm->ns_base < MEASURE_NS);
	hz = (unsigned __int128)(tsc - vm->tsc_base) * 1000000000 /
	     (ns - vm->ns_base);
	if (!atomic_compare_exchange_strong(&vm->tsc_hz, &none, hz))
		return none; /* another vCPU was quicker */
	return hz;
}

/* ns = ((ticks << shift) * mul) >> 32 (negative shift: right). */
static void scale(uint64_t hz, uint32_t *mul, int8_t *shift)
{
	uint64_t scaled = 1000000000, base = hz;

	*shift = 0;
	while (base > scaled * 2) {
		base >>= 1;
		--*shift;
	}
	while (base <= scaled) {
		base <<= 1;
		++*shift;
	}
	*mul = ((unsigned __int128)scaled << 32) / base;
}

/* The guest's time when its TSC is this. */
static uint64_t time_at(struct vm *vm, uint64_t tsc)
{
	uint64_t ticks = tsc - vm->clock_tsc;
	uint32_t mul;
	int8_t shift;

	scale(emu_tsc_hz(vm), &mul, &shift);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return vm->clock_ns + ((unsigned __int128)ticks * mul >> 32);
}

uint64_t kvmclock_now(struct emu_cpu *cpu)
{
	return time_at(cpu->vm, emu_guest_tsc(cpu));
}

/* While the clock stands: vCPUs whose guest left it alone agree. */
static uint64_t paused_tsc(struct vm *vm)
{
	return vm->pause_tsc + (vm->cpus[0] ? vm->cpus[0]->tsc_offset : 0);
}

uint64_t kvmclock_get(struct vm *vm)
{
	return time_at(vm, paused_tsc(vm));
}

/* Takes effect with the first vCPU's TSC, which is set after this. */
void kvmclock_set_time(struct vm *vm, uint64_t ns)
{
	vm->clock_ns = ns;
	vm->clock_loading = true;
}

/* The boot CPU's TSC was set. */
void kvmclock_tsc_was_set(struct vm *vm)
{
	if (vm->clock_loading)
		vm->clock_tsc = paused_tsc(vm);
	vm->clock_loading = false;
}

static void publish(struct emu_cpu *cpu)
{
	uint64_t gpa = cpu->msr.kvmclock & ~1ull;
	struct pvclock_time t;

	emu_phys_io(cpu, gpa, &t, sizeof(t), false);
	t.version = (t.version | 1) + 2;
	emu_phys_io(cpu, gpa, &t.version, 4, true);
	t.tsc_timestamp = cpu->vm->clock_tsc;
	t.system_time = cpu->vm->clock_ns;
	scale(emu_tsc_hz(cpu->vm), &t.tsc_to_system_mul, &t.tsc_shift);
	t.flags = PVCLOCK_TSC_STABLE;
	t.pad0 = 0;
	memset(t.pad, 0, sizeof(t.pad));
	t.version++;
	emu_phys_io(cpu, gpa + 4, &t.pad0, sizeof(t) - 4, true);
	atomic_thread_fence(memory_order_seq_cst);
	emu_phys_io(cpu, gpa, &t.version, 4, true);
}

void kvmclock_set(struct emu_cpu *cpu, uint64_t msr)
{
	cpu->msr.kvmclock = msr;
	if (msr & 1)
		publish(cpu);
}

/* The wall clock at the system time's zero. */
void kvmclock_wall(struct emu_cpu *cpu, uint64_t msr)
{
	struct pvclock_wall w = { 0 };
	struct timespec ts;
	uint64_t ns;

	cpu->msr.wallclock = msr;
	clock_gettime(CLOCK_REALTIME, &ts);
	ns = (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	ns -= time_at(cpu->vm, emu_guest_tsc(cpu));
	w.version = 2;
	w.sec = ns / 1000000000;
	w.nsec = ns % 1000000000;
	emu_phys_io(cpu, msr, &w, sizeof(w), true);
}

/* After a pause, which may have brought the guest to another host. */
void kvmclock_resume(struct vm *vm)
{
	unsigned int n = atomic_load(&vm->n_cpus);

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i] && vm->cpus[i]->msr.kvmclock & 1)
			publish(vm->cpus[i]);
}
