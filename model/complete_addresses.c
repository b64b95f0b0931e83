/*
 * model/complete_addresses.c -- stable PCI addresses.
 *
 * A device without an address gets one; it is written back, so a definition
 * keeps its addresses whatever is added later.  On q35 what is PCI Express
 * gets a root port of its own, which is made if none is free: so it can be
 * unplugged.  The small machine's devices are on bus 0, which boots quicker;
 * so are graphics cards, SATA and other parts of a chip set.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"

enum {
	FIRST_SLOT = 1,	 /* 0 is the host bridge */
	LAST_SLOT = 30,	 /* 31 is the LPC bridge's and its SATA's */
	FUNCTIONS = 8,
	LAST_BUS = 255,
};

static bool is_pci(const struct dom_address *a)
{
	return str_eq(a->type, "pci");
}

/* All zero is what libvirt's users write for "anywhere". */
static bool is_unset(const struct dom_address *a)
{
	return !a->type || (is_pci(a) && !a->domain && !a->bus && !a->slot &&
			    !a->function);
}

static bool same(const struct dom_address *a, const struct dom_address *b)
{
	return is_pci(a) && is_pci(b) && a->domain == b->domain &&
	       a->bus == b->bus && a->slot == b->slot &&
	       a->function == b->function;
}

static const struct dom_info *at(const struct domain_def *def,
				 const struct dom_address *a)
{
	struct dom_info *info;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (same(&info->address, a))
			return info;
	return NULL;
}

static bool slot_used(const struct domain_def *def, unsigned int bus,
		      unsigned int slot)
{
	struct dom_info *info;

	/* Where an i440fx has its south bridge. */
	if (!bus && slot == 1 && os_is_i440fx(&def->os))
		return true;
	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (is_pci(&info->address) && info->address.bus == bus &&
		    info->address.slot == slot && !is_unset(&info->address))
			return true;
	return false;
}

static int set_slot(const struct domain_def *def, struct dom_address *a,
		    struct error *err)
{
	unsigned int slot = FIRST_SLOT;

	while (slot <= LAST_SLOT && slot_used(def, 0, slot))
		slot++;
	if (slot > LAST_SLOT)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "No more available PCI slots");
	default_str(&a->type, "pci");
	a->slot = slot;
	return 0;
}

/* ---- root ports ---- */

static bool is_port(const struct dom_controller *c)
{
	return str_eq(c->type, "pci") && str_eq(c->model, "pcie-root-port");
}

static bool bus_used(const struct domain_def *def, unsigned int bus)
{
	return slot_used(def, bus, 0);
}

static struct dom_controller *free_port(const struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (is_port(&def->controllers[i]) &&
		    !bus_used(def, def->controllers[i].index))
			return &def->controllers[i];
	return NULL;
}

/* Eight to a slot: the next function of one that has ports only. */
static bool next_function(const struct domain_def *def, struct dom_address *a)
{
	for (unsigned int i = 0; i < def->n_controllers; i++) {
		const struct dom_address *first =
			&def->controllers[i].info.address;
		struct dom_address next = *first;

		if (!is_port(&def->controllers[i]) || is_unset(first) ||
		    first->bus || first->function ||
		    first->multifunction != TRI_ON)
			continue;
		while (++next.function < FUNCTIONS) {
			if (at(def, &next))
				continue;
			a->slot = next.slot;
			a->function = next.function;
			return true;
		}
	}
	return false;
}

static int place_port(struct domain_def *def, struct dom_controller *c,
		      struct error *err)
{
	struct dom_address *a = &c->info.address;
	int r = 0;

	if (is_unset(a) && next_function(def, a)) {
		default_str(&a->type, "pci");
	} else if (is_unset(a)) {
		r = set_slot(def, a, err);
		a->multifunction = TRI_ON;
	}
	default_str(&c->model_name, "pcie-root-port");
	if (!c->chassis)
		c->chassis = c->index;
	if (!c->port)
		c->port = xasprintf("0x%x", a->slot << 3 | a->function);
	return r;
}

static int place_ports(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_controllers; i++)
		if (is_port(&def->controllers[i]))
			r = place_port(def, &def->controllers[i], err);
	return r;
}

static bool has_bus(const struct domain_def *def, unsigned int index)
{
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (str_eq(def->controllers[i].type, "pci") &&
		    def->controllers[i].index == (int)index)
			return true;
	return false;
}

static int add_port(struct domain_def *def, struct error *err)
{
	struct dom_controller *c;
	unsigned int index = 1;

	while (has_bus(def, index))
		index++;
	if (index > LAST_BUS)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "No more available PCI slots");
	c = def_append(def->controllers, def->n_controllers);
	c->type = xstrdup("pci");
	c->model = xstrdup("pcie-root-port");
	c->index = index;
	return place_port(def, c, err);
}

/* What leads to another bus, by the machine's kind. */
static int add_bus(struct domain_def *def, struct error *err)
{
	struct dom_controller *c;
	unsigned int index = 1;

	if (!os_is_i440fx(&def->os))
		return add_port(def, err);
	while (has_bus(def, index))
		index++;
	if (index > LAST_BUS)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "No more available PCI slots");
	c = def_append(def->controllers, def->n_controllers);
	c->type = xstrdup("pci");
	c->model = xstrdup("pci-bridge");
	c->index = index;
	return 0;
}

/* Addresses may name buses that no controller is given for. */
static int add_named_buses(struct domain_def *def, struct error *err)
{
	unsigned int last = 0;
	struct dom_info *info;
	int r = 0;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (is_pci(&info->address))
			last = MAX(last, info->address.bus);
	for (unsigned int index = 1; r == 0 && index <= last; index++)
		while (r == 0 && !has_bus(def, index))
			r = add_bus(def, err);
	return r;
}

/* ---- which devices ---- */

/* The root itself and what sits on another bus have no place on PCI. */
static bool controller_is_pci(const struct dom_controller *c)
{
	static const char *const types[] = { "virtio-serial", "scsi", "sata",
					     "nvme", "usb" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(c->type, types[i]))
			return !str_eq(c->model, "none");
	return str_eq(c->type, "pci") && !str_eq(c->model, "pcie-root") &&
	       !str_eq(c->model, "pci-root") && !is_port(c);
}

static bool video_is_pci(const struct dom_video *v)
{
	return !str_eq(v->model, "none") && !str_eq(v->model, "ramfb");
}

/* Which cannot be below a port. */
static bool is_on_root(const struct dom_controller *c)
{
	static const char *const models[] = { "pci-bridge",
					      "dmi-to-pci-bridge",
					      "pci-expander-bus",
					      "pcie-expander-bus" };

	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		if (str_eq(c->model, models[i]))
			return true;
	return str_eq(c->type, "sata");
}

typedef int place_fn(struct domain_def *def, struct dom_info *info,
		     bool express, void *arg, struct error *err);

/* Calls fn for each member of an array for which cond, of "it", holds. */
#define EACH(items, n, cond, express) \
	for (unsigned int i_ = 0; r == 0 && i_ < def->n; i_++) { \
		__typeof__(&def->items[0]) it = &def->items[i_]; \
		if (cond) \
			r = fn(def, &it->info, express, arg, err); \
	}

/* First: a VGA is where guests have it, in slot 1.  fn adds no devices. */
static int each_pci(struct domain_def *def, place_fn *fn, void *arg,
		    struct error *err)
{
	int r = 0;

	EACH(videos, n_videos, video_is_pci(it), false);
	EACH(controllers, n_controllers, controller_is_pci(it),
	     !is_on_root(it));
	EACH(ifaces, n_ifaces, true, true);
	EACH(disks, n_disks, str_eq(it->target_bus, "virtio"), true);
	EACH(inputs, n_inputs, str_eq(it->bus, "virtio"), true);
	if (r == 0 && !str_eq(def->memballoon.model, "none"))
		r = fn(def, &def->memballoon.info, true, arg, err);
	EACH(rngs, n_rngs, true, true);
	EACH(hostdevs, n_hostdevs, it->type == HOSTDEV_PCI, true);
	EACH(watchdogs, n_watchdogs, str_eq(it->model, "i6300esb"), false);
	EACH(panics, n_panics, str_eq(it->model, "pvpanic"), false);
	EACH(filesystems, n_filesystems, true, true);
	EACH(vsocks, n_vsocks, true, true);
	EACH(memories, n_memories, !memory_is_dimm(it), true);
	return r;
}

static bool wants_ports(const struct domain_def *def)
{
	return str_eq(def->os.machine, "q35") && def->virt != DOM_VIRT_TEST;
}

static int place(struct domain_def *def, struct dom_info *info, bool express,
		 void *arg, struct error *err)
{
	struct dom_controller *port = NULL;

	if (!is_unset(&info->address))
		return 0;
	if (express && wants_ports(def))
		port = free_port(def);
	if (!port)
		return set_slot(def, &info->address, err);
	default_str(&info->address.type, "pci");
	info->address.bus = port->index;
	return 0;
}

static int place_videos(struct domain_def *def, struct error *err)
{
	place_fn *fn = place;
	void *arg = NULL;
	int r = 0;

	EACH(videos, n_videos, video_is_pci(it), false);
	return r;
}

/* As many as there are devices for, before the first gets one: they are
 * devices, too, which would move the others. */
static int count(struct domain_def *def, struct dom_info *info, bool express,
		 void *arg, struct error *err)
{
	*(unsigned int *)arg += express && is_unset(&info->address);
	return 0;
}

static int add_ports(struct domain_def *def, struct error *err)
{
	unsigned int wanted = 0, there = 0;
	int r = 0;

	each_pci(def, count, &wanted, err);
	for (unsigned int i = 0; i < def->n_controllers; i++)
		there += is_port(&def->controllers[i]) &&
			 !bus_used(def, def->controllers[i].index);
	for (; r == 0 && there < wanted; there++)
		r = add_port(def, err);
	return r;
}

int domain_place_hot(struct domain_def *def, struct dom_info *info,
		     struct error *err)
{
	struct dom_controller *port = free_port(def);

	if (!is_unset(&info->address))
		return 0;
	if (!port)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "No more available PCI slots: add a <controller type='pci' model='pcie-root-port'/> to the definition and start the domain anew");
	default_str(&info->address.type, "pci");
	info->address.bus = port->index;
	return 0;
}

static bool below_port(const struct domain_def *def, unsigned int bus)
{
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (is_port(&def->controllers[i]) &&
		    def->controllers[i].index == (int)bus)
			return true;
	return false;
}

static int check_address(const struct domain_def *def,
			 const struct dom_address *a, struct error *err)
{
	if (!is_pci(a) || is_unset(a))
		return 0;
	if (a->domain)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Only PCI domain 0 is available, not 0x%04x",
				  a->domain);
	if (a->slot && below_port(def, a->bus))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Invalid PCI address %04x:%02x:%02x.%x: slot must be 0 below a pcie-root-port",
				  a->domain, a->bus, a->slot, a->function);
	return 0;
}

static int check_double(const struct domain_def *def, unsigned int i,
			struct error *err)
{
	const struct dom_address *a = &domain_info(def, i)->address;

	for (unsigned int j = 0; j < i; j++) {
		if (!same(a, &domain_info(def, j)->address) || is_unset(a))
			continue;
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Attempted double use of PCI Address "
				  "%04x:%02x:%02x.%x", a->domain, a->bus,
				  a->slot, a->function);
	}
	return 0;
}

int domain_complete_addresses(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && domain_info(def, i); i++)
		r = check_double(def, i, err);
	if (r == 0) /* a VGA's slot is not a port's */
		r = place_videos(def, err);
	if (r == 0)
		r = place_ports(def, err);
	if (r == 0)
		r = add_named_buses(def, err);
	for (unsigned int i = 0; r == 0 && domain_info(def, i); i++)
		r = check_address(def, &domain_info(def, i)->address, err);
	if (r == 0 && wants_ports(def))
		r = add_ports(def, err);
	return r < 0 ? r : each_pci(def, place, NULL, err);
}
