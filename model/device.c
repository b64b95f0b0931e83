/*
 * model/device.c -- single devices: their documents, and adding them to,
 * finding them in and taking them from a definition.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "model/complete.h"
#include "model/tables.h"
#include "model/xml.h"

/* The order is enum device_kind's. */
static const struct kind {
	const char *element;
	const struct xml_type *type;
	size_t items, n;
} kinds[] = {
#define KIND(e, t, m) \
	{ e, &type_##t, offsetof(struct domain_def, m), \
	  offsetof(struct domain_def, n_##m) }
	[DEVICE_DISK] = KIND("disk", disk, disks),
	[DEVICE_IFACE] = KIND("interface", iface, ifaces),
	[DEVICE_CONTROLLER] = KIND("controller", controller, controllers),
	[DEVICE_INPUT] = KIND("input", input, inputs),
	[DEVICE_RNG] = KIND("rng", rng, rngs),
	[DEVICE_HOSTDEV] = KIND("hostdev", hostdev, hostdevs),
	[DEVICE_MEMORY] = KIND("memory", memory, memories),
	/* ... and the other words for what is in this list */
	[DEVICE_CHAR] = KIND("channel", char, chars),
};

struct device_def {
	enum device_kind kind;
	void *item; /* of the kind's type */
};

static unsigned int *count(const struct domain_def *def, const struct kind *k)
{
	return (unsigned int *)((char *)def + k->n);
}

static char **items(const struct domain_def *def, const struct kind *k)
{
	return (char **)((char *)def + k->items);
}

void *device_at(const struct domain_def *def, struct device_ref ref)
{
	const struct kind *k = &kinds[ref.kind];

	return *items(def, k) + ref.index * k->type->size;
}

/* Every device's struct begins with it. */
struct dom_info *device_info(const struct domain_def *def,
			     struct device_ref ref)
{
	return device_at(def, ref);
}

/* ---- documents ---- */

static int parse_item(struct device_def *dev, xmlNode *node,
		      struct error *err)
{
	const struct xml_type *type = kinds[dev->kind].type;

	dev->item = xcalloc(1, type->size);
	if (type->defaults)
		memcpy(dev->item, type->defaults, type->size);
	return bind_parse(type, node, true, dev->item, err);
}

int device_def_parse(const char *xml, struct device_def **ret_dev,
		     struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct device_def *dev;
	const char *name;
	size_t i = 0;
	int chr, r = xml_parse(xml, NULL, &doc, err);

	if (r < 0)
		return r;
	name = xml_name(xmlDocGetRootElement(doc));
	chr = words_value(&words_char_kind, name);
	while (i < ARRAY_SIZE(kinds) && !str_eq(kinds[i].element, name))
		i++;
	if (chr >= 0)
		i = DEVICE_CHAR;
	if (i == ARRAY_SIZE(kinds))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "devices '%.40s' cannot be attached, detached or changed",
				  name);
	dev = xcalloc(1, sizeof(*dev));
	dev->kind = i;
	r = parse_item(dev, xmlDocGetRootElement(doc), err);
	if (r < 0) {
		device_def_free(dev);
		return r;
	}
	if (chr >= 0)
		((struct dom_char *)dev->item)->kind = chr;
	*ret_dev = dev;
	return 0;
}

void device_def_free(struct device_def *dev)
{
	if (!dev)
		return;
	bind_finish(kinds[dev->kind].type, dev->item);
	free(dev->item);
	free(dev);
}

enum device_kind device_def_kind_of(const struct device_def *dev)
{
	return dev->kind;
}

const void *device_def_item(const struct device_def *dev)
{
	return dev->item;
}

/* One address for both definitions if it is to go into two. */
void device_def_choose(struct device_def *dev)
{
	if (dev->kind == DEVICE_IFACE)
		iface_choose_mac(dev->item);
}

/* ---- finding ---- */

static bool same_place(const struct dom_address *a,
		       const struct dom_address *b)
{
	if (!a->type || (str_eq(a->type, "pci") && !a->bus && !a->slot))
		return true;
	return str_eq(a->type, b->type) && a->bus == b->bus &&
	       a->slot == b->slot && a->function == b->function &&
	       a->controller == b->controller && a->target == b->target &&
	       a->unit == b->unit && a->port == b->port &&
	       str_eq(a->usb_port, b->usb_port);
}

/* What tells two of a kind apart; a document may leave out the rest. */
static bool same_device(const struct device_def *dev, const void *other)
{
	switch (dev->kind) {
	case DEVICE_DISK: {
		const struct dom_disk *a = dev->item, *b = other;

		return str_eq(a->target_dev, b->target_dev);
	}
	case DEVICE_IFACE: {
		const struct dom_iface *a = dev->item, *b = other;

		return a->type == b->type &&
		       (!a->mac_given || !memcmp(a->mac, b->mac, 6));
	}
	case DEVICE_CONTROLLER: {
		const struct dom_controller *a = dev->item, *b = other;

		return str_eq(a->type, b->type) &&
		       (a->index < 0 || a->index == b->index);
	}
	case DEVICE_INPUT: {
		const struct dom_input *a = dev->item, *b = other;

		return str_eq(a->type, b->type) &&
		       (!a->bus || str_eq(a->bus, b->bus));
	}
	case DEVICE_CHAR: {
		const struct dom_char *a = dev->item, *b = other;

		return a->kind == b->kind && a->type == b->type &&
		       (!a->target_name ||
			str_eq(a->target_name, b->target_name));
	}
	case DEVICE_HOSTDEV: {
		const struct dom_hostdev *a = dev->item, *b = other;

		return a->type == b->type &&
		       address_same_pci(&a->source, &b->source);
	}
	case DEVICE_MEMORY: {
		const struct dom_memory *a = dev->item, *b = other;

		return str_eq(a->model, b->model) && a->size == b->size &&
		       (a->node < 0 || a->node == b->node);
	}
	case DEVICE_RNG:
		break;
	}
	return true;
}

static bool matches(const struct device_def *dev, const struct dom_info *b)
{
	const struct dom_info *a = dev->item;

	return same_device(dev, b) &&
	       (!a->alias || !b->alias || str_eq(a->alias, b->alias)) &&
	       same_place(&a->address, &b->address);
}

static int not_found(const struct device_def *dev, struct error *err)
{
	const struct dom_disk *disk = dev->item;
	const struct dom_hostdev *h = dev->item;

	if (dev->kind == DEVICE_DISK)
		return error_virt(err, VIR_ERR_DEVICE_MISSING,
				  "disk %s not found", disk->target_dev);
	if (dev->kind == DEVICE_HOSTDEV && h->type == HOSTDEV_PCI)
		return error_virt(err, VIR_ERR_DEVICE_MISSING,
				  "host pci device %04x:%02x:%02x.%x not found",
				  h->source.domain, h->source.bus,
				  h->source.slot, h->source.function);
	return error_virt(err, VIR_ERR_DEVICE_MISSING,
			  "matching device '%s' not found",
			  kinds[dev->kind].element);
}

int domain_find_device(const struct domain_def *def,
		       const struct device_def *dev,
		       struct device_ref *ret_ref, struct error *err)
{
	struct device_ref ref = { .kind = dev->kind };
	unsigned int found = 0;

	for (; ref.index < *count(def, &kinds[dev->kind]); ref.index++) {
		if (!matches(dev, device_info(def, ref)))
			continue;
		*ret_ref = ref;
		found++;
	}
	if (!found)
		return not_found(dev, err);
	if (found > 1)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "multiple devices '%s' match; say more, such as its address",
				  kinds[dev->kind].element);
	return 0;
}

bool domain_find_alias(const struct domain_def *def, const char *alias,
		       struct device_ref *ret_ref)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct device_ref ref = { .kind = k };

		for (; ref.index < *count(def, &kinds[k]); ref.index++) {
			if (!str_eq(device_info(def, ref)->alias, alias))
				continue;
			*ret_ref = ref;
			return true;
		}
	}
	return false;
}

/* ---- adding and taking away ---- */

static bool disk_exists(const struct domain_def *def,
			const struct device_def *dev)
{
	const struct dom_disk *disk = dev->item;

	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, disk->target_dev))
			return true;
	return false;
}

static int check_new_hostdev(const struct domain_def *def,
			     const struct device_def *dev, struct error *err)
{
	const struct dom_hostdev *h = dev->item;
	const struct dom_iface *iface = dev->item;
	const struct dom_address *a = &h->source;
	struct dom_host_pci other;

	if (dev->kind == DEVICE_IFACE && iface->type == IFACE_HOSTDEV)
		a = &iface->source_pci;
	else if (dev->kind != DEVICE_HOSTDEV || h->type != HOSTDEV_PCI)
		return 0;
	for (unsigned int i = 0; domain_host_pci(def, i, &other); i++)
		if (address_same_pci(other.source, a))
			return error_virt(err, VIR_ERR_OPERATION_FAILED,
					  "target pci device %04x:%02x:%02x.%x already exists",
					  a->domain, a->bus, a->slot,
					  a->function);
	return 0;
}

static int check_new(const struct domain_def *def,
		     const struct device_def *dev, struct error *err)
{
	const struct dom_memory *m = dev->item;

	if (dev->kind == DEVICE_MEMORY && !def->max_memory)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "cannot hotplug a memory device when domain 'maxMemory' is not defined");
	if (dev->kind == DEVICE_MEMORY &&
	    (m->size > def->max_memory ||
	     def->memory > def->max_memory - m->size))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "Attaching memory device with size '%llu' would exceed domain's maxMemory config size '%llu'",
				  (unsigned long long)(m->size / KIB),
				  (unsigned long long)(def->max_memory / KIB));
	if (dev->kind == DEVICE_DISK && disk_exists(def, dev))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "target %s already exists",
				  ((const struct dom_disk *)dev->item)
					  ->target_dev);
	return check_new_hostdev(def, dev, err);
}

/* What needs a place on PCI while the domain runs. */
static int place_live(struct domain_def *def, struct device_ref ref,
		      struct error *err)
{
	struct dom_info *info = device_info(def, ref);
	const struct dom_disk *disk = device_at(def, ref);
	const struct dom_input *input = device_at(def, ref);
	const struct dom_controller *c = device_at(def, ref);
	const struct dom_hostdev *h = device_at(def, ref);

	if (ref.kind == DEVICE_MEMORY &&
	    memory_is_dimm(device_at(def, ref)))
		return 0;
	if (ref.kind == DEVICE_CHAR ||
	    (ref.kind == DEVICE_DISK &&
	     (str_eq(disk->target_bus, "scsi") ||
	      str_eq(disk->target_bus, "usb") ||
	      (!disk->target_bus && disk->target_dev &&
	       str_startswith(disk->target_dev, "sd")))) ||
	    (ref.kind == DEVICE_INPUT && !str_eq(input->bus, "virtio")) ||
	    (ref.kind == DEVICE_HOSTDEV && h->type != HOSTDEV_PCI) ||
	    (ref.kind == DEVICE_CONTROLLER && str_eq(c->type, "pci")))
		return 0;
	return domain_place_hot(def, info, err);
}

static int complete_new(struct domain_def *def, bool live,
			struct device_ref ref, struct error *err)
{
	unsigned int controllers = def->n_controllers;
	int r = 0;

	if (live)
		r = place_live(def, ref, err);
	if (r == 0)
		r = domain_complete(def, live, err);
	if (r == 0 && live && def->n_controllers != controllers)
		r = error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			       "the device needs a controller of type '%s', which cannot come with it; attach that first",
			       def->controllers[def->n_controllers - 1].type);
	return r;
}

/* Only a name of the user's stays. */
static void drop_alias(struct dom_info *info)
{
	if (info->alias && !str_startswith(info->alias, "ua-")) {
		free(info->alias);
		info->alias = NULL;
	}
}

/* The domain's memory is with its devices; what a guest is to keep of it
 * grows with it when that was all. */
static void count_memory(struct domain_def *def, const struct dom_memory *m)
{
	if (memory_is_dimm(m) &&
	    def->cur_memory + domain_unused_memory(def) >= def->memory)
		def->cur_memory += m->size;
	def->memory += m->size;
}

static void uncount_memory(struct domain_def *def, const struct dom_memory *m)
{
	def->memory -= MIN(m->size, def->memory);
	def->cur_memory = MIN(def->cur_memory, def->memory);
}

int domain_add_device(struct domain_def *def, const struct device_def *dev,
		      bool live, struct device_ref *ret_ref,
		      struct error *err)
{
	const struct kind *k = &kinds[dev->kind];
	unsigned int *n = count(def, k);
	int r = check_new(def, dev, err);

	if (r < 0)
		return r;
	*ret_ref = (struct device_ref){ dev->kind, *n };
	*items(def, k) = xrealloc(*items(def, k), *n + 1, k->type->size);
	memset(*items(def, k) + *n * k->type->size, 0, k->type->size);
	bind_copy(k->type, dev->item, *items(def, k) + *n * k->type->size);
	++*n;
	drop_alias(device_info(def, *ret_ref));
	if (ret_ref->kind == DEVICE_MEMORY)
		count_memory(def, device_at(def, *ret_ref));
	return complete_new(def, live, *ret_ref, err);
}

void domain_remove_device(struct domain_def *def, struct device_ref ref)
{
	const struct kind *k = &kinds[ref.kind];
	unsigned int *n = count(def, k);
	char *item = device_at(def, ref);

	if (ref.kind == DEVICE_MEMORY)
		uncount_memory(def, device_at(def, ref));
	bind_finish(k->type, item);
	--*n;
	memmove(item, item + k->type->size,
		(*n - ref.index) * k->type->size);
}
