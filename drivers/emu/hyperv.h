/*
 * drivers/emu/hyperv.h -- Hyper-V's help for guests on the emulator
 * (Microsoft, Hypervisor Top Level Functional Specification).
 */
#ifndef EMU_HYPERV_H
#define EMU_HYPERV_H

#include "drivers/emu/exec.h"

enum { HV_SINTS = 16, HV_STIMERS = 4 };

/* One vCPU's; NULL in a guest without Hyper-V.  Other threads: hyperv_timers.c */
struct hv_cpu {
	uint64_t vp_assist;
	uint64_t scontrol, siefp, simp, sint[HV_SINTS];
	uint64_t config[HV_STIMERS], count[HV_STIMERS];
	_Atomic uint32_t due; /* bits: a timer's message is to be delivered */

	/* Under the timers' lock (lapic.c). */
	uint64_t deadline[HV_STIMERS]; /* 100 ns of reference time; 0: none */
};

/* enum spec_hyperv, as bits. */
unsigned int hyperv_offered(void);

int hyperv_cpu_create(struct emu_cpu *cpu);
void hyperv_cpu_destroy(struct emu_cpu *cpu);

/* -ENOENT: none of Hyper-V's, or the guest has no Hyper-V. */
int hyperv_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret);
int hyperv_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v);
/* What is saved of a vCPU: the i-th MSR; 0: no more. */
uint32_t hyperv_saved_msr(const struct emu_cpu *cpu, unsigned int i);

/* A hypercall is Hyper-V's once the guest has said who it is. */
bool hyperv_hypercall(struct emu_cpu *cpu);

/* The guest's time goes on, perhaps on another host. */
void hyperv_resume(struct vm *vm);

/* ---- hyperv_synic.c: messages and timers ---- */

int synic_rdmsr(struct emu_cpu *cpu, uint32_t index, uint64_t *ret);
int synic_wrmsr(struct emu_cpu *cpu, uint32_t index, uint64_t v);
/* Own thread, for PEND_HYPERV. */
void synic_deliver(struct emu_cpu *cpu);
/* Is the vector's interrupt over as soon as it is taken? */
bool synic_auto_eoi(const struct emu_cpu *cpu, uint8_t vector);
/* The timers' thread, its lock held: fires; the next one's in CLOCK_MONOTONIC's
 * nanoseconds. */
uint64_t synic_fire(struct emu_cpu *cpu, uint64_t now);

/* Reference time: 100 ns since the guest's clock was 0. */
uint64_t hyperv_time(struct emu_cpu *cpu);

#endif
