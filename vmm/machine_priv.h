/*
 * vmm/machine_priv.h -- what vmm/machine*.c keep to themselves.
 */
#ifndef VMM_MACHINE_PRIV_H
#define VMM_MACHINE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/cpuid.h"
#include "vmm/machine.h"
#include "vmm/memmap.h"
#include "vmm/vnc/vnc.h"

struct pic;
struct x86_msr;

struct machine_vcpu {
	struct machine *m;
	struct vcpu *cpu;
	unsigned int index;
	bool started;
	pthread_t thread;
};

struct machine_device {
	const struct machine_dev_ops *ops;
	void *dev;
};

/* What must happen with all vCPUs stopped: machine_remap(). */
enum { MACHINE_REMAPS = 16 };
struct machine_remap {
	machine_fn *fn;
	void *arg;
};

struct bootorder;
struct throttles;

struct machine_priv {
	/* Set while building. */
	struct cpu_topology topology;
	unsigned int n_vcpus;
	struct machine_vcpu *vcpu;
	struct bootorder *bootorder; /* vmm/boot/bootorder.h */
	struct throttles *throttles; /* vmm/throttle.h */
	machine_fn *power_button;
	void *power_arg;
	_Atomic(machine_fn *) eoi; /* machine_on_eoi() */
	void *eoi_arg;
	struct pic *pic;
	unsigned int n_msrs;
	struct x86_msr *msrs; /* at power-on */
	struct memmap memmap; /* later the main thread, vCPUs stopped */

	/* The main thread only. */
	unsigned int n_devices;
	struct machine_device *device;
	const struct machine_listener *listener;
	void *listener_arg;
	bool loaded;
	bool quiet;    /* devices and clock are paused */
	bool want_run; /* running, as seen from outside */
	bool gone;     /* stopped for good */
	bool reboot;   /* the next power-off is a reset */
	bool waking;   /* devices are told so just now */

	atomic_bool asleep; /* the main thread writes */

	_Atomic uint64_t balloon;
	_Atomic int64_t rtc_offset;
	_Atomic int debug_status;
	_Atomic unsigned int throttle; /* percent */
	struct loop_timer *throttle_timer;

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t go;	/* run or exit was set */
	pthread_cond_t stopped; /* running went down */
	unsigned int n_vnc_events;
	struct vnc_event vnc_events[16]; /* more are lost */
	bool run, exit;
	unsigned int running;
	uint64_t first_run;
	enum machine_stop wish_stop;
	bool wish_reset, wish_sleep;
	unsigned int n_remaps;
	struct machine_remap remap[MACHINE_REMAPS];
	char *detail;
};

void machine_act(void *machine);
/* Locked: all vCPUs leave engine->run() soon and stay out. */
void machine_halt_locked(struct machine *m);
/* Main thread, vCPUs stopped. */
void machine_fall_asleep(struct machine *m);
void machine_note_awake(struct machine *m); /* a reset follows */
void machine_gone(struct machine *m, enum machine_stop why,
		  const char *detail, bool preserved);
/* The boot processor enters what is in memory, the others wait for INIT. */
int machine_load_woken(struct machine *m, struct error *err);
/* vCPUs are stopped: this one waits for INIT; parked: and nothing reaches it. */
void machine_park_vcpu(struct machine *m, unsigned int n, bool parked);
/* Main thread: no vCPU runs when it returns; and on they go. */
void machine_halt(struct machine *m);
void machine_go(struct machine *m);
/* The same, and whether they ran: then they are to go on afterwards.  What
 * must be done without them may so be a part of what stopped them already. */
bool machine_stop_vcpus(struct machine *m);
/* A vCPU's thread; its argument is a struct machine_vcpu. */
void *machine_vcpu_main(void *arg);
void machine_throttle_tick(void *machine);
/* The limits that the disks of the specification start with. */
int machine_limit_first(struct machine *m, struct error *err);
/* Pauses and resumes devices and the guest's clock. */
void machine_quiet(struct machine *m, bool quiet);

#endif
