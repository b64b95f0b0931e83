/*
 * drivers/kvm/probe.c -- does this KVM run ordinary guests?
 *
 * Opening /dev/kvm proves little: a paravirtual-only KVM accepts every ioctl
 * and then runs guest code through the kernel's instruction emulator, which
 * knows few instructions and is slower by orders of magnitude.  So a tiny
 * guest in long mode does what every kernel does early, an SSE store and a
 * tight loop, and the loop is timed against the same loop on the host.
 *
 * #syscalls:vmm-probe ioctl mmap munmap close timer_create timer_settime
 * #syscalls:vmm-probe timer_delete rt_sigaction rt_sigreturn clock_gettime
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "base/util.h"

/* Guest-physical layout: code, data, and page tables for the first 2 MiB. */
enum {
	CODE = 0x0000,
	DATA = 0x1000,
	PML4 = 0x2000,
	PDPT = 0x3000,
	PD = 0x4000,
	PROBE_RAM = 0x8000,
};

enum { LOOPS = 200000, SLOWER_MAX = 30, TIMEOUT_S = 3 };

/* A busy host takes the CPU away in the middle: one quick run of many is
 * proof enough.  A KVM that is slow always is soon known. */
enum { TRIES_MAX = 50, TRIES_MS = 2000 };

/*
 *	movups	%xmm0, (%rbx)
 *	addps	%xmm0, %xmm0
 * 1:	dec	%ecx
 *	jnz	1b
 *	mov	$0xa5, %al
 *	out	%al, $0xf4
 */
static const uint8_t probe_code[] = {
	0x0f, 0x11, 0x03, 0x0f, 0x58, 0xc0, 0xff, 0xc9,
	0x75, 0xfc, 0xb0, 0xa5, 0xe6, 0xf4,
};

struct probe {
	int vm, cpu;
	uint8_t *ram;
	struct kvm_run *run;
	size_t run_size;
};

static void probe_finish(struct probe *p)
{
	if (p->run)
		munmap(p->run, p->run_size);
	if (p->ram)
		munmap(p->ram, PROBE_RAM);
	fd_close(p->cpu);
	fd_close(p->vm);
}

static int probe_ram(struct probe *p)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PROBE_RAM,
	};
	uint64_t *tables;

	p->ram = mmap(NULL, PROBE_RAM, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->ram == MAP_FAILED) {
		p->ram = NULL;
		return -errno;
	}
	memcpy(p->ram + CODE, probe_code, sizeof(probe_code));
	tables = (uint64_t *)p->ram;
	/* SDM vol. 3, "4-Level Paging": present, writable; a 2 MiB page. */
	tables[PML4 / 8] = PDPT | 3;
	tables[PDPT / 8] = PD | 3;
	tables[PD / 8] = 0 | 0x83;
	region.userspace_addr = (uintptr_t)p->ram;
	return ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno :
								       0;
}

/* Long mode, ring 0, SSE on: what a kernel sets up before anything else. */
static int probe_long_mode(struct probe *p)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11,
		.present = 1, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rbx = DATA,
				 .rcx = LOOPS };
	struct kvm_sregs sregs;

	if (ioctl(p->cpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr3 = PML4;
	sregs.cr4 = 0x620;	/* PAE, OSFXSR, OSXMMEXCPT */
	sregs.cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
	sregs.efer = 0x500;	/* LMA, LME */
	if (ioctl(p->cpu, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(p->cpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int probe_cpu(struct probe *p, int kvm_fd)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[X86_CPUID_MAX];
	} cpuid = { .head.nent = X86_CPUID_MAX };

	p->cpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	p->run_size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (p->cpu < 0)
		return -errno;
	p->run = mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      p->cpu, 0);
	if (p->run == MAP_FAILED) {
		p->run = NULL;
		return -errno;
	}
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0 ||
	    ioctl(p->cpu, KVM_SET_CPUID2, &cpuid) < 0)
		return -errno;
	return 0;
}

static int probe_create(struct probe *p, int kvm_fd)
{
	int r;

	p->vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return -errno;
	r = probe_ram(p);
	return r < 0 ? r : probe_cpu(p, kvm_fd);
}

static void on_alarm(int sig)
{
	(void)sig; /* only to interrupt KVM_RUN */
}

/* One KVM_RUN, or -EINTR after TIMEOUT_S. */
static int run_limited(struct probe *p)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL,
				.sigev_signo = SIGUSR1 };
	struct itimerspec when = { .it_value.tv_sec = TIMEOUT_S };
	timer_t timer;
	int r;

	sigaction(SIGUSR1, &sa, NULL);
	if (timer_create(CLOCK_MONOTONIC, &sev, &timer) < 0)
		return -errno;
	timer_settime(timer, 0, &when, NULL);
	r = ioctl(p->cpu, KVM_RUN, 0) < 0 ? -errno : 0;
	timer_delete(timer);
	return r;
}

static uint64_t host_loop_ns(void)
{
	uint32_t n = LOOPS;
	uint64_t t0 = now_ns();

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
	return MAX(now_ns() - t0, 1);
}

static bool finished(const struct probe *p)
{
	const struct kvm_run *run = p->run;

	return run->exit_reason == KVM_EXIT_IO && run->io.port == 0xf4 &&
	       *((uint8_t *)run + run->io.data_offset) == 0xa5;
}

#define REMEDY \
	"enable nested virtualization on the outer host, or use type='qemu' or 'vireo' for emulation"

/* 0: it was quick; -EINTR: it was not. */
static int run_timed(struct probe *p)
{
	uint64_t host = host_loop_ns(), t0 = now_ns(), guest;
	int r = probe_long_mode(p);

	if (r == 0)
		r = run_limited(p);
	guest = now_ns() - t0;
	return r == 0 && finished(p) && guest > host * SLOWER_MAX + 5000000 ?
		       -EINTR :
		       r;
}

static int judge(struct probe *p, char *why, size_t len)
{
	uint64_t end = now_ns() + TRIES_MS * 1000000ull;
	int r = run_timed(p);

	for (int i = 1; i < TRIES_MAX && r == -EINTR && now_ns() < end; i++)
		r = run_timed(p);
	if (r == -EINTR) {
		snprintf(why, len,
			 "KVM runs guest code at least %d times slower than the host: " REMEDY,
			 SLOWER_MAX);
		return -ENODEV;
	}
	if (r < 0 || !finished(p)) {
		snprintf(why, len,
			 "KVM cannot run ordinary guest code (exit %u): " REMEDY,
			 r < 0 ? 0 : p->run->exit_reason);
		return -ENODEV;
	}
	return 0;
}

int kvm_probe(int kvm_fd, char *why, size_t len)
{
	struct probe p = { .vm = -1, .cpu = -1 };
	int r;

	r = probe_create(&p, kvm_fd);
	if (r < 0) {
		snprintf(why, len, "KVM refuses to create a guest (%s): " REMEDY,
			 strerror(-r));
		r = -ENODEV;
	} else {
		r = judge(&p, why, len);
	}
	probe_finish(&p);
	return r;
}
