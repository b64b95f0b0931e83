/*
 * model/rules.c -- combinations that no domain can have.
 *
 * What tables and completion do not see: elements that contradict each other,
 * most of them in devices that are only kept.  A rule is an XPath expression,
 * looked up in the completed definition, that finds offenders; or one that
 * names devices, and what of each must be of it alone.  libvirt refuses the
 * same.  Only what a client sends is asked: what is stored stays readable when
 * a rule is added.
 */
#include "model/rules.h"

#include <libvirt/virterror.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdlib.h>
#include <string.h>

#include "model/complete.h"
#include "model/xml.h"

/* Steps of libxml2 for all rules: more than any definition of a guest takes. */
enum { STEPS_MAX = 20 * 1000 * 1000 };

struct rule {
	const char *nodes, *sentence;
};

#define NOT_BUS_0 "[translate(@bus, '0x', '') != '']"
#define POWERS                                                            \
	"' 1 2 4 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 32768 " \
	"65536 131072 262144 524288 1048576 '"
#define IS_POWER "contains(" POWERS ", concat(' ', ., ' '))"
#define ON_USB                                              \
	"[self::hub or @bus='usb' or target/@bus='usb' or " \
	"(self::hostdev and @type='usb')]"

/* Unsupported here is what libvirt calls VIR_ERR_CONFIG_UNSUPPORTED. */
static const struct rule rules[] = {
	/* ---- the machine ---- */
	{ "devices/controller[@type='pci'][@index='0'][$i440fx]"
	  "[@model!='pci-root']",
	  "the PCI controller with index='0' must be model='pci-root' for this "
	  "machine type" },
	{ "devices/controller[@type='pci'][@index='0'][$q35]"
	  "[@model!='pcie-root']",
	  "the PCI controller with index='0' must be model='pcie-root' for "
	  "this machine type" },
	{ "devices/controller[@model='pci-root' or @model='pcie-root']"
	  "[@index!='0']",
	  "pci-root and pcie-root controllers should have index 0" },
	{ "devices/controller[@model='pci-root' or @model='pcie-root']"
	  "/address",
	  "pci-root and pcie-root controllers should not have an address" },
	{ "devices/controller[@model='pci-expander-bus'][$q35]",
	  "pci-expander-bus controllers are not supported with this machine "
	  "type" },
	{ "devices/controller[@model='pcie-expander-bus'][$i440fx]",
	  "pcie-expander-bus controllers are not supported with this machine "
	  "type" },
	{ "devices/controller[@model='pci-expander-bus' or "
	  "@model='pcie-expander-bus' or @model='dmi-to-pci-bridge']"
	  "/address[@type='pci']" NOT_BUS_0,
	  "this PCI controller can be on bus 0 only" },
	{ "devices/controller/target/node"
	  "[not(. = /domain/cpu/numa/cell/@id)]",
	  "this PCI controller's NUMA node is not in the domain's "
	  "<cpu><numa>" },
	{ "devices/*[not(self::controller[@type='ide'])]/address[@type='pci']"
	  "[@bus='0x00'][@slot='0x01'][@function='0x1'][$i440fx]"
	  "[/domain/devices/controller[@type='ide']]",
	  "Attempted double use of PCI Address 0000:00:01.1, which is the IDE "
	  "controller's" },
	{ "features/*[self::hpt or self::htm or self::cfpc or self::sbbc or "
	  "self::ibs or self::ccf-assist or self::nested-hv]",
	  "this feature is not supported for architecture 'x86_64'" },
	{ "features/smm/tseg[$i440fx]",
	  "SMM TSEG is only supported with q35 machine type" },
	{ "features/smm/tseg[(@unit='KiB' and . mod 1024 != 0) or "
	  "((@unit='b' or @unit='bytes') and . mod 1048576 != 0)]",
	  "SMM TSEG size must be divisible by 1 MiB" },
	{ "devices/*/address/zpci", "no machine here has zPCI" },
	{ "devices/serial/target[@type='system-serial' or "
	  "@type='spapr-vio-serial' or @type='sclp-serial']",
	  "this serial device is not compatible with the guest's "
	  "architecture" },

	/* ---- firmware ---- */
	{ "os[@firmware='bios']/loader[@stateless='no'] | "
	  "os[not(@firmware)]/loader[@stateless='no'][not(@type='pflash')]",
	  "only EFI firmware permits NVRAM" },
	{ "os[@firmware='bios']/nvram",
	  "firmware type 'bios' does not support nvram" },
	{ "os[@firmware]/loader[@secure='no']",
	  "loader attribute 'secure' cannot be specified when firmware "
	  "autoselection is enabled" },
	{ "os[not(@firmware)]/firmware/feature",
	  "cannot use feature-based firmware autoselection when firmware "
	  "autoselection is disabled" },
	{ "os[not(@firmware)]/loader[normalize-space(.)='']",
	  "no loader path specified and firmware auto selection disabled" },
	{ "os[loader/@stateless='yes']/nvram",
	  "NVRAM is not permitted when loader is stateless" },
	{ "os[@firmware='efi' or loader/@type='pflash']"
	  "[not(/domain/features/acpi)]",
	  "UEFI requires ACPI on this architecture" },

	/* ---- processors and memory ---- */
	{ "cpu/cache[@mode='emulate'][@level!='3']",
	  "CPU cache mode 'emulate' can only be used with level='3'" },
	{ "cpu/cache[@mode='passthrough' or @mode='disable'][@level]",
	  "unsupported CPU cache level for this mode" },
	{ "cpu[not(@mode='host-passthrough' or @mode='maximum')]"
	  "/cache[@mode='passthrough']",
	  "CPU cache mode 'passthrough' can only be used with "
	  "'host-passthrough' / 'maximum' CPUs" },
	{ "cpu/maxphysaddr[@mode='emulate'][not(@bits)]",
	  "if using CPU maximum physical address mode='emulate', bits= must be "
	  "specified too" },
	{ "cpu/maxphysaddr[@mode='passthrough'][@bits]",
	  "CPU maximum physical address bits number specification cannot be "
	  "used with mode='passthrough'" },
	{ "numatune[memory/@mode='restrictive']"
	  "/memnode[@mode!='restrictive']",
	  "'restrictive' mode is required in memnode element when mode is "
	  "'restrictive' in memory element" },
	{ "numatune[memory/@placement='auto']/memnode",
	  "Per-node binding is not compatible with automatic NUMA placement" },
	{ "memoryBacking/hugepages[not(/domain/cpu/numa)][count(page)>1]"
	  "/page[@nodeset]",
	  "two master hugepages detected" },

	/* ---- SMBIOS ---- */
	{ "sysinfo[@type='smbios']/system/entry[@name='uuid']"
	  "[translate(., 'ABCDEF', 'abcdef') != string(/domain/uuid)]",
	  "UUID mismatch between <uuid> and <sysinfo>" },
	{ "sysinfo[@type='smbios']/bios/entry[@name='date'][not("
	  "number(substring-before(., '/')) >= 1 and "
	  "number(substring-before(., '/')) <= 12 and "
	  "number(substring-before(substring-after(., '/'), '/')) >= 1 and "
	  "number(substring-before(substring-after(., '/'), '/')) <= 31 and "
	  "(number(substring-after(substring-after(., '/'), '/')) < 100 or "
	  "number(substring-after(substring-after(., '/'), '/')) >= 1900))]",
	  "Invalid BIOS 'date' format" },

	/* ---- disks ---- */
	{ "devices/disk[target/@bus='ide' or target/@bus='sata' or "
	  "target/@bus='scsi' or target/@bus='fdc']"
	  "/address[@type!='drive']",
	  "Invalid address type for the disk's bus: it must be 'drive'" },
	{ "devices/disk[target/@bus='usb']/address[@type!='usb']",
	  "unexpected address type for usb disk" },
	{ "devices/disk[@device='lun'][@type='file' or @type='dir' or "
	  "(@type='network' and source/@protocol!='iscsi')]",
	  "disk device='lun' is only valid for block type disk source" },
	{ "devices/disk[vendor or product][target/@bus!='scsi']",
	  "Only scsi disk supports vendor and product" },
	{ "devices/disk[driver/@type='cow']",
	  "'cow' storage format is not supported" },
	{ "devices/disk[driver/@type='iso']",
	  "storage format 'iso' is not directly supported, use 'raw' instead" },
	{ "devices/disk[driver/@type='dir'][@type!='dir']",
	  "'directory' storage format is not directly supported, use 'dir' "
	  "disk type instead" },
	{ "devices/disk[shareable][driver/@type!='raw']",
	  "shared access for a disk requires use of supported storage format" },
	{ "devices/disk[encryption or source/encryption[not("
	  "@engine='librbd')]]/driver"
	  "[@type!='raw'][@type!='qcow2']",
	  "encryption is supported only with 'raw' and 'qcow2' image format" },
	{ "devices/disk[encryption]/source/encryption",
	  "an <encryption> definition already found for disk source" },
	{ "devices/disk/encryption[@format='luks']/*[self::cipher or "
	  "self::ivgen] | "
	  "devices/disk/source/encryption[@format='luks']/*[self::cipher or "
	  "self::ivgen]",
	  "supplying <cipher> or <ivgen> for domain disk definition is "
	  "unnecessary" },
	{ "devices/disk[auth]/source/auth",
	  "an <auth> definition already found for disk source" },
	{ "devices/disk/auth/secret[not(@type)] | "
	  "devices/disk/source/auth/secret[not(@type)]",
	  "unknown secret type '<null>'" },
	{ "devices/disk[source/@protocol='iscsi']/auth/secret[@type!='iscsi'] "
	  "| "
	  "devices/disk/source[@protocol='iscsi']/auth/secret[@type!='iscsi'] "
	  "| "
	  "devices/disk[source/@protocol='rbd']/auth/secret[@type!='ceph'] | "
	  "devices/disk/source[@protocol='rbd']/auth/secret[@type!='ceph']",
	  "invalid secret type for the disk's protocol" },

	/* ---- devices of the host's ---- */
	{ "devices/hostdev[@display='on'][not(../graphics)]",
	  "graphics device is needed for attribute value 'display=on' in "
	  "<hostdev>" },
	{ "devices/hostdev[@ramfb='on'][2]",
	  "Only one vgpu device can have 'ramfb' enabled" },
	{ "devices/hostdev[@type='mdev'][@model='vfio-pci']"
	  "/address[@type!='pci'][@type!='unassigned']",
	  "Unsupported address type with mediated device model 'vfio-pci'" },
	{ "devices/hostdev[@type='mdev']/source/address[not(@uuid)]",
	  "Missing 'uuid' attribute for element <address>" },
	{ "devices/hostdev[@type='scsi_host']/boot",
	  "booting from assigned devices is not supported by vhost SCSI "
	  "devices" },

	/* ---- USB ---- */
	{ "devices/controller[@type='usb'][@model='none']"
	  "[count(../controller[@type='usb'])>1]",
	  "Can't add another USB controller: USB is disabled for this domain" },
	{ "devices/*" ON_USB "[../controller[@type='usb'][@model='none']]",
	  "Can't add a USB device: USB is disabled for this domain" },
	{ "devices/controller[@type='usb'][@model='qemu-xhci' or "
	  "@model='nec-xhci'][@ports>15]",
	  "this USB controller only supports up to '15' ports" },
	{ "devices/controller[@type='usb'][starts-with(@model, 'ich9-uhci')]"
	  "[not(../controller[@type='usb'][@model='ich9-ehci1'])]",
	  "No master USB controller specified" },
	{ "devices/*/address[@type='usb'][@bus!='0']"
	  "[not(@bus = /domain/devices/controller[@type='usb']/@index)]",
	  "USB bus requested but no controller with that index is present" },
	{ "devices/*/address[@type='usb'][string-length("
	  "translate(@port, '0123456789', ''))>3 or "
	  "translate(@port, '.0123456789', '')!='']",
	  "Cannot parse <address> 'port' attribute" },
	{ "devices/*/address[@type='usb'][substring-after(@port, '.')>8]",
	  "requested USB port is not present: a hub has 8" },

	{ "devices/*/address[@type='usb'][contains(@port, '.')][not("
	  "substring-before(@port, '.') = "
	  "/domain/devices/hub/address/@port)] | "
	  "devices/*/address[@type='usb']"
	  "[contains(substring-after(@port, '.'), '.')][not("
	  "concat(substring-before(@port, '.'), '.',"
	  "substring-before(substring-after(@port, '.'), '.')) = "
	  "/domain/devices/hub/address/@port)]",
	  "there is no hub at the USB port that <address> names" },

	/* ---- the rest ---- */
	{ "devices/interface/driver/@rx_queue_size[not(" IS_POWER ")] | "
	  "devices/interface/driver/@tx_queue_size[not(" IS_POWER ")]",
	  "rx_queue_size and tx_queue_size have to be a power of two" },
	{ "devices/*/source/reconnect[@enabled='yes'][@timeout='0']",
	  "chardev reconnect source timeout cannot be '0'" },
	{ "devices/*/source[@mode='bind']/reconnect[@enabled='yes']",
	  "chardev reconnect is possible only for connect mode" },
	{ "devices/graphics[@type='egl-headless']"
	  "[../graphics[@type!='egl-headless'][@type!='vnc'][@type!='spice']]",
	  "graphics type 'egl-headless' is only supported with one of: 'vnc', "
	  "'spice' graphics types" },
	{ "devices/graphics[@type='egl-headless']"
	  "[../graphics[@type='spice']/gl[@enable='yes']]",
	  "multiple OpenGL displays are not supported" },
	{ "devices/video[model/@type='none'][count(../video)>1]",
	  "a 'none' video type must be the only video device defined for the "
	  "domain" },
	{ "devices/video[model/@primary='yes'][2]",
	  "Only one primary video device is supported" },
	{ "devices/video[model/@type='ramfb']/address",
	  "address not supported for video type ramfb" },
	{ "devices/input[@model='virtio-transitional' or "
	  "@model='virtio-non-transitional'][@type!='passthrough']",
	  "virtio (non-)transitional models are not supported for this input "
	  "type" },
	{ "devices/rng/backend[@model='egd'][@type='unix']"
	  "/source[not(@path)]",
	  "Missing source path attribute for char device" },
	{ "devices/iommu[@model='intel' or @model='virtio'][not($q35)]",
	  "this IOMMU device is only supported with Q35 machines" },
	{ "devices/iommu[@model='virtio'][not(/domain/features/acpi)]",
	  "IOMMU device: 'virtio' requires ACPI" },
	{ "devices/iommu[@model='virtio']/address[@type!='pci']",
	  "IOMMU device: 'virtio' needs a PCI address" },
	{ "devices/iommu[@model='virtio']/address[@type='pci']" NOT_BUS_0,
	  "IOMMU device: 'virtio' needs to be an integrated device (bus=0)" },
	{ "devices/shmem/address[@type!='pci']",
	  "shmem device is only supported with address type 'pci'" },
	{ "devices/shmem/msi[not(../server)]",
	  "msi option is only supported with a server" },
	{ "devices/shmem/size[not(" IS_POWER ") or "
	  "(starts-with(@unit, 'K') and . < 1024)]",
	  "shmem size must be a power of 2 of at least 1 MiB" },
	{ "seclabel[not(@model)][@type!='none'][count(../seclabel)>1] | "
	  "seclabel[@model = preceding-sibling::seclabel/@model]",
	  "seclabel for this model is already provided" },
	{ "devices/*/source/seclabel"
	  "[@model = preceding-sibling::seclabel/@model]",
	  "seclabel for this model is already provided" },
};

#define ADDRESS_OF(a)                                                    \
	"' ', " a "/@domain, '.', " a "/@bus, '.', " a "/@slot, '.', " a \
	"/@function, '.', " a "/@target, '.', " a "/@unit, '.', " a      \
	"/@device, '.', " a "/@uuid"

/* What two of the nodes may not have in common. */
static const struct unique {
	const char *nodes, *key, *sentence;
} uniques[] = {
	{ "devices/controller[@type='pci' or @type='ide' or @type='sata' or "
	  "@type='scsi' or @type='virtio-serial' or @type='fdc']",
	  "concat(@type, ' ', @index)",
	  "Multiple controllers of one type with the same index" },
	{ "devices/hostdev[source/address or source/vendor]",
	  "concat(@type, ' ', source/adapter/@name, ' ', source/@name, ' ',"
	  "source/vendor/@id, ' ', source/product/@id," ADDRESS_OF(
		  "source/address") ")",
	  "Hostdev already exists in the domain configuration" },
	{ "devices/*[(self::disk and (target/@bus='ide' or "
	  "target/@bus='sata' or target/@bus='scsi' or target/@bus='fdc')) or "
	  "(self::hostdev and @type='scsi')]/address[@type='drive']",
	  "concat(substring('scsi', 1, 4 * boolean(../self::hostdev)),"
	  "../target/@bus, ' ', @controller, '.', @bus, '.', @target, '.',"
	  "@unit)",
	  "Found duplicate drive address" },
	{ "devices/*/address[@type='usb'][@port]", "concat(@bus, ' ', @port)",
	  "Duplicate USB address" },
};

/* ---- looking them up ---- */

struct lookup {
	xmlXPathContext *xpath;
	xmlNode *domain;
	struct error *err;
};

static int refuse(const struct lookup *l, const xmlNode *node,
		  const char *sentence)
{
	xmlChar *path = xmlGetNodePath(node);
	int r = error_virt(l->err, VIR_ERR_CONFIG_UNSUPPORTED, "%s (%s)",
			   sentence, path ? (const char *)path : "?");

	xmlFree(path);
	return r;
}

static xmlXPathObject *eval(const struct lookup *l, xmlNode *from,
			    const char *expression)
{
	l->xpath->node = from;
	return xmlXPathEval(BAD_CAST expression, l->xpath);
}

static int too_much(const struct lookup *l)
{
	return error_virt(l->err, VIR_ERR_XML_ERROR,
			  "the definition is too large to be checked");
}

static int check_rule(const struct lookup *l, const struct rule *rule)
{
	xmlXPathObject *found = eval(l, l->domain, rule->nodes);
	int r = 0;

	if (!found)
		return too_much(l);
	if (!xmlXPathNodeSetIsEmpty(found->nodesetval))
		r = refuse(l, found->nodesetval->nodeTab[0], rule->sentence);
	xmlXPathFreeObject(found);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The keys of all nodes, sorted; how many there are. */
static int read_keys(const struct lookup *l, const xmlNodeSet *nodes,
		     const char *expression, char **keys)
{
	int n = 0;

	for (; n < nodes->nodeNr; n++) {
		xmlXPathObject *key = eval(l, nodes->nodeTab[n], expression);

		if (!key)
			break;
		keys[n] = xstrdup((const char *)key->stringval);
		xmlXPathFreeObject(key);
	}
	qsort(keys, n, sizeof(*keys), compare);
	return n;
}

static int check_nodes(const struct lookup *l, const xmlNodeSet *nodes,
		       const struct unique *u)
{
	char **keys = xcalloc(nodes->nodeNr, sizeof(*keys));
	int n = read_keys(l, nodes, u->key, keys);
	int r = n < nodes->nodeNr ? too_much(l) : 0;

	for (int i = 1; r == 0 && i < n; i++)
		if (!strcmp(keys[i - 1], keys[i]))
			r = error_virt(l->err, VIR_ERR_XML_ERROR, "%s: %.200s",
				       u->sentence, keys[i]);
	for (int i = 0; i < n; i++)
		free(keys[i]);
	free(keys);
	return r;
}

static int check_unique(const struct lookup *l, const struct unique *u)
{
	xmlXPathObject *found = eval(l, l->domain, u->nodes);
	int r = 0;

	if (!found)
		return too_much(l);
	if (!xmlXPathNodeSetIsEmpty(found->nodesetval))
		r = check_nodes(l, found->nodesetval, u);
	xmlXPathFreeObject(found);
	return r;
}

static void tell_machine(xmlXPathContext *xpath, const struct domain_def *def)
{
	bool old = os_is_i440fx(&def->os);
	bool q35 = !old && str_eq(def->os.machine, "q35");

	xmlXPathRegisterVariable(xpath, BAD_CAST "i440fx",
				 xmlXPathNewBoolean(old));
	xmlXPathRegisterVariable(xpath, BAD_CAST "q35",
				 xmlXPathNewBoolean(q35));
}

/* xmlXPathEval() tells the world; the caller tells the client. */
#if LIBXML_VERSION >= 21200
static void be_quiet(void *arg, const xmlError *e)
#else
static void be_quiet(void *arg, xmlError *e)
#endif
{
}

int domain_check_rules(const struct domain_def *def, xmlDoc *doc,
		       struct error *err)
{
	struct lookup l = {
		.xpath = xmlXPathNewContext(doc),
		.domain = xmlDocGetRootElement(doc),
		.err = err,
	};
	int r = 0;

	if (!l.xpath)
		return error_virt(err, VIR_ERR_NO_MEMORY, "out of memory");
	l.xpath->error = be_quiet;
	l.xpath->opLimit = STEPS_MAX;
	tell_machine(l.xpath, def);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = check_rule(&l, &rules[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(uniques); i++)
		r = check_unique(&l, &uniques[i]);
	xmlXPathFreeContext(l.xpath);
	return r;
}
