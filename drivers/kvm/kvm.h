/*
 * drivers/kvm/kvm.h -- the KVM engine's own structures, shared by its files.
 *
 * References to "API" are to the kernel's Documentation/virt/kvm/api.rst.
 */
#ifndef DRIVERS_KVM_KVM_H
#define DRIVERS_KVM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "vmm/engine.h"
#include "vmm/memmap.h"
#include "vmm/x86.h"

/* The IOAPIC's pins come first in the routing table, then what
 * msi_eventfd() was given. */
enum { KVM_PINS = 24, KVM_ROUTES_MAX = 1024 };

/* Slots of guest memory that are the machine's. */
enum { KVM_SLOTS = MEMMAP_SLOTS };

/* What rings said of a slot that is logged. */
struct kvm_dirty_slot {
	uint64_t pages;
	uint64_t *bits; /* NULL: not logged */
};

struct vm {
	struct machine *machine;
	int kvm_fd; /* the caller's */
	int fd;
	size_t run_size; /* of the mapping of a vCPU's struct kvm_run */
	atomic_bool extint;
	_Atomic(struct vcpu *) bsp;

	struct vcpu *vcpus; /* all, changed before they run */
	pthread_mutex_t lock; /* routing and clock */
	struct kvm_irq_routing *routing;
	bool clock_stopped;
	struct kvm_clock_data clock;
	/* Fixed once the VM exists. */
	struct kvm_msr_list *msr_list;
	/* slots.c: vCPUs are stopped, or the slot is new to them. */
	unsigned int n_runs, max_slots;
	struct kvm_run_slot *runs;
	unsigned int ring_entries; /* of each vCPU's dirty ring; 0: none */

	pthread_mutex_t dirty_lock; /* what follows, and the rings */
	struct vcpu *rings;	    /* vCPUs that have one */
	struct kvm_dirty_slot dirty[KVM_SLOTS];
};

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	bool hyperv, synic; /* by its CPUID: hyperv.c */
	atomic_bool kicked; /* run() is to return RUN_KICKED */
	atomic_bool nmi;    /* inject one before entering again */
	atomic_int tid;	    /* thread inside run(), 0: none */
	struct vcpu *next;
	bool tsc_stopped; /* its TSC stands at this */
	uint64_t tsc;
	struct kvm_dirty_gfn *ring;
	uint32_t ring_at;
	struct vcpu *next_ring;
};

/* clock.c */
void kvm_pause_clock(struct vm *vm, bool paused);
int kvm_get_clock(struct vm *vm, uint64_t *ret_ns);
int kvm_set_clock(struct vm *vm, uint64_t ns);
/* What the TSC shows while it stands still; and what it is to show. */
uint64_t kvm_clock_tsc(const struct vcpu *cpu, uint64_t otherwise);
void kvm_clock_set_tsc(struct vcpu *cpu, uint64_t tsc);

/* route.c */
int kvm_routing_init(struct vm *vm);
int kvm_ioapic_route(struct vm *vm, unsigned int pin, uint64_t addr,
		     uint32_t data, bool level, bool masked);
int kvm_msi_eventfd(struct vm *vm, int eventfd, unsigned int gsi,
		    uint64_t addr, uint32_t data, bool add);

/* slots.c: guest memory. */
int kvm_set_ram(struct vm *vm, const struct ram_slot *slot);
/* The kernel's log; adds nothing where there is no memory. */
int kvm_read_log(struct vm *vm, const struct ram_slot *slot,
		 uint64_t *ret_bitmap);
/* The machine's slot and page for a page of one of KVM's. */
bool kvm_find_page(const struct vm *vm, unsigned int id, uint64_t page,
		   unsigned int *ret_slot, uint64_t *ret_page);

/* cpuid.c */
int kvm_cpuid(int kvm_fd, struct x86_cpuid *ret_cpuid);
int kvm_set_cpuid(struct vcpu *cpu, const struct x86_cpuid *cpuid);

/* dirty.c; ring: how many entries, 0 for the log */
int kvm_dirty_init(struct vm *vm, unsigned int ring, struct error *err);
void kvm_dirty_finish(struct vm *vm);
void kvm_dirty_slot(struct vm *vm, const struct ram_slot *slot);
int kvm_dirty_pages(struct vm *vm, const struct ram_slot *slot,
		    uint64_t *ret_bitmap);
int kvm_ring_map(struct vcpu *cpu);
void kvm_ring_unmap(struct vcpu *cpu);
int kvm_ring_full(struct vm *vm);

/* hyperv.c */
unsigned int kvm_hyperv(struct vm *vm);
int kvm_hyperv_enable(struct vcpu *cpu, const struct x86_cpuid *cpuid);
uint32_t kvm_hyperv_msr(const struct vcpu *cpu, unsigned int i); /* 0: end */
void kvm_exit_hyperv(struct kvm_run *run);

/* state.c */
int kvm_msr_list_read(struct vm *vm);
int kvm_get_state(struct vcpu *cpu, struct x86_state *ret_state);
int kvm_set_state(struct vcpu *cpu, const struct x86_state *state);

/*
 * probe.c: whether this KVM runs ordinary guests (long mode, SSE, at a speed
 * near the host's).  0: yes.  -ENODEV: why holds a sentence with the remedy.
 */
int kvm_probe(int kvm_fd, char *why, size_t len);

#endif
