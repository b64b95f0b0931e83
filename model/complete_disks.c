/*
 * model/complete_disks.c -- buses, formats and drive addresses of disks.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"
#include "model/tables.h"
#include "model/xml.h"

/* A target's first letters say its bus. */
static const char *bus_of_target(const char *dev)
{
	static const struct {
		const char *prefix, *bus;
	} buses[] = {
		{ "fd", "fdc" },    { "hd", "ide" },   { "sd", "scsi" },
		{ "vd", "virtio" }, { "xvd", "xen" },
		{ "nvme", "nvme" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
		if (str_startswith(dev, buses[i].prefix))
			return buses[i].bus;
	return NULL;
}

/* "nvme2n1": controllers count from 0, their namespaces from 1. */
static int nvme_index(const char *dev)
{
	int at = 0, n;

	return sscanf(dev, "nvme%3dn1%n", &n, &at) == 1 && at && !dev[at] &&
			       dev[4] != '+' && n >= 0 ?
		       n :
		       -1;
}

/* "vda" is 0, "vdz" 25, "vdaa" 26; -1 for a name that is no disk's. */
int disk_target_index(const char *dev)
{
	int n = 0;

	if (str_startswith(dev, "nvme"))
		return nvme_index(dev);
	dev += str_startswith(dev, "xvd") ? 3 : 2;
	if (!*dev || strlen(dev) > 4)
		return -1;
	for (; *dev; dev++) {
		if (*dev < 'a' || *dev > 'z')
			return -1;
		n = n * 26 + (*dev - 'a' + 1);
	}
	return n - 1;
}

static int check_target(const struct dom_disk *disk, struct error *err)
{
	if (!bus_of_target(disk->target_dev) ||
	    disk_target_index(disk->target_dev) < 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Unknown disk name '%.80s'; a name is like "
				  "vda, sda, hda or fda", disk->target_dev);
	return 0;
}

/* The buses where a drive's place follows from its name. */
static void complete_drive(struct dom_disk *disk)
{
	static const struct {
		const char *bus;
		unsigned int per_bus, buses;
	} kinds[] = {
		{ "ide", 2, 2 },   { "sata", 6, 1 }, { "scsi", 15, 1 },
		{ "fdc", 2, 1 },   { "nvme", 1, 1 },
	};
	unsigned int n = disk_target_index(disk->target_dev);
	struct dom_address *a = &disk->info.address;

	for (size_t i = 0; !a->type && i < ARRAY_SIZE(kinds); i++) {
		if (!str_eq(disk->target_bus, kinds[i].bus))
			continue;
		a->type = xstrdup("drive");
		a->unit = n % kinds[i].per_bus;
		a->bus = n / kinds[i].per_bus % kinds[i].buses;
		a->controller = n / (kinds[i].per_bus * kinds[i].buses);
		/* Unit 7 of a SCSI bus is the host's by tradition. */
		if (str_eq(disk->target_bus, "scsi") && a->unit >= 7)
			a->unit++;
	}
}

static void complete_driver(struct dom_disk *disk)
{
	if (disk->type == DISK_VHOSTUSER)
		return;
	default_str(&disk->driver_name, "vireo");
	default_str(&disk->driver_type, "raw");
}

/* What is named as on IDE is on what our machines have in its place, unless
 * the definition is for one that has IDE, or says so. */
static const char *default_bus(const struct domain_def *def,
			       const struct dom_disk *disk)
{
	const char *bus = bus_of_target(disk->target_dev);

	return str_eq(bus, "ide") && !disk->info.address.type &&
			       !os_is_i440fx(&def->os) ?
		       "sata" :
		       bus;
}

static int complete_disk(const struct domain_def *def, struct dom_disk *disk,
			 struct error *err)
{
	int r = check_target(disk, err);

	if (r == 0)
		r = iotune_check(&disk->iotune, VIR_ERR_XML_ERROR, err);
	if (r < 0)
		return r;
	if (disk->device == DISK_DEV_FLOPPY)
		default_str(&disk->target_bus, "fdc");
	default_str(&disk->target_bus, default_bus(def, disk));
	if (disk->device == DISK_DEV_CDROM)
		disk->readonly = true;
	else if (disk->device == DISK_DEV_DISK && !disk->source &&
		 disk->type <= DISK_BLOCK)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "disk '%.80s' has no source",
				  disk->target_dev);
	complete_driver(disk);
	complete_drive(disk);
	return 0;
}

int domain_complete_disks(struct domain_def *def, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++) {
		int r = complete_disk(def, &def->disks[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int disk_def_parse(const char *text, struct dom_disk *ret_disk,
		   struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(text, "disk", &doc, err);

	*ret_disk = (struct dom_disk){ 0 };
	if (r == 0)
		r = bind_parse(&type_disk, xmlDocGetRootElement(doc), false,
			       ret_disk, err);
	return r;
}

void disk_def_finish(struct dom_disk *disk)
{
	bind_finish(&type_disk, disk);
}

char *device_def_kind(const char *text, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;

	if (xml_parse(text, NULL, &doc, err) < 0)
		return NULL;
	return xstrdup(xml_name(xmlDocGetRootElement(doc)));
}
