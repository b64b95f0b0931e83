/*
 * drivers/launch_port.c -- PCI's bridges: root ports, and one to conventional
 * PCI.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

static bool is_root(const struct dom_controller *c)
{
	return !c->model || str_eq(c->model, "pcie-root") ||
	       str_eq(c->model, "pci-root");
}

static bool is_port(const struct dom_controller *c)
{
	return str_eq(c->model, "pcie-root-port");
}

int launch_check_port(const struct dom_controller *c, struct error *err)
{
	uint64_t port;

	if (is_root(c))
		return c->index ? refuse(err, "<controller type='pci'>: index %d has no model, use 'pcie-root-port'",
					 c->index) :
				  0;
	if (!is_port(c) && !str_eq(c->model, "pcie-to-pci-bridge"))
		return refuse(err, "<controller type='pci'>: model '%s' is not supported, use 'pcie-root-port'",
			      c->model);
	if (c->index < 1 || c->index > 255 || c->chassis > 255)
		return refuse(err, "<controller type='pci'>: index and chassis are at most 255");
	if (c->port && parse_u64(c->port, 0, 255, &port) < 0)
		return refuse(err, "<controller type='pci'>: <target port='%s'> is not a number up to 0xff",
			      c->port);
	return 0;
}

static void build(const struct dom_controller *c, struct spec_port *s)
{
	uint64_t number = 0;

	if (c->port)
		parse_u64(c->port, 0, 255, &number);
	launch_set_id(&s->id, &c->info, "pci.", c->index);
	s->kind = is_port(c) ? PORT_ROOT : PORT_TO_PCI;
	s->index = c->index;
	s->number = number;
	s->chassis = c->chassis;
	s->no_hotplug = str_eq(c->hotplug, "off");
	launch_set_place(&s->pci, &c->info);
}

/* A bridge after the one that it is below. */
static int by_depth(const void *a, const void *b)
{
	const struct spec_port *p = a, *q = b;
	int depth = (p->pci.bus > 0) - (q->pci.bus > 0);

	return depth ? depth : (int)p->index - (int)q->index;
}

void launch_build_ports(const struct domain_def *def, struct vmm_spec *s)
{
	s->ports = xcalloc(def->n_controllers, sizeof(*s->ports));
	for (unsigned int i = 0; i < def->n_controllers; i++)
		if (str_eq(def->controllers[i].type, "pci") &&
		    !is_root(&def->controllers[i]))
			build(&def->controllers[i], &s->ports[s->n_ports++]);
	qsort(s->ports, s->n_ports, sizeof(*s->ports), by_depth);
}
