/*
 * drivers/emu/lapic.h -- the local APIC (SDM vol. 3, "Advanced Programmable
 * Interrupt Controller"): xAPIC and x2APIC, timer, IPIs.
 */
#ifndef EMU_LAPIC_H
#define EMU_LAPIC_H

#include "drivers/emu/exec.h"

struct lapic *lapic_create(struct emu_cpu *cpu, unsigned int apic_id);
void lapic_destroy(struct emu_cpu *cpu);
void lapic_reset(struct emu_cpu *cpu); /* INIT: all but the ID */

/* Timers of all vCPUs: one thread. */
int lapic_timers_start(struct vm *vm);
void lapic_timers_stop(struct vm *vm);
/* The vCPU is about to go: neither timers nor messages may find it. */
void lapic_timers_forget(struct lapic_timers *t, struct emu_cpu *cpu);
void lapic_timers_pause(struct vm *vm, bool paused);

/* Physical access; false: not this vCPU's APIC page. */
bool lapic_mmio(struct emu_cpu *cpu, uint64_t phys, void *buf,
		unsigned int size, bool is_write);
int lapic_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret);
int lapic_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v);

/* Own thread: might there be something for lapic_accept()? */
bool lapic_pending(struct emu_cpu *cpu);
/* The byte that says so, but for ExtINT (vm->extint). */
const volatile void *lapic_irr_any(const struct emu_cpu *cpu);
/* The vector to deliver now, acknowledged; -1: none. */
int lapic_accept(struct emu_cpu *cpu);

void lapic_set_cr8(struct emu_cpu *cpu, uint64_t v);
uint64_t lapic_get_cr8(struct emu_cpu *cpu);

/* Own thread, for Hyper-V's registers: the end of an interrupt, the command
 * register (as in xAPIC mode), an interrupt by the synthetic controller. */
void lapic_hv_eoi(struct emu_cpu *cpu);
int lapic_hv_icr(struct emu_cpu *cpu, uint64_t *ret);
void lapic_hv_send(struct emu_cpu *cpu, uint64_t icr);
void lapic_hv_interrupt(struct emu_cpu *cpu, uint8_t vector);
/* Sets a deadline of the timers' thread's (synic_fire()). */
void lapic_hv_timer(struct emu_cpu *cpu, uint64_t *deadline, uint64_t value);

/* Any thread. */
int lapic_msi(struct vm *vm, uint64_t addr, uint32_t data);
void lapic_extint(struct vm *vm, bool level);
void lapic_nmi(struct emu_cpu *cpu);
int lapic_pv_ipi(struct vm *vm, const uint64_t map[2], uint32_t first,
		 uint32_t icr);

bool lapic_enabled(const struct emu_cpu *cpu); /* by IA32_APIC_BASE */

void lapic_get(struct emu_cpu *cpu, struct x86_state *s);
void lapic_set(struct emu_cpu *cpu, const struct x86_state *s);

#endif
