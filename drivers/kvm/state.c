/*
 * drivers/kvm/state.c -- vCPU state between the kernel's form and ours.
 *
 * Order when setting (API 4.12 and the notes of each call): CPUID is already
 * there; special registers before general ones, XCR0 before the XSAVE image,
 * the local APIC after its base, MSRs after CR4/EFER, events last.
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"

static_assert(X86_XSAVE_SIZE == sizeof(struct kvm_xsave), "xsave image");
static_assert(X86_LAPIC_SIZE == sizeof(struct kvm_lapic_state), "lapic page");

int kvm_msr_list_read(struct vm *vm)
{
	struct kvm_msr_list probe = { .nmsrs = 0 };

	/* API 4.3: E2BIG tells how many there are. */
	if (ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, &probe) == 0 ||
	    errno != E2BIG)
		return -EIO;
	vm->msr_list = xcalloc(1, sizeof(probe) +
					  probe.nmsrs * sizeof(uint32_t));
	vm->msr_list->nmsrs = probe.nmsrs;
	return ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, vm->msr_list) < 0 ?
		       -errno :
		       0;
}

static void segment_in(struct x86_segment *s, const struct kvm_segment *k)
{
	*s = (struct x86_segment){
		.base = k->base,
		.limit = k->limit,
		.selector = k->selector,
		.attr = k->type | k->s << 4 | k->dpl << 5 | k->present << 7 |
			k->avl << 12 | k->l << 13 | k->db << 14 | k->g << 15,
		.unusable = k->unusable,
	};
}

static void segment_out(struct kvm_segment *k, const struct x86_segment *s)
{
	*k = (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->attr & 0xf,
		.s = s->attr >> 4 & 1,
		.dpl = s->attr >> 5 & 3,
		.present = s->attr >> 7 & 1,
		.avl = s->attr >> 12 & 1,
		.l = s->attr >> 13 & 1,
		.db = s->attr >> 14 & 1,
		.g = s->attr >> 15 & 1,
		.unusable = s->unusable,
	};
}

/* Our order of segments beside the kernel's names. */
#define SEGMENTS(op, s, k) \
	do { \
		op(X86_ES, s, (k).es); \
		op(X86_CS, s, (k).cs); \
		op(X86_SS, s, (k).ss); \
		op(X86_DS, s, (k).ds); \
		op(X86_FS, s, (k).fs); \
		op(X86_GS, s, (k).gs); \
	} while (0)
#define SEG_IN(i, s, k) segment_in(&(s)->seg[i], &(k))
#define SEG_OUT(i, s, k) segment_out(&(k), &(s)->seg[i])

/* The general registers, in the encoding's order. */
#define GPRS(op, s, k) \
	do { \
		op((s)->gpr[X86_RAX], (k).rax); \
		op((s)->gpr[X86_RCX], (k).rcx); \
		op((s)->gpr[X86_RDX], (k).rdx); \
		op((s)->gpr[X86_RBX], (k).rbx); \
		op((s)->gpr[X86_RSP], (k).rsp); \
		op((s)->gpr[X86_RBP], (k).rbp); \
		op((s)->gpr[X86_RSI], (k).rsi); \
		op((s)->gpr[X86_RDI], (k).rdi); \
		op((s)->gpr[X86_R8], (k).r8); \
		op((s)->gpr[X86_R9], (k).r9); \
		op((s)->gpr[X86_R10], (k).r10); \
		op((s)->gpr[X86_R11], (k).r11); \
		op((s)->gpr[X86_R12], (k).r12); \
		op((s)->gpr[X86_R13], (k).r13); \
		op((s)->gpr[X86_R14], (k).r14); \
		op((s)->gpr[X86_R15], (k).r15); \
		op((s)->rip, (k).rip); \
		op((s)->rflags, (k).rflags); \
	} while (0)
#define TO_OURS(ours, kernels) ((ours) = (kernels))
#define TO_KERNEL(ours, kernels) ((kernels) = (ours))

/* Control and table registers, both ways. */
#define SYSTEM(op, s, k) \
	do { \
		op((s)->gdt.base, (k).gdt.base); \
		op((s)->gdt.limit, (k).gdt.limit); \
		op((s)->idt.base, (k).idt.base); \
		op((s)->idt.limit, (k).idt.limit); \
		op((s)->cr0, (k).cr0); \
		op((s)->cr2, (k).cr2); \
		op((s)->cr3, (k).cr3); \
		op((s)->cr4, (k).cr4); \
		op((s)->cr8, (k).cr8); \
		op((s)->efer, (k).efer); \
		op((s)->apic_base, (k).apic_base); \
	} while (0)

static int get_regs(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(cpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(cpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	GPRS(TO_OURS, s, regs);
	SEGMENTS(SEG_IN, s, sregs);
	segment_in(&s->ldt, &sregs.ldt);
	segment_in(&s->tr, &sregs.tr);
	SYSTEM(TO_OURS, s, sregs);
	return 0;
}

static int set_regs(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_sregs sregs = { 0 };
	struct kvm_regs regs = { 0 };

	GPRS(TO_KERNEL, s, regs);
	SEGMENTS(SEG_OUT, s, sregs);
	segment_out(&sregs.ldt, &s->ldt);
	segment_out(&sregs.tr, &s->tr);
	SYSTEM(TO_KERNEL, s, sregs);
	if (ioctl(cpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(cpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int get_fpu(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_xcrs xcrs;
	struct kvm_xsave xsave;

	if (ioctl(cpu->fd, KVM_GET_XCRS, &xcrs) < 0 ||
	    ioctl(cpu->fd, KVM_GET_XSAVE, &xsave) < 0)
		return -errno;
	s->xcr0 = xcrs.nr_xcrs ? xcrs.xcrs[0].value : 1;
	memcpy(s->xsave, &xsave, sizeof(xsave));
	return 0;
}

static int set_fpu(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs = { { .xcr = 0, .value = s->xcr0 } },
	};
	struct kvm_xsave xsave;

	memcpy(&xsave, s->xsave, sizeof(xsave));
	if (ioctl(cpu->fd, KVM_SET_XCRS, &xcrs) < 0 ||
	    ioctl(cpu->fd, KVM_SET_XSAVE, &xsave) < 0)
		return -errno;
	return 0;
}

static int get_debug(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_debugregs d;

	if (ioctl(cpu->fd, KVM_GET_DEBUGREGS, &d) < 0)
		return -errno;
	memcpy(s->dr, d.db, sizeof(d.db));
	s->dr[6] = d.dr6;
	s->dr[7] = d.dr7;
	return 0;
}

static int set_debug(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_debugregs d = { .dr6 = s->dr[6], .dr7 = s->dr[7] };

	memcpy(d.db, s->dr, sizeof(d.db));
	return ioctl(cpu->fd, KVM_SET_DEBUGREGS, &d) < 0 ? -errno : 0;
}

static int get_lapic(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_lapic_state l;

	if (ioctl(cpu->fd, KVM_GET_LAPIC, &l) < 0)
		return -errno;
	memcpy(s->lapic, l.regs, sizeof(s->lapic));
	return 0;
}

static int set_lapic(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_lapic_state l;

	memcpy(l.regs, s->lapic, sizeof(l.regs));
	return ioctl(cpu->fd, KVM_SET_LAPIC, &l) < 0 ? -errno : 0;
}

/* The two orders of the run state: ours beside API 4.38's. */
static const uint32_t mp_states[] = {
	[X86_RUNNING] = KVM_MP_STATE_RUNNABLE,
	[X86_HALTED] = KVM_MP_STATE_HALTED,
	[X86_WAIT_INIT] = KVM_MP_STATE_UNINITIALIZED,
	[X86_WAIT_SIPI] = KVM_MP_STATE_INIT_RECEIVED,
};

static int get_mp_state(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_mp_state mp;

	if (ioctl(cpu->fd, KVM_GET_MP_STATE, &mp) < 0)
		return -errno;
	s->run_state = X86_RUNNING;
	for (unsigned int i = 0; i < ARRAY_SIZE(mp_states); i++)
		if (mp_states[i] == mp.mp_state)
			s->run_state = i;
	return 0;
}

static int set_mp_state(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_mp_state mp = { .mp_state = mp_states[s->run_state] };

	return ioctl(cpu->fd, KVM_SET_MP_STATE, &mp) < 0 ? -errno : 0;
}

static struct kvm_msrs *alloc_msrs(uint32_t n)
{
	struct kvm_msrs *m =
		xcalloc(1, sizeof(*m) + n * sizeof(m->entries[0]));

	m->nmsrs = n;
	return m;
}

#define MSR_IA32_TSC 0x10

/* May be listed, but this guest's CPUID lacks it. */
static void get_msr(struct vcpu *cpu, uint32_t index, struct kvm_msrs *m,
		    struct x86_state *s)
{
	m->entries[0].index = index;
	if (s->n_msrs == X86_MSRS_MAX || ioctl(cpu->fd, KVM_GET_MSRS, m) != 1)
		return;
	if (index == MSR_IA32_TSC)
		s->tsc = m->entries[0].data =
			kvm_clock_tsc(cpu, m->entries[0].data);
	s->msrs[s->n_msrs++] = (struct x86_msr){ index, m->entries[0].data };
}

static int get_msrs(struct vcpu *cpu, struct x86_state *s)
{
	const struct kvm_msr_list *list = cpu->vm->msr_list;
	uint32_t n = MIN(list->nmsrs, (uint32_t)X86_MSRS_MAX);
	_cleanup_free_ struct kvm_msrs *m = alloc_msrs(1);

	uint32_t index;

	s->n_msrs = 0;
	for (uint32_t i = 0; i < n; i++)
		get_msr(cpu, list->indices[i], m, s);
	for (unsigned int i = 0; (index = kvm_hyperv_msr(cpu, i)); i++)
		get_msr(cpu, index, m, s);
	return 0;
}

static int set_msrs(struct vcpu *cpu, const struct x86_state *s)
{
	_cleanup_free_ struct kvm_msrs *m = alloc_msrs(1);

	for (uint32_t i = 0; i < MIN(s->n_msrs, (uint32_t)X86_MSRS_MAX); i++) {
		m->entries[0].index = s->msrs[i].index;
		m->entries[0].data = s->msrs[i].value;
		if (ioctl(cpu->fd, KVM_SET_MSRS, m) < 0)
			return -errno;
		if (s->msrs[i].index == MSR_IA32_TSC)
			kvm_clock_set_tsc(cpu, s->msrs[i].value);
	}
	return 0;
}

/* SDM vol. 3, "Interrupt-information field": types of an event in flight. */
enum { EVENT_INTERRUPT = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFT = 4 };

static int get_events(struct vcpu *cpu, struct x86_state *s)
{
	struct kvm_vcpu_events e;

	if (ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &e) < 0)
		return -errno;
	s->interrupt_shadow = e.interrupt.shadow != 0;
	s->nmi_pending = e.nmi.pending || e.nmi.injected;
	s->nmi_blocked = e.nmi.masked;
	s->event_pending = e.exception.injected || e.interrupt.injected;
	s->event_has_error = e.exception.injected && e.exception.has_error_code;
	s->event_error = e.exception.error_code;
	s->event_vector = e.exception.injected ? e.exception.nr :
						 e.interrupt.nr;
	s->event_type = e.exception.injected ? EVENT_EXCEPTION :
			e.interrupt.soft     ? EVENT_SOFT :
					       EVENT_INTERRUPT;
	return 0;
}

static int set_events(struct vcpu *cpu, const struct x86_state *s)
{
	struct kvm_vcpu_events e = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
			 KVM_VCPUEVENT_VALID_SHADOW,
		.nmi = { .pending = s->nmi_pending, .masked = s->nmi_blocked },
		.interrupt.shadow =
			s->interrupt_shadow ? KVM_X86_SHADOW_INT_STI : 0,
	};

	if (s->event_pending && s->event_type == EVENT_EXCEPTION) {
		e.exception.injected = 1;
		e.exception.nr = s->event_vector;
		e.exception.has_error_code = s->event_has_error;
		e.exception.error_code = s->event_error;
	} else if (s->event_pending) {
		e.interrupt.injected = 1;
		e.interrupt.nr = s->event_vector;
		e.interrupt.soft = s->event_type == EVENT_SOFT;
	}
	return ioctl(cpu->fd, KVM_SET_VCPU_EVENTS, &e) < 0 ? -errno : 0;
}

typedef int get_fn(struct vcpu *cpu, struct x86_state *s);
typedef int set_fn(struct vcpu *cpu, const struct x86_state *s);

int kvm_get_state(struct vcpu *cpu, struct x86_state *ret_state)
{
	static get_fn *const steps[] = { get_mp_state, get_regs, get_fpu,
					 get_debug,    get_lapic, get_msrs,
					 get_events };
	int r = 0;

	memset(ret_state, 0, sizeof(*ret_state));
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](cpu, ret_state);
	return r;
}

int kvm_set_state(struct vcpu *cpu, const struct x86_state *state)
{
	static set_fn *const steps[] = { set_regs,     set_fpu,	 set_debug,
					 set_lapic,    set_msrs, set_events,
					 set_mp_state };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](cpu, state);
	return r;
}
