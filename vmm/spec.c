/*
 * vmm/spec.c -- struct vmm_spec to JSON and back.
 *
 * One table per struct describes its members; the writer and the reader both
 * walk it, so they cannot disagree.  Keys are the members' names.  The writer
 * leaves out absent strings and descriptors; the reader gives absent members
 * their initial value and refuses unknown keys, values out of range,
 * descriptors used twice and descriptors that nothing uses.
 */
#include "vmm/spec.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

enum field_type {
	FIELD_STR,
	FIELD_FD,
	FIELD_BOOL,
	FIELD_UINT,
	FIELD_U64,
	FIELD_I64,
	FIELD_ENUM,
	FIELD_BYTES, /* as hexadecimal digits; max is how many bytes */
	FIELD_ARRAY, /* of structs; max is how many of them */
};

struct shape;

struct field {
	const char *key;
	enum field_type type;
	bool required;
	uint64_t max; /* value, string length or count */
	size_t offset;
	const char *const *words;  /* FIELD_ENUM, NULL-terminated */
	const struct shape *shape; /* FIELD_ARRAY */
	size_t n_offset;	   /* FIELD_ARRAY: where the count is */
};

struct shape {
	size_t size;
	const struct field *fields;
	unsigned int n;
};

/* Limits that no sensible machine meets; they bound what a reader allocates. */
enum { CPUS_LEN = 8191, NAME_LEN = 255, GROUP_LEN = 100, CMDLINE_LEN = 4095, DEVICES = 64, FEATURES = 512,
       VCPUS = 255, NIC_QUEUES = 64, SCSI_LUNS = 16383,
       LAYERS = 199, VRAM_MAX = 256 * 1024 * 1024 };

#define FIELD(s, m, t, req, mx) \
	.key = #m, .type = FIELD_##t, .required = (req), .max = (mx), \
	.offset = offsetof(struct s, m)
#define STR(s, m, req, max) { FIELD(s, m, STR, req, max) }
#define FD(s, m) { FIELD(s, m, FD, false, 0) }
#define BOOL(s, m) { FIELD(s, m, BOOL, false, 0) }
#define UINT(s, m, max) { FIELD(s, m, UINT, false, max) }
#define PLACE_(s, m, p, max) \
	{ FIELD(s, m.p, UINT, false, max) }
#define PLACE(s, m) \
	PLACE_(s, m, bus, 255), PLACE_(s, m, slot, 31), \
	PLACE_(s, m, function, 7)
#define ENUM(s, m, w) { FIELD(s, m, ENUM, false, 0), .words = (w) }
#define BYTES(s, m) { FIELD(s, m, BYTES, true, sizeof(((struct s *)0)->m)) }
#define ARRAY(s, m, sh, max) \
	{ FIELD(s, m, ARRAY, false, max), .shape = &(sh), \
	  .n_offset = offsetof(struct s, n_##m) }
#define SHAPE(s, f) \
	static const struct shape f##_shape = { sizeof(struct s), f, \
						ARRAY_SIZE(f) }

static const char *const action_words[] = { "destroy", "restart", "preserve",
					    NULL };
static const char *const cache_words[] = { "writeback", "none", "writethrough",
					   "directsync", "unsafe", NULL };
static const char *const watchdog_words[] = {
	"none", "reset", "shutdown", "poweroff", "pause", "inject-nmi", NULL
};
static const char *const tpm_words[] = { "none", "crb", "tis", NULL };
static const char *const bus_words[] = { "virtio", "sata", "scsi", "nvme",
					 "usb",	   NULL };
static const char *const kind_words[] = { "disk", "cdrom", "lun", NULL };
static const char *const detect_words[] = { "off", "on", "unmap", NULL };
static const char *const cpu_cache_words[] = { "default", "passthrough",
					       "emulate", "disable", NULL };
static const char *const chardev_words[] = { "null", "fd", "socket", NULL };

static const struct field feature[] = {
	STR(spec_cpu_feature, name, true, NAME_LEN),
	BOOL(spec_cpu_feature, enable),
};
SHAPE(spec_cpu_feature, feature);

static const char *const port_words[] = { "root", "pci", NULL };

static const struct field port[] = {
	STR(spec_port, id, true, NAME_LEN),
	ENUM(spec_port, kind, port_words),
	UINT(spec_port, index, 255),
	UINT(spec_port, number, 255),
	UINT(spec_port, chassis, 255),
	BOOL(spec_port, no_hotplug),
	PLACE(spec_port, pci),
};
SHAPE(spec_port, port);

/* In the order of enum throttle_kind. */
#define LIMIT(k) \
	{ FIELD(spec_limits, in.rate[k], U64, false, THROTTLE_LIMIT_MAX) }, \
	{ FIELD(spec_limits, in.burst[k], U64, false, THROTTLE_LIMIT_MAX) }, \
	{ FIELD(spec_limits, in.seconds[k], U64, false, THROTTLE_LIMIT_MAX) }
static const struct field limits[] = {
	LIMIT(0), LIMIT(1), LIMIT(2), LIMIT(3), LIMIT(4), LIMIT(5),
	{ FIELD(spec_limits, in.op_bytes, U64, false, THROTTLE_LIMIT_MAX) },
	STR(spec_limits, group, false, GROUP_LEN),
};
SHAPE(spec_limits, limits);

static const struct field layer[] = {
	STR(spec_layer, format, true, NAME_LEN),
	FD(spec_layer, fd),
};
SHAPE(spec_layer, layer);

static const struct field disk[] = {
	STR(spec_disk, id, true, NAME_LEN),
	ENUM(spec_disk, bus, bus_words),
	ENUM(spec_disk, kind, kind_words),
	UINT(spec_disk, controller, DEVICES),
	UINT(spec_disk, target, UINT8_MAX),
	UINT(spec_disk, unit, SCSI_LUNS),
	STR(spec_disk, format, true, NAME_LEN),
	FD(spec_disk, fd),
	ARRAY(spec_disk, layers, layer_shape, LAYERS),
	BOOL(spec_disk, vhost_user),
	BOOL(spec_disk, readonly),
	BOOL(spec_disk, shareable),
	BOOL(spec_disk, discard),
	STR(spec_disk, serial, false, NAME_LEN),
	STR(spec_disk, wwn, false, 16),
	STR(spec_disk, vendor, false, 8),
	STR(spec_disk, product, false, 16),
	ENUM(spec_disk, detect_zeroes, detect_words),
	UINT(spec_disk, queues, VCPUS),
	ENUM(spec_disk, cache, cache_words),
	UINT(spec_disk, boot_index, INT32_MAX),
	ARRAY(spec_disk, limits, limits_shape, 1),
	PLACE(spec_disk, pci),
};
SHAPE(spec_disk, disk);

static const struct field controller[] = {
	STR(spec_controller, id, true, NAME_LEN),
	ENUM(spec_controller, bus, bus_words),
	UINT(spec_controller, index, DEVICES),
	UINT(spec_controller, queues, VCPUS),
	STR(spec_controller, serial, false, 20),
	PLACE(spec_controller, pci),
};
SHAPE(spec_controller, controller);

static const struct field fd_alone[] = { FD(spec_fd, fd) };
SHAPE(spec_fd, fd_alone);

static const char *const nic_words[] = { "virtio", "e1000e", NULL };

static const struct field nic[] = {
	STR(spec_nic, id, true, NAME_LEN),
	ENUM(spec_nic, model, nic_words),
	FD(spec_nic, fd),
	BOOL(spec_nic, vhost_user),
	ARRAY(spec_nic, more, fd_alone_shape, NIC_QUEUES - 1),
	ARRAY(spec_nic, vhosts, fd_alone_shape, NIC_QUEUES),
	BYTES(spec_nic, mac),
	BOOL(spec_nic, link_down),
	UINT(spec_nic, mtu, UINT16_MAX),
	UINT(spec_nic, boot_index, INT32_MAX),
	FD(spec_nic, rom_fd),
	PLACE(spec_nic, pci),
};
SHAPE(spec_nic, nic);

static const struct field hostdev[] = {
	STR(spec_hostdev, id, true, NAME_LEN),
	STR(spec_hostdev, name, true, 31),
	UINT(spec_hostdev, group, INT32_MAX),
	FD(spec_hostdev, group_fd),
	FD(spec_hostdev, container_fd),
	FD(spec_hostdev, rom_fd),
	BOOL(spec_hostdev, no_rom),
	UINT(spec_hostdev, boot_index, INT32_MAX),
	PLACE(spec_hostdev, pci),
};
SHAPE(spec_hostdev, hostdev);

static const struct field rng[] = {
	STR(spec_rng, id, true, NAME_LEN),
	FD(spec_rng, fd),
	UINT(spec_rng, max_bytes, UINT32_MAX),
	UINT(spec_rng, period, UINT32_MAX),
	PLACE(spec_rng, pci),
};
SHAPE(spec_rng, rng);

static const struct field chardev[] = {
	STR(spec_char, id, true, NAME_LEN),
	ENUM(spec_char, kind, chardev_words),
	FD(spec_char, fd),
	FD(spec_char, log_fd),
	STR(spec_char, port_name, false, NAME_LEN),
	UINT(spec_char, index, DEVICES),
};
SHAPE(spec_char, chardev);

static const struct field fs[] = {
	STR(spec_fs, id, true, NAME_LEN),
	STR(spec_fs, tag, true, 36),
	FD(spec_fs, fd),
	UINT(spec_fs, queue_size, 1024),
	PLACE(spec_fs, pci),
};
SHAPE(spec_fs, fs);

static const struct field vsock[] = {
	STR(spec_vsock, id, true, NAME_LEN),
	{ FIELD(spec_vsock, cid, U64, true, UINT32_MAX - 1) },
	FD(spec_vsock, vhost_fd),
	FD(spec_vsock, listen_fd),
	PLACE(spec_vsock, pci),
};
SHAPE(spec_vsock, vsock);

static const char *const input_kind_words[] = { "keyboard", "mouse", "tablet",
						NULL };
static const char *const input_bus_words[] = { "ps2", "usb", "virtio", NULL };

static const struct field input[] = {
	STR(spec_input, id, true, NAME_LEN),
	ENUM(spec_input, kind, input_kind_words),
	ENUM(spec_input, bus, input_bus_words),
	UINT(spec_input, port, 255),
	PLACE(spec_input, pci),
};
SHAPE(spec_input, input);

static const struct field usb[] = {
	STR(spec_usb, id, true, NAME_LEN),
	PLACE(spec_usb, pci),
};
SHAPE(spec_usb, usb);

static const char *const video_words[] = { "vga", "bochs", "virtio",
					   "virtio-vga", NULL };

static const struct field video[] = {
	STR(spec_video, id, true, NAME_LEN),
	ENUM(spec_video, kind, video_words),
	{ FIELD(spec_video, vram, U64, true, VRAM_MAX) },
	UINT(spec_video, width, UINT16_MAX),
	UINT(spec_video, height, UINT16_MAX),
	FD(spec_video, rom_fd),
	PLACE(spec_video, pci),
};
SHAPE(spec_video, video);

static const char *const share_words[] = { "allow-exclusive", "force-shared",
					   "ignore", NULL };

static const char *const vnc_tls_words[] = { "none", "anonymous", "x509",
					     NULL };

static const struct field vnc_listen[] = {
	FD(spec_vnc_listen, fd),
	BOOL(spec_vnc_listen, websocket),
};
SHAPE(spec_vnc_listen, vnc_listen);

static const struct field vnc[] = {
	ARRAY(spec_vnc, listens, vnc_listen_shape, 16),
	ENUM(spec_vnc, tls, vnc_tls_words),
	FD(spec_vnc, certificate_fd),
	FD(spec_vnc, key_fd),
	FD(spec_vnc, authority_fd),
	STR(spec_vnc, password, false, NAME_LEN),
	{ FIELD(spec_vnc, password_valid_to, I64, false, 0) },
	ENUM(spec_vnc, share, share_words),
};
SHAPE(spec_vnc, vnc);

static const char *const numa_words[] = { "none", "strict", "interleave",
					  "preferred", NULL };

static const struct field distance[] = {
	UINT(spec_distance, value, 255),
};
SHAPE(spec_distance, distance);

static const struct field cell[] = {
	STR(spec_cell, cpus, false, CPUS_LEN),
	{ FIELD(spec_cell, memory, U64, true, INT64_MAX) },
	ENUM(spec_cell, policy, numa_words),
	STR(spec_cell, nodes, false, CPUS_LEN),
	ARRAY(spec_cell, distances, distance_shape, VCPUS),
};
SHAPE(spec_cell, cell);

static const char *const memory_words[] = { "dimm", "virtio", "persistent",
					   NULL };

static const struct field memory[] = {
	STR(spec_memory, id, true, NAME_LEN),
	ENUM(spec_memory, kind, memory_words),
	{ FIELD(spec_memory, base, U64, true, INT64_MAX) },
	{ FIELD(spec_memory, size, U64, true, INT64_MAX) },
	UINT(spec_memory, slot, 255),
	UINT(spec_memory, node, VCPUS),
	{ FIELD(spec_memory, block, U64, false, INT64_MAX) },
	{ FIELD(spec_memory, requested, U64, false, INT64_MAX) },
	{ FIELD(spec_memory, page_size, U64, false, GIB) },
	STR(spec_memory, nodes, false, CPUS_LEN),
	FD(spec_memory, fd),
	PLACE(spec_memory, pci),
};
SHAPE(spec_memory, memory);

static const char *const smbios_words[] = { "bios", "board", "chassis", "oem",
					    NULL };

static const struct field smbios[] = {
	ENUM(spec_smbios, of, smbios_words),
	UINT(spec_smbios, n, 15),
	STR(spec_smbios, name, false, NAME_LEN),
	STR(spec_smbios, value, true, 2 * NAME_LEN),
};
SHAPE(spec_smbios, smbios);

static const char *const hyperv_words[] = {
	[SPEC_HV_RELAXED] = "relaxed",
	[SPEC_HV_VAPIC] = "vapic",
	[SPEC_HV_SPINLOCKS] = "spinlocks",
	[SPEC_HV_VPINDEX] = "vpindex",
	[SPEC_HV_RUNTIME] = "runtime",
	[SPEC_HV_SYNIC] = "synic",
	[SPEC_HV_STIMER] = "stimer",
	[SPEC_HV_STIMER_DIRECT] = "stimer-direct",
	[SPEC_HV_RESET] = "reset",
	[SPEC_HV_FREQUENCIES] = "frequencies",
	[SPEC_HV_REENLIGHTENMENT] = "reenlightenment",
	[SPEC_HV_TLBFLUSH] = "tlbflush",
	[SPEC_HV_TLBFLUSH_EXTENDED] = "tlbflush-extended",
	[SPEC_HV_IPI] = "ipi",
	[SPEC_HV_EVMCS] = "evmcs",
	[SPEC_HV_TIME] = "time",
	[SPEC_HV_AVIC] = "avic",
	[SPEC_HV_XMM_INPUT] = "xmm-input",
};
static_assert(ARRAY_SIZE(hyperv_words) == SPEC_HV_FEATURES, "names");

const char *vmm_spec_hyperv_name(enum spec_hyperv feature)
{
	return hyperv_words[feature];
}

static const struct field top[] = {
	STR(vmm_spec, name, true, NAME_LEN),
	BYTES(vmm_spec, uuid),
	STR(vmm_spec, engine, true, NAME_LEN),
	FD(vmm_spec, kvm_fd),
	STR(vmm_spec, machine, true, NAME_LEN),
	{ FIELD(vmm_spec, memory, U64, true, INT64_MAX) },
	{ FIELD(vmm_spec, max_memory, U64, false, INT64_MAX / 2) },
	UINT(vmm_spec, memory_slots, 256),
	{ FIELD(vmm_spec, vcpus, UINT, true, VCPUS) },
	UINT(vmm_spec, max_vcpus, VCPUS),
	UINT(vmm_spec, sockets, VCPUS),
	UINT(vmm_spec, dies, VCPUS),
	UINT(vmm_spec, cores, VCPUS),
	UINT(vmm_spec, threads, VCPUS),
	ARRAY(vmm_spec, cells, cell_shape, VCPUS),
	FD(vmm_spec, mem_fd),
	{ FIELD(vmm_spec, mem_page_size, U64, false, GIB) },
	BOOL(vmm_spec, mem_shared),
	BOOL(vmm_spec, mem_locked),
	BOOL(vmm_spec, mem_unmerged),
	BOOL(vmm_spec, mem_allocated),
	ENUM(vmm_spec, mem_policy, numa_words),
	STR(vmm_spec, mem_nodes, false, CPUS_LEN),
	UINT(vmm_spec, hyperv, BIT(SPEC_HV_FEATURES) - 1),
	UINT(vmm_spec, hyperv_retries, UINT32_MAX),
	STR(vmm_spec, hyperv_vendor, false, 12),
	BOOL(vmm_spec, kvm_hidden),
	BOOL(vmm_spec, kvm_dedicated),
	UINT(vmm_spec, dirty_ring, DIRTY_RING_MAX),
	STR(vmm_spec, cpu_model, false, NAME_LEN),
	ARRAY(vmm_spec, cpu_features, feature_shape, FEATURES),
	STR(vmm_spec, cpu_vendor, false, 12),
	ENUM(vmm_spec, cpu_cache, cpu_cache_words),
	UINT(vmm_spec, cpu_phys_bits, 52),
	FD(vmm_spec, kernel_fd),
	FD(vmm_spec, initrd_fd),
	STR(vmm_spec, cmdline, false, CMDLINE_LEN),
	FD(vmm_spec, firmware_fd),
	FD(vmm_spec, nvram_fd),
	FD(vmm_spec, restore_fd),
	{ FIELD(vmm_spec, restore_offset, U64, false, INT64_MAX) },
	BOOL(vmm_spec, secure_loader),
	BOOL(vmm_spec, boot_strict),
	BOOL(vmm_spec, boot_menu),
	UINT(vmm_spec, boot_menu_timeout, UINT16_MAX),
	FD(vmm_spec, boot_splash_fd),
	UINT(vmm_spec, reboot_timeout, INT32_MAX),
	STR(vmm_spec, smbios_manufacturer, false, NAME_LEN),
	STR(vmm_spec, smbios_product, false, NAME_LEN),
	STR(vmm_spec, smbios_version, false, NAME_LEN),
	STR(vmm_spec, smbios_serial, false, NAME_LEN),
	STR(vmm_spec, smbios_sku, false, NAME_LEN),
	STR(vmm_spec, smbios_family, false, NAME_LEN),
	ARRAY(vmm_spec, smbios, smbios_shape, DEVICES),
	BOOL(vmm_spec, incoming),
	BOOL(vmm_spec, postcopy),
	FD(vmm_spec, userfault_fd),
	ENUM(vmm_spec, on_poweroff, action_words),
	ENUM(vmm_spec, on_reboot, action_words),
	ENUM(vmm_spec, on_crash, action_words),
	BOOL(vmm_spec, clock_localtime),
	{ FIELD(vmm_spec, clock_offset, I64, false, 0) },
	ARRAY(vmm_spec, ports, port_shape, 255),
	BOOL(vmm_spec, rtc_catchup),
	{ FIELD(vmm_spec, tsc_hz, U64, false, INT64_MAX) },
	ARRAY(vmm_spec, disks, disk_shape, DEVICES),
	ARRAY(vmm_spec, controllers, controller_shape, DEVICES),
	ARRAY(vmm_spec, nics, nic_shape, DEVICES),
	ARRAY(vmm_spec, serials, chardev_shape, 4),
	ARRAY(vmm_spec, consoles, chardev_shape, DEVICES),
	ARRAY(vmm_spec, inputs, input_shape, DEVICES),
	ARRAY(vmm_spec, usbs, usb_shape, 1),
	ARRAY(vmm_spec, videos, video_shape, DEVICES),
	ARRAY(vmm_spec, vncs, vnc_shape, 4),
	ARRAY(vmm_spec, debugcons, chardev_shape, 1),
	ARRAY(vmm_spec, rngs, rng_shape, DEVICES),
	ARRAY(vmm_spec, hostdevs, hostdev_shape, DEVICES),
	ARRAY(vmm_spec, vsocks, vsock_shape, 1),
	ARRAY(vmm_spec, filesystems, fs_shape, DEVICES),
	ARRAY(vmm_spec, memories, memory_shape, DEVICES),
	PLACE(vmm_spec, console_pci),
	UINT(vmm_spec, console_ports, 64),
	BOOL(vmm_spec, balloon),
	PLACE(vmm_spec, balloon_pci),
	{ FIELD(vmm_spec, balloon_target, U64, false, INT64_MAX) },
	BOOL(vmm_spec, balloon_deflate),
	BOOL(vmm_spec, balloon_reporting),
	UINT(vmm_spec, balloon_period, INT32_MAX),
	BOOL(vmm_spec, pvpanic),
	BOOL(vmm_spec, pvpanic_pci),
	PLACE(vmm_spec, pvpanic_at),
	BOOL(vmm_spec, watchdog),
	ENUM(vmm_spec, watchdog_action, watchdog_words),
	PLACE(vmm_spec, watchdog_pci),
	BOOL(vmm_spec, hpet),
	BOOL(vmm_spec, no_s3),
	BOOL(vmm_spec, has_genid),
	{ FIELD(vmm_spec, genid, BYTES, false, 16) },
	ENUM(vmm_spec, tpm, tpm_words),
	FD(vmm_spec, tpm_control_fd),
	FD(vmm_spec, tpm_data_fd),
	BOOL(vmm_spec, debug_exit),
	BOOL(vmm_spec, test_device),
	FD(vmm_spec, jit_dump_fd),
	FD(vmm_spec, perf_map_fd),
};
SHAPE(vmm_spec, top);

/* What can be added to a machine that exists. */
static const struct field devices[] = {
	ARRAY(vmm_spec, disks, disk_shape, DEVICES),
	ARRAY(vmm_spec, controllers, controller_shape, 1),
	ARRAY(vmm_spec, nics, nic_shape, 1),
	ARRAY(vmm_spec, consoles, chardev_shape, 1),
	ARRAY(vmm_spec, inputs, input_shape, 1),
	ARRAY(vmm_spec, rngs, rng_shape, 1),
	ARRAY(vmm_spec, hostdevs, hostdev_shape, 1),
	ARRAY(vmm_spec, memories, memory_shape, 1),
};
SHAPE(vmm_spec, devices);

static void *member(const void *obj, size_t offset)
{
	return (char *)obj + offset;
}

static void *element(const struct field *f, const void *obj, unsigned int i)
{
	char *array = *(char **)member(obj, f->offset);

	return array + i * f->shape->size;
}

static unsigned int *count(const struct field *f, const void *obj)
{
	return member(obj, f->n_offset);
}

static void object_init(const struct shape *s, void *obj)
{
	memset(obj, 0, s->size);
	for (unsigned int i = 0; i < s->n; i++)
		if (s->fields[i].type == FIELD_FD)
			*(int *)member(obj, s->fields[i].offset) = -1;
}

static void object_finish(const struct shape *s, void *obj);

static void field_finish(const struct field *f, void *obj)
{
	void *p = member(obj, f->offset);

	if (f->type == FIELD_STR) {
		free(*(char **)p);
	} else if (f->type == FIELD_FD) {
		fd_close(*(int *)p);
	} else if (f->type == FIELD_ARRAY) {
		for (unsigned int i = 0; i < *count(f, obj); i++)
			object_finish(f->shape, element(f, obj, i));
		free(*(void **)p);
	}
}

static void object_finish(const struct shape *s, void *obj)
{
	for (unsigned int i = 0; i < s->n; i++)
		field_finish(&s->fields[i], obj);
	object_init(s, obj);
}

const char *vmm_spec_watchdog_name(enum spec_watchdog action)
{
	return watchdog_words[action];
}

/*
 * Q35's low memory leaves room for PCI below 4 GiB where SeaBIOS and OVMF
 * want it: all of it up to 2.75 GiB, else 2 GiB.
 */
uint64_t vmm_spec_low_max(const struct vmm_spec *spec)
{
	if (!str_eq(spec->machine, "q35"))
		return RAM_LOW_MAX;
	return spec->memory < Q35_LOW_MAX ? Q35_LOW_MAX : 2 * GIB;
}

uint64_t vmm_spec_hot_base(const struct vmm_spec *spec)
{
	uint64_t low = vmm_spec_low_max(spec);
	uint64_t high = spec->memory > low ? spec->memory - low : 0;

	return ALIGN_UP(RAM_HIGH_BASE + high, GIB);
}

/* One more than needed, as devices begin where they may. */
uint64_t vmm_spec_hot_size(const struct vmm_spec *spec)
{
	return spec->max_memory > spec->memory ?
		       ALIGN_UP(spec->max_memory - spec->memory, GIB) + GIB :
		       0;
}

bool vmm_spec_shares_memory(const struct vmm_spec *spec)
{
	bool shares = spec->n_filesystems > 0;

	for (unsigned int i = 0; i < spec->n_nics; i++)
		shares |= spec->nics[i].vhost_user;
	for (unsigned int i = 0; i < spec->n_disks; i++)
		shares |= spec->disks[i].vhost_user;
	return shares;
}

void vmm_spec_init(struct vmm_spec *spec)
{
	object_init(&top_shape, spec);
}

void vmm_spec_finish(struct vmm_spec *spec)
{
	object_finish(&top_shape, spec);
}

void vmm_spec_add_rng(struct vmm_spec *spec)
{
	spec->rngs = xrealloc(spec->rngs, spec->n_rngs + 1,
			      sizeof(*spec->rngs));
	spec->rngs[spec->n_rngs] = (struct spec_rng){
		.id = xasprintf("rng%u", spec->n_rngs),
		.fd = -1,
	};
	spec->n_rngs++;
}

/* ---- single devices ---- */

static const struct field *find_key(const struct shape *s, const char *key)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (str_eq(s->fields[i].key, key))
			return &s->fields[i];
	return NULL;
}

/* Elements of arrays that have an "id". */
static bool describe(const struct field *f, void *obj,
		     struct spec_device *ret_dev)
{
	const struct field *id = find_key(f->shape, "id");
	const struct field *place = find_key(f->shape, "pci.bus");

	if (!id)
		return false;
	*ret_dev = (struct spec_device){
		.id = *(char **)member(obj, id->offset),
		.place = place ? member(obj, place->offset) : NULL,
		.is_port = f->shape == &port_shape,
	};
	return true;
}

void vmm_spec_each_device(struct vmm_spec *spec, vmm_spec_device_fn *fn,
			  void *arg)
{
	struct spec_device dev;

	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		const struct field *f = &top[i];

		for (unsigned int j = 0;
		     f->type == FIELD_ARRAY && j < *count(f, spec); j++)
			if (describe(f, element(f, spec, j), &dev))
				fn(arg, &dev);
	}
}

static void close_element(const struct field *f, void *obj)
{
	const struct field *id = find_key(f->shape, "id");

	object_finish(f->shape, obj);
	*(char **)member(obj, id->offset) = xstrdup("");
}

static void close_disks(struct vmm_spec *spec, enum spec_disk_bus bus,
			unsigned int controller)
{
	const struct field *f = find_key(&top_shape, "disks");

	for (unsigned int i = 0; i < spec->n_disks; i++)
		if (spec->disks[i].bus == bus && bus != SPEC_VIRTIO &&
		    spec->disks[i].controller == controller)
			close_element(f, &spec->disks[i]);
}

void vmm_spec_close_device(struct vmm_spec *spec, const char *id)
{
	_cleanup_free_ char *name = xstrdup(id);
	struct spec_device dev;

	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		const struct field *f = &top[i];

		for (unsigned int j = 0;
		     f->type == FIELD_ARRAY && j < *count(f, spec); j++) {
			struct spec_controller *c = element(f, spec, j);

			if (!describe(f, c, &dev) || !str_eq(dev.id, name))
				continue;
			if (f->shape == &controller_shape)
				close_disks(spec, c->bus, c->index);
			close_element(f, c);
		}
	}
}

/* ---- writing ---- */

struct writer {
	int *fds;
	unsigned int n, max;
	bool full; /* more descriptors than fit */
};

static struct json_object *object_to_json(const struct shape *s,
					  const void *obj, struct writer *w);

static struct json_object *bytes_to_json(const uint8_t *bytes, size_t n)
{
	char hex[2 * 16 + 1] = "";

	for (size_t i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	return json_object_new_string(hex);
}

static struct json_object *fd_to_json(int fd, struct writer *w)
{
	if (fd < 0)
		return NULL;
	if (w->n == w->max) {
		w->full = true;
		return NULL;
	}
	w->fds[w->n] = fd;
	return json_object_new_int(w->n++);
}

static struct json_object *array_to_json(const struct field *f,
					 const void *obj, struct writer *w)
{
	struct json_object *array;

	if (!*count(f, obj))
		return NULL;
	array = json_object_new_array();
	for (unsigned int i = 0; i < *count(f, obj); i++)
		json_object_array_add(
			array, object_to_json(f->shape, element(f, obj, i), w));
	return array;
}

/* NULL: the member is absent. */
static struct json_object *field_to_json(const struct field *f,
					 const void *obj, struct writer *w)
{
	const void *p = member(obj, f->offset);

	switch (f->type) {
	case FIELD_STR:
		return *(char *const *)p ?
			       json_object_new_string(*(char *const *)p) :
			       NULL;
	case FIELD_FD:
		return fd_to_json(*(const int *)p, w);
	case FIELD_BOOL:
		return json_object_new_boolean(*(const bool *)p);
	case FIELD_UINT:
		return json_object_new_int64(*(const unsigned int *)p);
	case FIELD_U64:
	case FIELD_I64:
		return json_object_new_int64(*(const int64_t *)p);
	case FIELD_ENUM:
		return json_object_new_string(
			f->words[*(const unsigned int *)p]);
	case FIELD_BYTES:
		return bytes_to_json(p, f->max);
	case FIELD_ARRAY:
		return array_to_json(f, obj, w);
	}
	return NULL;
}

static struct json_object *object_to_json(const struct shape *s,
					  const void *obj, struct writer *w)
{
	struct json_object *json = json_object_new_object();

	for (unsigned int i = 0; i < s->n; i++) {
		struct json_object *v = field_to_json(&s->fields[i], obj, w);

		if (v)
			json_object_object_add(json, s->fields[i].key, v);
	}
	return json;
}

static char *to_json(const struct shape *shape, const struct vmm_spec *spec,
		     int *fds, unsigned int max, unsigned int *ret_n,
		     struct error *err)
{
	struct writer w = { .fds = fds, .max = max };
	struct json_object *json = object_to_json(shape, spec, &w);
	char *text = NULL;

	if (w.full)
		error_set(err, -E2BIG,
			  "machine '%s' needs more than %u descriptors",
			  spec->name, max);
	else
		text = xstrdup(json_object_to_json_string_ext(
			json, JSON_C_TO_STRING_PLAIN));
	json_object_put(json);
	if (text)
		*ret_n = w.n;
	return text;
}

char *vmm_spec_to_json(const struct vmm_spec *spec, int *fds, unsigned int max,
		       unsigned int *ret_n, struct error *err)
{
	return to_json(&top_shape, spec, fds, max, ret_n, err);
}

char *vmm_spec_devices_to_json(const struct vmm_spec *spec, int *fds,
			       unsigned int max, unsigned int *ret_n,
			       struct error *err)
{
	return to_json(&devices_shape, spec, fds, max, ret_n, err);
}

/* ---- reading ---- */

struct reader {
	int *fds; /* -1 once a member owns it */
	unsigned int n;
	const char *key; /* where we are, for errors */
	struct error *err;
};

static int refuse(struct reader *r, const char *what)
{
	return error_set(r->err, -EINVAL, "machine description: '%s' %s",
			 r->key, what);
}

static int read_int(struct reader *r, struct json_object *v, int64_t min,
		    uint64_t max, int64_t *ret)
{
	if (!json_object_is_type(v, json_type_int))
		return refuse(r, "is not a whole number");
	errno = 0;
	*ret = json_object_get_int64(v);
	/* json-c clamps what does not fit; so the ends are not accepted. */
	if (*ret == INT64_MAX || *ret == INT64_MIN || *ret < min ||
	    (*ret > 0 && (uint64_t)*ret > max))
		return refuse(r, "is out of range");
	return 0;
}

static int read_str(struct reader *r, const struct field *f,
		    struct json_object *v, char **ret)
{
	const char *s = json_object_get_string(v);

	if (!json_object_is_type(v, json_type_string))
		return refuse(r, "is not a string");
	if (strlen(s) != (size_t)json_object_get_string_len(v) ||
	    strlen(s) > f->max)
		return refuse(r, "is too long or has a NUL inside");
	*ret = xstrdup(s);
	return 0;
}

static int read_fd(struct reader *r, struct json_object *v, int *ret)
{
	int64_t i = 0;
	int e = read_int(r, v, 0, r->n ? r->n - 1 : 0, &i);

	if (e < 0)
		return e;
	if (!r->n || r->fds[i] < 0)
		return refuse(r, "names a descriptor that did not come along");
	*ret = steal_fd(&r->fds[i]);
	return 0;
}

static int read_enum(struct reader *r, const struct field *f,
		     struct json_object *v, unsigned int *ret)
{
	if (!json_object_is_type(v, json_type_string))
		return refuse(r, "is not a string");
	for (unsigned int i = 0; f->words[i]; i++) {
		if (str_eq(f->words[i], json_object_get_string(v))) {
			*ret = i;
			return 0;
		}
	}
	return refuse(r, "has an unknown value");
}

static int read_bytes(struct reader *r, const struct field *f,
		      struct json_object *v, uint8_t *ret)
{
	const char *s = json_object_get_string(v);
	char digits[3] = "";
	uint64_t byte;

	if (!json_object_is_type(v, json_type_string) ||
	    (size_t)json_object_get_string_len(v) != 2 * f->max)
		return refuse(r, "has the wrong length");
	for (size_t i = 0; i < f->max; i++) {
		memcpy(digits, s + 2 * i, 2);
		if (parse_u64(digits, 16, UINT8_MAX, &byte) < 0)
			return refuse(r, "is not hexadecimal");
		ret[i] = byte;
	}
	return 0;
}

static int read_object(struct reader *r, const struct shape *s,
		       struct json_object *json, void *obj);

static int read_array(struct reader *r, const struct field *f,
		      struct json_object *v, void *obj)
{
	size_t n;

	if (!json_object_is_type(v, json_type_array))
		return refuse(r, "is not an array");
	n = json_object_array_length(v);
	if (n > f->max)
		return refuse(r, "has too many elements");
	*(void **)member(obj, f->offset) = xcalloc(n, f->shape->size);
	/* Each one is valid before it is counted: read_object() saw to it. */
	for (size_t i = 0; i < n; i++) {
		int e;

		object_init(f->shape, element(f, obj, i));
		++*count(f, obj);
		e = read_object(r, f->shape, json_object_array_get_idx(v, i),
				element(f, obj, i));
		if (e < 0)
			return e;
	}
	return 0;
}

static int read_number(struct reader *r, const struct field *f,
		       struct json_object *v, void *p)
{
	int64_t min = f->type == FIELD_I64 ? INT64_MIN : 0;
	uint64_t max = f->type == FIELD_I64 ? INT64_MAX : f->max;
	int64_t n = 0;
	int e = read_int(r, v, min, max, &n);

	if (e < 0)
		return e;
	if (f->type == FIELD_UINT)
		*(unsigned int *)p = n;
	else
		*(int64_t *)p = n;
	return 0;
}

static int read_field(struct reader *r, const struct field *f,
		      struct json_object *v, void *obj)
{
	void *p = member(obj, f->offset);

	r->key = f->key;
	switch (f->type) {
	case FIELD_STR:
		return read_str(r, f, v, p);
	case FIELD_FD:
		return read_fd(r, v, p);
	case FIELD_BOOL:
		if (!json_object_is_type(v, json_type_boolean))
			return refuse(r, "is not true or false");
		*(bool *)p = json_object_get_boolean(v);
		return 0;
	case FIELD_UINT:
	case FIELD_U64:
	case FIELD_I64:
		return read_number(r, f, v, p);
	case FIELD_ENUM:
		return read_enum(r, f, v, p);
	case FIELD_BYTES:
		return read_bytes(r, f, v, p);
	case FIELD_ARRAY:
		return read_array(r, f, v, obj);
	}
	return refuse(r, "has an unknown type");
}

static int read_object(struct reader *r, const struct shape *s,
		       struct json_object *json, void *obj)
{
	struct json_object *v;
	int known = 0;

	if (!json_object_is_type(json, json_type_object))
		return error_set(r->err, -EINVAL,
				 "machine description: not an object");
	for (unsigned int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];
		int e = 0;

		if (json_object_object_get_ex(json, f->key, &v)) {
			e = read_field(r, f, v, obj);
			known++;
		} else if (f->required) {
			r->key = f->key;
			e = refuse(r, "is missing");
		}
		if (e < 0)
			return e;
	}
	if (known != json_object_object_length(json))
		return error_set(r->err, -EINVAL,
				 "machine description: unknown member");
	return 0;
}

static int check_fds(struct reader *r)
{
	for (unsigned int i = 0; i < r->n; i++)
		if (r->fds[i] >= 0)
			return error_set(r->err, -EINVAL,
					 "machine description: descriptor %u is unused",
					 i);
	return 0;
}

/* What single members cannot say. */
static int check_whole(struct reader *r, const struct vmm_spec *spec)
{
	r->key = "vcpus";
	if (!spec->vcpus ||
	    (spec->max_vcpus && spec->max_vcpus < spec->vcpus))
		return refuse(r, "is out of range");
	r->key = "memory";
	if (!spec->memory || spec->memory % 4096)
		return refuse(r, "is not a multiple of 4 KiB");
	return 0;
}

static int from_json(const struct shape *shape, struct json_object *json,
		     int *fds, unsigned int n, struct vmm_spec *ret_spec,
		     struct error *err)
{
	struct reader r = { .fds = fds, .n = n, .key = "", .err = err };
	int e;

	vmm_spec_init(ret_spec);
	e = read_object(&r, shape, json, ret_spec);
	if (e >= 0)
		e = check_fds(&r);
	if (e >= 0 && shape == &top_shape)
		e = check_whole(&r, ret_spec);
	if (e < 0) {
		for (unsigned int i = 0; i < n; i++)
			fds[i] = fd_close(fds[i]);
		vmm_spec_finish(ret_spec);
	}
	return e;
}

int vmm_spec_from_json(struct json_object *json, int *fds, unsigned int n,
		       struct vmm_spec *ret_spec, struct error *err)
{
	return from_json(&top_shape, json, fds, n, ret_spec, err);
}

int vmm_spec_devices_from_json(struct json_object *json, int *fds,
			       unsigned int n, struct vmm_spec *ret_spec,
			       struct error *err)
{
	return from_json(&devices_shape, json, fds, n, ret_spec, err);
}
