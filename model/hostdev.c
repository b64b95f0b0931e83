/*
 * model/hostdev.c -- the host's PCI functions that a definition names.
 */
#include "base/util.h"
#include "model/domain.h"

bool address_same_pci(const struct dom_address *a,
		      const struct dom_address *b)
{
	return a->domain == b->domain && a->bus == b->bus &&
	       a->slot == b->slot && a->function == b->function;
}

static struct dom_host_pci of_hostdev(const struct dom_hostdev *h)
{
	return (struct dom_host_pci){ &h->info, &h->source,
				      str_eq(h->managed, "yes"), NULL };
}

static struct dom_host_pci of_iface(const struct dom_iface *i)
{
	return (struct dom_host_pci){ &i->info, &i->source_pci,
				      str_eq(i->managed, "yes"), i };
}

bool domain_host_pci(const struct domain_def *def, unsigned int i,
		     struct dom_host_pci *ret_pci)
{
	for (unsigned int j = 0; j < def->n_hostdevs; j++) {
		if (def->hostdevs[j].type != HOSTDEV_PCI || i--)
			continue;
		*ret_pci = of_hostdev(&def->hostdevs[j]);
		return true;
	}
	for (unsigned int j = 0; j < def->n_ifaces; j++) {
		if (def->ifaces[j].type != IFACE_HOSTDEV || i--)
			continue;
		*ret_pci = of_iface(&def->ifaces[j]);
		return true;
	}
	return false;
}
