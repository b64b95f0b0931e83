/*
 * daemon/hostdev.c -- which domain has which of the host's PCI functions, and
 * what becomes of them afterwards.
 *
 * A function belongs to the domain that has it in its live definition.  That
 * is set before anything is opened, so of two that start at once at least one
 * sees the other.
 */
#include "daemon/hostdev.h"

#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "domain"
#include "base/log.h"

static bool is_it(const struct dom_address *a, const struct host_pci *pci)
{
	return a->domain == pci->domain && a->bus == pci->bus &&
	       a->slot == pci->slot && a->function == pci->function;
}

static bool has(const struct domain_def *def, const struct host_pci *pci)
{
	struct dom_host_pci p;

	for (unsigned int i = 0; domain_host_pci(def, i, &p); i++)
		if (is_it(p.source, pci))
			return true;
	return false;
}

static struct host_pci of(const struct dom_address *a)
{
	return (struct host_pci){ a->domain, a->bus, a->slot, a->function };
}

/* The name of a domain that runs, but for one, with it; caller frees. */
static char *find_user(struct registry *reg, const struct dom_obj *but,
		       const struct host_pci *pci)
{
	char *name = NULL;

	pthread_mutex_lock(&reg->lock);
	for (struct dom_obj *o = reg->first; o && !name; o = o->next) {
		const struct domain_def *live =
			o->active ? obj_live_locked(o) : NULL;

		if (o != but && live && has(live, pci))
			name = xstrdup(o->d.name);
	}
	pthread_mutex_unlock(&reg->lock);
	return name;
}

static int check(struct registry *reg, const struct dom_obj *but,
		 const struct host_pci *pci, struct error *err)
{
	_cleanup_free_ char *user = find_user(reg, but, pci);

	if (!user)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "PCI device %04x:%02x:%02x.%x is in use by driver vireo, domain %s",
			  pci->domain, pci->bus, pci->slot, pci->function,
			  user);
}

int hostdev_check_unused(struct registry *reg, const struct host_pci *pci,
			 struct error *err)
{
	return check(reg, NULL, pci, err);
}

int hostdev_check_free(struct dom_obj *obj, const struct domain_def *def,
		       struct error *err)
{
	struct dom_host_pci p;
	int r = 0;

	for (unsigned int i = 0; r == 0 && domain_host_pci(def, i, &p); i++) {
		struct host_pci pci = of(p.source);

		r = check(obj->reg, obj, &pci, err);
	}
	return r;
}

int hostdev_check_movable(const struct dom_obj *obj, struct error *err)
{
	struct dom_host_pci p;

	if (!obj->d.live || !domain_host_pci(obj->d.live, 0, &p))
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  p.iface ? "cannot migrate a domain with <interface type='hostdev'>" :
				    "cannot migrate a domain with <hostdev mode='subsystem' type='pci'>");
}

/* ---- giving back ---- */

/* To its driver without an address of ours, if it is a network card's. */
static void give_back(struct dom_obj *obj, const struct dom_host_pci *p)
{
	static const uint8_t no_mac[6];
	const struct host_pci_ops *ops = obj->reg->host_pci;
	struct host_pci pci = of(p->source);
	struct error err = { 0 };

	if (p->iface && ops->set_vf(&pci, no_mac, 0, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
	if (p->managed && ops->reattach(&pci, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}

void hostdev_give_back(struct dom_obj *obj, const struct domain_def *def,
		       const char *alias)
{
	struct dom_host_pci p;

	if (!obj->reg->host_pci || !def)
		return;
	for (unsigned int i = 0; domain_host_pci(def, i, &p); i++) {
		struct host_pci pci = of(p.source);
		_cleanup_free_ char *user = find_user(obj->reg, obj, &pci);

		if (!user && (!alias || str_eq(alias, p.info->alias)))
			give_back(obj, &p);
	}
}
