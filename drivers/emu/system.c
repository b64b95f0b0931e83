/*
 * drivers/emu/system.c -- privileged and system instructions (SDM vol. 2 and
 * vol. 3, "System Architecture Overview").
 */
#include "drivers/emu/hyperv.h"
#include "drivers/emu/system.h"

#include <sched.h>
#include <immintrin.h>

#include "drivers/emu/lapic.h"
#include "vmm/bus.h"
#include "vmm/machine.h"

static void require_cpl0(struct emu_cpu *cpu)
{
	if (cpu->cpl)
		emu_gp0(cpu);
}

void op_ud(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_ud(cpu);
}

void emu_set_rflags(struct emu_cpu *cpu, uint64_t f)
{
	uint64_t old = cpu->rflags;

	emu_set_arith(cpu, f);
	cpu->rflags = (f & 0x3f7700) | 2;
	if (!(cpu->dr[7] & 0xff)) /* matters to breakpoints alone */
		cpu->rflags &= ~FLAG_RF;
	if ((old ^ cpu->rflags) & FLAG_AC)
		mmu_view(cpu);
	if (cpu->rflags & FLAG_TF)
		emu_pend(cpu, PEND_STEP);
	if (cpu->rflags & FLAG_IF && !(old & FLAG_IF) && lapic_pending(cpu))
		emu_pend(cpu, PEND_IRQ);
}

void op_hlt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	require_cpl0(cpu);
	cpu->halted = true;
	cpu->shadow = cpu->ss_shadow = false; /* STI's has ended */
	emu_pend(cpu, PEND_IRQ);
}

static bool iopl_ok(struct emu_cpu *cpu)
{
	return !emu_pe(cpu) || cpu->cpl <= ((cpu->rflags >> 12) & 3);
}

void op_cli(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!iopl_ok(cpu))
		emu_gp0(cpu);
	cpu->rflags &= ~FLAG_IF;
}

void op_sti(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!iopl_ok(cpu))
		emu_gp0(cpu);
	if (cpu->rflags & FLAG_IF)
		return;
	cpu->rflags |= FLAG_IF;
	cpu->shadow = true;
	if (lapic_pending(cpu))
		emu_pend(cpu, PEND_IRQ);
}

/* Ports (SDM vol. 1, "I/O Permission Bit Map"). */
void sys_check_io(struct emu_cpu *cpu, uint16_t port, unsigned int size)
{
	uint32_t base, bits;

	if (iopl_ok(cpu) && !(cpu->rflags & FLAG_VM))
		return;
	if ((cpu->tr.attr & 15) < 9 || cpu->tr.limit < 103)
		emu_gp0(cpu);
	base = emu_sys_load(cpu, cpu->tr.base + 102, 2);
	if (base + port / 8 + 1 > cpu->tr.limit)
		emu_gp0(cpu);
	bits = emu_sys_load(cpu, cpu->tr.base + base + port / 8, 2);
	if (bits >> (port & 7) & ((1u << size) - 1))
		emu_gp0(cpu);
}

uint64_t sys_in(struct emu_cpu *cpu, uint16_t port, unsigned int size)
{
	uint64_t v = ~0ull;

	if (unlikely(cpu->dr[7] & 0xff))
		debug_io(cpu, port, size);
	cpu->n_exits++;
	emu_quiet(cpu);
	if (cpu->vm->m)
		bus_io(cpu->vm->m->ports, port, &v, size, false);
	emu_busy(cpu);
	return v;
}

void sys_out(struct emu_cpu *cpu, uint16_t port, uint64_t v, unsigned int size)
{
	if (unlikely(cpu->dr[7] & 0xff))
		debug_io(cpu, port, size);
	cpu->n_exits++;
	emu_quiet(cpu);
	if (cpu->vm->m)
		bus_io(cpu->vm->m->ports, port, &v, size, true);
	emu_busy(cpu);
}

/* aux: size; src: SLOT_ZERO for an immediate port. */
static uint16_t io_port(struct emu_cpu *cpu, const struct emu_insn *i)
{
	return i->src == SLOT_ZERO ? (uint8_t)i->imm : cpu->gpr[X86_RDX];
}

void op_in(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t port = io_port(cpu, i);
	uint64_t v;

	sys_check_io(cpu, port, i->aux);
	v = sys_in(cpu, port, i->aux);
	if (i->aux == 4)
		SETREG32(0, v);
	else
		memcpy(&cpu->gpr[X86_RAX], &v, i->aux);
}

void op_out(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint16_t port = io_port(cpu, i);

	sys_check_io(cpu, port, i->aux);
	sys_out(cpu, port, cpu->gpr[X86_RAX], i->aux);
}

void op_cpuid(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint32_t r[4];

	emu_cpuid(cpu, cpu->gpr[X86_RAX], cpu->gpr[X86_RCX], r);
	SETREG32(8 * X86_RAX, r[0]);
	SETREG32(8 * X86_RBX, r[1]);
	SETREG32(8 * X86_RCX, r[2]);
	SETREG32(8 * X86_RDX, r[3]);
}

uint64_t emu_guest_tsc(struct emu_cpu *cpu)
{
	return emu_host_tsc() + cpu->tsc_offset;
}

void op_rdtsc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t tsc;

	if (cpu->cr4 & CR4_TSD && cpu->cpl)
		emu_gp0(cpu);
	tsc = emu_guest_tsc(cpu);
	SETREG32(8 * X86_RAX, tsc);
	SETREG32(8 * X86_RDX, tsc >> 32);
}

void op_rdtscp(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!emu_has(cpu, 0x80000001, 0, 3, 27))
		emu_ud(cpu);
	__builtin_ia32_lfence(); /* as RDTSCP orders itself */
	op_rdtsc(cpu, i);
	SETREG32(8 * X86_RCX, cpu->msr.tsc_aux);
}

void op_rdpid(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (!emu_has(cpu, 7, 0, 2, 22))
		emu_ud(cpu);
	SETREG64(i->dst, (uint32_t)cpu->msr.tsc_aux);
}

void op_rdpmc(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_gp0(cpu); /* no counters */
}

void op_rdmsr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v;

	require_cpl0(cpu);
	if (sys_rdmsr(cpu, cpu->gpr[X86_RCX], &v) < 0)
		emu_gp0(cpu);
	SETREG32(8 * X86_RAX, v);
	SETREG32(8 * X86_RDX, v >> 32);
}

void op_wrmsr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v = (uint32_t)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

	require_cpl0(cpu);
	if (sys_wrmsr(cpu, cpu->gpr[X86_RCX], v) < 0)
		emu_gp0(cpu);
}

#define CR0_KNOWN                                                       \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | \
	 CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* Entering and leaving long mode goes with CR0.PG (SDM vol. 3, "IA-32e
 * Mode Operation"). */
void sys_write_cr0(struct emu_cpu *cpu, uint64_t v)
{
	uint64_t old = cpu->cr0;

	v = (v & CR0_KNOWN) | CR0_ET;
	if ((v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD)))
		emu_gp0(cpu);
	if (v & CR0_PG && !(old & CR0_PG)) {
		if (cpu->efer & EFER_LME) {
			if (!(cpu->cr4 & CR4_PAE) ||
			    cpu->seg[X86_CS].attr & BIT(13))
				emu_gp0(cpu);
			cpu->efer |= EFER_LMA;
		} else if (cpu->cr4 & CR4_PAE) {
			mmu_load_pdpte(cpu, cpu->cr3);
		}
	}
	if (!(v & CR0_PG) && old & CR0_PG) {
		if (cpu->mode == MODE_64)
			emu_gp0(cpu);
		cpu->efer &= ~EFER_LMA;
	}
	cpu->cr0 = v;
	if (!(v & CR0_PE))
		cpu->cpl = 0;
	if ((old ^ v) & (CR0_PG | CR0_WP | CR0_PE))
		mmu_flush(cpu, true);
	seg_update(cpu);
}

static uint64_t cr4_known(struct emu_cpu *cpu)
{
	uint64_t known = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
			 CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (emu_has(cpu, 7, 0, 2, 2))
		known |= CR4_UMIP;
	if (emu_has(cpu, 7, 0, 1, 0))
		known |= CR4_FSGSBASE;
	if (emu_has(cpu, 1, 0, 2, 17))
		known |= CR4_PCIDE;
	if (emu_has(cpu, 1, 0, 2, 26))
		known |= CR4_OSXSAVE;
	if (emu_has(cpu, 7, 0, 1, 7))
		known |= CR4_SMEP;
	if (emu_has(cpu, 7, 0, 1, 20))
		known |= CR4_SMAP;
	return known;
}

static void write_cr4(struct emu_cpu *cpu, uint64_t v)
{
	uint64_t old = cpu->cr4;

	if (v & ~cr4_known(cpu))
		emu_gp0(cpu);
	if (emu_long(cpu) && !(v & CR4_PAE))
		emu_gp0(cpu);
	if (v & CR4_PCIDE && !(old & CR4_PCIDE) &&
	    (!emu_long(cpu) || cpu->cr3 & 0xfff))
		emu_gp0(cpu);
	if (cpu->cr0 & CR0_PG && !emu_long(cpu) && v & CR4_PAE &&
	    (old ^ v) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP))
		mmu_load_pdpte(cpu, cpu->cr3);
	cpu->cr4 = v;
	if ((old ^ v) &
	    (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP))
		mmu_flush(cpu, true);
	mmu_view(cpu);
}

void sys_load_cr3(struct emu_cpu *cpu, uint64_t v)
{
	uint64_t old = cpu->cr3, loaded = v;

	if (emu_long(cpu)) {
		if (cpu->cr4 & CR4_PCIDE)
			v &= ~BIT64(63);
		if (v >> 52)
			emu_gp0(cpu);
	} else {
		v = (uint32_t)v;
		if (cpu->cr0 & CR0_PG && cpu->cr4 & CR4_PAE)
			mmu_load_pdpte(cpu, v);
	}
	cpu->cr3 = v;
	mmu_flush(cpu, false);
	direct_load_cr3(cpu, old, loaded);
}

static uint64_t reg_operand(struct emu_cpu *cpu, unsigned int off)
{
	return cpu->mode == MODE_64 ? REG64(off) : REG32(off);
}

void op_mov_cr_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v = reg_operand(cpu, i->src);

	require_cpl0(cpu);
	if (i->aux != 3 && i->aux != 2 && v >> 32)
		emu_gp0(cpu);
	switch (i->aux) {
	case 0:
		sys_write_cr0(cpu, v);
		break;
	case 2:
		cpu->cr2 = v;
		break;
	case 3:
		sys_load_cr3(cpu, v);
		break;
	case 4:
		write_cr4(cpu, v);
		break;
	case 8:
		if (v & ~15ull)
			emu_gp0(cpu);
		lapic_set_cr8(cpu, v);
		break;
	default:
		emu_ud(cpu);
	}
}

void op_mov_r_cr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v = 0;

	require_cpl0(cpu);
	switch (i->aux) {
	case 0:
		v = cpu->cr0;
		break;
	case 2:
		v = cpu->cr2;
		break;
	case 3:
		v = cpu->cr3;
		break;
	case 4:
		v = cpu->cr4;
		break;
	case 8:
		v = lapic_get_cr8(cpu);
		break;
	default:
		emu_ud(cpu);
	}
	if (cpu->mode == MODE_64)
		SETREG64(i->dst, v);
	else
		SETREG32(i->dst, v);
}

static unsigned int debug_reg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (i->aux == 4 || i->aux == 5) {
		if (cpu->cr4 & CR4_DE)
			emu_ud(cpu);
		return i->aux + 2;
	}
	if (i->aux > 7)
		emu_ud(cpu);
	return i->aux;
}

void op_mov_r_dr(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int n = debug_reg(cpu, i);
	uint64_t v;

	require_cpl0(cpu);
	debug_general_detect(cpu);
	v = cpu->dr[n];
	if (cpu->mode == MODE_64)
		SETREG64(i->dst, v);
	else
		SETREG32(i->dst, v);
}

void op_mov_dr_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned int n;
	uint64_t v = reg_operand(cpu, i->src);

	n = debug_reg(cpu, i);
	require_cpl0(cpu);
	if (n >= 6 && v >> 32)
		emu_gp0(cpu);
	debug_general_detect(cpu);
	if (n == 6)
		v = (v & 0xe00f) | 0xffff0ff0;
	else if (n == 7)
		v = (v & 0xffff2bff) | 0x400;
	cpu->dr[n] = v;
	if (n != 6)
		debug_update(cpu);
}

void op_clts(struct emu_cpu *cpu, const struct emu_insn *i)
{
	require_cpl0(cpu);
	cpu->cr0 &= ~CR0_TS;
}

/* LMSW cannot clear PE. */
static void lmsw(struct emu_cpu *cpu, uint16_t v)
{
	require_cpl0(cpu);
	sys_write_cr0(cpu, (cpu->cr0 & ~0xeull) | (v & 0xf));
}

void op_lmsw_r(struct emu_cpu *cpu, const struct emu_insn *i)
{
	lmsw(cpu, REG16(i->src));
}

void op_lmsw_m(struct emu_cpu *cpu, const struct emu_insn *i)
{
	lmsw(cpu, emu_load16(cpu, emu_ea(cpu, i, 2, ACCESS_READ)));
}

static void load_table(struct emu_cpu *cpu, const struct emu_insn *i,
		       struct x86_table *t)
{
	unsigned int size = i->flags & INSN_MODE64 ? 8 : 4;
	uint8_t buf[10];
	uint64_t base = 0;
	uint64_t ea;

	require_cpl0(cpu);
	ea = emu_ea(cpu, i, size + 2, ACCESS_READ);
	emu_read(cpu, emu_view(cpu), ea, buf, size + 2);
	memcpy(&base, buf + 2, size);
	if (i->flags & INSN_OP16 && size == 4)
		base &= 0xffffff;
	if ((uint64_t)((int64_t)(base << 16) >> 16) != base && size == 8)
		emu_gp0(cpu);
	memcpy(&t->limit, buf, 2);
	t->base = base;
}

static void store_table(struct emu_cpu *cpu, const struct emu_insn *i,
			const struct x86_table *t)
{
	unsigned int size = i->flags & INSN_MODE64 ? 8 : 4;
	uint8_t buf[10];
	uint64_t ea;

	if (cpu->cr4 & CR4_UMIP && cpu->cpl)
		emu_gp0(cpu);
	ea = emu_ea(cpu, i, size + 2, ACCESS_WRITE);
	memcpy(buf, &t->limit, 2);
	memcpy(buf + 2, &t->base, size);
	emu_write(cpu, emu_view(cpu), ea, buf, size + 2);
}

void op_lgdt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	load_table(cpu, i, &cpu->gdt);
}

void op_lidt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	load_table(cpu, i, &cpu->idt);
}

void op_sgdt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	store_table(cpu, i, &cpu->gdt);
}

void op_sidt(struct emu_cpu *cpu, const struct emu_insn *i)
{
	store_table(cpu, i, &cpu->idt);
}

void op_invlpg(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t ea = emu_ea_offset(cpu, i);

	require_cpl0(cpu);
	if (cpu->mode != MODE_64)
		ea = (uint32_t)(ea + cpu->seg[i->seg].base);
	else if (i->seg >= X86_FS)
		ea += cpu->seg[i->seg].base;
	mmu_flush_page(cpu, ea);
}

/* INVPCID (SDM vol. 2A): PCIDs share the TLB, so more goes than asked. */
void op_invpcid(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t type = reg_operand(cpu, i->dst), desc[2];

	require_cpl0(cpu);
	if (!emu_has(cpu, 7, 0, 1, 10))
		emu_ud(cpu);
	if (type > 3)
		emu_gp0(cpu);
	emu_read(cpu, emu_view(cpu), emu_ea(cpu, i, 16, ACCESS_READ), desc, 16);
	if (desc[0] >> 12 ||
	    (type < 2 && desc[0] && !(cpu->cr4 & CR4_PCIDE)) ||
	    (type == 0 && !emu_canonical(desc[1])))
		emu_gp0(cpu);
	if (type == 0)
		mmu_flush_page(cpu, desc[1]);
	else
		mmu_flush(cpu, type == 2);
	if (type)
		direct_flush(cpu);
}

/* Caches are the host's business: INVD, WBINVD. */
void op_invd(struct emu_cpu *cpu, const struct emu_insn *i)
{
	require_cpl0(cpu);
}

void op_swapgs(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t base = cpu->seg[X86_GS].base;

	if (cpu->mode != MODE_64)
		emu_ud(cpu);
	require_cpl0(cpu);
	cpu->seg[X86_GS].base = cpu->msr.kernel_gs_base;
	cpu->msr.kernel_gs_base = base;
}

/* aux: the segment register. */
static struct x86_segment *fsgs(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (cpu->mode != MODE_64 || !(cpu->cr4 & CR4_FSGSBASE))
		emu_ud(cpu);
	return &cpu->seg[i->aux];
}

void op_rdfsbase(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v = fsgs(cpu, i)->base;

	if (i->flags & INSN_OP64)
		SETREG64(i->dst, v);
	else
		SETREG32(i->dst, v);
}

void op_wrfsbase(struct emu_cpu *cpu, const struct emu_insn *i)
{
	struct x86_segment *s = fsgs(cpu, i);
	uint64_t v = i->flags & INSN_OP64 ? REG64(i->src) : REG32(i->src);

	if ((uint64_t)((int64_t)(v << 16) >> 16) != v)
		emu_gp0(cpu);
	s->base = v;
}

void op_xgetbv(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint32_t index = cpu->gpr[X86_RCX];
	uint64_t v = cpu->fpu.xcr0;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		emu_ud(cpu);
	if (index > 1 || (index == 1 && !emu_has(cpu, 0xd, 1, 0, 2)))
		emu_gp0(cpu);
	SETREG32(8 * X86_RAX, v);
	SETREG32(8 * X86_RDX, v >> 32);
}

/* SDM vol. 1, "XSAVE-Supported Features and State-Component Bitmaps". */
static bool xcr0_valid(uint64_t v)
{
	if (v & ~vec_xcr0_mask() || !(v & 1))
		return false;
	if (v & 4 && !(v & 2))
		return false;
	if (v & 0xe0 && ((v & 0xe0) != 0xe0 || !(v & 4)))
		return false;
	return true;
}

void op_xsetbv(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint64_t v = (uint32_t)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		emu_ud(cpu);
	require_cpl0(cpu);
	if ((uint32_t)cpu->gpr[X86_RCX] || !xcr0_valid(v))
		emu_gp0(cpu);
	cpu->fpu.xcr0 = v;
}

static void set_ac(struct emu_cpu *cpu, bool on)
{
	if (cpu->cpl || !emu_has(cpu, 7, 0, 1, 20))
		emu_ud(cpu);
	cpu->rflags = (cpu->rflags & ~FLAG_AC) | (on ? FLAG_AC : 0);
	mmu_view(cpu);
}

void op_clac(struct emu_cpu *cpu, const struct emu_insn *i)
{
	set_ac(cpu, false);
}

void op_stac(struct emu_cpu *cpu, const struct emu_insn *i)
{
	set_ac(cpu, true);
}

/* The result and the flags that RDRAND and RDSEED define. */
static void random_result(struct emu_cpu *cpu, const struct emu_insn *i,
			  uint64_t v, bool ok)
{
	if (!ok)
		v = 0;
	cpu->aflags = ok ? AF_CF : 0;
	if (i->flags & INSN_OP16)
		SETREG16(i->dst, v);
	else if (i->flags & INSN_OP64)
		SETREG64(i->dst, v);
	else
		SETREG32(i->dst, v);
}

void op_rdrand(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned char ok;
	uint64_t v;

	if (!emu_has(cpu, 1, 0, 2, 30))
		emu_ud(cpu);
	asm volatile("rdrand %0; setc %1" : "=r"(v), "=q"(ok) : : "cc");
	random_result(cpu, i, v, ok);
}

void op_rdseed(struct emu_cpu *cpu, const struct emu_insn *i)
{
	unsigned char ok;
	uint64_t v;

	if (!emu_has(cpu, 7, 0, 1, 18))
		emu_ud(cpu);
	asm volatile("rdseed %0; setc %1" : "=r"(v), "=q"(ok) : : "cc");
	random_result(cpu, i, v, ok);
}

/* CLFLUSH and its kin fault like a load of a byte. */
void op_clflush(struct emu_cpu *cpu, const struct emu_insn *i)
{
	emu_probe(cpu, emu_view(cpu), emu_ea(cpu, i, 1, ACCESS_READ), 1,
		  ACCESS_READ);
}

/* CLZERO (AMD APM vol. 3): the cache line that rAX points into. */
void op_clzero(struct emu_cpu *cpu, const struct emu_insn *i)
{
	static const uint8_t zero[64];
	uint64_t ea = emu_ea(cpu, i, 1, ACCESS_WRITE) & ~63ull;

	emu_write(cpu, emu_view(cpu), ea, zero, sizeof(zero));
}

/*
 * A guest that spins may wait for a vCPU whose thread is not running: now
 * and then the host's scheduler is told.
 */
void op_pause(struct emu_cpu *cpu, const struct emu_insn *i)
{
	if (++cpu->n_pauses % 64 == 0 && cpu->vm->n_cpus > 1)
		sched_yield();
}

void op_fence(struct emu_cpu *cpu, const struct emu_insn *i)
{
	atomic_thread_fence(memory_order_seq_cst);
}

/* KVM's hypercalls (Linux, Documentation/virt/kvm/x86/hypercalls.rst). */
enum { HC_KICK_CPU = 5, HC_SEND_IPI = 10, HC_EPERM = 1, HC_ENOSYS = 1000 };

/* The vCPU with this APIC ID waits in HLT for a lock, perhaps without
 * interrupts: it goes on. */
static int64_t kick_cpu(struct emu_cpu *cpu)
{
	for (unsigned int i = 0; i < cpu->vm->n_cpus; i++) {
		struct emu_cpu *to = cpu->vm->cpus[i];

		if (to && to->id == (uint32_t)cpu->gpr[X86_RCX]) {
			atomic_store(&to->unhalted, true);
			emu_notify(to, PEND_IRQ);
		}
	}
	return 0;
}

static int64_t send_ipi(struct emu_cpu *cpu)
{
	uint64_t low = cpu->gpr[X86_RBX], high = cpu->gpr[X86_RCX];
	uint64_t map[2] = { low, high };

	if (!cpu->lapic)
		return -HC_ENOSYS;
	if (cpu->mode != MODE_64) { /* each word has half the bits */
		map[0] = (uint32_t)low | high << 32;
		map[1] = 0;
	}
	return lapic_pv_ipi(cpu->vm, map, cpu->gpr[X86_RDX],
			    cpu->gpr[X86_RSI]);
}

void op_vmcall(struct emu_cpu *cpu, const struct emu_insn *i)
{
	int64_t r = -HC_ENOSYS;

	if (!cpu->cpl && hyperv_hypercall(cpu))
		return;
	if (cpu->cpl)
		r = -HC_EPERM;
	else if (reg_operand(cpu, 8 * X86_RAX) == HC_KICK_CPU)
		r = kick_cpu(cpu);
	else if (reg_operand(cpu, 8 * X86_RAX) == HC_SEND_IPI)
		r = send_ipi(cpu);
	if (cpu->mode == MODE_64)
		SETREG64(8 * X86_RAX, r);
	else
		SETREG32(8 * X86_RAX, r);
}
