/*
 * model/complete_memory.c -- memory devices, and how much may come.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "model/complete.h"

enum { SLOTS_MAX = 256 };

uint64_t domain_device_memory(const struct domain_def *def)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < def->n_memories; i++)
		if (ckd_add(&sum, sum, def->memories[i].size))
			return UINT64_MAX;
	return sum;
}

uint64_t domain_unused_memory(const struct domain_def *def)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < def->n_memories; i++)
		if (memory_is_virtio_mem(&def->memories[i]))
			sum += def->memories[i].size -
			       MIN(def->memories[i].current,
				   def->memories[i].size);
	return sum;
}

uint64_t domain_initial_memory(const struct domain_def *def)
{
	uint64_t devices = domain_device_memory(def);

	return def->memory > devices ? def->memory - devices : 0;
}

static int bad(struct error *err, const char *text)
{
	return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", text);
}

/* ---- one device ---- */

static int complete_virtio(struct dom_memory *m, struct error *err)
{
	if (!m->block)
		m->block = 2 * MIB;
	if (m->block & (m->block - 1))
		return bad(err, "memory device block size must be a power of two");
	if (m->size % m->block)
		return bad(err, "memory device size must be a multiple of its block size");
	if (m->requested % m->block)
		return bad(err, "requested size must be an integer multiple of block size");
	if (m->requested > m->size)
		return bad(err, "requested size must be smaller than or equal to @size");
	return 0;
}

/* Its node is the file's host's. */
static int complete_persistent(const struct dom_memory *m, struct error *err)
{
	if (str_eq(m->model, "virtio-pmem") && !m->path)
		return bad(err, "path is required for model 'virtio-pmem'");
	return 0;
}

static bool slot_taken(const struct domain_def *def, unsigned int n,
		       unsigned int slot)
{
	for (unsigned int i = 0; i < def->n_memories; i++) {
		const struct dom_address *a = &def->memories[i].info.address;

		if (i != n && str_eq(a->type, "dimm") && a->slot == slot)
			return true;
	}
	return false;
}

static int complete_slot(struct domain_def *def, unsigned int n,
			 struct error *err)
{
	struct dom_address *a = &def->memories[n].info.address;
	unsigned int slot = 0;

	if (!a->type) {
		while (slot_taken(def, n, slot))
			slot++;
		a->type = xstrdup("dimm");
		a->slot = slot;
	} else if (!str_eq(a->type, "dimm")) {
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "memory module %u: its address is of type 'dimm'",
				  n);
	} else if (slot_taken(def, n, a->slot)) {
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "memory device slot '%u' is already being used by another memory device",
				  a->slot);
	}
	if (a->slot >= def->memory_slots)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "memory device slot '%u' exceeds slots count '%u'",
				  a->slot, def->memory_slots);
	return 0;
}

static int complete_device(struct domain_def *def, unsigned int n,
			   struct error *err)
{
	struct dom_memory *m = &def->memories[n];

	m->size = ALIGN_UP(m->size, KIB);
	if (!m->size)
		return bad(err, "a memory device's size must not be 0");
	if (m->node < 0 && def->cpu.n_cells &&
	    !str_eq(m->model, "virtio-pmem"))
		return bad(err, "target NUMA node needs to be specified for memory device");
	if (m->node >= (int)def->cpu.n_cells && m->node > 0)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "can't add memory backend for guest node '%d' as the guest has only '%u' NUMA nodes configured",
				  m->node, def->cpu.n_cells);
	return memory_is_dimm(m) ? complete_slot(def, n, err) :
	       memory_is_virtio_mem(m) ? complete_virtio(m, err) :
					 complete_persistent(m, err);
}

/* ---- all ---- */

static int complete_maximum(struct domain_def *def, struct error *err)
{
	def->max_memory = ALIGN_UP(def->max_memory, KIB);
	if (!def->max_memory != !def->memory_slots)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "both maximum memory size and memory slot count must be specified");
	if (def->memory_slots > SLOTS_MAX)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "a domain has at most %d memory slots",
				  SLOTS_MAX);
	if (def->n_memories && !def->max_memory)
		return bad(err, "cannot use a memory device when domain 'maxMemory' is not defined");
	if (def->max_memory && def->max_memory < def->memory)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "maximum memory size must be equal or greater than the actual memory size");
	return 0;
}

int domain_complete_memories(struct domain_def *def, struct error *err)
{
	int r = complete_maximum(def, err);

	for (unsigned int i = 0; i < def->n_memories && r == 0; i++)
		r = complete_device(def, i, err);
	if (r == 0 && def->n_memories && def->memory &&
	    !domain_initial_memory(def))
		r = bad(err, "Total size of memory devices exceeds the total memory size");
	return r;
}
