/*
 * vmm/numa.c -- the guest's NUMA nodes, and where on the host their memory is.
 */
#include "vmm/numa.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

/* #syscalls:vmm mbind */

enum { LOCAL = 10, REMOTE = 20 };

static int check_cell(const struct spec_cell *c, unsigned int i,
		      const struct vmm_spec *spec, struct error *err)
{
	struct cpuset set;

	if (c->cpus && cpuset_parse(c->cpus, &set) < 0)
		return error_set(err, -EINVAL,
				 "'%.80s' is no set of vCPUs for NUMA cell %u",
				 c->cpus, i);
	if (c->memory % MIB || !c->memory)
		return error_set(err, -EINVAL,
				 "NUMA cell %u has not whole MiB of memory", i);
	if (c->n_distances && c->n_distances != spec->n_cells)
		return error_set(err, -EINVAL,
				 "NUMA cell %u has %u distances to %u cells",
				 i, c->n_distances, spec->n_cells);
	for (unsigned int k = 0; k < c->n_distances; k++)
		if (c->distances[k].value < LOCAL)
			return error_set(err, -EINVAL,
					 "NUMA cell %u has a distance below 10",
					 i);
	return 0;
}

int numa_check(const struct vmm_spec *spec, struct error *err)
{
	uint64_t sum = 0;
	int r = 0;

	for (unsigned int i = 0; i < spec->n_cells && r == 0; i++) {
		r = check_cell(&spec->cells[i], i, spec, err);
		if (ckd_add(&sum, sum, spec->cells[i].memory))
			return error_set(err, -EINVAL,
					 "the NUMA cells' memory is too large");
	}
	if (r == 0 && spec->n_cells && sum != spec->memory)
		r = error_set(err, -EINVAL,
			      "the NUMA cells' memory is not the machine's");
	return r;
}

unsigned int numa_cell_of(const struct vmm_spec *spec, unsigned int n)
{
	struct cpuset set;

	for (unsigned int i = 0; i < spec->n_cells; i++)
		if (spec->cells[i].cpus &&
		    cpuset_parse(spec->cells[i].cpus, &set) == 0 &&
		    cpuset_has(&set, n))
			return i;
	return 0;
}

unsigned int numa_distance(const struct vmm_spec *spec, unsigned int from,
			   unsigned int to)
{
	const struct spec_cell *c = &spec->cells[from];

	if (c->n_distances)
		return c->distances[to].value;
	return from == to ? LOCAL : REMOTE;
}

unsigned int numa_pieces(const struct machine *m, unsigned int cell,
			 struct numa_piece ret_pieces[NUMA_PIECES])
{
	const struct ram_region *region;
	unsigned int n = ram_regions(m->ram, &region), pieces = 0;
	uint64_t start = 0, end, at = 0;

	for (unsigned int i = 0; i < cell; i++)
		start += m->spec->cells[i].memory;
	end = start + m->spec->cells[cell].memory;
	for (unsigned int i = 0; i < n && pieces < NUMA_PIECES; i++) {
		uint64_t from = MAX(start, at);
		uint64_t to = MIN(end, at + region[i].size);

		if (from < to)
			ret_pieces[pieces++] = (struct numa_piece){
				region[i].gpa + from - at, to - from };
		at += region[i].size;
	}
	return pieces;
}

static int policy_mode(enum spec_numa policy)
{
	switch (policy) {
	case SPEC_NUMA_INTERLEAVE:
		return MPOL_INTERLEAVE;
	case SPEC_NUMA_PREFERRED:
		return MPOL_PREFERRED;
	default:
		return MPOL_BIND;
	}
}

int numa_bind(uint8_t *host, uint64_t size, enum spec_numa policy,
	      const char *nodes, unsigned int flags, struct error *err)
{
	struct cpuset set;

	if (policy == SPEC_NUMA_NONE)
		return 0;
	if (!nodes || cpuset_parse(nodes, &set) < 0)
		return error_set(err, -EINVAL,
				 "'%.80s' is no set of NUMA nodes",
				 nodes ? nodes : "");
	if (syscall(SYS_mbind, host, size, policy_mode(policy), set.word,
		    CPUSET_MAX, flags) < 0)
		return error_set(err, -errno,
				 "cannot take memory from NUMA nodes %s of the host: %m",
				 nodes);
	return 0;
}

static int place(uint8_t *host, uint64_t size, enum spec_numa policy,
		 const char *nodes, struct error *err)
{
	return numa_bind(host, size, policy, nodes, 0, err);
}

static int place_cell(struct machine *m, unsigned int i, struct error *err)
{
	const struct spec_cell *c = &m->spec->cells[i];
	struct numa_piece piece[NUMA_PIECES];
	unsigned int n = numa_pieces(m, i, piece);
	int r = 0;

	for (unsigned int k = 0; k < n && r == 0; k++)
		r = place(ram_host(m->ram, piece[k].gpa), piece[k].size,
			  c->policy, c->nodes, err);
	return r;
}

int numa_place(struct machine *m, struct error *err)
{
	const struct ram_region *region;
	unsigned int n = ram_regions(m->ram, &region);
	int r = 0;

	for (unsigned int i = 0; i < n && r == 0; i++)
		r = place(region[i].host, region[i].size, m->spec->mem_policy,
			  m->spec->mem_nodes, err);
	for (unsigned int i = 0; i < m->spec->n_cells && r == 0; i++)
		r = place_cell(m, i, err);
	return r;
}

int numa_place_device(struct machine *m, const struct spec_memory *spec,
		      const struct ram_region *region, struct error *err)
{
	const struct vmm_spec *s = m->spec;

	if (spec->nodes)
		return place(region->host, region->size, SPEC_NUMA_STRICT,
			     spec->nodes, err);
	if (s->n_cells && s->cells[spec->node].policy != SPEC_NUMA_NONE)
		return place(region->host, region->size,
			     s->cells[spec->node].policy,
			     s->cells[spec->node].nodes, err);
	return place(region->host, region->size, s->mem_policy, s->mem_nodes,
		     err);
}
