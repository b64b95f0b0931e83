/*
 * model/names.c -- the words that XML uses for each enum of domain.h.
 */
#include "model/names.h"

#include "base/util.h"
#include "model/domain.h"

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	const struct words words_##name = { name##_list, \
					    ARRAY_SIZE(name##_list) }

WORDS(virt, [DOM_VIRT_KVM] = "kvm", [DOM_VIRT_QEMU] = "qemu",
      [DOM_VIRT_VIREO] = "vireo", [DOM_VIRT_TEST] = "test");
WORDS(action, [DOM_ACTION_DESTROY] = "destroy",
      [DOM_ACTION_RESTART] = "restart", [DOM_ACTION_PRESERVE] = "preserve",
      [DOM_ACTION_RENAME_RESTART] = "rename-restart",
      [DOM_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
      [DOM_ACTION_COREDUMP_RESTART] = "coredump-restart");
WORDS(onoff, [TRI_ON] = "on", [TRI_OFF] = "off");
WORDS(yesno, [TRI_ON] = "yes", [TRI_OFF] = "no");
WORDS(cpu_mode, [CPU_MODE_CUSTOM] = "custom",
      [CPU_MODE_HOST_MODEL] = "host-model",
      [CPU_MODE_HOST_PASSTHROUGH] = "host-passthrough",
      [CPU_MODE_MAXIMUM] = "maximum");
WORDS(cpu_policy, [CPU_POLICY_REQUIRE] = "require",
      [CPU_POLICY_FORCE] = "force", [CPU_POLICY_OPTIONAL] = "optional",
      [CPU_POLICY_DISABLE] = "disable", [CPU_POLICY_FORBID] = "forbid");
WORDS(clock, [CLOCK_UTC] = "utc", [CLOCK_LOCALTIME] = "localtime",
      [CLOCK_TIMEZONE] = "timezone", [CLOCK_VARIABLE] = "variable",
      [CLOCK_ABSOLUTE] = "absolute");
WORDS(disk_type, [DISK_FILE] = "file", [DISK_BLOCK] = "block",
      [DISK_DIR] = "dir", [DISK_NETWORK] = "network",
      [DISK_VOLUME] = "volume", [DISK_NVME] = "nvme",
      [DISK_VHOSTUSER] = "vhostuser");
WORDS(disk_device, [DISK_DEV_DISK] = "disk", [DISK_DEV_CDROM] = "cdrom",
      [DISK_DEV_FLOPPY] = "floppy", [DISK_DEV_LUN] = "lun");
WORDS(iface_type, [IFACE_ETHERNET] = "ethernet", [IFACE_BRIDGE] = "bridge",
      [IFACE_NETWORK] = "network", [IFACE_USER] = "user",
      [IFACE_DIRECT] = "direct", [IFACE_HOSTDEV] = "hostdev",
      [IFACE_VHOSTUSER] = "vhostuser", [IFACE_INTERNAL] = "internal",
      [IFACE_MCAST] = "mcast", [IFACE_SERVER] = "server",
      [IFACE_CLIENT] = "client", [IFACE_UDP] = "udp",
      [IFACE_VDPA] = "vdpa");
WORDS(char_kind, [CHAR_SERIAL] = "serial", [CHAR_CONSOLE] = "console",
      [CHAR_CHANNEL] = "channel", [CHAR_PARALLEL] = "parallel");
WORDS(char_type, [CHR_PTY] = "pty", [CHR_UNIX] = "unix",
      [CHR_FILE] = "file", [CHR_NULL] = "null", [CHR_PIPE] = "pipe",
      [CHR_DEV] = "dev", [CHR_STDIO] = "stdio", [CHR_TCP] = "tcp",
      [CHR_UDP] = "udp", [CHR_VC] = "vc", [CHR_SPICEVMC] = "spicevmc",
      [CHR_SPICEPORT] = "spiceport", [CHR_NMDM] = "nmdm",
      [CHR_QEMU_VDAGENT] = "qemu-vdagent", [CHR_DBUS] = "dbus");
WORDS(hostdev_type, [HOSTDEV_USB] = "usb", [HOSTDEV_PCI] = "pci",
      [HOSTDEV_SCSI] = "scsi", [HOSTDEV_SCSI_HOST] = "scsi_host",
      [HOSTDEV_MDEV] = "mdev", [HOSTDEV_STORAGE] = "storage",
      [HOSTDEV_MISC] = "misc", [HOSTDEV_NET] = "net");
WORDS(rng_backend, [RNG_RANDOM] = "random", [RNG_EGD] = "egd",
      [RNG_BUILTIN] = "builtin");

const char *words_name(const struct words *words, int value)
{
	if (value < 0 || (unsigned int)value >= words->n)
		return NULL;
	return words->word[value];
}

int words_value(const struct words *words, const char *name)
{
	for (unsigned int i = 0; i < words->n; i++)
		if (words->word[i] && str_eq(words->word[i], name))
			return i;
	return -1;
}
