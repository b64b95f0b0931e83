/*
 * model/domain.h -- a domain as its XML describes it.
 *
 * Strings are NULL when absent.  Sizes are in bytes unless the name says
 * otherwise.  What the model does not interpret is kept and written back:
 * "extra" is the element itself with only the attributes and children that
 * nobody read ("<disk snapshot='no'><iotune>..."), so nothing vanishes.
 */
#ifndef MODEL_DOMAIN_H
#define MODEL_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/tune.h"

struct error;

#define UUID_LEN 16
#define UUID_STR_LEN 37 /* with the NUL */

/* The values in each enum are also XML words; model/names.h converts. */
enum dom_virt { DOM_VIRT_KVM, DOM_VIRT_QEMU, DOM_VIRT_VIREO, DOM_VIRT_TEST };
enum dom_action {
	DOM_ACTION_DESTROY,
	DOM_ACTION_RESTART,
	DOM_ACTION_PRESERVE,
	DOM_ACTION_RENAME_RESTART,
	DOM_ACTION_COREDUMP_DESTROY,
	DOM_ACTION_COREDUMP_RESTART,
};
enum dom_tristate { TRI_ABSENT, TRI_ON, TRI_OFF };
enum dom_cpu_mode {
	CPU_MODE_DEFAULT, /* no <cpu> or no mode */
	CPU_MODE_CUSTOM,
	CPU_MODE_HOST_MODEL,
	CPU_MODE_HOST_PASSTHROUGH,
	CPU_MODE_MAXIMUM,
};
enum dom_cpu_policy {
	CPU_POLICY_REQUIRE,
	CPU_POLICY_FORCE,
	CPU_POLICY_OPTIONAL,
	CPU_POLICY_DISABLE,
	CPU_POLICY_FORBID,
};
enum dom_clock { CLOCK_UTC, CLOCK_LOCALTIME, CLOCK_TIMEZONE, CLOCK_VARIABLE,
		 CLOCK_ABSOLUTE };
enum dom_disk_type { DISK_FILE, DISK_BLOCK, DISK_DIR, DISK_NETWORK,
		     DISK_VOLUME, DISK_NVME, DISK_VHOSTUSER };
enum dom_disk_device { DISK_DEV_DISK, DISK_DEV_CDROM, DISK_DEV_FLOPPY,
		       DISK_DEV_LUN };
enum dom_iface_type {
	IFACE_ETHERNET, IFACE_BRIDGE, IFACE_NETWORK, IFACE_USER, IFACE_DIRECT,
	IFACE_HOSTDEV, IFACE_VHOSTUSER, IFACE_INTERNAL, IFACE_MCAST,
	IFACE_SERVER, IFACE_CLIENT, IFACE_UDP, IFACE_VDPA,
};
enum dom_char_kind { CHAR_SERIAL, CHAR_CONSOLE, CHAR_CHANNEL, CHAR_PARALLEL };
enum dom_char_type { CHR_PTY, CHR_UNIX, CHR_FILE, CHR_NULL, CHR_PIPE, CHR_DEV,
		     CHR_STDIO, CHR_TCP, CHR_UDP, CHR_VC, CHR_SPICEVMC,
		     CHR_SPICEPORT, CHR_NMDM, CHR_QEMU_VDAGENT, CHR_DBUS };
enum dom_hostdev_type { HOSTDEV_USB, HOSTDEV_PCI, HOSTDEV_SCSI,
			HOSTDEV_SCSI_HOST, HOSTDEV_MDEV, HOSTDEV_STORAGE,
			HOSTDEV_MISC, HOSTDEV_NET };
enum dom_rng_backend { RNG_RANDOM, RNG_EGD, RNG_BUILTIN };

enum dom_graphics_type { GRAPHICS_VNC, GRAPHICS_SPICE, GRAPHICS_SDL,
			 GRAPHICS_RDP, GRAPHICS_DESKTOP, GRAPHICS_HEADLESS,
			 GRAPHICS_DBUS };
enum dom_listen_type { LISTEN_NONE, LISTEN_ADDRESS, LISTEN_NETWORK,
		       LISTEN_SOCKET };

/* An <address> element; type NULL: none.  Only the type's fields count. */
struct dom_address {
	char *type; /* "pci", "drive", "virtio-serial", "usb", "isa", ... */
	unsigned int domain, bus, slot, function; /* pci */
	enum dom_tristate multifunction;
	unsigned int controller, target, unit; /* drive (bus above) */
	unsigned int port;		       /* virtio-serial, usb's root's */
	char *usb_port;			       /* "2"; of a hub: "1.2" */
	char *base;			       /* dimm (slot above) */
};

struct dom_info { /* common to all devices */
	char *alias;
	struct dom_address address;
	unsigned int boot_order; /* 0: none */
	char *extra;		 /* what was not interpreted */
};

struct dom_cpu_feature {
	char *name;
	enum dom_cpu_policy policy;
};

struct dom_cpu {
	bool present;
	enum dom_cpu_mode mode;
	char *check, *match, *migratable;
	char *model, *model_fallback, *vendor_id, *vendor;
	char *cache_mode, *cache_level, *phys_mode;
	unsigned int phys_bits; /* 0: not given */
	unsigned int sockets, dies, cores, threads; /* 0: no topology */
	unsigned int n_features;
	struct dom_cpu_feature *features;
	unsigned int n_cells;
	struct dom_cell *cells; /* <numa>; in the order of their ids */
	char *extra;
};

struct dom_os_feature { /* <firmware><feature> */
	char *name;	/* "secure-boot", "enrolled-keys" */
	char *enabled;	/* "yes", "no" */
};

struct dom_os {
	char *type; /* "hvm" */
	char *arch, *machine_name; /* "x86_64", "pc-q35-7.2" */
	const char *machine; /* what that means here: "q35" or "microvm" */
	char *firmware;	      /* "bios", "efi" or NULL */
	char *loader, *loader_readonly, *loader_type, *loader_secure;
	char *loader_stateless;
	char *nvram, *nvram_template;
	char *nvram_type, *nvram_file, *nvram_dev; /* <source>, else nvram */
	char *kernel, *initrd, *cmdline;
	unsigned int n_boot;
	char *boot[4]; /* "hd", "cdrom", "network", "fd" */
	unsigned int n_features;
	struct dom_os_feature *features;
	enum dom_tristate bootmenu;
	char *bootmenu_timeout; /* ms */
	char *reboot_timeout;	/* ms; "-1": never */
	char *smbios;		/* "emulate", "host", "sysinfo" */
	char *extra;
};

struct dom_sysinfo_entry {
	char *name, *value;
};

struct dom_sysinfo {
	char *type; /* "smbios", ... */
	unsigned int n_entries; /* of <system> */
	struct dom_sysinfo_entry *entries;
	unsigned int n_bios, n_chassis, n_oem, n_boards;
	struct dom_sysinfo_entry *bios, *chassis;
	struct dom_sysinfo_entry *oem; /* values alone */
	struct dom_sysinfo_board {
		unsigned int n_entries;
		struct dom_sysinfo_entry *entries;
	} *boards;
	char *extra;
};

struct dom_timer {
	char *name, *tickpolicy;
	enum dom_tristate present;
	char *track;
	char *extra;
};

struct dom_disk {
	struct dom_info info;
	enum dom_disk_type type;
	enum dom_disk_device device;
	char *rawio, *sgio;   /* lun: "yes"; "unfiltered" */
	char *reservations;   /* lun: persistent ones, managed: "yes", "no" */
	char *source; /* path; NULL: no medium */
	char *source_type; /* vhostuser: "unix" */
	/* volume; of a running domain, source is where it lies. */
	char *source_pool, *source_volume;
	bool source_block;
	char *target_dev, *target_bus; /* "vda", "virtio" */
	char *driver_name, *driver_type; /* "vireo"/"qemu", "raw" */
	char *cache, *io, *discard, *detect_zeroes;
	unsigned int queues;
	unsigned int iothread; /* 0: one of its own */
	char *serial, *wwn, *vendor, *product;
	char *tray; /* "open"; NULL: closed */
	bool readonly, shareable, transient;
	struct dom_iotune iotune;
};

/* Kilobytes a second; burst: kilobytes. */
struct net_rate {
	unsigned int average, peak, burst, floor;
	bool present; /* not the first: bind.h takes 0 for no such member */
};
struct net_bandwidth {
	struct net_rate in, out;
};

struct net_tag {
	unsigned int id;
	char *native_mode; /* "tagged", "untagged" */
};
struct net_vlan {
	char *trunk; /* "yes" */
	unsigned int n_tags;
	struct net_tag *tags;
};

struct dom_iface {
	struct dom_info info;
	enum dom_iface_type type;
	uint8_t mac[6];
	bool mac_given;	 /* false: generated when defined */
	char *source;	 /* bridge, network or device name; vhostuser: path */
	char *portgroup, *portid, *net_bridge; /* network; live but the first */
	char *net_dev, *net_mode; /* network, live: what its macvtap is on */
	char *source_type; /* vhostuser: "unix" */
	char *source_mode; /* vhostuser: "client"; direct: "vepa", ... */
	struct dom_address source_pci;	 /* hostdev */
	char *managed;			 /* hostdev: "yes" */
	struct net_vlan vlan;		 /* hostdev: one tag */
	char *isolated; /* <port isolated>: "yes" */
	char *target_dev; /* tap name */
	enum dom_tristate target_managed;
	char *model; /* "virtio", "e1000e" */
	char *link_state; /* "up", "down" */
	unsigned int mtu;
	unsigned int queues; /* pairs; 0: not given */
	char *driver_name; /* "qemu", "vhost"; NULL: whatever there is */
	struct net_bandwidth bandwidth;
};

struct dom_char {
	struct dom_info info;
	enum dom_char_kind kind;
	enum dom_char_type type;
	char *source_path;  /* pty slave (live), socket, file */
	char *tty;	     /* console: the pty slave again (live) */
	char *source_mode;  /* unix: "bind", "connect" */
	char *source_append;
	char *log_file, *log_append;
	char *target_type;  /* "isa-serial", "serial", "virtio" */
	char *target_model; /* <target><model name=> of a serial */
	char *target_name;  /* channel's port name */
	char *target_state; /* channel, live: "connected" */
	int target_port;    /* -1: not given */
};

struct dom_controller {
	struct dom_info info;
	char *type, *model; /* "pci" "pcie-root", "virtio-serial", ... */
	int index;	    /* -1: not given */
	unsigned int queues;
	unsigned int ports, vectors; /* virtio-serial; 0: not given */
	char *serial; /* nvme */
	/* pcie-root-port, and bridges like it. */
	char *model_name, *port, *hotplug; /* "0x10"; "on", "off" */
	unsigned int chassis;
};

struct dom_rng {
	struct dom_info info;
	char *model;
	enum dom_rng_backend backend;
	char *backend_path; /* RNG_RANDOM */
	unsigned int rate_bytes, rate_period;
};

/* A device of the host's.  Of types but PCI the source is in info.extra. */
struct dom_hostdev {
	struct dom_info info;
	char *mode; /* "subsystem" */
	enum dom_hostdev_type type;
	char *managed; /* "yes" */
	char *driver;  /* "vfio" */
	char *rom_bar, *rom_enabled, *rom_file; /* "on"; "yes" */
	struct dom_address source; /* pci */
};

struct dom_listen {
	enum dom_listen_type type;
	char *address, *network, *socket;
	char *extra;
};

struct dom_graphics {
	enum dom_graphics_type type;
	char *port, *autoport; /* port "-1": chosen at the start */
	char *websocket;       /* as port; NULL: none */
	char *listen, *socket; /* the first <listen>'s again */
	char *keymap, *share_policy, *power_control;
	char *passwd, *passwd_valid_to;
	char *connected; /* who look while the password changes */
	unsigned int n_listens;
	struct dom_listen *listens;
	char *extra;
};

struct dom_video {
	struct dom_info info;
	char *model; /* "vga", "bochs", "virtio", "none" */
	char *primary;
	unsigned int vram, vgamem, heads; /* KiB */
	unsigned int width, height;	  /* 0: not given */
};

struct dom_input {
	struct dom_info info;
	char *type, *bus, *model; /* "tablet", "usb" */
};

struct dom_fs {
	struct dom_info info;
	char *type, *accessmode; /* "mount", "passthrough" */
	char *driver;		 /* "virtiofs", "path" */
	unsigned int queue;
	char *binary, *xattr, *cache, *sandbox, *posix_lock, *flock;
	char *source, *socket; /* a folder, or who serves one */
	char *target;	       /* what the guest mounts */
	bool readonly;
};

struct dom_vsock {
	struct dom_info info;
	char *model; /* "virtio" */
	enum dom_tristate cid_auto;
	unsigned int cid; /* 0: not given; live: what it is */
};

struct dom_watchdog {
	struct dom_info info;
	char *model;  /* "i6300esb", "itco" */
	char *action; /* "reset", "pause", ... */
};

struct dom_panic {
	struct dom_info info;
	char *model; /* "isa", "pvpanic"; NULL: isa */
};

struct dom_tpm {
	struct dom_info info;
	char *model;   /* "tpm-crb", "tpm-tis" */
	char *backend; /* "emulator", "passthrough", ... */
	char *version; /* "2.0" */
	char *persistent; /* "yes": its state outlives a transient domain */
};

/* A module, or memory that a guest takes and gives block by block. */
struct dom_memory {
	struct dom_info info;
	char *model; /* "dimm", "virtio-mem", ... */
	char *access, *discard;
	uint64_t page_size; /* bytes; 0: as the domain's */
	char *nodemask, *path;
	int node; /* the guest's; -1: not given */
	uint64_t size;
	uint64_t block, requested, current; /* virtio-mem; current: live */
	char *base; /* virtio's: its guest address, live */
};

struct dom_memballoon {
	struct dom_info info;
	bool present;
	char *model; /* "virtio", "none" */
	char *autodeflate, *freepage_reporting;
	unsigned int stats_period;
};

struct domain_def {
	enum dom_virt virt;
	int id; /* -1: not running; set only in live XML */
	char *name;
	uint8_t uuid[UUID_LEN];
	char *title, *description, *genid;
	char *metadata;	      /* children of <metadata>, as XML text */
	uint64_t max_memory;  /* with all that may come; 0: nothing may */
	unsigned int memory_slots;
	uint64_t memory;      /* maximum, bytes, with memory devices */
	uint64_t cur_memory;  /* balloon target, bytes */
	unsigned int vcpus;   /* current */
	unsigned int max_vcpus;
	char *vcpu_placement, *vcpu_cpuset;
	unsigned int iothreads;
	unsigned int n_iothreadids;
	struct dom_iothread *iothreadids;
	struct dom_cputune cputune;
	struct dom_memtune memtune;
	struct dom_blkiotune blkiotune;
	struct dom_numatune numatune;
	struct dom_backing backing;
	unsigned int n_sysinfos;
	struct dom_sysinfo *sysinfos;
	struct dom_os os;
	bool acpi, apic, pae;
	char *hyperv_mode; /* "custom", "passthrough" */
	enum dom_tristate hyperv[HYPERV_FEATURES];
	unsigned int hyperv_retries; /* spinlocks */
	char *hyperv_vendor;
	enum dom_tristate kvm_hidden, kvm_dedicated, kvm_poll_control,
		kvm_pv_ipi, kvm_dirty_ring;
	unsigned int kvm_dirty_ring_size; /* entries */
	char *features_extra;
	struct dom_cpu cpu;
	enum dom_clock clock;
	char *clock_adjustment, *clock_timezone, *clock_basis, *clock_start;
	unsigned int n_timers;
	struct dom_timer *timers;
	enum dom_action on_poweroff, on_reboot, on_crash;
	enum dom_tristate pm_mem, pm_disk; /* suspend to them */
	char *emulator;
	unsigned int n_disks, n_ifaces, n_chars, n_controllers, n_rngs;
	unsigned int n_inputs, n_graphics, n_videos, n_hostdevs;
	unsigned int n_watchdogs, n_panics, n_vsocks, n_tpms,
		n_filesystems, n_memories;
	struct dom_disk *disks;
	struct dom_iface *ifaces;
	struct dom_char *chars; /* all kinds, in document order */
	struct dom_controller *controllers;
	struct dom_rng *rngs;
	struct dom_input *inputs;
	struct dom_graphics *graphics;
	struct dom_video *videos;
	struct dom_hostdev *hostdevs;
	struct dom_watchdog *watchdogs;
	struct dom_panic *panics;
	struct dom_vsock *vsocks;
	struct dom_tpm *tpms;
	struct dom_fs *filesystems;
	struct dom_memory *memories;
	struct dom_memballoon memballoon;
	char *devices_extra; /* devices not interpreted */
	char *extra;	     /* top-level elements not interpreted */
};

enum domain_parse_flags {
	DOMAIN_PARSE_VALIDATE = 1 << 0, /* against the RELAX NG; else only
					   what the reader itself checks */
	DOMAIN_PARSE_LIVE = 1 << 1,	/* keep id, aliases, pty paths */
	DOMAIN_PARSE_RULES = 1 << 2,	/* refuse what contradicts itself:
					   of what a client sends */
};
enum domain_format_flags {
	DOMAIN_FORMAT_LIVE = 1 << 0, /* id, aliases, live paths */
	DOMAIN_FORMAT_SECURE = 1 << 1,
};

/*
 * Reads, checks and completes (uuid, MACs, defaults, an address and, live,
 * an alias for each device).  Errors carry VIR_ERR_XML_ERROR,
 * VIR_ERR_XML_DETAIL, VIR_ERR_XML_INVALID_SCHEMA or
 * VIR_ERR_CONFIG_UNSUPPORTED, and name the element's path and line.
 */
int domain_def_parse(const char *xml, unsigned int flags,
		     struct domain_def **ret_def, struct error *err);
char *domain_def_format(const struct domain_def *def, unsigned int flags);

/* A <cpu> without a domain: what clients compare and combine. */
int cpu_def_parse(const char *xml, struct dom_cpu *ret_cpu,
		  struct error *err);
char *cpu_def_format(const struct dom_cpu *cpu);
void cpu_def_finish(struct dom_cpu *cpu);

/* A <graphics> without a domain: what a client wants changed. */
int graphics_def_parse(const char *xml, struct dom_graphics **ret_graphics,
		       struct error *err);
void graphics_def_free(struct dom_graphics *graphics);

/* "disk", "graphics": what the document is about; NULL with err. */
char *device_def_kind(const char *xml, struct error *err);

/* A <disk> without a domain: what clients change one to.  Only what is said
 * is there; finish it as well after a failure. */
int disk_def_parse(const char *xml, struct dom_disk *ret_disk,
		   struct error *err);
void disk_def_finish(struct dom_disk *disk);

/*
 * Devices alone (model/device.c), of kinds that may come and go.  A reference
 * is to a definition's array and good until that changes.
 */
enum device_kind { DEVICE_DISK, DEVICE_IFACE, DEVICE_CONTROLLER, DEVICE_INPUT,
		   DEVICE_RNG, DEVICE_HOSTDEV, DEVICE_MEMORY,
		   DEVICE_CHAR };
struct device_ref {
	enum device_kind kind;
	unsigned int index;
};
struct device_def; /* a device's document */
int device_def_parse(const char *xml, struct device_def **ret_dev,
		     struct error *err);
void device_def_free(struct device_def *dev);
/* Fixes what is chosen at random, so that it is the same in two definitions. */
void device_def_choose(struct device_def *dev);
enum device_kind device_def_kind_of(const struct device_def *dev);
const void *device_def_item(const struct device_def *dev);

void *device_at(const struct domain_def *def, struct device_ref ref);
struct dom_info *device_info(const struct domain_def *def,
			     struct device_ref ref);
/* The one that a document means: VIR_ERR_DEVICE_MISSING. */
int domain_find_device(const struct domain_def *def,
		       const struct device_def *dev,
		       struct device_ref *ret_ref, struct error *err);
bool domain_find_alias(const struct domain_def *def, const char *alias,
		       struct device_ref *ret_ref);
/* live: to a running domain's.  After a failure def is of no use. */
int domain_add_device(struct domain_def *def, const struct device_def *dev,
		      bool live, struct device_ref *ret_ref,
		      struct error *err);
void domain_remove_device(struct domain_def *def, struct device_ref ref);

/* A PCI function of the host's, whichever element says so. */
struct dom_host_pci {
	const struct dom_info *info;
	const struct dom_address *source;
	bool managed;
	const struct dom_iface *iface; /* NULL: it is a <hostdev> */
};
/* The i-th; false: there are not so many. */
bool domain_host_pci(const struct domain_def *def, unsigned int i,
		     struct dom_host_pci *ret_pci);
bool address_same_pci(const struct dom_address *a,
		      const struct dom_address *b);

/* What is there without memory devices, and what those are. */
uint64_t domain_initial_memory(const struct domain_def *def);
uint64_t domain_device_memory(const struct domain_def *def);
/* What of virtio-mem devices no guest uses. */
uint64_t domain_unused_memory(const struct domain_def *def);
/* A volume: of a running domain. */
static inline bool disk_is_block(const struct dom_disk *d)
{
	return d->type == DISK_BLOCK ||
	       (d->type == DISK_VOLUME && d->source_block);
}

static inline bool memory_is_virtio_mem(const struct dom_memory *m)
{
	return m->model && !__builtin_strcmp(m->model, "virtio-mem");
}

static inline bool memory_is_dimm(const struct dom_memory *m)
{
	return m->model && m->model[0] == 'd';
}

/* Names each device that has no alias yet, as starting a domain does. */
void domain_def_assign_aliases(struct domain_def *def);
struct domain_def *domain_def_copy(const struct domain_def *def);
void domain_def_free(struct domain_def *def);

/* Elements that were kept without being acted on, one path a line, for the
 * log; NULL if there are none. */
char *domain_def_uninterpreted(const struct domain_def *def);

void uuid_generate_v4(uint8_t uuid[UUID_LEN]);
int uuid_parse(const char *text, uint8_t ret_uuid[UUID_LEN]);
void uuid_format(const uint8_t uuid[UUID_LEN], char ret_text[UUID_STR_LEN]);

#endif
