/*
 * model/tables_domain.c -- where each member of a domain is in its XML.
 */
#include "model/tables.h"

#define C(m) offsetof(struct dom_cpu, m)
static const struct field feature_fields[] = {
	{ "@policy", FIELD_ENUM, offsetof(struct dom_cpu_feature, policy),
	  &words_cpu_policy },
	{ "@name", FIELD_STR, offsetof(struct dom_cpu_feature, name),
	  .flags = FIELD_REQUIRED, .missing = "invalid CPU feature name" },
	{ 0 },
};
static const struct xml_type type_feature = {
	.size = sizeof(struct dom_cpu_feature),
	.fields = feature_fields,
};
static const char *const fallback_list[] = { "allow", "forbid" };
static const struct words words_fallback = { fallback_list,
					     ARRAY_SIZE(fallback_list) };
static const char *const cpu_check_list[] = { "none", "partial", "full" };
static const struct words words_cpu_check = { cpu_check_list,
					      ARRAY_SIZE(cpu_check_list) };
static const char *const cpu_match_list[] = { "minimum", "exact", "strict" };
static const struct words words_cpu_match = { cpu_match_list,
					      ARRAY_SIZE(cpu_match_list) };
static const char *const cpu_cache_list[] = { "emulate", "passthrough",
					      "disable" };
static const struct words words_cpu_cache = { cpu_cache_list,
					      ARRAY_SIZE(cpu_cache_list) };
static const char *const cpu_phys_list[] = { "passthrough", "emulate" };
static const struct words words_cpu_phys = { cpu_phys_list,
					     ARRAY_SIZE(cpu_phys_list) };
static const struct field numa_fields[] = {
	{ "cell", FIELD_LIST, C(cells), .type = &type_cell,
	  .n_off = C(n_cells) },
	{ 0 },
};
static const struct xml_type type_numa = { .fields = numa_fields };
static const struct field cpu_fields[] = {
	{ "@mode", FIELD_ENUM, C(mode), &words_cpu_mode },
	{ "@match", FIELD_STR, C(match), &words_cpu_match },
	{ "@check", FIELD_STR, C(check), &words_cpu_check },
	{ "@migratable", FIELD_STR, C(migratable), &words_onoff },
	{ "model@fallback", FIELD_STR, C(model_fallback), &words_fallback },
	{ "model@vendor_id", FIELD_STR, C(vendor_id) },
	{ "model", FIELD_STR, C(model) },
	{ "vendor", FIELD_STR, C(vendor) },
	{ "topology@sockets", FIELD_UINT, C(sockets) },
	{ "topology@dies", FIELD_UINT, C(dies) },
	{ "topology@cores", FIELD_UINT, C(cores) },
	{ "topology@threads", FIELD_UINT, C(threads) },
	{ "cache@level", FIELD_STR, C(cache_level) },
	{ "cache@mode", FIELD_STR, C(cache_mode), &words_cpu_cache },
	{ "maxphysaddr@mode", FIELD_STR, C(phys_mode), &words_cpu_phys },
	{ "maxphysaddr@bits", FIELD_UINT, C(phys_bits) },
	{ "feature", FIELD_LIST, C(features), .type = &type_feature,
	  .n_off = C(n_features) },
	{ "numa", FIELD_STRUCT, 0, .type = &type_numa },
	{ 0 },
};
#undef C
const struct xml_type type_cpu = {
	XML_TYPE_EXTRA(struct dom_cpu, extra),
	.fields = cpu_fields,
	.order = " model vendor topology cache maxphysaddr feature numa * ",
};

static const char *const boot_list[] = { "fd", "hd", "cdrom", "network" };
static const struct words words_boot = { boot_list, ARRAY_SIZE(boot_list) };
static const char *const firmware_list[] = { "bios", "efi" };
static const struct words words_firmware = { firmware_list,
					     ARRAY_SIZE(firmware_list) };

#define F(m) offsetof(struct dom_os_feature, m)
static const struct field os_feature_fields[] = {
	{ "@enabled", FIELD_STR, F(enabled), &words_yesno },
	{ "@name", FIELD_STR, F(name), .flags = FIELD_REQUIRED },
	{ 0 },
};
#undef F
static const struct xml_type type_os_feature = {
	.size = sizeof(struct dom_os_feature),
	.fields = os_feature_fields,
};

#define O(m) offsetof(struct dom_os, m)
static const struct field os_firmware_fields[] = {
	{ "feature", FIELD_LIST, O(features), .type = &type_os_feature,
	  .n_off = O(n_features) },
	{ 0 },
};
static const struct xml_type type_os_firmware = {
	.fields = os_firmware_fields,
};

static const char *const smbios_list[] = { "emulate", "host", "sysinfo" };
static const struct words words_smbios = { smbios_list,
					   ARRAY_SIZE(smbios_list) };

static const char *const nvram_list[] = { "file", "block", "network" };
static const struct words words_nvram = { nvram_list,
					  ARRAY_SIZE(nvram_list) };

static const struct field os_fields[] = {
	{ "@firmware", FIELD_STR, O(firmware), &words_firmware },
	{ "type@arch", FIELD_STR, O(arch) },
	{ "type@machine", FIELD_STR, O(machine_name) },
	{ "type", FIELD_STR, O(type), .flags = FIELD_REQUIRED,
	  .missing = "an os <type> must be specified" },
	{ "loader@readonly", FIELD_STR, O(loader_readonly), &words_yesno },
	{ "loader@stateless", FIELD_STR, O(loader_stateless) },
	{ "loader@secure", FIELD_STR, O(loader_secure), &words_yesno },
	{ "loader@type", FIELD_STR, O(loader_type) },
	{ "loader", FIELD_STR, O(loader) },
	{ "nvram@template", FIELD_STR, O(nvram_template) },
	{ "nvram@type", FIELD_STR, O(nvram_type), &words_nvram },
	{ "nvram/source@file", FIELD_STR, O(nvram_file) },
	{ "nvram/source@dev", FIELD_STR, O(nvram_dev) },
	{ "nvram", FIELD_STR, O(nvram) },
	{ "kernel", FIELD_STR, O(kernel) },
	{ "initrd", FIELD_STR, O(initrd) },
	{ "cmdline", FIELD_STR, O(cmdline) },
	{ "boot@dev", FIELD_STRS, O(boot), &words_boot, .n_off = O(n_boot),
	  .max = ARRAY_SIZE(((struct dom_os *)0)->boot) },
	{ "firmware", FIELD_STRUCT, 0, .type = &type_os_firmware },
	{ "bootmenu@enable", FIELD_ENUM, O(bootmenu), &words_yesno },
	{ "bootmenu@timeout", FIELD_STR, O(bootmenu_timeout) },
	{ "bios@rebootTimeout", FIELD_STR, O(reboot_timeout) },
	{ "smbios@mode", FIELD_STR, O(smbios), &words_smbios },
	{ 0 },
};
#undef O
const struct xml_type type_os = {
	XML_TYPE_EXTRA(struct dom_os, extra),
	.fields = os_fields,
	.order = " type firmware init initarg initenv initdir inituser "
		 "initgroup loader nvram kernel initrd cmdline dtb root acpi "
		 "boot bootmenu bios smbios * ",
};

#define E(m) offsetof(struct dom_sysinfo_entry, m)
static const struct field sysinfo_entry_fields[] = {
	{ "@name", FIELD_STR, E(name), .flags = FIELD_REQUIRED },
	{ "", FIELD_STR, E(value), .flags = FIELD_EMPTY },
	{ 0 },
};
static const struct field sysinfo_oem_fields[] = {
	{ "", FIELD_STR, E(value), .flags = FIELD_EMPTY },
	{ 0 },
};
#undef E
static const struct xml_type type_sysinfo_entry = {
	.size = sizeof(struct dom_sysinfo_entry),
	.fields = sysinfo_entry_fields,
};
static const struct xml_type type_sysinfo_oem = {
	.size = sizeof(struct dom_sysinfo_entry),
	.fields = sysinfo_oem_fields,
};

#define B(m) offsetof(struct dom_sysinfo_board, m)
static const struct field sysinfo_board_fields[] = {
	{ "entry", FIELD_LIST, B(entries), .type = &type_sysinfo_entry,
	  .n_off = B(n_entries) },
	{ 0 },
};
#undef B
static const struct xml_type type_sysinfo_board = {
	.size = sizeof(struct dom_sysinfo_board),
	.fields = sysinfo_board_fields,
};

#define I(m) offsetof(struct dom_sysinfo, m)
static const struct field sysinfo_system_fields[] = {
	{ "entry", FIELD_LIST, I(entries), .type = &type_sysinfo_entry,
	  .n_off = I(n_entries) },
	{ 0 },
};
static const struct xml_type type_sysinfo_system = {
	.fields = sysinfo_system_fields,
};
static const struct field sysinfo_bios_fields[] = {
	{ "entry", FIELD_LIST, I(bios), .type = &type_sysinfo_entry,
	  .n_off = I(n_bios) },
	{ 0 },
};
static const struct xml_type type_sysinfo_bios = {
	.fields = sysinfo_bios_fields,
};
static const struct field sysinfo_chassis_fields[] = {
	{ "entry", FIELD_LIST, I(chassis), .type = &type_sysinfo_entry,
	  .n_off = I(n_chassis) },
	{ 0 },
};
static const struct xml_type type_sysinfo_chassis = {
	.fields = sysinfo_chassis_fields,
};
static const struct field sysinfo_oems_fields[] = {
	{ "entry", FIELD_LIST, I(oem), .type = &type_sysinfo_oem,
	  .n_off = I(n_oem) },
	{ 0 },
};
static const struct xml_type type_sysinfo_oems = {
	.fields = sysinfo_oems_fields,
};
static const struct field sysinfo_fields[] = {
	{ "@type", FIELD_STR, I(type) },
	{ "bios", FIELD_STRUCT, 0, .type = &type_sysinfo_bios },
	{ "system", FIELD_STRUCT, 0, .type = &type_sysinfo_system },
	{ "baseBoard", FIELD_LIST, I(boards), .type = &type_sysinfo_board,
	  .n_off = I(n_boards) },
	{ "chassis", FIELD_STRUCT, 0, .type = &type_sysinfo_chassis },
	{ "oemStrings", FIELD_STRUCT, 0, .type = &type_sysinfo_oems },
	{ 0 },
};
#undef I
static const struct xml_type type_sysinfo = {
	XML_TYPE_EXTRA(struct dom_sysinfo, extra),
	.fields = sysinfo_fields,
	.order = " bios system baseBoard chassis oemStrings * ",
};

static const char *const tickpolicy_list[] = { "delay", "catchup", "merge",
					       "discard" };
static const struct words words_tickpolicy = { tickpolicy_list,
					       ARRAY_SIZE(tickpolicy_list) };
static const char *const track_list[] = { "boot", "guest", "wall",
					  "realtime" };
static const struct words words_track = { track_list,
					  ARRAY_SIZE(track_list) };
#define M(m) offsetof(struct dom_timer, m)
static const struct field timer_fields[] = {
	{ "@name", FIELD_STR, M(name), .flags = FIELD_REQUIRED },
	{ "@present", FIELD_ENUM, M(present), &words_yesno },
	{ "@tickpolicy", FIELD_STR, M(tickpolicy), &words_tickpolicy },
	{ "@track", FIELD_STR, M(track), &words_track },
	{ 0 },
};
#undef M
static const struct xml_type type_timer = {
	XML_TYPE_EXTRA(struct dom_timer, extra),
	.fields = timer_fields,
};

#define D(m) offsetof(struct domain_def, m)
static const struct field clock_fields[] = {
	{ "@offset", FIELD_ENUM, D(clock), &words_clock },
	{ "@adjustment", FIELD_STR, D(clock_adjustment) },
	{ "@basis", FIELD_STR, D(clock_basis) },
	{ "@timezone", FIELD_STR, D(clock_timezone) },
	{ "@start", FIELD_STR, D(clock_start) },
	{ "timer", FIELD_LIST, D(timers), .type = &type_timer,
	  .n_off = D(n_timers) },
	{ 0 },
};
const struct xml_type type_clock = { .fields = clock_fields };

static const struct field features_fields[] = {
	{ "acpi", FIELD_FLAG, D(acpi) },
	{ "apic", FIELD_FLAG, D(apic) },
	{ "pae", FIELD_FLAG, D(pae) },
	{ "hyperv", FIELD_STRUCT, 0, .type = &type_hyperv },
	{ "kvm/hidden@state", FIELD_ENUM, D(kvm_hidden), &words_onoff },
	{ "kvm/hint-dedicated@state", FIELD_ENUM, D(kvm_dedicated),
	  &words_onoff },
	{ "kvm/poll-control@state", FIELD_ENUM, D(kvm_poll_control),
	  &words_onoff },
	{ "kvm/pv-ipi@state", FIELD_ENUM, D(kvm_pv_ipi), &words_onoff },
	{ "kvm/dirty-ring@state", FIELD_ENUM, D(kvm_dirty_ring), &words_onoff },
	{ "kvm/dirty-ring@size", FIELD_UINT, D(kvm_dirty_ring_size) },
	{ 0 },
};
const struct xml_type type_features = {
	.extra_off = D(features_extra),
	.fields = features_fields,
};

static const struct field devices_fields[] = {
	{ "emulator", FIELD_STR, D(emulator) },
	{ "disk", FIELD_LIST, D(disks), .type = &type_disk,
	  .n_off = D(n_disks) },
	{ "controller", FIELD_LIST, D(controllers), .type = &type_controller,
	  .n_off = D(n_controllers) },
	{ "interface", FIELD_LIST, D(ifaces), .type = &type_iface,
	  .n_off = D(n_ifaces) },
	{ "serial", FIELD_LIST, D(chars), .type = &type_char,
	  .n_off = D(n_chars), .words = &words_char_kind,
	  .name_off = offsetof(struct dom_char, kind) },
	{ "memballoon", FIELD_STRUCT, D(memballoon), .type = &type_memballoon,
	  .n_off = D(memballoon.present) },
	{ "input", FIELD_LIST, D(inputs), .type = &type_input,
	  .n_off = D(n_inputs) },
	{ "graphics", FIELD_LIST, D(graphics), .type = &type_graphics,
	  .n_off = D(n_graphics) },
	{ "video", FIELD_LIST, D(videos), .type = &type_video,
	  .n_off = D(n_videos) },
	{ "hostdev", FIELD_LIST, D(hostdevs), .type = &type_hostdev,
	  .n_off = D(n_hostdevs) },
	{ "rng", FIELD_LIST, D(rngs), .type = &type_rng, .n_off = D(n_rngs) },
	{ "watchdog", FIELD_LIST, D(watchdogs), .type = &type_watchdog,
	  .n_off = D(n_watchdogs) },
	{ "panic", FIELD_LIST, D(panics), .type = &type_panic,
	  .n_off = D(n_panics) },
	{ "filesystem", FIELD_LIST, D(filesystems), .type = &type_fs,
	  .n_off = D(n_filesystems) },
	{ "vsock", FIELD_LIST, D(vsocks), .type = &type_vsock,
	  .n_off = D(n_vsocks) },
	{ "memory", FIELD_LIST, D(memories), .type = &type_memory,
	  .n_off = D(n_memories) },
	{ "tpm", FIELD_LIST, D(tpms), .type = &type_tpm, .n_off = D(n_tpms) },
	{ 0 },
};
static const struct xml_type type_devices = {
	.extra_off = D(devices_extra),
	.fields = devices_fields,
	.order = " emulator disk controller lease filesystem interface "
		 "smartcard serial parallel console channel input tpm "
		 "graphics sound audio video hostdev redirdev redirfilter "
		 "hub watchdog memballoon rng nvram panic shmem memory "
		 "crypto * iommu vsock ",
};

static const struct field domain_fields[] = {
	{ "@type", FIELD_ENUM, D(virt), &words_virt, .flags = FIELD_REQUIRED,
	  .missing = "missing domain type attribute" },
	{ "@id", FIELD_INT, D(id), .flags = FIELD_LIVE },
	{ "name", FIELD_STR, D(name), .flags = FIELD_REQUIRED,
	  .missing = "missing domain name" },
	{ "uuid", FIELD_UUID, D(uuid) },
	{ "genid", FIELD_STR, D(genid), .flags = FIELD_EMPTY },
	{ "title", FIELD_STR, D(title) },
	{ "description", FIELD_STR, D(description) },
	{ "metadata", FIELD_INNER, D(metadata) },
	{ "maxMemory@slots", FIELD_UINT, D(memory_slots) },
	{ "maxMemory", FIELD_SIZE, D(max_memory) },
	{ "memory", FIELD_SIZE, D(memory) },
	{ "currentMemory", FIELD_SIZE, D(cur_memory) },
	{ "vcpu@placement", FIELD_STR, D(vcpu_placement) },
	{ "vcpu@cpuset", FIELD_STR, D(vcpu_cpuset) },
	{ "vcpu@current", FIELD_UINT, D(vcpus) },
	{ "vcpu", FIELD_UINT, D(max_vcpus), .max = 65536 },
	{ "iothreads", FIELD_UINT, D(iothreads) },
	{ "iothreadids", FIELD_STRUCT, 0, .type = &type_iothreadids },
	{ "cputune", FIELD_STRUCT, D(cputune), .type = &type_cputune },
	{ "memtune", FIELD_STRUCT, D(memtune), .type = &type_memtune },
	{ "blkiotune", FIELD_STRUCT, D(blkiotune), .type = &type_blkiotune },
	{ "numatune", FIELD_STRUCT, D(numatune), .type = &type_numatune },
	{ "memoryBacking", FIELD_STRUCT, D(backing), .type = &type_backing },
	{ "sysinfo", FIELD_LIST, D(sysinfos), .type = &type_sysinfo,
	  .n_off = D(n_sysinfos) },
	{ "os", FIELD_STRUCT, D(os), .type = &type_os,
	  .flags = FIELD_REQUIRED,
	  .missing = "an os <type> must be specified" },
	{ "features", FIELD_STRUCT, 0, .type = &type_features },
	{ "cpu", FIELD_STRUCT, D(cpu), .type = &type_cpu,
	  .n_off = D(cpu.present) },
	{ "clock", FIELD_STRUCT, 0, .type = &type_clock },
	{ "on_poweroff", FIELD_ENUM, D(on_poweroff), &words_action },
	{ "on_reboot", FIELD_ENUM, D(on_reboot), &words_action },
	{ "on_crash", FIELD_ENUM, D(on_crash), &words_action },
	{ "pm/suspend-to-mem@enabled", FIELD_ENUM, D(pm_mem), &words_yesno },
	{ "pm/suspend-to-disk@enabled", FIELD_ENUM, D(pm_disk), &words_yesno },
	{ "devices", FIELD_STRUCT, 0, .type = &type_devices },
	{ 0 },
};
static const struct domain_def domain_defaults = {
	.id = -1,
	.on_reboot = DOM_ACTION_RESTART,
};
const struct xml_type type_domain = {
	XML_TYPE_EXTRA(struct domain_def, extra),
	.fields = domain_fields,
	.defaults = &domain_defaults,
	.order = " name uuid genid title description metadata maxMemory "
		 "memory currentMemory blkiotune memtune memoryBacking vcpu "
		 "vcpus iothreads iothreadids defaultiothread cputune "
		 "numatune resource sysinfo bootloader bootloader_args os "
		 "idmap features cpu clock on_poweroff on_reboot on_crash "
		 "on_lockfailure pm perf devices seclabel keywrap "
		 "launchSecurity * ",
};
#undef D
