/*
 * drivers/launch_hostdev.c -- PCI functions of the host's for a machine.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

enum { VLAN_LAST = 4094 };

static int refuse(struct error *err, const char *what)
{
	return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", what);
}

int launch_check_hostdev(const struct dom_hostdev *h, struct error *err)
{
	if (h->type == HOSTDEV_SCSI)
		return refuse(err, "<hostdev type='scsi'> is not supported; use <disk type='block' device='lun'> with the unit's block device on bus='scsi'");
	if (!str_eq(h->mode, "subsystem") || h->type != HOSTDEV_PCI)
		return refuse(err, "<hostdev>: only mode='subsystem' type='pci' is supported");
	if (h->driver && !str_eq(h->driver, "vfio"))
		return refuse(err, "<hostdev>: its driver can be 'vfio' only");
	return 0;
}

int launch_check_hostdev_iface(const struct dom_iface *i, struct error *err)
{
	if (!str_eq(i->source_pci.type, "pci"))
		return refuse(err, "<interface type='hostdev'>: its source can be on PCI only");
	if (i->link_state || i->mtu || i->target_dev)
		return refuse(err, "<interface type='hostdev'>: link state, MTU and target device are the card's own");
	if (i->vlan.n_tags > 1 || i->vlan.trunk)
		return refuse(err, "<interface type='hostdev'>: its <vlan> can have one tag only");
	if (i->vlan.n_tags && i->vlan.tags[0].id > VLAN_LAST)
		return refuse(err, "<interface type='hostdev'>: VLANs have numbers up to 4094");
	return 0;
}

static unsigned int vlan_of(const struct dom_iface *i)
{
	return i->vlan.n_tags ? i->vlan.tags[0].id : 0;
}

static struct host_pci of(const struct dom_address *a)
{
	return (struct host_pci){ a->domain, a->bus, a->slot, a->function };
}

/* ---- before, and after ---- */

static int prepare(const struct dom_host_pci *p, struct error *err)
{
	struct host_pci pci = of(p->source);
	int r = 0;

	if (p->iface)
		r = host_set_vf(&pci, p->iface->mac, vlan_of(p->iface), err);
	if (r == 0 && p->managed)
		r = host_pci_detach(&pci, err);
	return r;
}

/* Those of one group have to leave the host's drivers together. */
static int prepare_all(const struct domain_def *def, struct error *err)
{
	struct dom_host_pci p;
	int r = 0;

	for (unsigned int i = 0; r == 0 && domain_host_pci(def, i, &p); i++)
		r = prepare(&p, err);
	return r;
}

/* ---- opening ---- */

/* Whether another one of the definition's, before or beside it, has the group
 * open already. */
static int find_holder(const struct domain_def *def, const char *alias,
		       unsigned int before, int group, bool *ret_held,
		       struct error *err)
{
	struct dom_host_pci p;
	struct host_pci_info info;
	int r = 0;

	*ret_held = false;
	for (unsigned int i = 0; r == 0 && !*ret_held && i < before &&
				 domain_host_pci(def, i, &p); i++) {
		struct host_pci pci = of(p.source);

		if (str_eq(p.info->alias, alias))
			continue;
		r = host_pci_info(&pci, &info, err);
		*ret_held = r == 0 && info.group == group;
	}
	return r;
}

static int open_device(const struct domain_def *def, unsigned int before,
		       const struct dom_host_pci *p, struct spec_hostdev *s,
		       struct error *err)
{
	struct host_pci pci = of(p->source);
	struct host_pci_info info;
	bool held = false;
	int r = host_pci_info(&pci, &info, err);

	if (r == 0 && info.group >= 0)
		r = find_holder(def, p->info->alias, before, info.group,
				&held, err);
	if (r == 0 && !held)
		return host_open_vfio(&pci, err, &s->group, &s->group_fd,
				      &s->container_fd);
	s->group = (unsigned int)info.group;
	return r;
}

static int build_rom(const struct dom_hostdev *h, struct spec_hostdev *s,
		     struct error *err)
{
	s->no_rom = str_eq(h->rom_bar, "off") || str_eq(h->rom_enabled, "no");
	if (s->no_rom || !h->rom_file)
		return 0;
	return host_open_file(h->rom_file, err, &s->rom_fd);
}

static int build(const struct domain_def *def, unsigned int before,
		 const struct dom_host_pci *p, struct spec_hostdev *s,
		 struct error *err)
{
	const struct dom_address *a = p->source;
	int r = 0;

	s->group_fd = s->container_fd = s->rom_fd = -1;
	launch_set_id(&s->id, p->info, "hostdev", before);
	s->name = xasprintf("%04x:%02x:%02x.%x", a->domain, a->bus, a->slot,
			    a->function);
	s->boot_index = p->info->boot_order;
	launch_set_place(&s->pci, p->info);
	if (!p->iface)
		r = build_rom(container_of(p->info, struct dom_hostdev, info),
			      s, err);
	return r < 0 ? r : open_device(def, before, p, s, err);
}

int launch_build_hostdevs(const struct domain_def *def, struct vmm_spec *s,
			  struct error *err)
{
	struct dom_host_pci p;
	int r = prepare_all(def, err);

	for (unsigned int i = 0; r == 0 && domain_host_pci(def, i, &p); i++) {
		s->hostdevs = xrealloc(s->hostdevs, i + 1,
				       sizeof(*s->hostdevs));
		memset(&s->hostdevs[i], 0, sizeof(*s->hostdevs));
		s->n_hostdevs++;
		r = build(def, i, &p, &s->hostdevs[i], err);
	}
	return r;
}

bool launch_has_hostdevs(const struct domain_def *def)
{
	struct dom_host_pci p;

	return domain_host_pci(def, 0, &p);
}

/* ---- one that is plugged in ---- */

static int plug_one(struct domain *dom, const struct domain_def *def,
		    const struct dom_host_pci *p, struct vmm_spec *s,
		    struct error *err)
{
	int r = prepare(p, err);

	if (r == 0)
		r = host_memlock_vmm(dom->uuid, err);
	if (r < 0)
		return r;
	s->hostdevs = xcalloc(1, sizeof(*s->hostdevs));
	s->n_hostdevs = 1;
	return build(def, UINT32_MAX, p, s->hostdevs, err);
}

int launch_plug_hostdev(struct domain *dom, const struct domain_def *def,
			const struct dom_info *info, struct vmm_spec *s,
			struct error *err)
{
	struct dom_host_pci p;

	for (unsigned int i = 0; domain_host_pci(def, i, &p); i++)
		if (p.info == info)
			return plug_one(dom, def, &p, s, err);
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "host devices of this type cannot be attached to a running domain");
}
