/*
 * drivers/kvm/engine.c -- guest CPUs on /dev/kvm.
 *
 * Split irqchip: local APICs live in the kernel, where timers and IPIs are
 * cheap; IOAPIC, PIC and PIT are the machine's, the same code as for the emu
 * engine.  Their interrupts arrive here as MSIs (KVM_SIGNAL_MSI), an EOI of a
 * level-triggered one leaves as KVM_EXIT_IOAPIC_EOI, and the PIC's wire is
 * polled by the boot CPU before it enters the guest.
 *
 * Kicks: kick() sets a flag, then immediate_exit, then signals the thread.
 * run() clears immediate_exit before it looks at the flag, so a kick that
 * lands anywhere is seen either by that look or by KVM_RUN returning at once.
 *
 * #syscalls:vmm ioctl mmap munmap close tgkill rt_sigreturn gettid
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

#define KICK_SIGNAL SIGUSR1

/* Where Intel's KVM keeps its real-mode TSS and identity map (API 4.35,
 * 4.40): three pages and one, below the top 256 KiB of ROM space. */
#define TSS_ADDR 0xfeffd000ull
#define IDENTITY_ADDR 0xfeffc000ull

static void on_kick(int sig)
{
	(void)sig; /* its only purpose is to interrupt KVM_RUN */
}

static int install_kick(void)
{
	struct sigaction sa = { .sa_handler = on_kick };

	return sigaction(KICK_SIGNAL, &sa, NULL) < 0 ? -errno : 0;
}

static int enable(int fd, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { arg } };

	return ioctl(fd, KVM_ENABLE_CAP, &ec) < 0 ? -errno : 0;
}

static const struct {
	int cap;
	const char *what;
} needed[] = {
	{ KVM_CAP_SPLIT_IRQCHIP, "split irqchip" },
	{ KVM_CAP_SIGNAL_MSI, "MSI injection" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	{ KVM_CAP_XSAVE, "XSAVE state" },
	{ KVM_CAP_VCPU_EVENTS, "vCPU events" },
};

static int check_caps(int kvm_fd, struct error *err)
{
	if (ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return error_set(err, -ENODEV,
				 "the descriptor given is not a usable /dev/kvm");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return error_set(err, -ENODEV,
					 "this host's KVM lacks %s: use a kernel from 4.11 on, or type='qemu'",
					 needed[i].what);
	return 0;
}

static int setup_vm(struct vm *vm)
{
	uint64_t identity = IDENTITY_ADDR;
	int r;

	/* Intel only; others accept and ignore both. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return -errno;
	r = enable(vm->fd, KVM_CAP_SPLIT_IRQCHIP, KVM_PINS);
	if (r < 0)
		return r;
	r = enable(vm->fd, KVM_CAP_X2APIC_API,
		   KVM_X2APIC_API_USE_32BIT_IDS |
			   KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	if (r < 0)
		return r;
	return kvm_routing_init(vm);
}

static void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	fd_close(vm->fd);
	free(vm->routing);
	free(vm->runs);
	free(vm->msr_list);
	kvm_dirty_finish(vm);
	pthread_mutex_destroy(&vm->dirty_lock);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static int vm_create(struct machine *m, int fd, const char *variant,
		     struct vm **ret_vm, struct error *err)
{
	struct vm *vm;
	int r;

	if (variant)
		return error_set(err, -EINVAL,
				 "the kvm engine has no variant '%s'", variant);
	r = check_caps(fd, err);
	if (r < 0)
		return r;
	vm = xcalloc(1, sizeof(*vm));
	vm->machine = m;
	vm->kvm_fd = fd;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->dirty_lock, NULL);
	vm->fd = ioctl(fd, KVM_CREATE_VM, 0);
	vm->run_size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	r = vm->fd < 0 ? -errno : install_kick();
	if (r == 0)
		r = setup_vm(vm);
	if (r == 0)
		r = kvm_msr_list_read(vm);
	if (r < 0)
		error_set(err, r, "cannot create a KVM guest: %m");
	else
		r = kvm_dirty_init(vm, m->spec ? m->spec->dirty_ring : 0, err);
	if (r < 0) {
		vm_destroy(vm);
		return r;
	}
	*ret_vm = vm;
	return 0;
}

static int msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi m = {
		.address_lo = (uint32_t)addr,
		.address_hi = addr >> 32,
		.data = data,
	};

	return ioctl(vm->fd, KVM_SIGNAL_MSI, &m) < 0 ? -errno : 0;
}

/* Makes a thread inside KVM_RUN come out, without ending its run(). */
static void interrupt(struct vcpu *cpu)
{
	int tid;

	cpu->run->immediate_exit = 1;
	tid = atomic_load(&cpu->tid);
	if (tid && tid != (int)gettid())
		syscall(SYS_tgkill, getpid(), tid, KICK_SIGNAL);
}

static void extint(struct vm *vm, bool level)
{
	struct vcpu *bsp = atomic_load(&vm->bsp);

	atomic_store(&vm->extint, level);
	if (level && bsp)
		interrupt(bsp);
}

static void kick(struct vcpu *cpu)
{
	atomic_store(&cpu->kicked, true);
	interrupt(cpu);
}

static void nmi(struct vcpu *cpu)
{
	atomic_store(&cpu->nmi, true);
	interrupt(cpu);
}

static void vcpu_destroy(struct vcpu *cpu)
{
	struct vcpu **at;

	if (!cpu)
		return;
	at = &cpu->vm->vcpus;
	if (cpu->id == 0)
		atomic_store(&cpu->vm->bsp, NULL);
	while (*at && *at != cpu)
		at = &(*at)->next;
	if (*at)
		*at = cpu->next;
	kvm_ring_unmap(cpu);
	if (cpu->run)
		munmap(cpu->run, cpu->vm->run_size);
	fd_close(cpu->fd);
	free(cpu);
}

static int map_run(struct vcpu *cpu)
{
	void *p = mmap(NULL, cpu->vm->run_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, cpu->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	cpu->run = p;
	return 0;
}

static int vcpu_create(struct vm *vm, unsigned int id,
		       const struct x86_cpuid *cpuid, struct vcpu **ret_cpu,
		       struct error *err)
{
	struct vcpu *cpu = xcalloc(1, sizeof(*cpu));
	int r;

	cpu->vm = vm;
	cpu->id = id;
	cpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	r = cpu->fd < 0 ? -errno : map_run(cpu);
	if (r == 0)
		r = kvm_ring_map(cpu);
	if (r == 0)
		r = kvm_set_cpuid(cpu, cpuid);
	if (r == 0)
		r = kvm_hyperv_enable(cpu, cpuid);
	if (r < 0) {
		vcpu_destroy(cpu);
		return error_set(err, r, "cannot create vCPU %u: %m", id);
	}
	if (id == 0)
		atomic_store(&vm->bsp, cpu);
	cpu->next = vm->vcpus;
	vm->vcpus = cpu;
	*ret_cpu = cpu;
	return 0;
}

/* API 5, KVM_EXIT_IO: count items of size bytes each (REP INS/OUTS). */
static void exit_io(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++)
		bus_io(cpu->vm->machine->ports, run->io.port,
		       data + i * run->io.size, run->io.size,
		       run->io.direction == KVM_EXIT_IO_OUT);
}

/* Gives the PIC's interrupt to the boot CPU once it can take one. */
static void deliver_extint(struct vcpu *cpu)
{
	struct kvm_interrupt irq;
	int vector;

	cpu->run->request_interrupt_window = 0;
	if (cpu->id != 0 || !atomic_load(&cpu->vm->extint))
		return;
	if (!cpu->run->ready_for_interrupt_injection) {
		cpu->run->request_interrupt_window = 1;
		return;
	}
	vector = machine_pic_ack(cpu->vm->machine);
	if (vector < 0)
		return;
	irq.irq = vector;
	ioctl(cpu->fd, KVM_INTERRUPT, &irq);
}

static void before_entry(struct vcpu *cpu)
{
	deliver_extint(cpu);
	if (atomic_exchange(&cpu->nmi, false))
		ioctl(cpu->fd, KVM_NMI);
}

static enum run_result system_event(const struct kvm_run *run)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return RUN_POWEROFF;
	case KVM_SYSTEM_EVENT_RESET:
		return RUN_RESET;
	default:
		errno = EIO;
		return RUN_FAILED;
	}
}

static enum run_result run_loop(struct vcpu *cpu)
{
	struct machine *m = cpu->vm->machine;
	struct kvm_run *run = cpu->run;

	for (;;) {
		run->immediate_exit = 0;
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_exchange(&cpu->kicked, false))
			return RUN_KICKED;
		before_entry(cpu);
		if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return RUN_FAILED;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			exit_io(cpu);
			break;
		case KVM_EXIT_MMIO:
			bus_io(m->mmio, run->mmio.phys_addr, run->mmio.data,
			       run->mmio.len, run->mmio.is_write);
			break;
		case KVM_EXIT_IOAPIC_EOI:
			machine_eoi(m, run->eoi.vector);
			break;
		case KVM_EXIT_HYPERV:
			kvm_exit_hyperv(run);
			break;
		case KVM_EXIT_DIRTY_RING_FULL:
			if (kvm_ring_full(cpu->vm) < 0)
				return RUN_FAILED;
			break;
		case KVM_EXIT_IRQ_WINDOW_OPEN:
		case KVM_EXIT_INTR:
			break;
		case KVM_EXIT_SHUTDOWN:
			/* SDM vol. 3, "Double Fault Exception": shutdown. */
			return RUN_RESET;
		case KVM_EXIT_SYSTEM_EVENT:
			return system_event(run);
		case KVM_EXIT_DEBUG:
			return RUN_DEBUG;
		default: /* FAIL_ENTRY, INTERNAL_ERROR, and what is new */
			errno = EIO;
			return RUN_FAILED;
		}
	}
}

static enum run_result run_vcpu(struct vcpu *cpu)
{
	enum run_result result;

	atomic_store(&cpu->tid, gettid());
	result = run_loop(cpu);
	atomic_store(&cpu->tid, 0);
	return result;
}

/* Finishes the guest's I/O in flight, so that state is at a boundary
 * (API 5, the note on KVM_EXIT_IO and MMIO). */
static void complete_io(struct vcpu *cpu)
{
	cpu->run->immediate_exit = 1;
	ioctl(cpu->fd, KVM_RUN, 0);
	cpu->run->immediate_exit = 0;
}

static int get_state(struct vcpu *cpu, struct x86_state *ret_state)
{
	complete_io(cpu);
	return kvm_get_state(cpu, ret_state);
}

/* Length 0 matches a write of any width (KVM_CAP_IOEVENTFD_ANY_LENGTH). */
static int doorbell(struct vm *vm, uint64_t gpa, int eventfd, bool add)
{
	struct kvm_ioeventfd io = {
		.addr = gpa,
		.fd = eventfd,
		.flags = add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

static int engine_cpuid(struct vm *vm, struct x86_cpuid *ret_cpuid)
{
	return kvm_cpuid(vm->kvm_fd, ret_cpuid);
}

const struct engine kvm_engine = {
	.name = "kvm",
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.cpuid = engine_cpuid,
	.hyperv = kvm_hyperv,
	.set_ram = kvm_set_ram,
	.dirty_rings = true,
	.dirty_pages = kvm_dirty_pages,
	.msi = msi,
	.extint = extint,
	.ioapic_route = kvm_ioapic_route,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = run_vcpu,
	.kick = kick,
	.get_state = get_state,
	.set_state = kvm_set_state,
	.nmi = nmi,
	.pause_clock = kvm_pause_clock,
	.get_clock = kvm_get_clock,
	.set_clock = kvm_set_clock,
	.doorbell = doorbell,
	.msi_eventfd = kvm_msi_eventfd,
	.stats = NULL, /* the kernel's are in debugfs, out of our reach */
};
