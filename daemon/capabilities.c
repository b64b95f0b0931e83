/*
 * daemon/capabilities.c -- what this host offers: its own facts, and what the
 * loaded drivers found when they probed it.
 */
#include "model/capabilities.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "daemon/domain.h"
#include "daemon/guestcpu.h"
#include "daemon/hostcaps.h"
#include "model/domcaps.h"
#include "model/firmware.h"
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

/* ---- its CPU ---- */

static const char **features_with(const struct dom_cpu *cpu,
				  enum dom_cpu_policy policy)
{
	const char **names = xcalloc(cpu->n_features + 1, sizeof(*names));
	unsigned int n = 0;

	for (unsigned int i = 0; i < cpu->n_features; i++) {
		if (cpu->features[i].policy == policy)
			names[n++] = cpu->features[i].name;
	}
	return names;
}

static const char **feature_names(const struct cpu_set *set)
{
	unsigned int n = 0;
	const char **names = xcalloc(cpu_set_count(set) + 1, sizeof(*names));

	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		if (cpu_set_test(set, i))
			names[n++] = cpu_feature_name(i);
	}
	return names;
}

static struct domcaps_model *list_models(const struct cpu_set *have,
					 unsigned int *ret_n)
{
	struct domcaps_model *list = NULL;
	unsigned int n = 0;

	for (const struct cpu_model *m; (m = cpu_model_at(n)); n++) {
		struct cpu_set lacks = cpu_model_lacks(m, have);

		list = xrealloc(list, n + 1, sizeof(*list));
		list[n] = (struct domcaps_model){
			.name = m->name,
			.vendor = cpu_vendor_name(m->vendor),
			.blockers = feature_names(&lacks),
		};
	}
	*ret_n = n;
	return list;
}

static void free_models(struct domcaps_model *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free((void *)list[i].blockers);
	free(list);
}

static char *format_with_cpu(const struct loaded_driver *l,
			     struct domcaps *caps)
{
	struct x86_cpuid *host = (struct x86_cpuid *)&l->caps.cpuid;
	struct domcaps_model *models;
	struct cpu_set have;
	struct dom_cpu cpu;
	char *xml;

	cpu_set_read(&have, host);
	models = list_models(&have, &caps->n_cpu_models);
	guestcpu_host_model(host, &cpu);
	caps->cpu_models = models;
	caps->host_model = cpu.model;
	caps->host_vendor = cpu.vendor;
	caps->host_features = features_with(&cpu, CPU_POLICY_REQUIRE);
	caps->host_disabled = features_with(&cpu, CPU_POLICY_DISABLE);
	xml = domcaps_format(caps);
	free((void *)caps->host_features);
	free((void *)caps->host_disabled);
	cpu_def_finish(&cpu);
	free_models(models, caps->n_cpu_models);
	return xml;
}

static char *format(const struct loaded_driver *l, enum dom_virt virt,
		    const char *machine)
{
	bool pc = str_eq(machine, "q35");
	const char **loaders = pc ? firmware_loaders("efi") : NULL;
	const char *const kinds[] = { "bios", loaders ? "efi" : NULL, NULL };
	struct domcaps caps = { 0 };
	char *xml;

	domcaps_defaults(&caps);
	caps.firmware = pc ? kinds : NULL;
	caps.loaders = loaders;
	caps.path = emulator_of(l);
	caps.virt = virt;
	caps.machine = machine;
	caps.arch = "x86_64";
	caps.max_vcpus = l->caps.max_vcpus;
	caps.host_passthrough = true;
	caps.maximum = true;
	xml = l->caps.cpuid.n ? format_with_cpu(l, &caps) :
				domcaps_format(&caps);
	free(loaders);
	return xml;
}

const struct loaded_driver *domain_capabilities_driver(
	const char *emulator, const char *arch, const char *machine,
	const char *virttype, enum dom_virt *ret_virt,
	const char **ret_machine, struct error *err)
{
	const struct loaded_driver *l;

	if (arch && strcmp(arch, "x86_64") != 0) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "unable to find any emulator to serve '%s' "
			   "architecture",
			   arch);
		return NULL;
	}
	l = virttype ? named_driver(virttype, emulator, ret_virt, err) :
		       default_driver(ret_virt, err);
	if (!l)
		return NULL;
	*ret_machine = machine_named(l, machine);
	if (*ret_machine)
		return l;
	error_virt(err, VIR_ERR_INVALID_ARG,
		   "the machine '%s' is not supported by emulator '%s'",
		   machine ? machine : "", emulator_named(emulator));
	return NULL;
}

char *domain_capabilities_xml(const char *emulator, const char *arch,
			      const char *machine, const char *virttype,
			      struct error *err)
{
	const char *name;
	enum dom_virt virt;
	const struct loaded_driver *l = domain_capabilities_driver(
		emulator, arch, machine, virttype, &virt, &name, err);

	return l ? format(l, virt, name) : NULL;
}
