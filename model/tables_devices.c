/*
 * model/tables_devices.c -- where each member of a device is in its element.
 */
#include "model/tables.h"
#include "model/tables_network.h"

#define A(m) offsetof(struct dom_address, m)
static const struct field pci_fields[] = {
	{ "@domain", FIELD_HEX4, A(domain), .max = 0xffff },
	{ "@bus", FIELD_HEX2, A(bus), .max = 0xff },
	{ "@slot", FIELD_HEX2, A(slot), .max = 0x1f },
	{ "@function", FIELD_HEX1, A(function), .max = 7 },
	{ "@multifunction", FIELD_ENUM, A(multifunction), &words_onoff },
	{ 0 },
};
static const struct field drive_fields[] = {
	{ "@controller", FIELD_NUMBER, A(controller) },
	{ "@bus", FIELD_NUMBER, A(bus) },
	{ "@target", FIELD_NUMBER, A(target) },
	{ "@unit", FIELD_NUMBER, A(unit) },
	{ 0 },
};
static const struct field virtio_serial_fields[] = {
	{ "@controller", FIELD_NUMBER, A(controller) },
	{ "@bus", FIELD_NUMBER, A(bus) },
	{ "@port", FIELD_NUMBER, A(port) },
	{ 0 },
};
static const struct field usb_fields[] = {
	{ "@bus", FIELD_NUMBER, A(bus) },
	{ "@port", FIELD_STR, A(usb_port) },
	{ 0 },
};
static const struct field dimm_fields[] = {
	{ "@slot", FIELD_NUMBER, A(slot), .max = 255 },
	{ "@base", FIELD_STR, A(base), .flags = FIELD_LIVE },
	{ 0 },
};
#undef A

static const struct xml_type type_dimm = { .fields = dimm_fields };
static const struct xml_type type_usb = { .fields = usb_fields };
static const struct xml_type type_pci = { .fields = pci_fields };
static const struct xml_type type_drive = { .fields = drive_fields };
static const struct xml_type type_virtio_serial = {
	.fields = virtio_serial_fields,
};

const struct xml_type *address_type(const void *address)
{
	const char *type = ((const struct dom_address *)address)->type;

	if (str_eq(type, "pci"))
		return &type_pci;
	if (str_eq(type, "drive"))
		return &type_drive;
	if (str_eq(type, "virtio-serial"))
		return &type_virtio_serial;
	if (str_eq(type, "usb"))
		return &type_usb;
	if (str_eq(type, "dimm"))
		return &type_dimm;
	return NULL;
}

#define D(m) offsetof(struct dom_disk, m)
static const struct field disk_fields[] = {
	{ "@type", FIELD_ENUM, D(type), &words_disk_type },
	{ "@device", FIELD_ENUM, D(device), &words_disk_device },
	{ "@rawio", FIELD_STR, D(rawio) },
	{ "@sgio", FIELD_STR, D(sgio) },
	{ "driver@name", FIELD_STR, D(driver_name) },
	{ "driver@type", FIELD_STR, D(driver_type) },
	{ "driver@cache", FIELD_STR, D(cache) },
	{ "driver@io", FIELD_STR, D(io) },
	{ "driver@discard", FIELD_STR, D(discard) },
	{ "driver@detect_zeroes", FIELD_STR, D(detect_zeroes) },
	{ "driver@queues", FIELD_UINT, D(queues) },
	{ "driver@iothread", FIELD_UINT, D(iothread) },
	{ "source@file", FIELD_STR, D(source), .only = BIT(DISK_FILE) },
	{ "source@dev", FIELD_STR, D(source), .only = BIT(DISK_BLOCK) },
	{ "source@dir", FIELD_STR, D(source), .only = BIT(DISK_DIR) },
	{ "source@type", FIELD_STR, D(source_type),
	  .only = BIT(DISK_VHOSTUSER) },
	{ "source@path", FIELD_STR, D(source), .only = BIT(DISK_VHOSTUSER) },
	{ "source@pool", FIELD_STR, D(source_pool), .only = BIT(DISK_VOLUME) },
	{ "source@volume", FIELD_STR, D(source_volume),
	  .only = BIT(DISK_VOLUME) },
	{ "source/reservations@managed", FIELD_STR, D(reservations) },
	{ "target@dev", FIELD_STR, D(target_dev), .flags = FIELD_REQUIRED,
	  .missing = "missing target device name of the disk" },
	{ "target@bus", FIELD_STR, D(target_bus) },
	{ "target@tray", FIELD_STR, D(tray) },
	{ "readonly", FIELD_FLAG, D(readonly) },
	{ "shareable", FIELD_FLAG, D(shareable) },
	{ "transient", FIELD_FLAG, D(transient) },
	{ "iotune", FIELD_STRUCT, D(iotune), .type = &type_iotune },
	{ "serial", FIELD_STR, D(serial) },
	{ "wwn", FIELD_STR, D(wwn) },
	{ "vendor", FIELD_STR, D(vendor) },
	{ "product", FIELD_STR, D(product) },
	INFO_FIELDS(struct dom_disk),
	{ 0 },
};
#undef D
const struct xml_type type_disk = {
	XML_TYPE_EXTRA(struct dom_disk, info.extra),
	.fields = disk_fields,
	.tag_off = offsetof(struct dom_disk, type),
	.order = " driver auth source backingStore backenddomain geometry "
		 "blockio mirror target iotune readonly shareable transient "
		 "serial wwn vendor product encryption boot * alias address ",
};

/* Where the host has a PCI function. */
#define AT_PCI(m) offsetof(struct dom_address, m)
#define SOURCE_PCI(at, tags) \
	{ "source/address@domain", FIELD_HEX4, (at) + AT_PCI(domain), \
	  .max = 0xffff, .only = (tags) }, \
	{ "source/address@bus", FIELD_HEX2, (at) + AT_PCI(bus), .max = 0xff, \
	  .only = (tags) }, \
	{ "source/address@slot", FIELD_HEX2, (at) + AT_PCI(slot), .max = 0x1f, \
	  .only = (tags) }, \
	{ "source/address@function", FIELD_HEX1, (at) + AT_PCI(function), \
	  .max = 7, .only = (tags) }

#define N(m) offsetof(struct dom_iface, m)
static const struct field iface_fields[] = {
	{ "@type", FIELD_ENUM, N(type), &words_iface_type,
	  .flags = FIELD_REQUIRED },
	{ "mac@address", FIELD_MAC, N(mac), .n_off = N(mac_given) },
	{ "source@bridge", FIELD_STR, N(source), .only = BIT(IFACE_BRIDGE) },
	{ "source@network", FIELD_STR, N(source), .only = BIT(IFACE_NETWORK) },
	{ "source@portgroup", FIELD_STR, N(portgroup),
	  .only = BIT(IFACE_NETWORK) },
	{ "source@portid", FIELD_STR, N(portid), .only = BIT(IFACE_NETWORK),
	  .flags = FIELD_LIVE },
	{ "source@bridge", FIELD_STR, N(net_bridge),
	  .only = BIT(IFACE_NETWORK), .flags = FIELD_LIVE },
	{ "source@dev", FIELD_STR, N(source),
	  .only = BIT(IFACE_DIRECT) | BIT(IFACE_VDPA) },
	{ "source@dev", FIELD_STR, N(net_dev), .only = BIT(IFACE_NETWORK),
	  .flags = FIELD_LIVE },
	{ "source@mode", FIELD_STR, N(net_mode), .only = BIT(IFACE_NETWORK),
	  .flags = FIELD_LIVE },
	{ "source@type", FIELD_STR, N(source_type),
	  .only = BIT(IFACE_VHOSTUSER) },
	{ "source@path", FIELD_STR, N(source), .only = BIT(IFACE_VHOSTUSER) },
	{ "source@mode", FIELD_STR, N(source_mode),
	  .only = BIT(IFACE_VHOSTUSER) | BIT(IFACE_DIRECT) },
	{ "@managed", FIELD_STR, N(managed), .only = BIT(IFACE_HOSTDEV) },
	{ "source/address@type", FIELD_STR, N(source_pci.type),
	  .only = BIT(IFACE_HOSTDEV) },
	SOURCE_PCI(N(source_pci), BIT(IFACE_HOSTDEV)),
	{ "vlan", FIELD_STRUCT, N(vlan), .type = &type_vlan },
	{ "target@dev", FIELD_STR, N(target_dev) },
	{ "target@managed", FIELD_ENUM, N(target_managed), &words_yesno },
	{ "model@type", FIELD_STR, N(model) },
	{ "driver@name", FIELD_STR, N(driver_name) },
	{ "driver@queues", FIELD_UINT, N(queues) },
	{ "bandwidth", FIELD_STRUCT, N(bandwidth), .type = &type_bandwidth },
	{ "port@isolated", FIELD_STR, N(isolated) },
	{ "link@state", FIELD_STR, N(link_state) },
	{ "mtu@size", FIELD_UINT, N(mtu) },
	INFO_FIELDS(struct dom_iface),
	{ 0 },
};
#undef N
const struct xml_type type_iface = {
	XML_TYPE_EXTRA(struct dom_iface, info.extra),
	.fields = iface_fields,
	.tag_off = offsetof(struct dom_iface, type),
	.order = " mac source virtualport vlan ip route script downscript "
		 "backenddomain target guest model driver backend filterref "
		 "boot bandwidth port teaming tune link mtu coalesce * "
		 "alias address ",
};

#define H(m) offsetof(struct dom_hostdev, m)
static const struct field hostdev_fields[] = {
	{ "@mode", FIELD_STR, H(mode) },
	{ "@type", FIELD_ENUM, H(type), &words_hostdev_type,
	  .flags = FIELD_REQUIRED,
	  .missing = "missing source device type in hostdev" },
	{ "@managed", FIELD_STR, H(managed) },
	{ "driver@name", FIELD_STR, H(driver) },
	SOURCE_PCI(H(source), BIT(HOSTDEV_PCI)),
	{ "rom@bar", FIELD_STR, H(rom_bar), .only = BIT(HOSTDEV_PCI) },
	{ "rom@enabled", FIELD_STR, H(rom_enabled), .only = BIT(HOSTDEV_PCI) },
	{ "rom@file", FIELD_STR, H(rom_file), .only = BIT(HOSTDEV_PCI) },
	INFO_FIELDS(struct dom_hostdev),
	{ 0 },
};
#undef H
const struct xml_type type_hostdev = {
	XML_TYPE_EXTRA(struct dom_hostdev, info.extra),
	.fields = hostdev_fields,
	.tag_off = offsetof(struct dom_hostdev, type),
	.order = " driver source teaming readonly shareable boot * alias rom "
		 "address ",
};

#define C(m) offsetof(struct dom_char, m)
#define WITH_PATH \
	(BIT(CHR_UNIX) | BIT(CHR_FILE) | BIT(CHR_PIPE) | BIT(CHR_DEV))
static const struct field char_fields[] = {
	{ "@type", FIELD_ENUM, C(type), &words_char_type,
	  .flags = FIELD_REQUIRED },
	{ "@tty", FIELD_STR, C(tty), .only = BIT(CHR_PTY),
	  .flags = FIELD_LIVE },
	{ "source@path", FIELD_STR, C(source_path), .only = BIT(CHR_PTY),
	  .flags = FIELD_LIVE },
	{ "source@mode", FIELD_STR, C(source_mode), .only = BIT(CHR_UNIX) },
	{ "source@path", FIELD_STR, C(source_path), .only = WITH_PATH },
	{ "source@append", FIELD_STR, C(source_append),
	  .only = BIT(CHR_FILE) },
	{ "log@file", FIELD_STR, C(log_file) },
	{ "log@append", FIELD_STR, C(log_append) },
	{ "target@type", FIELD_STR, C(target_type) },
	{ "target@name", FIELD_STR, C(target_name) },
	{ "target@state", FIELD_STR, C(target_state), .flags = FIELD_LIVE },
	{ "target@port", FIELD_INT, C(target_port) },
	{ "target/model@name", FIELD_STR, C(target_model) },
	INFO_FIELDS(struct dom_char),
	{ 0 },
};
#undef C
static const struct dom_char char_defaults = { .target_port = -1 };
const struct xml_type type_char = {
	XML_TYPE_EXTRA(struct dom_char, info.extra),
	.fields = char_fields,
	.tag_off = offsetof(struct dom_char, type),
	.defaults = &char_defaults,
	.order = " source protocol log target * alias address ",
};

#define T(m) offsetof(struct dom_controller, m)
static const struct field controller_fields[] = {
	{ "@type", FIELD_STR, T(type), .flags = FIELD_REQUIRED },
	{ "@index", FIELD_INT, T(index) },
	{ "@model", FIELD_STR, T(model) },
	{ "@ports", FIELD_UINT, T(ports), .max = 64 },
	{ "@vectors", FIELD_UINT, T(vectors) },
	{ "serial", FIELD_STR, T(serial) },
	{ "driver@queues", FIELD_UINT, T(queues) },
	{ "model@name", FIELD_STR, T(model_name) },
	{ "target@chassis", FIELD_UINT, T(chassis), .max = 255 },
	{ "target@port", FIELD_STR, T(port) },
	{ "target@hotplug", FIELD_STR, T(hotplug), &words_onoff },
	INFO_FIELDS(struct dom_controller),
	{ 0 },
};
#undef T
static const struct dom_controller controller_defaults = { .index = -1 };
const struct xml_type type_controller = {
	XML_TYPE_EXTRA(struct dom_controller, info.extra),
	.fields = controller_fields,
	.defaults = &controller_defaults,
	.order = " serial driver model target * alias master address ",
};

#define R(m) offsetof(struct dom_rng, m)
static const struct field rng_fields[] = {
	{ "@model", FIELD_STR, R(model), .flags = FIELD_REQUIRED },
	{ "rate@bytes", FIELD_UINT, R(rate_bytes) },
	{ "rate@period", FIELD_UINT, R(rate_period) },
	{ "backend@model", FIELD_ENUM, R(backend), &words_rng_backend,
	  .flags = FIELD_REQUIRED, .missing = "missing RNG device backend" },
	{ "backend", FIELD_STR, R(backend_path), .only = BIT(RNG_RANDOM) },
	INFO_FIELDS(struct dom_rng),
	{ 0 },
};
#undef R
const struct xml_type type_rng = {
	XML_TYPE_EXTRA(struct dom_rng, info.extra),
	.fields = rng_fields,
	.tag_off = offsetof(struct dom_rng, backend),
	.order = " rate backend driver * alias address ",
};

static const struct field watchdog_fields[] = {
	{ "@model", FIELD_STR, offsetof(struct dom_watchdog, model),
	  .flags = FIELD_REQUIRED,
	  .missing = "watchdog must contain model name" },
	{ "@action", FIELD_STR, offsetof(struct dom_watchdog, action) },
	INFO_FIELDS(struct dom_watchdog),
	{ 0 },
};
const struct xml_type type_watchdog = {
	XML_TYPE_EXTRA(struct dom_watchdog, info.extra),
	.fields = watchdog_fields,
	.order = " * alias address ",
};

static const struct field panic_fields[] = {
	{ "@model", FIELD_STR, offsetof(struct dom_panic, model) },
	INFO_FIELDS(struct dom_panic),
	{ 0 },
};
const struct xml_type type_panic = {
	XML_TYPE_EXTRA(struct dom_panic, info.extra),
	.fields = panic_fields,
	.order = " * alias address ",
};

#define F(m) offsetof(struct dom_fs, m)
static const struct field fs_fields[] = {
	{ "@type", FIELD_STR, F(type) },
	{ "@accessmode", FIELD_STR, F(accessmode) },
	{ "driver@type", FIELD_STR, F(driver) },
	{ "driver@queue", FIELD_UINT, F(queue) },
	{ "binary@path", FIELD_STR, F(binary) },
	{ "binary@xattr", FIELD_STR, F(xattr) },
	{ "binary/cache@mode", FIELD_STR, F(cache) },
	{ "binary/sandbox@mode", FIELD_STR, F(sandbox) },
	{ "binary/lock@posix", FIELD_STR, F(posix_lock) },
	{ "binary/lock@flock", FIELD_STR, F(flock) },
	{ "source@dir", FIELD_STR, F(source) },
	{ "source@socket", FIELD_STR, F(socket) },
	{ "target@dir", FIELD_STR, F(target), .flags = FIELD_REQUIRED,
	  .missing = "missing target for the filesystem" },
	{ "readonly", FIELD_FLAG, F(readonly) },
	INFO_FIELDS(struct dom_fs),
	{ 0 },
};
#undef F
const struct xml_type type_fs = {
	XML_TYPE_EXTRA(struct dom_fs, info.extra),
	.fields = fs_fields,
	.order = " driver binary source target readonly space_hard_limit "
		 "space_soft_limit * boot alias address ",
};

#define V(m) offsetof(struct dom_vsock, m)
static const struct field vsock_fields[] = {
	{ "@model", FIELD_STR, V(model) },
	{ "cid@auto", FIELD_ENUM, V(cid_auto), &words_yesno },
	{ "cid@address", FIELD_UINT, V(cid) },
	INFO_FIELDS(struct dom_vsock),
	{ 0 },
};
#undef V
const struct xml_type type_vsock = {
	XML_TYPE_EXTRA(struct dom_vsock, info.extra),
	.fields = vsock_fields,
	.order = " cid * alias address ",
};

#define P(m) offsetof(struct dom_tpm, m)
static const struct field tpm_fields[] = {
	{ "@model", FIELD_STR, P(model) },
	{ "backend@type", FIELD_STR, P(backend), .flags = FIELD_REQUIRED,
	  .missing = "missing TPM device backend type" },
	{ "backend@version", FIELD_STR, P(version) },
	{ "backend@persistent_state", FIELD_STR, P(persistent),
	  &words_yesno },
	INFO_FIELDS(struct dom_tpm),
	{ 0 },
};
#undef P
const struct xml_type type_tpm = {
	XML_TYPE_EXTRA(struct dom_tpm, info.extra),
	.fields = tpm_fields,
	.order = " backend * alias address ",
};

#define M(m) offsetof(struct dom_memory, m)
static const struct field virtio_mem_fields[] = {
	{ "block", FIELD_SIZE, M(block) },
	{ "requested", FIELD_SIZE, M(requested), .flags = FIELD_EMPTY },
	{ "current", FIELD_SIZE, M(current),
	  .flags = FIELD_EMPTY | FIELD_LIVE },
	{ "address@base", FIELD_STR, M(base), .flags = FIELD_LIVE },
	{ 0 },
};
static const struct xml_type type_virtio_mem = {
	.fields = virtio_mem_fields,
};

static const struct field virtio_pmem_fields[] = {
	{ "address@base", FIELD_STR, M(base), .flags = FIELD_LIVE },
	{ 0 },
};
static const struct xml_type type_virtio_pmem = {
	.fields = virtio_pmem_fields,
};

static const struct xml_type *memory_target(const void *memory)
{
	const struct dom_memory *m = memory;

	return str_eq(m->model, "virtio-mem")  ? &type_virtio_mem :
	       str_eq(m->model, "virtio-pmem") ? &type_virtio_pmem :
						 NULL;
}

static const struct field memory_fields[] = {
	{ "@model", FIELD_STR, M(model), .flags = FIELD_REQUIRED,
	  .missing = "missing memory model" },
	{ "@access", FIELD_STR, M(access) },
	{ "@discard", FIELD_STR, M(discard), &words_yesno },
	{ "source/pagesize", FIELD_SIZE, M(page_size) },
	{ "source/nodemask", FIELD_STR, M(nodemask) },
	{ "source/path", FIELD_STR, M(path) },
	{ "target/size", FIELD_SIZE, M(size), .flags = FIELD_REQUIRED,
	  .missing = "missing memory size" },
	{ "target/node", FIELD_INT, M(node) },
	{ "target", FIELD_PART, 0, .part = memory_target },
	INFO_FIELDS(struct dom_memory),
	{ 0 },
};
#undef M
static const struct dom_memory memory_defaults = { .node = -1 };
const struct xml_type type_memory = {
	XML_TYPE_EXTRA(struct dom_memory, info.extra),
	.fields = memory_fields,
	.defaults = &memory_defaults,
	.order = " uuid source target * alias address ",
};

#define B(m) offsetof(struct dom_memballoon, m)
static const struct field memballoon_fields[] = {
	{ "@model", FIELD_STR, B(model), .flags = FIELD_REQUIRED,
	  .missing = "balloon memory must contain model name" },
	{ "@autodeflate", FIELD_STR, B(autodeflate), &words_onoff },
	{ "@freePageReporting", FIELD_STR, B(freepage_reporting),
	  &words_onoff },
	{ "stats@period", FIELD_UINT, B(stats_period) },
	INFO_FIELDS(struct dom_memballoon),
	{ 0 },
};
#undef B
const struct xml_type type_memballoon = {
	XML_TYPE_EXTRA(struct dom_memballoon, info.extra),
	.fields = memballoon_fields,
	.order = " stats * alias driver address ",
};
