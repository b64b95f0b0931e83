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

/* In the order clients should prefer them; the test type is not a host's. */
static const enum dom_virt offered[] = { DOM_VIRT_KVM, DOM_VIRT_QEMU,
					 DOM_VIRT_VIREO };

static const char *emulator_of(const struct loaded_driver *l)
{
	return l->caps.emulator ? l->caps.emulator : VMM_PATH;
}

char *capabilities_xml(struct error *err)
{
	struct caps_host host = *hostcaps();
	struct caps_guest guests[ARRAY_SIZE(offered)];

	host.n_guests = 0;
	host.guests = guests;
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		const struct loaded_driver *l = driver_for(offered[i], NULL);

		if (l)
			guests[host.n_guests++] = (struct caps_guest){
				.virt = offered[i],
				.emulator = emulator_of(l),
				.n_machines = caps_n_machines,
				.machines = caps_machines,
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
	if (!name || str_startswith(name, "pc-"))
		return "q35";
	for (unsigned int i = 0; i < caps_n_machines; i++)
		if (str_eq(caps_machines[i].name, name))
			return caps_machines[i].canonical ?
				       caps_machines[i].canonical :
				       caps_machines[i].name;
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
	const char *name = machine_named(machine);
	const struct loaded_driver *l;
	enum dom_virt virt;

	if (arch && strcmp(arch, "x86_64") != 0) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "unable to find any emulator to serve '%s' "
			   "architecture",
			   arch);
		return NULL;
	}
	if (!name) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "the machine '%s' is not supported by emulator "
			   "'%s'",
			   machine, emulator ? emulator : VMM_PATH);
		return NULL;
	}
	l = virttype ? named_driver(virttype, emulator, &virt, err) :
		       default_driver(&virt, err);
	return l ? format(l, virt, name) : NULL;
}
