/*
 * vmm/spec.h -- what a VMM is told to build: the machine, and which of the
 * descriptors that came along is which.
 *
 * The daemon's drivers fill a struct vmm_spec and send it as JSON with
 * descriptors as ancillary data; vireo-vmm reads it back.  An int named fd is
 * an index into those descriptors in JSON and a descriptor in the struct; -1:
 * none.  Strings may be NULL where said.  The reader checks every field and
 * refuses what it does not know.
 */
#ifndef VMM_SPEC_H
#define VMM_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/format/throttle.h"

struct error;
struct json_object;

/* What to do when the guest switches off, reboots or crashes. */
enum spec_action {
	SPEC_DESTROY,
	SPEC_RESTART,
	SPEC_PRESERVE, /* keep the stopped machine for inspection */
};

enum spec_disk_cache { CACHE_WRITEBACK, CACHE_NONE, CACHE_WRITETHROUGH,
		       CACHE_DIRECTSYNC, CACHE_UNSAFE };

enum spec_disk_bus { SPEC_VIRTIO, SPEC_SATA, SPEC_SCSI, SPEC_NVME, SPEC_USB };
enum spec_disk_kind { SPEC_DISK, SPEC_CDROM, SPEC_LUN };
enum spec_detect_zeroes { DETECT_OFF, DETECT_ON, DETECT_UNMAP };

/* A function's address on PCI.  bus: 0, or the index of a spec_port. */
struct spec_place {
	unsigned int bus, slot, function; /* all 0: the next free on bus 0 */
};

/* A bridge: a PCI Express root port, or one to conventional PCI. */
enum spec_port_kind { PORT_ROOT, PORT_TO_PCI };

struct spec_port {
	char *id; /* "pci.1" */
	enum spec_port_kind kind;
	unsigned int index;  /* of the bus below, from 1 up */
	unsigned int number; /* the port's own, on its link */
	unsigned int chassis; /* which slot that is, for the user */
	bool no_hotplug;
	struct spec_place pci;
};

/* How much a disk may do in a second. */
struct spec_limits {
	struct throttle_limits in;
	char *group; /* those of one name share them; NULL: its own */
};

/* An image that another one shows where it has nothing. */
struct spec_layer {
	char *format;
	int fd;
};

struct spec_disk {
	char *id;	/* the alias: "virtio-disk0" */
	enum spec_disk_bus bus;
	enum spec_disk_kind kind;
	/* Where it is, on all buses but virtio; sata, usb: unit is the port
	 * (usb: 0: the next free). */
	unsigned int controller, target, unit;
	char *format;	/* "raw", "qcow2" */
	int fd; /* -1: a CD-ROM drive without a medium */
	unsigned int n_layers; /* what it is based on, nearest first */
	struct spec_layer *layers;
	bool vhost_user; /* fd is the socket of a program that serves it */
	bool readonly;
	bool shareable; /* other guests may write it, too */
	bool unlocked; /* not in JSON: its guest is elsewhere still */
	bool discard; /* unmap reaches the image */
	char *serial; /* may be NULL */
	char *wwn, *vendor, *product; /* may be NULL */
	enum spec_detect_zeroes detect_zeroes;
	unsigned int queues; /* 0: one per vCPU */
	enum spec_disk_cache cache;
	unsigned int boot_index; /* 0: not bootable */
	unsigned int n_limits; /* 0 or 1 */
	struct spec_limits *limits;
	struct spec_place pci;
};

/* What disks of other buses than virtio are on. */
struct spec_controller {
	char *id; /* the alias: "sata0", "scsi0" */
	enum spec_disk_bus bus;
	unsigned int index;
	unsigned int queues; /* scsi: 0: one per vCPU */
	char *serial; /* nvme; may be NULL */
	struct spec_place pci;
};

enum spec_nic_model { NIC_VIRTIO, NIC_E1000E };

struct spec_fd {
	int fd;
};

struct spec_nic {
	char *id; /* "net0" */
	enum spec_nic_model model;
	int fd;	  /* a tap, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR */
	bool vhost_user; /* fd is the socket of a program that serves it */
	/* virtio: further queues of the tap, and /dev/vhost-net once for each
	 * queue, the first included, or not at all. */
	unsigned int n_more, n_vhosts;
	struct spec_fd *more, *vhosts;
	uint8_t mac[6];
	bool link_down;
	unsigned int mtu; /* 0: default */
	unsigned int boot_index; /* 0: not bootable */
	int rom_fd; /* an option ROM, such as a network boot loader; -1: none */
	struct spec_place pci;
};

/*
 * A PCI function of the host's, by VFIO.  A group's first device brings its
 * descriptor and one of a container; others of that group bring none.
 */
struct spec_hostdev {
	char *id;   /* "hostdev0" */
	char *name; /* where the host has it: "0000:01:00.0" */
	unsigned int group;
	int group_fd, container_fd;
	int rom_fd; /* in its own ROM's place; -1: its own */
	bool no_rom;
	unsigned int boot_index; /* 0: not bootable */
	struct spec_place pci;
};

struct spec_rng {
	char *id; /* "rng0" */
	int fd;	  /* -1: getrandom(2) */
	unsigned int max_bytes; /* in a period; 0: no limit */
	unsigned int period;	/* milliseconds; 0: a second */
	struct spec_place pci;
};

enum spec_chardev {
	CHARDEV_NULL,
	CHARDEV_FD,	/* pty master, file, stdio: read and write fd */
	/* One client a time; fd is a listening Unix socket, or -1: clients come
	 * over the control socket only. */
	CHARDEV_SOCKET,
};

struct spec_char {
	char *id; /* "serial0", "console1", "channel0" */
	enum spec_chardev kind;
	int fd;
	int log_fd;	/* everything the guest sent is appended; -1: no */
	char *port_name; /* virtio-serial port name; NULL: a console port */
	unsigned int index; /* serial: 0 to 3; virtio console: port number */
};

/* A folder of the host's. */
struct spec_fs {
	char *id;  /* "fs0" */
	char *tag; /* what the guest mounts: at most 36 bytes */
	int fd;	   /* a connection to virtiofsd */
	unsigned int queue_size; /* 0: default */
	struct spec_place pci;
};

/* The host's end of guests' AF_VSOCK sockets. */
struct spec_vsock {
	char *id; /* "vsock0" */
	uint64_t cid; /* the guest's address, from 3 up */
	int vhost_fd; /* /dev/vhost-vsock; else: */
	int listen_fd; /* a Unix socket for programs that connect to the guest */
	struct spec_place pci;
};

/* A keyboard, a mouse or a tablet beyond what the chip set brings. */
enum spec_input_kind { INPUT_KIND_KEYBOARD, INPUT_KIND_MOUSE,
		       INPUT_KIND_TABLET };
enum spec_input_bus { INPUT_BUS_PS2, INPUT_BUS_USB, INPUT_BUS_VIRTIO };

struct spec_input {
	char *id; /* "input0" */
	enum spec_input_kind kind;
	enum spec_input_bus bus;
	unsigned int port; /* USB; 0: next free */
	struct spec_place pci;
};

/* The last one is the third with a VGA. */
enum spec_video_kind { VIDEO_VGA, VIDEO_BOCHS, VIDEO_VIRTIO,
		       VIDEO_VIRTIO_VGA };

struct spec_video {
	char *id; /* "video0" */
	enum spec_video_kind kind;
	uint64_t vram;		    /* bytes, a power of two */
	unsigned int width, height; /* what its monitor likes best */
	int rom_fd; /* a VGA BIOS; -1: none */
	struct spec_place pci;
};

/* An xHCI; devices on USB are on it. */
struct spec_usb {
	char *id; /* "usb" */
	struct spec_place pci;
};

/* What becomes of others when a client asks to be alone. */
enum spec_vnc_share { VNC_ALLOW_EXCLUSIVE, VNC_FORCE_SHARED, VNC_IGNORE };

enum spec_vnc_tls { VNC_TLS_NONE, VNC_TLS_ANONYMOUS, VNC_TLS_X509 };

struct spec_vnc_listen {
	int fd; /* a listening socket */
	bool websocket;
};

struct spec_vnc {
	unsigned int n_listens; /* 0: clients are handed in */
	struct spec_vnc_listen *listens;
	enum spec_vnc_tls tls;
	int certificate_fd, key_fd; /* PEM; VNC_TLS_X509 */
	int authority_fd;	    /* who signs viewers'; -1: nobody is asked */
	char *password; /* NULL: none is needed */
	int64_t password_valid_to; /* seconds since 1970; 0: for ever */
	enum spec_vnc_share share;
};

enum spec_watchdog { WATCHDOG_NONE, WATCHDOG_RESET, WATCHDOG_SHUTDOWN,
		     WATCHDOG_POWEROFF, WATCHDOG_PAUSE, WATCHDOG_NMI };

enum spec_tpm { TPM_NONE, TPM_CRB, TPM_TIS };

struct spec_cpu_feature {
	char *name; /* as libvirt's cpu map spells it */
	bool enable;
};

/* What CPUID tells of caches: DEFAULT is the host's. */
enum spec_cpu_cache { SPEC_CPU_DEFAULT, SPEC_CPU_PASSTHROUGH,
		      SPEC_CPU_EMULATE, SPEC_CPU_NO_CACHE };

/* A guest's NUMA node; from the first on they divide its memory. */
enum spec_numa { SPEC_NUMA_NONE, SPEC_NUMA_STRICT, SPEC_NUMA_INTERLEAVE,
		 SPEC_NUMA_PREFERRED };

struct spec_distance {
	unsigned int value; /* 10: itself */
};

struct spec_cell {
	char *cpus; /* "0-3"; NULL: none */
	uint64_t memory; /* bytes, whole MiB */
	enum spec_numa policy; /* NONE: the machine's */
	char *nodes; /* the host's nodes it comes from */
	unsigned int n_distances; /* one for each cell, or none */
	struct spec_distance *distances;
};

/* What Hyper-V offers its guests; bits of vmm_spec.hyperv. */
enum spec_hyperv {
	SPEC_HV_RELAXED,
	SPEC_HV_VAPIC,
	SPEC_HV_SPINLOCKS,
	SPEC_HV_VPINDEX,
	SPEC_HV_RUNTIME,
	SPEC_HV_SYNIC,
	SPEC_HV_STIMER,
	SPEC_HV_STIMER_DIRECT,
	SPEC_HV_RESET,
	SPEC_HV_FREQUENCIES,
	SPEC_HV_REENLIGHTENMENT,
	SPEC_HV_TLBFLUSH,
	SPEC_HV_TLBFLUSH_EXTENDED,
	SPEC_HV_IPI,
	SPEC_HV_EVMCS,
	SPEC_HV_TIME, /* reference counter and TSC page */
	SPEC_HV_AVIC,
	SPEC_HV_XMM_INPUT,
	SPEC_HV_FEATURES,
};
const char *vmm_spec_hyperv_name(enum spec_hyperv feature);

/* A dirty ring's entries: a power of two from the first to the second. */
enum { DIRTY_RING_MIN = 1024, DIRTY_RING_MAX = 65536 };

/* Memory that may come and go: a module, what a guest takes and gives block by
 * block, or a file that a guest has in its memory. */
enum spec_memory_kind { MEMORY_DIMM, MEMORY_VIRTIO, MEMORY_PERSISTENT };
enum { SPEC_MEMORIES_MAX = 32 };

struct spec_memory {
	char *id; /* "dimm0", "virtiomem0" */
	enum spec_memory_kind kind;
	uint64_t base, size; /* guest addresses: vmm_spec_hot_base() */
	unsigned int slot; /* DIMM: of the board */
	unsigned int node;
	uint64_t block, requested; /* virtio: bytes */
	uint64_t page_size; /* of the host's huge pages; 0: the machine's */
	char *nodes;	    /* the host's that it comes from; NULL: any */
	int fd;		    /* a file for it; -1: none */
	struct spec_place pci; /* not of a DIMM */
};

/* A string of an SMBIOS structure's, by the name that <sysinfo> has for it. */
enum spec_smbios_of { SMBIOS_BIOS, SMBIOS_BOARD, SMBIOS_CHASSIS, SMBIOS_OEM };

struct spec_smbios {
	enum spec_smbios_of of;
	unsigned int n; /* which of the boards */
	char *name;	/* not an OEM's */
	char *value;
};

struct vmm_spec {
	char *name;
	uint8_t uuid[16];
	char *engine;  /* "kvm", "emu", "emu:jit", ... */
	int kvm_fd;    /* /dev/kvm, for the kvm engine */
	char *machine; /* "microvm" or "q35" */
	uint64_t memory; /* bytes */
	/* With the devices that may come, in so many slots; 0: none may. */
	uint64_t max_memory;
	unsigned int memory_slots;
	unsigned int vcpus, max_vcpus;
	unsigned int sockets, dies, cores, threads; /* 0: not given */
	unsigned int n_cells;
	struct spec_cell *cells;
	/* Guest memory: in a file (-1: none), which is made as large as it;
	 * pages of that size (0: as the host has it), in memfds
	 * that others map too, never swapped, not merged with equal pages, all
	 * there from the start; where it comes from. */
	int mem_fd;
	uint64_t mem_page_size;
	bool mem_shared, mem_locked, mem_unmerged, mem_allocated;
	enum spec_numa mem_policy;
	char *mem_nodes;
	unsigned int hyperv; /* bits: enum spec_hyperv */
	unsigned int hyperv_retries; /* 0: never */
	char *hyperv_vendor; /* up to 12 letters; NULL: "Microsoft Hv" */
	bool kvm_hidden; /* no word of KVM */
	bool kvm_dedicated; /* a vCPU is told that it has a CPU of its own */
	unsigned int dirty_ring; /* entries of each vCPU's ring; 0: a log */
	char *cpu_model; /* "host", "max", or a model's name */
	unsigned int n_cpu_features;
	struct spec_cpu_feature *cpu_features;
	char *cpu_vendor; /* 12 letters; NULL: the model's or the host's */
	enum spec_cpu_cache cpu_cache;
	unsigned int cpu_phys_bits; /* 0: what the engine has */

	int kernel_fd, initrd_fd;
	char *cmdline; /* may be NULL */
	/* q35: an image for the top of the first 4 GiB, and flash for its
	 * variables below that, which is written to; -1: none. */
	int firmware_fd, nvram_fd;
	/* A saved machine to go on with (vmm/image.h), and where in that file
	 * it begins; -1: the guest is started anew. */
	int restore_fd;
	uint64_t restore_offset;
	bool incoming; /* the guest comes by migration */
	bool postcopy; /* ... and its memory may follow (vmm/missing.h) */
	int userfault_fd; /* /dev/userfaultfd, or -1 */
	bool secure_loader; /* variables are for system management mode only */
	bool boot_strict;   /* only what has a boot index */
	bool boot_menu;
	unsigned int boot_menu_timeout; /* milliseconds; 0: firmware's own */
	int boot_splash_fd;		/* a picture, bitmap or JPEG */
	unsigned int reboot_timeout; /* ms until another try; 0: never */
	/* SMBIOS type 1; each may be NULL. */
	char *smbios_manufacturer, *smbios_product, *smbios_version;
	char *smbios_serial, *smbios_sku, *smbios_family;
	unsigned int n_smbios; /* of structures but the system's */
	struct spec_smbios *smbios;

	enum spec_action on_poweroff, on_reboot, on_crash;
	bool clock_localtime;
	int64_t clock_offset; /* seconds the guest's RTC is ahead of UTC */
	bool rtc_catchup; /* ticks the guest missed come later */
	uint64_t tsc_hz; /* 0: the host's */

	unsigned int n_disks, n_controllers, n_nics, n_serials, n_consoles,
		n_inputs, n_usbs, n_videos, n_vncs, n_debugcons, n_rngs,
		n_vsocks, n_filesystems, n_ports, n_hostdevs,
		n_memories;
	struct spec_port *ports; /* a bridge before what is below it */
	struct spec_disk *disks;
	struct spec_controller *controllers;
	struct spec_nic *nics;
	struct spec_char *serials;  /* 16550s */
	struct spec_char *consoles; /* virtio console ports and channels */
	struct spec_input *inputs;
	struct spec_usb *usbs;
	struct spec_video *videos;
	struct spec_vnc *vncs;
	struct spec_char *debugcons; /* where firmware says what it does */
	struct spec_rng *rngs;
	struct spec_vsock *vsocks;
	struct spec_fs *filesystems;
	struct spec_hostdev *hostdevs;
	struct spec_memory *memories;
	struct spec_place console_pci; /* of the ports' controller */
	unsigned int console_ports; /* at least so many can be there */
	bool balloon;
	struct spec_place balloon_pci;
	uint64_t balloon_target; /* bytes the guest keeps; 0: all */
	bool balloon_deflate; /* a guest short of memory takes it back */
	bool balloon_reporting; /* free pages are given back */
	unsigned int balloon_period; /* seconds between statistics; 0: none */
	bool pvpanic; /* the ISA one */
	bool pvpanic_pci;
	struct spec_place pvpanic_at;
	bool watchdog; /* an i6300esb */
	enum spec_watchdog watchdog_action;
	struct spec_place watchdog_pci;
	bool hpet;
	bool no_s3; /* q35: no suspend to RAM */
	bool has_genid;
	uint8_t genid[16]; /* as its text */
	enum spec_tpm tpm;
	int tpm_control_fd, tpm_data_fd; /* to swtpm */
	bool debug_exit;  /* the exit register at port 0xf4 */
	bool test_device; /* kvm-unit-tests' registers */
	/* Files the emu engine's translator writes to; -1: no. */
	int jit_dump_fd, perf_map_fd;
};

const char *vmm_spec_watchdog_name(enum spec_watchdog action);

/*
 * Where low memory ends if there is that much; and where memory devices may be:
 * a first address and how many bytes, both whole GiB.
 */
uint64_t vmm_spec_low_max(const struct vmm_spec *spec);
uint64_t vmm_spec_hot_base(const struct vmm_spec *spec);
uint64_t vmm_spec_hot_size(const struct vmm_spec *spec);
/* Memory devices begin on whole ones of these at least. */
#define SPEC_MEMORY_ALIGN (128 * MIB)

/* Whether somebody else is to map guest memory. */
bool vmm_spec_shares_memory(const struct vmm_spec *spec);

void vmm_spec_init(struct vmm_spec *spec);   /* every fd -1 */
void vmm_spec_finish(struct vmm_spec *spec); /* closes what it holds */
void vmm_spec_add_rng(struct vmm_spec *spec); /* from getrandom(2) */

/*
 * fds receives the descriptors in index order, at most max, still owned by
 * the spec.  Returns the JSON text (caller frees) or NULL with err.
 */
char *vmm_spec_to_json(const struct vmm_spec *spec, int *fds,
		       unsigned int max, unsigned int *ret_n,
		       struct error *err);

/* The devices in a description that have a name and may come and go. */
struct spec_device {
	const char *id;			/* "" once it was closed */
	const struct spec_place *place; /* NULL: not on PCI itself */
	bool is_port;
};
typedef void vmm_spec_device_fn(void *arg, const struct spec_device *dev);
void vmm_spec_each_device(struct vmm_spec *spec, vmm_spec_device_fn *fn,
			  void *arg);
/* Closes what a device has, and takes its name; a controller's disks too. */
void vmm_spec_close_device(struct vmm_spec *spec, const char *id);

/* Devices alone, to be added to a machine that exists. */
int vmm_spec_devices_from_json(struct json_object *json, int *fds,
			       unsigned int n, struct vmm_spec *ret_spec,
			       struct error *err);

/* The same for devices alone. */
char *vmm_spec_devices_to_json(const struct vmm_spec *spec, int *fds,
			       unsigned int max, unsigned int *ret_n,
			       struct error *err);

/* Takes the descriptors over, also on failure.  ret_spec is initialised. */
int vmm_spec_from_json(struct json_object *json, int *fds, unsigned int n,
		       struct vmm_spec *ret_spec, struct error *err);

#endif
