/*
 * daemon/capabilities.c -- what this host offers: its own facts, and what the
 * loaded drivers found when they probed it.
 */
#include "model/capabilities.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "daemon/domain.h"
#include "daemon/hostcaps.h"
#include "model/domcaps.h"
#include "model/names.h"

#define VMM_PATH SBINDIR "/vireo-vmm"

enum { MACHINES_MAX = 8 };

/* In the order clients should prefer them; the test type is not a host's. */
static const enum dom_virt offered[] = { DOM_VIRT_KVM, DOM_VIRT_QEMU,
					 DOM_VIRT_VIREO };

static const char *emulator_of(const struct loaded_driver *l)
{
	return l->caps.emulator ? l->caps.emulator : VMM_PATH;
}

/* A driver that names no machines has all that the model knows. */
static bool has_machine(const struct loaded_driver *l, const char *name)
{
	const char *const *have = l->caps.machines;

	for (size_t i = 0; have && have[i]; i++)
		if (str_eq(have[i], name))
			return true;
	return !have;
}

static const char *canonical(const struct caps_machine *m)
{
	return m->canonical ? m->canonical : m->name;
}

static unsigned int machines_of(const struct loaded_driver *l,
				struct caps_machine ret[])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < caps_n_machines; i++)
		if (n < MACHINES_MAX &&
		    has_machine(l, canonical(&caps_machines[i])))
			ret[n++] = caps_machines[i];
	return n;
}

char *capabilities_xml(struct error *err)
{
	struct caps_host host = *hostcaps();
	struct caps_guest guests[ARRAY_SIZE(offered)];
	struct caps_machine machines[ARRAY_SIZE(offered)][MACHINES_MAX];

	host.n_guests = 0;
	host.guests = guests;
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		const struct loaded_driver *l = driver_for(offered[i], NULL);

		if (l)
			guests[host.n_guests++] = (struct caps_guest){
				.virt = offered[i],
				.emulator = emulator_of(l),
				.n_machines = machines_of(l, machines[i]),
				.machines = machines[i],
			};
	}
	return capabilities_format(&host);
}

/* ---- domain capabilities ---- */

static const struct loaded_driver *default_driver(enum dom_virt *ret_virt,
						  struct error *err)
{
	const struct loaded_driver *l = NULL;

	for (size_t i = 0; !l && i < ARRAY_SIZE(offered); i++) {
		*ret_virt = offered[i];
		l = driver_for(offered[i], err);
	}
	return l;
}

static const struct loaded_driver *named_driver(const char *virttype,
						const char *emulator,
						enum dom_virt *ret_virt,
						struct error *err)
{
	int virt = words_value(&words_virt, virttype);
	const struct loaded_driver *l;
	struct error why = { 0 };

	if (virt < 0) {
		error_virt(err, VIR_ERR_INVALID_ARG, "unknown virttype: %s",
			   virttype);
		return NULL;
	}
	*ret_virt = virt;
	l = driver_for(virt, &why);
	if (!l)
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "the accel '%s' is not supported by '%s' on this "
			   "host: %s",
			   virttype, emulator ? emulator : VMM_PATH,
			   why.message);
	return l;
}

/* Old names stay usable: every PC machine is ours, as in definitions. */
static const char *machine_named(const char *name)
{
	if (str_startswith(name, "pc-"))
		return "q35";
	for (unsigned int i = 0; i < caps_n_machines; i++)
		if (str_eq(caps_machines[i].name, name))
			return canonical(&caps_machines[i]);
	return NULL;
}

/* The one asked for, or the driver's best; NULL: it has no such machine. */
static const char *machine_for(const struct loaded_driver *l, const char *name)
{
	if (!name)
		return has_machine(l, "q35") ? "q35" : l->caps.machines[0];
	name = machine_named(name);
	return name && has_machine(l, name) ? name : NULL;
}

static char *format(const struct loaded_driver *l, enum dom_virt virt,
		    const char *machine)
{
	const char *const *models = l->caps.cpu_models;
	struct domcaps caps = { 0 };

	domcaps_defaults(&caps);
	caps.path = emulator_of(l);
	caps.virt = virt;
	caps.machine = machine;
	caps.arch = "x86_64";
	caps.max_vcpus = l->caps.max_vcpus;
	caps.host_passthrough = true;
	caps.maximum = true;
	caps.cpu_models = models && models[0] ? models : NULL;
	return domcaps_format(&caps);
}

char *domain_capabilities_xml(const char *emulator, const char *arch,
			      const char *machine, const char *virttype,
			      struct error *err)
{
	const struct loaded_driver *l;
	const char *name;
	enum dom_virt virt;

	if (arch && strcmp(arch, "x86_64") != 0) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "unable to find any emulator to serve '%s' "
			   "architecture",
			   arch);
		return NULL;
	}
	l = virttype ? named_driver(virttype, emulator, &virt, err) :
		       default_driver(&virt, err);
	if (!l)
		return NULL;
	name = machine_for(l, machine);
	if (!name) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "the machine '%s' is not supported by emulator "
			   "'%s'",
			   machine ? machine : "", emulator_of(l));
		return NULL;
	}
	return format(l, virt, name);
}
