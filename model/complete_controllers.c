/*
 * model/complete_controllers.c -- the controllers that devices need.
 */
#include <stdlib.h>
#include <string.h>

#include "model/complete.h"
#include "model/xml.h"

static struct dom_controller *find(const struct domain_def *def,
				   const char *type, int index)
{
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (str_eq(def->controllers[i].type, type) &&
		    def->controllers[i].index == index)
			return &def->controllers[i];
	return NULL;
}

static void need(struct domain_def *def, const char *type, unsigned int index,
		 const char *model)
{
	struct dom_controller *c = find(def, type, index);

	if (!c) {
		c = def_append(def->controllers, def->n_controllers);
		c->type = xstrdup(type);
		c->index = index;
	}
	if (model)
		default_str(&c->model, model);
}

/* One without an index takes the first that is free for its type. */
static void complete_index(struct domain_def *def, struct dom_controller *c)
{
	/* 0 is the root. */
	int index = str_eq(c->type, "pci") && c->model &&
		    !str_eq(c->model, "pcie-root") &&
		    !str_eq(c->model, "pci-root");

	if (c->index >= 0)
		return;
	while (find(def, c->type, index))
		index++;
	c->index = index;
}

static void need_for_disk(struct domain_def *def, const struct dom_disk *disk)
{
	const char *bus = disk->target_bus;
	unsigned int index = disk->info.address.controller;

	if (!str_eq(disk->info.address.type, "drive"))
		return;
	if (str_eq(bus, "scsi"))
		need(def, bus, index, "virtio-scsi");
	else
		need(def, bus, index, NULL);
}

static bool on_virtio_serial(const struct dom_char *chr)
{
	return (chr->kind == CHAR_CHANNEL || chr->kind == CHAR_CONSOLE) &&
	       str_eq(chr->target_type, "virtio");
}

static bool port_taken(const struct domain_def *def,
		       const struct dom_address *self, unsigned int port)
{
	for (unsigned int i = 0; i < def->n_chars; i++) {
		const struct dom_address *a = &def->chars[i].info.address;

		if (a != self && str_eq(a->type, "virtio-serial") &&
		    a->controller == self->controller && a->port == port)
			return true;
	}
	return false;
}

/* Port 0 is for a console (virtio 1.2, 5.3.4), so channels start at 1. */
static void place_char(struct domain_def *def, struct dom_char *chr)
{
	struct dom_address *a = &chr->info.address;

	if (a->type)
		return;
	a->type = xstrdup("virtio-serial");
	a->port = chr->kind == CHAR_CHANNEL;
	while (port_taken(def, a, a->port))
		a->port++;
}

/* Devices that are only kept have ports, too. */
static bool kept_on_usb(const struct domain_def *def, const char *port)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	bool found = false;
	const xmlNode *c;

	if (!def->devices_extra ||
	    xml_parse(def->devices_extra, NULL, &doc, NULL) < 0)
		return false;
	c = xml_child(xmlDocGetRootElement(doc), NULL);
	for (; c && !found; c = xml_next(c, NULL)) {
		const xmlNode *at = xml_child(c, "address");
		_cleanup_free_ char *own = at ? xml_attr(at, "port") : NULL;

		found = str_eq(own, port);
	}
	return found;
}

static bool usb_taken(const struct domain_def *def,
		      const struct dom_address *self, const char *port)
{
	struct dom_info *info;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (&info->address != self &&
		    str_eq(info->address.type, "usb") &&
		    info->address.bus == self->bus &&
		    str_eq(info->address.usb_port, port))
			return true;
	return !self->bus && kept_on_usb(def, port);
}

static char *free_usb_port(const struct domain_def *def,
			   const struct dom_address *a)
{
	for (unsigned int n = 1;; n++) {
		_cleanup_free_ char *port = xasprintf("%u", n);

		if (!usb_taken(def, a, port))
			return steal_ptr(&port);
	}
}

/* Devices on USB: a controller, and a port of it. */
static void place_usb(struct domain_def *def, struct dom_address *a)
{
	default_str(&a->type, "usb");
	if (!str_eq(a->type, "usb"))
		return;
	if (!a->usb_port)
		a->usb_port = free_usb_port(def, a);
	a->port = strtoul(a->usb_port, NULL, 10);
	need(def, "usb", a->bus, "qemu-xhci");
}

static void need_usb(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_inputs; i++)
		if (str_eq(def->inputs[i].bus, "usb"))
			place_usb(def, &def->inputs[i].info.address);
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_bus, "usb"))
			place_usb(def, &def->disks[i].info.address);
}

void domain_complete_controllers(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_controllers; i++) {
		complete_index(def, &def->controllers[i]);
		if (str_eq(def->controllers[i].type, "usb"))
			default_str(&def->controllers[i].model, "qemu-xhci");
	}
	need(def, "pci", 0, os_is_i440fx(&def->os) ? "pci-root" : "pcie-root");
	need_usb(def);
	for (unsigned int i = 0; i < def->n_disks; i++)
		need_for_disk(def, &def->disks[i]);
	for (unsigned int i = 0; i < def->n_chars; i++) {
		struct dom_char *chr = &def->chars[i];

		if (!on_virtio_serial(chr))
			continue;
		place_char(def, chr);
		need(def, "virtio-serial", chr->info.address.controller,
		     NULL);
	}
}
