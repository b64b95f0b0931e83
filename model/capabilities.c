/*
 * model/capabilities.c -- <capabilities>, in the shape that libvirt documents
 * (formatcaps.html).
 */
#include "model/capabilities.h"

#include "model/names.h"
#include "model/xml.h"

static char *emulator; /* NULL: the installed one */

void caps_set_emulator(const char *path)
{
	free(emulator);
	emulator = xstrdup(path);
}

const char *caps_emulator(void)
{
	return emulator ? emulator : SBINDIR "/vireo-vmm";
}

static void add_features(xmlNode *cpu, const char *const *features)
{
	for (; features && *features; features++)
		xml_set(xml_add(cpu, "feature", NULL), "name", "%s",
			*features);
}

static void add_topology(xmlNode *cpu, const struct caps_host *host)
{
	xmlNode *topology = xml_add(cpu, "topology", NULL);

	xml_set(topology, "sockets", "%u", MAX(host->sockets, 1u));
	xml_set(topology, "dies", "%u", MAX(host->dies, 1u));
	xml_set(topology, "cores", "%u", MAX(host->cores, 1u));
	xml_set(topology, "threads", "%u", MAX(host->threads, 1u));
}

static void add_counter(xmlNode *cpu, uint64_t hz)
{
	xmlNode *counter = xml_add(cpu, "counter", NULL);

	xml_set(counter, "name", "tsc");
	xml_set(counter, "frequency", "%llu", (unsigned long long)hz);
}

static void add_page_sizes(xmlNode *cpu, const struct caps_host *host)
{
	for (unsigned int i = 0; i < host->n_page_sizes; i++) {
		xmlNode *pages = xml_add(cpu, "pages", NULL);

		xml_set(pages, "unit", "KiB");
		xml_set(pages, "size", "%u", host->page_sizes[i]);
	}
}

static void add_host_cpu(xmlNode *parent, const struct caps_host *host)
{
	xmlNode *cpu = xml_add(parent, "cpu", NULL);

	xml_add(cpu, "arch", host->arch ? host->arch : "x86_64");
	if (host->model)
		xml_add(cpu, "model", host->model);
	if (host->vendor)
		xml_add(cpu, "vendor", host->vendor);
	if (host->microcode)
		xml_set(xml_add(cpu, "microcode", NULL), "version", "%s",
			host->microcode);
	if (host->tsc_hz)
		add_counter(cpu, host->tsc_hz);
	add_topology(cpu, host);
	add_features(cpu, host->features);
	add_page_sizes(cpu, host);
}

static void add_number(xmlNode *parent, const char *name, uint64_t value,
		       const char *attr, unsigned int attr_value)
{
	char text[24];
	xmlNode *node;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	node = xml_add(parent, name, text);
	xml_set(node, "unit", "KiB");
	if (attr)
		xml_set(node, attr, "%u", attr_value);
}

static void add_distances(xmlNode *parent, const struct caps_cell *cell)
{
	xmlNode *distances;

	if (!cell->n_distances)
		return;
	distances = xml_add(parent, "distances", NULL);
	for (unsigned int i = 0; i < cell->n_distances; i++) {
		xmlNode *sibling = xml_add(distances, "sibling", NULL);

		xml_set(sibling, "id", "%u", i);
		xml_set(sibling, "value", "%u", cell->distances[i]);
	}
}

static void add_cpus(xmlNode *parent, const struct caps_cell *cell)
{
	xmlNode *cpus = xml_add(parent, "cpus", NULL);

	xml_set(cpus, "num", "%u", cell->n_cpus);
	for (unsigned int i = 0; i < cell->n_cpus; i++) {
		const struct caps_cpu *c = &cell->cpus[i];
		xmlNode *cpu = xml_add(cpus, "cpu", NULL);

		xml_set(cpu, "id", "%u", c->id);
		xml_set(cpu, "socket_id", "%u", c->socket);
		xml_set(cpu, "die_id", "%u", c->die);
		xml_set(cpu, "core_id", "%u", c->core);
		if (c->siblings)
			xml_set(cpu, "siblings", "%s", c->siblings);
	}
}

static void add_cell(xmlNode *cells, const struct caps_cell *cell)
{
	xmlNode *node = xml_add(cells, "cell", NULL);

	xml_set(node, "id", "%u", cell->id);
	add_number(node, "memory", cell->memory / KIB, NULL, 0);
	for (unsigned int i = 0; i < cell->n_pages; i++)
		add_number(node, "pages", cell->pages[i].count, "size",
			   cell->pages[i].kib);
	add_distances(node, cell);
	add_cpus(node, cell);
}

static void add_numa(xmlNode *parent, const struct caps_host *host)
{
	xmlNode *topology, *cells;

	if (!host->n_cells)
		return;
	topology = xml_add(parent, "topology", NULL);
	cells = xml_add(topology, "cells", NULL);
	xml_set(cells, "num", "%u", host->n_cells);
	for (unsigned int i = 0; i < host->n_cells; i++)
		add_cell(cells, &host->cells[i]);
}

static void add_host(xmlNode *root, const struct caps_host *host)
{
	xmlNode *node = xml_add(root, "host", NULL);
	char uuid[UUID_STR_LEN];

	uuid_format(host->uuid, uuid);
	xml_add(node, "uuid", uuid);
	add_host_cpu(node, host);
	xml_add(node, "power_management", NULL);
	xml_set(xml_add(node, "iommu", NULL), "support",
		host->iommu ? "yes" : "no");
	add_numa(node, host);
}

static void add_guest_features(xmlNode *guest)
{
	static const struct {
		const char *name, *toggle; /* NULL: neither */
	} features[] = {
		{ "cpuselection", NULL }, { "deviceboot", NULL },
		{ "acpi", "yes" },	  { "apic", "no" },
	};
	xmlNode *node = xml_add(guest, "features", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		xmlNode *f = xml_add(node, features[i].name, NULL);

		if (!features[i].toggle)
			continue;
		xml_set(f, "default", "on");
		xml_set(f, "toggle", "%s", features[i].toggle);
	}
}

static void add_machines(xmlNode *parent, const struct caps_guest *guest)
{
	xml_add(parent, "emulator", guest->emulator);
	for (unsigned int i = 0; i < guest->n_machines; i++) {
		const struct caps_machine *m = &guest->machines[i];
		xmlNode *node = xml_add(parent, "machine", m->name);

		if (m->canonical)
			xml_set(node, "canonical", "%s", m->canonical);
		xml_set(node, "maxCpus", "%u", m->max_vcpus);
	}
}

/* Clients look for the type first, then for what its <domain> overrides. */
static void add_guests(xmlNode *root, const struct caps_host *host)
{
	xmlNode *guest = xml_add(root, "guest", NULL);
	xmlNode *arch;

	xml_add(guest, "os_type", "hvm");
	arch = xml_add(guest, "arch", NULL);
	xml_set(arch, "name", "x86_64");
	xml_add(arch, "wordsize", "64");
	add_machines(arch, &host->guests[0]);
	for (unsigned int i = 0; i < host->n_guests; i++) {
		const struct caps_guest *g = &host->guests[i];
		xmlNode *node = xml_add(arch, "domain", NULL);

		xml_set(node, "type", "%s",
			words_name(&words_virt, g->virt));
		if (i)
			add_machines(node, g);
	}
	add_guest_features(guest);
}

static void add_drivers(xmlNode *root, const struct caps_host *host)
{
	for (unsigned int i = 0; i < host->n_drivers; i++) {
		const struct caps_driver *d = &host->drivers[i];
		xmlNode *node = xml_add(root, "vireo:driver",
					d->usable ? NULL : d->why);

		xml_set(node, "xmlns:vireo", "%s", CAPS_NAMESPACE);
		xml_set(node, "name", "%s", d->name);
		xml_set(node, "usable", d->usable ? "yes" : "no");
	}
}

char *capabilities_format(const struct caps_host *host)
{
	xmlNode *root = xml_new("capabilities");

	add_host(root, host);
	if (host->n_guests)
		add_guests(root, host);
	add_drivers(root, host);
	return xml_finish(root);
}
