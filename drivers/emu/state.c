/*
 * drivers/emu/state.c -- a vCPU's life: creation, reset, INIT, SIPI, and its
 * state to and from vmm/x86.h.
 */
#include <errno.h>
#include <sys/mman.h>

#include "drivers/emu/direct.h"
#include "drivers/emu/hyperv.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/lapic.h"

/* Where SMBASE is until firmware moves it (AMD APM vol. 2, "SMBASE"). */
#define SMBASE_RESET 0x30000u

/* What a vCPU points to is not lost, although it is in mapped memory. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
static void tell_sanitizer(struct emu_cpu *cpu, bool is_there)
{
	if (is_there)
		__lsan_register_root_region(cpu, sizeof(*cpu));
	else
		__lsan_unregister_root_region(cpu, sizeof(*cpu));
}
#else
static void tell_sanitizer(struct emu_cpu *cpu, bool is_there)
{
}
#endif

struct emu_cpu *emu_cpu_create(struct vm *vm, unsigned int id)
{
	/* Mapped, for most of its tables are never touched. */
	struct emu_cpu *cpu = mmap(NULL, sizeof(*cpu), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (cpu == MAP_FAILED)
		return NULL;
	tell_sanitizer(cpu, true);
	cpu->vm = vm;
	cpu->id = id;
	cpu->delivering = -1;
	vec_fpu_reset(&cpu->fpu);
	mmu_init(cpu);
	if (block_cache_init(cpu) < 0 ||
	    (vm->translates && jit_create(cpu) < 0)) {
		emu_cpu_destroy(cpu);
		return NULL;
	}
	mmu_flush(cpu, true);
	mmu_align_view(cpu);
	direct_attach(cpu);
	return cpu;
}

void emu_cpu_destroy(struct emu_cpu *cpu)
{
	if (!cpu)
		return;
	hyperv_cpu_destroy(cpu);
	lapic_destroy(cpu);
	direct_detach(cpu);
	jit_destroy(cpu);
	block_cache_finish(cpu);
	tell_sanitizer(cpu, false);
	munmap(cpu, sizeof(*cpu));
}

/* What INIT changes (SDM vol. 3, "IA-32 and Intel 64 Processor States
 * Following Power-up, Reset, or INIT"). */
void sys_init(struct emu_cpu *cpu)
{
	struct x86_state s;

	x86_state_reset(&s, false, 0);
	memcpy(cpu->gpr, s.gpr, sizeof(s.gpr));
	memcpy(cpu->seg, s.seg, sizeof(s.seg));
	memcpy(cpu->dr, s.dr, sizeof(s.dr));
	debug_update(cpu);
	cpu->db_pending = 0;
	cpu->rip = s.rip;
	cpu->rflags = s.rflags;
	cpu->aflags = 0;
	cpu->ldt = s.ldt;
	cpu->tr = s.tr;
	cpu->gdt = s.gdt;
	cpu->idt = s.idt;
	cpu->cr0 = s.cr0;
	cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
	cpu->efer = 0;
	cpu->cpl = 0;
	cpu->shadow = cpu->ss_shadow = cpu->halted = false;
	cpu->nmi_blocked = false;
	cpu->nmi_latched = 0;
	lapic_reset(cpu);
	mmu_flush(cpu, true);
	seg_update(cpu);
}

void sys_sipi(struct emu_cpu *cpu, uint8_t vector)
{
	cpu->run_state = X86_RUNNING;
	cpu->halted = false;
	seg_load_real(cpu, X86_CS, (uint16_t)vector << 8);
	cpu->rip = 0;
}

struct msr_field {
	uint32_t index;
	size_t offset;
};
#define FIELD(index, name)                             \
	{                                              \
		index, offsetof(struct emu_msrs, name) \
	}

/* MSRs that are saved; those that x86_state has fields for are not. */
static const struct msr_field msr_fields[] = {
	FIELD(0xc0000081, star),
	FIELD(0xc0000082, lstar),
	FIELD(0xc0000083, cstar),
	FIELD(0xc0000084, sfmask),
	FIELD(0xc0000102, kernel_gs_base),
	FIELD(0xc0000103, tsc_aux),
	FIELD(0x174, sysenter_cs),
	FIELD(0x175, sysenter_esp),
	FIELD(0x176, sysenter_eip),
	FIELD(0x277, pat),
	FIELD(0x1a0, misc_enable),
	FIELD(0x2ff, mtrr_def),
	FIELD(0x3b, tsc_adjust),
	FIELD(0x17a, mcg_status),
	FIELD(0x1d9, debugctl),
	FIELD(0x4b564d00, wallclock),
	FIELD(0x4b564d01, kvmclock),
	FIELD(0x4b564d04, pv_eoi),
};

static uint64_t *msr_at(struct emu_cpu *cpu, const struct msr_field *f)
{
	return (uint64_t *)((uint8_t *)&cpu->msr + f->offset);
}

static void get_msrs(struct emu_cpu *cpu, struct x86_state *s)
{
	uint32_t index;

	s->n_msrs = 0;
	for (unsigned int n = 0; n < ARRAY_SIZE(msr_fields); n++)
		s->msrs[s->n_msrs++] =
			(struct x86_msr){ msr_fields[n].index,
					  *msr_at(cpu, &msr_fields[n]) };
	for (uint32_t index = 0x200; index < 0x270; index++) {
		uint64_t v;

		if (sys_rdmsr(cpu, index, &v) == 0)
			s->msrs[s->n_msrs++] = (struct x86_msr){ index, v };
	}
	for (unsigned int i = 0; (index = hyperv_saved_msr(cpu, i)); i++) {
		struct x86_msr *m = &s->msrs[s->n_msrs++];

		m->index = index;
		hyperv_rdmsr(cpu, index, &m->value);
	}
	if (cpu->lapic) {
		struct x86_msr *m = &s->msrs[s->n_msrs++];

		m->index = 0x6e0;
		lapic_rdmsr(cpu, m->index, &m->value);
	}
}

static void set_msrs(struct emu_cpu *cpu, const struct x86_state *s)
{
	memset(&cpu->msr, 0, sizeof(cpu->msr));
	cpu->msr.pat = 0x0007040600070406ull;
	cpu->msr.misc_enable = BIT(0); /* fast strings */
	for (unsigned int n = 0; n < s->n_msrs; n++) {
		const struct x86_msr *m = &s->msrs[n];
		unsigned int f = 0;

		while (f < ARRAY_SIZE(msr_fields) &&
		       msr_fields[f].index != m->index)
			f++;
		if (f < ARRAY_SIZE(msr_fields))
			*msr_at(cpu, &msr_fields[f]) = m->value;
		else
			sys_wrmsr(cpu, m->index, m->value);
	}
}

/* While the guest runs, a value next to the boot CPU's means the same. */
static bool joins_boot_cpu(const struct emu_cpu *cpu, uint64_t tsc,
			   uint64_t now)
{
	const struct emu_cpu *boot = cpu->vm->cpus[0];

	return boot && boot != cpu && !cpu->vm->paused &&
	       now + boot->tsc_offset - tsc < BIT64(26);
}

/*
 * The TSCs of all vCPUs are set one after the other, but must agree: states
 * with one value, set within a moment, count from the same instant.  At power
 * on (0) they are the host's, so that user code can read it without our help.
 */
static void set_tsc(struct emu_cpu *cpu, uint64_t tsc)
{
	struct vm *vm = cpu->vm;
	uint64_t now = emu_clock_tsc(vm);

	if (!tsc) {
		cpu->tsc_offset = 0;
		vm->fresh = vm->paused;
		return;
	}
	if (joins_boot_cpu(cpu, tsc, now)) {
		cpu->tsc_offset = vm->cpus[0]->tsc_offset;
		return;
	}
	if (!vm->sync_host || tsc != vm->sync_tsc ||
	    now - vm->sync_host > BIT64(32)) {
		vm->sync_tsc = tsc;
		vm->sync_host = now;
	}
	cpu->tsc_offset = tsc - vm->sync_host;
}

void emu_cpu_get(struct emu_cpu *cpu, struct x86_state *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
	memcpy(s->seg, cpu->seg, sizeof(s->seg));
	memcpy(s->dr, cpu->dr, sizeof(s->dr));
	memcpy(s->xsave, cpu->fpu.xsave, sizeof(s->xsave));
	s->rip = cpu->rip;
	s->rflags = emu_get_rflags(cpu);
	s->ldt = cpu->ldt;
	s->tr = cpu->tr;
	s->gdt = cpu->gdt;
	s->idt = cpu->idt;
	s->cr0 = cpu->cr0;
	s->cr2 = cpu->cr2;
	s->cr3 = cpu->cr3;
	s->cr4 = cpu->cr4;
	s->efer = cpu->efer;
	s->xcr0 = cpu->fpu.xcr0;
	s->tsc = emu_clock_tsc(cpu->vm) + cpu->tsc_offset;
	emu_startup_pending(cpu);
	s->run_state = cpu->run_state;
	if (s->run_state == X86_RUNNING && cpu->halted)
		s->run_state = X86_HALTED;
	s->unhalted = atomic_load(&cpu->unhalted);
	s->interrupt_shadow = cpu->shadow;
	s->nmi_pending =
		cpu->nmi_latched || atomic_load(&cpu->pending) & PEND_NMI;
	s->nmi_blocked = cpu->nmi_blocked;
	s->smm = cpu->smm;
	s->smi_pending =
		cpu->smi_latched || atomic_load(&cpu->pending) & PEND_SMI;
	s->smbase = cpu->smbase;
	if (cpu->lapic)
		lapic_get(cpu, s);
	get_msrs(cpu, s);
}

/*
 * The FPU image has all of XCR0's components; one that XSTATE_BV leaves out
 * is in its initial configuration (SDM vol. 1, "Operation of XRSTOR").
 */
static void set_fpu(struct emu_cpu *cpu, const struct x86_state *s)
{
	uint64_t bv;

	memcpy(&bv, s->xsave + 512, sizeof(bv));
	vec_fpu_reset(&cpu->fpu);
	cpu->fpu.xcr0 = s->xcr0;
	if (bv & 1)
		memcpy(cpu->fpu.xsave, s->xsave, 24);
	if (bv & 1)
		memcpy(cpu->fpu.xsave + 32, s->xsave + 32, 128);
	memcpy(cpu->fpu.xsave + 24, s->xsave + 24, 4);
	if (bv & 2)
		memcpy(cpu->fpu.xsave + 160, s->xsave + 160, 256);
	if (bv >> 2)
		memcpy(cpu->fpu.xsave + 576, s->xsave + 576,
		       sizeof(s->xsave) - 576);
}

void emu_cpu_set(struct emu_cpu *cpu, const struct x86_state *s)
{
	memcpy(cpu->gpr, s->gpr, sizeof(s->gpr));
	memcpy(cpu->seg, s->seg, sizeof(s->seg));
	memcpy(cpu->dr, s->dr, sizeof(s->dr));
	debug_update(cpu);
	cpu->db_pending = 0;
	set_fpu(cpu, s);
	cpu->rip = s->rip;
	cpu->rflags = (s->rflags & 0x3f7700) | 2;
	emu_set_arith(cpu, s->rflags);
	cpu->ldt = s->ldt;
	cpu->tr = s->tr;
	cpu->gdt = s->gdt;
	cpu->idt = s->idt;
	cpu->cr0 = s->cr0;
	cpu->cr2 = s->cr2;
	cpu->cr3 = s->cr3;
	cpu->cr4 = s->cr4;
	cpu->efer = s->efer;
	cpu->cpl = s->cr0 & CR0_PE ? (s->seg[X86_SS].attr >> 5) & 3 : 0;
	set_tsc(cpu, s->tsc);
	if (cpu == cpu->vm->cpus[0])
		kvmclock_tsc_was_set(cpu->vm);
	cpu->run_state = s->run_state;
	cpu->halted = s->run_state == X86_HALTED;
	if (cpu->halted)
		cpu->run_state = X86_RUNNING;
	atomic_store(&cpu->unhalted, s->unhalted);
	cpu->shadow = s->interrupt_shadow;
	cpu->ss_shadow = false;
	cpu->nmi_latched = s->nmi_pending;
	cpu->nmi_blocked = s->nmi_blocked;
	cpu->smm = s->smm;
	cpu->smm_in_nmi = false;
	cpu->smi_latched = s->smi_pending;
	cpu->init_latched = false;
	cpu->smbase = s->smbase ? s->smbase : SMBASE_RESET;
	cpu->delivering = -1;
	if (cpu->lapic)
		lapic_set(cpu, s);
	set_msrs(cpu, s);
	mmu_flush(cpu, true);
	if (!cpu->test) /* a test's memory is checked by hash */
		block_cache_flush(cpu);
	seg_update(cpu);
	/* PAE's PDPTEs are read again; the state was legal once. */
	if (cpu->cr0 & CR0_PG && cpu->cr4 & CR4_PAE && !emu_long(cpu))
		for (unsigned int n = 0; n < 4; n++)
			emu_phys_io(cpu, (cpu->cr3 & 0xffffffe0) + 8 * n,
				    &cpu->pdpte[n], 8, false);
	atomic_store(&cpu->pending, PEND_IRQ);
}
