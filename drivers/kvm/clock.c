/*
 * drivers/kvm/clock.c -- guest time: kvmclock and the TSCs stand still together
 * while the machine is paused, and go on together.
 *
 * KVM can only stop its own clock.  A guest's TSC is the host's plus an offset
 * of each vCPU's; so what the TSCs showed when the clock stopped is noted, and
 * when it goes on the offsets are moved (KVM's documentation,
 * virt/kvm/devices/vcpu.rst, 4.1; Linux 5.16).  All are reckoned with one
 * value of the host's, so what differs between vCPUs is what the guest made
 * differ.  Deadline timers are told: KVM has reckoned them with the old offset.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "base/error.h"
#include "drivers/kvm/kvm.h"

#define MSR_IA32_TSC_DEADLINE 0x6e0

/* ---- one vCPU ---- */

static int offset_attr(const struct vcpu *cpu, unsigned long request,
		       uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	return ioctl(cpu->fd, request, &attr) < 0 ? -errno : 0;
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

static void renew_deadline(const struct vcpu *cpu)
{
	struct one_msr m = { .head.nmsrs = 1,
			     .entry.index = MSR_IA32_TSC_DEADLINE };

	if (ioctl(cpu->fd, KVM_GET_MSRS, &m) == 1 && m.entry.data)
		ioctl(cpu->fd, KVM_SET_MSRS, &m);
}

static void stop_tsc(struct vcpu *cpu, uint64_t host)
{
	uint64_t offset = 0;

	cpu->tsc_stopped = offset_attr(cpu, KVM_GET_DEVICE_ATTR, &offset) == 0;
	cpu->tsc = host + offset;
}

static void start_tsc(struct vcpu *cpu, uint64_t host)
{
	uint64_t offset = cpu->tsc - host;

	if (cpu->tsc_stopped &&
	    offset_attr(cpu, KVM_SET_DEVICE_ATTR, &offset) == 0)
		renew_deadline(cpu);
	cpu->tsc_stopped = false;
}

uint64_t kvm_clock_tsc(const struct vcpu *cpu, uint64_t otherwise)
{
	return cpu->tsc_stopped ? cpu->tsc : otherwise;
}

void kvm_clock_set_tsc(struct vcpu *cpu, uint64_t tsc)
{
	cpu->tsc = tsc;
}

/* ---- the machine ---- */

static void stop(struct vm *vm)
{
	uint64_t host;

	vm->clock_stopped = ioctl(vm->fd, KVM_GET_CLOCK, &vm->clock) == 0;
	host = __rdtsc();
	for (struct vcpu *cpu = vm->vcpus; cpu; cpu = cpu->next)
		stop_tsc(cpu, host);
}

/* The guest is told, so that its soft-lockup watchdog does not bark (KVM's API,
 * 4.30 and 4.69). */
static void start(struct vm *vm)
{
	uint64_t host = __rdtsc();

	for (struct vcpu *cpu = vm->vcpus; cpu; cpu = cpu->next)
		start_tsc(cpu, host);
	vm->clock.flags = 0;
	ioctl(vm->fd, KVM_SET_CLOCK, &vm->clock);
	vm->clock_stopped = false;
}

void kvm_pause_clock(struct vm *vm, bool paused)
{
	pthread_mutex_lock(&vm->lock);
	if (paused && !vm->clock_stopped)
		stop(vm);
	else if (!paused && vm->clock_stopped)
		start(vm);
	pthread_mutex_unlock(&vm->lock);
}

int kvm_get_clock(struct vm *vm, uint64_t *ret_ns)
{
	pthread_mutex_lock(&vm->lock);
	*ret_ns = vm->clock.clock;
	pthread_mutex_unlock(&vm->lock);
	return vm->clock_stopped ? 0 : -ENOTSUP;
}

/* Now for MSRs that are set next, and once more when it goes on. */
int kvm_set_clock(struct vm *vm, uint64_t ns)
{
	int r;

	pthread_mutex_lock(&vm->lock);
	vm->clock = (struct kvm_clock_data){ .clock = ns };
	r = ioctl(vm->fd, KVM_SET_CLOCK, &vm->clock) < 0 ? -errno : 0;
	pthread_mutex_unlock(&vm->lock);
	return r;
}
