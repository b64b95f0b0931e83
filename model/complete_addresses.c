/*
 * model/complete_addresses.c -- stable PCI addresses.
 *
 * Devices without an address get the first free slot of bus 0; the address
 * is written back, so a definition keeps its addresses whatever is added
 * later.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"

enum {
	FIRST_SLOT = 1,	 /* 0 is the host bridge */
	LAST_SLOT = 30,	 /* 31 is the LPC bridge's and its SATA's */
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

static bool slot_used(const struct domain_def *def, unsigned int slot)
{
	struct dom_info *info;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (is_pci(&info->address) && !info->address.bus &&
		    info->address.slot == slot)
			return true;
	return false;
}

static int place(const struct domain_def *def, struct dom_info *info,
		 struct error *err)
{
	struct dom_address *a = &info->address;
	unsigned int slot = FIRST_SLOT;

	if (!is_unset(a))
		return 0;
	while (slot <= LAST_SLOT && slot_used(def, slot))
		slot++;
	if (slot > LAST_SLOT)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "No more available PCI slots");
	default_str(&a->type, "pci");
	a->slot = slot;
	return 0;
}

/* The root itself and what sits on another bus have no place on PCI. */
static bool controller_is_pci(const struct dom_controller *c)
{
	static const char *const types[] = { "virtio-serial", "scsi", "sata",
					     "nvme", "usb" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(c->type, types[i]))
			return !str_eq(c->model, "none");
	return str_eq(c->type, "pci") && !str_eq(c->model, "pcie-root") &&
	       !str_eq(c->model, "pci-root");
}

static int place_controllers(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_controllers; i++)
		if (controller_is_pci(&def->controllers[i]))
			r = place(def, &def->controllers[i].info, err);
	return r;
}

static int place_ifaces(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_ifaces; i++)
		r = place(def, &def->ifaces[i].info, err);
	return r;
}

static int place_disks(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_bus, "virtio"))
			r = place(def, &def->disks[i].info, err);
	return r;
}

static int place_rest(struct domain_def *def, struct error *err)
{
	int r = 0;

	if (!str_eq(def->memballoon.model, "none"))
		r = place(def, &def->memballoon.info, err);
	for (unsigned int i = 0; r == 0 && i < def->n_rngs; i++)
		r = place(def, &def->rngs[i].info, err);
	for (unsigned int i = 0; r == 0 && i < def->n_watchdogs; i++)
		if (str_eq(def->watchdogs[i].model, "i6300esb"))
			r = place(def, &def->watchdogs[i].info, err);
	for (unsigned int i = 0; r == 0 && i < def->n_panics; i++)
		if (str_eq(def->panics[i].model, "pvpanic"))
			r = place(def, &def->panics[i].info, err);
	for (unsigned int i = 0; r == 0 && i < def->n_filesystems; i++)
		r = place(def, &def->filesystems[i].info, err);
	for (unsigned int i = 0; r == 0 && i < def->n_vsocks; i++)
		r = place(def, &def->vsocks[i].info, err);
	return r;
}

/* First: a VGA is where guests have it, in slot 1. */
static int place_videos(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_videos; i++)
		if (!str_eq(def->videos[i].model, "none"))
			r = place(def, &def->videos[i].info, err);
	return r;
}

static int place_inputs(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_inputs; i++)
		if (str_eq(def->inputs[i].bus, "virtio"))
			r = place(def, &def->inputs[i].info, err);
	return r;
}

static int check_address(const struct dom_address *a, struct error *err)
{
	if (!is_pci(a) || !a->domain)
		return 0;
	return error_virt(err, VIR_ERR_XML_ERROR,
			  "Only PCI domain 0 is available, not 0x%04x",
			  a->domain);
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
	return check_address(a, err);
}

int domain_complete_addresses(struct domain_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && domain_info(def, i); i++)
		r = check_double(def, i, err);
	if (r == 0)
		r = place_videos(def, err);
	if (r == 0)
		r = place_controllers(def, err);
	if (r == 0)
		r = place_ifaces(def, err);
	if (r == 0)
		r = place_disks(def, err);
	if (r == 0)
		r = place_inputs(def, err);
	return r < 0 ? r : place_rest(def, err);
}
