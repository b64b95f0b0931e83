/*
 * model/info.c -- what all devices have in common: aliases, uniqueness.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"

/* An entry for each kind of device, in the order addresses are given out. */
static const struct info_kind {
	size_t items, n, size; /* n 0: the one memballoon */
} kinds[] = {
#define KIND(m, type) \
	{ offsetof(struct domain_def, m), offsetof(struct domain_def, n_##m), \
	  sizeof(struct type) }
	KIND(controllers, dom_controller), KIND(ifaces, dom_iface),
	KIND(disks, dom_disk),		   KIND(chars, dom_char),
	KIND(rngs, dom_rng),		   KIND(inputs, dom_input),
	KIND(videos, dom_video),	   KIND(hostdevs, dom_hostdev),
	KIND(watchdogs, dom_watchdog),	   KIND(panics, dom_panic),
	KIND(vsocks, dom_vsock),
	KIND(memories, dom_memory),
	KIND(tpms, dom_tpm),		   KIND(filesystems, dom_fs),
};

static const void *member(const struct domain_def *def, size_t off)
{
	return (const char *)def + off;
}

/* Every device's struct begins with its info. */
struct dom_info *domain_info(const struct domain_def *def, unsigned int i)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		char *items = *(char *const *)member(def, kinds[k].items);
		unsigned int n =
			*(const unsigned int *)member(def, kinds[k].n);

		if (i < n)
			return (struct dom_info *)(items + i * kinds[k].size);
		i -= n;
	}
	if (i || !def->memballoon.present)
		return NULL;
	return (struct dom_info *)&def->memballoon.info;
}

static bool alias_used(const struct domain_def *def, const char *alias)
{
	struct dom_info *info;

	for (unsigned int i = 0; (info = domain_info(def, i)); i++)
		if (str_eq(info->alias, alias))
			return true;
	return false;
}

/* The number may be one that is left of those before it. */
static void name_it(const struct domain_def *def, struct dom_info *info,
		    const char *name, unsigned int n)
{
	while (!info->alias) {
		_cleanup_free_ char *alias = xasprintf("%s%u", name, n++);

		if (!alias_used(def, alias))
			info->alias = steal_ptr(&alias);
	}
}

static void name_controllers(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_controllers; i++) {
		struct dom_controller *c = &def->controllers[i];

		if (str_eq(c->type, "pci") && c->index == 0)
			default_str(&c->info.alias, "pcie.0");
		else if (str_eq(c->type, "pci"))
			name_it(def, &c->info, "pci.", c->index);
		else
			name_it(def, &c->info, c->type, c->index);
	}
}

static void name_disk(struct dom_disk *disk)
{
	const struct dom_address *a = &disk->info.address;

	if (disk->info.alias)
		return;
	if (str_eq(a->type, "drive") && str_eq(disk->target_bus, "scsi"))
		disk->info.alias = xasprintf("scsi%u-%u-%u-%u", a->controller,
					     a->bus, a->target, a->unit);
	else if (str_eq(a->type, "drive"))
		disk->info.alias = xasprintf("%s%u-%u-%u", disk->target_bus,
					     a->controller, a->bus, a->unit);
	else
		disk->info.alias = xasprintf(
			"%s-disk%d", disk->target_bus,
			disk_target_index(disk->target_dev));
}

/* The console of a serial line takes that line's name when written. */
static void name_chars(struct domain_def *def)
{
	static const char *const names[] = {
		[CHAR_SERIAL] = "serial", [CHAR_CONSOLE] = "console",
		[CHAR_CHANNEL] = "channel", [CHAR_PARALLEL] = "parallel",
	};
	unsigned int n[ARRAY_SIZE(names)] = { 0 };

	for (unsigned int i = 0; i < def->n_chars; i++) {
		enum dom_char_kind kind = def->chars[i].kind;

		name_it(def, &def->chars[i].info, names[kind], n[kind]++);
	}
}

/* libvirt's names; a module's is its slot's. */
static void name_memories(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_memories; i++) {
		struct dom_memory *m = &def->memories[i];

		if (memory_is_dimm(m))
			name_it(def, &m->info, "dimm", m->info.address.slot);
		else
			name_it(def, &m->info, memory_is_virtio_mem(m) ?
				"virtiomem" : "virtiopmem", 0);
	}
}

void domain_def_assign_aliases(struct domain_def *def)
{
	name_controllers(def);
	for (unsigned int i = 0; i < def->n_disks; i++)
		name_disk(&def->disks[i]);
	for (unsigned int i = 0; i < def->n_ifaces; i++)
		name_it(def, &def->ifaces[i].info, "net", i);
	name_chars(def);
	for (unsigned int i = 0; i < def->n_rngs; i++)
		name_it(def, &def->rngs[i].info, "rng", i);
	for (unsigned int i = 0; i < def->n_hostdevs; i++)
		name_it(def, &def->hostdevs[i].info, "hostdev", i);
	for (unsigned int i = 0; i < def->n_inputs; i++)
		name_it(def, &def->inputs[i].info, "input", i);
	for (unsigned int i = 0; i < def->n_videos; i++)
		name_it(def, &def->videos[i].info, "video", i);
	for (unsigned int i = 0; i < def->n_watchdogs; i++)
		name_it(def, &def->watchdogs[i].info, "watchdog", i);
	for (unsigned int i = 0; i < def->n_panics; i++)
		name_it(def, &def->panics[i].info, "panic", i);
	for (unsigned int i = 0; i < def->n_filesystems; i++)
		name_it(def, &def->filesystems[i].info, "fs", i);
	for (unsigned int i = 0; i < def->n_vsocks; i++)
		name_it(def, &def->vsocks[i].info, "vsock", i);
	for (unsigned int i = 0; i < def->n_tpms; i++)
		name_it(def, &def->tpms[i].info, "tpm", i);
	name_memories(def);
	if (def->memballoon.present)
		name_it(def, &def->memballoon.info, "balloon", 0);
}

static int check_targets(const struct domain_def *def, unsigned int i,
			 struct error *err)
{
	const struct dom_disk *a = &def->disks[i];

	for (unsigned int j = 0; j < i; j++) {
		const struct dom_disk *b = &def->disks[j];

		if (!str_eq(a->target_dev, b->target_dev))
			continue;
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "target '%s' duplicated for disk sources "
				  "'%.200s' and '%.200s'", a->target_dev,
				  b->source ? b->source : "NULL",
				  a->source ? a->source : "NULL");
	}
	return 0;
}

/* A serial line's console has its alias. */
static bool is_console(const struct domain_def *def,
		       const struct dom_info *info)
{
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (&def->chars[i].info == info)
			return def->chars[i].kind == CHAR_CONSOLE;
	return false;
}

static int check_pair(const struct domain_def *def, const struct dom_info *a,
		      const struct dom_info *b, struct error *err)
{
	if (a->boot_order && a->boot_order == b->boot_order)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "boot order '%u' used for more than one "
				  "device", a->boot_order);
	if (a->alias && str_eq(a->alias, b->alias) && !is_console(def, a) &&
	    !is_console(def, b))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "non unique alias detected: %.80s",
				  a->alias);
	return 0;
}

int domain_check_unique(const struct domain_def *def, struct error *err)
{
	struct dom_info *a, *b;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_disks; i++)
		r = check_targets(def, i, err);
	for (unsigned int i = 0; r == 0 && (a = domain_info(def, i)); i++)
		for (unsigned int j = 0; r == 0 && j < i; j++) {
			b = domain_info(def, j);
			r = check_pair(def, a, b, err);
		}
	return r;
}
