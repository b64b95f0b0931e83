/*
 * drivers/launch_memory.c -- memory devices for the machine's description:
 * where in the guest's addresses they are is chosen here, and kept in the
 * definition, because a saved guest has to find them there again.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

/* ---- what is possible ---- */

static bool is_shared(const struct domain_def *def)
{
	const struct dom_backing *b = &def->backing;

	return str_eq(b->source, "memfd") || str_eq(b->access, "shared");
}

static int check_device(const struct domain_def *def,
			const struct dom_memory *m, struct error *err)
{
	bool persistent = str_eq(m->model, "virtio-pmem");

	if (!memory_is_dimm(m) && !memory_is_virtio_mem(m) && !persistent)
		return refuse(err, "<memory>: model '%s' is not supported, use 'dimm', 'virtio-mem' or 'virtio-pmem'",
			      m->model);
	if (m->size % (2 * MIB))
		return refuse(err, "<memory>: its size must be a multiple of 2 MiB");
	if (memory_is_virtio_mem(m) && m->block < 2 * MIB)
		return refuse(err, "<memory model='virtio-mem'>: a block has 2 MiB or more");
	if (m->page_size > GIB || m->page_size & (m->page_size - 1) ||
	    (m->page_size && m->size % m->page_size))
		return refuse(err, "<memory>: pages of %llu KiB do not make it",
			      (unsigned long long)(m->page_size / KIB));
	if (m->path && !persistent)
		return refuse(err, "<memory><source>: a path is for model 'virtio-pmem' only");
	if (!persistent && str_eq(m->access, "shared") && !is_shared(def))
		return refuse(err, "<memory>: access 'shared' needs <memoryBacking><access mode='shared'/>");
	return 0;
}

int launch_check_memories(const struct domain_def *def, struct error *err)
{
	int r = 0;

	if (def->n_memories > SPEC_MEMORIES_MAX)
		return refuse(err, "<memory>: at most %d memory devices are supported",
			      SPEC_MEMORIES_MAX);
	for (unsigned int i = 0; i < def->n_memories && r == 0; i++)
		r = check_device(def, &def->memories[i], err);
	return r;
}

/* ---- where ---- */

static char **base_of(struct dom_memory *m)
{
	return memory_is_dimm(m) ? &m->info.address.base : &m->base;
}

static uint64_t base_value(struct dom_memory *m)
{
	const char *text = *base_of(m);

	return text ? strtoull(text, NULL, 0) : 0;
}

/* The end of one that is in the way, or 0. */
static uint64_t in_the_way(const struct domain_def *def, uint64_t at,
			   uint64_t size)
{
	for (unsigned int i = 0; i < def->n_memories; i++) {
		struct dom_memory *m = &def->memories[i];
		uint64_t base = base_value(m);

		if (base && at < base + m->size && base < at + size)
			return base + m->size;
	}
	return 0;
}

static int choose_base(const struct domain_def *def,
		       const struct vmm_spec *machine, struct dom_memory *m,
		       struct error *err)
{
	uint64_t align = MAX(MAX(m->block, m->page_size), SPEC_MEMORY_ALIGN);
	uint64_t at = ALIGN_UP(vmm_spec_hot_base(machine), align), end;
	uint64_t last = vmm_spec_hot_base(machine) + vmm_spec_hot_size(machine);

	if (*base_of(m))
		return 0;
	while ((end = in_the_way(def, at, m->size)))
		at = ALIGN_UP(end, align);
	if (m->size > last || at > last - m->size)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "there is no room for %llu KiB of memory among the others",
				  (unsigned long long)(m->size / KIB));
	*base_of(m) = xasprintf("0x%llx", (unsigned long long)at);
	return 0;
}

/* As launch_build() and launch_build_tune() have it. */
static void machine_of(const struct domain_def *def, struct vmm_spec *ret)
{
	*ret = (struct vmm_spec){
		.machine = (char *)def->os.machine,
		.memory = ALIGN_UP(domain_initial_memory(def), MIB),
		.max_memory = def->max_memory,
	};
	if (def->cpu.n_cells)
		ret->memory = 0;
	for (unsigned int i = 0; i < def->cpu.n_cells; i++)
		ret->memory +=
			ALIGN_UP(dom_cell_bytes(&def->cpu.cells[i]), MIB);
}

/* ---- the description ---- */

static const struct {
	const char *alias;
	enum spec_memory_kind kind;
} kinds[] = { { "dimm", MEMORY_DIMM },
	      { "virtiomem", MEMORY_VIRTIO },
	      { "virtiopmem", MEMORY_PERSISTENT } };

static unsigned int kind_of(const struct dom_memory *m)
{
	return memory_is_dimm(m) ? 0 : memory_is_virtio_mem(m) ? 1 : 2;
}

int launch_build_memory(struct domain_def *def, unsigned int i,
			struct spec_memory *s, struct error *err)
{
	struct dom_memory *m = &def->memories[i];
	struct vmm_spec machine;
	int r;

	machine_of(def, &machine);
	r = choose_base(def, &machine, m, err);
	launch_set_id(&s->id, &m->info, kinds[kind_of(m)].alias, i);
	s->kind = kinds[kind_of(m)].kind;
	s->base = base_value(m);
	s->size = m->size;
	s->slot = memory_is_dimm(m) ? m->info.address.slot : 0;
	s->node = MAX(m->node, 0);
	s->block = m->block;
	s->requested = m->requested;
	s->page_size = m->page_size > 4 * KIB ? m->page_size : 0;
	s->nodes = xstrdup(m->nodemask);
	s->fd = -1;
	launch_set_place(&s->pci, &m->info);
	if (r == 0 && s->kind == MEMORY_PERSISTENT)
		r = host_open_disk(m->path, false, false, err, &s->fd);
	return r;
}

/*
 * A definition counts all of its devices' memory; a guest keeps of it what is
 * there, less what its balloon is to take.
 */
static void build_sizes(struct domain_def *def, struct vmm_spec *s)
{
	uint64_t there = def->memory - domain_unused_memory(def), taken;

	s->max_memory = def->max_memory;
	s->memory_slots = def->memory_slots;
	def->cur_memory = MIN(def->cur_memory, there);
	taken = there - def->cur_memory;
	for (unsigned int i = 0; i < def->n_memories; i++)
		there -= memory_is_dimm(&def->memories[i]) ? 0 :
			 memory_is_virtio_mem(&def->memories[i]) ?
				 def->memories[i].current :
				 def->memories[i].size;
	s->balloon_target = s->balloon && taken && taken < there ?
				    there - taken : 0;
}

int launch_build_memories(struct domain_def *def, struct vmm_spec *s,
			  struct error *err)
{
	int r = 0;

	build_sizes(def, s);
	s->memories = xcalloc(def->n_memories, sizeof(*s->memories));
	for (unsigned int i = 0; i < def->n_memories && r == 0; i++)
		r = launch_build_memory(def, i, &s->memories[s->n_memories++],
					err);
	return r;
}

/* ---- while it runs ---- */

int launch_set_memory(struct domain *dom, const char *alias, uint64_t bytes,
		      struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string(alias));
	json_object_object_add(args, "requested",
			       json_object_new_int64((int64_t)bytes));
	return monitor_call(dom->priv, "memory", args, NULL, err);
}

void launch_tell_memory(struct domain *dom, const char *alias, uint64_t bytes)
{
	char why[DOMAIN_WHY_MAX];

	snprintf(why, sizeof(why), "%llu %s", (unsigned long long)bytes,
		 alias ? alias : "");
	domain_event(dom, DOMAIN_EVENT_MEMORY, why);
}

void launch_find_memory(struct domain *dom)
{
	struct json_object *ok = NULL, *group;

	if (!dom->live->n_memories ||
	    monitor_call(dom->priv, "stats", NULL, &ok, NULL) < 0)
		return;
	if (json_object_object_get_ex(ok, "memory", &group) &&
	    json_object_is_type(group, json_type_object)) {
		json_object_object_foreach(group, id, v)
			launch_tell_memory(
				dom, id,
				json_object_get_uint64(
					json_object_object_get(v, "size")));
	}
	json_object_put(ok);
}
