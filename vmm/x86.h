/*
 * vmm/x86.h -- architectural vCPU state and CPUID, neutral of any engine.
 *
 * Field widths and names follow the Intel SDM, vol. 3, "System Architecture
 * Overview".  What an engine keeps beyond this (caches, translations) is its
 * own and never part of saved state.
 */
#ifndef VMM_X86_H
#define VMM_X86_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpuid.h"

enum { /* index into x86_state.gpr: the encoding's order */
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
};

enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEGS };

/* attr: descriptor bits 40-55, i.e. type(0-3) S(4) DPL(5-6) P(7) AVL(12)
 * L(13) D/B(14) G(15); limit is in bytes, already scaled by G. */
struct x86_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attr;
	bool unusable;
};

struct x86_table {
	uint64_t base;
	uint16_t limit;
};

struct x86_msr {
	uint32_t index;
	uint64_t value;
};

enum { X86_XSAVE_SIZE = 4096, X86_LAPIC_SIZE = 1024, X86_MSRS_MAX = 192 };

enum x86_run_state {
	X86_RUNNING,
	X86_HALTED,
	X86_WAIT_INIT, /* an AP before INIT: nothing wakes it but INIT */
	X86_WAIT_SIPI,
};

struct x86_state {
	uint64_t gpr[16];
	uint64_t rip;
	uint64_t rflags;
	struct x86_segment seg[X86_SEGS];
	struct x86_segment ldt, tr;
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	uint64_t dr[8]; /* 4 and 5 unused */
	uint64_t xcr0;
	uint8_t xsave[X86_XSAVE_SIZE]; /* standard (not compacted) format */
	uint8_t lapic[X86_LAPIC_SIZE]; /* register page, xAPIC layout */
	uint64_t apic_base;
	uint64_t tsc;
	enum x86_run_state run_state;
	bool unhalted; /* another vCPU's hypercall ends the next HLT */
	bool interrupt_shadow; /* after STI or MOV SS */
	bool nmi_pending, nmi_blocked;
	bool smm, smi_pending; /* system management mode */
	uint32_t smbase;       /* 0: as after RESET */
	/* An event accepted but not yet delivered: vector | valid << 31, ... */
	bool event_pending, event_has_error;
	uint8_t event_vector, event_type;
	uint32_t event_error;
	uint32_t n_msrs;
	struct x86_msr msrs[X86_MSRS_MAX];
};

/* State after RESET (SDM vol. 3, "Processor State After Reset"); bsp: the
 * boot processor runs, the others wait for INIT. */
void x86_state_reset(struct x86_state *s, bool bsp, unsigned int apic_id);

#endif
