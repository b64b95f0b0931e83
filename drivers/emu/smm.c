/*
 * drivers/emu/smm.c -- system management mode (AMD APM vol. 2, "System-
 * Management Mode"), with AMD's layout of the state-save area, which is the
 * one that firmware for virtual machines knows.
 *
 * An SMI is taken between instructions.  RAM slots marked so can be seen only
 * in this mode, hence the TLB goes on the way in and out.
 */
#include "drivers/emu/exec.h"

/* The save area is SMBASE + 0xfe00 to SMBASE + 0xffff. */
enum { SAVE_AREA = 0xfe00, SAVE_SIZE = 0x200, ENTRY = 0x8000 };

/* Table "AMD64 Architecture SMM State-Save Area"; offsets from its start. */
enum {
	AREA_SEGS = 0x000, /* ES, CS, SS, DS, FS, GS; ORDER X86_SEGS */
	AREA_GDT = 0x060,
	AREA_LDT = 0x070,
	AREA_IDT = 0x080,
	AREA_TR = 0x090,
	AREA_HALT_RESTART = 0x0c9,
	AREA_EFER = 0x0d0,
	AREA_REVISION = 0x0fc,
	AREA_SMBASE = 0x100,
	AREA_CR4 = 0x148,
	AREA_CR3 = 0x150,
	AREA_CR0 = 0x158,
	AREA_DR7 = 0x160,
	AREA_DR6 = 0x168,
	AREA_RFLAGS = 0x170,
	AREA_RIP = 0x178,
	AREA_R15 = 0x180, /* downwards in number, RAX is last */
};
/* AMD64 layout; bit 17: SMBASE can be changed. */
#define REVISION     0x00020064u

/* 64-bit registers with a place of their own. */
static const struct {
	uint16_t area;
	size_t cpu;
} registers[] = {
	{ AREA_EFER, offsetof(struct emu_cpu, efer) },
	{ AREA_CR4, offsetof(struct emu_cpu, cr4) },
	{ AREA_CR3, offsetof(struct emu_cpu, cr3) },
	{ AREA_CR0, offsetof(struct emu_cpu, cr0) },
	{ AREA_DR7, offsetof(struct emu_cpu, dr[7]) },
	{ AREA_DR6, offsetof(struct emu_cpu, dr[6]) },
	{ AREA_RIP, offsetof(struct emu_cpu, rip) },
};

static void put_segment(uint8_t *area, const struct x86_segment *s)
{
	memcpy(area, &s->selector, 2);
	memcpy(area + 2, &s->attr, 2);
	memcpy(area + 4, &s->limit, 4);
	memcpy(area + 8, &s->base, 8);
}

static void get_segment(const uint8_t *area, struct x86_segment *s)
{
	memcpy(&s->selector, area, 2);
	memcpy(&s->attr, area + 2, 2);
	memcpy(&s->limit, area + 4, 4);
	memcpy(&s->base, area + 8, 8);
	s->unusable = !(s->attr & BIT(7));
}

static void put_table(uint8_t *area, const struct x86_table *t)
{
	memcpy(area + 4, &t->limit, 2);
	memcpy(area + 8, &t->base, 8);
}

static void get_table(const uint8_t *area, struct x86_table *t)
{
	memcpy(&t->limit, area + 4, 2);
	memcpy(&t->base, area + 8, 8);
}

static void save(struct emu_cpu *cpu, uint8_t *area)
{
	uint64_t flags = emu_get_rflags(cpu);
	uint32_t revision = REVISION;

	for (unsigned int n = 0; n < X86_SEGS; n++)
		put_segment(area + AREA_SEGS + 16 * n, &cpu->seg[n]);
	put_segment(area + AREA_LDT, &cpu->ldt);
	put_segment(area + AREA_TR, &cpu->tr);
	put_table(area + AREA_GDT, &cpu->gdt);
	put_table(area + AREA_IDT, &cpu->idt);
	area[AREA_HALT_RESTART] = cpu->halted;
	memcpy(area + AREA_REVISION, &revision, 4);
	memcpy(area + AREA_SMBASE, &cpu->smbase, 4);
	memcpy(area + AREA_RFLAGS, &flags, 8);
	for (unsigned int n = 0; n < ARRAY_SIZE(registers); n++)
		memcpy(area + registers[n].area,
		       (uint8_t *)cpu + registers[n].cpu, 8);
	for (unsigned int n = 0; n < 16; n++)
		memcpy(area + AREA_R15 + 8 * (15 - n), &cpu->gpr[n], 8);
}

/* "SMM Execution Environment": like real mode, with 4 GiB segments. */
static void enter_state(struct emu_cpu *cpu)
{
	for (unsigned int n = 0; n < X86_SEGS; n++)
		cpu->seg[n] = (struct x86_segment){ .limit = 0xffffffff,
						    .attr = 0x8093 };
	cpu->seg[X86_CS].selector = cpu->smbase >> 4;
	cpu->seg[X86_CS].base = cpu->smbase;
	cpu->seg[X86_CS].attr = 0x809b;
	cpu->cr0 &= ~(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
	cpu->cr4 = 0;
	cpu->efer = 0;
	cpu->cpl = 0;
	cpu->dr[7] = 0x400;
	cpu->rip = ENTRY;
	cpu->halted = false;
	emu_set_rflags(cpu, 2);
	debug_update(cpu);
}

static void changed(struct emu_cpu *cpu)
{
	mmu_flush(cpu, true);
	seg_update(cpu);
	emu_pend(cpu, PEND_IRQ);
}

void smm_enter(struct emu_cpu *cpu)
{
	uint8_t area[SAVE_SIZE] = { 0 };

	save(cpu, area);
	cpu->smm = true;
	cpu->smm_in_nmi = cpu->nmi_blocked;
	cpu->nmi_blocked = true;
	enter_state(cpu);
	changed(cpu);
	emu_write(cpu, MMU_KERNEL, cpu->smbase + SAVE_AREA, area, SAVE_SIZE);
}

static void load(struct emu_cpu *cpu, const uint8_t *area)
{
	uint64_t flags;

	for (unsigned int n = 0; n < X86_SEGS; n++)
		get_segment(area + AREA_SEGS + 16 * n, &cpu->seg[n]);
	get_segment(area + AREA_LDT, &cpu->ldt);
	get_segment(area + AREA_TR, &cpu->tr);
	get_table(area + AREA_GDT, &cpu->gdt);
	get_table(area + AREA_IDT, &cpu->idt);
	memcpy(&cpu->smbase, area + AREA_SMBASE, 4);
	for (unsigned int n = 0; n < ARRAY_SIZE(registers); n++)
		memcpy((uint8_t *)cpu + registers[n].cpu,
		       area + registers[n].area, 8);
	for (unsigned int n = 0; n < 16; n++)
		memcpy(&cpu->gpr[n], area + AREA_R15 + 8 * (15 - n), 8);
	memcpy(&flags, area + AREA_RFLAGS, 8);
	cpu->cpl = emu_pe(cpu) ? cpu->seg[X86_SS].attr >> 5 & 3 : 0;
	cpu->halted = area[AREA_HALT_RESTART] & 1;
	emu_set_rflags(cpu, flags);
}

/* "Leaving SMM": a state that no processor can have is a shutdown. */
static bool valid(const uint8_t *area)
{
	uint64_t cr0, cr4, efer;

	memcpy(&cr0, area + AREA_CR0, 8);
	memcpy(&cr4, area + AREA_CR4, 8);
	memcpy(&efer, area + AREA_EFER, 8);
	if (cr0 >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) ||
	    (cr0 & CR0_NW && !(cr0 & CR0_CD)))
		return false;
	if (efer & EFER_LMA && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)))
		return false;
	return !(cr4 >> 32);
}

void op_rsm(struct emu_cpu *cpu, const struct emu_insn *i)
{
	uint8_t area[SAVE_SIZE];

	if (!cpu->smm)
		emu_ud(cpu);
	emu_read(cpu, MMU_KERNEL, cpu->smbase + SAVE_AREA, area, SAVE_SIZE);
	if (!valid(area)) {
		emu_shutdown(cpu);
	}
	cpu->smm = false;
	cpu->nmi_blocked = cpu->smm_in_nmi;
	load(cpu, area);
	cpu->step_db = false;
	debug_update(cpu);
	changed(cpu);
	if (cpu->cr0 & CR0_PG && cpu->cr4 & CR4_PAE && !emu_long(cpu))
		mmu_load_pdpte(cpu, cpu->cr3);
	if (cpu->init_latched)
		emu_pend(cpu, PEND_INIT);
	cpu->init_latched = false;
}
