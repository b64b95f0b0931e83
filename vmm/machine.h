/*
 * vmm/machine.h -- a machine: RAM, buses, interrupt controllers, devices,
 * vCPU threads, and one engine that runs them.
 *
 * Threads: one per vCPU, the I/O threads of devices, and the main thread,
 * which serves the control socket and timers on an epoll loop (vmm/loop.h).
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/engine.h"

struct bus;
struct ram;
struct loop;
struct ioapic;
struct pci_bus;
struct vmm_spec;
struct error;

/* Physical address map of both machines. */
#define MMIO32_BASE 0xc0000000ull /* PCI window below 4 GiB */
#define MMIO32_END 0xe0000000ull
#define ECAM_BASE 0xe0000000ull /* 256 buses of 1 MiB */
#define ECAM_SIZE 0x10000000ull
#define IOAPIC_BASE 0xfec00000ull
#define LAPIC_BASE 0xfee00000ull

/* Why the guest stopped; the names go over the control socket. */
enum machine_stop {
	STOP_NONE,
	STOP_POWEROFF, /* the guest switched itself off */
	STOP_RESET,    /* the guest asked for a reset and on_reboot says stop */
	STOP_CRASH,    /* triple fault with on_crash, engine failure, panic */
	STOP_QUIT,     /* the daemon told us to */
};

struct machine {
	const struct vmm_spec *spec;
	const struct engine *engine;
	struct vm *vm;
	struct ram *ram;
	struct bus *ports;
	struct bus *mmio;
	struct ioapic *ioapic;
	struct pci_bus *pci;
	struct loop *loop;
	/* machine.c keeps the rest (threads, devices, state) to itself. */
	struct machine_priv *priv;
};

/* engine and variant: vmm/main.c looked up spec->engine.  Spec and its
 * descriptors stay the caller's and outlive the machine. */
int machine_create(const struct vmm_spec *spec, const struct engine *engine,
		   const char *variant, struct loop *loop,
		   struct machine **ret_m, struct error *err);
void machine_destroy(struct machine *m);

/* Starts (or resumes) and pauses all vCPUs; pause returns when all stopped. */
int machine_run(struct machine *m);
void machine_pause(struct machine *m);
bool machine_paused(const struct machine *m);

/* Any thread, devices included: take effect on the main loop. */
void machine_request_reset(struct machine *m);
void machine_request_stop(struct machine *m, enum machine_stop why,
			  const char *detail);
void machine_power_button(struct machine *m);

/* Devices raise interrupts with these only. */
void machine_irq(struct machine *m, unsigned int gsi, bool level);
int machine_msi(struct machine *m, uint64_t addr, uint32_t data);

#endif
