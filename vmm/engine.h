/*
 * vmm/engine.h -- what runs the guest's instructions.
 *
 * The machine owns RAM, buses, devices, IOAPIC, PIC and PIT; an engine owns
 * vCPUs and their local APICs.  Interrupts therefore cross this line as
 * messages (MSI), plus the PIC's ExtINT wire.  Guest port and memory-mapped
 * I/O crosses it the other way as bus_io() (vmm/bus.h), called by the engine
 * on the vCPU's thread -- from the KVM exit handler or from translated code.
 */
#ifndef VMM_ENGINE_H
#define VMM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct x86_cpuid;
struct x86_state; /* architectural vCPU state, engine-neutral: vmm/x86.h */
struct error;

struct ram_slot {
	unsigned int slot; /* stable number, dense from 0 */
	uint64_t gpa;
	size_t size;
	void *host; /* NULL: unmap */
	bool readonly;
	bool log_dirty;
	bool smm; /* seen in system management mode only */
	/* Which blocks, of 1 << block_shift bytes (2 MiB or more), are there;
	 * NULL: all.  Bits change while vCPUs are stopped, and then set_ram()
	 * is called again.  The bitmap lives as long as the slot. */
	const uint64_t *blocks;
	unsigned int block_shift;
};

enum run_result {
	RUN_KICKED, /* engine->kick() was called */
	RUN_RESET,  /* triple fault, or a device asked for it */
	RUN_POWEROFF,
	RUN_DEBUG,  /* breakpoint or single step */
	RUN_FAILED, /* engine cannot continue; errno says why */
};

struct vm;   /* engine-private, one per machine */
struct vcpu; /* engine-private, one per guest CPU */

struct engine {
	const char *name;
	bool any_vendor; /* guests may be told of another maker's CPU */
	bool cheap_exits; /* a device's register costs hardly more than RAM */

	/* Does RAM that other processes can map serve it?  NULL: no. */
	bool (*shares_ram)(const char *variant);

	/*
	 * fd: /dev/kvm for the KVM engine, -1 otherwise.  variant: what
	 * follows the colon in "emu:interp", or NULL.  m->spec may be NULL.  Everything an engine
	 * must open or map executable happens here, before the sandbox.
	 */
	int (*vm_create)(struct machine *m, int fd, const char *variant,
			 struct vm **ret_vm, struct error *err);
	void (*vm_destroy)(struct vm *vm);

	/* The leaves this engine can honour, before any model is applied. */
	int (*cpuid)(struct vm *vm, struct x86_cpuid *ret_cpuid);

	/* Which of Hyper-V's features (bits: enum spec_hyperv); a vCPU's CPUID
	 * says which it shall have.  NULL: none. */
	unsigned int (*hyperv)(struct vm *vm);

	int (*set_ram)(struct vm *vm, const struct ram_slot *slot);
	/* Its log may be rings of vmm_spec's dirty_ring entries. */
	bool dirty_rings;
	int (*dirty_pages)(struct vm *vm, const struct ram_slot *slot,
			   uint64_t *ret_bitmap);

	/* Any thread. */
	int (*msi)(struct vm *vm, uint64_t addr, uint32_t data);
	void (*extint)(struct vm *vm, bool level);

	/*
	 * The IOAPIC tells what its pin sends, so that an engine can report
	 * EOIs of level-triggered vectors through machine_eoi().  NULL: the
	 * engine reports every EOI that the local APIC broadcasts.
	 */
	int (*ioapic_route)(struct vm *vm, unsigned int pin, uint64_t addr,
			    uint32_t data, bool level, bool masked);

	/* id: the initial APIC ID; usually dense, but a topology that is not
	 * a power of two leaves gaps. */
	int (*vcpu_create)(struct vm *vm, unsigned int id,
			   const struct x86_cpuid *cpuid,
			   struct vcpu **ret_cpu, struct error *err);
	void (*vcpu_destroy)(struct vcpu *cpu);

	/*
	 * Runs the vCPU on the calling thread, HLT included (it sleeps
	 * inside), until there is something for the machine.
	 */
	enum run_result (*run)(struct vcpu *cpu);

	/* Any thread; never lost, even if it lands just before run(). */
	void (*kick)(struct vcpu *cpu);

	/*
	 * Only between two run()s.  The engine first completes guest I/O in
	 * flight (KVM: one KVM_RUN with immediate_exit), so the state is
	 * always at an instruction boundary.
	 */
	int (*get_state)(struct vcpu *cpu, struct x86_state *ret_state);
	int (*set_state)(struct vcpu *cpu, const struct x86_state *state);

	/* Any thread: an NMI to this vCPU. */
	void (*nmi)(struct vcpu *cpu);

	/* Any thread: an SMI to this vCPU.  NULL: the engine has no system
	 * management mode. */
	void (*smi)(struct vcpu *cpu);
	bool (*in_smm)(struct vcpu *cpu); /* on its own thread */

	/* Is address bit 20 let through?  On a vCPU's thread; true after a
	 * reset.  NULL: always. */
	void (*a20)(struct vm *vm, bool on);

	/* Stopping and resuming guest time (kvmclock, TSC) around a pause. */
	void (*pause_clock)(struct vm *vm, bool paused);

	/* While it is stopped: kvmclock's nanoseconds.  Set before the vCPUs'
	 * states. */
	int (*get_clock)(struct vm *vm, uint64_t *ret_ns);
	int (*set_clock)(struct vm *vm, uint64_t ns);

	/* Optional shortcut: complete a doorbell write (any value, 1, 2 or 4
	 * bytes at gpa) without an exit by signalling eventfd. */
	int (*doorbell)(struct vm *vm, uint64_t gpa, int eventfd, bool add);

	/* Optional shortcut: an eventfd that raises an MSI when signalled
	 * (vhost, VFIO).  gsi: a number the caller chose, from 24 up. */
	int (*msi_eventfd)(struct vm *vm, int eventfd, unsigned int gsi,
			   uint64_t addr, uint32_t data, bool add);

	/* CPU time in ns that a vCPU has taken in other processes; NULL: 0.
	 * Any thread. */
	uint64_t (*time_elsewhere)(struct vcpu *cpu);

	/* Counters for the control socket's "stats"; NULL: none. */
	void (*stats)(struct vm *vm,
		      void (*emit)(void *arg, const char *name, uint64_t value),
		      void *arg);
};

extern const struct engine kvm_engine; /* drivers/kvm/engine.c */
extern const struct engine emu_engine; /* drivers/emu/engine.c */

#endif
