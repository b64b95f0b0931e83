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

enum { MACHINES_MAX = 8, DRIVERS_SHOWN = 32 };

/* In the order clients should prefer them; the test type is not a host's. */
static const enum dom_virt offered[] = { DOM_VIRT_KVM, DOM_VIRT_QEMU,
					 DOM_VIRT_VIREO };

static const char *emulator_of(const struct loaded_driver *l)
{
	return l->caps.emulator ? l->caps.emulator : caps_emulator();
}

static const char *emulator_named(const char *emulator)
{
	return emulator ? emulator : caps_emulator();
}

static unsigned int list_machines(const struct loaded_driver *l,
				  struct caps_machine machines[MACHINES_MAX])
{
	const char *const *name = l->caps.machines;
	unsigned int n = 0;

	for (; name && *name && n < MACHINES_MAX; name++)
		machines[n++] = (struct caps_machine){
			.name = *name,
			.max_vcpus = l->caps.max_vcpus,
		};
	return n;
}

static unsigned int list_drivers(struct caps_driver drivers[DRIVERS_SHOWN])
{
	const struct loaded_driver *const *l = drivers_loaded();
	unsigned int n = 0;

	for (; *l && n < DRIVERS_SHOWN; l++)
		drivers[n++] = (struct caps_driver){
			.name = (*l)->driver->name,
			.usable = (*l)->caps.usable,
			.why = (*l)->caps.why,
		};
	return n;
}

char *capabilities_xml(struct error *err)
{
	struct caps_host host = *hostcaps();
	struct caps_guest guests[ARRAY_SIZE(offered)];
	struct caps_machine machines[ARRAY_SIZE(offered)][MACHINES_MAX];
	struct caps_driver drivers[DRIVERS_SHOWN];

	host.n_guests = 0;
	host.guests = guests;
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		const struct loaded_driver *l = driver_for(offered[i], NULL);

		if (l)
			guests[host.n_guests++] = (struct caps_guest){
				.virt = offered[i],
				.emulator = emulator_of(l),
				.n_machines = list_machines(l, machines[i]),
				.machines = machines[i],
			};
	}
	host.n_drivers = list_drivers(drivers);
	host.drivers = drivers;
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
			   virttype, emulator_named(emulator),
			   why.message);
	return l;
}

/* The machine that a definition with this name gets, if the driver has it. */
static const char *machine_named(const struct loaded_driver *l,
				 const char *name)
{
	const char *const *m = l->caps.machines;

	if (!m)
		return name; /* it does not say what it has */
	if (!name)
		return m[0];
	if (str_eq(name, "pc") || str_startswith(name, "pc-"))
		name = "q35";
	for (; *m; m++)
		if (str_eq(*m, name))
			return *m;
	return NULL;
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
	name = machine_named(l, machine);
	if (name)
		return format(l, virt, name);
	error_virt(err, VIR_ERR_INVALID_ARG,
		   "the machine '%s' is not supported by emulator '%s'",
		   machine ? machine : "", emulator_named(emulator));
	return NULL;
}
