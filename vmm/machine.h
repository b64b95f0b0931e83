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
#include "vmm/spec.h"

struct acpi_pm;
struct bus;
struct cpuhp;
struct display;

/* Those who look while the password changes. */
enum vnc_viewers { VIEWERS_KEEP, VIEWERS_FAIL, VIEWERS_DISCONNECT };
struct drive;
struct input;
struct ram;
struct loop;
struct acpi_pm;
struct ich9_pm;
struct ioapic;
struct memhp;
struct pci_bus;
struct state_set;
struct state_type;
struct vmm_spec;
struct error;

/* Physical address map of both machines. */
#define MMIO32_BASE 0xc0000000ull /* PCI window below 4 GiB */
#define MMIO32_END 0xe0000000ull
#define Q35_LOW_MAX 0xb0000000ull /* where SeaBIOS puts q35's ECAM */
#define ECAM_BASE 0xe0000000ull /* 256 buses of 1 MiB */
#define ECAM_SIZE 0x10000000ull
#define IOAPIC_BASE 0xfec00000ull
#define LAPIC_BASE 0xfee00000ull

/* Interrupt lines (GSIs = IOAPIC pins; below 16 also the 8259 pair). */
#define GSI_PIT	 0
#define GSI_COM2 3
#define GSI_COM1 4
#define GSI_RTC	 8
#define GSI_GED	 9 /* ACPI generic event device */
#define GSI_SCI	 9 /* ... or ACPI's own interrupt, on q35 */
#define GSI_PIRQ 16 /* PCI's wires: eight pins */
#define IOAPIC_PINS 24

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
	struct display *display; /* the picture: vmm/display.h */
	struct input *input; /* keys and pointer: vmm/input.h */
	struct ich9_pm *pm; /* q35 */
	struct acpi_pm *acpi_pm; /* microvm */
	struct cpuhp *cpuhp; /* NULL: all vCPUs are there */
	struct vfio *vfio; /* the host's devices; NULL: none yet */
	struct memhp *memhp; /* NULL: no memory may come */
	bool q35;	      /* the large machine; else the small one */
	uint64_t mmio32_base; /* BARs below 4 GiB may begin here */
	uint64_t mmio64_base; /* PCI window above RAM */
	uint64_t mmio64_size; /* both multiples of 1 GiB */
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

/*
 * Devices register here; the machine calls back in the order of adding
 * (destroy: in reverse).  All of it happens on the main thread; ops that a
 * device does not have are NULL.
 */
typedef void machine_stat_fn(void *arg, const char *group, const char *id,
			     const char *name, uint64_t value);

struct drive;
typedef void machine_drive_fn(void *arg, struct drive *d);

struct machine_dev_ops {
	const char *name;
	void (*reset)(void *dev);		/* vCPUs are stopped */
	/* Back from suspend to RAM, instead of a reset: of what had power all
	 * the while, or keeps something else than a reset leaves. */
	void (*wake)(void *dev);
	void (*pause)(void *dev, bool paused);	/* quiesce own threads */
	void (*destroy)(void *dev);		/* vCPUs are gone */
	/* Control socket: group is "disks", "nics", "ports" or "balloon" (no
	 * id). */
	void (*stats)(void *dev, machine_stat_fn *emit, void *arg);
	/* -ENOENT: not mine, ask the next device. */
	int (*set_link)(void *dev, const char *id, bool up);
	/* Another medium for CD-ROM drive id: fd, taken over on success, or
	 * none (-1).  -EBUSY: the guest has locked it. */
	int (*insert)(void *dev, const char *id, const char *format, int fd,
		      bool force, struct error *err);
	/* Calls fn for each drive that is there. */
	void (*drives)(void *dev, machine_drive_fn *fn, void *arg);
	/* Disks, USB devices and console ports that come to and go from a
	 * controller that stays; one is a description of that device alone.
	 * -ENOENT: not this one's. */
	int (*plug)(void *dev, const struct vmm_spec *one, struct error *err);
	int (*unplug)(void *dev, const char *id);
	/* How much of a memory device the guest shall use; -ENOENT: not this
	 * one's.  may_unplug: 0, also of what is not its own. */
	int (*set_memory)(void *dev, const char *id, uint64_t bytes,
			  struct error *err);
	int (*may_unplug)(void *dev, const char *id, struct error *err);
	/* A client's end of a socket for this port, taken over on success;
	 * -EBUSY: it has one, which force sends away. */
	int (*connect)(void *dev, const char *id, int fd, bool force);
	int (*set_balloon)(void *dev, uint64_t bytes);
	int (*get_balloon)(void *dev, uint64_t *ret_bytes);
	int (*set_balloon_period)(void *dev, unsigned int seconds);
	/* index: which VNC server.  A client's socket is taken over. */
	int (*vnc_client)(void *dev, unsigned int index, int fd,
			  bool trusted);
	/* -EBUSY: somebody looks, who would have to go. */
	int (*vnc_password)(void *dev, unsigned int index,
			    const char *password, int64_t valid_to,
			    enum vnc_viewers viewers);
	/* The answer to machine_tell_vsock(); fd is taken over. */
	int (*vsock_connected)(void *dev, uint32_t port, int fd);
	/* What is saved (vmm/state.h): by one list of fields, or in parts; or
	 * nothing, rightly.  A machine with a device that says none of the
	 * three cannot be saved. */
	const struct state_type *state;
	void (*states)(void *dev, struct state_set *set);
	bool stateless;
};
void machine_add_device(struct machine *m, const struct machine_dev_ops *ops,
			void *dev);
/* One that goes before the machine does; nothing if it was not added. */
void machine_remove_device(struct machine *m, void *dev);

/* Whether there is a PS/2 port: tables for the guest must say so. */
bool machine_has_i8042(const struct machine *m);

/* vmm/devices.c: what the spec asks for; called by machine_create(). */
int machine_add_devices(struct machine *m, struct error *err);

/* Loads the kernel into RAM and sets the vCPUs to its entry.  After the
 * sandbox was entered: the image is not trusted. */
int machine_load(struct machine *m, struct error *err);

/* The guest as the spec wants it: from a saved machine, or loaded anew.  Once,
 * after the sandbox was entered. */
int machine_prepare(struct machine *m, struct error *err);

/* Starts (or resumes) and pauses all vCPUs; pause returns when all stopped. */
int machine_run(struct machine *m);
void machine_pause(struct machine *m);
bool machine_paused(const struct machine *m);

/*
 * vmm/machine_state.c: all state but RAM, of a machine that is paused; and
 * back into one just built, which is paused then.  After a failure the
 * machine is of no use.
 */
struct buf;
int machine_check_state(struct machine *m, struct error *err);
int machine_get_state(struct machine *m, struct buf *ret_state,
		      struct error *err);
int machine_set_state(struct machine *m, const void *state, size_t len,
		      struct error *err);
/* The vCPUs' alone; *ret_n of them, which the caller frees. */
struct x86_state;
int machine_get_cpus(struct machine *m, struct x86_state **ret_cpus,
		     unsigned int *ret_n, struct error *err);

/*
 * vmm/machine_dirty.c: which pages were written, for migration.  log: main
 * thread.  take: any thread, adds to a bitmap of the block's pages (with a
 * word to spare) what was written since it was last asked.
 */
int machine_log_dirty(struct machine *m, bool on);
/* Any thread: takes this share of their time from the vCPUs; 0: none. */
void machine_throttle(struct machine *m, unsigned int percent);
int machine_take_dirty(struct machine *m, unsigned int block,
		       uint64_t *bitmap);

/* Any thread, devices included: take effect on the main loop. */
void machine_request_reset(struct machine *m);
void machine_request_stop(struct machine *m, enum machine_stop why,
			  const char *detail);
/* reboot: when the guest then switches off, it is started anew. */
void machine_power_button(struct machine *m, bool reboot);

/*
 * vmm/machine_sleep.c: suspend to RAM.  The vCPUs stop, and whatever wakes the
 * guest starts them as a reset does, with memory as it was.  Any thread; waking
 * one that does not sleep does nothing.
 */
void machine_request_sleep(struct machine *m);
void machine_request_wake(struct machine *m);
bool machine_asleep(const struct machine *m);
/* While devices are told: a reset it is, but from sleep. */
bool machine_waking(const struct machine *m);

enum machine_memory { MEMORY_GONE, MEMORY_KEPT, MEMORY_IN_USE };

/* Who hears what happens to the guest; called on the main thread. */
struct vnc_event;
struct machine_listener {
	void (*reset)(void *arg);
	void (*stopped)(void *arg, enum machine_stop why, const char *detail,
			bool preserved);
	void (*shutdown)(void *arg);
	void (*asleep)(void *arg, bool asleep); /* suspended to RAM, or not */
	void (*balloon)(void *arg, uint64_t actual);
	void (*panicked)(void *arg);
	/* Just before the machine acts; pausing it is the listener's. */
	void (*watchdog)(void *arg, enum spec_watchdog action);
	/* A CD-ROM drive's tray was moved, by guest or host. */
	void (*tray)(void *arg, const char *id, bool open);
	/* What was below the port with PCI bus 'bus' is gone, or stays as the
	 * guest will not let it go. */
	void (*unplugged)(void *arg, unsigned int bus, bool gone);
	/* A memory device is gone, or stays as the guest will not let it go,
	 * or so many bytes of it are in use. */
	void (*memory)(void *arg, const char *id, enum machine_memory what,
		       uint64_t bytes);
	/* The guest opened or closed a port of its virtio console. */
	void (*port)(void *arg, const char *id, bool open);
	void (*vnc)(void *arg, const struct vnc_event *event);
	/* The guest connects to a port of the host's: to be answered with
	 * machine_vsock_connected().  NULL: all are refused. */
	void (*vsock)(void *arg, uint32_t port);
	void (*vcpus)(void *arg, unsigned int n); /* so many are there now */
	void (*rtc)(void *arg, int64_t offset); /* set: seconds ahead of UTC */
};
void machine_listen(struct machine *m, const struct machine_listener *l,
		    void *arg);
const char *machine_stop_name(enum machine_stop why);

/* Any thread: tell the listener, on the main loop. */
void machine_tell_balloon(struct machine *m, uint64_t actual);
void machine_tell_panicked(struct machine *m);
void machine_tell_vnc(struct machine *m, const struct vnc_event *event);
void machine_tell_unplugged(struct machine *m, unsigned int bus, bool gone);
void machine_tell_memory(struct machine *m, const char *id,
			 enum machine_memory what, uint64_t bytes);
void machine_tell_shutdown(struct machine *m); /* acts on the button */

/* Any thread; at most as often as there may be connections. */
void machine_tell_vsock(struct machine *m, uint32_t port);

/* Any thread. */
void machine_tell_tray(struct machine *m, const char *id, bool open);
void machine_tell_port(struct machine *m, const char *id, bool open);

/* Main loop: the watchdog expired; what follows is the spec's. */
void machine_watchdog(struct machine *m);

/* The test device: stops with STOP_QUIT; the value decides the exit status. */
void machine_debug_exit(struct machine *m, uint32_t value);
int machine_debug_status(const struct machine *m); /* -1: not written */

/* How many vCPUs are possible, how many there are; main thread: how many
 * there shall be.  The guest is told or asked, and what came of it is told. */
unsigned int machine_max_vcpus(const struct machine *m);
unsigned int machine_vcpus(const struct machine *m);
bool machine_vcpu_there(const struct machine *m, unsigned int n);
int machine_set_vcpus(struct machine *m, unsigned int n, struct error *err);
/* Any thread. */
void machine_tell_vcpus(struct machine *m);
void machine_tell_rtc(struct machine *m, int64_t offset);

/* The initial APIC ID of vCPU n. */
unsigned int machine_apic_id(const struct machine *m, unsigned int n);

void machine_nmi(struct machine *m);
/* On a vCPU's thread: an SMI to that vCPU. */
void machine_smi(struct machine *m);
void machine_smi_all(struct machine *m); /* any thread */
/* On a vCPU's thread: is that vCPU in system management mode? */
bool machine_in_smm(struct machine *m);
void machine_stats(struct machine *m, machine_stat_fn *emit, void *arg);
int machine_set_link(struct machine *m, const char *id, bool up);
int machine_insert(struct machine *m, const char *id, const char *format,
		   int fd, bool force, struct error *err);
/* vmm/machine_disks.c */
int machine_resize_disk(struct machine *m, const char *id, uint64_t size,
			struct error *err);
/* The disks of a description that are there get the limits it has for them. */
int machine_limit_disks(struct machine *m, const struct vmm_spec *spec,
			struct error *err);
/* NULL, and err says so: there is none of that id. */
struct drive;
struct drive *machine_drive(struct machine *m, const char *id,
			    struct error *err);
/* Of a machine that is paused: images have all that the guest wrote. */
int machine_settle_disks(struct machine *m, struct error *err);
/* Images that another process wrote until now are this one's. */
/* The machine at rest: each of these disks, by its id, gets the images that
 * are there; all of them or none. */
int machine_switch_disks(struct machine *m, const struct vmm_spec *spec,
			 struct error *err);
int machine_activate_disks(struct machine *m, struct error *err);
/* To and from a controller that stays; -ENOENT: there is none for it. */
int machine_plug(struct machine *m, const struct vmm_spec *one,
		 struct error *err);
int machine_unplug(struct machine *m, const char *id);
int machine_set_memory(struct machine *m, const char *id, uint64_t bytes,
		       struct error *err);
int machine_may_unplug(struct machine *m, const char *id, struct error *err);
int machine_connect(struct machine *m, const char *id, int fd, bool force);
int machine_set_balloon_period(struct machine *m, unsigned int seconds);
int machine_set_balloon(struct machine *m, uint64_t bytes);
/* -ENOENT: there is no such server.  trusted: without a password; that is
 * valid up to valid_to. */
int machine_vnc_client(struct machine *m, unsigned int index, int fd,
		       bool trusted);
int machine_vnc_password(struct machine *m, unsigned int index,
			 const char *password, int64_t valid_to,
			 enum vnc_viewers viewers);
/* Main thread; fd < 0: there is nobody.  It is taken over. */
int machine_vsock_connected(struct machine *m, uint32_t port, int fd);
uint64_t machine_balloon(struct machine *m);
/* CPU time of vCPU n's thread; of the first run: CLOCK_MONOTONIC, or 0. */
uint64_t machine_vcpu_ns(struct machine *m, unsigned int n);
/* What of that all vCPUs have in processes of their own. */
uint64_t machine_ns_elsewhere(struct machine *m);
uint64_t machine_first_run(const struct machine *m);

/*
 * In a handler, on a vCPU's thread: fn runs on the main thread with all vCPUs
 * stopped, and before this vCPU's next instruction.
 */
typedef void machine_fn(void *arg);
void machine_remap(struct machine *m, machine_fn *fn, void *arg);

/* Who hears of the power button; any thread presses it. */
void machine_set_power_button(struct machine *m, machine_fn *fn, void *arg);

/* Devices raise interrupts with these only. */
void machine_irq(struct machine *m, unsigned int gsi, bool level);
/* A line that goes to the 8259 pair alone (ICH9's routed PIRQs). */
void machine_pic_irq(struct machine *m, unsigned int irq, bool level);
int machine_msi(struct machine *m, uint64_t addr, uint32_t data);

/*
 * What engines ask of the machine's interrupt controllers, on a vCPU's
 * thread: the vector of the PIC's interrupt, acknowledged (-1: none after
 * all), and that the guest ended a level-triggered interrupt.
 */
int machine_pic_ack(struct machine *m);
void machine_eoi(struct machine *m, uint8_t vector);

/*
 * Who wants to know that some level-triggered interrupt was ended, at either
 * controller; fn runs on the vCPU's thread.  For devices that must look
 * whether they still interrupt.
 */
void machine_on_eoi(struct machine *m, machine_fn *fn, void *arg);
void machine_pic_eoi(struct machine *m); /* the PIC says so */

#endif
