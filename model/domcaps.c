/*
 * model/domcaps.c -- <domainCapabilities>, in the shape that libvirt
 * documents (formatdomaincaps.html).
 */
#include "model/domcaps.h"

#include "model/names.h"
#include "model/xml.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

void domcaps_defaults(struct domcaps *caps)
{
	static const char *const devices[] = { "disk", "cdrom", NULL };
	static const char *const buses[] = { "virtio", "sata", "scsi", "nvme",
					     NULL };
	static const char *const rngs[] = { "random", NULL };
	static const char *const channels[] = { "pty", "unix", NULL };
	static const char *const memory[] = { "memfd", NULL };

	caps->arch = "x86_64";
	caps->disk_devices = devices;
	caps->disk_buses = buses;
	caps->rng_backends = rngs;
	caps->channel_types = channels;
	caps->memory_sources = memory;
}

static xmlNode *add_supported(xmlNode *parent, const char *name, bool yes)
{
	xmlNode *node = xml_add(parent, name, NULL);

	xml_set(node, "supported", yes ? "yes" : "no");
	return node;
}

static void add_values(xmlNode *parent, const char *const *values)
{
	for (; values && *values; values++)
		xml_add(parent, "value", *values);
}

static void add_enum(xmlNode *parent, const char *name,
		     const char *const *values)
{
	xmlNode *node = xml_add(parent, "enum", NULL);

	xml_set(node, "name", "%s", name);
	add_values(node, values);
}

static void add_os(xmlNode *root, const struct domcaps *caps)
{
	xmlNode *os = add_supported(root, "os", true);
	xmlNode *loader;

	add_enum(os, "firmware", caps->firmware);
	loader = add_supported(os, "loader", caps->loaders != NULL);
	if (!caps->loaders)
		return;
	add_values(loader, caps->loaders);
	add_enum(loader, "type", LIST("rom", "pflash"));
	add_enum(loader, "readonly", LIST("yes"));
	add_enum(loader, "secure", LIST("yes", "no"));
}

static xmlNode *add_mode(xmlNode *cpu, const char *name, bool supported)
{
	xmlNode *mode = xml_add(cpu, "mode", NULL);

	xml_set(mode, "name", "%s", name);
	xml_set(mode, "supported", supported ? "yes" : "no");
	return mode;
}

static void add_policy(xmlNode *mode, const char *policy,
		       const char *const *features)
{
	for (; features && *features; features++) {
		xmlNode *feature = xml_add(mode, "feature", NULL);

		xml_set(feature, "policy", "%s", policy);
		xml_set(feature, "name", "%s", *features);
	}
}

static void add_host_model(xmlNode *cpu, const struct domcaps *caps)
{
	xmlNode *mode = add_mode(cpu, "host-model", caps->host_model != NULL);

	if (!caps->host_model)
		return;
	xml_set(xml_add(mode, "model", caps->host_model), "fallback",
		"forbid");
	if (caps->host_vendor)
		xml_add(mode, "vendor", caps->host_vendor);
	add_policy(mode, "require", caps->host_features);
	add_policy(mode, "disable", caps->host_disabled);
}

static void add_model(xmlNode *mode, const struct domcaps_model *model)
{
	const char *const *f = model->blockers;
	xmlNode *node = xml_add(mode, "model", model->name);

	xml_set(node, "usable", f && *f ? "no" : "yes");
	xml_set(node, "vendor", "%s", model->vendor ? model->vendor :
						      "unknown");
	if (!f || !*f)
		return;
	node = xml_add(mode, "blockers", NULL);
	xml_set(node, "model", "%s", model->name);
	for (; *f; f++)
		xml_set(xml_add(node, "feature", NULL), "name", "%s", *f);
}

static void add_models(xmlNode *cpu, const struct domcaps *caps)
{
	xmlNode *mode = add_mode(cpu, "custom", caps->n_cpu_models > 0);

	for (unsigned int i = 0; i < caps->n_cpu_models; i++)
		add_model(mode, &caps->cpu_models[i]);
}

static void add_cpu(xmlNode *root, const struct domcaps *caps)
{
	xmlNode *cpu = xml_add(root, "cpu", NULL);
	xmlNode *mode;

	mode = add_mode(cpu, "host-passthrough", caps->host_passthrough);
	if (caps->host_passthrough)
		add_enum(mode, "hostPassthroughMigratable", LIST("on", "off"));
	mode = add_mode(cpu, "maximum", caps->maximum);
	if (caps->maximum)
		add_enum(mode, "maximumMigratable", LIST("on", "off"));
	add_host_model(cpu, caps);
	add_models(cpu, caps);
}

static void add_memory_backing(xmlNode *root, const struct domcaps *caps)
{
	xmlNode *node = add_supported(root, "memoryBacking",
				      caps->memory_sources != NULL);

	if (caps->memory_sources)
		add_enum(node, "sourceType", caps->memory_sources);
}

static void add_hostdev(xmlNode *devices, const struct domcaps *caps)
{
	bool has = caps->virt != DOM_VIRT_TEST;
	xmlNode *node = add_supported(devices, "hostdev", has);

	if (!has)
		return;
	add_enum(node, "mode", LIST("subsystem"));
	add_enum(node, "startupPolicy", LIST("default"));
	add_enum(node, "subsysType", LIST("pci"));
	add_enum(node, "capsType", LIST(NULL));
	add_enum(node, "pciBackend", LIST("default", "vfio"));
}

/* The small machine has none of a VGA's ports. */
static void add_graphics(xmlNode *devices, const struct domcaps *caps)
{
	bool small = str_eq(caps->machine, "microvm");

	add_enum(add_supported(devices, "graphics", true), "type",
		 LIST("vnc"));
	add_enum(add_supported(devices, "video", true), "modelType",
		 small ? LIST("virtio", "bochs", "none") :
			 LIST("vga", "virtio", "bochs", "none"));
}

static void add_devices(xmlNode *root, const struct domcaps *caps)
{
	xmlNode *devices = xml_add(root, "devices", NULL);
	xmlNode *node = add_supported(devices, "disk",
				      caps->disk_buses != NULL);

	if (caps->disk_buses) {
		add_enum(node, "diskDevice", caps->disk_devices);
		add_enum(node, "bus", caps->disk_buses);
		add_enum(node, "model", LIST("virtio",
					     "virtio-non-transitional"));
	}
	add_graphics(devices, caps);
	add_hostdev(devices, caps);
	node = add_supported(devices, "rng", caps->rng_backends != NULL);
	if (caps->rng_backends) {
		add_enum(node, "model", LIST("virtio",
					     "virtio-non-transitional"));
		add_enum(node, "backendModel", caps->rng_backends);
	}
	add_supported(devices, "filesystem", false);
	node = add_supported(devices, "tpm", true);
	add_enum(node, "model", LIST("tpm-tis", "tpm-crb"));
	add_enum(node, "backendModel", LIST("emulator"));
	add_enum(node, "backendVersion", LIST("2.0"));
	add_supported(devices, "redirdev", false);
	node = add_supported(devices, "channel", caps->channel_types != NULL);
	if (caps->channel_types)
		add_enum(node, "type", caps->channel_types);
}

static void add_features(xmlNode *root)
{
	static const char *const names[] = { "gic",	  "vmcoreinfo",
					     "genid",	  "backingStoreInput",
					     "backup",	  "sev",
					     "sgx" };
	xmlNode *features = xml_add(root, "features", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add_supported(features, names[i], str_eq(names[i], "genid") ||
				      str_eq(names[i], "backup"));
}

char *domcaps_format(const struct domcaps *caps)
{
	xmlNode *root = xml_new("domainCapabilities");

	xml_add(root, "path", caps->path);
	xml_add(root, "domain", words_name(&words_virt, caps->virt));
	xml_add(root, "machine", caps->machine);
	xml_add(root, "arch", caps->arch);
	xml_set(xml_add(root, "vcpu", NULL), "max", "%u", caps->max_vcpus);
	add_supported(root, "iothreads", caps->iothreads);
	add_os(root, caps);
	add_cpu(root, caps);
	add_memory_backing(root, caps);
	add_devices(root, caps);
	add_features(root);
	return xml_finish(root);
}
